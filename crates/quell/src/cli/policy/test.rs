//! `quell policy test`: the stories of policies' cases, told and compared.
//!
//! A case named `bad_…` must violate and one named `good_…` must not. Where a `story.snap` lies
//! beside the case, the story must be that one; `--update` writes it. The file has the head that
//! `insta` gives its snapshots, so the built-in library's own tests read the same files.

use crate::cli::global::{Global, bad_policy};
use crate::exit::{CliError, Exit};
use crate::output::{Format, Out};
use quell_core::policy::{Policy, PolicyLimits};
use quell_core::report::shown::{lines, visible};
use quell_library::folder::{self, Case, PolicyFolder};
use quell_library::{Library, story};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// `quell policy test`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Folders of policies; without one, the built-in policies and those of --policies
    folders: Vec<String>,
    /// Write the stories to disk instead of comparing them
    #[arg(long, requires = "folders")]
    update: bool,
    /// How to print the outcome
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

const EXAMPLES: &str = "\
Examples:
  quell policy test                     the built-in policies
  quell policy test ./mine              every policy below a folder
  quell policy test ./mine --update     write each case's story.snap, to be reviewed like code

Exit codes: 0 all cases pass, 1 one does not, 2 a policy does not load.";

/// The head of a story that no other test wrote before.
const HEAD: &str = "---\nsource: quell policy test\n---\n";

/// How one case went.
#[derive(Debug, Serialize)]
struct Told {
    policy: String,
    case: String,
    passed: bool,
    problem: Option<String>,
}

/// Tells all stories.
pub fn run(args: &Args, global: &Global, out: &mut Out) -> Result<Exit, CliError> {
    let library = library(args, global)?;
    let mut all_passed = true;
    for (policy, folder) in library.policies().iter().zip(library.folders()) {
        for (name, case) in &folder.cases {
            let problem = tell(args, &library, policy, folder, name, case)?;
            all_passed &= problem.is_none();
            let policy = policy.id().to_owned();
            let told = Told { policy, case: name.clone(), passed: problem.is_none(), problem };
            print(args.format, &told, out)?;
        }
        if folder.cases.is_empty() {
            all_passed = false;
            let (policy, problem) = (policy.id().to_owned(), Some("has no cases".to_owned()));
            print(args.format, &Told { policy, case: String::new(), passed: false, problem }, out)?;
        }
    }
    Ok(if all_passed { Exit::Fine } else { Exit::Findings })
}

/// The policies of the given folders alone: the built-in ones may lie among them.
fn library(args: &Args, global: &Global) -> Result<Library, CliError> {
    if args.folders.is_empty() {
        return Global::library(&global.acting_config()?);
    }
    let mut folders = Vec::new();
    for it in &args.folders {
        folders.extend(folder::from_disk(Path::new(it)).map_err(bad_policy)?);
    }
    Library::load(folders, &BTreeMap::new(), PolicyLimits::default()).map_err(bad_policy)
}

fn print(format: Format, told: &Told, out: &mut Out) -> io::Result<()> {
    match (format, &told.problem) {
        (Format::Json, _) => out.json_line(told),
        (Format::Text, None) => {
            writeln!(out, "ok      {} {}", visible(&told.policy), visible(&told.case))
        }
        (Format::Text, Some(problem)) => {
            writeln!(out, "FAILED  {} {}", visible(&told.policy), visible(&told.case))?;
            writeln!(out, "{}", lines(&indented(problem)))
        }
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|it| format!("    {it}\n")).collect::<String>().trim_end().to_owned()
}

/// What is wrong with a case, if anything.
fn tell(
    args: &Args,
    library: &Library,
    policy: &Policy,
    folder: &PolicyFolder,
    name: &str,
    case: &Case,
) -> Result<Option<String>, CliError> {
    let told = match story::tell(library, policy, &case.event, &case.state) {
        Ok(told) => told,
        Err(error) => return Ok(Some(error.to_string())),
    };
    let expected = match name.split_once('_') {
        Some(("bad", _)) => true,
        Some(("good", _)) => false,
        _ => return Ok(Some("a case is named `bad_…` or `good_…`".to_owned())),
    };
    if told.violates != expected {
        let wanted = if expected { "a violation" } else { "no violation" };
        return Ok(Some(format!("{wanted} is expected, but:\n{told}")));
    }
    if args.folders.is_empty() {
        return Ok(None);
    }
    compare(args.update, &story_file(folder, name), &told.text)
}

fn story_file(folder: &PolicyFolder, case: &str) -> PathBuf {
    Path::new(&folder.place).join("cases").join(case).join("story.snap")
}

fn compare(update: bool, path: &Path, told: &str) -> Result<Option<String>, CliError> {
    let shown = path.display();
    let failed = |verb: &str, it: io::Error| {
        CliError::outside(format!("cannot {verb} `{shown}`")).because(it)
    };
    let stored = match fs::read_to_string(path) {
        Ok(stored) => Some(stored),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(failed("read", error)),
    };
    let (head, story) = stored.as_deref().map_or((HEAD, ""), split_head);
    if story.trim_end() == told.trim_end() && stored.is_some() {
        return Ok(None);
    }
    if update {
        let text = format!("{head}{}\n", told.trim_end());
        fs::write(path, text).map_err(|it| failed("write", it))?;
        return Ok(None);
    }
    Ok(stored.is_some().then(|| {
        format!("the story is not that of `{shown}` (--update writes it):\n{}", diff(story, told))
    }))
}

/// The head that names the story's source, and the story.
fn split_head(stored: &str) -> (&str, &str) {
    let end = stored.strip_prefix("---\n").and_then(|it| it.find("\n---\n"));
    end.and_then(|end| stored.split_at_checked("---\n".len() + end + "\n---\n".len()))
        .unwrap_or(("", stored))
}

/// Both texts' lines: the equal ends once, the rest as `-` and `+`.
fn diff(old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) =
        (old.trim_end().lines().collect(), new.trim_end().lines().collect());
    let head = old.iter().zip(&new).take_while(|(left, right)| left == right).count();
    let tail = old.iter().skip(head).rev().zip(new.iter().skip(head).rev());
    let tail = tail.take_while(|(left, right)| left == right).count();
    let part = |sign: &str, lines: &[&str]| -> String {
        let middle = lines.iter().take(lines.len() - tail).skip(head);
        middle.map(|it| format!("{sign} {it}\n")).collect()
    };
    format!("{}{}", part("-", &old), part("+", &new))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_kept_apart_from_its_story() {
        let stored = "---\nsource: x\n---\nevent a\n---\nb";
        assert_eq!(split_head(stored), ("---\nsource: x\n---\n", "event a\n---\nb"));
        assert_eq!(split_head("event"), ("", "event"));
    }

    #[test]
    fn a_diff_shows_what_differs() {
        assert_eq!(diff("a\nb\nc", "a\nx\ny\nc"), "- b\n+ x\n+ y\n");
        assert_eq!(diff("a", "a\nb"), "+ b\n");
    }
}
