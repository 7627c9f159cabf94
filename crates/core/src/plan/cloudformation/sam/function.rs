//! A function: its role, its URL, and who may invoke it.
//!
//! Source: AWS SAM Developer Guide, page `sam-specification-generated-resources-function`.

use crate::plan::cloudformation::evaluate::Evaluator;
use crate::plan::cloudformation::resources::Resource;
use crate::plan::cloudformation::sam::role::role;
use crate::plan::cloudformation::sam::texts;
use crate::plan::cloudformation::tree::{Content, Entry, Fault, Tree};

/// Properties that a Lambda function has by the same name.
const KEPT: [&str; 21] = [
    "Architectures",
    "CodeSigningConfigArn",
    "Description",
    "Environment",
    "EphemeralStorage",
    "FileSystemConfigs",
    "FunctionName",
    "Handler",
    "ImageConfig",
    "KmsKeyArn",
    "Layers",
    "LoggingConfig",
    "MemorySize",
    "PackageType",
    "RecursiveLoop",
    "ReservedConcurrentExecutions",
    "Runtime",
    "RuntimeManagementConfig",
    "SnapStart",
    "Timeout",
    "VpcConfig",
];

/// Services that invoke a function, by the type of event.
const INVOKERS: [(&str, &str); 11] = [
    ("AlexaSkill", "alexa-appkit.amazon.com"),
    ("Api", "apigateway.amazonaws.com"),
    ("CloudWatchEvent", "events.amazonaws.com"),
    ("CloudWatchLogs", "logs.amazonaws.com"),
    ("Cognito", "cognito-idp.amazonaws.com"),
    ("EventBridgeRule", "events.amazonaws.com"),
    ("HttpApi", "apigateway.amazonaws.com"),
    ("IoTRule", "iot.amazonaws.com"),
    ("S3", "s3.amazonaws.com"),
    ("SNS", "sns.amazonaws.com"),
    ("Schedule", "events.amazonaws.com"),
];

/// Managed policies that a role needs to read an event's source, by the type of event.
const READERS: [(&str, &str); 4] = [
    ("DynamoDB", "AWSLambdaDynamoDBExecutionRole"),
    ("Kinesis", "AWSLambdaKinesisExecutionRole"),
    ("MSK", "AWSLambdaMSKExecutionRole"),
    ("SQS", "AWSLambdaSQSQueueExecutionRole"),
];

/// The function and what is generated for it.
///
/// # Errors
///
/// When a limit of evaluation is exceeded.
pub fn resources(source: &Resource, evaluator: &mut Evaluator<'_>) -> Result<Vec<Resource>, Fault> {
    let mut resources = vec![function(source)];
    let has_role = has_role(source);
    if has_role.is_none() {
        let problem = format!(
            "whether a role is made for `{}` can't be known, as `Role` can't: it is judged as if \
             one were",
            source.id
        );
        evaluator.note(source.at, problem)?;
    }
    if has_role != Some(true) {
        resources.push(role(source, "lambda.amazonaws.com", &attached(source), evaluator)?);
    }
    resources.extend(url(source));
    let events = source.properties.entry("Events");
    if let Some(it) = events.filter(|it| matches!(it.tree.content, Content::Unknown)) {
        let problem = format!("which events let a service invoke `{}` can't be known", source.id);
        evaluator.note(it.at, problem)?;
    }
    for event in events.and_then(|it| it.tree.entries()).unwrap_or_default() {
        let kind = event.tree.get("Type").and_then(Tree::as_text);
        if kind.is_none() {
            let (event, id, at) = (&event.key, &source.id, event.at);
            let problem = format!("whether `{event}` lets a service invoke `{id}` can't be known");
            evaluator.note(at, problem)?;
        }
        if let Some((_, service)) = INVOKERS.iter().find(|it| Some(it.0) == kind) {
            resources.push(permission(source, event, service, evaluator)?);
        }
    }
    Ok(resources)
}

/// Whether a role is given, so that none is made; nothing where that can't be known. Policies
/// beside a role mean nothing to SAM, so that whoever writes both may mean one of them.
fn has_role(source: &Resource) -> Option<bool> {
    let Some(role) = source.properties.get("Role") else { return Some(false) };
    let is_unclear = matches!(role.content, Content::Unknown) && role.references.is_empty();
    let has_policies = source.properties.get("Policies").is_some();
    (!is_unclear || !has_policies).then_some(true)
}

