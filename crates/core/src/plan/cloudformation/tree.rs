//! A template's tree: what is written with where it is written, and, once evaluated, what it means.
//!
//! Both are the same type, because evaluation leaves most of a template as it is. Only an evaluated
//! tree has [`Content::Unknown`] and [`Tree::references`], and no intrinsic function is left in it.

use serde_json::{Map, Number, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::mem::discriminant;

use crate::plan::Place;

/// A position in the template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// Line, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1.
    pub column: usize,
}

impl Mark {
    /// The beginning of the file: what concerns the whole of it.
    pub const START: Mark = Mark { line: 1, column: 1 };

    /// The same position with the file's name.
    pub fn place(self, file: &str) -> Place {
        Place { file: file.to_owned(), line: self.line, column: self.column }
    }
}

/// Why a template can't be read, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub at: Mark,
    /// What is wrong. It quotes names, never values: these may be secret.
    pub problem: String,
}

impl Fault {
    /// A fault at a position.
    pub fn new(at: Mark, problem: impl Into<String>) -> Fault {
        Fault { at, problem: problem.into() }
    }
}

/// A value and its position.
#[derive(Debug, Clone)]
pub struct Tree {
    /// Where it begins.
    pub at: Mark,
    /// What it is.
    pub content: Content,
    /// Logical ids of the resources that it is made of.
    pub references: Vec<String>,
}

/// What a value is.
#[derive(Debug, Clone)]
pub enum Content {
    /// Known only when it is deployed.
    Unknown,
    /// Nothing is written.
    Null,
    /// `true` or `false`, and the word that is written for it.
    Bool(bool, &'static str),
    /// A number; as text it stays as it was written.
    Number(Number, String),
    /// Text.
    Text(String),
    /// A sequence.
    List(Vec<Tree>),
    /// A mapping; its keys are unique.
    Map(Vec<Entry>),
}

/// A member of a mapping.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its name.
    pub key: String,
    /// Where the name is written.
    pub at: Mark,
    /// Its value.
    pub tree: Tree,
}

impl Entry {
    /// A member that is written where its value is.
    pub fn new(key: &str, tree: Tree) -> Entry {
        Entry { key: key.to_owned(), at: tree.at, tree }
    }
}

impl Tree {
    /// A value made of nothing that is declared.
    pub fn new(at: Mark, content: Content) -> Tree {
        Tree { at, content, references: Vec::new() }
    }

    /// A text.
    pub fn text(at: Mark, text: impl Into<String>) -> Tree {
        Tree::new(at, Content::Text(text.into()))
    }

    /// A boolean.
    pub fn bool(at: Mark, value: bool) -> Tree {
        Tree::new(at, Content::Bool(value, if value { "true" } else { "false" }))
    }

    /// A value that only deploying tells.
    pub fn unknown(at: Mark, references: Vec<String>) -> Tree {
        Tree { at, content: Content::Unknown, references }
    }

