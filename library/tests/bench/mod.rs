//! What tests against emulators share: a world, the loop from reading to undoing, and roles that
//! hold exactly what is declared.
#![allow(dead_code, reason = "each test binary uses its part")]

use aws_config::SdkConfig;
use quell_core::change::Change;
use quell_core::decide::authorized::Authorized;
use quell_core::decide::guardrails::Guardrails;
use quell_core::decide::mode::Modes;
use quell_core::decide::{self, Case, decide};
use quell_core::detect::{Finding, detect};
use quell_core::history::History;
use quell_core::policy::{Mode, Policy, Severity};
use quell_core::record::{Attempt, Authority, Verdict};
use quell_core::resource::{Permission, Purpose, ResourceRef, State, Trust};
use quell_library::Library;
use quell_library::aws::{AccountAccess, Aws, AwsSettings};
use quell_library::cloud::{CloudError, World};
use quell_library::live::Live;
use quell_library::permissions::{document, fill_wide};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use testkit::{ADMIN_ACCESS_KEY_ID, ADMIN_SECRET_ACCESS_KEY, REGION};

/// ministack's account.
pub const MINISTACK_ACCOUNT: &str = "000000000000";
/// moto's account.
pub const MOTO_ACCOUNT: &str = "123456789012";

/// The built-in library.
pub static LIBRARY: LazyLock<Library> = LazyLock::new(|| Library::builtin().unwrap());

/// An emulator's account, as Quell sees it, and as its administrator does.
pub struct Bench {
    /// As Quell sees it.
    pub live: Live,
    /// The administrator's session, for violating and for looking.
    pub admin: SdkConfig,
    /// The account.
    pub account: &'static str,
}

/// A change that was made, and how it was allowed.
#[derive(Debug)]
pub struct Made {
    /// The change.
    pub change: Change,
    /// Why a person had to approve it, if so.
    pub approval: Option<String>,
}

impl Bench {
    /// Enters an account; without roles, as its administrator.
    pub async fn new(endpoint: &str, account: &'static str, access: AccountAccess) -> Bench {
        use_the_administrators_key();
        let settings = AwsSettings {
            endpoint_url: Some(endpoint.to_owned()),
            accounts: BTreeMap::from([(account.to_owned(), access)]),
            ..AwsSettings::default()
        };
        let aws = Aws::connect(settings).await;
        let admin = aws.own(REGION);
        Bench { live: Live::new(aws, Trust::default()), admin, account }
    }

    /// A resource of this account.
    pub fn resource(&self, kind: &str, id: &str) -> ResourceRef {
        ResourceRef {
            kind: kind.to_owned(),
            id: id.to_owned(),
            account: self.account.to_owned(),
            region: REGION.to_owned(),
        }
    }

    /// Reads what must be there.
    pub async fn read(&self, resource: &ResourceRef) -> Result<State, CloudError> {
        Ok(self.live.read(resource).await?.unwrap_or_else(|| panic!("{resource} is gone")))
    }

    /// Fixes what a policy finds, one finding after the other, and reads each fix back. Where a
    /// person must approve, one does.
    pub async fn heal(
        &self,
        policy: &str,
        resource: &ResourceRef,
    ) -> Result<Vec<Made>, CloudError> {
        let policy = LIBRARY.policy(policy).unwrap();
        let mut made = Vec::new();
        loop {
            let state = self.read(resource).await?;
            let Some(finding) = findings(policy, &state).into_iter().next() else {
                return Ok(made);
            };
            let one = self.fix(policy, &state, &finding).await?;
            let after = self.read(resource).await?;
            let change = &one.change;
            assert!(change.is_done(&after.properties), "{} {:#}", change.facet, after.properties);
            assert!(!findings(policy, &after).iter().any(|it| it.key == finding.key));
            made.push(one);
            assert!(made.len() < 10, "does not end: {made:?}");
        }
    }

