//! The intrinsic functions.
//!
//! Source: AWS CloudFormation Template Reference, page `intrinsic-function-reference`.

use std::collections::BTreeMap;
use std::rc::Rc;

use data_encoding::BASE64;

use crate::plan::cloudformation::VALUE_BYTES;
use crate::plan::cloudformation::evaluate::network::blocks;
use crate::plan::cloudformation::evaluate::substitution::{Piece, pieces};
use crate::plan::cloudformation::evaluate::{Evaluator, Presence};
use crate::plan::cloudformation::tree::{Content, Entry, Fault, Mark, Tree};
use crate::region::{partition, url_suffix};

/// The most words in a logical id of 255 characters.
const LOGICAL_ID_WORDS_MAX: usize = 255;

/// A function's value; nothing for `AWS::NoValue`.
type Evaluated = Result<Option<Tree>, Fault>;

impl Evaluator<'_> {
    /// The value of a function's call. One that only a macro could know is noted and unknown; where
    /// there is no macro, CloudFormation refuses the template, and so is it here.
    pub(super) fn call(&mut self, name: &str, argument: &Tree, at: Mark) -> Evaluated {
        match name {
            "Fn::If" => return self.choose(argument, at),
            "Fn::FindInMap" => return self.find_in_map(argument, at),
            "Fn::Sub" => return self.substitute(argument, at),
            "Fn::And" | "Fn::Or" | "Fn::Not" | "Fn::Equals" => {
                let entry = Entry { key: name.to_owned(), at, tree: argument.clone() };
                let holds = self.holds(&Tree::new(at, Content::Map(vec![entry])))?;
                let unknown = Tree::unknown(at, Vec::new());
                return Ok(Some(holds.map_or(unknown, |it| Tree::bool(at, it))));
            }
            "Fn::Transform" => {
                self.note(at, "what `Fn::Transform` makes can't be known")?;
                return Ok(Some(Tree::unknown(at, Vec::new())));
            }
            _ => {}
        }
        let Some(value) = self.evaluate(argument)? else {
            return self.misused(at, name, "has no argument", &[]);
        };
        match name {
            "Ref" => self.reference(&value, at),
            "Fn::GetAtt" => self.attribute(&value, at),
            "Fn::Join" => self.join(&value, at),
            "Fn::Select" => self.select(&value, at),
            "Fn::Split" => self.split(&value, at),
            "Fn::Base64" => self.base64(&value, at),
            "Fn::Cidr" => self.cidr(&value, at),
            "Fn::Length" => self.length(&value, at),
            "Fn::ToJsonString" if value.is_known() => self.made(value.to_json().to_string(), at),
            "Fn::GetAZs" | "Fn::GetStackOutput" | "Fn::ImportValue" | "Fn::ToJsonString" => {
                Ok(Some(Tree::unknown(at, value.all_references())))
            }
            _ if self.has_macros => {
                self.misused(at, name, "is no function that is known here", &[&value])
            }
            _ => Err(Fault::new(at, format!("`{name}` is no function that is known here"))),
        }
    }

    /// Notes what is wrong with a call; its value is unknown.
    fn misused(&mut self, at: Mark, name: &str, problem: &str, made_of: &[&Tree]) -> Evaluated {
        self.note(at, format!("`{name}` {problem}"))?;
        let references = made_of.iter().flat_map(|it| it.all_references()).collect();
        Ok(Some(Tree::unknown(at, references)))
    }

    fn reference(&mut self, value: &Tree, at: Mark) -> Evaluated {
        match (&value.content, value.as_name()) {
            (_, Some(name)) => self.named(name, at),
            (Content::Unknown, _) => Ok(Some(Tree::unknown(at, value.references.clone()))),
            _ => self.misused(at, "Ref", "must be a name", &[value]),
        }
    }

    /// What a name stands for: a pseudo parameter, a parameter or a resource.
    ///
    /// # Errors
    ///
    /// When a limit is exceeded.
    pub fn named(&mut self, name: &str, at: Mark) -> Result<Option<Tree>, Fault> {
        if let Some(name) = name.strip_prefix("AWS::") {
            return self.pseudo(name, at);
        }
        if let Some(parameter) = self.parameters.get(name) {
            let value = parameter.value(at);
            let bytes = parameter.bytes(VALUE_BYTES);
            self.spend(bytes, at)?;
            return Ok(Some(value));
        }
        self.resource(name, "parameter or resource", at)
    }

    /// Source: AWS CloudFormation User Guide, page `pseudo-parameter-reference`.
    fn pseudo(&mut self, name: &str, at: Mark) -> Evaluated {
        let region = self.options.region.as_deref();
        let known = match name {
            "NoValue" => return Ok(None),
            "AccountId" => self.options.account.as_deref(),
            "Region" => region,
            "Partition" => region.map(partition),
            "URLSuffix" => region.map(url_suffix),
            "StackName" | "StackId" | "NotificationARNs" => None,
            _ => {
                self.note(at, format!("there is no pseudo parameter `AWS::{name}`"))?;
                None
            }
        };
        match known.map(str::to_owned) {
            Some(text) => self.made(text, at),
            None => Ok(Some(Tree::unknown(at, Vec::new()))),
        }
    }

    /// Something of a resource that only deploying tells.
    fn resource(&mut self, name: &str, wanted: &str, at: Mark) -> Evaluated {
        // SAM lets generated resources be named as `Function.Alias`.
        let base = name.split('.').next().unwrap_or(name);
        let problem = match self.resources.get(name).or_else(|| self.resources.get(base)) {
            Some(Presence::Created | Presence::Perhaps(_)) => None,
            Some(Presence::Absent(condition)) => {
                Some(format!("`{base}` is used, but not created: condition `{condition}` fails"))
            }
            None if self.may_be_generated(base) => None,
            None => Some(format!("there is no {wanted} `{name}`")),
        };
        if let Some(problem) = problem {
            self.note(at, problem)?;
            return Ok(Some(Tree::unknown(at, Vec::new())));
        }
        self.spend(base.len(), at)?;
        let whole = if self.resources.contains_key(name) { name } else { base };
        Ok(Some(Tree::unknown(at, vec![whole.to_owned()])))
    }

    /// Whether a transform may make a resource of this name: a declared one's, and a word more.
    fn may_be_generated(&self, name: &str) -> bool {
        let words = name.match_indices(|it: char| it.is_ascii_uppercase());
        let mut beginnings = words.take(LOGICAL_ID_WORDS_MAX).filter_map(|it| name.get(..it.0));
        beginnings.any(|it| self.generated.contains(it))
    }

    fn attribute(&mut self, value: &Tree, at: Mark) -> Evaluated {
        let name = match value.items() {
            Some([id, _, ..]) => id.as_name(),
            _ => value.as_text().filter(|it| it.contains('.')),
        };
        match name {
            Some(name) => {
                let id = name.split('.').next().unwrap_or(name);
                self.resource(id, "resource", at)
            }
            None if !value.is_known() => Ok(Some(Tree::unknown(at, value.all_references()))),
            None => self.misused(at, "Fn::GetAtt", "needs a resource and an attribute", &[value]),
        }
    }

    /// `Fn::Sub` of a text, or of a text and its own variables.
    fn substitute(&mut self, argument: &Tree, at: Mark) -> Evaluated {
        let (text, variables) = match argument.items() {
            Some([text, variables]) if variables.entries().is_some() => {
                (text, self.evaluate(variables)?)
            }
            Some([text]) => (text, None),
            _ => (argument, None),
        };
        let Some(text) = text.as_text() else {
            return self.misused(at, "Fn::Sub", "needs a text", &[]);
        };
        let variables = variables.as_ref().and_then(Tree::members).unwrap_or_default();
        let mut unknown = text.contains("{{resolve:");
        let mut made = String::new();
        let mut references = Vec::new();
        for piece in pieces(text) {
            let value = match piece {
                Piece::Literal(text) => {
                    self.spend(text.len(), at)?;
                    made.push_str(text);
                    continue;
                }
                Piece::Escaped(name) => {
                    self.spend(name.len(), at)?;
                    made.push_str(&format!("${{{name}}}"));
                    continue;
                }
                Piece::Variable(name) => match variables.get(name) {
                    Some(value) => Some((*value).clone()),
                    None => self.named(name, at)?,
                },
            };
            let Some(value) = value else {
                unknown = true;
                continue;
            };
            references.extend(value.all_references());
            match value.as_text() {
                Some(text) => {
                    self.spend(text.len(), at)?;
                    made.push_str(text);
                }
                None => unknown = true,
            }
        }
        let content = if unknown { Content::Unknown } else { Content::Text(made) };
        Ok(Some(Tree { at, content, references }))
    }

    fn join(&mut self, value: &Tree, at: Mark) -> Evaluated {
        let parts = match value.items() {
            Some([delimiter, values]) => delimiter.as_text().zip(values.items()),
            _ => None,
        };
        if let Some((delimiter, values)) = parts {
            let texts: Option<Vec<&str>> = values.iter().map(Tree::as_text).collect();
            if let Some(texts) = texts {
                let between = delimiter.len().saturating_mul(texts.len());
                let bytes = texts.iter().fold(between, |sum, it| sum.saturating_add(it.len()));
                self.spend(bytes, at)?;
                return Ok(Some(Tree::text(at, texts.join(delimiter))));
            }
        }
        self.unknown_or_misused(value, at, "Fn::Join", "needs a delimiter and a list of texts")
    }

    /// Unknown where an argument is; otherwise it is not what the function takes.
    fn unknown_or_misused(&mut self, value: &Tree, at: Mark, name: &str, needs: &str) -> Evaluated {
        if value.is_known() {
            return self.misused(at, name, needs, &[value]);
        }
        Ok(Some(Tree::unknown(at, value.all_references())))
    }

    fn select(&mut self, value: &Tree, at: Mark) -> Evaluated {
        let parts = match value.items() {
            Some([index, values]) => index.as_text().zip(values.items()),
            _ => None,
        };
        let Some((index, values)) = parts else {
            let needs = "needs an index and a list";
            return self.unknown_or_misused(value, at, "Fn::Select", needs);
        };
        let index = index.parse::<usize>().ok();
        // An unknown item may turn out to be `AWS::NoValue`, which moves those after it.
        let before = values.iter().take(index.unwrap_or(usize::MAX));
        if before.into_iter().any(|it| matches!(it.content, Content::Unknown)) {
            return Ok(Some(Tree::unknown(at, value.all_references())));
        }
        match index.and_then(|it| values.get(it)) {
            Some(item) => Ok(Some(item.clone())),
            None => self.misused(at, "Fn::Select", "names no item of its list", &[value]),
        }
    }

    fn split(&mut self, value: &Tree, at: Mark) -> Evaluated {
        let parts = match value.items() {
            Some([delimiter, text]) => delimiter.as_text().zip(text.as_text()),
            _ => None,
        };
        let Some((delimiter, text)) = parts.filter(|it| !it.0.is_empty()) else {
            let needs = "needs a delimiter and a text";
            return self.unknown_or_misused(value, at, "Fn::Split", needs);
        };
        let count = text.matches(delimiter).count().saturating_add(1);
        self.spend(text.len().saturating_add(count.saturating_mul(VALUE_BYTES)), at)?;
        let items = text.split(delimiter).map(|it| Tree::text(at, it)).collect();
        Ok(Some(Tree::new(at, Content::List(items))))
    }

    fn base64(&mut self, value: &Tree, at: Mark) -> Evaluated {
        match value.as_text() {
            Some(text) => {
                self.spend(text.len(), at)?;
                self.made(BASE64.encode(text.as_bytes()), at)
            }
            None => self.unknown_or_misused(value, at, "Fn::Base64", "needs a text"),
        }
    }

    fn cidr(&mut self, value: &Tree, at: Mark) -> Evaluated {
        let made = match value.items() {
            Some([block, count, bits]) => block.as_text().and_then(|block| {
                blocks(block, count.as_text()?.parse().ok()?, bits.as_text()?.parse().ok()?)
            }),
            _ => None,
        };
        let Some(made) = made else {
            let needs = "needs a block, a number of blocks in it and their host bits";
            return self.unknown_or_misused(value, at, "Fn::Cidr", needs);
        };
        self.spend(made.len().saturating_mul(VALUE_BYTES), at)?;
        let items = made.into_iter().map(|it| Tree::text(at, it)).collect();
        Ok(Some(Tree::new(at, Content::List(items))))
    }

    fn length(&mut self, value: &Tree, at: Mark) -> Evaluated {
        match value.items() {
            Some(items) if !items.iter().any(|it| matches!(it.content, Content::Unknown)) => {
                let length = items.len();
                Ok(Some(Tree::new(at, Content::Number(length.into(), length.to_string()))))
            }
            _ => self.unknown_or_misused(value, at, "Fn::Length", "needs a list"),
        }
    }

    /// `Fn::If`. Where the condition can't be known, what both values have in common is.
    fn choose(&mut self, argument: &Tree, at: Mark) -> Evaluated {
        let Some([condition, holds, fails]) = argument.items() else {
            return self.misused(at, "Fn::If", "needs a condition and two values", &[]);
        };
        let decided = match condition.as_name() {
            Some(name) => self.condition(name, condition.at)?,
            None => self.holds(condition)?,
        };
        match decided {
            Some(true) => self.evaluate(holds),
            Some(false) => self.evaluate(fails),
            None => {
                let (a, b) = (self.evaluate(holds)?, self.evaluate(fails)?);
                Ok(common(a, b, at))
            }
        }
    }

    fn find_in_map(&mut self, argument: &Tree, at: Mark) -> Evaluated {
        let (keys, default) = match argument.items() {
            Some([map, first, second]) => ([map, first, second], None),
            Some([map, first, second, more]) => ([map, first, second], more.get("DefaultValue")),
            _ => return self.misused(at, "Fn::FindInMap", "needs a mapping and two keys", &[]),
        };
        let mut names = Vec::new();
        for key in keys {
            let key = self.evaluate(key)?;
            match key.as_ref().and_then(Tree::as_name) {
                Some(name) => names.push(name.to_owned()),
                None => {
                    let references = key.iter().flat_map(Tree::all_references).collect();
                    return Ok(Some(Tree::unknown(at, references)));
                }
            }
        }
        let found = self.mappings.get(&names).map(Rc::clone);
        match (found, default) {
            (Some(value), _) => self.evaluate(&value),
            (None, Some(value)) => self.evaluate(value),
            (None, None) => self.misused(at, "Fn::FindInMap", "finds nothing", &[]),
        }
    }
}

