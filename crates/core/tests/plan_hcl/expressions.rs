//! Values: expressions, functions, types, and what is unknown of them.

use crate::{UNKNOWN, find, notes, plan, sources, value};
use quell_core::plan::hcl::{Options, read};
use serde_json::json;
use std::collections::BTreeSet;

/// Expressions and the JSON of their values.
const EXPRESSIONS: &[(&str, &str)] = &[
    ("1 + 2 * 3", "7"),
    ("(1 + 2) * 3 / 2", "4.5"),
    ("-3 % 2", "-1"),
    (r#""80" + 1"#, "81"),
    (r#"1 == 1 && "a" != "b""#, "true"),
    (r#"[1, "a"] == [1, "b"]"#, "false"),
    ("!(1 < 2) || 2 >= 2", "true"),
    (r#"true ? "a" : nothing.at.all"#, r#""a""#),
    ("[for it in [1, 2, 3] : it * 2 if it != 2]", "[2, 6]"),
    ("{for k, v in {a = 1, b = 2} : upper(k) => v}", r#"{"A": 1, "B": 2}"#),
    (r#"{for it in ["a", "b", "a"] : it => 1...}"#, r#"{"a": [1, 1], "b": [1]}"#),
    (r#"[for k, v in ["x"] : "${k}${v}"]"#, r#"["0x"]"#),
    (r#"[for k, v in toset(["x"]) : "${k}${v}"]"#, r#"["xx"]"#),
    ("[{a = 1}, {a = 2}][*].a", "[1, 2]"),
    ("[{a = [1]}, {a = [2]}].*.a[0]", "[1]"),
    ("{a = 1}[*].a", "[1]"),
    ("null[*]", "[]"),
    ("[[1, 2], [3]][0][1]", "2"),
    ("[1, 2].1", "2"),
    (r#"{"a b" = 1, ("c") = 2, d : 3}"#, r#"{"a b": 1, "c": 2, "d": 3}"#),
    (r#""a${1}b${true}""#, r#""a1btrue""#),
    (r#""${[1]}""#, "[1]"),
    (r#""$${a} %%{b}""#, r#""${a} %{b}""#),
    (r#""a\n\u00e9""#, r#""a\né""#),
    (r#""%{if true}a%{else}b%{endif}""#, r#""a""#),
    (r#""%{for it in [1, 2]}<${it}>%{endfor}""#, r#""<1><2>""#),
    (r#""a ${~ 1 ~} b""#, r#""a1b""#),
    ("<<EOF\n  a\n    ${1}\nEOF\n", r#""  a\n    1\n""#),
    ("<<-EOF\n    a\n      b ${1}\n    EOF\n", r#""a\n  b 1\n""#),
    (r#"jsonencode({b = [1, null], a = "<"})"#, r#""{\"a\":\"\\u003c\",\"b\":[1,null]}""#),
    (r#"jsondecode("{\"a\": [1.5, true]}").a"#, "[1.5, true]"),
    ("merge({a = 1, b = 1}, null, {b = 2})", r#"{"a": 1, "b": 2}"#),
    ("concat([1], [2, 3], [])", "[1, 2, 3]"),
    ("flatten([[1, [2]], 3, []])", "[1, 2, 3]"),
    (r#"compact(["a", "", null])"#, r#"["a"]"#),
    ("distinct([1, 2, 1])", "[1, 2]"),
    (r#"toset(["b", "a", "b"])"#, r#"["a", "b"]"#),
    (r#"lookup({a = 1}, "b", 2)"#, "2"),
    ("element([1, 2, 3], 4)", "2"),
    (r#"length({a = 1}) + length([1]) + length("äb")"#, "4"),
    ("keys({b = 1, a = 2})", r#"["a", "b"]"#),
    ("values({b = 1, a = 2})", "[2, 1]"),
    (r#"contains(["a"], "a")"#, "true"),
    (r#"coalesce(null, "", "a")"#, r#""a""#),
    ("coalescelist([], [1])", "[1]"),
    (r#"try([1][5], {}.a, "c")"#, r#""c""#),
    ("can({}.a)", "false"),
    ("can(1)", "true"),
    ("one([1])", "1"),
    (r#"zipmap(["a", "b"], [1, 2])"#, r#"{"a": 1, "b": 2}"#),
    ("slice([1, 2, 3], 1, 3)", "[2, 3]"),
    (r#"sort(["b", "a"])"#, r#"["a", "b"]"#),
    ("reverse([1, 2])", "[2, 1]"),
    ("range(3)", "[0, 1, 2]"),
    ("range(1, 6, 2)", "[1, 3, 5]"),
    (r#"setproduct([1, 2], ["a"])"#, r#"[[1, "a"], [2, "a"]]"#),
    (r#"setunion(["b"], ["a"])"#, r#"["a", "b"]"#),
    (r#"setsubtract(["a", "b"], ["a"])"#, r#"["b"]"#),
    ("chunklist([1, 2, 3], 2)", "[[1, 2], [3]]"),
    (r#"transpose({a = ["x"], b = ["x"]})"#, r#"{"x": ["a", "b"]}"#),
    ("max(1, 3, 2) - min(1, 3)", "2"),
    ("max([1, 3]...)", "3"),
    (
        r#"format("%s-%03d-%.1f-%t-%q-%%-%5s|%-3s|", "a", 7, 1.25, true, "q", "w", "l")"#,
        r#""a-007-1.2-true-\"q\"-%-    w|l  |""#,
    ),
    (r#"format("%v %#v %[1]s", "a", [1])"#, r#""a [1] a""#),
    (r#"formatlist("%s/%s", ["a", "b"], "x")"#, r#"["a/x", "b/x"]"#),
    (r#"join(",", ["a", "b"], ["c"])"#, r#""a,b,c""#),
    (r#"split(",", "a,b")"#, r#"["a", "b"]"#),
    (r#"split(",", "")"#, r#"[""]"#),
    (r#"contains([80], "80") || contains(["80"], 80)"#, "false"),
    (r#"setsubtract(["80", "a"], [80])"#, r#"["a"]"#),
    ("tolist(toset([443, 80]))", "[80, 443]"),
    (r#"format("%x %b %+d", -5, 5, 5)"#, r#""-5 101 +5""#),
    (r#"title("it's")"#, r#""It'S""#),
    (r#"replace("a-b-c", "-", "")"#, r#""abc""#),
    (r#"title(lower("HELLO wORLD"))"#, r#""Hello World""#),
    (r#"trimprefix(trimsuffix(trimspace(" xay "), "y"), "x")"#, r#""a""#),
    (r#"trim("--a--", "-")"#, r#""a""#),
    (r#"substr("hello", -3, 2)"#, r#""ll""#),
    (r#"startswith("abc", "ab") && endswith("abc", "bc")"#, "true"),
    ("tostring(1)", r#""1""#),
    (r#"tonumber("1.5")"#, "1.5"),
    (r#"tobool("true")"#, "true"),
    (r#"base64decode(base64encode("häll"))"#, r#""häll""#),
    (r#"base64encode("ab")"#, r#""YWI=""#),
    (r#"urlencode("a b&c")"#, r#""a+b%26c""#),
    (r#"cidrsubnet("10.0.0.0/16", 8, 2)"#, r#""10.0.2.0/24""#),
    (r#"cidrsubnet("fd00::/8", 8, 1)"#, r#""fd01::/16""#),
    (r#"cidrhost("10.0.0.0/24", -2)"#, r#""10.0.0.254""#),
    (r#"cidrnetmask("10.0.0.0/12")"#, r#""255.240.0.0""#),
    ("sum([1, 2]) + ceil(1.2) + floor(1.8) + abs(-1) + signum(-4)", "6"),
    (r#"parseint("ff", 16)"#, "255"),
    (r#"core::upper("a")"#, r#""A""#),
    (r#"alltrue([true, "true"]) && !anytrue([false])"#, "true"),
    ("nonsensitive(sensitive(1))", "1"),
    (r#"indent(2, "a\nb")"#, r#""a\n  b""#),
    ("123456789012", "123456789012"),
    (r#""${-0}${0 * -1}""#, r#""00""#),
    ("path.module", r#"".""#),
];

#[test]
fn expressions_and_functions() {
    for (expression, expected) in EXPRESSIONS {
        let expected = serde_json::from_str(expected).unwrap();
        assert_eq!(value(expression), Some(expected), "{expression}");
    }
}

#[test]
fn what_has_no_value_is_unknown() {
    for expression in [
        "uuid()",
        "timestamp()",
        "provider::aws::arn_parse(\"a\")",
        "1 / 0",
        "{}.a",
        "[1][1]",
        "\"a\" + 1",
        "var.missing",
        "local.missing",
        "aws_vpc.missing.id",
        "module.missing.id",
        "terraform.workspace",
        "each.value",
        "\"a${[1]}\"",
        "\"a${null}\"",
        "replace(\"abc\", \"/b+/\", \"\")",
        "file(\"missing\")",
        "file(\"/etc/passwd\")",
        "file(\"../outside\")",
        "range(1000000)",
        "format(\"%9999999d\", 1)",
        "jsondecode(\"{\")",
        "184467440737095516150",
        "\"%{if true}a\\\"b%{endif}\"",
        // What Terraform refuses.
        "{for it in [1, 1] : it => it}",
        "zipmap([\"a\"], [1, 2])",
        "matchkeys([1], [1, 2], [1])",
        "sum([])",
        "alltrue([\"yes\"])",
        "\" 5 \" + 1",
        "format(\"%d\", 1.5)",
        "format(\"a\", 1)",
        // A list is no tuple, and nothing here tells which is which.
        "tolist([]) == []",
        "tomap({}) == {}",
        // What is not evaluated here may have a value.
        "try(file(\"missing\"), \"{}\")",
        "can(file(\"missing\"))",
        "try(element([1, 2], -1), 0)",
        "try(format(\"%e\", 1), \"\")",
        "try(length(range(1000000)), 0)",
        "base64decode(\"YQ\")",
    ] {
        assert_eq!(value(expression), None, "{expression}");
    }
}

#[test]
fn unknown_spreads_no_further_than_it_must() {
    let text = format!(
        "{UNKNOWN}resource \"r\" \"r\" {{
  same      = var.u ? \"a\" : \"a\"
  differs   = var.u ? \"a\" : \"b\"
  decided   = false && var.u
  decided_2 = var.u || true
  list      = [1, var.u]
  map       = merge({{ a = 1 }}, {{ b = var.u }})
  count_of  = length([var.u, 1])
  text      = \"a-${{var.u}}\"
  found     = contains([var.u, \"x\"], \"x\")
  default   = try(var.u, 1)
  nested    = jsonencode({{ a = var.u }})
}}"
    );
    let plan = plan(&[("main.tf", &text)]);
    let declared = find(&plan, "r.r");
    let unknown: Vec<_> = declared.unknown.iter().map(String::as_str).collect();
    let expected = ["/default", "/differs", "/list/1", "/map/b", "/nested", "/text"];
    assert_eq!(unknown, expected);
    assert_eq!(
        declared.properties,
        json!({
            "same": "a", "differs": null, "decided": false, "decided_2": true, "list": [1, null],
            "map": {"a": 1, "b": null}, "count_of": 2, "text": null, "found": true,
            "default": null, "nested": null
        })
    );
    assert_eq!(declared.drafts["/nested"].document, json!({"a": null}));
    assert_eq!(declared.drafts["/nested"].unknown, BTreeSet::from(["/a".to_owned()]));
}

#[test]
fn references_say_what_a_value_is_made_of() {
    let text = r#"
resource "aws_s3_bucket" "b" {
  bucket = "name-${aws_kms_key.k.id}"
}
resource "aws_s3_bucket" "many" {
  count  = 2
  bucket = "many-${count.index}"
}
resource "aws_s3_bucket" "keyed" {
  for_each = toset(["x"])
  bucket   = each.key
}
resource "aws_kms_key" "k" {}
locals {
  id = aws_s3_bucket.b.id
}
resource "r" "r" {
  computed = aws_s3_bucket.b.id
  written  = aws_s3_bucket.many[1].bucket
  local    = local.id
  text     = "${aws_s3_bucket.b.arn}/*"
  all      = aws_s3_bucket.many[*].id
  key      = aws_s3_bucket.keyed["x"].bucket
  either   = var.u ? aws_s3_bucket.b.id : aws_kms_key.k.arn
  whole    = aws_s3_bucket.b
  block {
    id = aws_kms_key.k.arn
  }
}
variable "u" {}
"#;
    let plan = plan(&[("main.tf", text)]);
    let declared = find(&plan, "r.r");
    let to = |pointer: &str| declared.references[pointer].join(" ");
    assert_eq!(to("/computed"), "aws_s3_bucket.b");
    assert_eq!(to("/written"), "aws_s3_bucket.many[1]");
    assert_eq!(declared.properties["written"], json!("many-1"));
    assert_eq!(to("/local"), "aws_s3_bucket.b");
    assert_eq!(to("/text"), "aws_s3_bucket.b");
    assert_eq!(to("/all/0"), "aws_s3_bucket.many[0]");
    assert_eq!(to("/all/1"), "aws_s3_bucket.many[1]");
    assert_eq!(to("/key"), "aws_s3_bucket.keyed[\"x\"]");
    assert_eq!(declared.properties["key"], json!("x"));
    assert_eq!(to("/either"), "aws_kms_key.k aws_s3_bucket.b");
    assert_eq!(to("/whole"), "aws_s3_bucket.b");
    assert!(declared.unknown.contains("/whole"));
    assert_eq!(to("/block/0/id"), "aws_kms_key.k");
    assert_eq!(find(&plan, "aws_s3_bucket.b").references["/bucket"], ["aws_kms_key.k"]);
}

#[test]
fn what_is_made_of_itself_is_unknown() {
    let text = r#"
locals {
  a = local.b
  b = "x${local.a}"
}
resource "r" "one" { v = r.two.id }
resource "r" "two" { v = r.one.id }
resource "r" "r" { v = local.a }
resource "r" "counted" { count = length(r.counted) }
"#;
    let plan = plan(&[("main.tf", text)]);
    assert!(find(&plan, "r.r").unknown.contains("/v"));
    assert!(find(&plan, "r.one").unknown.contains("/v"));
    assert!(find(&plan, "r.two").unknown.contains("/v"));
    let notes = notes(&plan);
    assert!(notes.contains("`local.a` is made of itself"), "{notes}");
    assert!(notes.contains("`r.one` is made of itself"), "{notes}");
}

#[test]
fn types_refuse_what_does_not_fit() {
    let text = r#"
variable "object" {
  type    = object({ a = string, b = string })
  default = { a = "x" }
}
variable "tuple" {
  type    = tuple([string])
  default = ["x", "y"]
}
variable "any" {
  type = any
}
variable "bare" {}
resource "r" "r" {
  object = var.object
  tuple  = var.tuple
  any    = var.any
  bare   = var.bare
}
"#;
    let given = |name: &str| (name.to_owned(), "[\"0.0.0.0/0\"]".to_owned());
    let options = Options {
        variables: [given("any"), given("bare")].into_iter().collect(),
        ..Options::default()
    };
    let plan = read(&sources(&[("main.tf", text)]), &options).unwrap();
    let declared = find(&plan, "r.r");
    assert_eq!(declared.unknown, BTreeSet::from(["/object".to_owned(), "/tuple".to_owned()]));
    assert_eq!(declared.properties["any"], json!(["0.0.0.0/0"]));
    assert_eq!(declared.properties["bare"], json!("[\"0.0.0.0/0\"]"));
}

#[test]
fn what_may_be_left_out_is_no_fault() {
    let text = format!(
        "{UNKNOWN}resource \"r\" \"r\" {{
  v = try([for it in [{{}}] : it.a if var.u], [])
  w = try(var.u && {{}}.a, true)
}}"
    );
    let unknown = ["/v", "/w"].map(str::to_owned);
    assert_eq!(find(&plan(&[("main.tf", &text)]), "r.r").unknown, BTreeSet::from(unknown));
}

#[test]
fn what_functions_make_is_limited_before_it_is_made() {
    // Each would take gigabytes.
    for expression in [
        "formatlist(\"%4096s\", range(60000))",
        "transpose({ (join(\"\", [for it in range(60000) : \"0123456789\"])) = range(60000) })",
        "setproduct(range(60000), [for it in range(400) : [1]]...)",
    ] {
        assert_eq!(value(expression), None, "{expression}");
    }
}
