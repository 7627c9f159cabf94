//! A rule, with whether it is enabled and where it delivers to. Its id is what follows `rule/` in
//! its ARN: its name, after its bus and a slash where that is not the default one.
//!
//! | property | is |
//! |---|---|
//! | `Name`, `EventBusName`, `EventPattern`, `ScheduleExpression` | as in CloudFormation |
//! | `State` | `ENABLED`, `DISABLED`, or enabled with all management events |
//! | `Targets` | id and ARN of each: what they are given may be a secret, and is not read |

use super::rule_event;
use crate::aws::Aws;
use crate::aws::errors::{cloud_error, code};
use crate::cloud::{CloudError, Listing, Resource, Seen};
use aws_sdk_eventbridge::Client;
use futures::future::BoxFuture;
use quell_core::event::{CloudScope, Event};
use quell_core::resource::{Kind, KindMeta, Permission, ResourceRef, State, Trust, arn};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// CloudFormation's name of the type.
pub const TYPE: &str = quell_core::heartbeat::RULE;
/// ARN template of a rule on any bus.
pub const ARN: &str = "arn:{partition}:events:{region}:{account}:rule/{id}";
/// The bus on which AWS' own events are.
pub const DEFAULT_BUS: &str = "default";
/// The properties that a read returns and an event may leave unknown.
pub const PROPERTIES: [&str; 2] = ["State", "Targets"];

const DESCRIBE: &str = "events:DescribeRule";
const LIST_BUSES: &str = "events:ListEventBuses";
const LIST_RULES: &str = "events:ListRules";
const LIST_TAGS: &str = "events:ListTagsForResource";
const LIST_TARGETS: &str = "events:ListTargetsByRule";
/// Rules, buses and targets per page: the most that EventBridge gives.
const PAGE_SIZE: i32 = 100;

/// A rule.
#[derive(Debug)]
pub struct Rule;

static META: KindMeta = KindMeta {
    cloudformation: TYPE,
    terraform: "aws_cloudwatch_event_rule",
    custodian: "aws.event-rule",
    asff: "AwsEventsRule",
    arn: ARN,
    properties: &["EventBusName", "EventPattern", "Name", "ScheduleExpression", "State", "Targets"],
    reads: &[
        Permission::read(DESCRIBE, ARN),
        Permission::read(LIST_TAGS, ARN),
        Permission::read(LIST_TARGETS, ARN),
    ],
    lists: &[Permission::list(LIST_BUSES, "*"), Permission::list(LIST_RULES, "*")],
    global: false,
};

impl Kind for Rule {
    fn meta(&self) -> &'static KindMeta {
        &META
    }

    fn targets(&self, event: &Event) -> Vec<ResourceRef> {
        rule_event::target(event).into_iter().collect()
    }

    fn implied(&self, event: &Event, target: &ResourceRef) -> Option<State> {
        rule_event::implied(event, target)
    }

    /// `arn`: the rule's. `names`: its bus, where it is not the default one, and its name.
    fn facts(&self, state: &State, _trust: &Trust) -> Value {
        let names: Vec<&str> = state.resource.id.split('/').collect();
        json!({ "arn": arn(ARN, &state.resource), "names": names })
    }
}

impl Resource for Rule {
    fn read<'a>(
        &'a self,
        aws: &'a Aws,
        resource: &'a ResourceRef,
    ) -> BoxFuture<'a, Result<Option<Seen>, CloudError>> {
        Box::pin(read(aws, resource))
    }

    fn list<'a>(
        &'a self,
        aws: &'a Aws,
        place: &'a CloudScope,
    ) -> BoxFuture<'a, Result<Vec<ResourceRef>, CloudError>> {
        Box::pin(list(aws, place))
    }
}

/// The bus and the name of a rule, by its id.
pub fn bus_and_name(id: &str) -> (&str, &str) {
    id.rsplit_once('/').unwrap_or((DEFAULT_BUS, id))
}

/// The id of a rule by its bus, which a call may name by its ARN, and its name.
pub fn id(bus: &str, name: &str) -> String {
    let bus = bus.split_once(":event-bus/").map_or(bus, |(_, it)| it);
    match bus {
        "" | DEFAULT_BUS => name.to_owned(),
        _ => format!("{bus}/{name}"),
    }
}

