//! Through an event, noting what lies at the paths of the set.

use super::byte_map::ByteMap;
use super::plan::Plan;
use crate::condition::Scalar;
use crate::envelope::Envelope;
use crate::error::EventError;
use crate::event::Elements;
use crate::index::{Step, Steps};
use crate::json::unescape;
use crate::pattern::ROOT;

/// What was found in one event. Kept between events for its memory.
#[derive(Debug)]
pub(crate) struct Notes {
    /// By node. What is not of this `event` is of an earlier one.
    places: Vec<Place>,
    event: u32,
    values: Vec<Value>,
    /// Containers at gates.
    shut: Vec<Shut>,
    /// Strings that are not in the event as they are meant.
    strings: String,
    pub elements: Elements,
}

/// What was found at one node.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    event: u32,
    first: u32,
    last: u32,
    /// Some values are inside array elements.
    in_elements: bool,
    /// The last event with a container here that was not entered.
    shut_event: u32,
}

#[derive(Debug, Clone, Copy)]
struct Value {
    kind: Kind,
    start: u32,
    end: u32,
    element: u32,
    /// The next value at the same node.
    next: u32,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    /// In the event.
    Text,
    /// In `strings`.
    OwnText,
    Number,
    True,
    False,
    Null,
}

#[derive(Debug, Clone, Copy)]
struct Shut {
    node: usize,
    at: usize,
}

/// No value.
const NONE: u32 = u32::MAX;

impl Default for Notes {
    fn default() -> Self {
        let (places, values, shut, strings) = Default::default();
        Self { places, event: 0, values, shut, strings, elements: Elements::new() }
    }
}

impl Notes {
    /// Forgets the last event; this one is about a plan with so many nodes.
    pub fn clear(&mut self, nodes: usize) {
        self.values.clear();
        self.shut.clear();
        self.strings.clear();
        self.elements.clear();
        self.event = self.event.wrapping_add(1);
        if self.places.len() < nodes || self.event == 0 {
            self.places.clear();
            self.places.resize(nodes, Place::default());
            self.event = 1;
        }
    }

    /// A number that changes with each event and is never 0.
    pub fn event(&self) -> u32 {
        self.event
    }

    /// Is one of the values at a node inside an array element?
    pub fn in_elements(&self, node: usize) -> bool {
        self.place(node).is_some_and(|it| it.in_elements)
    }

    fn place(&self, node: usize) -> Option<&Place> {
        self.places.get(node).filter(|it| it.event == self.event)
    }

    fn add(&mut self, node: usize, kind: Kind, start: usize, end: usize, element: usize) {
        let number = self.values.len() as u32;
        // A text of less than 4 GiB, which `PatternSet` sees to, has places of 32 bits.
        let (start, end, element) = (start as u32, end as u32, element as u32);
        self.values.push(Value { kind, start, end, element, next: NONE });
        let Some(place) = self.places.get_mut(node) else { return };
        if place.event == self.event {
            if let Some(last) = self.values.get_mut(place.last as usize) {
                last.next = number;
            }
            place.last = number;
            place.in_elements |= element != Elements::WHOLE as u32;
        } else {
            place.event = self.event;
            (place.first, place.last) = (number, number);
            place.in_elements = element != Elements::WHOLE as u32;
        }
    }
}

/// One event on its way into the notes.
pub(crate) struct Walk<'a> {
    plan: &'a Plan,
    steps: Steps<'a>,
    pub notes: &'a mut Notes,
}

impl<'a> Walk<'a> {
    pub fn new(plan: &'a Plan, steps: Steps<'a>, notes: &'a mut Notes) -> Self {
        Self { plan, steps, notes }
    }

    /// Notes the fields around `detail`.
    pub fn note_envelope(&mut self, envelope: &Envelope<'_>) {
        for (name, value) in envelope.values() {
            let root = self.plan.node(ROOT);
            let Some(node) = root.and_then(|it| it.keys.get(name.as_bytes(), 0, name.len())) else {
                continue;
            };
            let node = node as usize;
            if self.plan.node(node).is_some_and(|it| it.is_end) {
                let start = self.notes.strings.len();
                self.notes.strings.push_str(value);
                let end = self.notes.strings.len();
                self.notes.add(node, Kind::OwnText, start, end, Elements::WHOLE);
            }
        }
    }

