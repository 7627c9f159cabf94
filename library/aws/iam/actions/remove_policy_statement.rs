//! Takes one statement out of a managed policy: a new default version is made without it.
//!
//! Never by going back to an older version, which may grant more. Three things differ from an
//! ordinary removal:
//!
//! - IAM keeps five versions. At five, the oldest one that is not in force has to go for good, so a
//!   person must approve that ([`Change::discards`]). An undo discards nothing: at five versions it
//!   sets the version that holds the old document as the default again.
//! - IAM takes no document without a statement. Where none would be left, all go together and an
//!   inert one takes their place; a person must approve that, too, since whoever the policy is
//!   attached to keeps nothing of it.
//! - A version id is assigned by IAM: after an undo the same document has a new one.
//!
//! IAM cannot limit what `CreatePolicyVersion` writes: the write role could also grant. Only the
//! session policy, which names this one policy, and the verification after the change stand against
//! it. `iam:SetDefaultPolicyVersion` is not needed for a fix; the write role does not have it.

use super::changed;
use crate::aws::Aws;
use crate::aws::iam::calls::{applied, client};
use crate::aws::iam::document::{inert_statement, statements};
use crate::aws::iam::managed_policy::{self, ARN, VERSIONS_MAX, is_customer_managed};
use crate::cloud::{Action, Applied, CloudError, CloudErrorKind};
use aws_sdk_iam::Client;
use futures::future::BoxFuture;
use quell_core::action::{ActionMeta, Fix, Plan, PlanError, Reversibility, Stage};
use quell_core::change::{Change, Direction, Facet, element_id, same};
use quell_core::decide::authorized::Authorized;
use quell_core::resource::{Permission, State};
use serde_json::Value;

const PROPERTY: &str = "PolicyDocument";
const POINTER: &str = "/PolicyDocument/Statement";

static META: ActionMeta = ActionMeta {
    name: "iam.remove_policy_statement",
    title: "make a new default version of the policy without the statement",
    resource: managed_policy::TYPE,
    permissions: &[
        Permission::write("iam:CreatePolicyVersion", ARN),
        Permission::write("iam:DeletePolicyVersion", ARN),
        Permission::undo("iam:CreatePolicyVersion", ARN),
        Permission::undo("iam:SetDefaultPolicyVersion", ARN),
    ],
    reversibility: Reversibility::Equivalent,
    stage: Stage::Element,
    undo_grants: true,
    countermeasure: "D3-UAP",
};

/// `iam.remove_policy_statement`. A finding's element is the statement's [`element_id`].
#[derive(Debug)]
pub struct RemovePolicyStatement;

impl Fix for RemovePolicyStatement {
    fn meta(&self) -> &'static ActionMeta {
        &META
    }

    fn plan(
        &self,
        state: &State,
        element: &str,
        _params: &Value,
    ) -> Result<Option<Plan>, PlanError> {
        for needed in [PROPERTY, "Versions", "DefaultVersionId"] {
            if state.unknown.contains(needed) {
                return Err(PlanError::Unknown(needed.to_owned()));
            }
        }
        if !is_customer_managed(&state.resource.id) {
            return Err(PlanError::Shape("AWS' own policies cannot be changed".to_owned()));
        }
        let statements = state.properties.get(PROPERTY).map_or(&[][..], statements);
        if !statements.iter().any(|it| element_id(it) == element) {
            return Ok(None);
        }
        let empties = !statements.iter().any(|it| stays(state, element, it));
        let (facet, after) = if empties {
            (Facet::property(POINTER), Value::Array(vec![inert_statement()]))
        } else {
            let id = Some(element.to_owned());
            (Facet { pointer: POINTER.to_owned(), element: id }, Value::Null)
        };
        let discards = oldest_in_the_way(&state.properties);
        let approval = approval(empties.then_some(statements.len()), discards.as_deref());
        let change = Change { discards, ..Change::fix(META.name, state, facet, after) };
        Ok(Some(Plan { change, approval }))
    }
}

/// Whether a statement is none of those that make an administrator.
fn stays(state: &State, element: &str, statement: &Value) -> bool {
    let id = element_id(statement);
    let admin = state.facts.get("admin").and_then(Value::as_array);
    let mut admin = admin.into_iter().flatten().filter_map(|it| it.get("element"));
    id != element && !admin.any(|it| *it == id)
}