async fn read(aws: &Aws, resource: &ResourceRef) -> Result<Option<Seen>, CloudError> {
    let client = Client::new(&aws.reader(resource).await?);
    let (bus, name) = bus_and_name(&resource.id);
    let rule = match client.describe_rule().name(name).event_bus_name(bus).send().await {
        Ok(rule) => rule,
        Err(error) if code(&error) == Some("ResourceNotFoundException") => return Ok(None),
        Err(error) => return Err(cloud_error(DESCRIBE, &error)),
    };
    // A property that is not there would pass for one that violates nothing.
    let Some(state) = rule.state() else {
        let problem = format!("the answer does not say whether `{}` is enabled", resource.id);
        return Err(CloudError::unsupported(DESCRIBE, problem));
    };
    let Some(targets) = targets(&client, bus, name).await? else { return Ok(None) };
    let arn = rule.arn().map_or_else(|| arn(ARN, resource), str::to_owned);
    let call = client.list_tags_for_resource().resource_arn(&arn);
    let tags = match call.send().await {
        Ok(answer) => answer.tags.unwrap_or_default(),
        Err(error) if code(&error) == Some("ResourceNotFoundException") => return Ok(None),
        Err(error) => return Err(cloud_error(LIST_TAGS, &error)),
    };
    let properties = [
        ("EventBusName", json!(bus)),
        ("EventPattern", pattern(rule.event_pattern())),
        ("Name", json!(name)),
        ("ScheduleExpression", json!(rule.schedule_expression())),
        ("State", json!(state.as_str())),
        ("Targets", json!(targets)),
    ];
    let present = properties.into_iter().filter(|(_, it)| !it.is_null());
    let properties = present.map(|(name, it)| (name.to_owned(), it)).collect::<Map<_, _>>();
    let tags = tags.into_iter().map(|it| (it.key, it.value)).collect::<BTreeMap<_, _>>();
    Ok(Some(Seen { properties: Value::Object(properties), tags }))
}

/// Where a rule delivers to; `None` where there is no such rule.
async fn targets(client: &Client, bus: &str, name: &str) -> Result<Option<Vec<Value>>, CloudError> {
    let mut targets = Vec::new();
    let mut next = None;
    loop {
        let call = client.list_targets_by_rule().rule(name).event_bus_name(bus).limit(PAGE_SIZE);
        let page = match call.set_next_token(next).send().await {
            Ok(page) => page,
            Err(error) if code(&error) == Some("ResourceNotFoundException") => return Ok(None),
            Err(error) => return Err(cloud_error(LIST_TARGETS, &error)),
        };
        targets.extend(page.targets().iter().map(|it| json!({ "Id": it.id(), "Arn": it.arn() })));
        next = page.next_token;
        if next.is_none() {
            return Ok(Some(targets));
        }
    }
}

/// A pattern as JSON; one that is no JSON stays the text that it is.
fn pattern(text: Option<&str>) -> Value {
    text.map_or(Value::Null, |it| serde_json::from_str(it).unwrap_or_else(|_| json!(it)))
}

/// The rules of every bus.
async fn list(aws: &Aws, place: &CloudScope) -> Result<Vec<ResourceRef>, CloudError> {
    let client = Client::new(&aws.reader_in(&place.account, &place.region).await?);
    let mut listing = Listing::new(LIST_RULES, TYPE, place);
    for bus in buses(&client).await? {
        let mut next = None;
        loop {
            let call = client.list_rules().event_bus_name(&bus).limit(PAGE_SIZE);
            let sent = call.set_next_token(next).send().await;
            let page = sent.map_err(|it| cloud_error(LIST_RULES, &it))?;
            for rule in page.rules() {
                listing.take(id(&bus, rule.name().unwrap_or_default()))?;
            }
            next = page.next_token;
            if next.is_none() {
                break;
            }
        }
    }
    Ok(listing.done())
}

async fn buses(client: &Client) -> Result<Vec<String>, CloudError> {
    let (mut buses, mut next) = (Vec::new(), None);
    loop {
        let call = client.list_event_buses().limit(PAGE_SIZE).set_next_token(next);
        let page = call.send().await.map_err(|it| cloud_error(LIST_BUSES, &it))?;
        buses.extend(page.event_buses().iter().filter_map(|it| it.name().map(str::to_owned)));
        next = page.next_token;
        if next.is_none() {
            return Ok(buses);
        }
    }
}
