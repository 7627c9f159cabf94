//! Functions of sets.

use super::collection::alike;
use super::{items_at, known_items_at, limited, unknown_of};
use crate::plan::hcl::value::{Fault, Val, Valued};

pub fn toset(arguments: &[Val]) -> Valued {
    match items_at(arguments, 0)? {
        Some(items) => Val::set(items),
        None => unknown_of(arguments),
    }
}

pub fn union(arguments: &[Val]) -> Valued {
    let mut all = Vec::new();
    for at in 0..arguments.len() {
        all.extend(known_items_at(arguments, at)?);
        limited(all.len())?;
    }
    Val::set(all)
}

pub fn intersection(arguments: &[Val]) -> Valued {
    keep(arguments, true)
}

pub fn subtract(arguments: &[Val]) -> Valued {
    keep(arguments, false)
}

/// The elements of the first set that are in all others, or in none of them.
fn keep(arguments: &[Val], in_others: bool) -> Valued {
    let mut kept = known_items_at(arguments, 0)?;
    for at in 1..arguments.len() {
        let other = known_items_at(arguments, at)?;
        limited(kept.len().saturating_mul(other.len()))?;
        kept.retain(|it| other.iter().any(|that| alike(that, it) == Some(true)) == in_others);
    }
    Val::set(kept)
}

/// Every combination of one element of each.
pub fn product(arguments: &[Val]) -> Valued {
    let mut rows: Vec<Vec<Val>> = vec![Vec::new()];
    for at in 0..arguments.len() {
        let items = known_items_at(arguments, at)?;
        limited(rows.len().saturating_mul(items.len()).saturating_mul(at + 1))?;
        let longer = |row: &Vec<Val>, it: &Val| row.iter().chain([it]).cloned().collect();
        rows = rows.iter().flat_map(|row| items.iter().map(move |it| longer(row, it))).collect();
    }
    Val::list(rows.into_iter().map(Val::list).collect::<Result<_, Fault>>()?)
}
