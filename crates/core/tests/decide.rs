//! Every guardrail: what it withholds, what it says, and that nothing passes by default.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use jiff::{SignedDuration, Timestamp};
use quell_core::action::{ActionMeta, Plan, PlanError, Reversibility, Stage};
use quell_core::change::{Change, Direction, Facet};
use quell_core::decide::grace::{GRACE_MAX_S, KnownPipeline};
use quell_core::decide::guardrails::Guardrails;
use quell_core::decide::mode::{ModeRule, Modes};
use quell_core::decide::window::{Day, Window};
use quell_core::decide::{self, Case, Decision, Refusal, decide};
use quell_core::detect::{Cause, Finding};
use quell_core::event::Event;
use quell_core::exemption::Exemption;
use quell_core::history::{History, Status};
use quell_core::normalize;
use quell_core::policy::{Mode, PolicyMeta, Severity};
use quell_core::reason::Reason;
use quell_core::record::{Attempt, Authority, Exempted, Fact, Outcome, Problem, Verdict};
use quell_core::resource::{ResourceRef, State};
use quell_core::scope::{Scope, glob};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

static ACTION: ActionMeta = ActionMeta {
    name: "a",
    title: "fix it",
    resource: "AWS::S3::Bucket",
    permissions: &[],
    reversibility: Reversibility::Exact,
    stage: Stage::Element,
    undo_grants: false,
    countermeasure: "D3-ACH",
};
static FINAL: ActionMeta = ActionMeta { reversibility: Reversibility::None, ..ACTION_COPY };
const ACTION_COPY: ActionMeta = ActionMeta {
    name: "a",
    title: "fix it",
    resource: "AWS::S3::Bucket",
    permissions: &[],
    reversibility: Reversibility::Exact,
    stage: Stage::Element,
    undo_grants: true,
    countermeasure: "D3-ACH",
};
static GRANTS: ActionMeta = ACTION_COPY;

/// Everything that a decision looks at, all of it in favor of fixing.
struct Scene {
    rails: Guardrails,
    history: History,
    finding: Finding,
    state: State,
    event: Event,
    policy: PolicyMeta,
    action: Option<&'static ActionMeta>,
    plan: Result<Option<Plan>, PlanError>,
    now: Timestamp,
}

fn at(seconds: i64) -> Timestamp {
    let start: Timestamp = "2026-11-02T12:00:00Z".parse().unwrap();
    start.checked_add(SignedDuration::from_secs(seconds)).unwrap()
}

fn scene() -> Scene {
    scene_on("bucket", "event-1")
}

fn scene_on(id: &str, event_uid: &str) -> Scene {
    let resource = ResourceRef {
        kind: "AWS::S3::Bucket".into(),
        id: id.into(),
        account: "111122223333".into(),
        region: "eu-central-1".into(),
    };
    let change = Change {
        action: "a".into(),
        resource: resource.clone(),
        facet: Facet::property("/Block"),
        before: Value::Null,
        after: json!({ "On": true }),
        position: None,
        discards: None,
        direction: Direction::Forward,
    };
    let record = json!({
        "eventTime": at(0).to_string(), "eventID": event_uid, "eventName": "PutX",
        "eventSource": "s3.amazonaws.com", "awsRegion": "eu-central-1",
        "recipientAccountId": "111122223333",
        "userIdentity": { "type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/eve" }
    });
    let event = normalize::document(record.to_string().as_bytes()).unwrap().remove(0).unwrap();
    let actor = event.actor.id().to_owned();
    Scene {
        rails: Guardrails {
            modes: Modes { default: Mode::Enforce, ..Modes::default() },
            ..Guardrails::default()
        },
        history: History::default(),
        finding: Finding {
            uid: format!("uid-{id}-{event_uid}"),
            key: format!("key-{id}"),
            policy: "aws.s3.sample".into(),
            severity: Severity::High,
            resource: resource.clone(),
            element: "it".into(),
            reason: "is public".into(),
            latent: false,
            indeterminate: None,
            approval: None,
            notify_only: None,
            evidence: Value::Null,
            cause: Cause::Event { uid: event_uid.into(), operation: "PutX".into(), actor },
            time: at(0),
        },
        state: State {
            resource,
            tags: BTreeMap::new(),
            properties: json!({}),
            facts: Value::Null,
            unknown: BTreeSet::new(),
            observed: at(1),
        },
        event,
        policy: serde_json::from_value(json!({
            "id": "aws.s3.sample", "title": "t", "description": "d", "severity": "high",
            "resource": "AWS::S3::Bucket", "reads": [], "trigger": {}
        }))
        .unwrap(),
        action: Some(&ACTION),
        plan: Ok(Some(Plan::from(change))),
        now: at(2),
    }
}

