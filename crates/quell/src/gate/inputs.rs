//! Files and folders of infrastructure code, told apart by their content.
//!
//! [`load`] takes what a user names. A file is one configuration; a folder is searched for plans,
//! templates, the CDK's manifests and Terraform's source, which is read by the folder.

mod content;
mod source;

use super::folder::{self, Root};
use crate::cli::files;
use crate::exit::CliError;
use content::Content;
use quell_core::plan::cloudformation::{self, cdk};
use quell_core::plan::{Plan, PlanError, hcl, terraform};
use quell_core::report::shown::visible;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

/// One configuration.
#[derive(Debug)]
pub struct Input {
    /// The file or folder, as its user named it.
    pub file: String,
    /// What it declares.
    pub plan: Plan,
    /// The document itself: a template's always, a plan's where [`Context::documents`] asks for it.
    pub document: Option<Value>,
    /// The texts that people wrote, by their names in positions.
    pub sources: BTreeMap<String, String>,
    /// What it takes to read it again.
    pub origin: Origin,
    /// The variables or parameters that it may be given, where any are given at all.
    pub takes: BTreeSet<String>,
}

/// Where a configuration comes from: what it takes to read it with other texts.
pub enum Origin {
    /// A folder of Terraform's source.
    Source {
        /// What else was given.
        options: Box<hcl::Options>,
        /// What their user calls the files, by what they are called among the sources.
        names: BTreeMap<String, String>,
    },
    /// A template that somebody wrote.
    Template(cloudformation::Options),
    /// What a program wrote, such as a plan, or a template of the CDK: nobody changes that.
    Generated,
}

/// Shows nothing of what was given: it may be secret.
impl fmt::Debug for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Origin::Source { .. } => "Source",
            Origin::Template(_) => "Template",
            Origin::Generated => "Generated",
        })
    }
}

impl Input {
    /// What it would declare if some of its texts, by their names in positions, were others; `None`
    /// where that cannot be read.
    pub fn with(&self, changed: &BTreeMap<String, String>) -> Option<Plan> {
        match &self.origin {
            Origin::Source { options, names } => {
                let text = |shown: &String| changed.get(shown).or_else(|| self.sources.get(shown));
                let mut sources = hcl::Sources::default();
                for (name, shown) in names {
                    sources.insert(name, text(shown)?.clone()).ok()?;
                }
                source::plan(&sources, options, names).ok()
            }
            Origin::Template(options) => {
                let text = changed.get(&self.file).or_else(|| self.sources.get(&self.file))?;
                cloudformation::read(&self.file, text, options).ok()
            }
            Origin::Generated => None,
        }
    }

    /// What the code leaves to whoever deploys it and nobody gave, as the options that give it.
    pub fn unset(&self) -> Vec<String> {
        let mut unset: Vec<String> = match &self.origin {
            Origin::Source { options, names } => {
                let mut sources = hcl::Sources::default();
                for (name, shown) in names {
                    let text = self.sources.get(shown).cloned().unwrap_or_default();
                    if sources.insert(name, text).is_err() {
                        return Vec::new();
                    }
                }
                let read = hcl::Configuration::parse(&sources, options);
                let names = read.map(|it| it.unset()).unwrap_or_default();
                names.iter().map(|it| format!("--var {it}")).collect()
            }
            Origin::Template(options) => {
                let document = self.document.as_ref();
                let declared = document.and_then(|it| it.get("Parameters")?.as_object());
                let open = declared.into_iter().flatten().filter(|(name, it)| {
                    it.get("Default").is_none() && !options.parameters.contains_key(*name)
                });
                open.map(|(name, _)| format!("--parameter {name}")).collect()
            }
            Origin::Generated => return Vec::new(),
        };
        unset.extend(self.plan.region.is_none().then(|| "--region".to_owned()));
        unset
    }
}

