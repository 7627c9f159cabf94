//! One statement, read leniently, and which Deny surely cancels it.

use serde::Serialize;
use serde_json::Value;

use crate::facts::iam_policy::condition::Condition;
use crate::facts::iam_policy::document::entries;
use crate::facts::iam_policy::principal::{Principal, denies_everybody, principals_of};
use crate::facts::iam_policy::wildcard;

/// More steps than this are not spent on comparing patterns, byte by byte: the Deny is then taken
/// not to cover. Two lists of 300 actions take less.
const COVER_STEPS_MAX: usize = 100_000_000;

/// Allow or Deny. What is neither is read as Allow: a grant is the dangerous reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[expect(missing_docs, reason = "AWS's own words say it all")]
pub enum Effect {
    Allow,
    Deny,
}

/// A statement as it is used by the analysis.
#[derive(Clone, Debug)]
pub struct Statement<'a> {
    /// Its place in the document.
    pub index: usize,
    /// The statement itself.
    pub value: &'a Value,
    /// Its `Sid`.
    pub sid: Option<&'a str>,
    /// Its effect.
    pub effect: Effect,
    /// Whom it addresses; empty where it names nobody, as in an identity policy.
    pub principals: Vec<Principal<'a>>,
    /// Which actions.
    pub actions: Scope<'a>,
    /// Which resources.
    pub resources: Scope<'a>,
    /// All of its conditions; they hold together.
    pub conditions: Vec<Condition>,
}

/// What `Action` or `NotAction`, `Resource` or `NotResource` say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope<'a> {
    /// What matches one of these patterns.
    Only(Vec<&'a str>),
    /// What matches none of these patterns.
    Except(Vec<&'a str>),
    /// Nothing is said.
    Absent,
}

/// All statements of a document, whether `Statement` is a list or one object.
#[must_use]
pub fn statements_of(document: &Value) -> Vec<Statement<'_>> {
    let statements = entries(document.get("Statement")).into_iter().enumerate();
    statements.filter(|(_, it)| it.is_object()).map(|(at, it)| statement_of(at, it)).collect()
}

fn statement_of(index: usize, value: &Value) -> Statement<'_> {
    let effect = value.get("Effect").and_then(Value::as_str).unwrap_or_default();
    let is_deny = effect.eq_ignore_ascii_case("deny");
    Statement {
        index,
        value,
        sid: value.get("Sid").and_then(Value::as_str),
        effect: if is_deny { Effect::Deny } else { Effect::Allow },
        principals: principals_of(value),
        actions: scope_of(value, "Action", "NotAction"),
        resources: scope_of(value, "Resource", "NotResource"),
        conditions: Condition::all_of(value.get("Condition")),
    }
}

fn scope_of<'a>(statement: &'a Value, only: &str, except: &str) -> Scope<'a> {
    match (statement.get(only), statement.get(except)) {
        (Some(it), _) => Scope::Only(strings_of(it)),
        (None, Some(it)) => Scope::Except(strings_of(it)),
        (None, None) => Scope::Absent,
    }
}

/// The strings among one value or a list of them.
pub(crate) fn strings_of(value: &Value) -> Vec<&str> {
    entries(Some(value)).into_iter().filter_map(Value::as_str).collect()
}

/// The index of a Deny that surely cancels this grant: unconditional, for everybody, and for all of
/// its actions and resources.
#[must_use]
pub fn covering_deny(grant: &Statement<'_>, all: &[Statement<'_>]) -> Option<usize> {
    let addresses = |deny: &Statement<'_>| {
        let names_nobody = deny.principals.is_empty() && grant.principals.is_empty();
        names_nobody || denies_everybody(deny.value)
    };
    let cancels = |deny: &&Statement<'_>| {
        deny.effect == Effect::Deny
            && deny.value.get("Condition").is_none()
            && addresses(deny)
            && deny.actions.covers(&grant.actions, true)
            && deny.resources.covers(&grant.resources, false)
    };
    all.iter().find(cancels).map(|it| it.index)
}

impl Scope<'_> {
    /// Whether all that `inner` says is surely within this. An exception is not weighed.
    fn covers(&self, inner: &Scope<'_>, ignore_case: bool) -> bool {
        match (self, inner) {
            (Scope::Only(outer), _) if outer.iter().any(|it| wildcard::is_all(it)) => true,
            (Scope::Only(outer), Scope::Only(inner)) => {
                let length = |list: &[&str]| list.iter().map(|it| it.len()).sum::<usize>();
                let covered =
                    |it: &&str| outer.iter().any(|outer| wildcard::covers(outer, it, ignore_case));
                length(outer).saturating_mul(length(inner)) <= COVER_STEPS_MAX
                    && !inner.is_empty()
                    && inner.iter().all(covered)
            }
            (Scope::Absent, Scope::Absent) => true,
            _ => false,
        }
    }
}
