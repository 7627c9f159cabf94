//! Variables, and modules within modules.

use crate::{addresses, find, notes, plan, sources, try_plan};
use quell_core::plan::hcl::{Configuration, Options, Sources, read};
use serde_json::json;
use std::collections::BTreeSet;

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
