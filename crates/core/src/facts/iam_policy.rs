//! IAM policy documents: who can do what, statement by statement, with the reason.
//!
//! A document is read twice. [`document::validate`] is as strict as AWS: what it refuses, AWS
//! refuses. The analysis itself is lenient: it reads a refused document as its author evidently
//! meant it, so that a draft, or a spelling that we do not know, is never mistaken for harmless.
//! Callers look at `valid` and at the flags.
//!
//! # What the flags mean
//!
//! - **public**: anyone, from any account or none, can use the statement. A condition takes that
//!   away only when it pins down *who may call* to fixed values: the keys and the rule are those of
//!   "The meaning of public" in the S3 user guide, extended by the global condition keys that do
//!   the same (see [`condition`]). Conditions on the resource or the request (`s3:prefix`, TLS,
//!   tags that every account can set) never do.
//! - **cross_account**: not anyone, but somebody outside the accounts, organizations, networks and
//!   principals of [`Allow`]. Whoever cannot be told to be inside counts as outside.
//! - **admin**: an identity policy's statement that allows every action on every resource with no
//!   condition that holds anything back (see [`admin`]).
//!
//! An AWS service as the principal is neither public nor cross-account, with or without
//! `aws:SourceAccount`: the confused deputy is a question of its own. An explicit Deny of the same
//! document counts where it surely covers the grant; what it leaves is what the statement comes to,
//! and what it takes away is told as latent (see [`deny`]). A narrower Deny is not weighed, since
//! S3 and IAM Access Analyzer call the grant public by what it grants.
//!
//! Deliberately absent: evaluation of a request, privilege escalation through single actions, and
//! everything outside the one document (SCPs, boundaries, session policies).

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::statement::{Effect, Statement};
use crate::change::element_id;

pub mod document;
pub mod statement;
pub mod principal;
pub mod condition;
mod provider;
pub mod admin;
pub mod deny;
mod wildcard;

/// What a document is attached to, and thereby which elements it must and must not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Attached to a user, group or role: no `Principal`, always a `Resource`.
    Identity,
    /// Attached to a resource: always a `Principal`.
    Resource,
    /// A role's trust policy: a `Principal`, no `Resource`.
    Trust,
}

/// Who is inside. Everything is compared as written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Allow {
    /// Account ids, the owner's own among them; also identity providers (`accounts.google.com`) and
    /// canonical user ids.
    pub accounts: BTreeSet<String>,
    /// Organization ids (`o-…`).
    pub org_ids: BTreeSet<String>,
    /// Organization paths (`o-…/r-…/ou-…`): everything below them is inside.
    pub org_paths: BTreeSet<String>,
    /// VPC ids. None means that VPCs are not checked: an id does not tell whose it is.
    pub vpcs: BTreeSet<String>,
    /// VPC endpoint ids. None means that endpoints are not checked.
    pub vpc_endpoints: BTreeSet<String>,
    /// Principals as a policy writes them; `*` and `?` are wildcards (`AROA*`).
    pub principals: BTreeSet<String>,
}

/// What a document means.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Analysis {
    /// Whether AWS would accept the document.
    pub valid: bool,
    /// Whether anyone can use some statement; `None` when the document could not be read at all.
    pub public: Option<bool>,
    /// Whether some statement lets in somebody from outside, short of everybody; `None` as above.
    pub cross_account: Option<bool>,
    /// Whether some statement makes an administrator; `None` as above.
    pub admin: Option<bool>,
    /// Every statement, in order.
    pub statements: Vec<StatementFacts>,
    /// The first reason why AWS would refuse the document, with the JSON pointer to it.
    pub error: Option<String>,
}

