//! `docs/reference/metrics.md`: every metric, every alarm, and how to read the log.

use crate::telemetry::alarms::ALARMS;
use crate::telemetry::log::{LOG_FORMAT_VARIABLE, LOG_VARIABLE};
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
    logs(&mut page);
    page
}

fn logs(page: &mut String) {
    let _ = writeln!(
        page,
        "\n## Logs and traces\n\n`{LOG_FORMAT_VARIABLE}=json` writes one JSON object per line on \
         standard error, `text` what people read\nin a terminal; `{LOG_VARIABLE}` filters, such as \
         `quell=info,warn`. A JSON line is flat: `time`, `level`, `target`,\n`message` and its \
         fields. Every line of the work on an event has `trace_id`, `event`, `operation`, \
         `account` and\n`region`; what was decided and done is told by the messages \
         `FindingDecided`, `ChangeAttempted`,\n`ChangeConcluded`, `FindingResolved`, \
         `JudgmentFailed`, `ViolatingCallFailed`, `OurNameMisused` and `BreakerOpened`.\n\nThe \
         trace id is the one that the delivery carries (`traceparent`, `X-Amzn-Trace-Id`, the \
         `AWSTraceHeader` of SQS);\nelse it is derived from the event's id, so that it is the same \
         wherever the event is worked on. In Lambda the AWS\nSDK passes X-Ray's header on with \
         every call. Quell exports no spans, neither to X-Ray nor by OTLP."
    );
}
