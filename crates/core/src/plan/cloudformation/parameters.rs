//! Parameters: the values given for a deployment, or else the template's defaults.
//!
//! `Ref` makes text of every parameter, also of one of type `Number`; a list becomes a list of
//! texts. What the parameter store holds is unknown here.
//!
//! Source: AWS CloudFormation User Guide, page `parameters-section-structure`.

use std::collections::BTreeMap;

use crate::plan::cloudformation::Options;
use crate::plan::cloudformation::tree::{Content, Fault, Mark, Tree};

/// A declared parameter. It has no `Debug`: its value may be secret.
pub struct Parameter {
    /// Its value, where that is known; one text, or several for a list.
    value: Option<Vec<String>>,
    is_list: bool,
    /// Whether its value must not be shown: `NoEcho`.
    pub secret: bool,
}

impl Parameter {
    /// What `Ref` makes of it at a position.
    pub fn value(&self, at: Mark) -> Tree {
        match (&self.value, self.is_list) {
            (None, _) => Tree::unknown(at, Vec::new()),
            (Some(texts), false) => Tree::text(at, texts.concat()),
            (Some(texts), true) => {
                let items = texts.iter().map(|it| Tree::text(at, it)).collect();
                Tree::new(at, Content::List(items))
            }
        }
    }

    /// How large its value is, in bytes.
    pub fn bytes(&self, each: usize) -> usize {
        let texts = self.value.iter().flatten();
        texts.fold(each, |sum, it| sum.saturating_add(it.len()).saturating_add(each))
    }
}

/// The parameters of a template's section.
///
/// # Errors
///
/// When the section or a parameter is no mapping.
pub fn parameters(
    section: Option<&Tree>,
    options: &Options,
) -> Result<BTreeMap<String, Parameter>, Fault> {
    let mut parameters = BTreeMap::new();
    let Some(section) = section else { return Ok(parameters) };
    let Some(entries) = section.entries() else {
        return Err(Fault::new(section.at, "`Parameters` must be a mapping"));
    };
    for entry in entries {
        if entry.tree.entries().is_none() {
            let problem = format!("parameter `{}` must be a mapping", entry.key);
            return Err(Fault::new(entry.at, problem));
        }
        let given = options.parameters.get(&entry.key).map(String::as_str);
        parameters.insert(entry.key.clone(), parameter(&entry.tree, given));
    }
    Ok(parameters)
}

fn parameter(declared: &Tree, given: Option<&str>) -> Parameter {
    let kind = declared.get("Type").and_then(Tree::as_text).unwrap_or("String");
    let is_list = kind == "CommaDelimitedList" || kind.contains("List<");
    let secret = declared.get("NoEcho").and_then(Tree::as_text) == Some("true");
    let default = declared.get("Default");
    let value = match (given, default.map(|it| &it.content)) {
        _ if kind.starts_with("AWS::SSM::Parameter::Value<") => None,
        (Some(text), _) => Some(texts(text, is_list)),
        (None, Some(Content::List(items))) if is_list => {
            items.iter().map(|it| it.as_text().map(str::to_owned)).collect()
        }
        (None, _) => default.and_then(Tree::as_text).map(|it| texts(it, is_list)),
    };
    // A dynamic reference is resolved when it is deployed.
    let value = value.filter(|it| !it.iter().any(|it| it.contains("{{resolve:")));
    Parameter { value, is_list, secret }
}

fn texts(text: &str, is_list: bool) -> Vec<String> {
    if is_list {
        text.split(',').map(|it| it.trim().to_owned()).collect()
    } else {
        vec![text.to_owned()]
    }
}
