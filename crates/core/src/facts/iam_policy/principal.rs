//! Whom a statement addresses, and what that comes to with its conditions.
//!
//! Source: "AWS JSON policy elements: Principal" and "NotPrincipal" in the IAM user guide.

use serde_json::Value;

use crate::facts::iam_policy::condition::{Limit, limits};
use crate::facts::iam_policy::statement::{Statement, strings_of};
use crate::facts::iam_policy::{Allow, Verdict, provider, wildcard};

/// One principal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Principal<'a> {
    /// As the document writes it.
    pub written: &'a str,
    /// Who that is.
    pub who: Who<'a>,
}

/// Who a principal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who<'a> {
    /// `*`, a wildcard for the account, or no principal where there must be one.
    Everybody,
    /// `NotPrincipal`: everybody but a few.
    EverybodyBut,
    /// Somebody in this account.
    Account(&'a str),
    /// An AWS service.
    Service,
    /// An identity provider, by its ARN or its name.
    Provider(&'a str),
    /// A CloudFront origin access identity: AWS's own user, for one distribution.
    CloudFront,
    /// Somebody whose account cannot be told: a unique id, a canonical user id, a placeholder.
    Unidentified,
}

/// The principals of a statement; empty where it has neither `Principal` nor `NotPrincipal`.
#[must_use]
pub fn principals_of(statement: &Value) -> Vec<Principal<'_>> {
    if statement.get("NotPrincipal").is_some() {
        return vec![Principal { written: "NotPrincipal", who: Who::EverybodyBut }];
    }
    statement.get("Principal").map(named_in).unwrap_or_default()
}

/// The principals that a `Principal` or `NotPrincipal` element names.
pub(crate) fn named_in(element: &Value) -> Vec<Principal<'_>> {
    let aws = |it| Principal { written: it, who: aws_principal(it) };
    match element {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(kind, values)| strings_of(values).into_iter().map(move |it| (kind, it)))
            .map(|(kind, it)| match kind.as_str() {
                "AWS" => aws(it),
                _ if wildcard::is_all(it) => Principal { written: it, who: Who::Everybody },
                "Service" => Principal { written: it, who: Who::Service },
                "Federated" => Principal { written: it, who: Who::Provider(it) },
                _ => Principal { written: it, who: Who::Unidentified },
            })
            .collect(),
        other => strings_of(other).into_iter().map(aws).collect(),
    }
}

/// Whether a Deny surely is for everybody: `"*"` or `{"AWS": "*"}`. All services, or all identity
/// providers, are everybody in the cautious reading of an Allow; of a Deny they are some.
pub(crate) fn denies_everybody(deny: &Value) -> bool {
    let principal = match deny.get("Principal") {
        Some(Value::Object(fields)) => fields.get("AWS"),
        other => other,
    };
    principal.is_some_and(|it| strings_of(it).contains(&"*"))
}

fn aws_principal(text: &str) -> Who<'_> {
    let account = account_of(text);
    match account {
        Some("cloudfront") => Who::CloudFront,
        Some(account) if !account.is_empty() && !wildcard::is_pattern(account) => {
            Who::Account(account)
        }
        _ if wildcard::is_pattern(text) => Who::Everybody,
        _ => Who::Unidentified,
    }
}

/// The account of an ARN, or the text itself where it is a number.
fn account_of(text: &str) -> Option<&str> {
    let is_number = !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    if is_number {
        return Some(text);
    }
    text.strip_prefix("arn:").and_then(|it| it.split(':').nth(3))
}

/// Where somebody stands.
enum Side {
    Inside,
    Outside(String),
    Everybody(String),
}

/// What an Allow with principals comes to, with the reason.
pub(crate) fn judge(statement: &Statement<'_>, allow: &Allow) -> (Verdict, String) {
    let limits = limits(&statement.conditions, allow);
    let sides: Vec<Side> = match statement.principals.as_slice() {
        [] => vec![Side::Everybody("it names no principal".to_owned())],
        principals => principals.iter().map(|it| side_of(it, statement, &limits, allow)).collect(),
    };
    let everybody = sides.iter().find_map(|it| match it {
        Side::Everybody(who) => Some(who),
        _ => None,
    });
    let outsider = sides.iter().find_map(|it| match it {
        Side::Outside(who) => Some(who),
        _ => None,
    });
    match (everybody, outsider, telling(&limits)) {
        (None, None, _) => (Verdict::Harmless, "all its principals are inside".to_owned()),
        (Some(who), _, None) => {
            (Verdict::Public, format!("{who}, and no condition limits who may call"))
        }
        (Some(who), _, Some(Limit::Outside(to) | Limit::Unknown(to))) => {
            (Verdict::CrossAccount, format!("{who}, limited to {to}, which is not inside"))
        }
        (Some(who), _, Some(Limit::Inside(to)))
        | (None, Some(who), Some(Limit::Inside(to)))
        | (Some(who), None, Some(Limit::Fixed(to))) => {
            (Verdict::Harmless, format!("{who}, limited to {to}"))
        }
        (_, Some(who), _) => (Verdict::CrossAccount, format!("{who} is outside")),
    }
}

/// The limit that decides, of several that hold together. One that names somebody from outside
/// comes first, although another one keeps to the inside: what a policy names, it means. Then what
/// is surely inside, then what cannot be told, then what AWS trusts.
fn telling(limits: &[Limit]) -> Option<&Limit> {
    limits.iter().max_by_key(|it| match it {
        Limit::Fixed(_) => 0,
        Limit::Unknown(_) => 1,
        Limit::Inside(_) => 2,
        Limit::Outside(_) => 3,
    })
}

fn side_of(
    principal: &Principal<'_>,
    statement: &Statement<'_>,
    limits: &[Limit],
    allow: &Allow,
) -> Side {
    let written = principal.written;
    let described = format!("principal `{written}`");
    let is_listed = allow.accounts.contains(written)
        || allow.principals.iter().any(|it| wildcard::covers(it, written, false));
    match principal.who {
        Who::EverybodyBut => Side::Everybody("everybody whom `NotPrincipal` leaves".to_owned()),
        Who::Everybody => Side::Everybody(described),
        _ if is_listed => Side::Inside,
        // A service acts for whoever told it to: the limit names them ("The confused deputy
        // problem", IAM user guide).
        Who::Service | Who::CloudFront => match telling(limits) {
            Some(Limit::Outside(to)) => Side::Outside(format!("{described}, limited to {to},")),
            _ => Side::Inside,
        },
        Who::Account(account) if allow.accounts.contains(account) => Side::Inside,
        Who::Provider(it) if provider::admits_everybody(it, &statement.conditions) => {
            Side::Everybody(format!("everybody with an account at `{}`", provider::name_of(it)))
        }
        Who::Provider(it) if account_of(it).is_some_and(|it| allow.accounts.contains(it)) => {
            Side::Inside
        }
        Who::Account(_) | Who::Provider(_) | Who::Unidentified => Side::Outside(described),
    }
}
