//! The records of a CloudTrail log file, one by one.
//!
//! A log file is `{"Records":[{…},{…}]}` in one line of up to many megabytes. To find the records
//! nothing needs to be parsed, only their ends must be found; what is in them is looked at when
//! they are matched. The text is looked at in windows, so the memory does not grow with the file.

use std::ops::Range;

use crate::error::EventError;
use crate::index::Index;
use crate::json::unescape;

/// The deepest nesting in a record.
const DEPTH_MAX: usize = 1_000;

/// The window that is looked at in one go. It grows only for a record that is longer.
const WINDOW_BYTES: usize = 32 * 1024;

/// Finds the records of a CloudTrail log file (already decompressed).
///
/// Each item is one record's JSON text. After an error nothing more comes. Records are checked for
/// closed strings and balanced brackets only; the text around them is checked whole, except for the
/// values of keys other than `Records`.
///
/// ```
/// let file = br#"{"Records":[{"eventName":"PutBucketAcl"},{"eventName":"GetObject"}]}"#;
/// let records: Result<Vec<_>, _> = event_pattern::records(file).collect();
/// assert_eq!(records?[1], br#"{"eventName":"GetObject"}"#);
/// # Ok::<(), event_pattern::EventError>(())
/// ```
pub fn records(file: &[u8]) -> Records<'_> {
    Records { file, at: 0, state: State::Before, index: Index::default(), window: 0..0 }
}

/// An iterator over the records of a CloudTrail log file; [`records`] makes it.
#[derive(Debug)]
pub struct Records<'a> {
    file: &'a [u8],
    at: usize,
    state: State,
    /// Of the window.
    index: Index,
    window: Range<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the file's `{`.
    Before,
    /// Before the first record or the array's end.
    First,
    /// Behind a record.
    Next,
    Done,
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<&'a [u8], EventError>;

    fn next(&mut self) -> Option<Self::Item> {
        let record = self.record();
        if !matches!(record, Ok(Some(_))) {
            self.state = State::Done;
        }
        record.transpose()
    }
}

