//! The walk of a scan: listings a little ahead, looks side by side, each begun in one order.
//!
//! One loop owns everything that changes: it begins what may begin, waits for whatever ends first,
//! and takes in what that saw. So the pace of a service, the report and how far the scan has come
//! need no locks, and nothing is begun once the time is over.

use super::pace::Pace;
use super::progress::{Anew, Mark, Progress, Trail};
use super::report::{ScanReport, Stopped};
use super::{Step, Told, What, steps};
use crate::journal::JournalError;
use crate::pipeline::{Looked, Pipeline, PipelineError};
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use quell_core::change::digest;
use quell_core::event::CloudScope;
use quell_core::history::Status;
use quell_core::policy::Policy;
use quell_core::resource::ResourceRef;
use quell_library::cloud::{CloudError, CloudErrorKind};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Most steps that are listed before their turn comes.
pub(super) const STEPS_AHEAD_MAX: usize = 4;
/// Most times that a throttled look or listing is made.
pub(super) const TRIES_MAX: u32 = 4;
/// After how many looks it is kept how far the scan has come.
pub(super) const LOOKS_PER_KEEP: usize = 200;

/// A scan under way.
pub(super) struct Walk<'a> {
    pipeline: &'a Pipeline,
    what: &'a What,
    told: Told<'a>,
    /// A digest of all steps and policies.
    plan: String,
    began: Timestamp,
    /// The steps that are not made to their end, in their order.
    steps: VecDeque<Ahead<'a>>,
    /// What an earlier scan has come as far as.
    behind: Option<Mark>,
    running: FuturesUnordered<BoxFuture<'a, Done<'a>>>,
    paces: BTreeMap<(CloudScope, String), Pace>,
    trail: Trail,
    looks_since_kept: usize,
    report: ScanReport,
}

/// One step, with the policies that judge its resources.
struct Plan<'a> {
    number: usize,
    step: Step,
    policies: Vec<&'a Policy>,
    /// The properties that the policies look at; `None` where only a whole read will do.
    properties: Option<BTreeSet<String>>,
}

/// A step that is not made to its end.
struct Ahead<'a> {
    plan: Arc<Plan<'a>>,
    listed: Listed,
    is_told: bool,
}

/// What is known of a step's resources.
enum Listed {
    NotYet,
    Asked,
    /// Those that are not begun.
    There(VecDeque<ResourceRef>),
    Failed,
}

/// One look at one resource.
struct Look<'a> {
    plan: Arc<Plan<'a>>,
    resource: ResourceRef,
    /// In the order in which looks begin.
    number: usize,
    tries: u32,
}

/// What has ended.
enum Done<'a> {
    Listing {
        plan: Arc<Plan<'a>>,
        tries: u32,
        began: Timestamp,
        answer: Result<Vec<ResourceRef>, CloudError>,
    },
    Look {
        look: Box<Look<'a>>,
        began: Timestamp,
        /// The keys of the findings that stood open on the resource before.
        open: Vec<String>,
        answer: Result<Looked, PipelineError>,
    },
}

