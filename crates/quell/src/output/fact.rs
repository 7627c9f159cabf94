//! A fact of the ledger in one line, for people.

use super::table::word;
use quell_core::exemption::Exemption;
use quell_core::heartbeat::{Beat, Heartbeat};
use quell_core::record::{Fact, Verdict};
use quell_core::report::shown::visible;

/// One line that says what happened, whatever a fact holds.
pub fn line(fact: &Fact) -> String {
    visible(&told(fact)).into_owned()
}

fn told(fact: &Fact) -> String {
    match fact {
        Fact::Decided { finding, verdict, .. } => format!(
            "{:<12} {} {}: {}{}",
            verdict.word(),
            finding.policy,
            finding.resource.id,
            finding.reason,
            why(verdict)
        ),
        Fact::Attempted(it) => {
            let undo = if it.undoes.is_some() { "undo" } else { "fix" };
            format!("attempted    {undo} {} {}", it.change.action, it.change.resource.id)
        }
        Fact::Concluded { attempt, outcome, note, .. } => {
            let note = note.as_ref().map(|it| format!(" ({it})")).unwrap_or_default();
            format!("concluded    {} {attempt}{note}", outcome.word())
        }
        Fact::Processed { event, operation, findings, .. } => {
            format!("processed    {operation} {event}: {findings} findings")
        }
        Fact::CallFailed { operation, code, actor, .. } => {
            format!("call failed  {operation} by {}: {code}", actor.id())
        }
        Fact::Failed { problem, message, .. } => {
            format!("failed       {}: {message}", word(problem))
        }
        Fact::DeadLettered { source, reason, .. } => format!("dead letter  {source}: {reason}"),
        Fact::Impostor { operation, actor, .. } => {
            format!("IMPOSTOR     {operation} under our name by {}", actor.id())
        }
        Fact::Heartbeat { heartbeat, step } => {
            let Heartbeat { rule, .. } = heartbeat;
            format!("heartbeat    {} {}: {}", rule.account, rule.region, beat(step))
        }
        Fact::Approval { finding, approved, by, reason, .. } => {
            let word = if *approved { "approved" } else { "denied" };
            format!("{word:<12} {finding} by {by}: {reason}")
        }
        Fact::UndoRequested { attempt, by, reason } => {
            format!("undo asked   {attempt} by {by}: {reason}")
        }
        Fact::Exempted(it) => {
            let Exemption { id, owner, reason, expires, .. } = &it.exemption;
            let by = it.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
            format!("exempted     {id}{by}, owned by {owner}, until {expires}: {reason}")
        }
        Fact::ExemptionRemoved { id, by, reason } => {
            let why = reason.as_ref().map(|it| format!(": {it}")).unwrap_or_default();
            format!("unexempted   {id} by {by}{why}")
        }
        Fact::BreakerOpened { until, reason } => format!("BREAKER OPEN until {until}: {reason}"),
        Fact::TailRepaired { bytes, file } => format!("tail cut     {bytes} bytes kept in {file}"),
        Fact::Resolved { finding, why } => format!("resolved     {finding}: {}", why.word()),
    }
}

fn beat(step: &Beat) -> String {
    match step {
        Beat::Sent => "to be written".to_owned(),
        Beat::Written { .. } => "written".to_owned(),
        Beat::Failed { error } => format!("NOT WRITTEN: {error}"),
        Beat::Returned { after_ms, .. } => format!("came back after {} s", after_ms / 1_000),
        Beat::Late { waited_s } => format!("LATE: out for {waited_s} s"),
    }
}

fn why(verdict: &Verdict) -> String {
    let why = verdict.why();
    if why.is_empty() { why } else { format!(" [{why}]") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_one_line_whatever_an_attacker_named_things() {
        let fact = Fact::Processed {
            event: "a1\u{1b}[31m\u{7}\n  99 2026 processed all fine".to_owned(),
            event_time: jiff::Timestamp::UNIX_EPOCH,
            operation: "Put\u{202e}Bucket".to_owned(),
            findings: 2,
        };
        let line = line(&fact);
        assert_eq!(
            line,
            "processed    Put\\u{202e}Bucket a1\\u{1b}[31m\\u{7}\\n  99 2026 processed all fine: \
             2 findings"
        );
    }
}
