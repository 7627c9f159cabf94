//! Terraform source without a plan: each feature of the language, on small sources.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeSet;

use quell_core::plan::hcl::{Configuration, Options, Sources, read};
use quell_core::plan::{Declared, Intent, Plan, PlanError};
use serde_json::{Value, json};

fn sources(files: &[(&str, &str)]) -> Sources {
    let mut sources = Sources::default();
    for (path, text) in files {
        sources.insert(path, (*text).to_owned()).unwrap();
    }
    sources
}

fn try_plan(files: &[(&str, &str)]) -> Result<Plan, PlanError> {
    read(&sources(files), &Options::default())
}

fn plan(files: &[(&str, &str)]) -> Plan {
    try_plan(files).unwrap()
}

fn find<'p>(plan: &'p Plan, address: &str) -> &'p Declared {
    let addresses: Vec<_> = plan.declared.iter().map(|it| it.address.as_str()).collect();
    let found = plan.declared.iter().find(|it| it.address == address);
    found.unwrap_or_else(|| panic!("`{address}` is not among {addresses:?}"))
}

fn addresses(plan: &Plan) -> Vec<&str> {
    plan.declared.iter().map(|it| it.address.as_str()).collect()
}

fn notes(plan: &Plan) -> String {
    plan.notes.iter().map(|it| format!("{}\n", it.problem)).collect()
}

/// The value of an expression; nothing where it is unknown.
fn value(expression: &str) -> Option<Value> {
    let text = format!("resource \"r\" \"r\" {{\n  v = {expression}\n}}\n");
    let plan = plan(&[("main.tf", &text)]);
    let declared = find(&plan, "r.r");
    let known = !declared.unknown.contains("/v");
    known.then(|| declared.properties.get("v").cloned().unwrap_or_default())
}

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

const UNKNOWN: &str = "variable \"u\" {}\n";

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
fn the_shape_is_that_of_a_plan() {
    let text = r#"
resource "aws_security_group" "g" {
  name        = "g"
  description = null
  provider    = aws.west
  depends_on  = [aws_vpc.v]
  ingress {
    from_port   = 22
    cidr_blocks = ["0.0.0.0/0"]
  }
  ingress {
    from_port = 80
  }
  lifecycle {
    prevent_destroy = true
  }
  provisioner "local-exec" {
    command = "true"
  }
  timeouts {
    create = "1m"
  }
}
"#;
    let plan = plan(&[("main.tf", text)]);
    let declared = find(&plan, "aws_security_group.g");
    assert_eq!(
        declared.properties,
        json!({
            "name": "g",
            "ingress": [{"from_port": 22, "cidr_blocks": ["0.0.0.0/0"]}, {"from_port": 80}],
            "timeouts": {"create": "1m"}
        })
    );
    assert_eq!(declared.kind, "aws_security_group");
    assert_eq!(declared.intent, Intent::Create);
    assert_eq!(declared.unknown, BTreeSet::new());
}

#[test]
fn places_are_lines_and_columns() {
    let text = r#"# ä
resource "r" "r" {
  a = "ä"
  b = [1, {
    c = 2
  }]
  block {
    d = 1
  }
  dynamic "x" {
    for_each = [1]
    content {
      e = x.value
    }
  }
}
"#;
    let plan = plan(&[("main.tf", text)]);
    let declared = find(&plan, "r.r");
    let at = |pointer: &str| {
        let place = &declared.places[pointer];
        assert_eq!(place.file, "main.tf");
        (place.line, place.column)
    };
    let own = declared.at.as_ref().unwrap();
    assert_eq!((own.line, own.column), (2, 1));
    assert_eq!(at("/a"), (3, 3));
    assert_eq!(at("/b"), (4, 3));
    assert_eq!(at("/b/0"), (4, 8));
    assert_eq!(at("/b/1/c"), (5, 5));
    assert_eq!(at("/block/0"), (7, 3));
    assert_eq!(at("/block/0/d"), (8, 5));
    assert_eq!(at("/x/0"), (10, 3));
    assert_eq!(at("/x/0/e"), (13, 7));
}

