//! Terraform source without a plan: no credentials, no providers, no state.
//!
//! Whoever evaluates source before deployment meets values that only the cloud can tell. They are
//! *unknown* here, with the addresses of the declarations that they are made of, and whatever hangs
//! on them is unknown, too. Everything else is evaluated as Terraform does: variables with defaults
//! and given values, locals, modules by local path, `count`, `for_each`, `dynamic`, templates,
//! functions, and the documents of `aws_iam_policy_document`.
//!
//! What comes out has the shape of a plan's JSON: blocks are lists of objects, policies are JSON
//! text. Scalars stay as they are written (`"443"` or `443`), since the provider's schema, which
//! would make them one, is not here. A `null` attribute is left out, as it means "not set".
//!
//! An unknown number of instances is one instance, whose address ends with `[*]` and about which a
//! note tells: it is judged, but whether it will be there is unknown. An unknown number of dynamic
//! blocks is an unknown value among the known blocks.
//!
//! The way through: [`source`] parses files, [`folder`] gathers what a module declares and which
//! modules it calls, [`evaluate`] resolves names lazily and once, [`expression`] and its neighbors
//! compute, [`instance`] makes declarations, [`render`] turns values into JSON.
//!
//! Deliberately absent: modules from registries and git (their outputs are unknown, a note tells),
//! provider schemas, `terraform.tfstate`, functions of providers.

use std::collections::{BTreeMap, BTreeSet};

use self::evaluate::Evaluation;
use self::folder::Folders;
use self::source::Body;
use super::{Plan, PlanError};

mod position;
mod path;
mod source;
mod folder;
mod value;
mod convert;
mod template;
mod function;
mod expression;
mod evaluate;
mod module;
mod policy_document;
mod instance;
mod render;

/// The most bytes of one file.
pub const FILE_BYTES_MAX: usize = 4 << 20;
/// The most bytes of all files.
pub const SOURCES_BYTES_MAX: usize = 64 << 20;
/// The most bytes of the files that are parsed. A syntax tree takes a hundred times that.
pub const PARSED_BYTES_MAX: usize = 8 << 20;
/// The most comparisons of keys that parsing takes: the parser compares each key of an object with
/// all keys before it. One object may have 16,000 keys.
pub const KEY_COMPARISONS_MAX: usize = 128_000_000;
/// The most modules within modules.
pub const MODULE_DEPTH_MAX: usize = 16;
/// The most modules, each instance counted.
pub const MODULES_MAX: usize = 4096;
/// The most instances of one resource, module or dynamic block; beyond it their number is unknown.
pub const INSTANCES_MAX: usize = 1024;
/// The longest key of an instance, in bytes; with a longer one, the number of them is unknown.
pub const KEY_BYTES_MAX: usize = 1024;
/// The most declarations of all modules.
pub const DECLARED_MAX: usize = 50_000;
/// The most bytes that one value takes, texts and nodes of all levels counted.
pub const VALUE_BYTES_MAX: usize = 4 << 20;
/// The most levels of one value.
pub const VALUE_DEPTH_MAX: usize = 64;
/// The most elements that one function makes.
pub const ELEMENTS_MAX: usize = 1 << 16;
/// The most expressions and blocks within each other, those behind names counted. What is deeper is
/// unknown. A thread of 2 MiB holds that many, even where nothing is optimized.
pub const EXPRESSION_DEPTH_MAX: usize = 96;
/// Where fewer levels than these are left, no template file is parsed: that takes stack, too.
pub const PARSER_LEVELS_MIN: usize = 56;
/// The most steps of one evaluation: an expression is one, and so are 64 bytes of a value that is
/// made or copied. What is left when they are used up is unknown.
pub const STEPS_MAX: usize = 4_000_000;
/// The most addresses that one value refers to; more are left out.
pub const REFERENCES_MAX: usize = 1024;
/// The most notes; more are left out.
pub const NOTES_MAX: usize = 256;

/// The text of files by their path, relative to the folder that may be read, with `/` between
/// names.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    files: BTreeMap<String, String>,
    bytes: usize,
}

