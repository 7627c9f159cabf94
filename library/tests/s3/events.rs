//! What S3's CloudTrail records lead to: the right bucket or account, and only what they prove.

use quell_core::detect::detect;
use quell_core::event::{Event, Status};
use quell_core::normalize;
use quell_core::resource::{ResourceRef, State, Trust};
use quell_library::Library;
use quell_library::aws::s3::{account, block, bucket};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const ACCOUNT: &str = "111122223333";

fn event(name: &str, request: Value) -> Event {
    record(json!({ "eventName": name, "requestParameters": request }))
}

fn record(more: Value) -> Event {
    let mut record = json!({
        "eventVersion": "1.11",
        "eventID": "7c1e2b50-4f0d-4a6b-9d11-000000000001",
        "eventTime": "2026-03-02T09:14:07Z",
        "eventSource": "s3.amazonaws.com",
        "awsRegion": "eu-central-1",
        "recipientAccountId": ACCOUNT,
        "userIdentity": { "type": "IAMUser", "accountId": ACCOUNT },
    });
    record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let mut events = normalize::document(record.to_string().as_bytes()).unwrap();
    events.remove(0).unwrap()
}

fn targets(kind: &str, event: &Event) -> Vec<ResourceRef> {
    quell_library::resource(kind).unwrap().targets(event)
}

fn implied(event: &Event) -> Option<State> {
    let target = targets(bucket::TYPE, event).remove(0);
    quell_library::resource(bucket::TYPE).unwrap().implied(event, &target)
}

/// The one property that an event proves; null is proven to be absent.
fn proves(name: &str, request: Value) -> (String, Value) {
    let state = implied(&event(name, request)).unwrap();
    let all: BTreeSet<String> = bucket::PROPERTIES.map(str::to_owned).into();
    let mut proven: Vec<String> = (&all - &state.unknown).into_iter().collect();
    assert_eq!(proven.len(), 1, "{proven:?}");
    let name = proven.remove(0);
    let value = state.properties.get(&name).cloned().unwrap_or(Value::Null);
    (name, value)
}

#[test]
fn block_operations_tell_bucket_and_account_apart() {
    let of_bucket = json!({ "bucketName": "b", "publicAccessBlock": "" });
    let of_account = json!({ "accountId": ACCOUNT });
    for (name, request, buckets, accounts) in [
        ("PutBucketPublicAccessBlock", &of_bucket, 1, 0),
        ("DeleteBucketPublicAccessBlock", &of_bucket, 1, 0),
        ("PutPublicAccessBlock", &of_bucket, 1, 0),
        ("DeletePublicAccessBlock", &of_bucket, 1, 0),
        ("PutPublicAccessBlock", &of_account, 0, 1),
        ("DeletePublicAccessBlock", &of_account, 0, 1),
        ("PutAccountPublicAccessBlock", &of_account, 0, 1),
        ("DeleteAccountPublicAccessBlock", &Value::Null, 0, 1),
    ] {
        let event = event(name, request.clone());
        assert_eq!(targets(bucket::TYPE, &event).len(), buckets, "{name} {request}");
        assert_eq!(targets(account::TYPE, &event).len(), accounts, "{name} {request}");
    }
}

