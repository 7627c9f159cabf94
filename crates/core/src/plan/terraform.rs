//! Terraform's and OpenTofu's plans: the JSON that `terraform show -json PLAN` prints.
//!
//! What deploying does, and the values before and after it, are in `resource_changes`; the values
//! that cannot be known yet in `after_unknown`; what they will be made of in `configuration`. Data
//! sources that have been read stand in `prior_state`.
//!
//! A computed attribute that nobody wrote (an ARN, the policy that a bucket does not have yet) is
//! not declared, so it is left out, neither known nor unknown. A `dynamic` block is not part of the
//! configuration that a plan carries: where what it goes through is unknown, it looks like one that
//! nobody wrote. The source tells them apart.

mod address;
mod references;
mod size;
pub mod state;
mod unknown;
mod written;

use super::{Declared, Intent, Language, Note, Plan, PlanError};
use crate::region::is_region;
use references::References;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::error::Category;
use std::collections::{BTreeMap, BTreeSet};
use written::{Change, Head, ModuleValues, PlannedOnly, ResourceChange, ResourceValues, Written};

/// The largest plan, in bytes.
pub const PLAN_MAX_BYTES: usize = 128 * 1024 * 1024;
/// The most that a plan's or a state's values may take in memory besides their texts, in bytes, as
/// far as that can be told before they are read: much of it is never kept. Plans that Terraform
/// writes take 14 to 22 times their length.
pub const PLAN_VALUES_BYTES_MAX: usize = 2 * 1024 * 1024 * 1024;
/// The most resources of one plan, data sources included.
pub const PLAN_RESOURCES_MAX: usize = 100_000;
/// The deepest module, in calls from the root.
pub const PLAN_MODULES_DEEP_MAX: usize = 32;
/// The newest major format version that is understood.
/// Source: "JSON Output Format" in the Terraform documentation.
pub const FORMAT_MAJOR_MAX: u64 = 1;

/// Whether a JSON document is meant as a plan, perhaps one that can't be read.
pub fn is_plan(document: &[u8]) -> bool {
    let head: Option<Head> = serde_json::from_slice(document).ok();
    head.is_some_and(|it| {
        it.planned_values.is_some() || it.resource_changes.is_some() || it.format_version.is_some()
    })
}

/// Reads a plan. `file` names it in errors.
///
/// # Errors
///
/// [`PlanError`] with line and column where the text is no JSON; and where it is no plan, is of a
/// newer format, or exceeds a limit.
pub fn read(file: &str, document: &[u8]) -> Result<Plan, PlanError> {
    let fail =
        |problem: String| PlanError { file: file.to_owned(), line: None, column: None, problem };
    if PLAN_MAX_BYTES < document.len() {
        let bytes = document.len();
        return Err(fail(format!("{bytes} bytes; the limit is {PLAN_MAX_BYTES} bytes")));
    }
    if document.starts_with(&[0xFF, 0xFE]) || document.starts_with(&[0xFE, 0xFF]) {
        return Err(fail("is UTF-16; write it as UTF-8".to_owned()));
    }
    let document = document.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(document);
    let head: Head = parse(file, document)?;
    check(&head).map_err(fail)?;
    size::check(document).map_err(fail)?;
    let mut written: Written = parse(file, document)?;
    let mut items = items(&mut written).map_err(fail)?;
    if head.resource_changes.is_none() {
        let planned: PlannedOnly = parse(file, document)?;
        let root = planned.planned_values.and_then(|it| it.root_module);
        for (module, it) in flat(root.unwrap_or_default()) {
            items.entry(it.address.clone()).or_insert_with(|| Item::valued(module, it));
        }
    }
    if PLAN_RESOURCES_MAX < items.len() {
        let count = items.len();
        return Err(fail(format!(
            "{count} resources; the limit is {PLAN_RESOURCES_MAX} resources"
        )));
    }
    let deep = items.values().map(|it| address::calls(&it.module).len()).max();
    if deep.is_some_and(|it| PLAN_MODULES_DEEP_MAX < it) {
        return Err(fail(format!("modules more than {PLAN_MODULES_DEEP_MAX} calls deep")));
    }
    Ok(assembled(&written, items))
}

