//! ACL grants and public access blocks, as the S3 user guide has them.
#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;
use quell_core::facts::s3::{
    ALL_USERS, AUTHENTICATED_USERS, AclError, EffectiveBlock, Grant, Grantee, LOG_DELIVERY,
    ObjectOwnership, Permission, PublicAccessBlock, canned_acl_grants, header_grants,
};
use quell_core::facts::tri::Tri;

fn public_of(grants: Vec<Grant>) -> Vec<Grant> {
    grants.into_iter().filter(Grant::is_public).collect()
}

#[test]
fn canned_acls() {
    let public = |name| public_of(canned_acl_grants(name).unwrap());
    let read = Grant::to_group(ALL_USERS, Permission::Read);
    let write = Grant::to_group(ALL_USERS, Permission::Write);
    assert_eq!(public("public-read"), std::slice::from_ref(&read));
    assert_eq!(public("public-read-write"), [read, write]);
    assert_eq!(
        public("authenticated-read"),
        [Grant::to_group(AUTHENTICATED_USERS, Permission::Read)]
    );
    for name in ["private", "bucket-owner-full-control", "log-delivery-write", "aws-exec-read"] {
        assert_eq!(public(name), [], "{name}");
    }
    assert_eq!(canned_acl_grants("open"), Err(AclError::UnknownCannedAcl("open".into())));
}

#[test]
fn grant_headers() {
    let value = format!(r#"uri="{ALL_USERS}", id="79a5", emailAddress='a@example.com'"#);
    let grants = header_grants("X-Amz-Grant-Write-ACP", &value).unwrap();
    let grantees: Vec<_> = grants.iter().map(|it| it.grantee.clone()).collect();
    assert_eq!(
        grantees,
        [
            Grantee::Group(ALL_USERS.into()),
            Grantee::CanonicalUser("79a5".into()),
            Grantee::Email("a@example.com".into()),
        ]
    );
    assert_eq!(public_of(grants), [Grant::to_group(ALL_USERS, Permission::WriteAcp)]);
    assert!(header_grants("x-amz-acl", "private").is_err());
    assert!(header_grants("x-amz-grant-read", "everybody").is_err());
}

#[test]
fn groups() {
    let public = |uri: &str| Grant::to_group(uri, Permission::Read).is_public();
    assert!(public(ALL_USERS) && public(AUTHENTICATED_USERS));
    assert!(public("https://acs.amazonaws.com/groups/global/AllUsers"));
    assert!(!public(LOG_DELIVERY) && !public("AllUsers"));
}

#[test]
fn blocks_combine_by_or_and_unknown_stays_unknown() {
    let off = Some(PublicAccessBlock::default());
    let restrict =
        Some(PublicAccessBlock { restrict_public_buckets: true, ..PublicAccessBlock::default() });
    let policy = |account, bucket| EffectiveBlock::of(account, bucket).neutralizes_policy();
    assert_eq!(policy(off, off), Tri::No);
    assert_eq!(policy(off, restrict), Tri::Yes);
    assert_eq!(policy(restrict, None), Tri::Yes);
    assert_eq!(policy(None, off), Tri::Unknown);
    // It refuses the next public policy only.
    let refuse =
        Some(PublicAccessBlock { block_public_policy: true, ..PublicAccessBlock::default() });
    assert_eq!(policy(refuse, refuse), Tri::No);
}

#[test]
fn an_acl_that_does_not_count() {
    let off = EffectiveBlock::of(
        Some(PublicAccessBlock::default()),
        Some(PublicAccessBlock { block_public_acls: true, ..PublicAccessBlock::default() }),
    );
    assert_eq!(off.neutralizes_acl(Some(ObjectOwnership::ObjectWriter)), Tri::No);
    assert_eq!(off.neutralizes_acl(Some(ObjectOwnership::BucketOwnerEnforced)), Tri::Yes);
    assert_eq!(off.neutralizes_acl(None), Tri::Unknown);
    let ignore = EffectiveBlock::of(Some(PublicAccessBlock::ALL), None);
    assert_eq!(ignore.neutralizes_acl(None), Tri::Yes);
}

#[test]
fn flags_carry_their_aws_names() {
    let text = r#"{"BlockPublicAcls":true,"RestrictPublicBuckets":true}"#;
    let block: PublicAccessBlock = serde_json::from_str(text).unwrap();
    assert!(block.block_public_acls && block.restrict_public_buckets && !block.ignore_public_acls);
}

proptest! {
    /// More blocking never makes a grant count that did not.
    #[test]
    fn a_block_only_ever_takes_away(flags in any::<[bool; 8]>(), known in any::<bool>()) {
        let [a, b, c, d, e, f, g, h] = flags;
        let block = |a, b, c, d| PublicAccessBlock {
            block_public_acls: a,
            ignore_public_acls: b,
            block_public_policy: c,
            restrict_public_buckets: d,
        };
        let (account, bucket) = (block(a, b, c, d), known.then(|| block(e, f, g, h)));
        let before = EffectiveBlock::of(Some(account), bucket);
        let after = EffectiveBlock::of(Some(PublicAccessBlock::ALL), bucket);
        prop_assert_eq!(before, EffectiveBlock::of(bucket, Some(account)));
        prop_assert_eq!(after.neutralizes_policy(), Tri::Yes);
        prop_assert_eq!(before.neutralizes_policy().or(after.neutralizes_policy()), Tri::Yes);
        prop_assert_eq!(after.neutralizes_acl(None), Tri::Yes);
    }
}
