//! A bundle that would run for ever, grow for ever or reach out is refused or stopped: an error.

use crate::bundles::{judge, load, module};
use quell_core::policy::POLICY_FILE_MAX_BYTES;
use quell_core::policy::conftest::{
    BUNDLE_DATA_MAX_BYTES, BUNDLE_MODULES_MAX, BUNDLE_RULE_TIME_MAX_MS,
};
use quell_core::policy::conftest::{Bundle, Document, Namespaces};
use serde_json::json;

#[test]
fn what_could_escape_the_limits_is_refused_when_it_is_loaded() {
    for (rules, expected) in [
        ("deny contains http.send({\"url\": \"http://x\"}).body", "http.send"),
        ("deny contains sprintf(\"%d\", [time.now_ns()])", "time.now_ns"),
        ("deny contains opa.runtime().env.HOME", "opa.runtime"),
        ("f(x) := f(x)\ndeny contains f(1)", "may not call itself"),
        ("f(x) := g(x)\ng(x) := data.main.f(x)\ndeny contains f(1)", "may not call itself"),
        ("deny contains bits.lsh(1, 100000000)", "bits.lsh"),
        ("deny contains nothing_like_this(1)", "nothing_like_this"),
    ] {
        let error = load(&format!("package main\n{rules}")).unwrap_err().to_string();
        assert!(error.contains("main.deny") || error.contains("policy.rego"), "{error}");
        assert!(error.contains(expected), "{rules}: {error}");
    }
}

#[test]
fn tests_may_stand_beside_the_rules() {
    let tests =
        "deny contains \"x\" if input.a\ntest_it if { count(deny) == 1 with input as {\"a\": 1} }";
    assert_eq!(judge(tests, json!({ "a": 1 })).messages.len(), 1);
}

#[test]
fn what_does_not_end_or_grows_is_stopped() {
    let many: Vec<u32> = (0..3_000).collect();
    for rules in [
        "deny contains \"x\" if { some i in input.many; some j in input.many; i * j == -1 }",
        "deny contains sprintf(input.format, [1])",
        "deny contains sprintf(\"%v\", [{\"a\": input.long, \"b\": input.long}])",
        "deny contains \"x\" if data.main[input.a]",
        "deny contains \"x\" if helper\nhelper if deny",
        "deny contains \"x\" if count(numbers.range(0, 1000000000)) > 1",
        "deny contains replace(input.long, \"a\", input.long)",
        "deny contains regex.replace(input.long, \"a\", input.long)",
        "deny contains {\"msg\": \"x\", \"long\": [input.long, input.long]}",
        "deny contains json.marshal([input.long, input.long])",
    ] {
        let text = format!("package main\nimport rego.v1\n{rules}");
        let bundle = Bundle::load(&[module(&text)], &[], Namespaces::All, 1_000).unwrap();
        let judgment = bundle.judge(
            "plan.json",
            &json!({
                "many": many,
                "long": "a".repeat(600_000),
                "format": "%100000000d",
                "a": "deny",
            }),
        );
        assert_eq!((judgment.errors.len(), judgment.messages.len()), (1, 0), "{rules}");
    }
}

#[test]
fn a_variable_without_a_value_is_an_error() {
    for rules in ["deny contains msg", "deny contains msg if not f(msg.a)\nf(x) := x"] {
        let judged = load(&format!("package main\n{rules}"));
        let problems = judged.map(|it| it.judge("plan.json", &json!({})).errors.len());
        assert!(problems.as_ref().is_ok_and(|it| *it == 1) || problems.is_err(), "{rules}");
    }
}

#[test]
fn what_fails_within_a_builtin_is_undefined_as_in_opa() {
    let rules = "deny contains \"never\" if startswith(input.name, \"a\")
        warn contains \"told\" if not to_number(input.version)
        warn contains replace(input.name, \"a\", \"b\")";
    let judgment = judge(rules, json!({ "name": null, "version": "1.2.3" }));
    assert_eq!((judgment.errors.len(), judgment.messages.len()), (0, 1), "{judgment:?}");
}

#[test]
fn one_failing_rule_leaves_the_others() {
    let rules =
        "region := 1 if input.a\nregion := 2 if input.a\ndeny contains \"never\" if region == 3
        warn contains \"told\"";
    let judgment = judge(rules, json!({ "a": 1 }));
    assert_eq!(judgment.errors[0].policy, "main.deny");
    assert_eq!(judgment.messages[0].text, "told");
}

#[test]
fn too_large_is_an_error_that_names_the_limit() {
    let load = |modules: &[_], documents: &[_]| {
        let bundle = Bundle::load(modules, documents, Namespaces::All, BUNDLE_RULE_TIME_MAX_MS);
        bundle.unwrap_err().to_string()
    };
    let long = format!("package main\n#{}", "x".repeat(POLICY_FILE_MAX_BYTES));
    assert!(load(&[module(&long)], &[]).contains("the limit is 262144 bytes"));
    let many = vec![module("package main"); BUNDLE_MODULES_MAX + 1];
    assert!(load(&many, &[]).contains("the limit is 1000 modules"));
    let text = " ".repeat(BUNDLE_DATA_MAX_BYTES + 1);
    let document = Document { file: "data.yaml", text: &text, at: &[] };
    assert!(load(&[], &[document]).contains("data.yaml: 16777217 bytes"));
}
