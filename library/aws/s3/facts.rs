//! What a bucket's properties mean: which statements and grants are public, and which of them the
//! public access blocks and the ownership controls neutralize.
//!
//! ```text
//! block             {BlockPublicAcls: yes|no|unknown, …}      account and bucket together
//! undecided         [property]                                what those unknowns hang on
//! statements        [{id, sid, public, cross_account, latent, reason, …, statement}]; `latent` is
//!                   what a Deny of the same policy takes away, or null
//! policy_neutral    yes|no|unknown
//! policy_error      why the policy could not be analyzed, if so
//! grants            [{id, permission, group, public}]
//! acl_neutral       yes|no|unknown
//! ```

use super::block;
use quell_core::change::element_id;
use quell_core::facts::iam_policy::{self, Allow};
use quell_core::facts::s3::{EffectiveBlock, Grant, ObjectOwnership, Permission};
use quell_core::resource::{State, Trust};
use serde_json::{Value, json};

/// The facts of a bucket.
pub fn of(state: &State, trust: &Trust) -> Value {
    let effective = EffectiveBlock::of(
        block::known(state, "AccountPublicAccessBlockConfiguration"),
        block::known(state, block::PROPERTY),
    );
    let ownership = ownership(state);
    let hang_on = [block::PROPERTY, "AccountPublicAccessBlockConfiguration", "OwnershipControls"];
    let (statements, policy_error) = statements(state, trust);
    json!({
        "block": effective,
        "undecided": hang_on.iter().filter(|it| state.unknown.contains(**it)).collect::<Vec<_>>(),
        "statements": statements,
        "policy_neutral": effective.neutralizes_policy(),
        "policy_error": policy_error,
        "grants": grants(&state.properties),
        "acl_neutral": effective.neutralizes_acl(ownership),
    })
}

/// `None` where it is unknown.
fn ownership(state: &State) -> Option<ObjectOwnership> {
    if state.unknown.contains("OwnershipControls") {
        return None;
    }
    match state.properties.pointer("/OwnershipControls/Rules/0/ObjectOwnership") {
        None => Some(ObjectOwnership::ObjectWriter),
        // A kind of ownership that we do not know is unknown, too.
        Some(it) => serde_json::from_value(it.clone()).ok(),
    }
}

fn statements(state: &State, trust: &Trust) -> (Vec<Value>, Option<String>) {
    let Some(document) = state.properties.get("BucketPolicy") else { return (Vec::new(), None) };
    let allow = allow(&state.resource.account, trust);
    let analysis = iam_policy::analyze(document, Some(iam_policy::Kind::Resource), &allow);
    if analysis.public.is_none() {
        return (Vec::new(), Some(analysis.error.unwrap_or_default()));
    }
    let list = document.get("Statement").and_then(Value::as_array);
    let text = |index: usize| list.and_then(|it| it.get(index));
    let facts = analysis.statements.iter().map(|it| {
        let mut fact = json!(it);
        if let Some(fields) = fact.as_object_mut() {
            fields.insert("statement".to_owned(), json!(text(it.index)));
        }
        fact
    });
    (facts.collect(), None)
}

/// Whom the bucket's owner trusts: itself, and whom the configuration names.
fn allow(account: &str, trust: &Trust) -> Allow {
    let mut accounts = trust.accounts.clone();
    accounts.insert(account.to_owned());
    Allow {
        accounts,
        org_ids: trust.org_ids.clone(),
        org_paths: trust.org_paths.clone(),
        vpcs: trust.vpcs.clone(),
        vpc_endpoints: trust.vpc_endpoints.clone(),
        principals: trust.principals.clone(),
    }
}

fn grants(properties: &Value) -> Vec<Value> {
    let list = properties.pointer("/AccessControlList/Grants").and_then(Value::as_array);
    list.into_iter().flatten().map(grant).collect()
}

fn grant(grant: &Value) -> Value {
    let group = grant.pointer("/Grantee/URI").and_then(Value::as_str);
    json!({
        "id": element_id(grant),
        "permission": grant.get("Permission"),
        "group": group,
        "public": is_public(grant),
    })
}

/// Whether a grant in the API's form is to everybody.
pub fn is_public(grant: &Value) -> bool {
    let group = grant.pointer("/Grantee/URI").and_then(Value::as_str);
    // Any permission will do: who has it decides.
    group.is_some_and(|it| Grant::to_group(it, Permission::Read).is_public())
}