#[test]
fn the_bucket_is_found_and_placed() {
    let found = |event: &Event| {
        let it = targets(bucket::TYPE, event);
        it.into_iter().map(|it| (it.id, it.account, it.region)).collect::<Vec<_>>()
    };
    let in_region = |region: &str| vec![("b".to_owned(), ACCOUNT.to_owned(), region.to_owned())];
    let plain = event("PutBucketAcl", json!({ "bucketName": "b" }));
    assert_eq!(found(&plain), in_region("eu-central-1"));

    let made_in = |it: &str| json!({ "LocationConstraint": it });
    let request = json!({ "bucketName": "b", "CreateBucketConfiguration": made_in("us-west-2") });
    assert_eq!(found(&event("CreateBucket", request)), in_region("us-west-2"));
    let request = json!({ "bucketName": "b", "CreateBucketConfiguration": made_in("EU") });
    assert_eq!(found(&event("CreateBucket", request)), in_region("eu-west-1"));

    let resources = |account: &str| {
        json!([
            { "type": "AWS::S3::Object", "ARN": "arn:aws:s3:::b/key" },
            { "type": "AWS::S3::Bucket", "ARN": "arn:aws:s3:::b", "accountId": account },
        ])
    };
    let named_by_arn = |account: &str| {
        record(json!({ "eventName": "PutBucketPolicy", "requestParameters": null,
            "resources": resources(account) }))
    };
    assert_eq!(found(&named_by_arn(ACCOUNT)), in_region("eu-central-1"));
    // Somebody else's bucket: its owner's account receives an event of its own.
    assert_eq!(found(&named_by_arn("444455556666")), []);

    for request in [Value::Null, json!([]), json!("x"), json!({ "bucketName": 7 })] {
        assert_eq!(found(&event("PutBucketPolicy", request.clone())), [], "{request}");
    }
}

#[test]
fn a_policy_may_be_an_object_or_a_text() {
    let document = json!({ "Version": "2012-10-17", "Statement": { "Effect": "Deny" } });
    let read = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Deny" }] });
    for policy in [document.clone(), json!(document.to_string())] {
        let request = json!({ "bucketName": "b", "policy": "", "bucketPolicy": policy });
        assert_eq!(proves("PutBucketPolicy", request), ("BucketPolicy".to_owned(), read.clone()));
    }
    let gone = proves("DeleteBucketPolicy", json!({ "bucketName": "b" }));
    assert_eq!(gone, ("BucketPolicy".to_owned(), Value::Null));
    // Cut off or missing: nothing is proven.
    for policy in [json!("{\"Version\": \"2012-10-17\", \"State"), Value::Null, json!({})] {
        let event = event("PutBucketPolicy", json!({ "bucketName": "b", "bucketPolicy": policy }));
        assert_eq!(implied(&event), None);
    }
}

#[test]
fn an_acl_may_be_canned_in_headers_or_in_the_body() {
    let uri = "http://acs.amazonaws.com/groups/global/AllUsers";
    let everyone = json!({ "Grantee": { "Type": "Group", "URI": uri }, "Permission": "READ" });
    let owner = json!({ "Grantee": { "Type": "CanonicalUser" }, "Permission": "FULL_CONTROL" });
    let from_body = json!({
        "Grantee": { "xsi:type": "Group", "xmlns:xsi": "…", "URI": uri }, "Permission": "READ",
    });
    let body = |grants: Value| json!({ "AccessControlList": { "Grant": grants } });
    for (request, grants) in [
        (json!({ "x-amz-acl": ["public-read"] }), vec![&owner, &everyone]),
        (json!({ "x-amz-acl": "private" }), vec![&owner]),
        (json!({ "x-amz-grant-read": [format!("uri=\"{uri}\"")] }), vec![&everyone]),
        (json!({ "AccessControlPolicy": body(from_body.clone()) }), vec![&everyone]),
        (json!({ "AccessControlPolicy": body(json!([from_body])) }), vec![&everyone]),
    ] {
        let mut request = request;
        request["bucketName"] = json!("b");
        let (name, value) = proves("PutBucketAcl", request);
        assert_eq!((name.as_str(), value), ("AccessControlList", json!({ "Grants": grants })));
    }
    for request in [json!({}), json!({ "x-amz-acl": "brand-new" })] {
        let mut request = request;
        request["bucketName"] = json!("b");
        assert_eq!(implied(&event("PutBucketAcl", request.clone())), None);
        let created = implied(&event("CreateBucket", request.clone()));
        let knows = created.is_some_and(|it| !it.unknown.contains("AccessControlList"));
        assert_eq!(knows, request.get("x-amz-acl").is_none(), "{request}");
    }
}

