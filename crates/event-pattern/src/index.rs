//! A JSON text and the way through it.
//!
//! [`Index`] knows the quotes and brackets of a text; here they become steps: to the end of a
//! string, past a container, past whitespace. A container that nobody asks about costs a few
//! cycles per 64 bytes, however it is nested.
//!
//! What is stepped over is checked for closed strings and balanced brackets only.

mod simd;

use simd::{BLOCK_BYTES, Block, Summary};

use crate::error::EventError;
use crate::json::number_length;

/// The quotes and brackets of one text. Kept between texts for its memory.
#[derive(Debug, Default)]
pub(crate) struct Index {
    blocks: Vec<Block>,
    backslash: bool,
    ascii: bool,
    open_string: bool,
}

impl Index {
    /// Looks at a text. It must not begin inside a string.
    pub fn look_at(&mut self, text: &[u8]) {
        Summary { open_string: self.open_string, backslash: self.backslash, ascii: self.ascii } =
            simd::index(text, &mut self.blocks);
    }

    /// The steps through the text that was looked at, which must be this one.
    pub fn steps<'a>(&'a self, text: &'a [u8], depth_max: usize) -> Steps<'a> {
        Steps { text, blocks: &self.blocks, backslash: self.backslash, depth_max }
    }

    /// There is nothing but ASCII.
    pub fn ascii(&self) -> bool {
        self.ascii
    }

    /// The text ends inside a string.
    pub fn open_string(&self) -> bool {
        self.open_string
    }
}

/// A place further on. The error is boxed so that a step is returned in registers.
pub(crate) type Step = Result<usize, Box<EventError>>;

/// One text, looked at, in which no string is open. All places are byte offsets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Steps<'a> {
    pub text: &'a [u8],
    blocks: &'a [Block],
    /// There is a backslash somewhere.
    backslash: bool,
    pub depth_max: usize,
}