impl<'a> Walk<'a> {
    /// Before the first step, or behind what an earlier scan has done.
    pub(super) async fn begin(
        pipeline: &'a Pipeline,
        what: &'a What,
        told: Told<'a>,
    ) -> Result<Walk<'a>, JournalError> {
        let steps: VecDeque<Ahead<'a>> = plans(pipeline, what);
        let mut walk = Walk {
            pipeline,
            what,
            told,
            plan: plan_of(pipeline, &steps),
            began: pipeline.clock.now(),
            behind: None,
            running: FuturesUnordered::new(),
            paces: BTreeMap::new(),
            trail: Trail::default(),
            looks_since_kept: 0,
            report: ScanReport { steps_in_all: steps.len(), ..ScanReport::default() },
            steps,
        };
        if what.resume {
            let kept = pipeline.journal.kept_scan().await?;
            match Progress::read(kept.as_deref(), &walk.plan, walk.began) {
                Ok(progress) => walk.go_on_from(progress),
                Err(anew) => walk.report.begun_anew = Some(anew.to_string()),
            }
        }
        Ok(walk)
    }

    fn go_on_from(&mut self, progress: Progress) {
        let at = self.steps.iter().position(|it| it.plan.step == progress.after.step);
        let Some(at) = at else {
            self.report.begun_anew = Some(Anew::OtherPlan.to_string());
            return;
        };
        self.steps.drain(..at);
        self.report.steps = at;
        self.began = progress.began;
        self.trail = Trail::behind(progress.after.clone());
        self.report.resumed_after = Some(progress.after.clone());
        self.behind = Some(progress.after);
    }

    /// Goes on until everything is looked at, or the time is over.
    pub(super) async fn run(mut self) -> Result<ScanReport, JournalError> {
        loop {
            let at_once_max = self.what.at_once_max.max(1);
            while self.report.stopped.is_none()
                && self.running.len() < at_once_max
                && self.begin_one()
            {}
            match self.running.next().await {
                Some(done) => self.take(done).await?,
                None => break,
            }
        }
        match self.report.stopped {
            Some(_) => self.keep().await,
            None => self.keep_text(None).await,
        }
        Ok(self.report)
    }

    /// Begins the next listing or look, or ends the first step; `false` where something else must
    /// end before.
    fn begin_one(&mut self) -> bool {
        let may_list = !self.what.is_over(self.pipeline.clock.now());
        let mut ahead = self.steps.iter_mut().take(STEPS_AHEAD_MAX);
        if let Some(next) = ahead.find(|it| may_list && matches!(it.listed, Listed::NotYet)) {
            next.listed = Listed::Asked;
            let plan = Arc::clone(&next.plan);
            self.begin_listing(plan, 1);
            return true;
        }
        let Some(first) = self.steps.front_mut() else { return false };
        if !first.is_told && matches!(first.listed, Listed::There(_) | Listed::Failed) {
            first.is_told = true;
            (self.told)(&first.plan.step, &self.report);
        }
        let plan = Arc::clone(&first.plan);
        match &mut first.listed {
            Listed::Asked => false,
            Listed::NotYet => {
                self.stop(&plan, None);
                false
            }
            Listed::Failed => self.steps.pop_front().is_some(),
            Listed::There(resources) => match resources.pop_front() {
                Some(resource) => self.begin_look(plan, resource),
                None => {
                    self.report.steps += 1;
                    self.steps.pop_front().is_some()
                }
            },
        }
    }

    fn begin_listing(&mut self, plan: Arc<Plan<'a>>, tries: u32) {
        let wait = self.wait(&plan.step);
        let pipeline = self.pipeline;
        self.running.push(Box::pin(async move {
            let began = waited(pipeline, wait).await;
            let answer = pipeline.world.list(&plan.step.kind, &plan.step.place).await;
            Done::Listing { plan, tries, began, answer }
        }));
    }

    /// Begins a look, unless the time is over before it could.
    fn begin_look(&mut self, plan: Arc<Plan<'a>>, resource: ResourceRef) -> bool {
        let wait = self.wait(&plan.step);
        if self.is_over_after(wait) {
            self.stop(&plan, Some(resource.id));
            return false;
        }
        let mark = Mark { step: plan.step.clone(), resource: resource.id.clone() };
        let number = self.trail.begin(mark);
        self.push(Look { plan, resource, number, tries: 1 }, wait);
        true
    }

    fn push(&mut self, look: Look<'a>, wait: Duration) {
        let pipeline = self.pipeline;
        self.running.push(Box::pin(async move {
            let began = waited(pipeline, wait).await;
            let open = open_on(pipeline, &look.resource);
            let Plan { policies, properties, .. } = &*look.plan;
            let answer = pipeline.sweep(&look.resource, policies, properties.as_ref()).await;
            Done::Look { look: Box::new(look), began, open, answer }
        }));
    }

    /// Begins nothing new. What is told is the first thing, in the scan's order, that is left.
    fn stop(&mut self, plan: &Plan<'_>, before: Option<String>) {
        let here = Stopped { step: plan.step.clone(), before };
        if self.report.stopped.as_ref().is_none_or(|it| here < *it) {
            self.report.stopped = Some(here);
        }
    }

    /// Takes in what something saw.
    async fn take(&mut self, done: Done<'a>) -> Result<(), JournalError> {
        match done {
            Done::Listing { plan, tries, began, answer } => {
                if self.must_slow_down(&plan.step, began, answer.as_ref().err())
                    && tries < TRIES_MAX
                {
                    // Where the scan has stopped, it did so before this step.
                    if self.report.stopped.is_none() {
                        self.begin_listing(plan, tries + 1);
                    }
                    return Ok(());
                }
                self.listed(&plan, answer).await
            }
            Done::Look { look, began, open, answer } => {
                let error = match &answer {
                    Err(PipelineError::Cloud { error, .. }) => Some(error),
                    _ => None,
                };
                if self.must_slow_down(&look.plan.step, began, error) && look.tries < TRIES_MAX {
                    let wait = self.wait(&look.plan.step);
                    if self.is_over_after(wait) {
                        // It was not seen, and did not fail: who goes on begins with it.
                        self.stop(&look.plan, Some(look.resource.id.clone()));
                    } else {
                        self.push(Look { tries: look.tries + 1, ..*look }, wait);
                    }
                    return Ok(());
                }
                self.looked(&look, &open, answer).await
            }
        }
    }

    async fn listed(
        &mut self,
        plan: &Plan<'a>,
        answer: Result<Vec<ResourceRef>, CloudError>,
    ) -> Result<(), JournalError> {
        let listed = match answer {
            Ok(listed) => {
                let mut resources = with_open_findings(self.pipeline, plan, listed);
                if let Some(mark) = self.behind.as_ref().filter(|it| it.step == plan.step) {
                    resources.retain(|it| mark.resource < it.id);
                }
                Listed::There(resources.into_iter().collect())
            }
            Err(error) => {
                let CloudScope { account, region } = &plan.step.place;
                let message = format!("{} in {account} {region}: {error}", plan.step.kind);
                self.pipeline.unseen(message, None).await?;
                self.report.fail(&plan.step, None, error.to_string());
                Listed::Failed
            }
        };
        if let Some(ahead) = self.steps.iter_mut().find(|it| it.plan.number == plan.number) {
            ahead.listed = listed;
        }
        Ok(())
    }

    async fn looked(
        &mut self,
        look: &Look<'a>,
        open: &[String],
        answer: Result<Looked, PipelineError>,
    ) -> Result<(), JournalError> {
        let (step, resource) = (&look.plan.step, &look.resource);
        match answer {
            Ok(looked) => {
                self.report.resources += 1;
                self.report.resolved += resolved(self.pipeline, open);
                for key in &looked.found {
                    self.report.find(self.pipeline, self.what.since, key);
                }
                for (policy, problem) in looked.unjudged {
                    let problem = format!("`{policy}`: {problem}");
                    self.report.fail(step, Some(resource.id.clone()), problem);
                }
            }
            Err(PipelineError::Journal(error @ JournalError::Broken(_))) => return Err(error),
            Err(error) => {
                // No source delivers it again. What is not transient, the look recorded itself.
                if let PipelineError::Cloud { error, .. } = &error
                    && error.is_transient()
                {
                    self.pipeline.unseen(error.to_string(), Some(resource)).await?;
                }
                self.report.fail(step, Some(resource.id.clone()), error.to_string());
            }
        }
        (self.told)(step, &self.report);
        self.trail.end(look.number);
        self.looks_since_kept += 1;
        if LOOKS_PER_KEEP <= self.looks_since_kept {
            self.keep().await;
        }
        Ok(())
    }

    /// Sets a service's pace by what it answered. Whether that was "ask less".
    fn must_slow_down(
        &mut self,
        step: &Step,
        began: Timestamp,
        error: Option<&CloudError>,
    ) -> bool {
        let now = self.pipeline.clock.now();
        let is_throttled = error.is_some_and(|it| it.kind == CloudErrorKind::Throttled);
        self.report.throttled += usize::from(is_throttled);
        let pace = self.pace(step);
        if is_throttled {
            pace.throttled(began, now);
            let (CloudScope { account, region }, kind) = (&step.place, &step.kind);
            let looks_per_s = pace.rate();
            tracing::info!(account, region, kind, looks_per_s, "a scan is throttled");
        } else {
            pace.answered();
        }
        is_throttled
    }

    /// How long the next look of a step must wait; it is counted.
    fn wait(&mut self, step: &Step) -> Duration {
        let now = self.pipeline.clock.now();
        self.pace(step).take(now)
    }

    /// The pace of a step's service in its account and region.
    fn pace(&mut self, step: &Step) -> &mut Pace {
        let service = step.kind.split("::").nth(1).unwrap_or_default().to_owned();
        let (now, max) = (self.pipeline.clock.now(), self.what.looks_per_s_max);
        let key = (step.place.clone(), service);
        self.paces.entry(key).or_insert_with(|| Pace::new(max, now))
    }

    fn is_over_after(&self, wait: Duration) -> bool {
        let now = self.pipeline.clock.now();
        self.what.is_over(now.checked_add(wait).unwrap_or(Timestamp::MAX))
    }

    /// Keeps how far the scan has come, if it has come anywhere.
    async fn keep(&mut self) {
        let Some(after) = self.trail.after().cloned() else { return };
        let progress = Progress::new(self.plan.clone(), self.began, after);
        self.keep_text(Some(progress.text())).await;
    }

    /// A scan whose progress can't be kept is a scan all the same.
    async fn keep_text(&mut self, text: Option<String>) {
        self.looks_since_kept = 0;
        if let Err(error) = self.pipeline.journal.keep_scan(text).await {
            tracing::warn!(%error, "it could not be kept how far the scan has come");
        }
    }
}

