//! Conditions, and which of them limit *who may call*.
//!
//! A condition limits the caller when three things hold:
//!
//! - Its key says something about the caller or about where the call comes from; [`subject_of`] is
//!   the list. Keys of the resource or the request (`aws:ResourceOrgID`, `s3:prefix`,
//!   `s3:TlsVersion`, …) do not, nor do attributes that every account can give its own principals
//!   (`aws:PrincipalTag`, `aws:username`, `aws:PrincipalType`), secrets that are none
//!   (`sts:ExternalId`, `aws:Referer`), or addresses that every VPC can have (`aws:VpcSourceIp`).
//! - Its operator demands the value. Negated operators, `…IfExists` and `ForAllValues:` pass when
//!   the key is absent, so they limit nobody, unless a `Null` condition demands the key as well.
//! - All its values are fixed: no wildcard and no policy variable where the identity stands. In an
//!   ARN the account must be fixed, the name need not be; under `StringLike` nothing before the
//!   account may be a `*`, which spans colons there. CIDR blocks must not be broader than /8
//!   (IPv4) or /32 (IPv6). ("The meaning of public", S3 user guide.) Wildcards count even under
//!   `StringEquals`, which takes them literally: no value that anybody has contains one.
//!
//! Sources: "AWS global condition context keys" and "IAM JSON policy elements: Condition operators"
//! in the IAM user guide, the S3 user guide as above, "Blocking public access" in the EFS guide.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::facts::iam_policy::Allow;
use crate::facts::iam_policy::document::entries;
use crate::facts::iam_policy::wildcard;
use crate::facts::net::cidr_set::{Cidr, CidrSet, Family};

/// A condition operator, such as `ForAnyValue:StringLikeIfExists`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operator {
    /// The comparison.
    pub base: Base,
    /// How a request's several values are taken.
    pub quantifier: Option<Quantifier>,
    /// Whether it passes when the key is absent.
    pub if_exists: bool,
}

/// The comparisons, as far as they differ here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// `StringEquals`, with or without `IgnoreCase`.
    Equals,
    /// `StringLike`.
    Like,
    /// `ArnEquals` and `ArnLike`, which do the same.
    Arn,
    /// `StringNot…` and `ArnNot…`.
    Negated,
    /// `Numeric…`.
    Numeric,
    /// `Date…`.
    Date,
    /// `Bool`.
    Bool,
    /// `BinaryEquals`.
    Binary,
    /// `IpAddress`.
    Ip,
    /// `NotIpAddress`.
    NotIp,
    /// `Null`: whether the key is absent.
    Null,
}

/// What must hold of a request's several values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantifier {
    /// `ForAllValues:`; holds when there is none.
    All,
    /// `ForAnyValue:`.
    Any,
}

/// One operator × one key with its values, any of which suffices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// `None` for an operator that AWS does not know.
    pub operator: Option<Operator>,
    /// In lower case, since keys ignore case.
    pub key: String,
    /// As text; numbers and Booleans are written out.
    pub values: Vec<String>,
}

/// How far a condition limits who may call. The strings name the limit for the reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Limit {
    /// To a network or a service, which AWS trusts when it is fixed.
    Fixed(String),
    /// To something fixed of which it cannot be told whose it is: a bucket's ARN has no account, a
    /// unique id does not tell it.
    Unknown(String),
    /// To somebody who is inside.
    Inside(String),
    /// To somebody fixed who is not.
    Outside(String),
}

const OPERATORS: [(&str, Base); 27] = [
    ("stringequals", Base::Equals),
    ("stringequalsignorecase", Base::Equals),
    ("stringlike", Base::Like),
    ("stringnotequals", Base::Negated),
    ("stringnotequalsignorecase", Base::Negated),
    ("stringnotlike", Base::Negated),
    ("numericequals", Base::Numeric),
    ("numericnotequals", Base::Numeric),
    ("numericlessthan", Base::Numeric),
    ("numericlessthanequals", Base::Numeric),
    ("numericgreaterthan", Base::Numeric),
    ("numericgreaterthanequals", Base::Numeric),
    ("dateequals", Base::Date),
    ("datenotequals", Base::Date),
    ("datelessthan", Base::Date),
    ("datelessthanequals", Base::Date),
    ("dategreaterthan", Base::Date),
    ("dategreaterthanequals", Base::Date),
    ("bool", Base::Bool),
    ("binaryequals", Base::Binary),
    ("ipaddress", Base::Ip),
    ("notipaddress", Base::NotIp),
    ("arnequals", Base::Arn),
    ("arnlike", Base::Arn),
    ("arnnotequals", Base::Negated),
    ("arnnotlike", Base::Negated),
    ("null", Base::Null),
];

