//! From declarations to states: what all services' mappings share.
//!
//! A resource and the declarations of its parts are joined ([`join`]) by what the code refers to, or
//! by the name where it is written. A [`Draft`] then takes property by property what they tell:
//! known, known to be absent, or unknown. What is neither declared nor new is unknown.

use jiff::Timestamp;
use quell_core::plan::{Declared, Draft as Drafted, Intent, Language, Place, Plan, Told};
use quell_core::resource::{Part, Planned, ResourceRef, State};
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
    let mut named: BTreeMap<&str, &str> = BTreeMap::new();
    for own in plan.declared.iter().filter(is_whole).filter(|it| it.intent != Intent::Read) {
        wholes.insert(own.address.clone(), Whole { own: Some(own), ..Whole::default() });
        let names = types.names.iter().filter_map(|it| own.last().pointer(it)?.as_str());
        // What replaces a deleted one under its name is the one that counts.
        for name in names {
            if own.intent != Intent::Delete || !named.contains_key(name) {
                named.insert(name, &own.address);
            }
        }
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
    named: &BTreeMap<&str, &str>,
) -> Vec<End> {
    let Link { to, is_list, .. } = *link;
    let is_below = |it: &String| it.strip_prefix(to).is_some_and(|it| it.starts_with('/'));
    let below = part.references.iter().filter(|(at, _)| is_below(at)).flat_map(|(_, it)| it);
    let referred = part.referred(to).iter().chain(below).filter(|it| is_declared(it));
    let mut found: BTreeSet<String> = referred.cloned().collect();
    let names = match part.last().pointer(to) {
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(name)) if !name.is_empty() => vec![name.as_str()],
        _ => Vec::new(),
    };
    let mut others = Vec::new();
    for name in names {
        match named.get(name) {
            Some(address) if is_list => {
                found.insert((*address).to_owned());
            }
            Some(address) => return vec![End::Declared((*address).to_owned())],
            // A reference has led to its declaration, whose name is not known yet.
            None if !found.is_empty() => {}
            None => others.push(End::Named(name.to_owned())),
        }
    }
    let is_told = if is_list { part.is_whole(to) } else { !others.is_empty() };
    if found.is_empty() && !is_told {
        others.push(End::Unknown);
    }
    if !is_list && 1 < found.len() && part.told(to) == Told::Unknown {
        // It is one of them: which one, its index will tell.
        let perhaps = found.into_iter().map(End::Perhaps);
        return perhaps.chain([End::Unknown]).collect();
    }
    found.into_iter().map(End::Declared).chain(others).collect()
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
        let mut of_kind = self.parts.iter().filter(|it| kinds.contains(&it.kind.as_str()));
        let stays = |it: &&&Declared| it.intent != Intent::Delete;
        of_kind.clone().rfind(stays).or_else(|| of_kind.next_back()).copied()
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

/// A policy document, as far as it is known.
pub fn document(plan: &Plan, declared: &Declared, pointer: &str) -> Property {
    match declared.told(pointer) {
        Told::Absent => Property::None,
        Told::Unknown => match (declared.drafts.get(pointer), declared.referred(pointer)) {
            (Some(draft), _) => drafted(declared, draft),
            (None, [source]) => described(plan, source),
            _ => Property::Unknown,
        },
        Told::Value(Value::String(text)) if text.trim().is_empty() => Property::None,
        Told::Value(Value::String(text)) => match serde_json::from_str(text) {
            Ok(it @ Value::Object(_)) => Property::Is(it),
            _ => Property::Unknown,
        },
        Told::Value(_) => filled(declared, pointer),
    }
}

/// A document that will be a text.
fn drafted(declared: &Declared, draft: &Drafted) -> Property {
    if draft.unknown.contains("") {
        return Property::Unknown;
    }
    let document = Declared {
        properties: draft.document.clone(),
        unknown: draft.unknown.clone(),
        references: draft.references.clone(),
        ..declared.clone()
    };
    filled(&document, "")
}

