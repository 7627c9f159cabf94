//! Time in the simulation: it stands still until somebody waits.

use crate::clock::Clock;
use crate::journal::lock;
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use std::sync::Mutex;
use std::time::Duration;

/// A clock that moves only when it is slept on or moved.
#[derive(Debug)]
pub struct SimulatedClock(Mutex<Timestamp>);

impl SimulatedClock {
    /// A clock that stands at a moment.
    pub fn at(start: Timestamp) -> SimulatedClock {
        SimulatedClock(Mutex::new(start))
    }

    /// Moves it on.
    pub fn advance(&self, time: Duration) {
        let mut now = lock(&self.0);
        *now = now.checked_add(time).unwrap_or(Timestamp::MAX);
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        *lock(&self.0)
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'_, ()> {
        self.advance(time);
        Box::pin(tokio::task::yield_now())
    }
}

/// The system's clock, moved by a constant: time goes on where a simulation stopped.
#[derive(Debug, Clone, Copy)]
pub struct ShiftedClock {
    by: SignedDuration,
}

impl ShiftedClock {
    /// The system's time plus `by`.
    pub fn new(by: SignedDuration) -> ShiftedClock {
        ShiftedClock { by }
    }
}

impl Clock for ShiftedClock {
    fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        now.checked_add(self.by).unwrap_or(now)
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(time))
    }
}
