//! A map from short texts to numbers that never changes.
//!
//! Made for keys and values in the middle of an event: a text is looked up by its place. That it is
//! not there, the usual case, its length and last byte nearly always tell. Otherwise its first and
//! last eight bytes are hashed and compared in registers; only longer texts are compared again.

const MIX: u64 = 0x9E37_79B9_7F4A_7C15;

#[derive(Debug, Clone)]
pub(crate) struct ByteMap {
    /// Open addressing. One byte of the hash, 0 for an empty place: so small that it stays in the
    /// nearest cache.
    marks: Vec<u8>,
    slots: Vec<Slot>,
    /// A bit for each length and last byte, both modulo 32.
    seen: [u32; 32],
    /// The number of places, a power of two, less one.
    last_place: usize,
    texts: Vec<u8>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    head: u64,
    tail: u64,
    length: u32,
    /// Where in `texts` the text starts.
    start: u32,
    value: u32,
}

/// The last byte of the text at `start..end`; anything for an empty one, but always the same.
#[inline(always)]
fn last_byte(all: &[u8], start: usize, end: usize) -> u8 {
    if start < end { all.get(end - 1).copied().unwrap_or_default() } else { 0 }
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
        // At most a quarter full: most misses end at the first place.
        let places = (entries.len() * 4).next_power_of_two();
        let mut map = Self {
            marks: vec![0; places],
            slots: vec![Slot::default(); places],
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
            *seen |= 1 << (last_byte(text, 0, text.len()) % 32);
        }
        let mut at = key.hash as usize & self.last_place;
        while self.marks.get(at).is_some_and(|it| *it != 0) {
            if self.slots.get(at).is_some_and(|it| self.is(it, &key)) {
                return;
            }
            at = (at + 1) & self.last_place;
        }
        if let (Some(mark), Some(slot)) = (self.marks.get_mut(at), self.slots.get_mut(at)) {
            *mark = key.mark();
            *slot = Slot { head: key.head, tail: key.tail, length, start, value };
            self.texts.extend_from_slice(text);
        }
    }

    /// The number of the text at `start..end` of `all`.
    #[inline(always)]
    pub fn get(&self, all: &[u8], start: usize, end: usize) -> Option<u32> {
        let seen = self.seen.get(end.wrapping_sub(start) % 32)?;
        if seen >> (last_byte(all, start, end) % 32) & 1 == 0 {
            return None;
        }
        self.find(all, start, end)
    }

    #[inline(never)]
    fn find(&self, all: &[u8], start: usize, end: usize) -> Option<u32> {
        let key = Key::new(all, start, end)?;
        let mark = key.mark();
        let mut at = key.hash as usize & self.last_place;
        loop {
            let here = *self.marks.get(at)?;
            if here == 0 {
                return None;
            }
            if here == mark {
                let slot = self.slots.get(at)?;
                if self.is(slot, &key) {
                    return Some(slot.value);
                }
            }
            at = (at + 1) & self.last_place;
        }
    }

    fn is(&self, slot: &Slot, key: &Key<'_>) -> bool {
        let length = key.text.len();
        if slot.head != key.head || slot.tail != key.tail || slot.length as usize != length {
            return false;
        }
        // Up to twice eight bytes have been compared already.
        if length <= 16 {
            return true;
        }
        let from = slot.start as usize;
        self.texts.get(from..from + length) == Some(key.text)
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

    #[inline]
    fn mark(&self) -> u8 {
        (self.hash >> 56) as u8 | 1
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
                let all = format!("{before}{text}{after}");
                let end = before.len() + text.len();
                let found = map.get(all.as_bytes(), before.len(), end);
                prop_assert_eq!(found, expected.get(text.as_bytes()).copied());
            }
        }
    }
}
