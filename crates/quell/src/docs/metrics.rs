//! `docs/reference/metrics.md`: every metric, every alarm.

use crate::telemetry::alarms::ALARMS;
use crate::telemetry::metric::{Metric, NAMESPACE};
use std::fmt::Write as _;

/// The page.
pub fn page() -> String {
    let mut page = super::head("Metrics and alarms");
    let _ = writeln!(
        page,
        "\nMetrics are a fold over the durable facts of the ledger. In Lambda they are written as \
         lines in\nCloudWatch's Embedded Metric Format, in the namespace `{NAMESPACE}`.\n\n\
         | metric | kind | unit | dimensions | meaning |\n|---|---|---|---|---|"
    );
    for metric in Metric::ALL {
        let meta = metric.meta();
        let dimensions = meta.dimensions.iter().map(|it| match it.values() {
            [] => format!("`{}`", it.name()),
            values => format!("`{}`: {}", it.name(), values.join(", ")),
        });
        let mut dimensions = dimensions.collect::<Vec<_>>().join("; ");
        if meta.rollup {
            dimensions.push_str("; also without");
        }
        let (name, kind, unit) = (meta.name, meta.kind.name(), meta.unit.name());
        let help = super::cell(meta.help);
        let _ = writeln!(page, "| `{name}` | {kind} | {unit} | {dimensions} | {help} |");
    }
    page.push_str(
        "\n## Alarms\n\nEvery name stands after the deployment's prefix. The link says what to do.\
         \n\n| alarm | meaning | goes off |\n|---|---|---|\n",
    );
    for alarm in ALARMS {
        let (name, meaning) = (alarm.name, super::cell(alarm.meaning));
        let link = format!("[`{name}`](../guides/runbook.md#{name})");
        let _ = writeln!(page, "| {link} | {meaning} | {} |", super::cell(&alarm.condition()));
    }
    page
}
