//! A thing in the cloud: how it is named, what was seen of it, and the pure half of knowing it.
//!
//! `properties` use CloudFormation's property names whichever clock produced the [`State`] (an
//! event, a read, later a plan), so that one policy can judge them all. A property that this clock
//! cannot see is listed in [`State::unknown`]: unknown is a value, never "absent".

use crate::event::{CloudScope, Event};
use crate::plan::{Intent, Language, Place, Plan};
use crate::region::{home_region, partition};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Names one resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ResourceRef {
    /// CloudFormation type name, such as `AWS::S3::Bucket`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The id that its service uses: bucket name, group id, trail ARN, policy ARN, user name.
    pub id: String,
    /// Twelve-digit account id of the owner.
    pub account: String,
    /// The region in which it is read and changed; global services use their home region.
    pub region: String,
}

impl ResourceRef {
    /// The AWS partition, read off the region.
    pub fn partition(&self) -> &'static str {
        partition(&self.region)
    }
}

impl fmt::Display for ResourceRef {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {} ({} {})", self.kind, self.id, self.account, self.region)
    }
}

/// Whether a place is where an account's global resources are: elsewhere it has none.
pub fn is_home(place: &CloudScope) -> bool {
    place.region == home_region(partition(&place.region))
}

/// What was seen of a resource at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Which resource.
    pub resource: ResourceRef,
    /// Its tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// What it is, in CloudFormation property names.
    pub properties: Value,
    /// What that means, derived by [`Kind::facts`].
    #[serde(default)]
    pub facts: Value,
    /// Top-level properties that this clock could not see.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unknown: BTreeSet<String>,
    /// When it was seen.
    pub observed: Timestamp,
}

impl State {
    /// `input.resource` of a policy.
    pub fn input(&self) -> Value {
        json!({
            "type": self.resource.kind,
            "id": self.resource.id,
            "account": self.resource.account,
            "region": self.resource.region,
            "tags": self.tags,
            "properties": self.properties,
            "facts": self.facts,
            "unknown": self.unknown,
        })
    }
}

/// What infrastructure code makes of one resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// What it will be, as far as the code tells. Its id is the address where the name is unknown;
    /// facts and time are not filled in.
    pub state: State,
    /// The address of its declaration; of the first of its parts where it is not declared itself.
    pub address: String,
    /// What deploying does to it: the most that is done to it or to a part of it.
    pub intent: Intent,
    /// Where it is declared, if that is known.
    pub at: Option<Place>,
    /// The declarations that its properties come from: by property, and by what a policy calls an
    /// element of one. Several may declare the same element.
    pub parts: BTreeMap<String, Vec<Part>>,
    /// The properties that nobody declared, so that AWS's defaults of a new resource hold.
    pub defaults: BTreeSet<String>,
    /// What to write in the code for a change: by JSON pointer into `state.properties`, and by what
    /// a policy calls an element of one. What is not here cannot be written by anyone but a person.
    pub written: BTreeMap<String, Vec<Written>>,
}

/// What a declaration says of a property, or of an element of one.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// The declaration's address.
    pub address: String,
    /// JSON pointer into the declaration's own properties; of an element, to what goes with it.
    pub pointer: String,
    /// The words that the code has for whole values, each with the value that it means. Without
    /// any, the value is written as it is.
    pub words: Vec<(String, Value)>,
}

/// The declaration that a part of a resource comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its address.
    pub address: String,
    /// Where the part is written, if that is known.
    pub at: Option<Place>,
}

impl Planned {
    /// The declarations that an element comes from, at least one: its own, or those of what stands
    /// before its last slash (an inline policy, of one of its statements), or those of the first of
    /// `properties` that has some, or the resource's.
    pub fn parts_of<'a>(
        &self,
        element: &str,
        properties: impl IntoIterator<Item = &'a String>,
    ) -> Vec<Part> {
        let before = element.rsplit_once('/').and_then(|(it, _)| self.parts.get(it));
        let own = self.parts.get(element).or(before);
        let found = own.or_else(|| properties.into_iter().find_map(|it| self.parts.get(it)));
        let whole = || vec![Part { address: self.address.clone(), at: self.at.clone() }];
        found.cloned().unwrap_or_else(whole)
    }
}

/// Whom the owner trusts: what turns "outside" into "ours".
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Trust {
    /// Account ids that count as ours besides the resource's own.
    pub accounts: BTreeSet<String>,
    /// Organization ids (`o-…`).
    pub org_ids: BTreeSet<String>,
    /// Organization paths (`o-…/r-…/ou-…/`).
    pub org_paths: BTreeSet<String>,
    /// VPC ids.
    pub vpcs: BTreeSet<String>,
    /// VPC endpoint ids.
    pub vpc_endpoints: BTreeSet<String>,
    /// Principal ARNs.
    pub principals: BTreeSet<String>,
}

