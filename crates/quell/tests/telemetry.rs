//! Metrics agree with the facts, the lines with CloudWatch's specification, alarms and dashboard
//! with the closed list and the runbook, and every log line of an event bears its trace id.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
#![allow(clippy::indexing_slicing, clippy::string_slice, reason = "tests")]

use jiff::{SignedDuration, Timestamp};
use quell::journal::{Journal, MemoryJournal, Violation};
use quell::lambda::queue::RETRY_WAITS_S;
use quell::telemetry::alarms::{self, ALARMS, Names, Watched};
use quell::telemetry::emf::{self, LINE_VALUES_MAX};
use quell::telemetry::fold::{Fold, problem_word};
use quell::telemetry::log::JsonLines;
use quell::telemetry::metric::{Dimension, Kind, Metric, NAMESPACE};
use quell::telemetry::trace::{self, TraceId};
use quell::telemetry::{Point, Samples, Series, Telemetry, dashboard};
use quell_core::action::Reversibility;
use quell_core::change::{Change, Direction, Facet};
use quell_core::detect::{Cause, Finding};
use quell_core::heartbeat::{Beat, HEARTBEAT_LATE_S, Heartbeat};
use quell_core::normalize;
use quell_core::policy::{Mode, Severity};
use quell_core::reason::Reason;
use quell_core::record::{Attempt, Authority, Fact, Outcome, Problem, Verdict};
use quell_core::resource::ResourceRef;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::{Arc, Mutex};
use tracing_subscriber::fmt::format::JsonFields;

const RUNBOOK: &str = include_str!("../../../docs/guides/runbook.md");
const HUB: &str = include_str!("../src/deploy/cloudformation/hub.yaml");
const NAMES: Names<'_> = Names {
    prefix: "quell",
    queue: "quell-events",
    dead_letter_queue: "quell-events-dlq",
    function: "quell-function",
    checkpoint_function: "quell-checkpoint",
};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_767_603_600 + seconds).unwrap()
}

fn bucket(id: &str) -> ResourceRef {
    ResourceRef {
        kind: "AWS::S3::Bucket".to_owned(),
        id: id.to_owned(),
        account: "111122223333".to_owned(),
        region: "eu-central-1".to_owned(),
    }
}

/// A finding that `actor` caused by an event at a moment.
fn finding(policy: &str, resource: &str, event: &str, actor: &str, time: Timestamp) -> Finding {
    Finding {
        uid: format!("{policy}-{resource}-{event}"),
        key: format!("{policy}-{resource}"),
        policy: policy.to_owned(),
        severity: Severity::High,
        resource: bucket(resource),
        element: "statement".to_owned(),
        reason: "public".to_owned(),
        latent: false,
        indeterminate: None,
        approval: None,
        notify_only: None,
        evidence: Value::Null,
        cause: Cause::Event {
            uid: event.to_owned(),
            operation: "PutBucketPolicy".to_owned(),
            actor: actor.to_owned(),
        },
        time,
    }
}

fn decided(finding: Finding, verdict: Verdict) -> Fact {
    Fact::Decided { finding, verdict, change: None, actor: None }
}

fn observed(finding: Finding) -> Fact {
    let reason = Reason::Mode { mode: Mode::Observe, rule: "default".to_owned() };
    decided(finding, Verdict::Observe { reason })
}

fn attempt(finding: &Finding, authority: Authority) -> Attempt {
    Attempt {
        id: format!("attempt-{}", finding.key),
        finding: finding.key.clone(),
        policy: finding.policy.clone(),
        severity: finding.severity,
        event: Some("event".to_owned()),
        change: Change {
            action: "s3.remove_statement".to_owned(),
            resource: finding.resource.clone(),
            facet: Facet::property("/Policy"),
            before: json!(1),
            after: json!(2),
            position: None,
            discards: None,
            direction: Direction::Forward,
        },
        authority,
        reversibility: Reversibility::Exact,
        undoes: None,
    }
}

