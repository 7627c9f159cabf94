//! The language, as plainly as it can be written: a pattern is flattened to alternatives, an event
//! to fields, and all ways to choose are tried.

use std::collections::BTreeMap;

#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

#[derive(Debug, Clone)]
pub enum Fields {
    Object(Vec<(String, Fields)>),
    Or(Vec<Fields>),
    Conditions(Vec<Condition>),
}

#[derive(Debug, Clone)]
pub enum Condition {
    Text(String),
    Number(String),
    Bool(bool),
    Null,
    Exists(bool),
    Prefix(String),
    Suffix(String),
    PrefixIgnoreCase(String),
    SuffixIgnoreCase(String),
    IgnoreCase(String),
    Wildcard(String),
    /// Against 1, and with a second operator up to 7.
    Numeric(&'static str, Option<&'static str>),
    Cidr(&'static str, u32),
    AnythingButTexts(Vec<String>),
    AnythingButNumbers(Vec<String>),
    AnythingButNested(&'static str, Vec<String>),
}

fn object(key: &str, value: Json) -> Json {
    Json::Object(vec![(key.to_owned(), value)])
}

fn texts(it: &[String]) -> Json {
    Json::Array(it.iter().cloned().map(Json::Text).collect())
}

impl Fields {
    pub fn to_json(&self) -> Json {
        match self {
            Self::Object(members) => {
                Json::Object(members.iter().map(|(key, it)| (key.clone(), it.to_json())).collect())
            }
            Self::Or(branches) => Json::Array(branches.iter().map(Self::to_json).collect()),
            Self::Conditions(it) => Json::Array(it.iter().map(Condition::to_json).collect()),
        }
    }
}

impl Condition {
    fn to_json(&self) -> Json {
        let text = |it: &String| Json::Text(it.clone());
        let number = |it: &str| Json::Number(it.to_owned());
        let folded = |it: &String| object("equals-ignore-case", text(it));
        match self {
            Self::Text(it) => text(it),
            Self::Number(it) => number(it),
            Self::Bool(it) => Json::Bool(*it),
            Self::Null => Json::Null,
            Self::Exists(it) => object("exists", Json::Bool(*it)),
            Self::Prefix(it) => object("prefix", text(it)),
            Self::Suffix(it) => object("suffix", text(it)),
            Self::PrefixIgnoreCase(it) => object("prefix", folded(it)),
            Self::SuffixIgnoreCase(it) => object("suffix", folded(it)),
            Self::IgnoreCase(it) => folded(it),
            Self::Wildcard(it) => object("wildcard", text(it)),
            Self::Numeric(low, high) => {
                let mut items = vec![Json::Text((*low).to_owned()), number("1")];
                items.extend(
                    high.map(|it| [Json::Text(it.to_owned()), number("7")]).into_iter().flatten(),
                );
                object("numeric", Json::Array(items))
            }
            Self::Cidr(address, bits) => object("cidr", Json::Text(format!("{address}/{bits}"))),
            Self::AnythingButTexts(it) if it.len() == 1 => object("anything-but", text(&it[0])),
            Self::AnythingButTexts(it) => object("anything-but", texts(it)),
            Self::AnythingButNumbers(it) => {
                object("anything-but", Json::Array(it.iter().map(|it| number(it)).collect()))
            }
            Self::AnythingButNested(operator, it) if it.len() == 1 => {
                object("anything-but", object(operator, text(&it[0])))
            }
            Self::AnythingButNested(operator, it) => {
                object("anything-but", object(operator, texts(it)))
            }
        }
    }

    fn holds(&self, value: &Json) -> bool {
        match (self, value) {
            (Self::Exists(it), _) => *it,
            (Self::AnythingButTexts(unwanted), _) => {
                !unwanted.iter().any(|it| *value == Json::Text(it.clone()))
            }
            (Self::AnythingButNumbers(unwanted), _) => {
                !unwanted.iter().any(|it| Self::Number(it.clone()).holds(value))
            }
            (Self::AnythingButNested(operator, unwanted), _) => {
                !unwanted.iter().cloned().any(|it| {
                    let condition = match *operator {
                        "prefix" => Self::Prefix(it),
                        "suffix" => Self::Suffix(it),
                        "wildcard" => Self::Wildcard(it),
                        _ => Self::IgnoreCase(it),
                    };
                    condition.holds(value)
                })
            }
            (Self::Bool(wanted), Json::Bool(it)) => wanted == it,
            (Self::Null, Json::Null) => true,
            (Self::Number(wanted), Json::Number(it)) => {
                wanted == it || (double(wanted).is_some() && double(wanted) == double(it))
            }
            (Self::Numeric(low, high), Json::Number(it)) => double(it).is_some_and(|it| {
                let low = match *low {
                    "=" => it == 1.0,
                    "<" => it < 1.0,
                    ">" => it > 1.0,
                    _ => it >= 1.0,
                };
                low && (high.is_none() || it <= 7.0)
            }),
            (_, Json::Text(text)) => self.holds_text(text),
            _ => false,
        }
    }

    fn holds_text(&self, text: &str) -> bool {
        let folded = |it: &str| it.to_uppercase();
        match self {
            Self::Text(it) => it == text,
            Self::Prefix(it) => text.starts_with(it),
            Self::Suffix(it) => text.ends_with(it),
            Self::PrefixIgnoreCase(it) => folded(text).starts_with(&folded(it)),
            Self::SuffixIgnoreCase(it) => folded(text).ends_with(&folded(it)),
            Self::IgnoreCase(it) => folded(text) == folded(it),
            Self::Wildcard(it) => {
                glob(&it.chars().collect::<Vec<_>>(), &text.chars().collect::<Vec<_>>())
            }
            Self::Cidr(network, bits) => match (bits_of(network), bits_of(text)) {
                (Some(network), Some(text)) => {
                    // The engine's block begins with the address that is given.
                    network.len() == text.len()
                        && network <= text
                        && network
                            .chars()
                            .zip(text.chars())
                            .take(*bits as usize)
                            .all(|(a, b)| a == b)
                }
                _ => false,
            },
            _ => false,
        }
    }
}

/// The doubles that the generated numbers stand for, none for those that no double carries.
fn double(text: &str) -> Option<f64> {
    match text {
        "12345678901234567890" | "1e400" => None,
        _ => Some(text.parse().unwrap()),
    }
}

/// An address, bit by bit.
fn bits_of(text: &str) -> Option<String> {
    match text.parse().ok()? {
        std::net::IpAddr::V4(it) => Some(format!("{:032b}", u32::from(it))),
        std::net::IpAddr::V6(it) => Some(format!("{:0128b}", u128::from(it))),
    }
}

fn glob(pattern: &[char], text: &[char]) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['*', rest @ ..] => (0..=text.len()).any(|at| glob(rest, &text[at..])),
        ['\\', it, rest @ ..] => text.first() == Some(it) && glob(rest, &text[1..]),
        [it, rest @ ..] => text.first() == Some(it) && glob(rest, &text[1..]),
    }
}

