//! Telling the story: step by step for people, line by line for machines.
//!
//! Everything but the lines marked `measured` follows from the seed alone.

use super::folder::CONFIG_FILE;
use super::stage::{Seen, Stage, Told};
use super::{DemoError, Options};
use crate::output::table::{self, word};
use crate::output::{Out, diff};
use crate::pipeline::Ack;
use anstyle::{AnsiColor, Style};
use jiff::Timestamp;
use quell_core::change::Change;
use quell_core::detect::Finding;
use quell_core::history::{Open, Status};
use quell_core::policy::Severity;
use quell_core::record::{Fact, Outcome, Verdict};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::time::Duration;

/// Where a step's lines begin.
const MARGIN: &str = "               ";
/// The width of what stands behind a label, in characters.
const WIDTH: usize = 74;
const ALERT: Style = AnsiColor::Magenta.on_default().bold();

/// The narrator.
#[derive(Debug)]
pub struct Show<'a> {
    /// Where to.
    pub out: &'a mut Out,
    /// How.
    pub options: &'a Options,
}

impl Show<'_> {
    /// What there is before it begins.
    pub fn opening(&mut self, stage: &Stage) -> Result<(), DemoError> {
        if self.options.json {
            return Ok(());
        }
        let (bold, dim) = (Style::new().bold(), Style::new().dimmed());
        let policies = stage.pipeline.library.policies().len();
        let (resources, seed) = (stage.account.len(), self.options.seed);
        let what = format!("{resources} resources, {policies} policies, mode enforce, seed {seed}");
        let true_is = "Account, clock and attackers are simulated; pipeline, policies and ledger";
        writeln!(self.out, "{bold}A simulated AWS account under attack{bold:#}")?;
        writeln!(self.out, "{dim}{what}{dim:#}")?;
        writeln!(self.out, "{dim}{true_is} are the real ones.{dim:#}")?;
        Ok(self.out.flush()?)
    }

    /// A new act begins.
    pub fn act(&mut self, title: &str) -> Result<(), DemoError> {
        if !self.options.json {
            let style = AnsiColor::Cyan.on_default().bold();
            writeln!(self.out, "\n{style}── {title} ──{style:#}")?;
        }
        Ok(())
    }

    /// The newest step in full.
    pub async fn newest(&mut self, stage: &Stage) -> Result<(), DemoError> {
        let Some(told) = stage.told.last() else { return Ok(()) };
        let number = stage.told.len();
        if self.options.json {
            return self.lines(number, told);
        }
        writeln!(self.out)?;
        self.head(number, told)?;
        for seen in &told.facts {
            self.fact(seen, told)?;
        }
        self.rest(told, stage)?;
        if !told.remark.is_empty() {
            self.say("", Style::new().dimmed().italic(), told.remark, "")?;
        }
        self.pause(stage.pause).await
    }

    /// The newest step in one line, and the breaker where it opens.
    pub async fn newest_in_short(&mut self, stage: &Stage) -> Result<(), DemoError> {
        let Some(told) = stage.told.last() else { return Ok(()) };
        let number = stage.told.len();
        if self.options.json {
            return self.lines(number, told);
        }
        let time = clock(told.at);
        for it in &told.facts {
            if let Fact::BreakerOpened { until, reason } = &it.fact {
                self.breaker(*until, reason)?;
            }
        }
        let (style, end) = told.facts.iter().rev().find_map(|it| end(&it.fact)).unwrap_or_default();
        writeln!(self.out, "{number:>3}  {time}  {}  {style}{end}{style:#}", told.title)?;
        self.pause(stage.pause / 4).await
    }

    /// What it came to, and what to try next.
    pub fn closing(&mut self, stage: &Stage) -> Result<(), DemoError> {
        if self.options.json {
            let summary = summary(stage, self.options);
            self.out.json_line(&summary)?;
            return Ok(self.out.flush()?);
        }
        let bold = Style::new().bold();
        writeln!(self.out, "\n{bold}What it came to{bold:#}\n")?;
        self.totals(stage)?;
        self.hints(stage)?;
        Ok(self.out.flush()?)
    }

    fn lines(&mut self, step: usize, told: &Told) -> Result<(), DemoError> {
        for seen in &told.facts {
            let (title, event) = (&told.title, &told.event.uid);
            let mut line = json!({
                "line": "record",
                "step": step,
                "title": title,
                "event": event,
                "time": seen.time,
                "record": seen.fact,
            });
            if let (Some(time), Some(fields)) = (fix_time(seen, told), line.as_object_mut()) {
                fields.insert("measured_us".to_owned(), json!(time.as_micros() as u64));
            }
            self.out.json_line(&line)?;
        }
        Ok(self.out.flush()?)
    }

    fn head(&mut self, number: usize, told: &Told) -> io::Result<()> {
        let bold = Style::new().bold();
        writeln!(self.out, "{number:>3}  {}  {bold}{}{bold:#}", clock(told.at), told.title)?;
        let event = &told.event;
        let age_s = told.at.duration_since(event.time).as_secs();
        let who = short_arn(event.actor.id());
        let what = format!("{} by {who}, made {age_s} s ago", event.api.operation);
        self.plain("event", &what)
    }

    fn fact(&mut self, seen: &Seen, told: &Told) -> io::Result<()> {
        match &seen.fact {
            Fact::Decided { finding, verdict, change, .. } => {
                self.decided(finding, verdict, change.as_ref())
            }
            Fact::Attempted(attempt) => self.change("change", &attempt.change),
            Fact::Concluded { outcome, .. } => self.concluded(outcome, fix_time(seen, told)),
            Fact::CallFailed { code, policies, .. } => self.say(
                "signal",
                ALERT,
                code,
                &format!("for what {} watch", policies.join(" and ")),
            ),
            Fact::Impostor { .. } => {
                self.say("alert", ALERT, "impostor", "under Quell's name, but not Quell's call")
            }
            Fact::BreakerOpened { until, reason } => self.breaker(*until, reason),
            Fact::Failed { problem, message, .. } => {
                self.say("failed", ALERT, &word(problem), message)
            }
            Fact::Resolved { finding, why } => {
                self.plain("resolved", &format!("{}: {}", short(finding), why.word()))
            }
            _ => Ok(()),
        }
    }

    fn decided(
        &mut self,
        finding: &Finding,
        verdict: &Verdict,
        change: Option<&Change>,
    ) -> io::Result<()> {
        let severity = word(&finding.severity);
        self.say("finding", severity_style(finding.severity), &severity, &finding.reason)?;
        let name = format!("{} {}", finding.policy, short(&finding.key));
        self.say("", Style::new().dimmed(), &name, "")?;
        let decision = verdict.word().replace('_', " ");
        self.say("decision", verdict_style(verdict), &decision, &verdict.why())?;
        match (verdict, change) {
            (Verdict::AwaitApproval { .. }, Some(change)) => self.change("proposed", change),
            _ => Ok(()),
        }
    }

    fn change(&mut self, label: &str, change: &Change) -> io::Result<()> {
        let element = change.facet.element.as_deref().map(|it| format!("/{}", short(it)));
        let facet = format!("{}{}", change.facet.pointer, element.unwrap_or_default());
        self.plain(label, &format!("{} {facet}", change.action))?;
        let mut text = Vec::new();
        diff::write(&mut text, change)?;
        for line in String::from_utf8_lossy(&text).lines().skip(1) {
            let line = line.strip_prefix("  ").unwrap_or(line);
            writeln!(self.out, "{MARGIN}{:<9} {line}", "")?;
        }
        Ok(())
    }

    fn concluded(&mut self, outcome: &Outcome, took: Option<Duration>) -> io::Result<()> {
        let (style, text) = match outcome {
            Outcome::Corrected { .. } => {
                (AnsiColor::Green.on_default().bold(), "fixed and read back")
            }
            other => (AnsiColor::Yellow.on_default(), other.word()),
        };
        let took = took.map(|it| format!("(measured: {})", milliseconds(it)));
        self.say("verified", style, text, &took.unwrap_or_default())
    }

    fn breaker(&mut self, until: Timestamp, reason: &str) -> io::Result<()> {
        self.say("breaker", ALERT, &format!("open until {}", clock(until)), reason)
    }

    /// What a step says by saying nothing.
    fn rest(&mut self, told: &Told, stage: &Stage) -> io::Result<()> {
        match &told.ack {
            Ack::Done => {}
            Ack::Retry(why) => self.plain("again", why)?,
            Ack::DeadLetter(why) => self.plain("aside", why)?,
        }
        match told.facts.as_slice() {
            [] if 1 < stage.told.iter().filter(|it| it.event.uid == told.event.uid).count() => {
                self.plain("result", "seen before: nothing is done twice")
            }
            [] => self.plain("result", "no policy asks for it"),
            [Seen { fact: Fact::Processed { .. }, .. }] => self.plain("result", "nothing to do"),
            _ => Ok(()),
        }
    }

    fn plain(&mut self, label: &str, text: &str) -> io::Result<()> {
        self.say(label, Style::new(), text, "")
    }

    /// A label, a head in a style and a text, wrapped at words.
    fn say(&mut self, label: &str, style: Style, head: &str, text: &str) -> io::Result<()> {
        let dim = Style::new().dimmed();
        let between = if text.is_empty() { "" } else { "  " };
        write!(self.out, "{MARGIN}{dim}{label:<9}{dim:#} {style}{head}{style:#}{between}")?;
        let mut column = head.len() + between.len();
        for (at, word) in text.split(' ').enumerate() {
            if 0 < at && WIDTH < column + 1 + word.len() {
                write!(self.out, "\n{MARGIN}{:<9} {word}", "")?;
                column = word.len();
            } else {
                let space = if at == 0 { "" } else { " " };
                write!(self.out, "{space}{word}")?;
                column += space.len() + word.len();
            }
        }
        writeln!(self.out)
    }

    async fn pause(&mut self, pause: Duration) -> Result<(), DemoError> {
        self.out.flush()?;
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        Ok(())
    }

    fn totals(&mut self, stage: &Stage) -> io::Result<()> {
        let count = |statuses: &[Status]| with_status(stage, statuses).len().to_string();
        let mut rows = table::table(&["WHAT", "HOW MANY", "WHICH"]);
        let told = stage.told.len().to_string();
        rows.add_row(["events delivered".to_owned(), told, String::new()]);
        for (name, statuses) in [
            ("fixed and read back", &[Status::Corrected][..]),
            ("wait for a person", &[Status::AwaitingApproval][..]),
            ("held back by a guardrail", &[Status::Withheld][..]),
            ("exempted", &[Status::Exempt][..]),
            ("seen only", &[Status::Open, Status::Indeterminate][..]),
            ("failed", &[Status::Failed, Status::Uncorrected][..]),
        ] {
            let which = services(&with_status(stage, statuses));
            if !which.is_empty() {
                rows.add_row([name.to_owned(), count(statuses), which]);
            }
        }
        let alerts = stage.facts().filter(|it| is_alert(&it.fact));
        let alerts: Vec<String> = alerts.map(|it| word_of(&it.fact)).collect();
        rows.add_row([
            "signals and alerts".to_owned(),
            alerts.len().to_string(),
            alerts.join(", "),
        ]);
        table::write(self.out, &mut rows)?;
        let times = fix_times(stage);
        if let (Some(middle), Some(last)) = (times.get(times.len() / 2), times.last()) {
            writeln!(
                self.out,
                "\nFrom delivery to verified fix, durable ledger included: median {}, slowest {} \
                 (measured)",
                milliseconds(*middle),
                milliseconds(*last)
            )?;
        }
        Ok(())
    }

    fn hints(&mut self, stage: &Stage) -> io::Result<()> {
        let (bold, dim) = (Style::new().bold(), Style::new().dimmed());
        let dir = quoted(self.options.data_dir.as_str());
        let config = quoted(self.options.data_dir.join(CONFIG_FILE).as_str());
        let mut hints = Vec::new();
        hints.push(("what stands open", format!("quell findings list --data-dir {dir}")));
        let fixed = with_status(stage, &[Status::Corrected]);
        if let Some(it) = fixed.iter().find(|it| it.finding.policy.contains("policy_public")) {
            let id = short(&it.finding.key);
            hints.push((
                "take a fix back",
                format!("quell undo {id} --reason 'public on purpose' --by me --data-dir {dir}"),
            ));
        }
        if let Some(it) = with_status(stage, &[Status::AwaitingApproval]).first() {
            let id = short(&it.finding.key);
            hints.push((
                "approve what waits",
                format!("quell approvals approve {id} --reason agreed --by me --data-dir {dir}"),
            ));
        }
        hints.push((
            "after the storm: look again, with a higher cap",
            format!(
                "quell findings retry --fleet-changes-max 50 --config {config} --data-dir {dir}"
            ),
        ));
        hints.push(("prove that nobody touched the ledger", format!("quell audit verify {dir}")));
        writeln!(self.out, "\n{bold}Try next{bold:#} {dim}(the account stays in {dir}){dim:#}\n")?;
        for (what, command) in hints {
            writeln!(self.out, "  {dim}# {what}{dim:#}\n  {command}")?;
        }
        Ok(())
    }
}

