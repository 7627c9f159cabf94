//! `--diff`: a patch is applied, and the gate judges again.

use crate::{Folder, OPEN_TF, OPEN_YAML, open_bucket, open_json, quell, report};
use quell_core::report::patch::replacements;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;

/// A rule that lets the world in, as a declaration of its own.
const RULE_TF: &str = r#"resource "aws_security_group" "web" {
  name = "web"
}

resource "aws_vpc_security_group_ingress_rule" "ssh" {
  security_group_id = aws_security_group.web.id
  ip_protocol       = "tcp"
  from_port         = 22
  to_port           = 22
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_vpc_security_group_ingress_rule" "https" {
  security_group_id = aws_security_group.web.id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = "0.0.0.0/0"
}
"#;

/// Rules in the group: one of which a source goes, one that goes, and one that stays.
const GROUP_TF: &str = r#"resource "aws_security_group" "web" {
  name = "web"

  # The office, and by mistake everybody.
  ingress {
    from_port   = 22
    to_port     = 22
    protocol    = "tcp"
    cidr_blocks = ["203.0.113.0/24", "0.0.0.0/0", "198.51.100.0/24"]
  }

  ingress {
    from_port        = 3389
    to_port          = 3389
    protocol         = "tcp"
    ipv6_cidr_blocks = ["::/0"]
  }

  ingress {
    from_port   = 443
    to_port     = 443
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"] # everybody may
  }
}
"#;

const GROUP_YAML: &str = "Resources:
  Web:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupDescription: web
      SecurityGroupIngress:
        # Everybody may.
        - IpProtocol: tcp
          FromPort: 443
          ToPort: 443
          CidrIp: 0.0.0.0/0
        - IpProtocol: tcp
          FromPort: 5432
          ToPort: 5432
          CidrIp: 0.0.0.0/0
        - { IpProtocol: tcp, FromPort: 22, ToPort: 22, CidrIpv6: \"::/0\" }
      VpcId: vpc-1
";

/// Nothing of the group is left where its only rule goes.
const ONLY_YAML: &str = "Resources:
  Web:
    Type: AWS::EC2::SecurityGroup
    Properties:
      SecurityGroupIngress:
      - IpProtocol: tcp
        FromPort: 22
        ToPort: 22
        CidrIp: 0.0.0.0/0
      GroupDescription: web
";

const ACL_TF: &str = r#"resource "aws_s3_bucket" "b" {
  bucket = "b"
}

resource "aws_s3_bucket_public_access_block" "b" {
  bucket             = aws_s3_bucket.b.id
  block_public_acls  = false # for a moment
  ignore_public_acls = "false"
}

resource "aws_s3_bucket_ownership_controls" "b" {
  bucket = aws_s3_bucket.b.id
  rule {
    object_ownership = "ObjectWriter"
  }
}

resource "aws_s3_bucket_acl" "b" {
  bucket = aws_s3_bucket.b.id
  acl    = "public-read-write"
}
"#;

const ACL_YAML: &str = "Resources:
  B:
    Type: AWS::S3::Bucket
    Properties:
      AccessControl: PublicRead # everybody
      OwnershipControls: { Rules: [{ ObjectOwnership: ObjectWriter }] }
      PublicAccessBlockConfiguration: { BlockPublicAcls: false, IgnorePublicAcls: 'false' }
";

const ACCOUNT_TF: &str = r#"resource "aws_s3_account_public_access_block" "a" {
  block_public_acls   = true
  block_public_policy = false
}

resource "aws_s3_bucket" "b" {
  bucket = "b"
}
"#;

const TRAIL_TF: &str = r#"resource "aws_cloudtrail" "t" {
  name                       = "t"
  s3_bucket_name             = "logs"
  enable_logging             = false
  enable_log_file_validation = false
}
"#;

const TRAIL_YAML: &str = "Resources:
  Trail:
    Type: AWS::CloudTrail::Trail
    Properties:
      TrailName: t
      S3BucketName: logs
      IsLogging: false
      IncludeGlobalServiceEvents: \"false\"
";

