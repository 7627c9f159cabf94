//! Expressions, computed as Terraform does, except that values may be unknown.
//!
//! What hangs on something unknown is unknown and remembers what it would have been made of. A
//! condition that is unknown has the value that both branches have, if they have the same.

use std::collections::BTreeMap;

use hcl_edit::Decorated;
use hcl_edit::expr::{
    BinaryOp, BinaryOperator, Conditional, Expression, ForExpr, FuncCall, ObjectKey, Traversal,
    TraversalOperator, UnaryOp, UnaryOperator,
};

use super::evaluate::{Evaluation, Frame, Scope};
use super::function;
use super::value::{Fault, Kind, References, Val, Valued};

/// The operators that follow a value.
type Operators<'e> = &'e [Decorated<TraversalOperator>];

impl Evaluation<'_> {
    /// The value of an expression.
    ///
    /// # Errors
    ///
    /// Why it has none.
    pub fn eval(&mut self, expression: &Expression, scope: Scope<'_>) -> Valued {
        self.spend(0)?;
        self.deeper(|it| it.eval_kind(expression, scope))
    }

    fn eval_kind(&mut self, expression: &Expression, scope: Scope<'_>) -> Valued {
        match expression {
            Expression::Null(_) => Ok(Val::null()),
            Expression::Bool(it) => Ok(Val::bool(*it.value())),
            Expression::Number(it) => {
                Ok(it.value().as_f64().map_or_else(Val::unknown, Val::number))
            }
            Expression::String(text) => {
                self.spend(text.len())?;
                Val::text(text.as_str())
            }
            Expression::Array(items) => {
                let mut values = Vec::with_capacity(items.len());
                for item in items.iter() {
                    values.push(self.eval(item, scope)?);
                }
                self.made(Val::list(values))
            }
            Expression::Object(object) => self.object(object, scope),
            Expression::StringTemplate(template) => self.quoted(template, scope),
            Expression::HeredocTemplate(heredoc) => self.template(&heredoc.template, scope),
            Expression::Parenthesis(inner) => self.eval(inner.inner(), scope),
            Expression::Variable(name) => Ok(self.root(name.as_str(), &[], scope)?.0),
            Expression::Conditional(it) => self.conditional(it, scope),
            Expression::FuncCall(call) => self.call(call, scope),
            Expression::Traversal(it) => self.traversal(it, scope),
            Expression::UnaryOp(it) => self.unary(it, scope),
            Expression::BinaryOp(it) => self.binary(it, scope),
            Expression::ForExpr(it) => self.for_each_in(it, scope),
        }
    }

    /// Counts what was made.
    pub fn made(&mut self, value: Valued) -> Valued {
        let value = value?;
        self.spend(value.bytes)?;
        Ok(value)
    }

    fn object(&mut self, object: &hcl_edit::expr::Object, scope: Scope<'_>) -> Valued {
        let mut entries = BTreeMap::new();
        let mut nameless = None;
        for (key, value) in object.iter() {
            let key = match key {
                ObjectKey::Ident(name) => Val::text(name.as_str())?,
                ObjectKey::Expression(key) => self.eval(key, scope)?,
            };
            let value = self.eval(value.expr(), scope)?;
            match key.to_text() {
                Some(name) => {
                    entries.insert(name.to_string(), value);
                }
                None if key.is_unknown() => {
                    let all = key.references.and(&value.all_references());
                    nameless = Some(nameless.unwrap_or_else(References::default).and(&all));
                }
                None => return Err(Fault::new(format!("{} is no key", key.name()))),
            }
        }
        let made = self.made(Val::map(entries))?;
        Ok(match nameless {
            Some(references) => Val::unknown_of(made.all_references().and(&references)),
            None => made,
        })
    }

    fn conditional(&mut self, it: &Conditional, scope: Scope<'_>) -> Valued {
        let condition = self.eval(&it.cond_expr, scope)?;
        if condition.is_unknown() {
            let one = self.eval(&it.true_expr, scope);
            let other = self.eval(&it.false_expr, scope);
            for value in [&one, &other].into_iter().flatten() {
                self.spend(value.bytes)?;
            }
            return Ok(either(one, other));
        }
        match condition.to_bool() {
            Some(true) => self.eval(&it.true_expr, scope),
            Some(false) => self.eval(&it.false_expr, scope),
            None => Err(Fault::new(format!("{} is no condition", condition.name()))),
        }
    }

    fn unary(&mut self, it: &UnaryOp, scope: Scope<'_>) -> Valued {
        let value = self.eval(&it.expr, scope)?;
        if value.is_unknown() {
            return Ok(Val::unknown_of(value.references));
        }
        let result = match it.operator.value() {
            UnaryOperator::Neg => value.to_number().map(|it| Val::number(-it)),
            UnaryOperator::Not => value.to_bool().map(|it| Val::bool(!it)),
        };
        result.ok_or_else(|| Fault::new(format!("{} has no such operation", value.name())))
    }

    /// A chain of operators leans to the left; it is gone through without going deeper.
    fn binary(&mut self, it: &BinaryOp, scope: Scope<'_>) -> Valued {
        let mut chain = vec![it];
        let mut first = &it.lhs_expr;
        while let Expression::BinaryOp(inner) = first {
            chain.push(inner);
            first = &inner.lhs_expr;
        }
        let mut value = self.eval(first, scope)?;
        for it in chain.into_iter().rev() {
            value = self.binary_step(value, it, scope)?;
        }
        Ok(value)
    }

    fn binary_step(&mut self, one: Val, it: &BinaryOp, scope: Scope<'_>) -> Valued {
        let operator = *it.operator.value();
        // What is right of a decided `&&` or `||` need not have a value.
        match (operator, one.to_bool()) {
            (BinaryOperator::And, Some(false)) => return Ok(Val::bool(false)),
            (BinaryOperator::Or, Some(true)) => return Ok(Val::bool(true)),
            _ => {}
        }
        let is_logical = matches!(operator, BinaryOperator::And | BinaryOperator::Or);
        let two = match self.eval(&it.rhs_expr, scope) {
            Err(fault) if is_logical && one.is_unknown() => {
                return Ok(Val::unknown_of(one.references.and(&fault.references)));
            }
            two => two?,
        };
        let (less, more) = (one.bytes.min(two.bytes), one.bytes.max(two.bytes));
        self.spend(if one.known && two.known { less } else { more })?;
        operate(operator, &one, &two)
    }

    fn for_each_in(&mut self, it: &ForExpr, scope: Scope<'_>) -> Valued {
        let collection = self.eval(&it.intro.collection_expr, scope)?;
        let Some(members) = members(&collection)? else {
            return Ok(Val::unknown_of(collection.all_references()));
        };
        let mut result = Collected::default();
        for (key, value) in members {
            self.spend(0)?;
            let value = value.with(&collection.references);
            let frame = Frame { name: it.intro.value_var.as_str(), value, outer: scope.frame };
            let inner = scope.within(&frame);
            let keyed = it.intro.key_var.as_ref().map(|name| Frame {
                name: name.as_str(),
                value: key,
                outer: inner.frame,
            });
            let inner = keyed.as_ref().map_or(inner, |it| inner.within(it));
            self.collect(it, inner, &mut result)?;
        }
        let made = result.value(it)?;
        self.made(Ok(made))
    }

    /// One member's part of a `for`.
    fn collect(
        &mut self,
        it: &ForExpr,
        scope: Scope<'_>,
        result: &mut Collected,
    ) -> Result<(), Fault> {
        if let Some(condition) = &it.cond {
            let condition = self.eval(&condition.expr, scope)?;
            match condition.to_bool() {
                Some(true) => {}
                Some(false) => return Ok(()),
                None if condition.is_unknown() => {
                    // Terraform does not compute what may be left out.
                    let value = self.eval(&it.value_expr, scope);
                    let made_of = value.map_or_else(|it| it.references, |it| it.all_references());
                    result.unknown = true;
                    result.references = result.references.and(&condition.references).and(&made_of);
                    return Ok(());
                }
                None => return Err(Fault::new(format!("{} is no condition", condition.name()))),
            }
        }
        let value = self.eval(&it.value_expr, scope)?;
        let Some(key) = &it.key_expr else {
            result.items.push(value);
            return Ok(());
        };
        let key = self.eval(key, scope)?;
        match key.to_text() {
            Some(name) => result.entries.entry(name.to_string()).or_default().push(value),
            None if key.is_unknown() => {
                result.unknown = true;
                result.references =
                    result.references.and(&key.references).and(&value.all_references());
            }
            None => return Err(Fault::new(format!("{} is no key", key.name()))),
        }
        Ok(())
    }

    fn call(&mut self, call: &FuncCall, scope: Scope<'_>) -> Valued {
        let spaces = call.name.namespace.iter().map(|it| it.as_str());
        let name: Vec<&str> = spaces.chain([call.name.name.as_str()]).collect();
        let name = name.join("::");
        let name = name.strip_prefix("core::").unwrap_or(&name);
        if name == "try" || name == "can" {
            return self.attempt(name, call, scope);
        }
        let mut arguments = Vec::with_capacity(call.args.len());
        for argument in call.args.iter() {
            arguments.push(self.eval(argument, scope)?);
        }
        if call.args.expand_final() {
            let last = arguments.pop().unwrap_or_else(Val::null);
            match last.sequence() {
                Some(items) => {
                    arguments.extend(items.iter().map(|it| it.clone().with(&last.references)))
                }
                None => return Ok(Val::unknown_of(last.all_references())),
            }
        }
        let bytes = arguments.iter().fold(0_usize, |sum, it| sum.saturating_add(it.bytes));
        self.spend(bytes)?;
        let made = match name {
            "file" | "fileexists" | "templatefile" => self.with_file(name, &arguments),
            name => match function::find(name) {
                Some(function) => function.call(&arguments),
                None => {
                    self.note(None, format!("the function `{name}` is not evaluated"));
                    Ok(Val::unknown_of(function::references(&arguments)))
                }
            },
        };
        self.made(made.map_err(|fault| Fault {
            problem: format!("{name}: {}", fault.problem),
            references: fault.references.and(&function::references(&arguments)),
            ours: fault.ours,
        }))
    }

    /// `try` and `can`: faults of the source are no end of them. As in Terraform, what they are
    /// given must be known whole, but not what was computed on the way to it.
    fn attempt(&mut self, name: &str, call: &FuncCall, scope: Scope<'_>) -> Valued {
        let mut references = References::default();
        for argument in call.args.iter() {
            match self.eval(argument, scope) {
                Ok(value) if name == "can" => {
                    return Ok(if value.known {
                        Val::bool(true)
                    } else {
                        Val::unknown_of(value.all_references())
                    });
                }
                // What is known of a list or a map may have no value once all of it is known.
                Ok(value)
                    if !value.known && (value.items().is_some() || value.entries().is_some()) =>
                {
                    return Ok(Val::unknown_of(value.all_references()));
                }
                Ok(value) => return Ok(value),
                Err(fault) if fault.ours => {
                    self.note(None, fault.problem);
                    return Ok(Val::unknown_of(references.and(&fault.references)));
                }
                Err(fault) => references = references.and(&fault.references),
            }
        }
        if name == "can" {
            return Ok(Val::bool(false));
        }
        Err(Fault::new("no argument of `try` has a value").with(&references))
    }

    fn traversal(&mut self, it: &Traversal, scope: Scope<'_>) -> Valued {
        let operators = it.operators.as_slice();
        let (value, rest) = match &it.expr {
            Expression::Variable(name) => self.root(name.as_str(), operators, scope)?,
            expression => (self.eval(expression, scope)?, operators),
        };
        self.walk(value, rest, scope)
    }

    /// What follows a value: attributes, indices and splats.
    pub fn walk(&mut self, value: Val, operators: Operators<'_>, scope: Scope<'_>) -> Valued {
        let mut value = value;
        let mut left = operators;
        while let Some((operator, rest)) = left.split_first() {
            left = rest;
            value = match operator.value() {
                TraversalOperator::GetAttr(name) => value.attribute(name.as_str())?,
                TraversalOperator::Index(key) => {
                    let key = self.eval(key, scope)?;
                    if key.is_unknown() {
                        self.spend(value.bytes)?;
                    }
                    value.index(&key)?
                }
                #[expect(clippy::cast_precision_loss, reason = "no list is that long")]
                TraversalOperator::LegacyIndex(index) => {
                    value.index(&Val::number(*index.value() as f64))?
                }
                TraversalOperator::FullSplat(_) => {
                    left = &[];
                    self.splat(&value, rest, scope)?
                }
                TraversalOperator::AttrSplat(_) => {
                    let names = rest
                        .iter()
                        .take_while(|it| matches!(it.value(), TraversalOperator::GetAttr(_)));
                    let (names, others) = rest.split_at(names.count());
                    left = others;
                    self.splat(&value, names, scope)?
                }
            };
        }
        Ok(value)
    }

    /// `value[*]…`: of each element; of what is no list, of itself.
    fn splat(&mut self, value: &Val, operators: Operators<'_>, scope: Scope<'_>) -> Valued {
        if value.is_unknown() || (value.items().is_some() && value.sequence().is_none()) {
            return Ok(Val::unknown_of(value.all_references()));
        }
        let items = match value.items() {
            Some(items) => items.to_vec(),
            None if value.is_null() => Vec::new(),
            None => vec![value.clone()],
        };
        let mut results = Vec::with_capacity(items.len());
        for item in items {
            self.spend(0)?;
            let item = item.with(&value.references);
            results.push(self.deeper(|it| it.walk(item, operators, scope))?);
        }
        self.made(Val::list(results))
    }

    /// The value that a name and the operators after it stand for, and the operators that are left.
    pub fn root<'e>(
        &mut self,
        name: &str,
        operators: Operators<'e>,
        scope: Scope<'_>,
    ) -> Result<(Val, Operators<'e>), Fault> {
        if let Some(value) = scope.framed(name) {
            return Ok((value.clone(), operators));
        }
        if let Some(value) = scope.names.and_then(|it| it.get(name)) {
            return Ok((value.clone(), operators));
        }
        let Some(module) = scope.module else {
            return Err(Fault::new(format!("`{name}` is not known here")));
        };
        let (first, rest) = match operators.split_first() {
            Some((operator, rest)) => (attribute_name(operator), rest),
            None => (None, operators),
        };
        let Some(first) = first else {
            return Err(Fault::new(format!("`{name}` is not known here")));
        };
        let value = match name {
            "var" => self.variable(module, first)?,
            "local" => self.local(module, first)?,
            "path" => self.path(module, first)?,
            "terraform" | "tofu" if first == "workspace" => {
                self.options.workspace.as_deref().map_or_else(|| Ok(Val::unknown()), Val::text)?
            }
            "module" => return self.module_value(module, first, rest, scope),
            "self" | "ephemeral" => Val::unknown(),
            "each" | "count" => {
                return Err(Fault::new(format!("`{name}.{first}` is not known here")));
            }
            "data" => {
                let second = rest.split_first();
                let Some((kind, (Some(name), rest))) =
                    second.map(|(it, rest)| (first, (attribute_name(it), rest)))
                else {
                    return Err(Fault::new(format!("`data.{first}` is no data source")));
                };
                return Ok((self.resource(module, true, kind, name)?, rest));
            }
            kind => self.resource(module, false, kind, first)?,
        };
        Ok((value, rest))
    }
}