/// A document of which single values may be unknown. What another resource will be called is never a
/// wildcard, so that is filled in; a statement with anything else unknown is left out.
///
/// Of a plan only a resource can leave a value unknown. Of source a variable can, too, and that may
/// be anything: there only what a statement is about is filled in, where the rest of it decides.
fn filled(declared: &Declared, pointer: &str) -> Property {
    let Some(document) = declared.properties.pointer(pointer) else { return Property::Unknown };
    let mut document = document.clone();
    let (mut left_out, mut filled_in) = (BTreeSet::new(), BTreeSet::new());
    for at in &declared.unknown {
        let Some(below) = at.strip_prefix(pointer).filter(|it| it.starts_with('/')) else {
            continue;
        };
        let steps: Vec<&str> = below.split('/').skip(1).collect();
        let number = match steps.as_slice() {
            ["Statement", number, ..] => number.parse::<usize>().ok(),
            _ => None,
        };
        let Some(number) = number else { return Property::Unknown };
        let is_subject = matches!(steps.get(2), Some(&"Resource" | &"NotResource"));
        let name = stand_in(declared.referred(at)).filter(|_| is_subject || is_of_plan(declared));
        match (name, document.pointer_mut(below)) {
            (Some(name), Some(slot)) => {
                *slot = json!(name);
                filled_in.insert(number);
            }
            _ => {
                left_out.insert(number);
            }
        }
    }
    let Some(Value::Array(statements)) = document.get_mut("Statement") else {
        let whole = left_out.is_empty() && filled_in.is_empty();
        return if whole { Property::Is(document) } else { Property::Unknown };
    };
    let mut kept = Vec::new();
    for (number, it) in std::mem::take(statements).into_iter().enumerate() {
        let hangs = filled_in.contains(&number) && !is_of_plan(declared) && allows_all(&it);
        if hangs || left_out.contains(&number) {
            left_out.insert(number);
        } else {
            kept.push(it);
        }
    }
    if kept.is_empty() && !left_out.is_empty() {
        return Property::Unknown;
    }
    *statements = kept;
    if left_out.is_empty() { Property::Is(document) } else { Property::AtLeast(document) }
}

/// Whether it comes from a plan: only source has places.
fn is_of_plan(declared: &Declared) -> bool {
    declared.at.is_none()
}

/// Whether a statement is about every action, or about all but some: then what it is about decides.
fn allows_all(statement: &Value) -> bool {
    let all = |it: &Value| matches!(it.as_str(), Some("*" | "*:*"));
    let of = |it: &Value| it.as_array().map_or_else(|| all(it), |it| it.iter().any(all));
    statement.get("NotAction").is_some() || statement.get("Action").is_none_or(of)
}

/// What stands for the name of a resource that does not have one yet: nothing that a policy could
/// take for a wildcard, for somebody known, or for a variable.
pub fn stand_in(addresses: &[String]) -> Option<String> {
    let plain = |it: char| if it.is_ascii_alphanumeric() || "._-".contains(it) { it } else { '_' };
    let address: String = addresses.first()?.chars().map(plain).collect();
    Some(format!("arn:aws:planned:::{address}"))
}

/// A document that Terraform's `aws_iam_policy_document` will write, from its blocks.
/// Source: that data source in the AWS provider's documentation.
fn described(plan: &Plan, source: &str) -> Property {
    let Some(source) = find(plan, source).filter(|it| it.kind == "aws_iam_policy_document") else {
        return Property::Unknown;
    };
    if let Told::Value(Value::String(_)) = source.told("/json") {
        return document(plan, source, "/json");
    }
    let merged = ["/source_policy_documents", "/override_policy_documents", "/source_json"];
    let is_merged = |it: &&str| match source.told(it) {
        Told::Absent => false,
        Told::Value(it) => it.as_array().is_none_or(|it| !it.is_empty()),
        Told::Unknown => true,
    };
    let Told::Value(Value::Array(blocks)) = source.told("/statement") else {
        return Property::Unknown;
    };
    let count = blocks.len();
    let statements: Vec<Value> =
        (0..count).filter_map(|it| statement(source, &format!("/statement/{it}"))).collect();
    let whole = statements.len() == count && !merged.iter().any(is_merged);
    let document = json!({ "Version": "2012-10-17", "Statement": statements });
    if whole { Property::Is(document) } else { Property::AtLeast(document) }
}

