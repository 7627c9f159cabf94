//! Worker processes that share tables on ministack, killed with SIGKILL at random moments: nothing
//! is lost, nothing is done twice. And people's commands over the same store.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
#![allow(clippy::indexing_slicing, clippy::string_slice, reason = "tests")]

mod e2e;

use e2e::{Deployed, MINISTACK_ACCOUNT, event, text};
use rand::Rng as _;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};
use testkit::{Background, Ministack, Ran};

const NAME: &str = "workers";
const STORE: &str = "dynamodb://workers?region=us-east-1";
const GROUPS: usize = 60;
const KILLS: usize = 6;
/// How long workers may take until their moment comes.
const MOMENT_TIME_MAX: Duration = Duration::from_secs(60);

struct Fleet {
    _ministack: Ministack,
    deployed: Deployed,
    groups: Vec<String>,
    events: String,
}

impl Fleet {
    /// An account with security groups that let the world in, and the tables of a store.
    fn new() -> Fleet {
        let ministack = Ministack::start(false).unwrap();
        let mut deployed = Deployed::plainly(&ministack.endpoint(), MINISTACK_ACCOUNT, NAME);
        deployed.configure(|it| {
            it["policies"] = json!({ "enabled": ["aws.ec2.admin_port_open"] });
            // Longer than a fix takes here, short enough to wait for after a kill.
            it["store"] = json!({ "dynamodb": { "name": NAME, "lease_time_s": 3 } });
        });
        deployed.make_tables(NAME);
        let groups: Vec<String> = (0..GROUPS).map(|at| open_group(&deployed, at)).collect();
        let events: Vec<Value> = groups.iter().map(|it| opened(it)).collect();
        let events = deployed.events("events", &events);
        Fleet { _ministack: ministack, deployed, groups, events }
    }

    fn spawn(&self, arguments: &[&str]) -> Background {
        let mut all = vec!["--store", STORE];
        all.extend(arguments);
        self.deployed.spawn(&all)
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        self.spawn(arguments).wait(e2e::RUN_TIME_MAX).unwrap()
    }

    fn must(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.code, Some(0), "quell {arguments:?}\n{}\n{}", ran.stdout, ran.stderr);
        ran.stdout
    }

    fn ports(&self) -> BTreeMap<String, Vec<u64>> {
        let found = self.deployed.admin.call("ec2", "describe_security_groups", json!({}));
        let groups = found["SecurityGroups"].as_array().unwrap().iter();
        let ours = groups.filter(|it| text(&it["GroupName"]).starts_with(NAME));
        ours.map(|it| {
            let rules = it["IpPermissions"].as_array().unwrap().iter();
            (text(&it["GroupId"]), rules.map(|it| it["FromPort"].as_u64().unwrap()).collect())
        })
        .collect()
    }

    /// How many groups are no longer open to the world on port 22.
    fn fixed(&self) -> usize {
        self.ports().values().filter(|it| !it.contains(&22)).count()
    }

    fn facts(&self) -> Vec<Value> {
        let records = self.must(&["audit", "show", "--format", "json"]);
        let records = records.lines().map(|it| serde_json::from_str::<Value>(it).unwrap());
        records.map(|it| it["fact"].clone()).collect()
    }
}

fn open_group(deployed: &Deployed, at: usize) -> String {
    let group = json!({ "GroupName": format!("{NAME}-{at}"), "Description": "e2e" });
    let id = text(&deployed.admin.call("ec2", "create_security_group", group)["GroupId"]);
    let rule = |port: u16| {
        json!({
            "IpProtocol": "tcp", "FromPort": port, "ToPort": port,
            "IpRanges": [{ "CidrIp": "0.0.0.0/0" }],
        })
    };
    let wanted = json!({ "GroupId": id, "IpPermissions": [rule(443), rule(22)] });
    deployed.admin.call("ec2", "authorize_security_group_ingress", wanted);
    id
}

fn opened(group: &str) -> Value {
    let parameters = json!({ "groupId": group });
    event(MINISTACK_ACCOUNT, "ec2", "AuthorizeSecurityGroupIngress", parameters)
}