    /// The members of a mapping.
    pub fn entries(&self) -> Option<&[Entry]> {
        match &self.content {
            Content::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The members of a mapping by their names.
    pub fn members(&self) -> Option<BTreeMap<&str, &Tree>> {
        Some(self.entries()?.iter().map(|it| (it.key.as_str(), &it.tree)).collect())
    }

    /// The items of a sequence.
    pub fn items(&self) -> Option<&[Tree]> {
        match &self.content {
            Content::List(items) => Some(items),
            _ => None,
        }
    }

    /// A member of a mapping.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries()?.iter().find(|it| it.key == key)
    }

    /// A member's value.
    pub fn get(&self, key: &str) -> Option<&Tree> {
        self.entry(key).map(|it| &it.tree)
    }

    /// What is written as text: CloudFormation makes text of numbers and booleans where it needs
    /// one.
    pub fn as_text(&self) -> Option<&str> {
        match &self.content {
            Content::Text(text) | Content::Number(_, text) => Some(text),
            Content::Bool(true, _) => Some("true"),
            Content::Bool(false, _) => Some("false"),
            _ => None,
        }
    }

    /// The name that is written: `No` can be a condition's, although it is a boolean.
    pub fn as_name(&self) -> Option<&str> {
        match &self.content {
            Content::Bool(_, word) => Some(word),
            _ => self.as_text(),
        }
    }

    /// Whether it and everything in it is known.
    pub fn is_known(&self) -> bool {
        match &self.content {
            Content::Unknown => false,
            Content::List(items) => items.iter().all(Tree::is_known),
            Content::Map(entries) => entries.iter().all(|it| it.tree.is_known()),
            _ => true,
        }
    }

    /// Its references and those of everything in it.
    pub fn all_references(&self) -> Vec<String> {
        let mut found = BTreeSet::new();
        self.collect_references(&mut found);
        found.into_iter().collect()
    }

    fn collect_references(&self, found: &mut BTreeSet<String>) {
        found.extend(self.references.iter().cloned());
        match &self.content {
            Content::List(items) => items.iter().for_each(|it| it.collect_references(found)),
            Content::Map(entries) => {
                entries.iter().for_each(|it| it.tree.collect_references(found))
            }
            _ => {}
        }
    }

    /// Whether both are equal for certain to CloudFormation, which compares scalars as text.
    pub fn equals(&self, other: &Tree) -> bool {
        self.is_same(other, |a, b| a.as_text().is_some() && a.as_text() == b.as_text())
    }

    /// Whether both are one value for certain, wherever they are written: `1` is not `"1"`.
    pub fn is_identical(&self, other: &Tree) -> bool {
        self.is_same(other, |a, b| {
            discriminant(&a.content) == discriminant(&b.content) && a.as_text() == b.as_text()
        })
    }

    fn is_same(&self, other: &Tree, scalar: fn(&Tree, &Tree) -> bool) -> bool {
        match (&self.content, &other.content) {
            (Content::Unknown, _) | (_, Content::Unknown) => false,
            (Content::Null, Content::Null) => true,
            (Content::List(a), Content::List(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.is_same(b, scalar))
            }
            (Content::Map(_), Content::Map(_)) => match (self.members(), other.members()) {
                (Some(a), Some(b)) => {
                    let mut pairs = a.values().zip(b.values());
                    a.keys().eq(b.keys()) && pairs.all(|(a, b)| a.is_same(b, scalar))
                }
                _ => false,
            },
            _ => scalar(self, other),
        }
    }

    /// The value as JSON; `null` where it is unknown.
    pub fn to_json(&self) -> Value {
        match &self.content {
            Content::Unknown | Content::Null => Value::Null,
            Content::Bool(it, _) => Value::Bool(*it),
            Content::Number(it, _) => Value::Number(it.clone()),
            Content::Text(it) => Value::String(it.clone()),
            Content::List(items) => items.iter().map(Tree::to_json).collect(),
            Content::Map(entries) => {
                let member = |it: &Entry| (it.key.clone(), it.tree.to_json());
                Value::Object(entries.iter().map(member).collect::<Map<_, _>>())
            }
        }
    }
}

/// What of a tree does not fit into JSON, by JSON pointer.
#[derive(Debug, Default)]
pub struct Pointers {
    /// Values that are unknown.
    pub unknown: BTreeSet<String>,
    /// What values are made of.
    pub references: BTreeMap<String, Vec<String>>,
    /// Where values are written.
    pub places: BTreeMap<String, Place>,
    /// How much of this there may still be, in bytes.
    pub bytes_left: usize,
}

impl Pointers {
    /// Notes everything of a tree; `at` is where it is written.
    ///
    /// # Errors
    ///
    /// When it is more than [`Pointers::bytes_left`].
    pub fn add(&mut self, tree: &Tree, at: Mark, file: &str) -> Result<(), Fault> {
        self.visit(tree, at, file, &mut String::new())
    }

    fn visit(&mut self, tree: &Tree, at: Mark, file: &str, path: &mut String) -> Result<(), Fault> {
        let bytes = path.len().saturating_add(file.len());
        self.bytes_left = self.bytes_left.checked_sub(bytes).ok_or_else(|| {
            Fault::new(at, "the paths of this template's properties are too long")
        })?;
        self.places.insert(path.clone(), at.place(file));
        if !tree.references.is_empty() {
            let unique: BTreeSet<_> = tree.references.iter().cloned().collect();
            self.references.insert(path.clone(), unique.into_iter().collect());
        }
        let length = path.len();
        match &tree.content {
            Content::Unknown => {
                self.unknown.insert(path.clone());
            }
            Content::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    path.push_str(&format!("/{index}"));
                    self.visit(item, item.at, file, path)?;
                    path.truncate(length);
                }
            }
            Content::Map(entries) => {
                for it in entries {
                    path.push('/');
                    path.push_str(&it.key.replace('~', "~0").replace('/', "~1"));
                    self.visit(&it.tree, it.at, file, path)?;
                    path.truncate(length);
                }
            }
            _ => {}
        }
        Ok(())
    }
}
