//! What is no infrastructure code, is broken, or leads where nothing may be read.

use crate::{Folder, OPEN_TF, open_bucket, open_json, quell};
use serde_json::json;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;

/// Aliases of aliases: small as text, and very large when they are followed.
fn bomb() -> Vec<u8> {
    let mut text =
        "Resources:\n  A: { Type: AWS::S3::Bucket }\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
            .to_owned();
    for level in 1..12 {
        let below = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(text, "a{level}: &a{level} [{below}]").unwrap();
    }
    text.into_bytes()
}

#[test]
fn faulty_files_are_told_apart_from_bad_ones() {
    let folder = Folder::new();
    let write = |name: &str, bytes: &[u8]| folder.write(name, bytes);
    let plan = serde_json::to_string_pretty(&open_bucket("create")).unwrap();
    let cut = write("cut.json", &plan.as_bytes()[..plan.len() / 2]);
    let large = folder.path("large.json");
    fs::File::create(&large).unwrap().set_len(200 * 1024 * 1024).unwrap();
    for (path, said) in [
        (cut.as_str(), "cut.json:"),
        (&write("new.json", b"{\"format_version\":\"2.0\",\"planned_values\":{}}"), "newer than"),
        (&write("plan.out", b"PK\x03\x04\x14"), "terraform show -json"),
        (&write("state.json", b"{\"format_version\":\"1.0\",\"values\":{}}"), "is a state"),
        (&write("package.json", b"{\"name\":\"x\"}"), "no infrastructure code"),
        (&write("empty.json", b""), "no infrastructure code"),
        (&large, "is larger than"),
        (&write("open.tf", b"resource \"a\" \"b\" {\n  c = [1\n}\n"), "open.tf:"),
        (&write("open.yaml", b"Resources:\n  A: { Type: AWS::S3::Bucket\n"), "open.yaml:"),
        (&write("bomb.yaml", &bomb()), "bomb.yaml:"),
        (
            &write(
                "list.yaml",
                b"Resources:\n  A: { Type: [AWS::A::B] }\n  B: { Type: AWS::A::B }",
            ),
            "list.yaml:2:",
        ),
        ("no/such/file.json", "cannot read"),
    ] {
        let ran = quell(&["gate", path]);
        assert_eq!(ran.code, Some(2), "{path}: {}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains(said), "{path}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{path}");
    }
    let ran = quell(&["gate", &folder.path("")]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    write("plans/a.json", plan.as_bytes());
    write("plans/package.json", b"{}");
    let ran = quell(&["gate", &folder.path("plans"), "--format", "json"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
}

/// Source that lies beside the many files of a program is judged where it is named.
#[test]
fn a_folder_of_too_many_files_is_not_searched() {
    let folder = Folder::new();
    let source = folder.write("main.tf", OPEN_TF);
    for number in 0..=10_000 {
        folder.write(&format!("packages/{number}"), "");
    }
    let ran = quell(&["gate", &folder.path("")]);
    assert_eq!(ran.code, Some(2), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("holds more than 10000 files"), "{}", ran.stderr);
    let ran = quell(&["gate", &source]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.stdout, ran.stderr);
}

/// A source that is broken is told with line and column, in the folder's and in the file's name.
#[test]
fn faulty_source_is_told_with_its_place() {
    let folder = Folder::new();
    let file = folder.write("a/main.tf", format!("{OPEN_TF}locals {{\n  a = [1,, 2]\n}}\n"));
    let other = folder.write("b/m/main.tf", "module \"m\" {\n  source = \"./\"\n}\n");
    for (path, place) in [
        (&file, format!("{file}:13:")),
        (&folder.path("a"), format!("{file}:13:")),
        (&other, format!("{other}:1:1: modules call themselves")),
    ] {
        let ran = quell(&["gate", path]);
        assert_eq!(ran.code, Some(2), "{}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains(&place), "{place}: {}", ran.stderr);
    }
}

#[test]
fn nothing_out_of_the_folder_is_read() {
    let folder = Folder::new();
    let secret = folder.write("secret.json", open_json().to_string());
    let manifest = |file: &str| {
        json!({ "version": "36.0.0", "artifacts": { "A": { "type": "aws:cloudformation:stack",
            "properties": { "templateFile": file } } } })
        .to_string()
    };
    folder.write("up/manifest.json", manifest("../secret.json"));
    folder.write("link/manifest.json", manifest("linked.json"));
    symlink(&secret, folder.path("link/linked.json")).unwrap();
    folder.write("absent/manifest.json", manifest("absent.json"));
    folder.write("tf/main.tf", "");
    symlink(&secret, folder.path("tf/linked.tf.json")).unwrap();
    folder.write("module/main.tf", "module \"m\" {\n  source = \"./m\"\n}\n");
    folder.write("outside/main.tf", OPEN_TF);
    symlink(folder.path("outside"), folder.path("module/m")).unwrap();
    for (path, said) in [
        ("up", "leads out of the manifest's folder"),
        ("link", "leads out of"),
        ("absent", "cannot read"),
        ("tf", "leads out of"),
        ("module", "leads out of"),
    ] {
        let ran = quell(&["gate", &folder.path(path)]);
        assert_eq!(ran.code, Some(2), "{path}: {}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains(said), "{path}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{path}");
    }
    // What a function asks for out of the folder is not known.
    let file = "resource \"aws_s3_bucket_policy\" \"p\" {\n  bucket = \"b\"\n  \
                policy = file(\"../secret.json\")\n}\n";
    let ran = quell(&["gate", &folder.write("file/main.tf", file), "--unknown", "fail"]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("is not among the files that were read"), "{}", ran.stdout);
}

/// Environments that share a file by links are each judged; source that is a link out is told.
#[test]
fn links_are_followed_within_the_folder_alone() {
    let folder = Folder::new();
    folder.write("all/shared/bucket.txt", OPEN_TF);
    folder.write("all/a/main.tf", "");
    fs::create_dir(folder.path("all/b")).unwrap();
    symlink("../shared/bucket.txt", folder.path("all/b/main.tf")).unwrap();
    let ran = quell(&["gate", &folder.path("all")]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("b/main.tf:"), "{}", ran.stdout);
    folder.write("outside/main.tf", OPEN_TF);
    fs::create_dir(folder.path("all/c")).unwrap();
    symlink(folder.path("outside/main.tf"), folder.path("all/c/main.tf")).unwrap();
    let ran = quell(&["gate", &folder.path("all")]);
    assert_eq!(ran.code, Some(2), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("leads out of"), "{}", ran.stderr);
}

#[test]
fn a_folder_that_lies_too_deep_is_told() {
    let folder = Folder::new();
    folder.write("all/main.tf", "");
    folder.write(&format!("all/{}main.tf", "d/".repeat(20)), OPEN_TF);
    let ran = quell(&["gate", &folder.path("all")]);
    assert_eq!(ran.code, Some(2), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("lies more than 16 levels deep"), "{}", ran.stderr);
}
