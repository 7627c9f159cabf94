//! Array consistency: can all fields be met without taking two elements of one array?
//!
//! Fields are met in the order of their paths, as the engine does it (it matters for
//! `{"exists": false}`: a field is absent if no value of it agrees with the elements that earlier
//! fields have taken). Paths with a common beginning are neighbors in that order. So of all
//! elements that were taken, only those on the way to the next path can still matter, and these
//! lie inside each other: the innermost one stands for all. The search therefore carries a set of
//! elements from field to field and never has to guess: its work grows with the event, not with
//! the number of ways to choose.
//!
//! One kind of event breaks this: keys that occur twice can put two arrays side by side at one
//! path ("twins"). For it there is a plain search over all choices, with a limit.

use crate::error::EventError;
use crate::pattern::Trie;

/// The array elements of an event that are objects or arrays, in the order in which they open.
#[derive(Debug, Default)]
pub(crate) struct Elements {
    all: Vec<Element>,
    arrays: usize,
    /// See the module's text.
    twins: bool,
}

/// An object or array inside an array.
#[derive(Debug, Clone, Copy)]
struct Element {
    /// Which array.
    array: usize,
    /// The innermost element around that array.
    parent: usize,
    /// The array's path, as a node of the trie.
    node: usize,
    /// One past the last element inside this one.
    end: usize,
}

/// The values at one field's path.
#[derive(Debug)]
pub(crate) struct Row {
    node: usize,
    /// No value is fine, too.
    or_absent: bool,
    /// In which elements there is any value.
    present: Vec<usize>,
    /// In which elements there is a value that meets the field.
    meeting: Vec<usize>,
}

impl Row {
    pub fn new(node: usize, or_absent: bool) -> Self {
        Self { node, or_absent, present: Vec::new(), meeting: Vec::new() }
    }

    pub fn add(&mut self, element: usize, meets: bool) {
        if self.or_absent {
            self.present.push(element);
        }
        if meets {
            self.meeting.push(element);
        }
    }

    fn sort(&mut self) {
        for elements in [&mut self.present, &mut self.meeting] {
            elements.sort_unstable();
            elements.dedup();
        }
    }
}

impl Elements {
    /// Stands for the event itself, outside of all arrays.
    pub const WHOLE: usize = 0;

    pub fn new() -> Self {
        let whole = Element { array: 0, parent: Self::WHOLE, node: 0, end: usize::MAX };
        Self { all: vec![whole], arrays: 1, twins: false }
    }

    pub fn new_array(&mut self) -> usize {
        self.arrays += 1;
        self.arrays - 1
    }

    pub fn add(&mut self, array: usize, parent: usize, node: usize) -> usize {
        self.all.push(Element { array, parent, node, end: usize::MAX });
        self.all.len() - 1
    }

    pub fn close(&mut self, element: usize) {
        let end = self.all.len();
        if let Some(element) = self.all.get_mut(element) {
            element.end = end;
        }
    }

    /// Looks for twins: arrays inside the same element of which one is on the other's path.
    pub fn finish(&mut self, trie: &Trie) {
        let without_whole = self.all.get(1..).unwrap_or_default();
        let mut arrays: Vec<_> =
            without_whole.iter().map(|it| (it.parent, it.node, it.array)).collect();
        arrays.sort_unstable();
        arrays.dedup();
        self.twins = arrays.chunk_by(|left, right| left.0 == right.0).any(|arrays| {
            let same_node = arrays.windows(2).any(|it| match it {
                [left, right] => left.1 == right.1,
                _ => false,
            });
            same_node
                || arrays.iter().any(|(_, outer, _)| {
                    arrays
                        .iter()
                        .any(|(_, inner, _)| outer != inner && trie.contains(*outer, *inner))
                })
        });
    }

