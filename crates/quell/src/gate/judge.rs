//! Puts planned resources before the policies, as a read would be, with the exemptions and modes of
//! run time.

use super::inputs::Input;
use jiff::Timestamp;
use quell_core::change::digest;
use quell_core::decide::guardrails::Guardrails;
use quell_core::detect::{Cause, Detection, Finding, detect};
use quell_core::plan::{Intent, Place};
use quell_core::policy::{Mode, Policy, Severity};
use quell_core::resource::{Part, Planned, ResourceRef, Trust};
use quell_library::{Library, planned, resource};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Everything that judges.
#[derive(Debug)]
pub struct Judge<'a> {
    /// The enabled policies.
    pub library: &'a Library,
    /// Whom the owner trusts.
    pub trust: &'a Trust,
    /// Exemptions and modes.
    pub guardrails: &'a Guardrails,
    /// Whether what deploying does not change is judged, too.
    pub all: bool,
    /// The time, by which exemptions end.
    pub now: Timestamp,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Judged {
    /// How many resources were judged.
    pub resources: usize,
    /// What is not plainly compliant, in the order of the inputs.
    pub entries: Vec<Entry>,
    /// What could not be understood; what hangs on it is unknown.
    pub notes: Vec<Note>,
}

/// One policy's verdict on one element of one planned resource.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    /// What became of it.
    pub verdict: Verdict,
    /// The policy's id.
    pub policy: String,
    /// A line that says what is wrong when it is violated.
    pub title: String,
    /// How bad it is, or would be.
    pub severity: Severity,
    /// The file or folder that was judged, as its user named it.
    pub file: String,
    /// What the code calls the declaration.
    pub address: String,
    /// Where it is written, if that is known.
    pub place: Option<Place>,
    /// The resource.
    pub resource: ResourceRef,
    /// Which element of it, as the policy names it; for an unknown, what is not known.
    pub element: String,
    /// Why, in one sentence.
    pub reason: String,
    /// What the policy saw.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub evidence: Value,
    /// The controls that a violation breaks, by framework.
    pub controls: BTreeMap<String, Vec<String>>,
    /// The policy's page.
    pub docs: String,
    /// What would be done about it at run time.
    pub mode: Mode,
    /// The same for the same violation, whatever else changes in the code.
    pub fingerprint: String,
}

/// What became of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// The policy is violated.
    Violation,
    /// The verdict hangs on a value that is not known yet.
    Unknown,
    /// The policy could not be evaluated. Nothing excuses that.
    Error,
    /// An exemption covers it.
    Exempt {
        /// The exemption's id.
        id: String,
        /// Who owns the risk.
        owner: String,
        /// Why it is taken.
        reason: String,
        /// When it ends.
        expires: Timestamp,
    },
    /// It was there when the baseline was written.
    Baselined {
        /// Whether it is an unknown.
        unknown: bool,
    },
}

/// Something in the code that could not be understood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    /// The file or folder that was judged.
    pub file: String,
    /// Where, if that is known.
    pub at: Option<Place>,
    /// What, in one sentence.
    pub problem: String,
}