fn concluded(attempt: &Attempt, outcome: Outcome) -> Fact {
    Fact::Concluded {
        attempt: attempt.id.clone(),
        outcome,
        request_ids: vec![],
        note: None,
        resumed: false,
    }
}

/// How often each metric was measured, by its name and labels.
fn tally(points: &[Point]) -> BTreeMap<String, f64> {
    let mut tally = BTreeMap::new();
    for point in points {
        let key = format!("{:?} {}", point.metric, point.labels.join(","));
        *tally.entry(key.trim().to_owned()).or_insert(0.0) += point.value;
    }
    tally
}

#[test]
fn a_fix_is_counted_and_timed() {
    let mut fold = Fold::default();
    let found = finding("aws.s3.a", "b", "event", "mallory", at(0));
    let tried = attempt(&found, Authority::Policy);
    let mut points = Vec::new();
    for (second, fact) in [
        (2, decided(found.clone(), Verdict::Remediate)),
        (2, Fact::Attempted(tried.clone())),
        (7, concluded(&tried, Outcome::Corrected { after: Value::Null })),
        (
            9,
            Fact::Processed {
                event: "event".to_owned(),
                event_time: at(0),
                operation: "PutBucketPolicy".to_owned(),
                findings: 1,
            },
        ),
    ] {
        points.extend(fold.apply(at(second), &fact));
    }
    let wanted = [
        ("Actions corrected", 1.0),
        ("Decisions remediate", 1.0),
        ("EventLag", 9.0),
        ("EventToFix", 7.0),
        ("Events", 1.0),
        ("Findings high", 1.0),
    ];
    assert_eq!(tally(&points), wanted.map(|(name, it)| (name.to_owned(), it)).into());
}

#[test]
fn a_fix_that_waited_for_a_person_is_not_timed() {
    let mut fold = Fold::default();
    let found = finding("aws.s3.a", "b", "event", "mallory", at(0));
    let tried = attempt(&found, Authority::Approval { person: "ada".to_owned() });
    fold.apply(at(0), &decided(found, Verdict::Remediate));
    fold.apply(at(1), &Fact::Attempted(tried.clone()));
    let points = fold.apply(at(900), &concluded(&tried, Outcome::Corrected { after: Value::Null }));
    assert_eq!(tally(&points), [("Actions corrected".to_owned(), 1.0)].into());
}

#[test]
fn the_same_resource_or_actor_again_is_a_repetition() {
    let repeated = |facts: &[Fact]| {
        let mut fold = Fold::default();
        let points: Vec<Point> = facts.iter().flat_map(|it| fold.apply(at(0), it)).collect();
        let count = |by: &str| {
            let of_it = |it: &&Point| {
                it.metric == Metric::RepeatedViolations && it.labels == [by.to_owned()]
            };
            points.iter().filter(of_it).count()
        };
        (count("resource"), count("actor"))
    };
    let seen = |policy, resource, event, actor, seconds| {
        observed(finding(policy, resource, event, actor, at(seconds)))
    };
    let first = seen("p", "b", "1", "mallory", 0);
    assert_eq!(repeated(&[first.clone(), seen("p", "b", "2", "trent", 60)]), (1, 0));
    assert_eq!(repeated(&[first.clone(), seen("p", "c", "2", "mallory", 60)]), (0, 1));
    assert_eq!(repeated(&[first.clone(), seen("q", "b", "2", "trent", 60)]), (0, 0));
    let nameless = seen("p", "c", "1", "unknown", 0);
    assert_eq!(repeated(&[nameless, seen("p", "d", "2", "unknown", 60)]), (0, 0));
    // One event with two findings, and the same event again, are one violation.
    assert_eq!(repeated(&[first.clone(), first.clone()]), (0, 0));
    // More than a week later.
    assert_eq!(repeated(&[first.clone(), seen("p", "b", "2", "mallory", 8 * 86_400)]), (0, 0));
    // A look again by a scan.
    let mut scanned = finding("p", "b", "", "", at(60));
    scanned.cause = Cause::Scan;
    assert_eq!(repeated(&[first, observed(scanned)]), (0, 0));
}

