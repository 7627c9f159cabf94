//! What the folder of a module declares, and the folders of the modules that it calls.

use std::collections::{BTreeMap, BTreeSet};

use hcl_edit::expr::Expression;

use super::position::{Lines, Spot};
use super::source::{self, Attribute, Block, Body};
use super::{KEY_COMPARISONS_MAX, MODULE_DEPTH_MAX, Options, PARSED_BYTES_MAX, Sources, path};
use crate::plan::{Place, PlanError};

/// Every folder that the judged one reaches, and the variables that are given to it.
#[derive(Debug)]
pub(super) struct Folders<'a> {
    by_path: BTreeMap<String, Folder>,
    /// The path of the judged folder.
    pub root: String,
    /// The values of the judged folder's variables that files give.
    pub given: BTreeMap<String, Attribute>,
    /// The folders of called modules that have no file among the sources.
    pub missing: BTreeSet<String>,
    /// By path: how many levels of folders one begins, itself counted.
    levels: BTreeMap<String, usize>,
    lines: Vec<Lines<'a>>,
    /// How many bytes were parsed.
    parsed: usize,
    /// How many comparisons of keys that took.
    compared: usize,
}

/// What a folder declares.
#[derive(Debug, Default)]
pub(super) struct Folder {
    pub path: String,
    pub variables: BTreeMap<String, Body>,
    pub locals: BTreeMap<String, Attribute>,
    pub outputs: BTreeMap<String, Body>,
    pub calls: BTreeMap<String, Call>,
    pub providers: Vec<Block>,
    pub resources: Vec<Resource>,
    /// The first resource of each name; a second one is an error of the author's, and judged.
    by_name: BTreeMap<(bool, String, String), usize>,
}

impl Folder {
    /// The index of a resource, or of a data source.
    pub fn find(&self, data: bool, kind: &str, name: &str) -> Option<usize> {
        self.by_name.get(&(data, kind.to_owned(), name.to_owned())).copied()
    }
}

/// A resource, or a data source.
#[derive(Debug)]
pub(super) struct Resource {
    pub data: bool,
    pub kind: String,
    pub name: String,
    pub body: Body,
    pub at: Spot,
}

/// A call of a module.
#[derive(Debug)]
pub(super) struct Call {
    pub name: String,
    pub target: Target,
    pub body: Body,
    pub at: Spot,
}

/// Where a called module lies.
#[derive(Debug)]
pub(super) enum Target {
    /// In a folder, which is among the sources.
    Here(String),
    /// Where we do not look; why, in a sentence fragment.
    Elsewhere(String),
}

