//! Verdicts beside those of checkov, trivy-checks and cfn-guard.
//!
//! `corpora/controls.yaml` says which policy asks for what a check of theirs asks for, and
//! `corpora/differences.yaml` explains every difference: who is right, and why. A difference that
//! nobody explained fails, and so does an explanation that nothing needs any more.

use crate::{Folder, rows};
use jiff::Timestamp;
use quell::config::Config;
use quell::gate::inputs::{self, Context};
use quell::gate::judge::Judge;
use quell::runtime::library;
use quell_core::report::{Entry, Verdict};
use quell_core::resource::Planned;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Debug, Write};
use std::fs;

const CONTROLS: &str = include_str!("corpora/controls.yaml");
const DIFFERENCES: &str = include_str!("corpora/differences.yaml");

/// Per source: how many labels there are, and with how many of them we plainly agree.
const FIGURES: [(&str, usize, usize); 6] = [
    ("cfn-guard", 23, 17),
    ("checkov CloudFormation", 15, 10),
    ("checkov HCL", 40, 29),
    ("checkov plan", 15, 15),
    ("trivy CloudFormation", 12, 10),
    ("trivy HCL", 17, 12),
];

/// Of a hundred labels, how many we agree with, or differ from for a good reason.
const RIGHT_OF_HUNDRED_MIN: usize = 97;

const HEAD: &str = "# Agreement with other tools

Verdicts of `quell gate` beside the labels of the test suites of checkov, trivy-checks and AWS's
cfn-guard registry, for the controls that our policies cover. The test `gate` compares them and
holds this page to what it finds; which policy asks for what a check of theirs asks for stands in
`crates/quell/tests/gate/corpora/controls.yaml`. We agree where the verdict is the same, *unknown*
being one of its own. Of the violations on which we agree, some have no effect at the moment: these
are told at low severity and do not fail by default. We are right where we agree, and where we
differ and the other is not right. `#1` and so on stand for what a suite counts without naming it.

| labels of | labels | agree | without effect | differ, explained | right |
|---|---|---|---|---|---|
";

const TABLE: &str = "
## Every difference

| check | set | what was judged | they say | we say | right | why |
|---|---|---|---|---|---|---|
";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Controls {
    checks: BTreeMap<String, Check>,
    not_covered: BTreeMap<String, String>,
    controls_not_covered: BTreeSet<String>,
}

