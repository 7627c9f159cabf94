//! What does not count: exemptions, ignores in the source, the baseline.

use crate::{ADMIN_PORT, BLOCK, Folder, OPEN_TF, OPEN_YAML, open_bucket, open_json, quell, report};
use serde_json::json;

#[test]
fn a_baseline_lets_only_new_findings_fail() {
    let folder = Folder::new();
    let open = folder.write("open.json", open_bucket("create").to_string());
    let known = folder.path("known.json");
    assert_eq!(quell(&["gate", &open, "--write-baseline", &known]).code, Some(0));
    let of_baseline = ["gate", &open, "--baseline", &known];
    assert_eq!(quell(&of_baseline).code, Some(0));
    // What is unknown is in it, too.
    assert_eq!(quell(&[&of_baseline[..], &["--unknown", "fail"]].concat()).code, Some(0));
    let told = report(&[&open, "--baseline", &known]);
    let entries = told["entries"].as_array().unwrap();
    assert!(entries.iter().all(|it| it["verdict"] == "baselined"), "{told:#}");
    let empty = folder.write("empty.json", r#"{ "schema": "quell.baseline/v1", "findings": [] }"#);
    assert_eq!(quell(&["gate", &open, "--baseline", &empty]).code, Some(1));
    assert_eq!(quell(&["gate", &open, "--baseline", &open]).code, Some(2));
    // What is no more is told, so that the baseline becomes shorter.
    let closed = open_bucket("create").to_string().replace("false", "true");
    let ran = quell(&["gate", &folder.write("open.json", closed), "--baseline", &known]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("of the baseline are no more"), "{}", ran.stdout);
}

/// Who excuses one policy of a role does not excuse another one, whose ARN nobody knows yet.
#[test]
fn what_is_excused_hides_nothing_unknown_beside_it() {
    const ROLE: &str = r#"data "aws_partition" "here" {}
resource "aws_iam_role" "r" {
  name               = "r"
  assume_role_policy = "{}"
}
resource "aws_iam_role_policy_attachment" "known" {
  role       = aws_iam_role.r.name
  policy_arn = "arn:aws:iam::aws:policy/AdministratorAccess"
}
"#;
    const LATER: &str = r#"resource "aws_iam_role_policy_attachment" "later" {
  role       = aws_iam_role.r.name
  policy_arn = "arn:${data.aws_partition.here.partition}:iam::aws:policy/AdministratorAccess"
}
"#;
    let folder = Folder::new();
    let known = folder.path("known.json");
    let excuse = "# quell:ignore aws.iam.admin_policy_attached reason=\"r\" expires=2999-01-01\n";
    let attachment = "resource \"aws_iam_role_policy_attachment\" \"known\"";
    let ignored = ROLE.replace(attachment, &format!("{excuse}{attachment}"));
    let file = folder.write("main.tf", ROLE);
    assert_eq!(quell(&["gate", &file, "--write-baseline", &known]).code, Some(0));
    let baseline = ["--baseline", known.as_str()];
    for (role, more) in [(ROLE, &baseline[..]), (ignored.as_str(), &[][..])] {
        for (source, verdicts) in
            [(role.to_owned(), vec![]), (format!("{role}{LATER}"), vec!["unknown"])]
        {
            folder.write("main.tf", &source);
            let told = report(&[&[file.as_str()][..], more].concat());
            let entries = told["entries"].as_array().unwrap().iter();
            let counting = entries.filter(|it| it["excuse"].is_null());
            let counting: Vec<&str> = counting.map(|it| it["verdict"].as_str().unwrap()).collect();
            assert_eq!(counting, verdicts, "{told:#}");
        }
        // It is no more than an unknown, and not told where a violation counts anyway.
        let failing = [&["gate", &file, "--unknown", "fail"][..], more].concat();
        assert_eq!(quell(&failing).code, Some(1));
    }
    folder.write("main.tf", format!("{ROLE}{LATER}"));
    let told = report(&[&file]);
    assert_eq!(told["summary"]["violations"], 1, "{told:#}");
    assert_eq!(told["summary"]["unknown"], 0, "{told:#}");
    // A baseline has both.
    assert_eq!(quell(&["gate", &file, "--write-baseline", &known]).code, Some(0));
    let failing = ["gate", &file, "--baseline", &known, "--unknown", "fail"];
    assert_eq!(quell(&failing).code, Some(0));
}

/// An exemption of run time holds, until it ends.
#[test]
fn exemptions_hold_in_the_gate() {
    let folder = Folder::new();
    let open = folder.write("open.json", open_bucket("create").to_string());
    for (expires, code) in [("2999-01-01T00:00:00Z", 0), ("2001-01-01T00:00:00Z", 1)] {
        let exemption = format!(
            "guardrails: {{ exemptions: [{{ id: e, owner: o, reason: r, expires: {expires}, \
             scope: {{ resources: [open] }} }}] }}"
        );
        let config = folder.write("quell.yaml", &exemption);
        let ran = quell(&["gate", &open, "--config", &config, "--excused"]);
        assert_eq!(ran.code, Some(code), "{}{}", ran.stdout, ran.stderr);
        assert_eq!(ran.stdout.contains("exemption `e` of o until"), code == 0, "{}", ran.stdout);
        let ran = quell(&["gate", &open, "--config", &config]);
        assert!(!ran.stdout.contains("exemption `e`"), "{}", ran.stdout);
        assert_eq!(ran.stdout.contains("1 exempt"), code == 0, "{}", ran.stdout);
    }
}

