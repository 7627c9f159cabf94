//! A policy: a trigger, a judgment in Rego, and the name of the fix.
//!
//! A policy is a folder: `policy.yaml` ([`PolicyMeta`]) and `policy.rego`. It is parsed and
//! compiled once: the trigger to an event pattern, the Rego to a program of regorus' virtual
//! machine, right away ([`Policy::compile`]) or when it is first needed ([`Policy::deferred`]). It
//! runs under a limit of instructions and of time. What could escape these limits is refused when
//! the policy is compiled: recursion ([`program`]) and builtins without bounds ([`builtins`]).
//! Refused, too, or put right (module `undefined`), is what the machine would take for a pass by
//! mistake. Rego can reach neither network nor clock: those builtins are not compiled in, so a
//! verdict depends on its input alone. A policy that fails to evaluate is a [`PolicyError`], never
//! a pass.
//!
//! The limits are against mistakes, and against hostile input. They are no sandbox for hostile
//! policies: a policy decides what Quell changes, so its author is trusted anyway.

pub mod builtins;
pub mod program;
pub mod conftest;
pub mod looks;
mod undefined;

use event_pattern::Pattern;
use regorus::languages::rego::compiler::Compiler;
use regorus::rvm::{RegoVM, program::Program};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use thiserror::Error;

/// The most virtual-machine instructions that one judgment may take.
pub const POLICY_INSTRUCTIONS_MAX: usize = 1_000_000;
/// The longest that one judgment may take, in milliseconds.
pub const POLICY_TIME_MAX_MS: u64 = 250;
/// The largest `policy.yaml` or `policy.rego`, in bytes.
pub const POLICY_FILE_MAX_BYTES: usize = 256 * 1024;

/// `policy.yaml`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyMeta {
    /// Unique id: the folder's path with dots, such as `aws.s3.bucket_public_block`.
    pub id: String,
    /// A line that says what is wrong when the policy is violated.
    pub title: String,
    /// What the risk is, what is checked and what is deliberately not, for a security engineer.
    pub description: String,
    /// How bad a violation is.
    pub severity: Severity,
    /// CloudFormation type of the resource that it judges; `also` names further ones.
    pub resource: String,
    /// Top-level properties that the verdict depends on.
    pub reads: Vec<String>,
    /// EventBridge event pattern of the events after which the resource is judged.
    pub trigger: Value,
    /// How a violation is fixed; absent where people are only told.
    #[serde(default)]
    pub remediation: Option<Remediation>,
    /// Further types that it judges, each with a fix of its own.
    #[serde(default)]
    pub also: Vec<Also>,
    /// Parameters and their default values; `input.params` of the Rego.
    #[serde(default)]
    pub params: BTreeMap<String, Value>,
    /// The most that this policy may ever do, whatever the configuration says.
    #[serde(default = "enforce")]
    pub highest_mode: Mode,
    /// Whether what it reads must be declared in infrastructure code: a part that a new resource
    /// has by AWS's default then violates it, too. At run time this means nothing.
    #[serde(default)]
    pub require_explicit: bool,
    /// Controls that a violation breaks, by framework.
    #[serde(default)]
    pub controls: BTreeMap<String, Vec<String>>,
    /// MITRE ATT&CK techniques that the violation serves.
    #[serde(default)]
    pub mitre: Vec<String>,
}

fn enforce() -> Mode {
    Mode::Enforce
}

/// How a violation is fixed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Remediation {
    /// Name of an action, such as `s3.put_public_access_block`.
    pub action: String,
}

/// A further type of resource that a policy judges.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Also {
    /// CloudFormation type of the resource.
    pub resource: String,
    /// How a violation by it is fixed; absent where people are only told.
    #[serde(default)]
    pub remediation: Option<Remediation>,
}

