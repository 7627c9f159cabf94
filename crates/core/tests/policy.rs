//! Policies that are faulty, hostile or endless: each is an error, never a pass.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use jiff::Timestamp;
use quell_core::detect::detect;
use quell_core::policy::{Policy, PolicyLimits, PolicyLoadError};
use quell_core::resource::{ResourceRef, State};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const YAML: &str = r#"
id: aws.test.sample
title: A sample
description: For tests.
severity: high
resource: AWS::S3::Bucket
reads: [Public]
trigger: { source: [aws.s3] }
params: { limit: 3, names: [] }
"#;

fn policy(deny: &str) -> Result<Policy, PolicyLoadError> {
    let rego = format!("package quell.aws.test.sample\n\n{deny}\n");
    Policy::compile(YAML, &rego, &BTreeMap::new(), PolicyLimits::default())
}

fn state(properties: Value, unknown: &[&str]) -> State {
    State {
        resource: ResourceRef {
            kind: "AWS::S3::Bucket".into(),
            id: "b".into(),
            account: "111122223333".into(),
            region: "eu-central-1".into(),
        },
        tags: BTreeMap::new(),
        properties,
        facts: Value::Null,
        unknown: unknown.iter().map(|it| (*it).to_owned()).collect::<BTreeSet<_>>(),
        observed: Timestamp::UNIX_EPOCH,
    }
}

const PUBLIC: &str = r#"deny contains {"element": "it", "reason": "is public"} if {
    input.resource.properties.Public
}"#;

#[test]
fn a_violation_is_found_and_a_pass_is_silent() {
    let policy = policy(PUBLIC).unwrap();
    let bad = detect(&[&policy], None, &state(json!({ "Public": true }), &[]));
    assert_eq!(bad.findings.len(), 1);
    let good = detect(&[&policy], None, &state(json!({ "Public": false }), &[]));
    assert!(good.findings.is_empty() && good.errors.is_empty() && good.indeterminate.is_empty());
}

#[test]
fn a_pass_over_what_is_unknown_is_indeterminate() {
    let policy = policy(PUBLIC).unwrap();
    let unseen = detect(&[&policy], None, &state(json!({}), &["Public"]));
    assert_eq!(unseen.indeterminate, [("aws.test.sample".to_owned(), vec!["Public".to_owned()])]);
}

#[test]
fn verdicts_are_deterministic_and_keys_are_stable() {
    let policy = policy(PUBLIC).unwrap();
    let state = state(json!({ "Public": true }), &[]);
    let (first, second) = (detect(&[&policy], None, &state), detect(&[&policy], None, &state));
    assert_eq!(first.findings, second.findings);
}

#[test]
fn an_endless_policy_is_stopped() {
    let policy = policy(
        r#"deny contains {"element": "x", "reason": "y"} if {
            some i in input.resource.properties.Many
            some j in input.resource.properties.Many
            i * j == -1
        }"#,
    )
    .unwrap();
    let many: Vec<u32> = (0..3000).collect();
    let detection = detect(&[&policy], None, &state(json!({ "Many": many }), &[]));
    assert!(detection.findings.is_empty());
    let [error] = detection.errors.as_slice() else { panic!("one error") };
    assert!(error.to_string().contains("limit"), "{error}");
}

#[test]
fn recursion_is_refused_when_the_policy_is_loaded() {
    let chain = |length: usize| {
        let rules = (1..length).map(|it| format!("r{it} if {{ r{} }}\n", it + 1));
        format!("deny contains 1 if {{ r1 }}\n{}r{length} := 1", rules.collect::<String>())
    };
    let cases = [
        ("deny contains 1 if { g(1) }\ng(x) if { g(x + 1) }", "`g` calls `g`"),
        ("deny contains 1 if { a(1) }\na(x) if { b(x) }\nb(x) if { a(x) }", "`a` calls `b` calls"),
        ("deny contains 1 if { count(deny) == 0 }", "`deny` calls `deny`"),
        ("deny contains 1 if { x := [y | y := g(1)] }\ng(x) if { every z in [x] { g(z) } }", "`g`"),
        ("deny contains 1 if { g([1]) }\ng([x]) if { true }\ng([y]) if { g([[y]]) }", "`g`"),
        ("deny contains 1 if { data.quell.aws.test[input.x] }", "call chain"),
        (&chain(64), "more than 64 calls"),
    ];
    for (deny, why) in cases {
        let Err(error) = policy(deny) else { panic!("loaded: {deny}") };
        assert!(error.to_string().contains(why), "{deny}: {error}");
    }
    policy(&chain(63)).unwrap();
    policy("deny contains 1 if { g(1) }\ng(x) := h(x) + h(x)\nh(x) := x").unwrap();
}