    /// Goes through the container that opens at `at` and belongs to `node`; `depth` containers are
    /// around it. The place behind it.
    pub fn container(&mut self, node: usize, at: usize, depth: usize) -> Step {
        self.enter(node, at, Elements::WHOLE, depth)
    }

    /// Enters what was noted at a gate so far.
    pub fn open_gate(&mut self, gate: usize) -> Result<(), Box<EventError>> {
        let event = self.notes.event;
        let Some(place) = self.notes.places.get_mut(gate) else { return Ok(()) };
        if place.shut_event != event {
            return Ok(());
        }
        place.shut_event = 0;
        // Gates are at most two levels deep, below the event and its `detail`.
        let depth = 1 + usize::from(self.plan.trie.parent(gate) != ROOT);
        for number in 0..self.notes.shut.len() {
            let Some(shut) = self.notes.shut.get(number).copied() else { continue };
            if shut.node == gate {
                self.enter(gate, shut.at, Elements::WHOLE, depth)?;
            }
        }
        Ok(())
    }

    fn enter(&mut self, node: usize, at: usize, element: usize, depth: usize) -> Step {
        if self.steps.depth_max <= depth {
            return Err(EventError::TooDeep { depth_max: self.steps.depth_max, offset: at }.into());
        }
        if self.steps.byte(at) == Some(b'{') {
            self.object(node, at, element, depth + 1)
        } else {
            self.array(node, at, element, depth + 1)
        }
    }

    /// From `{` to behind `}`.
    fn object(&mut self, node: usize, at: usize, element: usize, depth: usize) -> Step {
        let (steps, plan) = (self.steps, self.plan);
        let Some(keys) = plan.node(node).map(|it| &it.keys) else { return Ok(at) };
        let mut at = at + 1;
        if let Some(end) = steps.find(b'}', at) {
            return Ok(end + 1);
        }
        let mut start = key_start(&steps, at)?;
        loop {
            let end = steps.string_end(start);
            // The usual way from a key to a string, and from there to the next key, is short.
            at = if steps.continues(end, *b"\":\"") {
                let (child, value) = (child(&steps, keys, start, end), end + 3);
                let end = steps.string_end(value);
                if let Some(child) = child {
                    self.note_text(child, value, end, element);
                }
                if steps.continues(end, *b"\",\"") {
                    start = end + 3;
                    continue;
                }
                end + 1
            } else {
                let Some(colon) = steps.find(b':', end + 1) else {
                    return Err(steps.fault(end + 1, "a colon is expected after the key"));
                };
                let value = steps.past_space(colon + 1);
                match child(&steps, keys, start, end) {
                    Some(child) => self.value(child, value, element, depth)?,
                    None => self.past_value(value, depth)?,
                }
            };
            if let Some(comma) = steps.find(b',', at) {
                start = key_start(&steps, comma + 1)?;
            } else if let Some(end) = steps.find(b'}', at) {
                return Ok(end + 1);
            } else {
                return Err(steps.fault(steps.past_space(at), "a comma or `}` is expected"));
            }
        }
    }

    /// From `[` to behind `]`.
    fn array(&mut self, node: usize, at: usize, element: usize, depth: usize) -> Step {
        let steps = self.steps;
        let mut array = None;
        let mut at = steps.past_space(at + 1);
        if steps.byte(at) == Some(b']') {
            return Ok(at + 1);
        }
        loop {
            at = if let Some(b'{' | b'[') = steps.byte(at) {
                let elements = &mut self.notes.elements;
                let array = *array.get_or_insert_with(|| elements.add_array(node, element));
                let inside = elements.add(array);
                let end = self.enter(node, at, inside, depth)?;
                self.notes.elements.close(inside);
                end
            } else {
                self.value(node, at, element, depth)?
            };
            at = steps.past_space(at);
            match steps.byte(at) {
                Some(b',') => at = steps.past_space(at + 1),
                Some(b']') => return Ok(at + 1),
                _ => return Err(steps.fault(at, "a comma or `]` is expected")),
            }
        }
    }

