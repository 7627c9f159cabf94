//! Templates that nobody here wrote, and our own: each is read, or refused with a position for a
//! reason that stands in a table.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "a test may read its corpus; core may not")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use quell_core::plan::cloudformation::{Options, is_template, read};
use quell_core::plan::{Plan, PlanError};
use serde_json::Value;

fn folder(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn rows(set: &str) -> Vec<Value> {
    let path = folder("../../../shared/corpora/iac").join(format!("{set}.jsonl"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!("the corpus `{}` is needed for this test: {error}", path.display())
    });
    text.lines().map(|it| serde_json::from_str(it).unwrap()).collect()
}

/// Every template of the corpora: its name and text.
fn templates() -> Vec<(String, String)> {
    let mut templates = vec![];
    for (index, row) in rows("cfn_guard_registry").iter().enumerate() {
        let name = format!("{}#{index}", row["rule"].as_str().unwrap());
        templates.push((name, serde_json::to_string_pretty(&row["template"]).unwrap()));
    }
    for row in rows("checkov_cfn_aws") {
        for (file, text) in row["files"].as_object().unwrap() {
            let name = format!("{}/{file}", row["check"].as_str().unwrap());
            templates.push((name, text.as_str().unwrap().to_owned()));
        }
    }
    templates
}

/// What is refused, how often, and why that is right.
const REFUSED: [(&str, usize, &str); 2] = [
    (
        "the template has no `Resources`",
        88,
        "cfn-guard's cases named `Empty` are `{}`: rules for a template of nothing. AWS refuses \
         it: at least one resource is required.",
    ),
    (
        "resource `Properties` has no `Type`",
        1,
        "API_GW_CACHE_ENABLED_AND_ENCRYPTED's case without a method has `Type` and `Properties` \
         right under `Resources`: the logical id was forgotten. AWS refuses it.",
    ),
];

#[test]
fn every_template_is_read_or_refused_for_a_reason() {
    let templates = templates();
    let mut refused: BTreeMap<String, usize> = BTreeMap::new();
    for (name, text) in &templates {
        if let Err(error) = read(name, text, &Options::default()) {
            assert!(error.line.is_some() && error.column.is_some(), "{error}");
            *refused.entry(error.problem).or_default() += 1;
        }
    }
    let wanted: BTreeMap<_, _> =
        REFUSED.iter().map(|(problem, count, _)| ((*problem).to_owned(), *count)).collect();
    assert_eq!(refused, wanted);
    assert_eq!(templates.len(), 824 + 135);
}

#[test]
fn what_is_read_is_what_is_written() {
    let mut seen = 0;
    for (name, text) in templates() {
        let Ok(plan) = read(&name, &text, &Options::default()) else { continue };
        assert!(is_template(&text) || plan.declared.is_empty(), "{name}");
        seen += plan.declared.len();
        for it in &plan.declared {
            for pointer in &it.unknown {
                assert_eq!(it.properties.pointer(pointer), Some(&Value::Null), "{name} {pointer}");
            }
            let lines = text.lines().count();
            for (pointer, place) in &it.places {
                assert!(it.properties.pointer(pointer).is_some(), "{name} {pointer}");
                assert!((1..=lines).contains(&place.line), "{name} {pointer} {place:?}");
            }
        }
        if let Ok(json) = serde_json::from_str::<Value>(&text) {
            assert_same_as_json(&name, &plan, &json);
        }
    }
    assert!(1_000 < seen, "only {seen} resources");
}

/// Whatever is known and has no function in it is what another parser reads.
fn assert_same_as_json(name: &str, plan: &Plan, template: &Value) {
    for it in &plan.declared {
        let written = &template["Resources"][&it.address]["Properties"];
        let text = written.to_string();
        if !["\"Fn::", "\"Ref\"", "{{resolve:"].iter().any(|it| text.contains(it))
            && !written.is_null()
        {
            assert_eq!(it.properties, *written, "{name} {}", it.address);
            assert!(it.unknown.is_empty() && it.references.is_empty(), "{name} {}", it.address);
        }
    }
}

/// How a note begins, and why it is right in all templates that have it.
const NOTED: [(&str, &str); 5] = [
    (
        "there is no parameter or resource `AWS:Partition`",
        "A colon is missing: CLOUDWATCH_ALARM_ACTION_CHECK has `${AWS:Partition}` in a `Fn::Sub`.",
    ),
    ("there is no parameter or resource `", "They are excerpts: what they refer to was cut off."),
    ("there is no resource `", "They are excerpts: what they refer to was cut off."),
    (
        "there is no condition `HasEncryption`",
        "cfn-guard's excerpt uses the condition in `Fn::If` and has no `Conditions`.",
    ),
    (
        "`EcsLifeCycle` is a nested stack: its own template is not read here",
        "It is an `AWS::CloudFormation::Stack`.",
    ),
];

#[test]
fn every_note_is_right() {
    let mut noted: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, text) in templates() {
        for it in read(&name, &text, &Options::default()).map(|it| it.notes).unwrap_or_default() {
            noted.entry(it.problem).or_default().push(name.clone());
        }
    }
    for (begins, why) in NOTED {
        assert!(noted.keys().any(|it| it.starts_with(begins)), "never: {begins}: {why}");
        noted.retain(|problem, _| !problem.starts_with(begins));
    }
    assert!(noted.is_empty(), "{noted:#?}");
}

fn our_own(name: &str, options: &Options) -> Result<Plan, PlanError> {
    let file = format!("deploy/cloudformation/{name}.yaml");
    let text = fs::read_to_string(folder("../..").join(&file)).unwrap();
    assert!(is_template(&text));
    read(&file, &text, options)
}

#[test]
fn our_own_templates_are_read() {
    let hub = our_own("hub", &Options::default()).unwrap();
    let bucket = hub.declared.iter().find(|it| it.address == "Checkpoints").unwrap();
    assert_eq!(bucket.kind, "AWS::S3::Bucket");
    assert_eq!(bucket.properties["PublicAccessBlockConfiguration"]["BlockPublicAcls"], true);
    let policy = hub.declared.iter().find(|it| it.address == "CheckpointsPolicy").unwrap();
    assert_eq!(policy.references["/Bucket"], ["Checkpoints"]);
    let missing = |plan: &Plan| {
        let mut problems = plan.notes.iter().map(|it| it.problem.clone());
        problems.find(|it| !it.starts_with("whether `"))
    };
    assert_eq!(missing(&hub), None);
    let options = Options {
        account: Some("111122223333".to_owned()),
        region: Some("us-east-1".to_owned()),
        ..Options::default()
    };
    let spoke = our_own("spoke", &options).unwrap();
    assert_eq!(spoke.notes, []);
    assert!(spoke.declared.iter().all(|it| it.address != "UndoRole"));
    let role = spoke.declared.iter().find(|it| it.address == "ReadRole").unwrap();
    assert_eq!(role.properties["RoleName"], "quell-read");
    assert_eq!(role.properties.get("PermissionsBoundary"), None);
    let trust = &role.properties["AssumeRolePolicyDocument"]["Statement"][0];
    assert_eq!(trust["Principal"]["AWS"], Value::Null);
    assert!(role.unknown.contains("/AssumeRolePolicyDocument/Statement/0/Principal/AWS"));
    let elsewhere = Options { region: Some("eu-central-1".to_owned()), ..options };
    let spoke = our_own("spoke", &elsewhere).unwrap();
    assert!(spoke.declared.iter().all(|it| it.kind != "AWS::IAM::Role"));
}
