//! The files themselves: JSON, what functions read, errors, limits.

use crate::{addresses, find, notes, plan, try_plan};
use quell_core::plan::hcl::Sources;
use serde_json::json;

#[test]
fn json_syntax_is_the_same_language() {
    let text = r#"{
  "//": "a comment",
  "variable": {"name": {"default": "b"}},
  "locals": {"port": 22},
  "resource": {
    "aws_s3_bucket": {
      "b": {"bucket": "${var.name}-x", "versioning": {"enabled": true}, "tags": {"a": "b"}}
    },
    "aws_security_group": {
      "g": {
        "ingress": [{"from_port": "${local.port}", "cidr_blocks": ["0.0.0.0/0"]}],
        "dynamic": {"egress": {"for_each": [1], "content": {"from_port": "${egress.value}"}}}
      }
    }
  },
  "output": {"id": {"value": "${aws_s3_bucket.b.id}"}}
}"#;
    let text = format!("\n\n{text}\n");
    let made = plan(&[("main.tf.json", &text)]);
    let bucket = find(&made, "aws_s3_bucket.b");
    assert_eq!(
        bucket.properties,
        json!({"bucket": "b-x", "versioning": [{"enabled": true}], "tags": {"a": "b"}})
    );
    let place = &bucket.places["/versioning/0"];
    assert_eq!((place.line, place.column), (9, 40));
    let place = &bucket.places["/tags/a"];
    assert_eq!((place.line, place.column), (9, 82));
    assert_eq!(
        find(&made, "aws_security_group.g").properties,
        json!({"ingress": [{"from_port": 22, "cidr_blocks": ["0.0.0.0/0"]}],
            "egress": [{"from_port": 1}]})
    );
    let error = try_plan(&[("main.tf.json", "{\n  \"a\": 1,\n}")]).unwrap_err();
    assert_eq!((error.line, error.column), (Some(3), Some(1)), "{error}");
}

#[test]
fn files_are_read_from_the_sources_only() {
    let text = r#"
resource "r" "r" {
  text     = file("${path.module}/policy.json")
  template = templatefile("t.tftpl", { names = ["a", "b"], x = 1 })
  exists   = fileexists("policy.json")
  outside  = templatefile("t2.tftpl", {})
}
variable "x" { default = "var" }
"#;
    let plan = plan(&[
        ("main.tf", text),
        ("policy.json", "{}"),
        ("t.tftpl", "%{ for it in names ~}\n${it}=${x}\n%{ endfor ~}\n"),
        ("t2.tftpl", "${var.x}"),
    ]);
    let declared = find(&plan, "r.r");
    assert_eq!(
        declared.properties,
        json!({"text": "{}", "template": "a=1\nb=1\n", "exists": true, "outside": null})
    );
}

#[test]
fn syntax_errors_have_lines_and_columns() {
    let cases = [
        ("resource \"r\" \"r\" {\n  a = \n}\n", "2:7"),
        ("resource \"r\" \"r\" {\n  a = 1\n", "2:8"),
        ("a = 1 /* ä */\nb = \"ä\\q\"\n", "2:9"),
        ("a = 1\na = 2\n", "2:1"),
        ("resource r {{\n", "1:13"),
        ("a = 1\nb = {\n  c = 2\n", "2:1"),
        ("a = <<EOF\nx\n", "2:1"),
    ];
    let refused = cases.map(|(text, _)| {
        let error = try_plan(&[("dir/x.tf", "{"), ("main.tf", text)]).unwrap_err();
        assert_eq!(error.file, "main.tf");
        assert!(!error.problem.contains('\n'), "{error}");
        format!("{}:{}", error.line.unwrap(), error.column.unwrap())
    });
    assert_eq!(refused, cases.map(|(_, at)| at.to_owned()));
}

#[test]
fn limits_hold() {
    let large = "#".repeat(5 << 20);
    assert!(Sources::default().insert("main.tf", large).is_err());

    let deep = format!("a = {}1{}", "[".repeat(5000), "]".repeat(5000));
    let error = try_plan(&[("main.tf", &deep)]).unwrap_err();
    assert!(error.to_string().contains("at most 64 nested levels"), "{error}");
    let deep = format!("{}{}", "a {\n".repeat(5000), "}\n".repeat(5000));
    assert!(try_plan(&[("main.tf", &deep)]).is_err());

    let keys: String = (0..20_000).map(|at| format!("  k{at} = 1\n")).collect();
    let error = try_plan(&[("main.tf", &format!("a = {{\n{keys}}}\n"))]).unwrap_err();
    assert!(error.to_string().contains("too many keys"), "{error}");

    // What is left when the steps are used up is unknown, and costs nothing.
    let wide = format!(
        "resource \"r\" \"r\" {{\n  count = 1000\n  v = [{}]\n  w = 1\n}}",
        "1, ".repeat(20_000)
    );
    let made = plan(&[("main.tf", &wide)]);
    assert_eq!(made.declared.len(), 1000);
    assert!(find(&made, "r.r[999]").unknown.contains(""));

    // Each local doubles the one before.
    let doubled = |twice: &str| {
        let lines: String = (1..60)
            .map(|at| format!("  l{at} = {}\n", twice.replace('@', &format!("local.l{}", at - 1))))
            .collect();
        format!(
            "locals {{\n  l0 = \"0123456789\"\n{lines}}}
            resource \"r\" \"r\" {{\n  v = local.l59\n}}"
        )
    };
    for twice in ["\"${@}${@}\"", "[@, @]", "{a = @, b = @}", "join(@, [@, @])"] {
        let plan = plan(&[("main.tf", &doubled(twice))]);
        assert!(!find(&plan, "r.r").unknown.is_empty(), "{twice}");
        assert!(!plan.notes.is_empty());
    }

    // A long way of names, in the order that makes it deepest.
    let chain: String = (0..1000).map(|at| format!("  l{at} = local.l{}\n", at + 1)).collect();
    let text =
        format!("locals {{\n{chain}  l1000 = 1\n}}\nresource \"r\" \"r\" {{\n  v = local.l0\n}}");
    let made = plan(&[("main.tf", &text)]);
    assert!(notes(&made).contains("expressions are nested more than"), "{}", notes(&made));

    let steps =
        "resource \"r\" \"r\" {\n  v = [for a in range(3000) : [for b in range(3000) : a + b]]\n}";
    let made = plan(&[("main.tf", steps)]);
    assert!(find(&made, "r.r").unknown.contains(""));
    assert!(notes(&made).contains("the evaluation takes more than"), "{}", notes(&made));

    let many = "resource \"r\" \"r\" {\n  count = 1000000000\n}";
    assert_eq!(addresses(&plan(&[("main.tf", many)])), ["r.r[*]"]);

    let call = "module \"a\" {\n  source = \"./m\"\n  count = 100\n}\n";
    let error = try_plan(&[("main.tf", call), ("m/main.tf", call), ("m/m/main.tf", "")]);
    assert!(error.unwrap_err().to_string().contains("calls more than 4096 modules"));
}
