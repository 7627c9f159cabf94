//! What infrastructure code declares, as the states that reads would give: for each resource, in
//! Terraform's and in CloudFormation's words.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use quell_core::detect::detect;
use quell_core::plan::{Declared, Draft, Intent, Language, Place, Plan, terraform};
use quell_core::policy::{Policy, PolicyLimits};
use quell_core::resource::{Planned, Trust};
use quell_library::{Library, folder, planned, resource};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// A judgment may take long where the machine is busy.
static LIBRARY: LazyLock<Library> = LazyLock::new(|| {
    let limits = PolicyLimits { policy_time_max_ms: 60_000, ..PolicyLimits::default() };
    Library::load(folder::builtin().unwrap(), &BTreeMap::new(), limits).unwrap()
});

/// A declaration: an intent's word, a type and a name, what is written, what is unknown, and what
/// it refers to.
fn declared(kind: &str, name: &str, properties: Value) -> Declared {
    let is_cloudformation = kind.contains("::");
    Declared {
        language: if is_cloudformation { Language::CloudFormation } else { Language::Terraform },
        kind: kind.to_owned(),
        address: if is_cloudformation { name.to_owned() } else { format!("{kind}.{name}") },
        properties,
        unknown: BTreeSet::new(),
        references: BTreeMap::new(),
        drafts: BTreeMap::new(),
        intent: Intent::Create,
        before: None,
        at: None,
        places: BTreeMap::new(),
    }
}

fn with(mut it: Declared, unknown: &[&str], references: &[(&str, &str)]) -> Declared {
    for pointer in unknown {
        it.unknown.insert((*pointer).to_owned());
    }
    for (pointer, address) in references {
        let addresses = it.references.entry((*pointer).to_owned()).or_default();
        addresses.extend((!address.is_empty()).then(|| (*address).to_owned()));
    }
    it
}

fn intended(mut it: Declared, intent: Intent) -> Declared {
    match intent {
        Intent::Delete => it.before = Some(std::mem::take(&mut it.properties)),
        Intent::Keep => it.before = Some(it.properties.clone()),
        _ => {}
    }
    it.intent = intent;
    it
}

fn plan(declared: Vec<Declared>) -> Plan {
    Plan {
        declared,
        account: Some("111122223333".to_owned()),
        region: Some("eu-central-1".to_owned()),
        notes: Vec::new(),
    }
}

/// The one resource of a type.
fn one(kind: &str, declared: Vec<Declared>) -> Planned {
    let mut all = planned(&plan(declared));
    all.retain(|it| it.state.resource.kind == kind);
    assert_eq!(all.len(), 1, "{all:#?}");
    all.remove(0)
}

/// What the policies say: `policy element address`, sorted; `?` before what is unknown, `~` before
/// what is latent.
fn verdicts(planned: Vec<Planned>) -> Vec<String> {
    let mut found = Vec::new();
    for mut it in planned {
        let kind = resource(&it.state.resource.kind).unwrap();
        it.state.facts = kind.facts(&it.state, &Trust::default());
        let policies = LIBRARY.policies().iter();
        let policies: Vec<&Policy> =
            policies.filter(|p| p.meta().judges(&it.state.resource.kind)).collect();
        let detection = detect(&policies, None, &it.state);
        assert!(detection.errors.is_empty(), "{:?}", detection.errors);
        for finding in detection.findings {
            let policy = LIBRARY.policy(&finding.policy).unwrap();
            let parts = it.parts_of(&finding.element, &policy.meta().reads);
            let mark = match &finding.indeterminate {
                Some(_) => "?",
                None if finding.latent => "~",
                None => "",
            };
            let name = finding.policy.rsplit('.').next().unwrap();
            found.extend(parts.iter().map(|it| format!("{mark}{name} {}", it.address)));
        }
        for (policy, unseen) in detection.indeterminate {
            let name = policy.rsplit('.').next().unwrap();
            found.push(format!("?{name} {} {}", unseen.join(","), it.address));
        }
    }
    found.sort();
    found
}

fn judged(declared: Vec<Declared>) -> Vec<String> {
    verdicts(planned(&plan(declared)))
}

const BUCKET: &str = "AWS::S3::Bucket";

