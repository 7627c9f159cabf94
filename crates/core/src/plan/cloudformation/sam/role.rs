//! The role that SAM makes for a function or a state machine, from `Policies`.
//!
//! Source: AWS SAM Developer Guide, page `sam-resource-function`.

use crate::plan::cloudformation::evaluate::Evaluator;
use crate::plan::cloudformation::resources::Resource;
use crate::plan::cloudformation::sam::policy_template;
use crate::plan::cloudformation::tree::{Content, Entry, Fault, Mark, Tree};

/// Policies of AWS for functions, whose ARN has `service-role` in it; SAM's users write names only.
const SERVICE_ROLE_POLICIES: [&str; 8] = [
    "AWSLambdaBasicExecutionRole",
    "AWSLambdaDynamoDBExecutionRole",
    "AWSLambdaENIManagementAccess",
    "AWSLambdaKinesisExecutionRole",
    "AWSLambdaMSKExecutionRole",
    "AWSLambdaRole",
    "AWSLambdaSQSQueueExecutionRole",
    "AWSLambdaVPCAccessExecutionRole",
];

/// Policies of AWS whose ARN has `job-function` in it.
const JOB_FUNCTION_POLICIES: [&str; 7] = [
    "Billing",
    "DataScientist",
    "DatabaseAdministrator",
    "NetworkAdministrator",
    "SupportUser",
    "SystemAdministrator",
    "ViewOnlyAccess",
];

/// What `Policies` says, by where a role has it.
#[derive(Default)]
struct Policies {
    managed: Vec<Tree>,
    inline: Vec<Tree>,
}

/// The role `<id>Role`, which `service` may assume and which has the named managed policies.
///
/// # Errors
///
/// When a limit of evaluation is exceeded.
pub fn role(
    source: &Resource,
    service: &str,
    attached: &[&str],
    evaluator: &mut Evaluator<'_>,
) -> Result<Resource, Fault> {
    let id = format!("{}Role", source.id);
    let written = source.properties.entry("Policies");
    let at = written.map_or(source.at, |it| it.at);
    let mut policies = Policies::default();
    for name in attached {
        policies.managed.push(managed(name, at, evaluator)?);
    }
    if let Some(written) = written {
        let items = written.tree.items().unwrap_or(std::slice::from_ref(&written.tree));
        for (index, item) in items.iter().enumerate() {
            add(&mut policies, item, format!("{id}Policy{index}"), evaluator)?;
        }
    }
    let mut entries = source.renamed(&[
        ("AssumeRolePolicyDocument", "AssumeRolePolicyDocument"),
        ("PermissionsBoundary", "PermissionsBoundary"),
        ("RolePath", "Path"),
    ]);
    if source.properties.get("AssumeRolePolicyDocument").is_none() {
        entries.push(Entry::new("AssumeRolePolicyDocument", trust(service, at)));
    }
    let lists = [("ManagedPolicyArns", policies.managed), ("Policies", policies.inline)];
    for (key, items) in lists.into_iter().filter(|it| !it.1.is_empty()) {
        entries.push(Entry::new(key, Tree::new(at, Content::List(items))));
    }
    entries.extend(source.tags());
    Ok(source.generate(id, "AWS::IAM::Role", at, entries))
}

fn trust(service: &str, at: Mark) -> Tree {
    let action = Tree::new(at, Content::List(vec![Tree::text(at, "sts:AssumeRole")]));
    let service = Tree::new(at, Content::List(vec![Tree::text(at, service)]));
    let principal = Tree::new(at, Content::Map(vec![Entry::new("Service", service)]));
    let statement = Content::Map(vec![
        Entry::new("Effect", Tree::text(at, "Allow")),
        Entry::new("Action", action),
        Entry::new("Principal", principal),
    ]);
    let statements = Tree::new(at, Content::List(vec![Tree::new(at, statement)]));
    let version = Entry::new("Version", Tree::text(at, "2012-10-17"));
    Tree::new(at, Content::Map(vec![version, Entry::new("Statement", statements)]))
}

/// The ARN of a managed policy of AWS by its name. Those for services other than Lambda have a
/// longer path in truth.
fn managed(name: &str, at: Mark, evaluator: &mut Evaluator<'_>) -> Result<Tree, Fault> {
    let path = match name {
        _ if SERVICE_ROLE_POLICIES.contains(&name) => "service-role/",
        _ if JOB_FUNCTION_POLICIES.contains(&name) => "job-function/",
        _ => "",
    };
    let partition = evaluator.named("AWS::Partition", at)?;
    Ok(match partition.as_ref().and_then(Tree::as_text) {
        Some(partition) => Tree::text(at, format!("arn:{partition}:iam::aws:policy/{path}{name}")),
        None => Tree::unknown(at, Vec::new()),
    })
}

fn add(
    policies: &mut Policies,
    item: &Tree,
    name: String,
    evaluator: &mut Evaluator<'_>,
) -> Result<(), Fault> {
    match &item.content {
        Content::Text(text) if text.starts_with("arn:") => policies.managed.push(item.clone()),
        Content::Text(text) => policies.managed.push(managed(text, item.at, evaluator)?),
        Content::Map(_) if item.get("Statement").is_some() => {
            policies.inline.push(inline(name, item.clone()));
        }
        Content::Map(entries) => {
            let document = match entries.as_slice() {
                [template] => policy_template::document(template, evaluator)?,
                _ => None,
            };
            if document.is_none() {
                let names: Vec<_> = entries.iter().map(|it| it.key.as_str()).collect();
                let names = names.join("`, `");
                let problem = format!("what the policy template `{names}` allows is unknown");
                evaluator.note(item.at, problem)?;
            }
            let unknown = || Tree::unknown(item.at, item.all_references());
            policies.inline.push(inline(name, document.unwrap_or_else(unknown)));
        }
        // What refers to a resource refers to a managed policy; anything else can be either.
        _ => {
            policies.managed.push(item.clone());
            if item.references.is_empty() {
                policies.inline.push(Tree::unknown(item.at, Vec::new()));
            }
        }
    }
    Ok(())
}

fn inline(name: String, document: Tree) -> Tree {
    let at = document.at;
    let name = Entry::new("PolicyName", Tree::text(at, name));
    Tree::new(at, Content::Map(vec![name, Entry::new("PolicyDocument", document)]))
}
