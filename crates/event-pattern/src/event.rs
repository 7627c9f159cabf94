//! An event as a pattern sees it: the scalars at its paths, and in which array elements they lie.
//!
//! EventBridge flattens an event. An array is not a value: each scalar in it is one more value at
//! the array's path, and the fields of each object in it are fields below that path. What keeps
//! them apart is *array consistency*: all fields that match must agree on which element of each
//! array they come from. Only objects and arrays count as elements here; scalars directly in an
//! array agree with everything.

mod consistency;

use std::borrow::Cow;

use crate::condition::Scalar;
use crate::error::EventError;
use crate::json::{Reader, Token};
use crate::options::{Limits, Options};
use crate::pattern::{Field, ROOT, Trie};

pub(crate) use consistency::{Elements, Question};

/// Fields without which `TestEventPattern` refuses an event.
const MANDATORY: [&str; 6] = ["id", "account", "source", "time", "region", "detail-type"];

/// The parts of one event that one pattern can see.
pub(crate) struct Event<'e> {
    values: Vec<Value<'e>>,
    elements: Elements,
}

/// A scalar at the end of one of the pattern's paths.
struct Value<'e> {
    /// That path's node.
    node: usize,
    /// The innermost array element around it.
    element: usize,
    token: Token<'e>,
    /// The meaning of a string.
    text: Cow<'e, str>,
}

impl Value<'_> {
    fn scalar(&self) -> Scalar<'_> {
        match self.token {
            Token::Number(text) => Scalar::Number(text.as_bytes()),
            Token::True => Scalar::True,
            Token::False => Scalar::False,
            Token::Null => Scalar::Null,
            _ => Scalar::Text(self.text.as_bytes()),
        }
    }
}

/// An open container.
#[derive(Clone, Copy)]
struct Frame {
    /// Where in the trie its values are.
    node: usize,
    /// The innermost array element around its values.
    element: usize,
    /// It is an array, or none yet if it is one without objects and arrays in it so far.
    array: Option<Option<usize>>,
    /// It is an array element itself.
    is_element: bool,
}

impl<'e> Event<'e> {
    pub fn read(event: &'e [u8], trie: &Trie, options: &Options) -> Result<Self, EventError> {
        check_size(event, options.limits.event_bytes_max)?;
        let text = utf8(event)?;
        if options.require_event_fields {
            check_mandatory(text, &options.limits)?;
        }
        let mut reader = Reader::new(text, options.limits.event_depth_max);
        expect_object(&mut reader)?;
        let mut event = Self { values: Vec::new(), elements: Elements::new() };
        event.walk(&mut reader, trie)?;
        Ok(event)
    }

    /// After the event's `{`.
    fn walk(&mut self, reader: &mut Reader<'e>, trie: &Trie) -> Result<(), EventError> {
        let whole = Frame { node: ROOT, element: Elements::WHOLE, array: None, is_element: false };
        let mut open = vec![whole];
        let mut node = ROOT;
        while let Some(frame) = open.last_mut() {
            let token = reader.next()?;
            if frame.array.is_some() {
                node = frame.node;
            }
            match token {
                Token::Key(key) => match trie.descend(frame.node, &key.decode()) {
                    Some(child) => node = child,
                    None => skip_value(reader)?,
                },
                Token::ObjectStart | Token::ArrayStart => {
                    let element = self.enter(frame);
                    let is_element = frame.array.is_some();
                    let array = (token == Token::ArrayStart).then_some(None);
                    open.push(Frame { node, element, array, is_element });
                }
                Token::ObjectEnd | Token::ArrayEnd | Token::End => {
                    if frame.is_element {
                        self.elements.close(frame.element);
                    }
                    open.pop();
                }
                _ if trie.is_end(node) => {
                    let text = match token {
                        Token::Text(text) => text.decode(),
                        _ => Cow::Borrowed(""),
                    };
                    self.values.push(Value { node, element: frame.element, token, text });
                }
                _ => {}
            }
        }
        reader.next()?;
        Ok(())
    }

    /// The innermost element around the values of a container inside `frame`.
    fn enter(&mut self, frame: &mut Frame) -> usize {
        let Some(array) = &mut frame.array else { return frame.element };
        let array =
            *array.get_or_insert_with(|| self.elements.add_array(frame.node, frame.element));
        self.elements.add(array)
    }

    /// Are there values for all these fields, in agreeing array elements?
    pub fn satisfies<'f>(
        &self,
        fields: impl Iterator<Item = &'f Field>,
        trie: &Trie,
        limits: &Limits,
    ) -> Result<bool, EventError> {
        let mut question = Question::default();
        for field in fields {
            let row = question.row(field.node, field.or_absent);
            for value in self.values.iter().filter(|it| it.node == field.node) {
                row.add(value.element, field.holds(value.scalar()));
            }
        }
        self.elements.agree(&mut question, trie, limits.array_choices_max)
    }

    /// What lies at a path, as JSON text.
    pub fn found(&self, node: usize) -> impl Iterator<Item = String> {
        self.values.iter().filter(move |it| it.node == node).map(|it| match it.token {
            Token::Text(text) => format!("\"{}\"", text.raw),
            Token::Number(text) => text.to_owned(),
            Token::True => "true".to_owned(),
            Token::False => "false".to_owned(),
            _ => "null".to_owned(),
        })
    }

    /// Would this field alone be satisfied?
    pub fn meets(&self, field: &Field) -> bool {
        let mut values = self.values.iter().filter(|it| it.node == field.node).peekable();
        if values.peek().is_none() {
            return field.or_absent;
        }
        values.any(|it| field.holds(it.scalar()))
    }
}

pub(crate) fn check_size(event: &[u8], bytes_max: usize) -> Result<(), EventError> {
    if bytes_max < event.len() {
        return Err(EventError::TooLarge { bytes: event.len(), bytes_max });
    }
    Ok(())
}

/// The event as text, if it is UTF-8.
pub(crate) fn utf8(event: &[u8]) -> Result<&str, EventError> {
    std::str::from_utf8(event).map_err(|it| EventError::NotUtf8 { offset: it.valid_up_to() })
}

fn check_mandatory(text: &str, limits: &Limits) -> Result<(), EventError> {
    let mut reader = Reader::new(text, limits.event_depth_max);
    let mut missing = MANDATORY.to_vec();
    expect_object(&mut reader)?;
    while let Token::Key(key) = reader.next()? {
        let key = key.decode();
        missing.retain(|it| *it != key);
        skip_value(&mut reader)?;
    }
    match missing.first() {
        Some(field) => Err(EventError::MissingField { field }),
        None => Ok(()),
    }
}

fn expect_object(reader: &mut Reader<'_>) -> Result<(), EventError> {
    if reader.next()? == Token::ObjectStart {
        return Ok(());
    }
    // That it is not JSON at all is the better complaint where it is true.
    while reader.next()? != Token::End {}
    Err(EventError::NotAnObject)
}

/// After a key.
fn skip_value(reader: &mut Reader<'_>) -> Result<(), EventError> {
    if let Token::ObjectStart | Token::ArrayStart = reader.next()? {
        reader.skip_open()?;
    }
    Ok(())
}
