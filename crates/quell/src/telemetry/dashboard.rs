//! The CloudWatch dashboard, as data over the closed list of metrics.
//!
//! Source: "Dashboard body structure and syntax" in the CloudWatch API reference. The grid is 24
//! units wide; three charts stand in a row.

use super::alarms::{Names, Part, RUNBOOK};
use super::metric::{Dimension, Kind, Metric, NAMESPACE};
use serde_json::{Value, json};

const CHART_WIDTH: usize = 8;
const CHART_HEIGHT: usize = 6;
const TITLE_HEIGHT: usize = 2;
const CHARTS_IN_A_ROW: usize = 3;
/// Length of a period in the charts, in seconds.
const PERIOD_S: u32 = 300;

/// The body of the dashboard; `region` is where the metrics are.
pub fn body(names: &Names<'_>, region: &str) -> Value {
    let ours = Metric::ALL.iter().map(|it| (it.meta().help, series(*it, region), it.meta().kind));
    let parts = parts(names).into_iter().map(|(title, series)| (title, series, Kind::Counter));
    let mut widgets = vec![json!({
        "type": "text",
        "x": 0,
        "y": 0,
        "width": CHART_WIDTH * CHARTS_IN_A_ROW,
        "height": TITLE_HEIGHT,
        "properties": {"markdown": format!("# {}\nRunbook: {RUNBOOK}", names.prefix)},
    })];
    widgets.extend(ours.chain(parts).enumerate().map(|(at, (title, metrics, kind))| {
        json!({
            "type": "metric",
            "x": at % CHARTS_IN_A_ROW * CHART_WIDTH,
            "y": TITLE_HEIGHT + at / CHARTS_IN_A_ROW * CHART_HEIGHT,
            "width": CHART_WIDTH,
            "height": CHART_HEIGHT,
            "properties": {
                "title": title,
                "region": region,
                "view": "timeSeries",
                "stacked": false,
                "period": PERIOD_S,
                "stat": if kind == Kind::Gauge { "Maximum" } else { "Sum" },
                "yAxis": {"left": {"min": 0}},
                "metrics": metrics,
            },
        })
    }));
    json!({"widgets": widgets})
}

/// The lines of a metric's chart: one per value of its dimension, or per percentile.
fn series(metric: Metric, region: &str) -> Vec<Value> {
    let meta = metric.meta();
    if meta.kind == Kind::Distribution {
        let percentile = |it| json!([NAMESPACE, meta.name, {"stat": it, "label": it}]);
        return ["p50", "p90", "p99"].map(percentile).to_vec();
    }
    match meta.dimensions {
        [] => vec![json!([NAMESPACE, meta.name])],
        [one] if !one.values().is_empty() => {
            let line = |value: &&str| json!([NAMESPACE, meta.name, one.name(), value]);
            one.values().iter().map(line).collect()
        }
        // Values that only the deployment knows: whatever CloudWatch finds.
        several => vec![json!([{"expression": search(metric, several), "region": region}])],
    }
}

fn search(metric: Metric, dimensions: &[Dimension]) -> String {
    let names: Vec<&str> = dimensions.iter().map(|it| it.name()).collect();
    let names = names.join(",");
    let name = metric.name();
    format!("SEARCH('{{{NAMESPACE},{names}}} MetricName=\"{name}\"', 'Maximum', {PERIOD_S})")
}

/// What AWS measures of the parts.
fn parts(names: &Names<'_>) -> [(&'static str, Vec<Value>); 3] {
    let line = |metric: &str, part: Part, stat: &str| {
        let (namespace, dimension, value) = part.identity(names);
        json!([namespace, metric, dimension, value, {"stat": stat}])
    };
    [
        (
            "Queue and dead letters",
            vec![
                line("ApproximateNumberOfMessagesVisible", Part::Queue, "Maximum"),
                line("ApproximateNumberOfMessagesVisible", Part::DeadLetterQueue, "Maximum"),
            ],
        ),
        (
            "Age of the oldest message, in seconds",
            vec![line("ApproximateAgeOfOldestMessage", Part::Queue, "Maximum")],
        ),
        (
            "Function: invocations, errors, throttles",
            vec![
                line("Invocations", Part::Function, "Sum"),
                line("Errors", Part::Function, "Sum"),
                line("Throttles", Part::Function, "Sum"),
            ],
        ),
    ]
}
