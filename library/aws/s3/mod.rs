//! S3: buckets, and the account's public access block.
//!
//! A bucket is public by its policy or by its ACL, and four switches on the bucket and on the
//! account take that back or refuse it in the first place ("Blocking public access to your Amazon
//! S3 storage" in the S3 user guide). So the policies here come in two kinds: two about the
//! switches, two about what they would neutralize.
//!
//! Deliberately absent: object ACLs and access points, which are resources of their own.

pub mod account;
pub mod actions;
pub mod block;
pub mod bucket;
pub mod client;
pub mod event;
pub mod facts;
pub mod guardrail;
pub mod planned;
pub mod read;
mod written;

use crate::cloud::{Action, Resource};

/// Resource types.
pub static RESOURCES: &[&dyn Resource] = &[&account::AccountPublicAccessBlock, &bucket::Bucket];

/// Actions.
pub static ACTIONS: &[&dyn Action] = &[
    &actions::put_account_public_access_block::PutAccountPublicAccessBlock,
    &actions::put_public_access_block::PutPublicAccessBlock,
    &actions::remove_acl_grant::RemoveAclGrant,
    &actions::remove_policy_statement::RemovePolicyStatement,
];
