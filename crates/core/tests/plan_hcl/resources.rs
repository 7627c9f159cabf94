//! What is declared: its shape, places, instances and blocks, and what data sources tell.

use crate::{addresses, find, notes, plan, sources};
use quell_core::plan::Intent;
use quell_core::plan::hcl::{Options, read};
use serde_json::json;
use std::collections::BTreeSet;

#[test]
fn the_shape_is_that_of_a_plan() {
    let text = r#"
resource "aws_security_group" "g" {
  name        = "g"
  description = null
  provider    = aws.west
  depends_on  = [aws_vpc.v]
  ingress {
    from_port   = 22
    cidr_blocks = ["0.0.0.0/0"]
  }
  ingress {
    from_port = 80
  }
  lifecycle {
    prevent_destroy = true
  }
  provisioner "local-exec" {
    command = "true"
  }
  timeouts {
    create = "1m"
  }
}
"#;
    let plan = plan(&[("main.tf", text)]);
    let declared = find(&plan, "aws_security_group.g");
    assert_eq!(
        declared.properties,
        json!({
            "name": "g",
            "ingress": [{"from_port": 22, "cidr_blocks": ["0.0.0.0/0"]}, {"from_port": 80}],
            "timeouts": {"create": "1m"}
        })
    );
    assert_eq!(declared.kind, "aws_security_group");
    assert_eq!(declared.intent, Intent::Create);
    assert_eq!(declared.unknown, BTreeSet::new());
}

#[test]
fn places_are_lines_and_columns() {
    let text = r#"# ä
resource "r" "r" {
  a = "ä"
  b = [1, {
    c = 2
  }]
  block {
    d = 1
  }
  dynamic "x" {
    for_each = [1]
    content {
      e = x.value
    }
  }
}
"#;
    let plan = plan(&[("main.tf", text)]);
    let declared = find(&plan, "r.r");
    let at = |pointer: &str| {
        let place = &declared.places[pointer];
        assert_eq!(place.file, "main.tf");
        (place.line, place.column)
    };
    let own = declared.at.as_ref().unwrap();
    assert_eq!((own.line, own.column), (2, 1));
    assert_eq!(at("/a"), (3, 3));
    assert_eq!(at("/b"), (4, 3));
    assert_eq!(at("/b/0"), (4, 8));
    assert_eq!(at("/b/1/c"), (5, 5));
    assert_eq!(at("/block/0"), (7, 3));
    assert_eq!(at("/block/0/d"), (8, 5));
    assert_eq!(at("/x/0"), (10, 3));
    assert_eq!(at("/x/0/e"), (13, 7));
}

#[test]
fn instances_have_addresses() {
    let text = r#"
variable "u" {}
resource "r" "none" { count = 0 }
resource "r" "two" {
  count = 2
  v     = count.index
}
resource "r" "keyed" {
  for_each = { "a\"b" = 1, c = var.u }
  k        = each.key
  v        = each.value
}
resource "r" "unknown" {
  count = var.u ? 1 : 0
  v     = count.index
  w     = "known"
}
resource "r" "unknown_each" {
  for_each = var.u
  v        = each.value
}
resource "r" "user" {
  v = r.unknown[0].w
}
"#;
    let plan = plan(&[("main.tf", text)]);
    assert_eq!(
        addresses(&plan),
        [
            "r.two[0]",
            "r.two[1]",
            "r.keyed[\"a\\\"b\"]",
            "r.keyed[\"c\"]",
            "r.unknown[*]",
            "r.unknown_each[*]",
            "r.user"
        ]
    );
    assert_eq!(find(&plan, "r.two[1]").properties, json!({"v": 1}));
    assert!(find(&plan, "r.keyed[\"c\"]").unknown.contains("/v"));
    assert_eq!(find(&plan, "r.unknown[*]").properties, json!({"v": null, "w": "known"}));
    assert_eq!(find(&plan, "r.user").references["/v"], ["r.unknown[*]"]);
    assert!(notes(&plan).contains("how many instances of `r.unknown` there are is unknown"));
}

#[test]
fn dynamic_blocks_are_blocks() {
    let text = r#"
variable "u" {}
resource "r" "r" {
  fixed { v = 0 }
  dynamic "fixed" {
    for_each = [1, 2]
    content { v = fixed.value }
  }
  dynamic "named" {
    for_each = { a = [1, 2] }
    iterator = it
    content {
      k = it.key
      dynamic "inner" {
        for_each = it.value
        content { v = "${it.key}${inner.value}" }
      }
    }
  }
  dynamic "none" {
    for_each = []
    content {}
  }
  dynamic "unknown" {
    for_each = var.u
    content { v = 1 }
  }
  some { v = 1 }
  dynamic "some" {
    for_each = var.u
    content { v = some.value }
  }
}
"#;
    let plan = plan(&[("main.tf", text)]);
    let declared = find(&plan, "r.r");
    assert_eq!(
        declared.properties,
        json!({
            "fixed": [{"v": 0}, {"v": 1}, {"v": 2}],
            "named": [{"k": "a", "inner": [{"v": "a1"}, {"v": "a2"}]}],
            "unknown": null,
            "some": [{"v": 1}, null]
        })
    );
    let unknown: Vec<_> = declared.unknown.iter().map(String::as_str).collect();
    assert_eq!(unknown, ["/some/1", "/unknown"]);
    assert!(notes(&plan).contains("how many blocks `unknown` there are is unknown"));
}

