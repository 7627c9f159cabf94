//! One file as blocks and attributes, whether it is written in HCL or in JSON.
//!
//! Terraform's JSON syntax is an expression of HCL: objects, lists, and strings that are templates.
//! It is parsed as one, so that positions and templates come for free; serde_json reads it first,
//! since HCL would accept more. Which objects are blocks and which are values only the provider's
//! schema tells: an object is a block unless its name is among [`MAP_ATTRIBUTES`].

use std::collections::BTreeMap;

use hcl_edit::Span;
use hcl_edit::expr::{Expression, ObjectKey};
use hcl_edit::structure::{self, Structure};

use super::position::{Lines, Spot};
use crate::plan::PlanError;

/// The end of a file's name that is written in HCL.
pub(super) const HCL: &str = ".tf";
/// The end of a file's name that is written in JSON.
pub(super) const JSON: &str = ".tf.json";

/// Attributes that are maps by the provider's schema; every other object of a JSON file is a block.
const MAP_ATTRIBUTES: [&str; 13] = [
    "default_tags",
    "input",
    "keepers",
    "labels",
    "parameters",
    "query",
    "request_parameters",
    "request_templates",
    "response_parameters",
    "tags",
    "tags_all",
    "triggers",
    "variables",
];

/// Attributes and blocks, as they are written.
#[derive(Debug, Default)]
pub(super) struct Body {
    pub attributes: BTreeMap<String, Attribute>,
    pub blocks: Vec<Block>,
}

impl Body {
    /// The blocks of one type.
    pub fn blocks_of<'s>(&'s self, kind: &'s str) -> impl Iterator<Item = &'s Block> {
        self.blocks.iter().filter(move |it| it.kind == kind)
    }

    /// Takes over what an override file says: attributes by name, all blocks of a type at once,
    /// whether they are written out or made by a `dynamic` one.
    /// <https://developer.hashicorp.com/terraform/language/files/override>
    pub fn override_with(&mut self, other: Body) {
        self.blocks.retain(|mine| !other.blocks.iter().any(|it| it.makes() == mine.makes()));
        self.attributes.extend(other.attributes);
        self.blocks.extend(other.blocks);
    }
}

/// `name = expression`.
#[derive(Debug)]
pub(super) struct Attribute {
    pub expression: Expression,
    pub at: Spot,
}

/// `kind "label" "label" { … }`.
#[derive(Debug)]
pub(super) struct Block {
    pub kind: String,
    pub labels: Vec<String>,
    pub body: Body,
    pub at: Spot,
}

impl Block {
    /// The type that it has; of a dynamic block, the one of those that it makes.
    pub fn makes(&self) -> &str {
        match (self.kind.as_str(), self.labels.first()) {
            ("dynamic", Some(label)) => label.as_str(),
            (kind, _) => kind,
        }
    }
}

/// Parses a file in the language that its name says. `file` is its index.
pub(super) fn parse(lines: &Lines<'_>, name: &str, text: &str, file: usize) -> Parsed<Body> {
    if name.ends_with(".json") {
        Ok(Json { file }.top_level(json_object(lines, parsed_text(name, text))?))
    } else {
        Ok(hcl_body(hcl(lines, text)?, file))
    }
}

/// Parses a file of variables in the language that its name says.
pub(super) fn parse_variables(
    lines: &Lines<'_>,
    name: &str,
    text: &str,
    file: usize,
) -> Parsed<BTreeMap<String, Attribute>> {
    if name.ends_with(".json") {
        Ok(Json { file }.attributes(json_object(lines, parsed_text(name, text))?))
    } else {
        Ok(hcl_body(hcl(lines, text)?, file).attributes)
    }
}

type Parsed<T> = Result<T, PlanError>;

