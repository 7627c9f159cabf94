//! The backtest: what would have been found and done over recorded CloudTrail, had Quell run then.
//!
//! Two halves. The first is parallel over files and forgets everything that no policy asks about:
//! [`inputs`] finds files, [`split`] cuts them into records, [`judge`] matches each record's bytes
//! and parses only the few that match. The second is sequential and small: [`verdicts`] puts the
//! findings in the order in which they happened, each event once, and decides about them over a
//! history in which every change that would have been made has been made. So budgets, cooldowns and
//! the breaker show what would have happened, and the report is the same byte for byte however many
//! cores made it.
//!
//! It judges what the events alone prove ([`Kind::implied`](quell_core::resource::Kind::implied)):
//! the past cannot be read. What hangs on the rest is indeterminate. Nothing is changed, and memory
//! grows with findings, never with the archive.

pub mod inputs;
pub mod s3;
pub mod split;
pub mod judge;
pub mod verdicts;
pub mod report;
pub mod print;

use inputs::{Input, Inputs};
use judge::{Judge, Worker};
use quell_core::decide::guardrails::Guardrails;
use rayon::iter::{ParallelBridge as _, ParallelIterator as _};
use report::{Found, Report};
use split::{Piece, split};
use std::sync::{Mutex, PoisonError};

/// The first half: everything that is found, in no particular order.
pub fn search(inputs: Inputs, judge: &Judge<'_>, watcher: &dyn Watcher) -> Found {
    let found = Mutex::new(Found::default());
    inputs.par_bridge().for_each(|input| {
        let of_file = match input {
            Ok(input) => search_file(input, judge, watcher),
            Err((name, fault)) => Found::fault(&name, fault),
        };
        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
        found.merge(of_file);
    });
    found.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Both halves.
pub fn replay(
    inputs: Inputs,
    judge: &Judge<'_>,
    rails: &Guardrails,
    watcher: &dyn Watcher,
) -> Report {
    verdicts::decide_all(search(inputs, judge, watcher), judge, rails)
}

/// Who wants to know how far it is.
pub trait Watcher: Sync {
    /// So many bytes of the inputs were read, as they are stored.
    fn bytes_read(&self, bytes: usize);
    /// One input is done.
    fn input_done(&self);
}

fn search_file(input: Input, judge: &Judge<'_>, watcher: &dyn Watcher) -> Found {
    let name = input.name.clone();
    let mut found = Found::default();
    found.tally.files = 1;
    let layout = input.layout();
    match input.open(watcher) {
        Err(fault) => found.add_fault(&name, fault),
        Ok(mut source) => {
            let mut worker = Worker::new(judge, &name);
            let ended = split(&mut *source, layout, &mut |number, piece| {
                if !matches!(piece, Piece::Fault(_)) {
                    found.tally.records += 1;
                }
                worker.look_at(number, piece, &mut found);
            });
            if let Err(fault) = ended {
                found.add_fault(&name, fault);
            }
        }
    }
    watcher.input_done();
    found
}
