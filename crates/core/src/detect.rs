//! Judging: policies × one state → findings and errors. Total: whatever happens, it is said.

use crate::change::digest;
use crate::event::Event;
use crate::policy::{Policy, PolicyError, Severity, Violation};
use crate::resource::{ResourceRef, State};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The most findings one policy may report on one resource; more is an error, not a truncation.
pub const FINDINGS_PER_RESOURCE_MAX: usize = 1_000;

/// A violation of one policy by one element of one resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Unique per occurrence: policy, resource, element and cause.
    pub uid: String,
    /// The same violation whenever and however it is seen: policy, resource and element.
    pub key: String,
    /// Id of the policy.
    pub policy: String,
    /// How bad it is.
    pub severity: Severity,
    /// What violates.
    pub resource: ResourceRef,
    /// Which element of it, as the policy and its action name it.
    pub element: String,
    /// Why, in one sentence, from the policy.
    pub reason: String,
    /// Neutralized by something else at the moment: observed only, at low severity.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub latent: bool,
    /// The unknown that the verdict hangs on, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub indeterminate: Option<String>,
    /// Why a person must approve a fix in any mode, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<String>,
    /// Why nothing but telling people is allowed in any mode, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify_only: Option<String>,
    /// What the policy saw.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub evidence: Value,
    /// What led to the look.
    pub cause: Cause,
    /// When the cause happened.
    pub time: Timestamp,
}

/// What led to the look at a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Cause {
    /// An audit event.
    Event {
        /// Its id.
        uid: String,
        /// Its operation, such as `PutBucketPolicy`.
        operation: String,
        /// [`crate::event::Actor::id`] of the caller.
        actor: String,
    },
    /// A scan, or a retry of what was withheld.
    Scan,
}

/// What [`detect`] found.
#[derive(Debug, Default)]
pub struct Detection {
    /// Violations, in the order of the policies and their elements.
    pub findings: Vec<Finding>,
    /// Policies whose verdict hangs on properties that this clock can't see, with those properties.
    pub indeterminate: Vec<(String, Vec<String>)>,
    /// Policies that failed: never a pass.
    pub errors: Vec<PolicyError>,
}

/// Judges `state` by each of `policies`.
pub fn detect(policies: &[&Policy], event: Option<&Event>, state: &State) -> Detection {
    let mut detection = Detection::default();
    let resource = regorus::Value::from(state.input());
    let envelope = event.map(|it| regorus::Value::from(it.envelope.value().clone()));
    for policy in policies {
        match policy.judge(envelope.as_ref(), &resource) {
            Err(error) => detection.errors.push(error),
            Ok(violations) if FINDINGS_PER_RESOURCE_MAX < violations.len() => {
                detection.errors.push(PolicyError {
                    policy: policy.id().to_owned(),
                    problem: format!(
                        "{} findings on {}; the limit is {FINDINGS_PER_RESOURCE_MAX} findings",
                        violations.len(),
                        state.resource
                    ),
                });
            }
            Ok(violations) => {
                let unseen: Vec<String> = unseen(policy, state);
                if violations.is_empty() && !unseen.is_empty() {
                    detection.indeterminate.push((policy.id().to_owned(), unseen));
                }
                for violation in violations {
                    detection.findings.push(finding(policy, event, state, violation));
                }
            }
        }
    }
    detection
}

fn unseen(policy: &Policy, state: &State) -> Vec<String> {
    policy.meta().reads.iter().filter(|it| state.unknown.contains(*it)).cloned().collect()
}

fn finding(policy: &Policy, event: Option<&Event>, state: &State, violation: Violation) -> Finding {
    let cause = match event {
        Some(it) => Cause::Event {
            uid: it.uid.clone(),
            operation: it.api.operation.clone(),
            actor: it.actor.id().to_owned(),
        },
        None => Cause::Scan,
    };
    let time = event.map_or(state.observed, |it| it.time);
    let resource = &state.resource;
    let key = digest(&[
        policy.id(),
        &resource.kind,
        &resource.id,
        &resource.account,
        &resource.region,
        &violation.element,
    ]);
    let cause_id = match &cause {
        Cause::Event { uid, .. } => uid.clone(),
        Cause::Scan => time.to_string(),
    };
    let declared = violation.severity.unwrap_or(policy.meta().severity);
    Finding {
        uid: digest(&[&key, &cause_id]),
        key,
        policy: policy.id().to_owned(),
        severity: if violation.latent { declared.min(Severity::Low) } else { declared },
        resource: resource.clone(),
        element: violation.element,
        reason: violation.reason,
        latent: violation.latent,
        indeterminate: violation.indeterminate,
        approval: violation.approval,
        notify_only: violation.notify_only,
        evidence: violation.evidence,
        cause,
        time,
    }
}
