//! What a file holds, told by its content; Terraform's source by its name, as HCL looks like much
//! else.

use crate::exit::CliError;
use quell_core::plan::cloudformation::{self, cdk};
use quell_core::plan::terraform;
use std::ffi::OsStr;
use std::path::Path;

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// A plan of Terraform or OpenTofu, as JSON.
    TerraformPlan,
    /// A plan of Terraform or OpenTofu, as they keep it.
    TerraformPlanFile,
    /// A template of CloudFormation, as JSON or YAML.
    Template,
    /// What the CDK says of the templates that it wrote.
    Manifest,
}

/// The endings of files in a folder that are opened to see what they hold.
const CANDIDATES: [&str; 6] = ["json", "yaml", "yml", "template", "tfplan", "plan"];
/// The endings of Terraform's source. OpenTofu's own is told to be unread, not passed over.
const SOURCES: [&str; 4] = [".tf", ".tf.json", ".tofu", ".tofu.json"];
/// Keys of a plan that no other document has.
const PLAN_KEYS: [&str; 3] =
    ["\"planned_values\"", "\"resource_changes\"", "\"terraform_version\""];

/// Whether a file of a folder is opened to see what it holds.
pub fn may_be_one(file: &Path) -> bool {
    file.extension().is_some_and(|it| CANDIDATES.iter().any(|of| it.eq_ignore_ascii_case(of)))
}

/// What a document holds; `None` where it is nothing that we know. What is cut off or broken is
/// meant as something: its reader tells where it ends.
pub fn of(document: &[u8]) -> Option<Content> {
    // A ZIP archive: what `terraform plan -out` writes.
    if document.starts_with(b"PK\x03\x04") {
        return Some(Content::TerraformPlanFile);
    }
    if document.starts_with(&[0xFF, 0xFE]) || document.starts_with(&[0xFE, 0xFF]) {
        return Some(Content::TerraformPlan);
    }
    let document = unmarked(document);
    if terraform::is_plan(document) {
        return Some(Content::TerraformPlan);
    }
    let text = String::from_utf8_lossy(document);
    if cdk::is_manifest(&text) {
        return Some(Content::Manifest);
    }
    if cloudformation::is_template(&text) {
        return Some(Content::Template);
    }
    let is_json = text.trim_start().starts_with('{');
    let is_plan = is_json && PLAN_KEYS.iter().any(|it| text.contains(it));
    is_plan.then_some(Content::TerraformPlan)
}

/// Whether a file is Terraform's source.
pub fn is_source(file: &Path) -> bool {
    let name = file.file_name().and_then(OsStr::to_str).unwrap_or_default();
    SOURCES.iter().any(|it| name.ends_with(it))
}

/// A document without the mark that some editors write before it.
pub fn unmarked(document: &[u8]) -> &[u8] {
    document.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(document)
}

/// A document's text.
///
/// # Errors
///
/// Usage, where it is not UTF-8.
pub fn text<'a>(file: &str, document: &'a [u8]) -> Result<&'a str, CliError> {
    std::str::from_utf8(unmarked(document))
        .map_err(|it| CliError::usage(format!("`{file}` is not UTF-8")).because(it))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_told_by_what_is_there() {
        let bucket = r#""Resources": { "B": { "Type": "AWS::S3::Bucket""#;
        for (text, expected) in [
            ("{\"planned_values\": {}}", Some(Content::TerraformPlan)),
            ("{\"format_version\": \"9.0\"}", Some(Content::TerraformPlan)),
            ("\u{feff} {\"resource_changes\": []}", Some(Content::TerraformPlan)),
            ("{\"resource_changes\": [", Some(Content::TerraformPlan)),
            (&format!("{{ {bucket}"), Some(Content::Template)),
            (&format!("{{ {bucket} }} }} }}"), Some(Content::Template)),
            ("# a\nAWSTemplateFormatVersion: 2010-09-09\nResources:\n", Some(Content::Template)),
            ("{\"version\": \"36.0.0\", \"artifacts\": {}}", Some(Content::Manifest)),
            ("PK\u{3}\u{4}", Some(Content::TerraformPlanFile)),
            ("{\"name\": \"package\"}", None),
            ("{\"Resources\": {}}", None),
            ("- a\n- b\n", None),
            ("", None),
        ] {
            assert_eq!(of(text.as_bytes()), expected, "{text}");
        }
        assert_eq!(of(&[0xFF, 0xFE, b'{', 0]), Some(Content::TerraformPlan));
        assert!(is_source(Path::new("a/main.tf")) && is_source(Path::new("main.tf.json")));
        assert!(may_be_one(Path::new("a/Stack.YAML")) && !may_be_one(Path::new("yaml")));
        assert!(!is_source(Path::new("a/main.tf.bak")) && !is_source(Path::new("a/tf")));
    }
}
