//! What a template's values mean: intrinsic functions, conditions, parameters, and where they are
//! written.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeMap;

use quell_core::plan::cloudformation::{Options, document, is_template, read};
use quell_core::plan::{Declared, Intent, Language, Plan};
use serde_json::{Value, json};

fn options() -> Options {
    Options {
        parameters: BTreeMap::from([("Given".to_owned(), "given".to_owned())]),
        account: Some("111122223333".to_owned()),
        region: Some("eu-central-1".to_owned()),
    }
}

fn plan(text: &str) -> Plan {
    read("t.yaml", text, &options()).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn only<'p>(plan: &'p Plan, address: &str) -> &'p Declared {
    plan.declared.iter().find(|it| it.address == address).unwrap()
}

fn notes(plan: &Plan) -> Vec<String> {
    let show = |it: &quell_core::plan::Note| {
        let at = it.at.as_ref().unwrap();
        format!("{}:{}: {}", at.line, at.column, it.problem)
    };
    plan.notes.iter().map(show).collect()
}

/// Everything that an expression may name. The property that a test looks at is the last line.
const SURROUNDINGS: &str = r#"
Parameters:
  Given: { Type: String, Default: default }
  Plain: { Type: String, Default: plain }
  Number: { Type: Number, Default: 80 }
  Flag: { Type: String, Default: yes }
  Empty: { Type: String, Default: "" }
  NoDefault: { Type: String }
  Subnets: { Type: "List<AWS::EC2::Subnet::Id>", Default: "a, b,c" }
  Names: { Type: CommaDelimitedList, Default: "x" }
  Stored: { Type: "AWS::SSM::Parameter::Value<String>", Default: /path }
  StoredName: { Type: "AWS::SSM::Parameter::Name", Default: /path }
  Dynamic: { Type: String, Default: "{{resolve:ssm:/x}}" }
Mappings:
  Sizes:
    eu-central-1: { Small: t3.small, Ports: [1, 2], Open: true }
    us-east-1: { Small: t2.small }
Conditions:
  Yes: !Equals [!Ref Plain, plain]
  No: !Not [!Condition Yes]
  Perhaps: !Equals [!Ref NoDefault, x]
  PerhapsNot: !Not [!Condition Perhaps]
  NumberIsText: !Equals [!Ref Number, "80"]
  FlagIsTrue: !Equals [!Ref Flag, "true"]
  AndFails: !And [!Condition Perhaps, !Condition No]
  AndPerhaps: !And [!Condition Perhaps, !Condition Yes]
  OrHolds: !Or [!Condition Perhaps, !Condition Yes]
  OrPerhaps: !Or [!Condition Perhaps, !Condition No]
  Mapped: !FindInMap [Sizes, !Ref AWS::Region, Open]
  NoValues: !Equals [!Ref AWS::NoValue, !Ref AWS::NoValue]
  ListsDiffer: !Equals [!Ref Subnets, [a, b]]
Resources:
  Bucket: { Type: "AWS::S3::Bucket" }
  Role: { Type: "AWS::IAM::Role" }
  Gone: { Type: "AWS::S3::Bucket", Condition: No }
  Thing:
    Type: "Custom::Thing"
    Properties:
"#;

/// The value of an expression, what of it is unknown (`?`), what it is made of (`<`), and notes.
fn value(expression: &str) -> String {
    let plan = plan(&format!("{SURROUNDINGS}      V: {expression}\n"));
    let thing = only(&plan, "Thing");
    let Some(value) = thing.properties.get("V") else {
        return format!("absent{}", problems(&plan));
    };
    let mut shown = value.to_string();
    for it in &thing.unknown {
        assert_eq!(thing.properties.pointer(it), Some(&Value::Null), "{it} is not null");
        shown.push_str(&format!(" ?{}", it.strip_prefix("/V").unwrap()));
    }
    for (pointer, addresses) in &thing.references {
        let pointer = pointer.strip_prefix("/V").unwrap();
        shown.push_str(&format!(" <{pointer}={}", addresses.join("+")));
    }
    shown.push_str(&problems(&plan));
    shown
}

