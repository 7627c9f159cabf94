//! Security groups, read rule by rule.
//!
//! The element of a group is one rule × one source: that is what EC2 gives an id (`sgr-…`), what
//! `DescribeSecurityGroupRules` lists, and what one fix revokes. Prefix lists that rules name are
//! read whole, since a list that holds the world opens as much as `0.0.0.0/0` does.
//!
//! Deliberately absent: egress rules, the tags of rules, and what a group is attached to. A group
//! that is attached to nothing may be attached at any time.

use super::{ingress_event, planned, written};
use crate::aws::Aws;
use crate::aws::errors::{cloud_error, code};
use crate::cloud::{CloudError, Listing, Resource, Seen};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Filter, SecurityGroup as Group, SecurityGroupRule};
use futures::future::BoxFuture;
use quell_core::change::element_id;
use quell_core::event::{CloudScope, Event};
use quell_core::facts::net::PortRange;
use quell_core::facts::net::exposure::{ExposedBy, Exposure, IngressRule, PrefixLists, exposures};
use quell_core::plan::{Language, Plan};
use quell_core::resource::{
    Declarations, Kind, KindMeta, Permission, Planned, ResourceRef, State, Trust,
};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// CloudFormation's name of the type.
pub const TYPE: &str = "AWS::EC2::SecurityGroup";
/// The property that holds the ingress rules.
pub const INGRESS: &str = "SecurityGroupIngress";
/// The property that holds the CIDRs of each prefix list that a rule names.
pub const PREFIX_LISTS: &str = "PrefixLists";

const DESCRIBE_GROUPS: &str = "ec2:DescribeSecurityGroups";
/// The most rules of one group that are read: EC2 allows no more than 1,000 per network interface.
const RULES_MAX: usize = 2_000;
/// Groups, rules and prefix list entries per page; the most that EC2 gives.
const PAGE_SIZE: i32 = 1_000;
const PREFIX_LIST_PAGE_SIZE: i32 = 100;

/// A security group; its id is `sg-…`.
#[derive(Debug)]
pub struct SecurityGroup;

static META: KindMeta = KindMeta {
    cloudformation: TYPE,
    terraform: "aws_security_group",
    custodian: "aws.security-group",
    asff: "AwsEc2SecurityGroup",
    arn: "arn:{partition}:ec2:{region}:{account}:security-group/{id}",
    properties: &["GroupName", PREFIX_LISTS, INGRESS, "VpcId"],
    reads: &[
        Permission::read(DESCRIBE_GROUPS, "*"),
        Permission::read("ec2:DescribeSecurityGroupRules", "*"),
        // A list may be AWS' own or shared by another account.
        Permission::read(
            "ec2:GetManagedPrefixListEntries",
            "arn:{partition}:ec2:{region}:*:prefix-list/*",
        ),
    ],
    lists: &[Permission::list(DESCRIBE_GROUPS, "*")],
    global: false,
};

impl Kind for SecurityGroup {
    fn meta(&self) -> &'static KindMeta {
        &META
    }

    fn targets(&self, event: &Event) -> Vec<ResourceRef> {
        ingress_event::group_ids(event)
            .into_iter()
            .map(|id| ResourceRef {
                kind: TYPE.to_owned(),
                id,
                account: event.cloud.account.clone(),
                region: event.cloud.region.clone(),
            })
            .collect()
    }

    fn implied(&self, event: &Event, target: &ResourceRef) -> Option<State> {
        let rules = ingress_event::ingress_rules(event, &target.id)?;
        // An event shows the rules that it adds, never those that were there before.
        let mut unknown = BTreeSet::from(["GroupName", "VpcId", INGRESS]);
        if rules.iter().any(|it| it.source_prefix_list_id.is_some()) {
            unknown.insert(PREFIX_LISTS);
        }
        Some(State {
            resource: target.clone(),
            tags: BTreeMap::new(),
            properties: json!({ INGRESS: rules.iter().map(rule_json).collect::<Vec<_>>() }),
            facts: Value::Null,
            unknown: unknown.into_iter().map(str::to_owned).collect(),
            observed: event.time,
        })
    }

    fn planned(&self, plan: &Plan) -> Vec<Planned> {
        planned::groups(plan)
    }

    fn written(&self, state: &State, language: Language) -> Declarations {
        written::group(state, language)
    }

    /// `open_to_world`: one entry per rule that lets the world in, with the ports that the world
    /// reaches. `not_understood`: why not all is known, where a rule could not be understood.
    fn facts(&self, state: &State, _trust: &Trust) -> Value {
        let (open, problem) = open_to_world(&state.properties);
        json!({ "open_to_world": open, "not_understood": problem })
    }
}

