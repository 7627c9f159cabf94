//! Trails as infrastructure code.

use super::management_events::{ADVANCED, BASIC};
use super::planned::{TERRAFORM_FLAGS, TERRAFORM_MEMBERS};
use super::trail::{ArnParts, TYPE};
use crate::aws::defaults;
use crate::aws::written::tags;
use quell_core::plan::Language;
use quell_core::resource::{Declarations, State};
use serde_json::{Map, Value, json};

/// What is no flag, in Terraform.
const TERRAFORM_NAMES: [(&str, &str); 4] = [
    ("KMSKeyId", "kms_key_id"),
    ("S3BucketName", "s3_bucket_name"),
    (BASIC, "event_selector"),
    (ADVANCED, "advanced_event_selector"),
];

/// A trail.
pub fn trail(state: &State, language: Language) -> Declarations {
    let resource = &state.resource;
    let arn = ArnParts::of(&resource.id).ok_or("the trail has no ARN")?;
    if (arn.account, arn.region) != (resource.account.as_str(), resource.region.as_str()) {
        return Err("it is another account's, or at home in another region".to_owned());
    }
    let (mut flags, mut others) = (Map::new(), Map::new());
    for (name, _) in defaults::TRAIL_FLAGS {
        match state.properties.get(name) {
            Some(it) => flags.insert(name.to_owned(), it.clone()),
            None if state.unknown.contains(name) => None,
            None => return Err(format!("a trail that is written always has `{name}`")),
        };
    }
    for (name, _) in TERRAFORM_NAMES {
        others.extend(state.properties.get(name).map(|it| (name.to_owned(), it.clone())));
    }
    let tags = tags(state, language);
    let (kind, name) = match language {
        Language::Terraform => ("aws_cloudtrail", "name"),
        Language::CloudFormation => (TYPE, "TrailName"),
    };
    let mut trail = Map::from_iter([(name.to_owned(), json!(arn.name))]);
    match language {
        Language::CloudFormation => {
            trail.insert("Tags".to_owned(), tags);
            trail.extend(flags.into_iter().chain(others));
        }
        Language::Terraform => {
            trail.insert("tags".to_owned(), tags);
            let names = TERRAFORM_FLAGS.iter().chain(&TERRAFORM_NAMES);
            trail.extend(names.filter_map(|(name, it)| {
                let value = flags.get(*name).or_else(|| others.get(*name))?;
                Some(((*it).to_owned(), in_terraform(value)))
            }));
        }
    }
    Ok(vec![(kind, Value::Object(trail))])
}

/// Selectors in Terraform's names.
fn in_terraform(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let name = |it: &str| {
                let known = TERRAFORM_MEMBERS.iter().find(|(_, name)| *name == it);
                known.map_or(it, |(terraform, _)| terraform).to_owned()
            };
            fields.iter().map(|(key, it)| (name(key), in_terraform(it))).collect()
        }
        Value::Array(list) => list.iter().map(in_terraform).collect(),
        other => other.clone(),
    }
}
