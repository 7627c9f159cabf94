//! Which findings a rule speaks of. An empty list means any.

use crate::detect::{Cause, Finding};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A filter over findings. Every field that is given must match; texts may hold `*`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Scope {
    /// Policy ids, such as `aws.s3.*`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<String>,
    /// Account ids.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<String>,
    /// Regions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<String>,
    /// Resource ids: bucket names, group ids, ARNs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// Elements within a resource, as findings name them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub elements: Vec<String>,
    /// Callers: role or user ARNs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub actors: Vec<String>,
    /// Tags that the resource must bear, by key.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

impl Scope {
    /// Whether the scope leaves nothing out: it names nothing, or `*` alone.
    pub fn covers_all(&self) -> bool {
        let stars = |it: &String| !it.is_empty() && it.bytes().all(|it| it == b'*');
        let lists = [
            &self.policies,
            &self.accounts,
            &self.regions,
            &self.resources,
            &self.elements,
            &self.actors,
        ];
        // A tag must be there, whatever its value.
        self.tags.is_empty() && lists.iter().all(|it| it.is_empty() || it.iter().any(stars))
    }

    /// Whether the scope covers a finding.
    pub fn covers(&self, finding: &Finding, tags: &BTreeMap<String, String>) -> bool {
        let any = |wanted: &[String], found: &str| {
            wanted.is_empty() || wanted.iter().any(|it| glob(it, found))
        };
        any(&self.policies, &finding.policy)
            && any(&self.accounts, &finding.resource.account)
            && any(&self.regions, &finding.resource.region)
            && any(&self.resources, &finding.resource.id)
            && any(&self.elements, &finding.element)
            && any(&self.actors, actor(finding))
            && self.tags.iter().all(|(key, it)| tags.get(key).is_some_and(|tag| glob(it, tag)))
    }
}

/// Who caused a finding; empty where no event did.
pub fn actor(finding: &Finding) -> &str {
    match &finding.cause {
        Cause::Event { actor, .. } => actor,
        Cause::Scan => "",
    }
}

/// Whether `text` fits `pattern`, in which `*` stands for any run of characters.
pub fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let mut parts: Vec<_> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    let mut rest = rest;
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else {
            return false;
        };
        rest = after;
    }
    rest.ends_with(last)
}