/// The summary line for machines.
fn summary(stage: &Stage, options: &Options) -> serde_json::Value {
    let count = |statuses: &[Status]| with_status(stage, statuses).len();
    let times = fix_times(stage);
    let micros = |it: Option<&Duration>| it.map(|it| it.as_micros() as u64);
    json!({
        "line": "summary",
        "seed": options.seed,
        "data_dir": options.data_dir,
        "events": stage.told.len(),
        "records": stage.facts().count(),
        "corrected": count(&[Status::Corrected]),
        "awaiting_approval": count(&[Status::AwaitingApproval]),
        "withheld": count(&[Status::Withheld]),
        "exempt": count(&[Status::Exempt]),
        "failed": count(&[Status::Failed, Status::Uncorrected]),
        "measured": {
            "fix_us_median": micros(times.get(times.len() / 2)),
            "fix_us_max": micros(times.last()),
        },
    })
}

fn with_status(stage: &Stage, statuses: &[Status]) -> Vec<Open> {
    let history = stage.pipeline.journal.history();
    let mut found: Vec<Open> =
        history.findings().filter(|it| statuses.contains(&it.status)).cloned().collect();
    found.sort_by_key(|it| it.first_seen);
    found
}

/// Services with counts, such as `ec2 3, s3 1`.
fn services(findings: &[Open]) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for it in findings {
        let service = it.finding.policy.split('.').nth(1).unwrap_or(&it.finding.policy);
        *counts.entry(service).or_default() += 1;
    }
    let counts: Vec<String> = counts.iter().map(|(it, count)| format!("{it} {count}")).collect();
    counts.join(", ")
}