fn problems(plan: &Plan) -> String {
    plan.notes.iter().map(|it| format!(" !{}", it.problem)).collect()
}

fn check(cases: &[(&str, &str)]) {
    let differing: Vec<_> = cases
        .iter()
        .map(|(expression, wanted)| (expression, value(expression), wanted))
        .filter(|(_, shown, wanted)| shown != *wanted)
        .collect();
    assert!(differing.is_empty(), "{differing:#?}");
}

#[test]
fn references() {
    check(&[
        ("!Ref Plain", r#""plain""#),
        ("!Ref Given", r#""given""#),
        ("!Ref Number", r#""80""#),
        ("!Ref Flag", r#""true""#),
        ("!Ref Subnets", r#"["a","b","c"]"#),
        ("!Ref Names", r#"["x"]"#),
        ("!Ref NoDefault", "null ?"),
        ("!Ref Stored", "null ?"),
        ("!Ref StoredName", r#""/path""#),
        ("!Ref Dynamic", "null ?"),
        ("!Ref Bucket", "null ? <=Bucket"),
        ("!Ref Nowhere", "null ? !there is no parameter or resource `Nowhere`"),
        ("!Ref Gone", "null ? !`Gone` is used, but not created: condition `No` fails"),
        ("!Ref [a]", "null ? !`Ref` must be a name"),
        ("!Ref AWS::AccountId", r#""111122223333""#),
        ("!Ref AWS::Region", r#""eu-central-1""#),
        ("!Ref AWS::Partition", r#""aws""#),
        ("!Ref AWS::URLSuffix", r#""amazonaws.com""#),
        ("!Ref AWS::StackName", "null ?"),
        ("!Ref AWS::Typo", "null ? !there is no pseudo parameter `AWS::Typo`"),
        ("!Ref AWS::NoValue", "absent"),
        ("[a, !Ref AWS::NoValue, b]", r#"["a","b"]"#),
        ("!GetAtt Bucket.Arn", "null ? <=Bucket"),
        ("!GetAtt [Bucket, Arn]", "null ? <=Bucket"),
        ("{ Fn::GetAtt: [Bucket, !Ref NoDefault] }", "null ? <=Bucket"),
        ("!GetAtt Bucket.Nested.Arn", "null ? <=Bucket"),
        ("!GetAtt Nowhere.Arn", "null ? !there is no resource `Nowhere`"),
        ("!GetAtt Bucket", "null ? !`Fn::GetAtt` needs a resource and an attribute"),
        ("!ImportValue x", "null ?"),
        ("!ImportValue { Fn::Sub: \"${Bucket}\" }", "null ? <=Bucket"),
        ("!GetAZs \"\"", "null ?"),
        ("!Select [0, !GetAZs \"\"]", "null ?"),
        ("\"{{resolve:secretsmanager:x}}\"", "null ?"),
    ]);
}

#[test]
fn texts() {
    check(&[
        ("!Sub \"${Plain}-${AWS::Region}\"", r#""plain-eu-central-1""#),
        ("!Sub \"${!Plain}${Number}\"", r#""${Plain}80""#),
        ("!Sub \"arn:aws:s3:::${Bucket}/${Role.Arn}/*\"", "null ? <=Bucket+Role"),
        ("!Sub [\"${A}${Plain}\", { A: !Ref Number }]", r#""80plain""#),
        ("!Sub [\"${A}\", { A: !GetAtt Role.Arn }]", "null ? <=Role"),
        (
            "!Sub [\"${A}\", { A: !Ref AWS::NoValue }]",
            "null ? !there is no parameter or resource `A`",
        ),
        ("!Sub [\"${Plain}\"]", r#""plain""#),
        ("!Sub \"{{resolve:ssm:${Plain}}}\"", "null ?"),
        ("!Sub \"$5 ${a\"", r#""$5 ${a""#),
        ("!Sub [[a]]", "null ? !`Fn::Sub` needs a text"),
        ("!Sub \"${Subnets}\"", "null ?"),
        ("!Sub \"${x:-y}\"", "null ? !there is no parameter or resource `x:-y`"),
        ("!Join [\",\", !Ref Subnets]", r#""a,b,c""#),
        ("!Join [\"\", [a, 1, true, 1.10]]", r#""a1true1.10""#),
        ("!Join [\":\", [a, !Ref Bucket, !GetAtt Role.Arn]]", "null ? <=Bucket+Role"),
        ("!Join [\":\", [a, !Ref AWS::NoValue]]", r#""a""#),
        ("!Join [\":\", a]", "null ? !`Fn::Join` needs a delimiter and a list of texts"),
        ("!Join x", "null ? !`Fn::Join` needs a delimiter and a list of texts"),
        ("!Split [\"-\", a-b]", r#"["a","b"]"#),
        ("!Split [\"-\", !Ref Bucket]", "null ? <=Bucket"),
        ("!Split [\"\", ab]", "null ? !`Fn::Split` needs a delimiter and a text"),
        ("!Select [1, !Split [\"-\", a-b]]", r#""b""#),
        ("!Select [\"1\", !Ref Subnets]", r#""b""#),
        ("!Select [0, [a, !Ref Bucket]]", r#""a""#),
        ("!Select [1, [a, !Ref Bucket]]", "null ? <=Bucket"),
        ("!Select [1, [!Ref Bucket, a]]", "null ? <=Bucket"),
        ("!Select [7, [a]]", "null ? !`Fn::Select` names no item of its list"),
        ("!Select [a, [a]]", "null ? !`Fn::Select` names no item of its list"),
        ("!Select [!Ref NoDefault, [a]]", "null ?"),
        ("!Base64 foobar", r#""Zm9vYmFy""#),
        ("{ Fn::Base64: !Sub \"${Bucket}\" }", "null ? <=Bucket"),
        ("!Base64 [a]", "null ? !`Fn::Base64` needs a text"),
        ("!Cidr [10.0.0.0/16, 2, 8]", r#"["10.0.0.0/24","10.0.1.0/24"]"#),
        ("!Select [0, !Cidr [!GetAtt Bucket.Cidr, 2, 8]]", "null ? <=Bucket"),
        (
            "!Cidr [x, 2, 8]",
            "null ? !`Fn::Cidr` needs a block, a number of blocks in it and their host bits",
        ),
        ("!Length [a, b]", "2"),
        ("!Length a", "null ? !`Fn::Length` needs a list"),
        ("{ Fn::Length: !Ref Subnets }", "3"),
        ("!ToJsonString { a: [1, true], b: x }", r#""{\"a\":[1,true],\"b\":\"x\"}""#),
        ("!ToJsonString { a: !Ref Bucket }", "null ? <=Bucket"),
    ]);
}

#[test]
fn choices() {
    check(&[
        ("!FindInMap [Sizes, !Ref AWS::Region, Small]", r#""t3.small""#),
        ("!FindInMap [Sizes, eu-central-1, Ports]", "[1,2]"),
        ("!FindInMap [Sizes, !Ref NoDefault, Small]", "null ?"),
        ("!FindInMap [Sizes, nowhere, Small]", "null ? !`Fn::FindInMap` finds nothing"),
        ("!FindInMap [Sizes, nowhere, Small, { DefaultValue: d }]", r#""d""#),
        ("!FindInMap [Sizes]", "null ? !`Fn::FindInMap` needs a mapping and two keys"),
        ("!If [Yes, a, b]", r#""a""#),
        ("!If [No, a, !Ref Bucket]", "null ? <=Bucket"),
        ("!If [No, a, !Ref AWS::NoValue]", "absent"),
        ("!If [Perhaps, a, b]", "null ?"),
        ("!If [Perhaps, a, a]", r#""a""#),
        ("!If [Perhaps, 1, 1]", "1"),
        ("!If [Perhaps, 1, \"1\"]", "null ?"),
        ("!If [Perhaps, a, !Ref AWS::NoValue]", "null ?"),
        ("!If [Perhaps, !Ref Bucket, !GetAtt Role.Arn]", "null ? <=Bucket+Role"),
        ("!If [Perhaps, { a: 1, b: 2 }, { b: 3, a: 1 }]", r#"{"a":1,"b":null} ?/b"#),
        ("!If [Perhaps, { a: 1 }, { b: 1 }]", "null ?"),
        ("!If [Perhaps, [1, 2], [1, 3]]", "[1,null] ?/1"),
        ("!If [AndFails, a, b]", r#""b""#),
        ("!If [AndPerhaps, a, b]", "null ?"),
        ("!If [OrHolds, a, b]", r#""a""#),
        ("!If [OrPerhaps, a, b]", "null ?"),
        ("!If [PerhapsNot, a, b]", "null ?"),
        ("!If [NumberIsText, a, b]", r#""a""#),
        ("!If [FlagIsTrue, a, b]", r#""a""#),
        ("!If [Mapped, a, b]", r#""a""#),
        ("!If [NoValues, a, b]", r#""a""#),
        ("!If [ListsDiffer, a, b]", r#""b""#),
        ("!If [Typo, a, b]", "null ? !there is no condition `Typo`"),
        ("!If [Yes, a]", "null ? !`Fn::If` needs a condition and two values"),
        ("!Equals [a, a]", "true"),
    ]);
}

#[test]
fn what_nobody_knows_is_noted_and_unknown() {
    check(&[
        ("!GetStackOutput { StackName: s, OutputName: !Ref Bucket }", "null ? <=Bucket"),
        (
            "{ Fn::Join: [\"\", [a]], b: 1 }",
            "null ? !`Fn::Join` must be the only key of its mapping",
        ),
        (
            "{ Fn::Transform: { Name: \"AWS::Include\" } }",
            "null ? !what `Fn::Transform` makes can't be known",
        ),
        (
            "{ Fn::Transform: { Name: \"AWS::Include\" }, b: 1 }",
            "null ? !`Fn::Transform` may add anything here",
        ),
    ]);
}

#[test]
fn only_the_subtree_is_unknown() {
    check(&[
        (
            "{ a: [x, { b: !Ref Bucket, c/~d: !Ref NoDefault }], e: 1 }",
            r#"{"a":["x",{"b":null,"c/~d":null}],"e":1} ?/a/1/b ?/a/1/c~1~0d </a/1/b=Bucket"#,
        ),
        ("{ Ref: Plain, b: 1 }", r#"{"Ref":"Plain","b":1}"#),
        (
            "{ Condition: { StringEquals: { a: b } } }",
            r#"{"Condition":{"StringEquals":{"a":"b"}}}"#,
        ),
        ("{ on: 1, ~: 2, 3: 4 }", r#"{"3":4,"on":1,"~":2}"#),
        ("!!str 12", r#""12""#),
        ("! 12", r#""12""#),
        ("\"yes\"", r#""yes""#),
        (r#""\u00e4\/\ud83d\ude00""#, r#""ä/😀""#),
        (
            "[2012-10-17, 012345678901, 1.5, ~, off]",
            r#"["2012-10-17","012345678901",1.5,null,false]"#,
        ),
    ]);
}

#[test]
fn without_account_and_region_the_pseudo_parameters_are_unknown() {
    let text = r#"Resources:
  A:
    Type: X::Y
    Properties:
      P: !Sub "arn:${AWS::Partition}:"
      A: !Ref AWS::AccountId
      S: !Ref AWS::URLSuffix
"#;
    let plan = read("t.yaml", text, &Options::default()).unwrap();
    let unknown: Vec<_> = only(&plan, "A").unknown.iter().map(String::as_str).collect();
    assert_eq!(unknown, ["/A", "/P", "/S"]);
    assert_eq!((plan.account, plan.region, plan.notes), (None, None, vec![]));
}

/// One template in three ways of writing.
const SHORT: &str = r#"
Parameters: { P: { Type: String, Default: p } }
Conditions: { C: !And [!Equals [!Ref P, p], !Not [!Equals [a, b]]], D: !Or [!Condition C] }
Resources:
  B: { Type: "AWS::S3::Bucket" }
  A:
    Type: X::Y
    Condition: D
    Properties:
      S: !Sub "${P}-${B.Arn}"
      I: !If [C, !GetAtt B.Arn, !Ref "AWS::NoValue"]
"#;

const JSON: &str = r#"{
  "Parameters": {"P": {"Type": "String", "Default": "p"}},
  "Conditions": {
    "C": {"Fn::And": [
      {"Fn::Equals": [{"Ref": "P"}, "p"]}, {"Fn::Not": [{"Fn::Equals": ["a", "b"]}]}
    ]},
    "D": {"Fn::Or": [{"Condition": "C"}]}
  },
  "Resources": {
    "B": {"Type": "AWS::S3::Bucket"},
    "A": {
      "Type": "X::Y",
      "Condition": "D",
      "Properties": {
        "S": {"Fn::Sub": "${P}-${B.Arn}"},
        "I": {"Fn::If": ["C", {"Fn::GetAtt": ["B", "Arn"]}, {"Ref": "AWS::NoValue"}]}
      }
    }
  }
}"#;

const LONG: &str = r#"
Parameters: { P: { Type: String, Default: p } }
Conditions:
  C: { "Fn::And": [{ "Fn::Equals": [{ Ref: P }, p] }, { "Fn::Not": [{ "Fn::Equals": [a, b] }] }] }
  D: { "Fn::Or": [{ Condition: C }] }
Resources:
  B: { Type: "AWS::S3::Bucket" }
  A:
    Type: X::Y
    Condition: D
    Properties:
      S: { "Fn::Sub": "${P}-${B.Arn}" }
      I:
        Fn::If:
          - C
          - Fn::GetAtt: [B, Arn]
          - Ref: AWS::NoValue
"#;

#[test]
fn short_forms_long_forms_and_json_are_the_same() {
    let stripped = |text: &str| {
        let mut plan = plan(text);
        plan.declared.sort_by(|a, b| a.address.cmp(&b.address));
        for it in &mut plan.declared {
            it.at = None;
            it.places.clear();
        }
        plan
    };
    let wanted = stripped(SHORT);
    assert_eq!(only(&wanted, "A").references["/I"], ["B"]);
    assert_eq!(only(&wanted, "A").references["/S"], ["B"]);
    assert_eq!(stripped(LONG), wanted);
    assert_eq!(stripped(JSON), wanted);
    assert_eq!(stripped(&JSON.replace("  ", "\t")), wanted, "with tabs");
    for text in [SHORT, LONG, JSON] {
        assert_eq!(stripped(&text.replace('\n', "\r\n")), wanted, "with carriage returns");
        assert_eq!(stripped(&format!("\u{feff}{}", text.trim_start())), wanted, "with a mark");
    }
    let minified = serde_json::from_str::<Value>(JSON).unwrap().to_string();
    assert_eq!(stripped(&minified), wanted, "minified");
}

#[test]
fn a_resource_is_declared_with_everything_there_is() {
    let plan = plan("Resources:\n  A:\n    Type: X::Y\n    DeletionPolicy: Retain\n");
    let declared = only(&plan, "A");
    assert_eq!(declared.language, Language::CloudFormation);
    assert_eq!(declared.kind, "X::Y");
    assert_eq!(declared.intent, Intent::Create);
    assert_eq!(declared.properties, json!({}));
    assert_eq!((declared.before.as_ref(), declared.unknown.len()), (None, 0));
    assert_eq!(plan.account.as_deref(), Some("111122223333"));
    assert_eq!(plan.region.as_deref(), Some("eu-central-1"));
}

#[test]
fn conditions_decide_what_is_declared() {
    let plan = plan(
        r#"Parameters: { P: { Type: String } }
Conditions:
  Yes: !Equals [a, a]
  No: !Equals [a, b]
  Perhaps: !Equals [!Ref P, b]
Resources:
  A: { Type: X::Y, Condition: Yes }
  B: { Type: X::Y, Condition: No }
  C: { Type: X::Y, Condition: Perhaps }
  D: { Type: X::Y, Condition: Typo }
  E: { Type: X::Y, Condition: [] }
  F: { Type: "AWS::CloudFormation::Stack" }
"#,
    );
    let addresses: Vec<_> = plan.declared.iter().map(|it| it.address.as_str()).collect();
    assert_eq!(addresses, ["A", "C", "D", "E", "F"]);
    let judged = "it is judged as if it were";
    let wanted = [
        format!(
            "9:3: whether `C` is created can't be known, as condition `Perhaps` can't: {judged}"
        ),
        format!("10:3: whether `D` is created can't be known, as condition `Typo` can't: {judged}"),
        "10:31: there is no condition `Typo`".to_owned(),
        format!("11:3: whether `E` is created can't be known, as condition `?` can't: {judged}"),
        "11:31: `Condition` of a resource must be a condition's name".to_owned(),
        "12:3: `F` is a nested stack: its own template is not read here".to_owned(),
    ];
    assert_eq!(notes(&plan), wanted);
}

#[test]
fn every_property_has_a_place() {
    let text = r#"Resources:
  Ärger: { Type: X::Y, Properties: { "ö": 1, B: [x, !Ref AWS::Region] } }
  B:
    Type: X::Y
    Properties:
      Policy:
        Statement:
          - Effect: Allow
            Principal: "*"
          - !If
            - C
            - { Effect: Deny }
            - x
Conditions: { C: !Equals [a, a] }
"#;
    let plan = plan(text);
    let places = |address: &str| -> Vec<String> {
        let places = &only(&plan, address).places;
        places.iter().map(|(path, at)| format!("{path} {}:{}", at.line, at.column)).collect()
    };
    let at = only(&plan, "B").at.clone().unwrap();
    assert_eq!((at.file.as_str(), at.line, at.column), ("t.yaml", 3, 3));
    assert_eq!(places("Ärger"), [" 2:24", "/B 2:46", "/B/0 2:50", "/B/1 2:53", "/ö 2:38"]);
    assert_eq!(
        places("B"),
        [
            " 5:5",
            "/Policy 6:7",
            "/Policy/Statement 7:9",
            "/Policy/Statement/0 8:13",
            "/Policy/Statement/0/Effect 8:13",
            "/Policy/Statement/0/Principal 9:13",
            "/Policy/Statement/1 12:15",
            "/Policy/Statement/1/Effect 12:17",
        ]
    );
    let bare = only(&self::plan("Resources: { A: { Type: X::Y } }"), "A").clone();
    assert_eq!(bare.places[""].column, 14);
}

#[test]
fn anchors_and_merge_keys_are_expanded() {
    let plan = plan(
        r#"Resources:
  A: { Type: X::Y, Properties: &p { a: 1, b: { c: 2 } } }
  B: { Type: X::Y, Properties: { <<: *p, a: 3 } }
  C: { Type: X::Y, Properties: { <<: [*p, { d: 4, a: 5 }] } }
  D: { Type: X::Y, Properties: { "<<": 1 } }
"#,
    );
    assert_eq!(only(&plan, "B").properties, json!({"a": 3, "b": {"c": 2}}));
    assert_eq!(only(&plan, "C").properties, json!({"a": 1, "b": {"c": 2}, "d": 4}));
    assert_eq!(only(&plan, "D").properties, json!({"<<": 1}));
    assert_eq!(only(&plan, "B").places["/b/c"].line, 2);
}

#[test]
fn loops_are_unrolled() {
    let plan = plan(
        r#"Transform: AWS::LanguageExtensions
Parameters:
  Names: { Type: CommaDelimitedList, Default: "x,y" }
  Secret: { Type: CommaDelimitedList, Default: "hunter2", NoEcho: true }
  Unknown: { Type: CommaDelimitedList }
Resources:
  Fn::ForEach::Buckets:
    - Name
    - !Ref Names
    - Bucket${Name}:
        Type: AWS::S3::Bucket
        Properties:
          BucketName: !Sub "b-${Name}-${AWS::Region}"
          Tag: !Ref Name
          Other: !GetAtt ["Bucket${Name}", Arn]
          Fn::ForEach::Inner:
            - Ip
            - [10.0.0.1, 10.0.0.2]
            - "P${Name}&{Ip}": "${Ip}"
  Fn::ForEach::Secrets: [N, !Ref Secret, { "A${N}": { Type: X::Y } }]
  Fn::ForEach::More: [N, !Ref Unknown, { "B${N}": { Type: X::Y } }]
"#,
    );
    let addresses: Vec<_> = plan.declared.iter().map(|it| it.address.as_str()).collect();
    assert_eq!(addresses, ["Bucketx", "Buckety"]);
    let properties = &only(&plan, "Buckety").properties;
    let wanted = json!({"BucketName": "b-y-eu-central-1", "Tag": "y", "Other": null,
        "Py10001": "10.0.0.1", "Py10002": "10.0.0.2"});
    assert_eq!(*properties, wanted);
    assert_eq!(only(&plan, "Buckety").references["/Other"], ["Buckety"]);
    let unknown =
        |name| format!("what `Fn::ForEach::{name}` makes can't be known: its collection is not");
    let problems: Vec<_> = plan.notes.iter().map(|it| it.problem.clone()).collect();
    assert_eq!(problems, [unknown("Secrets"), unknown("More")]);
}

#[test]
fn transforms_that_are_not_known_are_noted() {
    let plan = plan(
        r#"Transform: [AWS::LanguageExtensions, My::Macro, { Name: "AWS::Include" }]
Resources: { Fn::Transform: { Name: "AWS::Include" }, A: { Type: "A::B::C::MODULE" } }
"#,
    );
    let wanted = [
        "1:38: what the transform `My::Macro` changes can't be known",
        "1:49: what the transform `AWS::Include` changes can't be known",
        "2:14: `Fn::Transform` may add any resource here",
        "2:55: `A` is a module: its own template is not read here",
    ];
    assert_eq!(notes(&plan), wanted);
}

/// Nothing that CloudFormation would refuse is judged. A macro may know more functions than it.
#[test]
fn functions_that_are_not_known_are_refused_unless_a_macro_may_know_them() {
    for (call, column) in [("!Frobnicate x", 37), ("{ Fn::Frobnicate: [!Ref B] }", 39)] {
        let property = format!("{{ Type: X::Y, Properties: {{ V: {call} }} }}");
        let text = format!("Resources:\n  A: {property}\n  B: {{ Type: X::Y }}\n");
        let error = read("t.yaml", &text, &options()).unwrap_err().to_string();
        let wanted =
            format!("t.yaml:2:{column}: `Fn::Frobnicate` is no function that is known here");
        assert_eq!(error, wanted, "{text}");
        let plan = plan(&format!("Transform: My::Macro\n{text}"));
        assert!(only(&plan, "A").unknown.contains("/V"), "{text}");
        let of_function = notes(&plan).into_iter().filter(|it| it.contains("`Fn::Frobnicate`"));
        assert_eq!(of_function.count(), 1, "{text}");
    }
    let text = "Conditions:\n  C: !Nope [a]\nResources:\n  A: { Type: X::Y, Condition: C }\n";
    let error = read("t.yaml", text, &options()).unwrap_err().to_string();
    assert_eq!(error, "t.yaml:2:6: `Fn::Nope` is no function that is known here");
}

#[test]
fn what_an_include_may_add_is_unknown() {
    let plan = plan(
        r#"Resources:
  A:
    Type: AWS::S3::Bucket
    Properties: { BucketName: !Ref B }
    Fn::Transform: { Name: "AWS::Include" }
  B:
    Type: AWS::CloudFormation::Stack
    Metadata: { "aws:asset:path": B.nested.template.json }
  CDKMetadata: { Type: AWS::CDK::Metadata, Condition: Available }
Conditions:
  Available: !Equals [!Ref AWS::StackName, x]
"#,
    );
    let bucket = only(&plan, "A");
    assert_eq!((bucket.unknown.contains(""), bucket.references[""][0].as_str()), (true, "B"));
    let wanted = [
        "5:5: `Fn::Transform` may add anything to `A`",
        "6:3: `B` is a nested stack: its own template `B.nested.template.json` is not read here",
    ];
    assert_eq!(notes(&plan), wanted);
}

#[test]
fn templates_are_told_by_their_content() {
    for text in [
        "AWSTemplateFormatVersion: 2010-09-09\n",
        "Resources:\n  A:\n    Type: AWS::S3::Bucket\n",
        "{\"Resources\": {\"A\": {\"Type\": \"AWS::S3::Bucket\"}}}",
        "Resources:\n  A:\n    Type: AWS::S3::Bucket\n  B: [\n",
        "{\"Resources\": {\"A\": {\"Type\": \"AWS::S3::Bucket\"",
        "\u{feff}AWSTemplateFormatVersion: 2010-09-09\nResources: {}\n",
        "Resources:\n  Fn::ForEach::Each:\n    - Name\n    - [A]\n    - {}\n",
        r#"{"Res\u006furces": {"A": {"Type": "AWS::S3::Bucket"}}}"#,
        "\"\\x52esources\":\n  A:\n    Type: AWS::S3::Bucket\n",
    ] {
        assert!(is_template(text), "{text}");
    }
    for text in [
        "",
        "Resources: none\n",
        "apiVersion: v1\nkind: Pod\nspec: { Resources: { Type: \"AWS::X\" } }\n",
        r#"{"format_version": "1.2", "x": "{\"Resources\":{\"A\":{\"Type\":\"AWS::X::Y\"}}}"}"#,
        "resource \"aws_cloudformation_stack\" \"x\" {\n  template_body = \"Resources\"\n}\n",
        "Resources:\n  - Type: AWS::S3::Bucket\n",
    ] {
        assert!(!is_template(text), "{text}");
    }
}

#[test]
fn a_template_is_the_same_document_in_yaml_and_json() {
    let yaml = "Resources:\n  B:\n    Type: AWS::S3::Bucket\n    Properties:\n      \
                BucketName: !Ref Name\n      Tags: [{ Key: a, Value: !Sub 'x-${Name}' }]\n";
    let json = json!({ "Resources": { "B": { "Type": "AWS::S3::Bucket", "Properties": {
        "BucketName": { "Ref": "Name" },
        "Tags": [{ "Key": "a", "Value": { "Fn::Sub": "x-${Name}" } }] } } } });
    assert_eq!(document("t.yaml", yaml).unwrap(), json);
    assert_eq!(document("t.json", &json.to_string()).unwrap(), json);
    let error = document("t.yaml", "a: [").unwrap_err();
    assert_eq!((error.file.as_str(), error.line.is_some()), ("t.yaml", true));
}
