//! A JSON text and the way through it.
//!
//! [`Index`] knows the quotes and brackets of a text; here they become steps: to the end of a
//! string, past a container, past whitespace. A container that nobody asks about costs a few
//! cycles per 64 bytes, however it is nested.
//!
//! What is stepped over is checked for closed strings and balanced brackets only.

mod simd;

use simd::{BLOCK_BYTES, Block};

use crate::error::EventError;
use crate::json::number_length;

/// The quotes and brackets of one text. Kept between texts for its memory.
#[derive(Debug, Default)]
pub(crate) struct Index {
    blocks: Vec<Block>,
    backslash: bool,
    open_string: bool,
}

impl Index {
    /// Looks at a text. It must not begin inside a string.
    pub fn look_at(&mut self, text: &[u8]) {
        let summary = simd::index(text, &mut self.blocks);
        (self.backslash, self.open_string) = (summary.backslash, summary.open_string);
    }

    /// The steps through the text that was looked at, which must be this one.
    pub fn steps<'a>(&'a self, text: &'a [u8], depth_max: usize) -> Steps<'a> {
        Steps { text, blocks: &self.blocks, backslash: self.backslash, depth_max }
    }

    /// The text ends inside a string.
    pub fn open_string(&self) -> bool {
        self.open_string
    }
}

/// One text, looked at. All places are byte offsets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Steps<'a> {
    pub text: &'a [u8],
    blocks: &'a [Block],
    /// Strings may have escapes.
    pub backslash: bool,
    pub depth_max: usize,
}

impl Steps<'_> {
    #[inline]
    pub fn byte(&self, at: usize) -> Option<u8> {
        self.text.get(at).copied()
    }

    /// The first place from `at` on that is not whitespace.
    #[inline]
    pub fn past_space(&self, mut at: usize) -> usize {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.byte(at) {
            at += 1;
        }
        at
    }

    /// The closing quote of the string whose inside starts at `at`.
    #[inline]
    pub fn string_end(&self, at: usize) -> Result<usize, EventError> {
        let mut number = at / BLOCK_BYTES;
        let mut quotes = match self.blocks.get(number) {
            Some(block) => block.quotes & (u64::MAX << (at % BLOCK_BYTES)),
            None => 0,
        };
        while quotes == 0 {
            number += 1;
            match self.blocks.get(number) {
                Some(block) => quotes = block.quotes,
                None => return Err(self.fault(self.text.len(), "the string does not end")),
            }
        }
        Ok(number * BLOCK_BYTES + quotes.trailing_zeros() as usize)
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
    pub fn past_container(&self, at: usize, depth: usize) -> Result<usize, EventError> {
        let mut number = at / BLOCK_BYTES;
        let mut mask = u64::MAX << (at % BLOCK_BYTES);
        let mut open = 0;
        while let Some(block) = self.blocks.get(number) {
            let (opens, closes) = if mask == u64::MAX {
                (block.opens as usize, block.closes as usize)
            } else {
                let opens = (block.open & mask).count_ones() as usize;
                (opens, (block.close & mask).count_ones() as usize)
            };
            let base = number * BLOCK_BYTES;
            if self.depth_max < depth + open + opens {
                self.check_depth(base, block.open & mask, block.close & mask, depth + open)?;
            }
            // It can end here only if there are enough brackets that close.
            if open <= closes
                && let Some(end) = end_within(block.open & mask, block.close & mask, open)
            {
                return Ok(base + end + 1);
            }
            open = (open + opens).saturating_sub(closes);
            mask = u64::MAX;
            number += 1;
        }
        Err(self.fault(self.text.len(), "the text ends too early"))
    }

    fn check_depth(
        &self,
        base: usize,
        mut opens: u64,
        closes: u64,
        depth: usize,
    ) -> Result<(), EventError> {
        let mut opened = 0;
        while opens != 0 {
            let at = opens.trailing_zeros();
            opened += 1;
            let closed = (closes & !(u64::MAX << at)).count_ones() as usize;
            if self.depth_max + closed < depth + opened {
                let offset = base + at as usize;
                return Err(EventError::TooDeep { depth_max: self.depth_max, offset });
            }
            opens &= opens - 1;
        }
        Ok(())
    }

    /// Checks that the number at `start..end` is one.
    pub fn check_number(&self, start: usize, end: usize) -> Result<(), EventError> {
        let text = self.text.get(start..end).unwrap_or_default();
        if number_length(text) == Some(text.len()) {
            return Ok(());
        }
        Err(self.fault(start, "the number is malformed"))
    }

    #[cold]
    pub fn fault(&self, offset: usize, reason: &'static str) -> EventError {
        EventError::NotJson { offset, reason }
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
