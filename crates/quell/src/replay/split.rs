//! From a stream of bytes to single records, in memory that no input can grow beyond a limit.
//!
//! A file is a log file (`{"Records":[…]}`), a list of events, events one after the other, or one
//! event per line. Its text passes through one buffer; what is whole in it is handed over as a
//! slice, what is cut off at its end waits for more. A record that is too long or too deep is
//! reported and stepped over, and the rest goes on; only where the text stops being a list of
//! objects there is nothing left to go on with.
//!
//! Inside a log file [`event_pattern::records`] finds the ends of records. It takes whole files, so
//! each buffer is given the head that a log file has ([`HEAD`]), and an early end means "not yet".

use event_pattern::{EventError, records};
use std::io::{self, ErrorKind, Read};

/// The longest record or document that is looked at, in bytes. CloudTrail's own limit is 256 KiB.
pub const RECORD_BYTES_MAX: usize = 2 * 1024 * 1024;
/// How much is read in one go, in bytes: it stays in the processor's second cache.
pub const CHUNK_BYTES: usize = 256 * 1024;

/// What every log file begins with.
const HEAD: &[u8] = b"{\"Records\":[";
/// The end of the longest sensible way to write [`HEAD`] with spaces, in bytes.
const HEAD_BYTES_MAX: usize = 64;

/// How a file's events are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Documents one after the other, whatever stands between them.
    Documents,
    /// One document per line: a broken line does not hide the next.
    Lines,
}

/// What was found in a stream.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// A record of a log file.
    Record(&'a [u8]),
    /// A document: an event in an envelope, a bare record, or a small log file.
    Document(&'a [u8]),
    /// Something that could not be read; the rest goes on.
    Fault(Fault),
}

/// Why something could not be read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// Which record of the file, from 1; `None` where it is the file as a whole.
    pub record: Option<u64>,
    /// What is wrong.
    pub problem: String,
}

impl Fault {
    /// A fault of the file as a whole.
    pub fn file(problem: impl Into<String>) -> Fault {
        Fault { record: None, problem: problem.into() }
    }
}

/// Reads a stream to its end and hands every piece over. An error ends it: what came before was
/// handed over, what comes after cannot be found.
pub fn split(
    source: &mut dyn Read,
    layout: Layout,
    each: &mut dyn FnMut(u64, Piece<'_>),
) -> Result<(), Fault> {
    let mut splitter = Splitter {
        source,
        // A line may be all that comes for a while.
        is_eager: layout == Layout::Lines,
        buffer: HEAD.to_vec(),
        end: HEAD.len(),
        ended: false,
        failure: None,
        number: 0,
        each,
    };
    splitter.skip_byte_order_mark();
    let ended = match layout {
        Layout::Documents => splitter.documents(),
        Layout::Lines => splitter.lines(),
    };
    // That the text breaks off is only what a failed read leads to.
    match splitter.failure.take() {
        Some(problem) => Err(splitter.broken(&problem)),
        None => ended,
    }
}

struct Splitter<'s> {
    source: &'s mut dyn Read,
    /// Whether what has come is looked at before a chunk is full.
    is_eager: bool,
    /// [`HEAD`], then what was read and not yet handed over.
    buffer: Vec<u8>,
    /// Where that ends; the buffer is as long as it ever had to be.
    end: usize,
    ended: bool,
    /// Why reading failed, if it did.
    failure: Option<String>,
    /// Records handed over or stepped over.
    number: u64,
    each: &'s mut dyn FnMut(u64, Piece<'_>),
}

/// What a list is a list of.
#[derive(Debug, Clone, Copy)]
enum Holds {
    Records,
    Documents,
}

/// What a look into the buffer came to.
enum Look {
    /// The list of records is at its end.
    ListEnds,
    /// More has to be read.
    More,
    /// The next record is too deep.
    Deep(String),
    /// The text is no list of records.
    Broken(String),
}