impl Scene {
    fn decide(&self) -> Decision {
        let case = Case {
            finding: &self.finding,
            state: &self.state,
            event: Some(&self.event),
            policy: &self.policy,
            action: self.action,
            plan: &self.plan,
        };
        decide(&self.rails, &self.history, &case, self.now)
    }

    /// The reason that stopped it; nothing may be authorized then.
    fn stopped(&self) -> Verdict {
        let decision = self.decide();
        assert_eq!(decision.authorized, None);
        decision.verdict
    }

    fn withheld(&self) -> Reason {
        match self.stopped() {
            Verdict::Withhold { reason } => reason,
            other => panic!("{other:?}"),
        }
    }

    fn change(&self) -> Change {
        self.plan.clone().unwrap().unwrap().change
    }

    /// Folds a whole fix into a history, as the pipeline would.
    fn fix(&self, history: &mut History, time: Timestamp, outcome: Outcome) -> Attempt {
        let verdict = Verdict::Remediate;
        let attempt = Attempt {
            id: history.next_attempt_id(&self.finding.key, &self.change()),
            finding: self.finding.key.clone(),
            policy: self.finding.policy.clone(),
            severity: self.finding.severity,
            event: Some(self.event.uid.clone()),
            change: self.change(),
            authority: Authority::Policy,
            reversibility: Reversibility::Exact,
            undoes: None,
        };
        let decided = Fact::Decided {
            finding: self.finding.clone(),
            verdict,
            change: Some(self.change()),
            actor: None,
        };
        history.apply(time, &decided);
        history.apply(time, &Fact::Attempted(attempt.clone()));
        let request_ids = vec![format!("req-{}", attempt.id)];
        let concluded = Fact::Concluded {
            attempt: attempt.id.clone(),
            outcome,
            request_ids,
            note: None,
            resumed: false,
        };
        history.apply(time, &concluded);
        attempt
    }
}

fn corrected() -> Outcome {
    Outcome::Corrected { after: json!({ "On": true }) }
}

#[test]
fn with_nothing_against_it_it_is_fixed() {
    let decision = scene().decide();
    assert_eq!(decision.verdict, Verdict::Remediate);
    assert_eq!(decision.authorized.unwrap().get(), &scene().change());
}

#[test]
fn a_fresh_install_only_observes() {
    let scene = Scene { rails: Guardrails::default(), ..scene() };
    assert!(matches!(scene.stopped(), Verdict::Observe { reason: Reason::Mode { .. } }));
}

#[test]
fn what_is_uncertain_or_latent_is_never_fixed() {
    let mut scene = scene();
    scene.finding.latent = true;
    assert_eq!(scene.stopped(), Verdict::Observe { reason: Reason::Latent });
    scene.finding.indeterminate = Some("the account's block".into());
    assert!(matches!(scene.stopped(), Verdict::Indeterminate { .. }));
}

