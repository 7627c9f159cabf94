//! IAM in infrastructure code: managed policies, and users, roles and groups with what is attached
//! to them and what they hold inline.
//!
//! A new principal has what the code gives it and nothing else. Of one that exists, or that is only
//! named, the rest is unknown. An inline policy of a template that names nobody is judged, too, as
//! if a role held it: CloudFormation refuses to deploy that, but whoever mends it names somebody.

use super::document;
use super::managed_policy;
use super::principal::Principal;
use crate::aws::planned::{self, Draft, Link, Property, Types, Whole};
use quell_core::plan::{Declared, Intent, Plan, Told};
use quell_core::resource::{Planned, ResourceRef, home_region, partition};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const MANAGED: &str = "aws_iam_policy";
const INLINE_POLICY: &str = "AWS::IAM::Policy";

static POLICIES: Types = Types {
    whole: &[MANAGED, managed_policy::TYPE],
    names: &["/arn", "/name", "/ManagedPolicyName"],
    parts: &[],
};

static GROUPS: Types = Types {
    whole: &["aws_iam_group", "AWS::IAM::Group"],
    names: &["/name", "/GroupName"],
    parts: &[
        Link::one("aws_iam_group_policy", "/group"),
        Link::one("aws_iam_group_policy_attachment", "/group"),
        Link::list("aws_iam_policy_attachment", "/groups"),
        Link::one("aws_iam_group_policy_attachments_exclusive", "/group_name"),
        Link::one("AWS::IAM::GroupPolicy", "/GroupName"),
        Link::list("AWS::IAM::ManagedPolicy", "/Groups"),
        Link::list(INLINE_POLICY, "/Groups"),
    ],
};

static ROLES: Types = Types {
    whole: &["aws_iam_role", "AWS::IAM::Role"],
    names: &["/name", "/RoleName"],
    parts: &[
        Link::one("aws_iam_role_policy", "/role"),
        Link::one("aws_iam_role_policy_attachment", "/role"),
        Link::list("aws_iam_policy_attachment", "/roles"),
        Link::one("aws_iam_role_policy_attachments_exclusive", "/role_name"),
        Link::one("AWS::IAM::RolePolicy", "/RoleName"),
        Link::list("AWS::IAM::ManagedPolicy", "/Roles"),
        Link::list(INLINE_POLICY, "/Roles"),
    ],
};

static USERS: Types = Types {
    whole: &["aws_iam_user", "AWS::IAM::User"],
    names: &["/name", "/UserName"],
    parts: &[
        Link::one("aws_iam_user_policy", "/user"),
        Link::one("aws_iam_user_policy_attachment", "/user"),
        Link::list("aws_iam_policy_attachment", "/users"),
        Link::one("aws_iam_user_policy_attachments_exclusive", "/user_name"),
        Link::list("AWS::IAM::ManagedPolicy", "/Users"),
        Link::list(INLINE_POLICY, "/Users"),
        Link::one("AWS::IAM::UserPolicy", "/UserName"),
    ],
};

/// Inline policies that stand in the principal's own declaration: the list, and the name and the
/// document of a policy in it.
const INLINE: [(&str, &str, &str); 2] =
    [("/inline_policy", "name", "policy"), ("/Policies", "PolicyName", "PolicyDocument")];

/// The managed policies that are declared.
pub fn managed_policies(plan: &Plan) -> Vec<Planned> {
    planned::join(plan, &POLICIES).iter().filter_map(|it| managed_policy(plan, it)).collect()
}

fn managed_policy(plan: &Plan, whole: &Whole<'_>) -> Option<Planned> {
    let own = whole.own?;
    let at = if own.kind == MANAGED { "/policy" } else { "/PolicyDocument" };
    let mut draft = Draft::default();
    draft.set("PolicyDocument", inline_document(plan, own, at), Some((own, at)));
    for (name, pointers) in
        [("PolicyName", ["/name", "/ManagedPolicyName"]), ("Path", ["/path", "/Path"])]
    {
        if let Some(it) = pointers.iter().find_map(|it| own.told(it).value()) {
            draft.set(name, Property::Is(it.clone()), None);
        }
    }
    let resource = global(plan, managed_policy::TYPE, arn(plan, own));
    Some(draft.done(whole, resource))
}

/// The ARN of a declared managed policy: as it is known, or as it will be.
fn arn(plan: &Plan, own: &Declared) -> String {
    if let Some(known) = own.properties.get("arn").and_then(Value::as_str) {
        return known.to_owned();
    }
    let told = |pointers: [&str; 2]| pointers.iter().find_map(|it| own.told(it).value()?.as_str());
    let path = told(["/path", "/Path"]).unwrap_or("/");
    let name = told(["/name", "/ManagedPolicyName"]).unwrap_or(&own.address);
    let partition = partition(plan.region.as_deref().unwrap_or_default());
    format!("arn:{partition}:iam::{}:policy{path}{name}", planned::account(plan))
}

fn global(plan: &Plan, kind: &str, id: String) -> ResourceRef {
    let home = home_region(partition(plan.region.as_deref().unwrap_or_default()));
    planned::reference(plan, kind, id, Some(home))
}