#[test]
fn dynamic_blocks_refer_to_what_they_go_through() {
    let text = r#"
resource "r" "list" {
  cidrs = ["10.0.0.0/8"]
}
resource "r" "r" {
  dynamic "ingress" {
    for_each = r.list.cidrs
    content {
      cidr = ingress.value
    }
  }
}
"#;
    let plan = plan(&[("main.tf", text)]);
    let declared = find(&plan, "r.r");
    assert_eq!(declared.properties, json!({"ingress": [{"cidr": "10.0.0.0/8"}]}));
    assert_eq!(declared.references["/ingress/0/cidr"], ["r.list"]);
}

#[test]
fn a_block_of_a_resource_has_more_than_is_written() {
    let text = r#"
resource "aws_s3_bucket" "b" {
  tags = { a = "x" }
  rule {
    id   = "r"
    port = "80"
  }
}
resource "r" "r" {
  id      = aws_s3_bucket.b.rule[0].id
  default = try(aws_s3_bucket.b.rule[0].enabled, true)
  asked   = can(aws_s3_bucket.b.rule[0].enabled)
  looked  = lookup(aws_s3_bucket.b.rule[0], "enabled", true)
  tag     = lookup(aws_s3_bucket.b.tags, "z", "none")
  number  = aws_s3_bucket.b.rule[0].port == 80
  other   = aws_s3_bucket.b.rule[0].port == 443
}
"#;
    let plan = plan(&[("main.tf", text)]);
    let declared = find(&plan, "r.r");
    let unknown: Vec<_> = declared.unknown.iter().map(String::as_str).collect();
    assert_eq!(unknown, ["/asked", "/default", "/looked", "/number"]);
    assert_eq!(declared.properties["id"], json!("r"));
    assert_eq!(declared.properties["tag"], json!("none"));
    assert_eq!(declared.properties["other"], json!(false));
    assert_eq!(declared.references["/default"], ["aws_s3_bucket.b"]);
}

#[test]
fn the_account_and_the_region_are_told_or_unknown() {
    let text = r#"
provider "aws" {
  alias  = "west"
  region = "us-west-2"
}
provider "aws" {
  region = local.region
}
locals {
  region = "cn-north-1"
}
data "aws_caller_identity" "me" {}
data "aws_region" "here" {}
data "aws_partition" "here" {}
resource "r" "r" {
  account   = data.aws_caller_identity.me.account_id
  arn       = data.aws_caller_identity.me.arn
  region    = data.aws_region.here.name
  partition = "arn:${data.aws_partition.here.partition}:x"
  workspace = terraform.workspace
}
"#;
    let told = plan(&[("main.tf", text)]);
    assert_eq!(told.region.as_deref(), Some("cn-north-1"));
    assert_eq!(told.account, None);
    let expected = json!({"account": null, "arn": null, "region": "cn-north-1",
        "partition": "arn:aws-cn:x", "workspace": null});
    assert_eq!(find(&told, "r.r").properties, expected);
    let options = Options {
        account: Some("111122223333".to_owned()),
        workspace: Some("prod".to_owned()),
        ..Options::default()
    };
    let told = read(&sources(&[("main.tf", text)]), &options).unwrap();
    assert_eq!(told.account.as_deref(), Some("111122223333"));
    assert_eq!(find(&told, "r.r").properties["account"], json!("111122223333"));
    assert_eq!(find(&told, "r.r").properties["workspace"], json!("prod"));
    let unknown = plan(&[(
        "main.tf",
        "data \"aws_region\" \"here\" {}
        resource \"r\" \"r\" {
          v = data.aws_region.here.name
        }",
    )]);
    assert_eq!(find(&unknown, "r.r").references["/v"], ["data.aws_region.here"]);
    assert_eq!(unknown.region, None);
}

#[test]
fn other_providers_read_other_accounts_and_regions() {
    let root = r#"
provider "aws" {
  region = "eu-central-1"
}
data "aws_caller_identity" "other" {
  provider = aws.other
}
data "aws_region" "own" {
  provider = aws
}
data "aws_region" "other" {
  provider = aws.other
}
data "aws_region" "named" {
  region = "us-west-2"
}
module "m" {
  source    = "./m"
  providers = { aws = aws.other }
}
module "same" {
  source    = "./m"
  providers = { aws = aws, aws.other = aws.other }
}
resource "r" "r" {
  account = data.aws_caller_identity.other.account_id
  own     = data.aws_region.own.name
  other   = data.aws_region.other.name
  named   = data.aws_region.named.id
  module  = module.m.region
  same    = module.same.region
}
"#;
    let module = r#"
data "aws_region" "here" {}
output "region" {
  value = data.aws_region.here.name
}
"#;
    let options = Options { account: Some("111122223333".to_owned()), ..Options::default() };
    let files = sources(&[("main.tf", root), ("m/main.tf", module)]);
    let plan = read(&files, &options).unwrap();
    assert_eq!(
        find(&plan, "r.r").properties,
        json!({"account": null, "own": "eu-central-1", "other": null, "named": "us-west-2",
            "module": null, "same": "eu-central-1"})
    );
}
