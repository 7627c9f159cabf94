//! What AWS gives a new resource where nobody says otherwise: what a plan that creates one means by
//! leaving a part out. Looked up on 2026-11-20.
//!
//! For a resource that exists already, none of this is known.

use super::s3::block;
use quell_core::facts::s3::PublicAccessBlock;
use serde_json::{Value, json};

/// The public access block of a new bucket: all four switches on, since April 2023.
/// Source: "Default settings for new S3 buckets FAQ" in the S3 user guide.
pub fn bucket_public_access_block() -> Value {
    block::property(|it| block::FLAGS.contains(&it).then_some(true))
}

/// Who owns the objects of a new bucket: ACLs are disabled, since April 2023.
/// Source: as above.
pub fn bucket_ownership_controls() -> Value {
    json!({ "Rules": [{ "ObjectOwnership": "BucketOwnerEnforced" }] })
}

/// The canned ACL of a new bucket.
/// Source: "Access control list (ACL) overview" in the S3 user guide.
pub const BUCKET_ACL: &str = "private";

/// The block of an account that set none: all four switches are off. The gate counts on an
/// account's block only where the code declares it, since code is deployed to more than one
/// account.
/// Source: "Configuring block public access settings for your account" in the S3 user guide.
pub const ACCOUNT_PUBLIC_ACCESS_BLOCK: PublicAccessBlock = PublicAccessBlock {
    block_public_acls: false,
    ignore_public_acls: false,
    block_public_policy: false,
    restrict_public_buckets: false,
};

/// The flags of a new trail. `IsLogging` is Terraform's default: CloudFormation has none, as its
/// users must say.
/// Source: `CreateTrail` in the CloudTrail API reference; `aws_cloudtrail` in the AWS provider's
/// documentation.
pub const TRAIL_FLAGS: [(&str, bool); 5] = [
    ("EnableLogFileValidation", false),
    ("IncludeGlobalServiceEvents", true),
    ("IsLogging", true),
    ("IsMultiRegionTrail", false),
    ("IsOrganizationTrail", false),
];