/// What a `for` has collected.
#[derive(Default)]
struct Collected {
    items: Vec<Val>,
    entries: BTreeMap<String, Vec<Val>>,
    /// Whether something unknown decides what is in it.
    unknown: bool,
    references: References,
}

impl Collected {
    fn value(self, it: &ForExpr) -> Valued {
        let value = if it.key_expr.is_none() {
            Val::list(self.items)?
        } else if it.grouping {
            let groups = self.entries.into_iter();
            let groups = groups.map(|(name, items)| Ok((name, Val::list(items)?)));
            Val::map(groups.collect::<Result<_, Fault>>()?)?
        } else {
            let mut entries = BTreeMap::new();
            for (name, mut items) in self.entries {
                let value = items.pop().unwrap_or_else(Val::null);
                if !items.is_empty() {
                    return Err(Fault::new(format!("`{name}` is the key of two values")));
                }
                entries.insert(name, value);
            }
            Val::map(entries)?
        };
        Ok(if self.unknown {
            Val::unknown_of(value.all_references().and(&self.references))
        } else {
            value
        })
    }
}

/// The keys and values that a collection is gone through by; nothing where it is unknown.
pub(super) fn members(collection: &Val) -> Result<Option<Vec<(Val, Val)>>, Fault> {
    let named = |entries: &BTreeMap<String, Val>| {
        let members = entries.iter().map(|(name, it)| Ok((Val::text(name.as_str())?, it.clone())));
        members.collect::<Result<Vec<_>, Fault>>()
    };
    match &collection.kind {
        Kind::Unknown(_) | Kind::Instance(_) => Ok(None),
        Kind::Set(_) if !collection.known => Ok(None),
        #[expect(clippy::cast_precision_loss, reason = "no list is that long")]
        Kind::List(items) => Ok(Some(
            items.iter().enumerate().map(|(at, it)| (Val::number(at as f64), it.clone())).collect(),
        )),
        Kind::Set(items) => Ok(Some(items.iter().map(|it| (it.clone(), it.clone())).collect())),
        Kind::Map(entries) => named(entries).map(Some),
        _ => Err(Fault::new(format!("{} has no elements", collection.name()))
            .with(&collection.references)),
    }
}

