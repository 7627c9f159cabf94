//! The alarms of a deployment, as data over the closed list of metrics.
//!
//! `quell deploy render` writes them out, in the property names of CloudFormation's
//! `AWS::CloudWatch::Alarm`, which are those of `PutMetricAlarm`. Each names the section of the
//! runbook that says what to do.
//!
//! A counter that counts nothing is not written, so missing data is no breach; for heartbeats and
//! checkpoints it is, since their silence is what the alarm is for.

use super::metric::{Dimension, Metric, NAMESPACE};
use serde_json::{Value, json};

/// Where the runbook lies.
pub const RUNBOOK: &str = "docs/guides/runbook.md";
/// How old a heartbeat may be when it is measured, in seconds: less than
/// [`quell_core::heartbeat::HEARTBEAT_LATE_S`], so that each one that is reported as late breaches.
pub const HEARTBEAT_AGE_MAX_S: u32 = 899;
/// Length of a period of the heartbeat's alarm, in seconds: twice the time between two beats in a
/// deployment, as one that comes a little late must not leave a period without any.
pub const HEARTBEAT_PERIOD_S: u32 = 1800;
/// Length of a period of the breaker's alarm, in seconds: where nothing else happens, the heartbeat
/// measures whether it is open.
pub const BREAKER_PERIOD_S: u32 = 900;
/// Length of a period of the checkpoints' alarm, in seconds: twice the time between two checkpoints
/// in a deployment, since a run that fails counts an error and one that does not happen nothing.
pub const CHECKPOINT_PERIOD_S: u32 = 1800;
/// How late most of the work may be done, in seconds.
pub const EVENT_LAG_MAX_S: u32 = 900;
/// How long the oldest message may wait in the queue, in seconds: longer than one that fails each
/// time waits for its fourth receive, from which on SQS leaves it out of the age. Else each poison
/// message would be reported as a queue that lags. Source: "Available CloudWatch metrics for Amazon
/// SQS" in its developer guide.
pub const QUEUE_AGE_MAX_S: u32 = 2400;
/// How many violations of actors who caused one before are taken within an hour.
pub const REPEATED_BY_ACTOR_MAX: u32 = 2;

/// The names of what a deployment made. They may be placeholders of the template's language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Names<'a> {
    /// What the names of alarms and dashboard begin with.
    pub prefix: &'a str,
    /// The queue that rules deliver to.
    pub queue: &'a str,
    /// Its dead-letter queue.
    pub dead_letter_queue: &'a str,
    /// The function that works on events.
    pub function: &'a str,
    /// The function that signs checkpoints.
    pub checkpoint_function: &'a str,
}

/// One alarm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Alarm {
    /// Its name after the prefix; also the anchor in the runbook.
    pub name: &'static str,
    /// What it means, in one sentence.
    pub meaning: &'static str,
    /// What is watched.
    pub watched: Watched,
    /// Over one period.
    pub statistic: Statistic,
    /// Length of a period, in seconds.
    pub period_s: u32,
    /// How many of the newest periods are looked at.
    pub periods: u32,
    /// How many of them must breach.
    pub breaching_periods: u32,
    /// Values above it breach.
    pub threshold: u32,
    /// What missing data means.
    pub missing: Missing,
}

/// What an alarm watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watched {
    /// A metric of ours, at these values of its dimensions.
    Ours(Metric, &'static [(Dimension, &'static str)]),
    /// A metric of AWS', of one part of the deployment.
    Aws(&'static str, Part),
}

/// A part of the deployment that AWS measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// [`Names::queue`].
    Queue,
    /// [`Names::dead_letter_queue`].
    DeadLetterQueue,
    /// [`Names::function`].
    Function,
    /// [`Names::checkpoint_function`].
    CheckpointFunction,
}

/// What is made of a period's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statistic {
    /// Their sum.
    Sum,
    /// The largest.
    Maximum,
    /// What 90 of 100 do not exceed.
    P90,
}

/// What a period without data means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// All is well.
    Fine,
    /// It breaches.
    Breaching,
}

/// Any one within five minutes: what most alarms start from.
const ANY: Alarm = Alarm {
    name: "",
    meaning: "",
    watched: Watched::Ours(Metric::Events, &[]),
    statistic: Statistic::Sum,
    period_s: 300,
    periods: 1,
    breaching_periods: 1,
    threshold: 0,
    missing: Missing::Fine,
};