#[test]
fn what_alarms_is_counted_once_and_what_is_exempt_is_not() {
    let mut fold = Fold::default();
    let mut count =
        |fact: &Fact, name: &str| tally(&fold.apply(at(0), fact)).get(name).copied().unwrap_or(0.0);
    let mut critical = finding("aws.self.tamper", "b", "1", "mallory", at(0));
    critical.severity = Severity::Critical;
    let fact = observed(critical.clone());
    assert_eq!(count(&fact, "CriticalViolations"), 1.0);
    let mut scanned = critical.clone();
    scanned.cause = Cause::Scan;
    assert_eq!(count(&observed(scanned.clone()), "CriticalViolations"), 0.0, "it stands open");
    let resolved = Fact::Resolved { finding: critical.key.clone(), why: Outcome::AlreadyCompliant };
    assert_eq!(count(&resolved, "CriticalViolations"), 0.0);
    assert_eq!(count(&observed(scanned), "CriticalViolations"), 1.0, "it is there again");
    critical.cause = Cause::Event {
        uid: "2".to_owned(),
        operation: "DeleteRule".to_owned(),
        actor: "mallory".to_owned(),
    };
    assert_eq!(count(&observed(critical.clone()), "Tampering pipeline"), 1.0);
    let exempt =
        Verdict::Exempt { exemption: "x".to_owned(), owner: "ada".to_owned(), expires: at(1000) };
    assert_eq!(count(&decided(critical.clone(), exempt), "CriticalViolations"), 0.0);
    let unknown = Verdict::Indeterminate { unknown: "Policy".to_owned() };
    assert_eq!(count(&decided(critical, unknown), "Tampering pipeline"), 0.0);
    let impostor = Fact::Impostor {
        event: "3".to_owned(),
        operation: "PutBucketPolicy".to_owned(),
        actor: quell_core::event::Actor::default(),
        request_id: None,
    };
    assert_eq!(count(&impostor, "Tampering impostor"), 1.0);
}

#[test]
fn a_new_process_takes_over_what_the_ledger_says() {
    let journal = MemoryJournal::default();
    let found = finding("p", "b", "1", "mallory", at(0));
    let tried = attempt(&found, Authority::Policy);
    let facts = vec![decided(found, Verdict::Remediate), Fact::Attempted(tried.clone())];
    futures::executor::block_on(journal.append(at(0), facts)).unwrap();
    let mut fold = Fold::default();
    fold.remember(&journal.history());
    let again = observed(finding("p", "b", "2", "mallory", at(60)));
    let points = tally(&fold.apply(at(60), &again));
    assert_eq!(points["RepeatedViolations resource"], 1.0);
    assert_eq!(points["RepeatedViolations actor"], 1.0);
    let fixed = concluded(&tried, Outcome::Corrected { after: Value::Null });
    assert_eq!(tally(&fold.apply(at(90), &fixed))["EventToFix"], 90.0);
}