/// The name that an operator asks for: `.name` or `["name"]`.
pub(super) fn attribute_name(operator: &Decorated<TraversalOperator>) -> Option<&str> {
    match operator.value() {
        TraversalOperator::GetAttr(name) => Some(name.as_str()),
        TraversalOperator::Index(Expression::String(name)) => Some(name.as_str()),
        _ => None,
    }
}

/// The value of a condition that nobody knows.
fn either(one: Valued, other: Valued) -> Val {
    match (one, other) {
        (Ok(one), Ok(other)) => {
            let references = one.all_references().and(&other.all_references());
            match one.equals(&other) {
                Some(true) => one.with(&references),
                _ => Val::unknown_of(references),
            }
        }
        (Ok(value), Err(fault)) | (Err(fault), Ok(value)) => {
            Val::unknown_of(value.all_references().and(&fault.references))
        }
        (Err(one), Err(other)) => Val::unknown_of(one.references.and(&other.references)),
    }
}

fn operate(operator: BinaryOperator, one: &Val, two: &Val) -> Valued {
    let references = || one.all_references().and(&two.all_references());
    if let BinaryOperator::Eq | BinaryOperator::NotEq = operator {
        let wanted = operator == BinaryOperator::Eq;
        let are_many = one.items().is_some() || one.entries().is_some();
        return Ok(match one.equals(two) {
            // A list is never equal to a tuple, nor a map to an object; which it is we don't know.
            Some(true) if are_many => Val::unknown_of(references()),
            Some(equal) => Val::bool(equal == wanted),
            None => Val::unknown_of(references()),
        });
    }
    if let BinaryOperator::And | BinaryOperator::Or = operator {
        let decides = operator == BinaryOperator::Or;
        return match (one.to_bool(), two.to_bool()) {
            (_, Some(it)) if it == decides => Ok(Val::bool(it)),
            (Some(_), Some(it)) => Ok(Val::bool(it)),
            _ if one.is_unknown() || two.is_unknown() => Ok(Val::unknown_of(references())),
            _ => Err(Fault::new("`&&` and `||` need bools").with(&references())),
        };
    }
    if one.is_unknown() || two.is_unknown() {
        return Ok(Val::unknown_of(references()));
    }
    let (Some(a), Some(b)) = (one.to_number(), two.to_number()) else {
        let problem = format!("{} and {} are no numbers", one.name(), two.name());
        return Err(Fault::new(problem).with(&references()));
    };
    let by_zero = b == 0.0 && matches!(operator, BinaryOperator::Div | BinaryOperator::Mod);
    if by_zero {
        return Err(Fault::new("division by zero"));
    }
    Ok(match operator {
        BinaryOperator::Plus => Val::number(a + b),
        BinaryOperator::Minus => Val::number(a - b),
        BinaryOperator::Mul => Val::number(a * b),
        BinaryOperator::Div => Val::number(a / b),
        BinaryOperator::Mod => Val::number(a % b),
        BinaryOperator::Less => Val::bool(a < b),
        BinaryOperator::LessEq => Val::bool(a <= b),
        BinaryOperator::Greater => Val::bool(a > b),
        _ => Val::bool(a >= b),
    })
}
