//! `quell policy new`: the folder of a new policy, complete from the first minute.
//!
//! The new policy asks for an `owner` tag, so it can be linted, tested and tried at once; what it
//! really shall ask for is written over that. Its cases start from a built-in policy's case of the
//! same resource type, so they are real events and real states, and its trigger names the calls of
//! that policy that lead to this type.

use crate::cli::global::Global;
use crate::exit::{CliError, Exit};
use crate::output::Out;
use camino::{Utf8Path, Utf8PathBuf};
use quell_core::policy::Policy;
use quell_core::resource::State;
use quell_library::Library;
use quell_library::aws::dictionary::{Call, DICTIONARY};
use quell_library::folder::Case;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;

/// `quell policy new`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The id: words in lower case, joined by dots, such as `acme.s3.owner_tag`
    id: String,
    /// The CloudFormation type of the resource that it judges
    #[arg(long, default_value = "AWS::S3::Bucket")]
    resource: String,
    /// The folder for private policies
    #[arg(long, default_value = "policies", value_name = "DIR")]
    dir: Utf8PathBuf,
}

const EXAMPLES: &str = "\
Examples:
  quell policy new acme.s3.owner_tag
  quell policy new acme.ec2.owner_tag --resource AWS::EC2::SecurityGroup --dir ./mine

The folder is DIR/acme/s3/owner_tag. Then: edit policy.rego, `quell policy lint DIR`,
`quell policy test DIR`, and use it with `--policies DIR`.";

/// Makes the folder.
pub fn run(args: &Args, global: &Global, out: &mut Out) -> Result<Exit, CliError> {
    check_id(&args.id)?;
    let library = Global::library(&global.acting_config()?)?;
    let (model, case) = model(&library, &args.resource)?;
    let folder = args.dir.join(args.id.replace('.', "/"));
    if folder.exists() {
        let error = CliError::usage(format!("`{folder}` is there already"));
        return Err(error.hint("choose another id, or remove the folder"));
    }
    let states = states(&case.state)?;
    write(&folder.join("policy.yaml"), &yaml(args, &trigger(args, model, case)?))?;
    write(&folder.join("policy.rego"), &rego(&args.id))?;
    for (name, state) in [("bad_no_owner", &states.0), ("good_owner", &states.1)] {
        let cases = folder.join("cases").join(name);
        write(&cases.join("event.json"), &case.event)?;
        write(&cases.join("state.json"), &format!("{state:#}\n"))?;
    }
    writeln!(out, "made {folder}")?;
    writeln!(out, "next: edit its files, then `quell policy lint {dir}`", dir = args.dir)?;
    writeln!(out, "      and `quell policy test {dir}`", dir = args.dir)?;
    Ok(Exit::Fine)
}

fn check_id(id: &str) -> Result<(), CliError> {
    let is_word = |it: &str| {
        it.starts_with(|it: char| it.is_ascii_lowercase())
            && it.chars().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_')
    };
    if id.split('.').count() < 3 || !id.split('.').all(is_word) {
        let error = CliError::usage(format!("`{id}` cannot be an id"));
        return Err(error.hint("three or more words in lower case, as in `acme.s3.owner_tag`"));
    }
    Ok(())
}

/// A built-in policy of the same resource type, and a case of it that its trigger matches.
fn model<'a>(library: &'a Library, kind: &str) -> Result<(&'a Policy, &'a Case), CliError> {
    let all = library.policies().iter().zip(library.folders());
    let about = |case: &Case| {
        let state = serde_json::from_str::<State>(&case.state);
        state.is_ok_and(|it| it.resource.kind == kind)
    };
    all.filter(|(policy, _)| policy.meta().judges(kind))
        .find_map(|(policy, folder)| {
            let mut bad = folder.cases.iter().filter(|(name, _)| name.starts_with("bad_"));
            bad.find(|(_, case)| about(case)).map(|(_, case)| (policy, case))
        })
        .ok_or_else(|| {
            let judged = library.policies().iter().flat_map(|it| it.meta().resources());
            let known: BTreeSet<&str> = judged.map(|(kind, _)| kind).collect();
            let known: Vec<&str> = known.into_iter().collect();
            CliError::usage(format!("no policy judges `{kind}` yet"))
                .hint(format!("choose one of {}", known.join(", ")))
        })
}

