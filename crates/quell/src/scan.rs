//! The scan: every resource that the enabled policies judge, looked at without an event.
//!
//! Events get lost, policies change, and what was there before Quell came has no event at all. So
//! each watched account and region is gone through, type by type and resource by resource, and each
//! resource takes the very path that an event would have led it to: read, judge, decide, enact,
//! record. A finding has the same key whichever way it was found, and work on a resource has one
//! turn, so a scan beside live events acts once.
//!
//! What could not be listed or read is counted as an error and recorded; it is never compliant, and
//! its findings stand. Findings whose resource is gone are closed, since open findings are looked
//! at beside what the listing tells.
//!
//! Deliberately absent: going on where a scan stopped, several at a time, and limits of calls per
//! second; a scan that runs out of time says where.

use crate::journal::JournalError;
use crate::pipeline::{Pipeline, PipelineError};
use jiff::Timestamp;
use quell_core::event::CloudScope;
use quell_core::history::Status;
use quell_core::policy::{Policy, Severity};
use quell_core::resource::{ResourceRef, home_region, is_home, partition};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Most findings, and most errors, that a report tells one by one; all of them are counted.
pub const REPORTED_MAX: usize = 1_000;

/// What is scanned.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct What {
    /// Accounts; none means every watched one.
    pub accounts: Vec<String>,
    /// Regions; none means every watched one, and the home of global services.
    pub regions: Vec<String>,
    /// When no further resource is begun, if ever.
    pub until: Option<Timestamp>,
}

/// One step: all resources of a type in an account and region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Where.
    pub place: CloudScope,
    /// CloudFormation type.
    #[serde(rename = "type")]
    pub kind: String,
}

/// What a scan saw and did.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct ScanReport {
    /// Steps that were made to their end.
    pub steps: usize,
    /// Resources that were read and judged, or found gone.
    pub resources: usize,
    /// Violations that were found, fixed by now or not.
    pub violations: usize,
    /// How many of these are fixed now.
    pub corrected: usize,
    /// Findings that were open and are closed now: their resource is compliant or gone.
    pub resolved: usize,
    /// What could not be listed, read or recorded.
    pub errors: usize,
    /// Where it stopped because its time was over; `None` where it came to its end.
    pub stopped: Option<Stopped>,
    /// The violations, up to [`REPORTED_MAX`].
    pub found: Vec<Found>,
    /// The errors, up to [`REPORTED_MAX`].
    pub failed: Vec<Failed>,
}

/// A violation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Found {
    /// [`quell_core::detect::Finding::key`].
    pub key: String,
    /// Id of the policy.
    pub policy: String,
    /// How bad it is.
    pub severity: Severity,
    /// What violates.
    pub resource: ResourceRef,
    /// Why.
    pub reason: String,
    /// Where it stands now.
    pub status: Status,
}

/// Something that could not be seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failed {
    /// At which step.
    pub step: Step,
    /// The resource; `None` where the listing failed.
    pub resource: Option<String>,
    /// Why.
    pub error: String,
}

/// Where a scan stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stopped {
    /// The step that it did not end.
    pub step: Step,
    /// The resource that was not begun; `None` where nothing of the step was.
    pub before: Option<String>,
}

/// Goes through everything. `told` hears of each step before it is made, with the report so far.
///
/// # Errors
///
/// Only the ledger's: without it, nothing may be done. All else is in the report.
pub async fn scan(
    pipeline: &Pipeline,
    what: &What,
    told: &(dyn Fn(&Step, &ScanReport) + Sync),
) -> Result<ScanReport, JournalError> {
    let mut report = ScanReport::default();
    // What other writers found open is closed here, too.
    pipeline.journal.load().await?;
    for (step, policies) in steps(pipeline, what) {
        told(&step, &report);
        if is_over(pipeline, what) {
            report.stopped = Some(Stopped { step, before: None });
            return Ok(report);
        }
        match pipeline.world.list(&step.kind, &step.place).await {
            Ok(listed) => {
                let resources = with_open_findings(pipeline, &step, &policies, listed);
                for resource in resources {
                    if is_over(pipeline, what) {
                        report.stopped = Some(Stopped { step, before: Some(resource.id) });
                        return Ok(report);
                    }
                    look(pipeline, &step, &resource, &policies, &mut report).await?;
                }
                report.steps += 1;
            }
            Err(error) => {
                let CloudScope { account, region } = &step.place;
                let message = format!("{} in {account} {region}: {error}", step.kind);
                pipeline.unseen(message, None).await?;
                report.fail(&step, None, error.to_string());
            }
        }
    }
    Ok(report)
}

