//! Fixes of the source: the patch after which the code declares what the policy wants.
//!
//! The fix is the policy's own. Its action plans a change of the state, as it does at run time;
//! what the code says of each property ([`Planned::written`]) makes edits of that change; and what
//! comes of the edits is read again. It counts only if the code then declares the changed state,
//! exactly, and everything else as before. So no patch hangs on somebody having thought of
//! everything.
//!
//! Where any of it fails there is no patch, and a sentence says why.

use super::inputs::Input;
use super::judge::Judge;
use quell_core::change::{element_id, same};
use quell_core::detect::{Finding, detect};
use quell_core::plan::edit::{self, Edit};
use quell_core::plan::{Declared, Plan};
use quell_core::policy::Policy;
use quell_core::report::patch::unified;
use quell_core::report::{Entry, Level, Problem, Report, Verdict};
use quell_core::resource::{Planned, ResourceRef, Written};
use quell_library::planned;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// The most violations of a run for which a patch is tried: for each, the code is read again.
pub const PATCHES_MAX: usize = 200;

/// Adds patches to the violations in a report, and says of the others why there is none.
pub fn tell(judge: &Judge<'_>, inputs: &[Input], report: &mut Report) {
    let mut left = PATCHES_MAX;
    // What one input cannot fix, another one that declares the same may.
    let mut unfixed: BTreeMap<usize, String> = BTreeMap::new();
    for input in inputs {
        for (number, patch) in (Fixes { judge, input }).of(&report.entries, &mut left) {
            match (patch, report.entries.get_mut(number)) {
                (Ok(patch), Some(entry)) => {
                    unfixed.remove(&number);
                    entry.patch = Some(patch);
                }
                (Err(why), _) => {
                    unfixed.entry(number).or_insert(why);
                }
                (Ok(_), None) => {}
            }
        }
    }
    for (number, why) in unfixed {
        let Some(entry) = report.entries.get(number) else { continue };
        let (level, place) = (Level::Warning, entry.place.clone());
        let text = format!("no patch for {}: {why}", entry.rule.id);
        report.problems.push(Problem { level, place, text });
    }
    report.problems.sort();
    report.problems.dedup();
}

/// The fixes of one input.
struct Fixes<'a> {
    judge: &'a Judge<'a>,
    input: &'a Input,
}