/// What the command line and the configuration add to the code. It has no `Debug`: what is given
/// may be secret.
#[derive(Clone, Default)]
pub struct Context {
    /// The account that is deployed to, where the code does not tell.
    pub account: Option<String>,
    /// The region, where the code does not tell.
    pub region: Option<String>,
    /// Values of templates' parameters.
    pub parameters: BTreeMap<String, String>,
    /// Values of Terraform's variables.
    pub variables: BTreeMap<String, String>,
    /// Files of Terraform's variables.
    pub variable_files: Vec<String>,
    /// The folder that Terraform's source may be read from; without one, each folder that is named.
    pub root: Option<String>,
    /// Whether plans are kept as documents.
    pub documents: bool,
}

/// Reads every file and folder that is named.
///
/// # Errors
///
/// Usage for what is no infrastructure code or is faulty, with file, line and column.
pub fn load(paths: &[String], context: &Context) -> Result<Vec<Input>, CliError> {
    let mut inputs = Vec::new();
    let mut folders = Folders::default();
    for path in paths {
        if path != "-" && Path::new(path).is_dir() {
            load_folder(path, context, &mut folders, &mut inputs)?;
        } else {
            load_file(path, context, &mut folders, &mut inputs)?;
        }
    }
    for (root, folders) in folders {
        inputs.extend(source::load(&Root::open(&root)?, &folders, context)?);
    }
    check_given(&inputs, context)?;
    Ok(inputs)
}

/// Refuses a value that nothing takes. Its name is misspelled, and what it should have decided
/// would be judged as if it had not been given.
fn check_given(inputs: &[Input], context: &Context) -> Result<(), CliError> {
    let takes = |name: &str, of_template: bool| {
        let mut fitting = inputs.iter().filter(|it| it.document.is_some() == of_template);
        fitting.any(|it| it.takes.contains(name))
    };
    if let Some(name) = context.variables.keys().find(|it| !takes(it, false)) {
        return Err(CliError::usage(format!("no Terraform source here has a variable `{name}`"))
            .hint("--var gives a variable of the folder that is named, not of a module in it"));
    }
    if let Some(name) = context.parameters.keys().find(|it| !takes(it, true)) {
        return Err(CliError::usage(format!("no template here has a parameter `{name}`")));
    }
    Ok(())
}

/// Folders of Terraform's source, by the folder that may be read.
type Folders = BTreeMap<PathBuf, BTreeSet<PathBuf>>;

fn load_file(
    path: &str,
    context: &Context,
    folders: &mut Folders,
    inputs: &mut Vec<Input>,
) -> Result<(), CliError> {
    let document = document(path)?;
    if content::is_source(Path::new(path)) {
        let folder = Path::new(above(path));
        let root = context.root.as_ref().map_or(folder, Path::new);
        folders.entry(root.to_owned()).or_default().insert(folder.to_owned());
        return Ok(());
    }
    match content::of(&document) {
        None => return Err(unknown(path)),
        Some(Content::Manifest) => load_folder(above(path), context, folders, inputs)?,
        Some(content) => inputs.push(read(path, content, &document, context)?),
    }
    Ok(())
}

/// Every plan and template in a folder, and the folders of Terraform's source.
fn load_folder(
    name: &str,
    context: &Context,
    folders: &mut Folders,
    inputs: &mut Vec<Input>,
) -> Result<(), CliError> {
    let before = inputs.len();
    let root = Root::open(Path::new(name))?;
    let mut files = folder::search(Path::new(name))?;
    // Source that is a link out of the folder is refused where its folder is read.
    files.retain(|it| content::is_source(it) || root.holds(it));
    let mut done = BTreeSet::new();
    for manifest in files.iter().filter(|it| it.ends_with(cdk::MANIFEST)) {
        load_assembly(manifest, &root, context, &mut done, inputs)?;
    }
    let mut of_source = BTreeSet::new();
    for file in &files {
        if content::is_source(file) {
            of_source.extend(file.parent().map(Path::to_owned));
        } else if content::may_be_one(file) && !done.contains(file) {
            let path = file.display().to_string();
            let document = document(&path)?;
            if let Some(content) = content::of(&document) {
                inputs.push(read(&path, content, &document, context)?);
            }
        }
    }
    if inputs.len() == before && of_source.is_empty() {
        return Err(unknown(name));
    }
    if !of_source.is_empty() {
        let root = context.root.as_deref().unwrap_or(name);
        folders.entry(PathBuf::from(root)).or_default().append(&mut of_source);
    }
    Ok(())
}

