//! What a policy's Rego looks at of a resource, as far as its text tells.
//!
//! A scan that knows this need not read the rest. Where the text does not tell, the answer is "I
//! don't know", and everything is read: a property that was not read must never look absent.

use std::collections::BTreeSet;

/// The names after `properties.` in Rego, comments aside.
pub fn named(rego: &str) -> BTreeSet<&str> {
    let code = rego.lines().map(|it| it.split('#').next().unwrap_or(it));
    let after = code.flat_map(|it| it.split("properties.").skip(1));
    after.map(|it| name(it).0).filter(|it| !it.is_empty()).collect()
}

/// Every property that the Rego looks at; `None` where the text does not tell them all: it takes
/// the properties, the resource or the input as a whole, looks at tags, or computes a name.
///
/// `with_facts` says that what the facts are made of is known otherwise; else a policy that looks
/// at them may look at everything. Comments count as code, since a `#` may stand in a text.
pub fn all(rego: &str, with_facts: bool) -> Option<BTreeSet<&str>> {
    const INPUT: &str = "input";
    let mut found = BTreeSet::new();
    for (at, _) in rego.match_indices(INPUT) {
        let (before, rest) = rego.split_at_checked(at)?;
        let after = rest.strip_prefix(INPUT)?;
        // Part of another word.
        if before.ends_with(is_name) || after.starts_with(is_name) {
            continue;
        }
        found.extend(looked_at(before, after, with_facts)?);
    }
    Some(found)
}

/// The property, if it is one, that stands behind an `input`; outer `None` where that is not known.
fn looked_at<'r>(before: &str, after: &'r str, with_facts: bool) -> Option<Option<&'r str>> {
    let (document, rest) = name(after.strip_prefix('.')?);
    match document {
        "params" | "event" => return Some(None),
        "resource" => {}
        _ => return None,
    }
    let (part, rest) = name(rest.strip_prefix('.')?);
    match part {
        "type" | "id" | "account" | "region" | "unknown" => Some(None),
        "facts" if with_facts => Some(None),
        "properties" => property(before, rest).map(Some),
        _ => None,
    }
}

/// `.Name`, `["Name"]`, or `, "Name"` as in `object.get(input.resource.properties, "Name", {})`.
fn property<'r>(before: &str, rest: &'r str) -> Option<&'r str> {
    let found = match rest.strip_prefix('.') {
        Some(rest) => name(rest).0,
        None => {
            let of_get = || rest.strip_prefix(", ").filter(|_| before.ends_with("object.get("));
            let text = rest.strip_prefix('[').or_else(of_get)?.strip_prefix('"')?;
            text.split_once('"')?.0
        }
    };
    (!found.is_empty() && found.chars().all(is_name)).then_some(found)
}

fn is_name(it: char) -> bool {
    it.is_ascii_alphanumeric() || it == '_'
}

/// The name that a text begins with, and what follows it.
fn name(text: &str) -> (&str, &str) {
    let end = text.find(|it| !is_name(it)).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_are_found_in_code_only() {
        let rego = "# properties.Comment\nx := input.resource.properties.Acl\nproperties.Tags[_]";
        assert_eq!(named(rego), BTreeSet::from(["Acl", "Tags"]));
    }

    #[test]
    fn what_the_text_tells_is_all_that_is_looked_at() {
        let rego = r#"
            package quell.x
            block := object.get(input.resource.properties, "Block", {})
            acl := input.resource.properties.Acl.Grants[_]
            policy := input.resource.properties["Policy"]
            deny contains input.resource.id if not "Acl" in input.resource.unknown
            deny contains some_input if input.params.flags
        "#;
        assert_eq!(all(rego, false), Some(BTreeSet::from(["Acl", "Block", "Policy"])));
        assert_eq!(all("deny contains 1 if true", false), Some(BTreeSet::new()));
    }

    #[test]
    fn what_it_does_not_tell_is_everything() {
        for rego in [
            "x := input",
            "x := input.resource",
            "x := input[\"resource\"]",
            "x := input.resource.properties",
            "x := input.resource.properties[name]",
            "x := input.resource.properties[\"a.b\"]",
            "x := input.resource.properties.",
            "x := f(input.resource.properties, \"Acl\")",
            "x := object.get(input.resource, \"properties\", {})",
            "x := input.resource.tags.owner",
            "x := input.resource.facts.public",
            "x := input.resource.unheard_of",
            "x := y with input as z",
            "import input.resource as it",
            "x := \"#\"; y := input.resource.tags",
            "walk(input, [path, value])",
        ] {
            assert_eq!(all(rego, false), None, "{rego}");
        }
        let facts = "x := input.resource.facts.public; y := input.resource.properties.Acl";
        assert_eq!(all(facts, true), Some(BTreeSet::from(["Acl"])));
    }
}