impl PolicyMeta {
    /// Every type of resource that it judges, with its fix; the main one first.
    pub fn resources(&self) -> impl Iterator<Item = (&str, Option<&Remediation>)> {
        let also = self.also.iter().map(|it| (it.resource.as_str(), it.remediation.as_ref()));
        std::iter::once((self.resource.as_str(), self.remediation.as_ref())).chain(also)
    }

    /// Whether it judges resources of a CloudFormation type.
    pub fn judges(&self, kind: &str) -> bool {
        self.resources().any(|(it, _)| it == kind)
    }

    /// How a violation by a resource of that type is fixed.
    pub fn remediation_of(&self, kind: &str) -> Option<&Remediation> {
        self.resources().find(|(it, _)| *it == kind)?.1
    }
}

/// What may be done about a finding; each mode includes those before it.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Record it.
    #[default]
    Observe,
    /// Tell people.
    Notify,
    /// Fix it when a person approves the exact change.
    Approve,
    /// Fix it.
    Enforce,
}

/// How bad a violation is; the order is that of ASFF's `Severity.Label`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Informational,
    /// Not by itself a way in.
    Low,
    /// A weakness that needs another one to hurt.
    Medium,
    /// Data or control is exposed.
    High,
    /// Data or control is exposed to everyone, or the audit trail is blind.
    Critical,
}

impl Severity {
    /// Its name in configuration, reports, logs and metrics.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Informational => "informational",
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }
}

/// A failed judgment. It is recorded and alerts; it is never a pass.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize, Deserialize)]
#[error("policy `{policy}` could not be evaluated: {problem}")]
pub struct PolicyError {
    /// Id of the policy.
    pub policy: String,
    /// What went wrong.
    pub problem: String,
}

/// One element of a policy's `deny` set, as the Rego writes it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Violation {
    /// Which element violates; stable, so that the same violation has the same key again.
    pub element: String,
    /// Why, in one sentence.
    pub reason: String,
    /// Overrides the policy's severity.
    #[serde(default)]
    pub severity: Option<Severity>,
    /// See [`crate::detect::Finding::latent`].
    #[serde(default)]
    pub latent: bool,
    /// See [`crate::detect::Finding::indeterminate`].
    #[serde(default)]
    pub indeterminate: Option<String>,
    /// See [`crate::detect::Finding::approval`].
    #[serde(default)]
    pub approval: Option<String>,
    /// See [`crate::detect::Finding::notify_only`].
    #[serde(default)]
    pub notify_only: Option<String>,
    /// See [`crate::detect::Finding::evidence`].
    #[serde(default)]
    pub evidence: Value,
}

/// Why a policy folder could not be loaded.
#[derive(Debug, Error)]
pub enum PolicyLoadError {
    /// `policy.yaml` is not readable as one.
    #[error("policy.yaml: {0}")]
    Meta(String),
    /// The trigger is no valid event pattern.
    #[error("policy.yaml: trigger: {0}")]
    Trigger(String),
    /// `policy.rego` does not compile.
    #[error("policy.rego: {0}")]
    Rego(String),
    /// The Rego's package is not the one that the id demands.
    #[error("policy.rego: the package is `{found}`, but the id `{id}` demands `{wanted}`")]
    Package {
        /// The policy's id.
        id: String,
        /// The package that was found.
        found: String,
        /// The package that the id demands.
        wanted: String,
    },
    /// A file is larger than [`POLICY_FILE_MAX_BYTES`].
    #[error("{file}: {bytes} bytes; the limit is {POLICY_FILE_MAX_BYTES} bytes")]
    TooLarge {
        /// The file's name.
        file: &'static str,
        /// Its size.
        bytes: usize,
    },
}

/// Limits of one judgment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PolicyLimits {
    /// See [`POLICY_INSTRUCTIONS_MAX`].
    pub policy_instructions_max: usize,
    /// See [`POLICY_TIME_MAX_MS`].
    pub policy_time_max_ms: u64,
}

