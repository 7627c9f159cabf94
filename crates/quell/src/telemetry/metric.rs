//! The closed list of metrics: nothing is measured that does not stand here.
//!
//! A name is `quell_<what>_<unit>`, and ends in `_total` where it counts. Dimensions are few and
//! their values are closed lists, because CloudWatch bills every combination as a metric of its
//! own; what has many values (policy, resource, actor) stands in the log beside the trace id.

/// The namespace of our metrics in CloudWatch.
pub const NAMESPACE: &str = "Quell";

/// Everything that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Metric {
    /// Events that are done.
    Events,
    /// Findings that were decided about.
    Findings,
    /// Decisions.
    Decisions,
    /// Changes that ended.
    Actions,
    /// From the call to the verified fix.
    EventToFix,
    /// From the call to the end of our work on it.
    EventLag,
    /// What could not be judged.
    JudgmentErrors,
    /// Deliveries that were put aside.
    DeadLetters,
    /// How long the breaker stays open.
    BreakerOpen,
    /// Age of the last heartbeat that came back.
    HeartbeatAge,
    /// Violations by the same again.
    RepeatedViolations,
    /// Violations of critical severity.
    CriticalViolations,
    /// Attacks on Quell itself.
    Tampering,
    /// Facts that the ledger did not take.
    StoreErrors,
    /// Secrets that did not resolve.
    SecretErrors,
}

/// What a metric is, for sinks, alarms, dashboard and reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricMeta {
    /// Its name everywhere.
    pub name: &'static str,
    /// How its values add up.
    pub kind: Kind,
    /// What its values are.
    pub unit: Unit,
    /// What splits it.
    pub dimensions: &'static [Dimension],
    /// Whether it is also written without dimensions, for an alarm over all of them.
    pub rollup: bool,
    /// In one sentence.
    pub help: &'static str,
}

/// How values add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Increases are summed.
    Counter,
    /// The last value holds.
    Gauge,
    /// Every value counts: percentiles.
    Distribution,
}

/// CloudWatch's units, as far as we use them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// How many.
    Count,
    /// Time in seconds.
    Seconds,
}

/// What splits a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dimension {
    /// A finding's severity.
    Severity,
    /// What was decided.
    Verdict,
    /// How a change ended.
    Outcome,
    /// What could not be judged.
    Problem,
    /// What is the same again: a resource or an actor.
    By,
    /// How Quell was attacked: its name was used, or its pipeline was touched.
    How,
    /// A secret's scheme.
    Scheme,
    /// A watched account.
    Account,
    /// A watched region.
    Region,
}

impl Metric {
    /// All of them, in the order of the reference.
    pub const ALL: [Metric; 15] = [
        Metric::Events,
        Metric::Findings,
        Metric::Decisions,
        Metric::Actions,
        Metric::EventToFix,
        Metric::EventLag,
        Metric::JudgmentErrors,
        Metric::DeadLetters,
        Metric::BreakerOpen,
        Metric::HeartbeatAge,
        Metric::RepeatedViolations,
        Metric::CriticalViolations,
        Metric::Tampering,
        Metric::StoreErrors,
        Metric::SecretErrors,
    ];

    /// What it is.
    pub const fn meta(self) -> &'static MetricMeta {
        match self {
            Metric::Events => &EVENTS,
            Metric::Findings => &FINDINGS,
            Metric::Decisions => &DECISIONS,
            Metric::Actions => &ACTIONS,
            Metric::EventToFix => &EVENT_TO_FIX,
            Metric::EventLag => &EVENT_LAG,
            Metric::JudgmentErrors => &JUDGMENT_ERRORS,
            Metric::DeadLetters => &DEAD_LETTERS,
            Metric::BreakerOpen => &BREAKER_OPEN,
            Metric::HeartbeatAge => &HEARTBEAT_AGE,
            Metric::RepeatedViolations => &REPEATED_VIOLATIONS,
            Metric::CriticalViolations => &CRITICAL_VIOLATIONS,
            Metric::Tampering => &TAMPERING,
            Metric::StoreErrors => &STORE_ERRORS,
            Metric::SecretErrors => &SECRET_ERRORS,
        }
    }

    /// Its name everywhere.
    pub const fn name(self) -> &'static str {
        self.meta().name
    }
}

impl Kind {
    /// One word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Distribution => "distribution",
        }
    }
}

impl Unit {
    /// As CloudWatch writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Unit::Count => "Count",
            Unit::Seconds => "Seconds",
        }
    }
}

impl Dimension {
    /// All of them.
    pub const ALL: [Dimension; 9] = [
        Dimension::Severity,
        Dimension::Verdict,
        Dimension::Outcome,
        Dimension::Problem,
        Dimension::By,
        Dimension::How,
        Dimension::Scheme,
        Dimension::Account,
        Dimension::Region,
    ];

    /// Its name everywhere.
    pub const fn name(self) -> &'static str {
        match self {
            Dimension::Severity => "severity",
            Dimension::Verdict => "verdict",
            Dimension::Outcome => "outcome",
            Dimension::Problem => "problem",
            Dimension::By => "by",
            Dimension::How => "how",
            Dimension::Scheme => "scheme",
            Dimension::Account => "account",
            Dimension::Region => "region",
        }
    }

    /// Every value that it can have; none where the deployment names them.
    pub const fn values(self) -> &'static [&'static str] {
        match self {
            Dimension::Severity => &["informational", "low", "medium", "high", "critical"],
            Dimension::Verdict => &[
                "observe",
                "notify",
                "exempt",
                "withhold",
                "await_approval",
                "remediate",
                "indeterminate",
            ],
            Dimension::Outcome => {
                &["corrected", "already_compliant", "uncorrected", "conflict", "gone", "failed"]
            }
            Dimension::Problem => &["read", "policy", "plan", "indeterminate"],
            Dimension::By => &["resource", "actor"],
            Dimension::How => &["impostor", "pipeline"],
            Dimension::Scheme => &["env", "file", "vault", "aws-sm", "aws-ssm"],
            Dimension::Account | Dimension::Region => &[],
        }
    }
}

