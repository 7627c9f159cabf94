//! A policy's case as Terraform's source that the real provider takes.
//!
//! `Kind::written` says what there is in a state. A provider demands more: names, whole rules, a
//! role's trust, and what must be there before what. That is added here, as people write it, and
//! nothing that a policy judges.

use quell_core::plan::Language;
use quell_core::resource::State;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use testkit::REGION;

/// ministack's account.
pub const ACCOUNT: &str = "000000000000";

/// The switches of an account's public access block, of which there is one in a deployment.
pub type Block = BTreeMap<String, bool>;

const ACCOUNT_BLOCK: &str = "aws_s3_account_public_access_block";
const ACL: &str = "aws_s3_bucket_acl";
const BUCKET: &str = "aws_s3_bucket";
const BUCKET_BLOCK: &str = "aws_s3_bucket_public_access_block";
const CONTROLS: &str = "aws_s3_bucket_ownership_controls";
const SWITCHES: [&str; 4] =
    ["block_public_acls", "ignore_public_acls", "block_public_policy", "restrict_public_buckets"];

/// The arguments by which a part says what it is a part of.
const REFERRING: [&str; 5] = ["bucket", "group", "policy_arn", "role", "user"];

/// One resource of Terraform.
#[derive(Debug)]
pub struct Declaration {
    kind: &'static str,
    name: String,
    arguments: Value,
}

impl Declaration {
    /// What Terraform calls it.
    pub fn address(&self) -> String {
        format!("{}.{}", self.kind, self.name)
    }
}

/// A case's state in the emulator's account and region, under names that begin with a label.
pub fn at_home(text: &str, label: &str) -> State {
    let foreign: State = serde_json::from_str(text).unwrap();
    let mut text = text.replace(&foreign.resource.account, ACCOUNT);
    let state: State = serde_json::from_str(&text).unwrap();
    let id = state.resource.id;
    match state.resource.kind.as_str() {
        // Its policy names it in ARNs.
        "AWS::S3::Bucket" => text = text.replace(&id, &format!("{label}-{id}")),
        "AWS::S3::AccountPublicAccessBlock" => {}
        _ => {
            let attached = state.properties.get("AttachedPolicyDocuments");
            let attached = attached.and_then(Value::as_object).into_iter().flatten();
            for it in attached.map(|(arn, _)| arn.as_str()).chain([id.as_str()]) {
                let (path, name) = it.split_at(it.rfind('/').map_or(0, |at| at + 1));
                let own = format!("{label}-{name}");
                text = text.replace(&format!("\"{it}\""), &format!("\"{path}{own}\""));
                text = text.replace(&format!("\"{name}\""), &format!("\"{own}\""));
            }
        }
    }
    let mut state: State = serde_json::from_str(&text).unwrap();
    state.resource.region = REGION.to_owned();
    state
}

/// What makes a state, and the account's block that it is seen under; or why nothing can.
pub fn declared(state: &State, label: &str) -> Result<(Vec<Declaration>, Block), String> {
    if let Some(it) = state.unknown.first() {
        return Err(format!("`{it}` is unknown there"));
    }
    let kind = quell_library::resource(&state.resource.kind).unwrap();
    let written = kind.written(state, Language::Terraform)?;
    let mut block: Block = SWITCHES.map(|it| (it.to_owned(), false)).into();
    let mut all = Vec::new();
    for (at, (kind, arguments)) in written.into_iter().enumerate() {
        if kind == ACCOUNT_BLOCK {
            let switch = |(name, on): (&String, &mut bool)| *on = arguments[name] == json!(true);
            block.iter_mut().for_each(switch);
            continue;
        }
        let arguments = literal(&arguments);
        all.push(Declaration { kind, name: format!("{label}_{at}"), arguments });
    }
    // Where ACLs are disabled, S3 takes none.
    let is_disabled = |it: &Declaration| {
        it.arguments.pointer("/rule/0/object_ownership") == Some(&json!("BucketOwnerEnforced"))
    };
    if all.iter().any(is_disabled) {
        all.retain(|it| it.kind != ACL);
    }
    refer(&mut all);
    order(&mut all);
    all.iter_mut().for_each(|it| complete(it, label));
    Ok((all, block))
}

