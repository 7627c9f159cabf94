//! What each role may do, as IAM statements with the names of a deployment still open.
//!
//! The roles of a watched account come from the permissions that stand beside each call in the
//! library. The hub's two roles are the table below: every call that the function and the
//! checkpointer make on our own resources, on exactly these resources. What depends on the single
//! deployment (watched accounts, named secrets, keys) is not here: the modules add it.
//!
//! A template may hold `{partition}`, `{region}`, `{account}`, `{prefix}` and `{checkpoints}` (the
//! bucket's name).

use super::Grant;
use super::rules::HEARTBEAT;
use quell_core::heartbeat::TAG;
use quell_core::resource::{Permission, Purpose};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Longest managed policy, in characters without white space. Source: "IAM and AWS STS character
/// limits" in the IAM user guide.
pub const POLICY_MAX_CHARS: usize = 6144;
/// Managed policies of one role. Source: as above.
pub const POLICIES_PER_ROLE_MAX: usize = 10;
/// What a filled-in template may be longer than the template, in characters: the longest region
/// and partition, an account, a prefix.
const FILLED_IN_CHARS: usize = 48;

/// One IAM policy document.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Document {
    /// Its statements.
    pub statements: Vec<Statement>,
}

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Whether it allows or denies.
    pub effect: Effect,
    /// What it is for, as IAM takes it: letters and digits.
    pub sid: Option<&'static str>,
    /// IAM actions.
    pub actions: Vec<String>,
    /// ARN templates, or `*` for actions that know no resource.
    pub resources: Vec<String>,
    /// Operator, key and value template.
    pub condition: Option<(&'static str, &'static str, &'static str)>,
}

/// What a statement does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// `Allow`.
    Allow,
    /// `Deny`.
    Deny,
}

impl Effect {
    /// As IAM writes it.
    pub fn name(self) -> &'static str {
        match self {
            Effect::Allow => "Allow",
            Effect::Deny => "Deny",
        }
    }
}

/// What a function may do on one of our own parts.
struct Row {
    sid: &'static str,
    actions: &'static [&'static str],
    resources: &'static [&'static str],
}

const LEDGER: &str = "arn:{partition}:dynamodb:{region}:{account}:table/{prefix}-ledger";
const STATE: &str = "arn:{partition}:dynamodb:{region}:{account}:table/{prefix}-state";
const DEAD_LETTERS: &str = "arn:{partition}:sqs:{region}:{account}:{prefix}-dead-letters";

/// What both functions are told at their start.
const CONFIGURATION: Row = Row {
    sid: "Configuration",
    actions: &["ssm:GetParameter"],
    resources: &["arn:{partition}:ssm:{region}:{account}:parameter/{prefix}/configuration"],
};
/// What Lambda puts aside for a function, because it failed for good.
const FAILED_TICKS: Row =
    Row { sid: "FailedTicks", actions: &["sqs:SendMessage"], resources: &[DEAD_LETTERS] };
/// X-Ray knows no resources.
const TRACES: Row = Row {
    sid: "Traces",
    actions: &["xray:PutTelemetryRecords", "xray:PutTraceSegments"],
    resources: &["*"],
};

/// The function: it may put records into the ledger and read it, never update or delete. That a put
/// replaces nothing is the condition of each put, which IAM cannot demand.
const FUNCTION: [Row; 7] = [
    Row {
        sid: "Events",
        actions: &[
            "sqs:ChangeMessageVisibility",
            "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
            "sqs:GetQueueUrl",
            "sqs:ReceiveMessage",
        ],
        resources: &["arn:{partition}:sqs:{region}:{account}:{prefix}-events"],
    },
    Row {
        sid: "LedgerAppendOnly",
        actions: &["dynamodb:PutItem", "dynamodb:Query"],
        resources: &[LEDGER],
    },
    Row {
        sid: "State",
        actions: &[
            "dynamodb:ConditionCheckItem",
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "dynamodb:Query",
            "dynamodb:UpdateItem",
        ],
        resources: &[STATE],
    },
    CONFIGURATION,
    FAILED_TICKS,
    Row {
        sid: "Logs",
        actions: &["logs:CreateLogStream", "logs:PutLogEvents"],
        resources: &["arn:{partition}:logs:{region}:{account}:log-group:/aws/lambda/{prefix}:*"],
    },
    TRACES,
];

/// The checkpointer: it reads the ledger, and alone puts checkpoints.
const CHECKPOINT: [Row; 8] = [
    Row { sid: "Ledger", actions: &["dynamodb:GetItem", "dynamodb:Query"], resources: &[LEDGER] },
    Row { sid: "State", actions: &["dynamodb:Query"], resources: &[STATE] },
    Row {
        sid: "Checkpoints",
        actions: &["s3:GetObject", "s3:PutObject", "s3:PutObjectRetention"],
        resources: &["arn:{partition}:s3:::{checkpoints}/checkpoints/*"],
    },
    Row {
        sid: "FindCheckpoints",
        actions: &["s3:ListBucket"],
        resources: &["arn:{partition}:s3:::{checkpoints}"],
    },
    CONFIGURATION,
    FAILED_TICKS,
    Row {
        sid: "Logs",
        actions: &["logs:CreateLogStream", "logs:PutLogEvents"],
        resources: &[
            "arn:{partition}:logs:{region}:{account}:log-group:/aws/lambda/{prefix}-checkpoint:*",
        ],
    },
    TRACES,
];

