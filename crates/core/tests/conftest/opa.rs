//! Every bundle of `bundles/` over real plans and templates, beside what OPA 1.20 said of the same
//! (`expect.jsonl`, recorded by `record.py`).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use quell_core::policy::conftest::{
    BUNDLE_RULE_TIME_MAX_MS, Bundle, Document, Judgment, Module, Namespaces,
};
use serde_json::{Value, json};

/// Every so many templates of the registry with one of these types are judged, as in `record.py`.
const TEMPLATES_STEP: usize = 3;
const TYPES: [&str; 4] =
    ["AWS::S3::Bucket", "AWS::EC2::SecurityGroup", "AWS::IAM::", "AWS::RDS::DBInstance"];

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conftest")
}

fn rows(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path)
        .unwrap_or_else(|error| panic!("`{}` is needed for this test: {error}", path.display()));
    text.lines().map(|it| serde_json::from_str(it).unwrap()).collect()
}

/// A file's path below its bundle, and what is in it.
type Text = (String, String);

/// The files below a folder, without what is there for OPA alone.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![];
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if !path.is_dir() {
            found.push(path);
        } else if !path.ends_with("v1") {
            found.extend(files(&path));
        }
    }
    found.sort();
    found
}

fn load(folder: &Path) -> Bundle {
    let texts = files(folder).into_iter().map(|it| {
        let text = fs::read_to_string(&it).unwrap();
        (it.strip_prefix(folder).unwrap().to_str().unwrap().to_owned(), text)
    });
    let (modules, documents): (Vec<Text>, Vec<Text>) =
        texts.partition(|(file, _)| file.ends_with(".rego"));
    let modules: Vec<Module<'_>> =
        modules.iter().map(|(file, text)| Module { file, text }).collect();
    let at: Vec<Vec<&str>> = documents
        .iter()
        .map(|(file, _)| file.rsplit_once('/').map_or(vec![], |it| it.0.split('/').collect()))
        .collect();
    let documents: Vec<Document<'_>> =
        documents.iter().zip(&at).map(|((file, text), at)| Document { file, text, at }).collect();
    Bundle::load(&modules, &documents, Namespaces::All, BUNDLE_RULE_TIME_MAX_MS)
        .unwrap_or_else(|it| panic!("{}: {it}", folder.display()))
}

/// By rule: the set of what it holds, `"excepted"`, or that it failed.
fn said(judgment: Judgment) -> BTreeMap<String, Value> {
    let mut said = BTreeMap::<String, Value>::new();
    for it in judgment.messages {
        let value = match it.details.is_empty() {
            true => Value::String(it.text),
            false => {
                let mut fields = it.details;
                fields.insert("msg".to_owned(), Value::String(it.text));
                Value::Object(fields)
            }
        };
        let list = said.entry(format!("{}.{}", it.namespace, it.rule)).or_insert(json!([]));
        list.as_array_mut().unwrap().push(value);
    }
    for (namespace, rule) in judgment.excepted {
        said.insert(format!("{namespace}.{rule}"), json!("excepted"));
    }
    for error in judgment.errors {
        said.insert(error.policy, json!("error"));
    }
    said
}

/// What OPA said in the same form. An object with nothing but a `msg` is its text.
fn expected(row: &Value) -> BTreeMap<String, Value> {
    let value = |it: &Value| match it {
        Value::Object(_) => json!("error"),
        Value::Array(list) => list
            .iter()
            .map(|it| match it.as_object() {
                Some(fields) if fields.len() == 1 => fields["msg"].clone(),
                _ => it.clone(),
            })
            .collect(),
        other => other.clone(),
    };
    let rules = row["said"].as_object().unwrap().iter();
    rules.map(|(rule, it)| (rule.clone(), value(it))).collect()
}

/// As text in which equal numbers are equal and sets have one order.
fn canonical(value: &Value) -> String {
    match value {
        Value::Number(it) => format!("{}", it.as_f64().unwrap()),
        Value::Array(list) => {
            let mut list: Vec<String> = list.iter().map(canonical).collect();
            list.sort();
            format!("{list:?}")
        }
        Value::Object(fields) => {
            let fields: BTreeMap<_, _> =
                fields.iter().map(|(key, it)| (key, canonical(it))).collect();
            format!("{fields:?}")
        }
        other => other.to_string(),
    }
}

fn is_of_interest(template: &Value) -> bool {
    let resources = template["Resources"].as_object().into_iter().flat_map(|it| it.values());
    let mut types = resources.filter_map(|it| it["Type"].as_str());
    types.any(|it| TYPES.iter().any(|prefix| it.starts_with(prefix)))
}

#[test]
fn verdicts_are_those_of_opa() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpora/iac");
    let is_aws =
        |row: &&Value| row["providers"].as_object().unwrap().keys().any(|it| it.starts_with("aws"));
    let plans = rows(&corpora.join("terraform_plans.jsonl"));
    let plans = plans.iter().filter(is_aws);
    let plans = plans.map(|it| (it["path"].as_str().unwrap().to_owned(), it["plan"].clone()));
    let plans: Vec<(String, Value)> = plans.collect();
    let templates = rows(&corpora.join("cfn_guard_registry.jsonl"));
    let templates = templates
        .iter()
        .filter(|it| is_of_interest(&it["template"]))
        .step_by(TEMPLATES_STEP)
        .enumerate();
    let templates = templates.map(|(at, it)| (format!("{at}.json"), it["template"].clone()));
    let templates: Vec<(String, Value)> = templates.collect();

    let recorded = rows(&here().join("expect.jsonl"));
    let key =
        |it: &Value| (it["bundle"].as_str().unwrap().to_owned(), it["input"].as_u64().unwrap());
    let mut recorded: BTreeMap<_, _> = recorded.iter().map(|it| (key(it), expected(it))).collect();
    let (mut pairs, mut differing) = (0, vec![]);
    let mut folders: Vec<PathBuf> =
        fs::read_dir(here().join("bundles")).unwrap().map(|it| it.unwrap().path()).collect();
    folders.sort();
    for folder in folders {
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let bundle = load(&folder);
        let inputs = if name.contains("cfn") { &templates } else { &plans };
        for ((file, input), at) in inputs.iter().zip(0_u64..) {
            pairs += 1;
            let ours = said(bundle.judge(file, input));
            let theirs = recorded.remove(&(name.clone(), at)).unwrap_or_default();
            let same = |it: &BTreeMap<String, Value>| -> BTreeMap<String, String> {
                it.iter().map(|(rule, it)| (rule.clone(), canonical(it))).collect()
            };
            if same(&ours) != same(&theirs) {
                differing
                    .push(format!("{name} {at} {file}\n  ours   {ours:?}\n  theirs {theirs:?}"));
            }
        }
    }
    assert!(differing.is_empty(), "{} of {pairs}:\n{}", differing.len(), differing.join("\n"));
    assert!(recorded.is_empty(), "recorded for no input: {:?}", recorded.keys());
    assert!(1_000 < pairs, "{pairs} pairs");
}