impl Splitter<'_> {
    fn documents(&mut self) -> Result<(), Fault> {
        while let Some(first) = self.past_space() {
            match first {
                b'{' => match self.head() {
                    Some(bytes) => {
                        self.consume(bytes);
                        self.list(Holds::Records)?;
                        self.rest_of_object()?;
                    }
                    None => self.document()?,
                },
                b'[' => {
                    self.consume(1);
                    self.list(Holds::Documents)?;
                }
                _ => return Err(self.broken("an object or a list of objects is expected")),
            }
        }
        Ok(())
    }

    fn lines(&mut self) -> Result<(), Fault> {
        while self.past_space().is_some() {
            let mut seen = 0;
            let found = self.find(|data| {
                let rest = data.get(seen..).unwrap_or_default();
                let end = rest.iter().position(|it| *it == b'\n').map(|it| seen + it);
                seen = data.len();
                end
            });
            match found {
                Some(bytes) => {
                    self.hand_over(bytes);
                    self.consume(bytes);
                }
                None if self.ended && self.data().len() <= RECORD_BYTES_MAX => {
                    let bytes = self.data().len();
                    self.hand_over(bytes);
                    self.consume(bytes);
                }
                None => match self.head() {
                    // A log file is often one line.
                    Some(bytes) => {
                        self.consume(bytes);
                        self.list(Holds::Records)?;
                        self.rest_of_object()?;
                    }
                    None => {
                        self.too_long();
                        // The last line may lack its end.
                        self.skip(|data| data.iter().position(|it| *it == b'\n'));
                    }
                },
            }
        }
        Ok(())
    }

    /// The records of a list, whose `[` is consumed; its `]` is consumed as well.
    fn list(&mut self, holds: Holds) -> Result<(), Fault> {
        loop {
            match self.look(holds) {
                Look::ListEnds => {
                    self.consume(1);
                    return Ok(());
                }
                Look::Broken(problem) => return Err(self.broken(&problem)),
                Look::Deep(problem) => {
                    self.fault(problem);
                    self.skip_object()?;
                }
                Look::More if RECORD_BYTES_MAX < self.data().len() => {
                    self.too_long();
                    self.skip_object()?;
                }
                Look::More if self.ended => return Err(self.broken("the text ends too early")),
                Look::More => self.fill(),
            }
        }
    }

    /// Hands over the records that are whole in the buffer.
    fn look(&mut self, holds: Holds) -> Look {
        self.past_separators();
        let text = self.buffer.get(..self.end).unwrap_or_default();
        let mut consumed = HEAD.len();
        let mut failed = None;
        for record in records(text) {
            match record {
                Ok(record) => {
                    self.number += 1;
                    consumed = end_within(text, record);
                    let piece = match holds {
                        Holds::Records => Piece::Record(record),
                        Holds::Documents => Piece::Document(record),
                    };
                    (self.each)(self.number, piece);
                }
                Err(error) => failed = Some(error),
            }
        }
        let length = text.len();
        self.consume(consumed - HEAD.len());
        self.past_separators();
        match (self.data().first(), failed) {
            (Some(b']'), _) => Look::ListEnds,
            (None, _) | (_, None) => Look::More,
            (Some(b'{'), Some(error @ EventError::TooDeep { .. })) => Look::Deep(error.to_string()),
            (_, Some(EventError::NotJson { offset, .. })) if length <= offset => Look::More,
            (_, Some(error)) => Look::Broken(error.to_string()),
        }
    }

    /// One document of no list: an object.
    fn document(&mut self) -> Result<(), Fault> {
        let mut depth = Depth::default();
        let mut seen = 0;
        let found = self.find(|data| {
            let end = depth.feed(data.get(seen..).unwrap_or_default()).map(|it| seen + it);
            seen = data.len();
            end
        });
        match found {
            Some(bytes) => {
                self.hand_over(bytes);
                self.consume(bytes);
                Ok(())
            }
            None if self.ended && self.data().len() <= RECORD_BYTES_MAX => {
                Err(self.broken("the text ends inside an object"))
            }
            None => {
                self.too_long();
                self.skip_object()
            }
        }
    }

    fn hand_over(&mut self, bytes: usize) {
        self.number += 1;
        let data = self.buffer.get(HEAD.len()..self.end).unwrap_or_default();
        (self.each)(self.number, Piece::Document(data.get(..bytes).unwrap_or_default()));
    }

    /// Where something ends in the buffer, read on as far as the limit allows.
    fn find(&mut self, mut end: impl FnMut(&[u8]) -> Option<usize>) -> Option<usize> {
        loop {
            if let Some(found) = end(self.data()) {
                return Some(found).filter(|it| *it <= RECORD_BYTES_MAX);
            }
            if self.ended || RECORD_BYTES_MAX < self.data().len() {
                return None;
            }
            self.fill();
        }
    }

    /// Steps over the object that begins here, however long or deep it is.
    fn skip_object(&mut self) -> Result<(), Fault> {
        self.skip_to_end_of(Depth::default())
    }

    /// Steps over the rest of an object of which we are inside.
    fn rest_of_object(&mut self) -> Result<(), Fault> {
        self.skip_to_end_of(Depth { open: 1, ..Depth::default() })
    }

    fn skip_to_end_of(&mut self, mut depth: Depth) -> Result<(), Fault> {
        if self.skip(|data| depth.feed(data)) {
            return Ok(());
        }
        Err(self.broken("the text ends too early"))
    }

    /// Drops what is read until `end` tells where to stop; `false` means that it never told.
    fn skip(&mut self, mut end: impl FnMut(&[u8]) -> Option<usize>) -> bool {
        loop {
            if let Some(found) = end(self.data()) {
                self.consume(found);
                return true;
            }
            self.consume(self.data().len());
            if self.ended {
                return false;
            }
            self.fill();
        }
    }

    /// What comes after white space; `None` at the end.
    fn past_space(&mut self) -> Option<u8> {
        loop {
            let data = self.data();
            let space = data.iter().position(|it| !it.is_ascii_whitespace());
            match space {
                Some(bytes) => {
                    self.consume(bytes);
                    return self.data().first().copied();
                }
                None => self.consume(data.len()),
            }
            if self.ended {
                return None;
            }
            self.fill();
        }
    }

    /// What stands between the records of a list.
    fn past_separators(&mut self) {
        let data = self.data();
        let between = |it: &u8| it.is_ascii_whitespace() || *it == b',';
        let bytes = data.iter().position(|it| !between(it)).unwrap_or(data.len());
        self.consume(bytes);
    }

    /// How long the head of a log file is, if this is one.
    fn head(&mut self) -> Option<usize> {
        while self.data().len() < HEAD_BYTES_MAX && !self.ended {
            self.fill();
        }
        let data = self.data();
        let mut at = 0;
        for part in [&b"{"[..], b"\"Records\"", b":", b"["] {
            let rest = data.get(at..).unwrap_or_default();
            at += rest.iter().position(|it| !it.is_ascii_whitespace()).unwrap_or(0);
            if !data.get(at..).is_some_and(|it| it.starts_with(part)) {
                return None;
            }
            at += part.len();
        }
        Some(at)
    }

    fn skip_byte_order_mark(&mut self) {
        while self.data().len() < 3 && !self.ended {
            self.fill();
        }
        if self.data().starts_with(b"\xEF\xBB\xBF") {
            self.consume(3);
        }
    }

    /// What was read and is not handed over.
    fn data(&self) -> &[u8] {
        self.buffer.get(HEAD.len()..self.end).unwrap_or_default()
    }

    fn consume(&mut self, bytes: usize) {
        let start = self.end.min(HEAD.len() + bytes);
        self.buffer.copy_within(start..self.end, HEAD.len());
        self.end -= start - HEAD.len();
    }

    /// Reads one more chunk, or what has come of it, behind what is there; a record that is cut off
    /// doubles the buffer.
    fn fill(&mut self) {
        let wanted = self.end + CHUNK_BYTES.max(self.data().len());
        if self.buffer.len() < wanted {
            self.buffer.resize(wanted, 0);
        }
        while self.end < wanted {
            let room = self.buffer.get_mut(self.end..wanted).unwrap_or_default();
            match self.source.read(room) {
                Ok(0) => {
                    self.ended = true;
                    return;
                }
                Ok(bytes) => {
                    self.end += bytes;
                    if self.is_eager {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    // What was read before is still handed over; then the file is at its end.
                    self.ended = true;
                    self.failure = Some(read_failure(&error));
                    return;
                }
            }
        }
    }

    fn too_long(&mut self) {
        self.fault(format!("longer than {RECORD_BYTES_MAX} bytes"));
    }

    /// Reports the record that comes next, which is stepped over.
    fn fault(&mut self, problem: String) {
        self.number += 1;
        let fault = Fault { record: Some(self.number), problem };
        (self.each)(self.number, Piece::Fault(fault));
    }

    fn broken(&self, problem: &str) -> Fault {
        Fault::file(format!("{problem} (after record {})", self.number))
    }
}

