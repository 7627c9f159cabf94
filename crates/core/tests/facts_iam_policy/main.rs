//! What IAM policies mean: cases of our own, by the pages of AWS's documentation, and the laws that
//! remediations rely on.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod administrators;
mod denies;
mod grants;
mod laws;
mod refused;

use quell_core::facts::iam_policy::{Allow, Analysis, analyze};
use serde_json::{Value, json};

/// The owner is account 111111111111, of organization o-ours.
fn inside() -> Allow {
    let set = |it: &str| [it.to_owned()].into();
    Allow {
        accounts: set("111111111111"),
        org_ids: set("o-ours"),
        org_paths: set("o-partner/r-root/ou-shared"),
        vpcs: set("vpc-ours"),
        vpc_endpoints: set("vpce-ours"),
        principals: ["arn:aws:iam::222222222222:role/friend-*", "AROAFRIEND"]
            .map(str::to_owned)
            .into(),
    }
}

fn document(statements: Value) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

fn brief(analysis: &Analysis) -> &'static str {
    match (analysis.public, analysis.cross_account, analysis.admin) {
        (Some(true), ..) => "public",
        (_, Some(true), _) => "cross-account",
        (.., Some(true)) => "admin",
        (Some(false), Some(false), Some(false)) => "harmless",
        _ => "unknown",
    }
}

/// What an Allow of `s3:GetObject` comes to with this principal and these conditions.
fn grant(principal: Value, condition: Value) -> &'static str {
    let statement = json!({"Effect": "Allow", "Principal": principal, "Action": "s3:GetObject",
        "Resource": "*", "Condition": condition});
    brief(&analyze(&document(json!([statement])), None, &inside()))
}

/// What it comes to for everybody with these conditions.
fn anyone(condition: Value) -> &'static str {
    grant(json!("*"), condition)
}

/// What an identity policy of one Allow comes to.
fn identity(statement: Value) -> &'static str {
    let mut statement = statement;
    statement["Effect"] = json!("Allow");
    brief(&analyze(&document(statement), None, &inside()))
}
