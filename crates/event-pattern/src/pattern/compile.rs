//! From a pattern's text to its alternatives.
//!
//! The text is read once, front to back, so that the first complaint is the one that EventBridge
//! makes. The rules and the complaints are those of the service and of its published engine
//! (`aws/event-ruler`, `JsonRuleCompiler`); they were taken from there as facts.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Field, Pattern, Trie};
use crate::condition::{
    Bound, Condition, Folded, Network, Number, Wildcard, comparable, parse_ip, states_alive_max,
};
use crate::error::PatternError;
use crate::json::{Reader, Token};
use crate::options::{DuplicateKeys, Options};

/// Field names that turn a `$or` into an ordinary field name: they, too, are operators, or are
/// reserved to become some.
const RESERVED_INSIDE_OR: [&str; 24] = [
    "exactly",
    "equals-ignore-case",
    "prefix",
    "suffix",
    "anything-but",
    "exists",
    "wildcard",
    "numeric",
    "cidr",
    "=",
    "<",
    "<=",
    ">",
    ">=",
    "regex",
    "not-wildcard",
    "not-equals-ignore-case",
    "date-after",
    "date-on-or-after",
    "date-before",
    "date-on-or-before",
    "in-date-range",
    "ip-address-in-range",
    "ip-address-not-in-range",
];

/// What a path takes in a combination at the least, in bytes.
const PATH_BYTES_MIN: usize = 32;

const ONE_KEY: &str = "Only one key allowed in match expression";
const TOO_COMPLEX: &str = "Rule is too complex - try using fewer wildcard characters or fewer \
                           repeating character sequences after a wildcard character";

pub(super) fn compile(text: &str, options: &Options) -> Result<Pattern> {
    let bytes_max = options.limits.pattern_bytes_max;
    if bytes_max < text.len() {
        let reason =
            format!("the pattern has {} bytes, more than the {bytes_max} allowed", text.len());
        return Err(PatternError::new("$".to_owned(), reason));
    }
    match Compiler::new(text, options, true).compile() {
        Err(_) if options.or_may_be_field => Compiler::new(text, options, false).compile(),
        result => result,
    }
}

/// An alternative while it grows: path → index of the field.
type Growing = BTreeMap<PathKey, usize>;

/// A path in the order in which the engine visits paths: by UTF-16 units, as Java sorts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct PathKey(Vec<u16>);

/// Where in the pattern we are, for complaints.
#[derive(Debug, Clone)]
enum Step {
    Key(String),
    Index(usize),
}

struct Compiler<'a> {
    text: &'a str,
    options: &'a Options,
    or_is_operator: bool,
    reader: Reader<'a>,
    place: Vec<Step>,
    /// The keys that make up the path, `$or` left out.
    keys: Vec<String>,
    fields: Vec<Field>,
    trie: Trie,
    /// See [`crate::Limits::paths_bytes_max`].
    paths_bytes: usize,
}

type Result<T> = std::result::Result<T, PatternError>;

impl<'a> Compiler<'a> {
    fn new(text: &'a str, options: &'a Options, or_is_operator: bool) -> Self {
        let reader = Reader::new(text, options.limits.pattern_depth_max);
        let (place, keys, fields) = Default::default();
        let (trie, paths_bytes) = (Trie::new(), 0);
        Self { text, options, or_is_operator, reader, place, keys, fields, trie, paths_bytes }
    }

    fn compile(mut self) -> Result<Pattern> {
        if self.next()? != Token::ObjectStart {
            return self.fail("Filter is not an object");
        }
        let mut alternatives = vec![Growing::new()];
        self.object(&mut alternatives, false)?;
        self.next()?;
        let in_order = |it: Growing| it.into_values().collect();
        Ok(Pattern {
            text: self.text.into(),
            options: self.options.clone(),
            fields: self.fields,
            alternatives: alternatives.into_iter().map(in_order).collect(),
            trie: self.trie,
        })
    }