#[test]
fn a_builtin_without_bounds_is_refused_when_the_policy_is_loaded() {
    for (call, why) in [
        ("bits.lsh(1, 4000000000)", "`bits.lsh`"),
        ("numbers.range(1, 100000000)", "`numbers.range`"),
        ("numbers.range_step(1, 100000000, 2)", "`numbers.range_step`"),
        ("product([1, 2])", "`product`"),
        ("replace(input.a, \"a\", input.a)", "`replace`"),
        ("net.cidr_expand(\"::/0\")", "`net.cidr_expand`"),
        ("sprintf(\"%01000000000d\", [1])", "width"),
        ("sprintf(\"%d%%%5.123f\", [1, 2])", "width"),
        ("sprintf(\"%\u{663}d\", [1])", "width"),
        ("sprintf(input.format, [1])", "written in its call"),
        ("sprintf(concat(\"\", [\"%\", \"999999999d\"]), [1])", "written in its call"),
    ] {
        let Err(error) = policy(&format!("deny contains x if {{ x := {call} }}")) else {
            panic!("loaded: {call}")
        };
        assert!(error.to_string().contains(why), "{call}: {error}");
    }
}

#[test]
fn what_multiplies_by_repetition_is_stopped() {
    let doubled = |start: &str, step: &str| {
        let steps = (1..40)
            .map(|it| format!("    a{it} := {}\n", step.replace('@', &format!("a{}", it - 1))));
        format!(
            "deny contains {{\"element\": \"x\", \"reason\": \"y\"}} if {{\n    \
             a0 := {start}\n{}    a39 == 1\n}}",
            steps.collect::<String>()
        )
    };
    for (start, step) in [
        ("\"aaaaaaaa\"", "concat(\"\", [@, @])"),
        ("\"aaaaaaaa\"", "sprintf(\"%s%v\", [@, @])"),
        ("[1, 2, 3, 4]", "array.concat(@, @)"),
        ("1234567890", "@ * @"),
        ("[1]", "[count(sprintf(\"%v\", [@])), @, @]"),
    ] {
        let policy = policy(&doubled(start, step)).unwrap();
        let detection = detect(&[&policy], None, &state(json!({}), &[]));
        let [error] = detection.errors.as_slice() else { panic!("no error: {step}") };
        assert!(error.to_string().contains("limit"), "{step}: {error}");
    }
    let many: Vec<u32> = (0..20_000).collect();
    let policy = policy(
        r#"deny contains {"element": text, "reason": "y"} if {
            properties := input.resource.properties
            text := concat("", [name | name := properties.Name; some _ in properties.Many])
        }"#,
    )
    .unwrap();
    let state = state(json!({ "Many": many, "Name": "n".repeat(100_000) }), &[]);
    assert_eq!(detect(&[&policy], None, &state).errors.len(), 1);
}

#[test]
fn what_is_no_violation_is_an_error() {
    for deny in [
        r#"deny contains "text" if { true }"#,
        r#"deny contains {"element": "x"} if { true }"#,
        r#"deny contains {"element": "x", "reason": "y", "weight": "low"} if { true }"#,
    ] {
        let detection = detect(&[&policy(deny).unwrap()], None, &state(json!({}), &[]));
        assert_eq!((detection.findings.len(), detection.errors.len()), (0, 1), "{deny}");
    }
    // A deny that is no set can't be told from a pass by its emptiness.
    let detection = detect(&[&policy("deny := false").unwrap()], None, &state(json!({}), &[]));
    assert_eq!(detection.errors.len(), 1);
}

