//! `cargo xtask test`: what tests need, then all tests.
//!
//! Plain `cargo test` rather than a runner of our own choice: it runs documentation tests too, and
//! its closing lines are the result that CI reads.

use anyhow::Result;
use testkit::Venv;

use crate::{run, venv};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask test
  cargo xtask test -- -p event-pattern
  cargo xtask test -- -p quell --test replay -- --nocapture

The services (ministack, moto) are installed once into a Python environment in the cache folder
($XDG_CACHE_HOME/quell or ~/.cache/quell). QUELL_TEST_PYTHON names another interpreter to use.
After the first run, plain `cargo test --release` finds them as well.")]
pub struct Arguments {
    /// What to pass to `cargo test`; without `-p`, the whole workspace is tested
    #[arg(last = true)]
    cargo_arguments: Vec<String>,
}

/// Runs the tests; `false` means that one failed.
pub fn run(arguments: &Arguments) -> Result<bool> {
    let python = venv::prepared(&Venv::SERVICES)?;
    let mut cargo = run::cargo(&["test", "--release"])?;
    if !names_package(&arguments.cargo_arguments) {
        cargo.args(["--workspace", "--no-fail-fast"]);
    }
    cargo.args(&arguments.cargo_arguments).env(Venv::SERVICES.variable, python);
    run::succeeds(&mut cargo)
}

/// Whether the arguments for cargo (not those for the test binaries) choose a package.
fn names_package(arguments: &[String]) -> bool {
    let mut for_cargo = arguments.iter().take_while(|it| *it != "--");
    for_cargo.any(|it| it.starts_with("-p") || it.starts_with("--package"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_seen_only_among_cargos_arguments() {
        let names =
            |line: &str| names_package(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert!(names("-p quell-core facts"));
        assert!(names("--package=quell-core"));
        assert!(!names("facts -- -p"));
    }
}
