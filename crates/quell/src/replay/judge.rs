//! From a record's bytes to what policies say about it.
//!
//! Nearly every record is dismissed by its bytes alone: the `detail` part of every trigger is
//! matched against the bare record in one pass ([`PatternSet`]), which needs no envelope and no
//! parsing. What is left is parsed, put into EventBridge's envelope and matched against the whole
//! trigger, so the answer is that of the live path.

use super::report::{Found, Signal};
use super::split::{Fault, Piece};
use super::verdicts::Sighting;
use event_pattern::{Pattern, PatternSet, Scratch};
use quell_core::detect::detect;
use quell_core::event::{Envelope, Event, Status};
use quell_core::normalize::{self, cloudtrail};
use quell_core::policy::Policy;
use quell_core::resource::{ResourceRef, State, Trust};
use quell_library::Library;
use quell_library::cloud::Action;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Everything that judging needs; shared between threads.
#[derive(Debug)]
pub struct Judge<'a> {
    library: &'a Library,
    trust: Trust,
    /// The triggers' `detail`, for bare records.
    records: PatternSet,
    /// The whole triggers, for events in their envelope.
    envelopes: PatternSet,
    /// Policies whose trigger says nothing about the record alone.
    always: Vec<u32>,
}

impl<'a> Judge<'a> {
    /// Judges by the policies of a library.
    pub fn new(library: &'a Library, trust: Trust) -> Judge<'a> {
        let policies = library.policies();
        let mut details = Vec::new();
        let mut always = Vec::new();
        for (id, policy) in (0u32..).zip(policies) {
            match detail(policy) {
                Some(pattern) => details.push((id, pattern)),
                None => always.push(id),
            }
        }
        let triggers = (0u32..).zip(policies.iter().map(|it| it.trigger().clone()));
        let (records, envelopes) = (PatternSet::build(details), PatternSet::build(triggers));
        Judge { library, trust, records, envelopes, always }
    }

    /// The library that the policies are of.
    pub fn library(&self) -> &'a Library {
        self.library
    }

    /// A policy by its place.
    pub fn policy(&self, id: u32) -> Option<&'a Policy> {
        self.library.policies().get(id as usize)
    }

    fn all(&self) -> BTreeSet<u32> {
        (0u32..).zip(self.library.policies()).map(|(id, _)| id).collect()
    }
}

/// What a trigger demands of the record itself; `None` where that cannot be told apart.
fn detail(policy: &Policy) -> Option<Pattern> {
    let trigger = &policy.meta().trigger;
    if trigger.get("$or").is_some() {
        return None;
    }
    Pattern::parse(&trigger.get("detail")?.to_string()).ok()
}

/// One thread's look at one file.
#[derive(Debug)]
pub struct Worker<'j> {
    judge: &'j Judge<'j>,
    file: Arc<str>,
    scratch: Scratch,
}