impl Resource for SecurityGroup {
    fn read<'a>(
        &'a self,
        aws: &'a Aws,
        resource: &'a ResourceRef,
    ) -> BoxFuture<'a, Result<Option<Seen>, CloudError>> {
        Box::pin(async move {
            let client = Client::new(&aws.reader(resource).await?);
            let Some(group) = group(&client, &resource.id).await? else {
                return Ok(None);
            };
            let rules = read_rules(&client, &resource.id).await?;
            let lists: BTreeSet<&str> =
                rules.iter().filter_map(|it| it.source_prefix_list_id.as_deref()).collect();
            let mut prefix_lists = Map::new();
            for id in lists {
                match prefix_list(&client, id).await {
                    Ok(cidrs) => {
                        prefix_lists.insert(id.to_owned(), json!(cidrs));
                    }
                    Err(error) if error.is_transient() => return Err(error),
                    // Its owner took it back, or it is not ours to read. Left out it is unknown:
                    // its rules are told so, and the other rules are judged.
                    Err(error) => tracing::warn!(%error, list = id, "prefix list not readable"),
                }
            }
            let properties = json!({
                "GroupName": group.group_name(),
                "VpcId": group.vpc_id(),
                INGRESS: rules.iter().map(rule_json).collect::<Vec<_>>(),
                PREFIX_LISTS: prefix_lists,
            });
            Ok(Some(Seen { properties, tags: tags(&group) }))
        })
    }

    fn list<'a>(
        &'a self,
        aws: &'a Aws,
        place: &'a CloudScope,
    ) -> BoxFuture<'a, Result<Vec<ResourceRef>, CloudError>> {
        Box::pin(async move {
            let client = Client::new(&aws.reader_in(&place.account, &place.region).await?);
            let call = client.describe_security_groups().max_results(PAGE_SIZE);
            let mut groups = call.into_paginator().items().send();
            let mut listing = Listing::new(DESCRIBE_GROUPS, TYPE, place);
            while let Some(group) = groups.next().await {
                let group = group.map_err(|it| cloud_error(DESCRIBE_GROUPS, &it))?;
                listing.take(group.group_id.unwrap_or_default())?;
            }
            Ok(listing.done())
        })
    }
}

/// One ingress rule as a property: CloudFormation's names, absent fields left out.
pub fn rule_json(rule: &IngressRule) -> Value {
    // A struct of texts and numbers always becomes JSON.
    serde_json::to_value(rule).unwrap_or_default()
}

/// The ingress rules of a group, each with one source; empty where the group does not exist.
/// Needs `ec2:DescribeSecurityGroupRules`.
pub async fn read_rules(client: &Client, group: &str) -> Result<Vec<IngressRule>, CloudError> {
    let operation = "ec2:DescribeSecurityGroupRules";
    let mut pages = client
        .describe_security_group_rules()
        .filters(Filter::builder().name("group-id").values(group).build())
        .max_results(PAGE_SIZE)
        .into_paginator()
        .items()
        .send();
    let mut rules = Vec::new();
    while let Some(rule) = pages.next().await {
        let rule = rule.map_err(|it| cloud_error(operation, &it))?;
        // Some emulators know no filter; a rule of another group must never be taken for ours. One
        // that does not say its direction may let the world in.
        if rule.group_id() == Some(group) && rule.is_egress() != Some(true) {
            rules.push(ingress_rule(&rule));
        }
        if RULES_MAX < rules.len() {
            let problem = format!("more than {RULES_MAX} rules in `{group}`");
            return Err(CloudError::unsupported(operation, problem));
        }
    }
    Ok(rules)
}

fn ingress_rule(rule: &SecurityGroupRule) -> IngressRule {
    let text = |it: Option<&str>| it.filter(|it| !it.is_empty()).map(str::to_owned);
    IngressRule {
        rule_id: text(rule.security_group_rule_id()),
        ip_protocol: rule.ip_protocol().unwrap_or_default().to_owned(),
        from_port: rule.from_port(),
        to_port: rule.to_port(),
        cidr_ip: text(rule.cidr_ipv4()),
        cidr_ipv6: text(rule.cidr_ipv6()),
        source_prefix_list_id: text(rule.prefix_list_id()),
        source_security_group_id: text(rule.referenced_group_info().and_then(|it| it.group_id())),
        source_not_known: None,
        description: text(rule.description()),
    }
}

