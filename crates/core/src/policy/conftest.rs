//! Users' own Rego, in conftest's style: packages whose `deny`, `violation` and `warn` rules speak
//! of a raw plan or template.
//!
//! ```text
//! package main
//!
//! deny contains msg if {
//!     some change in input.resource_changes
//!     change.type == "aws_iam_user"
//!     msg := sprintf("%s: people come by single sign-on", [change.address])
//! }
//! ```
//!
//! A rule of one of these names, or of a name that begins with one and an underscore (`deny_iam`),
//! is evaluated in every namespace that is asked for. It holds texts, or objects with a `msg` and
//! whatever else. `exception` excuses rules by the rest of their names, as in conftest. Modules are
//! Rego v1, or v0 where they don't parse as that; data documents are `data` as in OPA, and the file
//! that is judged is `data.conftest.file`.
//!
//! Evaluated by regorus' interpreter, which knows all of the language; a policy's machine
//! ([`super::program`]) knows neither `with` nor `walk`. Each rule has a limit of time; builtins
//! that reach outside or grow without bounds are refused or bounded ([`guards`]), and so are
//! functions that call themselves (`calls`). What fails within a builtin is undefined, as in OPA;
//! whatever else fails is an error. What conftest passes over silently is an error, too: a `deny`
//! that is no collection, and an element that is no message.

mod calls;
pub mod guards;
mod sprintf;

use super::builtins::within_limit;
use super::{POLICY_FILE_MAX_BYTES, PolicyError};
use regorus::Engine;
use regorus::unstable::{Expr, Rule, RuleHead};
use regorus::utils::limits::ExecutionTimerConfig;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::time::Duration;
use thiserror::Error;

/// The longest that one rule may take over one input, in milliseconds.
pub const BUNDLE_RULE_TIME_MAX_MS: u64 = 10_000;
/// The most modules of one bundle.
pub const BUNDLE_MODULES_MAX: usize = 1_000;
/// The largest data document, in bytes.
pub const BUNDLE_DATA_MAX_BYTES: usize = 16 * 1024 * 1024;
/// The namespace that conftest evaluates where none is named.
pub const NAMESPACE: &str = "main";

/// A module of Rego.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Module<'a> {
    /// Its file, for messages.
    pub file: &'a str,
    /// Its text.
    pub text: &'a str,
}

/// A data document: JSON or YAML with an object at its root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Document<'a> {
    /// Its file, for messages.
    pub file: &'a str,
    /// Its text.
    pub text: &'a str,
    /// Where in `data` it stands: the folders that lead to it in a bundle; nothing for the root.
    pub at: &'a [&'a str],
}

/// Which namespaces are evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Namespaces<'a> {
    /// Every package that has such rules.
    All,
    /// These, such as [`NAMESPACE`].
    These(&'a [&'a str]),
}

/// Why a bundle could not be loaded.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{file}: {problem}")]
pub struct BundleError {
    /// The file, or the rule, that is to blame.
    pub file: String,
    /// What is wrong.
    pub problem: String,
}

/// How bad a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Of `deny` or `violation`.
    Failure,
    /// Of `warn`.
    Warning,
}

/// What a rule says of an input.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// The package, without `data.`.
    pub namespace: String,
    /// The rule's name.
    pub rule: String,
    /// How bad it is.
    pub level: Level,
    /// The text, or the object's `msg`.
    pub text: String,
    /// The object's other fields.
    pub details: Map<String, Value>,
}

/// What a bundle says of an input.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Judgment {
    /// Messages, by namespace and rule.
    pub messages: Vec<Message>,
    /// The rules that an exception excuses for this input, as namespace and name.
    pub excepted: Vec<(String, String)>,
    /// Rules that could not be evaluated: never a pass.
    pub errors: Vec<PolicyError>,
}

/// A bundle that is ready to judge.
#[derive(Debug, Clone)]
pub struct Bundle {
    engine: Engine,
    namespaces: BTreeMap<String, Namespace>,
}

#[derive(Debug, Clone, Default)]
struct Namespace {
    rules: BTreeSet<String>,
    has_exception: bool,
}

