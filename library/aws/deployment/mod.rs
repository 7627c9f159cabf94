//! Our own deployment: the parts that must stay as they were deployed for Quell to see and act.
//!
//! Parts are of many services (function, queues, tables, roles, log groups, alarms, key, rules),
//! and what they should be like is known to the infrastructure code, not here. So a part is judged
//! by what was done to it: [`part`] names what an audit event did to which part, and `calls` is the
//! table of the calls that weaken one.
//!
//! Deliberately absent: reading or restoring parts. A disabled rule is the exception; it is a
//! resource of its own ([`super::events::rule`]).

mod calls;
pub mod part;

use crate::cloud::{Action, Resource};

/// Resource types.
pub static RESOURCES: &[&dyn Resource] = &[&part::Part];

/// Actions.
pub static ACTIONS: &[&dyn Action] = &[];