/// Another process wrote it; a turn brings it here.
#[test]
fn a_turn_brings_what_other_processes_saw() {
    let journal = MemoryJournal::default();
    let mut critical = finding("q", "b", "1", "trent", at(0));
    critical.severity = Severity::Critical;
    let facts = vec![
        observed(finding("p", "b", "1", "trent", at(0))),
        observed(critical.clone()),
        Fact::BreakerOpened { until: at(900), reason: "storm".to_owned() },
    ];
    futures::executor::block_on(journal.append(at(0), facts)).unwrap();
    let telemetry = Arc::new(Telemetry::default());
    let observe = telemetry.observer();
    let last = Violation { event: "0".to_owned(), time: at(-60) };
    telemetry.recall(&journal.history(), &bucket("b"), Some(("mallory", &last)));
    observe(at(60), &observed(finding("p", "b", "2", "mallory", at(60))));
    critical.cause = Cause::Scan;
    observe(at(60), &observed(critical));
    let taken = telemetry.take(at(300));
    let value = |metric, by: &[&str]| {
        let labels = by.iter().map(|it| (Dimension::By, (*it).to_owned())).collect();
        taken.get(&Series { metric, labels }).cloned()
    };
    assert_eq!(value(Metric::RepeatedViolations, &["resource"]), Some(Samples::One(1.0)));
    assert_eq!(value(Metric::RepeatedViolations, &["actor"]), Some(Samples::One(1.0)));
    assert_eq!(value(Metric::BreakerOpen, &[]), Some(Samples::One(600.0)));
    assert_eq!(value(Metric::CriticalViolations, &[]), None, "it stood open before");
}

#[test]
fn a_late_heartbeat_breaches_and_one_that_returns_does_not() {
    let heartbeat = Heartbeat { rule: bucket("quell-heartbeat"), nonce: "n".to_owned() };
    let age_s = |step| {
        let fact = Fact::Heartbeat { heartbeat: heartbeat.clone(), step };
        tally(&Fold::default().apply(at(0), &fact))["HeartbeatAge 111122223333,eu-central-1"]
    };
    let limit = f64::from(alarms::HEARTBEAT_AGE_MAX_S);
    assert!(limit < age_s(Beat::Late { waited_s: HEARTBEAT_LATE_S }));
    assert!(limit < age_s(Beat::Failed { error: "denied".to_owned() }), "refused is not heard");
    let returned = age_s(Beat::Returned { event: "e".to_owned(), after_ms: 61_500 });
    assert_eq!(returned, 61.5);
}

#[test]
fn an_open_breaker_shows_until_it_closes() {
    let telemetry = Arc::new(Telemetry::default());
    let observe = telemetry.observer();
    let opened = Fact::BreakerOpened { until: at(900), reason: "storm".to_owned() };
    observe(at(0), &opened);
    let series = Series { metric: Metric::BreakerOpen, labels: vec![] };
    assert_eq!(telemetry.take(at(300))[&series], Samples::One(600.0));
    assert_eq!(telemetry.take(at(901))[&series], Samples::One(0.0));
}

#[test]
fn words_of_dimensions_are_those_of_the_ledger() {
    let severities = [
        Severity::Informational,
        Severity::Low,
        Severity::Medium,
        Severity::High,
        Severity::Critical,
    ];
    for it in severities {
        assert_eq!(json!(it), json!(it.word()));
        assert!(Dimension::Severity.values().contains(&it.word()));
    }
    for it in [Problem::Read, Problem::Policy, Problem::Plan, Problem::Indeterminate] {
        assert_eq!(json!(it), json!(problem_word(it)));
        assert!(Dimension::Problem.values().contains(&problem_word(it)));
    }
    let after = Value::Null;
    for it in [
        Outcome::Corrected { after: after.clone() },
        Outcome::AlreadyCompliant,
        Outcome::Uncorrected { after: after.clone() },
        Outcome::Conflict { found: after },
        Outcome::Gone,
        Outcome::Failed { error: String::new() },
    ] {
        assert!(Dimension::Outcome.values().contains(&it.word()), "{}", it.word());
    }
    let reason = Reason::Latent;
    for it in [
        Verdict::Observe { reason: reason.clone() },
        Verdict::Notify { reason: reason.clone() },
        Verdict::Exempt { exemption: String::new(), owner: String::new(), expires: at(0) },
        Verdict::Withhold { reason: reason.clone() },
        Verdict::AwaitApproval { reason, expires: at(0) },
        Verdict::Remediate,
        Verdict::Indeterminate { unknown: String::new() },
    ] {
        assert!(Dimension::Verdict.values().contains(&it.word()), "{}", it.word());
    }
}