/// One block `statement`; `None` where what decides is unknown.
fn statement(source: &Declared, at: &str) -> Option<Value> {
    let effect = match source.told(&format!("{at}/effect")) {
        Told::Unknown => return None,
        Told::Absent => json!("Allow"),
        Told::Value(it) => it.clone(),
    };
    let mut statement = Map::from_iter([("Effect".to_owned(), effect)]);
    if let Told::Value(Value::String(sid)) = source.told(&format!("{at}/sid"))
        && !sid.is_empty()
    {
        statement.insert("Sid".to_owned(), json!(sid));
    }
    let lists = [
        ("Action", "actions"),
        ("NotAction", "not_actions"),
        ("Resource", "resources"),
        ("NotResource", "not_resources"),
    ];
    for (name, written) in lists {
        let found = texts(source, &format!("{at}/{written}"))?;
        if !found.is_empty() {
            statement.insert(name.to_owned(), json!(found));
        }
    }
    for (name, written) in [("Principal", "principals"), ("NotPrincipal", "not_principals")] {
        if let Some(it) = principals(source, &format!("{at}/{written}"))? {
            statement.insert(name.to_owned(), it);
        }
    }
    if let Some(it) = conditions(source, &format!("{at}/condition"))? {
        statement.insert("Condition".to_owned(), it);
    }
    Some(Value::Object(statement))
}

/// `{"AWS": [...]}`; all principals of any type are `*`.
fn principals(source: &Declared, at: &str) -> Option<Option<Value>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for block in blocks(source, at)? {
        let kind = text(source, &format!("{block}/type"))?;
        found.entry(kind).or_default().extend(texts(source, &format!("{block}/identifiers"))?);
    }
    if found.get("*").is_some_and(|it| it.iter().any(|it| it == "*")) {
        return Some(Some(json!("*")));
    }
    Some((!found.is_empty()).then(|| json!(found)))
}

fn conditions(source: &Declared, at: &str) -> Option<Option<Value>> {
    let mut found: BTreeMap<String, BTreeMap<String, Vec<String>>> = BTreeMap::new();
    for block in blocks(source, at)? {
        let test = text(source, &format!("{block}/test"))?;
        let variable = text(source, &format!("{block}/variable"))?;
        let values = texts(source, &format!("{block}/values"))?;
        found.entry(test).or_default().entry(variable).or_default().extend(values);
    }
    Some((!found.is_empty()).then(|| json!(found)))
}

/// The pointers to the blocks of a list; `None` where how many is unknown.
fn blocks(source: &Declared, at: &str) -> Option<Vec<String>> {
    match source.told(at) {
        Told::Unknown => None,
        Told::Value(Value::Array(list)) => {
            Some((0..list.len()).map(|it| format!("{at}/{it}")).collect())
        }
        _ => Some(Vec::new()),
    }
}

fn text(source: &Declared, at: &str) -> Option<String> {
    source.told(at).value()?.as_str().map(str::to_owned)
}

/// What stands for a value that a plan does not know. Source may leave anything unknown.
fn of_plan(source: &Declared, at: &str) -> Option<String> {
    stand_in(source.referred(at)).filter(|_| is_of_plan(source))
}

/// A list of texts, in which the names of resources to come are stood in for; `None` where anything
/// else is unknown.
fn texts(source: &Declared, at: &str) -> Option<Vec<String>> {
    match source.told(at) {
        Told::Absent => Some(Vec::new()),
        Told::Unknown => of_plan(source, at).map(|it| vec![it]),
        Told::Value(Value::Array(list)) => {
            let one = |(number, it): (usize, &Value)| match it {
                Value::String(it) => Some(it.clone()),
                _ => of_plan(source, &format!("{at}/{number}")),
            };
            list.iter().enumerate().map(one).collect()
        }
        Told::Value(Value::String(it)) => Some(vec![it.clone()]),
        Told::Value(_) => None,
    }
}

