//! Users' own Rego: what Open Policy Agent says of a bundle, we say; what could pass silently is an
//! error.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "a test may read its corpus; core may not")]

mod bundles;
mod limits;
mod opa;
