//! The document of `data "aws_iam_policy_document"`, as the provider makes it.
//! <https://registry.terraform.io/providers/hashicorp/aws/latest/docs>, "IAM Policy Document"
//!
//! The order of elements in the text is not the provider's; no policy's meaning hangs on it.

use std::collections::BTreeMap;

use super::value::{Fault, Kind, References, Val, Valued};

/// The version that a document has without one.
const VERSION: &str = "2012-10-17";

/// The text of the document that the properties describe; unknown in part where they are.
pub(super) fn json(properties: &Val) -> Valued {
    let Some(properties) = properties.entries() else {
        return Ok(Val::unknown_of(properties.all_references()));
    };
    let get = |name: &str| properties.get(name).filter(|it| !it.is_null());
    let text = |name: &str| get(name).filter(|it| it.as_text() != Some("")).cloned();
    let mut merged = Document::default();
    // `source_json` and `override_json` are the provider's up to version 4.
    let sources = documents(get("source_policy_documents"));
    for source in text("source_json").into_iter().chain(sources) {
        merged.merge(Document::read(&source));
    }
    merged.merge(Document {
        version: Some(get("version").map_or_else(|| Val::text(VERSION), |it| Ok(it.clone()))?),
        id: text("policy_id"),
        statements: match get("statement") {
            Some(list) => statements(list)?,
            None => Vec::new(),
        },
    });
    let overs = documents(get("override_policy_documents"));
    for over in overs.into_iter().chain(text("override_json")) {
        let over = Document::read(&over);
        // What is unknown may replace every statement that has an id.
        if over.statements.iter().any(may_have_any_id) {
            let all = properties.values().map(Val::all_references);
            return Ok(Val::unknown_of(all.fold(References::default(), |all, it| all.and(&it))));
        }
        merged.merge(over);
    }
    Val::json_text(merged.value()?, |it| format!("{it:#}"))
}

/// A document as far as it is put together.
#[derive(Default)]
struct Document {
    version: Option<Val>,
    id: Option<Val>,
    /// An unknown one stands for any number.
    statements: Vec<Val>,
}

impl Document {
    /// Reads the text of a document.
    fn read(text: &Val) -> Document {
        let parsed = match &text.kind {
            Kind::Unknown(Some(draft)) => Some((**draft).clone()),
            Kind::Text(text) => {
                serde_json::from_str(text).ok().and_then(|it| Val::from_json(&it).ok())
            }
            _ => None,
        };
        let Some(entries) = parsed.as_ref().and_then(Val::entries) else {
            let unknown = Val::unknown_of(text.all_references());
            return Document { statements: vec![unknown], ..Document::default() };
        };
        let statements = match entries.get("Statement") {
            Some(list) => list.items().map_or_else(|| vec![list.clone()], <[Val]>::to_vec),
            None => Vec::new(),
        };
        let get = |name: &str| entries.get(name).cloned();
        Document { version: get("Version"), id: get("Id"), statements }
    }

    /// Takes over another document: its statements replace those of the same id.
    fn merge(&mut self, other: Document) {
        self.id = other.id.or(self.id.take());
        let newer = match (&self.version, &other.version) {
            (Some(mine), Some(theirs)) => mine.as_text() < theirs.as_text(),
            (None, _) => true,
            (Some(_), None) => false,
        };
        if newer {
            self.version = other.version;
        }
        for statement in other.statements {
            let sid = sid(&statement);
            let same = sid.and_then(|it| {
                self.statements
                    .iter()
                    .position(|mine| self::sid(mine).is_some_and(|mine| mine == it))
            });
            match same.and_then(|at| self.statements.get_mut(at)) {
                Some(mine) => *mine = statement,
                None => self.statements.push(statement),
            }
        }
    }

    fn value(self) -> Valued {
        let mut entries = BTreeMap::new();
        entries.extend(self.version.map(|it| ("Version".to_owned(), it)));
        entries.extend(self.id.map(|it| ("Id".to_owned(), it)));
        if !self.statements.is_empty() {
            entries.insert("Statement".to_owned(), Val::list(self.statements)?);
        }
        Val::map(entries)
    }
}

/// The id of a statement, where it has one.
fn sid(statement: &Val) -> Option<&str> {
    statement.entries()?.get("Sid")?.as_text().filter(|it| !it.is_empty())
}

fn may_have_any_id(statement: &Val) -> bool {
    let sid = statement.entries().and_then(|it| it.get("Sid"));
    statement.is_unknown() || sid.is_some_and(Val::is_unknown)
}

/// The documents of an argument; one unknown document, where it is unknown which there are.
fn documents(argument: Option<&Val>) -> Vec<Val> {
    match argument {
        None => Vec::new(),
        Some(it) => match it.items() {
            Some(items) => items.iter().filter(|it| !it.is_null()).cloned().collect(),
            None => vec![Val::unknown_of(it.all_references())],
        },
    }
}

fn statements(list: &Val) -> Result<Vec<Val>, Fault> {
    blocks(list).iter().map(statement).collect()
}