/// The oldest version that is not in force, where there is no room for one more.
fn oldest_in_the_way(properties: &Value) -> Option<String> {
    let versions = properties.get("Versions").and_then(Value::as_array)?;
    let default = properties.get("DefaultVersionId");
    if versions.len() < VERSIONS_MAX {
        return None;
    }
    let oldest = versions.iter().find(|it| Some(*it) != default)?;
    oldest.as_str().map(str::to_owned)
}

/// Why a person must approve it: `empties` is how many statements go where none would be left. Some
/// of them may be exempt.
fn approval(empties: Option<usize>, discards: Option<&str>) -> Option<String> {
    let empties = empties.map(|count| {
        let together = match count {
            1 => String::new(),
            _ => format!("all {count} of them would go together, "),
        };
        format!(
            "no statement would be left, so {together}an inert one would take their place and the \
             policy would grant nothing"
        )
    });
    let discards = discards.map(|version| {
        format!(
            "the policy has {VERSIONS_MAX} versions, so {version}, the oldest one not in force, \
             would be deleted for good"
        )
    });
    let reasons: Vec<String> = [empties, discards].into_iter().flatten().collect();
    (!reasons.is_empty()).then(|| reasons.join("; and "))
}

impl Action for RemovePolicyStatement {
    fn apply<'a>(
        &'a self,
        aws: &'a Aws,
        change: &'a Authorized<Change>,
        session: &'a str,
    ) -> BoxFuture<'a, Result<Applied, CloudError>> {
        Box::pin(async move {
            let wanted = change.get();
            let arn = &wanted.resource.id;
            let reader = client(&aws.reader(&wanted.resource).await?);
            let fresh = managed_policy::read(&reader, arn).await?.ok_or_else(|| gone(arn))?;
            let properties = changed(wanted, fresh.properties.clone())?;
            let (before, after) = (document(&fresh.properties), document(&properties));
            if same(before, after) {
                return Ok(Applied::already());
            }
            let writer = client(&aws.writer(&META, change, session).await?);
            let versions = fresh.properties.get("Versions").and_then(Value::as_array);
            let versions: Vec<&str> =
                versions.into_iter().flatten().filter_map(Value::as_str).collect();
            let mut request_ids = Vec::new();
            if VERSIONS_MAX <= versions.len() {
                match wanted.direction {
                    Direction::Forward => {
                        request_ids.extend(make_room(&writer, wanted, &versions).await?);
                    }
                    Direction::Undo => {
                        return set_old_version(&reader, &writer, arn, &versions, after).await;
                    }
                }
            }
            let call = writer.create_policy_version().policy_arn(arn).set_as_default(true);
            let answer = call.policy_document(after.to_string()).send().await;
            let made = applied("iam:CreatePolicyVersion", answer)?;
            request_ids.extend(made.request_ids);
            Ok(Applied { request_ids, note: None })
        })
    }
}

fn document(properties: &Value) -> &Value {
    properties.get(PROPERTY).unwrap_or(&Value::Null)
}

fn gone(arn: &str) -> CloudError {
    CloudError {
        kind: CloudErrorKind::NotFound,
        operation: "iam:GetPolicy".to_owned(),
        message: format!("there is no policy `{arn}`"),
        request_id: None,
    }
}

/// Deletes the version that the change discards, and no other.
async fn make_room(
    writer: &Client,
    change: &Change,
    versions: &[&str],
) -> Result<Vec<String>, CloudError> {
    let operation = "iam:DeletePolicyVersion";
    let discards = change.discards.as_deref().filter(|it| versions.contains(it));
    let Some(version) = discards else {
        let problem = "the policy got its last version since the change was planned; plan it again";
        return Err(CloudError::unsupported(operation, problem));
    };
    let call = writer.delete_policy_version().policy_arn(&change.resource.id).version_id(version);
    Ok(applied(operation, call.send().await)?.request_ids)
}

/// Sets the version that holds `document` as the default again.
async fn set_old_version(
    reader: &Client,
    writer: &Client,
    arn: &str,
    versions: &[&str],
    document: &Value,
) -> Result<Applied, CloudError> {
    let operation = "iam:SetDefaultPolicyVersion";
    for id in versions.iter().rev() {
        let held = managed_policy::version(reader, arn, id).await?;
        if held.is_some_and(|it| same(&it, document)) {
            let call = writer.set_default_policy_version().policy_arn(arn).version_id(*id);
            return applied(operation, call.send().await);
        }
    }
    let problem = format!(
        "the policy has {VERSIONS_MAX} versions and none of them holds the old document; delete \
         one that is not in force, then undo again"
    );
    Err(CloudError::unsupported(operation, problem))
}
