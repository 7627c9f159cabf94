//! What the tests share: a world, ways to violate it, and the path from a read to an undo.

use aws_sdk_s3::types::{
    BucketCannedAcl, ObjectOwnership, OwnershipControls, OwnershipControlsRule,
    PublicAccessBlockConfiguration,
};
use quell_core::change::Change;
use quell_core::decide::authorized::Authorized;
use quell_core::decide::guardrails::Guardrails;
use quell_core::decide::mode::Modes;
use quell_core::decide::{self, Case, decide};
use quell_core::detect::{Finding, detect};
use quell_core::history::History;
use quell_core::policy::{Mode, Severity};
use quell_core::record::{Attempt, Authority};
use quell_core::resource::{ResourceRef, State, Trust};
use quell_library::Library;
use quell_library::aws::s3::{account, bucket, client};
use quell_library::aws::{AccountAccess, Aws, AwsSettings};
use quell_library::cloud::{CloudError, World};
use quell_library::live::Live;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::LazyLock;
use testkit::{ADMIN_ACCESS_KEY_ID, ADMIN_SECRET_ACCESS_KEY, Ministack, REGION};

/// The account that ministack starts with.
pub const MINISTACK_ACCOUNT: &str = "000000000000";
/// The account that moto starts with.
pub const MOTO_ACCOUNT: &str = "123456789012";

/// The built-in policies.
pub static LIBRARY: LazyLock<Library> = LazyLock::new(|| Library::builtin().unwrap());

/// A world, and the SDK's client to violate it with.
pub struct Bench {
    /// The world, as the roles of `access` see it.
    pub live: Live,
    /// The administrator's client.
    pub s3: aws_sdk_s3::Client,
    account: &'static str,
}

/// A world at an endpoint, whose one account is entered by the roles of `access`.
pub async fn bench(endpoint: String, account: &'static str, access: AccountAccess) -> Bench {
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
    let aws = Aws::connect(settings).await;
    let s3 = client::buckets(&aws.own(REGION));
    Bench { live: Live::new(aws, Trust::default()), s3, account }
}

/// ministack without enforced IAM.
pub async fn ministack() -> Bench {
    let endpoint = Ministack::shared(false).unwrap().endpoint();
    bench(endpoint, MINISTACK_ACCOUNT, AccountAccess::default()).await
}

impl Bench {
    /// A bucket whose ACL counts and that nothing blocks, as attackers like it.
    pub async fn open_bucket(&self, name: &str) -> ResourceRef {
        self.s3.create_bucket().bucket(name).send().await.unwrap();
        self.s3.delete_public_access_block().bucket(name).send().await.unwrap();
        let rule = OwnershipControlsRule::builder()
            .object_ownership(ObjectOwnership::ObjectWriter)
            .build()
            .unwrap();
        let controls = OwnershipControls::builder().rules(rule).build().unwrap();
        let call = self.s3.put_bucket_ownership_controls().bucket(name);
        call.ownership_controls(controls).send().await.unwrap();
        ResourceRef {
            kind: bucket::TYPE.to_owned(),
            id: name.to_owned(),
            account: self.account.to_owned(),
            region: REGION.to_owned(),
        }
    }

    /// Puts a bucket policy.
    pub async fn put_policy(&self, bucket: &ResourceRef, document: &Value) {
        let call = self.s3.put_bucket_policy().bucket(&bucket.id);
        call.policy(document.to_string()).send().await.unwrap();
    }

    /// Puts a canned ACL.
    pub async fn put_acl(&self, bucket: &ResourceRef, acl: BucketCannedAcl) {
        self.s3.put_bucket_acl().bucket(&bucket.id).acl(acl).send().await.unwrap();
    }

    /// Puts a public access block: the switches in `block::FLAGS`' order.
    pub async fn block(&self, bucket: &ResourceRef, flags: [bool; 4]) {
        let [acls, ignore, policy, restrict] = flags;
        let configuration = PublicAccessBlockConfiguration::builder()
            .block_public_acls(acls)
            .ignore_public_acls(ignore)
            .block_public_policy(policy)
            .restrict_public_buckets(restrict)
            .build();
        let call = self.s3.put_public_access_block().bucket(&bucket.id);
        call.public_access_block_configuration(configuration).send().await.unwrap();
    }

    /// Reads a resource that is there.
    pub async fn read(&self, resource: &ResourceRef) -> State {
        self.live.read(resource).await.unwrap().unwrap()
    }

