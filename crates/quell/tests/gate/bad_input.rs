//! Bad and hostile input is refused with its place, by exit code 2, in little memory and time.
//!
//! Each run has its limits from the operating system: whoever takes more is killed, and has no exit
//! code.

use crate::{Folder, OPEN_TF, OPEN_YAML, open_bucket, open_json};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::process::{Command, Stdio};
use testkit::{Quell, Ran};

/// The most that a refusal may take of the address space, the binary itself included, in KiB.
const ADDRESS_SPACE_MAX_KIB: u32 = 512 * 1024;
/// The longest that a refusal may take, in seconds of all processors together.
const PROCESSOR_MAX_S: u32 = 60;
/// A plan that is larger than any that is read, in bytes.
const TOO_LARGE_BYTES: u64 = 200 * 1024 * 1024;
/// How many resources make a plan of about 60 MB.
const MANY_RESOURCES: usize = 30_000;

/// Runs the gate within the limits. One arena: each reserves address space that it does not use.
fn gate(arguments: &[&str], input: Stdio) -> Ran {
    let quell = Quell::new(env!("CARGO_BIN_EXE_quell")).variable("MALLOC_ARENA_MAX", "1");
    let command = quell.command(&[&["gate"][..], arguments].concat());
    let limits = format!("ulimit -v {ADDRESS_SPACE_MAX_KIB} && ulimit -t {PROCESSOR_MAX_S}");
    let output = Command::new("/bin/sh")
        .args(["-c", &format!("{limits} && exec \"$0\" \"$@\"")])
        .arg(command.get_program())
        .args(command.get_args())
        .env_clear()
        .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .stdin(input)
        .output()
        .unwrap();
    Ran {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// It is refused, with these words and nothing else.
fn refused(arguments: &[&str], said: &str) {
    let ran = gate(arguments, Stdio::null());
    assert_refused(&ran, &format!("{arguments:?}"), said);
}

fn assert_refused(ran: &Ran, what: &str, said: &str) {
    assert_eq!(ran.code, Some(2), "{what}: {}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains(said), "{what}: no `{said}` in {}", ran.stderr);
    assert_eq!(ran.stdout, "", "{what}");
}

/// The limits are real: what asks for more does not end well.
#[test]
fn the_limits_hold() {
    let folder = Folder::new();
    let path = folder.write("plan.json", open_bucket("create").to_string());
    let ran = gate(&[&path], Stdio::null());
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let kept = format!("ulimit -v {ADDRESS_SPACE_MAX_KIB} && head -c 1G /dev/zero | tail");
    let output = Command::new("/bin/sh").args(["-c", &kept]).output().unwrap();
    assert!(!output.status.success(), "a gigabyte was kept within the limit");
}

#[test]
fn a_plan_that_is_cut_off_is_told_with_the_place_of_its_end() {
    let folder = Folder::new();
    let plan = serde_json::to_string_pretty(&open_bucket("create")).unwrap();
    let middle = plan.find("\"resource_changes\"").unwrap() + 200;
    for end in [plan.len() - 1, plan.len() / 2, middle] {
        let cut = plan.get(..end).unwrap();
        let path = folder.write("cut.json", cut);
        let line = cut.matches('\n').count() + 1;
        refused(&[&path], &format!("cut.json:{line}:"));
        refused(&[&path], "is cut off: ");
    }
    let path = folder.path("many.json");
    let bytes = write_plan(&path, MANY_RESOURCES);
    let file = File::options().write(true).open(&path).unwrap();
    file.set_len(bytes / 10 * 9).unwrap();
    refused(&[&path], "is cut off: ");
}

/// Writes a plan of so many buckets, of two kB each; its length in bytes.
fn write_plan(path: &str, resources: usize) -> u64 {
    let mut out = io::BufWriter::new(File::create(path).unwrap());
    let tag = "x".repeat(1_800);
    out.write_all(br#"{"format_version":"1.2","planned_values":{},"resource_changes":["#).unwrap();
    for number in 0..resources {
        let change = json!({ "address": format!("aws_s3_bucket.b{number}"), "mode": "managed",
            "type": "aws_s3_bucket", "change": { "actions": ["create"], "before": null,
            "after": { "bucket": format!("b{number}"), "tags": { "a": tag } },
            "after_unknown": { "arn": true, "tags": {} } } });
        let comma = if number == 0 { "" } else { "," };
        write!(out, "{comma}{change}").unwrap();
    }
    out.write_all(b"]}").unwrap();
    out.flush().unwrap();
    drop(out);
    fs::metadata(path).unwrap().len()
}

#[test]
fn what_is_too_large_is_not_read() {
    let folder = Folder::new();
    let plan = folder.path("large.json");
    File::create(&plan).unwrap().set_len(TOO_LARGE_BYTES).unwrap();
    refused(&[&plan], &format!("`{plan}` is larger than 134217728 bytes"));
    refused(&[&folder.path("")], "is larger than 134217728 bytes");
    let ran = gate(&["-"], Stdio::from(File::open(&plan).unwrap()));
    assert_refused(&ran, "standard input", "`-` is larger than 134217728 bytes");

    let source = folder.write("source/main.tf", "#".repeat((4 << 20) + 1));
    refused(&[&folder.path("source")], &format!("`{source}` is larger than 4194304 bytes"));
    let padding = "a".repeat(2 << 20);
    let text = format!("Resources:\n  A: {{ Type: AWS::S3::Bucket }}\nDescription: {padding}\n");
    let template = folder.write("large.yaml", text);
    let said = format!("{template}:1:1: a template has at most 2097152 bytes");
    refused(&[&template], &said);
}

/// Eight bytes become an object of several hundred: such a plan is refused by what it would take.
#[test]
fn a_plan_of_too_many_values_is_refused() {
    let folder = Folder::new();
    for value in ["{\"a\":0},", "{\"a\":{\"a\":[]}},", "[],"] {
        let values = value.repeat((64 << 20) / value.len());
        let path = folder.write(
            "values.json",
            format!(
                "{{\"format_version\":\"1.2\",\"resource_changes\":[{{\"address\":\"a.b\",\
                 \"type\":\"a\",\"change\":{{\"actions\":[\"create\"],\"after\":{{\"a\":\
                 [{values}0]}}}}}}]}}"
            ),
        );
        let said = format!("{path}: has so many values that they take more than 2147483648 bytes");
        refused(&[&path], &said);
    }
}

#[test]
fn a_newer_format_is_told() {
    let folder = Folder::new();
    for version in ["2.0", "10.1", "2"] {
        let mut plan = open_bucket("create");
        plan["format_version"] = json!(version);
        let path = folder.write("new.json", plan.to_string());
        let said = format!("{path}: format version `{version}` is newer than `1.x`");
        refused(&[&path], &said);
    }
    // Terraform may add to its format within a major version.
    let mut plan = open_bucket("create");
    plan["format_version"] = json!("1.99");
    let ran = gate(&[&folder.write("newer.json", plan.to_string())], Stdio::null());
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
}

#[test]
fn faulty_source_is_told_with_line_and_column() {
    let folder = Folder::new();
    for (name, text, at) in [
        ("list/main.tf", "locals {\n  a = [1\n}\n", "3:1"),
        ("block/main.tf", "resource \"a\" \"b\" {\n  c = 1\n", "2:8"),
        ("value/main.tf", "# ä\nresource \"a\" \"b\" {\n  c = \n}\n", "3:7"),
        ("json/main.tf.json", "{\n  \"locals\": {\n    \"a\": [1,,2]\n  }\n}\n", "3:13"),
        ("called/m/main.tf", "\n\n  a = = 1\n", "3:7"),
    ] {
        let path = folder.write(name, text);
        let (top, _) = name.split_once('/').unwrap();
        if name.starts_with("called/") {
            folder.write("called/main.tf", "module \"m\" {\n  source = \"./m\"\n}\n");
        }
        refused(&[&folder.path(top)], &format!("{path}:{at}: "));
        refused(&[&path], &format!("{path}:{at}: "));
    }
    folder.write("variables/main.tf", "variable \"a\" {}\n");
    let path = folder.write("variables/terraform.tfvars", "a = [1\n");
    refused(&[&folder.path("variables")], &format!("{path}:1:7: "));
}

#[test]
fn a_template_that_is_cut_off_is_told_with_its_place() {
    let folder = Folder::new();
    let json = serde_json::to_string_pretty(&open_json()).unwrap();
    for cut in [1, 3, 5] {
        let path = folder.write("cut.json", json.get(..json.len() - cut).unwrap());
        refused(&[&path], &format!("{path}:"));
        refused(&[&path], "unclosed bracket '{'");
    }
    let text = format!("{OPEN_YAML}      Tags: [{{ Key: \"x");
    let path = folder.write("cut.yaml", &text);
    let line = text.lines().count();
    refused(&[&path], &format!("{path}:{line}:21: unclosed quote"));
}

#[test]
fn modules_in_a_circle_are_told() {
    let folder = Folder::new();
    let call = |source: &str| format!("module \"m\" {{\n  source = \"{source}\"\n}}\n");
    let itself = folder.write("itself/main.tf", call("./"));
    folder.write("two/main.tf", call("./a"));
    folder.write("two/a/main.tf", call("../b"));
    let back = folder.write("two/b/main.tf", format!("\n{}", call("../a")));
    folder.write("three/main.tf", call("./a/b/.."));
    let up = folder.write("three/a/main.tf", call("../../three"));
    for (top, said) in [
        ("itself", format!("{itself}:1:1: modules call themselves")),
        ("two", format!("{back}:2:1: modules call themselves: `a` → `b` → `a`")),
        ("three", format!("{up}:1:1: module source `../../three` leaves the folder")),
    ] {
        refused(&[&folder.path(top)], &said);
    }
    // No circle, but each calls a hundred of the next.
    for (at, name) in ["main.tf", "m/main.tf", "m/m/main.tf", "m/m/m/main.tf"].iter().enumerate() {
        let text = if at == 3 { OPEN_TF.to_owned() } else { many(&call("./m")) };
        folder.write(&format!("many/{name}"), text);
    }
    refused(&[&folder.path("many")], "many: calls more than 4096 modules");
}

/// A module's call, made a hundred times.
fn many(call: &str) -> String {
    call.replace("}\n", "  count = 100\n}\n")
}

#[test]
fn module_sources_lead_to_nothing_outside() {
    let folder = Folder::new();
    let secret = "resource \"aws_s3_bucket\" \"secret\" {\n  bucket = \"hunter2\"\n  a = [\n}\n";
    folder.write("secret/main.tf", secret);
    let outside = folder.path("secret");
    let sources = ["../secret", "./../secret", "./a/../../secret", "./a/b/../../../secret"];
    for source in sources.into_iter().chain([outside.as_str(), "/etc", "../../../../../../etc"]) {
        let text = format!("\nmodule \"m\" {{\n  source = \"{source}\"\n}}\n");
        let path = folder.write("inside/main.tf", text);
        let said = format!("{path}:2:1: module source `{source}` leaves the folder");
        refused(&[&folder.path("inside")], &said);
        let ran = gate(&[&path], Stdio::null());
        assert!(!ran.stderr.contains("hunter2") && !ran.stdout.contains("hunter2"), "{source}");
    }
    // What may be read is widened to a root, and no further.
    let path = folder.write("root/a/main.tf", "module \"m\" {\n  source = \"../b\"\n}\n");
    folder.write("root/b/main.tf", "module \"m\" {\n  source = \"../../secret\"\n}\n");
    refused(&[&path], "module source `../b` leaves the folder");
    let inner = folder.path("root/b/main.tf");
    let said = format!("{inner}:1:1: module source `../../secret` leaves the folder");
    refused(&[&path, "--root", &folder.path("root")], &said);
    // A module from elsewhere is not looked for below the folder either.
    let far = "module \"m\" {\n  source = \"git::https://example.com/../../secret\"\n}\n";
    let ran = gate(&[&folder.write("far/main.tf", far), "--unknown", "fail"], Stdio::null());
    assert_eq!(ran.code, Some(1), "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn functions_that_are_not_known_are_refused() {
    let folder = Folder::new();
    let yaml = "Resources:\n  A:\n    Type: AWS::S3::Bucket\n    Properties:\n      BucketName: \
                !Frobnicate [a]\n";
    let template = folder.write("a.yaml", yaml);
    let said = format!("{template}:5:19: `Fn::Frobnicate` is no function that is known here");
    refused(&[&template], &said);
    let sam = format!("Transform: AWS::Serverless-2016-10-31\n{yaml}");
    refused(&[&folder.write("sam.yaml", sam)], "sam.yaml:6:19: `Fn::Frobnicate` is no function");
    let block = json!({ "Fn::Frobnicate": ["a"] });
    let json = json!({ "Resources": { "A": { "Type": "AWS::S3::Bucket",
        "Properties": { "PublicAccessBlockConfiguration": block } } } });
    refused(&[&folder.write("a.json", json.to_string())], "`Fn::Frobnicate` is no function");
    let manifest = json!({ "version": "36.0.0", "artifacts": { "A": {
        "type": "aws:cloudformation:stack", "properties": { "templateFile": "A.json" } } } });
    folder.write("cdk.out/manifest.json", manifest.to_string());
    folder.write("cdk.out/A.json", json.to_string());
    refused(&[&folder.path("cdk.out")], "A.json:1:");
    // A macro may know it: then nobody knows what it makes, and that is told.
    let macros = folder.write("macro.yaml", format!("Transform: My::Macro\n{yaml}"));
    let ran = gate(&[&macros, "--unknown", "fail"], Stdio::null());
    assert_eq!(ran.code, Some(1), "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn bombs_are_refused_where_they_go_off() {
    let folder = Folder::new();
    let bucket = "Resources:\n  A: { Type: AWS::S3::Bucket }\n";
    let mut lists = format!("{bucket}a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    let mut merged = format!("{bucket}a0: &a0 {{ k: v }}\n");
    for level in 1..40 {
        let below = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(lists, "a{level}: &a{level} [{below}]").unwrap();
        writeln!(merged, "a{level}: &a{level}\n  <<: [{below}]\n  k{level}: v").unwrap();
    }
    let (long, aliases) = ("x".repeat(1_000), vec!["*a"; 400_000].join(", "));
    let texts = format!("{bucket}a: &a {long}\nb: [{aliases}]\n");
    let bombs = [("lists.yaml", lists, 8), ("merged.yaml", merged, 17), ("texts.yaml", texts, 4)];
    for (name, text, line) in bombs {
        let path = folder.write(name, text);
        refused(&[&path], &format!("{path}:{line}:"));
        refused(&[&path], "the template counts more than 16777216 bytes here with its aliases");
    }
    // Nesting that would end a stack.
    let lists = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let properties = format!("{{ Type: AWS::S3::Bucket, Properties: {{ V: {lists} }} }}");
    let deep = folder.write("deep.yaml", format!("Resources:\n  A: {properties}\n"));
    refused(&[&deep], "the template is nested more than 100 levels");
    let objects = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    let mut plan = open_bucket("create");
    plan["resource_changes"][0]["change"]["after"] = json!("DEEP");
    let plan = plan.to_string().replace("\"DEEP\"", &objects);
    refused(&[&folder.write("deep.json", plan)], "recursion limit exceeded");
    let blocks = format!("{}{}", "a {\n".repeat(5_000), "}\n".repeat(5_000));
    let source = folder.write("deep/main.tf", blocks);
    refused(&[&source], &format!("{source}:"));
}

/// Source whose values grow without end is judged: they are unknown, and that is told.
#[test]
fn values_that_grow_without_end_are_unknown() {
    let folder = Folder::new();
    let doubled: String = (1..60)
        .map(|at| format!("  l{at} = \"${{local.l{0}}}${{local.l{0}}}\"\n", at - 1))
        .collect();
    let locals = format!("locals {{\n  l0 = \"0123456789\"\n{doubled}}}\n");
    let bucket = |name: &str| format!("resource \"aws_s3_bucket\" \"b\" {{\n  {name}\n}}\n");
    for (top, text) in [
        ("doubled", format!("{locals}{}", bucket("bucket = local.l59"))),
        ("count", bucket("count = 1000000000")),
        ("steps", bucket("tags = { for a in range(9000) : a => [for b in range(9000) : a + b] }")),
    ] {
        folder.write(&format!("{top}/main.tf"), text);
        let path = folder.path(top);
        let arguments = [path.as_str(), "--unknown", "fail", "--format", "json"];
        let ran = gate(&arguments, Stdio::null());
        assert_eq!(ran.code, Some(1), "{top}: {}", ran.stderr);
        let report: Value = serde_json::from_str(&ran.stdout).unwrap();
        let entries = report["entries"].as_array().unwrap();
        assert!(entries.iter().any(|it| it["verdict"] == "unknown"), "{top}: {report:#}");
    }
}