impl<'a> Records<'a> {
    fn record(&mut self) -> Result<Option<&'a [u8]>, EventError> {
        match self.state {
            State::Done => return Ok(None),
            State::Before => self.find_array()?,
            State::First | State::Next => {}
        }
        match (self.past_space(), self.state) {
            (Some(b']'), _) => {
                self.at += 1;
                return self.after_array();
            }
            (Some(b','), State::Next) => {
                self.at += 1;
                self.past_space();
            }
            (_, State::Next) => return Err(self.fault("a comma or `]` is expected")),
            _ => {}
        }
        self.state = State::Next;
        if self.peek() != Some(b'{') {
            return Err(self.fault("a record is an object"));
        }
        let start = self.at;
        self.at = self.past_container(start)?;
        Ok(self.file.get(start..self.at))
    }

    /// Up to behind the `[` of `Records`.
    fn find_array(&mut self) -> Result<(), EventError> {
        self.expect(b'{', "a log file is an object")?;
        loop {
            let key = self.key()?;
            self.past_space();
            if key == "Records" {
                self.expect(b'[', "`Records` is an array")?;
                self.state = State::First;
                return Ok(());
            }
            self.at = self.past_value()?;
            if self.past_space() == Some(b'}') {
                return Err(self.fault("a log file has an array `Records`"));
            }
            self.expect(b',', "a comma or `}` is expected")?;
        }
    }

    /// What follows the records: other keys, the end.
    fn after_array(&mut self) -> Result<Option<&'a [u8]>, EventError> {
        while self.past_space() == Some(b',') {
            self.at += 1;
            self.key()?;
            self.past_space();
            self.at = self.past_value()?;
        }
        self.expect(b'}', "a comma or `}` is expected")?;
        match self.past_space() {
            None => Ok(None),
            Some(_) => Err(self.fault("nothing may follow the value")),
        }
    }

    /// A key and its colon.
    fn key(&mut self) -> Result<String, EventError> {
        self.past_space();
        let start = self.at + 1;
        self.expect(b'"', "a key in double quotes is expected")?;
        let end = self.string_end()?;
        let raw = self.file.get(start..end).unwrap_or_default();
        let raw = std::str::from_utf8(raw).map_err(|_| EventError::NotUtf8 { offset: start })?;
        let mut key = String::new();
        unescape(raw, &mut key);
        self.at = end + 1;
        self.past_space();
        self.expect(b':', "a colon is expected after the key")?;
        Ok(key)
    }

    fn past_value(&mut self) -> Result<usize, EventError> {
        match self.peek() {
            Some(b'{' | b'[') => self.past_container(self.at),
            Some(b'"') => {
                self.at += 1;
                Ok(self.string_end()? + 1)
            }
            _ => {
                let rest = self.file.get(self.at..).unwrap_or_default();
                let stops = |it: &u8| matches!(it, b',' | b'}' | b']') || it.is_ascii_whitespace();
                Ok(self.at + rest.iter().position(stops).unwrap_or(rest.len()))
            }
        }
    }

    /// Behind the container that opens at `start`.
    fn past_container(&mut self, start: usize) -> Result<usize, EventError> {
        let mut bytes = WINDOW_BYTES;
        if !self.window.contains(&start) {
            self.look_at(start, bytes);
        }
        loop {
            let window = self.file.get(self.window.clone()).unwrap_or_default();
            let steps = self.index.steps(window, DEPTH_MAX);
            match steps.past_container(start - self.window.start, 1).map_err(|it| *it) {
                Ok(end) => return Ok(self.window.start + end),
                Err(EventError::TooDeep { depth_max, offset }) => {
                    let offset = self.window.start + offset;
                    return Err(EventError::TooDeep { depth_max, offset });
                }
                Err(_) if self.window.end == self.file.len() => {
                    self.at = self.file.len();
                    return Err(self.fault("the text ends too early"));
                }
                Err(_) => {
                    if self.window.start == start {
                        bytes *= 2;
                    }
                    self.look_at(start, bytes);
                }
            }
        }
    }

    fn look_at(&mut self, start: usize, bytes: usize) {
        self.window = start..self.file.len().min(start + bytes);
        self.index.look_at(self.file.get(self.window.clone()).unwrap_or_default());
    }

    /// The closing quote of the string whose inside starts here.
    fn string_end(&self) -> Result<usize, EventError> {
        let mut at = self.at;
        loop {
            match self.file.get(at) {
                Some(b'"') => return Ok(at),
                Some(b'\\') => at += 2,
                Some(_) => at += 1,
                None => return Err(self.fault("the string does not end")),
            }
        }
    }

    fn expect(&mut self, byte: u8, reason: &'static str) -> Result<(), EventError> {
        if self.past_space() != Some(byte) {
            return Err(self.fault(reason));
        }
        self.at += 1;
        Ok(())
    }

    /// Skips whitespace; what comes then.
    fn past_space(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.peek() {
            self.at += 1;
        }
        self.peek()
    }

    fn peek(&self) -> Option<u8> {
        self.file.get(self.at).copied()
    }

    fn fault(&self, reason: &'static str) -> EventError {
        EventError::NotJson { offset: self.at, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(file: &str) -> Result<Vec<&str>, EventError> {
        records(file.as_bytes()).map(|it| Ok(std::str::from_utf8(it?).unwrap())).collect()
    }

    #[test]
    fn records_are_found() {
        assert_eq!(all(r#"{"Records":[]}"#), Ok(vec![]));
        assert_eq!(all(r#"{"Records":[{"a":"]}"},{}]}"#), Ok(vec![r#"{"a":"]}"}"#, "{}"]));
        assert_eq!(
            all(" { \"x\" : [1, {}] , \"Records\" : [ { } , {\"a\":[{}]} ] , \"y\": 1 }\n"),
            Ok(vec!["{ }", "{\"a\":[{}]}"])
        );
    }

    #[test]
    fn a_record_may_be_longer_than_the_window() {
        let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(5 * WINDOW_BYTES));
        let file = format!(r#"{{"Records":[{{"b":1}},{long},{long},{{"c":2}}]}}"#);
        assert_eq!(all(&file), Ok(vec![r#"{"b":1}"#, &long, &long, r#"{"c":2}"#]));
    }

    #[test]
    fn many_records_in_many_windows() {
        let record = |it: usize| format!(r#"{{"n":{it},"s":"{}\\"}}"#, "\\\"{".repeat(it % 50));
        let expected: Vec<_> = (0..5_000).map(record).collect();
        let file = format!(r#"{{"Records":[{}]}}"#, expected.join(","));
        let found = all(&file).unwrap();
        assert_eq!(found, expected);
    }

    #[test]
    fn malformed_files_are_errors() {
        for file in [
            "",
            "[]",
            "{}",
            "{\"Records\":{}}",
            "{\"Records\":[1]}",
            "{\"Records\":[{},]}",
            "{\"Records\":[{}",
            "{\"Records\":[{}]",
            "{\"Records\":[{}]}x",
            "{\"Records\":[{} {}]}",
            "{\"Records\":[{\"a\":\"}]}",
            "{\"a\":1}",
            "{\"Records\":[,{}]}",
            "{\"Records",
        ] {
            assert!(all(file).is_err(), "{file}");
        }
        let deep = format!(r#"{{"Records":[{{"a":{}}}]}}"#, "[".repeat(10_000));
        assert!(matches!(all(&deep), Err(EventError::TooDeep { .. })));
    }
}
