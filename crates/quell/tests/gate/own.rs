//! Our own deployment passes our own gate; a copy of it with a hole does not.

use crate::{Folder, quell};
use quell::config::Config;
use quell::runtime::library;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Where it goes, and with the trail, which it leaves out unless told otherwise.
const GIVEN: [&str; 6] =
    ["--account", "111122223333", "--region", "eu-central-1", "--var", "trail=true"];

/// No kind of code declares what this one judges: it looks at Quell's own deployment in the cloud.
const NOT_OF_CODE: &str = "aws.self.tamper";

/// Policies of which source without a plan leaves something unknown, and what nobody could read.
const NOT_KNOWN: [&str; 3] =
    ["aws.cloudtrail.trail_weakened", "aws.iam.admin_policy_created", "quell.gate.not_understood"];

/// What somebody may do to the deployment by mistake, and who objects where.
struct Hole {
    policy: &'static str,
    /// Below `deploy`.
    file: &'static str,
    /// Each text goes once: what was there, and what stands there then.
    edits: &'static [(&'static str, &'static str)],
    /// What is added at the end.
    added: &'static str,
    /// The line of the finding: of the second text, the first time that it comes after the first.
    at: (&'static str, &'static str),
}

const HUB_YAML: &str = "cloudformation/hub.yaml";

