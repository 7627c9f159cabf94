//! Values that may be unknown, with the addresses that they are made of.
//!
//! A value knows its size and its depth when it is made, so that whoever walks through it walks
//! through no more than [`VALUE_BYTES_MAX`] and [`VALUE_DEPTH_MAX`], however often parts of it are
//! shared.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::{REFERENCES_MAX, VALUE_BYTES_MAX, VALUE_DEPTH_MAX};

/// What a value that is no text counts.
const NODE_BYTES: usize = 64;
/// From here on, a number of 64 bits is no longer exact.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// Why an expression has no value. What it would have been made of is not forgotten.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    /// One sentence fragment.
    pub problem: String,
    pub references: References,
    /// Whether it is ours: Terraform may well have a value here.
    pub ours: bool,
}

impl Fault {
    pub fn new(problem: impl Into<String>) -> Fault {
        Fault { problem: problem.into(), references: References::default(), ours: false }
    }

    /// Where a limit or something that is not evaluated here is in the way.
    pub fn ours(problem: impl Into<String>) -> Fault {
        Fault { ours: true, ..Fault::new(problem) }
    }

    pub fn with(mut self, references: &References) -> Fault {
        self.references = self.references.and(references);
        self
    }
}

/// A value, or why there is none.
pub(super) type Valued = Result<Val, Fault>;

/// The addresses of declarations.
#[derive(Debug, Clone, Default)]
pub(super) struct References(Option<Rc<Addresses>>);

type Addresses = BTreeSet<Rc<str>>;

impl References {
    pub fn to(address: &str) -> References {
        References(Some(Rc::new(BTreeSet::from([Rc::from(address)]))))
    }