/// A value of every metric, with every value of its dimensions.
fn everything() -> Telemetry {
    let telemetry = Telemetry::default();
    for metric in Metric::ALL {
        let named = |it: &Dimension| match it.values() {
            [] => vec!["eu-central-1"],
            values => values.to_vec(),
        };
        let values: Vec<Vec<&str>> = metric.meta().dimensions.iter().map(named).collect();
        match values.as_slice() {
            [] => telemetry.add(Point::new(metric, &[], 1.5)),
            [one] => one.iter().for_each(|it| telemetry.add(Point::new(metric, &[it], 2.0))),
            [first, second] => {
                telemetry.add(Point::new(metric, &[first[0], second[0]], 3.0));
            }
            _ => panic!("more dimensions than this test knows"),
        }
    }
    (0..250).for_each(|it| telemetry.add(Point::new(Metric::EventLag, &[], f64::from(it))));
    telemetry
}

#[test]
fn lines_are_as_cloudwatch_specifies() {
    let lines = emf::lines(&everything().take(at(0)), at(0));
    for line in &lines {
        assert_specified(line);
    }
    // Every distinct value of every metric is there, and nothing twice.
    let sum = |name: &str| -> f64 {
        let values = lines.iter().filter_map(|it| it.get(name));
        let numbers = values.flat_map(|it| match it {
            Value::Array(all) => all.iter().map(|it| it.as_f64().unwrap()).collect(),
            one => vec![one.as_f64().unwrap()],
        });
        numbers.sum()
    };
    assert_eq!(sum(Metric::EventLag.name()), 1.5 + f64::from(249 * 250 / 2));
    assert_eq!(sum(Metric::Decisions.name()), 2.0 * 7.0);
    let longest = lines.iter().filter_map(|it| it.get(Metric::EventLag.name())?.as_array());
    assert_eq!(longest.map(Vec::len).collect::<Vec<_>>(), [LINE_VALUES_MAX, 100, 51]);
}

/// The rules of "Specification: Embedded metric format": required members, lengths, counts, and
/// that every reference has its target member at the root.
fn assert_specified(line: &Value) {
    let meta = line["_aws"].as_object().unwrap();
    assert_eq!(meta.keys().collect::<Vec<_>>(), ["CloudWatchMetrics", "Timestamp"]);
    assert!(meta["Timestamp"].is_i64() || meta["Timestamp"].is_u64());
    assert!(line.to_string().len() < 256 * 1024);
    let directives = meta["CloudWatchMetrics"].as_array().unwrap();
    assert!(!directives.is_empty());
    for directive in directives {
        let keys: Vec<&String> = directive.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["Dimensions", "Metrics", "Namespace"]);
        assert_eq!(directive["Namespace"], NAMESPACE);
        let sets = directive["Dimensions"].as_array().unwrap();
        assert!(!sets.is_empty());
        for set in sets {
            let set = set.as_array().unwrap();
            assert!(set.len() <= 30);
            for dimension in set {
                let value = line[dimension.as_str().unwrap()].as_str().unwrap();
                assert!((1..=1024).contains(&value.len()) && value.is_ascii(), "{value}");
            }
        }
        let metrics = directive["Metrics"].as_array().unwrap();
        assert!((1..=100).contains(&metrics.len()));
        for metric in metrics {
            let name = metric["Name"].as_str().unwrap();
            assert!((1..=1024).contains(&name.len()));
            assert!(["Count", "Seconds"].contains(&metric["Unit"].as_str().unwrap()));
            match &line[name] {
                Value::Array(values) => {
                    assert!((1..=100).contains(&values.len()), "{name}");
                    assert!(values.iter().all(Value::is_number), "{name}");
                }
                value => assert!(value.is_number(), "{name}: {value}"),
            }
        }
    }
}

