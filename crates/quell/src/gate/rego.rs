//! Users' own Rego: conftest's packages over the raw plans and templates.

use super::folder::{Root, search};
use super::inputs::Input;
use super::notes::{of_file, whole};
use crate::cli::files;
use crate::exit::CliError;
use quell_core::policy::Severity;
use quell_core::policy::conftest::{
    BUNDLE_DATA_MAX_BYTES, BUNDLE_RULE_TIME_MAX_MS, Bundle, Document, Message, Module, Namespaces,
};
use quell_core::report::{Level, Problem, Report, Rule, Verdict};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// What stands before a rule's package in the report.
const PREFIX: &str = "rego";
/// The files of a folder that are data: those of an OPA bundle.
const DATA: [&str; 3] = ["data.json", "data.yaml", "data.yml"];

/// Loads every package in a folder, tests left out.
///
/// # Errors
///
/// Usage for what is no Rego, and where there is no rule.
pub fn load(folder: &str) -> Result<Bundle, CliError> {
    let (mut modules, mut documents) = (Vec::new(), Vec::new());
    let root = Root::open(Path::new(folder))?;
    for path in search(Path::new(folder))? {
        if !root.holds(&path) {
            continue;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let file = path.display().to_string();
        if name.ends_with(".rego") && !name.ends_with("_test.rego") {
            let text = text(&file)?;
            modules.push((file, text));
        } else if DATA.contains(&&*name) {
            let above = path.parent().and_then(|it| it.strip_prefix(folder).ok());
            let at = above.into_iter().flat_map(Path::iter);
            let at: Vec<String> = at.map(|it| it.to_string_lossy().into_owned()).collect();
            let text = text(&file)?;
            documents.push((file, text, at));
        }
    }
    let modules: Vec<Module<'_>> =
        modules.iter().map(|(file, text)| Module { file, text }).collect();
    let at: Vec<Vec<&str>> =
        documents.iter().map(|it| it.2.iter().map(String::as_str).collect()).collect();
    let documents: Vec<Document<'_>> = documents
        .iter()
        .zip(&at)
        .map(|((file, text, _), at)| Document { file, text, at })
        .collect();
    let bundle = Bundle::load(&modules, &documents, Namespaces::All, BUNDLE_RULE_TIME_MAX_MS);
    let bundle = bundle.map_err(|it| {
        CliError::usage(format!("the packages in `{folder}` cannot be used")).because(it)
    })?;
    if bundle.rules().next().is_none() {
        return Err(CliError::usage(format!("`{folder}` holds no rule"))
            .hint("a rule is called `deny`, `violation` or `warn`, or begins so: `deny_iam`"));
    }
    Ok(bundle)
}

fn text(file: &str) -> Result<String, CliError> {
    String::from_utf8(files::bytes_within(file, BUNDLE_DATA_MAX_BYTES)?)
        .map_err(|it| CliError::usage(format!("`{file}` is not UTF-8")).because(it.utf8_error()))
}

/// Adds to the report what the packages say.
///
/// # Errors
///
/// Usage where an input is no document.
pub fn judge(bundle: &Bundle, inputs: &[Input], report: &mut Report) -> Result<(), CliError> {
    let names = bundle.rules().map(|(package, rule)| format!("{package}.{rule}"));
    let rules: BTreeMap<String, Arc<Rule>> = names.map(|it| (it.clone(), rule(&it))).collect();
    report.rules.extend(rules.values().cloned());
    for input in inputs {
        let Some(document) = &input.document else {
            let message =
                format!("`{}` is Terraform's source, which --rego does not judge", input.file);
            return Err(
                CliError::usage(message).hint("give the output of `terraform show -json PLAN`")
            );
        };
        let judgment = bundle.judge(&input.file, document);
        let told = judgment.messages.into_iter().map(|it| {
            let Message { namespace, rule, text, details, .. } = it;
            (format!("{namespace}.{rule}"), text, Value::Object(details), Verdict::Violation)
        });
        let failed = judgment
            .errors
            .into_iter()
            .map(|it| (it.policy, it.problem, Value::Null, Verdict::Error));
        for (name, text, evidence, verdict) in told.chain(failed) {
            // An `exception` can fail, and is no rule of the bundle's.
            let rule = rules.get(&name).cloned().unwrap_or_else(|| rule(&name));
            let place = whole(&input.file);
            report.entries.push(of_file(&rule, verdict, place, text, evidence));
        }
        for (package, rule) in judgment.excepted {
            report.problems.push(Problem {
                level: Level::Warning,
                place: Some(whole(&input.file)),
                text: format!("the rule `{rule}` of package `{package}` is excepted by its bundle"),
            });
        }
    }
    Ok(())
}

/// What the report says of a rule, such as `main.deny`.
fn rule(name: &str) -> Arc<Rule> {
    let warns = name.rsplit('.').next().is_some_and(|it| it.starts_with("warn"));
    let title = format!("the rule `{name}` objects");
    Arc::new(Rule {
        id: format!("{PREFIX}.{name}"),
        description: title.clone(),
        title,
        severity: if warns { Severity::Low } else { Severity::High },
        help: None,
        link: None,
        controls: BTreeMap::new(),
    })
}
