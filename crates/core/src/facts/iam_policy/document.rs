//! The document as AWS accepts it.
//!
//! The rules are those of "Grammar of the IAM JSON policy language" in the IAM user guide and of
//! the pages about the single elements. Beyond the grammar, what IAM refuses by name is refused: an
//! action or condition key without a service prefix, an unknown condition operator, a value of
//! the wrong type for its operator, a resource that is no ARN (identity policies), a principal that
//! is none.
//!
//! Deliberately not checked: whether actions, condition keys and principals exist, and the size
//! quota of the place where a document is put (2,048 to 32,768 characters); AWS does that there.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::facts::iam_policy::Kind;
use crate::facts::iam_policy::condition::{Base, Operator};
use crate::facts::iam_policy::wildcard;
use crate::facts::net::cidr_set::Cidr;

/// The longest text that is read. No quota of AWS for customers' documents comes near it.
pub const DOCUMENT_BYTES_MAX: usize = 131_072;

/// Why AWS would refuse a document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// Longer than [`DOCUMENT_BYTES_MAX`].
    #[error("{bytes} bytes are more than {DOCUMENT_BYTES_MAX}")]
    TooLong {
        /// The length of the text.
        bytes: usize,
    },
    /// Not JSON, or an object with a key twice.
    #[error("not a JSON document: {0}")]
    Json(String),
    /// An element that breaks a rule.
    #[error("`{path}` {reason}")]
    Element {
        /// The JSON pointer to the element; `/` stands for the document.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// Reads a text. A key that occurs twice in one object is an error, since AWS refuses it and
/// parsers disagree on which one counts.
///
/// # Errors
///
/// [`DocumentError`] when the text is too long or not such JSON.
pub fn parse(text: &str) -> Result<Value, DocumentError> {
    if DOCUMENT_BYTES_MAX < text.len() {
        return Err(DocumentError::TooLong { bytes: text.len() });
    }
    let json = |it: serde_json::Error| DocumentError::Json(it.to_string());
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = UniqueKeys.deserialize(&mut deserializer).map_err(json)?;
    deserializer.end().map_err(json)?;
    Ok(value)
}

/// What a document of unknown origin is: with a principal a resource's or, where every action is
/// `sts:` and no resource is named, a role's trust policy; else an identity's.
#[must_use]
pub fn kind_of(document: &Value) -> Kind {
    let statements = entries(document.get("Statement"));
    let has = |names: &[&str]| {
        statements.iter().any(|it| names.iter().any(|name| it.get(*name).is_some()))
    };
    let is_sts = |it: &&Value| it.as_str().is_some_and(|it| it.starts_with("sts:"));
    let mut actions = statements.iter().flat_map(|it| entries(it.get("Action")));
    match has(&["Principal", "NotPrincipal"]) {
        false => Kind::Identity,
        true if has(&["Resource", "NotResource"]) => Kind::Resource,
        true if actions.all(|it| is_sts(&it)) => Kind::Trust,
        true => Kind::Resource,
    }
}

/// Whether AWS would accept the document in a place of this kind.
///
/// # Errors
///
/// The first [`DocumentError`], in the order of the elements.
pub fn validate(document: &Value, kind: Kind) -> Result<(), DocumentError> {
    let root = Place(String::new());
    let fields = root.object(document)?;
    root.only(fields, &["Version", "Id", "Statement"])?;
    match fields.get("Version") {
        None => {}
        Some(Value::String(it)) if it == "2012-10-17" || it == "2008-10-17" => {}
        Some(_) => return root.key("Version").bad("is neither 2012-10-17 nor 2008-10-17"),
    }
    if fields.get("Id").is_some_and(|it| !it.is_string()) {
        return root.key("Id").bad("is not a string");
    }
    let place = root.key("Statement");
    match fields.get("Statement") {
        None => return place.bad("is missing"),
        Some(single @ Value::Object(_)) => validate_statement(&place, single, kind)?,
        Some(Value::Array(list)) if list.is_empty() => return place.bad("is empty"),
        Some(Value::Array(list)) => {
            for (index, it) in list.iter().enumerate() {
                validate_statement(&place.key(&index.to_string()), it, kind)?;
            }
            unique_sids(&place, list, kind)?;
        }
        Some(_) => return place.bad("is neither an object nor a list"),
    }
    Ok(())
}

const STATEMENT_ELEMENTS: [&str; 9] = [
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
];

fn validate_statement(place: &Place, statement: &Value, kind: Kind) -> Result<(), DocumentError> {
    let fields = place.object(statement)?;
    place.only(fields, &STATEMENT_ELEMENTS)?;
    if let Some(sid) = fields.get("Sid") {
        validate_sid(&place.key("Sid"), sid, kind)?;
    }
    match fields.get("Effect").map(Value::as_str) {
        Some(Some("Allow" | "Deny")) => {}
        None => return place.key("Effect").bad("is missing"),
        Some(_) => return place.key("Effect").bad("is neither `Allow` nor `Deny`"),
    }
    match (place.one_of(fields, "Principal", "NotPrincipal")?, kind) {
        (Some((at, _)), Kind::Identity) => return at.bad("is not allowed in an identity policy"),
        (Some((at, principal)), _) => validate_principal(&at, principal)?,
        (None, Kind::Identity) => {}
        (None, _) => return place.key("Principal").bad("is missing"),
    }
    match place.one_of(fields, "Action", "NotAction")? {
        Some((at, actions)) => at.strings(actions, validate_action)?,
        None => return place.key("Action").bad("is missing"),
    }
    match (place.one_of(fields, "Resource", "NotResource")?, kind) {
        (Some((at, _)), Kind::Trust) => return at.bad("is not allowed in a trust policy"),
        (Some((at, resources)), Kind::Identity) => at.strings(resources, validate_arn)?,
        (Some((at, resources)), Kind::Resource) => at.strings(resources, validate_text)?,
        (None, Kind::Trust) => {}
        (None, Kind::Resource) if implies_its_resource(fields) => {}
        (None, _) => return place.key("Resource").bad("is missing"),
    }
    match fields.get("Condition") {
        Some(condition) => validate_condition(&place.key("Condition"), condition),
        None => Ok(()),
    }
}

/// Services whose policies name their resource by where they are put.
const RESOURCE_IMPLIED: [&str; 3] = ["ecr:", "ecr-public:", "elasticfilesystem:"];

fn implies_its_resource(statement: &Map<String, Value>) -> bool {
    let actions = entries(statement.get("Action").or_else(|| statement.get("NotAction")));
    let is_implied = |it: &str| RESOURCE_IMPLIED.iter().any(|service| it.starts_with(service));
    actions.iter().all(|it| it.as_str().is_some_and(is_implied))
}

/// IAM's own policies allow letters and digits; other services also spaces and more.
fn validate_sid(place: &Place, sid: &Value, kind: Kind) -> Result<(), DocumentError> {
    let Some(sid) = sid.as_str() else { return place.bad("is not a string") };
    if kind == Kind::Resource || sid.chars().all(|it| it.is_ascii_alphanumeric()) {
        return Ok(());
    }
    place.bad("has characters other than A-Z, a-z and 0-9")
}

fn unique_sids(place: &Place, list: &[Value], kind: Kind) -> Result<(), DocumentError> {
    if kind == Kind::Resource {
        return Ok(());
    }
    let mut seen = BTreeSet::new();
    for (index, statement) in list.iter().enumerate() {
        let sid = statement.get("Sid").and_then(Value::as_str).filter(|it| !it.is_empty());
        if sid.is_some_and(|it| !seen.insert(it)) {
            return place.key(&format!("{index}/Sid")).bad("is used by an earlier statement");
        }
    }
    Ok(())
}

fn validate_principal(place: &Place, principal: &Value) -> Result<(), DocumentError> {
    let fields = match principal {
        Value::String(it) if it == "*" => return Ok(()),
        Value::Object(fields) if !fields.is_empty() => fields,
        _ => return place.bad("is neither `*` nor an object of principals"),
    };
    for (kind, values) in fields {
        let check = match kind.as_str() {
            "AWS" => validate_aws_principal,
            "Service" | "Federated" => validate_name,
            "CanonicalUser" => validate_text,
            _ => return place.key(kind).bad("is not AWS, Service, Federated or CanonicalUser"),
        };
        place.key(kind).strings(values, check)?;
    }
    Ok(())
}

/// `*`, an account id, an ARN of IAM or STS, or the unique id of a principal that is gone.
fn validate_aws_principal(text: &str) -> Result<(), &'static str> {
    let is_account = |it: &str| it.len() == 12 && it.bytes().all(|it| it.is_ascii_digit());
    let is_unique_id = text.starts_with('A')
        && 16 <= text.len()
        && text.bytes().all(|it| it.is_ascii_uppercase() || it.is_ascii_digit());
    if text == "*" || is_account(text) || is_unique_id {
        return Ok(());
    }
    if wildcard::is_pattern(text) {
        return Err("has a wildcard inside a principal");
    }
    match text.splitn(6, ':').collect::<Vec<_>>().as_slice() {
        ["arn", partition, "iam" | "sts", "", account, name]
            if partition.starts_with("aws")
                && (is_account(account) || matches!(*account, "cloudfront" | "aws"))
                && !name.is_empty() =>
        {
            Ok(())
        }
        _ => Err("is no principal: an account id, an IAM or STS ARN, or a unique id"),
    }
}

