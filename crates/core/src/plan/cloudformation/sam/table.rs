//! What becomes one resource: a simple table and a layer.
//!
//! Source: AWS SAM Developer Guide, page `sam-resource-simpletable`.

use crate::plan::cloudformation::resources::Resource;
use crate::plan::cloudformation::sam::texts;
use crate::plan::cloudformation::tree::{Content, Entry, Tree};

/// `AWS::Serverless::SimpleTable`: without a key it has the text `id`, without a throughput it is
/// paid per request.
pub fn table(source: &Resource) -> Resource {
    let at = source.properties.entry("PrimaryKey").map_or(source.at, |it| it.at);
    let key = source.properties.get("PrimaryKey");
    let unknown = || Tree::unknown(at, key.map(Tree::all_references).unwrap_or_default());
    let of_key = |member: &str, default: &str| match key {
        None => Some(default.to_owned()),
        Some(key) => key.get(member)?.as_text().map(str::to_owned),
    };
    let list = |item: Option<Tree>| match item {
        Some(item) => Tree::new(at, Content::List(vec![item])),
        None => unknown(),
    };
    let name = of_key("Name", "id");
    let letter = of_key("Type", "String").and_then(|it| it.get(..1).map(str::to_owned));
    let attribute = name
        .as_ref()
        .zip(letter)
        .map(|(name, letter)| texts(at, &[("AttributeName", name), ("AttributeType", &letter)]));
    let schema = name.map(|it| texts(at, &[("AttributeName", &it), ("KeyType", "HASH")]));
    let mut entries = source.kept(&[
        "PointInTimeRecoverySpecification",
        "ProvisionedThroughput",
        "SSESpecification",
        "TableName",
    ]);
    entries.push(Entry::new("AttributeDefinitions", list(attribute)));
    entries.push(Entry::new("KeySchema", list(schema)));
    if source.properties.get("ProvisionedThroughput").is_none() {
        entries.push(Entry::new("BillingMode", Tree::text(source.at, "PAY_PER_REQUEST")));
    }
    entries.extend(source.tags());
    source.main("AWS::DynamoDB::Table", entries)
}

/// `AWS::Serverless::LayerVersion`.
pub fn layer(source: &Resource) -> Resource {
    let mut entries = source.kept(&[
        "CompatibleArchitectures",
        "CompatibleRuntimes",
        "Description",
        "LicenseInfo",
    ]);
    entries.extend(source.renamed(&[("LayerName", "LayerName")]));
    if let Some(it) = source.properties.entry("ContentUri") {
        let tree = Tree::unknown(it.tree.at, it.tree.all_references());
        entries.push(Entry { key: "Content".to_owned(), at: it.at, tree });
    }
    source.main("AWS::Lambda::LayerVersion", entries)
}
