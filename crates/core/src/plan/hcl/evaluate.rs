//! Names: what `var.a`, `local.b`, `aws_s3_bucket.c` and `module.d.e` stand for.
//!
//! Every name is resolved when it is first needed, and once. A name that is needed while it is
//! being resolved is made of itself: unknown, with a note.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::convert::{self, Type};
use super::folder::{Call, Folder, Folders};
use super::instance::Expanded;
use super::module::Children;
use super::position::Spot;
use super::source::{self, Attribute, Body};
use super::value::{Fault, References, Val, Valued};
use super::{
    DECLARED_MAX, EXPRESSION_DEPTH_MAX, MODULES_MAX, NOTES_MAX, Options, PARSER_LEVELS_MIN,
    STEPS_MAX, Sources, path,
};
use crate::plan::{Note, Place, Plan, PlanError};

/// One evaluation of a folder and the modules that it calls.
pub(super) struct Evaluation<'a> {
    pub sources: &'a Sources,
    pub options: &'a Options,
    pub folders: &'a Folders<'a>,
    /// Every instance of a module, the judged folder first.
    pub modules: Vec<Module<'a>>,
    /// Values of names; nothing while they are being resolved.
    values: BTreeMap<(usize, Named<'a>), Option<Val>>,
    /// Resources by module and index; nothing while they are being evaluated.
    pub resources: BTreeMap<(usize, usize), Option<Rc<Expanded>>>,
    /// The modules that a module calls, by name; nothing while they are being counted.
    pub children: BTreeMap<(usize, &'a str), Option<Rc<Children>>>,
    pub region: Option<String>,
    /// Whether modules are called that were not evaluated.
    pub too_many_modules: bool,
    steps_left: usize,
    depth: usize,
    notes: BTreeSet<(Option<Place>, String)>,
}

/// What a name is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Named<'a> {
    Variable(&'a str),
    Local(&'a str),
    Output(&'a str),
}

/// One instance of a module.
pub(super) struct Module<'a> {
    pub folder: &'a Folder,
    /// What stands before the addresses of what it declares: `module.a["b"].`.
    pub prefix: String,
    pub caller: Option<Caller<'a>>,
}

/// Who called a module, and with which `each` or `count`.
#[derive(Clone)]
pub(super) struct Caller<'a> {
    pub module: usize,
    pub call: &'a Call,
    pub binding: Option<(&'static str, Val)>,
}

/// Where an expression is evaluated.
#[derive(Clone, Copy)]
pub(super) struct Scope<'s> {
    /// The module whose names it uses; nothing where no names are allowed.
    pub module: Option<usize>,
    pub frame: Option<&'s Frame<'s>>,
    /// The names of a template's file.
    pub names: Option<&'s BTreeMap<String, Val>>,
}

/// A name that holds in a part of a file: of `for`, of a dynamic block, `each` and `count`.
pub(super) struct Frame<'s> {
    pub name: &'s str,
    pub value: Val,
    pub outer: Option<&'s Frame<'s>>,
}

impl<'s> Scope<'s> {
    /// Where nothing has a name.
    pub const CONSTANT: Scope<'static> = Scope { module: None, frame: None, names: None };

    pub fn of(module: usize) -> Scope<'s> {
        Scope { module: Some(module), ..Scope::CONSTANT }
    }

    pub fn of_names(names: &'s BTreeMap<String, Val>) -> Scope<'s> {
        Scope { names: Some(names), ..Scope::CONSTANT }
    }

    pub fn within(self, frame: &'s Frame<'s>) -> Scope<'s> {
        Scope { frame: Some(frame), ..self }
    }

    /// What a frame's name stands for.
    pub fn framed(self, name: &str) -> Option<&'s Val> {
        let mut frame = self.frame;
        while let Some(it) = frame {
            if it.name == name {
                return Some(&it.value);
            }
            frame = it.outer;
        }
        None
    }
}