/// The documents of a grant, each within IAM's limit; `library` is what the policies need.
pub fn documents(grant: Grant, library: &BTreeSet<Permission>) -> Vec<Document> {
    let statements = match grant {
        Grant::Read => of_library(library, &[Purpose::Read, Purpose::List]),
        Grant::Write => but_for_our_own(of_library(library, &[Purpose::Write])),
        Grant::Heartbeat => vec![heartbeat()],
        Grant::Undo => but_for_our_own(of_library(library, &[Purpose::Undo])),
        Grant::Function => FUNCTION.iter().map(Statement::of).collect(),
        Grant::Checkpoint => CHECKPOINT.iter().map(Statement::of).collect(),
    };
    split(statements)
}

/// The heartbeat: one tag, on our own rule. Narrower than what the library says for any deployment,
/// since here the rule has a name.
fn heartbeat() -> Statement {
    let rule = format!("arn:{{partition}}:events:*:{{account}}:rule/{{prefix}}-{HEARTBEAT}");
    Statement {
        effect: Effect::Allow,
        sid: Some("Heartbeat"),
        actions: vec!["events:TagResource".to_owned()],
        resources: vec![rule],
        condition: Some(("ForAllValues:StringEquals", "aws:TagKeys", TAG)),
    }
}

/// Our own roles, policies and buckets, as far as these statements reach them. Whoever stole the
/// function's role could else give it more, or sign checkpoints.
const OWN: [(&str, &str, &[&str]); 2] = [
    (
        "OwnRolesStay",
        "iam:",
        &[
            "arn:{partition}:iam::{account}:policy/{prefix}-*",
            "arn:{partition}:iam::{account}:role/{prefix}-*",
        ],
    ),
    ("OwnBucketsStay", "s3:", &["arn:{partition}:s3:::{prefix}-*"]),
];

/// The statements, and before them the denials that take our own parts out. What somebody does to
/// these is for people to mend: the policy that watches them tells, and fixes nothing.
fn but_for_our_own(statements: Vec<Statement>) -> Vec<Statement> {
    let denial = |(sid, service, own): &(&'static str, &str, &[&str])| {
        let reaches =
            |it: &&Statement| it.resources.iter().any(|it| it.contains(&format!(":{service}")));
        let actions: BTreeSet<String> =
            statements.iter().filter(reaches).flat_map(|it| it.actions.clone()).collect();
        (!actions.is_empty()).then(|| Statement {
            effect: Effect::Deny,
            sid: Some(*sid),
            actions: actions.into_iter().collect(),
            resources: own.iter().map(|it| (*it).to_owned()).collect(),
            condition: None,
        })
    };
    let denials: Vec<Statement> = OWN.iter().filter_map(denial).collect();
    denials.into_iter().chain(statements).collect()
}

/// Permissions on the same resources and condition share a statement.
fn of_library(library: &BTreeSet<Permission>, purposes: &[Purpose]) -> Vec<Statement> {
    let wanted = library.iter().filter(|it| purposes.contains(&it.purpose));
    let mut of_action: BTreeMap<(&str, Option<_>), BTreeSet<String>> = BTreeMap::new();
    for it in wanted {
        let resource = it.resource.replace("{region}", "*").replace("{id}", "*");
        let condition = it.condition.filter(|(_, _, value)| *value != "{element}");
        of_action.entry((it.action, condition)).or_default().insert(resource);
    }
    let mut statements: Vec<Statement> = Vec::new();
    for ((action, condition), resources) in of_action {
        let resources: Vec<String> = resources.into_iter().collect();
        let same =
            statements.iter_mut().find(|it| it.resources == resources && it.condition == condition);
        match same {
            Some(it) => it.actions.push(action.to_owned()),
            None => statements.push(Statement {
                effect: Effect::Allow,
                sid: None,
                actions: vec![action.to_owned()],
                resources,
                condition,
            }),
        }
    }
    statements
}

fn split(statements: Vec<Statement>) -> Vec<Document> {
    let mut documents: Vec<Document> = Vec::new();
    for statement in statements {
        match documents.last_mut() {
            Some(last) if last.characters() + statement.characters() <= POLICY_MAX_CHARS => {
                last.statements.push(statement);
            }
            _ => documents.push(Document { statements: vec![statement] }),
        }
    }
    documents
}

impl Document {
    /// As IAM takes it, but for the open names.
    pub fn as_json(&self) -> Value {
        let statements: Vec<Value> =
            self.statements.iter().map(|it| it.as_json(&|text| json!(text))).collect();
        json!({ "Version": "2012-10-17", "Statement": statements })
    }

    fn characters(&self) -> usize {
        let frame = json!({ "Version": "2012-10-17", "Statement": [] }).to_string().len();
        frame + self.statements.iter().map(Statement::characters).sum::<usize>()
    }
}

impl Statement {
    fn of(row: &Row) -> Statement {
        let owned = |list: &[&str]| list.iter().map(|it| (*it).to_owned()).collect();
        Statement {
            effect: Effect::Allow,
            sid: Some(row.sid),
            actions: owned(row.actions),
            resources: owned(row.resources),
            condition: None,
        }
    }

    /// As IAM takes it; `fill` turns a template into a value.
    pub fn as_json(&self, fill: &dyn Fn(&str) -> Value) -> Value {
        let resources: Vec<Value> = self.resources.iter().map(|it| fill(it)).collect();
        let effect = self.effect.name();
        let mut statement =
            json!({ "Effect": effect, "Action": self.actions, "Resource": resources });
        if let Some(fields) = statement.as_object_mut() {
            if let Some(sid) = self.sid {
                fields.insert("Sid".to_owned(), json!(sid));
            }
            if let Some((operator, key, value)) = self.condition {
                fields.insert("Condition".to_owned(), json!({ operator: { key: fill(value) } }));
            }
        }
        statement
    }

    /// An upper bound of its length, with the comma behind it.
    fn characters(&self) -> usize {
        let open = self.resources.len() + usize::from(self.condition.is_some());
        self.as_json(&|text| json!(text)).to_string().len() + open * FILLED_IN_CHARS + 1
    }
}
