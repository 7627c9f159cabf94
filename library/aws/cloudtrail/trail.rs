//! Trails, read whole: flags, whether they log, and what their selectors let through.
//!
//! A trail's id is its ARN, and an ARN names the trail's home region: the only region in which it
//! can be changed. An event that names a trail by name alone leads to the ARN that the name has in
//! the event's region; a read asks `GetTrail` for the real home and looks there.
//!
//! A trail whose ARN names another account than the one we look from is an organization's: only its
//! owner can change it.
//!
//! Deliberately absent: insight selectors, and the bucket's own protection.

use super::management_events::{ADVANCED, BASIC, coverage};
use super::selectors::{AdvancedEventSelector, EventSelector};
use super::{planned, trail_event, written};
use crate::aws::Aws;
use crate::aws::errors::{cloud_error, code};
use crate::cloud::{CloudError, CloudErrorKind, Listing, Resource, Seen};
use aws_config::{Region, SdkConfig};
use aws_sdk_cloudtrail::Client;
use aws_sdk_cloudtrail::types::Trail as Found;
use futures::future::BoxFuture;
use quell_core::action::ActionMeta;
use quell_core::change::Change;
use quell_core::decide::authorized::Authorized;
use quell_core::event::{CloudScope, Event};
use quell_core::plan::{Language, Plan};
use quell_core::resource::{
    Declarations, Kind, KindMeta, Permission, Planned, ResourceRef, State, Trust,
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// CloudFormation's name of the type.
pub const TYPE: &str = "AWS::CloudTrail::Trail";
/// The trail as IAM names it.
pub const ARN: &str = "arn:{partition}:cloudtrail:{region}:{account}:trail/{id}";
/// Wherever its home is: an organization's trail belongs to another account.
const ANY_ARN: &str = "arn:{partition}:cloudtrail:*:*:trail/*";

const LIST: &str = "cloudtrail:ListTrails";

/// A trail; its id is its ARN.
#[derive(Debug)]
pub struct Trail;

static META: KindMeta = KindMeta {
    cloudformation: TYPE,
    terraform: "aws_cloudtrail",
    custodian: "aws.cloudtrail",
    asff: "AwsCloudTrailTrail",
    arn: "{id}",
    properties: &[
        ADVANCED,
        "Arn",
        "EnableLogFileValidation",
        BASIC,
        "HomeRegion",
        "IncludeGlobalServiceEvents",
        "IsLogging",
        "IsMultiRegionTrail",
        "IsOrganizationTrail",
        "KMSKeyId",
        "S3BucketName",
        "TrailName",
    ],
    reads: &[
        Permission::read("cloudtrail:GetTrail", ANY_ARN),
        Permission::read("cloudtrail:GetTrailStatus", ANY_ARN),
        Permission::read("cloudtrail:GetEventSelectors", ANY_ARN),
        Permission::read("cloudtrail:ListTags", ARN),
    ],
    lists: &[Permission::list(LIST, "*")],
    global: false,
};

impl Kind for Trail {
    fn meta(&self) -> &'static KindMeta {
        &META
    }

    fn targets(&self, event: &Event) -> Vec<ResourceRef> {
        trail_event::target(event).into_iter().collect()
    }

    fn implied(&self, event: &Event, target: &ResourceRef) -> Option<State> {
        trail_event::implied(event, target)
    }

    fn planned(&self, plan: &Plan) -> Vec<Planned> {
        planned::trails(plan)
    }

    fn written(&self, state: &State, language: Language) -> Declarations {
        written::trail(state, language)
    }

    /// `owner`: the account in the ARN. `foreign`: whether that is another one than we look from.
    /// `management_events`: see [`super::management_events::Coverage`]; null where it is unknown.
    /// `not_understood`: why it is, where the selectors could not be understood.
    fn facts(&self, state: &State, _trust: &Trust) -> Value {
        let owner = ArnParts::of(&state.resource.id).map(|it| it.account).unwrap_or_default();
        let unknown = [BASIC, ADVANCED].iter().any(|it| state.unknown.contains(*it));
        let (events, problem) = match coverage(&state.properties) {
            _ if unknown => (None, None),
            Ok(coverage) => (Some(coverage), None),
            Err(problem) => (None, Some(problem)),
        };
        json!({
            "owner": owner,
            "foreign": owner != state.resource.account,
            "management_events": events,
            "not_understood": problem,
        })
    }
}

