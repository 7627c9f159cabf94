//! CloudTrail in both envelopes, every kind of identity, and hostile documents.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use quell_core::event::{ActorKind, Status};
use quell_core::normalize::{DOCUMENT_MAX_BYTES, ID_MAX_CHARS, NormalizeError, document};
use serde_json::{Value, json};

fn record() -> Value {
    json!({
        "eventVersion": "1.09",
        "userIdentity": {
            "type": "AssumedRole",
            "principalId": "AROAEXAMPLE:alice",
            "arn": "arn:aws:sts::111122223333:assumed-role/Admin/alice",
            "accountId": "111122223333",
            "sessionContext": { "sessionIssuer": {
                "type": "Role",
                "arn": "arn:aws:iam::111122223333:role/Admin",
                "accountId": "111122223333",
                "userName": "Admin"
            } }
        },
        "eventTime": "2026-11-01T10:00:00Z",
        "eventSource": "s3.amazonaws.com",
        "eventName": "PutBucketPolicy",
        "awsRegion": "eu-central-1",
        "requestParameters": { "bucketName": "b" },
        "responseElements": null,
        "requestID": "REQ1",
        "eventID": "11111111-1111-1111-1111-111111111111",
        "eventType": "AwsApiCall",
        "recipientAccountId": "111122223333"
    })
}

fn envelope(record: &Value) -> Value {
    json!({
        "version": "0", "id": "e", "source": "aws.s3",
        "detail-type": "AWS API Call via CloudTrail",
        "account": "111122223333", "region": "eu-central-1",
        "time": "2026-11-01T10:00:05Z", "resources": [], "detail": record
    })
}

fn one(document: &Value) -> Result<quell_core::event::Event, NormalizeError> {
    let mut events = quell_core::normalize::document(document.to_string().as_bytes())?;
    assert_eq!(events.len(), 1);
    events.remove(0)
}

#[test]
fn both_envelopes_and_a_bare_record_are_the_same_event() {
    let mut delivered = one(&envelope(&record())).unwrap();
    let logged = one(&json!({ "Records": [record()] })).unwrap();
    let bare = one(&record()).unwrap();
    assert_eq!(logged, bare);
    assert_eq!(logged.envelope.value()["source"], "aws.s3");
    assert_eq!(logged.envelope.value()["detail-type"], "AWS API Call via CloudTrail");
    assert_eq!(logged.envelope.value()["detail"], delivered.envelope.value()["detail"]);
    delivered.envelope = logged.envelope.clone();
    assert_eq!(delivered, logged);
    assert_eq!(logged.actor.id(), "arn:aws:iam::111122223333:role/Admin");
    assert_eq!(logged.actor.session.as_deref(), Some("alice"));
    assert_eq!(logged.status, Status::Success);
}

#[test]
fn every_kind_of_identity() {
    let kinds = [
        ("Root", ActorKind::Root),
        ("IAMUser", ActorKind::IamUser),
        ("AssumedRole", ActorKind::AssumedRole),
        ("Role", ActorKind::Role),
        ("FederatedUser", ActorKind::FederatedUser),
        ("Directory", ActorKind::Directory),
        ("AWSAccount", ActorKind::AwsAccount),
        ("AWSService", ActorKind::AwsService),
        ("IdentityCenterUser", ActorKind::IdentityCenterUser),
        ("SAMLUser", ActorKind::SamlUser),
        ("WebIdentityUser", ActorKind::WebIdentityUser),
        ("Unknown", ActorKind::Unknown),
        ("SomethingNew", ActorKind::Unknown),
    ];
    for (name, kind) in kinds {
        let mut record = record();
        record["userIdentity"]["type"] = json!(name);
        assert_eq!(one(&record).unwrap().actor.kind, kind, "{name}");
    }
    let mut record = record();
    record["userIdentity"] = json!({ "invokedBy": "config.amazonaws.com" });
    let event = one(&record).unwrap();
    assert_eq!(event.actor.kind, ActorKind::AwsService);
    assert_eq!(event.actor.id(), "config.amazonaws.com");
}

