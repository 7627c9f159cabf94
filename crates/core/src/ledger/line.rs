//! A record and the line of JSON that stands for it.
//!
//! ```text
//! {"chain":"main","sequence":7,"time":"2026-05-09T07:29:33Z","prev":"…","fact":…,"digest":"…"}
//! ```
//!
//! The digest is the SHA-256 of [`DIGEST_DOMAIN`] followed by the line up to the comma before
//! `"digest"`. One record has exactly one line: the fields stand in this order, there is no white
//! space between tokens, and the numbers, times and digests have one spelling. [`Line::parse`]
//! renders what it has read again and compares the bytes, so that nothing can hide in a line that
//! a reader would skip.

use std::fmt::Write as _;

use jiff::Timestamp;
use memchr::{memchr, memchr2};
use serde::{Serialize, de::DeserializeOwned, de::IgnoredAny};

use crate::ledger::ids::{ChainId, Digest};

/// What is hashed before the bytes of a line: a digest of a record is a digest of nothing else.
pub const DIGEST_DOMAIN: &[u8] = b"quell.ledger.record.v1\n";

/// The largest fact, in bytes of JSON.
pub const FACT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How deep arrays and objects of a fact may nest. Below the depth at which readers give up (128).
pub const FACT_DEPTH_MAX: usize = 100;

/// The longest line, in bytes, without its newline: the largest fact and the fields around it.
pub const LINE_BYTES_MAX: usize = FACT_BYTES_MAX + 1024;

/// About what the fields before the fact take; only sizes a buffer.
const HEADER_BYTES: usize = 256;

/// One entry of a chain. Its JSON is the line of the ledger.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Record<F> {
    /// The writer's chain.
    pub chain: ChainId,
    /// The position in the chain, from 1, without a hole.
    pub sequence: u64,
    /// When the record was written, by the writer's clock. Clocks jump: it may go backwards.
    pub time: Timestamp,
    /// The digest of the record before, or zero.
    pub prev: Digest,
    /// What happened.
    pub fact: F,
    /// The digest of this record's line.
    pub digest: Digest,
}

/// A fact as the JSON that goes into a line: compact, not too large, not too deep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactJson(String);

/// A line that was read: it is well-formed and its digest is its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// The writer's chain.
    pub chain: ChainId,
    /// The position in the chain.
    pub sequence: u64,
    /// When the record was written.
    pub time: Timestamp,
    /// The digest of the record before, or zero.
    pub prev: Digest,
    /// The fact's JSON.
    pub fact: &'a str,
    /// The digest of this line.
    pub digest: Digest,
}

/// A fact that cannot be recorded.
#[derive(Debug, thiserror::Error)]
pub enum FactError {
    /// It has no JSON form.
    #[error("the fact cannot be written as JSON")]
    Encode(#[source] serde_json::Error),
    /// White space between tokens, which only raw JSON inside a fact could bring.
    #[error("the fact's JSON holds white space between tokens")]
    NotCompact,
    /// More than [`FACT_BYTES_MAX`].
    #[error("the fact takes {bytes} bytes of JSON, the limit is {FACT_BYTES_MAX}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// More than [`FACT_DEPTH_MAX`].
    #[error("the fact nests {depth} levels deep, the limit is {FACT_DEPTH_MAX}")]
    TooDeep {
        /// Its depth.
        depth: usize,
    },
}

/// Bytes that are not a line of a ledger.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// Not the one way in which a record is written.
    #[error("the line is not a record: {0}")]
    Malformed(&'static str),
    /// Well-formed, but not what was hashed when it was written.
    #[error("the line's digest is `{written}`, but its bytes give `{computed}`")]
    Edited {
        /// The digest in the line.
        written: Digest,
        /// The digest of the line's bytes.
        computed: Digest,
    },
}

impl FactJson {
    /// Writes `fact` as JSON, without white space between tokens.
    pub fn encode<F: Serialize>(fact: &F) -> Result<Self, FactError> {
        let json = serde_json::to_string(fact).map_err(FactError::Encode)?;
        let shape = Shape::of(&json);
        if !shape.compact {
            return Err(FactError::NotCompact);
        }
        if FACT_BYTES_MAX < json.len() {
            return Err(FactError::TooLarge { bytes: json.len() });
        }
        if FACT_DEPTH_MAX < shape.depth {
            return Err(FactError::TooDeep { depth: shape.depth });
        }
        Ok(Self(json))
    }