fn is_alert(fact: &Fact) -> bool {
    matches!(
        fact,
        Fact::CallFailed { .. }
            | Fact::Impostor { .. }
            | Fact::BreakerOpened { .. }
            | Fact::Failed { .. }
    )
}

fn word_of(fact: &Fact) -> String {
    match fact {
        Fact::CallFailed { code, .. } => format!("refused call ({code})"),
        Fact::Impostor { .. } => "impostor".to_owned(),
        Fact::BreakerOpened { .. } => "breaker open".to_owned(),
        _ => "failed".to_owned(),
    }
}

/// How long a verified fix took from its delivery on.
fn fix_time(seen: &Seen, told: &Told) -> Option<Duration> {
    matches!(&seen.fact, Fact::Concluded { outcome: Outcome::Corrected { .. }, .. })
        .then(|| seen.instant.duration_since(told.delivered))
}

fn fix_times(stage: &Stage) -> Vec<Duration> {
    let told = stage.told.iter();
    let mut times: Vec<Duration> =
        told.flat_map(|told| told.facts.iter().filter_map(|it| fix_time(it, told))).collect();
    times.sort();
    times
}

/// How a step of the storm ended.
fn end(fact: &Fact) -> Option<(Style, String)> {
    match fact {
        Fact::Concluded { outcome: Outcome::Corrected { .. }, .. } => {
            Some((AnsiColor::Green.on_default(), "fixed, read back".to_owned()))
        }
        Fact::Concluded { outcome, .. } => {
            Some((AnsiColor::Yellow.on_default(), outcome.word().to_owned()))
        }
        Fact::Decided { verdict, .. } => {
            let why = verdict.why();
            Some((verdict_style(verdict), format!("{}: {why}", verdict.word())))
        }
        _ => None,
    }
}

