//! `cargo xtask tidy`: every check that is no test.
//!
//! Our own checks come first: they read the repository once and take no time. Each is a pure
//! function from [`Repository`] to violations, listed in [`CHECKS`]. Then the tools: rustfmt and
//! clippy always, typos and cargo-deny where they are installed (building them takes minutes, so
//! their absence is told, not punished). Last, the generated pages. All of it runs even when
//! something fails, so that one run shows everything there is to do.

mod dead_files;
mod functions;
mod layering;
mod objects;
mod policies;
mod repository;
mod text;

use anyhow::{Result, ensure};
use camino::Utf8Path;

use crate::{
    codegen,
    run::{self, cargo},
    tidy::repository::{Repository, Violation},
};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask tidy
  cargo xtask tidy --quick   rustfmt and our own checks: seconds, nothing is built

Every violation is printed as `path:line: message`. Our own rules are written in STYLE.md.")]
pub struct Arguments {
    /// Run only what needs no build: rustfmt and our own checks
    #[arg(long)]
    quick: bool,
}

/// Our own checks.
const CHECKS: [fn(&Repository) -> Vec<Violation>; 9] = [
    dead_files::rust_files_are_reachable,
    functions::are_short,
    layering::core_uses_only_what_stands_above,
    objects::are_small,
    policies::are_complete,
    text::architecture_is_short,
    text::holds_no_machine_path,
    text::holds_no_unfinished_work,
    text::rust_lines_are_short,
];

/// Runs the checks; `false` means that one found something.
pub fn run(arguments: &Arguments) -> Result<bool> {
    let mut tidy = our_own_checks()?;
    tidy &= where_installed("typos-cli", &["typos"], &[])?;
    // Advisories need the network and change without us: they are no matter of a commit.
    let offline = ["--offline", "check", "bans", "licenses", "sources"];
    tidy &= where_installed("cargo-deny", &["cargo", "deny"], &offline)?;
    if !arguments.quick {
        tidy &= run::succeeds(&mut cargo(&CLIPPY)?)?;
        tidy &= generated_pages_are_fresh()?;
    }
    eprintln!("{}", if tidy { "tidy" } else { "not tidy: see above" });
    Ok(tidy)
}

const CLIPPY: [&str; 8] =
    ["clippy", "--release", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"];

/// Ours and rustfmt's, whose findings look alike.
fn our_own_checks() -> Result<bool> {
    let repository = Repository::read()?;
    let mut violations: Vec<Violation> =
        CHECKS.iter().flat_map(|check| check(&repository)).collect();
    violations.extend(rustfmt()?);
    violations.sort();
    for violation in &violations {
        println!("{violation}");
    }
    eprintln!("{} files, {} violations", repository.files.len(), violations.len());
    Ok(violations.is_empty())
}

/// The files that are not as rustfmt lays them out.
fn rustfmt() -> Result<Vec<Violation>> {
    let root = run::root()?;
    let listed = cargo(&["fmt", "--all", "--check", "--", "--files-with-diff"])?.output()?;
    let files = String::from_utf8_lossy(&listed.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&listed.stderr);
    ensure!(listed.status.success() || !files.is_empty(), "`cargo fmt` failed: {complaint}");
    let violation = |path: &str| {
        let path = Utf8Path::new(path);
        let path = path.strip_prefix(&root).unwrap_or(path);
        Violation::new(path, 1, "is not as rustfmt lays it out; run `cargo fmt --all`")
    };
    Ok(files.lines().map(violation).collect())
}

/// Runs a tool that not everybody has; its absence is printed and is no failure.
fn where_installed(package: &str, tool: &[&str], arguments: &[&str]) -> Result<bool> {
    let command = |arguments: &[&str]| {
        let mut command = std::process::Command::new(tool.first().unwrap_or(&package));
        command.args(tool.iter().skip(1)).args(arguments);
        command
    };
    if run::output(&mut command(&["--version"])).is_err() {
        eprintln!("not checked: {package} is not installed (`cargo install --locked {package}`)");
        return Ok(true);
    }
    run::succeeds(command(arguments).current_dir(run::root()?))
}

/// A page that cannot be made is a failure like a stale one, not the end of the run.
fn generated_pages_are_fresh() -> Result<bool> {
    match codegen::check() {
        Err(error) => {
            println!("docs/reference:1: cannot be checked: {error:#}");
            Ok(false)
        }
        fresh => fresh,
    }
}
