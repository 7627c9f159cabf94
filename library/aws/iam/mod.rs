//! IAM: managed policies, and the principals (users, roles, groups) that policies are attached to.
//!
//! IAM is one service per partition: it is called in, and its events come from, one home region.
//! Users, roles and groups are known by name, since that is what events and calls hold; the path
//! that is part of their ARN is not. Names are unique per account whatever the path, and hold
//! neither `/` nor `*`: so `user/NAME` and `user/*/NAME` together are exactly this one user, and
//! every permission on a principal is declared for both.
//!
//! An action says in its documentation what the roles cannot be kept from: IAM limits which policy
//! may be attached or detached, but not what a document that is written may hold.

mod calls;
mod document;
mod event;
mod planned;
mod written;

pub mod actions;
pub mod managed_policy;
pub mod principal;

use crate::cloud::{Action, Resource};
use actions::detach_policy::DetachPolicy;
use actions::remove_inline_statement::RemoveInlineStatement;
use actions::remove_policy_statement::RemovePolicyStatement;
use managed_policy::ManagedPolicy;
use principal::Principal;

/// Resource types.
pub static RESOURCES: &[&dyn Resource] =
    &[&Principal::Group, &ManagedPolicy, &Principal::Role, &Principal::User];

/// Actions.
pub static ACTIONS: &[&dyn Action] = &[
    &DetachPolicy(Principal::Group),
    &DetachPolicy(Principal::Role),
    &DetachPolicy(Principal::User),
    &RemoveInlineStatement(Principal::Group),
    &RemovePolicyStatement,
    &RemoveInlineStatement(Principal::Role),
    &RemoveInlineStatement(Principal::User),
];
