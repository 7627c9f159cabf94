//! Files and folders of infrastructure code, told apart by their content, never by their name.
//!
//! [`read`] is the one place that knows which reader takes what.

use crate::cli::files;
use crate::exit::CliError;
use quell_core::plan::{Plan, PlanError, terraform};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::fs;
use std::path::{Path, PathBuf};

/// The most files of a folder that are looked at.
pub const FILES_MAX: usize = 10_000;
/// The deepest folder below one that is named, in levels.
pub const FOLDERS_DEEP_MAX: usize = 16;

/// One configuration.
#[derive(Debug)]
pub struct Input {
    /// The file or folder, as its user named it.
    pub file: String,
    /// What it declares.
    pub plan: Plan,
}

/// What the command line and the configuration add to the code.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// The account that is deployed to, where the code does not tell.
    pub account: Option<String>,
    /// The region, where the code does not tell.
    pub region: Option<String>,
}

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// A plan of Terraform or OpenTofu, as JSON.
    TerraformPlan,
    /// A plan of Terraform or OpenTofu, as they keep it.
    TerraformPlanFile,
    /// A template of CloudFormation, as JSON or YAML.
    Template,
    /// Source of Terraform or OpenTofu.
    TerraformSource,
}

/// Reads every file and folder that is named.
///
/// # Errors
///
/// Usage for what is no infrastructure code or is faulty, with file, line and column.
pub fn load(paths: &[String], context: &Context) -> Result<Vec<Input>, CliError> {
    let mut inputs = Vec::new();
    for path in paths {
        let folder = Path::new(path);
        if path != "-" && folder.is_dir() {
            inputs.extend(load_folder(path, folder, context)?);
            continue;
        }
        let document = document(path)?;
        let content = content(&document).or_else(|| named(folder));
        let Some(content) = content else { return Err(unknown(path)) };
        inputs.push(read(path, content, &document, context)?);
    }
    Ok(inputs)
}

/// Reads one document. The readers of other languages are called here.
fn read(
    file: &str,
    content: Content,
    document: &[u8],
    context: &Context,
) -> Result<Input, CliError> {
    let plan = match content {
        Content::TerraformPlan => terraform::read(file, document).map_err(faulty)?,
        Content::TerraformPlanFile => {
            return Err(CliError::usage(format!("`{file}` is a plan in Terraform's own format"))
                .hint("give the output of `terraform show -json PLAN`"));
        }
        Content::Template => return Err(not_yet(file, "CloudFormation templates")),
        Content::TerraformSource => return Err(not_yet(file, "Terraform source")),
    };
    Ok(Input { file: file.to_owned(), plan: complete(plan, context) })
}

/// Reads a folder: Terraform's source as one configuration, and every plan and template in it.
fn load_folder(name: &str, folder: &Path, context: &Context) -> Result<Vec<Input>, CliError> {
    let mut files = Vec::new();
    search(folder, FOLDERS_DEEP_MAX, &mut files)?;
    if files.iter().any(|it| named(it) == Some(Content::TerraformSource)) {
        return Err(not_yet(name, "Terraform source"));
    }
    let mut inputs = Vec::new();
    for file in files {
        let path = file.display().to_string();
        let is_candidate = file.extension().is_some_and(|it| CANDIDATES.iter().any(|of| *of == it));
        if !is_candidate {
            continue;
        }
        let document = document(&path)?;
        if let Some(content) = content(&document) {
            inputs.push(read(&path, content, &document, context)?);
        }
    }
    if inputs.is_empty() {
        return Err(unknown(name));
    }
    Ok(inputs)
}

/// The endings of files in a folder that are opened to see what they hold.
const CANDIDATES: [&str; 6] = ["json", "yaml", "yml", "template", "tfplan", "plan"];

fn search(folder: &Path, levels: usize, files: &mut Vec<PathBuf>) -> Result<(), CliError> {
    let failed = |it: std::io::Error| {
        CliError::outside(format!("cannot read `{}`", folder.display())).because(it)
    };
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        entries.push(entry.map_err(failed)?);
    }
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
        let kind = entry.file_type().map_err(failed)?;
        // A link may lead out of the folder, or back into it.
        if is_hidden || kind.is_symlink() {
            continue;
        }
        if kind.is_dir() {
            if let Some(levels) = levels.checked_sub(1) {
                search(&entry.path(), levels, files)?;
            }
        } else {
            files.push(entry.path());
        }
        if FILES_MAX < files.len() {
            let problem = format!("`{}` holds more than {FILES_MAX} files", folder.display());
            return Err(CliError::usage(problem).hint("name the files to judge"));
        }
    }
    Ok(())
}

