//! Puts planned resources before the policies, as a read would be, with the exemptions of run time.

use super::blocks::Blocks;
use super::inputs::Input;
use super::notes::{self, whole};
use jiff::Timestamp;
use quell_core::change::digest;
use quell_core::decide::guardrails::Guardrails;
use quell_core::detect::{Cause, Detection, Finding, detect};
use quell_core::exemption::Exemption;
use quell_core::plan::{Declared, Intent, Plan};
use quell_core::policy::Policy;
use quell_core::report::{Entry, Report, Rule, Verdict};
use quell_core::resource::{Part, Planned, Trust};
use quell_library::folder::BUILT_IN;
use quell_library::{Library, planned, resource};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The policy's page, before its heading.
const PAGE: &str = "https://github.com/quell-security/quell/blob/main/docs/reference/policies.md";
/// What stands in an address for an unknown number of instances.
const INSTANCES: &str = "[*]";

/// Everything that judges.
#[derive(Debug)]
pub struct Judge<'a> {
    /// The enabled policies.
    pub library: &'a Library,
    /// Whom the owner trusts.
    pub trust: &'a Trust,
    /// The exemptions.
    pub guardrails: &'a Guardrails,
    /// Whether what deploying does not change is judged, too.
    pub all: bool,
    /// The time, by which exemptions end.
    pub now: Timestamp,
}

impl Judge<'_> {
    /// Judges all inputs.
    pub fn judge(&self, inputs: &[Input]) -> Report {
        let rules = rules(self.library);
        let mut report = Report {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            time: self.now,
            resources: 0,
            rules: rules.values().cloned().collect(),
            entries: Vec::new(),
            problems: Vec::new(),
        };
        for input in inputs {
            let of_input = OfInput { judge: self, input, rules: &rules };
            let (resources, mut entries) = of_input.judge(&input.plan);
            let perhaps = of_input.without_instances(&entries);
            entries.extend(perhaps);
            report.resources += resources;
            report.entries.extend(entries);
            notes::tell(input, &mut report);
        }
        report
    }

    /// The resources of a plan that are judged, as the policies see them.
    pub fn states(&self, plan: &Plan) -> Vec<Planned> {
        let mut states = planned(plan);
        states.retain_mut(|it| {
            let changes = matches!(it.intent, Intent::Create | Intent::Update);
            let Some(kind) = resource(&it.state.resource.kind) else { return false };
            if !changes && !self.all {
                return false;
            }
            it.state.observed = self.now;
            it.state.facts = kind.facts(&it.state, self.trust);
            true
        });
        states
    }
}

/// What a report says of each policy.
pub fn rules(library: &Library) -> BTreeMap<&str, Arc<Rule>> {
    let policies = library.policies().iter().zip(library.folders());
    policies
        .map(|(policy, folder)| {
            let heading = policy.id().replace('.', "");
            let link = (folder.place == BUILT_IN).then(|| format!("{PAGE}#{heading}"));
            (policy.id(), Arc::new(Rule::of(policy.meta(), link)))
        })
        .collect()
}

/// One input before the policies.
struct OfInput<'a> {
    judge: &'a Judge<'a>,
    input: &'a Input,
    rules: &'a BTreeMap<&'a str, Arc<Rule>>,
}

