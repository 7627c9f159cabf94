//! The CloudFormation templates: hand-written frames with the generated parts put in.
//!
//! The frames lie beside this file. A line that ends with `{{name}}` gets a value there, as JSON,
//! which is YAML too; a line that is only `{{name}}` gets resources.

use super::grants::Document;
use super::rules::Rule;
use super::{Deployment, GENERATED, Grant};
use crate::telemetry::alarms::{self, Names};
use crate::telemetry::dashboard;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The names that a template leaves open, as `Fn::Sub` knows them.
const NAMES: [(&str, &str); 5] = [
    ("{partition}", "${AWS::Partition}"),
    ("{region}", "${AWS::Region}"),
    ("{account}", "${AWS::AccountId}"),
    ("{prefix}", "${Prefix}"),
    ("{checkpoints}", "${Prefix}-checkpoints-${AWS::AccountId}-${AWS::Region}"),
];

/// The names of the hub's parts, for alarms and dashboard.
const PARTS: Names<'static> = Names {
    prefix: "{prefix}",
    queue: "{prefix}-events",
    dead_letter_queue: "{prefix}-dead-letters",
    function: "{prefix}",
    checkpoint_function: "{prefix}-checkpoint",
};

/// The files by their path below `deploy/cloudformation`.
pub fn files(deployment: &Deployment) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("hub.yaml".to_owned(), hub(deployment)),
        ("spoke.yaml".to_owned(), spoke(deployment)),
    ])
}

fn hub(deployment: &Deployment) -> String {
    let policy = |grant| deployment.grants.get(&grant).map_or(Value::Null, |it| joined(it));
    let text = include_str!("cloudformation/hub.yaml");
    let text = with_value(text, "function", &policy(Grant::Function));
    let text = with_value(&text, "checkpoint", &policy(Grant::Checkpoint));
    let body = dashboard::body(&PARTS, "{region}").to_string();
    let text = with_value(&text, "dashboard", &filled(&body));
    headed(&with_resources(&text, "alarms", &alarms()))
}

fn spoke(deployment: &Deployment) -> String {
    let text = include_str!("cloudformation/spoke.yaml");
    let text = with_resources(text, "policies", &policies(deployment));
    headed(&with_resources(&text, "rules", &rules(&deployment.rules)))
}

fn alarms() -> Vec<(String, Value)> {
    let actions = json!([{ "Ref": "Alerts" }]);
    let alarm = |mut properties: Value| {
        let name = properties.get("AlarmName").and_then(Value::as_str).unwrap_or_default();
        let id = format!("Alarm{}", logical(name.trim_start_matches("{prefix}")));
        if let Some(fields) = properties.as_object_mut() {
            // What CloudFormation takes for granted is left out: a template's characters are few.
            fields.retain(|_, value| !value.as_array().is_some_and(Vec::is_empty));
            if fields.get("DatapointsToAlarm") == fields.get("EvaluationPeriods") {
                fields.remove("DatapointsToAlarm");
            }
            fields.insert("AlarmActions".to_owned(), actions.clone());
            fields.insert("OKActions".to_owned(), actions.clone());
        }
        (id, json!({ "Type": "AWS::CloudWatch::Alarm", "Properties": filled_within(&properties) }))
    };
    alarms::properties(&PARTS).into_iter().map(alarm).collect()
}

fn rules(rules: &[Rule]) -> Vec<(String, Value)> {
    let rule = |it: &Rule| {
        let mut resource = json!({
            "Type": "AWS::Events::Rule",
            "Properties": {
                "Name": filled(&format!("{{prefix}}-{}", it.name)),
                "Description": it.description(),
                "EventPattern": filled_within(&it.pattern),
                "Targets": [{
                    "Id": "hub",
                    "Arn": { "Ref": "BusArn" },
                    "RoleArn": filled("arn:{partition}:iam::{account}:role/{prefix}-forward"),
                }],
            },
        });
        if it.global
            && let Some(fields) = resource.as_object_mut()
        {
            fields.insert("Condition".to_owned(), json!("IsGlobalRegion"));
        }
        (format!("Rule{}", logical(&it.name)), resource)
    };
    rules.iter().map(rule).collect()
}

fn policies(deployment: &Deployment) -> Vec<(String, Value)> {
    let grants = [
        (Grant::Read, "ReadRole", "MakesRoles"),
        (Grant::Heartbeat, "WriteRole", "MakesRoles"),
        (Grant::Write, "WriteRole", "Fixes"),
        (Grant::Undo, "UndoRole", "MakesUndoRole"),
    ];
    let mut policies = Vec::new();
    for (grant, resource, condition) in grants {
        for (at, document) in deployment.grants.get(&grant).into_iter().flatten().enumerate() {
            let name = format!("{}-{}", grant.name(), at + 1);
            let policy = json!({
                "Type": "AWS::IAM::ManagedPolicy",
                "Condition": condition,
                "Properties": {
                    "ManagedPolicyName": filled(&format!("{{prefix}}-{name}")),
                    "Description": format!("What the {} role may do", grant.name()),
                    "Roles": [{ "Ref": resource }],
                    "PolicyDocument": joined(std::slice::from_ref(document)),
                },
            });
            policies.push((format!("Policy{}", logical(&name)), policy));
        }
    }
    policies
}