#[test]
fn variables_have_defaults_and_given_values() {
    let files = [
        (
            "main.tf",
            r#"
variable "a" { default = "default" }
variable "b" { default = "default" }
variable "c" { default = "default" }
variable "d" { default = "default" }
variable "e" { default = "default" }
variable "number" { type = number }
variable "list" { type = list(string) }
variable "object" {
  type = object({ name = string, port = optional(number, 443), tags = optional(map(string)) })
}
variable "strict" {
  default  = "default"
  nullable = false
}
variable "set" { type = set(string) }
resource "r" "r" {
  all    = [var.a, var.b, var.c, var.d, var.e]
  number = var.number
  list   = var.list
  object = var.object
  strict = var.strict
  set    = var.set
}
"#,
        ),
        (
            "terraform.tfvars",
            r#"
b      = "file"
c      = "file"
d      = "file"
e      = "file"
object = { name = 1 }
strict = null
set    = ["b", "a", "b"]
"#,
        ),
        ("z.auto.tfvars.json", "{\"c\": \"auto\", \"d\": \"auto\", \"e\": \"auto\"}"),
        ("env/prod.tfvars", "d = \"given\"\ne = \"given\"\n"),
    ];
    let options = Options {
        var_files: vec!["env/prod.tfvars".to_owned()],
        variables: [("e", "told"), ("number", "80"), ("list", "[\"x\", 1]")]
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .into(),
        ..Options::default()
    };
    let plan = read(&sources(&files), &options).unwrap();
    let declared = find(&plan, "r.r");
    assert_eq!(
        declared.properties,
        json!({
            "all": ["default", "file", "auto", "given", "told"], "number": 80, "list": ["x", "1"],
            "object": {"name": "1", "port": 443, "tags": null}, "strict": "default",
            "set": ["a", "b"]
        })
    );
    assert_eq!(declared.unknown, BTreeSet::new());

    let options = Options { var_files: vec!["missing.tfvars".to_owned()], ..Options::default() };
    let error = read(&sources(&files), &options).unwrap_err();
    assert_eq!(error.to_string(), "missing.tfvars: is no file of variables that was read");
}

#[test]
fn instances_have_addresses() {
    let text = r#"
variable "u" {}
resource "r" "none" { count = 0 }
resource "r" "two" {
  count = 2
  v     = count.index
}
resource "r" "keyed" {
  for_each = { "a\"b" = 1, c = var.u }
  k        = each.key
  v        = each.value
}
resource "r" "unknown" {
  count = var.u ? 1 : 0
  v     = count.index
  w     = "known"
}
resource "r" "unknown_each" {
  for_each = var.u
  v        = each.value
}
resource "r" "user" {
  v = r.unknown[0].w
}
"#;
    let plan = plan(&[("main.tf", text)]);
    assert_eq!(
        addresses(&plan),
        [
            "r.two[0]",
            "r.two[1]",
            "r.keyed[\"a\\\"b\"]",
            "r.keyed[\"c\"]",
            "r.unknown[*]",
            "r.unknown_each[*]",
            "r.user"
        ]
    );
    assert_eq!(find(&plan, "r.two[1]").properties, json!({"v": 1}));
    assert!(find(&plan, "r.keyed[\"c\"]").unknown.contains("/v"));
    assert_eq!(find(&plan, "r.unknown[*]").properties, json!({"v": null, "w": "known"}));
    assert_eq!(find(&plan, "r.user").references["/v"], ["r.unknown[*]"]);
    assert!(notes(&plan).contains("how many instances of `r.unknown` there are is unknown"));
}