fn function(source: &Resource) -> Resource {
    let mut entries = source.kept(&KEPT);
    entries.extend(code(source));
    entries.extend(tracing(source));
    if let Some(it) = source.properties.entry("DeadLetterQueue") {
        let tree = match it.tree.entry("TargetArn") {
            Some(target) => Tree::new(it.tree.at, Content::Map(vec![target.clone()])),
            None => Tree::unknown(it.tree.at, it.tree.all_references()),
        };
        entries.push(Entry { key: "DeadLetterConfig".to_owned(), at: it.at, tree });
    }
    entries.push(match source.properties.entry("Role") {
        Some(role) => role.clone(),
        None => Entry::new("Role", Resource::made_of(source.at, &format!("{}Role", source.id))),
    });
    let created_by = texts(source.at, &[("Key", "lambda:createdBy"), ("Value", "SAM")]);
    let tags = source.tags();
    let mut tags =
        tags.unwrap_or_else(|| Entry::new("Tags", Tree::new(source.at, Content::List(Vec::new()))));
    if let Content::List(items) = &mut tags.tree.content {
        items.push(created_by);
    }
    entries.push(tags);
    source.main("AWS::Lambda::Function", entries)
}

/// Code that lies beside the template gets its place only when it is packaged.
fn code(source: &Resource) -> Option<Entry> {
    let named = |key: &str, to: &str| {
        let it = source.properties.entry(key)?;
        let member = Entry { key: to.to_owned(), ..it.clone() };
        let tree = Tree::new(it.tree.at, Content::Map(vec![member]));
        Some(Entry { key: "Code".to_owned(), at: it.at, tree })
    };
    if let Some(code) = named("InlineCode", "ZipFile").or_else(|| named("ImageUri", "ImageUri")) {
        return Some(code);
    }
    let it = source.properties.entry("CodeUri")?;
    let at = it.tree.at;
    let object = it.tree.as_text().and_then(|it| it.strip_prefix("s3://")?.split_once('/'));
    let tree = match (object, it.tree.entries()) {
        (Some((bucket, key)), _) => texts(at, &[("S3Bucket", bucket), ("S3Key", key)]),
        (None, Some(members)) => {
            let names = [("Bucket", "S3Bucket"), ("Key", "S3Key"), ("Version", "S3ObjectVersion")];
            let rename = |it: &Entry| {
                let (_, to) = names.iter().find(|(from, _)| *from == it.key)?;
                Some(Entry { key: (*to).to_owned(), ..it.clone() })
            };
            Tree::new(at, Content::Map(members.iter().filter_map(rename).collect()))
        }
        (None, None) => Tree::unknown(at, it.tree.all_references()),
    };
    Some(Entry { key: "Code".to_owned(), at: it.at, tree })
}

/// `Tracing: Disabled` makes nothing.
fn tracing(source: &Resource) -> Option<Entry> {
    let it = source.properties.entry("Tracing")?;
    if it.tree.as_text() == Some("Disabled") {
        return None;
    }
    let mode = Entry { key: "Mode".to_owned(), ..it.clone() };
    let tree = Tree::new(it.tree.at, Content::Map(vec![mode]));
    Some(Entry { key: "TracingConfig".to_owned(), at: it.at, tree })
}

/// The managed policies that the function's role has for what it is configured to do.
fn attached(source: &Resource) -> Vec<&'static str> {
    let mut names = vec!["AWSLambdaBasicExecutionRole"];
    if source.properties.get("VpcConfig").is_some() {
        names.push("AWSLambdaVPCAccessExecutionRole");
    }
    if source.properties.get("Tracing").is_some_and(|it| it.as_text() != Some("Disabled")) {
        names.push("AWSXrayWriteOnlyAccess");
    }
    let events = source.properties.get("Events").and_then(Tree::entries).unwrap_or_default();
    for event in events {
        let kind = event.tree.get("Type").and_then(Tree::as_text);
        let reader = READERS.iter().find(|it| Some(it.0) == kind).map(|it| it.1);
        names.extend(reader.filter(|it| !names.contains(it)));
    }
    names
}