/// Where one entry is expected and more are there, none is the one that counts.
#[test]
fn of_two_entries_neither_proves_anything() {
    let two = json!([
        "id=\"79a59df900b949e5\"",
        "uri=\"http://acs.amazonaws.com/groups/global/AllUsers\""
    ]);
    for request in [
        json!({ "x-amz-grant-read": two }),
        json!({ "x-amz-grant-read": two, "x-amz-grant-write": "id=\"79a59df900b949e5\"" }),
        json!({ "x-amz-acl": ["private", "public-read"] }),
    ] {
        let mut request = request;
        request["bucketName"] = json!("b");
        assert_eq!(implied(&event("PutBucketAcl", request.clone())), None, "{request}");
        let created = implied(&event("CreateBucket", request.clone()));
        assert!(created.is_none_or(|it| it.unknown.contains("AccessControlList")), "{request}");
    }
    let rule = |it: &str| json!({ "ObjectOwnership": it });
    let rules = json!([rule("BucketOwnerEnforced"), rule("ObjectWriter")]);
    let request = json!({ "bucketName": "b", "OwnershipControls": { "Rule": rules } });
    assert_eq!(implied(&event("PutBucketOwnershipControls", request)), None);
}

#[test]
fn a_block_is_read_whatever_its_booleans_are() {
    let flags = json!({ "BlockPublicAcls": true, "IgnorePublicAcls": "true",
        "BlockPublicPolicy": "false", "xmlns": "http://s3.amazonaws.com/doc/2006-03-01/" });
    let request = json!({ "bucketName": "b", "PublicAccessBlockConfiguration": flags });
    let on = |it: &str| Some(matches!(it, "BlockPublicAcls" | "IgnorePublicAcls"));
    assert_eq!(
        proves("PutBucketPublicAccessBlock", request),
        (block::PROPERTY.to_owned(), block::property(on))
    );
    let gone = proves("DeleteBucketPublicAccessBlock", json!({ "bucketName": "b" }));
    assert_eq!(gone, (block::PROPERTY.to_owned(), Value::Null));
    assert_eq!(implied(&event("PutBucketPublicAccessBlock", json!({ "bucketName": "b" }))), None);
}

/// Panther's own cases about public buckets and their block: whether its rule fires is whether one
/// of our policies finds something in what the event alone proves.
#[test]
fn panther_agrees() {
    let text = testkit::corpus("detections/panther_aws_cloudtrail_cases.jsonl").unwrap();
    let rules = ["AWS.CloudTrail.ResourceMadePublic", "AWS.S3.DeletePublicAccessBlock"];
    let library = Library::builtin().unwrap();
    let mut rows = 0;
    for line in text.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let event = &row["event"];
        if !rules.contains(&row["rule"].as_str().unwrap())
            || event["eventSource"] != "s3.amazonaws.com"
        {
            continue;
        }
        rows += 1;
        assert_eq!(json!(fires(&library, event)), row["expect"], "{}", row["case"]);
    }
    assert!(3 <= rows, "{rows} rows");
}

fn fires(library: &Library, record: &Value) -> bool {
    let events = normalize::document(record.to_string().as_bytes()).unwrap_or_default();
    events.into_iter().flatten().any(|event| {
        let bytes = event.envelope.text().as_bytes();
        event.status == Status::Success
            && library.policies().iter().any(|policy| {
                let kind = quell_library::resource(&policy.meta().resource).unwrap();
                let matches = policy.trigger().matches(bytes).unwrap();
                matches
                    && kind.targets(&event).iter().any(|target| {
                        kind.implied(&event, target).is_some_and(|mut state| {
                            state.facts = kind.facts(&state, &Trust::default());
                            !detect(&[policy], Some(&event), &state).findings.is_empty()
                        })
                    })
            })
    })
}
