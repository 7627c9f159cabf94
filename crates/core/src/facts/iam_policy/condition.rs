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
//!   (IPv4) or /32 (IPv6), alone or joined. ("The meaning of public", S3 user guide.) Wildcards
//!   count even under `StringEquals`, which takes them literally: no value that anybody has
//!   contains one.
//!
//! `NotIpAddress` leaves the rest of the world, and all VPC endpoints, whose calls have no
//! `aws:SourceIp`: even without `0.0.0.0/0` and `::/0` it admits everybody who has an endpoint.
//! Only where another condition demands the address is what it leaves looked at.
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
    /// `StringNotEquals`, with or without `IgnoreCase`.
    NotEquals,
    /// `StringNotLike`.
    NotLike,
    /// `ArnNotEquals` and `ArnNotLike`, which do the same.
    NotArn,
    /// `Numeric…`.
    Numeric,
    /// `NumericNotEquals`.
    NotNumeric,
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
    ("stringnotequals", Base::NotEquals),
    ("stringnotequalsignorecase", Base::NotEquals),
    ("stringnotlike", Base::NotLike),
    ("numericequals", Base::Numeric),
    ("numericnotequals", Base::NotNumeric),
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
    ("arnnotequals", Base::NotArn),
    ("arnnotlike", Base::NotArn),
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
            || matches!(
                self.base,
                Base::NotEquals | Base::NotLike | Base::NotArn | Base::NotNumeric | Base::NotIp
            )
    }

    /// The operator that holds exactly where this one does not, if that one demands the key.
    /// `ForAnyValue:` of a negation lets an absent key pass, and so has none.
    fn opposite(self) -> Option<Operator> {
        let base = match self.base {
            Base::NotEquals => Base::Equals,
            Base::NotLike => Base::Like,
            Base::NotArn => Base::Arn,
            Base::NotIp => Base::Ip,
            // The other value is demanded; absent, the key must have held.
            Base::Bool if self.if_exists => Base::Bool,
            _ => return None,
        };
        let quantifier = match self.quantifier {
            None => None,
            Some(Quantifier::All) => Some(Quantifier::Any),
            Some(Quantifier::Any) => return None,
        };
        Some(Operator { base, quantifier, if_exists: false })
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

    /// The condition that holds exactly where this one does not, if that one demands the key:
    /// what a request must have to pass a Deny because of this condition. `None` also where it is
    /// not sure: a variable that AWS cannot resolve voids the whole statement ("Policy elements:
    /// Variables and tags", IAM user guide), and a key of several values needs `ForAllValues:`.
    pub(crate) fn opposite(&self) -> Option<Condition> {
        let operator = self.operator?.opposite()?;
        let is_several = MULTIVALUED_KEYS.contains(&self.key.as_str());
        if (is_several && operator.quantifier.is_none()) || self.values.is_empty() {
            return None;
        }
        let resolved =
            |it: &String| !it.to_ascii_lowercase().replace(RESOLVED_ALWAYS, "").contains("${");
        if !self.values.iter().all(resolved) {
            return None;
        }
        let values = match operator.base {
            Base::Bool => vec![the_other_switch(&self.values)?.to_owned()],
            _ => self.values.clone(),
        };
        Some(Condition { operator: Some(operator), key: self.key.clone(), values })
    }

    /// Whether it demands that its key is there.
    fn demands_presence(&self) -> bool {
        self.operator.is_some_and(|it| it.base == Base::Null)
            && !self.values.is_empty()
            && self.values.iter().all(|it| it.eq_ignore_ascii_case("false"))
    }
}

/// Keys of which a request has several values.
const MULTIVALUED_KEYS: [&str; 4] = [
    "aws:principalorgpaths",
    "aws:principalservicenameslist",
    "aws:sourceorgpaths",
    "aws:vpceorgpaths",
];

/// The one variable that every request resolves, in lower case.
const RESOLVED_ALWAYS: &str = "${aws:resourceaccount}";

