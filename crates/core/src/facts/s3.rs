//! S3: what an ACL grants to the public, and what a public access block takes back.
//!
//! Sources: "Access control list (ACL) overview" and "Blocking public access to your Amazon S3
//! storage" in the S3 user guide, and `PublicAccessBlockConfiguration` in its API reference.
//!
//! Deliberately absent: object ACLs and access points, which are resources of their own.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::facts::tri::Tri;

/// Everybody, signed in or not.
pub const ALL_USERS: &str = "http://acs.amazonaws.com/groups/global/AllUsers";
/// Everybody with any AWS account: as public as everybody.
pub const AUTHENTICATED_USERS: &str = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers";
/// S3's own server access logging; not public.
pub const LOG_DELIVERY: &str = "http://acs.amazonaws.com/groups/s3/LogDelivery";

/// Why an ACL could not be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AclError {
    /// Not one of the canned ACLs of the S3 user guide.
    #[error("`{0}` is not a canned ACL")]
    UnknownCannedAcl(String),
    /// Not one of the five `x-amz-grant-…` headers.
    #[error("`{0}` is not a header that grants")]
    UnknownHeader(String),
    /// Not a list of `uri="…"`, `id="…"` or `emailAddress="…"`.
    #[error("`{0}` is not a grantee of a grant header")]
    Grantee(String),
}

/// Who is granted something.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum Grantee {
    /// A predefined group, by its URI.
    Group(String),
    /// An account, by its canonical user id.
    CanonicalUser(String),
    /// An account, by the e-mail address of its root user.
    Email(String),
    /// The owner of the bucket, where only a canned ACL names it.
    Owner,
}

/// What is granted: the permissions of an ACL.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "AWS's own words say it all")]
pub enum Permission {
    Read,
    Write,
    ReadAcp,
    WriteAcp,
    FullControl,
}

/// One grant of an ACL: the element that a fix removes.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "PascalCase")]
pub struct Grant {
    /// Who is granted it.
    pub grantee: Grantee,
    /// What is granted.
    pub permission: Permission,
}

impl Grant {
    /// A grant to a predefined group.
    #[must_use]
    pub fn to_group(uri: &str, permission: Permission) -> Grant {
        Grant { grantee: Grantee::Group(uri.to_owned()), permission }
    }

    /// Whether everybody has it. "Amazon S3 considers a bucket or object ACL public if it grants
    /// any permissions to members of the predefined AllUsers or AuthenticatedUsers groups" (S3 user
    /// guide, "The meaning of public"). Group URIs are compared as written but for their scheme,
    /// since S3 accepts both.
    #[must_use]
    pub fn is_public(&self) -> bool {
        let Grantee::Group(uri) = &self.grantee else { return false };
        let path = |it: &str| it.split_once("://").map(|(_, path)| path.to_owned());
        [ALL_USERS, AUTHENTICATED_USERS].into_iter().any(|it| path(it) == path(uri))
    }
}

/// The grants that a canned ACL stands for on a bucket, the owner's own full control included.
/// `bucket-owner-read` and `bucket-owner-full-control` have no effect on a bucket, and
/// `aws-exec-read` grants to Amazon EC2, which is not the public.
///
/// # Errors
///
/// [`AclError::UnknownCannedAcl`] for any other name: it may grant anything.
pub fn canned_acl_grants(name: &str) -> Result<Vec<Grant>, AclError> {
    let extra: &[(&str, Permission)] = match name {
        "private" | "bucket-owner-read" | "bucket-owner-full-control" | "aws-exec-read" => &[],
        "public-read" => &[(ALL_USERS, Permission::Read)],
        "public-read-write" => &[(ALL_USERS, Permission::Read), (ALL_USERS, Permission::Write)],
        "authenticated-read" => &[(AUTHENTICATED_USERS, Permission::Read)],
        "log-delivery-write" => {
            &[(LOG_DELIVERY, Permission::Write), (LOG_DELIVERY, Permission::ReadAcp)]
        }
        other => return Err(AclError::UnknownCannedAcl(other.to_owned())),
    };
    let owner = Grant { grantee: Grantee::Owner, permission: Permission::FullControl };
    let groups = extra.iter().map(|(uri, permission)| Grant::to_group(uri, *permission));
    Ok(std::iter::once(owner).chain(groups).collect())
}