impl Default for PolicyLimits {
    fn default() -> PolicyLimits {
        PolicyLimits {
            policy_instructions_max: POLICY_INSTRUCTIONS_MAX,
            policy_time_max_ms: POLICY_TIME_MAX_MS,
        }
    }
}

/// A compiled policy.
#[derive(Debug)]
pub struct Policy {
    meta: PolicyMeta,
    trigger: Pattern,
    rego: String,
    program: OnceLock<Result<Arc<Program>, String>>,
    params: regorus::Value,
    limits: PolicyLimits,
}

impl Policy {
    /// Parses and compiles the two files of a policy's folder. `params` override the defaults.
    pub fn compile(
        yaml: &str,
        rego: &str,
        params: &BTreeMap<String, Value>,
        limits: PolicyLimits,
    ) -> Result<Policy, PolicyLoadError> {
        let policy = Policy::deferred(yaml, rego, params, limits)?;
        let program = compile_rego(policy.id(), rego)?;
        Ok(Policy { program: OnceLock::from(Ok(program)), ..policy })
    }

    /// Like [`Policy::compile`], but the Rego is compiled when it is first needed: for the built-in
    /// policies, each of which a test compiles. A function that starts for one event would spend
    /// most of its start on programs that the event does not want.
    pub fn deferred(
        yaml: &str,
        rego: &str,
        params: &BTreeMap<String, Value>,
        limits: PolicyLimits,
    ) -> Result<Policy, PolicyLoadError> {
        for (file, text) in [("policy.yaml", yaml), ("policy.rego", rego)] {
            if POLICY_FILE_MAX_BYTES < text.len() {
                return Err(PolicyLoadError::TooLarge { file, bytes: text.len() });
            }
        }
        let mut meta: PolicyMeta =
            serde_saphyr::from_str(yaml).map_err(|it| PolicyLoadError::Meta(it.to_string()))?;
        for (name, value) in params {
            let Some(slot) = meta.params.get_mut(name) else {
                let known: Vec<_> = meta.params.keys().collect();
                return Err(PolicyLoadError::Meta(format!(
                    "parameter `{name}` is none of {known:?}"
                )));
            };
            if !alike(slot, value) {
                return Err(PolicyLoadError::Meta(format!(
                    "parameter `{name}`: {value} is not of the kind of {slot}"
                )));
            }
            *slot = value.clone();
        }
        let trigger = Pattern::parse(&meta.trigger.to_string())
            .map_err(|it| PolicyLoadError::Trigger(it.to_string()))?;
        let params = regorus::Value::from(Value::from_iter(meta.params.clone()));
        let (rego, program) = (rego.to_owned(), OnceLock::new());
        Ok(Policy { meta, trigger, rego, program, params, limits })
    }

    /// The policy's id.
    pub fn id(&self) -> &str {
        &self.meta.id
    }

    /// `policy.yaml`, with overridden parameters filled in.
    pub fn meta(&self) -> &PolicyMeta {
        &self.meta
    }

    /// The compiled trigger.
    pub fn trigger(&self) -> &Pattern {
        &self.trigger
    }

    /// The policy's parameters as one JSON object.
    pub fn params(&self) -> Value {
        Value::from_iter(self.meta.params.clone())
    }

    /// `detail.eventName` values that the trigger names, in its order; a prefix as `NAME*`.
    pub fn trigger_event_names(&self) -> Vec<String> {
        let names = self.meta.trigger.pointer("/detail/eventName").and_then(Value::as_array);
        let prefix = |it: &Value| it.get("prefix")?.as_str().map(|it| format!("{it}*"));
        let name = |it: &Value| it.as_str().map(str::to_owned).or_else(|| prefix(it));
        names.into_iter().flatten().filter_map(name).collect()
    }

