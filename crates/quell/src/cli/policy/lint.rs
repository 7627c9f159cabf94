//! `quell policy lint`: everything that is wrong with a policy's folder, not only the first thing.
//!
//! A rule is a function from a folder to problems, listed in [`RULES`]; those that need the
//! compiled policy run when it compiles. What a policy says about its cases is tested by `quell
//! policy test`.

mod near;
mod references;
mod triggers;

use crate::cli::global::Global;
use crate::exit::{CliError, Exit};
use crate::output::{Format, Out, count};
use quell_core::action::{ActionMeta, Reversibility};
use quell_core::policy::{Policy, PolicyLimits};
use quell_core::report::shown::{lines, visible};
use quell_core::resource::{Purpose, State, Trust};
use quell_library::folder::{self, PolicyFolder};
use references::{Reference, references};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// `quell policy lint`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Folders of policies; without one, the built-in policies and those of --policies
    folders: Vec<String>,
    /// How to print the problems
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

const EXAMPLES: &str = "\
Examples:
  quell policy lint                  the built-in policies
  quell policy lint ./mine           every policy below a folder

Exit codes: 0 nothing is wrong, 1 something is.";

/// One thing that is wrong.
#[derive(Debug, Serialize)]
struct Problem {
    policy: String,
    place: String,
    problem: String,
}

/// Checks all folders.
pub fn run(args: &Args, global: &Global, out: &mut Out) -> Result<Exit, CliError> {
    let mut problems = Vec::new();
    let folders = folders(args, global, &mut problems)?;
    for folder in &folders {
        problems.extend(lint(folder).into_iter().map(|problem| Problem {
            policy: folder.id.clone(),
            place: folder.place.clone(),
            problem,
        }));
    }
    let mut seen = BTreeSet::new();
    for twin in folders.iter().filter(|it| !seen.insert(&it.id)) {
        let problem = "another folder has the same id".to_owned();
        let (policy, place) = (twin.id.clone(), twin.place.clone());
        problems.push(Problem { policy, place, problem });
    }
    for it in &problems {
        match args.format {
            Format::Json => out.json_line(it)?,
            Format::Text => {
                let (policy, place) = (visible(&it.policy), visible(&it.place));
                writeln!(out, "{policy} ({place}): {}", lines(&it.problem))?;
            }
        }
    }
    if args.format == Format::Text {
        let policies = count(folders.len(), "policy", "policies");
        writeln!(out, "{policies}, {}", count(problems.len(), "problem", "problems"))?;
    }
    Ok(if problems.is_empty() { Exit::Fine } else { Exit::Findings })
}

/// The folders to check; one that cannot even be read is a problem itself.
fn folders(
    args: &Args,
    global: &Global,
    problems: &mut Vec<Problem>,
) -> Result<Vec<PolicyFolder>, CliError> {
    let mut folders = Vec::new();
    let mut places: Vec<PathBuf> = args.folders.iter().map(PathBuf::from).collect();
    if places.is_empty() {
        folders = folder::builtin()
            .map_err(|it| CliError::bug("the built-in policies cannot be read").because(it))?;
        places = global.acting_config()?.policies.folders;
    }
    for place in places {
        match folder::from_disk(&place) {
            Ok(found) => folders.extend(found),
            Err(error) => problems.push(Problem {
                policy: "not read".to_owned(),
                place: place.display().to_string(),
                problem: error.to_string(),
            }),
        }
    }
    Ok(folders)
}

/// Everything that is wrong with a folder.
fn lint(folder: &PolicyFolder) -> Vec<String> {
    let mut problems = cases(folder);
    match folder.compile(&BTreeMap::new(), PolicyLimits::default()) {
        Ok(policy) => problems.extend(RULES.iter().flat_map(|rule| rule(folder, &policy))),
        Err(error) => problems.push(error.to_string()),
    }
    problems
}

type Rule = fn(&PolicyFolder, &Policy) -> Vec<String>;

/// The rules that need the compiled policy.
const RULES: [Rule; 9] = [id, words, resource, action, trigger, reads, known, seen, violated];

/// One name everywhere: the folder's is the last part of the id.
fn id(folder: &PolicyFolder, policy: &Policy) -> Vec<String> {
    let name = Path::new(&folder.place).file_name().and_then(|it| it.to_str());
    let last = policy.id().rsplit('.').next();
    let parts = policy.id().split('.').count();
    let mut problems = Vec::new();
    if folder.place != "built in" && name != last {
        problems.push(format!("the folder is named `{}`, not as the id", name.unwrap_or("?")));
    }
    if parts < 3 {
        problems.push("the id has fewer than three parts, as in `aws.s3.bucket_name`".to_owned());
    }
    problems
}

fn words(_: &PolicyFolder, policy: &Policy) -> Vec<String> {
    let meta = policy.meta();
    [("title", &meta.title), ("description", &meta.description)]
        .iter()
        .filter(|(_, text)| text.trim().is_empty())
        .map(|(name, _)| format!("policy.yaml: `{name}` is empty"))
        .collect()
}