    /// After `{`: fields, nested objects and `$or`s, up to `}`.
    fn object(&mut self, alternatives: &mut Vec<Growing>, inside_or: bool) -> Result<()> {
        let mut empty = true;
        while let Token::Key(key) = self.next()? {
            empty = false;
            let key = key.decode().into_owned();
            self.place.push(Step::Key(key.clone()));
            if self.or_is_operator && key == "$or" {
                self.or(alternatives)?;
            } else if inside_or && RESERVED_INSIDE_OR.contains(&key.as_str()) {
                let complaint = "is Ruler reserved fieldName which cannot be used inside $or.";
                return self.fail(format!("{key} {complaint}"));
            } else {
                self.keys.push(key);
                self.member(alternatives, inside_or)?;
                self.keys.pop();
            }
            self.place.pop();
        }
        if empty { self.fail("Empty objects are not allowed") } else { Ok(()) }
    }

    fn member(&mut self, alternatives: &mut Vec<Growing>, inside_or: bool) -> Result<()> {
        match self.next()? {
            Token::ObjectStart => self.object(alternatives, inside_or),
            Token::ArrayStart => self.field(alternatives),
            _ => {
                let key = self.keys.last().map(String::as_str).unwrap_or_default();
                self.fail(format!("\"{key}\" must be an object or an array"))
            }
        }
    }

    /// After `"$or":`. Every object in the array goes on from the alternatives so far.
    fn or(&mut self, alternatives: &mut Vec<Growing>) -> Result<()> {
        if self.next()? != Token::ArrayStart {
            return self.fail("It must be an Array followed with $or.");
        }
        let before = std::mem::take(alternatives);
        let fields = before.iter().flat_map(Growing::values);
        let paths = fields.filter_map(|it| self.fields.get(*it)).map(|it| weight(&it.path));
        let before_bytes: usize = paths.sum();
        let mut branches = 0;
        loop {
            match self.next()? {
                Token::ArrayEnd => break,
                Token::ObjectStart => {
                    self.place.push(Step::Index(branches));
                    self.take_paths(before_bytes)?;
                    let mut branch = before.clone();
                    self.object(&mut branch, true)?;
                    alternatives.append(&mut branch);
                    self.place.pop();
                }
                _ => return self.fail("Only JSON object is allowed in array of $or relationship."),
            }
            branches += 1;
            let combinations_max = self.options.limits.or_combinations_max;
            if combinations_max < alternatives.len() {
                return self.fail(format!("more than {combinations_max} combinations of $or"));
            }
        }
        if branches < 2 {
            return self.fail("There must have at least 2 Objects in $or relationship.");
        }
        Ok(())
    }

    /// After `[`: the conditions on one path, up to `]`.
    fn field(&mut self, alternatives: &mut [Growing]) -> Result<()> {
        let start = self.reader.offset() - 1;
        let mut conditions = Vec::new();
        let mut or_absent = false;
        for index in 0.. {
            self.place.push(Step::Index(index));
            match self.next()? {
                Token::ArrayEnd if index == 0 => {
                    self.place.pop();
                    return self.fail("Empty arrays are not allowed");
                }
                Token::ArrayEnd => break,
                Token::ObjectStart => match self.match_expression()? {
                    Some(condition) => conditions.push(condition),
                    None => or_absent = true,
                },
                Token::Text(text) => conditions.push(exact_text(&text.decode())),
                Token::Number(text) => conditions.push(Condition::Number(Number::new(text))),
                Token::True => conditions.push(Condition::True),
                Token::False => conditions.push(Condition::False),
                Token::Null => conditions.push(Condition::Null),
                _ => return self.fail("Match value must be String, number, true, false, or null"),
            }
            self.place.pop();
        }
        self.place.pop();
        self.check_wildcards(&conditions)?;
        let path = self.keys.join(".");
        let (steps, steps_max) = (path.split('.').count(), self.options.limits.pattern_depth_max);
        if steps_max < steps {
            return self
                .fail(format!("a path of {steps} steps, more than the {steps_max} allowed"));
        }
        self.take_paths(weight(&path).saturating_mul(alternatives.len()))?;
        let key = PathKey(path.encode_utf16().collect());
        let node = self.trie.add(&path);
        let wanted = self.text.get(start..self.reader.offset()).unwrap_or_default();
        let wanted = without_whitespace(wanted).into();
        let field = self.fields.len();
        for alternative in alternatives {
            let twice = alternative.insert(key.clone(), field).is_some();
            if twice && self.options.duplicate_keys == DuplicateKeys::Reject {
                return self.fail(format!("Path `{path}` cannot be allowed multiple times"));
            }
        }
        let (path, conditions) = (path.into(), conditions.into());
        self.fields.push(Field { path, wanted, conditions, or_absent, node });
        Ok(())
    }