#[test]
fn modes_come_from_the_last_rule_and_the_policy_caps_them() {
    let mut scene = scene();
    let rule = |policies: &str, mode| ModeRule {
        scope: Scope { policies: vec![policies.into()], ..Scope::default() },
        mode,
    };
    scene.rails.modes.rules = vec![rule("aws.s3.*", Mode::Observe), rule("aws.*", Mode::Notify)];
    assert!(matches!(scene.stopped(), Verdict::Notify { .. }));
    scene.rails.modes.rules.push(rule("aws.iam.*", Mode::Enforce));
    assert!(matches!(scene.stopped(), Verdict::Notify { .. }));
    scene.rails.modes.rules.clear();
    scene.policy.highest_mode = Mode::Notify;
    assert!(matches!(scene.stopped(), Verdict::Notify { .. }));
}

#[test]
fn a_tag_tightens_and_relaxes_only_where_that_is_allowed() {
    let mut scene = scene();
    scene.state.tags.insert("quell:mode".into(), "observe".into());
    assert_eq!(scene.decide().verdict, Verdict::Remediate);
    scene.rails.modes.tags_may_relax = vec!["111122223333".into()];
    assert!(matches!(scene.stopped(), Verdict::Observe { .. }));
    scene.rails.modes = Modes { default: Mode::Notify, ..Modes::default() };
    scene.state.tags.insert("quell:mode".into(), "enforce".into());
    assert_eq!(scene.decide().verdict, Verdict::Remediate);
}

#[test]
fn a_rule_by_tag_may_not_relax() {
    let tags = BTreeMap::from([("env".to_owned(), "dev".to_owned())]);
    let rule = ModeRule { scope: Scope { tags, ..Scope::default() }, mode: Mode::Observe };
    let mut rails = scene().rails;
    rails.modes.rules.push(rule);
    assert!(rails.check().unwrap_err().contains("tags_may_relax"));
}

#[test]
fn an_exemption_holds_until_it_expires() {
    let mut scene = scene();
    let exemption = Exemption {
        id: "website".into(),
        scope: Scope { resources: vec!["buck*".into()], ..Scope::default() },
        owner: "web".into(),
        reason: "public website".into(),
        expires: at(10),
    };
    exemption.check().unwrap();
    let added = Exempted { exemption: exemption.clone(), by: None };
    scene.history.apply(at(0), &Fact::Exempted(added));
    assert!(matches!(scene.stopped(), Verdict::Exempt { .. }));
    scene.now = at(10);
    assert_eq!(scene.decide().verdict, Verdict::Remediate);
    let everything = Exemption { scope: Scope::default(), ..exemption.clone() };
    assert!(everything.check().unwrap_err().contains("empty `scope`"));
    let stars = Scope {
        policies: vec!["aws.s3.*".into(), "*".into()],
        regions: vec!["**".into()],
        ..Scope::default()
    };
    let everything = Exemption { scope: stars, ..exemption.clone() };
    assert!(everything.check().unwrap_err().contains("covers all"));
    let nobody = Exemption { owner: " ".into(), ..exemption };
    assert!(nobody.check().is_err());
}

/// What older versions wrote is read, and what it does not tell is not made up.
#[test]
fn exemptions_are_read_as_older_versions_wrote_them() {
    let added = json!({
        "fact": "exempted", "id": "website", "scope": { "resources": ["www-*"] }, "owner": "web",
        "reason": "the public website", "expires": "2030-01-01T00:00:00Z"
    });
    let removed = json!({ "fact": "exemption_removed", "id": "website", "by": "bob" });
    for old in [added.clone(), removed] {
        let fact: Fact = serde_json::from_value(old.clone()).unwrap();
        assert_eq!(serde_json::to_value(&fact).unwrap(), old);
    }
    let mut by_alice = added;
    by_alice["by"] = json!("alice");
    let fact: Fact = serde_json::from_value(by_alice.clone()).unwrap();
    let Fact::Exempted(it) = &fact else { panic!("{fact:?}") };
    assert_eq!((it.exemption.owner.as_str(), it.by.as_deref()), ("web", Some("alice")));
    assert_eq!(serde_json::to_value(&fact).unwrap(), by_alice);
}