/// The source of a deployment, in Terraform's JSON form.
pub fn source<'a>(block: &Block, all: impl Iterator<Item = &'a Declaration>) -> Value {
    let block = json!(block);
    let mut resources: BTreeMap<&str, BTreeMap<&str, &Value>> = BTreeMap::new();
    resources.entry(ACCOUNT_BLOCK).or_default().insert("account", &block);
    for it in all {
        resources.entry(it.kind).or_default().insert(&it.name, &it.arguments);
    }
    json!({
        "terraform": { "required_providers": { "aws": { "source": "hashicorp/aws" } } },
        "provider": { "aws": { "region": REGION, "s3_use_path_style": true } },
        "resource": resources,
    })
}

/// In source a text is a template: what looks like one is no more than it looks like.
fn literal(value: &Value) -> Value {
    match value {
        Value::String(text) => json!(text.replace("${", "$${").replace("%{", "%%{")),
        Value::Array(list) => list.iter().map(literal).collect(),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, it)| (name.clone(), literal(it)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

/// Parts refer to what they are parts of, whose names are then unknown before it is there.
fn refer(all: &mut [Declaration]) {
    let reference = |it: &Declaration| {
        let text = |name: &str| it.arguments[name].as_str().unwrap_or_default();
        let (called, attribute) = match it.kind {
            BUCKET => (text("bucket").to_owned(), "id"),
            "aws_iam_group" | "aws_iam_role" | "aws_iam_user" => (text("name").to_owned(), "name"),
            "aws_iam_policy" => {
                let (path, name) = (text("path"), text("name"));
                (format!("arn:aws:iam::{ACCOUNT}:policy{path}{name}"), "arn")
            }
            _ => return None,
        };
        Some((called, format!("${{{}.{attribute}}}", it.address())))
    };
    let references: BTreeMap<String, String> = all.iter().filter_map(reference).collect();
    for it in all.iter_mut().filter(|it| it.kind != BUCKET) {
        for name in REFERRING {
            let found = it.arguments[name].as_str().and_then(|it| references.get(it));
            if let Some(reference) = found {
                it.arguments[name] = json!(reference);
            }
        }
    }
}

/// S3 takes an ACL only where they are enabled, and what is public only before it is blocked.
fn order(all: &mut [Declaration]) {
    let parts = all.iter().filter(|it| it.kind != BUCKET && it.kind.starts_with(BUCKET));
    let addresses: BTreeMap<&'static str, String> =
        parts.map(|it| (it.kind, it.address())).collect();
    for it in all {
        let needs = |kind: &str| match it.kind {
            ACL => kind == CONTROLS,
            BUCKET_BLOCK => kind != BUCKET_BLOCK,
            _ => false,
        };
        let needed = addresses.iter().filter(|(kind, _)| needs(kind)).map(|(_, it)| it);
        let needed: Vec<&String> = needed.collect();
        if !needed.is_empty() {
            it.arguments["depends_on"] = json!(needed);
        }
    }
}

/// What the provider demands besides, or does not know.
fn complete(declaration: &mut Declaration, label: &str) {
    let arguments = declaration.arguments.as_object_mut().unwrap();
    match declaration.kind {
        "aws_iam_group" => {
            arguments.remove("tags");
        }
        "aws_iam_role" => {
            arguments.insert("assume_role_policy".to_owned(), json!(trust()));
        }
        "aws_security_group" => {
            arguments.remove("id");
            arguments.insert("name".to_owned(), json!(label));
            let rules = arguments["ingress"].as_array().unwrap();
            let rules: Value = rules.iter().map(whole_rule).collect();
            arguments.insert("ingress".to_owned(), rules);
        }
        _ => {}
    }
}

/// Who may take a role: no policy looks at it.
fn trust() -> String {
    let service = json!({ "Service": "ec2.amazonaws.com" });
    let may = json!({ "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": service });
    json!({ "Version": "2012-10-17", "Statement": [may] }).to_string()
}

/// A rule with every member. All protocols have all ports, for which the provider wants zeros.
fn whole_rule(rule: &Value) -> Value {
    let mut whole = json!({ "description": "", "cidr_blocks": [], "ipv6_cidr_blocks": [],
        "prefix_list_ids": [], "security_groups": [], "self": false });
    for (name, it) in rule.as_object().unwrap() {
        whole[name] = it.clone();
    }
    let has_ports = rule["protocol"] != "-1";
    for name in ["from_port", "to_port"] {
        let port = rule[name].as_i64().filter(|_| has_ports);
        whole[name] = json!(port.unwrap_or_default());
    }
    whole
}
