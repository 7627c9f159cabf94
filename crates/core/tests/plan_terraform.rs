//! Terraform's plans: what they say, and the plans of other people.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "a test may read its corpus; core may not")]

use quell_core::plan::terraform::{is_plan, read};
use quell_core::plan::{Declared, Intent, Plan, Told};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

fn rows(set: &str) -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpora/iac");
    let path = folder.join(format!("{set}.jsonl"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!("the corpus `{}` is needed for this test: {error}", path.display())
    });
    text.lines().map(|it| serde_json::from_str(it).unwrap()).collect()
}

fn plan(value: &Value) -> Plan {
    read("plan.json", value.to_string().as_bytes()).unwrap()
}

fn find<'a>(plan: &'a Plan, address: &str) -> &'a Declared {
    plan.declared.iter().find(|it| it.address == address).unwrap_or_else(|| panic!("{address}"))
}

#[test]
fn every_plan_of_others_is_read() {
    for (set, least) in [("terraform_plans", 140), ("checkov_tf_aws_plans", 100)] {
        let rows = rows(set);
        assert!(least <= rows.len(), "{set}: {} rows", rows.len());
        for row in rows {
            let text = row["plan"].to_string();
            assert!(is_plan(text.as_bytes()), "{}", row["path"]);
            let plan = read("plan.json", text.as_bytes());
            let plan = plan.unwrap_or_else(|it| panic!("{}: {it}", row["path"]));
            let changes = row["plan"]["resource_changes"].as_array().map_or(0, Vec::len);
            assert!(changes <= plan.declared.len(), "{}", row["path"]);
            assert_eq!(plan.notes, [], "{}", row["path"]);
            for it in &plan.declared {
                for pointer in &it.unknown {
                    assert_eq!(it.properties.pointer(pointer), Some(&Value::Null), "{pointer}");
                }
            }
        }
    }
}

/// Every text cut off anywhere is an error that says where, and never one that shows a value.
#[test]
fn a_truncated_plan_says_where() {
    let row = rows("terraform_plans").into_iter().find(|it| it["n_resources"] == 4).unwrap();
    let text = serde_json::to_string_pretty(&row["plan"]).unwrap();
    for end in (0..text.len()).step_by(997).filter(|it| text.is_char_boundary(*it)) {
        let error = read("plan.json", &text.as_bytes()[..end]).unwrap_err();
        assert!(error.line.is_some() && error.column.is_some(), "{error}");
        assert!(error.to_string().contains("cut off"), "{error}");
    }
    let error = read("p.json", b"{\n  \"resource_changes\": \"hunter2, expected\"}").unwrap_err();
    let said = "p.json:2:41: is not of a plan's form: expected a sequence";
    assert_eq!(error.to_string(), said);
    let error = read("p.json", "{\"planned_values\":\"\u{e9}\u{e9}\" x".as_bytes()).unwrap_err();
    assert_eq!((error.line, error.column), (Some(1), Some(24)), "{error}");
}

#[test]
fn what_is_no_plan_is_refused() {
    for (document, said) in [
        (json!({ "format_version": "2.0", "planned_values": {} }), "newer than `1.x`"),
        (json!({ "format_version": "new", "planned_values": {} }), "no format version"),
        (json!({ "format_version": "1.0", "values": {} }), "is a state"),
        (json!({ "format_version": "1.0" }), "is no plan"),
        (json!({ "resource_changes": [{ "change": {} }] }), "missing field `address`"),
    ] {
        let error = read("p", document.to_string().as_bytes()).unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    }
    let utf16 = read("p", &[0xFF, 0xFE, b'{', 0]).unwrap_err();
    assert!(utf16.problem.contains("UTF-16"), "{utf16}");
    let deep = vec!["module.a"; 40].join(".");
    let change = json!({ "address": format!("{deep}.a.b"), "module_address": deep, "type": "a",
        "change": { "actions": ["create"] } });
    let error = read("p", json!({ "resource_changes": [change] }).to_string().as_bytes());
    assert!(error.unwrap_err().problem.contains("32 calls deep"));
    let nested = "[".repeat(100_000);
    assert!(read("p", format!("{{\"resource_changes\":{nested}").as_bytes()).is_err());
    let many = "{\"a\":0},".repeat(3 << 20);
    let error = read("p", format!("{{\"resource_changes\":[],\"x\":[{many}0]}}").as_bytes());
    assert!(error.unwrap_err().problem.contains("has so many values"));
}

fn change(address: &str, actions: &[&str], after: Value, unknown: Value) -> Value {
    let name = address.rsplit_once('.').map_or("", |it| it.0);
    let (module, kind) = name.rsplit_once('.').unwrap_or(("", name));
    let module = if module.starts_with("module") { json!(module) } else { Value::Null };
    json!({ "address": address, "module_address": module, "type": kind,
        "change": { "actions": actions, "before": {}, "after": after, "after_unknown": unknown } })
}

