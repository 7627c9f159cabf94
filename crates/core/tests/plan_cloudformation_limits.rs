//! Bad templates end in an error with a position, hostile ones quickly, and none in a panic.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeMap;
use std::fmt::Write;

use proptest::prelude::*;
use quell_core::plan::cloudformation::{
    EVALUATION_LEVELS_MAX, NESTING_LEVELS_MAX, Options, RESOURCES_MAX, TEMPLATE_BYTES_MAX,
    is_template, read,
};
use serde_json::{Map, Value, json};

fn error(text: &str) -> String {
    match read("t.yaml", text, &Options::default()) {
        Ok(plan) => panic!("no error: {} declared\n{text}", plan.declared.len()),
        Err(error) => error.to_string(),
    }
}

#[test]
fn bad_templates_have_a_positioned_error() {
    for (text, wanted) in [
        ("", "t.yaml:1:1: the file is empty"),
        ("a", "t.yaml:1:1: a template must be a mapping"),
        ("{}", "t.yaml:1:1: the template has no `Resources`"),
        ("Description: x\nParameters: {}\n", "t.yaml:1:1: the template has no `Resources`"),
        ("Resources:\n", "t.yaml:1:1: `Resources` must be a mapping"),
        ("Resources: []\n", "t.yaml:1:1: `Resources` must be a mapping"),
        ("Resources:\n  A: x\n", "t.yaml:2:3: resource `A` must be a mapping"),
        ("Resources:\n  A: {}\n", "t.yaml:2:3: resource `A` has no `Type`"),
        ("Resources:\n  A: { Type: [x] }\n", "t.yaml:2:8: `Type` of `A` must be a text"),
        (
            "Resources:\n  A: { Type: X::Y, Properties: [] }\n",
            "t.yaml:2:20: `Properties` of `A` must be a mapping",
        ),
        ("Resources:\n  A: 1\n  A: 2\n", "t.yaml:3:3: the key `A` stands twice in this mapping"),
        (
            "{\"Resources\":\n {\"A\": 1, \"A\": 2}}",
            "t.yaml:2:11: the key `A` stands twice in this mapping",
        ),
        ("Resources: {}\nParameters: []\n", "t.yaml:2:13: `Parameters` must be a mapping"),
        ("Resources: {}\nParameters: { A: x }\n", "t.yaml:2:15: parameter `A` must be a mapping"),
        ("Resources: {}\nMappings: []\n", "t.yaml:2:11: `Mappings` must be a mapping"),
        ("Resources: {}\nConditions: []\n", "t.yaml:2:13: `Conditions` must be a mapping"),
        (
            "Resources: {}\n---\nb: 1\n",
            "t.yaml:2:1: a second YAML document begins here; a template is one",
        ),
        ("Resources: !!binary x\n", "t.yaml:1:12: CloudFormation does not know the tag `!!binary`"),
        ("? [a]\n: 1\n", "t.yaml:1:3: the key of a mapping must be text"),
        (
            "Resources: &a { A: *a }\n",
            "t.yaml:1:20: this alias stands for a value that contains it",
        ),
        ("Resources: { <<: 1 }\n", "t.yaml:1:18: only mappings can be merged with `<<`"),
        ("Resources: { <<: [1] }\n", "t.yaml:1:19: only mappings can be merged with `<<`"),
        (
            r#"Resources: { A: { Type: X::Y, Condition: A } }
Conditions:
  A: !Not [!Condition B]
  B: !And [!Condition A]
"#,
            "t.yaml:4:12: condition `A` depends on itself",
        ),
        (
            "Resources:\n  Fn::ForEach::A: [X, [a, a], { \"B${X}\": { Type: X::Y } }]\n",
            "t.yaml:2:33: the key `Ba` is made twice",
        ),
    ] {
        assert_eq!(error(text), wanted, "{text}");
    }
}

#[test]
fn syntax_errors_have_a_line_and_a_column() {
    for (text, wanted) in [
        ("Resources:\n  A: [1\n", "2:6: unclosed bracket '['"),
        ("Resources:\n  A: \"x\n", "2:6: unclosed quote"),
        ("Resources:\n\tA: 1\n", "2:2: tabs disallowed within this context (block indentation)"),
        ("Resources:\n  A: *b\n", "2:6: while parsing node, found unknown anchor"),
        ("Resources:\n  A: @x\n", "2:6: unexpected character: `@'"),
        ("{\"Resources\": {\"A\": {\"Type\": \"X::Y\"}\n", "1:15: unclosed bracket '{'"),
        (
            "Resources:\n  A: 1\n B: 2\n",
            "3:2: while parsing a block mapping, did not find expected key",
        ),
    ] {
        assert_eq!(error(text), format!("t.yaml:{wanted}"), "{text}");
    }
}

fn with_properties(properties: &str) -> String {
    format!("Resources: {{ A: {{ Type: X::Y, Properties: {{ V: {properties} }} }} }}\n")
}