    /// The change that a policy's first finding is answered with; none where nothing is found.
    pub async fn decide(
        &self,
        policy: &str,
        resource: &ResourceRef,
    ) -> Result<Option<(Authorized<Change>, Finding)>, CloudError> {
        let policy = LIBRARY.policy(policy).unwrap();
        let action = LIBRARY.action_of(policy, &resource.kind).unwrap();
        let state = self.live.read(resource).await?.unwrap();
        let detection = detect(&[policy], None, &state);
        assert!(detection.errors.is_empty(), "{:?}", detection.errors);
        let Some(finding) = detection.findings.into_iter().next() else { return Ok(None) };
        let plan = action.plan(&state, &finding.element, &policy.params());
        let case = Case {
            finding: &finding,
            state: &state,
            event: None,
            policy: policy.meta(),
            action: Some(action.meta()),
            plan: &plan,
        };
        let decision = decide(&rails(), &History::default(), &case, state.observed);
        let authorized = decision.authorized.unwrap_or_else(|| panic!("{:?}", decision.verdict));
        Ok(Some((authorized, finding)))
    }

    /// Fixes what a policy finds, one finding after the other, and reads each fix back.
    pub async fn heal(
        &self,
        policy: &str,
        resource: &ResourceRef,
    ) -> Result<Vec<Change>, CloudError> {
        let mut made = Vec::new();
        while let Some((authorized, finding)) = self.decide(policy, resource).await? {
            let applied = self.live.apply(&authorized, "test").await?;
            assert!(!applied.request_ids.is_empty(), "{applied:?}");
            let after = self.live.read(resource).await?.unwrap();
            let change = authorized.get().clone();
            assert!(change.is_done(&after.properties), "{} {:#}", change.facet, after.properties);
            let left = detect(&[LIBRARY.policy(policy).unwrap()], None, &after).findings;
            assert!(left.iter().all(|it| it.key != finding.key), "{finding:?}");
            made.push(change);
            assert!(made.len() < 10, "does not end: {made:?}");
        }
        Ok(made)
    }

    /// Undoes a fix.
    pub async fn undo(&self, change: &Change) -> Result<(), CloudError> {
        let action = quell_library::action(&change.action).unwrap();
        let authorized = decide::undo(&rails(), &attempt(change), action.meta()).unwrap();
        self.live.apply(&authorized, "test-undo").await.map(drop)
    }

    /// Makes a change that a person approved, as after a crash: the approval is in the ledger.
    pub async fn resume(&self, change: &Change) -> Result<(), CloudError> {
        self.live.apply(&decide::resume(&attempt(change)), "test-resume").await.map(drop)
    }

    /// Undoes the newest change first, and expects all to be as it was.
    pub async fn undo_all(&self, changes: &[Change], before: &State) {
        for change in changes.iter().rev() {
            self.undo(change).await.unwrap();
        }
        let after = self.read(&before.resource).await;
        assert_eq!(after.properties, before.properties);
    }
}

/// The account's block as a resource.
pub fn account_block(account: &str) -> ResourceRef {
    ResourceRef {
        kind: account::TYPE.to_owned(),
        id: account.to_owned(),
        account: account.to_owned(),
        region: REGION.to_owned(),
    }
}

fn attempt(change: &Change) -> Attempt {
    Attempt {
        id: "1".to_owned(),
        finding: "f".to_owned(),
        policy: "p".to_owned(),
        severity: Severity::High,
        event: None,
        change: change.clone(),
        authority: Authority::Policy,
        reversibility: quell_library::action(&change.action).unwrap().meta().reversibility,
        undoes: None,
    }
}

fn rails() -> Guardrails {
    let modes = Modes { default: Mode::Enforce, ..Modes::default() };
    Guardrails { modes, ..Guardrails::default() }
}

/// A statement that lets everybody read.
pub fn read_statement(bucket: &str) -> Value {
    json!({
        "Sid": "PublicRead",
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": format!("arn:aws:s3:::{bucket}/*"),
    })
}

/// Statements that no fix may touch.
pub fn kept_statements(bucket: &str) -> [Value; 2] {
    let objects = format!("arn:aws:s3:::{bucket}/*");
    [
        json!({
            "Sid": "TlsOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": objects,
            "Condition": { "Bool": { "aws:SecureTransport": "false" } },
        }),
        json!({
            "Sid": "OurOrganization",
            "Effect": "Allow",
            "Principal": { "AWS": "*" },
            "Action": "s3:GetObject",
            "Resource": objects,
            "Condition": { "StringEquals": { "aws:PrincipalOrgID": "o-a1b2c3d4e5" } },
        }),
    ]
}

/// A policy of statements.
pub fn document(statements: &[Value]) -> Value {
    json!({ "Version": "2012-10-17", "Id": "site", "Statement": statements })
}