/// The policy that asks for what a check asks for, and how.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Check {
    policy: String,
    #[serde(default)]
    params: BTreeMap<String, Value>,
    #[serde(default)]
    evidence: BTreeMap<String, Vec<Value>>,
    #[serde(default)]
    whole: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Difference {
    kind: Kind,
    right: Right,
    why: String,
    source: String,
    rows: Vec<Rows>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rows {
    set: String,
    check: String,
    at: Vec<String>,
    theirs: Word,
    ours: Word,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Default,
    Unknown,
    Refused,
    Question,
    Mistaken,
    Missed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Right {
    Ours,
    Theirs,
    Both,
}

/// A verdict; the worst is the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Clean,
    Unknown,
    Violation,
}

/// What somebody says of one thing, and what we say of it.
struct Label {
    /// As the figures name it.
    source: &'static str,
    set: &'static str,
    check: String,
    at: String,
    theirs: Word,
    ours: Word,
    /// Whether all that we found has no effect at the moment, and does not fail by default.
    is_latent: bool,
}

/// Per source: what was compared, and what came of it.
#[derive(Debug, Default)]
struct Sum {
    labels: usize,
    agree: usize,
    latent: usize,
    theirs_right: usize,
    kinds: BTreeMap<Kind, usize>,
}

#[test]
fn verdicts_agree_or_the_difference_is_explained() {
    let differences: Vec<Difference> = serde_saphyr::from_str(DIFFERENCES).unwrap();
    let mut explained = BTreeMap::new();
    for difference in &differences {
        assert!(difference.source.starts_with("https://"), "{difference:?}");
        assert!(!difference.why.trim().is_empty(), "{difference:?}");
        for it in &difference.rows {
            for at in &it.at {
                let key = (it.set.as_str(), it.check.as_str(), at.as_str());
                let before = explained.insert(key, (difference, it.theirs, it.ours));
                assert!(before.is_none(), "{key:?} is explained twice");
            }
        }
    }
    let labels = labels();
    let mut sums: BTreeMap<&str, Sum> = BTreeMap::new();
    let (mut needed, mut unexplained) = (BTreeSet::new(), Vec::new());
    for it in &labels {
        let sum = sums.entry(it.source).or_default();
        sum.labels += 1;
        if it.theirs == it.ours {
            sum.agree += 1;
            sum.latent += usize::from(it.is_latent);
            continue;
        }
        let key = (it.set, it.check.as_str(), it.at.as_str());
        match explained.get(&key) {
            Some((difference, theirs, ours)) if (*theirs, *ours) == (it.theirs, it.ours) => {
                needed.insert(key);
                *sum.kinds.entry(difference.kind).or_default() += 1;
                sum.theirs_right += usize::from(difference.right == Right::Theirs);
            }
            _ => unexplained.push(format!("{key:?}: {:?}, we {:?}", it.theirs, it.ours)),
        }
    }
    for (source, sum) in &sums {
        println!("{source}: {sum:?}");
    }
    assert!(unexplained.is_empty(), "{unexplained:#?}");
    explained.retain(|key, _| !needed.contains(key));
    assert!(explained.is_empty(), "nothing needs these any more: {:#?}", explained.keys());
    assert_eq!(sums.len(), FIGURES.len(), "{sums:?}");
    for (source, labels, agree) in FIGURES {
        let sum = &sums[source];
        assert_eq!(sum.labels, labels, "{source}");
        assert!(agree <= sum.agree, "{source}: {sum:?}");
        let right = sum.labels - sum.theirs_right;
        assert!(RIGHT_OF_HUNDRED_MIN * sum.labels <= right * 100, "{source}: {sum:?}");
    }
    let (page, path) = (page(&sums, &differences), "docs/agreement.md");
    let written = fs::read_to_string(testkit::repository().unwrap().join(path)).unwrap();
    assert!(page == written, "`{path}` is not what is true; that is:\n{page}");
}

/// The page that shows all of it to people.
fn page(sums: &BTreeMap<&str, Sum>, differences: &[Difference]) -> String {
    let mut page = HEAD.to_owned();
    for (source, it) in sums {
        let (explained, right) = (it.labels - it.agree, it.labels - it.theirs_right);
        let (numbers, share) =
            ([it.labels, it.agree, it.latent, explained], 1000 * right / it.labels);
        let numbers = numbers.map(|it| it.to_string()).join(" | ");
        writeln!(page, "| {source} | {numbers} | {}.{} % |", share / 10, share % 10).unwrap();
    }
    page.push_str(TABLE);
    for (number, it) in differences.iter().enumerate() {
        for rows in &it.rows {
            let said =
                format!("{} | {} | {}", lower(rows.theirs), lower(rows.ours), lower(it.right));
            for at in &rows.at {
                let what = format!("`{}` | {} | `{}`", rows.check, rows.set, at);
                writeln!(page, "| {what} | {said} | {} |", number + 1).unwrap();
            }
        }
    }
    page.push_str("\n## Why\n\n");
    for (number, it) in differences.iter().enumerate() {
        let (kind, why, source) = (lower(it.kind), &it.why, &it.source);
        writeln!(page, "{}. **{kind}**: {why} [Source]({source})", number + 1).unwrap();
    }
    page
}

fn lower(it: impl Debug) -> String {
    format!("{it:?}").to_lowercase()
}

/// No check of a control that we cover is forgotten.
#[test]
fn every_popular_control_is_mapped_or_says_why_not() {
    let controls = controls();
    let popular = testkit::corpus("iac/popular_controls.json").unwrap();
    let popular: Vec<Value> = serde_json::from_str(&popular).unwrap();
    let name = |it: &Value| it["control"].as_str().unwrap().to_owned();
    let names: BTreeSet<String> = popular.iter().map(name).collect();
    assert!(controls.controls_not_covered.is_subset(&names), "{names:?}");
    for control in popular.iter().filter(|it| !controls.controls_not_covered.contains(&name(it))) {
        for tool in ["checkov", "trivy", "cfn_guard"] {
            for id in control[tool].as_array().unwrap().iter().map(|it| it.as_str().unwrap()) {
                let is_mapped = controls.checks.contains_key(id);
                assert_ne!(is_mapped, controls.not_covered.contains_key(id), "{id}");
            }
        }
    }
    let library = library(&Config::parse("").unwrap()).unwrap();
    let known: BTreeSet<&str> = library.policies().iter().map(|it| it.id()).collect();
    for (id, check) in &controls.checks {
        assert!(known.contains(check.policy.as_str()), "{id}: {}", check.policy);
    }
}

fn controls() -> Controls {
    serde_saphyr::from_str(CONTROLS).unwrap()
}

/// Every label of a check that a policy covers.
fn labels() -> Vec<Label> {
    let (controls, mut labels) = (controls(), Vec::new());
    for (set, source) in [
        ("checkov_tf_aws", "checkov HCL"),
        ("checkov_tf_graph", "checkov HCL"),
        ("checkov_tf_aws_plans", "checkov plan"),
    ] {
        for row in rows(set) {
            let id = text(&row["check"]);
            let Some(check) = controls.checks.get(&id) else { continue };
            of_addresses(&row, check, |at, theirs, said| {
                let (ours, is_latent) = verdict(&said.of(&at, check));
                labels.push(Label { source, set, check: id.clone(), at, theirs, ours, is_latent });
            });
        }
    }
    for row in rows("checkov_cfn_aws") {
        let id = text(&row["check"]);
        let Some(check) = controls.checks.get(&id) else { continue };
        for (number, (theirs, ours)) in counted(&row, check).into_iter().enumerate() {
            labels.push(Label {
                source: "checkov CloudFormation",
                set: "checkov_cfn_aws",
                check: id.clone(),
                at: format!("#{}", number + 1),
                theirs,
                ours,
                is_latent: false,
            });
        }
    }
    labels.extend(rows("trivy_checks_aws").iter().filter_map(|it| of_trivy(it, &controls)));
    labels.extend(rows("cfn_guard_registry").iter().filter_map(|it| of_guard(it, &controls)));
    labels
}

/// The label of a row of trivy-checks: one of all that it holds.
fn of_trivy(row: &Value, controls: &Controls) -> Option<Label> {
    let (id, format) = (text(&row["check"]), text(&row["format"]));
    let check = controls.checks.get(&id)?;
    let (source, file) = match format.as_str() {
        "terraform" => ("trivy HCL", "main.tf"),
        _ => ("trivy CloudFormation", "template.yaml"),
    };
    let said = gate(&BTreeMap::from([(file.to_owned(), text(&row["content"]))]), check);
    let (ours, is_latent) = verdict(&said.all(check));
    let theirs = if row["expect"] == "clean" { Word::Clean } else { Word::Violation };
    let (set, at) = ("trivy_checks_aws", format!("{format} {}", text(&row["case"])));
    Some(Label { source, set, check: id, at, theirs, ours, is_latent })
}

/// The label of a case of cfn-guard's registry; `None` where it says nothing: there is nothing to
/// judge, or an annotation of its own hides it.
fn of_guard(row: &Value, controls: &Controls) -> Option<Label> {
    let id = text(&row["rule"]);
    let check = controls.checks.get(&id)?;
    let theirs = match text(&row["expect"]).as_str() {
        "PASS" => Word::Clean,
        "FAIL" => Word::Violation,
        _ => return None,
    };
    let template = row["template"].to_string();
    let said = gate(&BTreeMap::from([("template.json".to_owned(), template)]), check);
    let (ours, is_latent) = verdict(&said.all(check));
    let (source, set, at) = ("cfn-guard", "cfn_guard_registry", text(&row["case"]));
    Some(Label { source, set, check: id, at, theirs, ours, is_latent })
}

/// The labels of a row that names addresses: each with their verdict and what we say of the row.
/// Of a plan, only what is in it counts.
fn of_addresses(row: &Value, check: &Check, mut take: impl FnMut(String, Word, &Said)) {
    let plan = row.get("plan");
    let files = match plan {
        Some(plan) => BTreeMap::from([("plan.json".to_owned(), plan.to_string())]),
        None => files(row),
    };
    let said = gate(&files, check);
    let mut planned = BTreeSet::new();
    if let Some(plan) = plan {
        addresses(&plan["planned_values"], &mut planned);
        addresses(&plan["resource_changes"], &mut planned);
    }
    for (key, theirs) in [("expected_pass", Word::Clean), ("expected_violations", Word::Violation)]
    {
        for at in row[key].as_array().unwrap().iter().map(text) {
            if plan.is_none() || planned.contains(&at) {
                take(at, theirs, &said);
            }
        }
    }
}

/// The verdicts of a row that tells only how many there are of each: theirs and ours, first the
/// violations.
fn counted(row: &Value, check: &Check) -> Vec<(Word, Word)> {
    let count = |key: &str, list: &str| match row["expected_counts"][key].as_u64() {
        Some(it) => usize::try_from(it).unwrap(),
        None => row[list].as_array().unwrap().len(),
    };
    let failed = count("failed", "expected_violations");
    let passed = count("passed", "expected_pass");
    let mut ours: BTreeMap<Word, usize> = BTreeMap::new();
    for (name, text) in files(row) {
        let said = gate(&BTreeMap::from([(name, text)]), check);
        for state in &said.states {
            let of_state =
                said.all(check).into_iter().filter(|it| it.resource == state.state.resource);
            *ours.entry(verdict(&of_state.collect::<Vec<_>>()).0).or_default() += 1;
        }
    }
    let mut left = |wanted: [Word; 3]| {
        let found = wanted.into_iter().find(|it| ours.get(it).is_some_and(|it| 0 < *it));
        let found = found.unwrap_or_else(|| panic!("{row} has too few resources"));
        *ours.entry(found).or_default() -= 1;
        found
    };
    let (fails, passes) = (
        [Word::Violation, Word::Unknown, Word::Clean],
        [Word::Clean, Word::Unknown, Word::Violation],
    );
    // Those that agree go first, so that what is left is what differs.
    let mut labels: Vec<(Word, Word)> =
        (0..failed).map(|_| (Word::Violation, left(fails))).collect();
    labels.extend((0..passed).map(|_| (Word::Clean, left(passes))));
    assert_eq!(ours.get(&Word::Violation).copied().unwrap_or_default(), 0, "{row} has more");
    labels
}

/// What the gate says of a row.
struct Said {
    entries: Vec<Entry>,
    /// The resources that the policy judges.
    states: Vec<Planned>,
}

impl Said {
    /// What counts for a check.
    fn all(&self, check: &Check) -> Vec<&Entry> {
        let counts = |it: &&Entry| {
            it.evidence.is_null()
                || check.evidence.iter().all(|(key, values)| values.contains(&it.evidence[key]))
        };
        self.entries.iter().filter(counts).collect()
    }

    /// What counts for a check, of one address.
    fn of(&self, address: &str, check: &Check) -> Vec<&Entry> {
        let resource = |entry: &Entry| {
            let state = self.states.iter().find(|it| it.state.resource == entry.resource);
            state.map(|it| it.address.clone())
        };
        let mut entries = self.all(check);
        entries.retain(|it| {
            let at = if check.whole { resource(it) } else { it.address.clone() };
            at.as_deref() == Some(address)
        });
        entries
    }
}

/// The worst verdict, and whether it is a violation without an effect at the moment.
fn verdict(entries: &[&Entry]) -> (Word, bool) {
    let word = |it: &&Entry| match &it.verdict {
        Verdict::Violation => Word::Violation,
        Verdict::Unknown => Word::Unknown,
        other => panic!("{other:?}: {}", it.reason),
    };
    let worst = entries.iter().map(word).max().unwrap_or(Word::Clean);
    let mut violations = entries.iter().filter(|it| it.verdict == Verdict::Violation);
    let is_latent = worst == Word::Violation && violations.all(|it| it.severity < it.rule.severity);
    (worst, is_latent)
}

/// Judges a row's files by the policy of a check: source by its folder, else each by itself.
fn gate(files: &BTreeMap<String, String>, check: &Check) -> Said {
    let folder = Folder::new();
    for (name, text) in files {
        folder.write(name, text);
    }
    let is_source = files.keys().any(|it| it.ends_with(".tf"));
    let paths: Vec<String> = if is_source {
        vec![folder.path("")]
    } else {
        files.keys().map(|it| folder.path(it)).collect()
    };
    let policy = check.policy.as_str();
    let mut policies = json!({ "enabled": [policy] });
    if !check.params.is_empty() {
        policies["params"] = json!({ policy: check.params });
    }
    let mut config = Config::parse(&json!({ "policies": policies }).to_string()).unwrap();
    // A judgment may take long where the machine is busy.
    config.policies.policy_time_max_ms = 60_000;
    let library = library(&config).unwrap();
    let (trust, guardrails) = (config.trust(), &config.guardrails);
    let judge =
        Judge { library: &library, trust: &trust, guardrails, all: true, now: Timestamp::now() };
    let inputs = inputs::load(&paths, &Context::default()).unwrap();
    let mut states: Vec<Planned> = inputs.iter().flat_map(|it| judge.states(&it.plan)).collect();
    let meta = library.policies()[0].meta();
    states.retain(|it| meta.judges(&it.state.resource.kind));
    Said { entries: judge.judge(&inputs).entries, states }
}

fn files(row: &Value) -> BTreeMap<String, String> {
    let files = row["files"].as_object().unwrap().iter();
    files.map(|(name, it)| (name.clone(), text(it))).collect()
}

/// Every address in a plan.
fn addresses(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("address").and_then(Value::as_str).map(str::to_owned));
            for it in fields.values() {
                addresses(it, found);
            }
        }
        Value::Array(list) => {
            for it in list {
                addresses(it, found);
            }
        }
        _ => {}
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
