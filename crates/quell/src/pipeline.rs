//! The path of an event, on one screen: normalize → route → read → detect → decide → enact →
//! record.
//!
//! [`Pipeline::handle`] owns the branches; what it calls are straight lines. A delivery is done
//! only when everything that it demanded is durable in the ledger. Work on one resource is
//! serialized by a turn, in which the state is read, judged, fixed, read back and recorded; after
//! each fix the read-back state is judged again, so that every change starts from what is really
//! there.

pub mod deadline;
mod enact;
mod people;
mod pulse;
pub mod reasons;
mod recover;
mod sweep;

pub use people::{PeopleError, Selector};
pub(crate) use recover::after_grace_since;
pub use recover::{ResumeReport, RetryFilter, RetryReport};

use crate::clock::Clock;
use crate::journal::{FleetCap, Journal, JournalError, Reserved};
use crate::telemetry::trace;
use deadline::Deadline;
use event_pattern::{PatternSet, Scratch};
use quell_core::action::{Plan, PlanError};
use quell_core::decide::guardrails::Guardrails;
use quell_core::decide::{Case, Decision, decide, over_cap};
use quell_core::detect::{Detection, Finding, detect};
use quell_core::event::{Event, Status};
use quell_core::history::History;
use quell_core::normalize;
use quell_core::policy::Policy;
use quell_core::reason::Reason;
use quell_core::record::{Attempt, Fact, Outcome, Problem, Verdict, processed};
use quell_core::resource::{ResourceRef, State, Trust};
use quell_library::Library;
use quell_library::cloud::{CloudError, Resource, World};
use reasons::{Reasons, shortened};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use thiserror::Error;
use tracing::Instrument as _;

/// Most findings on one resource that one event may lead to; the rest is found by the next look.
pub const GROUP_FINDINGS_MAX: usize = 200;

thread_local! {
    /// What matching keeps from one event to the next.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Everything that the path of an event needs.
pub struct Pipeline {
    /// Policies, resources, actions.
    pub library: Arc<Library>,
    /// The cloud.
    pub world: Arc<dyn World>,
    /// The ledger.
    pub journal: Arc<dyn Journal>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Limits.
    pub rails: Guardrails,
    /// Which accounts are ours, and as whom we act.
    pub scope: Scope,
    /// Limits of reading back.
    pub readback: Readback,
    /// When the process will be stopped from outside.
    pub deadline: Deadline,
    /// Is told of every durable fact.
    pub observer: Observer,
    triggers: PatternSet,
}

/// Is told of every fact once it is durable, with the moment of its record.
pub type Observer = Arc<dyn Fn(jiff::Timestamp, &Fact) + Send + Sync>;

/// Which accounts are ours, and as whom we act.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// Accounts whose events are taken; empty takes all (simulation).
    pub accounts: BTreeSet<String>,
    /// ARNs of our own roles.
    pub own_roles: BTreeSet<String>,
}

/// How patiently a fix is read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Readback {
    /// Most reads.
    pub readback_attempts_max: u32,
    /// First wait between reads, in milliseconds; it doubles.
    pub readback_wait_ms: u64,
}

impl Default for Readback {
    fn default() -> Readback {
        Readback { readback_attempts_max: 6, readback_wait_ms: 100 }
    }
}

/// What became of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ack {
    /// Everything is durable: the source may forget it.
    Done,
    /// Something passing failed: the source must deliver it again.
    Retry(String),
    /// It can never be processed: the source must put it aside, with this reason.
    DeadLetter(String),
}

/// What a look at one resource saw.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Looked {
    /// The keys of what violated, fixed by now or not.
    pub found: BTreeSet<String>,
    /// The policies that came to no verdict, each with why: never a pass.
    pub unjudged: BTreeMap<String, String>,
}