/// All alarms, in the order of the runbook.
pub const ALARMS: [Alarm; 20] = [
    Alarm {
        name: "no-heartbeat",
        meaning: "No heartbeat came back: Quell may be blind.",
        watched: Watched::Ours(Metric::HeartbeatAge, &[]),
        statistic: Statistic::Maximum,
        period_s: HEARTBEAT_PERIOD_S,
        periods: 1,
        breaching_periods: 1,
        threshold: HEARTBEAT_AGE_MAX_S,
        missing: Missing::Breaching,
    },
    Alarm {
        name: "own-role-misused",
        meaning: "A call was made under our name that Quell did not make.",
        watched: Watched::Ours(Metric::Tampering, &[(Dimension::How, "impostor")]),
        period_s: 60,
        ..ANY
    },
    Alarm {
        name: "own-pipeline-touched",
        meaning: "Somebody changed Quell's own rules, queue, function, roles or tables.",
        watched: Watched::Ours(Metric::Tampering, &[(Dimension::How, "pipeline")]),
        period_s: 60,
        ..ANY
    },
    Alarm {
        name: "critical-violation",
        meaning: "A violation of critical severity was found.",
        watched: Watched::Ours(Metric::CriticalViolations, &[]),
        period_s: 60,
        ..ANY
    },
    Alarm {
        name: "repeated-violation-of-resource",
        meaning: "A resource violates a policy again that it violated within the last week.",
        watched: Watched::Ours(Metric::RepeatedViolations, &[(Dimension::By, "resource")]),
        ..ANY
    },
    Alarm {
        name: "repeated-violation-by-actor",
        meaning: "Actors who caused a violation within the last week keep causing more.",
        watched: Watched::Ours(Metric::RepeatedViolations, &[(Dimension::By, "actor")]),
        period_s: 3600,
        threshold: REPEATED_BY_ACTOR_MAX,
        ..ANY
    },
    Alarm {
        name: "failed-actions",
        meaning: "A fix failed; its finding stands open.",
        watched: Watched::Ours(Metric::Actions, &[(Dimension::Outcome, "failed")]),
        ..ANY
    },
    Alarm {
        name: "uncorrected-actions",
        meaning: "A fix was made, but reading back does not show it.",
        watched: Watched::Ours(Metric::Actions, &[(Dimension::Outcome, "uncorrected")]),
        ..ANY
    },
    Alarm {
        name: "conflicting-actions",
        meaning: "Somebody else moved what was to be fixed; its finding stands open.",
        watched: Watched::Ours(Metric::Actions, &[(Dimension::Outcome, "conflict")]),
        ..ANY
    },
    Alarm {
        name: "breaker-open",
        meaning: "The breaker is open: findings are recorded, nothing is fixed.",
        watched: Watched::Ours(Metric::BreakerOpen, &[]),
        statistic: Statistic::Maximum,
        period_s: BREAKER_PERIOD_S,
        ..ANY
    },
    Alarm {
        name: "dead-letter-queue-not-empty",
        meaning: "Messages lie in the dead-letter queue.",
        watched: Watched::Aws("ApproximateNumberOfMessagesVisible", Part::DeadLetterQueue),
        statistic: Statistic::Maximum,
        ..ANY
    },
    Alarm {
        name: "dead-letters",
        meaning: "A delivery was put aside because it can't be processed.",
        watched: Watched::Ours(Metric::DeadLetters, &[]),
        ..ANY
    },
    Alarm {
        name: "event-lag",
        meaning: "Most of the work on events is done too late.",
        watched: Watched::Ours(Metric::EventLag, &[]),
        statistic: Statistic::P90,
        periods: 3,
        breaching_periods: 2,
        threshold: EVENT_LAG_MAX_S,
        ..ANY
    },
    Alarm {
        name: "queue-lag",
        meaning: "Messages wait too long in the queue.",
        watched: Watched::Aws("ApproximateAgeOfOldestMessage", Part::Queue),
        statistic: Statistic::Maximum,
        periods: 3,
        breaching_periods: 2,
        threshold: QUEUE_AGE_MAX_S,
        ..ANY
    },
    Alarm {
        name: "judgment-errors",
        meaning: "Resources could not be judged, which is never a pass.",
        watched: Watched::Ours(Metric::JudgmentErrors, &[]),
        ..ANY
    },
    Alarm {
        name: "ledger-errors",
        meaning: "The ledger did not take facts; their events are delivered again.",
        watched: Watched::Ours(Metric::StoreErrors, &[]),
        ..ANY
    },
    Alarm {
        name: "secret-errors",
        meaning: "Secrets did not resolve, or are older than they should be.",
        watched: Watched::Ours(Metric::SecretErrors, &[]),
        ..ANY
    },
    Alarm {
        name: "function-errors",
        meaning: "The function itself failed or ran out of time.",
        watched: Watched::Aws("Errors", Part::Function),
        ..ANY
    },
    Alarm {
        name: "function-throttled",
        meaning: "The function is not allowed to run as often as it must, or at all.",
        watched: Watched::Aws("Throttles", Part::Function),
        ..ANY
    },
    Alarm {
        name: "checkpoint-errors",
        meaning: "The checkpoint function failed or did not run: new records are not signed.",
        watched: Watched::Aws("Errors", Part::CheckpointFunction),
        period_s: CHECKPOINT_PERIOD_S,
        missing: Missing::Breaching,
        ..ANY
    },
];