fn validate_name(text: &str) -> Result<(), &'static str> {
    match text.is_empty() || text.contains(char::is_whitespace) {
        true => Err("is no service or identity provider"),
        false => Ok(()),
    }
}

fn validate_text(text: &str) -> Result<(), &'static str> {
    if text.is_empty() { Err("is empty") } else { Ok(()) }
}

/// `*` or `service:Action`, where wildcards may stand anywhere.
fn validate_action(text: &str) -> Result<(), &'static str> {
    let is_word = |it: &str| {
        let allowed = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '_' | '*' | '?');
        !it.is_empty() && it.chars().all(allowed)
    };
    match text.split_once(':') {
        Some((service, action)) if is_word(service) && is_word(action) => Ok(()),
        None if text == "*" => Ok(()),
        _ => Err("is not `service:Action`"),
    }
}

/// `*` or an ARN. A wildcard may stand for its end.
fn validate_arn(text: &str) -> Result<(), &'static str> {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let is_partition =
        |it: &str| it.starts_with("aws") || wildcard::is_pattern(it) || it.starts_with("${");
    match parts.as_slice() {
        ["*"] => Ok(()),
        ["arn", partition, _, _, _, _] if is_partition(partition) => Ok(()),
        ["arn", .., last] if last.contains('*') => Ok(()),
        _ => Err("is neither `*` nor an ARN"),
    }
}

