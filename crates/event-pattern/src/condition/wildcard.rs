//! `*` stands for any text. `\*` is an asterisk, `\\` a backslash.

use memchr::memmem;
use std::collections::HashSet;

/// Sets of places that [`states_alive_max`] looks at before it calls a pattern too complex.
const STATE_SETS_MAX: usize = 4_096;

/// A text with holes.
#[derive(Debug, Clone)]
pub(crate) struct Wildcard {
    /// Before the first `*`.
    head: Box<str>,
    /// What must follow in this order: between two `*`.
    middle: Box<[memmem::Finder<'static>]>,
    /// After the last `*`; none if there is no `*`.
    tail: Option<Box<str>>,
}

impl Wildcard {
    /// The error is the service's complaint.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = pieces(text)?;
        let tail = if pieces.len() < 2 { None } else { pieces.pop().map(Into::into) };
        let mut pieces = pieces.into_iter();
        let head = pieces.next().unwrap_or_default().into();
        let middle = pieces.map(|it| memmem::Finder::new(&it).into_owned()).collect();
        Ok(Self { head, middle, tail })
    }

    pub fn matches(&self, text: &[u8]) -> bool {
        let Some(rest) = text.strip_prefix(self.head.as_bytes()) else { return false };
        let Some(tail) = &self.tail else { return rest.is_empty() };
        let Some(mut rest) = rest.strip_suffix(tail.as_bytes()) else { return false };
        // The leftmost place for each piece leaves the most room for those that follow.
        for piece in &self.middle {
            let Some(at) = piece.find(rest) else { return false };
            rest = rest.get(at + piece.needle().len()..).unwrap_or_default();
        }
        true
    }

    /// The pattern as a list of bytes and holes.
    fn items(&self) -> Vec<Option<u8>> {
        let text = |it: &[u8]| it.iter().copied().map(Some).collect::<Vec<_>>();
        let mut items = text(self.head.as_bytes());
        for piece in &self.middle {
            items.push(None);
            items.extend(text(piece.needle()));
        }
        if let Some(tail) = &self.tail {
            items.push(None);
            items.extend(text(tail.as_bytes()));
        }
        items
    }
}

impl PartialEq for Wildcard {
    fn eq(&self, other: &Self) -> bool {
        self.items() == other.items()
    }
}

/// Cuts at every `*` and resolves the escapes.
fn pieces(text: &str) -> Result<Vec<String>, String> {
    let mut pieces = vec![String::new()];
    let mut chars = text.char_indices().peekable();
    // Positions count the opening quote, as the service does.
    while let Some((at, it)) = chars.next() {
        match (it, chars.peek().copied()) {
            ('*', Some((_, '*'))) => {
                return Err(format!("Consecutive wildcard characters at pos {}", at + 1));
            }
            ('*', _) => pieces.push(String::new()),
            ('\\', Some((_, next @ ('*' | '\\')))) => {
                chars.next();
                push(&mut pieces, next);
            }
            ('\\', _) => return Err(format!("Invalid escape character at pos {}", at + 1)),
            (other, _) => push(&mut pieces, other),
        }
    }
    Ok(pieces)
}

fn push(pieces: &mut [String], it: char) {
    if let Some(last) = pieces.last_mut() {
        last.push(it);
    }
}

/// In how many places of these wildcards a matcher can be at once, for the worst value: what makes
/// one costly for an engine that follows all of them. `none` if there are too many to tell.
pub(crate) fn states_alive_max(wildcards: &[&Wildcard]) -> Option<usize> {
    let machines: Vec<_> = wildcards.iter().map(|it| it.items()).collect();
    let mut bytes: Vec<u8> = machines.iter().flatten().copied().flatten().collect();
    bytes.sort_unstable();
    bytes.dedup();
    // A byte that no literal asks for: only holes take it.
    let other = (0..=u8::MAX).find(|it| !bytes.contains(it));
    bytes.extend(other);

    let start: Vec<_> = (0..machines.len()).map(|machine| (machine, 0)).collect();
    let start = with_empty_holes(&machines, start);
    let mut most = start.len();
    let mut seen = HashSet::from([start.clone()]);
    let mut open = vec![start];
    while let Some(states) = open.pop() {
        for byte in &bytes {
            let next = with_empty_holes(&machines, step(&machines, &states, *byte));
            most = most.max(next.len());
            if seen.insert(next.clone()) {
                open.push(next);
            }
        }
        if STATE_SETS_MAX < seen.len() {
            return None;
        }
    }
    Some(most)
}

/// A place: which wildcard, how many of its items lie behind.
type State = (usize, usize);

fn step(machines: &[Vec<Option<u8>>], states: &[State], byte: u8) -> Vec<State> {
    let mut next = Vec::new();
    for (machine, at) in states {
        let items = machines.get(*machine).map(Vec::as_slice).unwrap_or_default();
        if items.get(*at).copied().flatten() == Some(byte) {
            next.push((*machine, at + 1));
        }
        if at.checked_sub(1).and_then(|it| items.get(it)) == Some(&None) {
            next.push((*machine, *at));
        }
    }
    next
}

/// Before a hole is also behind it.
fn with_empty_holes(machines: &[Vec<Option<u8>>], mut states: Vec<State>) -> Vec<State> {
    let behind: Vec<_> = states
        .iter()
        .filter(|(machine, at)| machines.get(*machine).and_then(|it| it.get(*at)) == Some(&None))
        .map(|(machine, at)| (*machine, at + 1))
        .collect();
    states.extend(behind);
    states.sort_unstable();
    states.dedup();
    states
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        Wildcard::parse(pattern).expect(pattern).matches(text.as_bytes())
    }

    #[test]
    fn holes_take_any_text() {
        for (pattern, text) in [
            ("*", ""),
            ("*", "x"),
            ("a*", "a"),
            ("*bc", "abcbc"),
            ("d*f", "df"),
            ("a*b*c", "a-b-b-c"),
            ("/Users/*/dir/dir/doc.txt", "/Users/x/dir/dir/dir/dir/doc.txt"),
            (r"a\*b", "a*b"),
            (r"a\\b", r"a\b"),
            ("*データ*", "次期データ_x"),
            ("", ""),
            ("ab*ab", "abab"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("", "x"),
            ("a*", "b"),
            ("d*f", "fd"),
            ("a*a", "a"),
            ("ab*ba", "aba"),
            (r"a\*b", "axb"),
            ("*データ*", "data"),
            ("a*b*c", "acb"),
        ] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn malformed_ones_are_refused() {
        for pattern in ["**", "a**b", r"\", r"a\b", r"a\"] {
            assert!(Wildcard::parse(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn complexity_is_the_number_of_places_alive_at_once() {
        let alive = |patterns: &[&str]| {
            let wildcards: Vec<_> =
                patterns.iter().map(|it| Wildcard::parse(it).expect(it)).collect();
            states_alive_max(&wildcards.iter().collect::<Vec<_>>())
        };
        assert_eq!(alive(&["abc"]), Some(1));
        assert_eq!(alive(&["abc*"]), Some(2));
        assert_eq!(alive(&["*:*:*:*:*:event-bus/*"]), Some(11));
        assert_eq!(alive(&["/Users/*/dir/dir/dir/dir/dir/doc.txt"]), Some(7));
        assert_eq!(alive(&["abc*", "abc*"]), Some(4));
    }
}