#[test]
fn dynamic_blocks_are_blocks() {
    let text = r#"
variable "u" {}
resource "r" "r" {
  fixed { v = 0 }
  dynamic "fixed" {
    for_each = [1, 2]
    content { v = fixed.value }
  }
  dynamic "named" {
    for_each = { a = [1, 2] }
    iterator = it
    content {
      k = it.key
      dynamic "inner" {
        for_each = it.value
        content { v = "${it.key}${inner.value}" }
      }
    }
  }
  dynamic "none" {
    for_each = []
    content {}
  }
  dynamic "unknown" {
    for_each = var.u
    content { v = 1 }
  }
  some { v = 1 }
  dynamic "some" {
    for_each = var.u
    content { v = some.value }
  }
}
"#;
    let plan = plan(&[("main.tf", text)]);
    let declared = find(&plan, "r.r");
    assert_eq!(
        declared.properties,
        json!({
            "fixed": [{"v": 0}, {"v": 1}, {"v": 2}],
            "named": [{"k": "a", "inner": [{"v": "a1"}, {"v": "a2"}]}],
            "unknown": null,
            "some": [{"v": 1}, null]
        })
    );
    let unknown: Vec<_> = declared.unknown.iter().map(String::as_str).collect();
    assert_eq!(unknown, ["/some/1", "/unknown"]);
    assert!(notes(&plan).contains("how many blocks `unknown` there are is unknown"));
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
fn modules_have_inputs_and_outputs() {
    let child = r#"
variable "name" { type = string }
variable "tags" {
  type    = map(string)
  default = {}
}
resource "aws_s3_bucket" "b" {
  bucket = var.name
  tags   = var.tags
}
output "id" { value = aws_s3_bucket.b.id }
output "name" { value = "${var.name}!" }
output "path" { value = path.module }
"#;
    let root = r#"
module "one" {
  source = "../modules/bucket"
  name   = "one"
}
module "two" {
  source   = "../modules/bucket"
  for_each = { a = "x", b = "y" }
  name     = each.value
  tags     = { key = each.key, first = module.one.name }
}
module "three" {
  count  = 2
  source = "../modules/bucket"
  name   = "n${count.index}"
}
module "far" {
  source = "terraform-aws-modules/vpc/aws"
}
resource "r" "r" {
  id     = module.one.id
  name   = module.one.name
  path   = module.one.path
  keyed  = module.two["b"].name
  splat  = module.three[*].id
  second = module.three[1].name
  all    = { for k, it in module.two : k => it.name }
  far    = module.far.vpc_id
}
"#;
    let sources = sources(&[("live/main.tf", root), ("modules/bucket/main.tf", child)]);
    let options = Options { folder: "live".to_owned(), ..Options::default() };
    let plan = read(&sources, &options).unwrap();
    let names: BTreeSet<&str> = addresses(&plan).into_iter().collect();
    assert_eq!(
        names,
        BTreeSet::from([
            "r.r",
            "module.one.aws_s3_bucket.b",
            "module.two[\"a\"].aws_s3_bucket.b",
            "module.two[\"b\"].aws_s3_bucket.b",
            "module.three[0].aws_s3_bucket.b",
            "module.three[1].aws_s3_bucket.b",
        ])
    );
    let two = find(&plan, "module.two[\"b\"].aws_s3_bucket.b");
    assert_eq!(two.properties, json!({"bucket": "y", "tags": {"key": "b", "first": "one!"}}));
    assert_eq!(two.at.as_ref().unwrap().file, "modules/bucket/main.tf");
    let user = find(&plan, "r.r");
    assert_eq!(
        user.properties,
        json!({
            "id": null, "name": "one!", "path": "../modules/bucket", "keyed": "y!",
            "splat": [null, null], "second": "n1!", "all": {"a": "x!", "b": "y!"}, "far": null
        })
    );
    assert_eq!(user.references["/id"], ["module.one.aws_s3_bucket.b"]);
    assert_eq!(user.references["/splat/1"], ["module.three[1].aws_s3_bucket.b"]);
    assert!(notes(&plan).contains(
        "`module.far` is not looked at: its source `terraform-aws-modules/vpc/aws` is no local path"
    ));
}

#[test]
fn modules_that_cannot_be_followed() {
    let error = |files: &[(&str, &str)]| try_plan(files).unwrap_err().to_string();
    assert_eq!(
        error(&[("main.tf", "\nmodule \"m\" {\n  source = \"./a/../../secret\"\n}")]),
        "main.tf:2:1: module source `./a/../../secret` leaves the folder that may be read"
    );
    assert_eq!(
        error(&[("main.tf", "module \"m\" {\n  source = \"/etc\"\n}")]),
        "main.tf:1:1: module source `/etc` leaves the folder that may be read"
    );
    assert_eq!(
        error(&[
            ("main.tf", "module \"m\" {\n  source = \"./a\"\n}"),
            ("a/main.tf", "module \"m\" {\n  source = \"../b\"\n}"),
            ("b/main.tf", "\nmodule \"m\" {\n  source = \"../a\"\n}"),
        ]),
        "b/main.tf:2:1: modules call themselves: `a` → `b` → `a`"
    );
    let deep: Vec<(String, String)> = (0..20)
        .map(|at| {
            let folder = (1..=at).map(|_| "m/").collect::<String>();
            (format!("{folder}main.tf"), "module \"m\" {\n  source = \"./m\"\n}".to_owned())
        })
        .collect();
    let deep: Vec<(&str, &str)> = deep.iter().map(|it| (it.0.as_str(), it.1.as_str())).collect();
    assert!(error(&deep).contains("modules are nested more than 16 deep"));

    let files = [("main.tf", "module \"m\" {\n  source = \"./a\"\n}")];
    let (sources, options) = (sources(&files), Options::default());
    let configuration = Configuration::parse(&sources, &options).unwrap();
    assert_eq!(*configuration.missing(), BTreeSet::from(["a".to_owned()]));
    assert!(notes(&plan(&files)).contains("its source `./a` has no Terraform file that was read"));
    assert_eq!(error(&[("README.md", "")]), ".: has no Terraform file (`.tf`, `.tf.json`)");
    assert!(Sources::default().insert("../main.tf", String::new()).is_err());
}

#[test]
fn an_unknown_number_of_modules() {
    let plan = plan(&[
        (
            "main.tf",
            r#"
variable "u" {}
module "m" {
  source = "./a"
  count  = var.u
}
resource "r" "r" {
  v = module.m[0].id
}
"#,
        ),
        ("a/main.tf", "resource \"r\" \"r\" {}\noutput \"id\" {\n  value = r.r.id\n}"),
    ]);
    assert_eq!(addresses(&plan), ["r.r", "module.m[*].r.r"]);
    assert_eq!(find(&plan, "r.r").references["/v"], ["module.m[*].r.r"]);
}

#[test]
fn policy_documents_are_computed() {
    let text = r#"
data "aws_iam_policy_document" "base" {
  statement {
    sid       = "Base"
    actions   = ["s3:GetObject"]
    resources = ["*"]
  }
}
data "aws_iam_policy_document" "d" {
  policy_id               = "p"
  source_policy_documents = [data.aws_iam_policy_document.base.json]
  statement {
    sid     = "Read"
    actions = ["s3:GetObject", "s3:PutObject", "s3:GetObject"]
    resources = ["arn:aws:s3:::b/&{aws:username}/*"]
    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::111122223333:root", "444455556666"]
    }
    principals {
      type        = "Service"
      identifiers = ["s3.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = ["111122223333"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceVpc"
      values   = ["b", "a"]
    }
  }
  statement {
    effect        = "Deny"
    not_actions   = ["s3:*"]
    not_resources = ["arn:aws:s3:::b"]
    not_principals {
      type        = "*"
      identifiers = ["*"]
    }
  }
  override_policy_documents = [jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Sid = "Base", Effect = "Deny", Action = "*", Resource = "*" }]
  })]
}
resource "aws_iam_policy" "p" {
  policy = data.aws_iam_policy_document.d.json
}
"#;
    let plan = plan(&[("main.tf", text)]);
    let policy = find(&plan, "aws_iam_policy.p");
    let document: Value =
        serde_json::from_str(policy.properties["policy"].as_str().unwrap()).unwrap();
    assert_eq!(
        document,
        json!({
            "Version": "2012-10-17",
            "Id": "p",
            "Statement": [
                {"Sid": "Base", "Effect": "Deny", "Action": "*", "Resource": "*"},
                {
                    "Sid": "Read", "Effect": "Allow",
                    "Action": ["s3:PutObject", "s3:GetObject"],
                    "Resource": "arn:aws:s3:::b/${aws:username}/*",
                    "Principal": {
                        "AWS": ["arn:aws:iam::111122223333:root", "444455556666"],
                        "Service": "s3.amazonaws.com"
                    },
                    "Condition": {"StringEquals": {
                        "aws:SourceAccount": "111122223333", "aws:SourceVpc": ["b", "a"]
                    }}
                },
                {
                    "Effect": "Deny", "NotAction": "s3:*", "NotResource": "arn:aws:s3:::b",
                    "NotPrincipal": "*"
                }
            ]
        })
    );
    assert_eq!(policy.references["/policy"], ["data.aws_iam_policy_document.d"]);
    assert_eq!(find(&plan, "data.aws_iam_policy_document.d").intent, Intent::Read);
}

