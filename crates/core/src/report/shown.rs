//! What a terminal must not obey: sources, plans and policies hold what attackers chose.

use std::borrow::Cow;

/// Whether a terminal, or whoever reads along, would obey a character instead of showing it: the
/// control characters (C0, DEL, C1), the bidirectional controls (Unicode, UAX #9), and the
/// separators of lines that are no newline.
pub fn is_obeyed(it: char) -> bool {
    it.is_control()
        || matches!(it, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

/// A text from outside, within a line: nothing in it is obeyed, and it stays one line.
pub fn visible(text: &str) -> Cow<'_, str> {
    escaped(text, is_obeyed)
}

/// A text from outside that may have lines of its own.
pub fn lines(text: &str) -> Cow<'_, str> {
    escaped(text, |it| is_obeyed(it) && it != '\n' && it != '\t')
}

fn escaped(text: &str, obeyed: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(&obeyed) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for it in text.chars() {
        match obeyed(it) {
            true => shown.extend(it.escape_default()),
            false => shown.push(it),
        }
    }
    Cow::Owned(shown)
}