fn resource(_: &PolicyFolder, policy: &Policy) -> Vec<String> {
    let known: Vec<&str> = quell_library::resources().map(|it| it.meta().cloudformation).collect();
    let mut seen = BTreeSet::new();
    let problem = |kind: &str| {
        if !known.contains(&kind) {
            return Some(format!("no resource `{kind}` is known; there are {}", known.join(", ")));
        }
        (!seen.insert(kind.to_owned())).then(|| format!("resource `{kind}` is named twice"))
    };
    policy.meta().resources().map(|(kind, _)| kind).filter_map(problem).collect()
}

fn action(_: &PolicyFolder, policy: &Policy) -> Vec<String> {
    let fixes = policy.meta().resources().filter_map(|(kind, fix)| Some((kind, fix?)));
    fixes.flat_map(|(kind, fix)| action_on(kind, &fix.action)).collect()
}

fn action_on(kind: &str, name: &str) -> Vec<String> {
    let Some(action) = quell_library::action(name).map(|it| it.meta()) else {
        let fitting = quell_library::actions().filter(|it| it.meta().resource == kind);
        let fitting: Vec<&str> = fitting.map(|it| it.meta().name).collect();
        let fitting = fitting.join(", ");
        return vec![format!("no action `{name}` is known; on `{kind}` there are {fitting}")];
    };
    let mut problems = undeclared(action);
    if action.resource != kind {
        problems.push(format!("action `{name}` changes `{}`, not `{kind}`", action.resource));
    }
    problems
}

/// An action without permissions could not be granted least privilege.
fn undeclared(action: &ActionMeta) -> Vec<String> {
    let has = |purpose: Purpose| action.permissions.iter().any(|it| it.purpose == purpose);
    let mut problems = Vec::new();
    if !has(Purpose::Write) {
        problems.push(format!("action `{}` declares no permission to write", action.name));
    }
    if action.reversibility != Reversibility::None && !has(Purpose::Undo) {
        problems.push(format!("action `{}` declares no permission to undo", action.name));
    }
    problems
}

/// A trigger without event names would wake Quell for every call of a service; one that no event
/// fits, never.
fn trigger(_: &PolicyFolder, policy: &Policy) -> Vec<String> {
    let mut problems = triggers::problems(policy);
    if policy.trigger_event_names().is_empty() {
        problems.push("policy.yaml: `trigger` names no `detail.eventName`".to_owned());
    }
    problems
}

/// What the Rego looks at must be read: an unread property is unknown, and the verdict with it. Of
/// one that has a default, the policy itself says what its absence means.
fn reads(folder: &PolicyFolder, policy: &Policy) -> Vec<String> {
    let listed: BTreeSet<&str> = policy.meta().reads.iter().map(String::as_str).collect();
    let references = references(&folder.rego);
    let used = references.iter().filter(|it| !it.has_default);
    let used: BTreeSet<&str> = used.filter_map(Reference::property).collect();
    used.into_iter()
        .filter(|it| !listed.contains(it))
        .map(|it| format!("policy.rego looks at `properties.{it}`, which `reads` does not list"))
        .collect()
}

/// What there is not is undefined, and a rule that hangs on it is silent for ever.
fn known(folder: &PolicyFolder, policy: &Policy) -> Vec<String> {
    let kinds: Vec<&str> = policy.meta().resources().map(|(kind, _)| kind).collect();
    let resources = kinds.iter().filter_map(|it| quell_library::resource(it));
    let properties: Vec<&str> = resources.flat_map(|it| it.meta().properties).copied().collect();
    let params: Vec<&str> = policy.meta().params.keys().map(String::as_str).collect();
    let facts = facts(folder, &kinds);
    let facts: Option<Vec<&str>> = facts.as_ref().map(|it| it.iter().map(String::as_str).collect());
    let kinds = kinds.join(" or ");
    let mut problems = Vec::new();
    let mut told = BTreeSet::new();
    let mut check = |place: String, (what, of): (&str, &str), name: &str, known: &[&str]| {
        if !known.contains(&name) && told.insert(format!("{what} {of} {name}")) {
            let instead = near::instead(name, known.iter().copied());
            problems.push(format!("{place}: there is no {what} `{name}` {of}{instead}"));
        }
    };
    let of = format!("of {kinds}");
    for Reference { line, path, .. } in references(&folder.rego) {
        let place = format!("policy.rego:{line}");
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        match (path.as_slice(), &facts) {
            (["input", "resource", "properties", name, ..], _) if !properties.is_empty() => {
                check(place, ("property", &of), name, &properties);
            }
            (["input", "resource", "facts", name, ..], Some(facts)) => {
                check(place, ("fact", &of), name, facts);
            }
            (["input", "resource", name, ..], _) => {
                check(place, ("part", "of `input.resource`"), name, RESOURCE);
            }
            (["input", "params", name, ..], _) => {
                check(place, ("parameter", "in policy.yaml"), name, &params);
            }
            (["input", name, ..], _) => check(place, ("part", "of `input`"), name, INPUT),
            _ => {}
        }
    }
    for name in policy.meta().reads.iter().filter(|_| !properties.is_empty()) {
        check("policy.yaml, `reads`".to_owned(), ("property", &of), name, &properties);
    }
    problems
}

