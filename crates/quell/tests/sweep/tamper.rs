//! Findings that events alone prove stand until people say otherwise.

use crate::{ACCOUNT, Stage, WRITE_ROLE, event, rule};
use quell::pipeline::Ack;
use quell::scan::{What, scan};
use quell_core::history::Status;
use quell_core::policy::{Mode, Severity};
use quell_core::resource::ResourceRef;
use serde_json::{Value, json};

const STRANGER: &str = "arn:aws:iam::111122223333:role/contractor";

fn function() -> ResourceRef {
    ResourceRef {
        kind: "Quell::Deployment::Part".to_owned(),
        id: format!("arn:aws:lambda:eu-central-1:{ACCOUNT}:function:quell-function"),
        account: ACCOUNT.to_owned(),
        region: "eu-central-1".to_owned(),
    }
}

async fn call(stage: &Stage, service: &str, name: &str, request: Value, who: &str) {
    let body = event(service, name, request, who, "request");
    assert_eq!(stage.pipeline.handle(&body).await.unwrap(), Ack::Done);
}

#[tokio::test]
async fn what_an_event_proved_no_later_look_disproves() {
    let stage = Stage::new(Mode::Enforce);
    let named = json!({ "functionName": "quell-function" });
    call(&stage, "lambda", "UpdateFunctionCode20150331v2", named.clone(), STRANGER).await;
    let stopped = json!({ "functionName": "quell-function", "reservedConcurrentExecutions": 0 });
    call(&stage, "lambda", "PutFunctionConcurrency20171031", stopped, STRANGER).await;
    scan(&stage.pipeline, &What::default(), &|_, _| {}).await.unwrap();
    let found = stage.findings(&function());
    let elements: Vec<&str> = found.keys().map(String::as_str).collect();
    assert_eq!(elements, ["PutFunctionConcurrency", "UpdateFunctionCode"]);
    for it in found.values() {
        assert_eq!((it.status, it.finding.severity), (Status::Open, Severity::Critical));
    }
    assert_eq!(stage.count("attempted"), 0, "people must put it back");
    assert_eq!(stage.count("failed"), 0, "nothing was asked that cannot be answered");
    // The same call again is the same finding.
    call(&stage, "lambda", "UpdateFunctionCode20150331v2", named, STRANGER).await;
    assert_eq!(stage.findings(&function())["UpdateFunctionCode"].occurrences, 2);
}

#[tokio::test]
async fn other_peoples_things_are_their_own() {
    let stage = Stage::new(Mode::Enforce);
    call(&stage, "dynamodb", "DeleteTable", json!({ "tableName": "orders" }), STRANGER).await;
    call(&stage, "sqs", "PurgeQueue", json!({ "queueUrl": "https://sqs/1/orders" }), STRANGER)
        .await;
    assert_eq!(stage.count("decided"), 0);
    assert_eq!(stage.count("failed"), 0);
}

#[tokio::test]
async fn a_call_under_our_own_name_is_an_alert_too() {
    let stage = Stage::new(Mode::Enforce);
    let named = json!({ "functionName": "quell-function" });
    call(&stage, "lambda", "DeleteFunction20150331", named, WRITE_ROLE).await;
    assert_eq!(stage.count("impostor"), 1);
    assert_eq!(stage.status(&function()), [Status::Open]);
}

/// The event of disabling a rule cannot come through that rule; a scan needs none.
#[tokio::test]
async fn a_disabled_rule_is_enabled_by_event_or_by_scan() {
    for by_event in [true, false] {
        let stage = Stage::new(Mode::Enforce);
        stage.account.edit(&rule(), |it| it.properties["State"] = json!("DISABLED")).unwrap();
        if by_event {
            let named = json!({ "name": rule().id, "eventBusName": "default" });
            call(&stage, "events", "DisableRule", named, STRANGER).await;
        } else {
            scan(&stage.pipeline, &What::default(), &|_, _| {}).await.unwrap();
        }
        assert_eq!(stage.account.get(&rule()).unwrap().properties["State"], "ENABLED");
        assert_eq!(stage.status(&rule()), [Status::Corrected]);
    }
}