fn verdict_style(verdict: &Verdict) -> Style {
    match verdict {
        Verdict::Remediate => AnsiColor::Green.on_default(),
        Verdict::AwaitApproval { .. } => AnsiColor::Yellow.on_default().bold(),
        Verdict::Withhold { .. } | Verdict::Indeterminate { .. } => AnsiColor::Yellow.on_default(),
        Verdict::Observe { .. } | Verdict::Notify { .. } | Verdict::Exempt { .. } => {
            AnsiColor::Blue.on_default()
        }
    }
}

fn severity_style(severity: Severity) -> Style {
    match severity {
        Severity::Informational => Style::new().dimmed(),
        Severity::Low => AnsiColor::Blue.on_default(),
        Severity::Medium => AnsiColor::Yellow.on_default(),
        Severity::High => AnsiColor::Red.on_default(),
        Severity::Critical => AnsiColor::Magenta.on_default().bold(),
    }
}

fn clock(time: Timestamp) -> String {
    time.strftime("%H:%M:%S").to_string()
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1_000.0)
}

/// `arn:aws:iam::111122223333:user/mallory` is `user/mallory`.
fn short_arn(arn: &str) -> &str {
    arn.rsplit(':').next().unwrap_or(arn)
}

/// Enough of an id to name it by.
fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    let plain = |it: char| it.is_ascii_alphanumeric() || "/._-+:@%".contains(it);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}
