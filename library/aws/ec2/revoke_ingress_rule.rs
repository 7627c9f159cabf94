//! Revokes one ingress rule: one protocol, one range of ports, one source.
//!
//! Nothing else of the group moves. A range of ports is never split: what else closes with it is
//! told by the finding. EC2 gives the rule a new id when an undo authorizes it again; its content
//! and description are as before.
//!
//! Deliberately absent: rules whose source is another security group (never the world, and a peered
//! one cannot be restored from what a read tells), and the tags of rules, which an undo does not
//! restore.

use super::security_group::{INGRESS, TYPE, read_rules, rule_json};
use crate::aws::Aws;
use crate::aws::errors::{cloud_error, code};
use crate::cloud::{Action, Applied, CloudError};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{IpPermission, IpRange, Ipv6Range, PrefixListId};
use futures::future::BoxFuture;
use quell_core::action::{ActionMeta, Fix, Plan, PlanError, Reversibility, Stage};
use quell_core::change::{Change, Facet, element_id};
use quell_core::decide::authorized::Authorized;
use quell_core::facts::net::exposure::IngressRule;
use quell_core::resource::{Permission, State};
use serde_json::{Value, json};

const REVOKE: &str = "ec2:RevokeSecurityGroupIngress";
const AUTHORIZE: &str = "ec2:AuthorizeSecurityGroupIngress";
const GROUP: &str = "arn:{partition}:ec2:{region}:{account}:security-group/{id}";

/// `ec2.revoke_ingress_rule`; its element is the [`element_id`] of the rule.
#[derive(Debug)]
pub struct RevokeIngressRule;

static META: ActionMeta = ActionMeta {
    name: "ec2.revoke_ingress_rule",
    title: "revoke one ingress rule of the security group",
    resource: TYPE,
    permissions: &[Permission::write(REVOKE, GROUP), Permission::undo(AUTHORIZE, GROUP)],
    reversibility: Reversibility::Equivalent,
    stage: Stage::Element,
    undo_grants: false,
    countermeasure: "D3-ITF",
};

impl Fix for RevokeIngressRule {
    fn meta(&self) -> &'static ActionMeta {
        &META
    }

    fn plan(
        &self,
        state: &State,
        element: &str,
        _params: &Value,
    ) -> Result<Option<Plan>, PlanError> {
        let rules = state.properties.get(INGRESS).and_then(Value::as_array);
        let found = rules.into_iter().flatten().find(|rule| element_id(rule) == element);
        let Some(rule) = found else {
            return match state.unknown.contains(INGRESS) {
                true => Err(PlanError::Unknown(INGRESS.to_owned())),
                false => Ok(None),
            };
        };
        if rule.get("SourceSecurityGroupId").is_some() {
            let problem = "a rule whose source is a security group is not revoked";
            return Err(PlanError::Shape(problem.to_owned()));
        }
        let facet = Facet::element(&format!("/{INGRESS}"), rule);
        Ok(Some(Plan::from(Change::fix(META.name, state, facet, Value::Null))))
    }
}

impl Action for RevokeIngressRule {
    fn apply<'a>(
        &'a self,
        aws: &'a Aws,
        change: &'a Authorized<Change>,
        session: &'a str,
    ) -> BoxFuture<'a, Result<Applied, CloudError>> {
        Box::pin(async move {
            let wanted = change.get();
            let group = &wanted.resource.id;
            let reader = Client::new(&aws.reader(&wanted.resource).await?);
            let rules = read_rules(&reader, group).await?;
            let fresh = json!({ INGRESS: rules.iter().map(rule_json).collect::<Vec<_>>() });
            if wanted.is_done(&fresh) {
                return Ok(Applied::already());
            }
            let writer = Client::new(&aws.writer(&META, change, session).await?);
            // The rule as it is now: another id than planned, if somebody made it again meanwhile.
            let (operation, rule) = match wanted.after.is_null() {
                true => (REVOKE, wanted.facet.read(&fresh)),
                false => (AUTHORIZE, wanted.after.clone()),
            };
            let rule: IngressRule = serde_json::from_value(rule)
                .map_err(|it| CloudError::unsupported(operation, it.to_string()))?;
            match wanted.after.is_null() {
                true => revoke(&writer, group, rule).await,
                false => authorize(&writer, group, &rule).await,
            }
        })
    }
}

async fn revoke(client: &Client, group: &str, rule: IngressRule) -> Result<Applied, CloudError> {
    let Some(id) = rule.rule_id else {
        return Err(CloudError::unsupported(REVOKE, "the rule has no id"));
    };
    let call = client.revoke_security_group_ingress().group_id(group).security_group_rule_ids(&id);
    match call.send().await {
        Ok(output) => Ok(Applied::of(&output)),
        Err(error) if code(&error) == Some("InvalidSecurityGroupRuleId.NotFound") => {
            Ok(Applied::of(&error).noting("the rule was gone already"))
        }
        Err(error) => Err(cloud_error(REVOKE, &error)),
    }
}

async fn authorize(
    client: &Client,
    group: &str,
    rule: &IngressRule,
) -> Result<Applied, CloudError> {
    let call = client.authorize_security_group_ingress().group_id(group);
    match call.ip_permissions(permission(rule)).send().await {
        Ok(output) => Ok(Applied::of(&output)),
        Err(error) if code(&error) == Some("InvalidPermission.Duplicate") => {
            Ok(Applied::of(&error).noting("an equal rule was there already"))
        }
        Err(error) => Err(cloud_error(AUTHORIZE, &error)),
    }
}

/// The rule as a request; a source that is absent stays absent.
fn permission(rule: &IngressRule) -> IpPermission {
    let description = rule.description.clone();
    let v4 = rule
        .cidr_ip
        .as_ref()
        .map(|it| IpRange::builder().cidr_ip(it).set_description(description.clone()).build());
    let v6 = rule
        .cidr_ipv6
        .as_ref()
        .map(|it| Ipv6Range::builder().cidr_ipv6(it).set_description(description.clone()).build());
    let list = rule.source_prefix_list_id.as_ref().map(|it| {
        PrefixListId::builder().prefix_list_id(it).set_description(description.clone()).build()
    });
    IpPermission::builder()
        .ip_protocol(&rule.ip_protocol)
        .set_from_port(rule.from_port)
        .set_to_port(rule.to_port)
        .set_ip_ranges(v4.map(|it| vec![it]))
        .set_ipv6_ranges(v6.map(|it| vec![it]))
        .set_prefix_list_ids(list.map(|it| vec![it]))
        .build()
}
