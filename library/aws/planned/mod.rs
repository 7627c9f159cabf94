//! From declarations to states: what all services' mappings share.
//!
//! A resource and the declarations of its parts are joined ([`join`]) by what the code refers to,
//! or by the name where it is written. A [`Draft`] then takes property by property what they tell:
//! known, known to be absent, or unknown. What is neither declared nor new is unknown.

mod awscc;
pub mod document;

use jiff::Timestamp;
use quell_core::plan::{Declared, Intent, Place, Plan, Told};
use quell_core::resource::{Part, Planned, ResourceRef, State, Written};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// The account and the region where the code does not tell.
pub const NOT_TOLD: &str = "unknown";

/// How a declaration names the resource that it is a part of.
#[derive(Debug, Clone, Copy)]
pub struct Link {
    /// Its type.
    pub kind: &'static str,
    /// The pointer to the name or id of what it is a part of.
    pub to: &'static str,
    /// Whether there is a list of them.
    pub is_list: bool,
}

/// Types that declare a resource, types that declare a part of it, and the pointers to what names
/// the resource.
#[derive(Debug, Clone, Copy)]
pub struct Types {
    /// What declares it whole.
    pub whole: &'static [&'static str],
    /// What names it, in any of the languages.
    pub names: &'static [&'static str],
    /// What declares a part of it.
    pub parts: &'static [Link],
}

/// A resource as the code declares it.
#[derive(Debug, Default)]
pub struct Whole<'a> {
    /// Its own declaration, where there is one.
    pub own: Option<&'a Declared>,
    /// Its parts', in the order of the plan.
    pub parts: Vec<&'a Declared>,
    /// What it is called, where only its parts name it.
    pub called: Option<String>,
    /// Whether there are parts that are its, or another's.
    pub is_unsure: bool,
}

/// Every resource that is declared, or of which a part is. One that is deleted is none.
pub fn join<'a>(plan: &'a Plan, types: &Types) -> Vec<Whole<'a>> {
    let is_whole = |it: &&Declared| types.whole.contains(&it.kind.as_str());
    let mut wholes: BTreeMap<String, Whole<'a>> = BTreeMap::new();
    let (mut named, mut gone) = (Named::new(), Named::new());
    for own in plan.declared.iter().filter(is_whole).filter(|it| it.intent != Intent::Read) {
        wholes.insert(own.address.clone(), Whole { own: Some(own), ..Whole::default() });
        let names = types.names.iter().filter_map(|it| own.last().pointer(it)?.as_str());
        let named = if own.intent == Intent::Delete { &mut gone } else { &mut named };
        for name in names {
            named.entry(name).or_default().insert(&own.address);
        }
    }
    // What replaces a deleted one under its name is the one that counts.
    for (name, addresses) in gone {
        named.entry(name).or_insert(addresses);
    }
    let parts = plan.declared.iter().filter(|it| it.intent != Intent::Read);
    for part in parts {
        let Some(link) = types.parts.iter().find(|it| it.kind == part.kind) else { continue };
        let is_declared = |it: &str| wholes.contains_key(it);
        for end in ends(part, link, &is_declared, &named) {
            match end {
                End::Declared(address) => {
                    wholes.entry(address).or_default().parts.push(part);
                }
                End::Perhaps(address) => wholes.entry(address).or_default().is_unsure = true,
                // No address begins with a space.
                End::Named(name) => {
                    let whole = wholes.entry(format!(" {name}")).or_default();
                    whole.called = Some(name);
                    whole.parts.push(part);
                }
                End::Unknown => {
                    let key = format!("  {}", part.address);
                    wholes.entry(key).or_default().parts.push(part);
                }
            }
        }
    }
    let is_left = |it: &Whole<'_>| it.own.is_none_or(|own| own.intent != Intent::Delete);
    wholes.into_values().filter(is_left).collect()
}

/// The addresses of what is called so. Names are unique in an account; code may be for several, and
/// a module's default may name each of its instances the same.
type Named<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

/// What a part is a part of.
enum End {
    /// Of this declaration.
    Declared(String),
    /// Of this declaration or another.
    Perhaps(String),
    /// Of what is called that, and is not declared.
    Named(String),
    /// Nobody can say before deployment.
    Unknown,
}

