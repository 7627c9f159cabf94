//! Templates: text with `${…}`, `%{if …}` and `%{for …}`.
//!
//! A template of which parts are unknown is unknown. If it is a JSON document nonetheless, as the
//! policy in a heredoc that names a bucket's ARN, the document is kept as far as it is known.

use hcl_edit::template::{Directive, Element, ForDirective, IfDirective, StringTemplate, Template};

use super::evaluate::{Evaluation, Frame, Scope};
use super::expression::members;
use super::value::{Fault, References, Val, Valued};
use super::{VALUE_BYTES_MAX, path};

/// What stands for something unknown while the text is put together. Unicode assigns it to nobody.
const HOLE: char = '\u{10FFFD}';

/// The text as far as it is put together.
#[derive(Default)]
struct Written {
    text: String,
    references: References,
    /// What each unknown part is made of. In the text, its index stands between two [`HOLE`]s.
    holes: Vec<References>,
    /// Whether the text stands between quotes, so that its escapes mean something.
    quoted: bool,
}

impl Written {
    fn push(&mut self, text: &str) -> Result<(), Fault> {
        if VALUE_BYTES_MAX < self.text.len() + text.len() {
            return Err(Fault::ours(format!("a text has more than {VALUE_BYTES_MAX} bytes")));
        }
        self.text.push_str(text);
        Ok(())
    }

    fn hole(&mut self, references: &References) {
        self.references = self.references.and(references);
        self.text.push_str(&format!("{HOLE}{}{HOLE}", self.holes.len()));
        self.holes.push(references.clone());
    }

    fn value(self) -> Valued {
        if self.holes.is_empty() {
            return Ok(Val::text(self.text)?.with(&self.references));
        }
        match draft(&self.text, &self.holes) {
            Some(document) => {
                Ok(Val::json_text(document, ToString::to_string)?.with(&self.references))
            }
            None => Ok(Val::unknown_of(self.references)),
        }
    }
}

/// Whether white space beside an element is dropped.
#[derive(Clone, Copy)]
struct Trim {
    first: bool,
    last: bool,
}

impl Evaluation<'_> {
    /// A template between quotes. One that is nothing but `${…}` is that value, not its text.
    pub fn quoted(&mut self, template: &StringTemplate, scope: Scope<'_>) -> Valued {
        let mut elements = template.iter();
        if let (Some(Element::Interpolation(it)), None) = (elements.next(), elements.next()) {
            return self.eval(&it.expr, scope);
        }
        let mut written = Written { quoted: true, ..Written::default() };
        let elements: Vec<&Element> = template.iter().collect();
        self.write(&elements, Trim { first: false, last: false }, scope, &mut written)?;
        let value = written.value();
        self.made(value)
    }

    /// A template of its own: a heredoc or a file.
    pub fn template(&mut self, template: &Template, scope: Scope<'_>) -> Valued {
        let mut written = Written::default();
        let elements: Vec<&Element> = template.iter().collect();
        self.write(&elements, Trim { first: false, last: false }, scope, &mut written)?;
        let value = written.value();
        self.made(value)
    }

    fn write(
        &mut self,
        elements: &[&Element],
        trim: Trim,
        scope: Scope<'_>,
        written: &mut Written,
    ) -> Result<(), Fault> {
        for (at, element) in elements.iter().enumerate() {
            self.spend(0)?;
            match element {
                Element::Literal(text) => {
                    let before = at.checked_sub(1).and_then(|it| elements.get(it));
                    let after = elements.get(at + 1);
                    let mut text = text.as_str();
                    if before.map_or(trim.first, |it| trims_after(it)) {
                        text = text.trim_start();
                    }
                    if after.map_or(trim.last, |it| trims_before(it)) {
                        text = text.trim_end();
                    }
                    self.spend(text.len())?;
                    written.push(text)?;
                }
                Element::Interpolation(it) => {
                    let value = self.eval(&it.expr, scope)?;
                    write_value(&value, written)?;
                }
                Element::Directive(directive) => {
                    self.deeper_write(|it| it.directive(directive, scope, written))?;
                }
            }
        }
        Ok(())
    }

    fn deeper_write(
        &mut self,
        run: impl FnOnce(&mut Self) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.deeper(|it| run(it).map(|()| Val::null())).map(|_| ())
    }

    fn directive(
        &mut self,
        directive: &Directive,
        scope: Scope<'_>,
        written: &mut Written,
    ) -> Result<(), Fault> {
        let inner = match directive {
            Directive::If(it) => {
                [Some(&it.if_expr.template), it.else_expr.as_ref().map(|it| &it.template)]
            }
            Directive::For(it) => [Some(&it.for_expr.template), None],
        };
        // The parser does not resolve the escapes of text that stands in a directive in quotes.
        let literals = inner.into_iter().flatten().flat_map(Template::iter);
        if written.quoted && literals.filter_map(Element::as_literal).any(|it| it.contains('\\')) {
            written.hole(&References::default());
            return Ok(());
        }
        match directive {
            Directive::If(it) => self.if_directive(it, scope, written),
            Directive::For(it) => self.for_directive(it, scope, written),
        }
    }

    fn if_directive(
        &mut self,
        it: &IfDirective,
        scope: Scope<'_>,
        written: &mut Written,
    ) -> Result<(), Fault> {
        let condition = self.eval(&it.if_expr.cond_expr, scope)?;
        let end = it.endif_expr.strip.strip_start();
        let middle = it.else_expr.as_ref().map(|it| it.strip);
        match condition.to_bool() {
            Some(true) => {
                let last = middle.map_or(end, |it| it.strip_start());
                let trim = Trim { first: it.if_expr.strip.strip_end(), last };
                self.write(&elements_of(&it.if_expr.template), trim, scope, written)
            }
            Some(false) => match &it.else_expr {
                Some(other) => {
                    let trim = Trim { first: other.strip.strip_end(), last: end };
                    self.write(&elements_of(&other.template), trim, scope, written)
                }
                None => Ok(()),
            },
            None if condition.is_unknown() => {
                written.hole(&condition.references);
                Ok(())
            }
            None => Err(Fault::new(format!("{} is no condition", condition.name()))),
        }
    }

    fn for_directive(
        &mut self,
        it: &ForDirective,
        scope: Scope<'_>,
        written: &mut Written,
    ) -> Result<(), Fault> {
        let collection = self.eval(&it.for_expr.collection_expr, scope)?;
        let Some(members) = members(&collection)? else {
            written.hole(&collection.all_references());
            return Ok(());
        };
        let trim =
            Trim { first: it.for_expr.strip.strip_end(), last: it.endfor_expr.strip.strip_start() };
        let elements = elements_of(&it.for_expr.template);
        for (key, value) in members {
            let name = it.for_expr.value_var.as_str();
            let value = value.with(&collection.references);
            let frame = Frame { name, value, outer: scope.frame };
            let inner = scope.within(&frame);
            let keyed = it.for_expr.key_var.as_ref();
            let keyed = keyed.map(|it| Frame { name: it.as_str(), value: key, outer: inner.frame });
            let inner = keyed.as_ref().map_or(inner, |it| inner.within(it));
            self.write(&elements, trim, inner, written)?;
        }
        Ok(())
    }

    /// `file`, `fileexists` and `templatefile`, of the files that were read.
    pub fn with_file(&mut self, name: &str, arguments: &[Val]) -> Valued {
        let given = arguments.first().ok_or_else(|| Fault::new("a path is missing"))?;
        let Some(written) = given.to_text() else {
            return Ok(Val::unknown_of(given.all_references()));
        };
        let path = path::join(&self.folders.root, &written);
        let sources = self.sources;
        let text = path.as_deref().and_then(|it| sources.get(it));
        let Some(text) = text else {
            let problem = format!("`{written}` is not among the files that were read");
            return Err(Fault::ours(problem));
        };
        match (name, arguments.get(1)) {
            ("file", _) => Val::text(text),
            ("templatefile", Some(names)) => self.template_file(text, names),
            ("templatefile", None) => Err(Fault::new("the variables are missing")),
            _ => Ok(Val::bool(true)),
        }
    }

    fn template_file(&mut self, text: &str, names: &Val) -> Valued {
        self.parses(text)?;
        let template = hcl_edit::parser::parse_template(text)
            .map_err(|error| Fault::ours(format!("is no template: {}", error.message())))?;
        match names.entries() {
            Some(names) => self.template(&template, Scope::of_names(names)),
            None => Ok(Val::unknown_of(names.all_references())),
        }
    }
}