const TRAIL_JSON: &str = r#"{
  "Resources": {
    "Trail": {
      "Type": "AWS::CloudTrail::Trail",
      "Properties": {
        "TrailName": "t",
        "S3BucketName": "logs",
        "IsMultiRegionTrail": false,
        "IsLogging": "false"
      }
    }
  }
}
"#;

const ROLE_TF: &str = r#"resource "aws_iam_role" "r" {
  name               = "r"
  assume_role_policy = "{}"
}

resource "aws_iam_role_policy_attachment" "admin" {
  role       = aws_iam_role.r.name
  policy_arn = "arn:aws:iam::aws:policy/AdministratorAccess"
}

resource "aws_iam_role_policy_attachment" "reader" {
  role       = aws_iam_role.r.name
  policy_arn = "arn:aws:iam::aws:policy/ReadOnlyAccess"
}
"#;

const ROLE_YAML: &str = "Resources:
  R:
    Type: AWS::IAM::Role
    Properties:
      RoleName: r
      AssumeRolePolicyDocument: {}
      ManagedPolicyArns:
        - arn:aws:iam::aws:policy/AdministratorAccess
        - arn:aws:iam::aws:policy/ReadOnlyAccess
";

/// The policies of which some violation has a patch.
const WITH_PATCHES: [&str; 8] = [
    "aws.cloudtrail.trail_stopped",
    "aws.cloudtrail.trail_weakened",
    "aws.ec2.admin_port_open",
    "aws.ec2.high_risk_port_open",
    "aws.iam.admin_policy_attached",
    "aws.s3.account_public_block",
    "aws.s3.acl_public_grant",
    "aws.s3.bucket_public_block",
];

/// Patch by patch, until nothing is left: then the gate passes, and what was right is as it was.
#[test]
fn patches_make_the_gate_pass() {
    let json = serde_json::to_string_pretty(&open_json()).unwrap() + "\n";
    let stays = |texts: &[&str]| texts.iter().map(|it| (*it).to_owned()).collect::<Vec<String>>();
    let mut patched = BTreeSet::new();
    for (name, source, kept) in [
        ("open.tf", OPEN_TF, stays(&["bucket = \"open\"", "block_public_acls       = true\n"])),
        ("open.yaml", OPEN_YAML, stays(&["BucketName: open"])),
        ("open.json", json.as_str(), stays(&["\"BucketName\": \"open\""])),
        ("rule.tf", RULE_TF, stays(&["\"https\" {", "name = \"web\""])),
        (
            "group.tf",
            GROUP_TF,
            stays(&[
                "cidr_blocks = [\"203.0.113.0/24\", \"198.51.100.0/24\"]\n",
                "# The office, and by mistake everybody.\n  ingress {",
                "# everybody may",
            ]),
        ),
        ("group.yaml", GROUP_YAML, stays(&["# Everybody may.", "FromPort: 443", "VpcId: vpc-1"])),
        ("only.yaml", ONLY_YAML, stays(&["GroupDescription: web\n"])),
        ("acl.tf", ACL_TF, stays(&["= true # for a moment", "acl    = \"private\""])),
        ("acl.yaml", ACL_YAML, stays(&["AccessControl: Private # everybody"])),
        ("account.tf", ACCOUNT_TF, stays(&["block_public_acls   = true"])),
        ("trail.tf", TRAIL_TF, stays(&["s3_bucket_name             = \"logs\""])),
        ("trail.yaml", TRAIL_YAML, stays(&["TrailName: t"])),
        ("trail.json", TRAIL_JSON, stays(&["\"S3BucketName\": \"logs\","])),
        ("role.tf", ROLE_TF, stays(&["ReadOnlyAccess"])),
        ("role.yaml", ROLE_YAML, stays(&["ReadOnlyAccess"])),
    ] {
        let folder = Folder::new();
        let file = folder.write(name, source);
        while let Some((policy, patch)) = first_patch(&file) {
            patched.insert(policy);
            let before = fs::read_to_string(&file).unwrap();
            let after = applied(&before, &file, &patch);
            assert_ne!(before, after, "{name}: {patch}");
            fs::write(&file, after).unwrap();
        }
        let ran = quell(&["gate", &file, "--fail-on", "informational", "--diff"]);
        assert_eq!(ran.code, Some(0), "{name}: {}{}", ran.stdout, ran.stderr);
        let text = fs::read_to_string(&file).unwrap();
        for kept in kept {
            assert!(text.contains(&kept), "{name} has no `{kept}`: {text}");
        }
    }
    let patched: BTreeSet<&str> = patched.iter().map(String::as_str).collect();
    assert_eq!(patched, BTreeSet::from(WITH_PATCHES));
}

