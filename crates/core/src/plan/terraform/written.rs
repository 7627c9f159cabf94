//! A plan as Terraform writes it: only what is used, every key optional that some version lacks.
//!
//! Source: "JSON Output Format" in the Terraform documentation, format versions 0.1 to 1.2.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use std::collections::BTreeMap;

/// What tells whether a document is a plan at all.
#[derive(Debug, Deserialize)]
pub(super) struct Head {
    pub format_version: Option<String>,
    pub planned_values: Option<IgnoredAny>,
    pub resource_changes: Option<IgnoredAny>,
    /// Of a state: `terraform show -json` without a plan's file.
    pub values: Option<IgnoredAny>,
}

/// The whole plan but for what says the same a second time.
#[derive(Debug, Deserialize)]
pub(super) struct Written {
    pub variables: Option<BTreeMap<String, Variable>>,
    pub resource_changes: Option<Vec<ResourceChange>>,
    pub prior_state: Option<PriorState>,
    pub configuration: Option<Configuration>,
}

/// What a plan without `resource_changes` is read from.
#[derive(Debug, Deserialize)]
pub(super) struct PlannedOnly {
    pub planned_values: Option<Values>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Variable {
    pub value: Option<Value>,
    pub default: Option<Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ResourceChange {
    pub address: String,
    pub module_address: Option<String>,
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// An object that its replacement left behind: it is no longer the resource's.
    pub deposed: Option<String>,
    pub change: Option<Change>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Change {
    pub actions: Option<Vec<String>>,
    pub before: Option<Value>,
    pub after: Option<Value>,
    pub after_unknown: Option<Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct PriorState {
    pub values: Option<Values>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Values {
    pub root_module: Option<ModuleValues>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct ModuleValues {
    pub address: Option<String>,
    pub resources: Option<Vec<ResourceValues>>,
    pub child_modules: Option<Vec<ModuleValues>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ResourceValues {
    pub address: String,
    pub mode: Option<String>,
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub values: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Configuration {
    pub provider_config: Option<BTreeMap<String, ProviderConfig>>,
    pub root_module: Option<ModuleConfig>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ProviderConfig {
    pub expressions: Option<BTreeMap<String, Value>>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct ModuleConfig {
    pub outputs: Option<BTreeMap<String, Output>>,
    pub resources: Option<Vec<ResourceConfig>>,
    pub module_calls: Option<BTreeMap<String, ModuleCall>>,
    pub variables: Option<BTreeMap<String, Variable>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Output {
    pub expression: Option<Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ResourceConfig {
    pub address: String,
    pub expressions: Option<BTreeMap<String, Value>>,
    pub for_each_expression: Option<Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ModuleCall {
    pub expressions: Option<BTreeMap<String, Value>>,
    pub for_each_expression: Option<Value>,
    pub module: Option<ModuleConfig>,
}