/// Parses HCL. A byte order mark counts as blanks, so that offsets stay what they are.
fn hcl(lines: &Lines<'_>, text: &str) -> Parsed<structure::Body> {
    let unmarked = text.strip_prefix('\u{FEFF}').map(|rest| format!("   {rest}"));
    hcl_edit::parser::parse_body(unmarked.as_deref().unwrap_or(text))
        .map_err(|error| refused(lines, error.location().offset(), error.message()))
}

/// What of a file is parsed: of JSON, not the blanks around it, which no expression begins with.
pub(super) fn parsed_text<'t>(name: &str, text: &'t str) -> &'t str {
    if name.ends_with(".json") {
        text.trim_start_matches(|it: char| it == '\u{FEFF}' || it.is_whitespace())
    } else {
        text
    }
}

/// Parses the one object of a JSON file.
fn json_object(lines: &Lines<'_>, text: &str) -> Parsed<hcl_edit::expr::Object> {
    if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(text) {
        let before = text.split('\n').take(error.line().saturating_sub(1));
        let before: usize = before.map(|it| it.len() + 1).sum();
        let problem = error.to_string();
        let problem = problem.split(" at line ").next().unwrap_or_default();
        return Err(refused(lines, before + error.column().saturating_sub(1), problem));
    }
    match hcl_edit::parser::parse_expr(text.trim_end()) {
        Ok(Expression::Object(object)) => Ok(object),
        Ok(_) => Err(refused(lines, 0, "a JSON file of Terraform is one object")),
        Err(error) => Err(refused(lines, error.location().offset(), error.message())),
    }
}

/// How many comparisons of keys parsing takes. Every `=` and `:` between braces counts as a key,
/// those in texts included: an estimate that needs no parser.
pub(super) fn key_comparisons(text: &str) -> usize {
    let mut keys = Vec::new();
    let mut comparisons: usize = 0;
    for byte in text.bytes() {
        match byte {
            b'{' => keys.push(0_usize),
            b'}' => {
                keys.pop();
            }
            b'=' | b':' => {
                let Some(keys) = keys.last_mut() else { continue };
                comparisons = comparisons.saturating_add(*keys);
                *keys += 1;
            }
            _ => {}
        }
    }
    comparisons
}

fn refused(lines: &Lines<'_>, offset: usize, problem: &str) -> PlanError {
    let place = lines.place(offset);
    let problem = match problem {
        // The parser went back to where it could still go on.
        "unexpected token" => "what begins here is no HCL; is a bracket or a quote left open?",
        problem => problem,
    };
    PlanError {
        file: place.file,
        line: Some(place.line),
        column: Some(place.column),
        problem: problem.to_owned(),
    }
}

fn hcl_body(body: structure::Body, file: usize) -> Body {
    let mut read = Body::default();
    for structure in body {
        let start = structure.span().map(|it| it.start);
        match structure {
            Structure::Attribute(attribute) => {
                let own = attribute.key.span().or(attribute.value.span()).map(|it| it.start);
                let offset = start.or(own).unwrap_or_default();
                let name = attribute.key.as_str().to_owned();
                let at = Spot { file, offset };
                read.attributes.insert(name, Attribute { expression: attribute.value, at });
            }
            Structure::Block(block) => read.blocks.push(Block {
                kind: block.ident.as_str().to_owned(),
                labels: block.labels.iter().map(|it| it.as_str().to_owned()).collect(),
                at: Spot { file, offset: start.unwrap_or_default() },
                body: hcl_body(block.body, file),
            }),
        }
    }
    read
}

/// The name that a key writes, where it writes one.
pub(super) fn key_name(key: &ObjectKey) -> Option<&str> {
    match key {
        ObjectKey::Ident(name) => Some(name.as_str()),
        ObjectKey::Expression(expression) => expression.as_str(),
    }
}

/// Reads objects as blocks.
struct Json {
    file: usize,
}