#[test]
fn odd_labels_and_numbers_do_not_break_a_line() {
    let telemetry = Telemetry::default();
    telemetry.add(Point::new(Metric::HeartbeatAge, &["", "eu\nçentral"], 1.0));
    telemetry.add(Point::new(Metric::EventLag, &[], f64::NAN));
    let lines = emf::lines(&telemetry.take(at(0)), at(0));
    lines.iter().for_each(assert_specified);
    let heartbeat = lines.iter().find(|it| it.get("account").is_some()).unwrap();
    assert_eq!(
        (&heartbeat["account"], &heartbeat["region"]),
        (&json!("unknown"), &json!("eu__entral"))
    );
    assert!(lines.iter().all(|it| it.get(Metric::EventLag.name()).is_none()));
}

#[test]
fn every_alarm_has_its_section_in_the_runbook() {
    let mut last = 0;
    for alarm in ALARMS {
        let heading = format!("\n## {}\n", alarm.name);
        let found = RUNBOOK.find(&heading).unwrap_or_else(|| panic!("no `{}`", heading.trim()));
        assert!(last < found, "`{}` stands out of order", alarm.name);
        last = found;
    }
    assert_eq!(RUNBOOK.matches("\n## ").count(), ALARMS.len(), "a section without an alarm");
}

#[test]
fn alarms_watch_what_is_written() {
    let properties = alarms::properties(&NAMES);
    assert_eq!(properties.len(), ALARMS.len());
    for (alarm, properties) in ALARMS.iter().zip(&properties) {
        let name = properties["AlarmName"].as_str().unwrap();
        assert!(name.len() <= 255 && name.is_ascii());
        assert!(properties["Statistic"].is_string() != properties["ExtendedStatistic"].is_string());
        assert!(alarm.breaching_periods <= alarm.periods && alarm.period_s % 60 == 0);
        if let Watched::Ours(metric, dimensions) = alarm.watched {
            // CloudWatch matches a set of dimensions as a whole.
            let meta = metric.meta();
            let names: Vec<Dimension> = dimensions.iter().map(|(it, _)| *it).collect();
            let is_written = names == meta.dimensions || (names.is_empty() && meta.rollup);
            assert!(is_written, "{name} watches what is never written");
            for (dimension, value) in dimensions {
                assert!(dimension.values().contains(value), "{name}: no `{value}`");
            }
        }
    }
    let heartbeat = &properties[0];
    assert_eq!(heartbeat["AlarmName"], "quell-no-heartbeat");
    assert_eq!(heartbeat["TreatMissingData"], "breaching");
}

#[test]
fn every_end_of_a_change_that_leaves_a_violation_has_its_alarm() {
    let alarmed: BTreeSet<&str> = ALARMS
        .iter()
        .filter_map(|it| match it.watched {
            Watched::Ours(Metric::Actions, [(Dimension::Outcome, outcome)]) => Some(*outcome),
            _ => None,
        })
        .collect();
    let fine = ["corrected", "already_compliant", "gone"];
    let all = Dimension::Outcome.values().iter().copied();
    let wanted: BTreeSet<&str> = all.filter(|it| !fine.contains(it)).collect();
    assert_eq!(alarmed, wanted);
}

/// The numbers of alarms hang together with those of the deployment.
#[test]
fn a_beat_that_is_a_little_late_and_a_message_that_is_tried_again_alarm_nobody() {
    let number = |key: &str| -> u32 {
        let (_, rest) = HUB.split_once(key).unwrap_or_else(|| panic!("no `{key}`"));
        rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
    };
    let (_, schedule) = HUB.split_once("HeartbeatSchedule:").unwrap();
    let (_, minutes) = schedule.split_once("Default: rate(").unwrap();
    let beat_s = 60 * minutes.split_once(" minutes)").unwrap().0.parse::<u32>().unwrap();
    let heartbeat = ALARMS.iter().find(|it| it.name == "no-heartbeat").unwrap();
    assert!(2 * beat_s <= heartbeat.period_s && heartbeat.breaching_periods == 1);
    let breaker = ALARMS.iter().find(|it| it.name == "breaker-open").unwrap();
    assert!(beat_s <= breaker.period_s, "it is not OK because nothing else happens");
    assert!(3 * number("VisibilityTimeout: ") < alarms::QUEUE_AGE_MAX_S);
    let waits_s: i32 = RETRY_WAITS_S.iter().sum();
    let lease_s = i32::try_from(number("lease_time_s: ")).unwrap();
    assert!(lease_s < waits_s, "contention with a run that died makes no dead letter");
}

