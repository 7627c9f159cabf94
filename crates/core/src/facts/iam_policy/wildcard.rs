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

/// What stands before the first wildcard.
pub(crate) fn literal_prefix(text: &str) -> &str {
    text.split(['*', '?']).next().unwrap_or(text)
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
}