/// One document with the statements of several.
fn joined(documents: &[Document]) -> Value {
    let statements = documents.iter().flat_map(|it| &it.statements);
    let statements: Vec<Value> = statements.map(|it| it.as_json(&filled)).collect();
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// A template with its names: `Fn::Sub` where it has any.
fn filled(template: &str) -> Value {
    let text =
        NAMES.iter().fold(template.to_owned(), |text, (name, value)| text.replace(name, value));
    if text == template { json!(text) } else { json!({ "Fn::Sub": text }) }
}

/// [`filled`] at every text of a value.
fn filled_within(value: &Value) -> Value {
    match value {
        Value::String(text) => filled(text),
        Value::Array(list) => list.iter().map(filled_within).collect(),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, it)| (key.clone(), filled_within(it)));
            Value::Object(fields.collect())
        }
        other => other.clone(),
    }
}

/// A name as a logical id: letters and digits, words capitalized.
fn logical(name: &str) -> String {
    let words = name.split(|it: char| !it.is_ascii_alphanumeric());
    words
        .flat_map(|word| {
            let mut letters = word.chars();
            let first = letters.next().map(|it| it.to_ascii_uppercase());
            first.into_iter().chain(letters)
        })
        .collect()
}

fn headed(text: &str) -> String {
    format!("# {GENERATED}\n{text}")
}

/// Puts a value after each line that ends with the marker, indented more than that line.
fn with_value(text: &str, name: &str, value: &Value) -> String {
    let marker = format!(" {{{{{name}}}}}");
    let mut with = String::new();
    for line in text.lines() {
        match line.strip_suffix(&marker) {
            None => with.push_str(line),
            Some(start) => {
                let indent = line.chars().take_while(|it| *it == ' ').count();
                let _ = write!(with, "{start}{}", block(value, indent));
            }
        }
        with.push('\n');
    }
    with
}

/// Puts resources in place of the line that is the marker.
fn with_resources(text: &str, name: &str, resources: &[(String, Value)]) -> String {
    let lines = resources.iter().map(|(id, it)| format!("  {id}:{}\n", block(it, 2)));
    text.replace(&format!("{{{{{name}}}}}\n"), &lines.collect::<String>())
}

/// A value as YAML after a key that is indented by so much. Texts are written as JSON has them,
/// which YAML reads alike.
fn block(value: &Value, indent: usize) -> String {
    if let Some(leaf) = leaf(value) {
        return format!(" {leaf}");
    }
    let pad = " ".repeat(indent + 2);
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            let fields = fields.iter();
            fields
                .map(|(key, it)| format!("\n{pad}{}:{}", key_text(key), block(it, indent + 2)))
                .collect()
        }
        Value::Array(list) => {
            if let Some(leaves) = list.iter().map(leaf).collect::<Option<Vec<String>>>() {
                return format!(" [{}]", leaves.join(", "));
            }
            let items = list.iter().map(|it| {
                let item = block(it, indent + 2);
                format!("\n{pad}- {}", item.trim_start())
            });
            items.collect()
        }
        it => format!(" {}", scalar(it)),
    }
}

/// What stands on its key's line: a scalar, or a reference in its short form. A template may have
/// no more than 51,200 characters where it is given as it is.
fn leaf(value: &Value) -> Option<String> {
    match value {
        Value::Array(_) => None,
        Value::Object(fields) => {
            let (function, argument) = fields.iter().next().filter(|_| fields.len() == 1)?;
            let argument = argument.as_str()?;
            match function.as_str() {
                "Ref" => Some(format!("!Ref {argument}")),
                "Fn::Sub" => Some(format!("!Sub {}", json!(argument))),
                _ => None,
            }
        }
        it => Some(scalar(it)),
    }
}

/// A scalar; texts that YAML could take for something else are in quotes.
fn scalar(value: &Value) -> String {
    let is_name = |text: &&str| {
        let word = text.split_once(':').map_or(*text, |(_, action)| action);
        text.starts_with(|it: char| it.is_ascii_alphabetic())
            && text.chars().all(|it| it.is_ascii_alphanumeric() || it == ':')
            && 3 < word.len()
            && !["true", "false", "null"].contains(text)
    };
    value.as_str().filter(is_name).map_or_else(|| value.to_string(), str::to_owned)
}

/// A key, in quotes where it has more than letters and colons inside.
fn key_text(key: &str) -> String {
    let plain = |it: char| it.is_ascii_alphanumeric() || it == '-' || it == ':';
    if key.chars().all(plain) && !key.ends_with(':') {
        key.to_owned()
    } else {
        json!(key).to_string()
    }
}
