//! Functions of lists and maps. What is unknown in them stays where it is.

use std::collections::BTreeMap;

use super::{argument, count_at, items_at, known_items_at, limited, refused, unknown_of};
use crate::plan::hcl::value::{Fault, Kind, Val, Valued};

/// The argument itself.
pub fn same(arguments: &[Val]) -> Valued {
    argument(arguments, 0).cloned()
}

pub fn tolist(arguments: &[Val]) -> Valued {
    match items_at(arguments, 0)? {
        Some(items) => Val::list(items),
        None => unknown_of(arguments),
    }
}

#[expect(clippy::cast_precision_loss, reason = "no value is that long")]
pub fn length(arguments: &[Val]) -> Valued {
    let it = argument(arguments, 0)?;
    let length = match &it.kind {
        Kind::List(items) => items.len(),
        // Two unknown elements may be one.
        Kind::Set(items) if it.known => items.len(),
        Kind::Map(entries) => entries.len(),
        Kind::Text(text) => text.chars().count(),
        Kind::Unknown(_) | Kind::Set(_) | Kind::Instance(_) => return unknown_of(arguments),
        _ => return Err(refused(it, "a list, a map or a string")),
    };
    Ok(Val::number(length as f64))
}

/// `element(list, index)`: the index begins anew at the end of the list.
pub fn element(arguments: &[Val]) -> Valued {
    let index = argument(arguments, 1)?;
    match items_at(arguments, 0)? {
        Some(items) if !index.is_unknown() => {
            if index.to_number().is_some_and(|it| it < 0.0) {
                return Err(Fault::ours("a negative index is not evaluated"));
            }
            let count = items.len();
            let at = count_at(arguments, 1)?.checked_rem(count);
            let found = at.and_then(|it| items.get(it)).cloned();
            found.ok_or_else(|| Fault::new("the list is empty"))
        }
        _ => unknown_of(arguments),
    }
}

/// `lookup(map, key, default)`.
pub fn lookup(arguments: &[Val]) -> Valued {
    let (map, key) = (argument(arguments, 0)?, argument(arguments, 1)?);
    let Some(name) = key.to_text() else { return unknown_of(arguments) };
    match &map.kind {
        Kind::Map(entries) => match (entries.get(&*name), arguments.get(2)) {
            (Some(found), _) => Ok(found.clone().with(&map.references)),
            (None, Some(default)) => Ok(default.clone()),
            (None, None) => Err(Fault::new(format!("there is no `{name}`"))),
        },
        _ => unknown_of(arguments),
    }
}

pub fn keys(arguments: &[Val]) -> Valued {
    let it = argument(arguments, 0)?;
    let Kind::Map(entries) = &it.kind else { return unknown_of(arguments) };
    let keys = entries.keys().map(|name| Ok(Val::text(name.as_str())?.with(&it.references)));
    Val::list(keys.collect::<Result<_, Fault>>()?)
}

pub fn values(arguments: &[Val]) -> Valued {
    let it = argument(arguments, 0)?;
    let Kind::Map(entries) = &it.kind else { return unknown_of(arguments) };
    Val::list(entries.values().map(|value| value.clone().with(&it.references)).collect())
}

/// Later maps win; null is an empty map.
pub fn merge(arguments: &[Val]) -> Valued {
    let mut merged = BTreeMap::new();
    for map in arguments {
        match &map.kind {
            Kind::Null => {}
            Kind::Map(entries) => merged.extend(
                entries.iter().map(|(name, it)| (name.clone(), it.clone().with(&map.references))),
            ),
            Kind::Unknown(_) | Kind::Instance(_) => return unknown_of(arguments),
            _ => return Err(refused(map, "a map")),
        }
    }
    Val::map(merged)
}

pub fn concat(arguments: &[Val]) -> Valued {
    let mut all = Vec::new();
    for at in 0..arguments.len() {
        match items_at(arguments, at)? {
            Some(items) => all.extend(items),
            None => return unknown_of(arguments),
        }
        limited(all.len())?;
    }
    Val::list(all)
}

/// Lists within lists become one list, where each of them is known to be a list or not.
pub fn flatten(arguments: &[Val]) -> Valued {
    let Some(items) = items_at(arguments, 0)? else { return unknown_of(arguments) };
    let mut flat = Vec::new();
    for item in items {
        if !flatten_into(&item, &mut flat)? {
            return unknown_of(arguments);
        }
    }
    Val::list(flat)
}

