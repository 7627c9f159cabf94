//! What the CDK writes: `cdk.out` with a `manifest.json` that names the templates.
//!
//! The caller loads the files. A manifest comes from a build, so the paths in it must stay within
//! its folder.
//!
//! Source: AWS CDK API reference, `cloud-assembly-schema`, `AssemblyManifest`.

use serde_json::Value;
use std::collections::BTreeMap;

use crate::plan::PlanError;

/// The name of a manifest's file.
pub const MANIFEST: &str = "manifest.json";
/// The largest manifest, in bytes.
pub const MANIFEST_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What a manifest names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Assembly {
    /// The stacks' templates, sorted by the artifact's id.
    pub templates: Vec<StackTemplate>,
    /// Folders within the manifest's, each with a `manifest.json` of its own: the CDK's stages.
    pub folders: Vec<String>,
}

/// A stack's template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackTemplate {
    /// The stack's name, such as `prod/Storage`.
    pub stack: String,
    /// The template's file within the manifest's folder.
    pub file: String,
    /// The account that it is for, unless it can be any.
    pub account: Option<String>,
    /// The region that it is for, unless it can be any.
    pub region: Option<String>,
    /// Values of its parameters.
    pub parameters: BTreeMap<String, String>,
}

/// Whether a text is a manifest of the CDK, told by its content.
pub fn is_manifest(text: &str) -> bool {
    let is_artifact = |it: &Value| {
        let kind = it.get("type").and_then(Value::as_str).unwrap_or_default();
        kind.starts_with("aws:cloudformation:") || kind.starts_with("cdk:")
    };
    text.len() <= MANIFEST_BYTES_MAX
        && text.contains("\"artifacts\"")
        && serde_json::from_str::<Value>(text).is_ok_and(|it| {
            let artifacts = it.get("artifacts").and_then(Value::as_object);
            it.get("version").is_some()
                && artifacts.is_some_and(|it| it.is_empty() || it.values().any(is_artifact))
        })
}

/// The templates that a manifest names; `file` is the manifest's name in errors.
///
/// # Errors
///
/// When it is no manifest, or a path in it leaves its folder.
pub fn templates(file: &str, text: &str) -> Result<Assembly, PlanError> {
    let refuse =
        |problem: String| PlanError { file: file.to_owned(), line: None, column: None, problem };
    if MANIFEST_BYTES_MAX < text.len() {
        return Err(refuse(format!("a manifest has at most {MANIFEST_BYTES_MAX} bytes")));
    }
    let manifest: Value = serde_json::from_str(text).map_err(|it| PlanError {
        file: file.to_owned(),
        line: Some(it.line()),
        column: Some(it.column()),
        problem: "this is no JSON".to_owned(),
    })?;
    let Some(artifacts) = manifest.get("artifacts").and_then(Value::as_object) else {
        return Err(refuse("the manifest has no `artifacts`".to_owned()));
    };
    let mut assembly = Assembly::default();
    for (id, artifact) in artifacts {
        let path = |key: &str| match property(artifact, key) {
            None => Err(refuse(format!("artifact `{id}` has no `{key}`"))),
            Some(path) if leaves_its_folder(path) => Err(refuse(format!(
                "`{key}` of artifact `{id}` leads out of the manifest's folder"
            ))),
            Some(path) => Ok(path.to_owned()),
        };
        match artifact.get("type").and_then(Value::as_str) {
            Some("aws:cloudformation:stack") => {
                let template = stack_template(id, artifact, path("templateFile")?);
                assembly.templates.push(template);
            }
            Some("cdk:cloud-assembly") => assembly.folders.push(path("directoryName")?),
            _ => {}
        }
    }
    Ok(assembly)
}

fn property<'v>(artifact: &'v Value, key: &str) -> Option<&'v str> {
    artifact.get("properties")?.get(key)?.as_str()
}

/// Whether a path is absolute, or goes up.
fn leaves_its_folder(path: &str) -> bool {
    let mut parts = path.split(['/', '\\']);
    path.is_empty()
        || path.starts_with(['/', '\\'])
        || path.contains(':')
        || parts.any(|it| it == "..")
}

fn stack_template(id: &str, artifact: &Value, file: String) -> StackTemplate {
    let name = artifact.get("displayName").and_then(Value::as_str);
    let environment = artifact.get("environment").and_then(Value::as_str);
    let target = environment.and_then(|it| it.strip_prefix("aws://")?.split_once('/'));
    let known = |it: &str| (!it.starts_with("unknown-")).then(|| it.to_owned());
    let parameters = artifact.get("properties").and_then(|it| it.get("parameters"));
    let values = parameters.and_then(Value::as_object).into_iter().flatten();
    StackTemplate {
        stack: name.or_else(|| property(artifact, "stackName")).unwrap_or(id).to_owned(),
        file,
        account: target.and_then(|it| known(it.0)),
        region: target.and_then(|it| known(it.1)),
        parameters: values
            .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
            .collect(),
    }
}
