//! What somebody may have meant who wrote a name that there is not.

/// The most names that are listed where none is near.
const LISTED_MAX: usize = 12;

/// The end of a complaint: the nearest of the names that there are, or all of them.
pub fn instead<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let mut known: Vec<&str> = known.into_iter().collect();
    known.sort_unstable();
    known.dedup();
    match nearest(name, &known) {
        Some(near) => format!("; did you mean `{near}`?"),
        None if known.is_empty() || LISTED_MAX < known.len() => String::new(),
        None => format!("; there are {}", known.join(", ")),
    }
}

/// The name that is the fewest changes away: at most two, or a third of the letters.
fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let changes_max = (name.chars().count() / 3).max(2);
    let name = name.to_ascii_lowercase();
    known
        .iter()
        .map(|it| (changes(&name, &it.to_ascii_lowercase()), *it))
        .filter(|(changes, _)| *changes <= changes_max)
        .min()
        .map(|(_, it)| it)
}

/// How many letters must be inserted, removed or replaced to make one text the other
/// (Levenshtein's distance).
fn changes(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    // To each beginning of `to`, from what of `from` has been looked at.
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (at, letter) in from.chars().enumerate() {
        let (mut diagonal, mut left) = (at, at + 1);
        let mut next = vec![left];
        for (wanted, above) in to.iter().zip(row.iter().skip(1)) {
            let fewest = diagonal.min(*above).min(left) + 1;
            left = if letter == *wanted { diagonal } else { fewest };
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_counted() {
        for (from, to, count) in
            [("", "", 0), ("a", "", 1), ("", "ab", 2), ("kitten", "sitting", 3), ("acl", "acl", 0)]
        {
            assert_eq!(changes(from, to), count, "{from} {to}");
            assert_eq!(changes(to, from), count, "{to} {from}");
        }
    }

    #[test]
    fn the_nearest_name_is_told_or_all() {
        let known = ["PutBucketAcl", "PutBucketPolicy"];
        assert_eq!(instead("PutBucketACLs", known), "; did you mean `PutBucketAcl`?");
        assert_eq!(instead("RunInstances", known), "; there are PutBucketAcl, PutBucketPolicy");
        assert_eq!(instead("x", []), "");
    }
}