impl<'a> Evaluation<'a> {
    pub fn new(sources: &'a Sources, options: &'a Options, folders: &'a Folders<'a>) -> Self {
        let root = folders.get(&folders.root);
        let module = |folder| Module { folder, prefix: String::new(), caller: None };
        Evaluation {
            sources,
            options,
            folders,
            modules: root.map(module).into_iter().collect(),
            values: BTreeMap::new(),
            resources: BTreeMap::new(),
            children: BTreeMap::new(),
            region: options.region.clone(),
            too_many_modules: false,
            steps_left: STEPS_MAX,
            depth: 0,
            notes: BTreeSet::new(),
        }
    }

    pub fn plan(mut self) -> Result<Plan, PlanError> {
        if let Some(region) = self.provider_region() {
            self.region = Some(region);
        }
        let mut declared = Vec::new();
        let mut module = 0;
        // The calls of a module add modules to the list that is gone through.
        while let Some(folder) = self.modules.get(module).map(|it| it.folder) {
            for index in 0..folder.resources.len() {
                declared.extend(self.declare(module, index));
                if DECLARED_MAX < declared.len() {
                    let problem = format!("declares more than {DECLARED_MAX} resources");
                    return Err(self.refuse(problem));
                }
            }
            for call in folder.calls.values() {
                if let Err(fault) = self.children(module, call) {
                    self.note(Some(call.at), fault.problem);
                }
            }
            if self.too_many_modules {
                return Err(self.refuse(format!("calls more than {MODULES_MAX} modules")));
            }
            module += 1;
        }
        let (account, region) = (self.options.account.clone(), self.region.clone());
        Ok(Plan { declared, account, region, notes: self.notes_taken() })
    }

    /// What can't be judged at all.
    pub fn refuse(&self, problem: String) -> PlanError {
        let file = if self.folders.root.is_empty() { "." } else { &self.folders.root };
        PlanError { file: file.to_owned(), line: None, column: None, problem }
    }

    fn notes_taken(&mut self) -> Vec<Note> {
        let notes = std::mem::take(&mut self.notes).into_iter();
        notes.map(|(at, problem)| Note { at, problem }).collect()
    }

    /// The region of the AWS provider that has no alias.
    fn provider_region(&mut self) -> Option<String> {
        let folder = self.modules.first()?.folder;
        let aws = folder.providers.iter().filter(|it| it.labels.iter().any(|it| it == "aws"));
        let plain = aws.filter(|it| !it.body.attributes.contains_key("alias"));
        let region = plain.filter_map(|it| it.body.attributes.get("region")).next()?;
        let value = self.attribute(region, Scope::of(0));
        value.as_text().map(str::to_owned)
    }

    /// Takes a note, once.
    pub fn note(&mut self, at: Option<Spot>, problem: String) {
        if self.notes.len() < NOTES_MAX {
            let place = at.and_then(|it| self.folders.place(it));
            self.notes.insert((place, problem));
        }
    }

    /// Counts steps.
    ///
    /// # Errors
    ///
    /// When none are left.
    pub fn spend(&mut self, bytes: usize) -> Result<(), Fault> {
        let steps = 1 + bytes / 64;
        match self.steps_left.checked_sub(steps) {
            Some(left) => {
                self.steps_left = left;
                Ok(())
            }
            None => {
                self.steps_left = 0;
                let problem = format!("the evaluation takes more than {STEPS_MAX} steps");
                self.note(None, format!("{problem}; the rest is unknown"));
                Err(Fault::ours(problem))
            }
        }
    }

    /// Runs something one level deeper.
    pub fn deeper(&mut self, run: impl FnOnce(&mut Self) -> Valued) -> Valued {
        if EXPRESSION_DEPTH_MAX <= self.depth {
            let problem = format!("expressions are nested more than {EXPRESSION_DEPTH_MAX} deep");
            return Err(Fault::ours(problem));
        }
        self.depth += 1;
        let value = run(self);
        self.depth -= 1;
        value
    }

    /// Counts what parsing a text takes.
    ///
    /// # Errors
    ///
    /// When no steps, or few levels of the stack, are left.
    pub fn parses(&mut self, text: &str) -> Result<(), Fault> {
        self.spend(text.len().saturating_add(source::key_comparisons(text)))?;
        if EXPRESSION_DEPTH_MAX < self.depth + PARSER_LEVELS_MIN {
            return Err(Fault::ours("this is nested too deep for a text that must be parsed"));
        }
        Ok(())
    }