/// Why an event could not be processed to its end.
#[derive(Debug, Error)]
pub enum PipelineError {
    /// The ledger failed: see [`JournalError`] for what that means.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The cloud failed.
    #[error("{resource}: {error}")]
    Cloud {
        /// What was read.
        resource: String,
        /// How it failed.
        error: CloudError,
    },
    /// The event is not ours to handle, or not readable.
    #[error("{0}")]
    NotOurs(String),
    /// Too little time is left to begin a change.
    #[error("{0}")]
    TooLate(Reason),
}

impl Pipeline {
    /// A pipeline; the fields are public, the compiled triggers are its own.
    pub fn new(
        library: Arc<Library>,
        world: Arc<dyn World>,
        journal: Arc<dyn Journal>,
        clock: Arc<dyn Clock>,
        rails: Guardrails,
        scope: Scope,
    ) -> Pipeline {
        let triggers = (0..).zip(library.policies()).map(|(at, it)| (at, it.trigger().clone()));
        let triggers = PatternSet::build(triggers);
        Pipeline {
            library,
            world,
            journal,
            clock,
            rails,
            scope,
            readback: Readback::default(),
            deadline: Deadline::default(),
            observer: Arc::new(|_, _| {}),
            triggers,
        }
    }

    /// Handles one delivered document: an EventBridge event, a record or a log file.
    pub async fn handle(&self, body: &[u8]) -> Result<Ack, JournalError> {
        let events = match normalize::document(body) {
            Ok(events) => events,
            Err(error) => return Ok(Ack::DeadLetter(shortened(error.to_string()))),
        };
        let (mut retry, mut dead) = (Reasons::default(), Reasons::default());
        for event in events {
            match event {
                Err(error) => dead.push(error.to_string()),
                Ok(event) => match self.event(&event).await {
                    Ok(()) => {}
                    Err(PipelineError::Journal(error @ JournalError::Broken(_))) => {
                        return Err(error);
                    }
                    Err(PipelineError::Journal(error @ JournalError::Later(_))) => {
                        retry.push(format!("{}: {error}", event.uid));
                    }
                    Err(PipelineError::Cloud { resource, error }) if error.is_transient() => {
                        retry.push(format!("{}: {resource}: {error}", event.uid));
                    }
                    Err(PipelineError::TooLate(reason)) => {
                        retry.push(format!("{}: {reason}", event.uid));
                    }
                    Err(error) => dead.push(format!("{}: {error}", event.uid)),
                },
            }
        }
        Ok(match (retry.is_empty(), dead.is_empty()) {
            (true, true) => Ack::Done,
            (false, _) => Ack::Retry(retry.joined()),
            (true, false) => Ack::DeadLetter(dead.joined()),
        })
    }

    /// Handles one event to its end, within its span: every log line of it bears its trace id.
    pub async fn event(&self, event: &Event) -> Result<(), PipelineError> {
        self.process(event).instrument(trace::event_span(event)).await
    }

