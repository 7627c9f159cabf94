//! Buckets and account blocks in infrastructure code: a bucket's parts are declarations of their
//! own in Terraform, and mostly properties in CloudFormation.
//!
//! A part that is destroyed is gone, but for an ACL: Terraform leaves that as it is ("This resource
//! cannot be deleted" of `aws_s3_bucket_acl` in the AWS provider's documentation).

use super::account;
use super::block::{self, PROPERTY as BLOCK};
use super::bucket::TYPE;
use super::{event, read};
use crate::aws::defaults;
use crate::aws::planned::{self, Draft, Link, Property, Types, Whole, members};
use quell_core::plan::{Declared, Intent, Language, Plan, Told};
use quell_core::region::{home_region, partition};
use quell_core::resource::Planned;
use serde_json::{Map, Value, json};

const TERRAFORM: &str = "aws_s3_bucket";
const ACCOUNT_BLOCKS: &str = "aws_s3_account_public_access_block";
const ACCOUNT_BLOCK: &str = "AccountPublicAccessBlockConfiguration";

static BUCKETS: Types = Types {
    whole: &[TERRAFORM, TYPE],
    names: &["/bucket", "/id", "/BucketName"],
    parts: &[
        Link::one("aws_s3_bucket_acl", "/bucket"),
        Link::one("aws_s3_bucket_ownership_controls", "/bucket"),
        Link::one("aws_s3_bucket_policy", "/bucket"),
        Link::one("aws_s3_bucket_public_access_block", "/bucket"),
        Link::one("AWS::S3::BucketPolicy", "/Bucket"),
    ],
};

/// What declares a bucket's parts, each of which a bucket has at most one of.
const ACLS: &[&str] = &["aws_s3_bucket_acl"];
const BLOCKS: &[&str] = &["aws_s3_bucket_public_access_block"];
const OWNERSHIPS: &[&str] = &["aws_s3_bucket_ownership_controls"];
const POLICIES: &[&str] = &["aws_s3_bucket_policy", "AWS::S3::BucketPolicy"];

/// What a block is written as in Terraform.
pub(super) const TERRAFORM_FLAGS: [(&str, &str, bool); 4] = [
    ("BlockPublicAcls", "block_public_acls", false),
    ("IgnorePublicAcls", "ignore_public_acls", false),
    ("BlockPublicPolicy", "block_public_policy", false),
    ("RestrictPublicBuckets", "restrict_public_buckets", false),
];

/// What a block is written as in CloudFormation.
const CLOUDFORMATION_FLAGS: [(&str, &str, bool); 4] = [
    ("BlockPublicAcls", "BlockPublicAcls", false),
    ("IgnorePublicAcls", "IgnorePublicAcls", false),
    ("BlockPublicPolicy", "BlockPublicPolicy", false),
    ("RestrictPublicBuckets", "RestrictPublicBuckets", false),
];

/// CloudFormation's spellings of the canned ACLs. Of those that grant nothing to others (the
/// services' own are not told apart), the first is what a patch writes.
/// Source: `AccessControl` of `AWS::S3::Bucket` in the CloudFormation template reference.
pub(super) const CANNED: [(&str, &str); 8] = [
    ("Private", "private"),
    ("AuthenticatedRead", "authenticated-read"),
    ("AwsExecRead", "aws-exec-read"),
    ("BucketOwnerFullControl", "bucket-owner-full-control"),
    ("BucketOwnerRead", "bucket-owner-read"),
    ("LogDeliveryWrite", "log-delivery-write"),
    ("PublicRead", "public-read"),
    ("PublicReadWrite", "public-read-write"),
];

/// A property, and the declaration with the pointer that it comes from.
type Found<'a> = (Property, Option<(&'a Declared, &'static str)>);

/// The buckets that are declared, whole or in part.
pub fn buckets(plan: &Plan) -> Vec<Planned> {
    let account = account_block(plan);
    let bucket = |whole: &Whole<'_>| {
        let mut draft = Draft::default();
        match public_access_block(whole) {
            (property, Some((it, at))) => {
                let table = if at.is_empty() { &TERRAFORM_FLAGS } else { &CLOUDFORMATION_FLAGS };
                draft.set_members(BLOCK, property, (it, at), table);
            }
            (property, None) => draft.set(BLOCK, property, None),
        }
        let ((rule, rule_from), (grants, grants_from)) = (ownership(whole), acl(whole));
        draft.set("OwnershipControls", rule, rule_from);
        draft.set("AccessControlList", grants, grants_from);
        if let Some((it, "/acl" | "/AccessControl")) = grants_from {
            draft.words("AccessControlList", canned_words(it));
        }
        policy(plan, whole, &mut draft);
        let (property, from) = account.clone();
        draft.set(ACCOUNT_BLOCK, property, from);
        let region = whole.own.and_then(|it| it.properties.get("region")?.as_str());
        let id = whole.name(BUCKETS.names);
        draft.done(whole, planned::reference(plan, TYPE, id, region))
    };
    planned::join(plan, &BUCKETS).iter().map(bucket).collect()
}

