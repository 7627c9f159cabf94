//! Puts planned resources before the policies, as a read would be, with the exemptions of run time.

use super::blocks::Blocks;
use super::inputs::Input;
use super::notes::{self, whole};
use jiff::Timestamp;
use quell_core::change::digest;
use quell_core::decide::guardrails::Guardrails;
use quell_core::detect::{Cause, Detection, Finding, detect};
use quell_core::plan::{Declared, Intent, Plan};
use quell_core::policy::Policy;
use quell_core::report::{Entry, Report, Rule, Verdict};
use quell_core::resource::{Part, Planned, ResourceRef, Trust};
use quell_library::folder::BUILT_IN;
use quell_library::{Library, planned, resource};
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
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

/// What cannot be known of a resource on which the same policy found something.
///
/// A finding says enough as long as it counts: what is unknown beside it is not told. Where it is
/// excused or has no effect, nobody has excused what is unknown beside it, such as a second policy
/// of a role whose ARN nobody knows yet.
#[derive(Debug, Default)]
pub struct Behind {
    entries: Vec<Entry>,
    /// The fingerprints of those that a report holds.
    shown: BTreeSet<String>,
}

impl Behind {
    /// Puts them into the report, where ignores and a baseline find them.
    pub fn show(&mut self, report: &mut Report) {
        if self.entries.is_empty() {
            return;
        }
        let told: BTreeSet<String> = report.entries.iter().map(Entry::fingerprint).collect();
        for entry in self.entries.drain(..) {
            let fingerprint = entry.fingerprint();
            if !told.contains(&fingerprint) && self.shown.insert(fingerprint) {
                report.entries.push(entry);
            }
        }
    }

    /// Takes out of the report those that are excused, and those behind what counts.
    pub fn settle(&self, report: &mut Report) {
        if self.shown.is_empty() {
            return;
        }
        let is_ours = |it: &Entry| self.shown.contains(&it.fingerprint());
        let about = |it: &Entry| (it.rule.id.clone(), it.resource.clone());
        let has_effect = |it: &&Entry| it.rule.severity <= it.severity;
        let counts = report.entries.iter().filter(|it| it.verdict.excuse().is_none());
        let counts: BTreeSet<(String, ResourceRef)> =
            counts.filter(has_effect).filter(|it| !is_ours(it)).map(about).collect();
        report.entries.retain(|it| {
            !is_ours(it) || (it.verdict == Verdict::Unknown && !counts.contains(&about(it)))
        });
    }
}

impl Judge<'_> {
    /// Judges all inputs.
    pub fn judge(&self, inputs: &[Input]) -> Report {
        self.judge_whole(inputs).0
    }

    /// Judges all inputs, and tells also what is unknown behind what was found.
    pub fn judge_whole(&self, inputs: &[Input]) -> (Report, Behind) {
        let mut behind = Behind::default();
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
            let Judged { resources, mut entries, behind: of_behind } = of_input.judge(&input.plan);
            let perhaps = of_input.without_instances(&entries);
            entries.extend(perhaps);
            report.resources += resources;
            report.entries.extend(entries);
            behind.entries.extend(of_behind);
            notes::tell(input, &mut report);
        }
        (report, behind)
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

/// What came of one plan.
#[derive(Default)]
struct Judged {
    /// How many resources were judged.
    resources: usize,
    /// What is not plainly compliant.
    entries: Vec<Entry>,
    /// What is unknown behind these.
    behind: Vec<Entry>,
}

impl OfInput<'_> {
    /// Judges what a plan declares, on every core.
    fn judge(&self, plan: &Plan) -> Judged {
        let (blocks, states) = (Blocks::of(plan), self.judge.states(plan));
        let judged: Vec<Judged> = states.par_iter().map(|it| self.judge_one(it, &blocks)).collect();
        let mut all = Judged { resources: states.len(), ..Judged::default() };
        for it in judged {
            all.entries.extend(it.entries);
            all.behind.extend(it.behind);
        }
        all
    }

    fn judge_one(&self, planned: &Planned, blocks: &Blocks<'_>) -> Judged {
        let mut judged = Judged::default();
        let policies = self.judge.library.policies().iter();
        let policies: Vec<&Policy> =
            policies.filter(|it| it.meta().judges(&planned.state.resource.kind)).collect();
        let detection = detect(&policies, None, &planned.state);
        for policy in policies {
            let Some(rule) = self.rules.get(policy.id()) else { continue };
            let entries = |(finding, verdict): (Finding, Verdict)| -> Vec<Entry> {
                let verdict = self.exempt(&finding, planned, verdict);
                let parts = planned.parts_of(&finding.element, &policy.meta().reads);
                let told =
                    |part| self.entry(rule, part, blocks, (finding.clone(), verdict.clone()));
                parts.into_iter().map(told).collect()
            };
            let unseen = behind(policy, planned, &detection).map(&entries);
            judged.behind.extend(unseen.into_iter().flatten());
            let said = said(policy, planned, &detection);
            judged.entries.extend(said.into_iter().flat_map(entries));
        }
        judged
    }

    /// The verdict, unless an exemption covers it.
    fn exempt(&self, finding: &Finding, planned: &Planned, verdict: Verdict) -> Verdict {
        let mut exemptions = self.judge.guardrails.exemptions.iter();
        let (tags, now) = (&planned.state.tags, self.judge.now);
        match exemptions.find(|it| verdict.is_excusable() && it.covers(finding, tags, now)) {
            None => verdict,
            Some(it) => Verdict::Exempt {
                id: it.id.clone(),
                owner: it.owner.clone(),
                reason: it.reason.clone(),
                expires: it.expires,
            },
        }
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
        let mut entries = self.judge(&plan).entries;
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

/// What a policy reads and nobody can know, where it found something all the same.
fn behind(policy: &Policy, planned: &Planned, detection: &Detection) -> Option<(Finding, Verdict)> {
    if !detection.findings.iter().any(|it| it.policy == policy.id()) {
        return None;
    }
    let reads = policy.meta().reads.iter();
    let unseen = reads.filter(|it| planned.state.unknown.contains(*it));
    let unseen = unseen.map(String::as_str).collect::<Vec<_>>().join(", ");
    let reason = format!("{unseen} cannot be known from the code");
    (!unseen.is_empty()).then(|| (told(policy, planned, &unseen, reason), Verdict::Unknown))
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
