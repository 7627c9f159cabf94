//! `Fn::Cidr`: blocks of addresses within a block.
//!
//! Source: AWS CloudFormation Template Reference, page `intrinsic-function-reference-cidr`.

use ipnet::IpNet;

/// The most blocks that `Fn::Cidr` makes.
pub const BLOCKS_MAX: usize = 256;

/// The first `count` blocks within `block` whose hosts have `bits` bits; `None` where there are not
/// that many.
pub fn blocks(block: &str, count: usize, bits: u8) -> Option<Vec<String>> {
    let block: IpNet = block.parse().ok()?;
    let prefix = block.max_prefix_len().checked_sub(bits)?;
    if BLOCKS_MAX < count {
        return None;
    }
    let blocks: Vec<_> = block.subnets(prefix).ok()?.take(count).map(|it| it.to_string()).collect();
    (blocks.len() == count).then_some(blocks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_cut_from_the_beginning() {
        let six = blocks("192.168.0.0/24", 6, 5).unwrap();
        assert_eq!(six.first().unwrap(), "192.168.0.0/27");
        assert_eq!(six.last().unwrap(), "192.168.0.160/27");
        assert_eq!(blocks("10.0.0.0/24", 2, 8), None);
        assert_eq!(blocks("10.0.0.0/8", 2, 24), None);
        assert_eq!(blocks("2001:db8::/56", 1, 64).unwrap(), ["2001:db8::/64"]);
        assert_eq!(blocks("x", 1, 8), None);
        assert_eq!(blocks("10.0.0.0/8", 257, 8), None);
    }
}