/// A declaration by its address: at once in a plan that is [`unified`], else one by one.
pub fn find<'a>(plan: &'a Plan, address: &str) -> Option<&'a Declared> {
    let place = plan.declared.binary_search_by(|it| it.address.as_str().cmp(address));
    let by_place = place.ok().and_then(|it| plan.declared.get(it));
    by_place.or_else(|| plan.declared.iter().find(|it| it.address == address))
}

/// The plan in the order of the addresses, and with the resources of Terraform's `awscc` provider in
/// CloudFormation's names, from which that provider is generated.
pub fn unified(plan: &Plan) -> Cow<'_, Plan> {
    let has_awscc = plan.declared.iter().any(|it| it.kind.starts_with("awscc_"));
    if !has_awscc && plan.declared.is_sorted_by(|left, right| left.address <= right.address) {
        return Cow::Borrowed(plan);
    }
    let declared = plan.declared.iter().map(|it| cloudformation(it).unwrap_or_else(|| it.clone()));
    let mut declared: Vec<Declared> = declared.collect();
    declared.sort_by(|left, right| left.address.cmp(&right.address));
    Cow::Owned(Plan { declared, ..plan.clone() })
}

/// The types of the `awscc` provider that are known.
const AWSCC: [(&str, &str); 11] = [
    ("awscc_cloudtrail_trail", "AWS::CloudTrail::Trail"),
    ("awscc_ec2_security_group", "AWS::EC2::SecurityGroup"),
    ("awscc_ec2_security_group_ingress", "AWS::EC2::SecurityGroupIngress"),
    ("awscc_iam_group", "AWS::IAM::Group"),
    ("awscc_iam_group_policy", "AWS::IAM::GroupPolicy"),
    ("awscc_iam_managed_policy", "AWS::IAM::ManagedPolicy"),
    ("awscc_iam_role", "AWS::IAM::Role"),
    ("awscc_iam_role_policy", "AWS::IAM::RolePolicy"),
    ("awscc_iam_user", "AWS::IAM::User"),
    ("awscc_s3_bucket", "AWS::S3::Bucket"),
    ("awscc_s3_bucket_policy", "AWS::S3::BucketPolicy"),
];

/// Names that are not made by writing each word with a capital.
const SPELLINGS: [(&str, &str); 1] = [("kms_key_id", "KMSKeyId")];

fn cloudformation(declared: &Declared) -> Option<Declared> {
    let (_, kind) = AWSCC.iter().find(|(it, _)| *it == declared.kind)?;
    let keyed = |it: &BTreeMap<String, Vec<String>>| {
        it.iter().map(|(at, it)| (pascal_pointer(at), it.clone())).collect()
    };
    Some(Declared {
        language: Language::CloudFormation,
        kind: (*kind).to_owned(),
        address: declared.address.clone(),
        properties: pascal_keys(&declared.properties),
        unknown: declared.unknown.iter().map(|it| pascal_pointer(it)).collect(),
        references: keyed(&declared.references),
        drafts: declared.drafts.iter().map(|(at, it)| (pascal_pointer(at), it.clone())).collect(),
        intent: declared.intent,
        before: declared.before.as_ref().map(pascal_keys),
        at: declared.at.clone(),
        places: declared.places.iter().map(|(at, it)| (pascal_pointer(at), it.clone())).collect(),
    })
}

fn pascal_keys(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            fields.iter().map(|(key, it)| (pascal(key), pascal_keys(it))).collect()
        }
        Value::Array(list) => list.iter().map(pascal_keys).collect(),
        other => other.clone(),
    }
}

fn pascal_pointer(pointer: &str) -> String {
    pointer.split('/').map(pascal).collect::<Vec<_>>().join("/")
}

fn pascal(name: &str) -> String {
    if let Some((_, spelled)) = SPELLINGS.iter().find(|(it, _)| *it == name) {
        return (*spelled).to_owned();
    }
    let word = |it: &str| {
        let mut letters = it.chars();
        let first = letters.next().map(|it| it.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    };
    name.split('_').map(word).collect()
}