#[test]
fn the_dashboard_shows_every_metric() {
    let body = dashboard::body(&NAMES, "eu-central-1");
    let text = body.to_string();
    for metric in Metric::ALL {
        assert!(text.contains(metric.name()), "{metric:?}");
        if metric.meta().kind == Kind::Distribution {
            assert!(["p50", "p90", "p99"].iter().all(|it| text.contains(it)), "{metric:?}");
        }
    }
    let mut places = BTreeSet::new();
    for widget in body["widgets"].as_array().unwrap() {
        let number = |key: &str| widget[key].as_u64().unwrap();
        assert!(number("x") + number("width") <= 24);
        assert!(places.insert((number("x"), number("y"))), "two widgets in one place");
    }
}

/// What a log wrote.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn parsed(&self) -> Vec<Value> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|it| serde_json::from_str(it).unwrap()).collect()
    }
}

fn event() -> quell_core::event::Event {
    let record = json!({
        "version": "0",
        "id": "7e3c1a5e-0000-4000-8000-000000000001",
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.s3",
        "account": "111122223333",
        "time": "2026-01-05T09:00:00Z",
        "region": "eu-central-1",
        "resources": [],
        "detail": {
            "eventVersion": "1.11",
            "userIdentity": { "type": "Root", "accountId": "111122223333" },
            "eventTime": "2026-01-05T09:00:00Z",
            "eventSource": "s3.amazonaws.com",
            "eventName": "PutBucketPolicy",
            "awsRegion": "eu-central-1",
            "eventID": "7e3c1a5e-0000-4000-8000-000000000001",
            "recipientAccountId": "111122223333",
        },
    });
    let mut events = normalize::document(record.to_string().as_bytes()).unwrap();
    events.remove(0).unwrap()
}

#[test]
fn every_line_of_an_event_bears_its_trace_id() {
    let lines = Lines::default();
    let out = lines.clone();
    let log = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .fmt_fields(JsonFields::new())
        .event_format(JsonLines)
        .with_writer(move || out.clone())
        .finish();
    let event = event();
    let carried = TraceId::from_xray("Root=1-5759e988-bd862e3fe1be46a994272793");
    tracing::subscriber::with_default(log, || {
        trace::event_span(&event).in_scope(|| {
            tracing::warn!(count = 3, who = "it \"is\" me", "read-back failed");
        });
        futures::executor::block_on(trace::carried(carried, async {
            trace::event_span(&event).in_scope(|| tracing::error!("poll failed"));
        }));
    });
    let lines = lines.parsed();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["trace_id"], TraceId::of_event(&event.uid).to_string());
    assert_eq!(lines[1]["trace_id"], "5759e988bd862e3fe1be46a994272793");
    for line in &lines {
        assert_eq!(line["event"], event.uid);
        assert_eq!(line["operation"], "PutBucketPolicy");
        assert_eq!(line["account"], "111122223333");
        let time: Timestamp = line["time"].as_str().unwrap().parse().unwrap();
        assert!(Timestamp::now().duration_since(time).abs() < SignedDuration::from_mins(1));
    }
    assert_eq!(lines[0]["count"], 3);
    assert_eq!(lines[0]["who"], "it \"is\" me");
    assert_eq!(
        (&lines[0]["message"], &lines[0]["level"]),
        (&json!("read-back failed"), &json!("WARN"))
    );
}