fn validate_condition(place: &Place, condition: &Value) -> Result<(), DocumentError> {
    for (name, keys) in place.object(condition)? {
        let place = place.key(name);
        let Some(operator) = Operator::parse(name) else {
            return place.bad("is not a condition operator");
        };
        for (key, values) in place.object(keys)? {
            let place = place.key(key);
            let prefixed =
                key.split_once(':').is_some_and(|(it, name)| !it.is_empty() && !name.is_empty());
            if !prefixed {
                return place.bad("is a condition key without a service prefix");
            }
            let values = entries(Some(values));
            if values.is_empty() {
                return place.bad("is empty");
            }
            for value in values {
                validate_condition_value(&place, value, operator)?;
            }
        }
    }
    Ok(())
}

fn validate_condition_value(
    place: &Place,
    value: &Value,
    operator: Operator,
) -> Result<(), DocumentError> {
    let text = match value {
        Value::String(it) => it.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        _ => return place.bad("has a value that is no string, number or Boolean"),
    };
    // Of the typed operators only `Bool` takes a policy variable.
    let is_bool = ["true", "false"].iter().any(|it| text.eq_ignore_ascii_case(it))
        || (operator.base == Base::Bool && text.contains("${"));
    match operator.base {
        Base::Bool | Base::Null if !is_bool => place.bad("has a value that is not true or false"),
        Base::Numeric | Base::NotNumeric if text.parse::<f64>().is_err() => {
            place.bad("has a value that is no number")
        }
        Base::Date if !is_date(&text) => place.bad("has a value that is no date"),
        Base::Ip | Base::NotIp if text.parse::<Cidr>().is_err() => {
            place.bad("has a value that is no CIDR block")
        }
        _ => Ok(()),
    }
}

