//! YAML text to a [`Tree`] with positions; JSON is YAML.
//!
//! A document is read event by event without recursion. Anchors are expanded in a budget, so a YAML
//! bomb ends at the alias that exceeds it. A short form such as `!Ref x` becomes its long form
//! `{Ref: x}` here; nothing after this knows of tags.

use granit_parser::{ErrorKind, Event, Marker, Parser, ScalarStyle, ScanError, Span, Tag};
use std::collections::{BTreeMap, BTreeSet};

use crate::plan::cloudformation::tree::{Content, Entry, Fault, Mark, Tree};
use crate::plan::cloudformation::{
    EXPANDED_BYTES_MAX, KEY_BYTES_MAX, NESTING_LEVELS_MAX, VALUE_BYTES, scalar,
};

/// Reads one document.
///
/// # Errors
///
/// At the first thing that is not YAML, that CloudFormation does not take, or over a limit.
pub fn parse(text: &str) -> Result<Tree, Fault> {
    let options = granit_parser::options! {
        emit_comments: false,
        flow_nesting_limit: NESTING_LEVELS_MAX,
        block_nesting_limit: NESTING_LEVELS_MAX,
        simple_key_max_lookahead: KEY_BYTES_MAX,
    };
    let mut builder = Builder::default();
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|it| syntax(&it))?;
        builder.take(event, span)?;
    }
    builder.root.ok_or_else(|| Fault::new(Mark::START, "the file is empty"))
}

fn syntax(error: &ScanError) -> Fault {
    let problem = match error.kind() {
        ErrorKind::RecursionLimitExceeded => too_deep(),
        _ => error.info(),
    };
    Fault::new(mark(error.marker()), problem)
}

fn too_deep() -> String {
    format!("the template is nested more than {NESTING_LEVELS_MAX} levels")
}

fn mark(marker: &Marker) -> Mark {
    Mark { line: marker.line().max(1), column: marker.col().saturating_add(1) }
}

/// What has been read so far.
#[derive(Default)]
struct Builder {
    /// The collections that are open, the innermost last.
    open: Vec<Collection>,
    /// Finished values that have an anchor.
    anchored: BTreeMap<usize, Anchored>,
    /// What all values together count, in bytes.
    bytes: usize,
    root: Option<Tree>,
}

/// A finished value, and what a copy of it counts.
struct Anchored {
    tree: Tree,
    bytes: usize,
    levels: usize,
}

/// A sequence or mapping whose end has not been read.
struct Collection {
    at: Mark,
    begins: Mark,
    tag: Option<String>,
    anchor: usize,
    /// [`Builder::bytes`] when it began.
    bytes_before: usize,
    /// How deep the deepest value in it is.
    levels: usize,
    members: Members,
}

enum Members {
    Items(Vec<Tree>),
    Entries { entries: Vec<Entry>, keys: BTreeSet<String>, key: Option<Key>, merged: Vec<Tree> },
}

/// A key whose value has not been read.
struct Key {
    text: String,
    at: Mark,
    merges: bool,
}

