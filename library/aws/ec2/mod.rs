//! EC2: security groups and whom they let in.
//!
//! [`security_group`] reads a group rule by rule, `ingress_event` is what an audit event alone
//! proves of it, [`revoke_ingress_rule`] closes one rule.

mod ingress_event;
mod planned;
pub mod revoke_ingress_rule;
pub mod security_group;
mod written;

use crate::cloud::{Action, Resource};

/// Resource types.
pub static RESOURCES: &[&dyn Resource] = &[&security_group::SecurityGroup];

/// Actions.
pub static ACTIONS: &[&dyn Action] = &[&revoke_ingress_rule::RevokeIngressRule];
