//! How fast one service of one account and region is asked.
//!
//! A bucket of tokens, of which each look and each listing takes one. It refills at a rate that is
//! halved when the service throttles and raised a little by each answer: additive increase,
//! multiplicative decrease, as in TCP (RFC 5681). The SDK repeats a throttled call by itself; what
//! arrives here as throttled has been tried several times, and only asking less helps.
//!
//! A value without a clock: the moment is a parameter.

use jiff::Timestamp;
use std::time::Duration;

/// Most looks and listings of one service in one account and region, per second, unless the
/// configuration says otherwise. A look makes up to eight calls.
pub const LOOKS_PER_S_MAX: u32 = 100;
/// However often a service throttles, it is asked this often, in looks per second.
pub const LOOKS_PER_S_MIN: f64 = 0.5;
/// By how much an answer raises the rate, in looks per second.
pub const RAISE_PER_ANSWER: f64 = 0.1;
/// By what a throttled look divides the rate.
pub const CUT: f64 = 2.0;
/// For how long a rate that is not used is saved up, in seconds.
pub const BURST_S: f64 = 1.0;

/// The pace of one service of one account and region.
#[derive(Debug, Clone, PartialEq)]
pub struct Pace {
    /// In looks per second.
    max: f64,
    /// In looks per second, between [`LOOKS_PER_S_MIN`] and `max`.
    rate: f64,
    /// Looks that may begin at once; below zero, as many have begun to wait.
    tokens: f64,
    /// When `tokens` was counted.
    at: Timestamp,
    /// When the rate was cut last.
    cut: Option<Timestamp>,
}

impl Pace {
    /// The full pace, in looks per second, with nothing begun yet.
    pub fn new(looks_per_s_max: u32, now: Timestamp) -> Pace {
        let max = f64::from(looks_per_s_max).max(LOOKS_PER_S_MIN);
        Pace { max, rate: max, tokens: burst(max), at: now, cut: None }
    }

    /// The rate of now, in looks per second.
    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// Counts one look, and tells how long it must wait before it begins.
    pub fn take(&mut self, now: Timestamp) -> Duration {
        let passed_s = now.duration_since(self.at).as_secs_f64().max(0.0);
        self.at = self.at.max(now);
        self.tokens = (self.tokens + passed_s * self.rate).min(burst(self.rate)) - 1.0;
        let missing = (-self.tokens).max(0.0);
        Duration::try_from_secs_f64(missing / self.rate).unwrap_or_default()
    }

    /// A look that began at `began` was throttled. Looks that were under way when the rate was cut
    /// say nothing of the new rate.
    pub fn throttled(&mut self, began: Timestamp, now: Timestamp) {
        if self.cut.is_some_and(|it| began <= it) {
            return;
        }
        self.rate = (self.rate / CUT).max(LOOKS_PER_S_MIN);
        (self.tokens, self.at) = (self.tokens.min(0.0), self.at.max(now));
        self.cut = Some(now);
    }

    /// A look was answered, well or not.
    pub fn answered(&mut self) {
        self.rate = (self.rate + RAISE_PER_ANSWER).min(self.max);
    }
}

/// The most tokens that are saved up: one look may always begin.
fn burst(rate: f64) -> f64 {
    (rate * BURST_S).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(1_767_603_600_000 + milliseconds).unwrap()
    }

    fn is_about(found: f64, wanted: f64) -> bool {
        (found - wanted).abs() < 1e-6
    }

    #[test]
    fn a_burst_begins_at_once_and_the_rest_at_the_rate() {
        let mut pace = Pace::new(10, at(0));
        for _ in 0..10 {
            assert_eq!(pace.take(at(0)), Duration::ZERO);
        }
        for number in 1..=5_u32 {
            let wait = pace.take(at(0)).as_secs_f64();
            assert!(is_about(wait, f64::from(number) / 10.0), "{wait}");
        }
        // They were counted: half a second later the bucket is just empty.
        let wait = pace.take(at(500)).as_secs_f64();
        assert!(is_about(wait, 0.1), "{wait}");
        // What is not used is saved up for a second and no longer.
        let free = (0..30).filter(|_| pace.take(at(60_000)).is_zero()).count();
        assert_eq!(free, 10);
    }

    #[test]
    fn throttling_halves_once_for_all_that_was_under_way_and_answers_raise_slowly() {
        let mut pace = Pace::new(40, at(0));
        for _ in 0..16 {
            pace.throttled(at(0), at(100));
        }
        assert!(is_about(pace.rate(), 20.0), "{}", pace.rate());
        assert!(!pace.take(at(100)).is_zero(), "what was saved up is gone");
        pace.throttled(at(200), at(300));
        assert!(is_about(pace.rate(), 10.0), "{}", pace.rate());
        for _ in 0..10 {
            pace.answered();
        }
        assert!(is_about(pace.rate(), 11.0), "{}", pace.rate());
        for _ in 0..10_000 {
            pace.answered();
        }
        assert!(is_about(pace.rate(), 40.0), "never above the limit: {}", pace.rate());
        for second in 1..100 {
            pace.throttled(at(second * 1_000), at(second * 1_000));
        }
        assert!(is_about(pace.rate(), LOOKS_PER_S_MIN), "it never stops: {}", pace.rate());
    }

    #[test]
    fn a_clock_that_goes_back_gives_no_tokens() {
        let mut pace = Pace::new(1, at(0));
        assert_eq!(pace.take(at(0)), Duration::ZERO);
        assert_eq!(pace.take(at(-5_000)), Duration::from_secs(1));
        let wait = pace.take(at(0)).as_secs_f64();
        assert!(is_about(wait, 2.0), "{wait}");
    }
}
