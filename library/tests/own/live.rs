//! Rules on real emulators: disable by the AWS SDK, then read, judge, enable, undo; and heartbeats.
//!
//! What ministack cannot prove: it takes a rule on the default bus for `rule/default/NAME`, so the
//! roles are tried on a bus of their own; and it does not look at `ResourceARN` and `Rule` for IAM,
//! so that tags, targets and the heartbeat's session are about anything to it. That the heartbeat's
//! call leads to its CloudTrail record, `cargo xtask e2e loop` shows on LocalEmu.

use crate::TAMPER;
use crate::bench::{Bench, findings};
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::types::{RuleState, Tag, Target};
use quell_core::decide;
use quell_core::heartbeat::{Heartbeat, TAG};
use quell_core::resource::ResourceRef;
use quell_library::aws::events::rule::{TYPE, bus_and_name};
use quell_library::cloud::{CloudErrorKind, World};
use quell_library::permissions::heartbeat_policy;
use serde_json::json;
use testkit::{Ministack, Moto, REGION};

const PATTERN: &str = r#"{"source":["aws.iam"]}"#;

async fn ministack() -> Bench {
    Bench::at(Ministack::shared(false).unwrap().endpoint(), "000000000000").await
}

async fn moto() -> Bench {
    Bench::at(Moto::shared().unwrap().endpoint(), "123456789012").await
}

/// An enabled rule with a target and a tag.
async fn rule(bench: &Bench, id: &str) -> (Client, ResourceRef) {
    let client = Client::new(&bench.admin(REGION));
    let (bus, name) = bus_and_name(id);
    let tag = Tag::builder().key("team").value("security").build().unwrap();
    let call = client.put_rule().name(name).event_bus_name(bus).event_pattern(PATTERN).tags(tag);
    call.send().await.unwrap();
    let arn = format!("arn:aws:sqs:{REGION}:{}:quell-events", bench.account);
    let target = Target::builder().id("queue").arn(arn).build().unwrap();
    let call = client.put_targets().rule(name).event_bus_name(bus).targets(target);
    call.send().await.unwrap();
    (client, bench.resource(TYPE, id, REGION))
}

async fn disable(client: &Client, rule: &ResourceRef) {
    let (bus, name) = bus_and_name(&rule.id);
    client.disable_rule().name(name).event_bus_name(bus).send().await.unwrap();
}

#[tokio::test]
async fn a_disabled_rule_is_enabled_again() {
    for bench in [ministack().await, moto().await] {
        let (client, rule) = rule(&bench, "quell-forward").await;
        let enabled = bench.read(&rule).await;
        assert_eq!(enabled.properties["State"], "ENABLED");
        assert_eq!(enabled.properties["EventPattern"], json!({ "source": ["aws.iam"] }));
        assert_eq!(enabled.properties["Targets"][0]["Id"], "queue");
        assert_eq!(enabled.tags["team"], "security");
        assert_eq!(findings(TAMPER, &enabled), []);
        disable(&client, &rule).await;
        let disabled = bench.read(&rule).await;
        let made = bench.heal(TAMPER, &rule).await;
        assert_eq!(made.len(), 1, "{made:?}");
        assert_eq!(bench.read(&rule).await.properties, enabled.properties);
        bench.again(&made[0]).await.unwrap();
        assert_eq!(bench.read(&rule).await.properties, enabled.properties);
        bench.undo(&made[0]).await.unwrap();
        assert_eq!(bench.read(&rule).await.properties, disabled.properties);
    }
}

#[tokio::test]
async fn a_rule_without_targets_is_told_and_left() {
    let bench = ministack().await;
    let (client, rule) = rule(&bench, "quell-nowhere").await;
    client.remove_targets().rule("quell-nowhere").ids("queue").send().await.unwrap();
    let found = findings(TAMPER, &bench.read(&rule).await);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].element, "Targets");
    assert!(found[0].notify_only.is_some());
}

#[tokio::test]
async fn rules_of_others_are_none_of_ours_and_missing_ones_are_none() {
    let bench = ministack().await;
    let (client, rule) = rule(&bench, "nightly-report").await;
    disable(&client, &rule).await;
    assert_eq!(findings(TAMPER, &bench.read(&rule).await), []);
    for bench in [bench, moto().await] {
        let gone = bench.resource(TYPE, "quell-never-there", REGION);
        assert_eq!(bench.live.read(&gone).await.unwrap(), None);
    }
}

#[tokio::test]
async fn declared_permissions_are_enough() {
    let endpoint = Ministack::shared(true).unwrap().endpoint();
    let unseen = &["events:ListTagsForResource", "events:ListTargetsByRule"];
    let bench = Bench::least(endpoint, "000000000000", &[TAMPER], unseen).await;
    let client = Client::new(&bench.admin(REGION));
    client.create_event_bus().name("quell").send().await.unwrap();
    let (client, rule) = rule(&bench, "quell/quell-hub").await;
    disable(&client, &rule).await;
    let made = bench.heal(TAMPER, &rule).await;
    assert_eq!(made.len(), 1, "{made:?}");
    bench.undo(&made[0]).await.unwrap();
    assert_eq!(bench.read(&rule).await.properties["State"], "DISABLED");
    let reader = Client::new(&bench.live.aws().reader(&rule).await.unwrap());
    let call = reader.enable_rule().name("quell-hub").event_bus_name("quell");
    assert!(call.send().await.is_err(), "the reader may not write");
}

#[tokio::test]
async fn a_heartbeat_is_one_tag_of_a_rule() {
    for bench in [ministack().await, moto().await] {
        let (client, rule) = rule(&bench, "quell-heartbeat").await;
        for nonce in ["first", "second"] {
            let heartbeat = Heartbeat { rule: rule.clone(), nonce: nonce.to_owned() };
            let applied = bench.live.beat(&decide::heartbeat(heartbeat)).await.unwrap();
            assert_eq!(applied.request_ids.len(), 1, "{applied:?}");
            let seen = bench.read(&rule).await;
            assert_eq!(seen.tags[TAG], nonce);
            assert_eq!(seen.tags["team"], "security");
            assert_eq!(seen.properties["State"], RuleState::Enabled.as_str());
        }
        let missing = bench.resource(TYPE, "quell-no-such-rule", REGION);
        let heartbeat = Heartbeat { rule: missing, nonce: "third".to_owned() };
        let error = bench.live.beat(&decide::heartbeat(heartbeat)).await.unwrap_err();
        assert_eq!(error.kind, CloudErrorKind::NotFound, "{error}");
        drop(client);
    }
}

/// What the heartbeat's session may do, as no emulator here can prove it.
#[test]
fn a_heartbeats_session_may_set_this_tag_on_this_rule_alone() {
    let rule = ResourceRef {
        kind: TYPE.to_owned(),
        id: "quell-heartbeat".to_owned(),
        account: "111122223333".to_owned(),
        region: "eu-central-1".to_owned(),
    };
    let wanted = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Action": ["events:TagResource"],
        "Resource": "arn:aws:events:eu-central-1:111122223333:rule/quell-heartbeat",
        "Condition": { "ForAllValues:StringEquals": { "aws:TagKeys": TAG } },
    }] });
    assert_eq!(heartbeat_policy(&rule), wanted);
}