fn public_policy() -> Value {
    json!({ "Version": "2012-10-17", "Statement": {
        "Sid": "Open", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::logs/*" } })
}

#[test]
fn a_new_bucket_has_the_defaults_of_today() {
    for own in [
        declared("aws_s3_bucket", "logs", json!({ "bucket": "logs", "tags_all": { "a": "b" } })),
        declared(
            "awscc_s3_bucket",
            "logs",
            json!({ "bucket_name": "logs",
            "tags": [{ "key": "a", "value": "b" }] }),
        ),
        declared(
            BUCKET,
            "Logs",
            json!({ "BucketName": "logs",
            "Tags": [{ "Key": "a", "Value": "b" }] }),
        ),
    ] {
        let it = one(BUCKET, vec![own]);
        assert_eq!((it.state.resource.id.as_str(), it.intent), ("logs", Intent::Create));
        assert_eq!(it.state.tags["a"], "b", "{}", it.address);
        let all_on = json!({ "BlockPublicAcls": true, "IgnorePublicAcls": true,
            "BlockPublicPolicy": true, "RestrictPublicBuckets": true });
        let properties = &it.state.properties;
        assert_eq!(properties["PublicAccessBlockConfiguration"], all_on);
        let ownership = &properties["OwnershipControls"]["Rules"][0]["ObjectOwnership"];
        assert_eq!(ownership, "BucketOwnerEnforced");
        assert_eq!(properties["AccessControlList"]["Grants"].as_array().unwrap().len(), 1);
        assert_eq!(it.state.unknown, BTreeSet::new());
        assert!(it.defaults.contains("PublicAccessBlockConfiguration"));
        assert_eq!(verdicts(vec![it]), [""; 0]);
    }
}

#[test]
fn a_bucket_is_joined_with_its_parts() {
    let flags = json!({ "block_public_acls": true, "ignore_public_acls": false,
        "block_public_policy": false, "restrict_public_buckets": false });
    let bucket = || declared("aws_s3_bucket", "logs", json!({ "bucket": "logs" }));
    let block = |properties: &Value, links: &[(&str, &str)], unknown: &[&str]| {
        let block = declared("aws_s3_bucket_public_access_block", "b", properties.clone());
        with(block, unknown, links)
    };
    let found = "bucket_public_block aws_s3_bucket_public_access_block.b";
    // By reference, by name, and both.
    let to = [("/bucket", "aws_s3_bucket.logs")];
    let later = block(&flags, &to, &["/bucket"]);
    let mut named = flags.clone();
    named["bucket"] = json!("logs");
    for it in [later, block(&named, &[], &[]), block(&named, &to, &[])] {
        assert_eq!(judged(vec![bucket(), it]), [found]);
    }
    // A bucket that is only named: what else it has is unknown.
    let alone = judged(vec![block(&named, &[], &[])]);
    assert!(alone.contains(&found.to_owned()) && alone.len() == 3, "{alone:?}");
    let it = one(BUCKET, vec![block(&named, &[], &[])]);
    assert_eq!(it.state.resource.id, "logs");
    assert!(it.state.unknown.contains("BucketPolicy"));
    // One of two, and only its index will tell which.
    let other = declared("aws_s3_bucket", "other", json!({ "bucket": "other" }));
    let either = [("/bucket", "aws_s3_bucket.logs"), ("/bucket", "aws_s3_bucket.other")];
    let unsure = judged(vec![bucket(), other, block(&flags, &either, &["/bucket"])]);
    assert_eq!(unsure.iter().filter(|it| it.starts_with("?bucket_public_block")).count(), 2);
    assert_eq!(unsure.iter().filter(|it| **it == found).count(), 1, "{unsure:?}");
    // A switch that is not known yet.
    let mut later = flags.clone();
    later["block_public_acls"] = Value::Null;
    let unknown = judged(vec![bucket(), block(&later, &to, &["/bucket", "/block_public_acls"])]);
    assert!(
        unknown.contains(
            &"?bucket_public_block PublicAccessBlockConfiguration \
                               aws_s3_bucket.logs"
                .to_owned()
        ),
        "{unknown:?}"
    );
}

/// Two accounts, or two instances of a module whose default names the bucket.
#[test]
fn of_what_is_called_the_same_the_code_refers_to_one() {
    let bucket = |name: &str| declared("aws_s3_bucket", name, json!({ "bucket": "logs" }));
    let block = |name: &str, on: bool| {
        let flags = json!({ "bucket": "logs", "block_public_acls": on, "ignore_public_acls": on,
            "block_public_policy": on, "restrict_public_buckets": on });
        let block = declared("aws_s3_bucket_public_access_block", name, flags);
        let address = format!("aws_s3_bucket.{name}");
        with(block, &[], &[("/bucket", address.as_str())])
    };
    let found = judged(vec![bucket("a"), bucket("b"), block("a", false), block("b", true)]);
    assert_eq!(found, ["bucket_public_block aws_s3_bucket_public_access_block.a"]);
    // Without a reference it is one of them, and nobody can say which.
    let mut of_one = block("b", true);
    of_one.references.clear();
    let found = judged(vec![bucket("a"), bucket("b"), of_one]);
    for name in ["a", "b"] {
        let unknown =
            format!("?bucket_public_block PublicAccessBlockConfiguration aws_s3_bucket.{name}");
        assert!(found.contains(&unknown), "{found:?}");
    }
}

/// One of them is in force, and which one is a matter of luck.
#[test]
fn parts_that_contradict_each_other_are_no_protection() {
    let bucket = || declared("aws_s3_bucket", "logs", json!({ "bucket": "logs" }));
    let block = |name: &str, on: bool| {
        let flags = json!({ "bucket": "logs", "block_public_acls": on, "ignore_public_acls": on,
            "block_public_policy": true, "restrict_public_buckets": true });
        declared("aws_s3_bucket_public_access_block", name, flags)
    };
    for (first, off) in [(true, "z"), (false, "a")] {
        let found = judged(vec![bucket(), block("a", first), block("z", !first)]);
        let by = format!("bucket_public_block aws_s3_bucket_public_access_block.{off}");
        assert_eq!(found, [by]);
    }
    assert_eq!(judged(vec![bucket(), block("a", true), block("z", true)]), [""; 0]);
    let policy = |name: &str, principal: &str| {
        let mut document = public_policy();
        document["Statement"]["Principal"] = json!({ "AWS": principal });
        let written = json!({ "bucket": "logs", "policy": document.to_string() });
        declared("aws_s3_bucket_policy", name, written)
    };
    let own = || policy("z", "arn:aws:iam::111122223333:root");
    let other = policy("a", "arn:aws:iam::111122223333:role/r");
    assert_eq!(judged(vec![bucket(), own()]), [""; 0]);
    let found = judged(vec![bucket(), other, own()]);
    assert!(found.iter().all(|it| it.starts_with("?policy_public_statement")), "{found:?}");
    assert!(!found.is_empty());
    let found = judged(vec![bucket(), policy("a", "*"), own()]);
    let by = |it: &str| format!("~policy_public_statement aws_s3_bucket_policy.{it}");
    assert_eq!(found, [by("a"), by("z")]);
    let rule = |name: &str, kept: &str| {
        let rule = json!({ "bucket": "logs", "rule": [{ "object_ownership": kept }] });
        declared("aws_s3_bucket_ownership_controls", name, rule)
    };
    let acl = |name: &str, canned: &str| {
        declared("aws_s3_bucket_acl", name, json!({ "bucket": "logs", "acl": canned }))
    };
    let open = block("b", false);
    let found = judged(vec![
        bucket(),
        open,
        rule("a", "ObjectWriter"),
        rule("z", "BucketOwnerEnforced"),
        acl("a", "public-read"),
        acl("z", "private"),
    ]);
    assert!(found.iter().any(|it| it.starts_with("acl_public_grant")), "{found:?}");
}

#[test]
fn a_destroyed_block_is_judged_and_a_destroyed_bucket_is_not() {
    let bucket = || {
        let properties = json!({ "bucket": "logs", "id": "logs", "policy": "" });
        intended(declared("aws_s3_bucket", "logs", properties), Intent::Keep)
    };
    let flags = json!({ "bucket": "logs", "block_public_acls": true, "ignore_public_acls": true,
        "block_public_policy": true, "restrict_public_buckets": true });
    let block = || {
        let block = declared("aws_s3_bucket_public_access_block", "b", flags.clone());
        intended(block, Intent::Delete)
    };
    let it = one(BUCKET, vec![bucket(), block()]);
    assert_eq!(it.intent, Intent::Update);
    let found = verdicts(vec![it]);
    let gone = "bucket_public_block aws_s3_bucket_public_access_block.b";
    assert!(found.contains(&gone.to_owned()), "{found:?}");
    let bucket = intended(bucket(), Intent::Delete);
    assert_eq!(judged(vec![bucket, block()]), [""; 0]);
    // What stays as it is stays unknown where the plan does not hold it.
    let properties = json!({ "bucket": "logs", "id": "logs" });
    let kept = intended(declared("aws_s3_bucket", "logs", properties), Intent::Keep);
    let it = one(BUCKET, vec![kept]);
    assert_eq!(it.intent, Intent::Keep);
    assert!(it.state.unknown.contains("PublicAccessBlockConfiguration"));
}

#[test]
fn a_policy_opens_a_bucket_in_every_language() {
    let text = public_policy().to_string();
    let off = json!({ "bucket": "logs" });
    let block = declared("aws_s3_bucket_public_access_block", "b", off);
    let bucket = declared("aws_s3_bucket", "logs", json!({ "bucket": "logs" }));
    let apart = declared("aws_s3_bucket_policy", "p", json!({ "bucket": "logs", "policy": text }));
    let inline = declared("aws_s3_bucket", "logs", json!({ "bucket": "logs", "policy": text }));
    let blocked = "bucket_public_block aws_s3_bucket_public_access_block.b";
    let found = judged(vec![block.clone(), bucket.clone(), apart.clone()]);
    assert_eq!(found, [blocked, "policy_public_statement aws_s3_bucket_policy.p"]);
    assert_eq!(
        judged(vec![block.clone(), inline]),
        [blocked, "policy_public_statement aws_s3_bucket.logs"]
    );
    // By default a new bucket's block takes the effect away.
    assert_eq!(
        judged(vec![bucket.clone(), apart]),
        ["~policy_public_statement aws_s3_bucket_policy.p"]
    );
    let template = declared(
        BUCKET,
        "Logs",
        json!({
        "PublicAccessBlockConfiguration": { "BlockPublicAcls": "true" } }),
    );
    let policy =
        declared("AWS::S3::BucketPolicy", "Policy", json!({ "PolicyDocument": public_policy() }));
    let policy = with(policy, &["/Bucket"], &[("/Bucket", "Logs")]);
    assert_eq!(
        judged(vec![template, policy]),
        ["bucket_public_block Logs", "policy_public_statement Policy"]
    );
    // A document that is not known at all, and one of which the resource is not.
    let unknown =
        declared("aws_s3_bucket_policy", "p", json!({ "bucket": "logs", "policy": null }));
    let unknown = with(unknown, &["/policy"], &[("/policy", "aws_s3_bucket.logs")]);
    let found = judged(vec![bucket.clone(), unknown]);
    assert_eq!(found, ["?policy_public_statement BucketPolicy aws_s3_bucket.logs"]);
}

/// A data source that will only be read when the bucket exists, and whose principal is known.
#[test]
fn a_document_that_will_be_read_is_judged_by_its_blocks() {
    let block = declared(
        "aws_s3_bucket_public_access_block",
        "b",
        json!({ "bucket": "logs",
        "block_public_acls": true, "ignore_public_acls": true }),
    );
    let bucket = declared("aws_s3_bucket", "logs", json!({ "bucket": "logs" }));
    let document = |identifier: &str| {
        let data = declared(
            "aws_iam_policy_document",
            "d",
            json!({ "statement": [{
            "actions": ["s3:GetObject"], "effect": null, "resources": [null],
            "principals": [{ "type": "AWS", "identifiers": [identifier] }],
            "condition": [] }] }),
        );
        let mut data = with(
            data,
            &["/statement/0/resources/0"],
            &[("/statement/0/resources", "aws_s3_bucket.logs")],
        );
        data.address = "data.aws_iam_policy_document.d".to_owned();
        intended(data, Intent::Read)
    };
    let policy = declared("aws_s3_bucket_policy", "p", json!({ "bucket": "logs", "policy": null }));
    let policy = with(policy, &["/policy"], &[("/policy", "data.aws_iam_policy_document.d")]);
    let judge = |identifier| {
        judged(vec![block.clone(), bucket.clone(), document(identifier), policy.clone()])
    };
    let blocked = "bucket_public_block aws_s3_bucket_public_access_block.b";
    assert_eq!(judge("arn:aws:iam::111122223333:root"), [blocked]);
    assert_eq!(judge("*"), [blocked, "policy_public_statement aws_s3_bucket_policy.p"]);
}

/// What it is merged with may allow anything, by whichever argument.
#[test]
fn a_document_that_others_are_merged_into_is_not_known() {
    let judge = |merged: &[&str]| {
        let statement = json!({ "actions": ["s3:GetObject"], "resources": ["*"] });
        let data = declared("aws_iam_policy_document", "d", json!({ "statement": [statement] }));
        let mut data = intended(with(data, merged, &[]), Intent::Read);
        data.address = "data.aws_iam_policy_document.d".to_owned();
        let policy = declared("aws_iam_policy", "p", json!({ "name": "p", "policy": null }));
        let refers = [("/policy", "data.aws_iam_policy_document.d")];
        judged(vec![data, with(policy, &["/policy"], &refers)])
    };
    assert_eq!(judge(&[]), [""; 0]);
    for argument in
        ["/override_json", "/override_policy_documents", "/source_json", "/source_policy_documents"]
    {
        let found = judge(&[argument]);
        let is_unknown = found.iter().any(|it| it.starts_with("?admin_policy_created"));
        assert!(is_unknown, "{argument}: {found:?}");
    }
}

/// Source may leave anything unknown: a variable may hold a wildcard.
#[test]
fn a_draft_is_judged_by_what_is_known_of_it() {
    let block = declared("aws_s3_bucket_public_access_block", "b", json!({ "bucket": "logs" }));
    let bucket = declared("aws_s3_bucket", "logs", json!({ "bucket": "logs" }));
    let judge = |principal: Value, unknown: &[&str]| {
        let mut policy =
            declared("aws_s3_bucket_policy", "p", json!({ "bucket": "logs", "policy": null }));
        policy.at = Some(Place { file: "main.tf".to_owned(), line: 7, column: 1 });
        let document = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow",
            "Action": "s3:GetObject", "Principal": principal, "Resource": null }] });
        let all = ["/Statement/0/Resource"].iter().chain(unknown).map(|it| (*it).to_owned());
        let logs = || vec!["aws_s3_bucket.logs".to_owned()];
        let references = ["/Statement/0/Resource", "/Statement/0/Principal"];
        let references = references.map(|it| (it.to_owned(), logs()));
        let draft = Draft { document, unknown: all.collect(), references: references.into() };
        policy.drafts.insert("/policy".to_owned(), draft);
        let policy = with(policy, &["/policy"], &[("/policy", "aws_s3_bucket.logs")]);
        judged(vec![block.clone(), bucket.clone(), policy])
    };
    let blocked = "bucket_public_block aws_s3_bucket_public_access_block.b";
    let public = "policy_public_statement aws_s3_bucket_policy.p";
    assert_eq!(judge(json!("*"), &[]), [blocked, public]);
    assert_eq!(judge(json!({ "AWS": "111122223333" }), &[]), [blocked]);
    let unknown = judge(Value::Null, &["/Statement/0/Principal"]);
    assert_eq!(unknown, ["?policy_public_statement BucketPolicy aws_s3_bucket.logs", blocked]);
}

/// A bucket's own policy is about nothing else, and a Deny about the bucket alone keeps nobody out
/// of its objects.
#[test]
fn a_subject_that_is_not_known_hides_nothing() {
    let judge = |denied: Value| {
        let (allowed, both) = ("/PolicyDocument/Statement/0/Resource", denied.is_null());
        let mut policy = declared(
            "AWS::S3::BucketPolicy",
            "P",
            json!({ "PolicyDocument": { "Statement": [
            { "Effect": "Allow", "Principal": "*", "Action": "*", "Resource": null },
            { "Effect": "Deny", "Principal": "*", "Action": "*", "Resource": denied,
              "Condition": { "StringNotEquals": { "aws:PrincipalOrgID": "o-12345" } } }] } }),
        );
        policy = with(policy, &["/Bucket", allowed], &[("/Bucket", "B"), (allowed, "B")]);
        if both {
            let denied = "/PolicyDocument/Statement/1/Resource";
            policy = with(policy, &[denied], &[(denied, "B")]);
        }
        policy.at = Some(Place { file: "t.yaml".to_owned(), line: 1, column: 1 });
        let block = json!({ "PublicAccessBlockConfiguration": { "BlockPublicAcls": true } });
        judged(vec![declared(BUCKET, "B", block), policy])
    };
    let off = "bucket_public_block B";
    assert_eq!(judge(json!("*")), [off, "~policy_public_statement P"]);
    assert_eq!(judge(Value::Null), [off, "policy_public_statement P"]);
}

#[test]
fn acls_open_a_bucket_in_every_language() {
    let controls = |rule: &str| {
        declared(
            "aws_s3_bucket_ownership_controls",
            "o",
            json!({ "bucket": "logs", "rule": [{ "object_ownership": rule }] }),
        )
    };
    let off = declared("aws_s3_bucket_public_access_block", "b", json!({ "bucket": "logs" }));
    let bucket = declared("aws_s3_bucket", "logs", json!({ "bucket": "logs" }));
    let canned =
        declared("aws_s3_bucket_acl", "a", json!({ "bucket": "logs", "acl": "public-read" }));
    let group = "http://acs.amazonaws.com/groups/global/AllUsers";
    let written = declared(
        "aws_s3_bucket_acl",
        "a",
        json!({ "bucket": "logs",
        "access_control_policy": [{ "owner": [{ "id": "x" }], "grant": [{
            "permission": "READ", "grantee": [{ "type": "Group", "uri": group, "id": "" }] }] }] }),
    );
    // As a plan has it: only AWS can say by which names they are shown.
    let shown = [
        "/access_control_policy/0/owner/0/display_name",
        "/access_control_policy/0/grant/0/grantee/0/display_name",
    ];
    let written = with(written, &shown, &[]);
    let blocked = "bucket_public_block aws_s3_bucket_public_access_block.b";
    for acl in [canned, written] {
        let all = vec![bucket.clone(), off.clone(), controls("ObjectWriter"), acl.clone()];
        assert_eq!(judged(all), ["acl_public_grant aws_s3_bucket_acl.a", blocked]);
        let all = vec![bucket.clone(), controls("ObjectWriter"), acl];
        assert_eq!(judged(all), ["~acl_public_grant aws_s3_bucket_acl.a"]);
    }
    let inline =
        declared("aws_s3_bucket", "logs", json!({ "bucket": "logs", "acl": "public-read-write" }));
    let found = judged(vec![inline, off, controls("ObjectWriter")]);
    assert_eq!(
        found.iter().filter(|it| it.starts_with("acl_public_grant")).count(),
        2,
        "{found:?}"
    );
    let template = declared(
        BUCKET,
        "Logs",
        json!({ "AccessControl": "PublicRead",
        "OwnershipControls": { "Rules": [{ "ObjectOwnership": "ObjectWriter" }] },
        "PublicAccessBlockConfiguration": { "BlockPublicAcls": false } }),
    );
    assert_eq!(judged(vec![template]), ["acl_public_grant Logs", "bucket_public_block Logs"]);
    // Nobody knows how many grants there are: there may be any.
    let later = declared("aws_s3_bucket", "logs", json!({ "bucket": "logs", "grant": null }));
    let later = with(later, &["/grant"], &[]);
    let off = declared("aws_s3_bucket_public_access_block", "b", json!({ "bucket": "logs" }));
    let found = judged(vec![later, off.clone(), controls("ObjectWriter")]);
    assert!(found.iter().any(|it| it.starts_with("?acl_public_grant")), "{found:?}");
    // What is known of one grant is not lost because another one is not known.
    let grants = json!([{ "type": "Group", "permissions": ["READ"], "uri": group },
        { "type": "CanonicalUser", "permissions": ["READ"], "id": null }]);
    let some = declared("aws_s3_bucket", "logs", json!({ "bucket": "logs", "grant": grants }));
    let some = with(some, &["/grant/1/id"], &[]);
    let found = judged(vec![some, off, controls("ObjectWriter")]);
    assert!(found.contains(&"acl_public_grant aws_s3_bucket.logs".to_owned()), "{found:?}");
}

#[test]
fn an_accounts_block_counts_where_it_is_declared() {
    let flags = |on: bool| {
        json!({ "block_public_acls": on, "ignore_public_acls": on,
        "block_public_policy": on, "restrict_public_buckets": on })
    };
    let account = |on| declared("aws_s3_account_public_access_block", "a", flags(on));
    let found = "account_public_block aws_s3_account_public_access_block.a";
    assert_eq!(judged(vec![account(false)]), [found]);
    assert_eq!(judged(vec![account(true)]), [""; 0]);
    let it = one("AWS::S3::AccountPublicAccessBlock", vec![account(true)]);
    assert_eq!(
        (it.state.resource.id.as_str(), it.state.resource.region.as_str()),
        ("111122223333", "us-east-1")
    );
    let bucket = declared("aws_s3_bucket", "logs", json!({ "bucket": "logs" }));
    let off = declared("aws_s3_bucket_public_access_block", "b", json!({ "bucket": "logs" }));
    let open = "bucket_public_block aws_s3_bucket_public_access_block.b";
    let of_bucket = |blocks: &[Declared]| {
        let mut all = vec![bucket.clone(), off.clone()];
        all.extend(blocks.iter().cloned());
        let mut found = judged(all);
        found.retain(|it| it.ends_with(open));
        found.into_iter().next().unwrap_or_default()
    };
    assert_eq!(of_bucket(&[account(true)]), format!("~{open}"));
    // That of another account covers nothing here; of those of several, nobody can say.
    let of = |id: &str, name: &str, on: bool| {
        let mut block = declared("aws_s3_account_public_access_block", name, flags(on));
        block.properties["account_id"] = json!(id);
        block
    };
    assert_eq!(of_bucket(&[of("111122223333", "a", true)]), format!("~{open}"));
    assert_eq!(of_bucket(&[of("444455556666", "a", true)]), open);
    let here = declared("aws_s3_account_public_access_block", "z", flags(true));
    let there = declared("aws_s3_account_public_access_block", "a", flags(false));
    assert_eq!(of_bucket(&[there, here.clone()]), format!("?{open}"));
    assert_eq!(of_bucket(&[account(true), here]), format!("~{open}"));
    // What only reads a block does not set it.
    assert_eq!(of_bucket(&[intended(account(true), Intent::Read)]), open);
}

const GROUP: &str = "AWS::EC2::SecurityGroup";

#[test]
fn a_rule_opens_a_port_in_every_form() {
    let open = json!({ "from_port": 22, "to_port": 22, "protocol": "tcp",
        "cidr_blocks": ["10.0.0.0/8", "0.0.0.0/0"], "ipv6_cidr_blocks": [],
        "prefix_list_ids": [], "security_groups": [], "self": false, "description": "" });
    let inline = declared("aws_security_group", "g", json!({ "name": "g", "ingress": [open] }));
    let default = declared("aws_default_security_group", "g", json!({ "ingress": [open] }));
    let group = || declared("aws_security_group", "g", json!({ "name": "g" }));
    let mut rule = open.clone();
    rule["type"] = json!("ingress");
    let rule = with(
        declared("aws_security_group_rule", "r", rule),
        &["/security_group_id", "/source_security_group_id"],
        &[("/security_group_id", "aws_security_group.g")],
    );
    let single = with(
        declared(
            "aws_vpc_security_group_ingress_rule",
            "r",
            json!({ "ip_protocol": "-1",
            "cidr_ipv6": "::/0", "from_port": null, "to_port": null }),
        ),
        &["/security_group_id"],
        &[("/security_group_id", "aws_security_group.g")],
    );
    let template = declared(
        GROUP,
        "G",
        json!({ "SecurityGroupIngress": [{ "IpProtocol": "tcp",
        "FromPort": "22", "ToPort": 22, "CidrIp": "0.0.0.0/0" }] }),
    );
    let apart = with(
        declared(
            "AWS::EC2::SecurityGroupIngress",
            "R",
            json!({ "IpProtocol": "tcp",
            "FromPort": 0, "ToPort": 100, "CidrIp": "0.0.0.0/0" }),
        ),
        &["/GroupId"],
        &[("/GroupId", "G")],
    );
    let empty = declared(GROUP, "G", json!({ "GroupDescription": "g" }));
    for (declared, address) in [
        (vec![inline], "aws_security_group.g"),
        (vec![default], "aws_default_security_group.g"),
        (vec![group(), rule], "aws_security_group_rule.r"),
        (vec![group(), single], "aws_vpc_security_group_ingress_rule.r"),
        (vec![template], "G"),
        (vec![empty, apart], "R"),
    ] {
        let found = judged(declared);
        assert!(found.contains(&format!("admin_port_open {address}")), "{address}: {found:?}");
        assert!(found.contains(&format!("high_risk_port_open {address}")), "{found:?}");
    }
    assert_eq!(judged(vec![group()]), [""; 0], "a new group lets nobody in");
    let mut egress = open;
    egress["type"] = json!("egress");
    egress["security_group_id"] = json!("sg-1");
    let egress = declared("aws_security_group_rule", "r", egress);
    assert_eq!(judged(vec![egress]), [""; 0], "what goes out lets nobody in");
}

#[test]
fn an_unknown_source_is_unknown_and_a_group_is_not_the_world() {
    let rule = |name: &str| {
        json!({ "name": "g", "ingress": [{ "from_port": 22, "to_port": 22, "protocol": "tcp",
            name: [null] }] })
    };
    let group = |name: &str, refers: &str| {
        let at = format!("/ingress/0/{name}/0");
        with(declared("aws_security_group", "g", rule(name)), &[&at], &[("/ingress", refers)])
    };
    let unknown = judged(vec![group("cidr_blocks", "aws_vpc.v")]);
    assert_eq!(unknown.len(), 2);
    assert!(unknown.iter().all(|it| it.starts_with('?')), "{unknown:?}");
    // Whatever its source will be, another port is another matter.
    let mut https = rule("cidr_blocks");
    https["ingress"][0]["from_port"] = json!(443);
    https["ingress"][0]["to_port"] = json!(443);
    let https = declared("aws_security_group", "g", https);
    assert_eq!(judged(vec![with(https, &["/ingress/0/cidr_blocks"], &[])]), [""; 0]);
    let ports = declared(
        "aws_security_group",
        "g",
        json!({ "name": "g", "ingress": [
        { "to_port": 443, "protocol": "tcp", "cidr_blocks": ["0.0.0.0/0"] }] }),
    );
    let ports = judged(vec![with(ports, &["/ingress/0/from_port"], &[])]);
    assert!(ports.iter().all(|it| it.contains("SecurityGroupIngress")), "{ports:?}");
    assert_eq!(judged(vec![group("security_groups", "aws_security_group.h")]), [""; 0]);
    let list = |cidr: &str| {
        declared("aws_ec2_managed_prefix_list", "l", json!({ "entry": [{ "cidr": cidr }] }))
    };
    let group = || group("prefix_list_ids", "aws_ec2_managed_prefix_list.l");
    assert_eq!(judged(vec![group(), list("10.0.0.0/8")]), [""; 0]);
    assert_eq!(judged(vec![group(), list("0.0.0.0/0")]).len(), 2);
    assert!(judged(vec![group()]).iter().all(|it| it.starts_with('?')));
    // Entries that are declarations of their own belong to it, too.
    let apart = |cidr: &str| {
        let refers = [("/prefix_list_id", "aws_ec2_managed_prefix_list.l")];
        let entry = declared("aws_ec2_managed_prefix_list_entry", "e", json!({ "cidr": cidr }));
        with(entry, &["/prefix_list_id"], &refers)
    };
    assert_eq!(judged(vec![group(), list("10.0.0.0/8"), apart("10.1.0.0/16")]), [""; 0]);
    assert_eq!(judged(vec![group(), list("10.0.0.0/8"), apart("0.0.0.0/0")]).len(), 2);
    let bare = declared("aws_ec2_managed_prefix_list", "l", json!({}));
    assert_eq!(judged(vec![group(), bare, apart("10.1.0.0/16")]), [""; 0]);
}

#[test]
fn a_rule_that_is_not_understood_hides_no_other() {
    let rule = |cidr: &str| {
        json!({ "from_port": 22, "to_port": 22, "protocol": "tcp",
            "cidr_blocks": [cidr] })
    };
    let rules = json!({ "ingress": [rule("10.0.0.0/8 "), rule("0.0.0.0/0")] });
    let found = judged(vec![declared("aws_security_group", "g", rules)]);
    let names =
        ["?admin_port_open", "?high_risk_port_open", "admin_port_open", "high_risk_port_open"];
    assert_eq!(found, names.map(|it| format!("{it} aws_security_group.g")));
}

#[test]
fn a_rule_that_goes_is_no_longer_there() {
    let open = json!({ "from_port": 22, "to_port": 22, "protocol": "tcp",
        "cidr_blocks": ["0.0.0.0/0"] });
    let group = declared("aws_security_group", "g", json!({ "id": "sg-1", "ingress": [open] }));
    let group = intended(group, Intent::Keep);
    let mut rule = open.clone();
    rule["type"] = json!("ingress");
    rule["security_group_id"] = json!("sg-1");
    let rule = declared("aws_security_group_rule", "r", rule);
    assert_eq!(judged(vec![group.clone(), intended(rule.clone(), Intent::Keep)]).len(), 2);
    let gone = intended(rule.clone(), Intent::Delete);
    assert_eq!(judged(vec![group.clone(), gone.clone()]), [""; 0]);
    // Unless it only goes to be declared under another address, before it or after it.
    for name in ["a", "z"] {
        let anew = declared("aws_security_group_rule", name, rule.properties.clone());
        let found = judged(vec![group.clone(), anew, gone.clone()]);
        let by = format!(" aws_security_group_rule.{name}");
        assert!(found.len() == 2 && found.iter().all(|it| it.ends_with(&by)), "{found:?}");
    }
}

#[test]
fn trails_are_judged_in_every_language() {
    let good = json!({ "name": "t", "is_multi_region_trail": true,
        "enable_log_file_validation": true, "event_selector": [], "kms_key_id": "" });
    let trail = |properties: Value| declared("aws_cloudtrail", "t", properties);
    assert_eq!(judged(vec![trail(good.clone())]), [""; 0]);
    let it = one("AWS::CloudTrail::Trail", vec![trail(good.clone())]);
    assert_eq!(it.state.resource.id, "arn:aws:cloudtrail:eu-central-1:111122223333:trail/t");
    let mut bad = good.clone();
    bad["enable_logging"] = json!(false);
    bad["event_selector"] = json!([{ "read_write_type": "ReadOnly", "data_resource": [],
        "exclude_management_event_sources": null }]);
    assert_eq!(
        judged(vec![trail(bad)]),
        ["trail_stopped aws_cloudtrail.t", "trail_weakened aws_cloudtrail.t"]
    );
    let advanced = json!([{ "name": "", "field_selector": [
        { "field": "eventCategory", "equals": ["Data"], "not_equals": null }] }]);
    let mut bad = good.clone();
    bad["advanced_event_selector"] = advanced;
    assert_eq!(judged(vec![trail(bad)]), ["trail_weakened aws_cloudtrail.t"]);
    let template = declared(
        "AWS::CloudTrail::Trail",
        "T",
        json!({ "IsLogging": true,
        "IsMultiRegionTrail": "true", "EnableLogFileValidation": false }),
    );
    assert_eq!(judged(vec![template]), ["trail_weakened T"]);
    let later = with(trail(good), &["/is_multi_region_trail"], &[]);
    let found = judged(vec![later]);
    assert_eq!(found, ["?trail_weakened IsMultiRegionTrail aws_cloudtrail.t"]);
}

const AWS_ADMIN: &str = "arn:aws:iam::aws:policy/AdministratorAccess";

fn admin() -> Value {
    json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": "*", "Resource": "*" }] })
}

#[test]
fn administrators_are_found_in_every_language() {
    let text = admin().to_string();
    let policy =
        || declared("aws_iam_policy", "p", json!({ "name": "p", "path": "/", "policy": text }));
    let role = || declared("aws_iam_role", "r", json!({ "name": "r", "path": "/" }));
    let created = "admin_policy_created aws_iam_policy.p";
    assert_eq!(judged(vec![policy()]), [created]);
    let it = one("AWS::IAM::ManagedPolicy", vec![policy()]);
    assert_eq!(it.state.resource.id, "arn:aws:iam::111122223333:policy/p");
    let attachment = with(
        declared("aws_iam_role_policy_attachment", "a", json!({ "role": "r", "policy_arn": null })),
        &["/policy_arn"],
        &[("/policy_arn", "aws_iam_policy.p"), ("/role", "aws_iam_role.r")],
    );
    let found = judged(vec![policy(), role(), attachment]);
    assert_eq!(found, ["admin_policy_attached aws_iam_role_policy_attachment.a", created]);
    let attachment = |kind: &str, to: &str| {
        declared(
            kind,
            "a",
            json!({ to: if to.ends_with('s') { json!(["n"]) } else { json!("n") },
            "policy_arn": AWS_ADMIN }),
        )
    };
    for (kind, to) in [
        ("aws_iam_group_policy_attachment", "group"),
        ("aws_iam_user_policy_attachment", "user"),
        ("aws_iam_role_policy_attachment", "role"),
        ("aws_iam_policy_attachment", "users"),
        ("aws_iam_policy_attachment", "groups"),
    ] {
        let found = judged(vec![attachment(kind, to)]);
        assert!(found.contains(&format!("admin_policy_attached {kind}.a")), "{kind}: {found:?}");
    }
}

#[test]
fn administrators_are_found_in_their_own_declarations() {
    let text = admin().to_string();
    let role = || declared("aws_iam_role", "r", json!({ "name": "r", "path": "/" }));
    for (own, address) in [
        (
            declared(
                "aws_iam_role",
                "r",
                json!({ "name": "r", "managed_policy_arns": [AWS_ADMIN] }),
            ),
            "aws_iam_role.r",
        ),
        (declared("AWS::IAM::Role", "R", json!({ "ManagedPolicyArns": [AWS_ADMIN] })), "R"),
        (declared("AWS::IAM::Group", "R", json!({ "ManagedPolicyArns": [AWS_ADMIN] })), "R"),
        (
            declared("awscc_iam_user", "u", json!({ "managed_policy_arns": [AWS_ADMIN] })),
            "awscc_iam_user.u",
        ),
    ] {
        assert_eq!(judged(vec![own]), [format!("admin_policy_attached {address}")]);
    }
    // What is attached to several, one of which the code only names.
    let written = json!({ "name": "a", "roles": ["r", "other"], "policy_arn": AWS_ADMIN });
    let several = declared("aws_iam_policy_attachment", "a", written);
    let several = with(several, &[], &[("/roles", "aws_iam_role.r")]);
    let mut found = judged(vec![role(), several]);
    found.retain(|it| it == "admin_policy_attached aws_iam_policy_attachment.a");
    assert_eq!(found.len(), 2);
    for principal in ["group", "role", "user"] {
        let own = declared(&format!("aws_iam_{principal}"), "p", json!({ "name": "p" }));
        let kind = format!("aws_iam_{principal}_policy_attachments_exclusive");
        let written = json!({ format!("{principal}_name"): "p", "policy_arns": [AWS_ADMIN] });
        let found = judged(vec![own, declared(&kind, "e", written)]);
        assert_eq!(found, [format!("admin_policy_attached {kind}.e")]);
    }
    let inline = declared(
        "aws_iam_role",
        "r",
        json!({ "name": "r",
        "inline_policy": [{ "name": "i", "policy": text }] }),
    );
    assert_eq!(judged(vec![inline]), ["admin_policy_created aws_iam_role.r"]);
    let apart = with(
        declared("aws_iam_role_policy", "i", json!({ "name": "i", "policy": text })),
        &["/role"],
        &[("/role", "aws_iam_role.r")],
    );
    assert_eq!(judged(vec![role(), apart]), ["admin_policy_created aws_iam_role_policy.i"]);
    let template = declared(
        "AWS::IAM::Role",
        "R",
        json!({ "Policies": [
        { "PolicyName": "i", "PolicyDocument": admin() }] }),
    );
    assert_eq!(judged(vec![template]), ["admin_policy_created R"]);
    let managed = with(
        declared(
            "AWS::IAM::ManagedPolicy",
            "P",
            json!({ "PolicyDocument": admin(),
        "Roles": [null] }),
        ),
        &["/Roles/0"],
        &[("/Roles/0", "R")],
    );
    let role = declared("AWS::IAM::Role", "R", json!({}));
    assert_eq!(judged(vec![managed, role]), ["admin_policy_attached P", "admin_policy_created P"]);
}

/// The list of all that may be attached to a principal attaches it.
#[test]
fn administrators_are_found_in_exclusive_lists() {
    for (kind, to) in [
        ("aws_iam_group_policy_attachments_exclusive", "group_name"),
        ("aws_iam_role_policy_attachments_exclusive", "role_name"),
        ("aws_iam_user_policy_attachments_exclusive", "user_name"),
    ] {
        let list = declared(kind, "a", json!({ to: "n", "policy_arns": [AWS_ADMIN] }));
        let found = judged(vec![list]);
        assert!(found.contains(&format!("admin_policy_attached {kind}.a")), "{kind}: {found:?}");
    }
}

/// Names that are not known yet differ all the same.
#[test]
fn an_inline_policy_without_a_name_hides_no_other() {
    let narrow = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*" }] });
    let policies =
        [admin(), narrow.clone()].map(|it| json!({ "name": null, "policy": it.to_string() }));
    let role = declared("aws_iam_role", "r", json!({ "name": "r", "inline_policy": policies }));
    let role = with(role, &["/inline_policy/0/name", "/inline_policy/1/name"], &[]);
    assert_eq!(judged(vec![role]), ["admin_policy_created aws_iam_role.r"]);
    // Nor does one of the same name: nobody can say which is written last.
    let user = declared("AWS::IAM::User", "U", json!({ "UserName": "u" }));
    let [wide, tight] = [("A", admin()), ("B", narrow)].map(|(address, document)| {
        let own = json!({ "PolicyName": "p", "Users": ["u"], "PolicyDocument": document });
        declared("AWS::IAM::Policy", address, own)
    });
    assert_eq!(judged(vec![user, wide, tight]), ["admin_policy_created A"]);
}

#[test]
fn inline_policies_of_the_awscc_provider_are_judged() {
    for (kind, to) in [
        ("awscc_iam_group_policy", "group_name"),
        ("awscc_iam_role_policy", "role_name"),
        ("awscc_iam_user_policy", "user_name"),
    ] {
        let own = json!({ to: "n", "policy_name": "p", "policy_document": admin().to_string() });
        let found = judged(vec![declared(kind, "p", own)]);
        assert!(found.contains(&format!("admin_policy_created {kind}.p")), "{kind}: {found:?}");
    }
}

/// CloudFormation does not deploy it, but whoever mends it names somebody.
#[test]
fn an_inline_policy_of_nobody_is_judged() {
    let policy = |document: Value| {
        let own = json!({ "PolicyName": "p", "PolicyDocument": document, "Users": [] });
        judged(vec![declared("AWS::IAM::Policy", "P", own)])
    };
    assert_eq!(policy(admin()), ["admin_policy_created P"]);
    let narrow = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*" }] });
    assert_eq!(policy(narrow), [""; 0]);
    let parameter = with(
        declared("AWS::IAM::Policy", "P", json!({ "PolicyName": "p", "PolicyDocument": admin() })),
        &["/Roles"],
        &[],
    );
    assert!(!judged(vec![parameter]).is_empty());
}

/// A role that exists lists all that it has.
#[test]
fn what_is_detached_is_no_longer_there() {
    const ADMIN: &str = "arn:aws:iam::aws:policy/AdministratorAccess";
    let role = declared(
        "aws_iam_role",
        "r",
        json!({ "name": "r", "inline_policy": [],
        "managed_policy_arns": [ADMIN] }),
    );
    let role = intended(role, Intent::Keep);
    let attached = json!({ "role": "r", "policy_arn": ADMIN });
    let attachment = declared("aws_iam_role_policy_attachment", "a", attached);
    let found = judged(vec![role.clone(), intended(attachment.clone(), Intent::Keep)]);
    let by = |it: &str| format!("admin_policy_attached {it}");
    assert_eq!(found, [by("aws_iam_role.r"), by("aws_iam_role_policy_attachment.a")]);
    assert_eq!(judged(vec![role, intended(attachment, Intent::Delete)]), [""; 0]);
}

/// The order of a plan's declarations is nothing that a verdict may hang on.
#[test]
fn a_real_plan_is_judged_whole() {
    let change = |address: &str, kind: &str, after: Value, unknown: Value| {
        json!({ "address": address, "type": kind, "change": { "actions": ["create"],
            "before": null, "after": after, "after_unknown": unknown } })
    };
    let document = json!({
        "format_version": "1.2",
        "resource_changes": [
            change("aws_s3_bucket_public_access_block.b", "aws_s3_bucket_public_access_block",
                json!({ "block_public_acls": false }), json!({ "bucket": true, "id": true })),
            change("aws_s3_bucket.b", "aws_s3_bucket", json!({}),
                json!({ "bucket": true, "acl": true, "policy": true, "arn": true })),
        ],
        "configuration": { "root_module": { "resources": [
            { "address": "aws_s3_bucket.b", "expressions": {} },
            { "address": "aws_s3_bucket_public_access_block.b", "expressions": {
                "block_public_acls": { "constant_value": false },
                "bucket": { "references": ["aws_s3_bucket.b.id", "aws_s3_bucket.b"] } } },
        ] } },
    });
    let plan = terraform::read("p", document.to_string().as_bytes()).unwrap();
    let found = verdicts(planned(&plan));
    assert_eq!(found, ["bucket_public_block aws_s3_bucket_public_access_block.b"]);
}
