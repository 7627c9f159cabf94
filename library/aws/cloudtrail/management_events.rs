//! Which management events a trail's selectors let through, and how to let through what must be.
//!
//! An event is logged if any selector lets it through, so a hole is what *every* selector leaves
//! out. [`coverage`] computes the holes for both kinds of selectors. [`widened`] closes them by
//! adding only: a selector for management events alone is widened, or one is added; no selector for
//! data events is touched, since that would change what the trail logs (and costs) besides.
//!
//! Deliberately absent: data events, network activity and insights. A trail may log none of them.

use super::selectors::{AdvancedEventSelector, EventSelector, FieldSelector, ReadWriteType};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The property of basic selectors.
pub const BASIC: &str = "EventSelectors";
/// The property of advanced selectors.
pub const ADVANCED: &str = "AdvancedEventSelectors";
/// The most basic selectors of one trail. Source: PutEventSelectors, CloudTrail API reference.
pub const BASIC_SELECTORS_MAX: usize = 5;

/// What a policy demands of a trail's management events: part of its `baseline` parameter.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Demand {
    /// Whether management events must be logged at all.
    #[serde(default)]
    pub include_management_events: bool,
    /// Which of them.
    #[serde(default)]
    pub read_write_type: ReadWriteType,
    /// Services whose events may be left out.
    #[serde(default)]
    pub exclude_management_event_sources: BTreeSet<String>,
}

/// What is logged of the management events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// The property that holds the selectors.
    pub property: &'static str,
    /// Calls that change nothing.
    pub read: Logged,
    /// Calls that change something.
    pub write: Logged,
}

/// What is logged of the read or of the write events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Logged {
    /// Whether a selector logs them, perhaps without some services.
    pub logged: bool,
    /// The services that every such selector leaves out.
    pub excluded: BTreeSet<String>,
}

/// What one selector lets through.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Passes {
    read: bool,
    write: bool,
    excluded: BTreeSet<String>,
}

/// The selectors of a trail: it has one kind or the other.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Selectors {
    Basic(Vec<EventSelector>),
    Advanced(Vec<AdvancedEventSelector>),
}

/// What a trail with these properties logs.
///
/// # Errors
///
/// What is wrong with the selectors: then nothing is known.
pub fn coverage(properties: &Value) -> Result<Coverage, String> {
    Ok(Selectors::of(properties)?.coverage())
}

/// The property to change and its new value, so that the trail logs what is demanded; `None` where
/// it does already.
///
/// # Errors
///
/// Why no selector can be added without touching another.
pub fn widened(
    properties: &Value,
    demand: &Demand,
) -> Result<Option<(&'static str, Value)>, String> {
    let selectors = Selectors::of(properties)?;
    if !demand.include_management_events || demand.is_met(&selectors.coverage()) {
        return Ok(None);
    }
    Ok(Some(match selectors {
        Selectors::Basic(list) => (BASIC, json!(widen_basic(list, demand)?)),
        Selectors::Advanced(list) => (ADVANCED, json!(widen_advanced(list, demand))),
    }))
}

impl Demand {
    fn is_met(&self, coverage: &Coverage) -> bool {
        let met = |it: &Logged| {
            it.logged && it.excluded.is_subset(&self.exclude_management_event_sources)
        };
        let (read, write) = kinds(self.read_write_type);
        (!read || met(&coverage.read)) && (!write || met(&coverage.write))
    }
}

impl Selectors {
    fn of(properties: &Value) -> Result<Selectors, String> {
        let list = |key: &str| properties.get(key).cloned().unwrap_or_else(|| json!([]));
        let advanced: Vec<AdvancedEventSelector> =
            serde_json::from_value(list(ADVANCED)).map_err(|it| format!("{ADVANCED}: {it}"))?;
        if !advanced.is_empty() {
            return Ok(Selectors::Advanced(advanced));
        }
        let basic = serde_json::from_value(list(BASIC)).map_err(|it| format!("{BASIC}: {it}"))?;
        Ok(Selectors::Basic(basic))
    }

    fn coverage(&self) -> Coverage {
        let (property, passes): (_, Vec<Passes>) = match self {
            // A trail without selectors logs all management events.
            Selectors::Basic(list) if list.is_empty() => (BASIC, vec![Passes::all()]),
            Selectors::Basic(list) => (BASIC, list.iter().filter_map(passes_basic).collect()),
            Selectors::Advanced(list) => {
                (ADVANCED, list.iter().filter_map(passes_advanced).collect())
            }
        };
        let logged = |through: fn(&Passes) -> bool| {
            let excluded = passes.iter().filter(|it| through(it)).map(|it| it.excluded.clone());
            let excluded = excluded.reduce(|left, right| &left & &right);
            Logged { logged: excluded.is_some(), excluded: excluded.unwrap_or_default() }
        };
        Coverage { property, read: logged(|it| it.read), write: logged(|it| it.write) }
    }
}