/// What a document of JSON has at its top.
#[derive(Deserialize)]
struct Top {
    #[serde(rename = "AWSTemplateFormatVersion")]
    template: Option<IgnoredAny>,
    #[serde(rename = "Resources")]
    resources: Option<IgnoredAny>,
    format_version: Option<IgnoredAny>,
    planned_values: Option<IgnoredAny>,
    resource_changes: Option<IgnoredAny>,
}

/// What a document holds; `None` where it is nothing that we know.
fn content(document: &[u8]) -> Option<Content> {
    // A ZIP archive: what `terraform plan -out` writes.
    if document.starts_with(b"PK\x03\x04") {
        return Some(Content::TerraformPlanFile);
    }
    let is_utf16 = document.starts_with(&[0xFF, 0xFE]) || document.starts_with(&[0xFE, 0xFF]);
    let document = document.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(document);
    let first = document.iter().find(|it| !it.is_ascii_whitespace());
    if first == Some(&b'{') || is_utf16 {
        return match serde_json::from_slice::<Top>(document) {
            Ok(it) if it.template.is_some() || it.resources.is_some() => Some(Content::Template),
            Ok(it) => {
                let is_plan = it.planned_values.is_some() || it.resource_changes.is_some();
                (is_plan || it.format_version.is_some()).then_some(Content::TerraformPlan)
            }
            Err(_) if is_utf16 => Some(Content::TerraformPlan),
            // What is cut off or broken is told by its reader, with the position.
            Err(_) => broken(&String::from_utf8_lossy(document)),
        };
    }
    let text = std::str::from_utf8(document).ok()?;
    let is_top = |it: &str| it.starts_with("Resources:") || it.starts_with("AWSTemplateFormat");
    text.lines().any(is_top).then_some(Content::Template)
}

/// What a faulty document of JSON is meant as.
fn broken(text: &str) -> Option<Content> {
    let plan = ["\"planned_values\"", "\"resource_changes\"", "\"terraform_version\""];
    if plan.iter().any(|it| text.contains(it)) {
        return Some(Content::TerraformPlan);
    }
    text.contains("\"Resources\"").then_some(Content::Template)
}

/// What only a name tells: HCL looks like much else.
fn named(file: &Path) -> Option<Content> {
    let name = file.file_name()?.to_str()?;
    let is_source = name.ends_with(".tf") || name.ends_with(".tf.json") || name.ends_with(".tofu");
    is_source.then_some(Content::TerraformSource)
}

fn document(path: &str) -> Result<Vec<u8>, CliError> {
    files::bytes_within(path, terraform::PLAN_MAX_BYTES)
}

fn complete(mut plan: Plan, context: &Context) -> Plan {
    plan.account = plan.account.or_else(|| context.account.clone());
    plan.region = plan.region.or_else(|| context.region.clone());
    plan
}

fn faulty(error: PlanError) -> CliError {
    CliError::usage(format!("`{}` cannot be judged", error.file)).because(error)
}

fn unknown(path: &str) -> CliError {
    CliError::usage(format!("`{path}` is no infrastructure code that is known"))
        .hint("give the output of `terraform show -json PLAN`")
}

fn not_yet(path: &str, what: &str) -> CliError {
    CliError::usage(format!("`{path}`: {what} cannot be judged yet"))
        .hint("give the output of `terraform show -json PLAN`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_told_by_what_is_there() {
        for (text, expected) in [
            ("{\"planned_values\": {}}", Some(Content::TerraformPlan)),
            ("{\"format_version\": \"9.0\"}", Some(Content::TerraformPlan)),
            ("\u{feff} {\"resource_changes\": []}", Some(Content::TerraformPlan)),
            ("{\"resource_changes\": [", Some(Content::TerraformPlan)),
            ("{\"Resources\": {", Some(Content::Template)),
            ("{\"Resources\": {}}", Some(Content::Template)),
            ("# a\nAWSTemplateFormatVersion: 2010-09-09\nResources:\n", Some(Content::Template)),
            ("PK\u{3}\u{4}", Some(Content::TerraformPlanFile)),
            ("{\"name\": \"package\"}", None),
            ("- a\n- b\n", None),
            ("", None),
        ] {
            assert_eq!(content(text.as_bytes()), expected, "{text}");
        }
        assert_eq!(content(&[0xFF, 0xFE, b'{', 0]), Some(Content::TerraformPlan));
        assert_eq!(named(Path::new("a/main.tf")), Some(Content::TerraformSource));
    }
}
