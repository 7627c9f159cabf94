//! Where the quotes and brackets of a JSON text are, 64 bytes at a time.
//!
//! The idea is Langdale's and Lemire's ("Parsing Gigabytes of JSON per Second", 2019): a block of
//! 64 bytes becomes a few 64-bit masks; quotes that are not escaped, taken together with a prefix
//! XOR, tell which bytes are inside strings; brackets inside strings do not count. With AVX2 and
//! carry-less multiplication that is some ten cycles per block. Which way to go is decided at run
//! time; the portable way gives the same masks.
//!
//! This is the only module with `unsafe` code.

/// Bytes in a block.
pub(crate) const BLOCK_BYTES: usize = 64;

/// What 64 bytes of a JSON text contain; bit 0 is the first byte.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Block {
    /// Quotes that begin or end strings.
    pub quotes: u64,
    /// Backslashes.
    pub backslashes: u64,
    /// `{` and `[` outside of strings.
    pub open: u64,
    /// `}` and `]` outside of strings.
    pub close: u64,
    /// How many there are in `open`.
    pub opens: u32,
    /// How many there are in `close`.
    pub closes: u32,
}

/// What is known about the whole text afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Summary {
    /// The text ends inside a string.
    pub open_string: bool,
    /// There is a backslash somewhere: strings may have escapes.
    pub backslash: bool,
    /// There is nothing but ASCII.
    pub ascii: bool,
}

/// What one block hands to the next.
#[derive(Debug, Clone, Copy, Default)]
struct Carry {
    /// All ones inside a string.
    in_string: u64,
    /// 1 if the next byte is escaped.
    escaped: u64,
    /// All backslashes so far.
    backslashes: u64,
    /// All bytes so far that are not ASCII.
    not_ascii: u64,
}

/// Where bytes of interest are in a block, strings not yet considered.
#[derive(Debug, Clone, Copy, Default)]
struct Raw {
    quotes: u64,
    backslashes: u64,
    open: u64,
    close: u64,
    /// Not 0 if one is there; where does not matter.
    not_ascii: u64,
}

/// Replaces `blocks` by those of `text`.
pub(crate) fn index(text: &[u8], blocks: &mut Vec<Block>) -> Summary {
    blocks.resize(text.len().div_ceil(BLOCK_BYTES), Block::default());
    #[cfg(target_arch = "x86_64")]
    if x86::is_supported() {
        return x86::index(text, blocks);
    }
    index_by(text, blocks, raw_portable, prefix_xor_portable)
}

#[inline(always)]
fn index_by(
    text: &[u8],
    blocks: &mut [Block],
    raw: impl Fn(&[u8; BLOCK_BYTES]) -> Raw,
    prefix_xor: impl Fn(u64) -> u64,
) -> Summary {
    let mut carry = Carry::default();
    let (whole, rest) = text.as_chunks::<BLOCK_BYTES>();
    for (chunk, place) in whole.iter().zip(blocks.iter_mut()) {
        *place = block(raw(chunk), &mut carry, &prefix_xor);
    }
    if let Some(place) = blocks.last_mut().filter(|_| !rest.is_empty()) {
        let mut chunk = [b' '; BLOCK_BYTES];
        for (to, from) in chunk.iter_mut().zip(rest) {
            *to = *from;
        }
        *place = block(raw(&chunk), &mut carry, &prefix_xor);
    }
    Summary {
        open_string: carry.in_string != 0,
        backslash: carry.backslashes != 0,
        ascii: carry.not_ascii == 0,
    }
}

#[inline(always)]
fn block(raw: Raw, carry: &mut Carry, prefix_xor: impl Fn(u64) -> u64) -> Block {
    carry.backslashes |= raw.backslashes;
    carry.not_ascii |= raw.not_ascii;
    let backslashes = raw.backslashes;
    let quotes = raw.quotes & !escaped(raw.backslashes, carry);
    let strings = prefix_xor(quotes) ^ carry.in_string;
    carry.in_string = if strings >> 63 == 1 { u64::MAX } else { 0 };
    let (open, close) = (raw.open & !strings, raw.close & !strings);
    Block { quotes, backslashes, open, close, opens: open.count_ones(), closes: close.count_ones() }
}

/// The bytes that an odd number of backslashes comes before.
#[inline(always)]
fn escaped(backslashes: u64, carry: &mut Carry) -> u64 {
    const EVEN: u64 = 0x5555_5555_5555_5555;
    if backslashes == 0 {
        return std::mem::take(&mut carry.escaped);
    }
    let backslashes = backslashes & !carry.escaped;
    let after = backslashes << 1 | carry.escaped;
    // A run of backslashes that starts at an odd place carries, when it is added to itself, into
    // the place behind it.
    let odd_starts = backslashes & !EVEN & !after;
    let (carried, overflow) = odd_starts.overflowing_add(backslashes);
    carry.escaped = u64::from(overflow);
    (EVEN ^ (carried << 1)) & after
}

fn raw_portable(chunk: &[u8; BLOCK_BYTES]) -> Raw {
    let mut raw = Raw::default();
    for (at, byte) in chunk.iter().enumerate() {
        let bit = 1 << at;
        match byte {
            b'"' => raw.quotes |= bit,
            b'\\' => raw.backslashes |= bit,
            b'{' | b'[' => raw.open |= bit,
            b'}' | b']' => raw.close |= bit,
            0x80.. => raw.not_ascii |= bit,
            _ => {}
        }
    }
    raw
}

