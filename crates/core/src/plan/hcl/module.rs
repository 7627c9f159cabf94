//! Calls of modules: their instances, and their outputs where a name asks for them.

use std::collections::BTreeMap;
use std::rc::Rc;

use hcl_edit::Decorated;
use hcl_edit::expr::TraversalOperator;

use super::MODULES_MAX;
use super::evaluate::{Caller, Evaluation, Module, Scope};
use super::expression::attribute_name;
use super::folder::{Call, Target};
use super::instance::{Number, bindings};
use super::value::{Fault, Val, Valued};

/// The instances of a called module, by their index in [`Evaluation::modules`].
pub(super) enum Children {
    /// Without `count` or `for_each`.
    One(usize),
    Count(Vec<usize>),
    Keys(Vec<(String, usize)>),
    /// One that stands for an unknown number.
    Unknown(usize),
    /// The module is not here.
    Elsewhere,
}

type Operators<'e> = &'e [Decorated<TraversalOperator>];

impl<'a> Evaluation<'a> {
    /// The instances of a called module.
    pub fn children(&mut self, module: usize, call: &'a Call) -> Result<Rc<Children>, Fault> {
        match self.children.get(&(module, call.name.as_str())) {
            Some(Some(children)) => return Ok(Rc::clone(children)),
            Some(None) => {
                return Err(Fault::new(format!("`module.{}` is made of itself", call.name)));
            }
            None => {}
        }
        self.children.insert((module, &call.name), None);
        let children = Rc::new(self.call_module(module, call));
        self.children.insert((module, &call.name), Some(Rc::clone(&children)));
        Ok(children)
    }

    fn call_module(&mut self, module: usize, call: &'a Call) -> Children {
        let path = match &call.target {
            Target::Here(path) => path,
            Target::Elsewhere(why) => {
                let problem = format!("`module.{}` is not looked at: {why}", call.name);
                self.note(Some(call.at), problem);
                return Children::Elsewhere;
            }
        };
        let name = format!("module.{}", call.name);
        let number = self.number_of(&call.body, Scope::of(module), &name, call.at);
        let mut made = Vec::new();
        for (suffix, binding) in bindings(&number) {
            let Some(child) = self.add_module(module, call, path, &suffix, binding) else {
                return Children::Elsewhere;
            };
            made.push(child);
        }
        match number {
            Number::Count(_) => Children::Count(made),
            Number::Keys(keys) => {
                let names = keys.into_iter().map(|(name, _)| name);
                Children::Keys(names.zip(made).collect())
            }
            Number::One => made.first().map_or(Children::Elsewhere, |it| Children::One(*it)),
            Number::Unknown { .. } => {
                made.first().map_or(Children::Elsewhere, |it| Children::Unknown(*it))
            }
        }
    }

    fn add_module(
        &mut self,
        caller: usize,
        call: &'a Call,
        path: &str,
        suffix: &str,
        binding: Option<(&'static str, Val)>,
    ) -> Option<usize> {
        if MODULES_MAX <= self.modules.len() {
            self.too_many_modules = true;
            return None;
        }
        let folder = self.folders.get(path)?;
        let prefix = &self.modules.get(caller)?.prefix;
        let prefix = format!("{prefix}module.{}{suffix}.", call.name);
        let caller = Some(Caller { module: caller, call, binding });
        self.modules.push(Module { folder, prefix, caller });
        Some(self.modules.len() - 1)
    }

    /// `module.name…`: the value, and the operators that are left.
    pub fn module_value<'e>(
        &mut self,
        module: usize,
        name: &str,
        operators: Operators<'e>,
        scope: Scope<'_>,
    ) -> Result<(Val, Operators<'e>), Fault> {
        let folder = self.folder(module)?;
        let Some(call) = folder.calls.get(name) else {
            return Err(Fault::new(format!("`module.{name}` is not declared")));
        };
        let children = self.children(module, call)?;
        match &*children {
            Children::Elsewhere => Ok((Val::unknown(), &[])),
            Children::One(child) => self.outputs(*child, operators),
            Children::Unknown(child) => {
                let name = operators.iter().find_map(attribute_name);
                let value = name.map(|it| self.output(*child, it)).transpose()?;
                let references = value.map(|it| it.all_references()).unwrap_or_default();
                Ok((Val::unknown_of(references), &[]))
            }
            Children::Count(children) => {
                let keyed = |key: &Val| key.whole_number().and_then(|it| children.get(it)).copied();
                self.of_many(children, &keyed, operators, scope)
            }
            Children::Keys(children) => {
                let keyed = |key: &Val| {
                    let key = key.to_text()?;
                    children.iter().find(|(name, _)| **name == *key).map(|(_, child)| *child)
                };
                if let Some(TraversalOperator::Index(_) | TraversalOperator::GetAttr(_)) =
                    operators.first().map(|it| it.value())
                {
                    return self.of_many(&[], &keyed, operators, scope);
                }
                let mut all = BTreeMap::new();
                for (name, child) in children {
                    all.insert(name.clone(), self.all_outputs(*child)?);
                }
                Ok((Val::map(all)?, operators))
            }
        }
    }

    /// What operators ask of several instances.
    fn of_many<'e>(
        &mut self,
        children: &[usize],
        keyed: &dyn Fn(&Val) -> Option<usize>,
        operators: Operators<'e>,
        scope: Scope<'_>,
    ) -> Result<(Val, Operators<'e>), Fault> {
        let Some((operator, rest)) = operators.split_first() else {
            let all = children.iter().map(|it| self.all_outputs(*it)).collect::<Result<_, _>>()?;
            return Ok((Val::list(all)?, operators));
        };
        let key = match operator.value() {
            TraversalOperator::Index(key) => self.eval(key, scope)?,
            TraversalOperator::GetAttr(name) => Val::text(name.as_str())?,
            #[expect(clippy::cast_precision_loss, reason = "no list is that long")]
            TraversalOperator::LegacyIndex(index) => Val::number(*index.value() as f64),
            TraversalOperator::FullSplat(_) | TraversalOperator::AttrSplat(_) => {
                let mut results = Vec::new();
                for child in children {
                    let (value, rest) = self.outputs(*child, rest)?;
                    results.push(self.walk(value, rest, scope)?);
                }
                return Ok((Val::list(results)?, &[]));
            }
        };
        if key.is_unknown() {
            return Ok((Val::unknown_of(key.references), &[]));
        }
        let child = keyed(&key).ok_or_else(|| Fault::new("there is no such module instance"))?;
        self.outputs(child, rest)
    }

    /// One output, where operators ask for one; otherwise all.
    fn outputs<'e>(
        &mut self,
        child: usize,
        operators: Operators<'e>,
    ) -> Result<(Val, Operators<'e>), Fault> {
        match operators.split_first() {
            Some((operator, rest)) if attribute_name(operator).is_some() => {
                let name = attribute_name(operator).unwrap_or_default();
                Ok((self.output(child, name)?, rest))
            }
            _ => Ok((self.all_outputs(child)?, operators)),
        }
    }

    fn all_outputs(&mut self, child: usize) -> Valued {
        let folder = self.folder(child)?;
        let mut all = BTreeMap::new();
        for name in folder.outputs.keys() {
            all.insert(name.clone(), self.output(child, name)?);
        }
        Val::map(all)
    }
}
