//! Which declarations a property is made of, by the configuration that the plan carries.
//!
//! A configuration names what an expression refers to, not how: `var.name` leads to the call of the
//! module, `module.name.output` to the module's output, `each.value` to what is gone through.
//! Locals are not part of a plan, so what leads through one ends there.

use super::address::{self, Step};
use super::unknown::pointer;
use super::written::{Configuration, ModuleConfig, ResourceConfig};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

/// The most references that one property leads through.
const REFERENCES_MAX: usize = 10_000;

/// The plan's configuration, and every instance that there is.
#[derive(Debug)]
pub(super) struct References<'a> {
    root: Option<&'a ModuleConfig>,
    /// By the names of the calls that lead to its module, and by address within it.
    configured: Configured<'a>,
    /// By module and address within it: the instances.
    instances: BTreeMap<(String, String), Instances>,
    /// By module and name of a call: the instances of the called module.
    modules: BTreeMap<(String, String), Instances>,
}

/// Addresses by index; without one there is one instance.
type Instances = BTreeMap<Option<String>, String>;

/// Where an expression stands: in which module, and in which instance of what.
#[derive(Debug, Clone)]
struct Here<'a> {
    module: String,
    key: Option<String>,
    each: Option<&'a Value>,
}

/// How far the references of one property have been followed. A list of what is left, and no
/// recursion: a plan may lead through as many modules as it has.
#[derive(Default)]
struct Way<'a> {
    left: Vec<(&'a Value, Here<'a>)>,
    /// By module, what has been followed.
    seen: BTreeSet<(String, String)>,
    found: BTreeSet<String>,
}

impl<'a> References<'a> {
    /// Without instances.
    pub fn new(configuration: Option<&'a Configuration>) -> References<'a> {
        let root = configuration.and_then(|it| it.root_module.as_ref());
        References {
            root,
            configured: root.map(all_configured).unwrap_or_default(),
            instances: BTreeMap::new(),
            modules: BTreeMap::new(),
        }
    }

    /// Adds an instance, so that references lead to it.
    pub fn add(&mut self, address: &str, module: &str) {
        let (base, key) = address::local(address, module);
        let instances = self.instances.entry((module.to_owned(), base)).or_default();
        instances.insert(key.map(str::to_owned), address.to_owned());
        let mut module = module.to_owned();
        while let Some((above, call)) = address::parent(&module) {
            let calls = self.modules.entry((above.clone(), call.name.to_owned())).or_default();
            let is_known = calls.insert(call.key.map(str::to_owned), module.clone()).is_some();
            if is_known {
                break;
            }
            module = above;
        }
    }

    /// How an instance is configured, if the plan tells.
    pub fn configured(&self, address: &str, module: &str) -> Option<&'a ResourceConfig> {
        let (base, _) = address::local(address, module);
        self.configured.get(&(address::calls(module), base.as_str())).copied()
    }

    /// By pointer into the properties: what the instance's expressions refer to. A property that is
    /// written but refers to nothing has an empty list, unless it is a constant.
    pub fn of(
        &self,
        address: &str,
        module: &str,
        properties: &Value,
    ) -> BTreeMap<String, Vec<String>> {
        let mut found = BTreeMap::new();
        let Some(config) = self.configured(address, module) else { return found };
        let (_, key) = address::local(address, module);
        let (module, key) = (module.to_owned(), key.map(str::to_owned));
        let here = Here { module, key, each: config.for_each_expression.as_ref() };
        for (name, expression) in config.expressions.iter().flatten() {
            let value = properties.get(name).unwrap_or(&Value::Null);
            self.below(expression, value, &pointer("", name), &here, &mut found);
        }
        found
    }

    fn below(
        &self,
        expression: &'a Value,
        value: &Value,
        at: &str,
        here: &Here<'a>,
        found: &mut BTreeMap<String, Vec<String>>,
    ) {
        if constant(expression).is_none() {
            found.insert(at.to_owned(), self.resolved(expression, here));
        }
        match (expression, value) {
            // Blocks of a set stand in another order in the values: only what fits is told apart.
            (Value::Array(blocks), Value::Array(values))
                if blocks.len() == values.len()
                    && blocks.iter().zip(values).all(|(block, it)| fits(block, it)) =>
            {
                for (number, (block, it)) in blocks.iter().zip(values).enumerate() {
                    let at = pointer(at, &number.to_string());
                    for (name, expression) in block.as_object().into_iter().flatten() {
                        let below = it.get(name).unwrap_or(&Value::Null);
                        self.below(expression, below, &pointer(&at, name), here, found);
                    }
                }
            }
            _ => {}
        }
    }

    /// The addresses of the instances that an expression refers to, in their order.
    fn resolved(&self, expression: &'a Value, here: &Here<'a>) -> Vec<String> {
        let mut way = Way { left: vec![(expression, here.clone())], ..Way::default() };
        while let Some((expression, here)) = way.left.pop() {
            self.follow(expression, &here, &mut way);
        }
        way.found.into_iter().collect()
    }

    fn follow(&self, expression: &'a Value, here: &Here<'a>, way: &mut Way<'a>) {
        let written = written(expression);
        let goes_through = written.iter().any(|it| it.starts_with("each.") || *it == "count.index");
        for it in &written {
            if REFERENCES_MAX <= way.seen.len() {
                break;
            }
            if !way.seen.insert((here.module.clone(), (*it).to_owned())) {
                continue;
            }
            let steps = address::steps(it);
            let key = here.key.as_deref().filter(|_| goes_through);
            match steps.as_slice() {
                [Step { name: "var", .. }, variable, ..] => {
                    way.left.extend(self.given(variable.name, here));
                }
                [Step { name: "module", .. }, call, output, ..] => {
                    way.left.extend(self.outputs(*call, output.name, key, here));
                }
                [Step { name: "each", .. }, Step { name: "value", .. }, ..] => {
                    let each = here.each.map(|it| (it, Here { each: None, ..here.clone() }));
                    way.left.extend(each);
                }
                [Step { name: "data", .. }, kind, name, ..] => {
                    let base = format!("data.{}.{}", kind.name, name.name);
                    self.take(base, name.key, key, here, way);
                }
                [kind, name, ..] => {
                    let base = format!("{}.{}", kind.name, name.name);
                    self.take(base, name.key, key, here, way);
                }
                _ => {}
            }
        }
    }

