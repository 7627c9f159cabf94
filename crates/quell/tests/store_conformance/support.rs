//! Stores to test, a simulated account behind them, and facts to record.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use camino::Utf8PathBuf;
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use quell::clock::{Clock, SystemClock};
use quell::config::DynamoConfig;
use quell::embedded::Embedded;
use quell::journal::{Journal, MemoryJournal};
use quell::pipeline::{Pipeline, Scope};
use quell::simulation::SimulatedAccount;
use quell::store::dynamodb::Dynamo;
use quell_core::action::Reversibility;
use quell_core::change::{Change, Direction, Facet};
use quell_core::decide::authorized::Authorized;
use quell_core::decide::guardrails::Guardrails;
use quell_core::decide::mode::Modes;
use quell_core::detect::{Cause, Finding};
use quell_core::event::Event;
use quell_core::normalize;
use quell_core::policy::{Mode, Severity};
use quell_core::record::{Attempt, Authority, Fact, Outcome, Verdict, processed};
use quell_core::resource::{ResourceRef, State};
use quell_library::Library;
use quell_library::aws::{Aws, AwsSettings};
use quell_library::cloud::{Applied, CloudError, World};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use tempfile::TempDir;
use testkit::{ADMIN_ACCESS_KEY_ID, ADMIN_SECRET_ACCESS_KEY, Ministack, REGION};

/// The stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Memory,
    Embedded,
    DynamoDb,
}

/// Where one store lies; it can be opened again and again.
pub struct Place {
    pub kind: Kind,
    folder: TempDir,
    memory: Mutex<Option<Arc<MemoryJournal>>>,
    pub tables: Option<Shared>,
}

impl Place {
    pub async fn new(kind: Kind) -> Place {
        let tables = match kind {
            Kind::DynamoDb => Some(Shared::new().await),
            _ => None,
        };
        Place { kind, folder: tempfile::tempdir().unwrap(), memory: Mutex::default(), tables }
    }

    /// Opens the store as a process does that knows nothing yet. The one before has ended.
    pub async fn open(&self) -> Arc<dyn Journal> {
        match self.kind {
            Kind::Memory => {
                let before = self.memory.lock().unwrap().take();
                let fresh = Arc::new(MemoryJournal::default());
                for (time, fact) in before.iter().flat_map(|it| it.facts()) {
                    fresh.append(time, vec![fact]).await.unwrap();
                }
                if let Some(before) = &before {
                    let kept = before.kept_scan().await.unwrap();
                    fresh.keep_scan(kept).await.unwrap();
                }
                *self.memory.lock().unwrap() = Some(Arc::clone(&fresh));
                fresh
            }
            Kind::Embedded => {
                let dir = Utf8PathBuf::from_path_buf(self.folder.path().join("store")).unwrap();
                Arc::new(Embedded::open(&dir, Arc::new(SystemClock), None).unwrap())
            }
            Kind::DynamoDb => Arc::new(self.tables.as_ref().unwrap().open()),
        }
    }
}

/// Runs a case against each store.
pub async fn every(case: impl AsyncFn(Place)) {
    for kind in [Kind::Memory, Kind::Embedded, Kind::DynamoDb] {
        println!("{kind:?}");
        case(Place::new(kind).await).await;
    }
}

/// Tables of their own on the ministack that all tests share.
pub struct Shared {
    pub settings: DynamoConfig,
    pub aws: Aws,
    pub client: Client,
}

impl Shared {
    pub async fn new() -> Shared {
        let endpoint = Ministack::shared(false).unwrap().endpoint();
        let settings = DynamoConfig::named(&format!("t{}", uuid::Uuid::new_v4().simple()));
        let aws = aws(&endpoint).await;
        let client = Client::new(&aws.own(REGION));
        create_tables(&client, &settings.name).await;
        Shared { settings, aws, client }
    }

    /// A client of its own.
    pub async fn connect(&self) -> Aws {
        aws(&Ministack::shared(false).unwrap().endpoint()).await
    }

    pub fn open(&self) -> Dynamo {
        self.open_at(Arc::new(SystemClock))
    }

    pub fn open_at(&self, clock: Arc<dyn Clock>) -> Dynamo {
        Dynamo::new(&self.aws, self.settings.clone(), clock)
    }
}