#[test]
fn policies_with_unknown_parts_are_drafts() {
    let text = r#"
resource "aws_s3_bucket" "b" {}
data "aws_iam_policy_document" "d" {
  statement {
    actions   = ["s3:GetObject"]
    resources = ["${aws_s3_bucket.b.arn}/*"]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
  }
}
resource "aws_s3_bucket_policy" "data" {
  bucket = aws_s3_bucket.b.id
  policy = data.aws_iam_policy_document.d.json
}
resource "aws_s3_bucket_policy" "encoded" {
  policy = jsonencode({
    Statement = [{ Effect = "Allow", Principal = "*", Resource = [aws_s3_bucket.b.arn, "x"] }]
  })
}
resource "aws_s3_bucket_policy" "written" {
  policy = <<-POLICY
    {"Statement": [{"Effect": "Allow", "Principal": "*", "Resource": "${aws_s3_bucket.b.arn}/*"}]}
  POLICY
}
resource "aws_s3_bucket_policy" "merged" {
  policy = data.aws_iam_policy_document.merged.json
}
data "aws_iam_policy_document" "merged" {
  source_policy_documents = [data.aws_iam_policy_document.d.json, var.u]
}
variable "u" {}
"#;
    let plan = plan(&[("main.tf", text)]);
    let draft = |name: &str| {
        let declared = find(&plan, &format!("aws_s3_bucket_policy.{name}"));
        assert_eq!(declared.properties["policy"], Value::Null);
        assert!(declared.unknown.contains("/policy"));
        declared.drafts["/policy"].clone()
    };
    let data = draft("data");
    assert_eq!(
        data.document,
        json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "s3:GetObject", "Principal": "*", "Resource": null}
        ]})
    );
    assert_eq!(data.unknown, BTreeSet::from(["/Statement/0/Resource".to_owned()]));
    assert_eq!(data.references["/Statement/0/Resource"], ["aws_s3_bucket.b"]);
    let encoded = draft("encoded");
    assert_eq!(encoded.document["Statement"][0]["Resource"], json!([null, "x"]));
    let written = draft("written");
    assert_eq!(written.document["Statement"][0]["Principal"], json!("*"));
    assert_eq!(written.references["/Statement/0/Resource"], ["aws_s3_bucket.b"]);
    let merged = draft("merged");
    assert_eq!(merged.document["Statement"][0]["Action"], json!("s3:GetObject"));
    assert!(merged.unknown.contains("/Statement/1"));
}

