//! Laws of the evaluation of Terraform source: it ends, it never panics, and what it knows without
//! a variable's value is so whatever the value is.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeSet;

use proptest::prelude::*;
use quell_core::plan::hcl::{Options, Sources, read};
use quell_core::plan::{Plan, PlanError};
use serde_json::Value;

fn evaluate(text: &str, variables: &[(&str, &str)]) -> Result<Plan, PlanError> {
    let mut sources = Sources::default();
    sources.insert("main.tf", text.to_owned()).unwrap();
    let variables = variables.iter().map(|it| (it.0.to_owned(), it.1.to_owned())).collect();
    read(&sources, &Options { variables, ..Options::default() })
}

/// Pieces of the language and of what is close to it.
const PIECES: &[&str] = &[
    "resource \"aws_s3_bucket\" \"b\" {\n",
    "}\n",
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    "\n",
    " = ",
    "count",
    "for_each",
    "each.value",
    "dynamic \"x\" {\n",
    "content {\n",
    "locals {\n",
    "module \"m\" {\n",
    "source = \"./\"\n",
    "a",
    "local.a",
    "var.a",
    "aws_s3_bucket.b",
    ".id",
    "[*]",
    ".*",
    "[0]",
    "...",
    "=>",
    "for a in ",
    " : ",
    " ? ",
    " if ",
    "\"",
    "${",
    "%{if ",
    "%{for a in ",
    "%{endif}",
    "%{endfor}",
    "~}",
    "<<-EOF\n",
    "EOF\n",
    "null",
    "true",
    "1",
    "-",
    "1e308",
    "\"x\"",
    "\\",
    "\\u12",
    "ä",
    "\u{10FFFD}0\u{10FFFD}",
    "merge(",
    "flatten(",
    "range(",
    "format(",
    "\"%s\"",
    "jsonencode(",
    "jsondecode(",
    "try(",
    "setproduct(",
    "cidrsubnet(",
    "substr(",
    ", ",
    "&&",
    "||",
    "!",
    "==",
    "<",
    "*",
    "/",
    "%",
    "#",
    "//",
    "/*",
    "data \"aws_iam_policy_document\" \"d\" {\n",
    "statement {\n",
    "principals {\n",
    "variable \"a\" {\n",
    "default",
    "type",
    "list(string)",
    "object({",
    "optional(",
    "provider \"aws\" {\n",
    "region",
    "output \"o\" {\n",
    "value",
];

fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        20 => proptest::sample::select(PIECES).prop_map(str::to_owned),
        1 => ".{0,8}",
    ]
}

/// Expressions around one other, `@`. `try` and `can` stand around `var.x` only: as in Terraform,
/// they answer by what they are given, not by everything that was computed on the way.
const UNARY: &[&str] = &[
    "!(@)",
    "-(@)",
    "length(@)",
    "keys(@)",
    "values(@)",
    "flatten([@, [1]])",
    "distinct(@)",
    "compact(@)",
    "contains(toset([@, \"a\"]), \"a\")",
    "[for it in toset([@, 1]) : 1]",
    "jsonencode(@)",
    "tostring(@)",
    "[@][*]",
    "one([@])",
    "can((var.x).a)",
    "upper(@)",
    "\"p${@}\"",
    "\"%{if @}a%{else}a%{endif}\"",
    "[for it in @ : it]",
    "{for k, v in {k = @} : k => v}",
    "[for it in [1, 2] : it if @]",
    "{a = @}.a",
    "[@, 2][1]",
    "reverse([@, 1])",
    "tolist([@])",
    "sort(@)",
    "(@)[0]",
    "(@).a",
    "(@)[*].a",
    "nonsensitive(@)",
    "alltrue([@])",
    "{(@) = 1}",
    "setunion([@], [1])",
    "coalesce(@, \"z\")",
    "try(var.x, @)",
    "try((var.x).a, @)",
    "length([@, @])",
    "length(toset([@, 1]))",
];

/// Expressions around two others, `@` and `#`.
const BINARY: &[&str] = &[
    "(@) == (#)",
    "(@) != (#)",
    "(@) && (#)",
    "(@) || (#)",
    "(@) + (#)",
    "(@) < (#)",
    "[@, #]",
    "{a = @, b = #}",
    "merge({a = @}, {a = #})",
    "merge(@, #)",
    "concat([@], [#])",
    "contains([@, 1], #)",
    "coalesce(@, #)",
    "try((var.x)[0], [@, #])",
    "lookup({a = @}, \"a\", #)",
    "lookup({a = 1}, @, #)",
    "element([@, #], 1)",
    "join(\"-\", [@, #])",
    "format(\"%v%v\", @, #)",
    "zipmap([\"k\"], [@])",
    "(@) ? (#) : (#)",
    "true ? (@) : (#)",
    "\"${@}-${#}\"",
    "[for it in [@, #] : it == 1]",
    "slice([@, #], 1, 2)",
    "concat(@, #)",
    "{a = @}[#]",
    "[1, @][#]",
    "coalescelist([@], [#])",
    "setsubtract([@], [#])",
];

