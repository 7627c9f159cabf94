//! The functions of Terraform that are evaluated.
//! <https://developer.hashicorp.com/terraform/language/functions>
//!
//! What is random, reads a clock, or that no policy about resources needs, is absent: its result is
//! unknown and a note names it.

use super::value::{Fault, References, Val, Valued};
use super::{ELEMENTS_MAX, VALUE_BYTES_MAX};

mod text;
mod format;
mod number;
mod collection;
mod set;
mod encoding;
mod network;

/// A function.
pub(super) struct Function {
    name: &'static str,
    /// Whether it has an answer of its own where arguments are unknown in part. All others are
    /// unknown then.
    partial: bool,
    run: fn(&[Val]) -> Valued,
}

impl Function {
    pub fn call(&self, arguments: &[Val]) -> Valued {
        let all = references(arguments);
        if !self.partial && arguments.iter().any(|it| !it.known) {
            return Ok(Val::unknown_of(all));
        }
        let value = (self.run)(arguments)?;
        // What is made of parts has their references; a new value has those of all.
        let keeps = self.partial || value.items().is_some() || value.entries().is_some();
        Ok(if keeps { value } else { value.with(&all) })
    }
}

const fn whole(name: &'static str, run: fn(&[Val]) -> Valued) -> Function {
    Function { name, partial: false, run }
}

const fn partial(name: &'static str, run: fn(&[Val]) -> Valued) -> Function {
    Function { name, partial: true, run }
}

/// Every function, in the order of their names.
static FUNCTIONS: [Function; 74] = [
    whole("abs", number::abs),
    whole("alltrue", collection::alltrue),
    whole("anytrue", collection::anytrue),
    whole("base64decode", encoding::base64decode),
    whole("base64encode", encoding::base64encode),
    whole("ceil", number::ceil),
    whole("chomp", text::chomp),
    whole("chunklist", collection::chunklist),
    whole("cidrhost", network::cidrhost),
    whole("cidrnetmask", network::cidrnetmask),
    whole("cidrsubnet", network::cidrsubnet),
    partial("coalesce", collection::coalesce),
    partial("coalescelist", collection::coalescelist),
    partial("compact", collection::compact),
    partial("concat", collection::concat),
    partial("contains", collection::contains),
    partial("distinct", collection::distinct),
    partial("element", collection::element),
    whole("endswith", text::endswith),
    partial("flatten", collection::flatten),
    whole("floor", number::floor),
    whole("format", format::format),
    whole("formatlist", format::formatlist),
    whole("indent", text::indent),
    whole("index", collection::index),
    whole("join", text::join),
    whole("jsondecode", encoding::jsondecode),
    partial("jsonencode", encoding::jsonencode),
    partial("keys", collection::keys),
    partial("length", collection::length),
    whole("log", number::log),
    partial("lookup", collection::lookup),
    whole("lower", text::lower),
    whole("matchkeys", collection::matchkeys),
    whole("max", number::max),
    partial("merge", collection::merge),
    whole("min", number::min),
    partial("nonsensitive", collection::same),
    partial("one", collection::one),
    whole("parseint", number::parseint),
    whole("pow", number::pow),
    whole("range", number::range),
    whole("replace", text::replace),
    partial("reverse", collection::reverse),
    partial("sensitive", collection::same),
    whole("setintersection", set::intersection),
    whole("setproduct", set::product),
    whole("setsubtract", set::subtract),
    whole("setunion", set::union),
    whole("signum", number::signum),
    partial("slice", collection::slice),
    whole("sort", collection::sort),
    whole("split", text::split),
    whole("startswith", text::startswith),
    whole("strcontains", text::strcontains),
    whole("strrev", text::strrev),
    whole("substr", text::substr),
    whole("sum", number::sum),
    whole("title", text::title),
    partial("tobool", encoding::tobool),
    partial("tolist", collection::tolist),
    partial("tomap", collection::same),
    partial("tonumber", encoding::tonumber),
    partial("toset", set::toset),
    partial("tostring", encoding::tostring),
    whole("transpose", collection::transpose),
    whole("trim", text::trim),
    whole("trimprefix", text::trimprefix),
    whole("trimspace", text::trimspace),
    whole("trimsuffix", text::trimsuffix),
    whole("upper", text::upper),
    whole("urlencode", encoding::urlencode),
    partial("values", collection::values),
    partial("zipmap", collection::zipmap),
];

/// The function of that name.
pub(super) fn find(name: &str) -> Option<&'static Function> {
    let at = FUNCTIONS.binary_search_by(|it| it.name.cmp(name)).ok()?;
    FUNCTIONS.get(at)
}

/// What all of the values are made of.
pub(super) fn references(values: &[Val]) -> References {
    values.iter().fold(References::default(), |all, it| all.and(&it.all_references()))
}

/// The argument at an index.
fn argument(arguments: &[Val], at: usize) -> Result<&Val, Fault> {
    arguments.get(at).ok_or_else(|| Fault::new(format!("argument {} is missing", at + 1)))
}

fn refused(value: &Val, wanted: &str) -> Fault {
    Fault::new(format!("{} is not {wanted}", value.name())).with(&value.all_references())
}

fn text_at(arguments: &[Val], at: usize) -> Result<std::rc::Rc<str>, Fault> {
    let it = argument(arguments, at)?;
    it.to_text().ok_or_else(|| refused(it, "a string"))
}

fn number_at(arguments: &[Val], at: usize) -> Result<f64, Fault> {
    let it = argument(arguments, at)?;
    it.to_number().ok_or_else(|| refused(it, "a number"))
}

fn count_at(arguments: &[Val], at: usize) -> Result<usize, Fault> {
    let it = argument(arguments, at)?;
    it.whole_number().ok_or_else(|| refused(it, "a whole number"))
}

/// The elements of the argument at an index, each with what the collection is made of; nothing
/// where the collection is unknown.
fn items_at(arguments: &[Val], at: usize) -> Result<Option<Vec<Val>>, Fault> {
    let it = argument(arguments, at)?;
    match it.sequence() {
        Some(items) => {
            Ok(Some(items.iter().map(|item| item.clone().with(&it.references)).collect()))
        }
        None if it.is_unknown() || it.items().is_some() => Ok(None),
        None => Err(refused(it, "a list")),
    }
}

/// The elements of a known collection.
fn known_items_at(arguments: &[Val], at: usize) -> Result<Vec<Val>, Fault> {
    Ok(items_at(arguments, at)?.unwrap_or_default())
}

fn unknown_of(arguments: &[Val]) -> Valued {
    Ok(Val::unknown_of(references(arguments)))
}

/// Refuses to make that many elements.
fn limited(elements: usize) -> Result<usize, Fault> {
    if ELEMENTS_MAX < elements {
        return Err(Fault::ours(format!("makes more than {ELEMENTS_MAX} elements")));
    }
    Ok(elements)
}

/// Appends to a text that has a limit.
fn append(text: &mut String, more: &str) -> Result<(), Fault> {
    if VALUE_BYTES_MAX < text.len() + more.len() {
        return Err(Fault::ours(format!("makes a text of more than {VALUE_BYTES_MAX} bytes")));
    }
    text.push_str(more);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{FUNCTIONS, find};

    #[test]
    fn every_function_is_found() {
        assert!(FUNCTIONS.is_sorted_by(|one, other| one.name < other.name));
        assert!(FUNCTIONS.iter().all(|it| find(it.name).is_some()));
    }
}
