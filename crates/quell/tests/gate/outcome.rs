//! How the gate ends.

use crate::{ADMIN_PORT, BLOCK, Folder, open_bucket, quell, report};
use serde_json::{Value, json};

#[test]
fn exit_codes_are_as_documented() {
    let folder = Folder::new();
    let open = folder.write("open.json", open_bucket("create").to_string());
    let ran = quell(&["gate", &open]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.stdout, ran.stderr);
    for told in [
        format!("violation[high] {BLOCK}: "),
        format!("--> {open}:1:1"),
        "block.open: BlockPublicPolicy, RestrictPublicBuckets off".to_owned(),
        format!("] {ADMIN_PORT}: not known whether: "),
    ] {
        assert!(ran.stdout.contains(&told), "{told}: {}", ran.stdout);
    }
    assert_eq!(quell(&["gate", &open, "--fail-on", "critical"]).code, Some(0));
    let unknown = ["gate", &open, "--policies", ADMIN_PORT];
    assert_eq!(quell(&unknown).code, Some(0));
    assert_eq!(quell(&[&unknown[..], &["--unknown", "fail"]].concat()).code, Some(1));
    let report = report(&[&open]);
    assert_eq!(report["summary"]["resources"], 2);
    assert_eq!(report["summary"]["violations"], 1, "{report:#}");
    let mut policies = report["policies"].as_array().unwrap().iter();
    let policy = policies.find(|it| it["id"] == BLOCK).unwrap();
    assert_eq!(policy["controls"]["security_hub"][0], "S3.8");
    assert!(policy["link"].as_str().unwrap().ends_with("#awss3bucket_public_block"));

    // What stays as it is fails only where that is asked for.
    let mut kept = open_bucket("no-op");
    for it in kept["resource_changes"].as_array_mut().unwrap() {
        it["change"]["actions"] = json!(["no-op"]);
    }
    let kept = folder.write("kept.json", kept.to_string());
    assert_eq!(quell(&["gate", &kept]).code, Some(0));
    assert_eq!(quell(&["gate", &kept, "--all"]).code, Some(1));
}

/// What a policy reads must be declared, where it says so.
#[test]
fn a_policy_may_take_no_default() {
    let folder = Folder::new();
    folder.write(
        "acme/s3/block/policy.yaml",
        "id: acme.s3.block\ntitle: t\ndescription: d\nseverity: high\nresource: AWS::S3::Bucket\n\
         reads: [PublicAccessBlockConfiguration]\nrequire_explicit: true\n\
         trigger: { source: [aws.s3] }\n",
    );
    let rego = "package quell.acme.s3.block\n\n\
                deny contains {\"element\": \"x\", \"reason\": \"x\"} if false\n";
    folder.write("acme/s3/block/policy.rego", rego);
    let mut plan = open_bucket("create");
    let changes = plan["resource_changes"].as_array_mut().unwrap();
    let declared = changes.clone();
    changes.retain(|it| it["type"] == "aws_s3_bucket");
    let gate = |plan: &Value| {
        let path = folder.write("plan.json", plan.to_string());
        let policies = folder.path("acme");
        let ids = ["--policies", &policies, "--policies", "acme.s3.block"];
        quell(&[&["gate", path.as_str()][..], &ids].concat())
    };
    let ran = gate(&plan);
    assert_eq!(ran.code, Some(1), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("is not declared"), "{}", ran.stdout);
    plan["resource_changes"] = json!(declared);
    assert_eq!(gate(&plan).code, Some(0));
}
