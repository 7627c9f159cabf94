//! End-to-end tests that are too slow for the ordinary test command opt in by a variable.
//!
//! Not by `#[ignore]` or a feature: the same binary is built and started each time, and says what
//! it did not do.

use std::env;

/// Names the end-to-end test to run, e.g. `loop`. `cargo xtask e2e NAME` sets it.
pub const E2E_VARIABLE: &str = "QUELL_E2E";

/// Whether the end-to-end test `name` was asked for. Where it was not, prints how to ask for it.
///
/// The line is seen where the test binary has `harness = false`; the standard harness swallows what
/// a passing test prints.
///
/// ```no_run
/// if !testkit::e2e_opted_in("loop") {
///     return;
/// }
/// ```
pub fn e2e_opted_in(name: &str) -> bool {
    let asked_for = env::var(E2E_VARIABLE).is_ok_and(|it| it == name);
    if !asked_for {
        println!("not run: end-to-end test `{name}`; run it with `cargo xtask e2e {name}`");
    }
    asked_for
}