    /// Evaluates `deny` for one resource.
    pub fn judge(
        &self,
        event: Option<&regorus::Value>,
        resource: &regorus::Value,
    ) -> Result<Vec<Violation>, PolicyError> {
        self.evaluate(event, resource)
            .map_err(|problem| PolicyError { policy: self.meta.id.clone(), problem })
    }

    fn program(&self) -> Result<Arc<Program>, String> {
        let compiled = || compile_rego(self.id(), &self.rego).map_err(|it| it.to_string());
        self.program.get_or_init(compiled).clone()
    }

    fn evaluate(
        &self,
        event: Option<&regorus::Value>,
        resource: &regorus::Value,
    ) -> Result<Vec<Violation>, String> {
        let mut vm = RegoVM::new();
        vm.set_max_instructions(self.limits.policy_instructions_max);
        vm.set_execution_timer_config(Some(regorus::utils::limits::ExecutionTimerConfig {
            limit: Duration::from_millis(self.limits.policy_time_max_ms),
            // One multiplication of large numbers can outlast all instructions before it.
            check_interval: NonZeroU32::MIN,
        }));
        vm.load_program(self.program()?);
        let mut input = BTreeMap::new();
        input.insert(regorus::Value::from("resource"), resource.clone());
        input.insert(regorus::Value::from("params"), self.params.clone());
        if let Some(event) = event {
            input.insert(regorus::Value::from("event"), event.clone());
        }
        vm.set_input(regorus::Value::from(input));
        let verdict = vm.execute().map_err(|it| it.to_string())?;
        builtins::within_limit(std::slice::from_ref(&verdict)).map_err(|it| it.to_string())?;
        let regorus::Value::Set(set) = verdict else {
            return Err(format!("`deny` is not a set: {verdict}"));
        };
        set.iter().map(violation).collect()
    }
}

/// Whether a parameter may take the place of its default: a number for a number, a list of
/// numbers for a list of numbers; an empty list is one of texts. A value of another kind would
/// compare unequal to everything and silently switch a policy off.
fn alike(default: &Value, value: &Value) -> bool {
    match (default, value) {
        (Value::Null, _)
        | (Value::Bool(_), Value::Bool(_))
        | (Value::Number(_), Value::Number(_))
        | (Value::String(_), Value::String(_)) => true,
        (Value::Array(defaults), Value::Array(values)) => {
            let text = Value::String(String::new());
            let of = defaults.first().unwrap_or(&text);
            values.iter().all(|value| alike(of, value))
        }
        (Value::Object(defaults), Value::Object(values)) => values
            .iter()
            .all(|(key, value)| defaults.get(key).is_none_or(|default| alike(default, value))),
        _ => false,
    }
}

fn violation(value: &regorus::Value) -> Result<Violation, String> {
    let json = value.to_json_str().map_err(|it| it.to_string())?;
    serde_json::from_str(&json).map_err(|it| format!("`deny` holds {json}: {it}"))
}

fn compile_rego(id: &str, rego: &str) -> Result<Arc<Program>, PolicyLoadError> {
    let fail = |it: &dyn std::fmt::Display| PolicyLoadError::Rego(format!("{it:#}"));
    let mut engine = regorus::Engine::new();
    let package =
        engine.add_policy("policy.rego".to_owned(), rego.to_owned()).map_err(|it| fail(&it))?;
    let wanted = format!("data.quell.{id}");
    if package != wanted {
        return Err(PolicyLoadError::Package {
            id: id.to_owned(),
            found: package.trim_start_matches("data.").to_owned(),
            wanted: format!("quell.{id}"),
        });
    }
    let entry = format!("{wanted}.deny");
    let compiled =
        engine.compile_with_entrypoint(&entry.as_str().into()).map_err(|it| fail(&it))?;
    let mut compiled =
        Compiler::compile_from_policy(&compiled, &[&entry]).map_err(|it| fail(&it))?;
    program::confine(Arc::make_mut(&mut compiled)).map_err(PolicyLoadError::Rego)?;
    Ok(compiled)
}
