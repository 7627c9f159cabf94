//! One run: a schedule of attacks and deliveries, played against processes that crash, and then the
//! recovery that a service makes by itself.

use crate::attacks::{self, Attack, TERRAFORM};
use crate::fuse::{Fuse, Fused, Made, Watched, reopened};
use crate::laws;
use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use quell::clock::Clock as _;
use quell::demo::account;
use quell::journal::{Journal as _, MemoryJournal};
use quell::pipeline::{Ack, Pipeline, RetryFilter, Scope};
use quell::simulation::SimulatedAccount;
use quell::simulation::clock::SimulatedClock;
use quell::simulation::dice::Dice;
use quell::simulation::faults::Faults;
use quell_core::decide::guardrails::Guardrails;
use quell_core::decide::mode::Modes;
use quell_core::policy::Mode;
use quell_core::resource::ResourceRef;
use quell_library::Library;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How much goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chaos {
    None,
    All,
}

/// What happened over all runs.
#[derive(Debug, Default)]
pub struct Tally {
    pub runs: usize,
    pub crashes: usize,
    pub resumed: usize,
    /// Attempts that a crash cut off and a function left to the next delivery.
    pub left_to_deliveries: usize,
    /// Deliveries that came too shortly before a function's time-out.
    pub too_late: usize,
    pub retried: usize,
    pub duplicates: usize,
    pub corrected: usize,
    pub failed: usize,
    pub withheld: usize,
    pub oscillations: usize,
}

/// The port that Terraform wants open.
pub const FIGHT_PORT: u16 = 22;
const FIGHT_GROUP: &str = "partner-api";
const FIGHT_ROUNDS: i64 = 7;

/// What is due at a moment.
#[derive(Debug, Clone)]
enum Due {
    Attack,
    CloseAgain,
    Terraform,
    Deliver(usize),
}

/// One run in the making.
pub struct Run {
    pub account: Arc<SimulatedAccount>,
    pub library: Arc<Library>,
    pub rails: Guardrails,
    pub journal: Arc<MemoryJournal>,
    pub made: Arc<Mutex<Vec<Made>>>,
    /// How often each place was made worse.
    pub worse: BTreeMap<(ResourceRef, &'static str), usize>,
    pub deliveries: Vec<Vec<u8>>,
    pub fight: Option<ResourceRef>,
    pub problems: Vec<String>,
    clock: Arc<SimulatedClock>,
    start: Timestamp,
    dice: Dice,
    chaos: Chaos,
    /// Whether its processes are a function's: they resume nothing at their start, and have a
    /// time-out.
    is_function: bool,
    schedule: BTreeSet<(i64, u64)>,
    due: BTreeMap<u64, Due>,
    crashes_left: usize,
}

/// Plays one seed; the broken laws come back.
pub fn one(
    seed: u64,
    chaos: Chaos,
    fight: bool,
    library: &Arc<Library>,
    tally: &mut Tally,
) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut run = Run::new(seed, chaos, fight, Arc::clone(library));
        run.play(tally).await;
        laws::of_the_fight(&mut run, tally);
        run.recover(tally).await;
        laws::of_the_end(&mut run, tally);
        tally.runs += 1;
        if !run.problems.is_empty() {
            run.tell();
        }
        run.problems
    })
}

impl Run {
    fn new(seed: u64, chaos: Chaos, fight: bool, library: Arc<Library>) -> Run {
        let start = Timestamp::constant(1_767_603_600, 0);
        let mut dice = Dice::seeded(seed);
        let states = account::resources(&mut dice, start);
        let account = SimulatedAccount::new(states, None).unwrap();
        let account = match chaos {
            Chaos::None => account,
            Chaos::All => account.failing(faults(&mut dice)),
        };
        let account = Arc::new(account);
        let fight = fight.then(|| attacks::group(&account, FIGHT_GROUP));
        let mut run = Run {
            account,
            library,
            rails: rails(&mut dice),
            journal: Arc::default(),
            made: Arc::default(),
            worse: BTreeMap::new(),
            deliveries: Vec::new(),
            fight,
            problems: Vec::new(),
            clock: Arc::new(SimulatedClock::at(start)),
            start,
            crashes_left: if chaos == Chaos::All { 4 } else { 0 },
            dice,
            chaos,
            is_function: seed % 2 == 1,
            schedule: BTreeSet::new(),
            due: BTreeMap::new(),
        };
        run.plan();
        run
    }