#[test]
fn a_yaml_bomb_ends_at_the_alias_that_exceeds_the_limit() {
    let mut text = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
        writeln!(text, "a{level}: &a{level} [{aliases}]").unwrap();
    }
    let error = error(&text);
    assert!(error.starts_with("t.yaml:6:"), "{error}");
    assert!(error.ends_with("bytes here with its aliases expanded"), "{error}");
    let long = "x".repeat(1_000_000);
    let text = format!("a: &a {long}\nb: [{}]\n", vec!["*a"; 100_000].join(", "));
    assert!(self::error(&text).ends_with("with its aliases expanded"));
}

#[test]
fn nesting_is_limited() {
    let nested =
        |levels: usize| with_properties(&format!("{}{}", "[".repeat(levels), "]".repeat(levels)));
    assert!(read("t.yaml", &nested(NESTING_LEVELS_MAX - 5), &Options::default()).is_ok());
    for levels in [NESTING_LEVELS_MAX, 200_000] {
        let error = read("t.yaml", &nested(levels), &Options::default()).unwrap_err();
        assert_eq!(error.line, Some(1), "{error}");
        assert_eq!(error.problem, "the template is nested more than 100 levels");
    }
    let blocks: String = (0..200).map(|it| format!("{}a:\n", " ".repeat(it))).collect();
    assert!(read("t.yaml", &blocks, &Options::default()).is_err());
    let mut aliases = "a0: &a0 []\n".to_owned();
    for level in 1..200 {
        writeln!(aliases, "a{level}: &a{level} [*a{}]", level - 1).unwrap();
    }
    assert_eq!(error(&aliases), "t.yaml:100:12: the template is nested more than 100 levels");
}

#[test]
fn functions_may_be_nested_as_deep_as_a_template() {
    let half = NESTING_LEVELS_MAX / 2 - 4;
    let nested = format!("{}x{}", "{ Fn::Base64: ".repeat(2 * half), " }".repeat(2 * half));
    let error = read("t.yaml", &with_properties(&nested), &Options::default());
    assert!(error.is_ok() || error.unwrap_err().problem.contains("bytes"));
    let nested = format!("{}x{}", "!If [C, ".repeat(half), ", y]".repeat(half));
    let plan = read("t.yaml", &with_properties(&nested), &Options::default()).unwrap();
    assert_eq!(plan.declared[0].unknown.len(), 1);
}

#[test]
fn conditions_may_not_use_conditions_without_end() {
    let mut text = with_properties("!If [C0, a, b]");
    text.push_str("Conditions:\n");
    for it in 0..10_000 {
        writeln!(text, "  C{it}: !Not [!Condition C{}]", it + 1).unwrap();
    }
    let error = error(&text);
    assert!(error.ends_with(&format!("more than {EVALUATION_LEVELS_MAX} levels")), "{error}");
}

#[test]
fn a_large_template_is_refused_unread() {
    let text = format!("Resources: {{}}\n#{}", "x".repeat(TEMPLATE_BYTES_MAX));
    assert_eq!(error(&text), "t.yaml:1:1: a template has at most 2097152 bytes");
    assert!(!is_template(&text));
    assert!(is_template(&format!("AWSTemplateFormatVersion: 2010-09-09\n{text}")));
}

#[test]
fn resources_are_limited() {
    let resources = |count: usize| {
        let lines: String = (0..count).map(|it| format!("  R{it}: {{Type: X::Y}}\n")).collect();
        format!("Resources:\n{lines}")
    };
    let plan = read("t.yaml", &resources(RESOURCES_MAX), &Options::default()).unwrap();
    assert_eq!(plan.declared.len(), RESOURCES_MAX);
    assert_eq!(
        error(&resources(RESOURCES_MAX + 1)),
        "t.yaml:10002:3: a template has at most 10000 resources"
    );
}

#[test]
fn texts_do_not_grow_without_end() {
    let long = "x".repeat(100_000);
    let parameter = format!("Parameters: {{ P: {{ Type: String, Default: {long} }} }}\n");
    let many = vec!["${P}"; 10_000].concat();
    let refs = vec!["!Ref P"; 10_000].join(", ");
    let letters = vec!["a"; 2_000].join(", ");
    let nested =
        "{ \"Fn::ForEach::B\": [Y, [LETTERS], { \"${X}${Y}\": 1 }] }".replace("LETTERS", &letters);
    for value in [
        format!("!Sub \"{many}\""),
        format!("!Join [\"\", [{refs}]]"),
        format!("[{refs}]"),
        format!("{{ \"Fn::ForEach::A\": [X, [{letters}], {nested}] }}"),
        format!("!Sub [\"{}\", {{ A: !Ref P }}]", many.replace('P', "A")),
    ] {
        let error = error(&format!("{parameter}{}", with_properties(&value)));
        assert!(error.contains("evaluating this template makes more than"), "{error}");
    }
    let keys = "k".repeat(1000);
    let deep = (0..60).fold("x".to_owned(), |inner, _| format!("{{ {keys}: {inner} }}"));
    let wide = vec!["*d"; 50].join(", ");
    let text = format!("D: &d {deep}\n{}", with_properties(&format!("[{wide}]")));
    assert!(error(&text).ends_with("the paths of this template's properties are too long"));
}