    /// Counts what paths take, so that many combinations of long ones can't fill the memory.
    fn take_paths(&mut self, bytes: usize) -> Result<()> {
        self.paths_bytes = self.paths_bytes.saturating_add(bytes);
        let bytes_max = self.options.limits.paths_bytes_max;
        if self.paths_bytes <= bytes_max {
            return Ok(());
        }
        self.fail(format!("the paths of all combinations have more than {bytes_max} bytes"))
    }

    fn check_wildcards(&self, conditions: &[Condition]) -> Result<()> {
        if !self.options.reject_complex_wildcards {
            return Ok(());
        }
        let mut wildcards = Vec::new();
        for condition in conditions {
            let inside = match condition {
                Condition::AnythingBut(unwanted) => unwanted,
                other => std::slice::from_ref(other),
            };
            wildcards.extend(inside.iter().filter_map(|it| match it {
                Condition::Wildcard(wildcard) => Some(wildcard),
                _ => None,
            }));
        }
        let fits = |it| it <= self.options.limits.wildcard_states_max;
        let fine = wildcards.is_empty() || states_alive_max(&wildcards).is_some_and(fits);
        if fine { Ok(()) } else { self.fail(TOO_COMPLEX) }
    }

    /// After `{`: one operator and what it is given, up to `}`. None is `{"exists": false}`.
    fn match_expression(&mut self) -> Result<Option<Condition>> {
        let Token::Key(operator) = self.next()? else {
            return self.fail("Match expression name not found");
        };
        let operator = operator.decode();
        let condition = match &*operator {
            "exactly" => Condition::Text(self.string("exact match pattern must be a string")?),
            "prefix" => self.prefix()?,
            "suffix" => self.suffix()?,
            "equals-ignore-case" => Condition::EqualsIgnoreCase(self.folded()?),
            "wildcard" => Condition::Wildcard(self.wildcard()?),
            "cidr" => self.cidr()?,
            "numeric" => {
                let range = self.numeric()?;
                self.object_end("Too many elements in numeric expression")?;
                return Ok(Some(range));
            }
            "anything-but" => {
                let condition = self.anything_but()?;
                self.object_end("Too many elements in numeric expression")?;
                return Ok(Some(condition));
            }
            "exists" => {
                let exists = match self.next()? {
                    Token::True => Some(Condition::Exists),
                    Token::False => None,
                    _ => return self.fail("exists match pattern must be either true or false."),
                };
                self.object_end(ONE_KEY)?;
                return Ok(exists);
            }
            other => return self.fail(format!("Unrecognized match type {other}")),
        };
        self.object_end(ONE_KEY)?;
        Ok(Some(condition))
    }

    fn prefix(&mut self) -> Result<Condition> {
        match self.next()? {
            Token::Text(text) => Ok(Condition::Prefix(text.decode().into())),
            Token::ObjectStart => {
                Ok(Condition::PrefixIgnoreCase(self.nested_ignore_case("Prefix", "prefix")?))
            }
            _ => self.fail("prefix match pattern must be a string"),
        }
    }

    fn suffix(&mut self) -> Result<Condition> {
        match self.next()? {
            Token::Text(text) => Ok(Condition::Suffix(text.decode().into())),
            Token::ObjectStart => {
                Ok(Condition::SuffixIgnoreCase(self.nested_ignore_case("Suffix", "suffix")?))
            }
            _ => self.fail("suffix match pattern must be a string"),
        }
    }

    /// After `{"prefix": {`: `"equals-ignore-case": "…"}`.
    fn nested_ignore_case(&mut self, title: &str, operator: &str) -> Result<Folded> {
        let Token::Key(key) = self.next()? else {
            return self.fail(format!("{title} expression name not found"));
        };
        let key = key.decode();
        if key != "equals-ignore-case" {
            return self.fail(format!("Unsupported {operator} pattern: {key}"));
        }
        let folded = self.folded()?;
        self.object_end(ONE_KEY)?;
        Ok(folded)
    }