fn read_failure(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::UnexpectedEof => "the compressed stream is cut off".to_owned(),
        _ => error.to_string(),
    }
}

/// Where `part` ends in `text`, of which it is a part.
fn end_within(text: &[u8], part: &[u8]) -> usize {
    (part.as_ptr().addr() - text.as_ptr().addr()) + part.len()
}

/// Counts brackets outside of strings, through any number of pieces.
#[derive(Debug, Default)]
struct Depth {
    open: usize,
    in_string: bool,
    escaped: bool,
}

impl Depth {
    /// Where the outermost container ends, if it ends in this piece.
    fn feed(&mut self, piece: &[u8]) -> Option<usize> {
        for (at, byte) in piece.iter().enumerate() {
            match (self.in_string, byte) {
                (true, _) if self.escaped => self.escaped = false,
                (true, b'\\') => self.escaped = true,
                (_, b'"') => self.in_string = !self.in_string,
                (false, b'{' | b'[') => self.open += 1,
                (false, b'}' | b']') => {
                    self.open = self.open.saturating_sub(1);
                    if self.open == 0 {
                        return Some(at + 1);
                    }
                }
                _ => {}
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// Hands out at most so many bytes at once.
    struct Slowly<'a>(&'a [u8], usize);

    impl Read for Slowly<'_> {
        fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
            let bytes = self.0.len().min(self.1).min(room.len());
            let (now, later) = self.0.split_at(bytes);
            room[..bytes].copy_from_slice(now);
            self.0 = later;
            Ok(bytes)
        }
    }

