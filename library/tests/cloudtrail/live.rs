//! Trails on ministack: stop and weaken by the AWS SDK, then read, judge, restore, undo.

use crate::bench::{Bench, findings};
use crate::{STOPPED, WEAKENED};
use aws_sdk_cloudtrail::Client;
use aws_sdk_cloudtrail::types::{
    AdvancedEventSelector, AdvancedFieldSelector, DataResource, EventSelector, ReadWriteType, Tag,
};
use quell_core::resource::ResourceRef;
use quell_library::aws::cloudtrail::trail::TYPE;
use quell_library::cloud::{CloudErrorKind, World};
use serde_json::json;
use testkit::{Ministack, Moto, REGION};

async fn ministack() -> Bench {
    Bench::at(Ministack::shared(false).unwrap().endpoint(), "000000000000").await
}

/// A trail as the baseline wants it, logging.
async fn trail(bench: &Bench, name: &str) -> (Client, ResourceRef) {
    let client = Client::new(&bench.admin(REGION));
    let tag = Tag::builder().key("team").value("audit").build().unwrap();
    let created = client
        .create_trail()
        .name(name)
        .s3_bucket_name("audit-logs")
        .is_multi_region_trail(true)
        .include_global_service_events(true)
        .enable_log_file_validation(true)
        .send()
        .await
        .unwrap();
    let arn = created.trail_arn().unwrap();
    client.add_tags().resource_id(arn).tags_list(tag).send().await.unwrap();
    client.start_logging().name(name).send().await.unwrap();
    let trail = bench.resource(TYPE, arn, REGION);
    (client, trail)
}

#[tokio::test]
async fn a_stopped_trail_starts_again() {
    let bench = ministack().await;
    let (client, trail) = trail(&bench, "stopped").await;
    let logging = bench.read(&trail).await;
    assert_eq!(logging.tags["team"], "audit");
    assert!(findings(STOPPED, &logging).is_empty() && findings(WEAKENED, &logging).is_empty());
    client.stop_logging().name("stopped").send().await.unwrap();
    let stopped = bench.read(&trail).await;
    let made = bench.heal(STOPPED, &trail).await;
    assert_eq!(made.len(), 1);
    assert_eq!(bench.read(&trail).await.properties, logging.properties);
    bench.again(&made[0]).await.unwrap();
    assert_eq!(bench.read(&trail).await.properties, logging.properties);
    bench.undo(&made[0]).await.unwrap();
    assert_eq!(bench.read(&trail).await.properties, stopped.properties);
}

/// ministack enforces IAM: the declared permissions are enough, but for `ListTags`, which it checks
/// against `*`: it does not look for the trail in that call.
#[tokio::test]
async fn declared_permissions_are_enough() {
    let endpoint = Ministack::shared(true).unwrap().endpoint();
    let list_tags = &["cloudtrail:ListTags"];
    let bench = Bench::least(endpoint, "000000000000", &[STOPPED, WEAKENED], list_tags).await;
    let (client, trail) = trail(&bench, "least").await;
    client.stop_logging().name("least").send().await.unwrap();
    client.update_trail().name("least").enable_log_file_validation(false).send().await.unwrap();
    let selector = EventSelector::builder().read_write_type(ReadWriteType::ReadOnly).build();
    let call = client.put_event_selectors().trail_name("least").event_selectors(selector);
    call.send().await.unwrap();
    let weak = bench.read(&trail).await;
    let mut made = bench.heal(STOPPED, &trail).await;
    made.extend(bench.heal(WEAKENED, &trail).await);
    assert_eq!(made.len(), 3, "{made:?}");
    for change in made.iter().rev() {
        bench.undo(change).await.unwrap();
    }
    assert_eq!(bench.read(&trail).await.properties, weak.properties);
}

#[tokio::test]
async fn weakened_flags_are_restored_one_by_one() {
    let bench = ministack().await;
    let (client, trail) = trail(&bench, "flags").await;
    let sound = bench.read(&trail).await;
    let call = client.update_trail().name("flags").is_multi_region_trail(false);
    let call = call.include_global_service_events(false).enable_log_file_validation(false);
    call.send().await.unwrap();
    let weak = bench.read(&trail).await;
    let made = bench.heal(WEAKENED, &trail).await;
    let facets: Vec<_> = made.iter().map(|it| it.facet.to_string()).collect();
    // Global service events before multi-region: AWS refuses the other order.
    let wanted = ["/EnableLogFileValidation", "/IncludeGlobalServiceEvents", "/IsMultiRegionTrail"];
    assert_eq!(facets, wanted);
    assert_eq!(bench.read(&trail).await.properties, sound.properties);
    for change in made.iter().rev() {
        bench.undo(change).await.unwrap();
    }
    assert_eq!(bench.read(&trail).await.properties, weak.properties);
}