async fn group(client: &Client, id: &str) -> Result<Option<Group>, CloudError> {
    match client.describe_security_groups().group_ids(id).send().await {
        Ok(output) => Ok(output.security_groups.unwrap_or_default().into_iter().next()),
        Err(error) if code(&error) == Some("InvalidGroup.NotFound") => Ok(None),
        Err(error) => Err(cloud_error(DESCRIBE_GROUPS, &error)),
    }
}

async fn prefix_list(client: &Client, id: &str) -> Result<Vec<String>, CloudError> {
    let mut pages = client
        .get_managed_prefix_list_entries()
        .prefix_list_id(id)
        .max_results(PREFIX_LIST_PAGE_SIZE)
        .into_paginator()
        .items()
        .send();
    let mut cidrs = Vec::new();
    while let Some(entry) = pages.next().await {
        let entry = entry.map_err(|it| cloud_error("ec2:GetManagedPrefixListEntries", &it))?;
        cidrs.extend(entry.cidr);
    }
    cidrs.sort();
    Ok(cidrs)
}

fn tags(group: &Group) -> BTreeMap<String, String> {
    group
        .tags()
        .iter()
        .filter_map(|it| Some((it.key()?.to_owned(), it.value().unwrap_or_default().to_owned())))
        .collect()
}

/// One entry per rule that lets the world reach any port, and why a rule could not be understood,
/// which hides none of the others. `how` begins the sentence that a finding says of it; `caution`
/// are the fields that the finding must have besides.
fn open_to_world(properties: &Value) -> (Vec<Value>, Option<String>) {
    let (mut rules, mut ids, mut problem) = (Vec::new(), BTreeMap::new(), None);
    for written in properties.get(INGRESS).and_then(Value::as_array).into_iter().flatten() {
        let mut rule: IngressRule = match serde_json::from_value(written.clone()) {
            Ok(rule) => rule,
            Err(error) => {
                problem.get_or_insert_with(|| format!("ingress rule {written}: {error}"));
                continue;
            }
        };
        // The exposure names its rule by our identity, under which a facet finds it again.
        let element = element_id(written);
        ids.insert(element.clone(), rule.rule_id.replace(element));
        rules.push(rule);
    }
    // EC2 lists rules in any order: which of several unions is told must not hang on it.
    rules.sort_by(|left, right| left.rule_id.cmp(&right.rule_id));
    let lists = properties.get(PREFIX_LISTS).cloned().unwrap_or_else(|| json!({}));
    let lists: PrefixLists = serde_json::from_value(lists).unwrap_or_else(|error| {
        problem.get_or_insert_with(|| format!("{PREFIX_LISTS}: {error}"));
        PrefixLists::new()
    });
    let exposed = |rules: &[IngressRule]| exposures(rules, &lists, &[PortRange::ALL]);
    let found = exposed(&rules).unwrap_or_else(|error| {
        problem.get_or_insert_with(|| error.to_string());
        rules.retain(|it| exposed(std::slice::from_ref(it)).is_ok());
        exposed(&rules).unwrap_or_default()
    });
    let open = found
        .into_iter()
        .map(|it| {
            let ports: Vec<_> = it.ports.iter().copied().map(range_json).collect();
            let (how, caution) = told(&it);
            json!({
                "element": it.element,
                "rule_id": ids.get(&it.element),
                "source": it.cidr,
                "protocol": it.protocol,
                "range": range_json(it.range),
                "ports": ports,
                "by": it.by,
                "how": how,
                "caution": caution,
            })
        })
        .collect();
    (open, problem)
}

/// How a rule lets the world in, and what a finding must say besides: its own fields.
fn told(it: &Exposure) -> (String, Value) {
    let source = &it.cidr;
    match it.by {
        ExposedBy::Single => (format!("{source} reaches"), json!({})),
        ExposedBy::Union => (
            format!("{source} and other rules together let the world reach"),
            json!({ "approval": "no rule alone is the world: each may be meant" }),
        ),
        ExposedBy::UnknownPrefixList => (
            format!("prefix list {source} may let the world reach"),
            json!({ "indeterminate": format!("the entries of {source}") }),
        ),
        ExposedBy::UnknownSource => (
            format!("{source}, which is not known yet, may let the world reach"),
            json!({ "indeterminate": format!("the source {source}") }),
        ),
    }
}

fn range_json(range: PortRange) -> Value {
    json!({ "from": range.from(), "to": range.to() })
}