/// Whoever can tag a resource must not be able to exempt it.
#[test]
fn an_exemption_by_tag_needs_an_account_where_tags_may_relax() {
    let account = "111122223333".to_owned();
    let tags = BTreeMap::from([("public".to_owned(), "yes".to_owned())]);
    let by_tag = Exemption {
        id: "tagged".into(),
        scope: Scope { tags, ..Scope::default() },
        owner: "web".into(),
        reason: "public website".into(),
        expires: at(10),
    };
    let scope = Scope { accounts: vec![account.clone()], ..by_tag.scope.clone() };
    let in_account = Exemption { scope, ..by_tag.clone() };
    let mut rails = scene().rails;
    for it in [&by_tag, &in_account] {
        assert!(rails.check_exemption(it).unwrap_err().contains("tags_may_relax"));
    }
    rails.exemptions = vec![by_tag.clone()];
    assert!(rails.check().unwrap_err().contains("`tagged`"));
    rails.modes.tags_may_relax = vec![account];
    rails.check_exemption(&in_account).unwrap();
    assert!(rails.check_exemption(&by_tag).is_err(), "it names no account");
}

#[test]
fn stale_and_future_events_do_not_act() {
    let mut scene = scene();
    scene.now = at(scene.rails.event_age_max_s + 1);
    assert!(matches!(scene.withheld(), Reason::StaleEvent { .. }));
    scene.now = at(-scene.rails.clock_skew_max_s - 1);
    assert!(matches!(scene.withheld(), Reason::FutureEvent { .. }));
    scene.now = at(-1);
    assert_eq!(scene.decide().verdict, Verdict::Remediate);
}

#[test]
fn no_plan_is_no_change() {
    let mut scene = scene();
    scene.plan = Ok(None);
    assert_eq!(scene.stopped(), Verdict::Observe { reason: Reason::NothingToDo });
    scene.plan = Err(PlanError::Unknown("Block".into()));
    assert!(matches!(scene.withheld(), Reason::PlanFailed { .. }));
    scene.action = None;
    assert!(matches!(scene.stopped(), Verdict::Notify { reason: Reason::NoRemediation }));
}

#[test]
fn a_change_window_is_kept() {
    let mut scene = scene();
    // at(0) is a Monday noon, UTC.
    let window =
        |day, from: &str, to: &str| Window { days: vec![day], from: from.into(), to: to.into() };
    scene.rails.windows = vec![window(Day::Mon, "13:00", "14:00")];
    assert_eq!(scene.withheld(), Reason::OutsideWindow);
    for open in [window(Day::Mon, "12:00", "12:01"), window(Day::Sun, "22:00", "12:30")] {
        scene.rails.windows = vec![open];
        assert_eq!(scene.decide().verdict, Verdict::Remediate);
    }
}

#[test]
fn cooldown_is_per_resource_and_policy_and_spares_the_same_event() {
    let mut scene = scene();
    scene.rails.cooldown_s = 60;
    scene_on("bucket", "event-0").fix(&mut scene.history, at(0), Outcome::AlreadyCompliant);
    assert!(matches!(scene.withheld(), Reason::Cooldown { .. }));
    scene.now = at(61);
    assert_eq!(scene.decide().verdict, Verdict::Remediate);
    let mut same_event = scene_on("bucket", "event-0");
    same_event.history = scene.history.clone();
    same_event.rails.cooldown_s = 60;
    assert_eq!(same_event.decide().verdict, Verdict::Remediate);
}

#[test]
fn a_resource_has_a_budget() {
    let mut scene = scene();
    scene.rails.cooldown_s = 0;
    scene.rails.resource_changes_max = 2;
    for n in 0..2 {
        let other = scene_on("bucket", &format!("event-{n}"));
        other.fix(&mut scene.history, at(0), Outcome::AlreadyCompliant);
    }
    assert!(matches!(scene.withheld(), Reason::ResourceBudget { changes: 2, .. }));
    scene.now = at(scene.rails.resource_window_s + 1);
    assert_eq!(scene.decide().verdict, Verdict::Remediate);
}