/// A W3C profile of ISO 8601, or seconds since the epoch.
fn is_date(text: &str) -> bool {
    let year = text.bytes().take(4).filter(u8::is_ascii_digit).count();
    let rest = |it: char| it.is_ascii_digit() || matches!(it, '-' | ':' | '+' | '.' | 'T' | 'Z');
    text.parse::<f64>().is_ok() || (year == 4 && text.chars().all(rest))
}

/// The entries of a list, or the value itself where there is no list.
pub(crate) fn entries(value: Option<&Value>) -> Vec<&Value> {
    match value {
        None => Vec::new(),
        Some(Value::Array(list)) => list.iter().collect(),
        Some(single) => vec![single],
    }
}

/// A place in the document, as a JSON pointer.
struct Place(String);

impl Place {
    fn key(&self, key: &str) -> Place {
        Place(format!("{}/{key}", self.0))
    }

    fn bad<T>(&self, reason: &str) -> Result<T, DocumentError> {
        let path = if self.0.is_empty() { "/".to_owned() } else { self.0.clone() };
        Err(DocumentError::Element { path, reason: reason.to_owned() })
    }

    fn object<'a>(&self, value: &'a Value) -> Result<&'a Map<String, Value>, DocumentError> {
        value.as_object().map_or_else(|| self.bad("is not an object"), Ok)
    }

    fn only(&self, fields: &Map<String, Value>, known: &[&str]) -> Result<(), DocumentError> {
        match fields.keys().find(|it| !known.contains(&it.as_str())) {
            Some(unknown) => self.key(unknown).bad("is not an element of a policy"),
            None => Ok(()),
        }
    }

    /// The one of two elements that is there; both is an error.
    fn one_of<'a>(
        &self,
        fields: &'a Map<String, Value>,
        one: &str,
        other: &str,
    ) -> Result<Option<(Place, &'a Value)>, DocumentError> {
        match (fields.get(one), fields.get(other)) {
            (Some(_), Some(_)) => self.key(other).bad(&format!("stands beside `{one}`")),
            (Some(value), None) => Ok(Some((self.key(one), value))),
            (None, Some(value)) => Ok(Some((self.key(other), value))),
            (None, None) => Ok(None),
        }
    }

    /// One string or a list of at least one, each of which passes the check.
    fn strings(
        &self,
        value: &Value,
        check: fn(&str) -> Result<(), &'static str>,
    ) -> Result<(), DocumentError> {
        let values = entries(Some(value));
        if values.is_empty() {
            return self.bad("is empty");
        }
        for value in values {
            let Some(text) = value.as_str() else { return self.bad("is not a string or a list") };
            if let Err(reason) = check(text) {
                return self.bad(&format!("has `{text}`, which {reason}"));
            }
        }
        Ok(())
    }
}

/// Builds a [`Value`] and refuses a key that an object has twice.
struct UniqueKeys;

impl<'de> DeserializeSeed<'de> for UniqueKeys {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for UniqueKeys {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, it: bool) -> Result<Value, E> {
        Ok(it.into())
    }

    fn visit_i64<E>(self, it: i64) -> Result<Value, E> {
        Ok(it.into())
    }

    fn visit_u64<E>(self, it: u64) -> Result<Value, E> {
        Ok(it.into())
    }

    fn visit_f64<E>(self, it: f64) -> Result<Value, E> {
        Ok(it.into())
    }

    fn visit_str<E>(self, it: &str) -> Result<Value, E> {
        Ok(it.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(UniqueKeys)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some(key) = object.next_key::<String>()? {
            if fields.contains_key(&key) {
                return Err(A::Error::custom(format!("`{key}` occurs twice in one object")));
            }
            fields.insert(key, object.next_value_seed(UniqueKeys)?);
        }
        Ok(Value::Object(fields))
    }
}