/// Bit n of the result is the XOR of the bits 0 to n.
fn prefix_xor_portable(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "vector instructions")]
mod x86 {
    use std::arch::x86_64::{
        __m256i, _mm_clmulepi64_si128, _mm_cvtsi128_si64, _mm_set_epi64x, _mm_set1_epi8,
        _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_or_si256,
        _mm256_set1_epi8,
    };

    use super::{BLOCK_BYTES, Block, Raw, Summary, index_by};

    pub(super) fn is_supported() -> bool {
        is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("pclmulqdq")
            && is_x86_feature_detected!("popcnt")
    }

    /// Only after [`is_supported`].
    pub(super) fn index(text: &[u8], blocks: &mut [Block]) -> Summary {
        // SAFETY: the caller has asked `is_supported`, so the processor has these instructions.
        unsafe { index_avx2(text, blocks) }
    }

    #[target_feature(enable = "avx2,pclmulqdq,popcnt")]
    fn index_avx2(text: &[u8], blocks: &mut [Block]) -> Summary {
        index_by(text, blocks, |it| raw(it), |it| prefix_xor(it))
    }

    #[target_feature(enable = "avx2")]
    fn raw(chunk: &[u8; BLOCK_BYTES]) -> Raw {
        let (low, high) = (chunk.as_ptr(), chunk.as_ptr().wrapping_add(BLOCK_BYTES / 2));
        // SAFETY: the chunk has 64 bytes, so 32 can be read at its start and in its middle; the
        // instruction needs no alignment.
        let (low, high) = unsafe {
            (_mm256_loadu_si256(low.cast::<__m256i>()), _mm256_loadu_si256(high.cast::<__m256i>()))
        };
        // `{` and `[`, and `}` and `]`, differ in this bit only.
        let bit = _mm256_set1_epi8(0x20);
        let (low_brackets, high_brackets) = (_mm256_or_si256(low, bit), _mm256_or_si256(high, bit));
        Raw {
            quotes: equal(low, high, b'"'),
            backslashes: equal(low, high, b'\\'),
            open: equal(low_brackets, high_brackets, b'{'),
            close: equal(low_brackets, high_brackets, b'}'),
            not_ascii: u64::from(_mm256_movemask_epi8(_mm256_or_si256(low, high)) != 0),
        }
    }

    #[target_feature(enable = "avx2")]
    fn equal(low: __m256i, high: __m256i, byte: u8) -> u64 {
        let byte = _mm256_set1_epi8(byte.cast_signed());
        let low = _mm256_movemask_epi8(_mm256_cmpeq_epi8(low, byte)).cast_unsigned();
        let high = _mm256_movemask_epi8(_mm256_cmpeq_epi8(high, byte)).cast_unsigned();
        u64::from(low) | u64::from(high) << 32
    }

    /// A carry-less product with all ones is a prefix XOR.
    #[target_feature(enable = "pclmulqdq")]
    fn prefix_xor(bits: u64) -> u64 {
        let bits = _mm_set_epi64x(0, bits.cast_signed());
        let product = _mm_clmulepi64_si128::<0>(bits, _mm_set1_epi8(-1));
        _mm_cvtsi128_si64(product).cast_unsigned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn portable(text: &[u8]) -> (Vec<Block>, Summary) {
        let mut blocks = vec![Block::default(); text.len().div_ceil(BLOCK_BYTES)];
        let summary = index_by(text, &mut blocks, raw_portable, prefix_xor_portable);
        (blocks, summary)
    }

    #[test]
    fn escaped_quotes_and_brackets_in_strings_do_not_count() {
        let text = br#"{"a\"{": [1, "\\"], "b": "]}\\\" "}"#;
        let (blocks, summary) = portable(text);
        let at = |mask: u64| (0..64).filter(|it| mask >> it & 1 == 1).collect::<Vec<_>>();
        assert_eq!(at(blocks[0].open), [0, 9]);
        assert_eq!(at(blocks[0].close), [17, 34]);
        assert_eq!(at(blocks[0].quotes), [1, 6, 13, 16, 20, 22, 25, 33]);
        assert_eq!(summary, Summary { open_string: false, backslash: true, ascii: true });
    }

    proptest! {
        #[test]
        fn both_ways_agree(text in prop::collection::vec(
            prop::sample::select(br#"\\\\""{}[]a "#.to_vec()), 0..300
        )) {
            let mut blocks = Vec::new();
            let summary = index(&text, &mut blocks);
            prop_assert_eq!((blocks, summary), portable(&text));
        }

        #[test]
        fn an_escape_is_what_a_reader_takes_for_one(text in prop::collection::vec(
            prop::sample::select(br#"\\"a"#.to_vec()), 0..300
        )) {
            let (blocks, _) = portable(&text);
            let mut escaped = false;
            for (at, byte) in text.iter().enumerate() {
                let quote = blocks[at / 64].quotes >> (at % 64) & 1 == 1;
                prop_assert_eq!(quote, *byte == b'"' && !escaped, "at {}", at);
                escaped = *byte == b'\\' && !escaped;
            }
        }
    }
}