    /// The value of an attribute; unknown, with a note, where it has none.
    pub fn attribute(&mut self, attribute: &Attribute, scope: Scope<'_>) -> Val {
        let value = self.eval(&attribute.expression, scope);
        self.or_unknown(value, attribute.at)
    }

    pub fn or_unknown(&mut self, value: Valued, at: Spot) -> Val {
        value.unwrap_or_else(|fault| {
            self.note(Some(at), fault.problem);
            Val::unknown_of(fault.references)
        })
    }

    /// The value of a name, which `resolve` finds where it is not known yet.
    fn once(
        &mut self,
        module: usize,
        named: Named<'a>,
        resolve: impl FnOnce(&mut Self) -> Val,
    ) -> Valued {
        match self.values.get(&(module, named)) {
            Some(Some(value)) => return Ok(value.clone()),
            Some(None) => {
                let name = match named {
                    Named::Variable(name) => format!("var.{name}"),
                    Named::Local(name) => format!("local.{name}"),
                    Named::Output(name) => format!("output.{name}"),
                };
                return Err(Fault::new(format!("`{name}` is made of itself")));
            }
            None => {}
        }
        self.values.insert((module, named), None);
        let value = resolve(self);
        self.values.insert((module, named), Some(value.clone()));
        Ok(value)
    }

    pub fn local(&mut self, module: usize, name: &str) -> Valued {
        let folder = self.folder(module)?;
        let Some((name, local)) = folder.locals.get_key_value(name) else {
            return Err(Fault::new(format!("`local.{name}` is not declared")));
        };
        self.once(module, Named::Local(name), |it| it.attribute(local, Scope::of(module)))
    }

    pub fn output(&mut self, module: usize, name: &str) -> Valued {
        let folder = self.folder(module)?;
        let Some((name, output)) = folder.outputs.get_key_value(name) else {
            return Err(Fault::new(format!("the module has no output `{name}`")));
        };
        self.once(module, Named::Output(name), |it| match output.attributes.get("value") {
            Some(value) => it.attribute(value, Scope::of(module)),
            None => Val::unknown(),
        })
    }

    pub fn variable(&mut self, module: usize, name: &str) -> Valued {
        let folder = self.folder(module)?;
        let Some((name, variable)) = folder.variables.get_key_value(name) else {
            return Err(Fault::new(format!("`var.{name}` is not declared")));
        };
        self.once(module, Named::Variable(name), |it| it.variable_value(module, name, variable))
    }

    fn variable_value(&mut self, module: usize, name: &str, variable: &'a Body) -> Val {
        let typed = self.variable_type(variable);
        // Terraform takes what the command line gives literally where no type or a simple one is
        // written; where `any` is, it is an expression.
        let literal = match typed {
            Type::Any => !variable.attributes.contains_key("type"),
            Type::Text | Type::Number | Type::Bool => true,
            _ => false,
        };
        let value = match self.given_value(module, name, literal) {
            // `nullable = false` makes the default of a null.
            Some((value, _)) if value.is_null() && !nullable(variable) => None,
            given => given,
        };
        let default = variable.attributes.get("default");
        let (value, at) = match (value, default) {
            (Some((value, at)), _) => (value, at),
            (None, Some(default)) => (self.attribute(default, Scope::CONSTANT), Some(default.at)),
            (None, None) => return Val::unknown(),
        };
        let converted = convert::convert(value, &typed);
        match at {
            Some(at) => self.or_unknown(converted, at),
            None => converted.unwrap_or_else(|fault| {
                self.note(None, format!("`var.{name}`: {}", fault.problem));
                Val::unknown()
            }),
        }
    }

    fn variable_type(&mut self, variable: &Body) -> Type {
        let Some(written) = variable.attributes.get("type") else { return Type::Any };
        match self.type_of(&written.expression) {
            Ok(typed) => typed,
            Err(fault) => {
                self.note(Some(written.at), fault.problem);
                Type::Any
            }
        }
    }