fn flatten_into(item: &Val, flat: &mut Vec<Val>) -> Result<bool, Fault> {
    // Something unknown may be a list.
    if item.is_unknown() || (item.items().is_some() && item.sequence().is_none()) {
        return Ok(false);
    }
    let Some(items) = item.items() else {
        limited(flat.len())?;
        flat.push(item.clone());
        return Ok(true);
    };
    for inner in items {
        if !flatten_into(&inner.clone().with(&item.references), flat)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Without null and empty texts.
pub fn compact(arguments: &[Val]) -> Valued {
    match items_at(arguments, 0)? {
        Some(items) if items.iter().all(|it| !it.is_unknown()) => Val::list(
            items.into_iter().filter(|it| !it.is_null() && it.as_text() != Some("")).collect(),
        ),
        _ => unknown_of(arguments),
    }
}

pub fn distinct(arguments: &[Val]) -> Valued {
    match items_at(arguments, 0)? {
        Some(items) if items.iter().all(|it| it.known) => {
            let mut seen = std::collections::BTreeSet::new();
            let first = |it: &Val| seen.insert(it.to_json().map(|it| it.to_string()));
            Val::list(items.into_iter().filter(first).collect())
        }
        _ => unknown_of(arguments),
    }
}

pub fn reverse(arguments: &[Val]) -> Valued {
    match items_at(arguments, 0)? {
        Some(items) => Val::list(items.into_iter().rev().collect()),
        None => unknown_of(arguments),
    }
}

/// `slice(list, from, to)`.
pub fn slice(arguments: &[Val]) -> Valued {
    let bounds_known = arguments.iter().skip(1).all(|it| it.known);
    match items_at(arguments, 0)? {
        Some(items) if bounds_known => {
            let (from, to) = (count_at(arguments, 1)?, count_at(arguments, 2)?);
            let part =
                items.get(from..to).ok_or_else(|| Fault::new("the list is not that long"))?;
            Val::list(part.to_vec())
        }
        _ => unknown_of(arguments),
    }
}

pub fn sort(arguments: &[Val]) -> Valued {
    let items = known_items_at(arguments, 0)?;
    let texts = items.iter().map(|it| it.to_text().ok_or_else(|| refused(it, "a string")));
    let mut texts = texts.collect::<Result<Vec<_>, Fault>>()?;
    texts.sort();
    let references = argument(arguments, 0)?.all_references();
    let sorted = texts.into_iter().map(|it| Ok(Val::text(it)?.with(&references)));
    Val::list(sorted.collect::<Result<_, Fault>>()?)
}

/// Whether a list has an element; surely so where a known one is equal. `80` is not `"80"`.
pub fn contains(arguments: &[Val]) -> Valued {
    let (list, wanted) = (argument(arguments, 0)?, argument(arguments, 1)?);
    let Some(items) = list.items() else { return unknown_of(arguments) };
    let mut unknown = false;
    for item in items {
        match item.clone().with(&list.references).equals(wanted) {
            Some(true) => return Ok(Val::bool(true)),
            Some(false) => {}
            None => unknown = true,
        }
    }
    if unknown { unknown_of(arguments) } else { Ok(Val::bool(false)) }
}

/// Equal as elements of one list or set, which makes `80` and `"80"` the same.
pub fn alike(one: &Val, other: &Val) -> Option<bool> {
    match (one.to_text(), other.to_text()) {
        (Some(one), Some(other)) => Some(one == other),
        _ => one.equals(other),
    }
}

/// `index(list, value)`.
#[expect(clippy::cast_precision_loss, reason = "no list is that long")]
pub fn index(arguments: &[Val]) -> Valued {
    let wanted = argument(arguments, 1)?;
    let items = known_items_at(arguments, 0)?;
    let at = items.iter().position(|it| it.equals(wanted) != Some(false));
    if at.and_then(|it| items.get(it)).is_some_and(|it| it.equals(wanted).is_none()) {
        return unknown_of(arguments);
    }
    at.map(|it| Val::number(it as f64)).ok_or_else(|| Fault::new("there is no such element"))
}

/// The first argument that is neither null nor an empty text.
pub fn coalesce(arguments: &[Val]) -> Valued {
    for it in arguments {
        if it.is_unknown() {
            return unknown_of(arguments);
        }
        if !it.is_null() && it.as_text() != Some("") {
            return Ok(it.clone());
        }
    }
    Err(Fault::new("every argument is null or empty"))
}

/// The first list that is not empty.
pub fn coalescelist(arguments: &[Val]) -> Valued {
    for it in arguments {
        match it.items() {
            Some([]) => {}
            Some(_) => return Ok(it.clone()),
            None if it.is_null() => {}
            None => return unknown_of(arguments),
        }
    }
    Err(Fault::new("every list is empty"))
}

/// The one element of a list, or null where it is empty.
pub fn one(arguments: &[Val]) -> Valued {
    match items_at(arguments, 0)?.as_deref() {
        Some([]) => Ok(Val::null()),
        Some([only]) => Ok(only.clone()),
        Some(_) => Err(Fault::new("the list has more than one element")),
        None => unknown_of(arguments),
    }
}

/// `zipmap(keys, values)`.
pub fn zipmap(arguments: &[Val]) -> Valued {
    let (Some(keys), Some(values)) = (items_at(arguments, 0)?, items_at(arguments, 1)?) else {
        return unknown_of(arguments);
    };
    if keys.iter().any(Val::is_unknown) {
        return unknown_of(arguments);
    }
    if keys.len() != values.len() {
        return Err(Fault::new("the lists have different lengths"));
    }
    let keys = keys.iter().map(|it| it.to_text().ok_or_else(|| refused(it, "a string")));
    let entries = keys.zip(values).map(|(key, value)| Ok((key?.to_string(), value)));
    Val::map(entries.collect::<Result<_, Fault>>()?)
}

pub fn alltrue(arguments: &[Val]) -> Valued {
    Ok(Val::bool(bools(arguments)?.into_iter().all(|it| it)))
}

pub fn anytrue(arguments: &[Val]) -> Valued {
    Ok(Val::bool(bools(arguments)?.into_iter().any(|it| it)))
}

/// Bools, of which null is false.
fn bools(arguments: &[Val]) -> Result<Vec<bool>, Fault> {
    let read = |it: &Val| match it.to_bool() {
        None if it.is_null() => Ok(false),
        told => told.ok_or_else(|| refused(it, "a bool")),
    };
    known_items_at(arguments, 0)?.iter().map(read).collect()
}

/// `chunklist(list, size)`.
pub fn chunklist(arguments: &[Val]) -> Valued {
    let (items, size) = (known_items_at(arguments, 0)?, count_at(arguments, 1)?);
    let size = if size == 0 { items.len().max(1) } else { size };
    Val::list(items.chunks(size).map(|it| Val::list(it.to_vec())).collect::<Result<_, _>>()?)
}

/// `matchkeys(values, keys, wanted)`: the values whose keys are wanted.
pub fn matchkeys(arguments: &[Val]) -> Valued {
    let (values, keys) = (known_items_at(arguments, 0)?, known_items_at(arguments, 1)?);
    let wanted = known_items_at(arguments, 2)?;
    limited(keys.len().saturating_mul(wanted.len()))?;
    if keys.len() != values.len() {
        return Err(Fault::new("the lists have different lengths"));
    }
    let matches = |key: &Val| wanted.iter().any(|it| alike(it, key) == Some(true));
    let chosen = values.into_iter().zip(keys).filter(|(_, key)| matches(key));
    Val::list(chosen.map(|(value, _)| value).collect())
}

/// A map of lists, the other way round.
pub fn transpose(arguments: &[Val]) -> Valued {
    let it = argument(arguments, 0)?;
    let entries = it.entries().ok_or_else(|| refused(it, "a map"))?;
    let mut turned: BTreeMap<String, Vec<Val>> = BTreeMap::new();
    for (name, items) in entries {
        let name = Val::text(name.as_str())?;
        for item in items.items().ok_or_else(|| refused(items, "a list"))? {
            let key = item.to_text().ok_or_else(|| refused(item, "a string"))?;
            turned.entry(key.to_string()).or_default().push(name.clone());
        }
    }
    let turned = turned.into_iter().map(|(name, items)| Ok((name, Val::list(items)?)));
    Val::map(turned.collect::<Result<_, Fault>>()?)
}