#[test]
fn the_account_and_the_region_are_told_or_unknown() {
    let text = r#"
provider "aws" {
  alias  = "west"
  region = "us-west-2"
}
provider "aws" {
  region = local.region
}
locals {
  region = "cn-north-1"
}
data "aws_caller_identity" "me" {}
data "aws_region" "here" {}
data "aws_partition" "here" {}
resource "r" "r" {
  account   = data.aws_caller_identity.me.account_id
  arn       = data.aws_caller_identity.me.arn
  region    = data.aws_region.here.name
  partition = "arn:${data.aws_partition.here.partition}:x"
  workspace = terraform.workspace
}
"#;
    let told = plan(&[("main.tf", text)]);
    assert_eq!(told.region.as_deref(), Some("cn-north-1"));
    assert_eq!(told.account, None);
    let expected = json!({"account": null, "arn": null, "region": "cn-north-1",
        "partition": "arn:aws-cn:x", "workspace": null});
    assert_eq!(find(&told, "r.r").properties, expected);
    let options = Options {
        account: Some("111122223333".to_owned()),
        workspace: Some("prod".to_owned()),
        ..Options::default()
    };
    let told = read(&sources(&[("main.tf", text)]), &options).unwrap();
    assert_eq!(told.account.as_deref(), Some("111122223333"));
    assert_eq!(find(&told, "r.r").properties["account"], json!("111122223333"));
    assert_eq!(find(&told, "r.r").properties["workspace"], json!("prod"));
    let unknown = plan(&[(
        "main.tf",
        "data \"aws_region\" \"here\" {}
        resource \"r\" \"r\" {
          v = data.aws_region.here.name
        }",
    )]);
    assert_eq!(find(&unknown, "r.r").references["/v"], ["data.aws_region.here"]);
    assert_eq!(unknown.region, None);
}

#[test]
fn json_syntax_is_the_same_language() {
    let text = r#"{
  "//": "a comment",
  "variable": {"name": {"default": "b"}},
  "locals": {"port": 22},
  "resource": {
    "aws_s3_bucket": {
      "b": {"bucket": "${var.name}-x", "versioning": {"enabled": true}, "tags": {"a": "b"}}
    },
    "aws_security_group": {
      "g": {
        "ingress": [{"from_port": "${local.port}", "cidr_blocks": ["0.0.0.0/0"]}],
        "dynamic": {"egress": {"for_each": [1], "content": {"from_port": "${egress.value}"}}}
      }
    }
  },
  "output": {"id": {"value": "${aws_s3_bucket.b.id}"}}
}"#;
    let text = format!("\n\n{text}\n");
    let made = plan(&[("main.tf.json", &text)]);
    let bucket = find(&made, "aws_s3_bucket.b");
    assert_eq!(
        bucket.properties,
        json!({"bucket": "b-x", "versioning": [{"enabled": true}], "tags": {"a": "b"}})
    );
    let place = &bucket.places["/versioning/0"];
    assert_eq!((place.line, place.column), (9, 40));
    let place = &bucket.places["/tags/a"];
    assert_eq!((place.line, place.column), (9, 82));
    assert_eq!(
        find(&made, "aws_security_group.g").properties,
        json!({"ingress": [{"from_port": 22, "cidr_blocks": ["0.0.0.0/0"]}],
            "egress": [{"from_port": 1}]})
    );
    let error = try_plan(&[("main.tf.json", "{\n  \"a\": 1,\n}")]).unwrap_err();
    assert_eq!((error.line, error.column), (Some(3), Some(1)), "{error}");
}

#[test]
fn override_files_change_what_is_there() {
    let plan = plan(&[
        ("main.tf", "resource \"r\" \"r\" {\n  a = 1\n  b = 1\n  c {\n    d = 1\n  }\n  e {}\n}"),
        ("x_override.tf", "resource \"r\" \"r\" {\n  b = 2\n  c {\n    d = 2\n  }\n}"),
    ]);
    assert_eq!(addresses(&plan), ["r.r"]);
    assert_eq!(find(&plan, "r.r").properties, json!({"a": 1, "b": 2, "c": [{"d": 2}], "e": [{}]}));
}