/// The account's block, where it is declared.
pub fn accounts(plan: &Plan) -> Vec<Planned> {
    let one = |declared: &Declared| {
        let whole = Whole { parts: vec![declared], ..Whole::default() };
        let mut draft = Draft::default();
        draft.set_members(BLOCK, flags_of(declared), (declared, ""), &TERRAFORM_FLAGS);
        let written = declared.last().get("account_id").and_then(Value::as_str);
        let id = written.unwrap_or(planned::account(plan)).to_owned();
        let home = home_region(partition(plan.region.as_deref().unwrap_or_default()));
        draft.done(&whole, planned::reference(plan, account::TYPE, id, Some(home)))
    };
    plan.declared.iter().filter(is_account_block).map(one).collect()
}

/// The block of the account that the buckets are in. Where there are blocks of several accounts,
/// nobody can say which one that is, unless they agree.
fn account_block(plan: &Plan) -> Found<'_> {
    let is_other = |it: &Declared| {
        let written = it.last().get("account_id").and_then(Value::as_str);
        matches!((written, &plan.account), (Some(written), Some(own)) if written != own)
    };
    let declared = plan.declared.iter().filter(is_account_block);
    let declared: Vec<&Declared> = declared.filter(|it| !is_other(it)).collect();
    let Some((last, others)) = declared.split_last() else {
        let block = defaults::ACCOUNT_PUBLIC_ACCESS_BLOCK;
        let flag = |it: &str| json!(block).get(it).and_then(Value::as_bool);
        return (Property::Default(block::property(flag)), None);
    };
    let property = flags_of(last);
    let agree = others.iter().all(|it| flags_of(it) == property);
    (if agree { property } else { Property::Unknown }, Some((*last, "")))
}

/// Whether it declares an account's block; what only reads one declares nothing.
fn is_account_block(declared: &&Declared) -> bool {
    declared.kind == ACCOUNT_BLOCKS && declared.intent != Intent::Read
}

/// The switches of a block that is a declaration of its own; none where that is destroyed, unless
/// Terraform only forgets it.
fn flags_of(declared: &Declared) -> Property {
    let stays = declared.last().get("skip_destroy") == Some(&json!(true));
    match (declared.intent, &declared.before) {
        (Intent::Delete, Some(before)) if stays => {
            let kept = Declared { properties: before.clone(), ..declared.clone() };
            members(&kept, "", &TERRAFORM_FLAGS)
        }
        (Intent::Delete, _) => Property::None,
        _ => members(declared, "", &TERRAFORM_FLAGS),
    }
}

fn public_access_block<'a>(whole: &Whole<'a>) -> Found<'a> {
    let rivals = whole.rivals(BLOCKS);
    if let Some(it) = rivals.iter().copied().min_by_key(|it| switches_on(it)) {
        return (weakest(&rivals), Some((it, "")));
    }
    if let Some(it) = whole.part(BLOCKS) {
        return (flags_of(it), Some((it, "")));
    }
    let at = "/PublicAccessBlockConfiguration";
    if let Some(own) = whole.own.filter(|it| it.told(at) != Told::Absent) {
        return (members(own, at, &CLOUDFORMATION_FLAGS), Some((own, at)));
    }
    (fallback(whole, defaults::bucket_public_access_block), None)
}

/// A switch is on for certain where each of several blocks has it on.
fn weakest(blocks: &[&Declared]) -> Property {
    let mut weakest = Map::new();
    for block in blocks {
        let Property::Is(Value::Object(flags)) = flags_of(block) else { return Property::Unknown };
        for (name, flag) in flags {
            let is_on = flag == json!(true) && weakest.get(&name) != Some(&json!(false));
            weakest.insert(name, json!(is_on));
        }
    }
    Property::Is(Value::Object(weakest))
}

fn switches_on(block: &Declared) -> usize {
    match flags_of(block) {
        Property::Is(Value::Object(flags)) => {
            flags.values().filter(|it| **it == json!(true)).count()
        }
        _ => 0,
    }
}

