//! Which patterns does an event match that has been walked through?

use super::plan::{Alternative, Plan, Test};
use super::walk::Walk;
use crate::condition::Scalar;
use crate::error::EventError;
use crate::event::{Elements, Question};

/// Verdicts on one event. Kept between events for its memory.
#[derive(Debug, Default)]
pub(crate) struct Judge {
    /// By test: the last event it was put to, and what came of it.
    tests: Vec<(u32, Met)>,
    /// By pattern: the last event that matched.
    patterns: Vec<u32>,
    possible: Vec<u32>,
    matched: Vec<u32>,
    question: Question,
}

/// What a test alone says about an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Met {
    #[default]
    No,
    /// A value meets it, or it wants none and there is none.
    Yes,
    /// It wants none, and there are only values in array elements, which may not count.
    Perhaps,
}

impl Judge {
    /// The ids of the patterns that match: ascending, each once.
    pub fn all(
        &mut self,
        plan: &Plan,
        walk: &mut Walk<'_>,
        choices_max: usize,
    ) -> Result<&[u32], EventError> {
        let event = walk.notes.event();
        if self.tests.len() < plan.tests.len() || self.patterns.len() < plan.ids.len() || event == 1
        {
            self.tests.clear();
            self.tests.resize(plan.tests.len(), (0, Met::No));
            self.patterns.clear();
            self.patterns.resize(plan.ids.len(), 0);
        }
        self.matched.clear();
        self.find_possible(plan, walk)?;
        for number in 0..self.possible.len() {
            let possible = self.possible.get(number).copied().unwrap_or_default();
            let Some(alternative) = plan.alternatives.get(possible as usize) else { continue };
            if self.patterns.get(alternative.pattern) == Some(&event) {
                continue;
            }
            if self.matches(alternative, plan, walk, choices_max)? {
                if let Some(pattern) = self.patterns.get_mut(alternative.pattern) {
                    *pattern = event;
                }
                self.matched.extend(plan.ids.get(alternative.pattern));
            }
        }
        self.matched.sort_unstable();
        self.matched.dedup();
        Ok(&self.matched)
    }

    fn find_possible(&mut self, plan: &Plan, walk: &mut Walk<'_>) -> Result<(), EventError> {
        self.possible.clear();
        self.possible.extend(&plan.unanchored);
        for anchor in &plan.anchors {
            // The node is its own gate: there may be an array.
            walk.open_gate(anchor.node).map_err(|it| *it)?;
            for (value, _) in walk.values(anchor.node) {
                let Scalar::Text(text) = value else { continue };
                let number = anchor.values.get(text, 0, text.len());
                let possible = number.and_then(|it| anchor.possible.get(it as usize));
                self.possible.extend(possible.into_iter().flatten());
            }
        }
        // In arrays a value may come as often as the event is long.
        self.possible.sort_unstable();
        self.possible.dedup();
        Ok(())
    }

    fn matches(
        &mut self,
        alternative: &Alternative,
        plan: &Plan,
        walk: &mut Walk<'_>,
        choices_max: usize,
    ) -> Result<bool, EventError> {
        let in_elements = |it: usize| walk.notes.in_elements(it);
        let mut in_elements = alternative.anchor.is_some_and(in_elements);
        for number in &alternative.cheapest_first {
            let Some(test) = plan.test(*number) else { continue };
            match self.met(*number, test, walk)? {
                Met::No => return Ok(false),
                Met::Yes => {}
                Met::Perhaps => in_elements = true,
            }
            in_elements = in_elements || walk.notes.in_elements(test.node);
        }
        if !in_elements {
            return Ok(true);
        }
        self.question.clear();
        for test in alternative.by_path.iter().filter_map(|it| plan.test(*it)) {
            let row = self.question.row(test.node, test.or_absent);
            for (value, element) in walk.values(test.node) {
                row.add(element, test.holds(value));
            }
        }
        walk.notes.elements.agree(&mut self.question, &plan.trie, choices_max)
    }

    /// Puts a test to the event, once.
    fn met(&mut self, number: u32, test: &Test, walk: &mut Walk<'_>) -> Result<Met, EventError> {
        let event = walk.notes.event();
        let known = self.tests.get(number as usize).filter(|(it, _)| *it == event);
        if let Some((_, met)) = known {
            return Ok(*met);
        }
        if let Some(gate) = test.gate {
            walk.open_gate(gate).map_err(|it| *it)?;
        }
        let met = put(test, walk);
        if let Some(known) = self.tests.get_mut(number as usize) {
            *known = (event, met);
        }
        Ok(met)
    }
}

fn put(test: &Test, walk: &Walk<'_>) -> Met {
    let mut if_none = if test.or_absent { Met::Yes } else { Met::No };
    for (value, element) in walk.values(test.node) {
        if test.holds(value) {
            return Met::Yes;
        }
        if_none = match (if_none, element) {
            (Met::No, _) | (_, Elements::WHOLE) => Met::No,
            _ => Met::Perhaps,
        };
    }
    if_none
}