    /// A variable is what the call of the module gives it.
    fn given(&self, name: &str, here: &Here<'a>) -> Option<(&'a Value, Here<'a>)> {
        let (module, call) = address::parent(&here.module)?;
        let called = self.module(&module)?.module_calls.as_ref()?.get(call.name)?;
        let given = called.expressions.as_ref()?.get(name)?;
        let (key, each) = (call.key.map(str::to_owned), called.for_each_expression.as_ref());
        Some((given, Here { module, key, each }))
    }

    /// What the instances of a called module say that an output is.
    fn outputs(
        &self,
        call: Step<'_>,
        output: &str,
        key: Option<&str>,
        here: &Here<'a>,
    ) -> Vec<(&'a Value, Here<'a>)> {
        let called = (here.module.clone(), call.name.to_owned());
        let Some(all) = self.modules.get(&called) else { return Vec::new() };
        let said = |module: &str| {
            let outputs = self.module(module)?.outputs.as_ref()?;
            let expression = outputs.get(output)?.expression.as_ref()?;
            Some((expression, Here { module: module.to_owned(), key: None, each: None }))
        };
        chosen(all, call.key, key).into_iter().take(REFERENCES_MAX).filter_map(said).collect()
    }

    fn take(
        &self,
        base: String,
        asked: Option<&str>,
        own: Option<&str>,
        here: &Here<'a>,
        way: &mut Way<'a>,
    ) {
        if let Some(all) = self.instances.get(&(here.module.clone(), base)) {
            way.found.extend(chosen(all, asked, own).into_iter().map(str::to_owned));
        }
    }

    /// The configuration of a module, by the address of an instance of it.
    fn module(&self, module: &str) -> Option<&'a ModuleConfig> {
        let mut config = self.root?;
        for call in address::calls(module) {
            config = config.module_calls.as_ref()?.get(call)?.module.as_ref()?;
        }
        Some(config)
    }
}

/// What an expression is, if that is a constant. Of a source in JSON, a plan calls each
/// expression's text its constant, and tells beside it what that refers to.
pub(super) fn constant(expression: &Value) -> Option<&Value> {
    let refers = expression.get("references").and_then(Value::as_array);
    expression.get("constant_value").filter(|_| refers.is_none_or(Vec::is_empty))
}

type Configured<'a> = BTreeMap<(Vec<&'a str>, &'a str), &'a ResourceConfig>;

fn all_configured(root: &ModuleConfig) -> Configured<'_> {
    let (mut all, mut left) = (BTreeMap::new(), vec![(Vec::new(), root)]);
    while let Some((calls, module)) = left.pop() {
        let resources = module.resources.iter().flatten();
        all.extend(resources.map(|it| ((calls.clone(), it.address.as_str()), it)));
        for (name, call) in module.module_calls.iter().flatten() {
            let below = calls.iter().copied().chain([name.as_str()]).collect();
            left.extend(call.module.as_ref().map(|it| (below, it)));
        }
    }
    all
}

/// The instance that is asked for; where none is, the one with the same index as the asker, or all.
fn chosen<'b>(all: &'b Instances, asked: Option<&str>, own: Option<&str>) -> Vec<&'b str> {
    let keys = [asked, own].into_iter().flatten();
    let mut fitting = keys.filter_map(|it| all.get(&Some(it.to_owned())));
    match fitting.next() {
        Some(address) => vec![address],
        None => all.values().map(String::as_str).collect(),
    }
}

/// The references of an expression and of all below it. Terraform writes `a.b[0].c`, then `a.b[0]`,
/// then `a.b`: those that only shorten another one are left out.
fn written(expression: &Value) -> Vec<&str> {
    let mut all = Vec::new();
    collect(expression, &mut all);
    let sorted: BTreeSet<&str> = all.iter().copied().collect();
    let is_begun_by = |begin: &str| {
        let from: (Bound<&str>, Bound<&str>) = (Bound::Included(begin), Bound::Unbounded);
        sorted.range::<str, _>(from).next().is_some_and(|it| it.starts_with(begin))
    };
    let shortens = |it: &str| is_begun_by(&format!("{it}.")) || is_begun_by(&format!("{it}["));
    all.into_iter().filter(|it| !shortens(it)).collect()
}

fn collect<'b>(expression: &'b Value, all: &mut Vec<&'b str>) {
    match expression {
        _ if constant(expression).is_some() => {}
        Value::Object(fields) => match fields.get("references") {
            Some(Value::Array(list)) => all.extend(list.iter().filter_map(Value::as_str)),
            _ => fields.values().for_each(|it| collect(it, all)),
        },
        Value::Array(list) => list.iter().for_each(|it| collect(it, all)),
        _ => {}
    }
}

/// Whether a value may be what a block comes to: no constant of it differs.
fn fits(block: &Value, value: &Value) -> bool {
    let differs = |(name, expression): (&String, &Value)| {
        let found = value.get(name).filter(|it| !it.is_null());
        matches!((constant(expression), found), (Some(constant), Some(found)) if constant != found)
    };
    !block.as_object().into_iter().flatten().any(differs)
}