/// A document in the form that a read gives it.
fn inline_document(plan: &Plan, declared: &Declared, at: &str) -> Property {
    let form = |it: Value| document::of_event(Some(&it));
    match planned::document::of(plan, declared, at) {
        Property::Is(it) => form(it).map_or(Property::Unknown, Property::Is),
        Property::AtLeast(it) => form(it).map_or(Property::Unknown, Property::AtLeast),
        other => other,
    }
}

/// What a principal holds, and whether that is all of it.
#[derive(Default)]
struct Holdings {
    arns: Vec<String>,
    documents: Map<String, Value>,
    policies: Map<String, Value>,
    arns_partial: bool,
    policies_partial: bool,
}

/// A plan, and the managed policies that it declares, by ARN.
struct Known<'a> {
    plan: &'a Plan,
    policies: BTreeMap<String, &'a Declared>,
}

impl Known<'_> {
    fn of(plan: &Plan) -> Known<'_> {
        let declared = plan.declared.iter().filter(|it| it.intent != Intent::Delete);
        let policies = declared.filter(|it| POLICIES.whole.contains(&it.kind.as_str()));
        Known { plan, policies: policies.map(|it| (arn(plan, it), it)).collect() }
    }
}

/// The users, roles or groups that are declared, whole or in part.
pub fn principals(plan: &Plan, principal: Principal) -> Vec<Planned> {
    let types = match principal {
        Principal::Group => &GROUPS,
        Principal::Role => &ROLES,
        Principal::User => &USERS,
    };
    let known = Known::of(plan);
    let mut wholes = planned::join(plan, types);
    if principal == Principal::Role {
        let alone = plan.declared.iter().filter(|it| names_nobody(it));
        wholes.extend(alone.map(|it| Whole { parts: vec![it], ..Whole::default() }));
    }
    wholes.iter().map(|it| one(&known, principal, types, it)).collect()
}

/// Whether it is an inline policy of nobody.
/// Source: "you must specify at least one of these properties", on the page of `AWS::IAM::Policy`
/// in the CloudFormation template reference.
fn names_nobody(declared: &Declared) -> bool {
    let is_empty = |at: &&str| match declared.told(at) {
        Told::Absent => true,
        Told::Value(Value::Array(list)) => list.is_empty(),
        Told::Value(_) | Told::Unknown => false,
    };
    let stays = !matches!(declared.intent, Intent::Delete | Intent::Read);
    stays && declared.kind == INLINE_POLICY && ["/Groups", "/Roles", "/Users"].iter().all(is_empty)
}

fn one(known: &Known<'_>, principal: Principal, types: &Types, whole: &Whole<'_>) -> Planned {
    let (mut draft, mut holds) = (Draft::default(), Holdings::default());
    let is_all = whole.is_new() || whole.parts.iter().any(|it| names_nobody(it));
    (holds.arns_partial, holds.policies_partial) = (!is_all, !is_all);
    if let Some(own) = whole.own {
        for (list, name, document) in INLINE {
            policies(known.plan, own, list, (name, document), &mut holds, &mut draft);
        }
        for at in ["/managed_policy_arns", "/ManagedPolicyArns"] {
            attach(known, own, at, &mut holds, &mut draft);
        }
        listed(own, whole, &mut holds);
    }
    for part in whole.parts.iter().filter(|it| it.intent != Intent::Delete) {
        match part.kind.as_str() {
            "AWS::IAM::ManagedPolicy" => {
                attach_declared(known.plan, part, part, &mut holds, &mut draft)
            }
            kind if kind.ends_with("_attachment") => {
                attach(known, part, "/policy_arn", &mut holds, &mut draft);
            }
            // It detaches what it does not list, and attaches what it does.
            kind if kind.ends_with("_attachments_exclusive") => {
                attach(known, part, "/policy_arns", &mut holds, &mut draft);
            }
            kind if kind.starts_with("aws_iam") => {
                policy(known.plan, part, "", ("name", "policy"), &mut holds, &mut draft);
            }
            _ => {
                let names = ("PolicyName", "PolicyDocument");
                policy(known.plan, part, "", names, &mut holds, &mut draft);
            }
        }
    }
    set(holds, &mut draft);
    let path = whole
        .own
        .and_then(|own| ["/path", "/Path"].iter().find_map(|it| own.told(it).value()).cloned());
    draft.set("Path", path.map_or(Property::None, Property::Is), None);
    let id = whole.name(types.names);
    draft.done(whole, global(known.plan, principal.type_name(), id))
}

