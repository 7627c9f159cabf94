//! How fast is [`PatternSet`], beside quamina-rs in the same run?
//!
//! `cargo bench -p event-pattern` is small; `… -- --events 200000 --rounds 9` is long.
//!
//! 200 patterns, published ones and ones like them, meet CloudTrail events of which about a fifth
//! match: real records (`detections/stratus_cloudtrail`, `detections/panther_aws_cloudtrail_cases`,
//! `events/aws_samples` of the corpora), wrapped as EventBridge does it, with ids, times and
//! addresses drawn anew. Both engines take turns over the same events; the ratio is the number
//! that counts. quamina gets the patterns that it can read, and for the ratio we get the same.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a bench"
)]

mod corpus;

use std::hint::black_box;
use std::time::{Duration, Instant};

use corpus::Corpus;
use event_pattern::{Envelope, Pattern, PatternSet, Scratch, records};
use quamina::Quamina;

fn main() {
    let argument = |name: &str, default: usize| {
        let mut arguments = std::env::args().skip_while(|it| it != name);
        arguments.nth(1).map_or(default, |it| it.parse().expect("a number"))
    };
    let corpus = Corpus::new(argument("--events", 20_000));
    let rounds = argument("--rounds", 3);
    println!("{}", corpus.description());

    build(&corpus);
    compare(&corpus, rounds);
    replay(&corpus, rounds);
}

fn parse(patterns: &[String]) -> Vec<(u32, Pattern)> {
    let parse = |it: &String| Pattern::parse(it).expect("a pattern");
    (0..).zip(patterns.iter().map(parse)).collect()
}

fn set_of(patterns: &[String]) -> PatternSet {
    PatternSet::build(parse(patterns))
}

fn build(corpus: &Corpus) {
    for count in [200, 1_000] {
        let texts = corpus.many_patterns(count);
        let start = now();
        let patterns = parse(&texts);
        let parsed = now();
        black_box(PatternSet::build(patterns));
        let built = now();
        let (parse, build) = (millis(parsed - start), millis(built - parsed));
        println!("{count} patterns parsed in {parse:.1} ms, built in {build:.1} ms");
    }
}

fn compare(corpus: &Corpus, rounds: usize) {
    let mut quamina: Quamina<u32> = Quamina::new();
    let mut common = Vec::new();
    for pattern in &corpus.patterns {
        if quamina.add_pattern(common.len() as u32, pattern).is_ok() {
            common.push(pattern.clone());
        }
    }
    let all = set_of(&corpus.patterns);
    let ours = set_of(&common);
    let mut scratch = Scratch::default();
    let (mut matching, mut different) = (0, 0);
    for event in corpus.events() {
        let found = ours.matches(event, &mut scratch).expect("an event").to_vec();
        let mut theirs = quamina.matches_for_event(event).expect("an event");
        theirs.sort_unstable();
        matching += usize::from(!all.matches(event, &mut scratch).expect("an event").is_empty());
        different += usize::from(found != theirs);
    }
    println!(
        "{:.1} % of the events match; quamina reads {} of {} patterns and differs on {different} \
         events",
        100.0 * matching as f64 / corpus.len() as f64,
        common.len(),
        corpus.patterns.len(),
    );

    let (mut all_times, mut our_times, mut their_times) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        our_times.push(time(corpus, |it| ours.matches(it, &mut scratch).expect("an event").len()));
        their_times.push(time(corpus, |it| quamina.count_matches(it).expect("an event")));
        all_times.push(time(corpus, |it| all.matches(it, &mut scratch).expect("an event").len()));
    }
    report("event-pattern, all patterns", corpus, &all_times);
    report("event-pattern, common patterns", corpus, &our_times);
    report("quamina, common patterns", corpus, &their_times);
    let mut ratios: Vec<_> = our_times
        .iter()
        .zip(&their_times)
        .map(|(ours, theirs)| theirs.div_duration_f64(*ours))
        .collect();
    ratios.sort_by(f64::total_cmp);
    println!("ratio event-pattern : quamina = {:.2} (median of rounds)", ratios[ratios.len() / 2]);
}

/// The way of `quell replay`: records of log files, no envelope is built.
fn replay(corpus: &Corpus, rounds: usize) {
    let set = set_of(&corpus.patterns);
    let mut scratch = Scratch::default();
    let envelope = Envelope {
        source: Some("aws.s3"),
        detail_type: Some("AWS API Call via CloudTrail"),
        account: Some("123456789012"),
        ..Envelope::default()
    };
    let files = corpus.log_files();
    let (mut walk_times, mut match_times) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let start = now();
        for file in &files {
            black_box(records(file).map(|it| it.expect("a record").len()).sum::<usize>());
        }
        walk_times.push(now() - start);
        let start = now();
        for file in &files {
            for record in records(file) {
                let record = record.expect("a record");
                black_box(set.matches_detail(&envelope, record, &mut scratch).expect("a record"));
            }
        }
        match_times.push(now() - start);
    }
    report("records of log files found", corpus, &walk_times);
    report("records of log files found and matched", corpus, &match_times);
}

/// The time that this thread has spent on a processor: other work on the machine does not count.
/// Where the kernel does not tell, the time on the clock.
fn now() -> Duration {
    static START: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    let spent = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let spent = spent.and_then(|it| it.split(' ').next()?.parse().ok());
    spent.map_or_else(|| START.elapsed(), Duration::from_nanos)
}

fn time(corpus: &Corpus, mut matches: impl FnMut(&[u8]) -> usize) -> Duration {
    let start = now();
    let mut sum = 0;
    for event in corpus.events() {
        sum += matches(event);
    }
    black_box(sum);
    now() - start
}

fn report(what: &str, corpus: &Corpus, times: &[Duration]) {
    let best = times.iter().min().expect("a round").as_secs_f64();
    println!(
        "{what}: {:.2} million events/s, {:.0} MB/s",
        corpus.len() as f64 / best / 1e6,
        corpus.bytes() as f64 / best / 1e6,
    );
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