    /// The JSON.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'a> Line<'a> {
    /// Reads one line, without its newline. Total: any bytes give a line or a reason.
    pub fn parse(line: &'a [u8]) -> Result<Self, LineError> {
        if LINE_BYTES_MAX < line.len() {
            return Err(LineError::Malformed("it is longer than any record"));
        }
        let text =
            str::from_utf8(line).map_err(|_| LineError::Malformed("it is not UTF-8 text"))?;
        let (line, sealed) = Self::fields(text)
            .ok_or(LineError::Malformed("its fields are not those of a record, in their order"))?;
        if line.rendered() != sealed {
            return Err(LineError::Malformed("a number, a time or a digest is spelled otherwise"));
        }
        let shape = Shape::of(line.fact);
        if !shape.compact || serde_json::from_str::<IgnoredAny>(line.fact).is_err() {
            return Err(LineError::Malformed("its fact is not compact JSON"));
        }
        let computed = digest_of(sealed);
        if computed != line.digest {
            return Err(LineError::Edited { written: line.digest, computed });
        }
        Ok(line)
    }

    /// Reads the fact.
    pub fn record<F: DeserializeOwned>(self) -> Result<Record<F>, serde_json::Error> {
        let Self { chain, sequence, time, prev, fact, digest } = self;
        Ok(Record { chain, sequence, time, prev, fact: serde_json::from_str(fact)?, digest })
    }

    /// Takes the text apart: the line and the part of the text that its digest covers.
    fn fields(text: &'a str) -> Option<(Self, &'a str)> {
        let rest = text.strip_prefix("{\"chain\":\"")?;
        let (chain, rest) = rest.split_once("\",\"sequence\":")?;
        let (sequence, rest) = rest.split_once(",\"time\":\"")?;
        let (time, rest) = rest.split_once("\",\"prev\":\"")?;
        let (prev, rest) = rest.split_once("\",\"fact\":")?;
        let (fact, rest) = rest.rsplit_once(",\"digest\":\"")?;
        let (sealed, _) = text.rsplit_once(",\"digest\":\"")?;
        let line = Self {
            chain: ChainId::new(chain).ok()?,
            sequence: sequence.parse().ok()?,
            time: time.parse().ok()?,
            prev: prev.parse().ok()?,
            fact,
            digest: rest.strip_suffix("\"}")?.parse().ok()?,
        };
        Some((line, sealed))
    }

    /// The one way in which the sealed part of this line is written.
    fn rendered(&self) -> String {
        let mut text = String::with_capacity(self.fact.len() + HEADER_BYTES);
        render(&mut text, &self.chain, self.sequence, self.time, &self.prev, self.fact);
        text
    }
}

/// Appends the line of a record, with its newline, to `out`, and gives the record's digest.
pub(crate) fn write_line(
    out: &mut String,
    chain: &ChainId,
    sequence: u64,
    time: Timestamp,
    prev: &Digest,
    fact: &FactJson,
) -> Digest {
    let start = out.len();
    render(out, chain, sequence, time, prev, fact.as_str());
    let digest = digest_of(out.get(start..).unwrap_or_default());
    append(out, format_args!(",\"digest\":\"{digest}\"}}\n"));
    digest
}

/// What JSON text looks like without parsing it.
struct Shape {
    depth: usize,
    compact: bool,
}

impl Shape {
    fn of(json: &str) -> Self {
        let (mut depth, mut deepest, mut compact) = (0_usize, 0, true);
        for byte in BetweenStrings(json).flat_map(str::bytes) {
            match byte {
                b'{' | b'[' => {
                    depth += 1;
                    deepest = deepest.max(depth);
                }
                b'}' | b']' => depth = depth.saturating_sub(1),
                b' ' | b'\n' | b'\r' | b'\t' => compact = false,
                _ => {}
            }
        }
        Self { depth: deepest, compact }
    }
}

/// JSON text without its strings: the pieces between them.
struct BetweenStrings<'a>(&'a str);

impl<'a> Iterator for BetweenStrings<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let begin = memchr(b'"', self.0.as_bytes()).unwrap_or(self.0.len());
        let (piece, rest) = self.0.split_at_checked(begin)?;
        let (_, rest) = rest.split_at_checked(string_bytes(rest.as_bytes()))?;
        self.0 = rest;
        Some(piece)
    }
}

/// How many bytes a string takes, its quotes included; all of them if it does not end.
fn string_bytes(text: &[u8]) -> usize {
    let mut length = 1;
    while let Some(rest) = text.get(length..) {
        match memchr2(b'"', b'\\', rest) {
            Some(at) if rest.get(at) == Some(&b'"') => return length + at + 1,
            Some(at) => length += at + 2,
            None => break,
        }
    }
    text.len()
}

/// The part of a line that its digest covers.
fn render(
    out: &mut String,
    chain: &ChainId,
    sequence: u64,
    time: Timestamp,
    prev: &Digest,
    fact: &str,
) {
    append(
        out,
        format_args!(
            "{{\"chain\":\"{chain}\",\"sequence\":{sequence},\"time\":\"{time}\",\
             \"prev\":\"{prev}\",\"fact\":"
        ),
    );
    out.push_str(fact);
}

fn digest_of(sealed: &str) -> Digest {
    Digest::of(&[DIGEST_DOMAIN, sealed.as_bytes()])
}

fn append(out: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing into a string fails only if a Display does, and ours do not.
    let _ = out.write_fmt(arguments);
}