/// A count without dimensions, which most metrics start from.
const COUNT: MetricMeta = MetricMeta {
    name: "",
    kind: Kind::Counter,
    unit: Unit::Count,
    dimensions: &[],
    rollup: false,
    help: "",
};

const EVENTS: MetricMeta = MetricMeta {
    name: "quell_processed_events_total",
    help: "Events whose every demand is durable in the ledger.",
    ..COUNT
};

const FINDINGS: MetricMeta = MetricMeta {
    name: "quell_decided_findings_total",
    dimensions: &[Dimension::Severity],
    help: "Findings that were decided about; one that is looked at again counts again.",
    ..COUNT
};

const DECISIONS: MetricMeta = MetricMeta {
    name: "quell_made_decisions_total",
    dimensions: &[Dimension::Verdict],
    help: "Decisions about findings, by verdict.",
    ..COUNT
};

const ACTIONS: MetricMeta = MetricMeta {
    name: "quell_concluded_actions_total",
    dimensions: &[Dimension::Outcome],
    help: "Changes that ended, fixes and undos, by outcome.",
    ..COUNT
};

const EVENT_TO_FIX: MetricMeta = MetricMeta {
    name: "quell_event_to_fix_seconds",
    kind: Kind::Distribution,
    unit: Unit::Seconds,
    help: "From the violating call to the moment when its fix was read back; fixes that waited \
           for a person are left out.",
    ..COUNT
};

const EVENT_LAG: MetricMeta = MetricMeta {
    name: "quell_event_lag_seconds",
    kind: Kind::Distribution,
    unit: Unit::Seconds,
    help: "From a call to the moment when our work on its event was durable.",
    ..COUNT
};

const JUDGMENT_ERRORS: MetricMeta = MetricMeta {
    name: "quell_judgment_errors_total",
    dimensions: &[Dimension::Problem],
    rollup: true,
    help: "Resources that could not be judged: never a pass.",
    ..COUNT
};

const DEAD_LETTERS: MetricMeta = MetricMeta {
    name: "quell_dead_letters_total",
    help: "Deliveries that were put aside with their reason.",
    ..COUNT
};

const BREAKER_OPEN: MetricMeta = MetricMeta {
    name: "quell_breaker_open_seconds",
    kind: Kind::Gauge,
    unit: Unit::Seconds,
    help: "How long the breaker stays open, during which nothing is fixed; 0 while it is closed.",
    ..COUNT
};

const HEARTBEAT_AGE: MetricMeta = MetricMeta {
    name: "quell_heartbeat_age_seconds",
    kind: Kind::Gauge,
    unit: Unit::Seconds,
    dimensions: &[Dimension::Account, Dimension::Region],
    rollup: true,
    help: "Age of the last heartbeat that came back as its audit event, by watched account and \
           region.",
};

const REPEATED_VIOLATIONS: MetricMeta = MetricMeta {
    name: "quell_repeated_violations_total",
    dimensions: &[Dimension::By],
    help: "Violations of a policy on a resource that violated it before, or by an actor who caused \
           a violation before, within a week.",
    ..COUNT
};

const CRITICAL_VIOLATIONS: MetricMeta = MetricMeta {
    name: "quell_critical_violations_total",
    help: "Violations of critical severity; those that are exempt or cannot be judged are left \
           out.",
    ..COUNT
};

const TAMPERING: MetricMeta = MetricMeta {
    name: "quell_tampering_events_total",
    dimensions: &[Dimension::How],
    rollup: true,
    help: "Calls under our name that we did not make (`impostor`), and calls that touched our own \
           rules, function, roles or tables (`pipeline`).",
    ..COUNT
};

const STORE_ERRORS: MetricMeta = MetricMeta {
    name: "quell_store_errors_total",
    help: "Times that the ledger did not take facts.",
    ..COUNT
};

const SECRET_ERRORS: MetricMeta = MetricMeta {
    name: "quell_secret_errors_total",
    dimensions: &[Dimension::Scheme],
    rollup: true,
    help: "Secrets that did not resolve, those included for which an older value stood in.",
    ..COUNT
};

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_tell_the_unit() {
        let names: BTreeSet<&str> = Metric::ALL.iter().map(|it| it.name()).collect();
        assert_eq!(names.len(), Metric::ALL.len());
        for metric in Metric::ALL {
            let meta = metric.meta();
            assert!(meta.name.starts_with("quell_") && !meta.help.is_empty(), "{metric:?}");
            let counts = meta.kind == Kind::Counter;
            assert_eq!(meta.name.ends_with("_total"), counts, "{metric:?}");
            assert_eq!(meta.name.ends_with("_seconds"), meta.unit == Unit::Seconds, "{metric:?}");
        }
    }

    #[test]
    fn dimensions_are_few() {
        // What CloudWatch bills: combinations of values, and the one without any.
        let combinations = |metric: &Metric| -> usize {
            let sizes = metric.meta().dimensions.iter().map(|it| it.values().len().max(1));
            sizes.product::<usize>() + usize::from(metric.meta().rollup)
        };
        let all: usize = Metric::ALL.iter().map(combinations).sum();
        assert!(all < 60, "{all} metrics");
    }
}