impl<'a> Folders<'a> {
    /// Parses the judged folder, its variables, and every folder that it reaches.
    pub fn load(sources: &'a Sources, options: &'a Options) -> Result<Folders<'a>, PlanError> {
        let root = path::join("", &options.folder)
            .ok_or_else(|| about(&options.folder, "lies outside of the folder that may be read"))?;
        let mut folders = Folders {
            by_path: BTreeMap::new(),
            root: root.clone(),
            given: BTreeMap::new(),
            missing: BTreeSet::new(),
            levels: BTreeMap::new(),
            lines: Vec::new(),
            parsed: 0,
            compared: 0,
        };
        if terraform_files(sources, &root).is_empty() {
            return Err(about(&options.folder, "has no Terraform file (`.tf`, `.tf.json`)"));
        }
        folders.reach(sources, &root, &mut Vec::new())?;
        folders.read_variables(sources, options)?;
        Ok(folders)
    }

    pub fn get(&self, path: &str) -> Option<&Folder> {
        self.by_path.get(path)
    }

    pub fn place(&self, spot: Spot) -> Option<Place> {
        self.lines.get(spot.file).map(|it| it.place(spot.offset))
    }

    /// Parses a folder and what it calls, each once; how many levels that are. `callers` are the
    /// folders on the way to it.
    fn reach(
        &mut self,
        sources: &'a Sources,
        path: &str,
        callers: &mut Vec<String>,
    ) -> Result<usize, PlanError> {
        let folder = self.parse(sources, path)?;
        self.by_path.insert(path.to_owned(), folder);
        callers.push(path.to_owned());
        let calls = self.by_path.get(path).into_iter().flat_map(|it| it.calls.values());
        let targets: Vec<(String, Spot)> = calls
            .filter_map(|call| match &call.target {
                Target::Here(folder) => Some((folder.clone(), call.at)),
                Target::Elsewhere(_) => None,
            })
            .collect();
        let mut levels = 1;
        for (target, at) in targets {
            if let Some(first) = callers.iter().position(|it| *it == target) {
                let round = callers.iter().skip(first).chain([&target]);
                let round: Vec<String> = round.map(|it| format!("`{}`", shown(it))).collect();
                return Err(
                    self.refuse(at, format!("modules call themselves: {}", round.join(" → ")))
                );
            }
            let below = match self.levels.get(&target) {
                Some(below) => *below,
                None if callers.len() < MODULE_DEPTH_MAX => {
                    self.reach(sources, &target, callers)?
                }
                None => 1,
            };
            if MODULE_DEPTH_MAX < callers.len() + below {
                let problem = format!("modules are nested more than {MODULE_DEPTH_MAX} deep");
                return Err(self.refuse(at, problem));
            }
            levels = levels.max(1 + below);
        }
        callers.pop();
        self.levels.insert(path.to_owned(), levels);
        Ok(levels)
    }

    fn refuse(&self, at: Spot, problem: String) -> PlanError {
        let place = self.place(at);
        PlanError {
            file: place.as_ref().map(|it| it.file.clone()).unwrap_or_default(),
            line: place.as_ref().map(|it| it.line),
            column: place.as_ref().map(|it| it.column),
            problem,
        }
    }

    /// Terraform refuses a second one of a name. Which of them was meant, nobody can say.
    fn twice(&self, at: Spot, name: &str) -> PlanError {
        self.refuse(at, format!("`{name}` is declared twice"))
    }

    /// Remembers a file's lines; its index.
    fn add(&mut self, name: &'a str, text: &'a str) -> usize {
        let begin = text.len() - source::parsed_text(name, text).len();
        self.lines.push(Lines::new(name, text, begin));
        self.lines.len() - 1
    }

    fn parse_with<T>(
        &mut self,
        sources: &'a Sources,
        name: &str,
        parse: fn(&Lines<'_>, &str, &str, usize) -> Result<T, PlanError>,
    ) -> Result<Option<T>, PlanError> {
        let Some((name, text)) = sources.files.get_key_value(name) else { return Ok(None) };
        self.parsed += text.len();
        if PARSED_BYTES_MAX < self.parsed {
            let problem = format!("more than {PARSED_BYTES_MAX} bytes of sources would be parsed");
            return Err(about(name, &problem));
        }
        self.compared = self.compared.saturating_add(source::key_comparisons(text));
        if KEY_COMPARISONS_MAX < self.compared {
            return Err(about(name, "has objects or blocks with too many keys to be parsed"));
        }
        let file = self.add(name, text);
        self.lines.get(file).map(|lines| parse(lines, name, text, file)).transpose()
    }

    fn parse(&mut self, sources: &'a Sources, path: &str) -> Result<Folder, PlanError> {
        let mut folder = Folder { path: path.to_owned(), ..Folder::default() };
        let (overrides, files): (Vec<&str>, Vec<&str>) =
            terraform_files(sources, path).into_iter().partition(|it| overrides(it));
        for name in files {
            if let Some(body) = self.parse_with(sources, name, source::parse)? {
                for block in body.blocks {
                    self.declare(sources, &mut folder, block)?;
                }
            }
        }
        for name in overrides {
            if let Some(body) = self.parse_with(sources, name, source::parse)? {
                for block in body.blocks {
                    self.declare_over(sources, &mut folder, block)?;
                }
            }
        }
        Ok(folder)
    }

    fn declare(
        &mut self,
        sources: &Sources,
        folder: &mut Folder,
        block: Block,
    ) -> Result<(), PlanError> {
        let mut labels = block.labels.iter().cloned();
        match (block.kind.as_str(), labels.next(), labels.next()) {
            ("locals", _, _) => {
                for (name, attribute) in block.body.attributes {
                    if folder.locals.contains_key(&name) {
                        return Err(self.twice(attribute.at, &format!("local.{name}")));
                    }
                    folder.locals.insert(name, attribute);
                }
            }
            ("variable", Some(name), _) => {
                if folder.variables.contains_key(&name) {
                    return Err(self.twice(block.at, &format!("var.{name}")));
                }
                folder.variables.insert(name, block.body);
            }
            ("output", Some(name), _) => {
                if folder.outputs.contains_key(&name) {
                    return Err(self.twice(block.at, &format!("output.{name}")));
                }
                folder.outputs.insert(name, block.body);
            }
            ("provider", _, _) => folder.providers.push(block),
            ("module", Some(name), _) => {
                if folder.calls.contains_key(&name) {
                    return Err(self.twice(block.at, &format!("module.{name}")));
                }
                let target = self.target(sources, &folder.path, &block.body, block.at)?;
                let call = Call { name: name.clone(), target, body: block.body, at: block.at };
                folder.calls.insert(name, call);
            }
            ("resource" | "data", Some(kind), Some(name)) => {
                let data = block.kind == "data";
                let index = folder.resources.len();
                folder.by_name.entry((data, kind.clone(), name.clone())).or_insert(index);
                let (body, at) = (block.body, block.at);
                folder.resources.push(Resource { data, kind, name, body, at });
            }
            _ => {}
        }
        Ok(())
    }

    /// Declares what an override file says: it changes what is there.
    fn declare_over(
        &mut self,
        sources: &Sources,
        folder: &mut Folder,
        block: Block,
    ) -> Result<(), PlanError> {
        let label = |at: usize| block.labels.get(at).cloned().unwrap_or_default();
        if block.kind == "locals" {
            folder.locals.extend(block.body.attributes);
            return Ok(());
        }
        if block.kind == "module"
            && let Some(call) = folder.calls.get_mut(&label(0))
        {
            call.body.override_with(block.body);
            call.target = self.target(sources, &folder.path, &call.body, call.at)?;
            return Ok(());
        }
        let there = match block.kind.as_str() {
            "variable" => folder.variables.get_mut(&label(0)),
            "output" => folder.outputs.get_mut(&label(0)),
            "resource" | "data" => {
                let index = folder.find(block.kind == "data", &label(0), &label(1));
                index.and_then(|it| folder.resources.get_mut(it)).map(|it| &mut it.body)
            }
            _ => None,
        };
        match there {
            Some(body) => body.override_with(block.body),
            None => self.declare(sources, folder, block)?,
        }
        Ok(())
    }

    /// Where a called module lies.
    /// <https://developer.hashicorp.com/terraform/language/modules/sources>
    fn target(
        &mut self,
        sources: &Sources,
        folder: &str,
        body: &Body,
        at: Spot,
    ) -> Result<Target, PlanError> {
        let source = body.attributes.get("source");
        let Some(source) = source.and_then(|it| text_of(&it.expression)) else {
            return Ok(Target::Elsewhere("its source is no literal text".to_owned()));
        };
        if !source.starts_with("./") && !source.starts_with("../") && !source.starts_with('/') {
            return Ok(Target::Elsewhere(format!("its source `{source}` is no local path")));
        }
        let Some(target) = path::join(folder, source) else {
            let problem = format!("module source `{source}` leaves the folder that may be read");
            return Err(self.refuse(at, problem));
        };
        if terraform_files(sources, &target).is_empty() {
            let problem = format!("its source `{source}` has no Terraform file that was read");
            self.missing.insert(target);
            return Ok(Target::Elsewhere(problem));
        }
        Ok(Target::Here(target))
    }

    /// Reads the files of variables, in Terraform's order: a later one wins.
    fn read_variables(
        &mut self,
        sources: &'a Sources,
        options: &'a Options,
    ) -> Result<(), PlanError> {
        let root = self.root.clone();
        let known = |name: &str| path::join(&root, name).unwrap_or_default();
        let mut names = vec![known("terraform.tfvars"), known("terraform.tfvars.json")];
        let automatic = sources.in_folder(&root).into_iter();
        let automatic = automatic
            .filter(|it| it.ends_with(".auto.tfvars") || it.ends_with(".auto.tfvars.json"));
        names.extend(automatic.map(str::to_owned));
        for file in &options.var_files {
            let name = path::join("", file).filter(|it| sources.get(it).is_some());
            names.push(name.ok_or_else(|| about(file, "is no file of variables that was read"))?);
        }
        for name in names {
            if let Some(given) = self.parse_with(sources, &name, source::parse_variables)? {
                self.given.extend(given);
            }
        }
        Ok(())
    }
}

/// The text that an expression is, without evaluating anything.
pub(super) fn text_of(expression: &Expression) -> Option<&str> {
    match expression {
        Expression::String(text) => Some(text.as_str()),
        Expression::Parenthesis(inner) => text_of(inner.inner()),
        _ => None,
    }
}

fn terraform_files<'s>(sources: &'s Sources, folder: &str) -> Vec<&'s str> {
    let files = sources.in_folder(folder).into_iter();
    files.filter(|it| it.ends_with(source::HCL) || it.ends_with(source::JSON)).collect()
}

fn overrides(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let stem = name.strip_suffix(source::JSON).or(name.strip_suffix(source::HCL));
    stem.is_some_and(|it| it == "override" || it.ends_with("_override"))
}

fn shown(folder: &str) -> &str {
    if folder.is_empty() { "." } else { folder }
}

fn about(file: &str, problem: &str) -> PlanError {
    PlanError {
        file: shown(file).to_owned(),
        line: None,
        column: None,
        problem: problem.to_owned(),
    }
}
