//! `kill -9` at random moments of a run: nothing is lost, nothing is done twice. And the storm:
//! with the default caps most is withheld, and a person lets the rest go on.
//!
//! The ordinary test command runs it small; `cargo xtask e2e kill` runs 1,000 violations and 50
//! kills.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
#![allow(clippy::indexing_slicing, clippy::string_slice, reason = "tests")]

mod e2e;

use e2e::{Deployed, MINISTACK_ACCOUNT, event, text};
use rand::Rng as _;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};
use testkit::{Ministack, e2e_opted_in};

/// The fleet-wide cap that is in force where nothing is configured.
const FLEET_CHANGES_DEFAULT: usize = 25;

struct Size {
    violations: usize,
    kills: usize,
}

fn size() -> Size {
    if e2e_opted_in("kill") {
        Size { violations: 1000, kills: 50 }
    } else {
        Size { violations: 40, kills: 4 }
    }
}

/// An account full of security groups that let the world in, each with a rule that must stay.
struct Storm {
    _ministack: Ministack,
    deployed: Deployed,
    groups: Vec<String>,
    events: String,
}

impl Storm {
    fn new(violations: usize) -> Storm {
        let ministack = Ministack::start(false).unwrap();
        let mut deployed = Deployed::plainly(&ministack.endpoint(), MINISTACK_ACCOUNT, "storm");
        deployed.configure(|it| it["policies"] = json!({ "enabled": ["aws.ec2.admin_port_open"] }));
        let mut groups = Vec::new();
        for at in 0..violations {
            let group = json!({ "GroupName": format!("storm-{at}"), "Description": "e2e" });
            let made = deployed.admin.call("ec2", "create_security_group", group);
            let id = text(&made["GroupId"]);
            let rule = |port: u16| {
                let ranges = json!([{ "CidrIp": "0.0.0.0/0" }]);
                json!({
                    "IpProtocol": "tcp",
                    "FromPort": port,
                    "ToPort": port,
                    "IpRanges": ranges,
                })
            };
            let wanted = json!({ "GroupId": id, "IpPermissions": [rule(443), rule(22)] });
            deployed.admin.call("ec2", "authorize_security_group_ingress", wanted);
            groups.push(id);
        }
        let opened = |id: &String| {
            let parameters = json!({ "groupId": id });
            event(MINISTACK_ACCOUNT, "ec2", "AuthorizeSecurityGroupIngress", parameters)
        };
        let events: Vec<Value> = groups.iter().map(opened).collect();
        let events = deployed.events("events", &events);
        Storm { _ministack: ministack, deployed, groups, events }
    }

    /// Which ports each group is open on.
    fn open_ports(&self) -> BTreeMap<String, Vec<u64>> {
        let found = self.deployed.admin.call("ec2", "describe_security_groups", json!({}));
        let groups = found["SecurityGroups"].as_array().unwrap().iter();
        let ours = groups.filter(|it| it["GroupName"].as_str().unwrap().starts_with("storm-"));
        ours.map(|it| {
            let rules = it["IpPermissions"].as_array().unwrap().iter();
            (text(&it["GroupId"]), rules.map(|it| it["FromPort"].as_u64().unwrap()).collect())
        })
        .collect()
    }

    fn count_open(&self) -> usize {
        self.open_ports().values().filter(|it| it.contains(&22)).count()
    }

    fn ledger_bytes(&self) -> usize {
        bytes_below(self.deployed.data().join("ledger").as_std_path())
    }

    /// Attempts that a kill left without a conclusion.
    fn unfinished(&self) -> usize {
        if self.ledger_bytes() == 0 {
            return 0;
        }
        let facts = self.deployed.facts();
        let count = |kind: &str| facts.iter().filter(|it| it["fact"] == kind).count();
        count("attempted") - count("concluded")
    }

