//! A map from short texts to numbers that never changes.
//!
//! Made for keys and values in the middle of an event: a text is looked up by its place. That it is
//! not there, the usual case, its length and last byte nearly always tell. Otherwise its first and
//! last eight bytes are hashed and compared in registers; only longer texts are compared again.

const MIX: u64 = 0x9E37_79B9_7F4A_7C15;

#[derive(Debug, Clone)]
pub(crate) struct ByteMap {
    /// Open addressing.
    slots: Vec<Slot>,
    /// A bit for each length and last byte, both modulo 32.
    seen: [u32; 32],
    /// The number of places, a power of two, less one.
    last_place: usize,
    texts: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    head: u64,
    tail: u64,
    length: u32,
    /// Where in `texts` the text starts.
    start: u32,
    value: u32,
}

/// A text of so many bytes is all head and tail.
const ENDS_BYTES: usize = 16;

/// The length of no text.
const EMPTY: u32 = u32::MAX;

const NOTHING: Slot = Slot { head: 0, tail: 0, length: EMPTY, start: 0, value: 0 };

/// The byte before `end`: the last one of a text, or the quote before an empty one.
#[inline(always)]
fn byte_before(all: &[u8], end: usize) -> u8 {
    all.get(end.wrapping_sub(1)).copied().unwrap_or(b'"')
}

/// What a text is looked up by.
#[derive(Clone, Copy)]
struct Key<'a> {
    text: &'a [u8],
    head: u64,
    tail: u64,
    hash: u64,
}

impl Default for ByteMap {
    fn default() -> Self {
        Self::new(&[])
    }
}

impl ByteMap {
    /// Of equal texts the first is kept.
    pub fn new(entries: &[(&[u8], u32)]) -> Self {
        // At most half full.
        let places = (entries.len() * 2).max(1).next_power_of_two();
        let mut map = Self {
            slots: vec![NOTHING; places],
            last_place: places - 1,
            seen: [0; 32],
            texts: Vec::new(),
        };
        for (text, value) in entries {
            map.insert(text, *value);
        }
        map
    }

    fn insert(&mut self, text: &[u8], value: u32) {
        let Some(key) = Key::new(text, 0, text.len()) else { return };
        let (Ok(length), Ok(start)) = (u32::try_from(text.len()), u32::try_from(self.texts.len()))
        else {
            return;
        };
        if let Some(seen) = self.seen.get_mut(text.len() % 32) {
            *seen |= 1 << (byte_before(text, text.len()) % 32);
        }
        let mut at = key.hash as usize & self.last_place;
        while let Some(slot) = self.slots.get(at).filter(|it| it.length != EMPTY) {
            if slot.head == key.head && slot.tail == key.tail && self.is(slot, text) {
                return;
            }
            at = (at + 1) & self.last_place;
        }
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = Slot { head: key.head, tail: key.tail, length, start, value };
            self.texts.extend_from_slice(text);
        }
    }

    /// The number of the text at `start..end` of `all`; a quote must come before an empty text.
    #[inline(always)]
    pub fn get(&self, all: &[u8], start: usize, end: usize) -> Option<u32> {
        let seen = self.seen.get(end.wrapping_sub(start) % 32)?;
        if seen >> (byte_before(all, end) % 32) & 1 == 0 {
            return None;
        }
        self.find(all, start, end)
    }

    /// Mostly the text is at its first place, and short.
    #[inline(never)]
    fn find(&self, all: &[u8], start: usize, end: usize) -> Option<u32> {
        let key = Key::new(all, start, end)?;
        let at = key.hash as usize & self.last_place;
        let slot = self.slots.get(at)?;
        let same_ends = slot.head == key.head && slot.tail == key.tail;
        if same_ends && slot.length as usize == key.text.len() && key.text.len() <= ENDS_BYTES {
            return Some(slot.value);
        }
        self.probe(key.text, key.head, key.tail, at)
    }

    #[inline(never)]
    fn probe(&self, text: &[u8], head: u64, tail: u64, mut at: usize) -> Option<u32> {
        loop {
            let slot = self.slots.get(at).filter(|it| it.length != EMPTY)?;
            if slot.head == head && slot.tail == tail && self.is(slot, text) {
                return Some(slot.value);
            }
            at = (at + 1) & self.last_place;
        }
    }

    /// A text with the same ends is the slot's.
    fn is(&self, slot: &Slot, text: &[u8]) -> bool {
        let from = slot.start as usize;
        slot.length as usize == text.len()
            && (text.len() <= ENDS_BYTES || self.texts.get(from..from + text.len()) == Some(text))
    }
}

impl<'a> Key<'a> {
    #[inline(always)]
    fn new(all: &'a [u8], start: usize, end: usize) -> Option<Self> {
        let text = all.get(start..end)?;
        let (head, tail) = match (text.first_chunk(), text.last_chunk()) {
            (Some(head), Some(tail)) => (u64::from_le_bytes(*head), u64::from_le_bytes(*tail)),
            _ => (short(all, start, text), 0),
        };
        let mixed = head ^ tail.rotate_left(29) ^ (text.len() as u64).rotate_left(58);
        let hash = mixed.wrapping_mul(MIX);
        Some(Self { text, head, tail, hash: hash ^ (hash >> 32) })
    }
}

/// A text of less than eight bytes, which is at `start` of `all`, as a number.
#[inline(always)]
fn short(all: &[u8], start: usize, text: &[u8]) -> u64 {
    // Eight bytes in one go, if there are as many, and then without those that follow.
    if let Some(more) = all.get(start..).and_then(<[u8]>::first_chunk) {
        return u64::from_le_bytes(*more) & !(u64::MAX << (text.len() * 8));
    }
    text.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    proptest! {
        #[test]
        fn finds_what_is_in_it(
            texts in prop::collection::vec("[ab]{0,3}|[a-c]{6,10}|x{15,18}y?", 0..40),
            asked in "[ab]{0,3}|[a-c]{6,10}|x{15,18}y?",
            before in "[a-c]{0,2}",
            after in "[a-c]{0,9}",
        ) {
            let entries: Vec<_> = texts.iter().map(|it| it.as_bytes()).zip(0..).collect();
            let mut expected = HashMap::new();
            for (text, number) in &entries {
                expected.entry(text.to_vec()).or_insert(*number);
            }
            let map = ByteMap::new(&entries);
            for text in texts.iter().chain([&asked]) {
                let all = format!("{before}\"{text}{after}");
                let start = before.len() + 1;
                let found = map.get(all.as_bytes(), start, start + text.len());
                prop_assert_eq!(found, expected.get(text.as_bytes()).copied());
            }
        }
    }
}