#[test]
fn a_storm_opens_the_breaker_and_it_closes_by_time() {
    let mut scene = scene();
    for n in 0..scene.rails.fleet_changes_max {
        scene_on(&format!("b{n}"), "storm").fix(&mut scene.history, at(0), corrected());
    }
    let decision = scene.decide();
    assert!(matches!(decision.verdict, Verdict::Withhold { reason: Reason::BlastRadius { .. } }));
    let (until, reason) = decision.opens_breaker.unwrap();
    scene.history.apply(scene.now, &Fact::BreakerOpened { until, reason });
    assert!(matches!(scene.withheld(), Reason::BreakerOpen { .. }));
    scene.rails.fleet_changes_max = 1000;
    assert!(matches!(scene.withheld(), Reason::BreakerOpen { .. }));
    scene.now = until;
    assert_eq!(scene.decide().verdict, Verdict::Remediate);
}

#[test]
fn two_controllers_that_fight_are_told_apart() {
    let mut scene = scene_on("bucket", "event-9");
    scene.rails.cooldown_s = 0;
    for n in 0..2 {
        let round = scene_on("bucket", &format!("event-{n}"));
        round.fix(&mut scene.history, at(0), corrected());
    }
    let Reason::Oscillation { rounds: 2, other } = scene.withheld() else { panic!("a fight") };
    assert_eq!(other, "arn:aws:iam::111122223333:user/eve");
}

#[test]
fn what_cannot_be_undone_or_is_asked_for_waits_for_a_person() {
    let mut scene = scene();
    scene.action = Some(&FINAL);
    assert!(matches!(scene.stopped(), Verdict::AwaitApproval { reason: Reason::Irreversible, .. }));
    scene.action = Some(&ACTION);
    scene.finding.approval = Some("only the union is the world".into());
    assert!(matches!(scene.stopped(), Verdict::AwaitApproval { .. }));
    scene.finding.approval = None;
    scene.rails.modes.default = Mode::Approve;
    assert!(matches!(scene.stopped(), Verdict::AwaitApproval { .. }));
}

fn waiting() -> (Scene, History) {
    let mut scene = scene();
    scene.rails.modes.default = Mode::Approve;
    let decided = Fact::Decided {
        finding: scene.finding.clone(),
        verdict: scene.stopped(),
        change: Some(scene.change()),
        actor: None,
    };
    let mut history = History::default();
    history.apply(scene.now, &decided);
    (scene, history)
}

#[test]
fn an_approval_binds_to_the_change_and_expires() {
    let (scene, history) = waiting();
    let key = &scene.finding.key;
    let approved = decide::approved(&history, key, Some(&scene.change()), at(3)).unwrap();
    assert_eq!(approved.get(), &scene.change());
    let moved = Change { after: json!({ "On": false }), ..scene.change() };
    assert_eq!(decide::approved(&history, key, Some(&moved), at(3)), Err(Refusal::Moved));
    assert_eq!(decide::approved(&history, key, None, at(3)), Err(Refusal::Moved));
    let late = at(scene.rails.approval_expires_s + 3);
    let refused = decide::approved(&history, key, Some(&scene.change()), late);
    assert!(matches!(refused, Err(Refusal::Expired(_))));
    let unknown = decide::approved(&history, "nobody", None, at(3));
    assert!(matches!(unknown, Err(Refusal::Unknown(_))));
}

#[test]
fn a_denied_change_is_not_made_but_another_may_be() {
    let (mut scene, mut history) = waiting();
    let denial = Fact::Approval {
        finding: scene.finding.key.clone(),
        change: scene.change().id(),
        approved: false,
        by: "bob".into(),
        reason: "on purpose".into(),
    };
    history.apply(at(3), &denial);
    assert_eq!(history.finding(&scene.finding.key).unwrap().status, Status::Denied);
    scene.history = history;
    scene.rails.modes.default = Mode::Enforce;
    assert_eq!(scene.withheld(), Reason::DeniedBy { person: "bob".into() });
    let other = Change { after: json!({ "Off": true }), ..scene.change() };
    scene.plan = Ok(Some(Plan::from(other)));
    assert_eq!(scene.decide().verdict, Verdict::Remediate);
}

