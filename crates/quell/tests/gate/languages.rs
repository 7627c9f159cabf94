//! The same bad bucket in each language: one verdict, each at its place.

use crate::{BLOCK, Folder, OPEN_TF, OPEN_YAML, open_bucket, open_json, quell, report};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What a report says of the bucket, without where.
fn said(report: &Value) -> BTreeSet<String> {
    let entries = report["entries"].as_array().unwrap().iter();
    let of_bucket = entries.filter(|it| it["resource"]["type"] == "AWS::S3::Bucket");
    let one = |it: &Value| {
        format!("{} {} {} {}", it["policy"], it["verdict"], it["element"], it["reason"])
    };
    of_bucket.map(one).collect()
}

/// Where the only entry of a report stands.
fn place(report: &Value) -> (String, u64, u64) {
    assert_eq!(report["entries"].as_array().unwrap().len(), 1, "{report:#}");
    let place = &report["entries"][0]["place"];
    let number = |key: &str| place[key].as_u64().unwrap();
    (place["file"].as_str().unwrap().to_owned(), number("line"), number("column"))
}

fn manifest(file: &str) -> String {
    json!({ "version": "36.0.0", "artifacts": { "Open": { "type": "aws:cloudformation:stack",
        "environment": "aws://111122223333/eu-central-1",
        "properties": { "templateFile": file, "parameters": { "Public": "false" } } } } })
    .to_string()
}

/// On the first line, before the source of the bucket.
const VARIABLE: &str = "variable \"closed\" { type = bool }\n";

#[test]
fn one_bucket_is_judged_alike_in_every_language() {
    let folder = Folder::new();
    let sam = format!("Transform: AWS::Serverless-2016-10-31\n{OPEN_YAML}");
    let json = serde_json::to_string_pretty(&open_json()).unwrap();
    let mut plan = open_bucket("create");
    plan["resource_changes"].as_array_mut().unwrap().pop();
    let files = [
        (folder.write("plan.json", plan.to_string()), 1, 1),
        (folder.write("source/main.tf", OPEN_TF), 5, 1),
        (folder.write("template.yaml", OPEN_YAML), 6, 7),
        (folder.write("sam.yaml", sam), 7, 7),
        (folder.write("template.json", &json), 0, 0),
        (folder.write("cdk.out/Open.template.json", &json), 0, 0),
    ];
    folder.write("cdk.out/manifest.json", manifest("Open.template.json"));
    let expected = said(&report(&[&files[0].0]));
    assert_eq!(expected.len(), 1, "{expected:?}");
    for (file, line, column) in &files {
        let report = report(&[file]);
        assert_eq!(said(&report), expected, "{file}");
        let (at, at_line, at_column) = place(&report);
        assert_eq!(at, *file);
        if 0 < *line {
            assert_eq!((at_line, at_column), (*line, *column), "{file}");
        }
        assert_eq!(quell(&["gate", file]).code, Some(1), "{file}");
    }
    for named in ["source", "cdk.out", "cdk.out/manifest.json"] {
        assert_eq!(said(&report(&[&folder.path(named)])), expected, "{named}");
    }
    let cdk = report(&[&folder.path("cdk.out")]);
    assert_eq!(cdk["entries"][0]["resource"]["account"], "111122223333", "{cdk:#}");
    assert_eq!(cdk["entries"][0]["resource"]["region"], "eu-central-1");
    // All of it at once: each configuration by itself.
    let all = report(&[&folder.path("")]);
    assert_eq!(all["summary"]["violations"], files.len(), "{all:#}");
}