/// Where anybody but the file decides, or more would change, a sentence says so.
#[test]
fn what_is_not_mechanical_has_a_reason_and_no_patch() {
    let computed = format!(
        "locals {{\n  open = false\n}}\n{}",
        OPEN_TF.replace("policy     = false", "policy     = local.open")
    );
    let twice = OPEN_TF
        .replace("\"aws_s3_bucket\" \"open\" {", "\"aws_s3_bucket\" \"open\" {\n  count = 2")
        .replace("\"open\" {\n  bucket  ", "\"open\" {\n  count = 2\n  bucket  ")
        .replace("bucket = \"open\"", "bucket = \"open-${count.index}\"")
        .replace("aws_s3_bucket.open.id", "aws_s3_bucket.open[count.index].id");
    let named = format!(
        "{RULE_TF}output \"rule\" {{\n  value = aws_vpc_security_group_ingress_rule.ssh.id\n}}\n"
    );
    let dynamic = "resource \"aws_security_group\" \"web\" {\n  dynamic \"ingress\" {\n    \
                   for_each = [22]\n    content {\n      from_port   = ingress.value\n      \
                   to_port     = ingress.value\n      protocol    = \"tcp\"\n      \
                   cidr_blocks = [\"0.0.0.0/0\"]\n    }\n  }\n}\n";
    let plan = open_bucket("create").to_string();
    for (name, source, why) in [
        ("computed.tf", computed.as_str(), "whoever computes it decides"),
        ("twice.tf", twice.as_str(), "would change more than what is wrong"),
        ("named.tf", named.as_str(), "other code names the declaration"),
        ("dynamic.tf", dynamic, "is not certain"),
        ("plan.json", plan.as_str(), "a plan does not hold its source"),
        ("end.tf", OPEN_TF.trim_end(), "does not fit into a patch"),
    ] {
        let folder = Folder::new();
        let file = folder.write(name, source);
        let told = report(&[&file, "--diff"]);
        let violations: Vec<&Value> = violations(&told);
        assert!(!violations.is_empty(), "{name}");
        assert!(violations.iter().all(|it| it["patch"].is_null()), "{name}: {told:#}");
        let mut problems = told["problems"].as_array().unwrap().iter();
        let said = |it: &Value| {
            let text = it["text"].as_str().unwrap();
            text.starts_with("no patch for aws.") && text.contains(why)
        };
        assert!(problems.any(said), "{name}: {told:#}");
        // Who does not ask is not told.
        assert_eq!(report(&[&file])["problems"].as_array().unwrap().len(), 0, "{name}");
    }
}

fn violations(report: &Value) -> Vec<&Value> {
    let entries = report["entries"].as_array().unwrap().iter();
    entries.filter(|it| it["verdict"] == "violation").collect()
}

/// The policy and the patch of the first violation that has one.
fn first_patch(file: &str) -> Option<(String, String)> {
    let report = report(&[file, "--diff"]);
    violations(&report).into_iter().find_map(|it| {
        let patch = it["patch"].as_str()?.to_owned();
        Some((it["policy"].as_str().unwrap().to_owned(), patch))
    })
}

/// The text with a patch of its file in it.
fn applied(text: &str, file: &str, patch: &str) -> String {
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    let replacements = replacements(patch);
    assert!(!replacements.is_empty(), "{patch}");
    for it in replacements.iter().rev() {
        assert_eq!(it.file, file, "{patch}");
        let new = it.text.split_inclusive('\n').map(str::to_owned);
        lines.splice(it.first - 1..it.first - 1 + it.lines, new);
    }
    lines.concat()
}
