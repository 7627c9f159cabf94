//! Listing what there is, on real emulators: whole, by region, and with no more than is declared.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod bench;

use aws_config::{Region, SdkConfig};
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
use bench::{Bench, LIBRARY, MINISTACK_ACCOUNT, MOTO_ACCOUNT, role};
use quell_core::event::CloudScope;
use quell_core::policy::{Mode, Policy};
use quell_core::resource::{Permission, Purpose};
use quell_library::aws::AccountAccess;
use quell_library::aws::s3::client;
use quell_library::cloud::{CloudError, CloudErrorKind, World};
use quell_library::permissions::needed;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use testkit::{Ministack, Moto, REGION};

const ELSEWHERE: &str = "eu-west-1";
/// More than a page of EventBridge.
const RULES: usize = 130;

/// One of each type in each region; the ids by type.
async fn make(bench: &Bench, name: &str) -> BTreeMap<&'static str, [Vec<String>; 2]> {
    let here = &bench.admin;
    let there = here.clone().into_builder().region(Region::new(ELSEWHERE)).build();
    let mut made = BTreeMap::new();
    make_iam(here, bench.account, name, &mut made).await;
    let mut regional: [BTreeMap<&str, String>; 2] = [BTreeMap::new(), BTreeMap::new()];
    for (at, (config, region)) in [(here, REGION), (&there, ELSEWHERE)].into_iter().enumerate() {
        let name = format!("{name}-{region}");
        regional[at] = make_regional(config, region, &name).await;
    }
    for kind in ["AWS::CloudTrail::Trail", "AWS::EC2::SecurityGroup", "AWS::S3::Bucket"] {
        made.insert(kind, [0, 1].map(|at| vec![regional[at][kind].clone()]));
    }
    let rules = aws_sdk_eventbridge::Client::new(here);
    let mut ids = Vec::new();
    for at in 0..RULES {
        let id = format!("{name}-{at:03}");
        let call = rules.put_rule().name(&id).event_pattern(r#"{"source":["x"]}"#);
        call.send().await.unwrap();
        ids.push(id);
    }
    let bus = format!("{name}-bus");
    rules.create_event_bus().name(&bus).send().await.unwrap();
    let call = rules.put_rule().name("own").event_bus_name(&bus);
    call.event_pattern(r#"{"source":["x"]}"#).send().await.unwrap();
    ids.push(format!("{bus}/own"));
    made.insert("AWS::Events::Rule", [ids, Vec::new()]);
    let account = bench.account.to_owned();
    made.insert("AWS::S3::AccountPublicAccessBlock", [vec![account], Vec::new()]);
    made
}

async fn make_iam(
    config: &SdkConfig,
    account: &str,
    name: &str,
    made: &mut BTreeMap<&'static str, [Vec<String>; 2]>,
) {
    let iam = aws_sdk_iam::Client::new(config);
    let document = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*",
    }] });
    let trust = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": { "AWS": format!("arn:aws:iam::{account}:root") },
    }] });
    let call = iam.create_policy().policy_name(name).policy_document(document.to_string());
    let policy = call.send().await.unwrap().policy.unwrap().arn.unwrap();
    iam.create_user().user_name(name).path("/team/").send().await.unwrap();
    iam.create_group().group_name(name).send().await.unwrap();
    let call = iam.create_role().role_name(name);
    call.assume_role_policy_document(trust.to_string()).send().await.unwrap();
    made.insert("AWS::IAM::ManagedPolicy", [vec![policy], Vec::new()]);
    for kind in ["AWS::IAM::Group", "AWS::IAM::Role", "AWS::IAM::User"] {
        made.insert(kind, [vec![name.to_owned()], Vec::new()]);
    }
}

async fn make_regional(
    config: &SdkConfig,
    region: &str,
    name: &str,
) -> BTreeMap<&'static str, String> {
    let s3 = client::buckets(config);
    let mut call = s3.create_bucket().bucket(name);
    if region != REGION {
        let place = BucketLocationConstraint::from(region);
        let configuration = CreateBucketConfiguration::builder().location_constraint(place);
        call = call.create_bucket_configuration(configuration.build());
    }
    call.send().await.unwrap();
    let trails = aws_sdk_cloudtrail::Client::new(config);
    let call = trails.create_trail().name(name).s3_bucket_name(name);
    let trail = call.is_multi_region_trail(true).send().await.unwrap().trail_arn.unwrap();
    let ec2 = aws_sdk_ec2::Client::new(config);
    let vpc = ec2.create_vpc().cidr_block("10.0.0.0/16").send().await.unwrap().vpc.unwrap();
    let call = ec2.create_security_group().group_name(name).description(name);
    let group = call.vpc_id(vpc.vpc_id.unwrap()).send().await.unwrap().group_id.unwrap();
    BTreeMap::from([
        ("AWS::CloudTrail::Trail", trail),
        ("AWS::EC2::SecurityGroup", group),
        ("AWS::S3::Bucket", name.to_owned()),
    ])
}

fn place(bench: &Bench, region: &str) -> CloudScope {
    CloudScope { account: bench.account.to_owned(), region: region.to_owned() }
}