impl Operator {
    /// The operator of this name, whatever its letter case; `None` when AWS knows none.
    #[must_use]
    pub fn parse(name: &str) -> Option<Operator> {
        let name = name.to_ascii_lowercase();
        let (quantifier, name) = match name.split_once(':') {
            Some(("forallvalues", rest)) => (Some(Quantifier::All), rest),
            Some(("foranyvalue", rest)) => (Some(Quantifier::Any), rest),
            Some(_) => return None,
            None => (None, name.as_str()),
        };
        let if_exists = name.strip_suffix("ifexists");
        let wanted = if_exists.unwrap_or(name);
        let (_, base) = OPERATORS.iter().find(|(known, _)| *known == wanted)?;
        let if_exists = if_exists.is_some();
        (!(if_exists && *base == Base::Null)).then_some(Operator {
            base: *base,
            quantifier,
            if_exists,
        })
    }

    /// As [`parse`](Operator::parse), but also reads the misspelled `ForAnyValuesStringLike`: AWS
    /// refuses it, and yet it is plain what its author wants to limit.
    fn parse_leniently(name: &str) -> Option<Operator> {
        let repaired = |wrong: &str, right: &str| {
            let rest = name.to_ascii_lowercase().strip_prefix(wrong)?.to_owned();
            Operator::parse(&format!("{right}{}", rest.trim_start_matches(':')))
        };
        Operator::parse(name)
            .or_else(|| repaired("foranyvalues", "foranyvalue:"))
            .or_else(|| repaired("forallvalues", "forallvalues:"))
    }

    /// Whether it passes on a request that does not have the key.
    #[must_use]
    pub fn passes_when_absent(self) -> bool {
        self.if_exists
            || self.quantifier == Some(Quantifier::All)
            || matches!(self.base, Base::Negated | Base::NotIp)
    }
}

impl Condition {
    /// All conditions of a `Condition` element. What is no condition is left out, so that it limits
    /// nobody.
    #[must_use]
    pub fn all_of(element: Option<&Value>) -> Vec<Condition> {
        let operators = element.and_then(Value::as_object).into_iter().flatten();
        let keys = operators.flat_map(|(name, keys)| {
            let operator = Operator::parse_leniently(name);
            let keys = keys.as_object().into_iter().flatten();
            keys.map(move |(key, values)| (operator, key, values))
        });
        keys.map(|(operator, key, values)| Condition {
            operator,
            key: key.to_ascii_lowercase(),
            values: entries(Some(values)).into_iter().map(text_of).collect(),
        })
        .collect()
    }