/// AWS as an emulator's administrator sees it.
pub async fn aws(endpoint: &str) -> Aws {
    let settings = AwsSettings {
        region: REGION.to_owned(),
        endpoint_url: Some(endpoint.to_owned()),
        call_time_max_ms: 20_000,
        ..AwsSettings::default()
    };
    let base = Aws::connect(settings.clone()).await.own(REGION);
    let keys = Credentials::new(ADMIN_ACCESS_KEY_ID, ADMIN_SECRET_ACCESS_KEY, None, None, "test");
    let keys = SharedCredentialsProvider::new(keys);
    Aws::with_base(settings, base.into_builder().credentials_provider(keys).build())
}

/// The two tables, as the deployment makes them.
pub async fn create_tables(client: &Client, name: &str) {
    let number = ScalarAttributeType::N;
    let text = ScalarAttributeType::S;
    let tables = [
        ("ledger", [("chain", text.clone()), ("sequence", number)]),
        ("state", [("pk", text.clone()), ("sk", text)]),
    ];
    for (table, [hash, range]) in tables {
        let key = |name: &str, kind: KeyType| {
            KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap()
        };
        let attribute = |(name, kind): &(&str, ScalarAttributeType)| {
            AttributeDefinition::builder()
                .attribute_name(*name)
                .attribute_type(kind.clone())
                .build()
                .unwrap()
        };
        client
            .create_table()
            .table_name(format!("{name}-{table}"))
            .billing_mode(BillingMode::PayPerRequest)
            .key_schema(key(hash.0, KeyType::Hash))
            .key_schema(key(range.0, KeyType::Range))
            .attribute_definitions(attribute(&hash))
            .attribute_definitions(attribute(&range))
            .send()
            .await
            .unwrap();
    }
}

/// An account of buckets without their public access block, which counts what is done to it.
pub struct Buckets {
    pub account: SimulatedAccount,
    /// Changes that had an effect, per bucket.
    pub effective: Mutex<BTreeMap<String, usize>>,
    /// Calls that change something, whatever came of them.
    pub calls: AtomicUsize,
}

impl Buckets {
    pub fn new(count: usize) -> Arc<Buckets> {
        let buckets = (0..count).map(|it| bucket(&name(it))).collect();
        Arc::new(Buckets {
            account: SimulatedAccount::new(buckets, None).unwrap(),
            effective: Mutex::default(),
            calls: AtomicUsize::new(0),
        })
    }

    pub fn fixed(&self) -> BTreeMap<String, usize> {
        self.effective.lock().unwrap().clone()
    }
}

impl World for Buckets {
    fn read<'a>(
        &'a self,
        resource: &'a ResourceRef,
    ) -> BoxFuture<'a, Result<Option<State>, CloudError>> {
        self.account.read(resource)
    }

    fn apply<'a>(
        &'a self,
        change: &'a Authorized<Change>,
        session: &'a str,
    ) -> BoxFuture<'a, Result<Applied, CloudError>> {
        Box::pin(async move {
            let resource = &change.get().resource;
            self.calls.fetch_add(1, Ordering::SeqCst);
            let before = self.account.get(resource).unwrap().properties;
            let applied = self.account.apply(change, session).await;
            if self.account.get(resource).unwrap().properties != before {
                *self.effective.lock().unwrap().entry(resource.id.clone()).or_default() += 1;
            }
            applied
        })
    }
}

pub fn name(number: usize) -> String {
    format!("bucket-{number:04}")
}

pub fn resource(id: &str) -> ResourceRef {
    ResourceRef {
        kind: "AWS::S3::Bucket".to_owned(),
        id: id.to_owned(),
        account: "111122223333".to_owned(),
        region: "eu-central-1".to_owned(),
    }
}

fn bucket(id: &str) -> State {
    State {
        resource: resource(id),
        tags: BTreeMap::new(),
        properties: json!({ "OwnershipControls": { "Rules": [
            { "ObjectOwnership": "BucketOwnerEnforced" } ] } }),
        facts: Value::Null,
        unknown: Default::default(),
        observed: Timestamp::now(),
    }
}

/// Somebody took the block off a bucket.
pub fn body(id: &str, uid: &str) -> Vec<u8> {
    record(id, uid, None).to_string().into_bytes()
}

