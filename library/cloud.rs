//! The half of knowing a cloud that needs the network.
//!
//! [`World`] is what the pipeline sees: something that can be read and changed. The live cloud is
//! one ([`crate::live`]), the simulated account of `quell demo` another.

use crate::aws::Aws;
use aws_types::request_id::RequestId;
use futures::future::BoxFuture;
use quell_core::action::Fix;
use quell_core::change::Change;
use quell_core::decide::authorized::Authorized;
use quell_core::event::CloudScope;
use quell_core::heartbeat::Heartbeat;
use quell_core::resource::{Kind, ResourceRef, State};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;

/// The most resources of one type that are listed in one account and region; more is an error.
pub const RESOURCES_LISTED_MAX: usize = 100_000;

/// A cloud: real or simulated.
pub trait World: Send + Sync {
    /// Reads a resource whole; `None` where it does not exist. A part that could not be read is an
    /// error, never an empty part.
    fn read<'a>(
        &'a self,
        resource: &'a ResourceRef,
    ) -> BoxFuture<'a, Result<Option<State>, CloudError>>;

    /// Reads only these properties of a resource, where it can be read in parts; all others are
    /// unknown in the state, and there are no tags. `None` where it does not exist, or can only be
    /// read whole.
    fn glance<'a>(
        &'a self,
        _resource: &'a ResourceRef,
        _properties: &'a BTreeSet<String>,
    ) -> BoxFuture<'a, Result<Option<State>, CloudError>> {
        Box::pin(async { Ok(None) })
    }

    /// Makes an authorized change. Idempotent: making it twice is making it once.
    ///
    /// `session` names the role session, so that the provider's own log leads back to the attempt.
    fn apply<'a>(
        &'a self,
        change: &'a Authorized<Change>,
        session: &'a str,
    ) -> BoxFuture<'a, Result<Applied, CloudError>>;

    /// Every account and region that is watched: what a scan goes through and a heartbeat is
    /// written in. None unless the world says so.
    fn places(&self) -> Vec<CloudScope> {
        Vec::new()
    }

    /// Every resource of a type that is read and changed in an account and region, in any order.
    /// What could not be listed whole is an error, never a shorter list.
    fn list<'a>(
        &'a self,
        kind: &'a str,
        _place: &'a CloudScope,
    ) -> BoxFuture<'a, Result<Vec<ResourceRef>, CloudError>> {
        Box::pin(async move { Err(CloudError::unsupported(kind, "this world can't be listed")) })
    }

    /// Writes a heartbeat's tag.
    fn beat<'a>(
        &'a self,
        heartbeat: &'a Authorized<Heartbeat>,
    ) -> BoxFuture<'a, Result<Applied, CloudError>> {
        let rule = heartbeat.get().rule.to_string();
        Box::pin(async move { Err(CloudError::unsupported(&rule, "this world has no heart")) })
    }
}

/// What was read of a resource, before its facts are derived.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Seen {
    /// In CloudFormation property names.
    pub properties: Value,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// What applying a change left behind.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Applied {
    /// The provider's ids of the calls that were made.
    pub request_ids: Vec<String>,
    /// What a reader should know.
    pub note: Option<String>,
}

impl Applied {
    /// One call was made: what the provider answered to it.
    pub fn of(answer: &impl RequestId) -> Applied {
        let request_ids = answer.request_id().map(str::to_owned).into_iter().collect();
        Applied { request_ids, note: None }
    }

    /// It was so before we came.
    pub fn already() -> Applied {
        Applied { request_ids: Vec::new(), note: Some("it was so already".to_owned()) }
    }

    /// The same with a note.
    pub fn noting(self, note: &str) -> Applied {
        Applied { note: Some(note.to_owned()), ..self }
    }
}

