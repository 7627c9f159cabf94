//! `cargo xtask codegen`: the dictionary of calls that is built into the binary, and the reference
//! pages and the deployment, which the binary itself prints.
//!
//! What a page says lies beside the code that it describes; `quell docs KIND` prints the page, and
//! this command puts it in its place, or with `--check` compares. The dictionary comes out of the
//! service models in the Python environment of our tests' services.

use std::{fs, process::Command};

use anyhow::{Context, Result, ensure};
use camino::Utf8Path;
use testkit::Venv;

use crate::{run, venv};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask codegen           write the dictionary, docs/reference and deploy anew
  cargo xtask codegen --check   fail where a file is not as the binary prints it")]
pub struct Arguments {
    /// Change nothing; fail where a page is stale
    #[arg(long)]
    check: bool,
}

/// What `quell docs` is asked for, and where its answer lies.
const PAGES: [(&str, &str); 8] = [
    ("cli", "docs/reference/cli.md"),
    ("config", "docs/reference/config.md"),
    ("exit-codes", "docs/reference/exit-codes.md"),
    ("function", "docs/reference/function.md"),
    ("metrics", "docs/reference/metrics.md"),
    ("permissions", "docs/reference/permissions.md"),
    ("policies", "docs/reference/policies.md"),
    ("schema", "docs/reference/config.schema.json"),
];

/// What `quell deploy render` writes to, and checks.
const DEPLOY: [&str; 4] = ["deploy", "render", "--out", "deploy"];

/// What is made of the service models, and by what.
const DICTIONARY: &str = "library/aws/dictionary.json";
const DICTIONARY_MAKER: &str = include_str!("codegen/dictionary.py");

/// Writes the dictionary, the pages and the deployment, or says with `false` that a file is stale.
pub fn run(arguments: &Arguments) -> Result<bool> {
    if arguments.check {
        return check();
    }
    write(DICTIONARY, &dictionary(&venv::prepared(&Venv::SERVICES)?)?)?;
    let Some(quell) = run::quell()? else { return Ok(false) };
    write_pages(&quell)?;
    deploy(&quell, &[])
}

/// Names each page whose file differs from what the binary prints; `false` means there is one.
pub fn check() -> Result<bool> {
    let Some(quell) = run::quell()? else { return Ok(false) };
    let root = run::root()?;
    let mut fresh = dictionary_is_fresh()?;
    for (kind, path) in PAGES {
        if fs::read_to_string(root.join(path)).ok() != Some(page(&quell, kind)?) {
            println!("{path}:1: is not as `quell docs` prints it; run `cargo xtask codegen`");
            fresh = false;
        }
    }
    Ok(fresh & deploy(&quell, &["--check"])?)
}

/// Renders the deployment's generated files, or checks that they are fresh.
fn deploy(quell: &Utf8Path, arguments: &[&str]) -> Result<bool> {
    let mut command = Command::new(quell);
    command.args(DEPLOY).args(arguments).current_dir(run::root()?);
    // The policies that are built in, whatever the user's own configuration enables.
    run::succeeds(command.env_remove("QUELL_CONFIG"))
}

/// Compares the dictionary, where the models are there: installing them takes minutes, so that
/// their absence is told, not punished. CI has them from its last run of the tests.
fn dictionary_is_fresh() -> Result<bool> {
    let Ok(python) = Venv::SERVICES.python() else {
        eprintln!("not checked: {DICTIONARY} (`{}` installs its source)", Venv::SERVICES.prepare);
        return Ok(true);
    };
    let is_fresh =
        fs::read_to_string(run::root()?.join(DICTIONARY)).ok() == Some(dictionary(&python)?);
    if !is_fresh {
        println!("{DICTIONARY}:1: is not as the service models say; run `cargo xtask codegen`");
    }
    Ok(is_fresh)
}

fn dictionary(python: &Utf8Path) -> Result<String> {
    run::output(Command::new(python).args(["-c", DICTIONARY_MAKER]))
        .context("the dictionary cannot be made of the service models")
}

fn write_pages(quell: &Utf8Path) -> Result<()> {
    for (kind, path) in PAGES {
        write(path, &page(quell, kind)?)?;
    }
    Ok(())
}

fn write(path: &str, text: &str) -> Result<()> {
    let target = run::root()?.join(path);
    if let Some(folder) = target.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make `{folder}`"))?;
    }
    fs::write(&target, text).with_context(|| format!("cannot write `{target}`"))?;
    eprintln!("wrote {path}");
    Ok(())
}

/// What the binary prints for this kind of page.
fn page(quell: &Utf8Path, kind: &str) -> Result<String> {
    let page = run::output(Command::new(quell).args(["docs", kind]))
        .with_context(|| format!("`quell docs {kind}` is missing or fails"))?;
    ensure!(!page.trim().is_empty(), "`quell docs {kind}` prints nothing: it is not built yet");
    Ok(page)
}