fn ends(
    part: &Declared,
    link: &Link,
    is_declared: &dyn Fn(&str) -> bool,
    named: &Named<'_>,
) -> Vec<End> {
    let Link { to, is_list, .. } = *link;
    let is_below = |it: &String| it.strip_prefix(to).is_some_and(|it| it.starts_with('/'));
    let below = part.references.iter().filter(|(at, _)| is_below(at)).flat_map(|(_, it)| it);
    let referred = part.referred(to).iter().chain(below).filter(|it| is_declared(it));
    let referred: BTreeSet<String> = referred.cloned().collect();
    // Of several that are called the same, the one that the code refers to.
    let meant = |called: &BTreeSet<&str>| {
        let all: BTreeSet<String> = called.iter().map(|it| (*it).to_owned()).collect();
        let meant: BTreeSet<String> = all.intersection(&referred).cloned().collect();
        if meant.is_empty() { all } else { meant }
    };
    let mut found = referred.clone();
    let names = match part.last().pointer(to) {
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(name)) if !name.is_empty() => vec![name.as_str()],
        _ => Vec::new(),
    };
    let mut others = Vec::new();
    for name in names {
        match named.get(name) {
            Some(called) if is_list => found.append(&mut meant(called)),
            Some(called) => return one_of(meant(called)),
            // A reference has led to its declaration, whose name is not known yet. Beside one in a
            // list, a name is another's.
            None if !is_list && !found.is_empty() => {}
            None => others.push(End::Named(name.to_owned())),
        }
    }
    let is_told = if is_list { part.is_whole(to) } else { !others.is_empty() };
    if found.is_empty() && !is_told {
        others.push(End::Unknown);
    }
    if !is_list && 1 < found.len() && part.told(to) == Told::Unknown {
        // Which one, its index will tell.
        return one_of(found);
    }
    found.into_iter().map(End::Declared).chain(others).collect()
}

/// A part of exactly one of these declarations.
fn one_of(addresses: BTreeSet<String>) -> Vec<End> {
    if addresses.len() < 2 {
        return addresses.into_iter().map(End::Declared).collect();
    }
    addresses.into_iter().map(End::Perhaps).chain([End::Unknown]).collect()
}

impl Link {
    /// A part of one resource.
    pub const fn one(kind: &'static str, to: &'static str) -> Link {
        Link { kind, to, is_list: false }
    }

    /// A part of several resources.
    pub const fn list(kind: &'static str, to: &'static str) -> Link {
        Link { kind, to, is_list: true }
    }
}

impl<'a> Whole<'a> {
    /// Whether what is not declared of it is AWS's default: it does not exist yet, and no part may
    /// or may not be its.
    pub fn is_new(&self) -> bool {
        !self.is_unsure && self.own.is_some_and(|it| it.intent == Intent::Create)
    }

    /// Its last part of a type that is there after deployment; or else one that is deleted.
    pub fn part(&self, kinds: &[&str]) -> Option<&'a Declared> {
        let last = self.staying(kinds).last();
        last.or_else(|| self.of_kinds(kinds).last())
    }

    /// The parts of a type that are there after deployment, where they do not say the same: one of
    /// them will be in force, and nobody can say before which one. Else none.
    pub fn rivals(&self, kinds: &[&str]) -> Vec<&'a Declared> {
        let said = |it: &'a Declared| (&it.properties, &it.unknown, &it.references);
        let mut others = self.staying(kinds).map(said);
        let first = others.next();
        let agree = others.all(|it| Some(it) == first);
        if agree { Vec::new() } else { self.staying(kinds).collect() }
    }

    fn staying(&self, kinds: &[&str]) -> impl Iterator<Item = &'a Declared> {
        self.of_kinds(kinds).filter(|it| it.intent != Intent::Delete)
    }

    fn of_kinds(&self, kinds: &[&str]) -> impl Iterator<Item = &'a Declared> {
        self.parts.iter().copied().filter(|it| kinds.contains(&it.kind.as_str()))
    }

    /// Its own declaration, or that of its first part.
    fn first(&self) -> Option<&'a Declared> {
        self.own.or_else(|| self.parts.first().copied())
    }

    /// What it is called: its known name, or its address.
    pub fn name(&self, names: &[&str]) -> String {
        let own = self
            .own
            .and_then(|own| names.iter().find_map(|it| own.properties.pointer(it)?.as_str()));
        let own = own.map(str::to_owned).or_else(|| self.called.clone());
        own.or_else(|| Some(self.first()?.address.clone())).unwrap_or_default()
    }

    /// The most that deploying does to it or to a part of it.
    fn intent(&self) -> Intent {
        if let Some(own) = self.own.filter(|it| it.intent == Intent::Create) {
            return own.intent;
        }
        let all = self.own.into_iter().chain(self.parts.iter().copied());
        let changes = all.clone().any(|it| !matches!(it.intent, Intent::Keep | Intent::Read));
        if changes { Intent::Update } else { Intent::Keep }
    }
}