/// The blocks of one type. JSON sources may write a single one without a list.
fn blocks(list: &Val) -> Vec<Val> {
    list.items().map_or_else(|| vec![list.clone()], <[Val]>::to_vec)
}

fn statement(block: &Val) -> Valued {
    let Some(given) = block.entries() else {
        return Ok(Val::unknown_of(block.all_references()));
    };
    let get = |name: &str| given.get(name).filter(|it| !it.is_null());
    let mut made = BTreeMap::new();
    if let Some(sid) = get("sid").filter(|it| it.as_text() != Some("")) {
        made.insert("Sid".to_owned(), sid.clone());
    }
    let effect = get("effect").map_or_else(|| Val::text("Allow"), |it| Ok(it.clone()))?;
    made.insert("Effect".to_owned(), effect);
    let lists = [
        ("actions", "Action"),
        ("not_actions", "NotAction"),
        ("resources", "Resource"),
        ("not_resources", "NotResource"),
    ];
    for (from, to) in lists {
        if let Some(texts) = get(from).map(texts).transpose()?.flatten() {
            made.insert(to.to_owned(), texts);
        }
    }
    for (from, to) in [("principals", "Principal"), ("not_principals", "NotPrincipal")] {
        if let Some(list) = get(from) {
            made.insert(to.to_owned(), principals(list)?);
        }
    }
    if let Some(list) = get("condition") {
        made.insert("Condition".to_owned(), conditions(list)?);
    }
    Val::map(made)
}

/// A text, or several in the provider's order; nothing where there is none.
fn texts(list: &Val) -> Result<Option<Val>, Fault> {
    let Some(items) = list.items() else {
        return Ok(Some(Val::unknown_of(list.all_references())));
    };
    let mut known =
        items.iter().filter(|it| it.known).map(variables).collect::<Result<Vec<_>, _>>()?;
    known.sort_by(|one, other| other.as_text().cmp(&one.as_text()));
    known.dedup_by(|one, other| one.as_text() == other.as_text());
    known.extend(items.iter().filter(|it| !it.known).cloned());
    match known.as_slice() {
        [] => Ok(None),
        [only] => Ok(Some(only.clone())),
        _ => Ok(Some(Val::list(known)?)),
    }
}

/// `&{aws:username}` is how Terraform writes what a policy writes as `${aws:username}`.
fn variables(text: &Val) -> Valued {
    match text.to_text() {
        Some(it) => Ok(Val::text(it.replace("&{", "${"))?.with(&text.references)),
        None => Err(Fault::new(format!("{} is no string", text.name()))),
    }
}

fn principals(list: &Val) -> Valued {
    let mut by_type: BTreeMap<String, Vec<Val>> = BTreeMap::new();
    for block in blocks(list) {
        let kind = block.entries().and_then(|it| it.get("type")).and_then(Val::as_text);
        let identifiers = block.entries().and_then(|it| it.get("identifiers"));
        let (Some(kind), Some(identifiers)) = (kind, identifiers) else {
            return Ok(Val::unknown_of(list.all_references()));
        };
        let of_type = by_type.entry(kind.to_owned()).or_default();
        match texts(identifiers)? {
            Some(it) => {
                of_type.extend(it.items().map_or_else(|| vec![it.clone()], <[Val]>::to_vec))
            }
            None => continue,
        }
    }
    if let (1, Some([only])) = (by_type.len(), by_type.get("*").map(Vec::as_slice))
        && only.as_text() == Some("*")
    {
        return Val::text("*");
    }
    one_or_many(by_type)
}

/// Lists of one element become that element.
fn one_or_many(lists: BTreeMap<String, Vec<Val>>) -> Valued {
    let mut made = BTreeMap::new();
    for (name, list) in lists {
        let value = match list.as_slice() {
            [only] => only.clone(),
            _ => Val::list(list)?,
        };
        made.insert(name, value);
    }
    Val::map(made)
}

fn conditions(list: &Val) -> Valued {
    let mut by_test: BTreeMap<String, BTreeMap<String, Vec<Val>>> = BTreeMap::new();
    for block in blocks(list) {
        let text = |name: &str| block.entries().and_then(|it| it.get(name)).and_then(Val::as_text);
        let values = block.entries().and_then(|it| it.get("values"));
        let (Some(test), Some(variable), Some(values)) = (text("test"), text("variable"), values)
        else {
            return Ok(Val::unknown_of(list.all_references()));
        };
        let of_variable =
            by_test.entry(test.to_owned()).or_default().entry(variable.to_owned()).or_default();
        match values.items() {
            Some(items) => {
                for item in items {
                    of_variable.push(if item.known { variables(item)? } else { item.clone() });
                }
            }
            // An unknown number of values.
            None => return Ok(Val::unknown_of(list.all_references())),
        }
    }
    let tests = by_test.into_iter().map(|(test, it)| Ok((test, one_or_many(it)?)));
    Val::map(tests.collect::<Result<_, Fault>>()?)
}