impl Passes {
    fn all() -> Passes {
        Passes { read: true, write: true, excluded: BTreeSet::new() }
    }

    /// What is demanded and no more.
    fn demanded(demand: &Demand) -> Passes {
        let (read, write) = kinds(demand.read_write_type);
        Passes { read, write, excluded: demand.exclude_management_event_sources.clone() }
    }

    /// What it lets through, and what is demanded besides.
    fn with(self, demand: &Demand) -> Passes {
        let demanded = Passes::demanded(demand);
        Passes {
            read: self.read || demanded.read,
            write: self.write || demanded.write,
            excluded: &self.excluded & &demanded.excluded,
        }
    }
}

/// Whether reads and writes are among them.
fn kinds(wanted: ReadWriteType) -> (bool, bool) {
    (wanted != ReadWriteType::WriteOnly, wanted != ReadWriteType::ReadOnly)
}

fn passes_basic(selector: &EventSelector) -> Option<Passes> {
    let (read, write) = kinds(selector.read_write_type);
    let excluded = selector.exclude_management_event_sources.iter().cloned().collect();
    selector.include_management_events.then_some(Passes { read, write, excluded })
}

/// `None` for a selector of another category. One that is narrowed in a way that we do not model
/// (by event name, by caller) lets nothing through for certain.
fn passes_advanced(selector: &AdvancedEventSelector) -> Option<Passes> {
    if !is_management(selector) {
        return None;
    }
    let mut passes = Passes::all();
    for it in &selector.field_selectors {
        let values: Vec<&str> = it.values().map(String::as_str).collect();
        let (equals, not_equals) = (!it.equals.is_empty(), !it.not_equals.is_empty());
        match (it.field.as_str(), values.as_slice()) {
            ("eventCategory", ["Management"]) if equals => {}
            ("readOnly", ["true"]) if equals => passes.write = false,
            ("readOnly", ["false"]) if equals => passes.read = false,
            ("eventSource", _) if it.not_equals.len() == values.len() && not_equals => {
                passes.excluded.extend(it.not_equals.iter().cloned());
            }
            _ => return None,
        }
    }
    Some(passes)
}

fn is_management(selector: &AdvancedEventSelector) -> bool {
    let mut fields = selector.field_selectors.iter();
    fields.any(|it| it.field == "eventCategory" && it.equals == ["Management"])
}

fn widen_basic(
    mut list: Vec<EventSelector>,
    demand: &Demand,
) -> Result<Vec<EventSelector>, String> {
    // A selector without data resources is for management events alone, even if it is switched off.
    if let Some(pure) = list.iter_mut().find(|it| it.data_resources.is_empty()) {
        let passes = passes_basic(pure).map(|it| it.with(demand));
        *pure = basic(&passes.unwrap_or_else(|| Passes::demanded(demand)));
        return Ok(list);
    }
    if BASIC_SELECTORS_MAX <= list.len() {
        return Err(format!(
            "all {BASIC_SELECTORS_MAX} event selectors log data events: there is no room for one \
             that logs management events"
        ));
    }
    list.push(basic(&Passes::demanded(demand)));
    Ok(list)
}

fn widen_advanced(
    mut list: Vec<AdvancedEventSelector>,
    demand: &Demand,
) -> Vec<AdvancedEventSelector> {
    if let Some(found) = list.iter_mut().find(|it| is_management(it)) {
        // One that is narrowed otherwise passes something that we do not model: open it wholly.
        let passes = passes_advanced(found).map_or_else(Passes::all, |it| it.with(demand));
        found.field_selectors = conditions(&passes);
        return list;
    }
    let name = Some("Management events".to_owned());
    list.push(AdvancedEventSelector {
        name,
        field_selectors: conditions(&Passes::demanded(demand)),
    });
    list
}

fn basic(passes: &Passes) -> EventSelector {
    EventSelector {
        read_write_type: match (passes.read, passes.write) {
            (true, false) => ReadWriteType::ReadOnly,
            (false, true) => ReadWriteType::WriteOnly,
            _ => ReadWriteType::All,
        },
        include_management_events: true,
        data_resources: Vec::new(),
        exclude_management_event_sources: passes.excluded.iter().cloned().collect(),
    }
}

fn conditions(passes: &Passes) -> Vec<FieldSelector> {
    let equals = |field: &str, value: &str| FieldSelector {
        field: field.to_owned(),
        equals: vec![value.to_owned()],
        ..FieldSelector::default()
    };
    let mut fields = vec![equals("eventCategory", "Management")];
    match (passes.read, passes.write) {
        (true, false) => fields.push(equals("readOnly", "true")),
        (false, true) => fields.push(equals("readOnly", "false")),
        _ => {}
    }
    if !passes.excluded.is_empty() {
        fields.push(FieldSelector {
            field: "eventSource".to_owned(),
            not_equals: passes.excluded.iter().cloned().collect(),
            ..FieldSelector::default()
        });
    }
    fields
}
