//! Semantic analysis: what a policy document, a network rule or an ACL really means.
//!
//! A policy's Rego asks short questions ("is this statement public?", "is port 22 open to the
//! world?"). The hard answers live here, once, as typed and pure functions: values in, values out.
//! Each fact follows the provider's own documentation, which is named beside it. What cannot be
//! known is said to be unknown ([`tri::Tri`]), it is never guessed.
//!
//! Deliberately absent: resource shapes and API calls (the library's), verdicts (the policy's), and
//! facts that need more than the one document at hand, such as service control policies.

pub mod iam_policy;
pub mod net;
pub mod s3;
pub mod tri;
