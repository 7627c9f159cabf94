//! What an explicit Deny takes from a grant of the same document.
//!
//! A Deny counts where it surely covers the grant, all of its actions and all of its resources; a
//! part is not enough, nor are several parts added up. Whom it leaves the grant to:
//!
//! - `Principal` `*` without a condition: nobody.
//! - `NotPrincipal`: those whom it names.
//! - With conditions, which hold together: whoever fails one of them. `StringNotEquals` of
//!   `aws:PrincipalOrgID` holds for everybody outside of the organization, and for anonymous
//!   callers, whose request has no such key: only the organization is left. The grant is judged as
//!   if it demanded the opposite itself, by the rules of [`super::condition`].
//!
//! Each of these is a way past the Deny, and the worst of them is what the grant comes to. What
//! anybody can arrange is no perimeter: a tag of one's own principal, TLS, a call by way of a
//! service (`aws:ViaAWSService`), a KMS key of which the policy does not tell who may use it.
//! `Bool` of `aws:PrincipalIsAWSService` `false` lets anonymous callers pass, who have no such key;
//! `BoolIfExists` does not.
//!
//! Sources: "IAM JSON policy elements: Condition operators", "NotPrincipal with Deny", "Policy
//! evaluation logic" and "AWS global condition context keys" in the IAM user guide.

use serde_json::Value;

use crate::facts::iam_policy::condition::Condition;
use crate::facts::iam_policy::principal::{Principal, denies_everybody, judge, named_in};
use crate::facts::iam_policy::statement::{Effect, Statement};
use crate::facts::iam_policy::{Allow, Kind, Verdict, admin};

/// Keys that limit a grant in S3's eyes, but of which the caller chooses the value.
const CHOSEN_BY_THE_CALLER: [&str; 1] = ["s3:x-amz-server-side-encryption-aws-kms-key-id"];

/// What the most effective Deny of the document leaves of a grant, with the reason; `None` where
/// none surely covers it.
pub(crate) fn what_is_left(
    grant: &Statement<'_>,
    all: &[Statement<'_>],
    kind: Kind,
    allow: &Allow,
) -> Option<(Verdict, String)> {
    let denies = all.iter().filter(|it| it.effect == Effect::Deny && it.index != grant.index);
    let left = denies.filter_map(|deny| match kind {
        Kind::Identity => left_of_identity(grant, deny),
        Kind::Resource | Kind::Trust => left_by(grant, deny, allow),
    });
    left.min_by_key(|(verdict, _)| *verdict)
}

/// Whoever has an identity policy is nobody else, so that conditions, which he may meet, and
/// principals, which IAM refuses there, make a Deny of no account.
fn left_of_identity(grant: &Statement<'_>, deny: &Statement<'_>) -> Option<(Verdict, String)> {
    let is_for_all = deny.principals.is_empty() || denies_everybody(deny.value);
    if !is_for_all || !is_whole(deny.value.get("Condition")) || !deny.conditions.is_empty() {
        return None;
    }
    let reason = if deny.covers(grant) {
        format!("{} denies all of it", deny.name())
    } else if admin::is_taken_away_by(deny) {
        format!("{} denies what of IAM makes an administrator", deny.name())
    } else {
        return None;
    };
    Some((Verdict::Harmless, reason))
}

fn left_by(
    grant: &Statement<'_>,
    deny: &Statement<'_>,
    allow: &Allow,
) -> Option<(Verdict, String)> {
    let spared = spared_by_name(grant, deny)?;
    if !is_whole(deny.value.get("Condition")) || !deny.covers(grant) {
        return None;
    }
    let mut ways = Vec::new();
    if !spared.is_empty() {
        ways.push(Statement { principals: spared, ..grant.clone() });
    }
    for condition in &deny.conditions {
        let mut narrowed = grant.clone();
        narrowed.conditions.push(way_past(condition)?);
        ways.push(narrowed);
    }
    let judged: Vec<(Verdict, String)> = ways.iter().map(|it| judge(it, allow)).collect();
    let Some(worst) = judged.iter().map(|(verdict, _)| *verdict).max() else {
        return Some((Verdict::Harmless, format!("{} denies all of it to everybody", deny.name())));
    };
    let mut left: Vec<&str> = Vec::new();
    for (_, reason) in judged.iter().filter(|(verdict, _)| *verdict == worst) {
        if !left.contains(&reason.as_str()) {
            left.push(reason);
        }
    }
    Some((worst, format!("{} denies all of it but this: {}", deny.name(), left.join("; or "))))
}

/// Whom a Deny spares by name, if it surely denies everybody else.
fn spared_by_name<'a>(grant: &Statement<'a>, deny: &Statement<'a>) -> Option<Vec<Principal<'a>>> {
    match (deny.value.get("Principal"), deny.value.get("NotPrincipal")) {
        (None, None) => grant.principals.is_empty().then(Vec::new),
        (Some(_), None) => denies_everybody(deny.value).then(Vec::new),
        (None, Some(named)) => Some(named_in(named)).filter(|it| !it.is_empty()),
        (Some(_), Some(_)) => None,
    }
}

/// Whether no part of a `Condition` was left out when it was read.
fn is_whole(element: Option<&Value>) -> bool {
    let has_keys = |keys: &Value| keys.as_object().is_some_and(|it| !it.is_empty());
    element.is_none_or(|it| it.as_object().is_some_and(|it| it.values().all(has_keys)))
}

/// What a request must have so that this condition of a Deny fails; `None` where it is not sure, or
/// where anybody can have it.
fn way_past(condition: &Condition) -> Option<Condition> {
    let opposite = condition.opposite()?;
    (!CHOSEN_BY_THE_CALLER.contains(&opposite.key.as_str())).then_some(opposite)
}
