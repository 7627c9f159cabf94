//! What Quell tells of itself: metrics, logs and traces.
//!
//! Metrics and the log of what was done are folds over durable facts ([`fold::Fold`]), so they
//! can't disagree with the ledger: [`Telemetry::observer`] hangs on the pipeline and is told of
//! every fact. What can't be a fact is counted where it happens: a ledger that does not take facts
//! ([`watched`]), a secret that does not resolve, the age of the heartbeat.
//!
//! [`metric::Metric`] is the closed list. The lines for CloudWatch ([`emf`]), the alarms
//! ([`alarms`]), the dashboard ([`dashboard`]) and the reference page are made from it.
//!
//! Deliberately not here: an exporter of spans. Quell takes trace ids of X-Ray and W3C over and
//! gives them to its log lines ([`trace`]); it sends nothing to an OTLP collector.

pub mod metric;
pub mod fold;
pub mod emf;
pub mod alarms;
pub mod dashboard;
pub mod log;
pub mod trace;
pub mod watched;

use crate::journal::{Violation, lock};
use crate::pipeline::Observer;
use fold::Fold;
use jiff::Timestamp;
use metric::{Dimension, Kind, Metric};
use quell_core::history::History;
use quell_core::resource::ResourceRef;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

/// Most values of one distribution that are kept until they are written; later ones are left out,
/// so that a process whose metrics nobody takes does not grow.
pub const DISTRIBUTION_VALUES_MAX: usize = 10_000;

/// One measurement.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Of what.
    pub metric: Metric,
    /// The values of [`metric::MetricMeta::dimensions`], in their order.
    pub labels: Vec<String>,
    /// In the metric's unit.
    pub value: f64,
}

impl Point {
    /// A measurement; `labels` in the order of the metric's dimensions.
    pub fn new(metric: Metric, labels: &[&str], value: f64) -> Point {
        let labels = labels.iter().map(|it| (*it).to_owned()).collect();
        Point { metric, labels, value }
    }
}

/// A metric with its labels: one line of a chart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Series {
    /// Which metric.
    pub metric: Metric,
    /// Dimension and value, in the metric's order.
    pub labels: Vec<(Dimension, String)>,
}

/// What was measured of a series since it was taken last.
#[derive(Debug, Clone, PartialEq)]
pub enum Samples {
    /// A counter's increase, or a gauge's last value.
    One(f64),
    /// Every value of a distribution.
    Many(Vec<f64>),
}

/// Gathers measurements until they are written.
#[derive(Default)]
pub struct Telemetry(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    fold: Fold,
    series: BTreeMap<Series, Samples>,
}

impl Telemetry {
    /// Takes over what the ledger already says: changes under way, what was violated before.
    pub fn remember(&self, history: &History) {
        lock(&self.0).fold.remember(history);
    }

    /// Takes over what the ledger says about a resource whose turn begins, and about who caused the
    /// turn: other processes may have written it.
    pub fn recall(
        &self,
        history: &History,
        resource: &ResourceRef,
        culprit: Option<(&str, &Violation)>,
    ) {
        lock(&self.0).fold.recall(history, resource, culprit);
    }

    /// What the pipeline tells every durable fact: it is measured, and written to the log.
    pub fn observer(self: &Arc<Telemetry>) -> Observer {
        let telemetry = Arc::clone(self);
        Arc::new(move |time, fact| {
            log::fact(fact);
            let mut inner = lock(&telemetry.0);
            for point in inner.fold.apply(time, fact) {
                inner.add(point);
            }
        })
    }

    /// Counts or measures what is no fact.
    pub fn add(&self, point: Point) {
        lock(&self.0).add(point);
    }

    /// Takes everything that was measured since the last time.
    pub fn take(&self, now: Timestamp) -> BTreeMap<Series, Samples> {
        let mut inner = lock(&self.0);
        let breaker = inner.fold.breaker_open_s(now);
        inner.add(Point::new(Metric::BreakerOpen, &[], breaker));
        std::mem::take(&mut inner.series)
    }

    /// Writes everything since the last time as lines in CloudWatch's Embedded Metric Format. In
    /// Lambda, standard output leads to CloudWatch Logs, which makes metrics of them.
    pub fn write_emf(&self, now: Timestamp, out: &mut dyn Write) -> io::Result<()> {
        for line in emf::lines(&self.take(now), now) {
            writeln!(out, "{line}")?;
        }
        out.flush()
    }
}

impl Inner {
    fn add(&mut self, point: Point) {
        if !point.value.is_finite() {
            return;
        }
        let meta = point.metric.meta();
        let labels = meta.dimensions.iter().copied().zip(point.labels).collect();
        let series = Series { metric: point.metric, labels };
        let empty = match meta.kind {
            Kind::Distribution => Samples::Many(Vec::new()),
            Kind::Counter | Kind::Gauge => Samples::One(0.0),
        };
        match (self.series.entry(series).or_insert(empty), meta.kind) {
            (Samples::One(sum), Kind::Counter) => *sum += point.value,
            (Samples::One(last), _) => *last = point.value,
            (Samples::Many(all), _) if all.len() < DISTRIBUTION_VALUES_MAX => all.push(point.value),
            (Samples::Many(_), _) => {}
        }
    }
}

impl std::fmt::Debug for Telemetry {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Telemetry").finish_non_exhaustive()
    }
}