#[test]
fn an_undo_is_respected_for_a_while() {
    let mut scene = scene_on("bucket", "event-2");
    scene.rails.cooldown_s = 0;
    let fix = scene_on("bucket", "event-1").fix(&mut scene.history, at(0), corrected());
    let authorized = decide::undo(&scene.rails, &fix, &ACTION).unwrap();
    assert_eq!(authorized.get(), &fix.change.inverse());
    let undo = Attempt {
        id: "undo".into(),
        change: authorized.get().clone(),
        authority: Authority::Undo { person: "bob".into() },
        undoes: Some(fix.id.clone()),
        ..fix.clone()
    };
    scene.history.apply(at(1), &Fact::Attempted(undo));
    let concluded = Fact::Concluded {
        attempt: "undo".into(),
        outcome: Outcome::Corrected { after: Value::Null },
        request_ids: vec!["req".into()],
        note: None,
        resumed: false,
    };
    scene.history.apply(at(1), &concluded);
    assert!(scene.history.is_undone(&fix.id));
    assert!(matches!(scene.withheld(), Reason::UndoneBy { .. }));
    scene.now = at(scene.rails.undo_hold_s + 2);
    scene.rails.event_age_max_s = i64::MAX / 4;
    assert_eq!(scene.decide().verdict, Verdict::Remediate);
}

#[test]
fn undo_is_refused_where_it_cannot_or_must_not_be() {
    let mut scene = scene();
    let mut history = History::default();
    let fix = scene.fix(&mut history, at(0), corrected());
    assert!(matches!(decide::undo(&scene.rails, &fix, &FINAL), Err(Refusal::Irreversible(_))));
    assert!(matches!(decide::undo(&scene.rails, &fix, &GRANTS), Err(Refusal::Grants(_))));
    scene.rails.undo_iam_grants = true;
    assert!(decide::undo(&scene.rails, &fix, &GRANTS).is_ok());
}

#[test]
fn history_is_a_fold_that_remembers_events_requests_and_unfinished_work() {
    let scene = scene();
    let mut history = History::default();
    let fix = scene.fix(&mut history, at(0), corrected());
    assert!(history.is_our_request(&format!("req-{}", fix.id)));
    assert_eq!(history.unfinished().count(), 0);
    history.apply(at(0), &quell_core::record::processed(&scene.event, 1));
    assert!(history.has_seen("event-1") && !history.has_seen("event-2"));
    let again = Attempt { id: "second".into(), ..fix };
    history.apply(at(1), &Fact::Attempted(again));
    assert_eq!(history.unfinished().count(), 1);
    // Long after, what no rule can ask for is forgotten.
    let later = at(quell_core::history::DEDUPE_WINDOW_S + 10);
    history.apply(later, &Fact::ExemptionRemoved { id: "x".into(), by: "y".into(), reason: None });
    assert!(!history.has_seen("event-1"));
    assert_eq!(history.made_since(at(0)).count(), 0);
    assert_eq!(history.unfinished().count(), 1, "unfinished work is never forgotten");
}