#[test]
fn override_files_change_calls_of_modules_and_only_the_blocks_of_their_types() {
    let dynamic = |kind: &str| {
        format!("  dynamic \"{kind}\" {{\n    for_each = [1]\n    content {{ v = 2 }}\n  }}\n")
    };
    let blocks = |text: String| format!("resource \"r\" \"r\" {{\n{text}}}\n");
    let main = "module \"m\" {\n  source = \"./m\"\n  x = 1\n  y = 1\n}\nlocals {\n  l = 1\n}\n";
    let plan = plan(&[
        ("main.tf", &(main.to_owned() + &blocks(dynamic("a") + &dynamic("b") + "  c { v = 1 }\n"))),
        ("override.tf", "module \"m\" {\n  y = 2\n}\nlocals {\n  l = 2\n}\n"),
        ("x_override.tf", &blocks("  b { v = 3 }\n".to_owned() + &dynamic("c"))),
        (
            "m/main.tf",
            "variable \"x\" {}\nvariable \"y\" {}\n\
             resource \"r\" \"r\" {\n  v = [var.x, var.y]\n}",
        ),
    ]);
    assert_eq!(notes(&plan), "");
    assert_eq!(find(&plan, "module.m.r.r").properties, json!({"v": [1, 2]}));
    let blocks = json!({"a": [{"v": 2}], "b": [{"v": 3}], "c": [{"v": 2}]});
    assert_eq!(find(&plan, "r.r").properties, blocks);
}

#[test]
fn a_name_that_is_declared_twice_is_refused_where_it_stands_again() {
    for (text, name) in [
        ("module \"m\" {\n  source = \"./m\"\n}\n", "module.m"),
        ("variable \"v\" {}\n", "var.v"),
        ("output \"o\" {\n  value = 1\n}\n", "output.o"),
        ("locals {\n  l = 1\n}\n", "local.l"),
    ] {
        let files = [("a.tf", text), ("b.tf", text), ("m/main.tf", "")];
        let error = try_plan(&files).unwrap_err();
        assert_eq!(error.problem, format!("`{name}` is declared twice"));
        assert_eq!((error.file.as_str(), error.line.is_some()), ("b.tf", true), "{name}");
    }
}

#[test]
fn files_are_read_from_the_sources_only() {
    let text = r#"
resource "r" "r" {
  text     = file("${path.module}/policy.json")
  template = templatefile("t.tftpl", { names = ["a", "b"], x = 1 })
  exists   = fileexists("policy.json")
  outside  = templatefile("t2.tftpl", {})
}
variable "x" { default = "var" }
"#;
    let plan = plan(&[
        ("main.tf", text),
        ("policy.json", "{}"),
        ("t.tftpl", "%{ for it in names ~}\n${it}=${x}\n%{ endfor ~}\n"),
        ("t2.tftpl", "${var.x}"),
    ]);
    let declared = find(&plan, "r.r");
    assert_eq!(
        declared.properties,
        json!({"text": "{}", "template": "a=1\nb=1\n", "exists": true, "outside": null})
    );
}

#[test]
fn syntax_errors_have_lines_and_columns() {
    let cases = [
        ("resource \"r\" \"r\" {\n  a = \n}\n", "2:7"),
        ("resource \"r\" \"r\" {\n  a = 1\n", "2:8"),
        ("a = 1 /* ä */\nb = \"ä\\q\"\n", "2:9"),
        ("a = 1\na = 2\n", "2:1"),
        ("resource r {{\n", "1:13"),
        ("a = 1\nb = {\n  c = 2\n", "2:1"),
        ("a = <<EOF\nx\n", "2:1"),
    ];
    let refused = cases.map(|(text, _)| {
        let error = try_plan(&[("dir/x.tf", "{"), ("main.tf", text)]).unwrap_err();
        assert_eq!(error.file, "main.tf");
        assert!(!error.problem.contains('\n'), "{error}");
        format!("{}:{}", error.line.unwrap(), error.column.unwrap())
    });
    assert_eq!(refused, cases.map(|(_, at)| at.to_owned()));
}

