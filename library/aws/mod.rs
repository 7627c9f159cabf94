//! AWS: sessions, regions and accounts; then one module per service.
//!
//! Three ways in, one per purpose. Reads use the account's read role (cached). A fix uses the write
//! role under a session policy that allows this change alone. An undo uses the undo role, which the
//! event path can never assume. Where an account has no role configured, the process' own
//! credentials are used as they are; deployed, a role is always configured.

pub mod clients;
pub mod cloudtrail;
pub mod defaults;
pub mod deployment;
pub mod dictionary;
pub mod ec2;
pub mod errors;
pub mod events;
mod http;
pub mod iam;
pub mod organization;
pub mod planned;
pub mod queue;
pub mod s3;
mod written;
pub mod shared;

pub use clients::{AccountAccess, Aws, AwsSettings};

use crate::cloud::{Action, Resource};

/// Resource types, by service.
pub static RESOURCES: [&[&dyn Resource]; 6] = [
    cloudtrail::RESOURCES,
    deployment::RESOURCES,
    ec2::RESOURCES,
    events::RESOURCES,
    iam::RESOURCES,
    s3::RESOURCES,
];

/// Actions, by service.
pub static ACTIONS: [&[&dyn Action]; 6] = [
    cloudtrail::ACTIONS,
    deployment::ACTIONS,
    ec2::ACTIONS,
    events::ACTIONS,
    iam::ACTIONS,
    s3::ACTIONS,
];
