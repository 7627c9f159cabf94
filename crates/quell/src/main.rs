//! The binary. Everything it does is in the library, so that benches and tests reach it.
//!
//! Started by AWS Lambda it is the function's bootstrap, else it is the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    if quell::lambda::is_bootstrap() { quell::lambda::main() } else { quell::cli::main() }
}