#[test]
fn limits_hold() {
    let large = "#".repeat(5 << 20);
    assert!(Sources::default().insert("main.tf", large).is_err());

    let deep = format!("a = {}1{}", "[".repeat(5000), "]".repeat(5000));
    let error = try_plan(&[("main.tf", &deep)]).unwrap_err();
    assert!(error.to_string().contains("at most 64 nested levels"), "{error}");
    let deep = format!("{}{}", "a {\n".repeat(5000), "}\n".repeat(5000));
    assert!(try_plan(&[("main.tf", &deep)]).is_err());

    let keys: String = (0..20_000).map(|at| format!("  k{at} = 1\n")).collect();
    let error = try_plan(&[("main.tf", &format!("a = {{\n{keys}}}\n"))]).unwrap_err();
    assert!(error.to_string().contains("too many keys"), "{error}");

    // What is left when the steps are used up is unknown, and costs nothing.
    let wide = format!(
        "resource \"r\" \"r\" {{\n  count = 1000\n  v = [{}]\n  w = 1\n}}",
        "1, ".repeat(20_000)
    );
    let made = plan(&[("main.tf", &wide)]);
    assert_eq!(made.declared.len(), 1000);
    assert!(find(&made, "r.r[999]").unknown.contains(""));

    // Each local doubles the one before.
    let doubled = |twice: &str| {
        let lines: String = (1..60)
            .map(|at| format!("  l{at} = {}\n", twice.replace('@', &format!("local.l{}", at - 1))))
            .collect();
        format!(
            "locals {{\n  l0 = \"0123456789\"\n{lines}}}
            resource \"r\" \"r\" {{\n  v = local.l59\n}}"
        )
    };
    for twice in ["\"${@}${@}\"", "[@, @]", "{a = @, b = @}", "join(@, [@, @])"] {
        let plan = plan(&[("main.tf", &doubled(twice))]);
        assert!(!find(&plan, "r.r").unknown.is_empty(), "{twice}");
        assert!(!plan.notes.is_empty());
    }

    // A long way of names, in the order that makes it deepest.
    let chain: String = (0..1000).map(|at| format!("  l{at} = local.l{}\n", at + 1)).collect();
    let text =
        format!("locals {{\n{chain}  l1000 = 1\n}}\nresource \"r\" \"r\" {{\n  v = local.l0\n}}");
    let made = plan(&[("main.tf", &text)]);
    assert!(notes(&made).contains("expressions are nested more than"), "{}", notes(&made));

    let steps =
        "resource \"r\" \"r\" {\n  v = [for a in range(3000) : [for b in range(3000) : a + b]]\n}";
    let made = plan(&[("main.tf", steps)]);
    assert!(find(&made, "r.r").unknown.contains(""));
    assert!(notes(&made).contains("the evaluation takes more than"), "{}", notes(&made));

    let many = "resource \"r\" \"r\" {\n  count = 1000000000\n}";
    assert_eq!(addresses(&plan(&[("main.tf", many)])), ["r.r[*]"]);

    let call = "module \"a\" {\n  source = \"./m\"\n  count = 100\n}\n";
    let error = try_plan(&[("main.tf", call), ("m/main.tf", call), ("m/m/main.tf", "")]);
    assert!(error.unwrap_err().to_string().contains("calls more than 4096 modules"));
}