fn elements_of(template: &Template) -> Vec<&Element> {
    template.iter().collect()
}

fn write_value(value: &Val, written: &mut Written) -> Result<(), Fault> {
    written.references = written.references.and(&value.references);
    if !value.known {
        written.hole(&value.all_references());
        return Ok(());
    }
    match value.to_text() {
        Some(text) => written.push(&text),
        None => Err(Fault::new(format!("{} is no text", value.name()))),
    }
}

/// Whether white space before the element is dropped.
fn trims_before(element: &Element) -> bool {
    match element {
        Element::Literal(_) => false,
        Element::Interpolation(it) => it.strip.strip_start(),
        Element::Directive(directive) => match &**directive {
            Directive::If(it) => it.if_expr.strip.strip_start(),
            Directive::For(it) => it.for_expr.strip.strip_start(),
        },
    }
}

/// Whether white space after the element is dropped.
fn trims_after(element: &Element) -> bool {
    match element {
        Element::Literal(_) => false,
        Element::Interpolation(it) => it.strip.strip_end(),
        Element::Directive(directive) => match &**directive {
            Directive::If(it) => it.endif_expr.strip.strip_end(),
            Directive::For(it) => it.endfor_expr.strip.strip_end(),
        },
    }
}

/// The JSON document that a text with holes is, if it is one: what has a hole is unknown.
fn draft(text: &str, holes: &[References]) -> Option<Val> {
    let json: serde_json::Value = serde_json::from_str(text.trim()).ok()?;
    (json.is_object() || json.is_array()).then(|| with_holes(&json, holes).ok()).flatten()
}

fn with_holes(json: &serde_json::Value, holes: &[References]) -> Valued {
    use serde_json::Value;
    match json {
        Value::String(text) if text.contains(HOLE) => Ok(Val::unknown_of(made_of(text, holes))),
        Value::Object(entries) if entries.keys().any(|it| it.contains(HOLE)) => {
            let keys = entries.keys().map(|it| made_of(it, holes));
            Ok(Val::unknown_of(keys.fold(References::default(), |all, it| all.and(&it))))
        }
        Value::Array(items) => {
            Val::list(items.iter().map(|it| with_holes(it, holes)).collect::<Result<_, _>>()?)
        }
        Value::Object(entries) => Val::map(
            entries
                .iter()
                .map(|(name, it)| Ok((name.clone(), with_holes(it, holes)?)))
                .collect::<Result<_, Fault>>()?,
        ),
        other => Val::from_json(other),
    }
}

/// What the holes of a text are made of.
fn made_of(text: &str, holes: &[References]) -> References {
    let indices = text.split(HOLE).skip(1).step_by(2).filter_map(|it| it.parse::<usize>().ok());
    let references = indices.filter_map(|it| holes.get(it));
    references.fold(References::default(), |all, it| all.and(it))
}
