//! What is loaded, in which language, and what becomes of what a rule holds.

use quell_core::policy::conftest::{
    BUNDLE_RULE_TIME_MAX_MS, Bundle, BundleError, Document, Judgment, Level, Module, NAMESPACE,
    Namespaces,
};
use serde_json::{Value, json};

pub fn module(text: &str) -> Module<'_> {
    Module { file: "policy.rego", text }
}

pub fn load(text: &str) -> Result<Bundle, BundleError> {
    Bundle::load(&[module(text)], &[], Namespaces::All, BUNDLE_RULE_TIME_MAX_MS)
}

pub fn judge(rules: &str, input: Value) -> Judgment {
    load(&format!("package main\n{rules}")).unwrap().judge("plans/plan.json", &input)
}

fn texts(judgment: &Judgment) -> Vec<&str> {
    judgment.messages.iter().map(|it| it.text.as_str()).collect()
}

#[test]
fn a_rule_is_known_by_its_name() {
    let rules = r#"
        deny contains "a"
        violation_x contains {"msg": "b", "n": 1}
        warn contains "c"
        warn_a_2 contains "d"
        denying contains "no"
        deny_ contains "no"
        _deny contains "no"
        deny_f(x) := x
        helper contains "no"
    "#;
    let judgment = judge(rules, json!({}));
    assert_eq!(texts(&judgment), ["a", "b", "c", "d"]);
    let levels: Vec<Level> = judgment.messages.iter().map(|it| it.level).collect();
    assert_eq!(levels, [Level::Failure, Level::Failure, Level::Warning, Level::Warning]);
    assert_eq!(judgment.messages[1].details["n"], json!(1));
    assert_eq!(judgment.errors, []);
}

#[test]
fn what_conftest_passes_over_is_an_error() {
    for (rules, expected) in [
        ("deny if input.a", "`deny` must be a set of messages"),
        ("deny := true", "`deny` must be a set of messages"),
        ("deny := {\"msg\": \"x\"}", "`deny` must be a set of messages"),
        ("deny contains 1", "`deny` holds a number, which is no message"),
        ("deny contains {\"message\": \"x\"}", "an object without a text `msg`"),
        ("deny contains {\"msg\": 1}", "an object without a text `msg`"),
        ("deny contains \"x\"\nexception := 3", "`exception` is no collection"),
        ("deny contains [input.a]", "`deny` holds a list, which"),
    ] {
        let judgment = judge(rules, json!({ "a": 1 }));
        assert_eq!(judgment.errors.len(), 1, "{rules}: {judgment:?}");
        assert!(judgment.errors[0].problem.contains(expected), "{rules}: {judgment:?}");
    }
    for rules in ["default deny := false", "deny contains \"x\" if input.b", "deny := []"] {
        assert_eq!(judge(rules, json!({ "a": 1 })), Judgment::default(), "{rules}");
    }
}