fn check(head: &Head) -> Result<(), String> {
    if let Some(version) = &head.format_version {
        let major = version.split('.').next().and_then(|it| it.parse::<u64>().ok());
        match major {
            Some(major) if major <= FORMAT_MAJOR_MAX => {}
            Some(_) => {
                return Err(format!(
                    "format version `{version}` is newer than `{FORMAT_MAJOR_MAX}.x`, the newest \
                     that is understood"
                ));
            }
            None => return Err(format!("`{version}` is no format version of a plan")),
        }
    }
    match (&head.planned_values, &head.resource_changes, &head.values) {
        (None, None, Some(_)) => {
            Err("is a state and no plan: give `terraform show -json` the file that \
                 `terraform plan -out` wrote"
                .to_owned())
        }
        (None, None, None) => Err("is no plan: it has neither `planned_values` nor \
                                   `resource_changes`"
            .to_owned()),
        _ => Ok(()),
    }
}

/// One resource, with what is planned for it.
struct Item {
    module: String,
    kind: String,
    intent: Option<Intent>,
    /// What Terraform calls it, where we do not know that action.
    action: Option<String>,
    before: Option<Value>,
    after: Option<Value>,
    /// `None` where the plan does not tell what is unknown.
    unknown: Option<Value>,
}

impl Item {
    /// `None` for an object that its replacement left behind. Of a change that is not told, nothing
    /// is known.
    fn changed(change: ResourceChange) -> Option<(String, Item)> {
        let ResourceChange { address, module_address, kind, deposed, change } = change;
        if deposed.is_some() {
            return None;
        }
        let not_told = Change { after_unknown: Some(Value::Bool(true)), ..Change::default() };
        let change = change.unwrap_or(not_told);
        let actions = change.actions.unwrap_or_default();
        let actions: Vec<&str> = actions.iter().map(String::as_str).collect();
        let intent = intent(&actions);
        let item = Item {
            module: module_address.unwrap_or_default(),
            kind: kind.unwrap_or_default(),
            intent,
            action: intent.is_none().then(|| actions.join(", ")),
            before: change.before.filter(|it| !it.is_null()),
            after: change.after,
            unknown: Some(change.after_unknown.unwrap_or(Value::Null)),
        };
        Some((address, item))
    }

    /// A resource of which only the values are known: a data source, or one of a plan that does not
    /// say what changes.
    fn valued(module: String, it: ResourceValues) -> Item {
        let is_data = it.mode.as_deref() == Some("data");
        Item {
            module,
            kind: it.kind.unwrap_or_default(),
            intent: Some(if is_data { Intent::Read } else { Intent::Create }),
            action: None,
            before: None,
            after: it.values,
            unknown: is_data.then_some(Value::Null),
        }
    }
}

/// Source: "Change Representation" in "JSON Output Format" of the Terraform documentation.
fn intent(actions: &[&str]) -> Option<Intent> {
    Some(match actions {
        ["create" | "delete", "create" | "delete"] | ["create"] | ["create", "forget"] => {
            Intent::Create
        }
        ["update"] => Intent::Update,
        ["delete"] => Intent::Delete,
        ["read"] => Intent::Read,
        // What is forgotten stays as it is; only Terraform no longer looks at it.
        ["no-op"] | ["forget"] => Intent::Keep,
        _ => return None,
    })
}

/// The changes, and the data sources that have been read already. No plan that Terraform writes
/// says twice what becomes of a resource.
fn items(written: &mut Written) -> Result<BTreeMap<String, Item>, String> {
    let changes = written.resource_changes.take().into_iter().flatten();
    let mut items: BTreeMap<String, Item> = BTreeMap::new();
    for (address, item) in changes.filter_map(Item::changed) {
        if items.contains_key(&address) {
            return Err(format!("`{address}` stands twice in `resource_changes`"));
        }
        items.insert(address, item);
    }
    let root = written.prior_state.take().and_then(|it| it.values?.root_module);
    let data = flat(root.unwrap_or_default());
    for (module, it) in data.into_iter().filter(|(_, it)| it.mode.as_deref() == Some("data")) {
        items.entry(it.address.clone()).or_insert_with(|| Item::valued(module, it));
    }
    Ok(items)
}

/// The resources of a module and of those below it, each with its module's address.
fn flat(module: ModuleValues) -> Vec<(String, ResourceValues)> {
    let (mut found, mut left) = (Vec::new(), vec![module]);
    while let Some(module) = left.pop() {
        let address = module.address.unwrap_or_default();
        found.extend(module.resources.into_iter().flatten().map(|it| (address.clone(), it)));
        left.extend(module.child_modules.into_iter().flatten());
    }
    found
}