/// The places that a scan goes through, global resources' home among them.
pub fn places(pipeline: &Pipeline, what: &What) -> BTreeSet<CloudScope> {
    let mut places: BTreeSet<CloudScope> = pipeline.world.places().into_iter().collect();
    let homes: Vec<CloudScope> = places
        .iter()
        .map(|it| CloudScope {
            account: it.account.clone(),
            region: home_region(partition(&it.region)).to_owned(),
        })
        .collect();
    places.extend(homes);
    let any = |wanted: &[String], it: &String| wanted.is_empty() || wanted.contains(it);
    places.retain(|it| any(&what.accounts, &it.account) && any(&what.regions, &it.region));
    places
}

/// Account by account, region by region, type by type, each with the policies that judge it.
fn steps<'a>(pipeline: &'a Pipeline, what: &What) -> Vec<(Step, Vec<&'a Policy>)> {
    let watched: BTreeSet<CloudScope> = pipeline.world.places().into_iter().collect();
    let mut kinds: BTreeMap<&str, Vec<&Policy>> = BTreeMap::new();
    for policy in pipeline.library.policies() {
        for (kind, _) in policy.meta().resources() {
            kinds.entry(kind).or_default().push(policy);
        }
    }
    let mut steps = Vec::new();
    for place in places(pipeline, what) {
        for (kind, policies) in &kinds {
            let Some(meta) = quell_library::resource(kind).map(|it| it.meta()) else { continue };
            // The home may be no watched region: then it is gone through for global types alone.
            let here = if meta.global { is_home(&place) } else { watched.contains(&place) };
            if here && !meta.is_proven_by_events() {
                let step = Step { place: place.clone(), kind: (*kind).to_owned() };
                steps.push((step, policies.clone()));
            }
        }
    }
    steps
}

fn is_over(pipeline: &Pipeline, what: &What) -> bool {
    what.until.is_some_and(|until| until <= pipeline.clock.now())
}

/// What is there, and what findings say was there.
fn with_open_findings(
    pipeline: &Pipeline,
    step: &Step,
    policies: &[&Policy],
    listed: Vec<ResourceRef>,
) -> BTreeSet<ResourceRef> {
    let mut resources: BTreeSet<ResourceRef> = listed.into_iter().collect();
    let history = pipeline.journal.history();
    let open = history.findings().filter(|it| it.status.is_open()).map(|it| &it.finding);
    let here = open.filter(|it| {
        let (resource, place) = (&it.resource, &step.place);
        resource.kind == step.kind
            && resource.account == place.account
            && resource.region == place.region
            && policies.iter().any(|policy| policy.id() == it.policy)
    });
    resources.extend(here.map(|it| it.resource.clone()));
    resources
}

async fn look(
    pipeline: &Pipeline,
    step: &Step,
    resource: &ResourceRef,
    policies: &[&Policy],
    report: &mut ScanReport,
) -> Result<(), JournalError> {
    let open = open_on(pipeline, resource);
    match pipeline.sweep(resource, policies).await {
        Ok(keys) => {
            report.resources += 1;
            report.resolved += resolved(pipeline, &open);
            for key in &keys {
                report.find(pipeline, key);
            }
        }
        Err(PipelineError::Journal(error @ JournalError::Broken(_))) => return Err(error),
        Err(error) => report.fail(step, Some(resource.id.clone()), error.to_string()),
    }
    Ok(())
}

/// The keys of a resource's findings that stand open.
fn open_on(pipeline: &Pipeline, resource: &ResourceRef) -> Vec<String> {
    let history = pipeline.journal.history();
    let open = history.findings_on(resource).filter(|it| it.status.is_open());
    open.map(|it| it.finding.key.clone()).collect()
}

/// How many of these findings ended without a fix of ours.
fn resolved(pipeline: &Pipeline, keys: &[String]) -> usize {
    let history = pipeline.journal.history();
    let ended = |key: &String| history.finding(key).is_some_and(|it| it.status == Status::Resolved);
    keys.iter().filter(|it| ended(it)).count()
}

impl ScanReport {
    fn find(&mut self, pipeline: &Pipeline, key: &str) {
        self.violations += 1;
        let history = pipeline.journal.history();
        let Some(open) = history.finding(key) else { return };
        self.corrected += usize::from(open.status == Status::Corrected);
        if self.found.len() < REPORTED_MAX {
            self.found.push(Found {
                key: key.to_owned(),
                policy: open.finding.policy.clone(),
                severity: open.finding.severity,
                resource: open.finding.resource.clone(),
                reason: open.finding.reason.clone(),
                status: open.status,
            });
        }
    }

    fn fail(&mut self, step: &Step, resource: Option<String>, error: String) {
        self.errors += 1;
        if self.failed.len() < REPORTED_MAX {
            self.failed.push(Failed { step: step.clone(), resource, error });
        }
    }
}