impl Steps<'_> {
    #[inline(always)]
    pub fn byte(&self, at: usize) -> Option<u8> {
        self.text.get(at).copied()
    }

    /// The first place from `at` on that is not whitespace.
    #[inline(always)]
    pub fn past_space(&self, mut at: usize) -> usize {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.byte(at) {
            at += 1;
        }
        at
    }

    /// Is this byte at `at`, or after some whitespace? Where then?
    #[inline(always)]
    pub fn find(&self, byte: u8, at: usize) -> Option<usize> {
        // Nearly all events are compact.
        if self.byte(at) == Some(byte) {
            return Some(at);
        }
        self.find_past_space(byte, at)
    }

    #[inline(never)]
    fn find_past_space(&self, byte: u8, at: usize) -> Option<usize> {
        let at = self.past_space(at);
        (self.byte(at) == Some(byte)).then_some(at)
    }

    /// The closing quote of the string whose inside starts at `at`. There is one: no string in the
    /// text is open.
    #[inline(always)]
    pub fn string_end(&self, at: usize) -> usize {
        let number = at / BLOCK_BYTES;
        let quotes = self.blocks.get(number).map_or(0, |it| it.quotes >> (at % BLOCK_BYTES));
        if quotes != 0 {
            return at + quotes.trailing_zeros() as usize;
        }
        self.string_end_further_on(number + 1)
    }

    /// The first quote from a block on.
    #[inline(never)]
    fn string_end_further_on(&self, number: usize) -> usize {
        let further = self.blocks.get(number..).unwrap_or_default();
        match further.iter().zip(number..).find(|(it, _)| it.quotes != 0) {
            Some((it, number)) => number * BLOCK_BYTES + it.quotes.trailing_zeros() as usize,
            None => self.text.len(),
        }
    }

    /// These three bytes come at `at`.
    #[inline(always)]
    pub fn continues(&self, at: usize, bytes: [u8; 3]) -> bool {
        self.text.get(at..).and_then(<[u8]>::first_chunk) == Some(&bytes)
    }

    /// The string whose inside is at `start..end` has escapes.
    #[inline(always)]
    pub fn has_escape(&self, start: usize, end: usize) -> bool {
        self.backslash && self.has_backslash(start, end)
    }

    fn has_backslash(&self, start: usize, end: usize) -> bool {
        let (first, last) = (start / BLOCK_BYTES, end / BLOCK_BYTES);
        let mut mask = u64::MAX << (start % BLOCK_BYTES);
        for number in first..last {
            if self.blocks.get(number).is_some_and(|it| it.backslashes & mask != 0) {
                return true;
            }
            mask = u64::MAX;
        }
        mask &= !(u64::MAX << (end % BLOCK_BYTES));
        self.blocks.get(last).is_some_and(|it| it.backslashes & mask != 0)
    }

    /// Past a number, `true`, `false` or `null`, or what stands in its place.
    #[inline]
    pub fn scalar_end(&self, mut at: usize) -> usize {
        while let Some(byte) = self.byte(at) {
            if matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\t' | b'\r') {
                break;
            }
            at += 1;
        }
        at
    }

    /// Past the container that opens at `at`, with `depth` containers around it.
    pub fn past_container(&self, at: usize, depth: usize) -> Step {
        let number = at / BLOCK_BYTES;
        let mask = u64::MAX << (at % BLOCK_BYTES);
        let mut blocks = self.blocks.get(number..).unwrap_or_default().iter();
        let Some(first) = blocks.next() else { return Err(self.too_early()) };
        let (opens, closes) = (first.open & mask, first.close & mask);
        let mut base = number * BLOCK_BYTES;
        // How many containers are open, this one and those inside of it.
        let mut open = opens.count_ones() as usize;
        if self.depth_max < depth + open {
            self.check_depth(base, opens, closes, depth)?;
        }
        if closes != 0 {
            if let Some(end) = end_within(opens, closes, 0) {
                return Ok(base + end + 1);
            }
            open -= closes.count_ones() as usize;
        }
        for block in blocks {
            base += BLOCK_BYTES;
            let (opens, closes) = (block.opens as usize, block.closes as usize);
            if self.depth_max < depth + open + opens {
                self.check_depth(base, block.open, block.close, depth + open)?;
            }
            // It can end here only if there are enough brackets that close.
            if open <= closes
                && let Some(end) = end_within(block.open, block.close, open)
            {
                return Ok(base + end + 1);
            }
            open = open + opens - closes;
        }
        Err(self.too_early())
    }

    fn check_depth(
        &self,
        base: usize,
        mut opens: u64,
        closes: u64,
        depth: usize,
    ) -> Result<(), Box<EventError>> {
        let mut opened = 0;
        while opens != 0 {
            let at = opens.trailing_zeros();
            opened += 1;
            let closed = (closes & !(u64::MAX << at)).count_ones() as usize;
            if self.depth_max + closed < depth + opened {
                let offset = base + at as usize;
                return Err(EventError::TooDeep { depth_max: self.depth_max, offset }.into());
            }
            opens &= opens - 1;
        }
        Ok(())
    }

    /// Checks that the number at `start..end` is one.
    pub fn check_number(&self, start: usize, end: usize) -> Result<(), Box<EventError>> {
        let text = self.text.get(start..end).unwrap_or_default();
        if number_length(text) == Some(text.len()) {
            return Ok(());
        }
        Err(self.fault(start, "the number is malformed"))
    }

    #[cold]
    fn too_early(&self) -> Box<EventError> {
        self.fault(self.text.len(), "the text ends too early")
    }

    #[cold]
    pub fn fault(&self, offset: usize, reason: &'static str) -> Box<EventError> {
        Box::new(EventError::NotJson { offset, reason })
    }
}

/// The bracket in this block that closes the outermost of `open` containers, or, if none is open
/// yet, the first one that opens here.
fn end_within(opens: u64, mut closes: u64, open: usize) -> Option<usize> {
    let mut closed = 0;
    while closes != 0 {
        let at = closes.trailing_zeros();
        closed += 1;
        let opened = (opens & !(u64::MAX << at)).count_ones() as usize;
        if open + opened <= closed {
            return Some(at as usize);
        }
        closes &= closes - 1;
    }
    None
}
