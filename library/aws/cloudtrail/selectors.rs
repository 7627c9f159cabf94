//! Event selectors: the shapes that a trail's selectors have.
//!
//! One shape serves the property (CloudFormation's `EventSelectors` and `AdvancedEventSelectors`),
//! the SDK and the audit event, whose keys are lower camel case. What a selector leaves out is
//! filled in with the default that the API documents, so that equal selectors are equal JSON.
//! Source: EventSelector, AdvancedEventSelector and AdvancedFieldSelector in the CloudTrail API
//! reference.

use aws_sdk_cloudtrail::error::BuildError;
use aws_sdk_cloudtrail::types;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A basic selector: management events, data events, or both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct EventSelector {
    /// Which calls, of management and data events alike.
    #[serde(default, alias = "readWriteType")]
    pub read_write_type: ReadWriteType,
    /// Whether management events are logged.
    #[serde(default = "yes", alias = "includeManagementEvents")]
    pub include_management_events: bool,
    /// Whose data events are logged.
    #[serde(default, alias = "dataResources")]
    pub data_resources: Vec<DataResource>,
    /// Services whose management events are left out, such as `kms.amazonaws.com`.
    #[serde(default, alias = "excludeManagementEventSources")]
    pub exclude_management_event_sources: Vec<String>,
}

/// Reads, writes or both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReadWriteType {
    /// Both.
    #[default]
    All,
    /// Calls that change nothing.
    ReadOnly,
    /// Calls that change something.
    WriteOnly,
}

/// Data events of one resource type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DataResource {
    /// Resource type, such as `AWS::S3::Object`.
    #[serde(alias = "type")]
    pub r#type: String,
    /// ARNs or ARN prefixes.
    #[serde(default, alias = "values")]
    pub values: Vec<String>,
}

/// An advanced selector: conditions that must all hold; `eventCategory` is always one of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AdvancedEventSelector {
    /// Its name.
    #[serde(default, alias = "name", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its conditions.
    #[serde(alias = "fieldSelectors")]
    pub field_selectors: Vec<FieldSelector>,
}

/// One condition of an advanced selector.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct FieldSelector {
    /// The field, such as `eventCategory`.
    #[serde(alias = "field")]
    pub field: String,
    /// One of these.
    #[serde(default, alias = "equals", skip_serializing_if = "Vec::is_empty")]
    pub equals: Vec<String>,
    /// A beginning.
    #[serde(default, alias = "startsWith", skip_serializing_if = "Vec::is_empty")]
    pub starts_with: Vec<String>,
    /// An end.
    #[serde(default, alias = "endsWith", skip_serializing_if = "Vec::is_empty")]
    pub ends_with: Vec<String>,
    /// None of these.
    #[serde(default, alias = "notEquals", skip_serializing_if = "Vec::is_empty")]
    pub not_equals: Vec<String>,
    /// No such beginning.
    #[serde(default, alias = "notStartsWith", skip_serializing_if = "Vec::is_empty")]
    pub not_starts_with: Vec<String>,
    /// No such end.
    #[serde(default, alias = "notEndsWith", skip_serializing_if = "Vec::is_empty")]
    pub not_ends_with: Vec<String>,
}

fn yes() -> bool {
    true
}

impl FieldSelector {
    /// The values of all its operators.
    pub fn values(&self) -> impl Iterator<Item = &String> {
        let lists = [
            &self.equals,
            &self.starts_with,
            &self.ends_with,
            &self.not_equals,
            &self.not_starts_with,
            &self.not_ends_with,
        ];
        lists.into_iter().flatten()
    }
}

impl EventSelector {
    /// A selector that the SDK read, as a property. A `ReadWriteType` that is none of ours stays in
    /// it as it came, so that the selector is not understood instead of taken for one of all.
    pub fn property(selector: &types::EventSelector) -> Value {
        let data_resource = |it: &types::DataResource| DataResource {
            r#type: it.r#type().unwrap_or_default().to_owned(),
            values: it.values().to_vec(),
        };
        let data_resources: Vec<_> = selector.data_resources().iter().map(data_resource).collect();
        json!({
            "ReadWriteType": selector.read_write_type().map_or("All", |it| it.as_str()),
            "IncludeManagementEvents": selector.include_management_events().unwrap_or(true),
            "DataResources": data_resources,
            "ExcludeManagementEventSources": selector.exclude_management_event_sources(),
        })
    }

    /// The selector for the SDK to write.
    pub fn to_sdk(&self) -> types::EventSelector {
        let data_resource = |it: &DataResource| {
            types::DataResource::builder()
                .r#type(&it.r#type)
                .set_values(Some(it.values.clone()))
                .build()
        };
        types::EventSelector::builder()
            .read_write_type(match self.read_write_type {
                ReadWriteType::All => types::ReadWriteType::All,
                ReadWriteType::ReadOnly => types::ReadWriteType::ReadOnly,
                ReadWriteType::WriteOnly => types::ReadWriteType::WriteOnly,
            })
            .include_management_events(self.include_management_events)
            .set_data_resources(Some(self.data_resources.iter().map(data_resource).collect()))
            .set_exclude_management_event_sources(Some(
                self.exclude_management_event_sources.clone(),
            ))
            .build()
    }
}

impl AdvancedEventSelector {
    /// A selector that the SDK read.
    pub fn from_sdk(selector: &types::AdvancedEventSelector) -> AdvancedEventSelector {
        AdvancedEventSelector {
            name: selector.name().map(str::to_owned),
            field_selectors: selector
                .field_selectors()
                .iter()
                .map(|it| FieldSelector {
                    field: it.field().to_owned(),
                    equals: it.equals().to_vec(),
                    starts_with: it.starts_with().to_vec(),
                    ends_with: it.ends_with().to_vec(),
                    not_equals: it.not_equals().to_vec(),
                    not_starts_with: it.not_starts_with().to_vec(),
                    not_ends_with: it.not_ends_with().to_vec(),
                })
                .collect(),
        }
    }

    /// The selector for the SDK to write.
    ///
    /// # Errors
    ///
    /// The SDK's, where it misses a required member.
    pub fn to_sdk(&self) -> Result<types::AdvancedEventSelector, BuildError> {
        let given = |it: &Vec<String>| (!it.is_empty()).then(|| it.clone());
        let mut builder = types::AdvancedEventSelector::builder().set_name(self.name.clone());
        for it in &self.field_selectors {
            let field = types::AdvancedFieldSelector::builder()
                .field(&it.field)
                .set_equals(given(&it.equals))
                .set_starts_with(given(&it.starts_with))
                .set_ends_with(given(&it.ends_with))
                .set_not_equals(given(&it.not_equals))
                .set_not_starts_with(given(&it.not_starts_with))
                .set_not_ends_with(given(&it.not_ends_with))
                .build()?;
            builder = builder.field_selectors(field);
        }
        builder.build()
    }
}