impl Json {
    fn top_level(&self, object: hcl_edit::expr::Object) -> Body {
        let mut read = Body::default();
        for (kind, expression, at) in self.members(object) {
            let labels = match kind.as_str() {
                "resource" | "data" => 2,
                "variable" | "output" | "module" | "provider" => 1,
                "locals" => 0,
                _ => continue,
            };
            self.labeled(&kind, labels, Vec::new(), Attribute { expression, at }, &mut read.blocks);
        }
        read
    }

    /// Goes through the objects that stand for labels; lists repeat the level that they stand for.
    fn labeled(
        &self,
        kind: &str,
        labels: usize,
        before: Vec<String>,
        value: Attribute,
        blocks: &mut Vec<Block>,
    ) {
        match value.expression {
            Expression::Array(list) => {
                for expression in list {
                    let at = self.spot(&expression).unwrap_or(value.at);
                    let value = Attribute { expression, at };
                    self.labeled(kind, labels, before.clone(), value, blocks);
                }
            }
            Expression::Object(object) if before.len() < labels => {
                for (label, expression, at) in self.members(object) {
                    let labeled = before.iter().cloned().chain([label]).collect();
                    self.labeled(kind, labels, labeled, Attribute { expression, at }, blocks);
                }
            }
            Expression::Object(object) => {
                let nested = kind == "resource" || kind == "data" || kind == "provider";
                let body = if nested {
                    self.body(object)
                } else {
                    Body { attributes: self.attributes(object), blocks: Vec::new() }
                };
                let kind = kind.to_owned();
                blocks.push(Block { kind, labels: before, body, at: value.at });
            }
            _ => {}
        }
    }

    /// The body of a resource, in which objects are blocks.
    fn body(&self, object: hcl_edit::expr::Object) -> Body {
        let mut read = Body::default();
        for (name, expression, at) in self.members(object) {
            match expression {
                expression @ (Expression::Object(_) | Expression::Array(_))
                    if name == "dynamic" =>
                {
                    self.dynamic(expression, &mut read);
                }
                Expression::Object(object) if !MAP_ATTRIBUTES.contains(&name.as_str()) => {
                    let body = self.body(object);
                    read.blocks.push(Block { kind: name, labels: Vec::new(), body, at });
                }
                expression => {
                    read.attributes.insert(name, Attribute { expression, at });
                }
            }
        }
        read
    }

    /// `"dynamic": {"ingress": {"for_each": …, "content": {…}}}`, or a list of such objects.
    fn dynamic(&self, expression: Expression, read: &mut Body) {
        let object = match expression {
            Expression::Object(object) => object,
            Expression::Array(list) => {
                list.into_iter().for_each(|it| self.dynamic(it, read));
                return;
            }
            _ => return,
        };
        for (label, expression, at) in self.members(object) {
            let mut blocks = Vec::new();
            self.labeled("data", 0, Vec::new(), Attribute { expression, at }, &mut blocks);
            read.blocks.extend(blocks.into_iter().map(|it| Block {
                kind: "dynamic".to_owned(),
                labels: vec![label.clone()],
                ..it
            }));
        }
    }

    fn attributes(&self, object: hcl_edit::expr::Object) -> BTreeMap<String, Attribute> {
        let members = self.members(object).into_iter();
        members.map(|(name, expression, at)| (name, Attribute { expression, at })).collect()
    }

    /// The members of an object that are no comments (`"//"`).
    fn members(&self, object: hcl_edit::expr::Object) -> Vec<(String, Expression, Spot)> {
        let mut members = Vec::new();
        for (key, value) in object {
            let Some(name) = key_name(&key).filter(|it| *it != "//").map(str::to_owned) else {
                continue;
            };
            let expression = value.into_expr();
            let start = key.span().or(expression.span()).map_or(0, |it| it.start);
            let at = Spot { file: self.file, offset: start };
            members.push((name, expression, at));
        }
        members
    }

    fn spot(&self, expression: &Expression) -> Option<Spot> {
        let start = expression.span()?.start;
        Some(Spot { file: self.file, offset: start })
    }
}
