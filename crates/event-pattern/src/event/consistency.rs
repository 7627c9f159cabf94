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
#[derive(Debug)]
pub(crate) struct Elements {
    all: Vec<Element>,
    arrays: Vec<Array>,
}

/// An object or array inside an array.
#[derive(Debug, Clone, Copy)]
struct Element {
    /// Which array.
    array: usize,
    /// The innermost element around that array.
    parent: usize,
    /// One past the last element inside this one.
    end: usize,
}

/// An array with such elements.
#[derive(Debug, Clone, Copy)]
struct Array {
    /// The innermost element around it.
    parent: usize,
    /// Its path, as a node of the trie.
    node: usize,
}

/// The values at the path of one field.
#[derive(Debug, Default)]
pub(crate) struct Row {
    node: usize,
    /// No value is fine, too.
    or_absent: bool,
    /// In which elements there is any value.
    present: Vec<usize>,
    /// In which elements there is a value that meets the field.
    meeting: Vec<usize>,
}

/// The question whether fields agree. Kept between questions for its memory.
#[derive(Debug, Default)]
pub(crate) struct Question {
    rows: Vec<Row>,
    rows_used: usize,
    arrays: Vec<(usize, usize)>,
    taken: Vec<usize>,
    next: Vec<usize>,
}

impl Question {
    /// Starts a new question.
    pub fn clear(&mut self) {
        self.rows_used = 0;
    }

    /// The next field; they must come in the order of their paths.
    pub fn row(&mut self, node: usize, or_absent: bool) -> &mut Row {
        if self.rows.len() <= self.rows_used {
            self.rows.push(Row::default());
        }
        self.rows_used += 1;
        let last = self.rows_used - 1;
        #[expect(clippy::indexing_slicing, reason = "it has just been made long enough")]
        let row = &mut self.rows[last];
        row.present.clear();
        row.meeting.clear();
        (row.node, row.or_absent) = (node, or_absent);
        row
    }
}

impl Row {
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
        let mut elements = Self { all: Vec::new(), arrays: Vec::new() };
        elements.clear();
        elements
    }

    pub fn clear(&mut self) {
        self.all.clear();
        self.arrays.clear();
        // The whole event is the only element of an array that does not exist.
        self.all.push(Element { array: usize::MAX, parent: Self::WHOLE, end: usize::MAX });
    }

    /// An array at a node, which is inside of `parent`. Only for one that has elements.
    pub fn add_array(&mut self, node: usize, parent: usize) -> usize {
        self.arrays.push(Array { parent, node });
        self.arrays.len() - 1
    }

    /// The next element of an array. Its parent is the array's.
    pub fn add(&mut self, array: usize) -> usize {
        let parent = self.arrays.get(array).map_or(Self::WHOLE, |it| it.parent);
        self.all.push(Element { array, parent, end: usize::MAX });
        self.all.len() - 1
    }

    /// Nothing more is inside this element.
    pub fn close(&mut self, element: usize) {
        let end = self.all.len();
        if let Some(element) = self.all.get_mut(element) {
            element.end = end;
        }
    }

    /// Can every field be met?
    pub fn agree(
        &self,
        question: &mut Question,
        trie: &Trie,
        choices_max: usize,
    ) -> Result<bool, EventError> {
        let Question { rows, rows_used, arrays, taken, next } = question;
        let rows = rows.get_mut(..*rows_used).unwrap_or_default();
        for row in rows.iter_mut() {
            row.sort();
            if row.meeting.is_empty() && !row.or_absent {
                return Ok(false);
            }
        }
        if self.has_twins(rows, arrays, trie) {
            let mut search = Search { elements: self, choices_max, choices: 0 };
            return search.all_met(rows, &mut Vec::new());
        }
        taken.clear();
        taken.push(Self::WHOLE);
        for (index, row) in rows.iter().enumerate() {
            next.clear();
            for element in taken.iter() {
                self.take(row, *element, next);
            }
            if let Some(following) = rows.get(index + 1) {
                for element in next.iter_mut() {
                    *element = self.innermost_on_path(*element, following.node, trie);
                }
            }
            next.sort_unstable();
            next.dedup();
            if next.is_empty() {
                return Ok(false);
            }
            std::mem::swap(taken, next);
        }
        Ok(true)
    }

    /// Are there two arrays in one element, both on the way to these fields?
    fn has_twins(&self, rows: &[Row], arrays: &mut Vec<(usize, usize)>, trie: &Trie) -> bool {
        let matters = |it: &&Array| rows.iter().any(|row| trie.contains(it.node, row.node));
        arrays.clear();
        arrays.extend(self.arrays.iter().filter(matters).map(|it| (it.parent, it.node)));
        arrays.sort_unstable();
        // If all are different, there are at most as many in one element as the trie has nodes.
        let same = arrays.windows(2).any(|it| it.first() == it.last());
        let on_one_path = |left: usize, right: usize| {
            left != right && (trie.contains(left, right) || trie.contains(right, left))
        };
        same || arrays.chunk_by(|left, right| left.0 == right.0).any(|inside| {
            inside.iter().any(|left| inside.iter().any(|right| on_one_path(left.1, right.1)))
        })
    }

    /// What can be taken after `taken` to meet a row.
    fn take(&self, row: &Row, taken: usize, next: &mut Vec<usize>) {
        let before = next.len();
        // Values around `taken`: they take nothing more.
        if self.around(taken).any(|it| row.meeting.binary_search(&it).is_ok()) {
            next.push(taken);
        }
        next.extend(self.inside(taken, &row.meeting));
        let absent = |it: &[usize]| {
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
        let on_path = |it: &usize| {
            let array = self.all.get(*it).and_then(|it| self.arrays.get(it.array));
            array.is_none_or(|it| trie.contains(it.node, node))
        };
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
    /// Can these rows be met, now that some elements are taken?
    fn all_met(&mut self, rows: &[Row], taken: &mut Vec<usize>) -> Result<bool, EventError> {
        let Some((row, rest)) = rows.split_first() else { return Ok(true) };
        for element in &row.meeting {
            if self.agrees(*element, taken)? {
                taken.push(*element);
                if self.all_met(rest, taken)? {
                    return Ok(true);
                }
                taken.pop();
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
        self.choices += 1 + taken.len();
        if self.choices_max < self.choices {
            return Err(EventError::TooManyChoices { choices_max: self.choices_max });
        }
        Ok(taken.iter().all(|it| self.elements.agree_on_arrays(*it, element)))
    }
}