async fn ids(bench: &Bench, kind: &str, region: &str) -> Result<BTreeSet<String>, CloudError> {
    let place = place(bench, region);
    let listed = bench.live.list(kind, &place).await?;
    for it in &listed {
        assert_eq!((&*it.kind, &*it.account, &*it.region), (kind, bench.account, region));
    }
    let unique: BTreeSet<String> = listed.iter().map(|it| it.id.clone()).collect();
    assert_eq!(unique.len(), listed.len(), "{kind} repeats itself");
    Ok(unique)
}

/// Everything that was made is listed where it is, and nowhere else.
async fn all_is_listed(bench: &Bench, made: &BTreeMap<&'static str, [Vec<String>; 2]>) {
    for (kind, ids_by_region) in made {
        let [here, there] =
            [ids(bench, kind, REGION).await.unwrap(), ids(bench, kind, ELSEWHERE).await.unwrap()];
        for (listed, other, wanted) in
            [(&here, &there, &ids_by_region[0]), (&there, &here, &ids_by_region[1])]
        {
            for id in wanted {
                assert!(listed.contains(id), "{kind} {id} is not in {listed:?}");
                assert!(!other.contains(id), "{kind} {id} is in the other region, too");
            }
        }
        let global = quell_library::resource(kind).unwrap().meta().global;
        assert!(!global || there.is_empty(), "{kind}: {there:?}");
    }
    let readable = quell_library::resources().filter(|it| !it.meta().is_proven_by_events());
    let kinds: BTreeSet<&str> = readable.map(|it| it.meta().cloudformation).collect();
    assert_eq!(made.keys().copied().collect::<BTreeSet<_>>(), kinds, "every type is tried");
}

#[tokio::test]
async fn everything_is_listed_where_it_is() {
    let endpoint = Ministack::shared(false).unwrap().endpoint();
    let ministack = Bench::new(&endpoint, MINISTACK_ACCOUNT, AccountAccess::default()).await;
    let endpoint = Moto::shared().unwrap().endpoint();
    let moto = Bench::new(&endpoint, MOTO_ACCOUNT, AccountAccess::default()).await;
    for bench in [ministack, moto] {
        let made = make(&bench, "listed").await;
        all_is_listed(&bench, &made).await;
        for kind in made.keys() {
            for it in bench.live.list(kind, &place(&bench, REGION)).await.unwrap() {
                let read = bench.live.read(&it).await;
                assert!(matches!(read, Ok(Some(_))), "{it}: {read:?}");
            }
        }
        let policies = ids(&bench, "AWS::IAM::ManagedPolicy", REGION).await.unwrap();
        assert!(!policies.iter().any(|it| it.contains(":aws:policy/")), "AWS' own are none");
    }
}

/// ministack enforces IAM: what `quell iam` prints for listing is enough, each of it is needed, and
/// a listing that is denied is an error that names what is missing.
#[tokio::test]
async fn the_declared_permissions_are_enough_and_each_is_needed() {
    let endpoint = Ministack::shared(true).unwrap().endpoint();
    let admin = Bench::new(&endpoint, MINISTACK_ACCOUNT, AccountAccess::default()).await;
    let made = make(&admin, "least").await;
    let policies: Vec<&Policy> = LIBRARY.policies().iter().collect();
    let declared = needed(&LIBRARY, &policies, |_| Mode::Observe);
    let declared: BTreeSet<Permission> =
        declared.into_iter().filter(|it| it.purpose == Purpose::List).collect();
    let grant = async |name: &str, permissions: &BTreeSet<Permission>| {
        let arn = role(&admin.admin, MINISTACK_ACCOUNT, name, permissions, Purpose::List).await;
        let access = AccountAccess { read_role: Some(arn), ..AccountAccess::default() };
        Bench::new(&endpoint, MINISTACK_ACCOUNT, access).await
    };
    all_is_listed(&grant("quell-list", &declared).await, &made).await;
    for missing in &declared {
        let mut rest = declared.clone();
        rest.remove(missing);
        let bench = grant(&missing.action.replace(':', "-"), &rest).await;
        let mut denied = Vec::new();
        for kind in made.keys() {
            denied.extend(ids(&bench, kind, REGION).await.err());
        }
        assert_eq!(denied.len(), 1, "without {missing:?}: {denied:?}");
        assert_eq!(denied[0].kind, CloudErrorKind::Denied, "{denied:?}");
        assert_eq!(denied[0].operation, missing.action, "{denied:?}");
    }
}

#[tokio::test]
async fn an_account_that_is_not_ours_and_a_type_that_only_events_tell_of_are_errors() {
    let endpoint = Ministack::shared(false).unwrap().endpoint();
    let bench = Bench::new(&endpoint, MINISTACK_ACCOUNT, AccountAccess::default()).await;
    let strange = CloudScope { account: "999988887777".to_owned(), region: REGION.to_owned() };
    for kind in quell_library::resources().map(|it| it.meta().cloudformation) {
        let error = bench.live.list(kind, &strange).await.unwrap_err();
        assert_eq!(error.kind, CloudErrorKind::Unsupported, "{kind}: {error}");
    }
    let error = bench.live.list("Quell::Deployment::Part", &place(&bench, REGION)).await;
    assert_eq!(error.unwrap_err().kind, CloudErrorKind::Unsupported);
    assert!(bench.live.list("AWS::No::Such", &place(&bench, REGION)).await.is_err());
}