#[test]
fn actions_are_intents() {
    for (actions, intent) in [
        (&["create"][..], Intent::Create),
        (&["delete", "create"], Intent::Create),
        (&["create", "delete"], Intent::Create),
        (&["update"], Intent::Update),
        (&["delete"], Intent::Delete),
        (&["no-op"], Intent::Keep),
        (&["forget"], Intent::Keep),
        (&["read"], Intent::Read),
        (&["teleport"], Intent::Update),
    ] {
        let change = change("a_b.c", actions, json!({}), json!({}));
        let plan = plan(&json!({ "resource_changes": [change] }));
        assert_eq!(plan.declared[0].intent, intent, "{actions:?}");
        assert_eq!(plan.notes.is_empty(), actions[0] != "teleport");
    }
}

/// Such a plan was cut or put together: what it leaves out may be anything.
#[test]
fn what_a_plan_does_not_tell_or_tells_twice_is_no_pass() {
    let untold = json!({ "resource_changes": [{ "address": "a_b.c", "type": "a_b" }] });
    let untold = plan(&untold);
    let declared = find(&untold, "a_b.c");
    assert_eq!((declared.intent, declared.told("/x")), (Intent::Update, Told::Unknown));
    assert!(untold.notes[0].problem.contains("does not tell"), "{:?}", untold.notes);
    let of = |value: u64| change("a_b.c", &["create"], json!({ "x": value }), json!({}));
    let twice = json!({ "resource_changes": [of(1), of(2)] }).to_string();
    let error = read("p", twice.as_bytes()).unwrap_err();
    assert!(error.problem.contains("`a_b.c` stands twice"), "{error}");
    // What a replacement left behind has the same address.
    let mut left = of(1);
    left["deposed"] = json!("0a1b2c3d");
    let plan = plan(&json!({ "resource_changes": [left, of(2)] }));
    assert_eq!(plan.declared.len(), 1);
}

#[test]
fn a_computed_value_that_nobody_wrote_is_not_declared() {
    let unknown = json!({ "arn": true, "bucket": true, "grant": [{ "id": true }] });
    let changes = [change("aws_s3_bucket.a", &["create"], json!({ "tags": null }), unknown)];
    let without = plan(&json!({ "resource_changes": changes }));
    assert_eq!(without.declared[0].told("/arn"), Told::Unknown, "no configuration: who knows");
    let resource = json!({ "address": "aws_s3_bucket.a",
        "expressions": { "bucket": { "references": ["random_id.x.hex", "random_id.x"] } } });
    let with = plan(&json!({ "resource_changes": changes,
        "configuration": { "root_module": { "resources": [resource] } } }));
    let bucket = &with.declared[0];
    assert_eq!(bucket.told("/arn"), Told::Absent);
    assert_eq!(bucket.told("/bucket"), Told::Unknown);
    assert_eq!(bucket.told("/grant/0/id"), Told::Unknown);
    assert!(matches!(bucket.told("/grant"), Told::Value(_)) && !bucket.is_whole("/grant"));
    assert_eq!(bucket.told("/tags"), Told::Absent);
}

/// A block that names its bucket through a variable, which the call sets to another module's
/// output, both gone through with `for_each`.
#[test]
fn references_lead_through_modules() {
    let mut changes = Vec::new();
    for key in ["a", "b"] {
        let of = |it: &str| format!("module.{it}[\"{key}\"]");
        let bucket = json!({ "address": format!("{}.aws_s3_bucket.this", of("bucket")),
            "module_address": of("bucket"), "type": "aws_s3_bucket",
            "change": { "actions": ["create"], "after": {}, "after_unknown": { "id": true } } });
        let block = json!({ "address": format!("{}.aws_block.this[0]", of("block")),
            "module_address": of("block"), "type": "aws_block",
            "change": { "actions": ["create"], "after": {},
                "after_unknown": { "bucket": true } } });
        changes.extend([bucket, block]);
    }
    let block = json!({ "address": "aws_block.this",
        "expressions": { "bucket": { "references": ["var.bucket"] } } });
    let given = json!({ "references": ["module.bucket", "each.key"] });
    let exact = json!({ "references": [
        "module.bucket[\"a\"].id", "module.bucket[\"a\"]", "module.bucket"] });
    let through = json!({ "references": ["module.bucket[each.key].id", "each.key"] });
    let output = json!({ "id": { "expression": {
        "references": ["aws_s3_bucket.this.id", "aws_s3_bucket.this"] } } });
    let configuration = |given: &Value| {
        json!({ "root_module": { "module_calls": {
            "bucket": { "module": { "outputs": output,
                "resources": [{ "address": "aws_s3_bucket.this", "expressions": {} }] } },
            "block": { "expressions": { "bucket": given },
                "module": { "resources": [block] } } } } })
    };
    let read = |given: &Value| {
        let plan = plan(&json!({ "resource_changes": changes,
            "configuration": configuration(given) }));
        let it = find(&plan, "module.block[\"b\"].aws_block.this[0]");
        it.referred("/bucket").to_vec()
    };
    assert_eq!(read(&exact), ["module.bucket[\"a\"].aws_s3_bucket.this"]);
    assert_eq!(read(&given), Vec::<String>::new(), "no output is named");
    assert_eq!(read(&through), ["module.bucket[\"b\"].aws_s3_bucket.this"]);
}