#[tokio::test]
async fn management_events_come_back_and_data_events_stay() {
    let bench = ministack().await;
    let (client, trail) = trail(&bench, "basic").await;
    let bucket =
        DataResource::builder().r#type("AWS::S3::Object").values("arn:aws:s3:::b/").build();
    let selector = EventSelector::builder()
        .read_write_type(ReadWriteType::ReadOnly)
        .include_management_events(false)
        .data_resources(bucket)
        .build();
    let call = client.put_event_selectors().trail_name("basic").event_selectors(selector);
    call.send().await.unwrap();
    let weak = bench.read(&trail).await;
    let made = bench.heal(WEAKENED, &trail).await;
    assert_eq!(made.len(), 1, "{made:?}");
    let healed = bench.read(&trail).await;
    assert_eq!(healed.properties["EventSelectors"][0], weak.properties["EventSelectors"][0]);
    assert_eq!(healed.properties["EventSelectors"].as_array().unwrap().len(), 2);
    bench.undo(&made[0]).await.unwrap();
    assert_eq!(bench.read(&trail).await.properties, weak.properties);
}

#[tokio::test]
async fn advanced_selectors_are_widened_too() {
    let bench = ministack().await;
    let (client, trail) = trail(&bench, "advanced").await;
    let field = |name: &str, value: &str| {
        AdvancedFieldSelector::builder().field(name).equals(value).build().unwrap()
    };
    let selector = |name: &str, fields: Vec<AdvancedFieldSelector>| {
        let builder = AdvancedEventSelector::builder().name(name);
        builder.set_field_selectors(Some(fields)).build().unwrap()
    };
    let reads =
        selector("reads", vec![field("eventCategory", "Management"), field("readOnly", "true")]);
    let data = selector(
        "data",
        vec![field("eventCategory", "Data"), field("resources.type", "AWS::S3::Object")],
    );
    let call = client.put_event_selectors().trail_name("advanced");
    call.advanced_event_selectors(reads).advanced_event_selectors(data).send().await.unwrap();
    let weak = bench.read(&trail).await;
    assert_eq!(weak.properties.get("EventSelectors"), None);
    let made = bench.heal(WEAKENED, &trail).await;
    assert_eq!(made.len(), 1, "{made:?}");
    let healed = bench.read(&trail).await;
    let (now, then) =
        (&healed.properties["AdvancedEventSelectors"], &weak.properties["AdvancedEventSelectors"]);
    assert_eq!(now[1], then[1], "data events stay as they are");
    bench.undo(&made[0]).await.unwrap();
    assert_eq!(bench.read(&trail).await.properties, weak.properties);
}

#[tokio::test]
async fn a_fix_does_not_overwrite_what_somebody_else_did() {
    let bench = ministack().await;
    let (client, trail) = trail(&bench, "moved").await;
    let put = async |kind: ReadWriteType| {
        let selector = EventSelector::builder().read_write_type(kind).build();
        let call = client.put_event_selectors().trail_name("moved").event_selectors(selector);
        call.send().await.unwrap();
    };
    put(ReadWriteType::ReadOnly).await;
    let made = bench.heal(WEAKENED, &trail).await;
    put(ReadWriteType::WriteOnly).await;
    let moved = bench.read(&trail).await;
    let error = bench.undo(&made[0]).await.unwrap_err();
    assert_eq!(error.kind, CloudErrorKind::Invalid, "{error}");
    assert_eq!(bench.read(&trail).await.properties, moved.properties);
}

/// An event in another region may name a trail by name alone.
#[tokio::test]
async fn a_trail_is_read_and_started_in_its_home_region() {
    let bench = ministack().await;
    let (client, trail) = trail(&bench, "shadow").await;
    client.stop_logging().name("shadow").send().await.unwrap();
    let guess = trail.id.replace(REGION, "eu-west-1");
    let shadow = bench.resource(TYPE, &guess, "eu-west-1");
    let seen = bench.read(&shadow).await;
    assert_eq!(seen.properties["HomeRegion"], json!(REGION));
    assert_eq!(seen.properties["Arn"], json!(trail.id));
    assert_eq!(bench.heal(STOPPED, &shadow).await.len(), 1);
    assert_eq!(bench.read(&trail).await.properties["IsLogging"], json!(true));
}

#[tokio::test]
async fn a_deleted_trail_is_none() {
    let bench = ministack().await;
    let (client, trail) = trail(&bench, "deleted").await;
    client.stop_logging().name("deleted").send().await.unwrap();
    let made = bench.heal(STOPPED, &trail).await;
    client.delete_trail().name("deleted").send().await.unwrap();
    assert_eq!(bench.live.read(&trail).await.unwrap(), None);
    let error = bench.again(&made[0]).await.unwrap_err();
    assert_eq!(error.kind, CloudErrorKind::NotFound, "{error}");
    let moto = Bench::at(Moto::shared().unwrap().endpoint(), "123456789012").await;
    let arn = "arn:aws:cloudtrail:us-east-1:123456789012:trail/never-there";
    assert_eq!(moto.live.read(&moto.resource(TYPE, arn, REGION)).await.unwrap(), None);
}