/// The same resource without and with an owner.
fn states(model: &str) -> Result<(Value, Value), CliError> {
    let mut without: Value = serde_json::from_str(model)
        .map_err(|it| CliError::bug("a built-in case is not readable").because(it))?;
    let mut with = without.clone();
    for (state, tags) in [(&mut without, json!({})), (&mut with, json!({ "owner": "team-web" }))] {
        if let Some(fields) = state.as_object_mut() {
            fields.insert("tags".to_owned(), tags);
        }
    }
    Ok((without, with))
}

/// What the case's event is, and which other calls of the model's trigger lead to the type; as the
/// YAML below `trigger`.
fn trigger(args: &Args, model: &Policy, case: &Case) -> Result<String, CliError> {
    let event: Value = serde_json::from_str(&case.event)
        .map_err(|it| CliError::bug("a built-in case is not readable").because(it))?;
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (source, own) = (text("/detail/eventSource"), text("/detail/eventName"));
    let is_of_type = |call: &Call<'_>| {
        let kind = quell_library::resource(&args.resource);
        call.source == source
            && kind
                .is_some_and(|it| call.events().iter().any(|event| !it.targets(event).is_empty()))
    };
    let names = model.meta().trigger.pointer("/detail/eventName").and_then(Value::as_array);
    let names = names.into_iter().flatten().filter_map(Value::as_str);
    let leads =
        |name: &&str| DICTIONARY.calls().filter(|it| it.name == *name).any(|it| is_of_type(&it));
    let names: BTreeSet<&str> = names.filter(leads).chain([own]).collect();
    let names: Vec<String> = names.into_iter().map(scalar).collect();
    Ok(format!(
        "  source: [{}]
  detail-type: [{}]
  detail:
    eventSource: [{}]
    eventName: [{}]",
        scalar(text("/source")),
        scalar(text("/detail-type")),
        scalar(source),
        names.join(", ")
    ))
}

/// A text in a list of YAML, in quotes where it is more than words.
fn scalar(text: &str) -> String {
    let is_plain = |it: char| it.is_ascii_alphanumeric() || matches!(it, '.' | ' ' | '_');
    let is_plain =
        text.starts_with(|it: char| it.is_ascii_alphabetic()) && text.chars().all(is_plain);
    if is_plain { text.to_owned() } else { Value::from(text).to_string() }
}

fn yaml(args: &Args, trigger: &str) -> String {
    format!(
        "\
id: {id}
title: A resource has no owner
description: |
  Whoever must be asked about a resource is named by its `owner` tag. (Say here what the risk is,
  what is checked, and what is deliberately not.)
severity: low
resource: {resource}
# Top-level properties that the verdict depends on; tags are always there.
reads: []
# EventBridge's pattern language; try it with `quell pattern test`.
trigger:
{trigger}
# The most that this policy may ever do: observe, notify, approve or enforce. Without a
# `remediation: {{action: …}}` people are only told.
highest_mode: notify
",
        id = args.id,
        resource = args.resource,
    )
}

fn rego(id: &str) -> String {
    format!(
        "\
package quell.{id}

# `element` is stable: the same violation has the same name whenever it is seen.
deny contains finding if {{
	not input.resource.tags.owner
	finding := {{
		\"element\": \"tag:owner\",
		\"reason\": sprintf(\"%s has no owner tag\", [input.resource.id]),
	}}
}}
"
    )
}

fn write(path: &Utf8Path, text: &str) -> Result<(), CliError> {
    let folder = path.parent().unwrap_or(Utf8Path::new("."));
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(path, text))
        .map_err(|it| CliError::outside(format!("cannot write `{path}`")).because(it))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_words_joined_by_dots() {
        assert!(check_id("acme.s3.owner_tag").is_ok());
        for bad in ["acme.s3", "acme.S3.x", "acme..x", "../x.y.z", "acme.s3.9x"] {
            assert!(check_id(bad).is_err(), "{bad}");
        }
    }
}
