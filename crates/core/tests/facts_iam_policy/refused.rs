//! Documents that cannot be read, or not in whole; the shape of an analysis.

use crate::{brief, document, inside};
use quell_core::change::element_id;
use quell_core::facts::iam_policy::document::DOCUMENT_BYTES_MAX;
use quell_core::facts::iam_policy::{Kind, analyze, analyze_text};
use serde_json::json;

#[test]
fn refused_documents_name_the_place() {
    let cases = [
        ("not json", "not a JSON document"),
        ("[]", "`/` is not an object"),
        (r#"{"Version":"2012-10-17"}"#, "`/Statement` is missing"),
        (r#"{"Version":"2012","Statement":[]}"#, "`/Version`"),
        (r#"{"Statement":[]}"#, "`/Statement` is empty"),
        (r#"{"Statement":[{"Effect":"allow","Action":"*","Resource":"*"}]}"#, "0/Effect`"),
        (r#"{"Statement":{"Effect":"Allow","Effect":"Deny"}}"#, "`Effect` occurs twice"),
        (r#"{"Statement":{"Effect":"Allow","Resource":"*"}}"#, "`/Statement/Action` is missing"),
        (r#"{"Statement":{"Effect":"Allow","Action":"*"}}"#, "`/Statement/Resource` is missing"),
        (
            r#"{"Statement":{"Effect":"Allow","Action":"*","NotAction":"*","Resource":"*"}}"#,
            "`/Statement/NotAction` stands beside `Action`",
        ),
        (
            r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Resources":{}}}"#,
            "`/Statement/Resources` is not an element",
        ),
        (r#"{"Statement":{"Effect":"Allow","Action":"s3","Resource":"*"}}"#, "`s3`"),
        (r#"{"Statement":{"Effect":"Allow","Action":["*",1],"Resource":"*"}}"#, "Action`"),
        (r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"bucket"}}"#, "`bucket`"),
        (
            r#"{"Statement":{"Sid":"a b","Effect":"Allow","Action":"*","Resource":"*"}}"#,
            "`/Statement/Sid`",
        ),
        (
            r#"{"Statement":{"Effect":"Allow","Principal":{"AWS":"me"},"Action":"s3:*"}}"#,
            "`me`, which is no principal",
        ),
        (
            r#"{"Statement":{"Effect":"Allow","Principal":{"Aws":"*"},"Action":"s3:*"}}"#,
            "`/Statement/Principal/Aws`",
        ),
        (
            r#"{"Statement":{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"Is":{}}}}"#,
            "`/Statement/Condition/Is` is not a condition operator",
        ),
    ];
    for (text, expected) in cases {
        let analysis = analyze_text(text, None, &inside());
        let error = analysis.error.unwrap_or_default();
        assert!(!analysis.valid && error.contains(expected), "{text}: {error}");
    }
    let no_such = json!({"Effect": "Deny", "Action": "*", "Resource": "*",
        "Condition": {"NullIfExists": {"aws:SourceVpc": "true"}}});
    assert!(!analyze(&document(no_such), None, &inside()).valid);
    let two = json!({"Sid": "Same", "Effect": "Allow", "Action": "s3:*", "Resource": "*"});
    assert!(!analyze(&document(json!([two, two])), None, &inside()).valid);
    let without = |action: &str| {
        let statement = json!({"Effect": "Allow", "Principal": "*", "Action": action});
        analyze(&document(statement), None, &inside()).valid
    };
    assert!(without("ecr:GetDownloadUrlForLayer") && without("sts:AssumeRole"));
    assert!(!without("s3:GetObject"));
    let trust = json!({"Effect": "Allow", "Principal": {"AWS": "111111111111"},
        "Action": "sts:AssumeRole", "Resource": "*"});
    assert!(!analyze(&document(trust), Some(Kind::Trust), &inside()).valid);
}

#[test]
fn what_cannot_be_read_is_unknown_and_never_fine() {
    let long = format!(r#"{{"Statement":"{}"}}"#, " ".repeat(DOCUMENT_BYTES_MAX));
    let deep = "[".repeat(10_000);
    for text in ["", "{}", "null", &long, &deep, r#"{"Statement":[1]}"#] {
        let analysis = analyze_text(text, None, &inside());
        assert_eq!((analysis.valid, analysis.public, analysis.admin), (false, None, None));
        assert!(analysis.error.is_some());
    }
}

#[test]
fn a_refused_document_is_still_judged() {
    let text = r#"{"Statement":{"Effect":"allow","Principal":"*","Action":"s3:*","Resource":"*"}}"#;
    let analysis = analyze_text(text, None, &inside());
    assert_eq!((analysis.valid, brief(&analysis)), (false, "public"));
}

#[test]
fn the_shape_of_an_analysis() {
    let statement = json!({"Sid": "Open", "Effect": "Allow", "Principal": "*",
        "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"});
    let analysis = analyze(&document(statement.clone()), None, &inside());
    assert_eq!(
        serde_json::to_value(&analysis).unwrap(),
        json!({
            "valid": true, "public": true, "cross_account": false, "admin": false, "error": null,
            "statements": [{
                "index": 0, "sid": "Open", "id": element_id(&statement), "effect": "Allow",
                "public": true, "cross_account": false, "admin": false, "latent": null,
                "reason": "principal `*`, and no condition limits who may call",
                "principals": ["*"],
            }],
        })
    );
}
