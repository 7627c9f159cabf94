//! The only build script: the words that developers and CI share.
//!
//! `cargo xtask test` prepares what tests need and runs them all; `tidy` is every check that is no
//! test; `codegen` writes the reference pages out of the binary; `e2e` runs an end-to-end test too
//! slow for `test`; `bench` prints the numbers; `dist` makes the function's package. Each command
//! prints the commands that it runs, so all of it can be done by hand.
//!
//! Exit codes: 0 fine, 1 a test or a check failed, 2 usage or a broken checkout, 3 something
//! outside failed (pip, a missing Python).

mod bench;
mod codegen;
mod dist;
mod e2e;
mod infra;
mod run;
mod test;
mod tidy;
mod venv;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::run::OutsideFailure;

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about, disable_help_subcommand = true)]
#[command(about = "Quell's build script: what developers and CI run", after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  cargo xtask test                          all tests, with the services they need
  cargo xtask test -- -p quell-core facts   the tests of one crate with `facts` in their name
  cargo xtask tidy --quick                  the checks that build nothing
  cargo xtask codegen                       write docs/reference anew
  cargo xtask e2e loop                      the whole loop on LocalEmu (minutes)
  cargo xtask infra                         what checks our own Terraform and CloudFormation
  cargo xtask bench                         all benchmarks, one after the other
  cargo xtask dist                          the serverless function's package, in target/dist

Exit codes: 0 fine, 1 a test or check failed, 2 usage, 3 something outside failed (pip, Python)";

#[derive(Subcommand)]
enum Command {
    /// Prepare what tests need (once), then run all tests
    Test(test::Arguments),
    /// Run every check that is no test: rustfmt, clippy, typos, cargo-deny and our own
    Tidy(tidy::Arguments),
    /// Write the generated reference pages, or check that they are fresh
    Codegen(codegen::Arguments),
    /// Run one end-to-end test that is too slow for `test`
    E2e(e2e::Arguments),
    /// Check our own Terraform and CloudFormation: validate, test, scanners, our rules
    Infra(infra::Arguments),
    /// Run the benchmarks one after the other
    Bench(bench::Arguments),
    /// Make the serverless function's package, its bill of materials and checksums
    Dist(dist::Arguments),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Test(arguments) => test::run(&arguments),
        Command::Tidy(arguments) => tidy::run(&arguments),
        Command::Codegen(arguments) => codegen::run(&arguments),
        Command::E2e(arguments) => e2e::run(&arguments),
        Command::Infra(arguments) => infra::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Dist(arguments) => dist::run(&arguments),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(if error.is::<OutsideFailure>() { 3 } else { 2 })
        }
    }
}