    fn folded(&mut self) -> Result<Folded> {
        let text = self.string("equals-ignore-case match pattern must be a string")?;
        Ok(Folded::new(&text))
    }

    fn wildcard(&mut self) -> Result<Wildcard> {
        let text = self.string("wildcard match pattern must be a string")?;
        Wildcard::parse(&text).or_else(|it| self.fail(it))
    }

    fn cidr(&mut self) -> Result<Condition> {
        let text = self.string("prefix match pattern must be a string")?;
        Network::parse(&text).map(Condition::Cidr).or_else(|it| self.fail(it))
    }

    fn anything_but(&mut self) -> Result<Condition> {
        let mut token = self.next()?;
        let mut of = Unwanted::Exact;
        if token == Token::ObjectStart {
            let Token::Key(key) = self.next()? else {
                return self.fail("Anything-But expression name not found");
            };
            let key = key.decode();
            of = match &*key {
                "equals-ignore-case" => Unwanted::IgnoreCase,
                "prefix" => Unwanted::Prefix,
                "suffix" => Unwanted::Suffix,
                "wildcard" => Unwanted::Wildcard,
                other => return self.fail(format!("Unsupported anything-but pattern: {other}")),
            };
            token = self.next()?;
        }
        let mut unwanted = Vec::new();
        match token {
            Token::ArrayStart => loop {
                match self.next()? {
                    Token::ArrayEnd => break,
                    token => unwanted.push(self.unwanted(token, of)?),
                }
            },
            Token::Text(_) | Token::Number(_) => unwanted.push(self.unwanted(token, of)?),
            _ => {
                return self
                    .fail("Value of anything-but must be an array or single string/number value.");
            }
        }
        if of == Unwanted::Exact {
            let numbers = unwanted.iter().filter(|it| matches!(it, Condition::Number(_))).count();
            if unwanted.is_empty() || (numbers != 0 && numbers != unwanted.len()) {
                return self.fail(
                    "Inside anything but list, either all values are number or string, mixed \
                     type is not supported",
                );
            }
        } else {
            self.object_end("Too many elements in numeric expression")?;
        }
        Ok(Condition::AnythingBut(unwanted.into()))
    }

    fn unwanted(&mut self, token: Token<'_>, of: Unwanted) -> Result<Condition> {
        let text = match (token, of) {
            (Token::Text(text), _) => text.decode(),
            (Token::Number(text), Unwanted::Exact) => {
                self.comparable(text)?;
                return Ok(Condition::Number(Number::new(text)));
            }
            _ => return self.fail(of.complaint()),
        };
        Ok(match of {
            Unwanted::Exact => Condition::Text((&*text).into()),
            Unwanted::IgnoreCase => Condition::EqualsIgnoreCase(Folded::new(&text)),
            Unwanted::Prefix | Unwanted::Suffix if text.is_empty() => {
                return self.fail("Null prefix/suffix not allowed");
            }
            Unwanted::Prefix => Condition::Prefix((&*text).into()),
            Unwanted::Suffix => Condition::Suffix((&*text).into()),
            Unwanted::Wildcard => {
                Condition::Wildcard(Wildcard::parse(&text).or_else(|it| self.fail(it))?)
            }
        })
    }

    /// After `{"numeric":`: `["=", 5]`, `[">", 0, "<=", 5]`, …
    fn numeric(&mut self) -> Result<Condition> {
        if self.next()? != Token::ArrayStart {
            return self.fail("Value of numeric must be an array.");
        }
        let Token::Text(operator) = self.next()? else {
            return self.fail("Invalid member in numeric match");
        };
        let operator = operator.decode();
        let name = if operator == "=" { "equals" } else { &*operator };
        if !["=", "<", "<=", ">", ">="].contains(&&*operator) {
            return self.fail(format!("Unrecognized numeric range operator: {operator}"));
        }
        let value = self.bound_value(name)?;
        let end = self.next()?;
        let (low, high) = match &*operator {
            "=" => (Bound::Including(value), Bound::Including(value)),
            "<" => (Bound::None, Bound::Excluding(value)),
            "<=" => (Bound::None, Bound::Including(value)),
            ">" => (Bound::Excluding(value), Bound::None),
            _ => (Bound::Including(value), Bound::None),
        };
        if end == Token::ArrayEnd {
            return Ok(Condition::Numeric { low, high });
        }
        if high != Bound::None {
            return self.fail("Too many elements in numeric expression");
        }
        let high = self.upper_bound(end, value)?;
        Ok(Condition::Numeric { low, high })
    }