fn assembled(written: &Written, items: BTreeMap<String, Item>) -> Plan {
    let mut references = References::new(written.configuration.as_ref());
    for (address, it) in &items {
        references.add(address, &it.module);
    }
    let mut plan = Plan::default();
    for (address, it) in items {
        if let Some(action) = &it.action {
            let problem = match action.as_str() {
                "" => format!("`{address}`: the plan does not tell what becomes of it"),
                action => format!("`{address}`: the action `{action}` is unknown"),
            };
            plan.notes.push(Note { at: None, problem });
        }
        plan.declared.push(declared(address, it, &references));
    }
    plan.account = told(&plan, "aws_caller_identity", "account_id");
    plan.region = region(written).or_else(|| told(&plan, "aws_region", "name"));
    plan
}

fn declared(address: String, item: Item, references: &References<'_>) -> Declared {
    // An action that we do not know changes something.
    let intent = item.intent.unwrap_or(Intent::Update);
    let mut properties = item.after.unwrap_or(Value::Null);
    let configured = references.configured(&address, &item.module);
    let is_written = |name: &String| {
        configured.is_none_or(|it| it.expressions.iter().flatten().any(|(it, _)| it == name))
    };
    let unknown = match item.unknown {
        Some(Value::Object(mut fields)) => {
            fields.retain(|name, it| *it != Value::Bool(true) || is_written(name));
            unknown::mark(&mut properties, &Value::Object(fields))
        }
        Some(it) => unknown::mark(&mut properties, &it),
        // What was written and has no value will have one.
        None => {
            let names = configured.into_iter().flat_map(|it| it.expressions.iter().flatten());
            let missing = names.filter(|(name, _)| properties.get(name).is_none());
            let missing = missing.map(|(name, _)| (name.clone(), Value::Bool(true))).collect();
            unknown::mark(&mut properties, &Value::Object(missing))
        }
    };
    Declared {
        language: Language::Terraform,
        references: references.of(&address, &item.module, &properties),
        kind: item.kind,
        address,
        properties,
        unknown: if intent == Intent::Delete { BTreeSet::new() } else { unknown },
        intent,
        drafts: BTreeMap::new(),
        before: item.before,
        at: None,
        places: BTreeMap::new(),
    }
}

/// What all data sources of a type say of themselves, where they agree.
fn told(plan: &Plan, kind: &str, attribute: &str) -> Option<String> {
    let sources = plan.declared.iter().filter(|it| it.kind == kind && it.intent == Intent::Read);
    let all: BTreeSet<&str> =
        sources.filter_map(|it| it.properties.get(attribute)?.as_str()).collect();
    let mut all = all.into_iter();
    all.next().filter(|_| all.next().is_none()).map(str::to_owned)
}

/// The region of the default provider: as written, or as its variable says.
fn region(written: &Written) -> Option<String> {
    let configuration = written.configuration.as_ref()?;
    let providers = configuration.provider_config.as_ref()?;
    let region = providers.get("aws")?.expressions.as_ref()?.get("region")?;
    if let Some(constant) = references::constant(region) {
        return constant.as_str().map(str::to_owned);
    }
    let [name] = region.get("references")?.as_array()?.as_slice() else { return None };
    let name = name.as_str()?.strip_prefix("var.")?;
    let given = written.variables.as_ref().and_then(|it| it.get(name)?.value.as_ref());
    let declared = configuration.root_module.as_ref().and_then(|it| it.variables.as_ref());
    let value = given.or_else(|| declared?.get(name)?.default.as_ref())?;
    // What is no region is only a part of it: `"${var.place}-1"` refers to `var.place`, too.
    value.as_str().filter(|it| is_region(it)).map(str::to_owned)
}

fn parse<T: DeserializeOwned>(file: &str, document: &[u8]) -> Result<T, PlanError> {
    serde_json::from_slice(document).map_err(|it| PlanError {
        file: file.to_owned(),
        line: Some(it.line()),
        column: Some(column(document, it.line(), it.column())),
        problem: problem(&it),
    })
}

/// Never a value of the document: a plan holds secrets.
fn problem(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(it, _)| it);
    match error.classify() {
        Category::Data if !text.starts_with("missing field") => {
            let expected = text.rsplit_once(", expected ").map_or("something else", |(_, it)| it);
            format!("is not of a plan's form: expected {expected}")
        }
        Category::Data => format!("is not of a plan's form: {text}"),
        Category::Eof => format!("is cut off: {text}"),
        _ => format!("is no JSON: {text}"),
    }
}

/// A column that was counted in bytes, in characters.
fn column(document: &[u8], line: usize, bytes: usize) -> usize {
    let text = document.split(|it| *it == b'\n').nth(line.saturating_sub(1)).unwrap_or_default();
    let before = text.get(..bytes.saturating_sub(1)).unwrap_or(text);
    String::from_utf8_lossy(before).chars().count().saturating_add(1)
}