    async fn process(&self, event: &Event) -> Result<(), PipelineError> {
        let account = &event.cloud.account;
        if !self.scope.accounts.is_empty() && !self.scope.accounts.contains(account) {
            return Err(PipelineError::NotOurs(format!("account `{account}` is not configured")));
        }
        if self.is_heartbeat(event).await? {
            return Ok(());
        }
        let policies = self.route(event)?;
        if policies.is_empty() || self.journal.history().has_seen(&event.uid) {
            return Ok(());
        }
        if let Status::Failure { code, .. } = &event.status {
            let fact = Fact::CallFailed {
                event: event.uid.clone(),
                operation: event.api.operation.clone(),
                code: code.clone(),
                actor: event.actor.clone(),
                policies: policies.iter().map(|it| it.id().to_owned()).collect(),
            };
            return Ok(self.record(vec![fact, processed(event, 0)]).await?);
        }
        let (mut findings, mut failed) = (0, None);
        for (resource, policies) in self.targets(event, &policies) {
            match self.target(&resource, &policies, event).await {
                Ok(found) => findings += found,
                Err(error @ PipelineError::Journal(_)) => return Err(error),
                // The other resources are looked at all the same.
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        match failed {
            Some(error) => Err(error),
            // Another delivery of it was done first.
            None if self.journal.history().has_seen(&event.uid) => Ok(()),
            None => {
                let mut facts = self.misses(event, &policies);
                facts.push(processed(event, findings));
                Ok(self.record(facts).await?)
            }
        }
    }

    /// The policies that an event led nowhere: a person must look.
    fn misses(&self, event: &Event, policies: &[&Policy]) -> Vec<Fact> {
        let missed = policies.iter().filter(|it| self.library.misses(it, event));
        let fact = |policy: &&Policy| Fact::Failed {
            problem: Problem::Indeterminate,
            message: format!(
                "`{}` of `{}` names no {} that could be looked at",
                event.api.operation,
                event.actor.id(),
                policy.meta().resource
            ),
            event: Some(event.uid.clone()),
            policy: Some(policy.id().to_owned()),
            resource: None,
        };
        missed.map(fact).collect()
    }

    /// Looks at one resource that an event is about. What it led to is recorded before the
    /// resource's turn ends, so whoever comes next decides knowing it.
    async fn target(
        &self,
        resource: &ResourceRef,
        policies: &[&Policy],
        event: &Event,
    ) -> Result<usize, PipelineError> {
        let turn = self.journal.turn(resource, Some(event)).await?;
        let mut facts = Vec::new();
        // Another delivery of the event may have been handled while this one waited.
        let looked = if self.journal.history().has_seen(&event.uid) {
            Ok(Looked::default())
        } else {
            self.resume_on(resource).await?;
            match self.is_self_caused(event, resource, &mut facts) {
                true => Ok(Looked::default()),
                false => self.look(resource, policies, Some(event), &mut facts).await,
            }
        };
        self.record(facts).await?;
        turn.release().await;
        Ok(looked?.found.len())
    }

    /// The policies whose trigger matches, all triggers in one pass. An event that the matcher
    /// cannot read is put aside: not understood is not "no match".
    pub fn route(&self, event: &Event) -> Result<Vec<&Policy>, PipelineError> {
        SCRATCH.with_borrow_mut(|scratch| {
            let matched = self
                .triggers
                .matches(event.envelope.text().as_bytes(), scratch)
                .map_err(|it| PipelineError::NotOurs(it.to_string()))?;
            let policies = self.library.policies();
            Ok(matched.iter().filter_map(|it| policies.get(usize::try_from(*it).ok()?)).collect())
        })
    }

    /// Which resources to look at, each with the policies that judge it.
    fn targets<'a>(
        &self,
        event: &Event,
        policies: &[&'a Policy],
    ) -> Vec<(ResourceRef, Vec<&'a Policy>)> {
        let mut targets: Vec<(ResourceRef, Vec<&Policy>)> = Vec::new();
        for policy in policies {
            for target in self.library.targets(policy, event) {
                match targets.iter_mut().find(|(it, _)| *it == target) {
                    Some((_, judges)) => judges.push(policy),
                    None => targets.push((target, vec![policy])),
                }
            }
        }
        targets
    }

    /// Our own call comes back as an event: nothing to do. A call under our name that we did not
    /// make is an alert, and is judged like any other. One whose answer we never got may be ours,
    /// by the name of its session: it is judged, too, but is no alert.
    fn is_self_caused(&self, event: &Event, resource: &ResourceRef, facts: &mut Vec<Fact>) -> bool {
        let our_name = self.is_our_name(event);
        let request_id = event.request_id.as_deref().unwrap_or_default();
        let session = event.actor.session.as_deref().unwrap_or_default();
        let history = self.journal.history();
        let our_request = !request_id.is_empty() && history.is_our_request(request_id);
        if our_name && !our_request {
            match history.untold_on(resource, session, event.time) {
                Some(it) => {
                    let attempt = it.id.as_str();
                    tracing::warn!(attempt, request_id, "a call whose answer was lost came back");
                }
                None => facts.push(impostor(event)),
            }
        }
        our_request && (our_name || self.scope.own_roles.is_empty())
    }

    fn is_our_name(&self, event: &Event) -> bool {
        let caller = event.actor.issuer_arn.as_ref().or(event.actor.arn.as_ref());
        caller.is_some_and(|it| self.scope.own_roles.contains(it))
    }

    /// What is judged: the resource as it is read, or, where it never can be, what the event alone
    /// proves of it.
    async fn see(
        &self,
        resource: &ResourceRef,
        event: Option<&Event>,
    ) -> Result<Option<State>, CloudError> {
        let Some(kind) = proven_by_events(resource) else {
            return self.world.read(resource).await;
        };
        let mut state = event.and_then(|it| kind.implied(it, resource));
        if let Some(state) = &mut state {
            state.facts = kind.facts(state, &Trust::default());
        }
        Ok(state)
    }

    /// Reads a resource, judges it, and does what may be done, until nothing new is found. The
    /// caller has the resource's turn.
    async fn look(
        &self,
        resource: &ResourceRef,
        policies: &[&Policy],
        event: Option<&Event>,
        facts: &mut Vec<Fact>,
    ) -> Result<Looked, PipelineError> {
        let mut state = match self.see(resource, event).await {
            Ok(Some(state)) => state,
            Ok(None) => {
                self.resolve(resource, policies, &BTreeSet::new(), &Outcome::Gone, facts);
                return Ok(Looked::default());
            }
            Err(error) if error.is_transient() => {
                return Err(PipelineError::Cloud { resource: resource.to_string(), error });
            }
            Err(error) => return Err(self.unreadable(resource, event, error, facts).await?),
        };
        let (mut handled, mut unjudged) = (BTreeSet::new(), BTreeMap::new());
        loop {
            let detection = detect(policies, event, &state);
            self.note_failures(&detection, resource, event, &mut unjudged, facts);
            let mut moved = None;
            while moved.is_none()
                && handled.len() < GROUP_FINDINGS_MAX
                && let Some((finding, policy)) = self.next(&detection, &handled, policies)
            {
                handled.insert(finding.key.clone());
                moved = self.settle(finding, policy, event, &state, facts).await?;
            }
            match moved {
                Some(after) => state = after,
                None => {
                    let found = self.conclude(&detection, handled, policies, resource, facts);
                    return Ok(Looked { found, unjudged });
                }
            }
        }
    }

    /// Nothing is left to be done on a resource: what stands open there and was not seen again is
    /// resolved. Returns the keys of all that were found.
    fn conclude(
        &self,
        detection: &Detection,
        mut handled: BTreeSet<String>,
        policies: &[&Policy],
        resource: &ResourceRef,
        facts: &mut Vec<Fact>,
    ) -> BTreeSet<String> {
        let before = handled.len();
        handled.extend(detection.findings.iter().map(|it| it.key.clone()));
        if before < handled.len() {
            facts.push(Fact::Failed {
                problem: Problem::Policy,
                message: format!(
                    "{} findings; the limit of one look is {GROUP_FINDINGS_MAX} findings",
                    handled.len()
                ),
                event: None,
                policy: None,
                resource: Some(resource.clone()),
            });
        }
        if detection.errors.is_empty() && detection.indeterminate.is_empty() {
            self.resolve(resource, policies, &handled, &Outcome::AlreadyCompliant, facts);
        }
        handled
    }

    /// The next finding that was not handled yet: elements before blocks.
    fn next<'f, 'p>(
        &self,
        detection: &'f Detection,
        handled: &BTreeSet<String>,
        policies: &[&'p Policy],
    ) -> Option<(&'f Finding, &'p Policy)> {
        detection
            .findings
            .iter()
            .filter(|it| !handled.contains(&it.key))
            .filter_map(|it| Some((it, *policies.iter().find(|p| p.id() == it.policy)?)))
            .min_by_key(|(finding, policy)| {
                self.library.action_of(policy, &finding.resource.kind).map(|it| it.meta().stage)
            })
    }

    /// Decides about one finding, and enacts what was authorized. The state after a change comes
    /// back.
    async fn settle(
        &self,
        finding: &Finding,
        policy: &Policy,
        event: Option<&Event>,
        state: &State,
        facts: &mut Vec<Fact>,
    ) -> Result<Option<State>, PipelineError> {
        let plan = self.plan(finding, policy, state);
        let case = Case {
            finding,
            state,
            event,
            policy: policy.meta(),
            action: self.library.action_of(policy, &finding.resource.kind).map(|it| it.meta()),
            plan: &plan,
        };
        let (decision, attempt) = self.decide(&case, facts).await?;
        let Decision { verdict, authorized, opens_breaker } = decision;
        let opened = opens_breaker.is_some();
        let too_late = match &verdict {
            Verdict::Withhold { reason: reason @ Reason::TooLate { .. } } => Some(reason.clone()),
            _ => None,
        };
        facts.push(Fact::Decided {
            finding: finding.clone(),
            verdict,
            change: plan.ok().flatten().map(|it| it.change),
            actor: event.map(|it| it.actor.clone()),
        });
        match (authorized, attempt) {
            (Some(authorized), Some(attempt)) => {
                facts.push(Fact::Attempted(attempt.clone()));
                if let Err(error) = self.record(std::mem::take(facts)).await {
                    self.journal.history().cancel(&attempt.id);
                    return Err(error.into());
                }
                let (fact, after) = self.enact(&authorized, &attempt).await;
                facts.push(fact);
                Ok(after)
            }
            _ => {
                // An open breaker must outlive a crash; a delivery that is too late ends here.
                if opened || too_late.is_some() {
                    self.record(std::mem::take(facts)).await?;
                }
                too_late.map_or(Ok(None), |it| Err(PipelineError::TooLate(it)))
            }
        }
    }

    /// Decides, and counts what was authorized against all budgets before it is durable.
    async fn decide(
        &self,
        case: &Case<'_>,
        facts: &mut Vec<Fact>,
    ) -> Result<(Decision, Option<Attempt>), JournalError> {
        let now = self.clock.now();
        let (decision, attempt) = {
            let mut history = self.journal.history();
            let decision = self.in_time(decide(&self.rails, &history, case, now), now);
            let attempt = self.attempt(case, &decision, &history);
            if let Some(attempt) = &attempt {
                history.reserve(now, attempt);
            }
            open_breaker(&mut history, &decision, now, facts);
            (decision, attempt)
        };
        let Some(attempt) = attempt else { return Ok((decision, None)) };
        let cap = FleetCap {
            changes_max: self.rails.fleet_changes_max,
            window_s: self.rails.fleet_window_s,
        };
        match self.journal.reserve(now, cap).await {
            Ok(Reserved::Granted) => Ok((decision, Some(attempt))),
            Ok(Reserved::OverCap { changes }) => {
                let mut history = self.journal.history();
                history.cancel(&attempt.id);
                let refused = over_cap(&self.rails, &history, changes, now);
                open_breaker(&mut history, &refused, now, facts);
                Ok((refused, None))
            }
            Err(error) => {
                self.journal.history().cancel(&attempt.id);
                Err(error)
            }
        }
    }

    fn plan(
        &self,
        finding: &Finding,
        policy: &Policy,
        state: &State,
    ) -> Result<Option<Plan>, PlanError> {
        match self.library.action_of(policy, &finding.resource.kind) {
            Some(action) => action.plan(state, &finding.element, &policy.params()),
            None => Ok(None),
        }
    }

    /// Records the policies without a verdict, each once in a look.
    fn note_failures(
        &self,
        detection: &Detection,
        resource: &ResourceRef,
        event: Option<&Event>,
        noted: &mut BTreeMap<String, String>,
        facts: &mut Vec<Fact>,
    ) {
        let errors = detection.errors.iter().map(|it| {
            let problem = it.problem.clone();
            (Problem::Policy, &it.policy, problem)
        });
        let unknown = detection.indeterminate.iter().map(|(policy, unseen)| {
            (Problem::Indeterminate, policy, format!("unknown: {}", unseen.join(", ")))
        });
        for (problem, policy, message) in errors.chain(unknown) {
            if noted.insert(policy.clone(), message.clone()).is_none() {
                facts.push(Fact::Failed {
                    problem,
                    message,
                    event: event.map(|it| it.uid.clone()),
                    policy: Some(policy.clone()),
                    resource: Some(resource.clone()),
                });
            }
        }
    }

    /// Findings that stood open on the resource and are no longer there. What an event proved of a
    /// resource that can't be read, no later look disproves.
    fn resolve(
        &self,
        resource: &ResourceRef,
        policies: &[&Policy],
        seen: &BTreeSet<String>,
        why: &Outcome,
        facts: &mut Vec<Fact>,
    ) {
        if proven_by_events(resource).is_some() {
            return;
        }
        let history = self.journal.history();
        for open in history.findings_on(resource) {
            let judged = policies.iter().any(|it| it.id() == open.finding.policy);
            let key = &open.finding.key;
            if judged && open.status.is_open() && !seen.contains(key) {
                facts.push(Fact::Resolved { finding: key.clone(), why: why.clone() });
            }
        }
    }

    /// A read that only a person can mend: recorded, and the event is put aside.
    async fn unreadable(
        &self,
        resource: &ResourceRef,
        event: Option<&Event>,
        error: CloudError,
        facts: &mut Vec<Fact>,
    ) -> Result<PipelineError, JournalError> {
        facts.push(Fact::Failed {
            problem: Problem::Read,
            message: error.to_string(),
            event: event.map(|it| it.uid.clone()),
            policy: None,
            resource: Some(resource.clone()),
        });
        self.record(std::mem::take(facts)).await?;
        Ok(PipelineError::Cloud { resource: resource.to_string(), error })
    }

    /// Makes facts durable, then tells the observer. What an earlier delivery has told once and for
    /// all is left out.
    pub(crate) async fn record(&self, mut facts: Vec<Fact>) -> Result<(), JournalError> {
        {
            let history = self.journal.history();
            facts.retain(|it| it.once().is_none_or(|name| !history.has_seen(&name)));
        }
        if facts.is_empty() {
            return Ok(());
        }
        let now = self.clock.now();
        self.journal.append(now, facts.clone()).await?;
        for fact in &facts {
            (self.observer)(now, fact);
        }
        Ok(())
    }
}

impl std::fmt::Debug for Pipeline {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Pipeline").field("scope", &self.scope).finish_non_exhaustive()
    }
}

/// Somebody used our name.
fn impostor(event: &Event) -> Fact {
    Fact::Impostor {
        event: event.uid.clone(),
        operation: event.api.operation.clone(),
        actor: event.actor.clone(),
        request_id: event.request_id.clone(),
    }
}

/// The resource's type, where only events tell of it.
fn proven_by_events(resource: &ResourceRef) -> Option<&'static dyn Resource> {
    quell_library::resource(&resource.kind).filter(|it| it.meta().is_proven_by_events())
}

/// Seen before it is durable, as a reservation is, so that it opens once in a storm.
fn open_breaker(
    history: &mut History,
    decision: &Decision,
    now: jiff::Timestamp,
    facts: &mut Vec<Fact>,
) {
    if let Some((until, reason)) = decision.opens_breaker.clone() {
        let opened = Fact::BreakerOpened { until, reason };
        history.apply(now, &opened);
        facts.push(opened);
    }
}
