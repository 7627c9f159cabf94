//! The binary. Everything it does is in the library, so that benches and tests reach it.

use std::process::ExitCode;

fn main() -> ExitCode {
    quell::cli::main()
}
