//! CloudTrail: trails, which must keep logging and keep logging everything.
//!
//! [`trail`] reads a trail, `trail_event` is what an audit event alone proves of it, [`selectors`]
//! are the shapes of event selectors and [`management_events`] what they let through. Three actions
//! make one call each; [`restore_baseline`] picks the one that a weakened property needs.

pub mod management_events;
mod planned;
pub mod put_event_selectors;
pub mod restore_baseline;
pub mod selectors;
pub mod start_logging;
pub mod trail;
mod trail_event;
pub mod update_trail;
mod written;

use crate::cloud::{Action, Resource};

/// Resource types.
pub static RESOURCES: &[&dyn Resource] = &[&trail::Trail];

/// Actions.
pub static ACTIONS: &[&dyn Action] = &[
    &put_event_selectors::PutEventSelectors,
    &restore_baseline::RestoreBaseline,
    &start_logging::StartLogging,
    &update_trail::UpdateTrail,
];