/// The function's URL. One without authentication is open to the world by a permission.
fn url(source: &Resource) -> Vec<Resource> {
    let Some(config) = source.properties.entry("FunctionUrlConfig") else { return vec![] };
    let (at, id) = (config.at, &source.id);
    let target = Entry::new("TargetFunctionArn", Resource::made_of(at, id));
    let (entries, auth) = match config.tree.entries() {
        Some(entries) => {
            let members = entries.iter().chain([&target]).cloned().collect();
            (Content::Map(members), config.tree.get("AuthType"))
        }
        None => (Content::Unknown, Some(&config.tree)),
    };
    let tree = Tree { at, content: entries, references: config.tree.references.clone() };
    let kind = "AWS::Lambda::Url".to_owned();
    let url = Resource { id: format!("{id}Url"), at, kind, properties: tree, properties_at: at };
    let is_open = match auth.map(|it| (it.as_text(), it.is_known())) {
        Some((Some(text), _)) => text == "NONE",
        Some((None, known)) => !known,
        None => false,
    };
    if !is_open {
        return vec![url];
    }
    let text = |key: &str, text: &str| Entry::new(key, Tree::text(at, text));
    let by_url = Tree::bool(at, true);
    let rights = [
        (
            "UrlPublicPermissions",
            text("Action", "lambda:InvokeFunctionUrl"),
            text("FunctionUrlAuthType", "NONE"),
        ),
        (
            "URLInvokeAllowPublicAccess",
            text("Action", "lambda:InvokeFunction"),
            Entry::new("InvokedViaFunctionUrl", by_url),
        ),
    ];
    let permission = |(suffix, action, limit): (&str, Entry, Entry)| {
        let function = Entry::new("FunctionName", Resource::made_of(at, id));
        let properties = if auth.is_some_and(Tree::is_known) {
            Tree::new(at, Content::Map(vec![action, limit, text("Principal", "*"), function]))
        } else {
            Resource::made_of(at, id)
        };
        let (id, kind) = (format!("{id}{suffix}"), "AWS::Lambda::Permission".to_owned());
        Resource { id, at, kind, properties, properties_at: at }
    };
    [url].into_iter().chain(rights.map(permission)).collect()
}

/// What lets an event's service invoke the function.
fn permission(
    source: &Resource,
    event: &Entry,
    service: &str,
    evaluator: &mut Evaluator<'_>,
) -> Result<Resource, Fault> {
    let at = event.at;
    let properties = event.tree.get("Properties");
    let property = |key: &str| properties.and_then(|it| it.get(key)).cloned();
    let mut entries = vec![
        Entry::new("Action", Tree::text(at, "lambda:InvokeFunction")),
        Entry::new("FunctionName", Resource::made_of(at, &source.id)),
        Entry::new("Principal", Tree::text(at, service)),
    ];
    let mut suffix = "";
    let unknown = |references: Option<Tree>| {
        Some(Tree::unknown(at, references.iter().flat_map(Tree::all_references).collect()))
    };
    let arn = match event.tree.get("Type").and_then(Tree::as_text) {
        Some("SNS") => property("Topic"),
        Some("S3") => {
            let account = evaluator.named("AWS::AccountId", at)?;
            entries.extend(account.map(|it| Entry::new("SourceAccount", it)));
            None
        }
        Some("AlexaSkill") => {
            entries.extend(property("SkillId").map(|it| Entry::new("EventSourceToken", it)));
            None
        }
        Some("Api") => {
            suffix = if property("RestApiId").is_none() { "Prod" } else { "" };
            unknown(property("RestApiId"))
        }
        Some("HttpApi") => unknown(property("ApiId")),
        Some("Cognito") => unknown(property("UserPool")),
        Some("CloudWatchLogs") => unknown(property("LogGroupName")),
        _ => Some(Resource::made_of(at, &format!("{}{}", source.id, event.key))),
    };
    entries.extend(arn.map(|it| Entry::new("SourceArn", it)));
    let id = format!("{}{}Permission{suffix}", source.id, event.key);
    Ok(source.generate(id, "AWS::Lambda::Permission", at, entries))
}