    pub fn and(&self, other: &References) -> References {
        match (&self.0, &other.0) {
            (_, None) => self.clone(),
            (None, _) => other.clone(),
            (Some(one), Some(two)) if Rc::ptr_eq(one, two) => self.clone(),
            (Some(one), Some(two)) => {
                let both = one.union(two).take(REFERENCES_MAX).cloned().collect();
                References(Some(Rc::new(both)))
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub fn addresses(&self) -> Vec<String> {
        self.0.iter().flat_map(|it| it.iter()).map(|it| it.to_string()).collect()
    }
}

/// A value.
#[derive(Debug, Clone)]
pub(super) struct Val {
    pub kind: Kind,
    pub references: References,
    /// Whether nothing of it is unknown.
    pub known: bool,
    depth: usize,
    pub bytes: usize,
}

/// What a value is.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    /// Not known; a text of JSON may be known in part.
    Unknown(Option<Rc<Val>>),
    Null,
    Bool(bool),
    Number(f64),
    Text(Rc<str>),
    List(Rc<Vec<Val>>),
    /// Sorted, without duplicates; what is unknown stands last.
    Set(Rc<Vec<Val>>),
    Map(Rc<BTreeMap<String, Val>>),
    /// An instance of a resource: what it does not have is computed, thus unknown.
    Instance(Rc<BTreeMap<String, Val>>),
}

impl Val {
    fn leaf(kind: Kind) -> Val {
        let known = !matches!(kind, Kind::Unknown(_));
        Val { kind, references: References::default(), known, depth: 0, bytes: NODE_BYTES }
    }

    pub fn unknown() -> Val {
        Val::leaf(Kind::Unknown(None))
    }

    pub fn unknown_of(references: References) -> Val {
        Val { references, ..Val::unknown() }
    }

    pub fn null() -> Val {
        Val::leaf(Kind::Null)
    }

    pub fn bool(it: bool) -> Val {
        Val::leaf(Kind::Bool(it))
    }

    /// A number; beyond what is exact, it is unknown.
    pub fn number(it: f64) -> Val {
        if it.is_finite() && it.abs() < EXACT_MAX {
            // No negative zero: its text would be `-0`.
            Val::leaf(Kind::Number(it + 0.0))
        } else {
            Val::unknown()
        }
    }

    pub fn text(it: impl Into<Rc<str>>) -> Valued {
        let it = it.into();
        let bytes = NODE_BYTES + it.len();
        let leaf = Val { bytes, ..Val::leaf(Kind::Text(it)) };
        leaf.limited()
    }

    pub fn list(items: Vec<Val>) -> Valued {
        let (known, depth, bytes) = measure(items.iter());
        Val { known, depth, bytes, ..Val::leaf(Kind::List(Rc::new(items))) }.limited()
    }

    pub fn set(items: Vec<Val>) -> Valued {
        let mut keyed: Vec<_> = items.into_iter().map(|it| (it.sort_key(), it)).collect();
        keyed.sort_by(|one, other| one.0.order(&other.0));
        keyed.dedup_by(|one, other| one.1.known && other.1.known && one.0 == other.0);
        let items: Vec<Val> = keyed.into_iter().map(|(_, it)| it).collect();
        let (known, depth, bytes) = measure(items.iter());
        Val { known, depth, bytes, ..Val::leaf(Kind::Set(Rc::new(items))) }.limited()
    }

    pub fn map(entries: BTreeMap<String, Val>) -> Valued {
        let (known, depth, bytes) = measure(entries.values());
        let bytes = entries.keys().fold(bytes, |sum, key| sum.saturating_add(key.len()));
        Val { known, depth, bytes, ..Val::leaf(Kind::Map(Rc::new(entries))) }.limited()
    }

    /// An instance of a resource, from its properties. What they are made of is theirs: whoever
    /// reads them refers to the instance.
    pub fn instance(address: &str, properties: &Val) -> Val {
        let Kind::Map(entries) = &properties.kind else {
            return Val::unknown_of(References::to(address));
        };
        let stripped = entries.iter().map(|(name, it)| (name.clone(), it.stripped())).collect();
        Val {
            kind: Kind::Instance(Rc::new(stripped)),
            references: References::to(address),
            known: false,
            ..properties.clone()
        }
    }

    /// A text of JSON: its document, unknown where parts of it are.
    pub fn json_text(document: Val, text: impl FnOnce(&serde_json::Value) -> String) -> Valued {
        match document.to_json() {
            Some(json) => Ok(Val::text(text(&json))?.with(&document.all_references())),
            None => {
                let (depth, bytes) = (document.depth + 1, document.bytes);
                let references = document.all_references();
                let leaf = Val::leaf(Kind::Unknown(Some(Rc::new(document))));
                Val { depth, bytes, references, ..leaf }.limited()
            }
        }
    }

    fn limited(self) -> Valued {
        if VALUE_BYTES_MAX < self.bytes {
            let problem = format!("a value takes more than {VALUE_BYTES_MAX} bytes");
            return Err(Fault::ours(problem).with(&self.references));
        }
        if VALUE_DEPTH_MAX < self.depth {
            let problem = format!("a value has more than {VALUE_DEPTH_MAX} levels");
            return Err(Fault::ours(problem).with(&self.references));
        }
        Ok(self)
    }

    pub fn with(mut self, references: &References) -> Val {
        self.references = self.references.and(references);
        self
    }

    /// The same as a property of an instance: without the addresses that it is made of.
    fn stripped(&self) -> Val {
        let all = |items: &[Val]| Rc::new(items.iter().map(Val::element).collect::<Vec<_>>());
        let named = |entries: &BTreeMap<String, Val>| {
            Rc::new(entries.iter().map(|(name, it)| (name.clone(), it.stripped())).collect())
        };
        let kind = match &self.kind {
            Kind::List(items) => Kind::List(all(items)),
            Kind::Set(items) => Kind::Set(all(items)),
            Kind::Map(entries) => Kind::Map(named(entries)),
            Kind::Instance(entries) => Kind::Instance(named(entries)),
            other => other.clone(),
        };
        let known = match &kind {
            Kind::List(items) | Kind::Set(items) => items.iter().all(|it| it.known),
            Kind::Map(entries) => entries.values().all(|it| it.known),
            _ => self.known,
        };
        let references = References::default();
        Val { kind, known, references, depth: self.depth, bytes: self.bytes }
    }

    /// An element of a list of an instance. A map is a block there, which has more attributes than
    /// are written: the provider knows them.
    fn element(&self) -> Val {
        let Val { kind, known, references, depth, bytes } = self.stripped();
        let (kind, known) = match kind {
            Kind::Map(entries) => (Kind::Instance(entries), false),
            kind => (kind, known),
        };
        Val { kind, known, references, depth, bytes }
    }

    /// The addresses that it and everything below it are made of.
    pub fn all_references(&self) -> References {
        match self.kind {
            Kind::List(_) | Kind::Set(_) | Kind::Map(_) => {
                let (mut all, mut last) = (Addresses::new(), None);
                self.gather(&mut all, &mut last);
                References((!all.is_empty()).then(|| Rc::new(all)))
            }
            _ => self.references.clone(),
        }
    }

    /// Adds the addresses. `last` are those of the value before, which most often has the same.
    fn gather<'v>(&'v self, all: &mut Addresses, last: &mut Option<&'v Rc<Addresses>>) {
        if REFERENCES_MAX <= all.len() {
            return;
        }
        if let Some(own) = &self.references.0
            && !last.is_some_and(|it| Rc::ptr_eq(it, own))
        {
            let left = REFERENCES_MAX - all.len();
            all.extend(own.iter().take(left).cloned());
            *last = Some(own);
        }
        match &self.kind {
            Kind::List(items) | Kind::Set(items) => {
                items.iter().for_each(|it| it.gather(all, last));
            }
            Kind::Map(entries) => entries.values().for_each(|it| it.gather(all, last)),
            _ => {}
        }
    }

    /// The elements of a list or a set.
    pub fn items(&self) -> Option<&[Val]> {
        match &self.kind {
            Kind::List(items) | Kind::Set(items) => Some(items),
            _ => None,
        }
    }

    /// The elements of a collection whose length and order are known: of a set with unknown
    /// elements they are not.
    pub fn sequence(&self) -> Option<&[Val]> {
        match &self.kind {
            Kind::Set(_) if !self.known => None,
            _ => self.items(),
        }
    }

    pub fn entries(&self) -> Option<&BTreeMap<String, Val>> {
        match &self.kind {
            Kind::Map(entries) => Some(entries),
            _ => None,
        }
    }

    pub fn is_unknown(&self) -> bool {
        matches!(self.kind, Kind::Unknown(_))
    }

    pub fn is_null(&self) -> bool {
        matches!(self.kind, Kind::Null)
    }

    pub fn as_text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(it) => Some(it),
            _ => None,
        }
    }

    /// What kind of value it is, for messages.
    pub fn name(&self) -> &'static str {
        match self.kind {
            Kind::Unknown(_) => "unknown",
            Kind::Null => "null",
            Kind::Bool(_) => "a bool",
            Kind::Number(_) => "a number",
            Kind::Text(_) => "a string",
            Kind::List(_) => "a list",
            Kind::Set(_) => "a set",
            Kind::Map(_) => "a map",
            Kind::Instance(_) => "a resource",
        }
    }

    /// `value.name`.
    pub fn attribute(&self, name: &str) -> Valued {
        let found = match &self.kind {
            Kind::Unknown(_) => Val::unknown(),
            Kind::Map(entries) => match entries.get(name) {
                Some(it) => it.clone(),
                None => {
                    let problem = format!("there is no attribute `{name}`");
                    return Err(Fault::new(problem).with(&self.all_references()));
                }
            },
            Kind::Instance(entries) => entries.get(name).cloned().unwrap_or_else(Val::unknown),
            _ => {
                let problem = format!("{} has no attribute `{name}`", self.name());
                return Err(Fault::new(problem).with(&self.all_references()));
            }
        };
        Ok(found.with(&self.references))
    }

    /// `value[key]`.
    pub fn index(&self, key: &Val) -> Valued {
        match (&self.kind, &key.kind) {
            (Kind::Unknown(_), _) => Ok(Val::unknown().with(&self.references)),
            (_, Kind::Unknown(_)) => Ok(Val::unknown_of(self.all_references())),
            (Kind::List(items), _) => {
                let index = key.whole_number();
                let found = index.and_then(|it| items.get(it)).cloned();
                found.map(|it| it.with(&self.references)).ok_or_else(|| {
                    let problem = format!("there is no element {}", key.shown());
                    Fault::new(problem).with(&self.all_references())
                })
            }
            _ => match key.to_text() {
                Some(name) => self.attribute(&name),
                None => Err(Fault::new(format!("{} is no key", key.name()))),
            },
        }
    }

    /// The number, also of a text that writes one.
    pub fn to_number(&self) -> Option<f64> {
        match &self.kind {
            Kind::Number(it) => Some(*it),
            Kind::Text(text) => text.parse().ok().filter(|it: &f64| it.is_finite()),
            _ => None,
        }
    }

    /// The number as a length or an index.
    pub fn whole_number(&self) -> Option<usize> {
        let it =
            self.to_number().filter(|it| it.fract() == 0.0 && (0.0..EXACT_MAX).contains(it))?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked above"
        )]
        Some(it as usize)
    }

    pub fn to_bool(&self) -> Option<bool> {
        match &self.kind {
            Kind::Bool(it) => Some(*it),
            Kind::Text(text) => match &**text {
                "true" | "1" => Some(true),
                "false" | "0" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    /// The text, also of a number or a bool.
    pub fn to_text(&self) -> Option<Rc<str>> {
        match &self.kind {
            Kind::Text(text) => Some(Rc::clone(text)),
            Kind::Number(it) => Some(Rc::from(format!("{it}"))),
            Kind::Bool(it) => Some(Rc::from(if *it { "true" } else { "false" })),
            _ => None,
        }
    }

    fn shown(&self) -> String {
        self.to_text().map_or_else(|| self.name().to_owned(), |it| format!("`{it}`"))
    }

    /// Whether both are the same; nothing where that hangs on something unknown.
    pub fn equals(&self, other: &Val) -> Option<bool> {
        match (&self.kind, &other.kind) {
            (Kind::Instance(_), Kind::Null) | (Kind::Null, Kind::Instance(_)) => Some(false),
            (Kind::Null, Kind::List(_) | Kind::Set(_) | Kind::Map(_)) => Some(false),
            (Kind::List(_) | Kind::Set(_) | Kind::Map(_), Kind::Null) => Some(false),
            _ if !self.known || !other.known => None,
            (Kind::Null, Kind::Null) => Some(true),
            (Kind::Bool(one), Kind::Bool(two)) => Some(one == two),
            #[expect(clippy::float_cmp, reason = "as Terraform does")]
            (Kind::Number(one), Kind::Number(two)) => Some(one == two),
            (Kind::Text(one), Kind::Text(two)) => Some(one == two),
            (Kind::Map(one), Kind::Map(two)) => Some(
                one.len() == two.len()
                    && one.iter().zip(two.iter()).all(|(one, two)| {
                        one.0 == two.0 && one.1.equals(two.1).unwrap_or_default()
                    }),
            ),
            _ => match (self.items(), other.items()) {
                (Some(one), Some(two)) => Some(
                    one.len() == two.len()
                        && one.iter().zip(two).all(|(one, two)| one.equals(two) == Some(true)),
                ),
                // The provider makes a property what its schema says: 80 of what is `"80"` here.
                _ if self.is_of_others(other) && self.to_text() == other.to_text() => None,
                _ => Some(false),
            },
        }
    }

    /// Whether one of two scalars is what a declaration has.
    fn is_of_others(&self, other: &Val) -> bool {
        let are_scalars = self.to_text().is_some() && other.to_text().is_some();
        are_scalars && !(self.references.is_empty() && other.references.is_empty())
    }

    fn sort_key(&self) -> SortKey {
        match (&self.kind, self.to_json()) {
            (Kind::Number(it), _) => SortKey::Number(*it),
            (Kind::Text(text), _) => SortKey::Text(Rc::clone(text)),
            (_, Some(json)) => SortKey::Json(json.to_string()),
            (_, None) => SortKey::Unknown,
        }
    }

    /// The value as JSON, where all of it is known.
    pub fn to_json(&self) -> Option<serde_json::Value> {
        use serde_json::Value;
        Some(match &self.kind {
            Kind::Unknown(_) | Kind::Instance(_) => return None,
            Kind::Null => Value::Null,
            Kind::Bool(it) => Value::Bool(*it),
            Kind::Number(it) => json_number(*it),
            Kind::Text(text) => Value::String(text.to_string()),
            Kind::List(items) | Kind::Set(items) => {
                Value::Array(items.iter().map(Val::to_json).collect::<Option<_>>()?)
            }
            Kind::Map(entries) => Value::Object(
                entries
                    .iter()
                    .map(|(name, it)| Some((name.clone(), it.to_json()?)))
                    .collect::<Option<_>>()?,
            ),
        })
    }

    pub fn from_json(json: &serde_json::Value) -> Valued {
        use serde_json::Value;
        match json {
            Value::Null => Ok(Val::null()),
            Value::Bool(it) => Ok(Val::bool(*it)),
            Value::Number(it) => Ok(it.as_f64().map_or_else(Val::unknown, Val::number)),
            Value::String(text) => Val::text(text.as_str()),
            Value::Array(items) => {
                Val::list(items.iter().map(Val::from_json).collect::<Result<_, _>>()?)
            }
            Value::Object(entries) => Val::map(
                entries
                    .iter()
                    .map(|(name, it)| Ok((name.clone(), Val::from_json(it)?)))
                    .collect::<Result<_, Fault>>()?,
            ),
        }
    }
}

/// What a set is sorted by.
#[derive(PartialEq)]
enum SortKey {
    Number(f64),
    Json(String),
    Text(Rc<str>),
    Unknown,
}

impl SortKey {
    fn order(&self, other: &SortKey) -> Ordering {
        match (self, other) {
            (SortKey::Number(one), SortKey::Number(two)) => one.total_cmp(two),
            (SortKey::Json(one), SortKey::Json(two)) => one.cmp(two),
            (SortKey::Text(one), SortKey::Text(two)) => one.cmp(two),
            _ => self.rank().cmp(&other.rank()),
        }
    }

    fn rank(&self) -> usize {
        match self {
            SortKey::Number(_) => 0,
            SortKey::Json(_) => 1,
            SortKey::Text(_) => 2,
            SortKey::Unknown => 3,
        }
    }
}

/// A number as JSON writes it: without a fraction where there is none.
pub(super) fn json_number(it: f64) -> serde_json::Value {
    if it.fract() == 0.0 && it.abs() < EXACT_MAX {
        #[expect(clippy::cast_possible_truncation, reason = "checked above")]
        return serde_json::Value::from(it as i64);
    }
    serde_json::Value::from(it)
}

/// Whether all is known, how deep it is and what it takes, of a value that holds these.
fn measure<'v>(items: impl Iterator<Item = &'v Val>) -> (bool, usize, usize) {
    items.fold((true, 1, NODE_BYTES), |(known, depth, bytes), it| {
        (known && it.known, depth.max(it.depth + 1), bytes.saturating_add(it.bytes))
    })
}