impl Resource for Trail {
    fn read<'a>(
        &'a self,
        aws: &'a Aws,
        resource: &'a ResourceRef,
    ) -> BoxFuture<'a, Result<Option<Seen>, CloudError>> {
        Box::pin(read_trail(aws, resource))
    }

    /// Those that have their home there, an organization's among them: each trail is listed in
    /// every region, and by ARN.
    fn list<'a>(
        &'a self,
        aws: &'a Aws,
        place: &'a CloudScope,
    ) -> BoxFuture<'a, Result<Vec<ResourceRef>, CloudError>> {
        Box::pin(async move {
            let client = Client::new(&aws.reader_in(&place.account, &place.region).await?);
            let mut trails = client.list_trails().into_paginator().items().send();
            let mut listing = Listing::new(LIST, TYPE, place);
            while let Some(trail) = trails.next().await {
                let trail = trail.map_err(|it| cloud_error(LIST, &it))?;
                let arn = trail.trail_arn().unwrap_or_default();
                if ArnParts::of(arn).is_some_and(|it| it.region == place.region) {
                    listing.take(arn)?;
                }
            }
            Ok(listing.done())
        })
    }
}

/// The parts of a trail's ARN that matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArnParts<'a> {
    /// The home region.
    pub region: &'a str,
    /// The owner.
    pub account: &'a str,
    /// The trail's name.
    pub name: &'a str,
}

impl ArnParts<'_> {
    /// Takes `arn:aws:cloudtrail:REGION:ACCOUNT:trail/NAME` apart; `None` for anything else.
    pub fn of(arn: &str) -> Option<ArnParts<'_>> {
        let mut parts = arn.splitn(6, ':');
        let (prefix, _partition, service) = (parts.next()?, parts.next()?, parts.next()?);
        let (region, account, last) = (parts.next()?, parts.next()?, parts.next()?);
        let name = last.strip_prefix("trail/")?;
        (prefix == "arn" && service == "cloudtrail").then_some(ArnParts { region, account, name })
    }
}

/// A trail as it is right before a write, and a client in its home region that may write it.
#[derive(Debug)]
pub struct Writable {
    /// The client.
    pub client: Client,
    /// The trail's ARN.
    pub arn: String,
}

/// Reads the trail again before a write; `None` where the change is done already.
///
/// # Errors
///
/// What the read says; [`CloudErrorKind::NotFound`] where the trail is gone and
/// [`CloudErrorKind::Invalid`] where it has moved since the change was planned.
pub async fn writable(
    aws: &Aws,
    action: &ActionMeta,
    change: &Authorized<Change>,
    session: &str,
) -> Result<Option<Writable>, CloudError> {
    let wanted = change.get();
    let refuse = |kind, message: &str| CloudError {
        kind,
        operation: action.name.to_owned(),
        message: message.to_owned(),
        request_id: None,
    };
    let Some(fresh) = read_trail(aws, &wanted.resource).await? else {
        return Err(refuse(CloudErrorKind::NotFound, "the trail is gone"));
    };
    if wanted.is_done(&fresh.properties) {
        return Ok(None);
    }
    if !wanted.starts_from(&fresh.properties) {
        let moved = "the trail has moved since the change was planned";
        return Err(refuse(CloudErrorKind::Invalid, moved));
    }
    let text = |key: &str| fresh.properties.get(key).and_then(Value::as_str);
    let home = text("HomeRegion").unwrap_or(&wanted.resource.region);
    let config = in_region(aws.writer(action, change, session).await?, home);
    let arn = text("Arn").unwrap_or(&wanted.resource.id).to_owned();
    Ok(Some(Writable { client: Client::new(&config), arn }))
}