#[test]
fn a_secret_is_in_no_error_note_or_debug_text() {
    let secret = "hunter2";
    let text = r#"Transform: My::Macro
Parameters: { P: { Type: String, NoEcho: true, Default: hunter2 },
  Q: { Type: String, NoEcho: true } }
Mappings: { M: { a: { b: c } } }
Conditions: { C: !Ref P, D: !Equals [!Ref P, x], E: !Condition "hunter" }
Resources:
  A:
    Type: X::Y
    Condition: C
    Properties:
      A: !FindInMap [M, !Ref P, b]
      B: !Select [!Ref Q, [a]]
      C: !Split ["", !Ref P]
      D: !Cidr [!Ref P, 1, 2]
      E: !Join [!Ref P, x]
      F: { Fn::Foo: !Ref P }
      G: !Length 
        Ref: P
      H: { Fn::ForEach::L: [X, [!Ref P], { "a${X}": 1, "b": 2 }] }
      I: { Fn::GetAtt: [!Ref AWS::NoValue] }
"#;
    let parameters = BTreeMap::from([("Q".to_owned(), secret.to_owned())]);
    let options = Options { parameters, ..Options::default() };
    let plan = read("t.yaml", text, &options).unwrap();
    assert!(8 < plan.notes.len(), "{:?}", plan.notes);
    assert!(!format!("{:?} {options:?}", plan.notes).contains(secret), "{:?}", plan.notes);
    assert!(format!("{options:?}").contains('Q'));
    let broken = format!("{text}  B: {{ Type: X::Y, Properties: x }}\n");
    let without_macro = text.replacen("Transform: My::Macro\n", "", 1);
    for text in [broken, without_macro] {
        let error = read("t.yaml", &text, &options).unwrap_err().to_string();
        assert!(!error.contains(secret), "{error}");
    }
}

/// Words from which templates are made, and what breaks them.
const WORDS: &str = r#"Resources:|Parameters:|Conditions:|Mappings:|Properties:|A:|B:|C:|
Default: x|Type: AWS::S3::Bucket|- |!Ref |!Sub |!GetAtt |!If |!Join |!Select |!Split |!Cidr |
!FindInMap |!Condition |!Equals |Fn::ForEach::L: |Fn::If:|Fn::Sub: |"${A}"|A.B|AWS::NoValue|
[|]|{|}|, |: |&a |*a|<<: |'|"|#|\n|\n  |\n    |\n      |---|\t|?|!!str |! |%|@|`|ä|0x1|1|
Transform: AWS::Serverless-2016-10-31|Type: AWS::Serverless::Function|Policies: |Events: |
FunctionUrlConfig: |Globals:|Function:|{{resolve:x}}"#;

fn words() -> impl Strategy<Value = String> {
    let words: Vec<String> = WORDS
        .replace("|\n", "|")
        .split('|')
        .map(|it| it.replace("\\n", "\n").replace("\\t", "\t"))
        .collect();
    prop::collection::vec(prop::sample::select(words), 0..60).prop_map(|it| it.concat())
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(|it| json!(it)),
        any::<f64>().prop_filter("finite", |it| it.is_finite()).prop_map(|it| json!(it)),
        any::<String>().prop_map(Value::String),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        let key = "[a-z~/é<\"\\\\ \n:]{0,6}";
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::btree_map(key, inner, 0..6)
                .prop_map(|it| Value::Object(it.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn arbitrary_text_never_panics(text in any::<String>()) {
        is_template(&text);
        let _ = read("t.yaml", &text, &Options::default());
    }

    #[test]
    fn words_of_templates_never_panic(text in words()) {
        is_template(&text);
        if let Ok(plan) = read("t.yaml", &text, &Options::default()) {
            for it in plan.declared {
                for pointer in &it.unknown {
                    prop_assert_eq!(it.properties.pointer(pointer), Some(&Value::Null));
                }
                for pointer in it.places.keys().chain(it.references.keys()) {
                    prop_assert!(it.properties.pointer(pointer).is_some(), "{}", pointer);
                }
            }
        }
    }

    #[test]
    fn json_is_read_as_json(value in any_json(), pretty in any::<bool>()) {
        let template = json!({"Resources": {"A": {"Type": "X::Y", "Properties": {"V": value}}}});
        let text = if pretty {
            serde_json::to_string_pretty(&template).unwrap()
        } else {
            template.to_string()
        };
        let plan = read("t.json", &text, &Options::default());
        let plan = plan.map_err(|it| TestCaseError::fail(format!("{it}\n{text}")))?;
        let wanted = serde_json::from_str::<Value>(&text).unwrap();
        let wanted = &wanted["Resources"]["A"]["Properties"];
        prop_assert_eq!(&plan.declared[0].properties, wanted, "{}", text);
    }
}
