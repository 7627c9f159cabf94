//! What the binary is made of: a bill of materials in CycloneDX 1.6, from cargo's own resolution.
//!
//! Each crate that is linked into `quell` is a component, with its package URL, its licenses and
//! the checksum that `Cargo.lock` pins; what only builds or tests it is not. No time and no random
//! serial number: the same lock gives the same document. Source: cyclonedx.org, JSON reference 1.6.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::run;

/// The target of the package, as cargo names it.
const TARGET: &str = "x86_64-unknown-linux-gnu";
/// The crate that is the binary.
const ROOT: &str = "quell";

/// What cargo resolved for the package's target.
pub fn metadata() -> Result<Value> {
    let arguments = ["metadata", "--format-version=1", "--locked", "--filter-platform", TARGET];
    Ok(serde_json::from_str(&run::output(&mut run::cargo(&arguments)?)?)?)
}

/// The document.
pub fn document(metadata: &Value, lock: &str) -> Result<Value> {
    let packages: BTreeMap<&str, &Value> =
        list(metadata, "packages").iter().map(|it| (text(it, "id"), it)).collect();
    let edges: BTreeMap<&str, BTreeSet<&str>> =
        list(&metadata["resolve"], "nodes").iter().map(|it| (text(it, "id"), linked(it))).collect();
    let root = packages.values().find(|it| text(it, "name") == ROOT);
    let root = text(root.context("cargo knows no package `quell`")?, "id");

    let checksums = checksums(lock);
    let mut reached = BTreeSet::from([root]);
    let mut next = vec![root];
    while let Some(id) = next.pop() {
        let further = edges.get(id).into_iter().flatten().filter(|it| reached.insert(it));
        next.extend(further);
    }
    let url = |id: &str| packages.get(id).map(|it| package_url(it));
    let components: BTreeMap<String, Value> = reached
        .iter()
        .filter(|id| **id != root)
        .filter_map(|id| packages.get(id))
        .map(|it| (package_url(it), component(it, "library", &checksums)))
        .collect();
    let dependencies: BTreeMap<String, Value> = reached
        .iter()
        .filter_map(|id| Some((url(id)?, edges.get(id)?)))
        .map(|(of, on)| {
            let on: BTreeSet<String> = on.iter().filter_map(|it| url(it)).collect();
            (of.clone(), json!({ "ref": of, "dependsOn": on }))
        })
        .collect();
    let application = packages.get(root).map(|it| component(it, "application", &checksums));
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": serial_number(lock),
        "version": 1,
        "metadata": { "component": application },
        "components": components.into_values().collect::<Vec<_>>(),
        "dependencies": dependencies.into_values().collect::<Vec<_>>(),
    }))
}

/// The packages that are linked with a package: neither its tests' nor its build script's.
fn linked(node: &Value) -> BTreeSet<&str> {
    let is_normal = |it: &&Value| list(it, "dep_kinds").iter().any(|it| it["kind"].is_null());
    list(node, "deps").iter().filter(is_normal).map(|it| text(it, "pkg")).collect()
}