/// The grants of one header, such as `x-amz-grant-read: uri="http://…", id="…"`.
///
/// # Errors
///
/// [`AclError`] when the header or one of its grantees is not understood.
pub fn header_grants(header: &str, value: &str) -> Result<Vec<Grant>, AclError> {
    let permission = match header.to_ascii_lowercase().as_str() {
        "x-amz-grant-read" => Permission::Read,
        "x-amz-grant-write" => Permission::Write,
        "x-amz-grant-read-acp" => Permission::ReadAcp,
        "x-amz-grant-write-acp" => Permission::WriteAcp,
        "x-amz-grant-full-control" => Permission::FullControl,
        _ => return Err(AclError::UnknownHeader(header.to_owned())),
    };
    let grantees = value.split(',').map(str::trim).filter(|it| !it.is_empty());
    grantees.map(|it| Ok(Grant { grantee: header_grantee(it)?, permission })).collect()
}

fn header_grantee(text: &str) -> Result<Grantee, AclError> {
    let bad = || AclError::Grantee(text.to_owned());
    let (kind, value) = text.split_once('=').ok_or_else(bad)?;
    let value = value.trim().trim_matches(['"', '\'']).to_owned();
    match kind.trim().to_ascii_lowercase().as_str() {
        "uri" => Ok(Grantee::Group(value)),
        "id" => Ok(Grantee::CanonicalUser(value)),
        "emailaddress" => Ok(Grantee::Email(value)),
        _ => Err(bad()),
    }
}

/// The four flags of one public access block. The default, all false, is what S3 applies where
/// there is no configuration. It is not the default of a new bucket, which has all four on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct PublicAccessBlock {
    /// Refuses new public ACLs. Those that exist keep working.
    pub block_public_acls: bool,
    /// Every public ACL grant has no effect.
    pub ignore_public_acls: bool,
    /// Refuses a new public bucket policy. One that exists keeps working.
    pub block_public_policy: bool,
    /// A bucket with a public policy admits only its own account and AWS services.
    pub restrict_public_buckets: bool,
}

impl PublicAccessBlock {
    /// All four on.
    pub const ALL: PublicAccessBlock = PublicAccessBlock {
        block_public_acls: true,
        ignore_public_acls: true,
        block_public_policy: true,
        restrict_public_buckets: true,
    };
}

/// What account and bucket block come to together; a flag is unknown when a side that could not be
/// read decides it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the fields mean what they mean in `PublicAccessBlock`")]
pub struct EffectiveBlock {
    pub block_public_acls: Tri,
    pub ignore_public_acls: Tri,
    pub block_public_policy: Tri,
    pub restrict_public_buckets: Tri,
}

/// Who owns the objects of a bucket, and thereby whether its ACL counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ObjectOwnership {
    /// ACLs are disabled: none of their grants has any effect.
    BucketOwnerEnforced,
    /// ACLs count.
    BucketOwnerPreferred,
    /// ACLs count. Also what a bucket without ownership controls has.
    ObjectWriter,
}

impl EffectiveBlock {
    /// S3 applies the most restrictive combination: a flag is on when either side has it on.
    /// `None` is a block that could not be read; one that does not exist is
    /// `PublicAccessBlock::default()`.
    #[must_use]
    pub fn of(
        account: Option<PublicAccessBlock>,
        bucket: Option<PublicAccessBlock>,
    ) -> EffectiveBlock {
        let either = |flag: fn(PublicAccessBlock) -> bool| {
            Tri::from(account.map(flag)).or(Tri::from(bucket.map(flag)))
        };
        EffectiveBlock {
            block_public_acls: either(|it| it.block_public_acls),
            ignore_public_acls: either(|it| it.ignore_public_acls),
            block_public_policy: either(|it| it.block_public_policy),
            restrict_public_buckets: either(|it| it.restrict_public_buckets),
        }
    }

    /// Whether a public statement of the bucket's policy lets nobody from outside in. Only
    /// RestrictPublicBuckets does that; BlockPublicPolicy merely refuses the next policy.
    #[must_use]
    pub fn neutralizes_policy(self) -> Tri {
        self.restrict_public_buckets
    }

    /// Whether a public grant of the bucket's ACL has no effect, because public ACLs are ignored or
    /// ACLs are disabled altogether. `None` is an ownership that could not be read.
    #[must_use]
    pub fn neutralizes_acl(self, ownership: Option<ObjectOwnership>) -> Tri {
        let disabled = ownership.map(|it| it == ObjectOwnership::BucketOwnerEnforced);
        self.ignore_public_acls.or(Tri::from(disabled))
    }
}
