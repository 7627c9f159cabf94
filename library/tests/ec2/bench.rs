//! What the tests of EC2 and CloudTrail share: records, judging, and the whole way on an emulator.

use aws_config::SdkConfig;
use quell_core::change::Change;
use quell_core::decide::guardrails::Guardrails;
use quell_core::decide::mode::Modes;
use quell_core::decide::{self, Case, decide};
use quell_core::detect::{Finding, detect};
use quell_core::event::Event;
use quell_core::history::History;
use quell_core::normalize;
use quell_core::policy::{Mode, Severity};
use quell_core::record::{Attempt, Authority, Verdict};
use quell_core::resource::{Purpose, ResourceRef, State, Trust};
use quell_library::Library;
use quell_library::aws::{AccountAccess, Aws, AwsSettings};
use quell_library::cloud::{CloudError, World};
use quell_library::live::Live;
use quell_library::permissions::{document, fill_wide, needed};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::LazyLock;
use testkit::{ADMIN_ACCESS_KEY_ID, ADMIN_SECRET_ACCESS_KEY};

pub const ACCOUNT: &str = "111122223333";

pub static LIBRARY: LazyLock<Library> = LazyLock::new(|| Library::builtin().unwrap());

/// A CloudTrail record of a call, as an event; `more` adds fields or replaces them.
pub fn record(service: &str, name: &str, request: Value, response: Value, more: Value) -> Event {
    let mut record = json!({
        "eventVersion": "1.11",
        "eventID": "7c1e2b50-4f0d-4a6b-9d11-000000000001",
        "eventTime": "2025-03-02T09:14:07Z",
        "eventSource": format!("{service}.amazonaws.com"),
        "eventName": name,
        "awsRegion": "eu-central-1",
        "recipientAccountId": ACCOUNT,
        "requestParameters": request,
        "responseElements": response,
        "userIdentity": { "type": "IAMUser", "accountId": ACCOUNT },
    });
    record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    parse(record)
}

pub fn parse(record: Value) -> Event {
    let mut events = normalize::document(record.to_string().as_bytes()).unwrap();
    events.remove(0).unwrap()
}

/// The records of a corpus that nobody here wrote: each line's `event`, with the line.
pub fn corpus(name: &str) -> Vec<(Value, Value)> {
    let text = testkit::corpus(name).unwrap();
    let lines = text.lines().map(|it| serde_json::from_str::<Value>(it).unwrap());
    lines.map(|it| (it["event"].clone(), it)).collect()
}

/// What an event alone proves of the first resource that it names, with its facts.
pub fn implied(kind: &str, event: &Event) -> Option<State> {
    let kind = quell_library::resource(kind).unwrap();
    let target = kind.targets(event).into_iter().next()?;
    let mut state = kind.implied(event, &target)?;
    state.facts = kind.facts(&state, &Trust::default());
    Some(state)
}

pub fn with_facts(mut state: State) -> State {
    let kind = quell_library::resource(&state.resource.kind).unwrap();
    state.facts = kind.facts(&state, &Trust::default());
    state
}

/// The findings of one policy on a state.
pub fn findings(policy: &str, state: &State) -> Vec<Finding> {
    let detection = detect(&[LIBRARY.policy(policy).unwrap()], None, state);
    assert!(detection.errors.is_empty(), "{:?}", detection.errors);
    detection.findings
}

/// The change that fixes a finding.
pub fn planned(finding: &Finding, state: &State) -> Option<Change> {
    let policy = LIBRARY.policy(&finding.policy).unwrap();
    let action = LIBRARY.action_of(policy, &finding.resource.kind).unwrap();
    let plan = action.plan(state, &finding.element, &policy.params()).unwrap();
    plan.map(|it| it.change)
}

/// An emulator's account with nothing of ours in between.
pub struct Bench {
    pub live: Live,
    pub account: &'static str,
}

impl Bench {
    /// With the administrator's own credentials.
    pub async fn at(endpoint: String, account: &'static str) -> Bench {
        Bench::with(endpoint, account, AccountAccess::default()).await
    }