/// What a resource type is called, and what reading it takes.
#[derive(Debug)]
pub struct KindMeta {
    /// CloudFormation type name; where CloudFormation has none, one of its form.
    pub cloudformation: &'static str,
    /// Terraform's main resource type.
    pub terraform: &'static str,
    /// Cloud Custodian's name.
    pub custodian: &'static str,
    /// ASFF `Resources[].Type`.
    pub asff: &'static str,
    /// ARN template: `{partition}`, `{region}`, `{account}` and `{id}` are filled in.
    pub arn: &'static str,
    /// The top-level properties that a state of it may have: all that a policy can look at.
    pub properties: &'static [&'static str],
    /// Calls that a read makes. Empty for a type that is never read: what an event proves of it is
    /// all that is judged ([`KindMeta::is_proven_by_events`]).
    pub reads: &'static [Permission],
    /// Calls that finding all of this type makes, in one account and region.
    pub lists: &'static [Permission],
    /// Whether there is one per account and not per region: then it is read and changed in the
    /// partition's [`home_region`].
    pub global: bool,
}

impl KindMeta {
    /// Whether only events tell of it: it can be neither read nor listed.
    pub fn is_proven_by_events(&self) -> bool {
        self.reads.is_empty()
    }
}

/// One permission: an action on resources, perhaps on a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Permission {
    /// IAM action, such as `s3:PutBucketPublicAccessBlock` (not always the API's name).
    pub action: &'static str,
    /// ARN template as in [`KindMeta::arn`]; `*` only where IAM has no resource for the action.
    pub resource: &'static str,
    /// Operator, key and value template of a condition. Besides an ARN template's names,
    /// `{element}` is the list element that a change adds or removes, where it is a text.
    pub condition: Option<(&'static str, &'static str, &'static str)>,
    /// Which of our roles needs it.
    pub purpose: Purpose,
}

impl Permission {
    /// For reading state.
    pub const fn read(action: &'static str, resource: &'static str) -> Permission {
        Permission { action, resource, condition: None, purpose: Purpose::Read }
    }

    /// For finding all resources of a type.
    pub const fn list(action: &'static str, resource: &'static str) -> Permission {
        Permission { purpose: Purpose::List, ..Permission::read(action, resource) }
    }

    /// For fixing.
    pub const fn write(action: &'static str, resource: &'static str) -> Permission {
        Permission { purpose: Purpose::Write, ..Permission::read(action, resource) }
    }

    /// For writing heartbeats.
    pub const fn heartbeat(action: &'static str, resource: &'static str) -> Permission {
        Permission { purpose: Purpose::Heartbeat, ..Permission::read(action, resource) }
    }

    /// For finding the accounts of an organization.
    pub const fn organization(action: &'static str, resource: &'static str) -> Permission {
        Permission { purpose: Purpose::Organization, ..Permission::read(action, resource) }
    }

    /// For undoing a fix.
    pub const fn undo(action: &'static str, resource: &'static str) -> Permission {
        Permission { purpose: Purpose::Undo, ..Permission::read(action, resource) }
    }

    /// The same on a condition: operator, key and value template.
    pub const fn when(
        self,
        operator: &'static str,
        key: &'static str,
        value: &'static str,
    ) -> Permission {
        Permission { condition: Some((operator, key, value)), ..self }
    }
}

/// Which of our roles needs a permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Reading state, in every mode.
    Read,
    /// Finding all resources of a type: the reading role's, where scans are made.
    List,
    /// Fixing.
    Write,
    /// Writing heartbeats: the fixing role's, where they are written.
    Heartbeat,
    /// Undoing a fix: a role that the event path can never assume.
    Undo,
    /// Finding the accounts of an organization: a role of its management account or of a delegated
    /// administrator, where an organization is configured.
    Organization,
}

/// Fills an ARN template in for one resource. An id that is such an ARN already (of a trail, of a
/// managed policy) stands for the whole of it.
pub fn arn(template: &str, resource: &ResourceRef) -> String {
    let filled = template
        .replace("{partition}", resource.partition())
        .replace("{region}", &resource.region)
        .replace("{account}", &resource.account);
    match filled.strip_suffix("{id}") {
        Some(start) if resource.id.starts_with(start) => resource.id.clone(),
        _ => filled.replace("{id}", &resource.id),
    }
}

/// The pure half of knowing a resource type. The half that calls the cloud is in `library`.
pub trait Kind: Sync {
    /// Names and read permissions.
    fn meta(&self) -> &'static KindMeta;

    /// The resources of this type that an event touched.
    fn targets(&self, event: &Event) -> Vec<ResourceRef>;

    /// Whether an event that touched no resource of this type is right to: it is about one of
    /// another account, or about another type. Of any other event without a target nobody can tell
    /// what it touched.
    fn is_elsewhere(&self, _event: &Event) -> bool {
        false
    }

    /// What the event alone proves of `target`; every other property is unknown. `None` where it
    /// proves nothing.
    fn implied(&self, event: &Event, target: &ResourceRef) -> Option<State>;

    /// The resources of this type that infrastructure code declares, whole or in part. None for a
    /// type that is not known to any.
    fn planned(&self, _plan: &Plan) -> Vec<Planned> {
        Vec::new()
    }

    /// The declarations that make a resource what a state says: [`Kind::planned`] the other way
    /// round. What is unknown in the state is left out.
    ///
    /// # Errors
    ///
    /// Why the language cannot say it.
    fn written(&self, _state: &State, _language: Language) -> Declarations {
        Err("no infrastructure code is read for this type".to_owned())
    }

    /// What the properties mean.
    fn facts(&self, state: &State, trust: &Trust) -> Value;
}

/// Declarations, each with its type in the language and its properties; or why there are none.
pub type Declarations = Result<Vec<(&'static str, Value)>, String>;