/// What is told of one property.
#[derive(Debug, Clone, PartialEq)]
pub enum Property {
    /// It is this.
    Is(Value),
    /// It is not there.
    None,
    /// Nobody can say before deployment.
    Unknown,
    /// Nobody says: AWS's default for a new one.
    Default(Value),
    /// There is this at least; nobody can say before deployment what else.
    AtLeast(Value),
}

/// A state in the making.
#[derive(Debug, Default)]
pub struct Draft {
    properties: Map<String, Value>,
    unknown: BTreeSet<String>,
    parts: BTreeMap<String, Vec<Part>>,
    defaults: BTreeSet<String>,
    written: BTreeMap<String, Vec<Written>>,
}

impl Draft {
    /// Takes one property, and where it comes from.
    pub fn set(&mut self, name: &str, property: Property, from: Option<(&Declared, &str)>) {
        match property {
            Property::Is(it) => {
                self.properties.insert(name.to_owned(), it);
            }
            Property::None => {}
            Property::Unknown => {
                self.unknown.insert(name.to_owned());
            }
            Property::Default(it) => {
                self.properties.insert(name.to_owned(), it);
                self.defaults.insert(name.to_owned());
            }
            Property::AtLeast(it) => {
                self.properties.insert(name.to_owned(), it);
                self.unknown.insert(name.to_owned());
            }
        }
        if let Some((declared, pointer)) = from {
            self.from(name, declared, pointer);
            self.writes(&format!("/{name}"), declared, pointer);
        }
    }

    /// Takes a property by a table of its members, as [`members`] reads them.
    pub fn set_members(
        &mut self,
        name: &str,
        property: Property,
        (declared, at): (&Declared, &str),
        table: &[(&str, &str, bool)],
    ) {
        self.set(name, property, Some((declared, at)));
        for (member, source, _) in table {
            self.writes(&format!("/{name}/{member}"), declared, &format!("{at}/{source}"));
        }
    }

    /// Notes what to write for a change of a property, or what goes with an element.
    pub fn writes(&mut self, key: &str, declared: &Declared, pointer: &str) {
        let (address, pointer) = (declared.address.clone(), pointer.to_owned());
        let written = Written { address, pointer, words: Vec::new() };
        let all = self.written.entry(key.to_owned()).or_default();
        if !all.contains(&written) {
            all.push(written);
        }
    }

    /// Notes the words that the code has for a property's values.
    pub fn words(&mut self, name: &str, words: Vec<(String, Value)>) {
        let written = self.written.get_mut(&format!("/{name}")).into_iter().flatten();
        for it in written {
            it.words.clone_from(&words);
        }
    }

    /// Notes where a property, or what a policy calls an element, comes from.
    pub fn from(&mut self, name: &str, declared: &Declared, pointer: &str) {
        let parts = self.parts.entry(name.to_owned()).or_default();
        let part = part(declared, pointer);
        if !parts.contains(&part) {
            parts.push(part);
        }
    }

    /// Forgets where an element comes from: it turned out to be another declaration's.
    pub fn forget(&mut self, name: &str) {
        self.parts.remove(name);
        self.written.remove(name);
    }

    /// The resource.
    pub fn done(self, whole: &Whole<'_>, resource: ResourceRef) -> Planned {
        let first = whole.first();
        Planned {
            state: State {
                resource,
                tags: whole.own.map(tags).unwrap_or_default(),
                properties: Value::Object(self.properties),
                facts: Value::Null,
                unknown: self.unknown,
                observed: Timestamp::UNIX_EPOCH,
            },
            address: first.map(|it| it.address.clone()).unwrap_or_default(),
            intent: whole.intent(),
            at: first.and_then(|it| it.at.clone()),
            parts: self.parts,
            defaults: self.defaults,
            written: self.written,
        }
    }
}