fn component(package: &Value, kind: &str, checksums: &BTreeMap<(String, String), String>) -> Value {
    let (name, version) = (text(package, "name"), text(package, "version"));
    let url = package_url(package);
    // Old manifests write `MIT/Apache-2.0`, which SPDX does not know.
    let license = text(package, "license").replace('/', " OR ");
    let checksum = checksums.get(&(name.to_owned(), version.to_owned()));
    let fields = [
        ("type", Some(json!(kind))),
        ("bom-ref", Some(json!(url))),
        ("name", Some(json!(name))),
        ("version", Some(json!(version))),
        ("purl", Some(json!(url))),
        ("licenses", (!license.is_empty()).then(|| json!([{ "expression": license }]))),
        ("hashes", checksum.map(|it| json!([{ "alg": "SHA-256", "content": it }]))),
    ];
    fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// `pkg:cargo/NAME@VERSION`. A `+` in a version is escaped, as the package-url specification says.
fn package_url(package: &Value) -> String {
    let version = text(package, "version").replace('+', "%2B");
    format!("pkg:cargo/{}@{version}", text(package, "name"))
}

/// The checksums in `Cargo.lock`, by name and version.
fn checksums(lock: &str) -> BTreeMap<(String, String), String> {
    let entries = lock.split("[[package]]").skip(1);
    entries
        .filter_map(|entry| {
            let value = |key: &str| {
                let mut lines = entry.lines();
                let value = lines.find_map(|it| it.strip_prefix(key)?.strip_prefix(" = \""))?;
                Some(value.trim_end_matches('"').to_owned())
            };
            Some(((value("name")?, value("version")?), value("checksum")?))
        })
        .collect()
}

/// A UUID of version 8 (RFC 9562: made of what one likes), from the lock's digest.
fn serial_number(lock: &str) -> String {
    let digest = Sha256::digest(lock);
    let mut id = digest.first_chunk::<16>().copied().unwrap_or_default();
    id[6] = (id[6] & 0x0f) | 0x80;
    id[8] = (id[8] & 0x3f) | 0x80;
    let id = hex::encode(id);
    let (head, tail) = id.split_at(16);
    let ((a, bc), (d, e)) = (head.split_at(8), tail.split_at(4));
    let (b, c) = bc.split_at(4);
    format!("urn:uuid:{a}-{b}-{c}-{d}-{e}")
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    fn made() -> Value {
        let lock = std::fs::read_to_string(run::root().unwrap().join("Cargo.lock")).unwrap();
        document(&metadata().unwrap(), &lock).unwrap()
    }

    #[test]
    fn it_has_the_shape_of_cyclonedx() {
        let sbom = made();
        assert_eq!((text(&sbom, "bomFormat"), text(&sbom, "specVersion")), ("CycloneDX", "1.6"));
        let serial = text(&sbom, "serialNumber").strip_prefix("urn:uuid:").unwrap();
        let parts: Vec<usize> = serial.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
        let components = list(&sbom, "components");
        let refs: BTreeSet<&str> = components.iter().map(|it| text(it, "bom-ref")).collect();
        assert_eq!(refs.len(), components.len(), "each reference is unique");
        for it in components {
            assert_eq!(text(it, "type"), "library");
            assert!(!text(it, "name").is_empty() && !text(it, "version").is_empty());
            assert!(text(it, "purl").starts_with("pkg:cargo/"), "{it}");
            for hash in list(it, "hashes") {
                assert_eq!((text(hash, "alg"), text(hash, "content").len()), ("SHA-256", 64));
            }
        }
        let root = text(&sbom["metadata"]["component"], "bom-ref");
        assert_eq!(sbom["metadata"]["component"]["type"], "application");
        for it in list(&sbom, "dependencies") {
            assert!(refs.contains(text(it, "ref")) || text(it, "ref") == root);
            let on = list(it, "dependsOn").iter().map(|it| it.as_str().unwrap());
            on.for_each(|it| assert!(refs.contains(it), "{it} is no component"));
        }
    }

    #[test]
    fn it_names_what_is_linked_and_nothing_of_the_tests_or_the_machine() {
        let sbom = made();
        let named = |name: &str| list(&sbom, "components").iter().any(|it| it["name"] == name);
        for linked in ["quell-core", "regorus", "aws-sdk-s3", "lambda_runtime", "rustls"] {
            assert!(named(linked), "`{linked}` is missing");
        }
        for absent in ["testkit", "trycmd", "insta", "xtask", "cc"] {
            assert!(!named(absent), "`{absent}` is no part of the binary");
        }
        let from_registry = |it: &&Value| !text(it, "name").starts_with("quell");
        let ours = ["event-pattern", "quell-core", "quell-library"];
        for it in list(&sbom, "components").iter().filter(from_registry) {
            let pinned = !list(it, "hashes").is_empty() || ours.contains(&text(it, "name"));
            assert!(pinned, "{it} has no checksum");
        }
        assert!(!sbom.to_string().contains("://"), "no URL and no path");
        assert_eq!(sbom, made(), "the same document again");
    }
}