impl Sources {
    /// Adds a file.
    ///
    /// # Errors
    ///
    /// When the path leaves the folder that may be read, or a file, or all of them, are too large.
    pub fn insert(&mut self, path: &str, text: String) -> Result<(), PlanError> {
        let refuse = |problem: String| PlanError {
            file: path.to_owned(),
            line: None,
            column: None,
            problem,
        };
        let Some(name) = path::join("", path) else {
            return Err(refuse("lies outside of the folder that may be read".to_owned()));
        };
        if FILE_BYTES_MAX < text.len() {
            return Err(refuse(format!("has more than {FILE_BYTES_MAX} bytes")));
        }
        self.bytes += text.len();
        if let Some(old) = self.files.insert(name, text) {
            self.bytes -= old.len();
        }
        if SOURCES_BYTES_MAX < self.bytes {
            return Err(refuse(format!("all files have more than {SOURCES_BYTES_MAX} bytes")));
        }
        Ok(())
    }

    /// The text of a file.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// The paths of the files that lie in a folder itself, in order.
    fn in_folder(&self, folder: &str) -> Vec<&str> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        self.files
            .range(prefix.clone()..)
            .map(|(path, _)| path.as_str())
            .take_while(|path| path.starts_with(&prefix))
            .filter(|path| path.strip_prefix(&prefix).is_some_and(|name| !name.contains('/')))
            .collect()
    }
}

/// What Terraform would be told on its command line or would learn from the account.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The folder to judge, relative to the folder that may be read; empty for that folder itself.
    pub folder: String,
    /// Further variable files, relative to the folder that may be read. Later ones win.
    pub var_files: Vec<String>,
    /// Variables by name, as `-var` and `TF_VAR_…` give them: text, or an expression where the
    /// variable is no text. They win over every file.
    pub variables: BTreeMap<String, String>,
    /// `terraform.workspace`; unknown where it is not given.
    pub workspace: Option<String>,
    /// The account's id, for `aws_caller_identity`.
    pub account: Option<String>,
    /// The region, where the provider's block does not tell.
    pub region: Option<String>,
    /// The partition, for `aws_partition`; without it, that of the region.
    pub partition: Option<String>,
}

/// Evaluates the folder of `options` and the modules that it calls.
///
/// # Errors
///
/// As [`Configuration::parse`] and [`Configuration::plan`].
pub fn read(files: &Sources, options: &Options) -> Result<Plan, PlanError> {
    Configuration::parse(files, options)?.plan()
}

/// Parsed source: the folder of its options, and every module that this reaches.
pub struct Configuration<'a> {
    files: &'a Sources,
    options: &'a Options,
    folders: Folders<'a>,
}

impl<'a> Configuration<'a> {
    /// Parses what the folder of `options` reaches.
    ///
    /// # Errors
    ///
    /// A file that can't be parsed, with line and column; a module source that leaves the folder
    /// that may be read; modules that call themselves; a limit that would leave declarations
    /// unseen.
    pub fn parse(files: &'a Sources, options: &'a Options) -> Result<Configuration<'a>, PlanError> {
        Ok(Configuration { files, options, folders: Folders::load(files, options)? })
    }

    /// The folders of modules that are called and of which no file is among the sources. A caller
    /// that does not hold everything adds their files and parses again, until nothing is missing.
    pub fn missing(&self) -> &BTreeSet<String> {
        &self.folders.missing
    }

    /// The names of the variables that the folder declares: those that it may be given.
    pub fn variables(&self) -> BTreeSet<String> {
        self.declared().map(|(name, _)| name.clone()).collect()
    }

    /// The names of those variables that have neither a value nor a default.
    pub fn unset(&self) -> BTreeSet<String> {
        let unset = self.declared().filter(|(name, variable)| {
            !variable.attributes.contains_key("default")
                && !self.options.variables.contains_key(*name)
                && !self.folders.given.contains_key(*name)
        });
        unset.map(|(name, _)| name.clone()).collect()
    }

    fn declared(&self) -> impl Iterator<Item = (&String, &Body)> {
        self.folders.get(&self.folders.root).into_iter().flat_map(|it| &it.variables)
    }

    /// Evaluates it.
    ///
    /// # Errors
    ///
    /// A limit that would leave declarations unseen.
    pub fn plan(&self) -> Result<Plan, PlanError> {
        Evaluation::new(self.files, self.options, &self.folders).plan()
    }
}