    /// The ledger of a run that broke a law.
    fn tell(&self) {
        for (time, fact) in self.journal.facts() {
            println!("{time} {}", quell::output::fact::line(&fact));
        }
    }

    fn plan(&mut self) {
        for _ in 0..3 + self.dice.below(6) {
            let at = self.below(600);
            self.at(at, Due::Attack);
        }
        if self.dice.percent(20) {
            let at = self.below(600);
            self.at(at, Due::CloseAgain);
        }
        if self.fight.is_some() {
            for round in 0..FIGHT_ROUNDS {
                self.at(60 + round * 90, Due::Terraform);
            }
        }
    }

    fn below(&mut self, end: u64) -> i64 {
        i64::try_from(self.dice.below(end)).unwrap()
    }

    fn at(&mut self, seconds: i64, due: Due) {
        let number = self.due.len() as u64;
        self.schedule.insert((seconds, number));
        self.due.insert(number, due);
    }

    fn elapsed_s(&self) -> i64 {
        self.clock.now().duration_since(self.start).as_secs()
    }

    async fn play(&mut self, tally: &mut Tally) {
        let mut process = self.process();
        let mut turns = 0;
        while let Some((seconds, number)) = self.schedule.pop_first() {
            turns += 1;
            assert!(turns < 2_000, "the schedule does not end");
            let wait_s = u64::try_from(seconds - self.elapsed_s()).unwrap_or(0);
            self.clock.advance(Duration::from_secs(wait_s));
            match self.due[&number].clone() {
                Due::Attack => {
                    let now = self.clock.now();
                    let attack = attacks::any(&self.account, now, &mut self.dice);
                    self.happened(attack, tally);
                }
                Due::CloseAgain => attacks::close(&self.account, "web"),
                Due::Terraform => self.terraform(tally),
                Due::Deliver(first) => {
                    let batch = self.batch(first);
                    process = self.deliver(process, &batch, tally).await;
                }
            }
        }
    }

    /// Terraform makes it as its code says, where it is not.
    fn terraform(&mut self, tally: &mut Tally) {
        let Some(group) = self.fight.clone() else { return };
        if !attacks::is_open(&self.account, &group, FIGHT_PORT) {
            let (now, dice) = (self.clock.now(), &mut self.dice);
            let attack = attacks::open(&self.account, &group, TERRAFORM, FIGHT_PORT, now, dice);
            self.happened(attack, tally);
        }
    }

    /// The events of an attack are delivered at least once, at some time.
    fn happened(&mut self, attack: Attack, tally: &mut Tally) {
        for place in attack.worse {
            *self.worse.entry(place).or_default() += 1;
        }
        for delivery in attack.deliveries {
            self.deliveries.push(delivery);
            let delivery = self.deliveries.len() - 1;
            let copies = if self.chaos == Chaos::All { 1 + self.dice.below(3) } else { 1 };
            tally.duplicates += usize::try_from(copies - 1).unwrap();
            for _ in 0..copies {
                let longest_s = if self.chaos == Chaos::All { 60 } else { 5 };
                let at = self.elapsed_s() + 1 + self.below(longest_s);
                self.at(at, Due::Deliver(delivery));
            }
        }
    }

    /// The next deliveries, which arrive at the same time.
    fn batch(&mut self, first: usize) -> Vec<usize> {
        let mut batch = vec![first];
        let most = usize::try_from(1 + self.dice.below(3)).unwrap();
        while batch.len() < most {
            let next = self.schedule.first().map(|(_, number)| (*number, self.due[number].clone()));
            let Some((_, Due::Deliver(it))) = next else { break };
            self.schedule.pop_first();
            batch.push(it);
        }
        batch
    }