#[test]
fn a_failed_call_says_so() {
    let mut record = record();
    record["errorCode"] = json!("AccessDenied");
    record["errorMessage"] = json!("é".repeat(4000));
    let Status::Failure { code, message } = one(&record).unwrap().status else {
        panic!("a failure")
    };
    assert_eq!(code, "AccessDenied");
    assert!(message.unwrap().len() <= quell_core::normalize::MESSAGE_MAX_BYTES);
}

#[test]
fn an_envelope_of_another_account_is_refused() {
    let mut envelope = envelope(&record());
    envelope["account"] = json!("999999999999");
    let error = one(&envelope).unwrap_err();
    assert!(matches!(error, NormalizeError::AccountMismatch { .. }), "{error}");
    // No account is no match either.
    envelope.as_object_mut().unwrap().remove("account");
    assert!(matches!(one(&envelope), Err(NormalizeError::AccountMismatch { .. })));
}

#[test]
fn a_bad_record_does_not_hide_the_others() {
    let mut bad = record();
    bad.as_object_mut().unwrap().remove("eventID");
    let file = json!({ "Records": [bad, record(), 7] });
    let events = document(file.to_string().as_bytes()).unwrap();
    assert_eq!(events.iter().map(Result::is_ok).collect::<Vec<_>>(), [false, true, false]);
    assert_eq!(events[0].as_ref().unwrap_err().to_string(), "field `eventID` is missing");
}

/// A text that was cut to a length can end inside of a pair; the record is judged all the same.
#[test]
fn half_a_surrogate_pair_hides_no_record() {
    for (written, read) in [
        (r"cut \ud83d", "cut \u{FFFD}"),
        (r"\udd25 first", "\u{FFFD} first"),
        (r"\ud83d\ud83d\udd25", "\u{FFFD}\u{1F525}"),
        (r"\\ud83d \uD83D", r"\ud83d"),
    ] {
        let mut record = record();
        record["userAgent"] = json!("HERE");
        let text = record.to_string().replace("HERE", written);
        let event = document(text.as_bytes()).unwrap().remove(0).unwrap();
        let found = event.envelope.value()["detail"]["userAgent"].as_str().unwrap();
        assert!(found.starts_with(read), "{written}: {found}");
    }
    let broken = document(br#"{"eventName": "\ud83d"#).unwrap_err().to_string();
    assert!(broken.contains("not readable"), "{broken}");
}

#[test]
fn hostile_documents_are_errors() {
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let cases: [(&[u8], &str); 8] = [
        (b"", "not readable"),
        (b"{\"Records\": [", "not readable"),
        (b"\xff\xfe", "not readable"),
        (b"[]", "neither"),
        (b"{\"Records\": 7}", "`Records` is not a list"),
        (b"{\"Records\": [], \"Records\": []}", "duplicate field"),
        (b"{\"Records\": [], \"Rec\\u006frds\": []}", "duplicate field"),
        (deep.as_bytes(), "recursion limit"),
    ];
    for (bytes, wanted) in cases {
        let error = document(bytes).unwrap_err().to_string();
        assert!(error.contains(wanted), "{error}");
    }
    let huge = vec![b' '; DOCUMENT_MAX_BYTES + 1];
    assert_eq!(document(&huge).unwrap_err(), NormalizeError::TooLarge { bytes: huge.len() });
}

#[test]
fn times_and_texts_must_be_what_they_claim() {
    for (field, value) in [
        ("eventTime", json!("yesterday")),
        ("eventTime", json!(5)),
        ("eventName", json!(null)),
        ("awsRegion", json!("")),
    ] {
        let mut record = record();
        record[field] = value.clone();
        let error = one(&record).unwrap_err();
        assert!(
            matches!(&error, NormalizeError::Field { field: it, .. } if *it == field),
            "{error}"
        );
    }
}

/// They become keys of a store: a forged one must not fail there.
#[test]
fn ids_are_short() {
    for field in ["eventID", "requestID"] {
        let with = |length: usize| {
            let mut record = record();
            record[field] = json!("\u{e9}".repeat(length));
            one(&record)
        };
        with(ID_MAX_CHARS).unwrap();
        let error = with(ID_MAX_CHARS + 1).unwrap_err().to_string();
        assert!(error.contains(field) && error.contains("128 characters"), "{error}");
    }
}