    /// Plans, decides and applies one fix.
    pub async fn fix(
        &self,
        policy: &Policy,
        state: &State,
        finding: &Finding,
    ) -> Result<Made, CloudError> {
        let (authorized, approval) = self.authorize(policy, state, finding);
        let applied = self.live.apply(&authorized, "test").await?;
        assert!(!applied.request_ids.is_empty(), "{applied:?}");
        Ok(Made { change: authorized.get().clone(), approval })
    }

    /// Plans and decides. Where a person must approve, one does, and the reason comes along.
    pub fn authorize(
        &self,
        policy: &Policy,
        state: &State,
        finding: &Finding,
    ) -> (Authorized<Change>, Option<String>) {
        let action = LIBRARY.action_of(policy, &state.resource.kind).unwrap();
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
        match (decision.authorized, decision.verdict) {
            (Some(authorized), _) => (authorized, None),
            (None, Verdict::AwaitApproval { reason, .. }) => {
                let change = plan.unwrap().unwrap().change;
                (decide::resume(&attempt(&change)), Some(reason.to_string()))
            }
            (None, verdict) => panic!("{verdict:?}"),
        }
    }

    /// Undoes one change.
    pub async fn undo(&self, change: &Change) -> Result<(), CloudError> {
        let action = quell_library::action(&change.action).unwrap();
        let authorized = decide::undo(&rails(), &attempt(change), action.meta()).unwrap();
        self.live.apply(&authorized, "test-undo").await.map(drop)
    }
}

/// What a policy finds in a state.
pub fn findings(policy: &Policy, state: &State) -> Vec<Finding> {
    let detection = detect(&[policy], None, state);
    assert!(detection.errors.is_empty(), "{:?}", detection.errors);
    detection.findings
}

fn attempt(change: &Change) -> Attempt {
    let action = quell_library::action(&change.action).unwrap();
    Attempt {
        id: "attempt".to_owned(),
        finding: "finding".to_owned(),
        policy: "policy".to_owned(),
        severity: Severity::High,
        event: None,
        change: change.clone(),
        authority: Authority::Approval { person: "tester".to_owned() },
        reversibility: action.meta().reversibility,
        undoes: None,
    }
}

fn rails() -> Guardrails {
    let modes = Modes { default: Mode::Enforce, ..Modes::default() };
    Guardrails { modes, undo_iam_grants: true, ..Guardrails::default() }
}

/// The credential chain of every client here ends in the environment.
pub fn use_the_administrators_key() {
    static SET: LazyLock<()> = LazyLock::new(|| {
        // SAFETY: nothing in this process reads the environment other than through `std::env`,
        // which takes turns.
        unsafe {
            std::env::set_var("AWS_ACCESS_KEY_ID", ADMIN_ACCESS_KEY_ID);
            std::env::set_var("AWS_SECRET_ACCESS_KEY", ADMIN_SECRET_ACCESS_KEY);
        }
    });
    LazyLock::force(&SET);
}

/// Makes a role (or gives it another policy) that everyone of the account may take, with exactly
/// these permissions of one purpose, as `quell iam` would grant them.
pub async fn role(
    admin: &SdkConfig,
    account: &str,
    name: &str,
    permissions: &BTreeSet<Permission>,
    purpose: Purpose,
) -> String {
    let iam = aws_sdk_iam::Client::new(admin);
    let trust = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "AWS": format!("arn:aws:iam::{account}:root") },
            "Action": "sts:AssumeRole",
        }],
    });
    let make = iam.create_role().role_name(name).assume_role_policy_document(trust.to_string());
    if let Err(error) = make.send().await {
        let exists =
            error.as_service_error().is_some_and(|it| it.is_entity_already_exists_exception());
        assert!(exists, "{error:?}");
    }
    let used = permissions.iter().filter(|it| it.purpose == purpose).copied().collect();
    let policy = document(&used, fill_wide("aws", account));
    let grant = iam.put_role_policy().role_name(name).policy_name("quell");
    grant.policy_document(policy.to_string()).send().await.unwrap();
    format!("arn:aws:iam::{account}:role/{name}")
}