#[test]
fn a_faulty_folder_says_where() {
    let load = |yaml: &str, rego: &str| {
        let loaded = Policy::compile(yaml, rego, &BTreeMap::new(), PolicyLimits::default());
        loaded.unwrap_err().to_string()
    };
    let rego = format!("package quell.aws.test.sample\n{PUBLIC}");
    let unknown = load(&YAML.replace("title", "heading"), &rego);
    assert!(unknown.contains("heading") && unknown.contains("line"), "{unknown}");
    assert!(load(&YAML.replace("[aws.s3]", "aws.s3"), &rego).contains("trigger"));
    assert!(load(YAML, "package quell.other\ndeny contains 1 if { true }").contains("demands"));
    assert!(load(YAML, "package quell.aws.test.sample\ndeny contains").contains("policy.rego"));
    assert!(load(YAML, &" ".repeat(300_000)).contains("limit"));
    let network = r#"package quell.aws.test.sample
deny contains {"element": "x", "reason": "y"} if { http.send({"method": "get", "url": "x"}) }"#;
    assert!(load(YAML, network).contains("policy.rego"), "no network builtin is compiled in");
}

#[test]
fn parameters_are_checked() {
    let rego = format!("package quell.aws.test.sample\n{PUBLIC}");
    let with = |name: &str, value: Value| {
        let params = BTreeMap::from([(name.to_owned(), value)]);
        Policy::compile(YAML, &rego, &params, PolicyLimits::default())
    };
    assert_eq!(with("limit", json!(4)).unwrap().params(), json!({ "limit": 4, "names": [] }));
    assert!(with("limits", json!(4)).unwrap_err().to_string().contains("limits"));
    for wrong in [json!("4"), json!([4]), json!(null), json!({ "limit": 4 })] {
        assert!(with("limit", wrong.clone()).is_err(), "{wrong}");
    }
    with("names", json!(["quell", "other"])).unwrap();
    with("names", json!([])).unwrap();
    for wrong in [json!([5]), json!(["quell", null]), json!([["quell"]])] {
        assert!(with("names", wrong.clone()).is_err(), "{wrong}");
    }
}

#[test]
fn definitions_that_may_disagree_are_refused_when_the_policy_is_loaded() {
    let deny = r#"deny contains {"element": "x", "reason": "y"} if "#;
    for (rules, name) in [
        (
            "verdict == \"open\"\nverdict := \"open\" if input.a\nverdict := \"shut\" if input.b",
            "`verdict`",
        ),
        ("f(1) == 1\nf(x) := 1 if x > 0\nf(x) := 2 if x < 9", "`f`"),
        ("v == 1\nv := input.a\nv := input.b", "`v`"),
        ("v.x == 1\nv[k] := 1 if some k in input.a\nv[k] := 2 if some k in input.b", "`v`"),
    ] {
        let Err(error) = policy(&format!("{deny}{rules}")) else { panic!("loaded: {rules}") };
        let error = error.to_string();
        assert!(error.contains(name) && error.contains("`else`"), "{rules}: {error}");
    }
    for rules in [
        "v == 1\nv := 1 if input.resource\nv := 1 if input.b",
        "v\nv if input.b\nv if input.resource",
        "f(1) == 1\nf(x) := 1 if { x > 0 } else := 2 if { x < 9 }",
        "v == 2\ndefault v := 1\nv := 2 if input.resource",
        "count(v) == 2\nv contains 1\nv contains 2",
    ] {
        assert_eq!(findings(&format!("{deny}{rules}"), json!({})), 1, "{rules}");
    }
}

#[test]
fn a_call_with_the_wrong_number_of_arguments_is_refused_when_the_policy_is_loaded() {
    let nine = "a, b, c, d, e, f, g, h, i";
    for (calls, why) in [
        ("startswith(input.resource.id)", "`startswith` takes 2 arguments, but is called with 1"),
        ("count([1], 2, 3)", "`count` takes 1 arguments, but is called with 3"),
        ("f(input.resource.id)\n}\nf(x, y) if {\nx != y", "`f` takes 2 arguments"),
        ("f(1, 2, 3, 4)\n}\nf(x, y) if {\nx != y", "`f` takes 2 arguments"),
        (&format!("f(1, 2, 3, 4, 5, 6, 7, 8, 9)\n}}\nf({nine}) if {{\ni == 9"), "limit is 8"),
    ] {
        let Err(error) = policy(&format!("deny contains 1 if {{\n{calls}\n}}")) else {
            panic!("loaded: {calls}")
        };
        assert!(error.to_string().contains(why), "{calls}: {error}");
    }
}

