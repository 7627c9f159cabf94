//! Users' own packages beside the policies.

use crate::{Folder, OPEN_TF, OPEN_YAML, open_bucket, quell, report};

const PACKAGE: &str = r#"package main

deny contains msg if {
    some change in input.resource_changes
    change.type == data.limits.forbidden
    msg := sprintf("%s is forbidden", [change.address])
}

warn contains {"msg": "a bucket", "name": name} if {
    some name, resource in input.Resources
    resource.Type == "AWS::S3::Bucket"
}
"#;

#[test]
fn packages_of_conftest_judge_the_raw_documents() {
    let folder = Folder::new();
    let plan = folder.write("plan.json", open_bucket("create").to_string());
    folder.write("policy/main.rego", PACKAGE);
    folder.write("policy/main_test.rego", "package main\n\nthis is no rego");
    folder.write("policy/limits/data.yaml", "forbidden: aws_security_group\n");
    let rego = folder.path("policy");
    // None of our own policies.
    let only = ["--policies", "aws.cloudtrail.trail_stopped", "--rego", &rego];
    let told = report(&[&[plan.as_str()][..], &only].concat());
    assert_eq!(told["summary"]["violations"], 1, "{told:#}");
    let entry = &told["entries"][0];
    assert_eq!(entry["policy"], "rego.main.deny");
    assert_eq!(entry["reason"], "aws_security_group.web is forbidden");
    assert_eq!(entry["place"]["file"], plan);
    assert_eq!(quell(&[&["gate", &plan][..], &only].concat()).code, Some(1));
    assert_eq!(quell(&["gate", &plan, "--rego", &rego, "--fail-on", "critical"]).code, Some(0));

    // A template in YAML is the document that it would be in JSON; a warning does not fail.
    let template = folder.write("template.yaml", OPEN_YAML);
    let told = report(&[&[template.as_str()][..], &only].concat());
    assert_eq!(told["entries"][0]["policy"], "rego.main.warn", "{told:#}");
    assert_eq!(told["entries"][0]["evidence"]["name"], "Open");
    assert_eq!(quell(&[&["gate", &template][..], &only].concat()).code, Some(0));

    // What it cannot judge, or cannot be judged, is no pass.
    let source = folder.write("tf/main.tf", OPEN_TF);
    let ran = quell(&[&["gate", &source][..], &only].concat());
    assert_eq!(ran.code, Some(2), "{}", ran.stdout);
    folder.write("policy/main.rego", "package main\n\ndeny if input.resource_changes\n");
    let ran = quell(&[&["gate", &plan][..], &only].concat());
    assert_eq!(ran.code, Some(3), "{}{}", ran.stdout, ran.stderr);
    for (text, said) in [
        ("package main\n\ndeny contains msg if {", "main.rego"),
        ("package main\n\nallow := true\n", "holds no rule"),
    ] {
        folder.write("policy/main.rego", text);
        let ran = quell(&[&["gate", &plan][..], &only].concat());
        assert_eq!(ran.code, Some(2), "{}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains(said), "{}", ran.stderr);
    }
}