async fn read_trail(aws: &Aws, resource: &ResourceRef) -> Result<Option<Seen>, CloudError> {
    let client = Client::new(&aws.reader(resource).await?);
    let Some(trail) = find(&client, &resource.id).await? else {
        return Ok(None);
    };
    let home = trail.home_region().unwrap_or(&resource.region);
    let arn = trail.trail_arn().unwrap_or(&resource.id);
    let client = Client::new(&aws.reader_in(&resource.account, home).await?);
    let status = client
        .get_trail_status()
        .name(arn)
        .send()
        .await
        .map_err(|it| cloud_error("cloudtrail:GetTrailStatus", &it))?;
    let selectors = client
        .get_event_selectors()
        .trail_name(arn)
        .send()
        .await
        .map_err(|it| cloud_error("cloudtrail:GetEventSelectors", &it))?;
    let mut properties = flags(&trail);
    properties.insert("Arn".to_owned(), json!(arn));
    properties.insert("HomeRegion".to_owned(), json!(home));
    properties.insert("IsLogging".to_owned(), json!(status.is_logging().unwrap_or(false)));
    let basic: Vec<_> = selectors.event_selectors().iter().map(EventSelector::property).collect();
    let advanced = selectors.advanced_event_selectors();
    if advanced.is_empty() {
        properties.insert(BASIC.to_owned(), json!(basic));
    } else {
        let advanced: Vec<_> = advanced.iter().map(AdvancedEventSelector::from_sdk).collect();
        properties.insert(ADVANCED.to_owned(), json!(advanced));
    }
    // A member account may not list the tags of its organization's trail.
    let own = ArnParts::of(arn).is_some_and(|it| it.account == resource.account);
    let tags = if own { tags(&client, arn).await? } else { BTreeMap::new() };
    Ok(Some(Seen { properties: Value::Object(properties), tags }))
}

/// The trail by its ARN, or by the name alone: seen from another region than its home, a trail that
/// an event named has another ARN than the event led us to think. Its owner is the same: a member
/// account's own trail may have the name of its organization's.
async fn find(client: &Client, arn: &str) -> Result<Option<Found>, CloudError> {
    if let Some(found) = get(client, arn).await? {
        return Ok(Some(found));
    }
    let Some(asked) = ArnParts::of(arn) else { return Ok(None) };
    let found = get(client, asked.name).await?;
    Ok(found.filter(|it| {
        let named = it.trail_arn().and_then(ArnParts::of);
        named.is_some_and(|it| it.account == asked.account)
    }))
}

/// The trail by name or ARN; `None` where there is none such.
async fn get(client: &Client, name: &str) -> Result<Option<Found>, CloudError> {
    match client.get_trail().name(name).send().await {
        Ok(output) => Ok(output.trail),
        Err(error) if code(&error) == Some("TrailNotFoundException") => Ok(None),
        Err(error) => Err(cloud_error("cloudtrail:GetTrail", &error)),
    }
}

/// What `GetTrail` tells, in CloudFormation's names.
fn flags(trail: &Found) -> Map<String, Value> {
    let yes = |it: Option<bool>| json!(it.unwrap_or(false));
    let mut flags = Map::new();
    let mut set = |key: &str, value: Value| {
        if !value.is_null() {
            flags.insert(key.to_owned(), value);
        }
    };
    set("TrailName", json!(trail.name()));
    set("S3BucketName", json!(trail.s3_bucket_name()));
    set("KMSKeyId", json!(trail.kms_key_id().filter(|it| !it.is_empty())));
    set("IsMultiRegionTrail", yes(trail.is_multi_region_trail()));
    set("IncludeGlobalServiceEvents", yes(trail.include_global_service_events()));
    set("EnableLogFileValidation", yes(trail.log_file_validation_enabled()));
    set("IsOrganizationTrail", yes(trail.is_organization_trail()));
    flags
}

async fn tags(client: &Client, arn: &str) -> Result<BTreeMap<String, String>, CloudError> {
    let mut pages = client.list_tags().resource_id_list(arn).into_paginator().items().send();
    let mut tags = BTreeMap::new();
    while let Some(resource) = pages.next().await {
        let resource = resource.map_err(|it| cloud_error("cloudtrail:ListTags", &it))?;
        for tag in resource.tags_list.unwrap_or_default() {
            tags.insert(tag.key, tag.value.unwrap_or_default());
        }
    }
    Ok(tags)
}

fn in_region(config: SdkConfig, region: &str) -> SdkConfig {
    config.into_builder().region(Region::new(region.to_owned())).build()
}
