//! `cargo xtask e2e NAME`: an end-to-end test that is too slow for `cargo xtask test`.
//!
//! Each is the test binary `e2e_NAME` of `crates/quell`; `loop` first proves that the emulator
//! itself works. They are always built with the other tests, and do their work only when
//! `QUELL_E2E` names them: see `testkit::e2e_opted_in`. `agree` is first an ordinary test of the
//! library over more cases.

mod deploy;

use std::env;

use anyhow::Result;
use clap::ValueEnum;
use testkit::{E2E_VARIABLE, Venv};

use crate::{run, venv};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask e2e loop
  cargo xtask e2e kill -- --nocapture
  cargo xtask e2e deploy
  PROPTEST_CASES=50000 cargo xtask e2e agree -- buckets

`deploy` and `agree` need `terraform` and the provider `hashicorp/aws`; QUELL_TERRAFORM_PLUGINS
names its folder. `deploy` builds the package first (`cargo xtask dist`).
`loop` needs Python 3.13 or newer (on the path or in pyenv); LocalEmu is installed once into the
cache folder.")]
pub struct Arguments {
    /// Which one
    name: Name,
    /// What to pass to the test binary
    #[arg(last = true)]
    test_arguments: Vec<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Name {
    /// LocalEmu: an AWS CLI call becomes an event, is healed, undone and audited
    Loop,
    /// ministack: `kill -9` at 50 random points of a run over 1,000 violations
    Kill,
    /// ministack: Terraform and CloudFormation deploy the function, it heals under its own role
    Deploy,
    /// Plan, source, template and read are judged alike, 10,000 times for each type; and on
    /// ministack, what Terraform plans and what applying it makes
    Agree,
}

/// How many configurations `agree` takes of each type, unless this variable is set.
const AGREE_CASES: &str = "10000";
const AGREE_CASES_VARIABLE: &str = "PROPTEST_CASES";

impl Name {
    /// As on the command line and in `QUELL_E2E`.
    fn as_str(self) -> &'static str {
        match self {
            Name::Loop => "loop",
            Name::Kill => "kill",
            Name::Deploy => "deploy",
            Name::Agree => "agree",
        }
    }

    /// The test binaries, as cargo is told to choose them: in the whole workspace, so that features
    /// are united as for all tests and nothing is built again.
    fn targets(self) -> &'static [&'static str] {
        match self {
            Name::Loop => &["--workspace", "--test", "localemu", "--test", "e2e_loop"],
            Name::Kill => &["--workspace", "--test", "e2e_kill"],
            Name::Deploy => &["--workspace", "--test", "e2e_deploy"],
            Name::Agree => &["--workspace", "--test", "planned_agree", "--test", "e2e_agree"],
        }
    }

    /// The Python environment that it needs.
    fn environment(self) -> &'static Venv {
        match self {
            Name::Loop => &Venv::LOCALEMU,
            Name::Kill | Name::Deploy | Name::Agree => &Venv::SERVICES,
        }
    }
}

/// Runs the test; `false` means that it failed.
pub fn run(arguments: &Arguments) -> Result<bool> {
    let name = arguments.name.as_str();
    let mut cargo = run::cargo(&["test", "--release"])?;
    cargo.args(arguments.name.targets()).arg("--").args(&arguments.test_arguments);
    if let Name::Deploy = arguments.name {
        let Some(zip) = deploy::zip()? else { return Ok(false) };
        cargo.env(deploy::ZIP_VARIABLE, zip);
    }
    let environment = arguments.name.environment();
    cargo.env(environment.variable, venv::prepared(environment)?);
    if let Name::Agree = arguments.name
        && env::var_os(AGREE_CASES_VARIABLE).is_none()
    {
        cargo.env(AGREE_CASES_VARIABLE, AGREE_CASES);
    }
    run::succeeds(cargo.env(E2E_VARIABLE, name))
}