impl OfInput<'_> {
    /// Judges what a plan declares: how many resources that are, and what is not plainly compliant.
    fn judge(&self, plan: &Plan) -> (usize, Vec<Entry>) {
        let blocks = Blocks::of(plan);
        let (states, mut entries) = (self.judge.states(plan), Vec::new());
        for planned in &states {
            self.judge_one(planned, &blocks, &mut entries);
        }
        (states.len(), entries)
    }

    fn judge_one(&self, planned: &Planned, blocks: &Blocks<'_>, entries: &mut Vec<Entry>) {
        let policies = self.judge.library.policies().iter();
        let policies: Vec<&Policy> =
            policies.filter(|it| it.meta().judges(&planned.state.resource.kind)).collect();
        let detection = detect(&policies, None, &planned.state);
        for policy in policies {
            let Some(rule) = self.rules.get(policy.id()) else { continue };
            let said = said(policy, planned, &detection).into_iter();
            let mut said: Vec<(Finding, Verdict)> =
                said.map(|(finding, it)| self.exempted(finding, planned, it)).collect();
            let rest = beside_exempt(policy, planned, &said);
            said.extend(rest.map(|(finding, it)| self.exempted(finding, planned, it)));
            for (finding, verdict) in said {
                for part in planned.parts_of(&finding.element, &policy.meta().reads) {
                    let told = (finding.clone(), verdict.clone());
                    entries.push(self.entry(rule, part, blocks, told));
                }
            }
        }
    }

    /// The verdict, unless an exemption covers it.
    fn exempted(
        &self,
        finding: Finding,
        planned: &Planned,
        verdict: Verdict,
    ) -> (Finding, Verdict) {
        let mut exemptions = self.judge.guardrails.exemptions.iter();
        let (tags, now) = (&planned.state.tags, self.judge.now);
        let covers = |it: &&Exemption| verdict.is_excusable() && it.covers(&finding, tags, now);
        let verdict = match exemptions.find(covers) {
            None => verdict,
            Some(it) => Verdict::Exempt {
                id: it.id.clone(),
                owner: it.owner.clone(),
                reason: it.reason.clone(),
                expires: it.expires,
            },
        };
        (finding, verdict)
    }

    fn entry(
        &self,
        rule: &Arc<Rule>,
        part: Part,
        blocks: &Blocks<'_>,
        (finding, verdict): (Finding, Verdict),
    ) -> Entry {
        let block = part.at.as_ref().and_then(|it| blocks.around(it));
        Entry {
            rule: Arc::clone(rule),
            severity: finding.severity,
            verdict,
            resource: finding.resource,
            address: Some(part.address),
            place: Some(part.at.unwrap_or_else(|| whole(&self.input.file))),
            end: None,
            block,
            element: finding.element,
            reason: finding.reason,
            evidence: finding.evidence,
            patch: None,
        }
    }

    /// What is told, or told worse, only where the declarations are not there of which nobody knows
    /// how many instances there will be. They may be what protects.
    fn without_instances(&self, told: &[Entry]) -> Vec<Entry> {
        let is_perhaps = |it: &Declared| it.address.contains(INSTANCES);
        if !self.input.plan.declared.iter().any(is_perhaps) {
            return Vec::new();
        }
        let mut plan = self.input.plan.clone();
        plan.declared.retain(|it| !is_perhaps(it));
        let mut worst = BTreeMap::new();
        for it in told {
            let severity = worst.entry(it.fingerprint()).or_insert(it.severity);
            *severity = it.severity.max(*severity);
        }
        let mut entries = self.judge(&plan).1;
        entries.retain(|it| worst.get(&it.fingerprint()).is_none_or(|told| *told < it.severity));
        for it in entries.iter_mut().filter(|it| it.verdict.is_excusable()) {
            it.verdict = Verdict::Unknown;
            it.reason.push_str("; it hangs on how many instances something else has");
        }
        entries
    }
}

/// What a policy says: its findings, and what nobody could say.
fn said(policy: &Policy, planned: &Planned, detection: &Detection) -> Vec<(Finding, Verdict)> {
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

/// What nobody can say beside findings that are all exempt. Beside others, it would change nothing.
fn beside_exempt(
    policy: &Policy,
    planned: &Planned,
    said: &[(Finding, Verdict)],
) -> Option<(Finding, Verdict)> {
    let reads = policy.meta().reads.iter().map(String::as_str);
    let unseen: Vec<&str> = reads.filter(|it| planned.state.unknown.contains(*it)).collect();
    let unseen = unseen.join(", ");
    let is_exempt = |(_, it): &(Finding, Verdict)| matches!(it, Verdict::Exempt { .. });
    let is_told = said.iter().any(|(finding, _)| finding.element == unseen);
    if unseen.is_empty() || said.is_empty() || is_told || !said.iter().all(is_exempt) {
        return None;
    }
    let reason = format!("{unseen} cannot be known from the code");
    Some((told(policy, planned, &unseen, reason), Verdict::Unknown))
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
