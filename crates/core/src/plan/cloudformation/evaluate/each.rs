//! `Fn::ForEach` of the language extensions: a fragment for each item of a collection.
//!
//! Source: AWS CloudFormation Template Reference, page `intrinsic-function-reference-foreach`.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::plan::cloudformation::VALUE_BYTES;
use crate::plan::cloudformation::evaluate::Evaluator;
use crate::plan::cloudformation::tree::{Content, Entry, Fault, Mark, Tree};

/// How the key of a loop begins.
pub const LOOP_PREFIX: &str = "Fn::ForEach::";

/// The members of a mapping with its loops unrolled.
pub struct Unrolled<'e> {
    /// The members, in the order in which they are written.
    pub entries: Cow<'e, [Entry]>,
    /// Whether these are all: what a loop over an unknown makes is missing.
    pub complete: bool,
}

/// A loop: the name in its fragment, the values for it, and the fragment.
type Loop<'e> = (&'e str, Vec<String>, &'e [Entry]);

impl Evaluator<'_> {
    /// Unrolls the loops among the members of a mapping.
    ///
    /// # Errors
    ///
    /// When two members have the same name then, or a limit is exceeded.
    pub fn unroll<'e>(&mut self, entries: &'e [Entry]) -> Result<Unrolled<'e>, Fault> {
        if !entries.iter().any(|it| it.key.starts_with(LOOP_PREFIX)) {
            return Ok(Unrolled { entries: Cow::Borrowed(entries), complete: true });
        }
        let mut unrolled = Vec::new();
        let complete = self.unroll_into(entries, &mut unrolled)?;
        let mut keys = BTreeSet::new();
        if let Some(twice) = unrolled.iter().find(|it| !keys.insert(it.key.as_str())) {
            return Err(Fault::new(twice.at, format!("the key `{}` is made twice", twice.key)));
        }
        Ok(Unrolled { entries: Cow::Owned(unrolled), complete })
    }

    /// Appends the members; whether these are all.
    fn unroll_into(&mut self, entries: &[Entry], to: &mut Vec<Entry>) -> Result<bool, Fault> {
        let mut complete = true;
        for entry in entries {
            if !entry.key.starts_with(LOOP_PREFIX) {
                to.push(entry.clone());
                continue;
            }
            let Some((identifier, values, fragment)) = self.understand(entry)? else {
                complete = false;
                continue;
            };
            for value in values {
                let mut entries = Vec::with_capacity(fragment.len());
                for it in fragment {
                    entries.push(self.entry_for(it, identifier, &value)?);
                }
                complete &= self.unroll_into(&entries, to)?;
            }
        }
        Ok(complete)
    }

    fn understand<'e>(&mut self, entry: &'e Entry) -> Result<Option<Loop<'e>>, Fault> {
        let Some([identifier, collection, fragment]) = entry.tree.items() else {
            self.note(entry.at, format!("`{}` needs three items", entry.key))?;
            return Ok(None);
        };
        let (Some(identifier), Some(fragment)) = (identifier.as_text(), fragment.entries()) else {
            self.note(entry.at, format!("`{}` needs a name and a mapping", entry.key))?;
            return Ok(None);
        };
        let secret = self.names_a_secret(collection);
        let collection = self.evaluate(collection)?;
        let values: Option<Vec<String>> = collection
            .as_ref()
            .and_then(Tree::items)
            .and_then(|it| it.iter().map(|it| it.as_text().map(str::to_owned)).collect());
        if let Some(values) = values.filter(|_| !secret) {
            return Ok(Some((identifier, values, fragment)));
        }
        let problem = format!("what `{}` makes can't be known: its collection is not", entry.key);
        self.note(entry.at, problem)?;
        Ok(None)
    }

    /// Names made of a secret would be shown.
    fn names_a_secret(&self, collection: &Tree) -> bool {
        let texts = match &collection.content {
            Content::List(items) => items.as_slice(),
            _ => std::slice::from_ref(collection),
        };
        let mut names = texts.iter().filter_map(|it| it.get("Ref")?.as_text());
        names.any(|it| self.parameters.get(it).is_some_and(|it| it.secret))
    }

    fn entry_for(&mut self, entry: &Entry, identifier: &str, value: &str) -> Result<Entry, Fault> {
        let key = self.text_for(&entry.key, identifier, value, entry.at)?;
        Ok(Entry { key, at: entry.at, tree: self.tree_for(&entry.tree, identifier, value)? })
    }

    fn tree_for(&mut self, tree: &Tree, identifier: &str, value: &str) -> Result<Tree, Fault> {
        self.spend(VALUE_BYTES, tree.at)?;
        let content = match &tree.content {
            Content::Text(text) => Content::Text(self.text_for(text, identifier, value, tree.at)?),
            Content::List(items) => {
                let items = items.iter().map(|it| self.tree_for(it, identifier, value));
                Content::List(items.collect::<Result<_, _>>()?)
            }
            Content::Map(entries) => match entries.as_slice() {
                [it] if it.key == "Ref" && it.tree.as_text() == Some(identifier) => {
                    self.spend(value.len(), tree.at)?;
                    Content::Text(value.to_owned())
                }
                entries => {
                    let entries = entries.iter().map(|it| self.entry_for(it, identifier, value));
                    Content::Map(entries.collect::<Result<_, _>>()?)
                }
            },
            other => other.clone(),
        };
        Ok(Tree::new(tree.at, content))
    }

    /// `${Identifier}` is the value, `&{Identifier}` its letters and digits.
    fn text_for(
        &mut self,
        text: &str,
        identifier: &str,
        value: &str,
        at: Mark,
    ) -> Result<String, Fault> {
        let whole = format!("${{{identifier}}}");
        let letters = format!("&{{{identifier}}}");
        let count = text.matches(&whole).count().saturating_add(text.matches(&letters).count());
        self.spend(text.len().saturating_add(count.saturating_mul(value.len())), at)?;
        let alphanumeric: String = value.chars().filter(char::is_ascii_alphanumeric).collect();
        Ok(text.replace(&whole, value).replace(&letters, &alphanumeric))
    }
}