impl Judge<'_> {
    /// Judges all inputs.
    pub fn judge(&self, inputs: &[Input]) -> Judged {
        let mut judged = Judged::default();
        for input in inputs {
            let file = input.file.clone();
            judged.notes.extend(input.plan.notes.iter().map(|it| Note {
                file: file.clone(),
                at: it.at.clone(),
                problem: it.problem.clone(),
            }));
            for it in planned(&input.plan) {
                let changes = matches!(it.intent, Intent::Create | Intent::Update);
                if changes || self.all {
                    self.judge_one(&input.file, it, &mut judged);
                }
            }
        }
        judged
    }

    fn judge_one(&self, file: &str, mut planned: Planned, judged: &mut Judged) {
        let state = &mut planned.state;
        state.observed = self.now;
        let Some(kind) = resource(&state.resource.kind) else { return };
        state.facts = kind.facts(state, self.trust);
        let policies = self.library.policies().iter();
        let policies: Vec<&Policy> =
            policies.filter(|it| it.meta().judges(&planned.state.resource.kind)).collect();
        judged.resources += 1;
        let detection = detect(&policies, None, &planned.state);
        for policy in policies {
            let entries = entries(policy, &planned, &detection);
            for (finding, verdict) in entries {
                for part in planned.parts_of(&finding.element, &policy.meta().reads) {
                    let told = (finding.clone(), verdict.clone());
                    judged.entries.push(self.entry(file, policy, &planned, part, told));
                }
            }
        }
    }

    fn entry(
        &self,
        file: &str,
        policy: &Policy,
        planned: &Planned,
        part: Part,
        (finding, verdict): (Finding, Verdict),
    ) -> Entry {
        let meta = policy.meta();
        let tags = &planned.state.tags;
        let mode = self.guardrails.modes.of(&finding, tags, meta.highest_mode).0;
        let exemptions = self.guardrails.exemptions.iter();
        let exemption = exemptions
            .filter(|_| verdict != Verdict::Error)
            .find(|it| it.covers(&finding, tags, self.now));
        let verdict = exemption.map_or(verdict, |it| Verdict::Exempt {
            id: it.id.clone(),
            owner: it.owner.clone(),
            reason: it.reason.clone(),
            expires: it.expires,
        });
        Entry {
            verdict,
            policy: finding.policy,
            title: meta.title.clone(),
            severity: finding.severity,
            file: file.to_owned(),
            fingerprint: digest(&[policy.id(), &part.address, &finding.element]),
            address: part.address,
            place: part.at,
            resource: finding.resource,
            element: finding.element,
            reason: finding.reason,
            evidence: finding.evidence,
            controls: meta.controls.clone(),
            docs: format!("docs/reference/policies.md#{}", policy.id().replace('.', "")),
            mode,
        }
    }
}

/// What a policy says: its findings, and what nobody could say.
fn entries(policy: &Policy, planned: &Planned, detection: &Detection) -> Vec<(Finding, Verdict)> {
    let of_policy = |it: &&Finding| it.policy == policy.id();
    let mut entries: Vec<(Finding, Verdict)> = Vec::new();
    for finding in detection.findings.iter().filter(of_policy) {
        let mut finding = finding.clone();
        let verdict = match finding.indeterminate.take() {
            None => Verdict::Violation,
            Some(unknown) => {
                finding.reason =
                    format!("{}; it hangs on what is unknown: {unknown}", finding.reason);
                Verdict::Unknown
            }
        };
        entries.push((finding, verdict));
    }
    for (_, unseen) in detection.indeterminate.iter().filter(|(it, _)| it == policy.id()) {
        let unseen = unseen.join(", ");
        let reason = format!("{unseen} cannot be known from the code");
        entries.push((told(policy, planned, &unseen, reason), Verdict::Unknown));
    }
    for error in detection.errors.iter().filter(|it| it.policy == policy.id()) {
        entries.push((told(policy, planned, "policy", error.to_string()), Verdict::Error));
    }
    if entries.is_empty() && policy.meta().require_explicit {
        let reads = policy.meta().reads.iter();
        for property in reads.filter(|it| planned.defaults.contains(*it)) {
            let reason = format!("{property} is not declared, and this policy takes no default");
            entries.push((told(policy, planned, property, reason), Verdict::Violation));
        }
    }
    entries
}

/// A finding of the gate's own, in the form of a policy's.
fn told(policy: &Policy, planned: &Planned, element: &str, reason: String) -> Finding {
    let resource = planned.state.resource.clone();
    let key = digest(&[policy.id(), &resource.to_string(), element]);
    Finding {
        uid: key.clone(),
        key,
        policy: policy.id().to_owned(),
        severity: policy.meta().severity,
        resource,
        element: element.to_owned(),
        reason,
        latent: false,
        indeterminate: None,
        approval: None,
        notify_only: None,
        evidence: Value::Null,
        cause: Cause::Scan,
        time: planned.state.observed,
    }
}
