//! What the sources themselves excuse: comments, and the metadata of templates' resources.

use super::inputs::Input;
use jiff::Timestamp;
use quell_core::report::ignore::comments::Syntax;
use quell_core::report::ignore::{self, Ignore};
use quell_core::report::{Problem, Report};
use std::collections::BTreeMap;

/// Marks what the sources' ignores cover, and tells of those that cover nothing.
pub fn apply(inputs: &[Input], report: &mut Report, now: Timestamp) {
    // A module that several configurations call is one source.
    let sources: BTreeMap<&String, &String> = inputs.iter().flat_map(|it| &it.sources).collect();
    let of_source = sources.into_iter().filter_map(|(file, text)| {
        let syntax = Syntax::of(file, text)?;
        Some(ignore::read(file, text, syntax))
    });
    let all: Vec<(Vec<Ignore>, Vec<Problem>)> =
        of_source.chain(inputs.iter().flat_map(of_metadata)).collect();
    let mut ignores = Vec::new();
    for (found, problems) in all {
        ignores.extend(found);
        report.problems.extend(problems);
    }
    ignore::apply(report, &ignores, now);
}

/// The ignores in a template's resources.
fn of_metadata(input: &Input) -> Vec<(Vec<Ignore>, Vec<Problem>)> {
    let resources = input.document.as_ref().and_then(|it| it.get("Resources")?.as_object());
    let places: BTreeMap<&str, _> =
        input.plan.declared.iter().map(|it| (it.address.as_str(), it.at.as_ref())).collect();
    let of_resource = |(address, resource): (&String, &serde_json::Value)| {
        let at = places.get(address.as_str()).copied().flatten();
        Some(ignore::from_metadata(&input.file, address, at, resource.get("Metadata")?))
    };
    resources.into_iter().flatten().filter_map(of_resource).collect()
}
