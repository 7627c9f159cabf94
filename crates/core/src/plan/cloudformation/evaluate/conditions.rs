//! Conditions, in three values: they hold, they do not, or that can't be known.
//!
//! Source: AWS CloudFormation Template Reference,
//! page `intrinsic-function-reference-conditions`.

use std::rc::Rc;

use crate::plan::cloudformation::evaluate::{Evaluator, Presence};
use crate::plan::cloudformation::tree::{Content, Fault, Mark, Tree};

/// What is known of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judged {
    /// It is being judged: whoever asks now is part of it.
    Begun,
    /// Whether it holds, where that is known.
    Done(Option<bool>),
}

impl Evaluator<'_> {
    /// Whether a declared condition holds; `None` where that can't be known.
    ///
    /// # Errors
    ///
    /// When conditions use one another in a circle, or a limit is exceeded.
    pub fn condition(&mut self, name: &str, at: Mark) -> Result<Option<bool>, Fault> {
        match self.judged.get(name) {
            Some(Judged::Done(holds)) => return Ok(*holds),
            Some(Judged::Begun) => {
                return Err(Fault::new(at, format!("condition `{name}` depends on itself")));
            }
            None => {}
        }
        let Some(tree) = self.conditions.get(name).map(Rc::clone) else {
            self.note(at, format!("there is no condition `{name}`"))?;
            return Ok(None);
        };
        self.judged.insert(name.to_owned(), Judged::Begun);
        let holds = self.holds(&tree)?;
        self.judged.insert(name.to_owned(), Judged::Done(holds));
        Ok(holds)
    }

    /// Whether a resource with this condition will be there.
    ///
    /// # Errors
    ///
    /// Those of [`Evaluator::condition`].
    pub fn presence(&mut self, condition: Option<&Tree>) -> Result<Presence, Fault> {
        let Some(condition) = condition else { return Ok(Presence::Created) };
        let Some(name) = condition.as_name() else {
            self.note(condition.at, "`Condition` of a resource must be a condition's name")?;
            return Ok(Presence::Perhaps("?".to_owned()));
        };
        Ok(match self.condition(name, condition.at)? {
            Some(true) => Presence::Created,
            Some(false) => Presence::Absent(name.to_owned()),
            None => Presence::Perhaps(name.to_owned()),
        })
    }

    /// Whether a condition's expression holds.
    pub(super) fn holds(&mut self, tree: &Tree) -> Result<Option<bool>, Fault> {
        self.enter(tree.at)?;
        let holds = self.decide(tree);
        self.levels = self.levels.saturating_sub(1);
        holds
    }

    fn decide(&mut self, tree: &Tree) -> Result<Option<bool>, Fault> {
        let Some([it]) = tree.entries() else { return self.bare(tree) };
        match (it.key.as_str(), it.tree.items()) {
            ("Condition", _) => match it.tree.as_name() {
                Some(name) => self.condition(name, it.at),
                None => self.undecided(it.at, "`Condition` must be a condition's name"),
            },
            ("Fn::Equals", Some([a, b])) => self.equals(a, b),
            ("Fn::Not", Some([it])) => Ok(self.holds(it)?.map(|it| !it)),
            ("Fn::And", Some(items)) => self.settled_by(items, false),
            ("Fn::Or", Some(items)) => self.settled_by(items, true),
            ("Fn::Equals", _) => self.undecided(it.at, "`Fn::Equals` needs two values"),
            ("Fn::Not", _) => self.undecided(it.at, "`Fn::Not` needs one condition"),
            ("Fn::And" | "Fn::Or", _) => {
                self.undecided(it.at, &format!("`{}` needs a list of conditions", it.key))
            }
            _ => self.bare(tree),
        }
    }

    fn undecided(&mut self, at: Mark, problem: &str) -> Result<Option<bool>, Fault> {
        self.note(at, problem)?;
        Ok(None)
    }

    /// A value where a condition is expected: `FindInMap` may hold `true`.
    fn bare(&mut self, tree: &Tree) -> Result<Option<bool>, Fault> {
        let value = self.evaluate(tree)?;
        match value.as_ref().map(|it| (&it.content, it.as_text())) {
            Some((Content::Unknown, _)) => Ok(None),
            Some((_, Some("true"))) => Ok(Some(true)),
            Some((_, Some("false"))) => Ok(Some(false)),
            _ => self.undecided(tree.at, "this is no condition"),
        }
    }

    fn equals(&mut self, a: &Tree, b: &Tree) -> Result<Option<bool>, Fault> {
        let (a, b) = (self.evaluate(a)?, self.evaluate(b)?);
        Ok(match (a, b) {
            (Some(a), Some(b)) if a.equals(&b) => Some(true),
            (Some(a), Some(b)) if a.is_known() && b.is_known() => Some(false),
            (None, None) => Some(true),
            (None, Some(it)) | (Some(it), None) if it.is_known() => Some(false),
            _ => None,
        })
    }

    /// Whether any item has the value that settles an `And` or an `Or`.
    fn settled_by(&mut self, items: &[Tree], value: bool) -> Result<Option<bool>, Fault> {
        let mut result = Some(!value);
        for item in items {
            match self.holds(item)? {
                Some(it) if it == value => return Ok(Some(value)),
                Some(_) => {}
                None => result = None,
            }
        }
        Ok(result)
    }
}