/// A call whose request id was lost is known by its session, around the time of its attempt.
#[test]
fn a_call_is_ours_by_its_session_only_where_an_answer_was_lost() {
    let scene = scene();
    let resource = &scene.finding.resource;
    let attempt = scene.fix(&mut History::default(), at(0), corrected());
    let session = attempt.session();
    let found = json!({ "On": false });
    for (ids, resumed, outcome, untold) in [
        (vec![], false, corrected(), true),
        (vec![], false, Outcome::Failed { error: "time-out".into() }, true),
        (vec![], false, Outcome::AlreadyCompliant, false),
        (vec![], false, Outcome::Conflict { found: found.clone() }, false),
        (vec![], true, Outcome::Conflict { found }, true),
        (vec!["req".to_owned()], true, corrected(), true),
        (vec!["req".to_owned()], false, corrected(), false),
    ] {
        let mut history = History::default();
        let decided = Fact::Decided {
            finding: scene.finding.clone(),
            verdict: Verdict::Remediate,
            change: Some(scene.change()),
            actor: None,
        };
        history.apply(at(0), &decided);
        history.apply(at(0), &Fact::Attempted(attempt.clone()));
        assert!(history.untold_on(resource, &session, at(5)).is_some(), "it may be under way");
        let told = format!("{ids:?} {resumed} {outcome:?}");
        let concluded = Fact::Concluded {
            attempt: attempt.id.clone(),
            outcome,
            request_ids: ids,
            note: None,
            resumed,
        };
        history.apply(at(10), &concluded);
        let at_s = |it: i64| history.untold_on(resource, &session, at(it)).is_some();
        assert_eq!(at_s(5), untold, "{told}");
        assert_eq!(at_s(910), untold, "{told}");
        assert!(!at_s(911) && !at_s(-61), "{told}");
        assert!(history.untold_on(resource, "quell-other", at(5)).is_none());
    }
}

#[test]
fn what_comes_again_is_told_once() {
    let letter = |source: &str, file: Option<&str>| Fact::DeadLettered {
        source: source.into(),
        reason: "no JSON".into(),
        digest: "d".into(),
        bytes: 1,
        file: file.map(Into::into),
    };
    let mut history = History::default();
    history.apply(at(0), &letter("lambda", None));
    assert!(history.has_seen(&letter("lambda", None).once().unwrap()));
    assert!(!history.has_seen(&letter("sqs:queue", None).once().unwrap()));
    assert_eq!(letter("lambda", Some("file")).once(), None, "each kept file has its record");
    let unread = |event: Option<&str>| Fact::Failed {
        problem: Problem::Read,
        message: "denied".into(),
        event: event.map(Into::into),
        policy: None,
        resource: Some(scene().finding.resource),
    };
    assert_eq!(unread(None).once(), None, "a scan tells it each time");
    assert_ne!(unread(Some("e-1")).once(), unread(Some("e-2")).once());
}

#[test]
fn limits_are_checked() {
    let rails = Guardrails { fleet_window_s: 0, ..Guardrails::default() };
    assert!(rails.check().unwrap_err().contains("fleet_window_s"));
    let rails = Guardrails { resource_window_s: i64::MAX, ..Guardrails::default() };
    assert!(rails.check().is_err());
    Guardrails::default().check().unwrap();
}

#[test]
fn globs() {
    for (pattern, text, fits) in [
        ("a", "a", true),
        ("a", "ab", false),
        ("a*", "ab", true),
        ("*", "", true),
        ("*b", "ab", true),
        ("a*c", "abc", true),
        ("a*c", "ac", true),
        ("ab*ba", "aba", false),
        ("a*b*c", "a1b2c", true),
        ("a*b*c", "a1c2b", false),
    ] {
        assert_eq!(glob(pattern, text), fits, "{pattern} {text}");
    }
}

const EVE: &str = "arn:aws:iam::111122223333:user/eve";

fn pipeline(principal: &str) -> KnownPipeline {
    serde_json::from_value(json!({ "principals": [principal] })).unwrap()
}

/// The scene, caused by this actor.
fn caused_by(actor: &str) -> Scene {
    let mut scene = scene();
    let (uid, operation) = ("event-1".to_owned(), "PutX".to_owned());
    scene.finding.cause = Cause::Event { uid, operation, actor: actor.to_owned() };
    scene
}