/// A value that has just been read.
struct Finished {
    tree: Tree,
    anchor: usize,
    bytes: usize,
    levels: usize,
    /// Written as a bare word.
    plain: bool,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Fault> {
        let at = mark(&span.start);
        let begins = span.tag_start().map_or(at, |it| mark(&it));
        match event {
            Event::DocumentStart(..) if self.root.is_some() => {
                Err(Fault::new(at, "a second YAML document begins here; a template is one"))
            }
            Event::Scalar(text, style, anchor, tag) => {
                let tag = tag.map(|it| tag_name(&it, begins)).transpose()?.flatten();
                let plain = style == ScalarStyle::Plain && tag.is_none();
                let bytes = text.len().saturating_add(VALUE_BYTES);
                self.count(bytes, at)?;
                let literal = self.awaits_key() || tag.as_deref() == Some("!!str");
                let content = match style {
                    ScalarStyle::Plain if !literal => scalar::plain(&text),
                    _ => Content::Text(text.into_owned()),
                };
                let tree = Tree::new(at, content);
                let levels = 0;
                self.finish_tagged(Finished { tree, anchor, bytes, levels, plain }, tag, begins)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.begin((at, begins), anchor, tag.as_deref(), Members::Items(Vec::new()))
            }
            Event::MappingStart(_, anchor, tag) => {
                let (entries, keys, merged) = (Vec::new(), BTreeSet::new(), Vec::new());
                let members = Members::Entries { entries, keys, key: None, merged };
                self.begin((at, begins), anchor, tag.as_deref(), members)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => self.alias(anchor, at),
            _ => Ok(()),
        }
    }

    /// Whether the next value is a key, which is what is written: `on` is no boolean there.
    fn awaits_key(&self) -> bool {
        let members = self.open.last().map(|it| &it.members);
        matches!(members, Some(Members::Entries { key: None, .. }))
    }

    fn count(&mut self, bytes: usize, at: Mark) -> Result<(), Fault> {
        self.bytes = self.bytes.saturating_add(bytes);
        if EXPANDED_BYTES_MAX < self.bytes {
            let problem = format!("the template counts more than {EXPANDED_BYTES_MAX} bytes here");
            return Err(Fault::new(at, format!("{problem} with its aliases expanded")));
        }
        Ok(())
    }

    fn begin(
        &mut self,
        (at, begins): (Mark, Mark),
        anchor: usize,
        tag: Option<&Tag>,
        members: Members,
    ) -> Result<(), Fault> {
        let tag = tag.map(|it| tag_name(it, begins)).transpose()?.flatten();
        let bytes_before = self.bytes;
        self.count(VALUE_BYTES, at)?;
        self.open.push(Collection { at, begins, tag, anchor, bytes_before, levels: 0, members });
        self.check_depth(0, at)
    }

    fn check_depth(&self, levels: usize, at: Mark) -> Result<(), Fault> {
        if NESTING_LEVELS_MAX < self.open.len().saturating_add(levels) {
            return Err(Fault::new(at, too_deep()));
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), Fault> {
        let Some(it) = self.open.pop() else { return Ok(()) };
        let content = match it.members {
            Members::Items(items) => Content::List(items),
            Members::Entries { mut entries, mut keys, merged, .. } => {
                for tree in merged {
                    merge(&mut entries, &mut keys, tree)?;
                }
                Content::Map(entries)
            }
        };
        let tree = Tree::new(it.at, content);
        let bytes = self.bytes.saturating_sub(it.bytes_before);
        let levels = it.levels.saturating_add(1);
        let finished = Finished { tree, anchor: it.anchor, bytes, levels, plain: false };
        self.finish_tagged(finished, it.tag, it.begins)
    }

    fn alias(&mut self, anchor: usize, at: Mark) -> Result<(), Fault> {
        let Some(anchored) = self.anchored.get(&anchor) else {
            return Err(Fault::new(at, "this alias stands for a value that contains it"));
        };
        let (bytes, levels) = (anchored.bytes, anchored.levels);
        self.count(bytes, at)?;
        self.check_depth(levels, at)?;
        let Some(anchored) = self.anchored.get(&anchor) else { return Ok(()) };
        let tree = anchored.tree.clone();
        self.finish(Finished { tree, anchor: 0, bytes, levels, plain: false }, at)
    }

    /// Makes the long form of a short form.
    fn finish_tagged(
        &mut self,
        mut finished: Finished,
        tag: Option<String>,
        begins: Mark,
    ) -> Result<(), Fault> {
        if let Some(key) = tag.filter(|it| !it.starts_with("!!")) {
            self.count(VALUE_BYTES, begins)?;
            let entry = Entry { key, at: begins, tree: finished.tree };
            finished.tree = Tree::new(begins, Content::Map(vec![entry]));
            finished.bytes = finished.bytes.saturating_add(VALUE_BYTES);
            finished.levels = finished.levels.saturating_add(1);
            self.check_depth(finished.levels, begins)?;
        }
        self.finish(finished, begins)
    }

    fn finish(&mut self, it: Finished, at: Mark) -> Result<(), Fault> {
        if it.anchor != 0 {
            let (tree, bytes, levels) = (it.tree.clone(), it.bytes, it.levels);
            self.count(bytes, at)?;
            self.anchored.insert(it.anchor, Anchored { tree, bytes, levels });
        }
        let Some(parent) = self.open.last_mut() else {
            self.root = Some(it.tree);
            return Ok(());
        };
        parent.levels = parent.levels.max(it.levels);
        match &mut parent.members {
            Members::Items(items) => items.push(it.tree),
            Members::Entries { entries, keys, key, merged } => match key.take() {
                None => *key = Some(new_key(&it, at, keys)?),
                Some(key) if key.merges => merged.push(it.tree),
                Some(key) => entries.push(Entry { key: key.text, at: key.at, tree: it.tree }),
            },
        }
        Ok(())
    }
}

fn new_key(it: &Finished, at: Mark, keys: &mut BTreeSet<String>) -> Result<Key, Fault> {
    let Some(text) = it.tree.as_text() else {
        return Err(Fault::new(at, "the key of a mapping must be text"));
    };
    if KEY_BYTES_MAX < text.len() {
        return Err(Fault::new(at, format!("this key is longer than {KEY_BYTES_MAX} bytes")));
    }
    let merges = it.plain && text == "<<";
    if !merges && !keys.insert(text.to_owned()) {
        return Err(Fault::new(at, format!("the key `{text}` stands twice in this mapping")));
    }
    Ok(Key { text: text.to_owned(), at, merges })
}

/// Adds the members of a merge key's mapping, or list of mappings, that are not there yet.
fn merge(entries: &mut Vec<Entry>, keys: &mut BTreeSet<String>, tree: Tree) -> Result<(), Fault> {
    match tree.content {
        Content::Map(members) => {
            entries.extend(members.into_iter().filter(|it| keys.insert(it.key.clone())));
            Ok(())
        }
        Content::List(items) => {
            let is_map = |it: &Tree| matches!(it.content, Content::Map(_));
            if let Some(other) = items.iter().find(|it| !is_map(it)) {
                return Err(Fault::new(other.at, "only mappings can be merged with `<<`"));
            }
            items.into_iter().try_for_each(|it| merge(entries, keys, it))
        }
        _ => Err(Fault::new(tree.at, "only mappings can be merged with `<<`")),
    }
}

/// The key of the long form, `!!str` for text, or nothing where a tag says what is clear anyway.
fn tag_name(tag: &Tag, at: Mark) -> Result<Option<String>, Fault> {
    match (tag.core_suffix(), tag.handle(), tag.suffix()) {
        (Some("str"), ..) | (None, "!", "") | (None, "", "!") => Ok(Some("!!str".to_owned())),
        (Some(_), ..) => Ok(None),
        (None, "!", name @ ("Ref" | "Condition")) => Ok(Some(name.to_owned())),
        (None, "!", name) => Ok(Some(format!("Fn::{name}"))),
        _ => {
            let problem = format!("CloudFormation does not know the tag `{}`", tag.original());
            Err(Fault::new(at, problem))
        }
    }
}
