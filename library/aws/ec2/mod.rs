//! (Being written.)

use crate::cloud::{Action, Resource};

/// Resource types.
pub static RESOURCES: &[&dyn Resource] = &[];

/// Actions.
pub static ACTIONS: &[&dyn Action] = &[];