type Alternative = BTreeMap<Vec<u16>, Vec<Condition>>;

fn flatten_pattern(
    fields: &Fields,
    path: &[String],
    alternatives: Vec<Alternative>,
) -> Vec<Alternative> {
    match fields {
        Fields::Object(members) => members.iter().fold(alternatives, |alternatives, (key, it)| {
            let mut path = path.to_vec();
            if !matches!(it, Fields::Or(_)) {
                path.push(key.clone());
            }
            flatten_pattern(it, &path, alternatives)
        }),
        Fields::Or(branches) => {
            branches.iter().flat_map(|it| flatten_pattern(it, path, alternatives.clone())).collect()
        }
        Fields::Conditions(conditions) => alternatives
            .into_iter()
            .map(|mut it| {
                it.insert(path.join(".").encode_utf16().collect(), conditions.clone());
                it
            })
            .collect(),
    }
}

/// A value, its path, and of each array around it which one and which element.
struct Field {
    path: String,
    value: Json,
    elements: BTreeMap<usize, usize>,
}

fn flatten_event(
    value: &Json,
    path: &[String],
    elements: &BTreeMap<usize, usize>,
    arrays: &mut usize,
    fields: &mut Vec<Field>,
) {
    match value {
        Json::Object(members) => {
            for (key, it) in members {
                let path = [path, std::slice::from_ref(key)].concat();
                flatten_event(it, &path, elements, arrays, fields);
            }
        }
        Json::Array(items) => {
            *arrays += 1;
            let array = *arrays;
            for (at, it) in items.iter().enumerate() {
                let mut elements = elements.clone();
                if matches!(it, Json::Object(_) | Json::Array(_)) {
                    elements.insert(array, at);
                }
                flatten_event(it, path, &elements, arrays, fields);
            }
        }
        scalar => fields.push(Field {
            path: path.join("."),
            value: scalar.clone(),
            elements: elements.clone(),
        }),
    }
}

pub fn matches(pattern: &Fields, event: &Json) -> bool {
    let mut fields = Vec::new();
    flatten_event(event, &[], &BTreeMap::new(), &mut 0, &mut fields);
    let alternatives = flatten_pattern(pattern, &[], vec![Alternative::new()]);
    alternatives.iter().any(|it| {
        let wanted: Vec<_> = it
            .iter()
            .map(|(path, it)| (String::from_utf16(path).unwrap(), it.as_slice()))
            .collect();
        all_met(&wanted, &fields, &BTreeMap::new())
    })
}

fn all_met(
    wanted: &[(String, &[Condition])],
    fields: &[Field],
    taken: &BTreeMap<usize, usize>,
) -> bool {
    let Some(((path, conditions), rest)) = wanted.split_first() else { return true };
    let consistent = |it: &&Field| {
        it.path == *path
            && it.elements.iter().all(|(array, at)| taken.get(array).is_none_or(|it| it == at))
    };
    let mut candidates = fields.iter().filter(consistent).peekable();
    let or_absent = conditions.iter().any(|it| matches!(it, Condition::Exists(false)));
    if or_absent && candidates.peek().is_none() {
        return all_met(rest, fields, taken);
    }
    candidates.any(|field| {
        let mut taken = taken.clone();
        taken.extend(&field.elements);
        conditions.iter().any(|it| it.holds(&field.value)) && all_met(rest, fields, &taken)
    })
}
