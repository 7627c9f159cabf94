//! A report that has one of everything, and what tells whether a document is valid.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use boon::{Compiler, SchemaIndex, Schemas};
use jiff::Timestamp;
use quell_core::plan::Place;
use quell_core::policy::Severity;
use quell_core::report::{End, Entry, Level, Problem, Report, Rule, Verdict};
use quell_core::resource::ResourceRef;
use serde_json::{Value, json};

pub const MAIN_TF: &str = "\
variable \"acl\" {}

resource \"aws_s3_bucket\" \"logs\" {
\tbucket = \"logs\" # ünï, then a tab
\tacl    = \"public-read\"
}

resource \"aws_security_group\" \"web\" {
  ingress { from_port = 22, cidr_blocks = [\"0.0.0.0/0\"] }
}
";

pub const PATCH: &str = "\
--- a/main.tf
+++ b/main.tf
@@ -3,4 +3,4 @@
 resource \"aws_s3_bucket\" \"logs\" {
 \tbucket = \"logs\" # ünï, then a tab
-\tacl    = \"public-read\"
+\tacl    = \"private\"
 }
";

pub fn sources() -> BTreeMap<String, String> {
    BTreeMap::from([("./main.tf".to_owned(), MAIN_TF.to_owned())])
}

pub fn place(file: &str, line: usize, column: usize) -> Option<Place> {
    Some(Place { file: file.to_owned(), line, column })
}

pub fn rule(id: &str, severity: Severity) -> Arc<Rule> {
    let controls = [("cis_aws_foundations_5", "2.1.4"), ("nist_800_53_5", "AC-3")];
    let controls = controls.map(|(name, id)| (name.to_owned(), vec![id.to_owned()]));
    Arc::new(Rule {
        id: id.to_owned(),
        title: "It lets everyone in".to_owned(),
        description: "Everyone on the internet can read it. `{0}` is no placeholder.".to_owned(),
        severity,
        help: Some("Grant what is needed to whom needs it.".to_owned()),
        link: Some(format!("https://docs.example/policies/{id}#fix")),
        controls: BTreeMap::from(controls),
    })
}

pub fn entry(rule: &Arc<Rule>, address: &str, verdict: Verdict) -> Entry {
    Entry {
        rule: rule.clone(),
        severity: rule.severity,
        verdict,
        resource: ResourceRef {
            kind: "AWS::S3::Bucket".to_owned(),
            id: address.to_owned(),
            account: String::new(),
            region: "eu-central-1".to_owned(),
        },
        address: Some(address.to_owned()),
        place: None,
        end: None,
        block: None,
        element: String::new(),
        reason: "everyone may read".to_owned(),
        evidence: Value::Null,
        patch: None,
    }
}

pub fn problem(level: Level, place: Option<Place>, text: &str) -> Problem {
    Problem { level, place, text: text.to_owned() }
}

/// One of everything.
pub fn rich() -> Report {
    let acl = rule("aws.s3.bucket_acl", Severity::Critical);
    let open = rule("aws.ec2.open_port", Severity::High);
    let kept = rule("aws.kms.rotation", Severity::Medium);
    let (day, time) = ("2027-01-31", "2027-01-31T00:00:00Z");
    let exempt = Verdict::Exempt {
        id: "partner-feed".to_owned(),
        owner: "team-data".to_owned(),
        reason: "a partner reads it".to_owned(),
        expires: time.parse().unwrap(),
    };
    let ignored =
        Verdict::Ignored { reason: "the website".to_owned(), expires: day.parse().unwrap() };
    let entries = vec![
        Entry {
            place: place("./main.tf", 5, 2),
            end: Some(End { line: 5, column: 24 }),
            block: Some(3..=6),
            element: "acl".to_owned(),
            reason: "the ACL grants {READ} to [everyone](https://evil.example)".to_owned(),
            evidence: json!({ "acl": "public-read" }),
            patch: Some(PATCH.to_owned()),
            ..entry(&acl, "aws_s3_bucket.logs", Verdict::Violation)
        },
        Entry {
            place: place("./main.tf", 9, 3),
            severity: Severity::Medium,
            element: "tcp/22 0.0.0.0/0".to_owned(),
            ..entry(&open, "aws_security_group.web", Verdict::Violation)
        },
        Entry {
            place: place("mod/a b%.tf", 1, 1),
            end: Some(End { line: 3, column: 2 }),
            element: "Acl".to_owned(),
            reason: "`acl` is known after the apply".to_owned(),
            ..entry(&acl, "module.a[\"x\"].aws_s3_bucket.b", Verdict::Unknown)
        },
        Entry {
            reason: "the policy took more than 250 ms".to_owned(),
            ..entry(&open, "aws_security_group.db", Verdict::Error)
        },
        entry(&acl, "aws_s3_bucket.feed", exempt),
        entry(&acl, "aws_s3_bucket.website", ignored),
        entry(&acl, "aws_s3_bucket.old", Verdict::Baselined { unknown: false }),
        Entry { address: None, ..entry(&open, "sg-0123", Verdict::Violation) },
    ];
    let problems = vec![
        problem(Level::Warning, place("./main.tf", 4, 19), "the ignore of `x` has expired"),
        problem(Level::Error, place("broken.tf", 2, 7), "unclosed string"),
    ];
    let time = "2026-05-09T07:29:33.25Z".parse::<Timestamp>().unwrap();
    let rules = vec![open, kept, acl];
    let version = "0.1.0".to_owned();
    let mut report = Report { version, time, resources: 12, rules, entries, problems };
    report.sort();
    report
}

/// The schemas: SARIF's, and that of the JSON report.
struct Known {
    schemas: Schemas,
    sarif: SchemaIndex,
    json: SchemaIndex,
}

static KNOWN: OnceLock<Known> = OnceLock::new();

fn known() -> &'static Known {
    KNOWN.get_or_init(|| {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.enable_format_assertions();
        let texts = [
            ("sarif.json", include_str!("sarif-schema-2.1.0.json")),
            ("report.json", include_str!("../../../../docs/reference/report.schema.json")),
        ];
        let [sarif, json] = texts.map(|(name, text)| {
            compiler.add_resource(name, serde_json::from_str(text).unwrap()).unwrap();
            compiler.compile(name, &mut schemas).unwrap_or_else(|it| panic!("{name}: {it:#}"))
        });
        Known { schemas, sarif, json }
    })
}

/// A SARIF log, which must follow OASIS's schema.
pub fn valid_sarif(text: &str) -> Value {
    valid(text, known().sarif)
}

/// A JSON report, which must follow our schema.
pub fn valid_json(text: &str) -> Value {
    valid(text, known().json)
}

fn valid(text: &str, schema: SchemaIndex) -> Value {
    let value = serde_json::from_str(text).unwrap_or_else(|it| panic!("{it}: {text}"));
    if let Err(error) = known().schemas.validate(&value, schema) {
        panic!("{error:#}\n{text}");
    }
    value
}

/// What a terminal shows of a text, and the styles (SGR) that it obeys.
pub fn unstyled(text: &str) -> (String, Vec<String>) {
    let mut parts = text.split("\u{1b}[");
    let (mut shown, mut styles) = (parts.next().unwrap().to_owned(), vec![]);
    for part in parts {
        let (style, rest) = part.split_once('m').unwrap();
        styles.push(style.to_owned());
        shown.push_str(rest);
    }
    (shown, styles)
}