impl Fixes<'_> {
    /// For violations among the entries, by their numbers: the patch, or why there is none.
    fn of(&self, entries: &[Entry], left: &mut usize) -> Vec<(usize, Result<String, String>)> {
        let is_here = |it: &Entry| {
            let file = it.place.as_ref().map_or("", |it| it.file.as_str());
            self.input.sources.contains_key(file) || file == self.input.file
        };
        let open = |it: &Entry| it.verdict == Verdict::Violation && it.patch.is_none();
        let wanted = entries.iter().enumerate().filter(|(_, it)| open(it) && is_here(it));
        let mut by_resource: BTreeMap<&ResourceRef, Vec<(usize, &Entry)>> = BTreeMap::new();
        for (number, entry) in wanted {
            by_resource.entry(&entry.resource).or_default().push((number, entry));
        }
        if by_resource.is_empty() {
            return Vec::new();
        }
        let mut made = Vec::new();
        for planned in self.judge.states(&self.input.plan) {
            let Some(of_resource) = by_resource.get(&planned.state.resource) else { continue };
            for policy in self.judge.library.policies() {
                let of_policy = of_resource.iter().filter(|(_, it)| it.rule.id == policy.id());
                let of_policy: Vec<(usize, &Entry)> = of_policy.copied().collect();
                if !of_policy.is_empty() {
                    self.of_policy(policy, &planned, &of_policy, left, &mut made);
                }
            }
        }
        made
    }

    /// Those of one policy on one resource.
    fn of_policy(
        &self,
        policy: &Policy,
        planned: &Planned,
        entries: &[(usize, &Entry)],
        left: &mut usize,
        made: &mut Vec<(usize, Result<String, String>)>,
    ) {
        let detection = detect(&[policy], None, &planned.state);
        let is_sure = |it: &&Finding| it.indeterminate.is_none();
        let is_open = |it: &&Finding| entries.iter().any(|(_, of)| of.element == it.element);
        let sure = detection.findings.iter().filter(is_sure);
        // What is excused stays, and what stays may keep the others.
        let is_all = sure.clone().all(|it| is_open(&it));
        let open: Vec<&Finding> = sure.filter(is_open).collect();
        for finding in open.iter().copied() {
            let mut of_finding = entries.iter().filter(|(_, it)| it.element == finding.element);
            let Some((number, _)) = of_finding.next() else { continue };
            let patch = match left.checked_sub(1) {
                None => Err(format!("patches are tried for {PATCHES_MAX} violations at most")),
                Some(fewer) => {
                    *left = fewer;
                    let alone = self.patch_of(policy, planned, &[finding], false);
                    // Where only all of the policy's together can be written, theirs.
                    match alone {
                        Err(why) if 1 < open.len() => {
                            self.patch_of(policy, planned, &open, is_all).map_err(|_| why)
                        }
                        alone => alone,
                    }
                }
            };
            made.extend(of_finding.map(|(number, _)| (*number, patch.clone())));
            made.push((*number, patch));
        }
    }

    /// The patch after which violations are gone; `is_all` says that they are all of the policy's
    /// on this resource.
    fn patch_of(
        &self,
        policy: &Policy,
        planned: &Planned,
        findings: &[&Finding],
        is_all: bool,
    ) -> Result<String, String> {
        if self.input.sources.is_empty() {
            return Err("a plan does not hold its source; gate that for a patch".to_owned());
        }
        let wanted = self.wanted(policy, planned, findings, is_all)?;
        let nobody = || "the code has no words of its own for what should change".to_owned();
        let edits = edits(planned, &wanted).ok_or_else(nobody)?;
        let changed = edit::rewrite(&self.input.plan, &self.input.sources, &edits);
        let changed = changed.map_err(|it| it.to_string())?;
        let plan = self.input.with(&changed);
        let plan = plan.ok_or("a program wrote this code, or what comes of it cannot be read")?;
        if !self.says_exactly(planned, &wanted, &edits, &plan) {
            return Err("a change of this place would change more than what is wrong".to_owned());
        }
        let mut patch = String::new();
        for (file, new) in &changed {
            let old = self.input.sources.get(file).map(String::as_str).unwrap_or_default();
            let diff = unified(shown(file), old, new);
            patch += &diff.ok_or("the file's name, or its last line, does not fit into a patch")?;
        }
        Ok(patch)
    }

    /// The resource's properties after the policy's own fix.
    fn wanted(
        &self,
        policy: &Policy,
        planned: &Planned,
        findings: &[&Finding],
        is_all: bool,
    ) -> Result<Value, String> {
        let action = self.judge.library.action_of(policy, &planned.state.resource.kind);
        let action = action.ok_or("the policy only tells people")?;
        let mut wanted = planned.state.properties.clone();
        for finding in findings {
            let plan = action.plan(&planned.state, &finding.element, &policy.params());
            let plan = plan.map_err(|it| it.to_string())?;
            let plan = plan.ok_or("the policy's fix finds nothing to change")?;
            let people = finding.notify_only.as_ref().or(finding.approval.as_ref());
            // An action asks because more goes than one finding; here that is what is looked at.
            if let Some(why) = people.or(plan.approval.as_ref().filter(|_| !is_all)) {
                return Err(format!("a person must decide: {why}"));
            }
            plan.change.apply_to(&mut wanted).map_err(|it| it.to_string())?;
        }
        Ok(wanted)
    }

    /// Whether a plan is the input's with nothing but the fix in it.
    fn says_exactly(&self, fixed: &Planned, wanted: &Value, edits: &[Edit], plan: &Plan) -> bool {
        let edited: BTreeSet<&str> = edits.iter().map(|it| it.address.as_str()).collect();
        let old = &self.input.plan;
        let is_other = |it: &&Declared| !edited.contains(it.address.as_str());
        let said = |it: &Declared| (it.address.clone(), it.properties.clone(), it.unknown.clone());
        let others_stay = old.declared.iter().filter(is_other).map(said).eq(plan
            .declared
            .iter()
            .filter(is_other)
            .map(said));
        if !others_stay || old.notes.len() < plan.notes.len() {
            return false;
        }
        let (before, after) = (planned(old), planned(plan));
        let is_fixed =
            |it: &Planned| it.state.resource == fixed.state.resource && it.address == fixed.address;
        let stays = |before: &Planned, after: &Planned| {
            let (old, new) = (&before.state, &after.state);
            let properties = if is_fixed(before) {
                same(wanted, &new.properties)
            } else {
                differs_only_by(before, &edited, &old.properties, &new.properties)
            };
            let rest = old.resource == new.resource && old.tags == new.tags;
            properties && rest && old.unknown == new.unknown
        };
        before.len() == after.len() && before.iter().zip(&after).all(|(old, new)| stays(old, new))
    }
}

