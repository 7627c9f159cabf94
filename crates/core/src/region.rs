//! AWS regions: what their names look like, and the partitions that they lie in.

/// The longest name of a region, in characters; the longest of today has 15.
const REGION_MAX_CHARS: usize = 32;

/// A partition.
struct Partition {
    /// How the names of its regions begin.
    prefix: &'static str,
    name: &'static str,
    /// How the names of its hosts end.
    url_suffix: &'static str,
    /// The region of its global services.
    home: &'static str,
}

const fn of(
    prefix: &'static str,
    name: &'static str,
    url_suffix: &'static str,
    home: &'static str,
) -> Partition {
    Partition { prefix, name, url_suffix, home }
}

/// The partition of every region that no other one has.
static COMMERCIAL: Partition = of("", "aws", "amazonaws.com", "us-east-1");

/// The other partitions.
///
/// Sources: AWS Fault Isolation Boundaries, Partitions; "AWS Identity and Access Management
/// endpoints and quotas" in the AWS general reference.
static OTHERS: [Partition; 7] = [
    of("cn-", "aws-cn", "amazonaws.com.cn", "cn-north-1"),
    of("us-gov-", "aws-us-gov", "amazonaws.com", "us-gov-west-1"),
    of("us-iso-", "aws-iso", "c2s.ic.gov", "us-iso-east-1"),
    of("us-isob-", "aws-iso-b", "sc2s.sgov.gov", "us-isob-east-1"),
    of("eu-isoe-", "aws-iso-e", "cloud.adc-e.uk", "eu-isoe-west-1"),
    of("us-isof-", "aws-iso-f", "csp.hci.ic.gov", "us-isof-south-1"),
    of("eusc-", "aws-eusc", "amazonaws.eu", "eusc-de-east-1"),
];

/// The AWS partition that a region belongs to.
pub fn partition(region: &str) -> &'static str {
    lies_in(region).name
}

/// How the names of a region's hosts end.
pub fn url_suffix(region: &str) -> &'static str {
    lies_in(region).url_suffix
}

/// The region in which a partition's global services are called, and which their events name.
pub fn home_region(partition: &str) -> &'static str {
    OTHERS.iter().find(|it| it.name == partition).unwrap_or(&COMMERCIAL).home
}

fn lies_in(region: &str) -> &'static Partition {
    OTHERS.iter().find(|it| region.starts_with(it.prefix)).unwrap_or(&COMMERCIAL)
}

/// Whether a text has the form of a region's name, such as `eu-central-1` or `us-gov-west-1`: words
/// of lower-case letters and a number, joined by hyphens. ("AWS Regions", AWS general reference.)
pub fn is_region(name: &str) -> bool {
    let words: Vec<&str> = name.split('-').collect();
    let Some((number, words)) = words.split_last() else { return false };
    let all =
        |text: &str, fits: fn(&u8) -> bool| !text.is_empty() && text.bytes().all(|it| fits(&it));
    name.len() <= REGION_MAX_CHARS
        && 2 <= words.len()
        && words.iter().all(|it| all(it, u8::is_ascii_lowercase))
        && all(number, u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_lies_in_its_partition() {
        for (region, wanted, suffix) in [
            ("eu-central-1", "aws", "amazonaws.com"),
            ("us-gov-west-1", "aws-us-gov", "amazonaws.com"),
            ("cn-north-1", "aws-cn", "amazonaws.com.cn"),
            ("us-iso-east-1", "aws-iso", "c2s.ic.gov"),
            ("us-isob-east-1", "aws-iso-b", "sc2s.sgov.gov"),
            ("eusc-de-east-1", "aws-eusc", "amazonaws.eu"),
        ] {
            assert_eq!((partition(region), url_suffix(region)), (wanted, suffix), "{region}");
            assert_eq!(partition(home_region(partition(region))), wanted, "{region}");
        }
    }
}
