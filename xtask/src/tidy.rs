//! `cargo xtask tidy`: every check that is no test.
//!
//! Our own checks come first: they read the repository once and take no time. Each is a pure
//! function from [`Repository`] to violations, listed in [`CHECKS`]. Then the tools: rustfmt, typos
//! (a wheel, fetched once) and clippy always, cargo-deny where it is installed (building it takes
//! minutes, so its absence is told, not punished). Last, the generated pages. All of it runs even
//! when something fails, so that one run shows everything there is to do.

mod dead_files;
mod functions;
mod layering;
mod objects;
mod policies;
mod repository;
mod text;

use std::process::Command;

use anyhow::{Result, ensure};
use camino::Utf8Path;
use testkit::Venv;

use crate::{
    codegen,
    run::{self, cargo},
    tidy::repository::{Repository, Violation},
    venv,
};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask tidy
  cargo xtask tidy --quick         rustfmt, spelling and our own checks: seconds
  cargo xtask tidy -p quell-core   these and clippy for one package

Every violation is printed as `path:line: message`. Our own rules are written in STYLE.md.")]
pub struct Arguments {
    /// Run only what compiles nothing: rustfmt, spelling and our own checks
    #[arg(long)]
    quick: bool,
    /// Run clippy on this package only (may be repeated), and leave the generated pages alone
    #[arg(short, long = "package", conflicts_with = "quick")]
    packages: Vec<String>,
}

/// The packages of this workspace.
const OUR_PACKAGES: [&str; 6] =
    ["event-pattern", "quell", "quell-core", "quell-library", "testkit", "xtask"];

/// `-D warnings`, in the words in which `cargo clippy` hands arguments to its driver.
const CLIPPY_ARGUMENTS: &str = "-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__";

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
    tidy &= spelling()?;
    tidy &= dependencies()?;
    if !arguments.quick {
        tidy &= clippy(&arguments.packages)?;
    }
    if !arguments.quick && arguments.packages.is_empty() {
        tidy &= generated_pages_are_fresh()?;
    }
    eprintln!("{}", if tidy { "tidy" } else { "not tidy: see above" });
    Ok(tidy)
}

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

fn spelling() -> Result<bool> {
    let typos = venv::prepared(&Venv::SPELLING)?.with_file_name("typos");
    run::succeeds(Command::new(typos).args(["--format", "brief"]).current_dir(run::root()?))
}

/// What cargo-deny says of our dependencies. Advisories are left out: they need the network and
/// change without us, so they are no matter of a commit.
fn dependencies() -> Result<bool> {
    if run::output(&mut cargo(&["deny", "--version"])?).is_err() {
        eprintln!("not checked: cargo-deny is not installed (`cargo install --locked cargo-deny`)");
        return Ok(true);
    }
    run::succeeds(&mut cargo(&["deny", "--offline", "check", "bans", "licenses", "sources"])?)
}

/// Clippy's lints come out of a build instead of `cargo clippy`, which is `cargo check` under the
/// same driver: a check cannot use what a build made of the dependencies, so it would compile the
/// AWS SDK a second time, which alone is a quarter of an hour on a cold machine. Our own crates are
/// compiled apart and unoptimised; nobody runs them.
fn clippy(packages: &[String]) -> Result<bool> {
    let mut build = cargo(&["build", "--release", "--all-targets", "--quiet", "--keep-going"])?;
    if packages.is_empty() {
        build.arg("--workspace");
    }
    build.args(packages.iter().flat_map(|it| ["--package", it]));
    for name in OUR_PACKAGES {
        let profile = format!("profile.release.package.{name}");
        build.args(["--config", &format!("{profile}.opt-level=0")]);
        build.args(["--config", &format!("{profile}.debug=false")]);
    }
    build.env("RUSTC_WORKSPACE_WRAPPER", "clippy-driver").env("CLIPPY_ARGS", CLIPPY_ARGUMENTS);
    run::succeeds(&mut build)
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