    fn pieces(text: &[u8], layout: Layout) -> Vec<String> {
        let mut found = Vec::new();
        let mut source = Slowly(text, 7);
        let ended = split(&mut source, layout, &mut |number, piece| {
            let text = |it: &[u8]| String::from_utf8_lossy(it).chars().take(40).collect::<String>();
            found.push(match piece {
                Piece::Record(it) => format!("{number} record {}", text(it)),
                Piece::Document(it) => format!("{number} document {}", text(it)),
                Piece::Fault(it) => format!("fault {:?} {}", it.record, it.problem),
            });
        });
        if let Err(fault) = ended {
            found.push(format!("end {:?} {}", fault.record, fault.problem));
        }
        found
    }

    #[test]
    fn log_files_lists_and_documents() {
        let text = br#" {"Records" : [{"a":1}, {"b":"]}"}],"x":{}} [{"c":3}]
            {"d":{}} {"e":[]}"#;
        let found = pieces(text, Layout::Documents);
        assert_eq!(
            found,
            [
                r#"1 record {"a":1}"#,
                r#"2 record {"b":"]}"}"#,
                r#"3 document {"c":3}"#,
                r#"4 document {"d":{}}"#,
                r#"5 document {"e":[]}"#
            ]
        );
        assert_eq!(pieces(b"", Layout::Documents), [""; 0]);
        assert_eq!(pieces(b"{\"Records\":[]}", Layout::Documents), [""; 0]);
    }

    #[test]
    fn lines_are_independent() {
        let found = pieces(b"\xEF\xBB\xBF{\"a\":1}\n\n{broken\n{\"b\":2}", Layout::Lines);
        assert_eq!(found, ["1 document {\"a\":1}", "2 document {broken", "3 document {\"b\":2}"]);
    }