/// A declaration as the part of a resource, with the nearest place that is known.
fn part(declared: &Declared, pointer: &str) -> Part {
    Part { address: declared.address.clone(), at: place(declared, pointer).cloned() }
}

fn place<'a>(declared: &'a Declared, pointer: &str) -> Option<&'a Place> {
    let mut at = pointer;
    loop {
        match (declared.places.get(at), at.rsplit_once('/')) {
            (Some(found), _) => return Some(found),
            (None, Some((above, _))) => at = above,
            (None, None) => return declared.at.as_ref(),
        }
    }
}

/// A reference to a planned resource; a global one is in its partition's home.
pub fn reference(plan: &Plan, kind: &str, id: String, region: Option<&str>) -> ResourceRef {
    let region = region.or(plan.region.as_deref()).unwrap_or(NOT_TOLD);
    ResourceRef {
        kind: kind.to_owned(),
        id,
        account: account(plan).to_owned(),
        region: region.to_owned(),
    }
}

/// The account that a plan is for.
pub fn account(plan: &Plan) -> &str {
    plan.account.as_deref().unwrap_or(NOT_TOLD)
}

/// The tags that are known: Terraform's map, CloudFormation's list.
fn tags(declared: &Declared) -> BTreeMap<String, String> {
    let mut tags = BTreeMap::new();
    for name in ["tags_all", "tags", "Tags"] {
        match declared.properties.get(name) {
            Some(Value::Object(map)) => {
                let known = map.iter().filter_map(|(key, it)| Some((key.clone(), it.as_str()?)));
                tags.extend(known.map(|(key, it)| (key, it.to_owned())));
            }
            Some(Value::Array(list)) => {
                let text = |it: &Value, key: &str| Some(it.get(key)?.as_str()?.to_owned());
                tags.extend(
                    list.iter().filter_map(|it| Some((text(it, "Key")?, text(it, "Value")?))),
                );
            }
            _ => {}
        }
    }
    tags
}

/// A property by a table of its members: what a member is called in the state, and its pointer and
/// default in the declaration. Unknown where a member is.
pub fn members(declared: &Declared, at: &str, table: &[(&str, &str, bool)]) -> Property {
    let mut found = Map::new();
    for (name, member, default) in table {
        match flag(declared, &format!("{at}/{member}")) {
            Told::Unknown => return Property::Unknown,
            Told::Absent => found.insert((*name).to_owned(), json!(default)),
            Told::Value(it) => found.insert((*name).to_owned(), truth(it)),
        };
    }
    Property::Is(Value::Object(found))
}

fn flag<'a>(declared: &'a Declared, pointer: &str) -> Told<'a> {
    declared.told(pointer)
}

/// A boolean; CloudFormation takes it as a text, too.
pub fn truth(value: &Value) -> Value {
    match value.as_str() {
        Some(it) if it.eq_ignore_ascii_case("true") => json!(true),
        Some(it) if it.eq_ignore_ascii_case("false") => json!(false),
        _ => value.clone(),
    }
}

/// A declaration by its address: at once in a plan that is [`unified`], else one by one.
pub fn find<'a>(plan: &'a Plan, address: &str) -> Option<&'a Declared> {
    let place = plan.declared.binary_search_by(|it| it.address.as_str().cmp(address));
    let by_place = place.ok().and_then(|it| plan.declared.get(it));
    by_place.or_else(|| plan.declared.iter().find(|it| it.address == address))
}

/// The plan in the order of the addresses, and with the resources of Terraform's `awscc` provider
/// in CloudFormation's names.
pub fn unified(plan: &Plan) -> Cow<'_, Plan> {
    let has_awscc = plan.declared.iter().any(|it| it.kind.starts_with("awscc_"));
    if !has_awscc && plan.declared.is_sorted_by(|left, right| left.address <= right.address) {
        return Cow::Borrowed(plan);
    }
    let declared =
        plan.declared.iter().map(|it| awscc::cloudformation(it).unwrap_or_else(|| it.clone()));
    let mut declared: Vec<Declared> = declared.collect();
    declared.sort_by(|left, right| left.address.cmp(&right.address));
    Cow::Owned(Plan { declared, ..plan.clone() })
}