/// All alarms of a deployment, each as the properties of an `AWS::CloudWatch::Alarm` without the
/// actions, which the deployment adds.
pub fn properties(names: &Names<'_>) -> Vec<Value> {
    ALARMS.iter().map(|it| it.properties(names)).collect()
}

impl Alarm {
    fn properties(&self, names: &Names<'_>) -> Value {
        let (namespace, metric, dimensions) = self.watched.identity(names);
        let mut alarm = json!({
            "AlarmName": format!("{}-{}", names.prefix, self.name),
            "AlarmDescription": format!("{} Runbook: {RUNBOOK}#{}", self.meaning, self.name),
            "Namespace": namespace,
            "MetricName": metric,
            "Dimensions": dimensions,
            "Period": self.period_s,
            "EvaluationPeriods": self.periods,
            "DatapointsToAlarm": self.breaching_periods,
            "Threshold": self.threshold,
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": match self.missing {
                Missing::Fine => "notBreaching",
                Missing::Breaching => "breaching",
            },
        });
        let (key, value) = match self.statistic {
            Statistic::Sum => ("Statistic", "Sum"),
            Statistic::Maximum => ("Statistic", "Maximum"),
            Statistic::P90 => ("ExtendedStatistic", "p90"),
        };
        if let Some(alarm) = alarm.as_object_mut() {
            alarm.insert(key.to_owned(), json!(value));
        }
        alarm
    }

    /// When it goes off, in words.
    pub fn condition(&self) -> String {
        let (what, dimensions, whose) = match self.watched {
            Watched::Ours(metric, dimensions) => (metric.name(), dimensions, ""),
            Watched::Aws(metric, part) => (metric, [].as_slice(), part.whose()),
        };
        let labels = dimensions.iter().map(|(name, value)| format!("{}={value}", name.name()));
        let labels: Vec<String> = labels.collect();
        let labels =
            if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let statistic = match self.statistic {
            Statistic::Sum => "sum",
            Statistic::Maximum => "maximum",
            Statistic::P90 => "p90",
        };
        let missing = match self.missing {
            Missing::Fine => "",
            Missing::Breaching => ", or no data",
        };
        format!(
            "{statistic} of `{what}{labels}`{whose} above {} in {} of {} × {} s{missing}",
            self.threshold, self.breaching_periods, self.periods, self.period_s
        )
    }
}

impl Watched {
    /// Namespace, name and dimensions in CloudWatch.
    pub fn identity(&self, names: &Names<'_>) -> (&'static str, &'static str, Value) {
        match self {
            Watched::Ours(metric, dimensions) => {
                let pairs = dimensions
                    .iter()
                    .map(|(name, value)| json!({"Name": name.name(), "Value": value}));
                (NAMESPACE, metric.name(), pairs.collect())
            }
            Watched::Aws(metric, part) => {
                let (namespace, name, value) = part.identity(names);
                (namespace, metric, json!([{"Name": name, "Value": value}]))
            }
        }
    }
}

impl Part {
    /// Whose metric it is, in words.
    fn whose(self) -> &'static str {
        match self {
            Part::Queue => " of the queue",
            Part::DeadLetterQueue => " of the dead-letter queue",
            Part::Function => " of the function",
            Part::CheckpointFunction => " of the checkpoint function",
        }
    }

    /// Namespace, dimension and its value in CloudWatch.
    pub fn identity<'a>(self, names: &Names<'a>) -> (&'static str, &'static str, &'a str) {
        match self {
            Part::Queue => ("AWS/SQS", "QueueName", names.queue),
            Part::DeadLetterQueue => ("AWS/SQS", "QueueName", names.dead_letter_queue),
            Part::Function => ("AWS/Lambda", "FunctionName", names.function),
            Part::CheckpointFunction => ("AWS/Lambda", "FunctionName", names.checkpoint_function),
        }
    }
}