    fn upper_bound(&mut self, operator: Token<'_>, low: f64) -> Result<Bound> {
        let Token::Text(operator) = operator else {
            return self.fail("Bad value in numeric range");
        };
        let operator = operator.decode();
        if !["<", "<="].contains(&&*operator) {
            return self.fail(format!("Bad numeric range operator: {operator}"));
        }
        let value = self.bound_value(&operator)?;
        if self.next()? != Token::ArrayEnd {
            return self.fail("Too many terms in numeric range expression");
        }
        if value <= low {
            return self.fail("Bottom must be less than top");
        }
        Ok(if operator == "<" { Bound::Excluding(value) } else { Bound::Including(value) })
    }

    fn bound_value(&mut self, name: &str) -> Result<f64> {
        match self.next()? {
            Token::Number(text) => self.comparable(text),
            _ => self.fail(format!("Value of {name} must be numeric")),
        }
    }

    fn comparable(&self, text: &str) -> Result<f64> {
        match comparable(text.as_bytes()) {
            Some(value) => Ok(value),
            None => self.fail(format!("Cannot compare number : {text}")),
        }
    }

    fn string(&mut self, complaint: &str) -> Result<Box<str>> {
        match self.next()? {
            Token::Text(text) => Ok(text.decode().into()),
            _ => self.fail(complaint),
        }
    }

    fn object_end(&mut self, complaint: &str) -> Result<()> {
        if self.next()? == Token::ObjectEnd { Ok(()) } else { self.fail(complaint) }
    }

    fn next(&mut self) -> Result<Token<'a>> {
        match self.reader.next() {
            Ok(token) => Ok(token),
            Err(error) => self.fail(error.to_string()),
        }
    }

    fn fail<T>(&self, reason: impl Into<String>) -> Result<T> {
        let mut path = "$".to_owned();
        for step in &self.place {
            let _ = match step {
                Step::Index(index) => write!(path, "[{index}]"),
                Step::Key(key) if is_plain(key) => write!(path, ".{key}"),
                Step::Key(key) => write!(path, "[{key:?}]"),
            };
        }
        Err(PatternError::new(path, reason))
    }
}

/// What `anything-but` rules out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unwanted {
    Exact,
    IgnoreCase,
    Prefix,
    Suffix,
    Wildcard,
}

impl Unwanted {
    /// About a value that is not a string.
    fn complaint(self) -> &'static str {
        match self {
            Self::Exact => "Inside anything but list, start|null|boolean is not supported.",
            Self::IgnoreCase => {
                "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not \
                 supported."
            }
            Self::Prefix | Self::Suffix => "prefix/suffix match pattern must be a string",
            Self::Wildcard => "wildcard match pattern must be a string",
        }
    }
}

fn weight(path: &str) -> usize {
    path.len().max(PATH_BYTES_MIN)
}

fn exact_text(text: &str) -> Condition {
    match parse_ip(text.as_bytes()) {
        Some(address) => Condition::Address(address),
        None => Condition::Text(text.into()),
    }
}

/// A key that needs no quotes in a JSON path.
fn is_plain(key: &str) -> bool {
    !key.is_empty() && key.chars().all(|it| it.is_alphanumeric() || "_-$".contains(it))
}

/// The same JSON on one line, without whitespace outside its strings.
fn without_whitespace(json: &str) -> String {
    let mut in_string = false;
    let mut escaped = false;
    let keep = |it: &char| {
        let keep = in_string || !it.is_ascii_whitespace();
        if *it == '"' && !escaped {
            in_string = !in_string;
        }
        escaped = *it == '\\' && !escaped;
        keep
    };
    json.chars().filter(keep).collect()
}