    /// What the caller, a file or the command line gives a variable.
    fn given_value(
        &mut self,
        module: usize,
        name: &str,
        literal: bool,
    ) -> Option<(Val, Option<Spot>)> {
        if let Some(caller) = self.modules.get(module).and_then(|it| it.caller.clone()) {
            let argument = caller.call.body.attributes.get(name)?;
            let value = self.in_caller(&caller, argument);
            return Some((value, Some(argument.at)));
        }
        if let Some(text) = self.options.variables.get(name) {
            let value = self.text_given(text, literal).unwrap_or_else(|fault| {
                self.note(None, format!("`var.{name}`: {}", fault.problem));
                Val::unknown()
            });
            return Some((value, None));
        }
        let folders = self.folders;
        let given = folders.given.get(name)?;
        Some((self.attribute(given, Scope::CONSTANT), Some(given.at)))
    }

    /// The value of a module's argument, in the scope of its call.
    fn in_caller(&mut self, caller: &Caller<'a>, argument: &Attribute) -> Val {
        let scope = Scope::of(caller.module);
        match &caller.binding {
            Some((name, value)) => {
                let frame = Frame { name, value: value.clone(), outer: None };
                self.attribute(argument, scope.within(&frame))
            }
            None => self.attribute(argument, scope),
        }
    }

    /// A variable's value from the command line: a text, or an expression.
    fn text_given(&mut self, text: &str, literal: bool) -> Valued {
        if literal {
            return Val::text(text);
        }
        self.parses(text)?;
        match hcl_edit::parser::parse_expr(text.trim()) {
            Ok(expression) => self.eval(&expression, Scope::CONSTANT),
            Err(error) => Err(Fault::new(format!("is no expression: {}", error.message()))),
        }
    }

    pub fn folder(&self, module: usize) -> Result<&'a Folder, Fault> {
        let folder = self.modules.get(module).map(|it| it.folder);
        folder.ok_or_else(|| Fault::new("there is no such module"))
    }

    /// `path.module`, `path.root`, `path.cwd`.
    pub fn path(&self, module: usize, name: &str) -> Valued {
        match name {
            "module" => Val::text(path::relative(&self.folders.root, &self.folder(module)?.path)),
            "root" => Val::text("."),
            "cwd" => Ok(Val::unknown()),
            _ => Err(Fault::new(format!("`path.{name}` is not known"))),
        }
    }

    /// `aws_s3_bucket.b`, `data.aws_region.here`: an instance, or a list or map of instances.
    pub fn resource(&mut self, module: usize, data: bool, kind: &str, name: &str) -> Valued {
        let folder = self.folder(module)?;
        let Some(index) = folder.find(data, kind, name) else {
            let data = if data { "data." } else { "" };
            return Err(Fault::new(format!("`{data}{kind}.{name}` is not declared")));
        };
        Ok(self.expanded(module, index)?.value.clone())
    }

    /// The instances of a resource.
    pub fn expanded(&mut self, module: usize, index: usize) -> Result<Rc<Expanded>, Fault> {
        match self.resources.get(&(module, index)) {
            Some(Some(expanded)) => return Ok(Rc::clone(expanded)),
            Some(None) => return Err(self.of_itself(module, index)),
            None => {}
        }
        self.resources.insert((module, index), None);
        let expanded = Rc::new(self.expand(module, index));
        self.resources.insert((module, index), Some(Rc::clone(&expanded)));
        Ok(expanded)
    }

    fn of_itself(&self, module: usize, index: usize) -> Fault {
        let address = self.address(module, index);
        let problem = format!("`{address}` is made of itself");
        Fault::new(problem).with(&References::to(&address))
    }

    /// The address of a resource without its instance.
    pub fn address(&self, module: usize, index: usize) -> String {
        let Some(module) = self.modules.get(module) else { return String::new() };
        let Some(resource) = module.folder.resources.get(index) else { return String::new() };
        let data = if resource.data { "data." } else { "" };
        format!("{}{data}{}.{}", module.prefix, resource.kind, resource.name)
    }
}

/// Whether a variable may be null.
fn nullable(variable: &Body) -> bool {
    let written = variable.attributes.get("nullable").map(|it| it.expression.as_bool());
    written.flatten().unwrap_or(true)
}