fn ownership<'a>(whole: &Whole<'a>) -> Found<'a> {
    let rule = |it: Told<'_>| match it {
        Told::Value(it) => Property::Is(json!({ "Rules": [{ "ObjectOwnership": it }] })),
        Told::Absent | Told::Unknown => Property::Unknown,
    };
    let at = "/rule/0/object_ownership";
    let rivals = whole.rivals(OWNERSHIPS);
    if let Some(last) = rivals.last() {
        // One that leaves ACLs in force may be the one.
        let leaves = |it: &Value| *it != json!("BucketOwnerEnforced");
        let leaving = rivals.iter().find(|it| it.told(at).value().is_some_and(leaves));
        let is_told = rivals.iter().all(|it| it.told(at).value().is_some());
        return match leaving {
            Some(it) => (rule(it.told(at)), Some((*it, at))),
            None if is_told => (rule(last.told(at)), Some((*last, at))),
            None => (Property::Unknown, Some((*last, at))),
        };
    }
    if let Some(it) = whole.part(OWNERSHIPS) {
        let is_gone = it.intent == Intent::Delete;
        let property = if is_gone { Property::None } else { rule(it.told(at)) };
        return (property, Some((it, at)));
    }
    let at = "/OwnershipControls/Rules/0/ObjectOwnership";
    if let Some(own) = whole.own.filter(|it| it.told("/OwnershipControls") != Told::Absent) {
        return (rule(own.told(at)), Some((own, at)));
    }
    (fallback(whole, defaults::bucket_ownership_controls), None)
}

/// What a new one has; of one that exists it is unknown.
fn fallback(whole: &Whole<'_>, default: fn() -> Value) -> Property {
    if whole.is_new() { Property::Default(default()) } else { Property::Unknown }
}

fn acl<'a>(whole: &Whole<'a>) -> Found<'a> {
    let rivals = whole.rivals(ACLS);
    if let Some(last) = rivals.last() {
        return (any_grant(&rivals), Some((*last, "")));
    }
    if let Some(it) = whole.part(ACLS) {
        return separate_acl(it);
    }
    for at in ["/acl", "/AccessControl"] {
        match whole.own.map(|own| (own, own.told(at))) {
            Some((own, Told::Value(it))) => return (canned(it), Some((own, at))),
            Some((own, Told::Unknown)) => return (Property::Unknown, Some((own, at))),
            _ => {}
        }
    }
    match whole.own.map(|own| (own, own.told("/grant"))) {
        Some((own, Told::Value(Value::Array(grants)))) if !grants.is_empty() => {
            let is_all = own.is_whole("/grant");
            let grants = grants_of(grants.iter().flat_map(inline_grants), is_all);
            return (grants, Some((own, "/grant")));
        }
        Some((own, Told::Unknown)) => return (Property::Unknown, Some((own, "/grant"))),
        _ => {}
    }
    (fallback(whole, || event::canned(defaults::BUCKET_ACL).unwrap_or_default()), None)
}

/// An ACL that is a declaration of its own. What is destroyed stays in force.
fn separate_acl(acl: &Declared) -> Found<'_> {
    if let Some(name) = acl.last().get("acl").filter(|it| it.is_string()) {
        return (canned(name), Some((acl, "/acl")));
    }
    let at = "/access_control_policy/0/grant";
    let written = acl.last().pointer(at).and_then(Value::as_array);
    let is_all = acl.intent == Intent::Delete || tells_grants(acl);
    let grants = |it: &Vec<Value>| grants_of(it.iter().flat_map(policy_grant), is_all);
    (written.map_or(Property::Unknown, grants), Some((acl, at)))
}

/// What any of several ACLs grants may be granted.
fn any_grant(acls: &[&Declared]) -> Property {
    let mut grants = Vec::new();
    for acl in acls {
        if let (Property::Is(it) | Property::AtLeast(it), _) = separate_acl(acl)
            && let Some(Value::Array(list)) = it.get("Grants")
        {
            grants.extend(list.iter().cloned());
        }
    }
    grants_of(grants.into_iter(), false)
}

/// What a canned ACL grants.
fn canned(name: &Value) -> Property {
    let name = name.as_str().unwrap_or_default();
    let spelled = CANNED.iter().find(|(it, _)| *it == name).map_or(name, |(_, it)| it);
    event::canned(spelled).map_or(Property::Unknown, Property::Is)
}