#[test]
fn workers_that_are_killed_lose_nothing_and_people_see_one_ledger() {
    let fleet = Fleet::new();
    let mut amid_work = 0;
    for round in 1..=KILLS {
        let workers: Vec<_> =
            (0..2).map(|_| fleet.spawn(&["run", "--follow", &fleet.events])).collect();
        // Moments of work, not of time: how fast they work depends on the machine.
        let started = Instant::now();
        while fleet.fixed() < round * GROUPS / (KILLS + 2) && started.elapsed() < MOMENT_TIME_MAX {
            thread::sleep(Duration::from_millis(5));
        }
        thread::sleep(Duration::from_millis(rand::rng().random_range(0..20)));
        for worker in workers {
            let ran = worker.kill().unwrap();
            assert_eq!(ran.code, None, "it ended by itself: {}", ran.stderr);
        }
        amid_work += usize::from((1..GROUPS).contains(&fleet.fixed()));
    }
    assert!(KILLS / 2 <= amid_work, "only {amid_work} of {KILLS} kills met workers amid work");
    let last: Vec<_> = (0..2).map(|_| fleet.spawn(&["run", &fleet.events])).collect();
    for worker in last {
        let ran = worker.wait(e2e::RUN_TIME_MAX).unwrap();
        assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    }
    let ports = fleet.ports();
    assert_eq!(ports.len(), GROUPS);
    assert!(ports.values().all(|it| *it == [443]), "{ports:?}");

    let facts = fleet.facts();
    let of = |kind: &str| facts.iter().filter(|it| it["fact"] == kind).collect::<Vec<_>>();
    let mut corrected: BTreeMap<String, usize> = BTreeMap::new();
    for it in of("concluded") {
        assert_eq!(it["outcome"]["outcome"], "corrected", "{it}");
        *corrected.entry(text(&it["attempt"])).or_default() += 1;
    }
    assert_eq!((of("attempted").len(), corrected.len()), (GROUPS, GROUPS));
    assert!(corrected.values().all(|it| *it == 1), "{corrected:?}");
    assert_eq!(of("processed").len(), GROUPS, "each event is done once");
    assert_eq!(of("dead_lettered"), Vec::<&Value>::new());
    people_use_it(&fleet);
}

/// Every command that works on a data folder works on the tables.
fn people_use_it(fleet: &Fleet) {
    let verified = fleet.must(&["audit", "verify"]);
    assert!(verified.contains("records verified"), "{verified}");
    let lines = fleet.must(&["audit", "export"]);
    assert_eq!(lines.lines().count(), fleet.facts().len());

    let listed = fleet.must(&["findings", "list", "--all", "--format", "json"]);
    let findings: Vec<Value> = listed.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    assert_eq!(findings.len(), GROUPS);
    let (key, group) =
        (text(&findings[0]["finding"]["key"]), text(&findings[0]["finding"]["resource"]["id"]));
    assert!(fleet.groups.contains(&group));
    assert!(fleet.must(&["findings", "show", &key]).contains("corrected"));

    fleet.must(&["undo", &key, "--reason", "public on purpose"]);
    assert_eq!(fleet.ports()[&group], [443, 22]);
    let again = fleet.run(&["undo", &key, "--reason", "twice"]);
    assert_eq!(again.code, Some(2), "{}", again.stdout);

    let exempt = ["exempt", "add", "jump", "--resource", &group, "--owner", "ops", "--days", "3"];
    fleet.must(&[&exempt[..], &["--reason", "the jump host"]].concat());
    assert!(fleet.must(&["exempt", "list"]).contains("jump"));
    let event = fleet.deployed.events("again", &[opened(&group)]);
    fleet.must(&["run", &event]);
    assert_eq!(fleet.ports()[&group], [443, 22], "the exemption holds for every worker");
    assert!(fleet.must(&["findings", "show", &key]).contains("exempt"));
    fleet.must(&["approvals", "list"]);
    fleet.must(&["doctor", "--offline"]);
}