/// The templates that a manifest of the CDK names, each for its account and region.
fn load_assembly(
    manifest: &Path,
    root: &Root,
    context: &Context,
    done: &mut BTreeSet<PathBuf>,
    inputs: &mut Vec<Input>,
) -> Result<(), CliError> {
    let path = manifest.display().to_string();
    let bytes = document(&path)?;
    if content::of(&bytes) != Some(Content::Manifest) {
        return Ok(());
    }
    done.insert(manifest.to_owned());
    let assembly = cdk::templates(&path, content::text(&path, &bytes)?).map_err(faulty)?;
    for it in assembly.templates {
        let file = manifest.with_file_name(it.file);
        root.check(&file)?;
        let mut context = context.clone();
        context.account = it.account.or(context.account);
        context.region = it.region.or(context.region);
        for (name, value) in it.parameters {
            context.parameters.entry(name).or_insert(value);
        }
        let path = file.display().to_string();
        let input = template(&path, &document(&path)?, &context)?;
        inputs.push(Input { origin: Origin::Generated, ..input });
        done.insert(file);
    }
    Ok(())
}

/// Reads one document.
fn read(
    file: &str,
    content: Content,
    document: &[u8],
    context: &Context,
) -> Result<Input, CliError> {
    match content {
        Content::TerraformPlan => plan(file, document, context),
        Content::Template => template(file, document, context),
        Content::TerraformPlanFile => {
            Err(CliError::usage(format!("`{file}` is a plan in Terraform's own format"))
                .hint("give the output of `terraform show -json PLAN`"))
        }
        Content::Manifest => Err(unknown(file)),
    }
}

fn plan(file: &str, document: &[u8], context: &Context) -> Result<Input, CliError> {
    let mut plan = terraform::read(file, document).map_err(faulty)?;
    plan.account = plan.account.or_else(|| context.account.clone());
    plan.region = plan.region.or_else(|| context.region.clone());
    let json = || serde_json::from_slice(content::unmarked(document));
    let document = context.documents.then(json).transpose().map_err(|it| {
        let (line, column) = (it.line(), it.column());
        CliError::usage(format!("`{file}` is no JSON at {line}:{column}"))
    })?;
    let (file, sources, takes) = (file.to_owned(), BTreeMap::new(), BTreeSet::new());
    Ok(Input { file, plan, document, sources, origin: Origin::Generated, takes })
}

fn template(file: &str, document: &[u8], context: &Context) -> Result<Input, CliError> {
    let text = content::text(file, document)?;
    let options = cloudformation::Options {
        parameters: context.parameters.clone(),
        account: context.account.clone(),
        region: context.region.clone(),
    };
    let plan = cloudformation::read(file, text, &options).map_err(faulty)?;
    let document = cloudformation::document(file, text).map_err(faulty)?;
    let sources = BTreeMap::from([(file.to_owned(), text.to_owned())]);
    let (file, origin) = (file.to_owned(), Origin::Template(options));
    let parameters = document.get("Parameters").and_then(Value::as_object);
    let takes = parameters.into_iter().flat_map(|it| it.keys().cloned()).collect();
    Ok(Input { file, plan, document: Some(document), sources, origin, takes })
}

fn document(path: &str) -> Result<Vec<u8>, CliError> {
    files::bytes_within(path, terraform::PLAN_MAX_BYTES)
}

/// The folder that a file lies in.
fn above(path: &str) -> &str {
    let folder = Path::new(path).parent().and_then(Path::to_str);
    folder.filter(|it| !it.is_empty()).unwrap_or(".")
}

fn faulty(error: PlanError) -> CliError {
    let error = PlanError { file: visible(&error.file).into_owned(), ..error };
    CliError::usage(format!("`{}` cannot be judged", error.file)).because(error)
}

fn unknown(path: &str) -> CliError {
    let path = if path == "-" { "standard input" } else { path };
    CliError::usage(format!("`{path}` is no infrastructure code that is known")).hint(
        "give a plan (the output of `terraform show -json PLAN`), Terraform's source, a template \
         of CloudFormation, or a folder of these",
    )
}