    /// A value at a node; the place behind it.
    fn value(&mut self, node: usize, at: usize, element: usize, depth: usize) -> Step {
        let (is_end, is_gate) =
            self.plan.node(node).map_or((false, false), |it| (it.is_end, it.is_gate));
        match self.steps.byte(at) {
            Some(b'"') => {
                let end = self.steps.string_end(at + 1);
                self.note_text(node, at + 1, end, element);
                Ok(end + 1)
            }
            Some(b'{' | b'[') => {
                if is_gate && element == Elements::WHOLE {
                    let event = self.notes.event;
                    if let Some(place) = self.notes.places.get_mut(node) {
                        place.shut_event = event;
                    }
                    self.notes.shut.push(Shut { node, at });
                    return self.steps.past_container(at, depth);
                }
                self.enter(node, at, element, depth)
            }
            _ => {
                let end = self.steps.scalar_end(at);
                let kind = self.scalar_kind(at, end)?;
                if is_end {
                    self.notes.add(node, kind, at, end, element);
                }
                Ok(end)
            }
        }
    }

    /// Past a value that nobody asks about.
    fn past_value(&self, at: usize, depth: usize) -> Step {
        match self.steps.byte(at) {
            Some(b'"') => Ok(self.steps.string_end(at + 1) + 1),
            Some(b'{' | b'[') => self.steps.past_container(at, depth),
            _ => {
                let end = self.steps.scalar_end(at);
                self.scalar_kind(at, end)?;
                Ok(end)
            }
        }
    }

    fn scalar_kind(&self, start: usize, end: usize) -> Result<Kind, Box<EventError>> {
        match self.steps.text.get(start..end) {
            Some(b"true") => Ok(Kind::True),
            Some(b"false") => Ok(Kind::False),
            Some(b"null") => Ok(Kind::Null),
            Some([b'-' | b'0'..=b'9', ..]) => {
                self.steps.check_number(start, end)?;
                Ok(Kind::Number)
            }
            _ => Err(self.steps.fault(start, "a value is expected")),
        }
    }

    /// The string whose inside is at `start..end` is at a node.
    fn note_text(&mut self, node: usize, start: usize, end: usize, element: usize) {
        if !self.plan.node(node).is_some_and(|it| it.is_end) {
            return;
        }
        if !self.steps.has_escape(start, end) {
            self.notes.add(node, Kind::Text, start, end, element);
            return;
        }
        let raw = self.steps.text.get(start..end).unwrap_or_default();
        let start = self.notes.strings.len();
        // The whole text has been found to be UTF-8.
        unescape(std::str::from_utf8(raw).unwrap_or_default(), &mut self.notes.strings);
        let end = self.notes.strings.len();
        self.notes.add(node, Kind::OwnText, start, end, element);
    }

    /// What was noted at a node: each value with the array element that it is in.
    pub fn values(&self, node: usize) -> impl Iterator<Item = (Scalar<'_>, usize)> {
        let value = |number: u32| self.notes.values.get(number as usize);
        let first = self.notes.place(node).and_then(|it| value(it.first));
        std::iter::successors(first, move |it| value(it.next))
            .map(|it| (self.scalar(it), it.element as usize))
    }

    fn scalar(&self, value: &Value) -> Scalar<'_> {
        let place = value.start as usize..value.end as usize;
        match value.kind {
            Kind::Text => Scalar::Text(self.steps.text.get(place).unwrap_or_default()),
            Kind::OwnText => {
                Scalar::Text(self.notes.strings.as_bytes().get(place).unwrap_or_default())
            }
            Kind::Number => Scalar::Number(self.steps.text.get(place).unwrap_or_default()),
            Kind::True => Scalar::True,
            Kind::False => Scalar::False,
            Kind::Null => Scalar::Null,
        }
    }
}

/// The inside of the key that comes at `at`.
#[inline(always)]
fn key_start(steps: &Steps<'_>, at: usize) -> Step {
    match steps.find(b'"', at) {
        Some(quote) => Ok(quote + 1),
        None => Err(steps.fault(steps.past_space(at), "a key in double quotes is expected")),
    }
}

/// The node that the key at `start..end` leads to.
#[inline(always)]
fn child(steps: &Steps<'_>, keys: &ByteMap, start: usize, end: usize) -> Option<usize> {
    if steps.has_escape(start, end) {
        return escaped_child(steps.text.get(start..end)?, keys);
    }
    keys.get(steps.text, start, end).map(|it| it as usize)
}

#[cold]
fn escaped_child(raw: &[u8], keys: &ByteMap) -> Option<usize> {
    let mut key = String::new();
    unescape(std::str::from_utf8(raw).ok()?, &mut key);
    keys.get(key.as_bytes(), 0, key.len()).map(|it| it as usize)
}
