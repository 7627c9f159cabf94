//! `quell findings handoff`: from what was healed to the code that declares it.

use crate::{Folder, quell};
use serde_json::{Value, json};

const SOURCE: &str = r#"resource "aws_cloudtrail" "audit" {
  name           = "audit"
  s3_bucket_name = "logs"
  enable_logging = false
}

resource "aws_iam_role" "ci" {
  name               = "ci-runner"
  assume_role_policy = "{}"
}

resource "aws_iam_role_policy_attachment" "admin" {
  role       = aws_iam_role.ci.name
  policy_arn = "arn:aws:iam::aws:policy/AdministratorAccess"
}
"#;

/// What the demo's account was made from, but for an account of the role.
fn state(account: &str) -> Value {
    let resource = |kind: &str, name: &str, attributes: Value| {
        json!({ "mode": "managed", "type": kind, "name": name, "provider": "aws",
            "instances": [{ "schema_version": 0, "attributes": attributes }] })
    };
    let mut block = resource(
        "aws_s3_bucket_public_access_block",
        "b",
        json!({ "bucket": "acme-invoices", "block_public_acls": true, "ignore_public_acls": true,
            "block_public_policy": true, "restrict_public_buckets": true }),
    );
    block["module"] = json!("module.data");
    block["instances"][0]["index_key"] = json!("eu");
    let role = json!({ "name": "ci-runner", "id": "ci-runner",
        "arn": format!("arn:aws:iam::{account}:role/ci-runner") });
    let attachment = json!({ "role": "ci-runner",
        "policy_arn": "arn:aws:iam::aws:policy/AdministratorAccess" });
    let trail = json!({ "name": "audit", "enable_logging": true, "s3_bucket_name": "logs",
        "arn": "arn:aws:cloudtrail:us-east-1:111122223333:trail/audit" });
    json!({ "version": 4, "terraform_version": "1.9.0", "serial": 1, "lineage": "x",
        "outputs": { "password": { "value": "hunter2", "type": "string" } },
        "resources": [
            block,
            resource("aws_iam_role", "ci", role),
            resource("aws_iam_role_policy_attachment", "admin", attachment),
            resource("aws_cloudtrail", "audit", trail),
        ] })
}

/// The declarations of the finding of a policy on a resource.
fn declarations(lines: &str, policy: &str, id: &str) -> Vec<Value> {
    let mut handoffs = lines.lines().map(|it| serde_json::from_str::<Value>(it).unwrap());
    let is_it = |it: &Value| {
        let found = it["resource"]["id"].as_str().unwrap();
        it["policy"] == policy && (found == id || found.ends_with(&format!("/{id}")))
    };
    let found = handoffs.find(is_it).unwrap_or_else(|| panic!("{policy} {id}: {lines}"));
    found["declarations"].as_array().unwrap().clone()
}

#[test]
fn a_fix_is_handed_over_to_its_declaration() {
    let folder = Folder::new();
    let data = folder.path("data");
    assert_eq!(quell(&["demo", "--fast", "--data-dir", &data]).code, Some(0));
    let kept = folder.write("prod.tfstate", state("111122223333").to_string());
    folder.write("infra/main.tf", SOURCE);
    let infra = folder.path("infra");
    let handoff = |state: &str, more: &[&str]| {
        let words = ["findings", "handoff", "--data-dir", &data, "--terraform-state", state];
        let ran = quell(&[&words[..], more].concat());
        assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
        assert!(!ran.stdout.contains("hunter2"));
        ran.stdout
    };
    let told = handoff(&kept, &["--source", &infra, "--format", "json"]);
    let attached = "aws.iam.admin_policy_attached";
    for (policy, id, address, line) in [
        ("aws.cloudtrail.trail_stopped", "audit", "aws_cloudtrail.audit", Some(4)),
        (attached, "ci-runner", "aws_iam_role_policy_attachment.admin", Some(14)),
        (
            "aws.s3.bucket_public_block",
            "acme-invoices",
            "module.data.aws_s3_bucket_public_access_block.b[\"eu\"]",
            None,
        ),
    ] {
        let found = declarations(&told, policy, id);
        assert_eq!(found.len(), 1, "{found:#?}");
        assert_eq!(found[0]["address"], address);
        assert_eq!(found[0]["place"]["line"].as_u64(), line, "{found:#?}");
        // What is not in the source has no patch there.
        assert_eq!(found[0]["patch"].is_string(), line.is_some(), "{found:#?}");
        assert_eq!(found[0]["note"].is_string(), line.is_none(), "{found:#?}");
    }
    let text = handoff(&kept, &["--source", &infra]);
    assert!(text.contains("    -  enable_logging = false\n"), "{text}");
    assert!(text.contains("  not declared in this state\n"), "{text}");
    // A role of that name in another account is another role.
    let other = folder.write("other.tfstate", state("444455556666").to_string());
    let told = handoff(&other, &["--format", "json"]);
    assert_eq!(declarations(&told, attached, "ci-runner"), Vec::<Value>::new());
}

#[test]
fn what_is_no_state_is_refused_without_a_value_of_it() {
    let folder = Folder::new();
    let data = folder.path("data");
    assert_eq!(quell(&["demo", "--fast", "--data-dir", &data]).code, Some(0));
    let secret = "hunter2";
    for (state, why) in [
        (json!({ "version": 3, "modules": [secret] }), "format version 3"),
        (json!({ "version": 4, "resources": secret }), "form"),
        (
            json!({ "version": 4, "encrypted_data": secret, "encryption_version": "v0" }),
            "encrypted",
        ),
        (json!({ "lineage": secret }), "no `version`"),
        (json!(secret), "form"),
    ] {
        let path = folder.write("state", state.to_string());
        let ran = quell(&["findings", "handoff", "--data-dir", &data, "--terraform-state", &path]);
        assert_eq!(ran.code, Some(2), "{}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains(why) && !ran.stderr.contains(secret), "{}", ran.stderr);
    }
}