impl<'j> Worker<'j> {
    /// A worker on the file of this name.
    pub fn new(judge: &'j Judge<'j>, file: &str) -> Worker<'j> {
        Worker { judge, file: file.into(), scratch: Scratch::default() }
    }

    /// Looks at one piece of the file, and adds what it leads to.
    pub fn look_at(&mut self, number: u64, piece: Piece<'_>, found: &mut Found) {
        let looked = match piece {
            Piece::Fault(fault) => return found.add_fault(&self.file, fault),
            Piece::Record(bytes) => self.record(number, bytes, found),
            Piece::Document(bytes) => self.document(number, bytes, found),
        };
        if let Err(problem) = looked {
            found.add_fault(&self.file, Fault { record: Some(number), problem });
        }
    }

    fn record(&mut self, number: u64, bytes: &[u8], found: &mut Found) -> Result<(), String> {
        let ids = self.judge.records.matches(bytes, &mut self.scratch);
        let ids = ids.map_err(|it| it.to_string())?;
        if ids.is_empty() && self.judge.always.is_empty() {
            return Ok(());
        }
        let candidates = ids.iter().chain(&self.judge.always).copied().collect();
        let record = normalize::parse(bytes).map_err(|it| it.to_string())?;
        let event = cloudtrail::from_record(record).map_err(|it| it.to_string())?;
        self.event(number, event, &candidates, found);
        Ok(())
    }

    fn document(&mut self, number: u64, bytes: &[u8], found: &mut Found) -> Result<(), String> {
        let candidates = self.candidates(bytes)?;
        let is_cloudtrail = holds(bytes, b"\"eventName\"");
        // Other services' events share archives with CloudTrail's; they are no fault.
        if candidates.is_empty() && (is_cloudtrail || holds(bytes, b"\"detail-type\"")) {
            return Ok(());
        }
        let events = normalize::document(bytes).map_err(|it| it.to_string())?;
        for event in events {
            let event = event.map_err(|it| it.to_string())?;
            self.event(number, event, &candidates, found);
        }
        Ok(())
    }

    /// The policies that a document may be about: it may be an event, a record, or a log file.
    fn candidates(&mut self, bytes: &[u8]) -> Result<BTreeSet<u32>, String> {
        if holds(bytes, b"\"Records\"") {
            return Ok(self.judge.all());
        }
        let mut candidates: BTreeSet<u32> = self.judge.always.iter().copied().collect();
        for set in [&self.judge.records, &self.judge.envelopes] {
            let ids = set.matches(bytes, &mut self.scratch).map_err(|it| it.to_string())?;
            candidates.extend(ids);
        }
        Ok(candidates)
    }

    fn event(&self, number: u64, event: Event, candidates: &BTreeSet<u32>, found: &mut Found) {
        let matches = |policy: &Policy| {
            // The text was just made from a value: it is JSON, and its size is limited.
            policy.trigger().matches(event.envelope.text().as_bytes()).unwrap_or(true)
        };
        let policies = candidates.iter().filter_map(|id| Some((*id, self.judge.policy(*id)?)));
        let policies: Vec<(u32, &Policy)> = policies.filter(|(_, it)| matches(it)).collect();
        if policies.is_empty() {
            return;
        }
        found.tally.matched += 1;
        if let Status::Failure { .. } = &event.status {
            let policies = policies.iter().map(|(id, _)| *id);
            found.failed_calls.extend(policies.map(|id| Signal::new(id, &event.uid)));
            return;
        }
        let missed = policies.iter().filter(|(_, it)| self.judge.library.misses(it, &event));
        found.unproven.extend(missed.map(|(id, _)| Signal::new(*id, &event.uid)));
        let slim = Arc::new(Event { envelope: Envelope::default(), ..event.clone() });
        for (target, policies) in self.targets(&event, &policies) {
            self.judge_target(number, &event, &slim, &target, &policies, found);
        }
    }

    /// Which resources an event touched, each with the policies that judge it.
    fn targets<'p>(
        &self,
        event: &Event,
        policies: &[(u32, &'p Policy)],
    ) -> Vec<(ResourceRef, Vec<(u32, &'p Policy)>)> {
        let mut targets: Vec<(ResourceRef, Vec<(u32, &Policy)>)> = Vec::new();
        for (id, policy) in policies {
            for target in self.judge.library.targets(policy, event) {
                match targets.iter_mut().find(|(it, _)| *it == target) {
                    Some((_, judges)) => judges.push((*id, policy)),
                    None => targets.push((target, vec![(*id, policy)])),
                }
            }
        }
        targets
    }

    fn judge_target(
        &self,
        number: u64,
        event: &Event,
        slim: &Arc<Event>,
        target: &ResourceRef,
        policies: &[(u32, &Policy)],
        found: &mut Found,
    ) {
        let kind = quell_library::resource(&target.kind);
        let implied = kind.and_then(|it| Some((it, it.implied(event, target)?)));
        let Some((kind, mut state)) = implied else {
            let unproven = policies.iter().map(|(id, _)| Signal::new(*id, &event.uid));
            found.unproven.extend(unproven);
            return;
        };
        state.facts = kind.facts(&state, &self.judge.trust);
        let judges: Vec<&Policy> = policies.iter().map(|(_, it)| *it).collect();
        let detection = detect(&judges, Some(event), &state);
        for error in &detection.errors {
            let problem = error.to_string();
            found.add_fault(&self.file, Fault { record: Some(number), problem });
        }
        let named = |name: &str| policies.iter().find(|(_, it)| it.id() == name);
        let unproven = detection.indeterminate.iter().filter_map(|(name, _)| named(name));
        found.unproven.extend(unproven.map(|(id, _)| Signal::new(*id, &event.uid)));
        for finding in detection.findings {
            let Some((id, policy)) = named(&finding.policy) else { continue };
            let action = self.judge.library.action_of(policy, &target.kind);
            let plan = |it: &dyn Action| it.plan(&state, &finding.element, &policy.params());
            found.sightings.push(Sighting {
                plan: action.map_or(Ok(None), plan),
                stage: action.map(|it| it.meta().stage),
                policy: *id,
                event: Arc::clone(slim),
                state: without_content(&state),
                file: Arc::clone(&self.file),
                number,
                finding,
            });
        }
    }
}

/// What deciding needs of a state: which resource, and its tags.
fn without_content(state: &State) -> State {
    State { properties: Value::Null, facts: Value::Null, ..state.clone() }
}

fn holds(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|it| it == wanted)
}
