//! What happens without an event, or must not happen with one: scans, heartbeats, what is left to a
//! pipeline for a while, and findings that events alone prove. All in a simulated account;
//! `e2e_scan.rs` scans a real emulator's.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod grace;
mod heartbeat;
mod scan;
mod tamper;
mod walk;

use jiff::Timestamp;
use quell::demo::account;
use quell::journal::{Journal, MemoryJournal};
use quell::pipeline::{Pipeline, Scope};
use quell::simulation::SimulatedAccount;
use quell::simulation::clock::SimulatedClock;
use quell::simulation::dice::Dice;
use quell_core::decide::guardrails::Guardrails;
use quell_core::decide::mode::Modes;
use quell_core::history::{Open, Status};
use quell_core::policy::Mode;
use quell_core::record::Fact;
use quell_core::resource::{ResourceRef, State};
use quell_library::Library;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

const ACCOUNT: &str = "111122223333";
const WRITE_ROLE: &str = "arn:aws:iam::111122223333:role/quell-write";

static LIBRARY: LazyLock<Arc<Library>> = LazyLock::new(|| Arc::new(Library::builtin().unwrap()));

/// The demo's account with a rule of ours, and Quell in it.
struct Stage {
    account: Arc<SimulatedAccount>,
    journal: Arc<MemoryJournal>,
    clock: Arc<SimulatedClock>,
    pipeline: Pipeline,
}

fn rule() -> ResourceRef {
    ResourceRef {
        kind: "AWS::Events::Rule".to_owned(),
        id: "quell-heartbeat".to_owned(),
        account: ACCOUNT.to_owned(),
        region: account::REGION.to_owned(),
    }
}

impl Stage {
    fn new(mode: Mode) -> Stage {
        Stage::with(mode, |it| it)
    }

    fn with(mode: Mode, adapt: impl Fn(SimulatedAccount) -> SimulatedAccount) -> Stage {
        let start = Timestamp::constant(1_767_603_600, 0);
        let mut states = account::resources(&mut Dice::seeded(7), start);
        states.push(State {
            resource: rule(),
            tags: BTreeMap::new(),
            properties: json!({
                "Name": "quell-heartbeat",
                "State": "ENABLED",
                "Targets": [{ "Id": "hub", "Arn": "arn:aws:sqs:eu-central-1:111122223333:quell" }],
            }),
            facts: Value::Null,
            unknown: BTreeSet::new(),
            observed: start,
        });
        let account = Arc::new(adapt(SimulatedAccount::new(states, None).unwrap()));
        let journal = Arc::new(MemoryJournal::default());
        let clock = Arc::new(SimulatedClock::at(start));
        let modes = Modes { default: mode, ..Modes::default() };
        let rails = Guardrails { modes, ..Guardrails::default() };
        let scope = Scope {
            accounts: BTreeSet::from([ACCOUNT.to_owned()]),
            own_roles: BTreeSet::from([WRITE_ROLE.to_owned()]),
        };
        let pipeline = Pipeline::new(
            Arc::clone(&LIBRARY),
            Arc::clone(&account) as Arc<_>,
            Arc::clone(&journal) as Arc<dyn Journal>,
            Arc::clone(&clock) as Arc<_>,
            rails,
            scope,
        );
        Stage { account, journal, clock, pipeline }
    }

    fn facts(&self) -> Vec<Fact> {
        self.journal.facts().into_iter().map(|(_, fact)| fact).collect()
    }

    /// How often a fact of this name was recorded.
    fn count(&self, name: &str) -> usize {
        let facts = self.facts().into_iter().map(|it| serde_json::to_value(it).unwrap());
        facts.filter(|it| it["fact"] == name).count()
    }

    /// The findings on a resource, by element.
    fn findings(&self, resource: &ResourceRef) -> BTreeMap<String, Open> {
        let history = self.journal.history();
        let on = history.findings_on(resource);
        on.map(|it| (it.finding.element.clone(), it.clone())).collect()
    }

    fn status(&self, resource: &ResourceRef) -> Vec<Status> {
        self.findings(resource).into_values().map(|it| it.status).collect()
    }
}

/// An audit event in EventBridge's envelope; `who` is a role's ARN.
fn event(service: &str, name: &str, request: Value, who: &str, request_id: &str) -> Vec<u8> {
    let id = uuid::Uuid::new_v4().to_string();
    let now = "2026-01-05T09:00:05Z";
    let role = who.rsplit('/').next().unwrap();
    let event = json!({
        "version": "0",
        "id": id,
        "detail-type": "AWS API Call via CloudTrail",
        "source": format!("aws.{service}"),
        "account": ACCOUNT,
        "time": now,
        "region": account::REGION,
        "resources": [],
        "detail": {
            "eventVersion": "1.11",
            "userIdentity": {
                "type": "AssumedRole",
                "arn": format!("arn:aws:sts::{ACCOUNT}:assumed-role/{role}/session"),
                "accountId": ACCOUNT,
                "sessionContext": { "sessionIssuer": { "type": "Role", "arn": who } },
            },
            "eventTime": now,
            "eventSource": format!("{service}.amazonaws.com"),
            "eventName": name,
            "awsRegion": account::REGION,
            "requestParameters": request,
            "responseElements": null,
            "requestID": request_id,
            "eventID": id,
            "recipientAccountId": ACCOUNT,
        },
    });
    event.to_string().into_bytes()
}
