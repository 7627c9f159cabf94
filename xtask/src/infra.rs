//! `cargo xtask infra`: what checks our own Terraform and CloudFormation.
//!
//! Terraform's own words, two scanners, AWS' guard, and our rules in `policies/deploy` by Open
//! Policy Agent. Everything runs offline; Terraform and its provider must be on the machine, the
//! Python tools are installed once. Findings that we decline stand as comments with their reason
//! beside what they are about.

use std::{fs, process::Command};

use anyhow::{Context, Result};
use camino::{Utf8Path, Utf8PathBuf};
use clap::ValueEnum;
use testkit::{Ministack, Terraform, Venv};

use crate::{run, venv};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask infra                all of it
  cargo xtask infra rego checkov   some of it

Needs `terraform` and the provider `hashicorp/aws`; QUELL_TERRAFORM_PLUGINS names its folder.")]
pub struct Arguments {
    /// Which checks; by default all
    checks: Vec<Check>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Check {
    /// terraform fmt, validate and test
    Terraform,
    /// Our rules and their tests, over the templates and a plan of the single-account example
    Rego,
    /// checkov over modules and templates
    Checkov,
    /// cfn-lint over the templates
    CfnLint,
    /// cfn-guard over the templates
    CfnGuard,
}

const TERRAFORM: &str = "deploy/terraform/aws";
const TEMPLATES: [&str; 2] = ["deploy/cloudformation/hub.yaml", "deploy/cloudformation/spoke.yaml"];
/// cfn-lint cannot be run as a module, and scripts of the environment point to where it was built.
const CFN_LINT: &str = "import sys; from cfnlint.runner import main; sys.exit(main())";
const JUDGE: &str = "policies/deploy/judge.py";
/// Modules with tests, and what is only validated.
const TESTED: [&str; 2] = ["modules/hub", "modules/spoke"];
const VALIDATED: [&str; 4] =
    ["modules/ingress", "modules/trail", "examples/single-account", "examples/organization"];

/// Runs the checks; `false` means that one found something.
pub fn run(arguments: &Arguments) -> Result<bool> {
    let mut clean = true;
    for check in Check::value_variants() {
        if arguments.checks.is_empty() || arguments.checks.contains(check) {
            clean &= check.run()?;
        }
    }
    eprintln!("{}", if clean { "clean" } else { "not clean: see above" });
    Ok(clean)
}

impl Check {
    fn run(self) -> Result<bool> {
        match self {
            Check::Terraform => terraform(),
            Check::Rego => rego(),
            Check::Checkov => checkov(),
            Check::CfnLint => python(&["-c", CFN_LINT], &TEMPLATES),
            Check::CfnGuard => python(&["policies/deploy/guard.py"], &TEMPLATES),
        }
    }
}

fn terraform() -> Result<bool> {
    let terraform = Terraform::find()?;
    let root = run::root()?.join(TERRAFORM);
    let format = ["fmt", "-check", "-recursive", "-diff"];
    let mut clean = run::succeeds(&mut terraform.command(&root, None, &format))?;
    let copy = Copy::new(&root)?;
    for module in TESTED.into_iter().chain(VALIDATED) {
        let folder = copy.0.join(module);
        let does = |words: &[&str]| run::succeeds(&mut terraform.command(&folder, None, words));
        clean &= does(&["init", "-input=false", "-no-color"])? && does(&["validate", "-no-color"])?;
        if TESTED.contains(&module) {
            clean &= does(&["test", "-no-color"])?;
        }
    }
    Ok(clean)
}

/// The rules' own tests; then the templates; then a plan, for which an emulator tells the account.
fn rego() -> Result<bool> {
    let mut clean = python(&[JUDGE], &["--test"])? & python(&[JUDGE], &TEMPLATES)?;
    let terraform = Terraform::find()?;
    // The emulator looks for its environment itself, but does not make it.
    venv::prepared(&Venv::SERVICES)?;
    let ministack = Ministack::start(false)?;
    let copy = Copy::new(&run::root()?.join(TERRAFORM))?;
    let folder = copy.0.join("examples/single-account");
    let endpoint = ministack.endpoint();
    let command = |words: &[&str]| terraform.command(&folder, Some(&endpoint), words);
    clean &= run::succeeds(&mut command(&["init", "-input=false", "-no-color"]))?;
    // What is in the zip does not matter to a plan.
    let plan = [
        "plan",
        "-input=false",
        "-no-color",
        "-out=plan.tfplan",
        "-var=function_zip=main.tf",
        "-var=external_id=an-external-id-0",
        "-var=trail=true",
    ];
    clean &= run::succeeds(command(&plan).stdout(std::process::Stdio::null()))?;
    let shown = run::output(&mut command(&["show", "-json", "plan.tfplan"]))?;
    let plan = folder.join("plan.json");
    fs::write(&plan, shown).with_context(|| format!("cannot write `{plan}`"))?;
    Ok(clean & python(&[JUDGE], &[plan.as_str()])?)
}

fn checkov() -> Result<bool> {
    let quiet = ["--compact", "--quiet", "--skip-download"];
    let terraform = ["-m", "checkov.main", "--framework", "terraform", "-d", TERRAFORM];
    let templates =
        ["-m", "checkov.main", "--framework", "cloudformation", "-d", "deploy/cloudformation"];
    Ok(python(&terraform, &quiet)? & python(&templates, &quiet)?)
}

/// Runs a Python tool in the repository's root.
fn python(program: &[&str], arguments: &[&str]) -> Result<bool> {
    let python = venv::prepared(&Venv::INFRASTRUCTURE)?;
    let mut command = Command::new(python);
    run::succeeds(command.args(program).args(arguments).current_dir(run::root()?))
}

/// A copy of the Terraform files, so that nothing is left behind among ours.
struct Copy(Utf8PathBuf);

impl Copy {
    fn new(folder: &Utf8Path) -> Result<Copy> {
        let made = std::env::temp_dir().join(format!("quell-infra-{}", std::process::id()));
        let made = Utf8PathBuf::from_path_buf(made).ok().context("a temporary folder's name")?;
        fs::create_dir_all(&made).with_context(|| format!("cannot make `{made}`"))?;
        let from = folder.join(".");
        run::output(Command::new("cp").args(["-r", from.as_str(), made.as_str()]))?;
        Ok(Copy(made))
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // What is left in a temporary folder harms nobody.
        let _ = fs::remove_dir_all(&self.0);
    }
}