    /// Delivers; what crashes or is to be retried comes again. The process that lives comes back.
    async fn deliver(
        &mut self,
        process: (Pipeline, Arc<Fuse>),
        batch: &[usize],
        tally: &mut Tally,
    ) -> (Pipeline, Arc<Fuse>) {
        let (pipeline, fuse) = process;
        if self.is_function && self.chaos == Chaos::All {
            let left_s = if self.dice.percent(10) { 1 } else { 900 };
            pipeline.deadline.set(Some(self.clock.now() + SignedDuration::from_secs(left_s)));
        }
        let bodies: Vec<&[u8]> = batch.iter().map(|it| self.deliveries[*it].as_slice()).collect();
        let work = join_all(bodies.into_iter().map(|it| pipeline.handle(it)));
        let acks = tokio::select! {
            biased;
            acks = work => Some(acks),
            () = fuse.burnt() => None,
        };
        let Some(acks) = acks else {
            drop(pipeline);
            for it in batch {
                let at = self.elapsed_s() + 30;
                self.at(at, Due::Deliver(*it));
            }
            return self.restart(tally).await;
        };
        for (it, ack) in batch.iter().zip(acks) {
            match ack.unwrap() {
                Ack::Done => {}
                Ack::Retry(why) => {
                    tally.retried += 1;
                    tally.too_late += usize::from(why.contains("apply_time_min_ms"));
                    let at = self.elapsed_s() + 30;
                    self.at(at, Due::Deliver(*it));
                }
                Ack::DeadLetter(why) => self.problems.push(format!("put aside: {why}")),
            }
        }
        (pipeline, fuse)
    }

    /// A new process on the same durable facts, until one survives its start.
    async fn restart(&mut self, tally: &mut Tally) -> (Pipeline, Arc<Fuse>) {
        loop {
            tally.crashes += 1;
            self.journal = Arc::new(reopened(&self.journal).await);
            let (pipeline, fuse) = self.process();
            if self.is_function {
                tally.left_to_deliveries += self.journal.history().unfinished().count();
                return (pipeline, fuse);
            }
            let resumed = tokio::select! {
                biased;
                resumed = pipeline.resume() => Some(resumed.unwrap()),
                () = fuse.burnt() => None,
            };
            if let Some(resumed) = resumed {
                tally.resumed += resumed.concluded;
                return (pipeline, fuse);
            }
        }
    }

    fn process(&mut self) -> (Pipeline, Arc<Fuse>) {
        let crashes = 0 < self.crashes_left && self.dice.percent(80);
        self.crashes_left = self.crashes_left.saturating_sub(1);
        let steps = if crashes { 1 + self.below(60) } else { i64::MAX };
        let fuse = Arc::new(Fuse::of(steps));
        let account = Arc::clone(&self.account);
        let world = Watched { account, made: Arc::clone(&self.made), fuse: Arc::clone(&fuse) };
        let journal = Fused { journal: Arc::clone(&self.journal), fuse: Arc::clone(&fuse) };
        let pipeline = Pipeline::new(
            Arc::clone(&self.library),
            Arc::new(world),
            Arc::new(journal),
            Arc::clone(&self.clock) as _,
            self.rails.clone(),
            Scope::default(),
        );
        (pipeline, fuse)
    }

    /// Everything works again, and the service looks again at what was held back.
    async fn recover(&mut self, tally: &mut Tally) {
        self.account.heal();
        self.crashes_left = 0;
        let left = self.journal.history().unfinished().count();
        if self.is_function && 0 < left {
            self.problems.push(format!("{left} attempts that no delivery concluded"));
        }
        let (pipeline, _) = self.process();
        tally.resumed += pipeline.resume().await.unwrap().concluded;
        for _ in 0..3 {
            self.clock.advance(Duration::from_secs(60));
            pipeline.retry(&RetryFilter::default()).await.unwrap();
        }
        let left = self.journal.history().unfinished().count();
        if 0 < left {
            self.problems.push(format!("{left} attempts without a conclusion"));
        }
    }
}

fn faults(dice: &mut Dice) -> Faults {
    Faults {
        dice: Dice::seeded(dice.number()),
        read_throttled_percent: 10,
        apply_failed_before_percent: 10,
        apply_failed_after_percent: 10,
        stale_percent: 30,
        stale_reads_max: 4,
        interference_percent: 20,
        interference: Some(Box::new(attacks::interfere)),
    }
}

fn rails(dice: &mut Dice) -> Guardrails {
    Guardrails {
        modes: Modes { default: Mode::Enforce, ..Modes::default() },
        resource_changes_max: *dice.pick(&[3, 10]).unwrap(),
        ..Guardrails::default()
    }
}
