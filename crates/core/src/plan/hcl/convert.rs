//! Types of variables, and values made to fit them.

use std::collections::BTreeMap;

use hcl_edit::expr::{Expression, FuncCall};

use super::evaluate::{Evaluation, Scope};
use super::source::key_name;
use super::value::{Fault, Kind, Val, Valued};

/// A type constraint.
/// <https://developer.hashicorp.com/terraform/language/expressions/type-constraints>
#[derive(Debug, Clone)]
pub(super) enum Type {
    Any,
    Text,
    Number,
    Bool,
    List(Box<Type>),
    Set(Box<Type>),
    Map(Box<Type>),
    Tuple(Vec<Type>),
    Object(BTreeMap<String, Field>),
}

/// An attribute of an object.
#[derive(Debug, Clone)]
pub(super) struct Field {
    typed: Type,
    /// What it is where it is not given or null; nothing where it must be given.
    default: Option<Val>,
}

impl Evaluation<'_> {
    /// Reads a type constraint. Old sources quote it.
    pub fn type_of(&mut self, expression: &Expression) -> Result<Type, Fault> {
        match expression {
            Expression::Variable(name) => named(name.as_str()),
            Expression::String(text) => {
                self.parses(text.as_str())?;
                match hcl_edit::parser::parse_expr(text.as_str()) {
                    Ok(Expression::String(_)) | Err(_) => Err(no_type()),
                    Ok(expression) => self.type_of(&expression),
                }
            }
            Expression::FuncCall(call) => self.constructed(call),
            Expression::Parenthesis(inner) => self.type_of(inner.inner()),
            _ => Err(no_type()),
        }
    }

    fn constructed(&mut self, call: &FuncCall) -> Result<Type, Fault> {
        let argument = call.args.iter().next().ok_or_else(no_type)?;
        match call.name.name.as_str() {
            "list" => Ok(Type::List(Box::new(self.type_of(argument)?))),
            "set" => Ok(Type::Set(Box::new(self.type_of(argument)?))),
            "map" => Ok(Type::Map(Box::new(self.type_of(argument)?))),
            "tuple" => {
                let items = argument.as_array().ok_or_else(no_type)?;
                Ok(Type::Tuple(items.iter().map(|it| self.type_of(it)).collect::<Result<_, _>>()?))
            }
            "object" => {
                let mut fields = BTreeMap::new();
                for (key, value) in argument.as_object().ok_or_else(no_type)?.iter() {
                    let name = key_name(key).ok_or_else(no_type)?.to_owned();
                    fields.insert(name, self.field(value.expr())?);
                }
                Ok(Type::Object(fields))
            }
            _ => Err(no_type()),
        }
    }

    fn field(&mut self, expression: &Expression) -> Result<Field, Fault> {
        let Some(call) = expression.as_func_call().filter(|it| it.name.name.as_str() == "optional")
        else {
            return Ok(Field { typed: self.type_of(expression)?, default: None });
        };
        let mut arguments = call.args.iter();
        let typed = self.type_of(arguments.next().ok_or_else(no_type)?)?;
        let default = match arguments.next() {
            Some(default) => convert(self.eval(default, Scope::CONSTANT)?, &typed)?,
            None => Val::null(),
        };
        Ok(Field { typed, default: Some(default) })
    }
}

fn named(name: &str) -> Result<Type, Fault> {
    Ok(match name {
        "any" => Type::Any,
        "string" => Type::Text,
        "number" => Type::Number,
        "bool" => Type::Bool,
        "list" => Type::List(Box::new(Type::Any)),
        "set" => Type::Set(Box::new(Type::Any)),
        "map" => Type::Map(Box::new(Type::Any)),
        _ => return Err(no_type()),
    })
}

fn no_type() -> Fault {
    Fault::new("this is no type constraint")
}

/// The value as that type. Null and unknown fit every type.
pub(super) fn convert(value: Val, typed: &Type) -> Valued {
    if value.is_null() || value.is_unknown() || matches!(value.kind, Kind::Instance(_)) {
        return Ok(value);
    }
    let refused = |wanted: &str| {
        let problem = format!("{} can't be made {wanted}", value.name());
        Fault::new(problem).with(&value.references)
    };
    let made = match typed {
        Type::Any => return Ok(value),
        Type::Text => Val::text(value.to_text().ok_or_else(|| refused("a string"))?)?,
        Type::Number => Val::number(value.to_number().ok_or_else(|| refused("a number"))?),
        Type::Bool => Val::bool(value.to_bool().ok_or_else(|| refused("a bool"))?),
        Type::List(_) if value.items().is_some() && value.sequence().is_none() => {
            Val::unknown_of(value.all_references())
        }
        Type::List(of) => Val::list(converted(&value, of, || refused("a list"))?)?,
        Type::Set(of) => Val::set(converted(&value, of, || refused("a set"))?)?,
        Type::Map(of) => {
            let entries = value.entries().ok_or_else(|| refused("a map"))?.iter();
            let entries = entries.map(|(name, it)| Ok((name.clone(), convert(it.clone(), of)?)));
            Val::map(entries.collect::<Result<_, Fault>>()?)?
        }
        Type::Tuple(types) => {
            let items = value.items().filter(|it| it.len() == types.len());
            let items = items.ok_or_else(|| refused(&format!("a tuple of {}", types.len())))?;
            let items = items.iter().cloned().zip(types).map(|(it, of)| convert(it, of));
            Val::list(items.collect::<Result<_, _>>()?)?
        }
        Type::Object(fields) => {
            let entries = value.entries().ok_or_else(|| refused("an object"))?;
            let made = fields.iter().map(|(name, field)| {
                let given = match (entries.get(name), &field.default) {
                    (None, None) => {
                        return Err(refused(&format!("an object: it has no `{name}`")));
                    }
                    (Some(given), Some(default)) if given.is_null() => default,
                    (Some(given), _) => given,
                    (None, Some(default)) => default,
                };
                Ok((name.clone(), convert(given.clone(), &field.typed)?))
            });
            Val::map(made.collect::<Result<_, Fault>>()?)?
        }
    };
    Ok(made.with(&value.references))
}

fn converted(value: &Val, of: &Type, refused: impl FnOnce() -> Fault) -> Result<Vec<Val>, Fault> {
    let items = value.items().ok_or_else(refused)?.iter();
    items.map(|it| convert(it.clone(), of)).collect()
}
