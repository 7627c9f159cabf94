//! The third clock: what infrastructure code declares, before anything is deployed.
//!
//! Each language is read into the same [`Plan`]: Terraform's plan JSON, its source without a plan,
//! CloudFormation's templates. A [`Kind`](crate::resource::Kind) then makes of the declarations the
//! same [`State`](crate::resource::State) that a read produces, and the same `detect` judges it.
//!
//! A value that can't be known before deployment is *unknown*: `null` in [`Declared::properties`]
//! with its pointer in [`Declared::unknown`], never "absent".

pub mod terraform;
pub mod cloudformation;
pub mod hcl;
pub mod edit;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;

/// The languages of infrastructure code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// Terraform or OpenTofu: types such as `aws_s3_bucket`, the provider's attribute names.
    Terraform,
    /// CloudFormation (SAM and CDK end as it): types such as `AWS::S3::Bucket`.
    CloudFormation,
}

/// What one configuration declares.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plan {
    /// Every declared resource, and every read data source whose values others hold.
    pub declared: Vec<Declared>,
    /// The account it is planned for, where that is known.
    pub account: Option<String>,
    /// The default region it is planned for, where that is known.
    pub region: Option<String>,
    /// What could not be understood, without which the rest could be.
    pub notes: Vec<Note>,
}

/// One declared resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Declared {
    /// Whose names [`Declared::kind`] and [`Declared::properties`] are.
    pub language: Language,
    /// `aws_s3_bucket`, `awscc_s3_bucket`, `AWS::S3::Bucket`.
    pub kind: String,
    /// `module.logs.aws_s3_bucket.this["a"]`, or a template's logical id.
    pub address: String,
    /// What is declared, in the language's own names and shapes. Unknown values are `null`.
    pub properties: Value,
    /// JSON pointers (RFC 6901) into `properties` of the values that are unknown, whole subtrees
    /// included: `""` where nothing of it is known.
    pub unknown: BTreeSet<String>,
    /// By JSON pointer into `properties`: the addresses of the declarations that the value there is
    /// made of, known or not. What joins a bucket's policy to its bucket.
    pub references: BTreeMap<String, Vec<String>>,
    /// By JSON pointer into `properties`, for a text that is unknown because parts of it are: the
    /// JSON document it will hold, as far as that is known. A bucket's policy names the bucket's
    /// ARN, which nobody knows before deployment, and yet says who may read.
    pub drafts: BTreeMap<String, Draft>,
    /// What deploying does to it.
    pub intent: Intent,
    /// What there was before, where an existing thing is changed or deleted.
    pub before: Option<Value>,
    /// Where it is written, if that is known.
    pub at: Option<Place>,
    /// By JSON pointer into `properties`: where that property is written.
    pub places: BTreeMap<String, Place>,
}

/// A JSON document that will be a property's text, of which parts are unknown.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Draft {
    /// The document. Unknown values are `null`.
    pub document: Value,
    /// JSON pointers into `document` of the values that are unknown, whole subtrees included.
    pub unknown: BTreeSet<String>,
    /// By JSON pointer into `document`: the addresses of the declarations that a value is made of.
    pub references: BTreeMap<String, Vec<String>>,
}

/// What a declaration tells of one property.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Told<'a> {
    /// Nothing of it, or not enough, can be known before deployment.
    Unknown,
    /// It is not declared, or declared as null.
    Absent,
    /// What it is. Parts of it may be unknown; see [`Declared::is_whole`].
    Value(&'a Value),
}

impl<'a> Told<'a> {
    /// The value, where there is one.
    pub fn value(self) -> Option<&'a Value> {
        match self {
            Told::Value(it) => Some(it),
            Told::Unknown | Told::Absent => None,
        }
    }
}

impl Declared {
    /// What is declared at a JSON pointer.
    pub fn told(&self, pointer: &str) -> Told<'_> {
        if self.ends_in_unknown(pointer) {
            return Told::Unknown;
        }
        match self.properties.pointer(pointer) {
            None | Some(Value::Null) => Told::Absent,
            Some(it) => Told::Value(it),
        }
    }

    /// Whether everything at and below a JSON pointer is known.
    pub fn is_whole(&self, pointer: &str) -> bool {
        let below = |it: &String| it.strip_prefix(pointer).is_some_and(|it| it.starts_with('/'));
        !self.ends_in_unknown(pointer) && !self.unknown.iter().any(below)
    }

    /// The addresses of the declarations that a property is made of: those of the pointer itself,
    /// or of the nearest one above it that has some.
    pub fn referred(&self, pointer: &str) -> &[String] {
        let mut at = pointer;
        loop {
            match self.references.get(at) {
                Some(found) => return found,
                None => match at.rsplit_once('/') {
                    Some((above, _)) => at = above,
                    None => return &[],
                },
            }
        }
    }

    /// What it is after deployment; what it was, where that deletes it.
    pub fn last(&self) -> &Value {
        match (self.intent, &self.before) {
            (Intent::Delete, Some(before)) => before,
            _ => &self.properties,
        }
    }

    fn ends_in_unknown(&self, pointer: &str) -> bool {
        let mut at = pointer;
        loop {
            if self.unknown.contains(at) {
                return true;
            }
            match at.rsplit_once('/') {
                Some((above, _)) => at = above,
                None => return false,
            }
        }
    }
}

/// What deploying does to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    /// It does not exist yet, or is replaced. Source without a plan always says so.
    Create,
    /// It exists and is changed.
    Update,
    /// It exists and is deleted.
    Delete,
    /// It exists and stays as it is.
    Keep,
    /// A data source: it is read.
    Read,
}

/// A position in a source file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// The file as its user named it.
    pub file: String,
    /// Line, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1.
    pub column: usize,
}

/// Something that could not be understood; what hangs on it is unknown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    /// Where, if that is known.
    pub at: Option<Place>,
    /// What, in one sentence.
    pub problem: String,
}

/// Why a file is no plan that can be judged.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{file}{}: {problem}", position(*line, *column))]
pub struct PlanError {
    /// The file as its user named it.
    pub file: String,
    /// Line, counted from 1, where it is known.
    pub line: Option<usize>,
    /// Column in characters, counted from 1, where it is known.
    pub column: Option<usize>,
    /// What is wrong and, where there is something, what to do about it.
    pub problem: String,
}

fn position(line: Option<usize>, column: Option<usize>) -> String {
    let part = |it: Option<usize>| it.map(|it| format!(":{it}")).unwrap_or_default();
    part(line) + &part(column)
}