/// A resource type that can be read and listed.
pub trait Resource: Kind {
    /// Reads it whole; `None` where it does not exist.
    fn read<'a>(
        &'a self,
        aws: &'a Aws,
        resource: &'a ResourceRef,
    ) -> BoxFuture<'a, Result<Option<Seen>, CloudError>>;

    /// The properties that a read can leave out; none where it is always read whole.
    fn parts(&self) -> &'static [&'static str] {
        &[]
    }

    /// Reads only these of its [`Resource::parts`], where it is listed, and no tags; `None` where
    /// it is not there.
    fn glance<'a>(
        &'a self,
        aws: &'a Aws,
        resource: &'a ResourceRef,
        _parts: &'a BTreeSet<String>,
    ) -> BoxFuture<'a, Result<Option<Seen>, CloudError>> {
        self.read(aws, resource)
    }

    /// All of this type that are read and changed in an account and region, so that a reference
    /// from here equals one that an event led to. At most [`RESOURCES_LISTED_MAX`].
    fn list<'a>(
        &'a self,
        aws: &'a Aws,
        place: &'a CloudScope,
    ) -> BoxFuture<'a, Result<Vec<ResourceRef>, CloudError>>;
}

/// Takes a listing's pages in, item by item, and refuses more than [`RESOURCES_LISTED_MAX`].
#[derive(Debug)]
pub struct Listing<'a> {
    operation: &'static str,
    kind: &'a str,
    place: &'a CloudScope,
    found: Vec<ResourceRef>,
}

impl<'a> Listing<'a> {
    /// An empty one of a type, by a call such as `s3:ListAllMyBuckets`.
    pub fn new(operation: &'static str, kind: &'a str, place: &'a CloudScope) -> Listing<'a> {
        Listing { operation, kind, place, found: Vec::new() }
    }

    /// Takes the next resource.
    pub fn take(&mut self, id: impl Into<String>) -> Result<(), CloudError> {
        if self.found.len() == RESOURCES_LISTED_MAX {
            let problem = format!("more than {RESOURCES_LISTED_MAX} of `{}`", self.kind);
            return Err(CloudError::unsupported(self.operation, problem));
        }
        self.found.push(ResourceRef {
            kind: self.kind.to_owned(),
            id: id.into(),
            account: self.place.account.clone(),
            region: self.place.region.clone(),
        });
        Ok(())
    }

    /// All of them.
    pub fn done(self) -> Vec<ResourceRef> {
        self.found
    }
}

/// An action that can be applied.
pub trait Action: Fix {
    /// Applies an authorized change (or its inverse: undo is no second code path).
    fn apply<'a>(
        &'a self,
        aws: &'a Aws,
        change: &'a Authorized<Change>,
        session: &'a str,
    ) -> BoxFuture<'a, Result<Applied, CloudError>>;
}

/// Why the cloud did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{operation}: {message}{}", in_request(request_id.as_deref()))]
pub struct CloudError {
    /// What to do about it.
    pub kind: CloudErrorKind,
    /// The call, such as `s3:PutBucketPolicy`.
    pub operation: String,
    /// The provider's code and message.
    pub message: String,
    /// The provider's request id.
    pub request_id: Option<String>,
}

/// What can be done about a failed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloudErrorKind {
    /// The thing does not exist.
    NotFound,
    /// We lack a permission: only a person can help.
    Denied,
    /// Too many calls: again later.
    Throttled,
    /// No answer, or the service failed: again later.
    Unavailable,
    /// The service refused the content of the call.
    Invalid,
    /// The change cannot be expressed, or we are asked for something unknown.
    Unsupported,
}

fn in_request(id: Option<&str>) -> String {
    id.map(|it| format!(" (request {it})")).unwrap_or_default()
}

impl CloudError {
    /// An error of our own making: nothing was called.
    pub fn unsupported(operation: &str, message: impl Into<String>) -> CloudError {
        CloudError {
            kind: CloudErrorKind::Unsupported,
            operation: operation.to_owned(),
            message: message.into(),
            request_id: None,
        }
    }

    /// Whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self.kind, CloudErrorKind::Throttled | CloudErrorKind::Unavailable)
    }
}
