//! Lines in CloudWatch's Embedded Metric Format: a log line that CloudWatch Logs makes metrics of.
//!
//! One line per set of labels, since a line has one value per dimension. Source: "Specification:
//! Embedded metric format" in the CloudWatch user guide, whose limits are the constants here.

use super::metric::{Metric, NAMESPACE};
use super::{Samples, Series};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Most values of one metric in a line: CloudWatch's limit.
pub const LINE_VALUES_MAX: usize = 100;
/// Longest value of a dimension, in characters: CloudWatch's limit.
pub const DIMENSION_VALUE_MAX_CHARS: usize = 1024;

/// A metric with what a line says of it.
type Said = (Metric, Value);
/// Dimensions with their values, by name.
type Labels<'a> = Vec<(&'a str, &'a str)>;

/// The lines for what was measured; `now` is their moment.
pub fn lines(series: &BTreeMap<Series, Samples>, now: Timestamp) -> Vec<Value> {
    let mut groups: BTreeMap<Labels<'_>, Vec<(Metric, &Samples)>> = BTreeMap::new();
    for (series, samples) in series {
        let labels = series.labels.iter().map(|(name, value)| (name.name(), value.as_str()));
        groups.entry(labels.collect()).or_default().push((series.metric, samples));
    }
    let groups = groups.iter();
    groups.flat_map(|(labels, samples)| group(labels, samples, now)).collect()
}

/// The lines of one set of labels: as many as the longest distribution needs.
fn group(labels: &[(&str, &str)], samples: &[(Metric, &Samples)], now: Timestamp) -> Vec<Value> {
    let mut rounds: Vec<Vec<Said>> = Vec::new();
    for (metric, samples) in samples {
        let values: Vec<Value> = match samples {
            Samples::One(value) => vec![json!(value)],
            Samples::Many(all) => all.chunks(LINE_VALUES_MAX).map(|it| json!(it)).collect(),
        };
        rounds.resize_with(rounds.len().max(values.len()), Vec::new);
        for (round, value) in rounds.iter_mut().zip(values) {
            round.push((*metric, value));
        }
    }
    rounds.iter().map(|it| line(labels, it, now)).collect()
}

fn line(labels: &[(&str, &str)], said: &[Said], now: Timestamp) -> Value {
    let names: Vec<&str> = labels.iter().map(|(name, _)| *name).collect();
    let directive = |rollup: bool| {
        let of_it = said.iter().filter(|(metric, _)| metric.meta().rollup == rollup);
        let metrics: Vec<Value> = of_it.map(|(metric, _)| definition(*metric)).collect();
        let sets = if rollup { json!([names, []]) } else { json!([names]) };
        (!metrics.is_empty())
            .then(|| json!({"Namespace": NAMESPACE, "Dimensions": sets, "Metrics": metrics}))
    };
    let directives: Vec<Value> = [false, true].into_iter().filter_map(directive).collect();
    let mut line = Map::new();
    let meta = json!({"Timestamp": now.as_millisecond(), "CloudWatchMetrics": directives});
    line.insert("_aws".to_owned(), meta);
    for (name, value) in labels {
        line.insert((*name).to_owned(), json!(dimension_value(value)));
    }
    for (metric, value) in said {
        line.insert(metric.name().to_owned(), value.clone());
    }
    Value::Object(line)
}

fn definition(metric: Metric) -> Value {
    json!({"Name": metric.name(), "Unit": metric.meta().unit.name()})
}

/// A value that CloudWatch takes: printable ASCII, not empty, not too long.
fn dimension_value(value: &str) -> String {
    let fits = |it: char| if it.is_ascii_graphic() { it } else { '_' };
    let value: String = value.chars().map(fits).take(DIMENSION_VALUE_MAX_CHARS).collect();
    if value.is_empty() { "unknown".to_owned() } else { value }
}
