//! `docs/reference/policies.md`: the built-in policies.

use crate::output::table::word;
use quell_core::policy::Policy;
use quell_core::policy::builtins::{
    ALLOWED, FORMAT_WIDTH_MAX_DIGITS, POLICY_VALUE_MAX_BYTES, WEIGHED,
};
use quell_core::policy::program::{ARGUMENTS_MAX, POLICY_CALLS_DEEP_MAX};
use quell_library::Library;
use std::fmt::Write as _;

/// The page.
pub fn page(library: &Library) -> String {
    let mut page = super::head("Policies");
    page.push_str("\n| policy | severity | resource | fix |\n|---|---|---|---|\n");
    for policy in library.policies() {
        let meta = policy.meta();
        let kinds: Vec<String> = meta.resources().map(|(it, _)| format!("`{it}`")).collect();
        let fixes = meta.resources().map(|(_, fix)| match fix {
            Some(it) => format!("`{}`", it.action),
            None => "-".to_owned(),
        });
        let fixes: Vec<String> = fixes.collect();
        let anchor = policy.id().replace('.', "");
        let _ = writeln!(
            page,
            "| [`{}`](#{anchor}) | {} | {} | {} |",
            policy.id(),
            word(&meta.severity),
            kinds.join("<br>"),
            fixes.join("<br>")
        );
    }
    for (policy, folder) in library.policies().iter().zip(library.folders()) {
        let cases: Vec<String> = folder.cases.keys().map(|it| format!("`{it}`")).collect();
        section(library, policy, &cases.join(", "), &mut page);
    }
    language(&mut page);
    page
}

/// What a policy of one's own may be written in.
fn language(page: &mut String) {
    let names = ALLOWED.iter().filter(|it| !it.starts_with("__"));
    let names: Vec<String> = names.map(|it| format!("`{it}`")).collect();
    let weighed: Vec<String> = WEIGHED.iter().map(|it| format!("`{it}`")).collect();
    let _ = write!(
        page,
        "\n## The Rego of a policy\n\n\
         A policy may call these builtins, and its own rules. They are those whose time and answer \
         grow with their arguments and no faster; another one, or a rule that calls itself, is \
         refused when the policy is loaded (`quell policy lint` says where).\n\n{}\n\n\
         - Rules may call each other {POLICY_CALLS_DEEP_MAX} deep. A reference to `data` names one \
         rule.\n\
         - {} fail, and the judgment with them, when their arguments are more than \
         {POLICY_VALUE_MAX_BYTES} bytes of text. So is the answer of a policy limited.\n\
         - The format of `sprintf` stands in the call as a string; a width has at most \
         {FORMAT_WIDTH_MAX_DIGITS} digits.\n\
         - A rule or function with several definitions is refused unless all have the same written \
         value: which one counts is said with `else`. So is a call with the wrong number of \
         arguments, or with more than {ARGUMENTS_MAX}.\n\
         - A body fails where a value that it binds is undefined, and so does a body whose rule's \
         value is: the next `else` is tried. A comprehension within a loop begins with a \
         `some … in` of its own.\n\
         - Instead of `replace`: `concat(new, split(text, old))`. Instead of `numbers.range`: a \
         parameter with the numbers. Instead of `walk`: the properties by name.\n",
        names.join(", "),
        weighed.join(", "),
    );
}

fn section(library: &Library, policy: &Policy, cases: &str, page: &mut String) {
    let meta = policy.meta();
    let _ = writeln!(page, "\n## {}\n\n**{}**", policy.id(), meta.title);
    let _ = writeln!(page, "\n{}\n\n| | |\n|---|---|", meta.description.trim());
    let mut row = |name: &str, value: &str| {
        let _ = writeln!(page, "| {name} | {} |", super::cell(value));
    };
    row("severity", &word(&meta.severity));
    row("looked at after", &code(&policy.trigger_event_names()));
    for (kind, _) in meta.resources() {
        row("resource", &format!("`{kind}`"));
        match library.action_of(policy, kind).map(|it| it.meta()) {
            Some(action) => {
                row("fix", &format!("`{}`: {}", action.name, action.title));
                row("undo", &word(&action.reversibility));
            }
            None => row("fix", "none: people are told"),
        }
    }
    row("highest mode", &format!("`{}`", word(&meta.highest_mode)));
    for (name, value) in &meta.params {
        row(&format!("parameter `{name}`"), &format!("`{value}`"));
    }
    for (framework, controls) in &meta.controls {
        row(framework, &controls.join(", "));
    }
    if !meta.mitre.is_empty() {
        row("ATT&CK", &meta.mitre.join(", "));
    }
    row("cases", cases);
}

fn code(names: &[String]) -> String {
    names.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", ")
}