/// Of a role that exists, the provider lists all that it has, whoever gave it; what the plan takes
/// away is not there after deployment.
fn listed(own: &Declared, whole: &Whole<'_>, holds: &mut Holdings) {
    let is_listed =
        |it: &str| matches!(own.told(it), Told::Value(Value::Array(_))) && own.is_whole(it);
    if own.kind != "aws_iam_role" || whole.is_unsure {
        return;
    }
    holds.arns_partial &= !is_listed("/managed_policy_arns");
    holds.policies_partial &= !is_listed("/inline_policy");
    for part in whole.parts.iter().filter(|it| it.intent == Intent::Delete) {
        let was = |it: &str| part.last().get(it).and_then(Value::as_str).unwrap_or_default();
        if part.kind.ends_with("_attachment") {
            holds.arns.retain(|it| it != was("policy_arn"));
        } else {
            holds.policies.remove(was("name"));
        }
    }
}

fn set(mut holds: Holdings, draft: &mut Draft) {
    holds.arns.sort();
    holds.arns.dedup();
    let partly = |is_partial, it| {
        if is_partial { Property::AtLeast(it) } else { Property::Is(it) }
    };
    draft.set("ManagedPolicyArns", partly(holds.arns_partial, json!(holds.arns)), None);
    draft.set("AttachedPolicyDocuments", Property::Is(Value::Object(holds.documents)), None);
    let policies = Value::Object(holds.policies);
    draft.set("Policies", partly(holds.policies_partial, policies), None);
}

/// Takes a list of inline policies.
fn policies(
    plan: &Plan,
    own: &Declared,
    at: &str,
    names: (&str, &str),
    holds: &mut Holdings,
    draft: &mut Draft,
) {
    match own.told(at) {
        Told::Absent => {}
        Told::Value(Value::Array(list)) => {
            for number in 0..list.len() {
                policy(plan, own, &format!("{at}/{number}"), names, holds, draft);
            }
        }
        Told::Unknown | Told::Value(_) => holds.policies_partial = true,
    }
}

/// Takes one inline policy.
fn policy(
    plan: &Plan,
    from: &Declared,
    at: &str,
    (name, document): (&str, &str),
    holds: &mut Holdings,
    draft: &mut Draft,
) {
    let name = from.told(&format!("{at}/{name}")).value().and_then(Value::as_str);
    let name = name.unwrap_or(&from.address).to_owned();
    let at = format!("{at}/{document}");
    draft.from(&name, from, &at);
    match inline_document(plan, from, &at) {
        Property::Is(it) | Property::Default(it) => {
            holds.policies.insert(name, it);
        }
        Property::AtLeast(it) => {
            holds.policies.insert(name, it);
            holds.policies_partial = true;
        }
        Property::Unknown => holds.policies_partial = true,
        Property::None => {}
    }
}

/// Takes the ARNs at a pointer: one, or a list.
fn attach(known: &Known<'_>, from: &Declared, at: &str, holds: &mut Holdings, draft: &mut Draft) {
    match from.told(at) {
        Told::Absent => {}
        Told::Unknown => attach_later(known, from, at, holds, draft),
        Told::Value(Value::Array(list)) => {
            for (number, it) in list.iter().enumerate() {
                let at = format!("{at}/{number}");
                match it.as_str() {
                    Some(arn) => {
                        draft.writes(arn, from, &at);
                        attach_known(known, arn, (from, &at), holds, draft);
                    }
                    None => attach_later(known, from, &at, holds, draft),
                }
            }
        }
        Told::Value(it) => match it.as_str() {
            Some(arn) => {
                // An attachment is all that its declaration says.
                draft.writes(arn, from, "");
                attach_known(known, arn, (from, at), holds, draft);
            }
            None => holds.arns_partial = true,
        },
    }
}

/// A policy that has no ARN yet is known by what the ARN is made of.
fn attach_later(
    known: &Known<'_>,
    from: &Declared,
    at: &str,
    holds: &mut Holdings,
    draft: &mut Draft,
) {
    let referred = from.referred(at).iter().filter_map(|it| planned::find(known.plan, it));
    let policies = referred.filter(|it| POLICIES.whole.contains(&it.kind.as_str()));
    let mut is_found = false;
    for it in policies {
        is_found = true;
        attach_declared(known.plan, it, from, holds, draft);
    }
    holds.arns_partial |= !is_found;
}

fn attach_known(
    known: &Known<'_>,
    arn: &str,
    (from, at): (&Declared, &str),
    holds: &mut Holdings,
    draft: &mut Draft,
) {
    draft.from(arn, from, at);
    holds.arns.push(arn.to_owned());
    if let Some(own) = known.policies.get(arn) {
        document_of(known.plan, own, arn, holds);
    }
}

/// Attaches a policy that is declared, too.
fn attach_declared(
    plan: &Plan,
    own: &Declared,
    from: &Declared,
    holds: &mut Holdings,
    draft: &mut Draft,
) {
    let arn = arn(plan, own);
    draft.from(&arn, from, "");
    document_of(plan, own, &arn, holds);
    holds.arns.push(arn);
}

/// The document of an attached policy; one that is not whole is left out, and thereby unknown.
fn document_of(plan: &Plan, own: &Declared, arn: &str, holds: &mut Holdings) {
    let at = if own.kind == MANAGED { "/policy" } else { "/PolicyDocument" };
    if let Property::Is(it) = inline_document(plan, own, at) {
        holds.documents.insert(arn.to_owned(), it);
    }
}