/// Every step of a scan, with what its policies look at.
fn plans<'a>(pipeline: &'a Pipeline, what: &What) -> VecDeque<Ahead<'a>> {
    let library = &pipeline.library;
    let steps = steps(pipeline, what).into_iter().enumerate();
    steps
        .map(|(number, (step, policies))| {
            let looks_at = policies.iter().map(|it| library.properties_of(it));
            let properties: Option<Vec<BTreeSet<String>>> = looks_at.collect();
            let properties = properties.map(|it| it.into_iter().flatten().collect());
            let plan = Arc::new(Plan { number, step, policies, properties });
            Ahead { plan, listed: Listed::NotYet, is_told: false }
        })
        .collect()
}

/// A digest of everything that a scan looks at, and by what.
fn plan_of(pipeline: &Pipeline, steps: &VecDeque<Ahead<'_>>) -> String {
    let places = steps.iter().map(|it| {
        let Step { place: CloudScope { account, region }, kind } = &it.plan.step;
        format!("{account} {region} {kind}")
    });
    let params = pipeline.library.policies().iter().map(|it| it.params().to_string());
    let folders = pipeline.library.folders().iter();
    let texts = folders.flat_map(|it| [it.yaml.clone(), it.rego.clone()]);
    let parts: Vec<String> = places.chain(params).chain(texts).collect();
    digest(&parts.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Waits for the turn that a pace gives; returns the moment after.
async fn waited(pipeline: &Pipeline, wait: Duration) -> Timestamp {
    if !wait.is_zero() {
        pipeline.clock.sleep(wait).await;
    }
    pipeline.clock.now()
}

/// What is there, and what findings say was there.
fn with_open_findings(
    pipeline: &Pipeline,
    plan: &Plan<'_>,
    listed: Vec<ResourceRef>,
) -> BTreeSet<ResourceRef> {
    let mut resources: BTreeSet<ResourceRef> = listed.into_iter().collect();
    let Step { place, kind } = &plan.step;
    let history = pipeline.journal.history();
    let open = history.findings().filter(|it| it.status.is_open()).map(|it| &it.finding);
    let here = open.filter(|it| {
        it.resource.kind == *kind
            && it.resource.account == place.account
            && it.resource.region == place.region
            && plan.policies.iter().any(|policy| policy.id() == it.policy)
    });
    resources.extend(here.map(|it| it.resource.clone()));
    resources
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