/// How many violations a policy finds.
fn findings(deny: &str, properties: Value) -> usize {
    let policy = policy(deny).unwrap_or_else(|it| panic!("{deny}: {it}"));
    let detection = detect(&[&policy], None, &state(properties, &[]));
    assert!(detection.errors.is_empty(), "{deny}: {:?}", detection.errors);
    detection.findings.len()
}

#[test]
fn what_is_undefined_fails_the_body_that_binds_it() {
    let deny = r#"deny contains {"element": "x", "reason": "y"} if "#;
    for rules in [
        r#"not fine
           fine if { s := input.resource.properties.NoSuch; not s == "bad" }"#,
        r#"not fine
           fine if { [s, _] := [input.resource.properties.NoSuch, 1]; not s == "bad" }"#,
        r#"not fine
           fine if { s := f(input.resource.properties.NoSuch); not s }
           f(x) := x"#,
        r#"not fine
           fine if { every it in input.resource.properties.Many { n := it.No; not n == 1 } }"#,
        r#"verdict == "open"
           verdict := input.resource.properties.NoSuch if { input.resource } else := "open""#,
        r#"verdict == "open"
           verdict := it if { it := input.resource.properties.NoSuch } else := "open""#,
        r#"f({}) == "open"
           f(x) := y if { y := x.No } else := "open""#,
        r#"names == {"a", "c"}
           names contains n if { some it in input.resource.properties.Many; n := it.Name }"#,
        r#"[n | some it in input.resource.properties.Many; n := it.Name] == ["a", "c"]"#,
        r#"count([n | n := input.resource.properties.NoSuch]) == 0"#,
        r#"first == "a"
           first := it.Name if { some it in input.resource.properties.Some }"#,
        r#"not same(input.resource.id, "other")
           same(it) := it"#,
        r#"same(input.resource.id, "b")
           same(it) := it"#,
        r#"no == false
           no := n if { n := input.resource.properties.No }"#,
        r#"every it in input.resource.properties.Many { count(it) < 2 }"#,
    ] {
        let properties = json!({
            "Many": [{ "Name": "a" }, {}, { "Name": "c" }], "Some": [{ "Name": "a" }, {}],
            "No": false,
        });
        let (asked, rules) = rules.split_once('\n').unwrap_or((rules, ""));
        let found = findings(&format!("{deny}{{ {asked} }}\n{rules}"), properties);
        assert_eq!(found, 1, "{asked}\n{rules}");
    }
}

/// The machine would go on with the next `it`, and find nothing.
#[test]
fn a_comprehension_that_leaves_the_loop_around_it_is_refused_when_the_policy_is_loaded() {
    let deny = |comprehension: &str| {
        policy(&format!(
            r#"deny contains {{"element": "x", "reason": "y"}} if {{
                some it in input.resource.properties.Many
                count({comprehension}) == 0
            }}
            f(it) := [n | n := it.Name]"#
        ))
    };
    for comprehension in ["[1 | it.Public]", "{n | n := it.Name}", "{1: n | n = it.Name}"] {
        let Err(error) = deny(comprehension) else { panic!("loaded: {comprehension}") };
        assert!(error.to_string().contains("`deny`: a comprehension"), "{error}");
    }
    for comprehension in ["[n | some n in it.Names; n != 1]", "f(it)", "[n | n := it.Names[_]]"] {
        let policy = deny(comprehension).unwrap();
        let state = state(json!({ "Many": [{ "Names": [1, 1] }, {}] }), &[]);
        let found = detect(&[&policy], None, &state);
        assert!(found.errors.is_empty() && found.findings.len() == 1, "{comprehension}: {found:?}");
    }
}