/// The same call, refused.
pub fn refused_body(id: &str, uid: &str) -> Vec<u8> {
    record(id, uid, Some("AccessDenied")).to_string().into_bytes()
}

fn record(id: &str, uid: &str, error: Option<&str>) -> Value {
    let mut record = json!({
        "eventVersion": "1.09", "eventID": uid, "eventTime": Timestamp::now().to_string(),
        "eventName": "DeleteBucketPublicAccessBlock", "eventSource": "s3.amazonaws.com",
        "awsRegion": "eu-central-1", "eventType": "AwsApiCall",
        "recipientAccountId": "111122223333", "requestID": format!("request-{uid}"),
        "userIdentity": { "type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/eve",
            "accountId": "111122223333" },
        "requestParameters": { "bucketName": id }, "responseElements": null
    });
    if let Some(code) = error {
        record["errorCode"] = json!(code);
    }
    record
}

pub fn event(id: &str, uid: &str) -> Event {
    normalize::value_events(record(id, uid, None)).unwrap().remove(0).unwrap()
}

pub fn rails() -> Guardrails {
    Guardrails {
        modes: Modes { default: Mode::Enforce, ..Modes::default() },
        fleet_changes_max: 10_000,
        ..Guardrails::default()
    }
}

/// Only the policy of the public access block, so that one bucket is one finding.
pub static LIBRARY: LazyLock<Arc<Library>> = LazyLock::new(|| {
    let config = quell::config::Config {
        policies: quell::config::PoliciesConfig {
            enabled: vec!["aws.s3.bucket_public_block".to_owned()],
            ..Default::default()
        },
        ..Default::default()
    };
    Arc::new(quell::runtime::library(&config).unwrap())
});

pub fn pipeline(journal: Arc<dyn Journal>, world: Arc<dyn World>, rails: Guardrails) -> Pipeline {
    let clock = Arc::new(SystemClock);
    Pipeline::new(Arc::clone(&LIBRARY), world, journal, clock, rails, Scope::default())
}

// ------------------------------------------------------------------------------------- facts

pub fn finding(id: &str) -> Finding {
    Finding {
        uid: format!("uid-{id}"),
        key: format!("key-{id}"),
        policy: "aws.s3.bucket_public_block".to_owned(),
        severity: Severity::High,
        resource: resource(id),
        element: "block".to_owned(),
        reason: "the block is off".to_owned(),
        latent: false,
        indeterminate: None,
        approval: None,
        notify_only: None,
        evidence: Value::Null,
        cause: Cause::Scan,
        time: Timestamp::now(),
    }
}

pub fn change(id: &str) -> Change {
    Change {
        action: "s3.put_public_access_block".to_owned(),
        resource: resource(id),
        facet: Facet::property("/PublicAccessBlockConfiguration"),
        before: Value::Null,
        after: json!({ "BlockPublicAcls": true }),
        position: None,
        discards: None,
        direction: Direction::Forward,
    }
}

pub fn decided(id: &str) -> Fact {
    Fact::Decided {
        finding: finding(id),
        verdict: Verdict::Remediate,
        change: Some(change(id)),
        actor: None,
    }
}

pub fn attempted(id: &str) -> Fact {
    Fact::Attempted(Attempt {
        id: format!("attempt-{id}"),
        finding: format!("key-{id}"),
        policy: "aws.s3.bucket_public_block".to_owned(),
        severity: Severity::High,
        event: None,
        change: change(id),
        authority: Authority::Policy,
        reversibility: Reversibility::Exact,
        undoes: None,
    })
}

pub fn concluded(id: &str, request: &str) -> Fact {
    Fact::Concluded {
        attempt: format!("attempt-{id}"),
        outcome: Outcome::Corrected { after: json!({ "BlockPublicAcls": true }) },
        request_ids: vec![request.to_owned()],
        note: None,
        resumed: false,
    }
}

pub fn done(id: &str, uid: &str) -> Fact {
    processed(&event(id, uid), 1)
}

pub fn now() -> Timestamp {
    Timestamp::now()
}

pub fn in_s(seconds: i64) -> Timestamp {
    Timestamp::now().checked_add(SignedDuration::from_secs(seconds)).unwrap()
}