/// One for each policy that judges code.
const HOLES: [Hole; 10] = [
    Hole {
        policy: "aws.s3.bucket_public_block",
        file: "terraform/aws/modules/hub/checkpoints.tf",
        edits: &[("block_public_policy     = true", "block_public_policy     = false")],
        added: "",
        at: ("resource \"aws_s3_bucket_public_access_block\" \"checkpoints\"", ""),
    },
    Hole {
        policy: "aws.s3.policy_public_statement",
        file: HUB_YAML,
        edits: &[
            ("BlockPublicPolicy: true", "BlockPublicPolicy: false"),
            ("RestrictPublicBuckets: true", "RestrictPublicBuckets: false"),
            (
                "- Sid: NobodyTakesAway\n            Effect: Deny",
                "- Sid: NobodyTakesAway\n            Effect: Allow",
            ),
        ],
        added: "",
        at: ("\n  CheckpointsPolicy:", "PolicyDocument:"),
    },
    Hole {
        policy: "aws.s3.acl_public_grant",
        file: "terraform/aws/modules/trail/main.tf",
        edits: &[],
        added: r#"
resource "aws_s3_bucket" "handout" {
  bucket = "handout"
}

resource "aws_s3_bucket_public_access_block" "handout" {
  bucket                  = aws_s3_bucket.handout.id
  block_public_acls       = false
  ignore_public_acls      = false
  block_public_policy     = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "handout" {
  bucket = aws_s3_bucket.handout.id
  rule {
    object_ownership = "BucketOwnerPreferred"
  }
}

resource "aws_s3_bucket_acl" "handout" {
  bucket = aws_s3_bucket.handout.id
  acl    = "public-read"
}
"#,
        at: ("acl    = \"public-read\"", ""),
    },
    Hole {
        policy: "aws.s3.account_public_block",
        file: "terraform/aws/modules/trail/main.tf",
        edits: &[],
        added: r#"
resource "aws_s3_account_public_access_block" "account" {
  block_public_acls       = true
  ignore_public_acls      = true
  block_public_policy     = true
  restrict_public_buckets = false
}
"#,
        at: ("resource \"aws_s3_account_public_access_block\" \"account\"", ""),
    },
    Hole {
        policy: "aws.cloudtrail.trail_weakened",
        file: "terraform/aws/modules/trail/main.tf",
        edits: &[("enable_log_file_validation    = true", "enable_log_file_validation    = false")],
        added: "",
        at: ("enable_log_file_validation    = false", ""),
    },
    Hole {
        policy: "aws.cloudtrail.trail_stopped",
        file: "terraform/aws/modules/trail/main.tf",
        edits: &[(
            "  is_multi_region_trail         = true\n",
            "  is_multi_region_trail         = true\n  enable_logging                = false\n",
        )],
        added: "",
        at: ("enable_logging", ""),
    },
    Hole {
        policy: "aws.ec2.admin_port_open",
        file: "terraform/aws/modules/hub/function.tf",
        edits: &[],
        added: r#"
resource "aws_security_group" "debug" {
  name = "debug"
  ingress {
    from_port   = 22
    to_port     = 22
    protocol    = "tcp"
    cidr_blocks = ["10.0.0.0/8"]
  }
  ingress {
    from_port   = 0
    to_port     = 1023
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }
}
"#,
        at: ("[\"10.0.0.0/8\"]", "ingress {"),
    },
    Hole {
        policy: "aws.ec2.high_risk_port_open",
        file: HUB_YAML,
        edits: &[(
            "\nResources:\n",
            "\nResources:
  Debug:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupDescription: for a moment
      SecurityGroupIngress:
        - { IpProtocol: tcp, FromPort: 443, ToPort: 443, CidrIp: 0.0.0.0/0 }
        - { IpProtocol: tcp, FromPort: 5432, ToPort: 5432, CidrIp: 0.0.0.0/0 }

",
        )],
        added: "",
        at: ("FromPort: 5432", ""),
    },
    Hole {
        policy: "aws.iam.admin_policy_created",
        file: HUB_YAML,
        edits: &[(
            "- Action: [xray:PutTelemetryRecords, xray:PutTraceSegments]",
            "- Action: [\"*\"]",
        )],
        added: "",
        at: ("- PolicyName: function", "PolicyDocument:"),
    },
    Hole {
        policy: "aws.iam.admin_policy_attached",
        file: "terraform/aws/modules/hub/roles.tf",
        edits: &[],
        added: r#"
resource "aws_iam_role_policy_attachment" "debug" {
  role       = aws_iam_role.function.name
  policy_arn = "arn:aws:iam::aws:policy/AdministratorAccess"
}
"#,
        at: ("policy_arn = \"arn:aws:iam::aws:policy/AdministratorAccess\"", ""),
    },
];

#[test]
fn our_own_deployment_passes() {
    let (code, report) = gate(&ours().display().to_string());
    let entries = report["entries"].as_array().unwrap().iter();
    let found: Vec<&Value> = entries.filter(|it| it["verdict"] == "violation").collect();
    assert_eq!((code, found.len()), (Some(0), 0), "{found:#?}");
    // It is not for want of something to judge, nor because more and more is not known.
    assert!(10 < report["summary"]["resources"].as_u64().unwrap(), "{report:#}");
    let entries = report["entries"].as_array().unwrap().iter();
    let unknown = entries.filter(|it| it["verdict"] == "unknown");
    let unknown: BTreeSet<&str> = unknown.map(|it| it["policy"].as_str().unwrap()).collect();
    assert!(unknown.is_subset(&BTreeSet::from(NOT_KNOWN)), "{unknown:?}");
}

#[test]
fn a_hole_in_our_own_deployment_is_refused_at_its_line() {
    for hole in &HOLES {
        let folder = Folder::new();
        let copy = folder.path("deploy");
        copy_folder(&ours(), Path::new(&copy));
        let file = Path::new(&copy).join(hole.file);
        let mut text = fs::read_to_string(&file).unwrap();
        for (old, new) in hole.edits {
            assert!(text.contains(old), "{} has no `{old}` any more", hole.file);
            text = text.replacen(old, new, 1);
        }
        text.push_str(hole.added);
        fs::write(&file, &text).unwrap();

        let (code, report) = gate(&copy);
        let entries = report["entries"].as_array().unwrap();
        let of_policy =
            entries.iter().filter(|it| it["verdict"] == "violation" && it["policy"] == hole.policy);
        let places: BTreeSet<(&str, u64)> = of_policy
            .map(|it| &it["place"])
            .map(|it| (it["file"].as_str().unwrap(), it["line"].as_u64().unwrap()))
            .collect();
        let place = (file.to_str().unwrap(), line(&text, hole.at));
        assert_eq!(places, BTreeSet::from([place]), "{}", hole.policy);
        assert_eq!(code, Some(1), "{}", hole.policy);
    }
}

/// Every policy that code can violate has its hole.
#[test]
fn every_policy_has_its_hole() {
    let library = library(&Config::parse("").unwrap()).unwrap();
    let mut policies: BTreeSet<&str> = library.policies().iter().map(|it| it.id()).collect();
    assert!(policies.remove(NOT_OF_CODE));
    assert_eq!(HOLES.iter().map(|it| it.policy).collect::<BTreeSet<_>>(), policies);
}

/// The exit code, and the report in JSON.
fn gate(folder: &str) -> (Option<i32>, Value) {
    let ran = quell(&[&["gate", folder, "--format", "json"][..], &GIVEN].concat());
    let report = serde_json::from_str(&ran.stdout);
    (ran.code, report.unwrap_or_else(|it| panic!("{it}: {}", ran.stderr)))
}

/// Where our deployment lies.
fn ours() -> PathBuf {
    testkit::repository().unwrap().join("deploy").into_std_path_buf()
}

/// Hidden things are left out: Terraform keeps its providers there.
fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (path, name) = (entry.path(), entry.file_name());
        if name.to_string_lossy().starts_with('.') {
            continue;
        }
        if path.is_dir() {
            copy_folder(&path, &to.join(name));
        } else {
            fs::copy(&path, to.join(name)).unwrap();
        }
    }
}

/// The line, from 1, in which the second text begins, the first time that it comes after the first;
/// of the first, where there is no second.
fn line(text: &str, (first, second): (&str, &str)) -> u64 {
    let (before, after) = text.split_once(first).unwrap();
    let (between, _) = after.split_once(second).unwrap();
    let lines = [before, first, between].concat().matches('\n').count();
    u64::try_from(lines).unwrap() + 1
}
