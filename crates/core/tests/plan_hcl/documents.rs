//! The documents of `aws_iam_policy_document`.

use crate::{find, plan};
use quell_core::plan::Intent;
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[test]
fn policy_documents_are_computed() {
    let text = r#"
data "aws_iam_policy_document" "base" {
  statement {
    sid       = "Base"
    actions   = ["s3:GetObject"]
    resources = ["*"]
  }
}
data "aws_iam_policy_document" "d" {
  policy_id               = "p"
  source_policy_documents = [data.aws_iam_policy_document.base.json]
  statement {
    sid     = "Read"
    actions = ["s3:GetObject", "s3:PutObject", "s3:GetObject"]
    resources = ["arn:aws:s3:::b/&{aws:username}/*"]
    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::111122223333:root", "444455556666"]
    }
    principals {
      type        = "Service"
      identifiers = ["s3.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = ["111122223333"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceVpc"
      values   = ["b", "a"]
    }
  }
  statement {
    effect        = "Deny"
    not_actions   = ["s3:*"]
    not_resources = ["arn:aws:s3:::b"]
    not_principals {
      type        = "*"
      identifiers = ["*"]
    }
  }
  override_policy_documents = [jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Sid = "Base", Effect = "Deny", Action = "*", Resource = "*" }]
  })]
}
resource "aws_iam_policy" "p" {
  policy = data.aws_iam_policy_document.d.json
}
"#;
    let plan = plan(&[("main.tf", text)]);
    let policy = find(&plan, "aws_iam_policy.p");
    let document: Value =
        serde_json::from_str(policy.properties["policy"].as_str().unwrap()).unwrap();
    assert_eq!(
        document,
        json!({
            "Version": "2012-10-17",
            "Id": "p",
            "Statement": [
                {"Sid": "Base", "Effect": "Deny", "Action": "*", "Resource": "*"},
                {
                    "Sid": "Read", "Effect": "Allow",
                    "Action": ["s3:PutObject", "s3:GetObject"],
                    "Resource": "arn:aws:s3:::b/${aws:username}/*",
                    "Principal": {
                        "AWS": ["arn:aws:iam::111122223333:root", "444455556666"],
                        "Service": "s3.amazonaws.com"
                    },
                    "Condition": {"StringEquals": {
                        "aws:SourceAccount": "111122223333", "aws:SourceVpc": ["b", "a"]
                    }}
                },
                {
                    "Effect": "Deny", "NotAction": "s3:*", "NotResource": "arn:aws:s3:::b",
                    "NotPrincipal": "*"
                }
            ]
        })
    );
    assert_eq!(policy.references["/policy"], ["data.aws_iam_policy_document.d"]);
    assert_eq!(find(&plan, "data.aws_iam_policy_document.d").intent, Intent::Read);
}

#[test]
fn policies_with_unknown_parts_are_drafts() {
    let text = r#"
resource "aws_s3_bucket" "b" {}
data "aws_iam_policy_document" "d" {
  statement {
    actions   = ["s3:GetObject"]
    resources = ["${aws_s3_bucket.b.arn}/*"]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
  }
}
resource "aws_s3_bucket_policy" "data" {
  bucket = aws_s3_bucket.b.id
  policy = data.aws_iam_policy_document.d.json
}
resource "aws_s3_bucket_policy" "encoded" {
  policy = jsonencode({
    Statement = [{ Effect = "Allow", Principal = "*", Resource = [aws_s3_bucket.b.arn, "x"] }]
  })
}
resource "aws_s3_bucket_policy" "written" {
  policy = <<-POLICY
    {"Statement": [{"Effect": "Allow", "Principal": "*", "Resource": "${aws_s3_bucket.b.arn}/*"}]}
  POLICY
}
resource "aws_s3_bucket_policy" "merged" {
  policy = data.aws_iam_policy_document.merged.json
}
data "aws_iam_policy_document" "merged" {
  source_policy_documents = [data.aws_iam_policy_document.d.json, var.u]
}
variable "u" {}
"#;
    let plan = plan(&[("main.tf", text)]);
    let draft = |name: &str| {
        let declared = find(&plan, &format!("aws_s3_bucket_policy.{name}"));
        assert_eq!(declared.properties["policy"], Value::Null);
        assert!(declared.unknown.contains("/policy"));
        declared.drafts["/policy"].clone()
    };
    let data = draft("data");
    assert_eq!(
        data.document,
        json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "s3:GetObject", "Principal": "*", "Resource": null}
        ]})
    );
    assert_eq!(data.unknown, BTreeSet::from(["/Statement/0/Resource".to_owned()]));
    assert_eq!(data.references["/Statement/0/Resource"], ["aws_s3_bucket.b"]);
    let encoded = draft("encoded");
    assert_eq!(encoded.document["Statement"][0]["Resource"], json!([null, "x"]));
    let written = draft("written");
    assert_eq!(written.document["Statement"][0]["Principal"], json!("*"));
    assert_eq!(written.references["/Statement/0/Resource"], ["aws_s3_bucket.b"]);
    let merged = draft("merged");
    assert_eq!(merged.document["Statement"][0]["Action"], json!("s3:GetObject"));
    assert!(merged.unknown.contains("/Statement/1"));
}

#[test]
fn old_policy_documents_are_put_together() {
    let text = r#"
data "aws_iam_policy_document" "base" {
  statement {
    sid       = "a"
    actions   = ["s3:*"]
    resources = ["*"]
  }
}
data "aws_iam_policy_document" "d" {
  source_json   = data.aws_iam_policy_document.base.json
  override_json = jsonencode({ Statement = [{ Sid = "b", Effect = "Allow" }] })
  statement {
    sid     = "b"
    effect  = "Deny"
    actions = ["*"]
  }
}
data "aws_iam_policy_document" "replaced" {
  source_json             = data.aws_iam_policy_document.base.json
  override_policy_documents = [jsonencode({ Statement = [{ Sid = var.u, Effect = "Deny" }] })]
}
variable "u" {}
resource "r" "r" {
  v = jsondecode(data.aws_iam_policy_document.d.json).Statement[*].Sid
  e = jsondecode(data.aws_iam_policy_document.d.json).Statement[1].Effect
  r = data.aws_iam_policy_document.replaced.json
}
"#;
    let plan = plan(&[("main.tf", text)]);
    let declared = find(&plan, "r.r");
    assert_eq!(declared.properties, json!({"v": ["a", "b"], "e": "Allow", "r": null}));
    assert!(!declared.drafts.contains_key("/r"), "any statement may be another");
}