/// What one statement means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StatementFacts {
    /// Its place in the document, from 0; 0 for a single object. Not an identity.
    pub index: usize,
    /// Its `Sid`, where it has one.
    pub sid: Option<String>,
    /// Its stable identity: [`element_id`] of the statement.
    pub id: String,
    /// Allow or Deny.
    pub effect: Effect,
    /// Whether anyone can use it.
    pub public: bool,
    /// Whether somebody from outside can use it, short of everybody.
    pub cross_account: bool,
    /// Whether it makes an administrator.
    pub admin: bool,
    /// What it would come to but for a Deny of the same document, where that is worse: the Deny
    /// gone, this comes to life. S3's `BlockPublicPolicy` judges a grant without looking at the
    /// Denies.
    pub latent: Option<Verdict>,
    /// Why, in a sentence fragment.
    pub reason: String,
    /// Whom it addresses, as written; empty in an identity policy.
    pub principals: Vec<String>,
}

/// Analyzes the text of a document. `kind` is inferred where it is not given.
#[must_use]
pub fn analyze_text(text: &str, kind: Option<Kind>, allow: &Allow) -> Analysis {
    match document::parse(text) {
        Ok(document) => analyze(&document, kind, allow),
        Err(error) => Analysis::unreadable(error.to_string()),
    }
}

/// Analyzes a document. `kind` is inferred where it is not given: a principal makes it a resource
/// policy, `sts:` actions without a resource a trust policy.
#[must_use]
pub fn analyze(document: &Value, kind: Option<Kind>, allow: &Allow) -> Analysis {
    let kind = kind.unwrap_or_else(|| document::kind_of(document));
    let error = document::validate(document, kind).err().map(|it| it.to_string());
    let statements = statement::statements_of(document);
    if statements.is_empty() {
        return Analysis::unreadable(error.unwrap_or_default());
    }
    let facts: Vec<StatementFacts> =
        statements.iter().map(|it| statement_facts(it, &statements, kind, allow)).collect();
    Analysis {
        valid: error.is_none(),
        public: Some(facts.iter().any(|it| it.public)),
        cross_account: Some(facts.iter().any(|it| it.cross_account)),
        admin: Some(facts.iter().any(|it| it.admin)),
        statements: facts,
        error,
    }
}

impl Analysis {
    fn unreadable(error: String) -> Analysis {
        Analysis {
            valid: false,
            public: None,
            cross_account: None,
            admin: None,
            statements: Vec::new(),
            error: Some(error),
        }
    }
}

fn statement_facts(
    statement: &Statement<'_>,
    all: &[Statement<'_>],
    kind: Kind,
    allow: &Allow,
) -> StatementFacts {
    let bare = match (statement.effect, kind) {
        (Effect::Deny, _) => (Verdict::Harmless, "it denies".to_owned()),
        (Effect::Allow, Kind::Identity) => match admin::reason(statement) {
            Some(reason) => (Verdict::Admin, reason),
            None => (Verdict::Harmless, "it allows less than everything".to_owned()),
        },
        (Effect::Allow, _) => principal::judge(statement, allow),
    };
    let (worst, _) = bare;
    let left = match worst {
        Verdict::Harmless => None,
        _ => deny::what_is_left(statement, all, kind, allow).filter(|(it, _)| *it < worst),
    };
    let latent = left.is_some().then_some(worst);
    let (verdict, mut reason) = left.unwrap_or(bare);
    if verdict == Verdict::Admin && all.iter().any(|it| it.effect == Effect::Deny) {
        reason.push_str(", and no Deny beside it surely takes IAM away");
    }
    StatementFacts {
        index: statement.index,
        sid: statement.sid.map(str::to_owned),
        id: element_id(statement.value),
        effect: statement.effect,
        public: verdict == Verdict::Public,
        cross_account: verdict == Verdict::CrossAccount,
        admin: verdict == Verdict::Admin,
        latent,
        reason,
        principals: statement.principals.iter().map(|it| it.written.to_owned()).collect(),
    }
}

/// What a statement comes to, the worst last. One statement is at most one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// None of the others.
    Harmless,
    /// Somebody from outside can use it, short of everybody.
    CrossAccount,
    /// It makes an administrator.
    Admin,
    /// Anyone can use it.
    Public,
}