    /// Every violation is fixed, once, and nothing else was done.
    fn assert_fixed_exactly_once(&self) {
        let ports = self.open_ports();
        assert_eq!(ports.len(), self.groups.len());
        assert!(ports.values().all(|it| *it == [443]), "{ports:?}");

        let facts = self.deployed.facts();
        let of = |kind: &str| facts.iter().filter(|it| it["fact"] == kind).collect::<Vec<_>>();
        assert_eq!(of("dead_lettered"), Vec::<&Value>::new());
        let mut attempts: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for it in of("attempted") {
            let group = text(&it["change"]["resource"]["id"]);
            attempts.entry(group).or_default().push(text(&it["id"]));
        }
        assert_eq!(attempts.len(), self.groups.len(), "each was attempted");
        let mut outcomes: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for it in of("concluded") {
            let outcome = text(&it["outcome"]["outcome"]);
            outcomes.entry(text(&it["attempt"])).or_default().push(outcome);
        }
        for (group, attempts) in &attempts {
            let ends: Vec<&String> = attempts.iter().flat_map(|it| &outcomes[it]).collect();
            assert_eq!(ends, ["corrected"], "{group}: {attempts:?}");
        }
        let processed = of("processed").len();
        assert_eq!(processed, self.groups.len(), "each event is done once");
        self.deployed.must(&["audit", "verify"]);
    }
}

fn bytes_below(folder: &Path) -> usize {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let bytes = |it: &Path| fs::metadata(it).map_or(0, |it| it.len() as usize);
    let each = entries.map(|it| it.unwrap().path());
    each.map(|it| if it.is_dir() { bytes_below(&it) } else { bytes(&it) }).sum()
}

/// Less of the ledger than one violation takes, in bytes: so much grows before a kill, at most,
/// that work is left for the last one.
const LEDGER_BYTES_PER_VIOLATION: usize = 2_000;
/// How long a process may take until its moment comes.
const MOMENT_TIME_MAX: Duration = Duration::from_secs(60);

#[test]
fn killed_at_random_everything_is_fixed_exactly_once() {
    let Size { violations, kills } = size();
    let storm = Storm::new(violations);
    let mut amid_work = 0;
    let mut cut_off = 0;
    for _ in 0..kills {
        // With --follow it does not end by itself, so that every kill meets a live process.
        let mut running = storm.deployed.spawn(&["run", "--follow", &storm.events]);
        // Moments of work, not of time: how fast it works depends on the machine.
        let share = LEDGER_BYTES_PER_VIOLATION * violations / kills;
        let until = storm.ledger_bytes() + rand::rng().random_range(1..=share);
        let started = Instant::now();
        while storm.ledger_bytes() < until && started.elapsed() < MOMENT_TIME_MAX {
            assert_eq!(running.ended().unwrap(), None, "it ended by itself");
            thread::sleep(Duration::from_millis(1));
        }
        // And not always just after a write.
        thread::sleep(Duration::from_millis(rand::rng().random_range(0..10)));
        let ran = running.kill().unwrap();
        assert_eq!(ran.code, None, "{}", ran.stderr);
        amid_work += usize::from(0 < storm.count_open());
        cut_off += usize::from(storm.unfinished() != 0);
    }
    println!("{kills} kills: {amid_work} with work left, {cut_off} cut a change off");
    assert!(kills / 2 <= amid_work && 0 < cut_off, "{amid_work} and {cut_off} of {kills}");
    storm.deployed.must(&["run", &storm.events]);
    storm.assert_fixed_exactly_once();
}

#[test]
fn a_storm_is_withheld_and_then_finished_by_a_person() {
    let Size { violations, .. } = size();
    let mut storm = Storm::new(violations);
    storm.deployed.configure(|it| {
        it["guardrails"].as_object_mut().unwrap().remove("fleet_changes_max").unwrap();
    });
    storm.deployed.must(&["run", &storm.events]);
    assert_eq!(storm.count_open(), violations - FLEET_CHANGES_DEFAULT);
    assert_eq!(storm.deployed.facts_of("breaker_opened").len(), 1);
    let open = storm.deployed.must(&["findings", "list", "--format", "json"]);
    let open: Vec<Value> = open.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    assert_eq!(open.len(), violations - FLEET_CHANGES_DEFAULT);
    assert!(open.iter().all(|it| it["status"] == "withheld"), "{open:?}");

    // The breaker holds: asking again without raising the cap changes nothing.
    let ran = storm.deployed.run(&["findings", "retry"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
    assert_eq!(storm.count_open(), violations - FLEET_CHANGES_DEFAULT);

    let cap = (violations + 1).to_string();
    storm.deployed.must(&["findings", "retry", "--fleet-changes-max", &cap]);
    storm.assert_fixed_exactly_once();
}