/// What a Boolean must be in order not to be any of these.
fn the_other_switch(values: &[String]) -> Option<&'static str> {
    let are_all = |wanted: &str| values.iter().all(|it| it.eq_ignore_ascii_case(wanted));
    match (are_all("false"), are_all("true")) {
        (true, _) => Some("true"),
        (_, true) => Some("false"),
        _ => None,
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
    let each = conditions.iter().filter_map(|it| limit_of(it, is_demanded(&it.key), allow));
    each.chain(addresses_left(conditions, is_demanded(SOURCE_IP))).collect()
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
        SOURCE_IP => Subject::Ip,
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

/// The caller's address. Absent where the call comes through a VPC endpoint, whosever it is.
const SOURCE_IP: &str = "aws:sourceip";

/// S3 calls a policy public whose blocks are broader than this.
const BROAD_BELOW_BITS_V4: u8 = 8;
const BROAD_BELOW_BITS_V6: u8 = 32;
/// So many of the broadest blocks are too much, too, whatever holes are between them. AWS documents
/// no such sum; it is ours.
const BROADEST_BLOCKS_MAX: u128 = 16;
/// Unique local addresses (RFC 4193): private, though broader than the limit.
const PRIVATE_V6: &str = "fc00::/7";

/// A limit to these blocks, unless one of them, or what they are together, is too broad.
pub(crate) fn ip_limit(values: &[String]) -> Option<Limit> {
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
    let is_limit = !all.is_empty() && !is_broad(&all);
    is_limit.then(|| Limit::Fixed(format!("addresses `{}`", values.join("`, `"))))
}

/// Whether the addresses that packets from the internet come from are more in a row than the
/// broadest block holds, or too many in all: cutting a broad block to pieces makes no difference.
fn is_broad(set: &CidrSet) -> bool {
    let public = set.internet();
    let families =
        [(Family::V4, 32 - BROAD_BELOW_BITS_V4), (Family::V6, 128 - BROAD_BELOW_BITS_V6)];
    families.iter().any(|(family, host_bits)| {
        let broadest = 1_u128 << host_bits;
        let lengths = public.run_lengths(*family);
        let total = lengths.iter().fold(0_u128, |sum, it| sum.saturating_add(*it));
        lengths.iter().any(|it| broadest < *it)
            || broadest.saturating_mul(BROADEST_BLOCKS_MAX) < total
    })
}

/// What `NotIpAddress` leaves where the address must be there. Where it need not, every VPC
/// endpoint passes, and `NotIpAddress` limits nobody.
fn addresses_left(conditions: &[Condition], is_demanded: bool) -> Option<Limit> {
    let on_address = |base: Base| {
        conditions.iter().filter(move |it| {
            let is_plain = |it: Operator| it.base == base && it.quantifier.is_none();
            it.key == SOURCE_IP && it.operator.is_some_and(is_plain)
        })
    };
    let is_there =
        |it: &Condition| it.operator.is_some_and(|operator| demands_value(operator, false));
    let excepts = on_address(Base::NotIp).next().is_some();
    if !excepts || !(is_demanded || on_address(Base::Ip).any(is_there)) {
        return None;
    }
    // A list that cannot be read narrows nothing.
    let blocks = |it: &Condition| -> Option<CidrSet> {
        it.values.iter().map(|it| it.parse::<Cidr>().ok()).collect()
    };
    let mut left = CidrSet::everything();
    for within in on_address(Base::Ip).filter_map(blocks) {
        left = left.intersection(&within);
    }
    for except in on_address(Base::NotIp).filter_map(blocks) {
        left = left.without(&except);
    }
    match (left.is_empty(), is_broad(&left)) {
        (true, _) => Some(Limit::Inside("no address at all".to_owned())),
        (false, true) => None,
        (false, false) => Some(Limit::Fixed("the few addresses that are left".to_owned())),
    }
}
