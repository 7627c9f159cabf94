//! The four switches of a public access block, and the change that turns them on. The bucket's and
//! the account's block have the same form.

use quell_core::action::PlanError;
use quell_core::change::{Change, Facet};
use quell_core::facts::s3::PublicAccessBlock;
use quell_core::resource::State;
use serde_json::{Map, Value, json};

/// The property that holds a resource's own block.
pub const PROPERTY: &str = "PublicAccessBlockConfiguration";

/// The four switches, in the order of the API reference.
pub const FLAGS: [&str; 4] =
    ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"];

/// A block in CloudFormation's form. A switch that is not mentioned is off, in requests, in answers
/// and in CloudFormation alike.
pub fn property(flag: impl Fn(&str) -> Option<bool>) -> Value {
    FLAGS.iter().map(|it| ((*it).to_owned(), json!(flag(it).unwrap_or(false)))).collect()
}

/// A block as facts know it; `None` where it is unknown.
pub fn known(state: &State, name: &str) -> Option<PublicAccessBlock> {
    if state.unknown.contains(name) {
        return None;
    }
    Some(typed(state.properties.get(name).unwrap_or(&Value::Null)))
}

/// A block from CloudFormation's form; null is one that does not exist.
pub fn typed(block: &Value) -> PublicAccessBlock {
    let on = |it: &str| block.get(it).and_then(Value::as_bool).unwrap_or(false);
    PublicAccessBlock {
        block_public_acls: on("BlockPublicAcls"),
        ignore_public_acls: on("IgnorePublicAcls"),
        block_public_policy: on("BlockPublicPolicy"),
        restrict_public_buckets: on("RestrictPublicBuckets"),
    }
}

/// The change that turns on the switches that `params.flags` demands. The others stay as they are.
pub fn fix(action: &str, state: &State, params: &Value) -> Result<Option<Change>, PlanError> {
    if state.unknown.contains(PROPERTY) {
        return Err(PlanError::Unknown(PROPERTY.to_owned()));
    }
    let before = state.properties.get(PROPERTY);
    let mut after: Map<String, Value> = match property(|it| before?.get(it)?.as_bool()) {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    for flag in demanded(params)? {
        after.insert(flag.to_owned(), Value::Bool(true));
    }
    let facet = Facet::property(&format!("/{PROPERTY}"));
    let change = Change::fix(action, state, facet, Value::Object(after));
    Ok((change.before != change.after).then_some(change))
}

fn demanded(params: &Value) -> Result<Vec<&'static str>, PlanError> {
    let wrong = |problem: String| PlanError::Params { name: "flags".to_owned(), problem };
    let Some(Value::Array(list)) = params.get("flags") else {
        return Err(wrong("is not a list".to_owned()));
    };
    if list.is_empty() {
        return Err(wrong("demands nothing".to_owned()));
    }
    let known = |flag: &Value| FLAGS.into_iter().find(|it| flag.as_str() == Some(it));
    list.iter()
        .map(|it| known(it).ok_or_else(|| wrong(format!("`{it}` is none of {FLAGS:?}"))))
        .collect()
}