/// Beside the one rule that is exempt, there may be another one that is as bad.
#[test]
fn an_exemption_of_an_element_hides_nothing_that_is_unknown() {
    let folder = Folder::new();
    let rule = |port: &str| {
        let ports = format!("    from_port = {port}\n    to_port = {port}\n");
        let rest = "    protocol = \"tcp\"\n    cidr_blocks = [\"0.0.0.0/0\"]\n";
        format!("  ingress {{\n{ports}{rest}  }}\n")
    };
    let rules = rule("22") + &rule("var.port");
    let source =
        format!("variable \"port\" {{}}\nresource \"aws_security_group\" \"g\" {{\n{rules}}}\n");
    let file = folder.write("main.tf", source);
    let told = |arguments: &[&str]| {
        let told = report(&[&[file.as_str()][..], arguments].concat());
        let entries = told["entries"].as_array().unwrap().clone().into_iter();
        entries.filter(|it| it["policy"] == "aws.ec2.admin_port_open").collect::<Vec<_>>()
    };
    let open = told(&[]);
    assert_eq!((open.len(), &open[0]["verdict"]), (1, &json!("violation")));
    let config = format!(
        "guardrails: {{ exemptions: [{{ id: e, owner: o, reason: r, \
         expires: 2999-01-01T00:00:00Z, scope: {{ elements: [{}] }} }}] }}",
        open[0]["element"]
    );
    let config = folder.write("quell.yaml", config);
    let found = told(&["--config", &config]);
    let mut verdicts: Vec<_> = found.iter().map(|it| it["verdict"].as_str().unwrap()).collect();
    verdicts.sort_unstable();
    assert_eq!(verdicts, ["exempt", "unknown"]);
}

#[test]
fn sources_may_ignore_with_a_reason_and_a_day() {
    let folder = Folder::new();
    let comment = |expires: &str| {
        format!("# quell:ignore {BLOCK} reason=\"a public website\" expires={expires}\n")
    };
    let in_source = |comment: &str| {
        OPEN_TF.replace(
            "resource \"aws_s3_bucket_public",
            &format!("{comment}resource \"aws_s3_bucket_public"),
        )
    };
    let in_yaml = |comment: &str| OPEN_YAML.replace("  Open:\n", &format!("  {comment}  Open:\n"));
    let in_json = |expires: &str| {
        let mut json = open_json();
        json["Resources"]["Open"]["Metadata"] = json!({ "quell": { "ignore": [
            { "policy": BLOCK, "reason": "a public website", "expires": expires } ] } });
        json.to_string()
    };
    for (expires, code) in [("2999-01-01", 0), ("2001-01-01", 1)] {
        let comment = comment(expires);
        for file in [
            folder.write("above/main.tf", in_source(&comment)),
            folder.write(
                "within/main.tf",
                OPEN_TF
                    .replace("  block_public_policy", &format!("  {comment}  block_public_policy")),
            ),
            folder.write("template.yaml", in_yaml(&comment)),
            folder.write("template.json", in_json(expires)),
        ] {
            let ran = quell(&["gate", &file, "--excused"]);
            assert_eq!(ran.code, Some(code), "{file}: {}{}", ran.stdout, ran.stderr);
            let told = if code == 0 { "ignored in the source until" } else { "has expired on" };
            assert!(ran.stdout.contains(told), "{file}: {}", ran.stdout);
        }
    }
    // What is no ignore is told, and covers nothing.
    let file =
        folder.write("wrong/main.tf", in_source("# quell:ignore aws.s3.bucket_public_block\n"));
    let ran = quell(&["gate", &file]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stdout.contains("the ignore has no `reason`"), "{}", ran.stdout);
}

/// A group with a rule that is known, and one that may open any port.
const TWO_RULES_TF: &str = r#"variable "port" { type = number }

resource "aws_security_group" "g" {
  name = "g"
}

resource "aws_security_group_rule" "known" {
  type              = "ingress"
  security_group_id = aws_security_group.g.id
  from_port         = 22
  to_port           = 22
  protocol          = "tcp"
  cidr_blocks       = ["0.0.0.0/0"]
}

resource "aws_security_group_rule" "later" {
  type              = "ingress"
  security_group_id = aws_security_group.g.id
  from_port         = var.port
  to_port           = var.port
  protocol          = "tcp"
  cidr_blocks       = ["0.0.0.0/0"]
}
"#;

/// Who excuses what is known has not excused what is not.
#[test]
fn an_excuse_hides_no_unknown() {
    let folder = Folder::new();
    let rule = "resource \"aws_security_group_rule\" \"known\"";
    let comment =
        format!("# quell:ignore {ADMIN_PORT} reason=\"the bastion\" expires=2999-01-01\n");
    let excused = TWO_RULES_TF.replace(rule, &format!("{comment}{rule}"));
    for (source, verdicts) in
        [(TWO_RULES_TF, vec!["violation"]), (&excused, vec!["ignored", "unknown"])]
    {
        let file = folder.write("main.tf", source);
        let gate = [file.as_str(), "--policies", ADMIN_PORT];
        let told = report(&gate);
        let entries = told["entries"].as_array().unwrap().iter();
        let mut said: Vec<&str> = entries.map(|it| it["verdict"].as_str().unwrap()).collect();
        said.sort_unstable();
        assert_eq!(said, verdicts, "{told:#}");
        let ran = quell(&[&["gate", "--unknown", "fail"], &gate[..]].concat());
        assert_eq!(ran.code, Some(1), "{}{}", ran.stdout, ran.stderr);
    }
}