#[test]
fn modules_are_judged_where_they_are_called() {
    let folder = Folder::new();
    let module = OPEN_TF.replace("= false", "= var.closed");
    folder.write("modules/bucket/main.tf", format!("{VARIABLE}{module}"));
    let call = "module \"b\" {\n  source = \"../../modules/bucket\"\n  closed = false\n}\n";
    let prod = folder.write("envs/prod/main.tf", call);
    let told = report(&[&folder.path("")]);
    let (file, line, _) = place(&told);
    assert_eq!((file, line), (folder.path("modules/bucket/main.tf"), 6));
    let address = "module.b.aws_s3_bucket_public_access_block.open";
    assert_eq!(told["entries"][0]["address"], address, "{told:#}");

    // By itself, the module does not know.
    let told = report(&[&folder.path("modules/bucket")]);
    assert_eq!(told["entries"][0]["verdict"], "unknown", "{told:#}");

    // What lies out of the folder is not read, unless that is allowed.
    for named in [&prod, &folder.path("envs/prod")] {
        let ran = quell(&["gate", named]);
        assert_eq!(ran.code, Some(2), "{}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains("main.tf:1:1: module source"), "{}", ran.stderr);
        assert_eq!(quell(&["gate", named, "--root", &folder.path("")]).code, Some(1));
    }
    let ran = quell(&["gate", &prod, "--root", &folder.path("modules")]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("leads out of"), "{}", ran.stderr);
}

#[test]
fn what_is_given_decides() {
    let folder = Folder::new();
    let source = OPEN_TF.replace("= false", "= var.closed");
    let source = folder.write("a/main.tf", format!("{VARIABLE}{source}"));
    let on = folder.write("on.tfvars", "closed = true\n");
    let off = folder.write("off.tfvars.json", "{ \"closed\": false }");
    let parameter = "Parameters:\n  Closed: { Type: String }\n";
    let template = OPEN_YAML.replace(": false", ": !Ref Closed");
    let template = folder.write("template.yaml", format!("{parameter}{template}"));
    for (arguments, verdict) in [
        (source.clone(), "unknown"),
        (format!("{source} --var closed=true"), ""),
        (format!("{source} --var closed=false"), "violation"),
        (format!("{source} --var-file {on}"), ""),
        (format!("{source} --var-file {on} --var-file {off}"), "violation"),
        (format!("{source} --var-file {off} --var closed=true"), ""),
        (template.clone(), "unknown"),
        (format!("{template} --parameter Closed=true"), ""),
        (format!("{template} --parameter Closed=false"), "violation"),
    ] {
        let arguments: Vec<&str> = arguments.split(' ').collect();
        let report = report(&arguments);
        let entries = report["entries"].as_array().unwrap();
        // Where the block is unknown, so is what hangs on it.
        assert!(entries.iter().all(|it| it["verdict"] == verdict), "{report:#}");
        let told = entries.iter().any(|it| it["policy"] == BLOCK);
        assert_eq!(told, !verdict.is_empty(), "{report:#}");
    }
}

/// Where something is unknown, what would tell it is named.
#[test]
fn what_nobody_gave_is_named() {
    const HELP: &str = "help: not given, and unknown therefore:";
    let folder = Folder::new();
    let source = OPEN_TF.replace("= false", "= var.closed");
    let source = folder.write("a/main.tf", format!("{VARIABLE}{source}"));
    let parameter = "Parameters:\n  Closed: { Type: String }\n";
    let template = OPEN_YAML.replace(": false", ": !Ref Closed");
    let template = folder.write("template.yaml", format!("{parameter}{template}"));
    let told = |arguments: &[&str]| quell(&[&["gate"], arguments].concat()).stdout;
    let of_source = told(&[&source]);
    assert!(of_source.ends_with(&format!("{HELP} --region, --var closed\n")), "{of_source}");
    let of_template = told(&[&template, "--region", "eu-central-1"]);
    assert!(of_template.ends_with(&format!("{HELP} --parameter Closed\n")), "{of_template}");
    // Nothing is unknown any more.
    assert!(!told(&[&source, "--var", "closed=false"]).contains(HELP));
}

/// A value whose name is misspelled would leave what it should decide to a default.
#[test]
fn what_nothing_takes_is_refused() {
    let folder = Folder::new();
    let source = folder.write("a/main.tf", format!("{VARIABLE}{OPEN_TF}"));
    let parameter = "Parameters:\n  Closed: { Type: String }\n";
    let template = folder.write("template.yaml", format!("{parameter}{OPEN_YAML}"));
    for (arguments, said) in [
        (format!("{source} --var close=true"), "variable `close`"),
        (format!("{template} --var closed=true"), "variable `closed`"),
        (format!("{template} --parameter Close=true"), "parameter `Close`"),
        (format!("{source} --parameter Closed=true"), "parameter `Closed`"),
        (format!("{source} --account 1"), "twelve digits"),
    ] {
        let arguments: Vec<&str> = ["gate"].into_iter().chain(arguments.split(' ')).collect();
        let ran = quell(&arguments);
        assert_eq!(ran.code, Some(2), "{arguments:?}: {}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains(said), "{arguments:?}: {}", ran.stderr);
    }
    // Of several, one that takes it is enough.
    let both = ["gate", &source, &template, "--var", "closed=true", "--parameter", "Closed=true"];
    assert_eq!(quell(&both).code, Some(1));
}

/// What may not be there protects nothing.
#[test]
fn an_unknown_number_of_instances_is_no_protection() {
    let folder = Folder::new();
    let account = r#"variable "n" { type = number }
resource "aws_s3_account_public_access_block" "a" {
  count                   = var.n
  block_public_acls       = true
  ignore_public_acls      = true
  block_public_policy     = true
  restrict_public_buckets = true
}
"#;
    let file = folder.write("main.tf", format!("{OPEN_TF}{account}"));
    let of_bucket = |report: &Value| -> Vec<(String, String)> {
        let entries = report["entries"].as_array().unwrap().iter();
        let of_bucket = entries.filter(|it| it["resource"]["type"] == "AWS::S3::Bucket");
        let text = |it: &Value, key: &str| it[key].as_str().unwrap().to_owned();
        of_bucket.map(|it| (text(it, "verdict"), text(it, "severity"))).collect()
    };
    let told = |verdict: &str, severity: &str| (verdict.to_owned(), severity.to_owned());
    let known = report(&[&file, "--var", "n=1"]);
    assert_eq!(of_bucket(&known), [told("violation", "low")], "{known:#}");
    let known = report(&[&file, "--var", "n=0"]);
    assert_eq!(of_bucket(&known), [told("violation", "high")], "{known:#}");
    let unknown = report(&[&file]);
    let of_bucket = of_bucket(&unknown);
    assert!(of_bucket.contains(&told("unknown", "high")), "{unknown:#}");
    assert!(of_bucket.contains(&told("violation", "low")), "{unknown:#}");
    assert_eq!(quell(&["gate", &file, "--unknown", "fail"]).code, Some(1));
}

/// What could not be understood is told; it is unknown where no verdict would tell.
#[test]
fn what_is_not_understood_is_told() {
    let folder = Folder::new();
    let intrinsic = OPEN_YAML.replace(": false", ": !Join x");
    let elsewhere = "module \"m\" {\n  source = \"terraform-aws-modules/vpc/aws\"\n}\n";
    let transform = "Transform: Company::Macro\nResources:\n  A: { Type: AWS::S3::Bucket }\n";
    let nested = "Resources:\n  A:\n    Type: AWS::CloudFormation::Stack\n    Properties:\n      \
                  TemplateURL: https://example.com/t.yaml\n";
    let function = "Resources:\n  A:\n    Type: AWS::Lambda::Function\n    Properties:\n      \
                    MemorySize: !Join x\n";
    let stack = "resource \"aws_cloudformation_stack\" \"s\" {\n  name = \"s\"\n}\n";
    for (file, text, told, fails) in [
        ("stack/main.tf", stack, "aws_cloudformation_stack.s", true),
        ("intrinsic.yaml", intrinsic.as_str(), "Fn::Join", true),
        ("main.tf", elsewhere, "module.m", true),
        ("transform.yaml", transform, "Company::Macro", true),
        ("nested.yaml", nested, "nested stack", true),
        ("set.yaml", &nested.replace("Stack\n", "StackSet\n"), "set of stacks", true),
        ("function.yaml", function, "Fn::Join", false),
    ] {
        let file = folder.write(file, text);
        let ran = quell(&["gate", &file]);
        assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
        assert!(ran.stdout.contains(told), "{file}: {}", ran.stdout);
        let ran = quell(&["gate", &file, "--unknown", "fail"]);
        assert_eq!(ran.code, Some(i32::from(fails)), "{file}: {}{}", ran.stdout, ran.stderr);
    }
}