    /// Whether it demands that its key is there.
    fn demands_presence(&self) -> bool {
        self.operator.is_some_and(|it| it.base == Base::Null)
            && !self.values.is_empty()
            && self.values.iter().all(|it| it.eq_ignore_ascii_case("false"))
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// How far each of these conditions, which hold together, limits who may call; those that do not
/// are left out.
#[must_use]
pub fn limits(conditions: &[Condition], allow: &Allow) -> Vec<Limit> {
    let is_demanded =
        |key: &str| conditions.iter().any(|it| it.key == key && it.demands_presence());
    conditions.iter().filter_map(|it| limit_of(it, is_demanded(&it.key), allow)).collect()
}

/// Whether an operator demands one of the values of its condition. `key_demanded`: another
/// condition demands that the key is there.
pub(crate) fn demands_value(operator: Operator, key_demanded: bool) -> bool {
    let compares =
        matches!(operator.base, Base::Equals | Base::Like | Base::Arn | Base::Bool | Base::Ip);
    compares && (key_demanded || !operator.passes_when_absent())
}

fn limit_of(condition: &Condition, key_demanded: bool, allow: &Allow) -> Option<Limit> {
    let operator = condition.operator.filter(|it| demands_value(*it, key_demanded))?;
    let subject = subject_of(&condition.key)?;
    // A switch is compared as a Boolean, an address as a block, all else as text.
    let fits = match subject {
        Subject::Switch => matches!(operator.base, Base::Bool | Base::Equals),
        Subject::Ip => operator.base != Base::Bool,
        _ => !matches!(operator.base, Base::Bool | Base::Ip),
    };
    if !fits {
        return None;
    }
    if subject == Subject::Ip {
        return ip_limit(&condition.values);
    }
    let is_text = subject == Subject::Arn && operator.base == Base::Like;
    if is_text && condition.values.iter().any(|it| hides_account(it)) {
        return None;
    }
    let limits = condition.values.iter().map(|it| value_limit(subject, &condition.key, it, allow));
    let limits: Vec<Limit> = limits.collect::<Option<_>>()?;
    // Any of the values suffices, so the weakest limit is the condition's.
    limits.into_iter().min_by_key(|it| match it {
        Limit::Outside(_) => 0,
        Limit::Unknown(_) => 1,
        Limit::Fixed(_) => 2,
        Limit::Inside(_) => 3,
    })
}

/// What a key identifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subject {
    Account,
    Arn,
    Organization,
    OrganizationPath,
    Vpc,
    Endpoint,
    Ip,
    UserId,
    /// True where the caller is of a limited kind.
    Switch,
    /// Anything fixed will do.
    Fixed,
}

fn subject_of(key: &str) -> Option<Subject> {
    Some(match key {
        "aws:principalaccount"
        | "aws:sourceaccount"
        | "aws:sourceowner"
        | "aws:vpceaccount"
        | "kms:calleraccount"
        | "s3:dataaccesspointaccount" => Subject::Account,
        "aws:principalarn"
        | "aws:sourcearn"
        | "aws:sourcevpcarn"
        | "ec2:sourceinstancearn"
        | "lambda:sourcefunctionarn"
        | "s3:dataaccesspointarn" => Subject::Arn,
        "aws:principalorgid" | "aws:sourceorgid" | "aws:vpceorgid" => Subject::Organization,
        "aws:principalorgpaths" | "aws:sourceorgpaths" | "aws:vpceorgpaths" => {
            Subject::OrganizationPath
        }
        "aws:sourcevpc" => Subject::Vpc,
        "aws:sourcevpce" => Subject::Endpoint,
        "aws:sourceip" => Subject::Ip,
        "aws:userid" => Subject::UserId,
        "aws:principalisawsservice" | "elasticfilesystem:accessedviamounttarget" => Subject::Switch,
        "aws:principalservicename"
        | "aws:principalservicenameslist"
        | "s3:x-amz-server-side-encryption-aws-kms-key-id" => Subject::Fixed,
        _ => return None,
    })
}

fn value_limit(subject: Subject, key: &str, value: &str, allow: &Allow) -> Option<Limit> {
    match subject {
        Subject::Account if value.eq_ignore_ascii_case("${aws:ResourceAccount}") => {
            Some(Limit::Inside("the owner's own account".to_owned()))
        }
        // Whether the owner's organization is among the allowed ones, the policy does not tell.
        Subject::Organization if value.eq_ignore_ascii_case("${aws:ResourceOrgID}") => {
            Some(Limit::Unknown("the owner's organization".to_owned()))
        }
        Subject::Switch => {
            value.eq_ignore_ascii_case("true").then(|| Limit::Fixed(format!("`{key}`")))
        }
        Subject::Arn => arn_limit(value, allow),
        Subject::OrganizationPath => org_path_limit(value, allow),
        Subject::UserId => user_id_limit(value, allow),
        _ if !is_fixed(value) => None,
        Subject::Account => Some(listed(allow.accounts.contains(value), "account", value)),
        Subject::Organization => Some(listed(allow.org_ids.contains(value), "organization", value)),
        Subject::Vpc => Some(network(&allow.vpcs, "VPC", value)),
        Subject::Endpoint => Some(network(&allow.vpc_endpoints, "VPC endpoint", value)),
        Subject::Fixed | Subject::Ip => Some(Limit::Fixed(format!("`{key}` `{value}`"))),
    }
}

fn listed(is_listed: bool, what: &str, value: &str) -> Limit {
    let text = format!("{what} `{value}`");
    if is_listed { Limit::Inside(text) } else { Limit::Outside(text) }
}

fn network(inside: &BTreeSet<String>, what: &str, id: &str) -> Limit {
    match inside.is_empty() {
        true => Limit::Fixed(format!("{what} `{id}`")),
        false => listed(inside.contains(id), what, id),
    }
}

/// No wildcard and no policy variable.
pub(crate) fn is_fixed(value: &str) -> bool {
    !value.is_empty() && !wildcard::is_pattern(value) && !value.contains("${")
}

/// An ARN limits to its account, whatever its name is. A bucket's ARN has none: it limits, but to
/// whom cannot be told ("The confused deputy problem", IAM user guide).
fn arn_limit(arn: &str, allow: &Allow) -> Option<Limit> {
    if allow.principals.iter().any(|it| wildcard::covers(it, arn, false)) {
        return Some(Limit::Inside(format!("`{arn}`")));
    }
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    match parts.as_slice() {
        ["arn", _, _, _, account, ..] if account.eq_ignore_ascii_case("${aws:ResourceAccount}") => {
            Some(Limit::Inside("the owner's own account".to_owned()))
        }
        ["arn", _, _, _, account, ..] if is_fixed(account) => {
            Some(listed(allow.accounts.contains(*account), "account", account))
        }
        ["arn", _, "s3", _, _, bucket] if is_fixed(bucket) => {
            Some(Limit::Unknown(format!("`{arn}`")))
        }
        ["arn", ..] => None,
        _ => is_fixed(arn).then(|| Limit::Unknown(format!("`{arn}`"))),
    }
}

/// Whether a `*` stands before the account of an ARN. `ArnLike` compares part by part; to
/// `StringLike` an ARN is a text, so `arn:aws:lambda:*:111122223333:*` also matches another
/// account's function of the name `111122223333`. ("ARN condition operators", IAM user guide.)
fn hides_account(arn: &str) -> bool {
    arn.starts_with("arn:") && arn.splitn(6, ':').take(4).any(|it| it.contains('*'))
}

/// Within an allowed organization, or at or below an allowed path. The root may be a wildcard: an
/// organization has one.
fn org_path_limit(path: &str, allow: &Allow) -> Option<Limit> {
    let organization = path.split('/').next().unwrap_or_default();
    if !is_fixed(organization) {
        return None;
    }
    let is_below = |allowed: &String| {
        let wanted = allowed.trim_end_matches('*').trim_end_matches('/').split('/');
        let mut given = path.split('/');
        wanted.enumerate().all(|(depth, wanted)| {
            given.next().is_some_and(|it| it == wanted || (depth == 1 && it == "*"))
        })
    };
    let is_inside = allow.org_ids.contains(organization) || allow.org_paths.iter().any(is_below);
    Some(listed(is_inside, "organization path", path))
}

/// `AIDA…` is a user, `AROA…:session` a role's session; the id before the colon identifies, and
/// belongs to an account that it does not tell. A number is the root user of that account.
fn user_id_limit(id: &str, allow: &Allow) -> Option<Limit> {
    let unique = id.split(':').next().unwrap_or_default();
    if !is_fixed(unique) {
        return None;
    }
    if unique.bytes().all(|it| it.is_ascii_digit()) {
        return Some(listed(allow.accounts.contains(unique), "account", unique));
    }
    let text = format!("the unique id `{unique}`");
    let is_inside = allow.principals.iter().any(|it| wildcard::covers(it, unique, false));
    Some(if is_inside { Limit::Inside(text) } else { Limit::Unknown(text) })
}

/// S3 calls a policy public whose blocks are broader than this; so does a union that is the world.
const BROAD_BELOW_BITS_V4: u8 = 8;
const BROAD_BELOW_BITS_V6: u8 = 32;
/// Unique local addresses (RFC 4193): private, though broader than the limit.
const PRIVATE_V6: &str = "fc00::/7";

fn ip_limit(values: &[String]) -> Option<Limit> {
    let private: CidrSet = PRIVATE_V6.parse::<Cidr>().into_iter().collect();
    let mut all = CidrSet::default();
    for value in values {
        let cidr = value.parse::<Cidr>().ok()?;
        let limit = match cidr.family() {
            Family::V4 => BROAD_BELOW_BITS_V4,
            Family::V6 => BROAD_BELOW_BITS_V6,
        };
        if cidr.prefix_len() < limit && !private.covers(cidr) {
            return None;
        }
        all.insert(cidr);
    }
    let is_limit = !all.is_empty() && !all.is_any_world();
    is_limit.then(|| Limit::Fixed(format!("addresses `{}`", values.join("`, `"))))
}