/// Expressions that have a value for many values of `var.x`.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        4 => Just("var.x".to_owned()),
        1 => Just("local.known".to_owned()),
        1 => Just("[]".to_owned()),
        1 => Just("{}".to_owned()),
        1 => Just("null".to_owned()),
        3 => proptest::sample::select(vec!["1", "0", "true", "false", "\"a\"", "\"\"", "\"b\""])
            .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let pair = (inner.clone(), inner.clone());
        let unary = proptest::sample::select(UNARY);
        let binary = proptest::sample::select(BINARY);
        prop_oneof![
            (unary, inner.clone()).prop_map(|(shape, a)| shape.replace('@', &a)),
            (binary, pair).prop_map(|(shape, (a, b))| {
                shape.replace('#', "\u{1}").replace('@', &a).replace('\u{1}', &b)
            }),
            (inner.clone(), inner.clone(), inner)
                .prop_map(|(a, b, c)| format!("({a}) ? ({b}) : ({c})")),
        ]
    })
}

/// The value and the unknown pointers of `v`; nothing where it could not be evaluated at all.
fn value_of(expression: &str, variables: &[(&str, &str)]) -> Option<(Value, BTreeSet<String>)> {
    let text = format!(
        "variable \"x\" {{
          type = list(any)
        }}
        locals {{
          x     = var.x[0]
          known = \"a\"
        }}
        resource \"r\" \"r\" {{
          v = {}
        }}",
        expression.replace("var.x", "local.x")
    );
    let plan = evaluate(&text, variables).ok()?;
    let declared = plan.declared.into_iter().next()?;
    Some((declared.properties.get("v").cloned().unwrap_or_default(), declared.unknown))
}

/// Whether everything that is known of the one is so in the other.
fn holds(known: &Value, pointer: &str, unknown: &BTreeSet<String>, real: &Value) -> bool {
    if unknown.contains(pointer) {
        return true;
    }
    match (known, real) {
        (Value::Array(one), Value::Array(two)) => {
            one.len() == two.len()
                && one
                    .iter()
                    .zip(two)
                    .enumerate()
                    .all(|(at, (one, two))| holds(one, &format!("{pointer}/{at}"), unknown, two))
        }
        (Value::Object(one), Value::Object(two)) => {
            one.len() == two.len()
                && one.iter().all(|(name, it)| {
                    two.get(name)
                        .is_some_and(|real| holds(it, &format!("{pointer}/{name}"), unknown, real))
                })
        }
        (one, two) => one == two,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_or_refused(pieces in proptest::collection::vec(piece(), 0..60)) {
        let text = pieces.concat();
        match evaluate(&text, &[]) {
            Ok(plan) => {
                for declared in plan.declared {
                    for pointer in &declared.unknown {
                        prop_assert_eq!(declared.properties.pointer(pointer), Some(&Value::Null));
                    }
                    for pointer in declared.references.keys() {
                        prop_assert!(declared.properties.pointer(pointer).is_some());
                    }
                }
            }
            Err(error) => {
                prop_assert!(!error.problem.is_empty());
            }
        }
    }

    #[test]
    fn an_expression_has_one_value(pieces in proptest::collection::vec(piece(), 0..20)) {
        let text = format!("resource \"r\" \"r\" {{\n  v = {}\n}}\n", pieces.concat());
        let one = evaluate(&text, &[]);
        let two = evaluate(&text, &[]);
        prop_assert_eq!(one, two);
    }

    #[test]
    fn what_is_known_without_a_value_is_so_with_every_value(
        expression in expression(),
        given in proptest::sample::select(vec![
            "[true]", "[false]", "[0]", "[1]", "[\"\"]", "[\"a\"]", "[\"b\"]", "[null]", "[[]]",
            "[[1, 2]]", "[[\"a\"]]", "[{}]", "[{a = 1}]", "[{a = [1]}]",
        ]),
    ) {
        let (Some((known, unknown)), Some((real, faults))) =
            (value_of(&expression, &[]), value_of(&expression, &[("x", given)]))
        else {
            // What is nested deeper than the parser allows.
            return Err(TestCaseError::reject("is refused"));
        };
        // Where the expression has no value, Terraform refuses to plan.
        if faults.is_empty() {
            prop_assert!(
                holds(&known, "/v", &unknown, &real),
                "{} with {}: {} without, {} with it", expression, given, known, real
            );
        }
    }
}