/// Whether a written ACL is known but for the names that its owner and grantees are shown by, which
/// only AWS can say.
fn tells_grants(declared: &Declared) -> bool {
    let mut told = declared.clone();
    told.unknown.retain(|it| !it.ends_with("/display_name"));
    told.is_whole("/access_control_policy")
}

/// What a declaration calls the canned ACLs, each with its grants.
fn canned_words(declared: &Declared) -> Vec<(String, Value)> {
    let is_template = declared.language == Language::CloudFormation;
    let word = |(template, name): &(&str, &str)| {
        let word = if is_template { *template } else { *name };
        Some((word.to_owned(), event::canned(name)?))
    };
    CANNED.iter().filter_map(word).collect()
}

/// An ACL of these grants; where they are not all that is written, of these at least.
fn grants_of(grants: impl Iterator<Item = Value>, is_all: bool) -> Property {
    let acl = json!({ "Grants": read::distinct(grants.collect()) });
    if is_all { Property::Is(acl) } else { Property::AtLeast(acl) }
}

/// A block `grant` of an `access_control_policy`.
fn policy_grant(grant: &Value) -> Option<Value> {
    let grantee = grant.pointer("/grantee/0")?;
    let permission = grant.get("permission").filter(|it| it.is_string())?;
    Some(json!({ "Grantee": grantee_of(grantee), "Permission": permission }))
}

/// A block `grant` of a bucket: one grantee, several permissions.
fn inline_grants(grant: &Value) -> Vec<Value> {
    let permissions = grant.get("permissions").and_then(Value::as_array);
    let one = |it: &Value| json!({ "Grantee": grantee_of(grant), "Permission": it });
    permissions.into_iter().flatten().filter(|it| it.is_string()).map(one).collect()
}

fn grantee_of(written: &Value) -> Value {
    let names = [("Type", "type"), ("ID", "id"), ("URI", "uri"), ("EmailAddress", "email_address")];
    let text = |it: &str| written.get(it).and_then(Value::as_str).filter(|it| !it.is_empty());
    let fields = names.iter().filter_map(|(name, it)| Some(((*name).to_owned(), json!(text(it)?))));
    Value::Object(fields.collect::<Map<_, _>>())
}

fn policy(plan: &Plan, whole: &Whole<'_>, draft: &mut Draft) {
    let (part, rivals) = (whole.part(POLICIES), whole.rivals(POLICIES));
    let (from, property) = match (part, whole.own) {
        (Some(it), _) if it.intent == Intent::Delete => (Some((it, "")), Property::None),
        (Some(it), _) if rivals.is_empty() => (Some((it, document_at(it))), document(plan, it)),
        (Some(it), _) => (Some((it, document_at(it))), any_statement(plan, &rivals)),
        (None, Some(own))
            if own.properties.get("policy").is_some_and(|it| it.is_string())
                || own.told("/policy") == Told::Unknown =>
        {
            (Some((own, "/policy")), planned::document::of_resource(plan, own, "/policy"))
        }
        (None, Some(_)) if whole.is_new() => (None, Property::None),
        _ => (None, Property::Unknown),
    };
    // In the form that a read gives it: a list of statements without repetitions.
    let form = |it: Value| read::document(&it.to_string());
    let property = match property {
        Property::Is(it) => form(it).map_or(Property::Unknown, Property::Is),
        Property::AtLeast(it) => form(it).map_or(Property::Unknown, Property::AtLeast),
        other => other,
    };
    draft.set("BucketPolicy", property, from);
    for it in rivals {
        draft.from("BucketPolicy", it, document_at(it));
    }
}

fn document(plan: &Plan, policy: &Declared) -> Property {
    planned::document::of_resource(plan, policy, document_at(policy))
}

fn document_at(policy: &Declared) -> &'static str {
    if policy.kind == "aws_s3_bucket_policy" { "/policy" } else { "/PolicyDocument" }
}

/// What any of several policies allows may be allowed. What one denies counts only beside what it
/// allows itself, so that it is left out.
fn any_statement(plan: &Plan, policies: &[&Declared]) -> Property {
    let mut statements = Vec::new();
    for policy in policies {
        if let Property::Is(it) | Property::AtLeast(it) = document(plan, policy) {
            match it.get("Statement") {
                Some(Value::Array(list)) => statements.extend(list.iter().cloned()),
                other => statements.extend(other.cloned()),
            }
        }
    }
    statements.retain(|it| it.get("Effect").and_then(Value::as_str) != Some("Deny"));
    if statements.is_empty() {
        return Property::Unknown;
    }
    Property::AtLeast(json!({ "Version": "2012-10-17", "Statement": statements }))
}