/// Each module gives the next one what it was given. A thread's stack is not that deep.
#[test]
fn references_lead_through_thousands_of_modules() {
    const MODULES: usize = 4_000;
    let change = |module: Option<String>, local: &str, kind: &str| {
        let address = module.iter().map(String::as_str).chain([local]).collect::<Vec<_>>();
        json!({ "address": address.join("."), "module_address": module, "type": kind,
            "change": { "actions": ["create"], "after": {}, "after_unknown": { "bucket": true } } })
    };
    let inner = (0..MODULES).map(|it| change(Some(format!("module.m{it}")), "aws_x.x", "aws_x"));
    let outer = ["aws_s3_bucket", "aws_block"].map(|it| change(None, &format!("{it}.b"), it));
    let calls = (0..MODULES).map(|it| {
        let before = match it.checked_sub(1) {
            Some(before) => format!("module.m{before}.out"),
            None => "aws_s3_bucket.b".to_owned(),
        };
        let outputs = json!({ "out": { "expression": { "references": ["var.in"] } } });
        let given = json!({ "in": { "references": [before] } });
        (format!("m{it}"), json!({ "expressions": given, "module": { "outputs": outputs } }))
    });
    let last = format!("module.m{}.out", MODULES - 1);
    let block = json!({ "address": "aws_block.b",
        "expressions": { "bucket": { "references": [last] } } });
    let plan = plan(&json!({
        "resource_changes": inner.chain(outer).collect::<Vec<_>>(),
        "configuration": { "root_module": { "resources": [block],
            "module_calls": calls.collect::<serde_json::Map<_, _>>() } },
    }));
    assert_eq!(find(&plan, "aws_block.b").referred("/bucket"), ["aws_s3_bucket.b"]);
}

/// Of a source in JSON, a plan calls the text of every expression its constant.
#[test]
fn an_expression_in_json_is_no_constant() {
    let change = |kind: &str, unknown: &str| {
        json!({ "address": format!("{kind}.b"), "type": kind, "change": {
            "actions": ["create"], "after": {}, "after_unknown": { unknown: true } } })
    };
    let bucket = json!({ "constant_value": "${aws_s3_bucket.b.id}",
        "references": ["aws_s3_bucket.b.id", "aws_s3_bucket.b"] });
    let resource = json!({ "address": "aws_block.b", "expressions": { "bucket": bucket } });
    let plan = plan(&json!({
        "resource_changes": [change("aws_s3_bucket", "id"), change("aws_block", "bucket")],
        "configuration": { "root_module": { "resources": [resource] } },
    }));
    let referred = find(&plan, "aws_block.b").referred("/bucket").to_vec();
    assert_eq!(referred, ["aws_s3_bucket.b"]);
}

#[test]
fn region_and_account_are_found() {
    let provider = |region: Value| json!({ "aws": { "expressions": { "region": region } } });
    let who = json!({ "address": "data.aws_caller_identity.me", "mode": "data",
        "type": "aws_caller_identity", "values": { "account_id": "111122223333" } });
    let root = json!({ "values": { "root_module": { "resources": [who] } } });
    let written = |region: Value| {
        json!({ "planned_values": {}, "prior_state": root,
            "variables": { "given": { "value": "eu-west-1" } },
            "configuration": { "provider_config": provider(region),
                "root_module": { "variables": { "default": { "default": "eu-west-2" } } } } })
    };
    for (region, expected) in [
        (json!({ "constant_value": "eu-west-3" }), "eu-west-3"),
        (json!({ "references": ["var.given"] }), "eu-west-1"),
        (json!({ "constant_value": "${var.given}", "references": ["var.given"] }), "eu-west-1"),
        (json!({ "references": ["var.default"] }), "eu-west-2"),
    ] {
        let plan = plan(&written(region));
        assert_eq!(plan.region.as_deref(), Some(expected));
        assert_eq!(plan.account.as_deref(), Some("111122223333"));
    }
    // A plan names what an expression is made of, and not how: `"${var.given}-1"`, a `lookup`.
    let part = json!({ "planned_values": {}, "variables": { "given": { "value": "eu-west" } },
        "configuration": { "provider_config": provider(json!({ "references": ["var.given"] })) } });
    assert_eq!(plan(&part).region, None);
    let two = json!({ "references": ["var.given", "var.default"] });
    assert_eq!(plan(&written(two)).region, None);
}

#[test]
fn values_without_changes_are_taken_for_new() {
    let plan = plan(&json!({
        "planned_values": { "root_module": { "child_modules": [{ "address": "module.a",
            "resources": [{ "address": "module.a.aws_x.y", "mode": "managed", "type": "aws_x",
                "values": { "known": 1 } }] }] } },
        "configuration": { "root_module": { "module_calls": { "a": { "module": { "resources": [
            { "address": "aws_x.y", "expressions": { "known": {}, "later": {} } }] } } } } },
    }));
    let it = find(&plan, "module.a.aws_x.y");
    assert_eq!((it.intent, it.told("/later")), (Intent::Create, Told::Unknown));
}
