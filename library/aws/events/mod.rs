//! EventBridge: the rules that bring us events, which must stay enabled and deliver somewhere.
//!
//! [`rule`] reads a rule, `rule_event` is what an audit event alone proves of it, [`enable_rule`]
//! turns one on again, and [`heartbeat`] writes the tag that must come back as an event.
//!
//! Deliberately absent: putting targets, patterns or a deleted rule back. What they were is not
//! known here; the deployment knows it, and people are told.

pub mod enable_rule;
pub mod heartbeat;
pub mod rule;
pub(crate) mod rule_event;

use crate::cloud::{Action, Resource};

/// Resource types.
pub static RESOURCES: &[&dyn Resource] = &[&rule::Rule];

/// Actions.
pub static ACTIONS: &[&dyn Action] = &[&enable_rule::EnableRule];
