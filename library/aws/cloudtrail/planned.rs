//! Trails in infrastructure code: one declaration each.

use super::management_events::{ADVANCED, BASIC};
use super::trail::TYPE;
use crate::aws::defaults;
use crate::aws::planned::{self, Draft, Property, Types, Whole, truth};
use quell_core::plan::{Declared, Plan, Told};
use quell_core::region::partition;
use quell_core::resource::Planned;
use serde_json::{Map, Value, json};

static TRAILS: Types =
    Types { whole: &["aws_cloudtrail", TYPE], names: &["/name", "/TrailName"], parts: &[] };

/// What a flag is called in Terraform. CloudFormation's names are the properties'.
pub(super) const TERRAFORM_FLAGS: [(&str, &str); 5] = [
    ("EnableLogFileValidation", "enable_log_file_validation"),
    ("IncludeGlobalServiceEvents", "include_global_service_events"),
    ("IsLogging", "enable_logging"),
    ("IsMultiRegionTrail", "is_multi_region_trail"),
    ("IsOrganizationTrail", "is_organization_trail"),
];

/// What a selector's member is called in Terraform.
pub(super) const TERRAFORM_MEMBERS: [(&str, &str); 15] = [
    ("read_write_type", "ReadWriteType"),
    ("include_management_events", "IncludeManagementEvents"),
    ("exclude_management_event_sources", "ExcludeManagementEventSources"),
    ("data_resource", "DataResources"),
    ("type", "Type"),
    ("values", "Values"),
    ("name", "Name"),
    ("field_selector", "FieldSelectors"),
    ("field", "Field"),
    ("equals", "Equals"),
    ("starts_with", "StartsWith"),
    ("ends_with", "EndsWith"),
    ("not_equals", "NotEquals"),
    ("not_starts_with", "NotStartsWith"),
    ("not_ends_with", "NotEndsWith"),
];

/// The trails that are declared.
pub fn trails(plan: &Plan) -> Vec<Planned> {
    planned::join(plan, &TRAILS).iter().filter_map(|it| trail(plan, it)).collect()
}

fn trail(plan: &Plan, whole: &Whole<'_>) -> Option<Planned> {
    let own = whole.own?;
    let is_terraform = own.kind == "aws_cloudtrail";
    let mut draft = Draft::default();
    for (name, default) in defaults::TRAIL_FLAGS {
        let in_terraform = TERRAFORM_FLAGS.iter().find(|(it, _)| *it == name).map(|(_, it)| it);
        let at = format!("/{}", in_terraform.filter(|_| is_terraform).copied().unwrap_or(name));
        let property = match own.told(&at) {
            Told::Value(it) => Property::Is(truth(it)),
            Told::Unknown => Property::Unknown,
            Told::Absent => Property::Default(json!(default)),
        };
        draft.set(name, property, Some((own, &at)));
    }
    for (name, in_terraform) in
        [("KMSKeyId", "kms_key_id"), ("S3BucketName", "s3_bucket_name"), ("TrailName", "name")]
    {
        let at = format!("/{}", if is_terraform { in_terraform } else { name });
        let property = match own.told(&at) {
            Told::Value(it) if *it == json!("") => Property::None,
            Told::Value(it) => Property::Is(it.clone()),
            Told::Unknown => Property::Unknown,
            Told::Absent => Property::None,
        };
        draft.set(name, property, Some((own, &at)));
    }
    for (name, in_terraform) in [(BASIC, "event_selector"), (ADVANCED, "advanced_event_selector")] {
        let at = format!("/{}", if is_terraform { in_terraform } else { name });
        draft.set(name, selectors(own, &at), Some((own, &at)));
    }
    let region = own.properties.get("region").and_then(Value::as_str);
    let name = whole.name(TRAILS.names);
    let mut resource = planned::reference(plan, TYPE, name, region);
    let (partition, account) = (partition(&resource.region), &resource.account);
    let (home, name) = (&resource.region, &resource.id);
    resource.id = format!("arn:{partition}:cloudtrail:{home}:{account}:trail/{name}");
    Some(draft.done(whole, resource))
}

/// A list of selectors in the API's names. What is unknown of one is no hole for certain.
fn selectors(own: &Declared, at: &str) -> Property {
    match own.told(at) {
        Told::Value(_) if !own.is_whole(at) => Property::Unknown,
        Told::Unknown => Property::Unknown,
        Told::Value(Value::Array(list)) if list.is_empty() => Property::None,
        Told::Value(it) => Property::Is(renamed(it)),
        Told::Absent => Property::None,
    }
}

/// Absent members are left out: Terraform writes them as null or empty.
fn renamed(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let name = |it: &str| {
                let known = TERRAFORM_MEMBERS.iter().find(|(terraform, _)| *terraform == it);
                known.map_or(it, |(_, it)| it).to_owned()
            };
            let is_given = |it: &Value| !it.is_null() && *it != json!("");
            let given = fields.iter().filter(|(_, it)| is_given(it));
            let one = |(key, it): (&String, &Value)| match name(key) {
                name if name == "IncludeManagementEvents" => (name, truth(it)),
                name => (name, renamed(it)),
            };
            given.map(one).collect::<Map<_, _>>().into()
        }
        Value::Array(list) => list.iter().map(renamed).collect(),
        other => other.clone(),
    }
}
