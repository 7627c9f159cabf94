//! Evaluates a template's values: what is left is known, or unknown with its references.
//!
//! `evaluate` walks a tree, `functions` has the intrinsic functions, `conditions` decides. What
//! can't be understood is unknown and leaves a note, so the rest can be judged.

mod conditions;
mod each;
mod functions;
mod network;
mod substitution;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::plan::cloudformation::parameters::{Parameter, parameters};
use crate::plan::cloudformation::tree::{Content, Entry, Fault, Mark, Tree};
use crate::plan::cloudformation::{
    EVALUATION_BYTES_MAX, EVALUATION_LEVELS_MAX, EVALUATION_STEPS_MAX, Options, VALUE_BYTES, macros,
};

use conditions::Judged;

/// Whether a declared resource will be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presence {
    /// It is created.
    Created,
    /// Its condition, of this name, hangs on an unknown.
    Perhaps(String),
    /// Its condition, of this name, does not hold.
    Absent(String),
}

/// What values are evaluated with, and what evaluating them may still cost.
pub struct Evaluator<'a> {
    options: &'a Options,
    /// Whether the template goes through macros: these may have functions of their own.
    has_macros: bool,
    parameters: BTreeMap<String, Parameter>,
    /// Values by the mapping's name and its two keys.
    mappings: BTreeMap<Vec<String>, Rc<Tree>>,
    conditions: BTreeMap<String, Rc<Tree>>,
    judged: BTreeMap<String, Judged>,
    /// Every resource that the template declares.
    pub resources: BTreeMap<String, Presence>,
    /// Beginnings of the names of resources that a transform generates.
    pub generated: BTreeSet<String>,
    notes: BTreeSet<(Mark, String)>,
    steps_left: usize,
    bytes_left: usize,
    levels: usize,
}

fn mappings(section: Option<&Tree>) -> Result<BTreeMap<Vec<String>, Rc<Tree>>, Fault> {
    let mut values = BTreeMap::new();
    let Some(section) = section else { return Ok(values) };
    let Some(mappings) = section.entries() else {
        return Err(Fault::new(section.at, "`Mappings` must be a mapping"));
    };
    for mapping in mappings {
        for first in mapping.tree.entries().unwrap_or_default() {
            for second in first.tree.entries().unwrap_or_default() {
                let keys = [&mapping.key, &first.key, &second.key].map(Clone::clone);
                values.insert(keys.to_vec(), Rc::new(second.tree.clone()));
            }
        }
    }
    Ok(values)
}

