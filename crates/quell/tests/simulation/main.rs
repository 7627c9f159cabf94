//! The whole loop, again and again, in a simulated account where everything goes wrong that can go
//! wrong: duplicates, events out of order, reads that lag, throttling, calls that fail before or
//! after taking effect, other people's changes in between, and crashes at any await.
//!
//! Every run follows from its seed. `QUELL_SIMULATION_SEEDS=10000` runs more of them,
//! `QUELL_SIMULATION_SEED=17` runs one again.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests"
)]

mod attacks;
mod fuse;
mod laws;
mod run;

use quell_library::Library;
use run::{Chaos, Tally};
use std::env;
use std::sync::Arc;

/// How many seeds run where nobody says otherwise.
const SEEDS: u64 = 200;

#[test]
fn every_violation_is_fixed_once_or_withheld_by_name() {
    let tally = each_seed(Chaos::All, false);
    if env::var("QUELL_SIMULATION_SEED").is_ok() {
        return;
    }
    // A simulation in which nothing goes wrong proves nothing.
    assert!(0 < tally.crashes, "no crash in any run: {tally:?}");
    assert!(0 < tally.resumed, "no attempt was ever resumed: {tally:?}");
    assert!(0 < tally.left_to_deliveries, "no delivery ever concluded another's: {tally:?}");
    assert!(0 < tally.too_late, "no delivery ever came too late: {tally:?}");
    assert!(0 < tally.retried, "no delivery was ever retried: {tally:?}");
    assert!(0 < tally.failed, "no call ever failed: {tally:?}");
    assert!(0 < tally.duplicates, "no duplicate was ever delivered: {tally:?}");
    assert!(0 < tally.withheld, "no guardrail ever held anything back: {tally:?}");
    assert!(tally.runs < tally.corrected, "hardly anything was fixed: {tally:?}");
}

#[test]
fn a_fight_ends_after_the_allowed_rounds_and_names_the_other() {
    let calm = each_seed(Chaos::None, true);
    let wild = each_seed(Chaos::All, true);
    assert!(0 < calm.oscillations && 0 < wild.oscillations, "no fight: {calm:?} {wild:?}");
}

fn each_seed(chaos: Chaos, fight: bool) -> Tally {
    let library = Arc::new(Library::builtin().unwrap());
    let mut tally = Tally::default();
    for seed in seeds() {
        let problems = run::one(seed, chaos, fight, &library, &mut tally);
        assert!(
            problems.is_empty(),
            "seed {seed} ({chaos:?}, fight: {fight}): {}\nagain: QUELL_SIMULATION_SEED={seed}",
            problems.join("\n  ")
        );
    }
    println!("{chaos:?}, fight {fight}: {tally:?}");
    tally
}

fn seeds() -> std::ops::Range<u64> {
    let number = |name| env::var(name).ok().map(|it: String| it.parse::<u64>().expect("a number"));
    match number("QUELL_SIMULATION_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("QUELL_SIMULATION_SEEDS").unwrap_or(SEEDS),
    }
}