    /// With three roles that may do what these policies declare, and nothing else but
    /// `on_anything`: read actions that the emulator checks against `*`, where AWS checks an ARN.
    pub async fn least(
        endpoint: String,
        account: &'static str,
        policies: &[&str],
        on_anything: &[&str],
    ) -> Bench {
        let admin = Bench::at(endpoint.clone(), account).await;
        let iam = aws_sdk_iam::Client::new(&admin.admin(testkit::REGION));
        let policies: Vec<_> = policies.iter().map(|it| LIBRARY.policy(it).unwrap()).collect();
        let needed = needed(&LIBRARY, &policies, |_| Mode::Enforce);
        let mut roles = Vec::new();
        for purpose in [Purpose::Read, Purpose::Write, Purpose::Undo] {
            let wanted = needed.iter().filter(|it| it.purpose == purpose).copied().collect();
            let mut document = document(&wanted, fill_wide("aws", account));
            if purpose == Purpose::Read && !on_anything.is_empty() {
                let stand_in = json!({ "Effect": "Allow", "Action": on_anything, "Resource": "*" });
                document["Statement"].as_array_mut().unwrap().push(stand_in);
            }
            let name = format!("{}-{purpose:?}", policies[0].id());
            let trust = json!({ "Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Action": "sts:AssumeRole",
                "Principal": { "AWS": format!("arn:aws:iam::{account}:root") },
            }] });
            let call = iam.create_role().role_name(&name);
            let role = call.assume_role_policy_document(trust.to_string()).send().await.unwrap();
            let call = iam.put_role_policy().role_name(&name).policy_name("quell");
            call.policy_document(document.to_string()).send().await.unwrap();
            roles.push(role.role.map(|it| it.arn));
        }
        let [read_role, write_role, undo_role] = <[_; 3]>::try_from(roles).unwrap();
        let access = AccountAccess { read_role, write_role, undo_role, external_id: None };
        Bench::with(endpoint, account, access).await
    }

    async fn with(endpoint: String, account: &'static str, access: AccountAccess) -> Bench {
        static CREDENTIALS: LazyLock<()> = LazyLock::new(|| {
            // SAFETY: nothing in this process reads the environment other than through `std::env`,
            // which takes turns.
            unsafe {
                std::env::set_var("AWS_ACCESS_KEY_ID", ADMIN_ACCESS_KEY_ID);
                std::env::set_var("AWS_SECRET_ACCESS_KEY", ADMIN_SECRET_ACCESS_KEY);
            }
        });
        LazyLock::force(&CREDENTIALS);
        let settings = AwsSettings {
            endpoint_url: Some(endpoint),
            accounts: BTreeMap::from([(account.to_owned(), access)]),
            ..AwsSettings::default()
        };
        Bench { live: Live::new(Aws::connect(settings).await, Trust::default()), account }
    }

    /// The administrator in a region.
    pub fn admin(&self, region: &str) -> SdkConfig {
        self.live.aws().own(region)
    }

    pub fn resource(&self, kind: &str, id: &str, region: &str) -> ResourceRef {
        ResourceRef {
            kind: kind.to_owned(),
            id: id.to_owned(),
            account: self.account.to_owned(),
            region: region.to_owned(),
        }
    }

    pub async fn read(&self, resource: &ResourceRef) -> State {
        self.live.read(resource).await.unwrap().unwrap()
    }

    /// What the product decides about a finding in mode enforce; an approval is given.
    async fn fix(&self, finding: &Finding, state: &State) -> Change {
        let policy = LIBRARY.policy(&finding.policy).unwrap();
        let action = LIBRARY.action_of(policy, &finding.resource.kind).unwrap();
        let plan = action.plan(state, &finding.element, &policy.params());
        let case = Case {
            finding,
            state,
            event: None,
            policy: policy.meta(),
            action: Some(action.meta()),
            plan: &plan,
        };
        let decision = decide(&rails(), &History::default(), &case, state.observed);
        let authorized = match decision.authorized {
            Some(it) => it,
            None => {
                let waits = matches!(decision.verdict, Verdict::AwaitApproval { .. });
                assert!(waits, "{:?}", decision.verdict);
                // A resumed attempt is made without asking again: as good as approved.
                decide::resume(&attempt(plan.unwrap().unwrap().change))
            }
        };
        let applied = self.live.apply(&authorized, "test").await.unwrap();
        assert!(!applied.request_ids.is_empty(), "{applied:?}");
        authorized.get().clone()
    }

    /// Fixes what a policy finds, one finding after the other, and reads each fix back.
    pub async fn heal(&self, policy: &str, resource: &ResourceRef) -> Vec<Change> {
        let mut made = Vec::new();
        loop {
            let state = self.read(resource).await;
            let found = findings(policy, &state);
            let Some(finding) = found.first() else { return made };
            let change = self.fix(finding, &state).await;
            let after = self.read(resource).await;
            assert!(change.is_done(&after.properties), "{} {:#}", change.facet, after.properties);
            assert!(findings(policy, &after).iter().all(|it| it.key != finding.key));
            made.push(change);
            assert!(made.len() < 10, "does not end: {made:?}");
        }
    }

    pub async fn undo(&self, change: &Change) -> Result<(), CloudError> {
        let action = quell_library::action(&change.action).unwrap();
        let attempt = attempt(change.clone());
        let authorized = decide::undo(&rails(), &attempt, action.meta()).unwrap();
        self.live.apply(&authorized, "test-undo").await.map(drop)
    }

    /// Makes a change again, as a crash may lead to.
    pub async fn again(&self, change: &Change) -> Result<(), CloudError> {
        let authorized = decide::resume(&attempt(change.clone()));
        self.live.apply(&authorized, "test-again").await.map(drop)
    }
}

fn rails() -> Guardrails {
    let modes = Modes { default: Mode::Enforce, ..Modes::default() };
    Guardrails { modes, ..Guardrails::default() }
}

fn attempt(change: Change) -> Attempt {
    let reversibility = quell_library::action(&change.action).unwrap().meta().reversibility;
    Attempt {
        id: "1".to_owned(),
        finding: "f".to_owned(),
        policy: "p".to_owned(),
        severity: Severity::High,
        event: None,
        change,
        authority: Authority::Policy,
        reversibility,
        undoes: None,
    }
}