    /// What a pipe brings is handed over at once, not when a chunk is full.
    #[test]
    fn a_line_is_handed_over_before_the_next_one_comes() {
        struct Pipe<'a>(&'a Cell<u64>, u64);
        impl Read for Pipe<'_> {
            fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
                assert_eq!(self.0.get(), self.1, "all lines so far are handed over");
                self.1 += 1;
                let line = if self.1 <= 3 { &b"{\"a\":1}\n"[..] } else { b"" };
                room[..line.len()].copy_from_slice(line);
                Ok(line.len())
            }
        }
        let handed_over = Cell::new(0);
        let mut each = |number, _: Piece<'_>| handed_over.set(number);
        split(&mut Pipe(&handed_over, 0), Layout::Lines, &mut each).unwrap();
        assert_eq!(handed_over.get(), 3);
    }

    #[test]
    fn a_log_file_may_be_one_long_line() {
        let record = format!("{{\"s\":\"{}\"}}", "x".repeat(RECORD_BYTES_MAX / 2));
        let log = format!("{{\"Records\":[{record},{record},{record}]}}");
        let text = format!("{{\"a\":1}}\n{log}\n{{\"b\":2}}\n");
        let mut found = Vec::new();
        split(&mut text.as_bytes(), Layout::Lines, &mut |_, piece| {
            found.push(match piece {
                Piece::Record(it) => it.len(),
                Piece::Document(it) => it.len(),
                Piece::Fault(it) => panic!("{it:?}"),
            });
        })
        .unwrap();
        assert_eq!(found, [7, record.len(), record.len(), record.len(), 7]);
    }

    #[test]
    fn many_records_cross_many_chunks() {
        let record = |it: usize| format!(r#"{{"n":{it},"s":"{}"}}"#, "\\\"{x".repeat(it % 97));
        let all: Vec<String> = (0..9_000).map(record).collect();
        let text = format!("{{\"Records\":[{}]}}", all.join(",\n"));
        assert!(3 * CHUNK_BYTES < text.len());
        let mut found = Vec::new();
        let mut source = text.as_bytes();
        split(&mut source, Layout::Documents, &mut |_, piece| match piece {
            Piece::Record(it) => found.push(String::from_utf8(it.to_vec()).unwrap()),
            other => panic!("{other:?}"),
        })
        .unwrap();
        assert_eq!(found, all);
    }

    #[test]
    fn a_long_or_deep_record_is_stepped_over() {
        let long = format!("{{\"s\":\"{}\"}}", "x".repeat(3 * RECORD_BYTES_MAX));
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
        let text = format!("{{\"Records\":[{{\"a\":1}},{long},{deep},{{\"b\":2}}]}}");
        let mut source = text.as_bytes();
        let mut found = Vec::new();
        split(&mut source, Layout::Documents, &mut |number, piece| {
            found.push(match piece {
                Piece::Fault(it) => it.problem,
                _ => number.to_string(),
            });
        })
        .unwrap();
        let long = format!("longer than {RECORD_BYTES_MAX} bytes");
        assert_eq!((&found[0], &found[1], &found[3]), (&"1".into(), &long, &"4".into()));
        assert!(found[2].contains("deeper than 1000 levels"), "{}", found[2]);
        let text = format!("{{\"a\":1}}\n{}\n{{\"b\":2}}", "x".repeat(2 * RECORD_BYTES_MAX));
        assert_eq!(pieces(text.as_bytes(), Layout::Lines)[1], format!("fault Some(2) {long}"));
    }

    #[test]
    fn a_file_that_breaks_off_gives_what_it_had() {
        for (text, end) in [
            (&br#"{"Records":[{"a":1},{"b""#[..], "the text ends too early (after record 1)"),
            (br#"{"Records":[{"a":1} "#, "the text ends too early (after record 1)"),
            (br#"{"Records":[{"a":1},7]}"#, "a record is an object"),
            (br#"{"a":1} x"#, "an object or a list of objects is expected (after record 1)"),
        ] {
            let found = pieces(text, Layout::Documents);
            assert_eq!(found.len(), 2, "{found:?}");
            assert!(found[1].contains(end), "{found:?}");
        }
    }
}
