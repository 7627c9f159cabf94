//! `*` (any text) and `?` (any one character), as policies use them.

/// Whether every text that `inner` matches is matched by `outer`, too. `inner` may be plain text.
/// ASCII letter case can be ignored, as it is in actions.
pub(crate) fn covers(outer: &str, inner: &str, ignore_case: bool) -> bool {
    let fold = |it: char| if ignore_case { it.to_ascii_lowercase() } else { it };
    let outer: Vec<char> = outer.chars().map(fold).collect();
    let inner: Vec<char> = inner.chars().map(fold).collect();
    let (mut at, mut place) = (0, 0);
    // Where to go on when the last star swallows one character more.
    let mut retry: Option<(usize, usize)> = None;
    while let Some(&letter) = inner.get(place) {
        match outer.get(at) {
            Some('*') => {
                retry = Some((at + 1, place));
                at += 1;
                continue;
            }
            // Only a star covers a star: a wildcard of `inner` stands for any text.
            Some('?') if letter != '*' => {}
            Some(&expected) if expected == letter => {}
            _ => {
                let Some((after_star, swallowed)) = retry else { return false };
                (at, place) = (after_star, swallowed + 1);
                retry = Some((at, place));
                continue;
            }
        }
        (at, place) = (at + 1, place + 1);
    }
    outer.iter().skip(at).all(|it| *it == '*')
}

/// Whether the text contains a wildcard.
pub(crate) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?'])
}

/// Whether the text consists of wildcards alone and at least one star, so that it matches all that
/// is long enough.
pub(crate) fn is_all(text: &str) -> bool {
    text.contains('*') && text.chars().all(|it| matches!(it, '*' | '?'))
}

/// Whether the text consists of stars alone, so that it matches whatever there is.
pub(crate) fn is_everything(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|it| it == '*')
}

/// What stands before the first wildcard.
pub(crate) fn literal_prefix(text: &str) -> &str {
    text.split(['*', '?']).next().unwrap_or(text)
}

/// Whether surely no text is matched by both: one is a text that the other does not match, or they
/// begin, or end, with different literals. A policy variable (`${…}`) counts as a wildcard.
pub(crate) fn are_apart(one: &str, other: &str, ignore_case: bool) -> bool {
    let fold = |it: &str| if ignore_case { it.to_ascii_lowercase() } else { it.to_owned() };
    let (one, other) = (fold(one), fold(other));
    if !one.contains("${") && !other.contains("${") {
        if !is_pattern(&one) {
            return !covers(&other, &one, false);
        }
        if !is_pattern(&other) {
            return !covers(&one, &other, false);
        }
    }
    let head = |it: &str| it.split(['*', '?', '$']).next().unwrap_or_default().to_owned();
    let tail = |it: &str| it.rsplit(['*', '?', '}']).next().unwrap_or_default().to_owned();
    let (head_one, head_other) = (head(&one), head(&other));
    let (tail_one, tail_other) = (tail(&one), tail(&other));
    let heads_meet = head_one.starts_with(&head_other) || head_other.starts_with(&head_one);
    let tails_meet = tail_one.ends_with(&tail_other) || tail_other.ends_with(&tail_one);
    !heads_meet || !tails_meet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_and_text() {
        assert!(covers("s3:Get*", "s3:GetObject", false));
        assert!(!covers("s3:Get*", "s3:PutObject", false));
        assert!(covers("S3:get??ject", "s3:GetObject", true));
        assert!(covers("*a*b", "xxaxxbxb", false));
        assert!(!covers("a?", "a", false));
        assert!(covers("**", "", false));
    }

    #[test]
    fn patterns_and_patterns() {
        assert!(covers("*", "s3:*", false));
        assert!(covers("s3:*", "s3:Get*", false));
        assert!(covers("s3:*Object", "s3:Get*Object", false));
        assert!(!covers("s3:Get*", "s3:*", false));
        assert!(!covers("s3:?", "s3:*", false));
        assert!(covers("s3:*", "s3:?", false));
    }

    #[test]
    fn what_surely_has_nothing_in_common() {
        assert!(are_apart("s3:GetObject", "s3:PutObject", false));
        assert!(are_apart("s3:GetObject", "s3:GetObjectAcl", false));
        assert!(are_apart("s3:*", "iam:*", true));
        assert!(are_apart("s3:*Acl", "s3:Get*Policy", true));
        assert!(are_apart("b/public/*", "b/private/*", false));
        assert!(are_apart("b", "b/*", false));
        assert!(!are_apart("S3:getobject", "s3:GetObject", true));
        assert!(!are_apart("s3:Get*", "s3:*Object", true));
        assert!(!are_apart("i?m:*", "iam:*", true));
        assert!(!are_apart("b/${aws:username}/*", "b/alice/*", false));
        assert!(!are_apart("*", "s3:*", true));
    }
}