#[test]
fn a_known_pipeline_has_a_while_once() {
    let mut scene = caused_by(EVE);
    scene.rails.pipelines = vec![pipeline(EVE)];
    let grace = Reason::Grace { actor: EVE.to_owned(), until: at(302) };
    assert_eq!(scene.withheld(), grace);
    let decided = Fact::Decided {
        finding: scene.finding.clone(),
        verdict: scene.stopped(),
        change: None,
        actor: None,
    };
    scene.history.apply(at(2), &decided);
    // Neither a look without an event nor a further one of the pipeline moves the end.
    let event = std::mem::replace(&mut scene.finding.cause, Cause::Scan);
    for cause in [Cause::Scan, event] {
        scene.finding.cause = cause;
        for (now, is_over) in [(100, false), (301, false), (302, true), (400, true)] {
            scene.now = at(now);
            match is_over {
                false => assert_eq!(scene.withheld(), grace),
                true => assert_eq!(scene.decide().verdict, Verdict::Remediate),
            }
        }
    }
    // Somebody else's hand ends it.
    let mut other = caused_by("arn:aws:iam::111122223333:user/mallory");
    (other.rails, other.history) = (scene.rails, scene.history);
    assert_eq!(other.decide().verdict, Verdict::Remediate);
}

#[test]
fn a_finding_that_stood_open_before_the_pipeline_came_is_not_left_to_it() {
    let mut scene = caused_by(EVE);
    let reason = Reason::Mode { mode: Mode::Notify, rule: "modes.default".to_owned() };
    let decided = Fact::Decided {
        finding: scene.finding.clone(),
        verdict: Verdict::Notify { reason },
        change: None,
        actor: None,
    };
    scene.history.apply(at(-300), &decided);
    scene.rails.pipelines = vec![pipeline(EVE)];
    assert_eq!(scene.decide().verdict, Verdict::Remediate);
    // What was closed and comes back is opened anew.
    let (finding, why) = (scene.finding.key.clone(), Outcome::AlreadyCompliant);
    scene.history.apply(at(0), &Fact::Resolved { finding, why });
    assert!(matches!(scene.withheld(), Reason::Grace { until, .. } if until == at(302)));
}

#[test]
fn grace_is_given_to_named_principals_and_up_to_a_severity() {
    let outside = "arn:aws:iam::999988887777:user/eve";
    let anywhere = "arn:aws:iam::*:user/e*";
    for (actor, principal, severity, waits) in [
        (EVE, anywhere, Severity::High, true),
        (EVE, anywhere, Severity::Critical, false),
        (EVE, "arn:aws:iam::111122223333:role/eve", Severity::High, false),
        // A name that anybody can give a role of an account of theirs.
        (outside, anywhere, Severity::High, false),
        (outside, outside, Severity::High, true),
    ] {
        let mut scene = caused_by(actor);
        scene.finding.severity = severity;
        scene.rails.pipelines = vec![pipeline(principal)];
        let held = matches!(scene.decide().verdict, Verdict::Withhold { .. });
        assert_eq!(held, waits, "{actor} {principal} {severity:?}");
    }
    let mut scene = caused_by(EVE);
    scene.finding.severity = Severity::Critical;
    scene.rails.pipelines =
        vec![KnownPipeline { severity_max: Severity::Critical, ..pipeline(EVE) }];
    assert!(matches!(scene.withheld(), Reason::Grace { .. }));
}

#[test]
fn a_pipeline_that_is_everybody_or_has_all_day_is_refused() {
    let checked = |pipeline: KnownPipeline| {
        Guardrails { pipelines: vec![pipeline], ..Guardrails::default() }.check()
    };
    for fine in [EVE, "arn:aws:iam::*:role/terraform-*", "arn:aws-cn:iam::*:role/ci/*"] {
        checked(pipeline(fine)).unwrap();
    }
    for wrong in ["*", "arn:*", "arn:aws:iam::*:*", "arn:aws:iam::*:role/*", "terraform", ""] {
        let problem = checked(pipeline(wrong)).unwrap_err();
        assert!(problem.contains("`pipelines[0]`"), "{wrong}: {problem}");
    }
    for grace_s in [0, -1, GRACE_MAX_S + 1] {
        let problem = checked(KnownPipeline { grace_s, ..pipeline(EVE) }).unwrap_err();
        assert!(problem.contains("`grace_s`"), "{problem}");
    }
}