impl Bundle {
    /// Parses and compiles a bundle.
    ///
    /// # Errors
    /// A module that is neither Rego v1 nor v0, a call that could escape the limits, a document
    /// that is none, two documents that contradict each other, a namespace without any rule.
    pub fn load(
        modules: &[Module<'_>],
        documents: &[Document<'_>],
        namespaces: Namespaces<'_>,
        rule_time_max_ms: u64,
    ) -> Result<Bundle, BundleError> {
        let error = |file: &str, problem: String| BundleError { file: file.to_owned(), problem };
        if BUNDLE_MODULES_MAX < modules.len() {
            let problem =
                format!("{} modules; the limit is {BUNDLE_MODULES_MAX} modules", modules.len());
            return Err(error("the bundle", problem));
        }
        let mut data = json!({});
        for document in documents {
            add_document(&mut data, document).map_err(|it| error(document.file, it))?;
        }
        let (mut engine, packages, is_v0) = parse(modules)?;
        let checked = calls::check(engine.get_modules(), &packages);
        let edits = checked.map_err(|(index, problem)| {
            error(modules.get(index).map_or("the bundle", |it| it.file), problem)
        })?;
        if edits.iter().any(|it| !it.is_empty()) {
            let texts = modules.iter().zip(edits);
            let texts: Vec<String> = texts.map(|(it, edits)| edited(it.text, edits)).collect();
            let files = modules.iter().zip(&texts).map(|(it, text)| Module { file: it.file, text });
            engine = parsed(&files.collect::<Vec<_>>(), is_v0)?.0;
        }
        guards::install(&mut engine).map_err(|it| error("the bundle", it))?;
        engine.add_data(data.into()).map_err(|it| error("data", it.to_string()))?;
        engine.set_execution_timer_config(ExecutionTimerConfig {
            limit: Duration::from_millis(rule_time_max_ms),
            check_interval: NonZeroU32::MIN,
        });
        let mut bundle = Bundle { engine, namespaces: BTreeMap::new() };
        for (namespace, names) in declared(&mut bundle.engine, &packages) {
            let wanted = match namespaces {
                Namespaces::All => true,
                Namespaces::These(these) => these.contains(&namespace.as_str()),
            };
            let has_exception = names.contains("exception");
            let rules: BTreeSet<String> =
                names.into_iter().filter(|it| level(it).is_some()).collect();
            if !wanted || rules.is_empty() {
                continue;
            }
            for rule in &rules {
                let entry = format!("data.{namespace}.{rule}");
                let compiled = bundle.engine.compile_with_entrypoint(&entry.as_str().into());
                let rule = format!("rule `{namespace}.{rule}`");
                compiled.map_err(|it| error(&rule, format!("{it:#}")))?;
            }
            bundle.namespaces.insert(namespace, Namespace { rules, has_exception });
        }
        if let Namespaces::These(these) = namespaces
            && let Some(missing) = these.iter().find(|it| !bundle.namespaces.contains_key(**it))
        {
            let problem = "no module has a `deny`, `violation` or `warn` there".to_owned();
            return Err(error(&format!("package `{missing}`"), problem));
        }
        Ok(bundle)
    }

    /// Every rule that is evaluated, as namespace and name.
    pub fn rules(&self) -> impl Iterator<Item = (&str, &str)> {
        self.namespaces.iter().flat_map(|(namespace, it)| {
            it.rules.iter().map(|rule| (namespace.as_str(), rule.as_str()))
        })
    }

    /// Evaluates every rule over one input: a plan, a template, anything that is JSON. `file` is
    /// its path as the user named it.
    pub fn judge(&self, file: &str, input: &Value) -> Judgment {
        let mut engine = self.engine.clone();
        engine.set_input(input.clone().into());
        let (folder, name) = file.rsplit_once('/').unwrap_or((".", file));
        // Where the user's data has that place, theirs stays.
        let about = json!({ "conftest": { "file": { "name": name, "dir": folder } } });
        let _ = engine.add_data(about.into());
        let mut judgment = Judgment::default();
        for (name, namespace) in &self.namespaces {
            let failed = |rule: &str, problem| {
                let policy = format!("{name}.{rule}");
                PolicyError { policy, problem }
            };
            let exceptions = match namespace.has_exception {
                true => evaluate(&engine, name, "exception").and_then(excepted),
                false => Ok(BTreeSet::new()),
            };
            let exceptions = exceptions.unwrap_or_else(|problem| {
                judgment.errors.push(failed("exception", problem));
                BTreeSet::new()
            });
            for rule in &namespace.rules {
                if exceptions.contains(suffix(rule)) {
                    judgment.excepted.push((name.clone(), rule.clone()));
                    continue;
                }
                let told = evaluate(&engine, name, rule);
                match told.and_then(|it| messages(name, rule, it)) {
                    Ok(messages) => judgment.messages.extend(messages),
                    Err(problem) => judgment.errors.push(failed(rule, problem)),
                }
            }
        }
        judgment
    }
}

/// The value of a rule; `Undefined` where it has none. Each rule starts from the same engine,
/// whatever became of the one before.
fn evaluate(engine: &Engine, namespace: &str, rule: &str) -> Result<regorus::Value, String> {
    let mut engine = engine.clone();
    let value = engine.eval_rule(format!("data.{namespace}.{rule}"));
    let value = value.map_err(|it| format!("{it:#}"))?;
    within_limit(std::slice::from_ref(&value)).map_err(|it| it.to_string())?;
    Ok(value)
}

/// Parses all modules as Rego v1, or else all as v0, where a module may import v1's words. Gives
/// their packages, and whether it is v0.
fn parse(modules: &[Module<'_>]) -> Result<(Engine, Vec<String>, bool), BundleError> {
    let as_v1 = match parsed(modules, false) {
        Ok((engine, packages)) => return Ok((engine, packages, false)),
        Err(as_v1) => as_v1,
    };
    match parsed(modules, true) {
        Ok((engine, packages)) => Ok((engine, packages, true)),
        Err(as_v0) if as_v0 == as_v1 => Err(as_v1),
        Err(as_v0) => {
            let (v1, v0) = (as_v1.problem.trim_end(), as_v0.problem.trim_end());
            let problem = format!("as Rego v1: {v1}\nas Rego v0: {}: {v0}", as_v0.file);
            Err(BundleError { file: as_v1.file, problem })
        }
    }
}

fn parsed(modules: &[Module<'_>], is_v0: bool) -> Result<(Engine, Vec<String>), BundleError> {
    let mut engine = Engine::new();
    engine.set_rego_v0(is_v0);
    // What a rule prints is kept, and goes with the engine.
    engine.set_gather_prints(true);
    engine.set_strict_builtin_errors(false);
    let mut packages = vec![];
    for Module { file, text } in modules {
        let error = |problem| BundleError { file: (*file).to_owned(), problem };
        if POLICY_FILE_MAX_BYTES < text.len() {
            let bytes = text.len();
            return Err(error(format!(
                "{bytes} bytes; the limit is {POLICY_FILE_MAX_BYTES} bytes"
            )));
        }
        let package = engine.add_policy((*file).to_owned(), (*text).to_owned());
        packages.push(package.map_err(|it| error(format!("{it:#}")))?);
    }
    Ok((engine, packages))
}

/// A module's text with texts put in their places; the places don't overlap.
fn edited(text: &str, mut edits: Vec<calls::Edit>) -> String {
    edits.sort_by_key(|it| (it.start, it.end));
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    for edit in edits {
        out.push_str(text.get(at..edit.start).unwrap_or_default());
        out.push_str(&edit.text);
        at = edit.end.max(at);
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

/// The names of the rules of each package, functions left out.
fn declared(engine: &mut Engine, packages: &[String]) -> BTreeMap<String, BTreeSet<String>> {
    let mut declared = BTreeMap::<String, BTreeSet<String>>::new();
    for (module, package) in engine.get_modules().iter().zip(packages) {
        let namespace = package.strip_prefix("data.").unwrap_or(package);
        let names = declared.entry(namespace.to_owned()).or_default();
        for rule in &module.policy {
            let head = match rule.as_ref() {
                Rule::Spec { head: RuleHead::Func { .. }, .. } => continue,
                Rule::Spec { head: RuleHead::Compr { refr, .. }, .. }
                | Rule::Spec { head: RuleHead::Set { refr, .. }, .. }
                | Rule::Default { refr, .. } => refr,
            };
            names.extend(root(head.as_ref()));
        }
    }
    declared
}

/// The first name of a reference: `deny` of `deny[msg]`.
fn root(mut refr: &Expr) -> Option<String> {
    loop {
        match refr {
            Expr::Var { span, .. } => return Some(span.text().to_owned()),
            Expr::RefDot { refr: inner, .. } | Expr::RefBrack { refr: inner, .. } => {
                refr = inner.as_ref();
            }
            _ => return None,
        }
    }
}

/// What a rule of this name says, if it is one that is evaluated: `deny`, `deny_iam_2`.
fn level(rule: &str) -> Option<Level> {
    let (base, rest) = rule.split_once('_').unwrap_or((rule, "_"));
    let is_word = |it: &str| !it.is_empty() && it.chars().all(|it| it.is_ascii_alphanumeric());
    if rest != "_" && !rest.split('_').all(is_word) || rule.ends_with('_') {
        return None;
    }
    match base {
        "deny" | "violation" => Some(Level::Failure),
        "warn" => Some(Level::Warning),
        _ => None,
    }
}

/// By what an exception names a rule: `iam` of `deny_iam`, nothing of `deny`.
fn suffix(rule: &str) -> &str {
    rule.split_once('_').map_or("", |(_, it)| it)
}

/// The names in `exception[_][_]`.
fn excepted(value: regorus::Value) -> Result<BTreeSet<String>, String> {
    let lists = match json_of(&value)? {
        Value::Null => vec![],
        Value::Array(lists) => lists,
        Value::Object(lists) => lists.into_iter().map(|(_, it)| it).collect(),
        other => {
            return Err(format!("`exception` is no collection of lists, but {}", kind(&other)));
        }
    };
    let names = lists.into_iter().flat_map(|it| match it {
        Value::Array(names) => names,
        Value::Object(names) => names.into_iter().map(|(_, it)| it).collect(),
        _ => vec![],
    });
    Ok(names.filter_map(|it| it.as_str().map(str::to_owned)).collect())
}

/// The messages of a rule's value.
fn messages(namespace: &str, rule: &str, value: regorus::Value) -> Result<Vec<Message>, String> {
    let Some(level) = level(rule) else { return Ok(vec![]) };
    let elements = match json_of(&value)? {
        Value::Null | Value::Bool(false) => vec![],
        Value::Array(elements) => elements,
        other => {
            let kind = kind(&other);
            return Err(format!(
                "`{rule}` must be a set of messages (`contains msg if {{ … }}`), but is {kind}"
            ));
        }
    };
    let message = |element| {
        let (text, details) = match element {
            Value::String(text) => (text, Map::new()),
            Value::Object(mut fields) => match fields.remove("msg") {
                Some(Value::String(text)) => (text, fields),
                _ => return Err(format!("`{rule}` holds an object without a text `msg`")),
            },
            other => return Err(format!("`{rule}` holds {}, which is no message", kind(&other))),
        };
        let (namespace, rule) = (namespace.to_owned(), rule.to_owned());
        Ok(Message { namespace, rule, level, text, details })
    };
    elements.into_iter().map(message).collect()
}

/// What a value is, for messages: what it holds may be a plan's secret.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// As JSON; null where it is undefined.
fn json_of(value: &regorus::Value) -> Result<Value, String> {
    if *value == regorus::Value::Undefined {
        return Ok(Value::Null);
    }
    let text = value.to_json_str().map_err(|it| it.to_string())?;
    serde_json::from_str(&text).map_err(|it| it.to_string())
}

fn add_document(data: &mut Value, document: &Document<'_>) -> Result<(), String> {
    let bytes = document.text.len();
    if BUNDLE_DATA_MAX_BYTES < bytes {
        return Err(format!("{bytes} bytes; the limit is {BUNDLE_DATA_MAX_BYTES} bytes"));
    }
    let mut value = if document.text.trim_start().starts_with('{') {
        serde_json::from_str::<Value>(document.text).map_err(|it| it.to_string())?
    } else {
        serde_saphyr::from_str(document.text).map_err(|it| it.to_string())?
    };
    if !value.is_object() {
        return Err("a data document must be an object".to_owned());
    }
    for folder in document.at.iter().rev() {
        value = json!({ (*folder): value });
    }
    merge(data, value, &mut vec![])
}

/// Puts `more` into `data`. What both say must be the same.
fn merge(data: &mut Value, more: Value, path: &mut Vec<String>) -> Result<(), String> {
    match (data, more) {
        (Value::Object(data), Value::Object(more)) => {
            for (key, value) in more {
                match data.get_mut(&key) {
                    Some(slot) => {
                        path.push(key);
                        merge(slot, value, path)?;
                        path.pop();
                    }
                    None => {
                        data.insert(key, value);
                    }
                }
            }
            Ok(())
        }
        (data, more) if *data == more => Ok(()),
        _ => Err(format!("`data.{}` has two values", path.join("."))),
    }
}