impl<'a> Evaluator<'a> {
    /// An evaluator of a template.
    ///
    /// # Errors
    ///
    /// When `Parameters`, `Mappings` or `Conditions` is no mapping.
    pub fn new(template: &Tree, options: &'a Options) -> Result<Evaluator<'a>, Fault> {
        let mut evaluator = Evaluator {
            options,
            has_macros: macros(template).next().is_some(),
            parameters: parameters(template.get("Parameters"), options)?,
            mappings: mappings(template.get("Mappings"))?,
            conditions: BTreeMap::new(),
            judged: BTreeMap::new(),
            resources: BTreeMap::new(),
            generated: BTreeSet::new(),
            notes: BTreeSet::new(),
            steps_left: EVALUATION_STEPS_MAX,
            bytes_left: EVALUATION_BYTES_MAX,
            levels: 0,
        };
        if let Some(section) = template.get("Conditions") {
            let Some(entries) = section.entries() else {
                return Err(Fault::new(section.at, "`Conditions` must be a mapping"));
            };
            let unrolled = evaluator.unroll(entries)?;
            let conditions =
                unrolled.entries.iter().map(|it| (it.key.clone(), Rc::new(it.tree.clone())));
            evaluator.conditions = conditions.collect();
        }
        Ok(evaluator)
    }

    /// Says what could not be understood.
    ///
    /// # Errors
    ///
    /// When there is too much of it.
    pub fn note(&mut self, at: Mark, problem: impl Into<String>) -> Result<(), Fault> {
        let problem = problem.into();
        self.spend(problem.len(), at)?;
        self.notes.insert((at, problem));
        Ok(())
    }

    /// What could not be understood, in the template's order.
    pub fn into_notes(self) -> impl Iterator<Item = (Mark, String)> {
        self.notes.into_iter()
    }

    /// The value of a tree; nothing where it is `AWS::NoValue`.
    ///
    /// # Errors
    ///
    /// When evaluating exceeds a limit, conditions use one another in a circle, or a function is
    /// not known.
    pub fn evaluate(&mut self, tree: &Tree) -> Result<Option<Tree>, Fault> {
        self.enter(tree.at)?;
        let result = match &tree.content {
            Content::Text(text) => self.literal(text, tree),
            Content::List(items) => self.list(items, tree.at).map(Some),
            Content::Map(entries) => self.map(entries, tree.at),
            _ => Ok(Some(tree.clone())),
        };
        self.levels = self.levels.saturating_sub(1);
        result
    }

    fn enter(&mut self, at: Mark) -> Result<(), Fault> {
        self.levels = self.levels.saturating_add(1);
        if EVALUATION_LEVELS_MAX < self.levels {
            let problem = format!("evaluating this takes more than {EVALUATION_LEVELS_MAX} levels");
            return Err(Fault::new(at, problem));
        }
        self.steps_left = self.steps_left.checked_sub(1).ok_or_else(|| {
            let limit = EVALUATION_STEPS_MAX;
            Fault::new(at, format!("evaluating this template takes more than {limit} steps"))
        })?;
        self.spend(VALUE_BYTES, at)
    }

    /// Takes from the bytes that evaluation may still produce.
    fn spend(&mut self, bytes: usize, at: Mark) -> Result<(), Fault> {
        self.bytes_left = self.bytes_left.checked_sub(bytes).ok_or_else(|| {
            let limit = EVALUATION_BYTES_MAX;
            Fault::new(at, format!("evaluating this template makes more than {limit} bytes"))
        })?;
        Ok(())
    }

    /// Text as it is written. A dynamic reference in it is resolved when it is deployed.
    fn literal(&mut self, text: &str, tree: &Tree) -> Result<Option<Tree>, Fault> {
        if text.contains("{{resolve:") {
            return Ok(Some(Tree::unknown(tree.at, Vec::new())));
        }
        self.spend(text.len(), tree.at)?;
        Ok(Some(tree.clone()))
    }

    fn list(&mut self, items: &[Tree], at: Mark) -> Result<Tree, Fault> {
        let mut evaluated = Vec::with_capacity(items.len());
        for item in items {
            evaluated.extend(self.evaluate(item)?);
        }
        Ok(Tree::new(at, Content::List(evaluated)))
    }

    fn map(&mut self, entries: &[Entry], at: Mark) -> Result<Option<Tree>, Fault> {
        let is_function =
            |key: &str| key.starts_with("Fn::") && !key.starts_with(each::LOOP_PREFIX);
        if let [it] = entries
            && (it.key == "Ref" || is_function(&it.key))
        {
            return self.call(&it.key, &it.tree, it.at);
        }
        if let Some(it) = entries.iter().find(|it| is_function(&it.key)) {
            let problem = match it.key.as_str() {
                "Fn::Transform" => "`Fn::Transform` may add anything here".to_owned(),
                key => format!("`{key}` must be the only key of its mapping"),
            };
            self.note(it.at, problem)?;
            return Ok(Some(Tree::unknown(at, Vec::new())));
        }
        let unrolled = self.unroll(entries)?;
        if !unrolled.complete {
            return Ok(Some(Tree::unknown(at, Vec::new())));
        }
        let mut evaluated = Vec::with_capacity(unrolled.entries.len());
        for it in unrolled.entries.iter() {
            self.spend(it.key.len(), it.at)?;
            if let Some(tree) = self.evaluate(&it.tree)? {
                evaluated.push(Entry { key: it.key.clone(), at: it.at, tree });
            }
        }
        Ok(Some(Tree::new(at, Content::Map(evaluated))))
    }

    /// A text that a function made.
    fn made(&mut self, text: String, at: Mark) -> Result<Option<Tree>, Fault> {
        self.spend(text.len(), at)?;
        Ok(Some(Tree::text(at, text)))
    }
}
