//! APIs: the API itself and its stage.
//!
//! Source: AWS SAM Developer Guide, page `sam-specification-generated-resources-api`.

use crate::plan::cloudformation::resources::Resource;
use crate::plan::cloudformation::tree::{Content, Entry, Tree};

/// Properties that SAM writes into the API's definition: with one of them, it is another one.
const CHANGE_THE_BODY: [&str; 4] = ["Auth", "Cors", "GatewayResponses", "Models"];

/// `AWS::Serverless::Api`.
pub fn rest(source: &Resource) -> Vec<Resource> {
    let mut entries = source.kept(&[
        "ApiKeySourceType",
        "BinaryMediaTypes",
        "Description",
        "DisableExecuteApiEndpoint",
        "FailOnWarnings",
        "MinimumCompressionSize",
        "Mode",
        "Name",
        "Policy",
    ]);
    entries.push(body(source));
    entries.extend(endpoint(source));
    entries.extend(source.tags());
    let mut stage = source.renamed(&[
        ("AccessLogSetting", "AccessLogSetting"),
        ("CacheClusterEnabled", "CacheClusterEnabled"),
        ("CacheClusterSize", "CacheClusterSize"),
        ("CanarySetting", "CanarySetting"),
        ("MethodSettings", "MethodSettings"),
        ("StageName", "StageName"),
        ("TracingEnabled", "TracingEnabled"),
        ("Variables", "Variables"),
    ]);
    stage.push(Entry::new("RestApiId", Resource::made_of(source.at, &source.id)));
    stage.extend(source.tags());
    let id = stage_id(source, "");
    vec![
        source.main("AWS::ApiGateway::RestApi", entries),
        source.generate(id, "AWS::ApiGateway::Stage", source.at, stage),
    ]
}

/// `AWS::Serverless::HttpApi`.
pub fn http(source: &Resource) -> Vec<Resource> {
    let mut entries = source.kept(&["Description", "DisableExecuteApiEndpoint", "Name"]);
    entries.push(body(source));
    entries.extend(source.tags());
    let mut stage = source.renamed(&[
        ("AccessLogSettings", "AccessLogSettings"),
        ("DefaultRouteSettings", "DefaultRouteSettings"),
        ("RouteSettings", "RouteSettings"),
        ("StageName", "StageName"),
        ("StageVariables", "StageVariables"),
    ]);
    if source.properties.get("StageName").is_none() {
        stage.push(Entry::new("StageName", Tree::text(source.at, "$default")));
    }
    stage.push(Entry::new("AutoDeploy", Tree::bool(source.at, true)));
    stage.push(Entry::new("ApiId", Resource::made_of(source.at, &source.id)));
    stage.extend(source.tags());
    let id = stage_id(source, "ApiGatewayDefault");
    vec![
        source.main("AWS::ApiGatewayV2::Api", entries),
        source.generate(id, "AWS::ApiGatewayV2::Stage", source.at, stage),
    ]
}

/// `<id><stage>Stage`, with what its name has for the default stage.
fn stage_id(source: &Resource, default: &str) -> String {
    let name = source.properties.get("StageName").and_then(Tree::as_text).unwrap_or(default);
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("{}{name}Stage", source.id)
}

/// The definition, where it is written and SAM adds nothing to it.
fn body(source: &Resource) -> Entry {
    let is_changed = CHANGE_THE_BODY.iter().any(|it| source.properties.get(it).is_some());
    let mut entries = source.renamed(&[("DefinitionBody", "Body")]);
    match entries.pop() {
        Some(it) if !is_changed => it,
        Some(it) => Entry::new("Body", Tree::unknown(it.at, it.tree.all_references())),
        None => Entry::new("Body", Tree::unknown(source.at, Vec::new())),
    }
}

/// SAM has one type where CloudFormation has a list.
fn endpoint(source: &Resource) -> Option<Entry> {
    let it = source.properties.entry("EndpointConfiguration")?;
    let list = |entry: &Entry| {
        let items = Content::List(vec![entry.tree.clone()]);
        Entry { key: "Types".to_owned(), at: entry.at, tree: Tree::new(entry.at, items) }
    };
    let members = match (&it.tree.content, it.tree.entries()) {
        (_, Some(entries)) => {
            let member = |entry: &Entry| match entry.key.as_str() {
                "Type" => list(entry),
                "VPCEndpointIds" => Entry { key: "VpcEndpointIds".to_owned(), ..entry.clone() },
                _ => entry.clone(),
            };
            Content::Map(entries.iter().map(member).collect())
        }
        (Content::Text(_), None) => Content::Map(vec![list(it)]),
        _ => Content::Unknown,
    };
    let tree = Tree { at: it.tree.at, content: members, references: it.tree.references.clone() };
    Some(Entry { key: it.key.clone(), at: it.at, tree })
}
