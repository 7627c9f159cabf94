//! The scan: every resource that the enabled policies judge, looked at without an event.
//!
//! Events get lost, policies change, and what was there before Quell came has no event at all. So
//! each watched account and region is gone through, type by type and resource by resource, and each
//! resource takes the very path that an event would have led it to: read, judge, decide, enact,
//! record. A finding has the same key whichever way it was found, and work on a resource has one
//! turn, so a scan beside live events acts once.
//!
//! Several resources are looked at side by side (`walk`), each service as fast as it answers
//! ([`pace`]). What stops is gone on with ([`progress`]). Where the policies' text tells which
//! properties they look at, and a type can be read in parts, only these are read; a resource that
//! is not plainly compliant by them is read whole.
//!
//! What could not be listed, read or judged is counted as an error and recorded; it is never
//! compliant, and its findings stand. Findings whose resource is gone are closed, since open
//! findings are looked at beside what the listing tells.

pub mod pace;
pub mod progress;
pub mod report;
mod walk;
pub mod told;

use crate::config::LimitsConfig;
use crate::journal::JournalError;
use crate::pipeline::Pipeline;
use jiff::Timestamp;
use quell_core::event::CloudScope;
use quell_core::policy::Policy;
use quell_core::region::{home_region, partition};
use quell_core::resource::is_home;
use report::ScanReport;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use walk::Walk;

/// Most looks and listings that are under way at once, unless the configuration says otherwise.
pub const AT_ONCE_MAX: usize = 16;

/// What is scanned, and how.
#[derive(Debug, Clone)]
pub struct What {
    /// Accounts; none means every watched one.
    pub accounts: Vec<String>,
    /// Regions; none means every watched one, and the home of global services.
    pub regions: Vec<String>,
    /// When no further resource is begun, if ever.
    pub until: Option<Timestamp>,
    /// Once this is set, no further resource is begun.
    pub stop: Arc<AtomicBool>,
    /// Violations that stood open before then are counted apart, and not told; `None` tells all.
    pub since: Option<Timestamp>,
    /// Whether it goes on where an earlier scan was stopped.
    pub resume: bool,
    /// [`LimitsConfig::scan_at_once_max`].
    pub at_once_max: usize,
    /// [`LimitsConfig::scan_looks_per_s_max`].
    pub looks_per_s_max: u32,
}

impl Default for What {
    fn default() -> What {
        What {
            accounts: Vec::new(),
            regions: Vec::new(),
            until: None,
            stop: Arc::default(),
            since: None,
            resume: false,
            at_once_max: AT_ONCE_MAX,
            looks_per_s_max: pace::LOOKS_PER_S_MAX,
        }
    }
}

impl What {
    /// Everything, within the configured limits.
    pub fn within(limits: &LimitsConfig) -> What {
        What {
            at_once_max: limits.scan_at_once_max,
            looks_per_s_max: limits.scan_looks_per_s_max,
            ..What::default()
        }
    }

    /// Whether nothing may begin at a moment any more.
    fn is_over(&self, at: Timestamp) -> bool {
        self.stop.load(Ordering::Relaxed) || self.until.is_some_and(|until| until <= at)
    }
}

/// One step: all resources of a type in an account and region.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Where.
    pub place: CloudScope,
    /// CloudFormation type.
    #[serde(rename = "type")]
    pub kind: String,
}

/// Hears of each step when its first resource is about to begin, and of each resource when it was
/// looked at, with the report so far.
pub type Told<'a> = &'a (dyn Fn(&Step, &ScanReport) + Sync);

/// Goes through everything.
///
/// # Errors
///
/// Only the ledger's: without it, nothing may be done. All else is in the report.
pub async fn scan(
    pipeline: &Pipeline,
    what: &What,
    told: Told<'_>,
) -> Result<ScanReport, JournalError> {
    // What other writers found open is closed here, too.
    pipeline.journal.load().await?;
    Walk::begin(pipeline, what, told).await?.run().await
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
