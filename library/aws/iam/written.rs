//! IAM as infrastructure code: managed policies, and principals with what they hold.

use super::managed_policy::{self, is_customer_managed};
use super::principal::Principal;
use crate::aws::written::tags;
use quell_core::plan::Language;
use quell_core::region::partition;
use quell_core::resource::{Declarations, State};
use serde_json::{Map, Value, json};

/// A managed policy.
pub fn managed_policy(state: &State, language: Language) -> Declarations {
    let document = state.properties.get("PolicyDocument").cloned();
    let document = document.unwrap_or_else(|| json!({ "Version": "2012-10-17", "Statement": [] }));
    let (kind, mut written) = policy(state, &state.resource.id, &document, language)?;
    match (language, written.as_object_mut()) {
        (Language::Terraform, Some(fields)) => {
            fields.insert("tags".to_owned(), tags(state, language));
        }
        (Language::CloudFormation, _) if !state.tags.is_empty() => {
            return Err("CloudFormation gives a managed policy no tags".to_owned());
        }
        _ => {}
    }
    Ok(vec![(kind, written)])
}

/// A managed policy by its ARN, from which its path and name are.
fn policy(
    state: &State,
    arn: &str,
    document: &Value,
    language: Language,
) -> Result<(&'static str, Value), String> {
    let resource = &state.resource;
    let own = format!("arn:{}:iam::{}:policy", partition(&resource.region), resource.account);
    let rest = arn.strip_prefix(&own).and_then(|it| it.rsplit_once('/'));
    let (path, name) = rest.ok_or_else(|| format!("`{arn}` is another account's"))?;
    let path = format!("{path}/");
    Ok(match language {
        Language::Terraform => {
            let policy = json!({ "name": name, "path": path, "policy": document.to_string() });
            ("aws_iam_policy", policy)
        }
        Language::CloudFormation => {
            let policy =
                json!({ "ManagedPolicyName": name, "Path": path, "PolicyDocument": document });
            (managed_policy::TYPE, policy)
        }
    })
}

/// What a kind of principal and its parts are called in Terraform.
struct Names {
    own: &'static str,
    policy: &'static str,
    attachment: &'static str,
    /// The attribute of a part that names the principal.
    word: &'static str,
}

fn names(principal: Principal) -> Names {
    match principal {
        Principal::Group => Names {
            own: "aws_iam_group",
            policy: "aws_iam_group_policy",
            attachment: "aws_iam_group_policy_attachment",
            word: "group",
        },
        Principal::Role => Names {
            own: "aws_iam_role",
            policy: "aws_iam_role_policy",
            attachment: "aws_iam_role_policy_attachment",
            word: "role",
        },
        Principal::User => Names {
            own: "aws_iam_user",
            policy: "aws_iam_user_policy",
            attachment: "aws_iam_user_policy_attachment",
            word: "user",
        },
    }
}

/// A user, role or group, and the account's own policies that are attached to it.
pub fn principal(state: &State, principal: Principal, language: Language) -> Declarations {
    if principal == Principal::Group && !state.tags.is_empty() {
        return Err("a group has no tags".to_owned());
    }
    let (id, properties) = (&state.resource.id, &state.properties);
    let path = properties.get("Path").cloned().unwrap_or_else(|| json!("/"));
    let entries =
        |name: &str| properties.get(name).and_then(Value::as_object).into_iter().flatten();
    let arns = properties.get("ManagedPolicyArns").and_then(Value::as_array);
    let arns: Vec<&Value> = arns.into_iter().flatten().collect();
    let mut written = Vec::new();
    for (arn, document) in entries("AttachedPolicyDocuments") {
        if is_customer_managed(arn) {
            written.push(policy(state, arn, document, language)?);
        }
    }
    match language {
        Language::Terraform => {
            let Names { own, policy, attachment, word } = names(principal);
            for (name, document) in entries("Policies") {
                let document = document.to_string();
                written.push((policy, json!({ word: id, "name": name, "policy": document })));
            }
            for arn in arns {
                written.push((attachment, json!({ word: id, "policy_arn": arn })));
            }
            let tags = tags(state, language);
            written.push((own, json!({ "name": id, "path": path, "tags": tags })));
        }
        Language::CloudFormation => {
            let mut policies = Vec::new();
            for (name, document) in entries("Policies") {
                policies.push(json!({ "PolicyName": name, "PolicyDocument": document }));
            }
            let kind = principal.type_name();
            let name = format!("{}Name", kind.rsplit("::").next().unwrap_or_default());
            let own = Map::from_iter([
                (name, json!(id)),
                ("Path".to_owned(), path),
                ("Tags".to_owned(), tags(state, language)),
                ("ManagedPolicyArns".to_owned(), json!(arns)),
                ("Policies".to_owned(), json!(policies)),
            ]);
            written.push((kind, Value::Object(own)));
        }
    }
    Ok(written)
}