/// Whether only properties differ that come from the edited declarations: a bucket shows the
/// account's block, too.
fn differs_only_by(planned: &Planned, edited: &BTreeSet<&str>, old: &Value, new: &Value) -> bool {
    let none = Map::new();
    let (old, new) = (old.as_object().unwrap_or(&none), new.as_object().unwrap_or(&none));
    let is_theirs = |name: &String| {
        let written = planned.written.get(&format!("/{name}"));
        written.into_iter().flatten().any(|it| edited.contains(it.address.as_str()))
    };
    old.keys().chain(new.keys()).all(|it| old.get(it) == new.get(it) || is_theirs(it))
}

/// What to write so that the code declares other properties; `None` where it has no words for that.
fn edits(planned: &Planned, wanted: &Value) -> Option<Vec<Edit>> {
    let (old, new) = (planned.state.properties.as_object()?, wanted.as_object()?);
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let mut edits = Vec::new();
    for name in names {
        let (old, new) = (old.get(name), new.get(name));
        if old != new {
            edits.extend(edits_of(planned, &format!("/{name}"), old?, new?)?);
        }
    }
    Some(edits)
}

/// What to write so that a property is another one.
fn edits_of(planned: &Planned, at: &str, old: &Value, new: &Value) -> Option<Vec<Edit>> {
    let written = planned.written.get(at).map(Vec::as_slice).unwrap_or_default();
    if written.iter().any(|it| !it.words.is_empty()) {
        let word = |words: &[(String, Value)]| {
            let meant = words.iter().find(|(_, meaning)| same(meaning, new));
            meant.map(|(word, _)| Value::String(word.clone()))
        };
        let edit = |it: &Written| {
            let (address, pointer) = (it.address.clone(), it.pointer.clone());
            Some(Edit { address, pointer, value: Some(word(&it.words)?) })
        };
        return written.iter().map(edit).collect();
    }
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            let differing = names.into_iter().filter(|it| old.get(*it) != new.get(*it));
            let each = differing.map(|it| set(planned, &format!("{at}/{it}"), Some(new.get(it)?)));
            each.collect::<Option<Vec<_>>>().map(|it| it.concat())
        }
        (Value::Array(old), Value::Array(new)) => {
            let (kept, gone): (Vec<&Value>, Vec<&Value>) =
                old.iter().partition(|it| new.contains(it));
            if !kept.into_iter().eq(new) {
                return None;
            }
            let name = |it: &Value| it.as_str().map_or_else(|| element_id(it), str::to_owned);
            let each = gone.into_iter().map(|it| set(planned, &name(it), None));
            each.collect::<Option<Vec<_>>>().map(|it| it.concat())
        }
        _ => set(planned, at, Some(new)),
    }
}

/// What to write wherever the code says something.
fn set(planned: &Planned, key: &str, value: Option<&Value>) -> Option<Vec<Edit>> {
    let written = planned.written.get(key)?;
    let edit = |it: &Written| Edit {
        address: it.address.clone(),
        pointer: it.pointer.clone(),
        value: value.cloned(),
    };
    Some(written.iter().map(edit).collect())
}

/// A file as a patch names it.
fn shown(file: &str) -> &str {
    let mut file = file;
    while let Some(rest) = file.strip_prefix("./") {
        file = rest;
    }
    file
}