#[test]
fn an_exception_excuses_by_the_rest_of_the_name() {
    let rules = "deny contains \"a\"\ndeny_iam contains \"b\"\nwarn_iam contains \"c\"
        violation_s3 contains {\"msg\": \"d\"}
        exception contains input.rules if input.rules";
    let judged = |names: Value| {
        let judgment = judge(rules, json!({ "rules": names }));
        let excepted =
            judgment.excepted.iter().map(|it| it.1.clone()).collect::<Vec<_>>().join(" ");
        (texts(&judgment).concat(), excepted)
    };
    assert_eq!(judged(json!(null)), ("abdc".to_owned(), String::new()));
    assert_eq!(judged(json!(["iam"])), ("ad".to_owned(), "deny_iam warn_iam".to_owned()));
    assert_eq!(judged(json!([""])), ("bdc".to_owned(), "deny".to_owned()));
    assert_eq!(judged(json!(["deny", "s4"])), ("abdc".to_owned(), String::new()));
}

#[test]
fn both_versions_of_rego_are_read() {
    let v0 = "deny[msg] { x := input.list[_]; x > 1; msg := sprintf(\"%v\", [x]) }";
    assert_eq!(texts(&judge(v0, json!({ "list": [1, 2, 3] }))), ["2", "3"]);
    let mixed = [
        module("package main\ndeny[msg] { msg := data.lib.text }"),
        module("package lib\nimport rego.v1\ntext := \"x\" if input.a"),
    ];
    let bundle = Bundle::load(&mixed, &[], Namespaces::All, BUNDLE_RULE_TIME_MAX_MS).unwrap();
    assert_eq!(texts(&bundle.judge("x", &json!({ "a": true }))), ["x"]);
    let error = load("package main\ndeny[msg] { msg = \"x\" ").unwrap_err().to_string();
    for part in ["policy.rego: as Rego v1: ", "as Rego v0: policy.rego: ", "2"] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn namespaces_are_all_or_those_that_are_named() {
    let modules = [
        module("package main\ndeny contains \"a\""),
        module("package team.s3\nwarn contains \"b\""),
        module("package lib\nhelp := 1"),
    ];
    let load = |namespaces| Bundle::load(&modules, &[], namespaces, BUNDLE_RULE_TIME_MAX_MS);
    let all = load(Namespaces::All).unwrap();
    assert_eq!(all.rules().collect::<Vec<_>>(), [("main", "deny"), ("team.s3", "warn")]);
    let main = load(Namespaces::These(&[NAMESPACE])).unwrap();
    assert_eq!(main.rules().collect::<Vec<_>>(), [("main", "deny")]);
    for missing in ["lib", "nowhere"] {
        let these = ["main", missing];
        let bundle =
            Bundle::load(&modules, &[], Namespaces::These(&these), BUNDLE_RULE_TIME_MAX_MS);
        let error = bundle.unwrap_err().to_string();
        assert!(error.contains(&format!("package `{missing}`: no module has")), "{error}");
    }
}

#[test]
fn data_is_merged_and_stands_where_its_folder_says() {
    let modules = [module(
        "package main\nimport data.team.limits
        deny contains sprintf(\"%v %v %v %v\", [limits.max, data.who, file.name, file.dir]) if {
            file := data.conftest.file
        }",
    )];
    let yaml = Document { file: "team/data.yaml", text: "limits: { max: 3 }", at: &["team"] };
    let json = Document { file: "data.json", text: "{\"who\": \"us\"}", at: &[] };
    let load = |documents: &[Document<'_>]| {
        Bundle::load(&modules, documents, Namespaces::All, BUNDLE_RULE_TIME_MAX_MS)
    };
    let judgment = load(&[yaml, json]).unwrap().judge("plans/plan.json", &json!({}));
    assert_eq!(texts(&judgment), ["3 us plan.json plans"]);
    for (text, expected) in [
        ("limits: { max: 4 }", "other.yaml: `data.team.limits.max` has two values"),
        ("[1]", "other.yaml: a data document must be an object"),
        ("{\"a\": ", "other.yaml: EOF while parsing"),
        ("a: [", "other.yaml: "),
    ] {
        let other = Document { file: "other.yaml", text, at: &["team"] };
        let error = load(&[yaml, other]).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    assert!(load(&[yaml, yaml]).is_ok(), "the same twice is no contradiction");
}

#[test]
fn what_is_negated_is_looked_up_first_as_in_opa() {
    let functions = "f(x) if x == 1\ng := {\"k\": 1}\n";
    for (expr, expected) in [
        ("input.a == 1", true),
        ("input.a > 1", false),
        ("input.a != 1", false),
        ("input.a in [1]", false),
        ("1 in input.a", false),
        ("lower(input.a) == \"x\"", false),
        ("lower(\"x\") == input.a", true),
        ("count(input.a) > 1", false),
        ("input.a + 1 == 2", false),
        ("input.a", true),
        ("f(input.a)", false),
        ("f(2)", true),
        ("input.a.b[0]", true),
        ("input.l[count(input.a)]", false),
        ("g[input.a]", false),
        ("regex.match(\"x\", input.a)", false),
        ("is_string(input.a)", false),
        ("startswith(input.n, \"x\")", true),
        ("p.a == 1", true),
        ("p.a > 1", false),
        ("f(p.a)", false),
    ] {
        for body in [format!("{{ some p in [{{}}]; not {expr} }}"), format!("not {expr}")] {
            if body.starts_with("not") && expr.contains("p.") {
                continue;
            }
            let rules = format!("{functions}deny contains \"x\" if {body}\nwarn contains \"y\"");
            let judgment = judge(&rules, json!({ "l": [1, 2], "n": "abc" }));
            let told = texts(&judgment).contains(&"x");
            assert_eq!((told, &judgment.errors[..]), (expected, &[][..]), "{body}");
        }
    }
}