#[test]
fn a_block_of_a_resource_has_more_than_is_written() {
    let text = r#"
resource "aws_s3_bucket" "b" {
  tags = { a = "x" }
  rule {
    id   = "r"
    port = "80"
  }
}
resource "r" "r" {
  id      = aws_s3_bucket.b.rule[0].id
  default = try(aws_s3_bucket.b.rule[0].enabled, true)
  asked   = can(aws_s3_bucket.b.rule[0].enabled)
  looked  = lookup(aws_s3_bucket.b.rule[0], "enabled", true)
  tag     = lookup(aws_s3_bucket.b.tags, "z", "none")
  number  = aws_s3_bucket.b.rule[0].port == 80
  other   = aws_s3_bucket.b.rule[0].port == 443
}
"#;
    let plan = plan(&[("main.tf", text)]);
    let declared = find(&plan, "r.r");
    let unknown: Vec<_> = declared.unknown.iter().map(String::as_str).collect();
    assert_eq!(unknown, ["/asked", "/default", "/looked", "/number"]);
    assert_eq!(declared.properties["id"], json!("r"));
    assert_eq!(declared.properties["tag"], json!("none"));
    assert_eq!(declared.properties["other"], json!(false));
    assert_eq!(declared.references["/default"], ["aws_s3_bucket.b"]);
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
fn dynamic_blocks_refer_to_what_they_go_through() {
    let text = r#"
resource "r" "list" {
  cidrs = ["10.0.0.0/8"]
}
resource "r" "r" {
  dynamic "ingress" {
    for_each = r.list.cidrs
    content {
      cidr = ingress.value
    }
  }
}
"#;
    let plan = plan(&[("main.tf", text)]);
    let declared = find(&plan, "r.r");
    assert_eq!(declared.properties, json!({"ingress": [{"cidr": "10.0.0.0/8"}]}));
    assert_eq!(declared.references["/ingress/0/cidr"], ["r.list"]);
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
fn other_providers_read_other_accounts_and_regions() {
    let root = r#"
provider "aws" {
  region = "eu-central-1"
}
data "aws_caller_identity" "other" {
  provider = aws.other
}
data "aws_region" "own" {
  provider = aws
}
data "aws_region" "other" {
  provider = aws.other
}
data "aws_region" "named" {
  region = "us-west-2"
}
module "m" {
  source    = "./m"
  providers = { aws = aws.other }
}
module "same" {
  source    = "./m"
  providers = { aws = aws, aws.other = aws.other }
}
resource "r" "r" {
  account = data.aws_caller_identity.other.account_id
  own     = data.aws_region.own.name
  other   = data.aws_region.other.name
  named   = data.aws_region.named.id
  module  = module.m.region
  same    = module.same.region
}
"#;
    let module = r#"
data "aws_region" "here" {}
output "region" {
  value = data.aws_region.here.name
}
"#;
    let options = Options { account: Some("111122223333".to_owned()), ..Options::default() };
    let files = sources(&[("main.tf", root), ("m/main.tf", module)]);
    let plan = read(&files, &options).unwrap();
    assert_eq!(
        find(&plan, "r.r").properties,
        json!({"account": null, "own": "eu-central-1", "other": null, "named": "us-west-2",
            "module": null, "same": "eu-central-1"})
    );
}

#[test]
fn old_policy_documents_are_put_together() {
    let text = r#"
data "aws_iam_policy_document" "base" {
  statement {
    sid       = "a"
    actions   = ["s3:*"]
    resources = ["*"]
  }
}
data "aws_iam_policy_document" "d" {
  source_json   = data.aws_iam_policy_document.base.json
  override_json = jsonencode({ Statement = [{ Sid = "b", Effect = "Allow" }] })
  statement {
    sid     = "b"
    effect  = "Deny"
    actions = ["*"]
  }
}
data "aws_iam_policy_document" "replaced" {
  source_json             = data.aws_iam_policy_document.base.json
  override_policy_documents = [jsonencode({ Statement = [{ Sid = var.u, Effect = "Deny" }] })]
}
variable "u" {}
resource "r" "r" {
  v = jsondecode(data.aws_iam_policy_document.d.json).Statement[*].Sid
  e = jsondecode(data.aws_iam_policy_document.d.json).Statement[1].Effect
  r = data.aws_iam_policy_document.replaced.json
}
"#;
    let plan = plan(&[("main.tf", text)]);
    let declared = find(&plan, "r.r");
    assert_eq!(declared.properties, json!({"v": ["a", "b"], "e": "Allow", "r": null}));
    assert!(!declared.drafts.contains_key("/r"), "any statement may be another");
}

#[test]
fn overrides_and_json_know_dynamic_blocks_by_what_they_make() {
    let dynamic = |kind: &str, value: u8| {
        format!(
            "  dynamic \"{kind}\" {{\n    for_each = [{value}]\n    content {{\n      \
             v = {kind}.value\n    }}\n  }}\n"
        )
    };
    let main = format!("resource \"r\" \"r\" {{\n{}{}}}", dynamic("a", 1), dynamic("b", 1));
    let over = format!("resource \"r\" \"r\" {{\n{}}}", dynamic("b", 2));
    let made = plan(&[("main.tf", &main), ("override.tf", &over)]);
    assert_eq!(find(&made, "r.r").properties, json!({"a": [{"v": 1}], "b": [{"v": 2}]}));

    let json = r#"{"resource": {"r": {"r": {
      "dynamic": [{"a": {"for_each": [1], "content": {"v": "${a.value}"}}}]
    }}}}"#;
    assert_eq!(find(&plan(&[("main.tf.json", json)]), "r.r").properties, json!({"a": [{"v": 1}]}));
}

#[test]
fn an_override_changes_a_call_of_a_module() {
    let plan = plan(&[
        ("main.tf", "module \"m\" {\n  source = \"./m\"\n  name = \"a\"\n}"),
        ("override.tf", "module \"m\" {\n  name = \"b\"\n}"),
        ("m/main.tf", "variable \"name\" {}\nresource \"r\" \"r\" {\n  v = var.name\n}"),
    ]);
    assert_eq!(find(&plan, "module.m.r.r").properties, json!({"v": "b"}));
}

#[test]
fn a_folder_that_is_called_often_is_followed_once() {
    // 8 calls on each of 16 levels are 8^15 ways to the last folder.
    let folder = |level: usize| {
        let call = |at| format!("module \"m{at}\" {{\n  source = \"./m\"\n  count = 0\n}}\n");
        let calls = if level < 15 { (0..8).map(call).collect() } else { String::new() };
        (format!("{}main.tf", "m/".repeat(level)), calls)
    };
    let files: Vec<(String, String)> = (0..16).map(folder).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|it| (it.0.as_str(), it.1.as_str())).collect();
    assert!(plan(&files).declared.is_empty());
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
