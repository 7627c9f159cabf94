//! One statement, read leniently, and whether what it says surely covers what another one says.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;

use crate::facts::iam_policy::condition::Condition;
use crate::facts::iam_policy::document::entries;
use crate::facts::iam_policy::principal::{Principal, principals_of};
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

impl Statement<'_> {
    /// What to call it: its `Sid`, or its place, as `quell iam analyze` does.
    pub(crate) fn name(&self) -> String {
        self.sid
            .map_or_else(|| format!("statement #{}", self.index), |it| format!("statement `{it}`"))
    }

    /// Whether all actions and resources of another statement are surely among those of this one.
    pub(crate) fn covers(&self, other: &Statement<'_>) -> bool {
        self.actions.covers(&other.actions, Scope::ACTIONS)
            && self.resources.covers(&other.resources, Scope::RESOURCES)
    }
}

/// What a scope's patterns are compared as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sort {
    /// Whether letter case is ignored.
    ignore_case: bool,
    /// Whether `*:*` is all there is.
    has_service: bool,
    /// Whether `${…}` stands for a value of the request.
    has_variables: bool,
}

impl Scope<'_> {
    const ACTIONS: Sort = Sort { ignore_case: true, has_service: true, has_variables: false };
    const RESOURCES: Sort = Sort { ignore_case: false, has_service: false, has_variables: true };

    /// Whether all that `inner` says is surely within this.
    fn covers(&self, inner: &Scope<'_>, sort: Sort) -> bool {
        // AWS drops a statement whose variable it cannot resolve ("Policy variables with no value",
        // IAM user guide), so what such a statement covers is never sure.
        if sort.has_variables && self.patterns().iter().any(|it| it.contains("${")) {
            return false;
        }
        let (outer, other) = (self.patterns(), inner.patterns());
        let length = |list: &[&str]| list.iter().map(|it| it.len()).sum::<usize>();
        let is_cheap = length(outer).saturating_mul(length(other)) <= COVER_STEPS_MAX;
        let apart = |one: &str, two: &str| wildcard::are_apart(one, two, sort.ignore_case);
        let within = |it: &str, list: &[&str]| list.iter().any(|outer| sort.covers(outer, it));
        match (self, inner) {
            (Scope::Only(list), _) if list.iter().any(|it| sort.is_everything(it)) => true,
            (Scope::Only(_), Scope::Only(_)) => {
                is_cheap && !other.is_empty() && other.iter().all(|it| within(it, outer))
            }
            // None of what is excepted here may be said there …
            (Scope::Except(_), Scope::Only(_)) => {
                is_cheap
                    && !outer.is_empty()
                    && !other.is_empty()
                    && other.iter().all(|it| outer.iter().all(|except| apart(except, it)))
            }
            // … or all of it must be excepted there, too.
            (Scope::Except(_), Scope::Except(_)) => {
                is_cheap && !outer.is_empty() && outer.iter().all(|it| within(it, other))
            }
            (Scope::Absent, Scope::Absent) => true,
            _ => false,
        }
    }

    fn patterns(&self) -> &[&str] {
        match self {
            Scope::Only(list) | Scope::Except(list) => list,
            Scope::Absent => &[],
        }
    }
}

impl Sort {
    /// Whether a pattern surely matches all there is: `?` would demand a length.
    fn is_everything(self, pattern: &str) -> bool {
        let whole = pattern.split_once(':').filter(|_| self.has_service);
        let is_whole =
            |(service, name)| wildcard::is_everything(service) && wildcard::is_everything(name);
        wildcard::is_everything(pattern) || whole.is_some_and(is_whole)
    }

    fn covers(self, outer: &str, inner: &str) -> bool {
        let inner = match self.has_variables {
            true => Cow::Owned(with_stars_for_variables(inner)),
            false => Cow::Borrowed(inner),
        };
        wildcard::covers(outer, &inner, self.ignore_case)
    }
}

/// A variable stands for any text.
fn with_stars_for_variables(text: &str) -> String {
    let mut parts = text.split("${");
    let mut stars = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        stars.push('*');
        stars.push_str(part.split_once('}').map_or("", |(_, rest)| rest));
    }
    stars
}