    /// Can every row be met? `rows` are in the order of their paths.
    pub fn agree(
        &self,
        rows: &mut [Row],
        trie: &Trie,
        choices_max: usize,
    ) -> Result<bool, EventError> {
        for row in rows.iter_mut() {
            row.sort();
            if row.meeting.is_empty() && !row.or_absent {
                return Ok(false);
            }
        }
        if self.twins {
            let mut search = Search { elements: self, choices_max, choices: 0 };
            return search.all_met(rows, &[]);
        }
        let mut taken = vec![Self::WHOLE];
        for (index, row) in rows.iter().enumerate() {
            let mut next = Vec::new();
            for element in taken {
                self.take(row, element, &mut next);
            }
            if let Some(following) = rows.get(index + 1) {
                for element in &mut next {
                    *element = self.innermost_on_path(*element, following.node, trie);
                }
            }
            next.sort_unstable();
            next.dedup();
            if next.is_empty() {
                return Ok(false);
            }
            taken = next;
        }
        Ok(true)
    }

    /// What can be taken after `taken` to meet a row.
    fn take(&self, row: &Row, taken: usize, next: &mut Vec<usize>) {
        let before = next.len();
        // Values outside of `taken`, around it: they take nothing more.
        if self.around(taken).any(|it| row.meeting.binary_search(&it).is_ok()) {
            next.push(taken);
        }
        next.extend(self.inside(taken, &row.meeting));
        let absent = |it: &Vec<usize>| {
            self.inside(taken, it).next().is_none()
                && !self.around(taken).any(|outer| it.binary_search(&outer).is_ok())
        };
        if row.or_absent && next.len() == before && absent(&row.present) {
            next.push(taken);
        }
    }

    /// The elements around this one, the whole event last.
    fn around(&self, element: usize) -> impl Iterator<Item = usize> {
        let parent =
            |it: &usize| self.all.get(*it).filter(|_| *it != Self::WHOLE).map(|it| it.parent);
        std::iter::successors(parent(&element), parent)
    }

    /// Those of `sorted` that are this element or inside it.
    fn inside<'a>(&self, element: usize, sorted: &'a [usize]) -> impl Iterator<Item = usize> + 'a {
        let end = self.all.get(element).map_or(0, |it| it.end);
        let from = sorted.partition_point(|it| *it < element);
        sorted.get(from..).unwrap_or_default().iter().copied().take_while(move |it| *it < end)
    }

    /// This element, or the innermost one around it that is on the way to `node`.
    fn innermost_on_path(&self, element: usize, node: usize, trie: &Trie) -> usize {
        let on_path = |it: &usize| self.all.get(*it).is_none_or(|it| trie.contains(it.node, node));
        std::iter::once(element).chain(self.around(element)).find(on_path).unwrap_or(Self::WHOLE)
    }

    /// Could both be taken? Not if they are in different elements of one array.
    fn agree_on_arrays(&self, left: usize, right: usize) -> bool {
        let with_self = |it: usize| std::iter::once(it).chain(self.around(it));
        let array = |it: usize| self.all.get(it).map(|it| it.array);
        with_self(left)
            .all(|left| with_self(right).all(|it| it == left || array(it) != array(left)))
    }
}

/// The plain search, for events with twins.
struct Search<'a> {
    elements: &'a Elements,
    choices_max: usize,
    choices: usize,
}

impl Search<'_> {
    fn all_met(&mut self, rows: &[Row], taken: &[usize]) -> Result<bool, EventError> {
        let Some((row, rest)) = rows.split_first() else { return Ok(true) };
        for element in &row.meeting {
            if self.agrees(*element, taken)? {
                let taken = [taken, &[*element]].concat();
                if self.all_met(rest, &taken)? {
                    return Ok(true);
                }
            }
        }
        if !row.or_absent {
            return Ok(false);
        }
        for element in &row.present {
            if self.agrees(*element, taken)? {
                return Ok(false);
            }
        }
        self.all_met(rest, taken)
    }

    fn agrees(&mut self, element: usize, taken: &[usize]) -> Result<bool, EventError> {
        self.choices += 1;
        if self.choices_max < self.choices {
            return Err(EventError::TooManyChoices { choices_max: self.choices_max });
        }
        Ok(taken.iter().all(|it| self.elements.agree_on_arrays(*it, element)))
    }
}