/// What two values have in common: the rest is unknown, and made of what both are made of.
fn common(a: Option<Tree>, b: Option<Tree>, at: Mark) -> Option<Tree> {
    let (a, b) = match (a, b) {
        (Some(a), Some(b)) => (a, b),
        (None, None) => return None,
        (Some(it), None) | (None, Some(it)) => {
            return Some(Tree::unknown(at, it.all_references()));
        }
    };
    let references = a.references.iter().chain(&b.references).cloned().collect();
    let content = match (&a.content, &b.content) {
        _ if a.is_identical(&b) => a.content,
        (Content::List(_), Content::List(_)) | (Content::Map(_), Content::Map(_))
            if have_same_members(&a, &b) =>
        {
            common_members(a.content, b, at)
        }
        _ => {
            let references = [a.all_references(), b.all_references()].concat();
            return Some(Tree::unknown(at, references));
        }
    };
    Some(Tree { at: a.at, content, references })
}

fn have_same_members(a: &Tree, b: &Tree) -> bool {
    match (&a.content, &b.content) {
        (Content::List(a), Content::List(b)) => a.len() == b.len(),
        _ => match (a.members(), b.members()) {
            (Some(a), Some(b)) => a.keys().eq(b.keys()),
            _ => false,
        },
    }
}

fn common_members(a: Content, b: Tree, at: Mark) -> Content {
    match (a, b.content) {
        (Content::List(a), Content::List(b)) => {
            let pairs = a.into_iter().zip(b);
            Content::List(pairs.filter_map(|(a, b)| common(Some(a), Some(b), at)).collect())
        }
        (Content::Map(a), Content::Map(b)) => {
            let mut others: BTreeMap<_, _> = b.into_iter().map(|it| (it.key, it.tree)).collect();
            let member = |it: Entry| {
                let tree = common(Some(it.tree), others.remove(&it.key), it.at)?;
                Some(Entry { key: it.key, at: it.at, tree })
            };
            Content::Map(a.into_iter().filter_map(member).collect())
        }
        (a, _) => a,
    }
}