/// What a policy's input holds.
const INPUT: &[&str] = &["event", "params", "resource"];
/// What its resource holds: see [`State::input`].
const RESOURCE: &[&str] =
    &["account", "facts", "id", "properties", "region", "tags", "type", "unknown"];

/// The names of the facts of these types, as the cases' states have them; `None` where a type has
/// no case: then nothing is known of its facts.
fn facts(folder: &PolicyFolder, kinds: &[&str]) -> Option<BTreeSet<String>> {
    let states = states(folder);
    let mut names = BTreeSet::new();
    for kind in kinds {
        let resource = quell_library::resource(kind)?;
        let mut of_kind = states.iter().filter(|it| it.resource.kind == *kind).peekable();
        of_kind.peek()?;
        for state in of_kind {
            let facts = resource.facts(state, &Trust::default());
            names.extend(facts.as_object().into_iter().flat_map(|it| it.keys().cloned()));
        }
    }
    Some(names)
}

fn states(folder: &PolicyFolder) -> Vec<State> {
    folder.cases.values().filter_map(|it| serde_json::from_str(&it.state).ok()).collect()
}

/// A property that no case has is misspelled, or its verdict is never tried.
fn seen(folder: &PolicyFolder, policy: &Policy) -> Vec<String> {
    let states = states(folder);
    let has = |state: &State, name: &str| {
        state.properties.get(name).is_some() || state.unknown.contains(name)
    };
    let reads = policy.meta().reads.iter();
    reads
        .filter(|name| !states.iter().any(|it| has(it, name)))
        .map(|it| format!("policy.yaml: `reads` lists `{it}`, which no case has"))
        .collect()
}

/// A type that no case violates by is not known to be judged, the further ones as little as the
/// main one.
fn violated(folder: &PolicyFolder, policy: &Policy) -> Vec<String> {
    let bad = folder.cases.iter().filter(|(name, _)| name.starts_with("bad_"));
    let states = bad.filter_map(|(_, it)| serde_json::from_str::<State>(&it.state).ok());
    let kinds: BTreeSet<String> = states.map(|it| it.resource.kind).collect();
    if kinds.is_empty() {
        return vec![];
    }
    let without = policy.meta().resources().filter(|(kind, _)| !kinds.contains(*kind));
    without.map(|(kind, _)| format!("no case `cases/bad_…` is about a `{kind}`")).collect()
}

/// A policy without a violating and a compliant example is not known to work.
fn cases(folder: &PolicyFolder) -> Vec<String> {
    let mut problems = Vec::new();
    for kind in ["bad_", "good_"] {
        if !folder.cases.keys().any(|it| it.starts_with(kind)) {
            problems.push(format!("there is no case `cases/{kind}…`"));
        }
    }
    let other = folder.cases.keys().filter(|it| !it.starts_with("bad_"));
    for name in other.filter(|it| !it.starts_with("good_")) {
        problems.push(format!("`cases/{name}` is neither `bad_…` nor `good_…`"));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is wrong with a built-in policy in which one thing is written otherwise.
    #[track_caller]
    fn check(id: &str, from: &str, to: &str, expected: &[&str]) {
        let folders = folder::builtin().unwrap();
        let mut folder = folders.into_iter().find(|it| it.id == id).unwrap();
        assert!(folder.rego.contains(from), "{}", folder.rego);
        folder.rego = folder.rego.replacen(from, to, 1);
        let found = lint(&folder);
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.contains(expected), "{found}");
        }
    }

    #[test]
    fn what_there_is_not_is_told_with_the_nearest_name() {
        let block = "aws.s3.bucket_public_block";
        check(block, "flags", "flags", &[]);
        check(
            block,
            "input.params.flags",
            "input.params.flag",
            &["there is no parameter `flag` in policy.yaml; did you mean `flags`?"],
        );
        check(
            block,
            "\"PublicAccessBlockConfiguration\"",
            "\"PublicAccessBlocksConfiguration\"",
            &["policy.rego:3: there is no property `PublicAccessBlocksConfiguration` of \
                 AWS::S3::Bucket; did you mean `PublicAccessBlockConfiguration`?"],
        );
        check(
            "aws.s3.acl_public_grant",
            "in facts.grants",
            "in facts.grant",
            &["there is no fact `grant` of AWS::S3::Bucket; did you mean `grants`?"],
        );
        check(
            "aws.cloudtrail.trail_stopped",
            "input.resource.id",
            "input.resource.name",
            &["there is no part `name` of `input.resource`"],
        );
    }
}
