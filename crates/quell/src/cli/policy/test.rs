//! `quell policy test`: the stories of policies' cases, told and compared; every clock's verdict.
//!
//! A case named `bad_…` must violate and one named `good_…` must not. Where a `story.snap` lies
//! beside the case, the story must be that one; `--update` writes it. The file has the head that
//! `insta` gives its snapshots, so the built-in library's own tests read the same files.
//!
//! What the event led to, a scan must find, and so must the gate: it is given infrastructure code
//! written out of the case's state. A clock that can say nothing of a case is named with its
//! reason.

use crate::cli::global::{Global, bad_policy};
use crate::exit::{CliError, Exit};
use crate::output::{Format, Out};
use quell_core::policy::{Policy, PolicyLimits};
use quell_core::report::shown::{lines, visible};
use quell_library::clocks::{self, Agreement, Clock};
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
    /// The clocks that judged it, and said the same.
    clocks: Vec<Clock>,
    /// The clocks that can say nothing of it, and why.
    silent: BTreeMap<Clock, String>,
}

impl Told {
    fn new(policy: &Policy, case: &str, told: Result<Agreement, String>) -> Told {
        let (agreement, problem) = match told {
            Ok(agreement) => (agreement, None),
            Err(problem) => (Agreement::default(), Some(problem)),
        };
        Told {
            policy: policy.id().to_owned(),
            case: case.to_owned(),
            passed: problem.is_none(),
            problem,
            clocks: agreement.clocks,
            silent: agreement.silent,
        }
    }

    /// Each reason of clocks to say nothing, once, in the order of their first clocks.
    fn silent_by_reason(&self) -> Vec<(&str, Vec<String>)> {
        let mut reasons: Vec<(&str, Vec<String>)> = Vec::new();
        for (clock, why) in &self.silent {
            match reasons.iter_mut().find(|(it, _)| it == why) {
                Some((_, clocks)) => clocks.push(clock.to_string()),
                None => reasons.push((why.as_str(), vec![clock.to_string()])),
            }
        }
        reasons
    }
}

/// Tells all stories.
pub fn run(args: &Args, global: &Global, out: &mut Out) -> Result<Exit, CliError> {
    let library = library(args, global)?;
    let mut all_passed = true;
    for (policy, folder) in library.policies().iter().zip(library.folders()) {
        for (name, case) in &folder.cases {
            let told = tell(args, &library, policy, folder, name, case)?;
            let told = Told::new(policy, name, told);
            all_passed &= told.passed;
            print(args.format, &told, out)?;
        }
        if folder.cases.is_empty() {
            all_passed = false;
            print(args.format, &Told::new(policy, "", Err("has no cases".to_owned())), out)?;
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
            let clocks: Vec<String> = told.clocks.iter().map(Clock::to_string).collect();
            let clocks = clocks.join(", ");
            writeln!(out, "ok      {} {} ({clocks})", visible(&told.policy), visible(&told.case))?;
            for (why, clocks) in told.silent_by_reason() {
                writeln!(out, "        not by {}: {}", clocks.join(", "), visible(why))?;
            }
            Ok(())
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

/// What the clocks say of a case, or what is wrong with it.
fn tell(
    args: &Args,
    library: &Library,
    policy: &Policy,
    folder: &PolicyFolder,
    name: &str,
    case: &Case,
) -> Result<Result<Agreement, String>, CliError> {
    let told = match story::tell(library, policy, &case.event, &case.state) {
        Ok(told) => told,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let expected = match name.split_once('_') {
        Some(("bad", _)) => true,
        Some(("good", _)) => false,
        _ => return Ok(Err("a case is named `bad_…` or `good_…`".to_owned())),
    };
    if told.violates != expected {
        let wanted = if expected { "a violation" } else { "no violation" };
        return Ok(Err(format!("{wanted} is expected, but:\n{told}")));
    }
    let agreement = clocks::judge(policy, case, &told);
    if args.folders.is_empty() || agreement.is_err() {
        return Ok(agreement);
    }
    let problem = compare(args.update, &story_file(folder, name), &told.text)?;
    Ok(problem.map_or(agreement, Err))
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
