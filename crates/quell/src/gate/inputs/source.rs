//! Terraform's source: one configuration for each folder that no other one calls as a module.

use super::{Context, Input, Origin, content, faulty};
use crate::cli::files;
use crate::exit::CliError;
use crate::gate::folder::{self, Root};
use quell_core::plan::hcl::{self, Configuration, FILE_BYTES_MAX, Options, Sources};
use quell_core::plan::{Note, Place, Plan, PlanError};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// How deep below a module's folder the files lie that its functions may read, in levels.
pub const DATA_FOLDERS_DEEP_MAX: usize = 4;
/// The most bytes of such a file; of a larger one, nothing is known.
pub const DATA_FILE_MAX_BYTES: usize = 256 * 1024;
/// The most bytes of all such files; of more, nothing is known.
pub const DATA_MAX_BYTES: usize = 16 * 1024 * 1024;
/// The endings of files that `file` and `templatefile` are used for.
const DATA: [&str; 7] = ["json", "policy", "tftpl", "tmpl", "tpl", "yaml", "yml"];
/// Where files of variables stand among the sources: no file of a folder does, as it is hidden.
const VARIABLE_FILES: &str = ".variables";

/// Reads folders of source below a root.
///
/// # Errors
///
/// Usage for source that is faulty or leaves the root.
pub fn load(
    root: &Root,
    folders: &BTreeSet<PathBuf>,
    context: &Context,
) -> Result<Vec<Input>, CliError> {
    let (mut own, mut called) = (Vec::new(), BTreeSet::new());
    for folder in folders {
        let folder = root.check(folder).map_err(|it| {
            it.hint("--root names the folder that Terraform's source may be read from")
        })?;
        // Nothing else can call the only one.
        if 1 < folders.len() {
            let mut files = Files::open(root, &folder, context)?;
            files.complete(root, |_| Ok(()))?;
            called.append(&mut files.called);
        }
        own.push(folder);
    }
    own.retain(|it| !called.contains(it));
    own.iter().map(|folder| Files::open(root, folder, context)?.input(root, folder)).collect()
}

/// The files of one configuration.
struct Files {
    sources: Sources,
    options: Options,
    /// What their user calls them, by what they are called among the sources.
    names: BTreeMap<String, String>,
    /// The folders that are called as modules.
    called: BTreeSet<String>,
    /// How many bytes of data may still be read.
    data_left: usize,
    notes: Vec<Note>,
}

impl Files {
    /// A folder's files, and those of variables.
    fn open(root: &Root, folder: &str, context: &Context) -> Result<Files, CliError> {
        let mut files = Files {
            sources: Sources::default(),
            options: Options {
                folder: folder.to_owned(),
                variables: context.variables.clone(),
                account: context.account.clone(),
                region: context.region.clone(),
                ..Options::default()
            },
            names: BTreeMap::new(),
            called: BTreeSet::new(),
            data_left: DATA_MAX_BYTES,
            notes: Vec::new(),
        };
        files.add_folder(root, folder)?;
        for (at, path) in context.variable_files.iter().enumerate() {
            let file = Path::new(path).file_name().unwrap_or_default().to_string_lossy();
            let name = format!("{VARIABLE_FILES}/{at}/{file}");
            files.add(name.clone(), path.clone(), files::text(path)?)?;
            files.options.var_files.push(name);
        }
        Ok(files)
    }

    /// Adds the files of the modules that are called, and asks when none is missing.
    fn complete<T>(
        &mut self,
        root: &Root,
        ask: impl FnOnce(&Configuration<'_>) -> Result<T, PlanError>,
    ) -> Result<T, CliError> {
        loop {
            let read = Configuration::parse(&self.sources, &self.options);
            let read = read.map_err(|it| self.faulty(root, it))?;
            let missing: Vec<String> = read.missing().difference(&self.called).cloned().collect();
            if missing.is_empty() {
                return ask(&read).map_err(|it| self.faulty(root, it));
            }
            for folder in missing {
                self.add_folder(root, &folder)?;
                self.called.insert(folder);
            }
        }
    }

    /// Adds a folder's source, and what its functions may read. One that is not there is told by
    /// whoever calls it.
    fn add_folder(&mut self, root: &Root, folder: &str) -> Result<(), CliError> {
        let path = root.join(folder);
        if !path.is_dir() {
            return Ok(());
        }
        root.check(&path)?;
        for entry in folder::entries(&path)? {
            let name = below(folder, &entry.file_name().to_string_lossy());
            let path = root.join(&name);
            let shown = path.display().to_string();
            let is_one_of = |endings: &[&str]| endings.iter().any(|it| shown.ends_with(it));
            if !path.is_file() {
                continue;
            }
            if is_one_of(&[".tf", ".tf.json", ".tfvars", ".tfvars.json"]) {
                // A link may lead to another file of the root, and nowhere else.
                root.check(&path)?;
                let text = files::bytes_within(&shown, FILE_BYTES_MAX)?;
                self.add(name, shown.clone(), content::text(&shown, &text)?.to_owned())?;
            } else if is_one_of(&[".tofu", ".tofu.json"]) {
                let at = Some(Place { file: shown, line: 1, column: 1 });
                let problem = "OpenTofu's own files are not read".to_owned();
                self.notes.push(Note { at, problem });
            }
        }
        self.add_data(root, folder)
    }

    /// Adds small files that functions may read. What is not added is unknown to them: of a folder
    /// that holds too many, such as a program's packages, none is.
    fn add_data(&mut self, root: &Root, folder: &str) -> Result<(), CliError> {
        let path = root.join(folder);
        for file in folder::search_few(&path, DATA_FOLDERS_DEEP_MAX)?.unwrap_or_default() {
            let is_data = file.extension().is_some_and(|it| DATA.iter().any(|of| *of == it));
            let bytes = file.metadata().map_or(u64::MAX, |it| it.len());
            let max = DATA_FILE_MAX_BYTES.min(self.data_left) as u64;
            // What is source belongs to a folder of its own: it is read when that is called.
            if !is_data || max < bytes || content::is_source(&file) || !root.holds(&file) {
                continue;
            }
            let name = file.strip_prefix(&path).ok().and_then(Path::to_str);
            let name = name.map(|it| below(folder, it));
            let Some(name) = name.filter(|it| self.sources.get(it).is_none()) else { continue };
            let shown = root.join(&name).display().to_string();
            let text = String::from_utf8(files::bytes_within(&shown, DATA_FILE_MAX_BYTES)?);
            if let Ok(text) = text {
                self.data_left = self.data_left.saturating_sub(text.len());
                self.add(name, shown, text)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, name: String, shown: String, text: String) -> Result<(), CliError> {
        let refused = |mut it: PlanError| {
            it.file.clone_from(&shown);
            faulty(it)
        };
        self.sources.insert(&name, text).map_err(refused)?;
        self.names.insert(name, shown);
        Ok(())
    }

    /// What the configuration declares.
    fn input(mut self, root: &Root, folder: &str) -> Result<Input, CliError> {
        let (plan, takes) = self.complete(root, |it| Ok((it.plan()?, it.variables())))?;
        let mut plan = shown(plan, &self.options, &self.names);
        plan.notes.extend(self.notes);
        let sources = &self.sources;
        let text = |(name, shown): (&String, &String)| {
            Some((shown.clone(), sources.get(name)?.to_owned()))
        };
        let sources = self.names.iter().filter_map(text).collect();
        let file = root.join(folder).display().to_string();
        let origin = Origin::Source { options: Box::new(self.options), names: self.names };
        Ok(Input { file, plan, document: None, sources, origin, takes })
    }

    fn faulty(&self, root: &Root, mut error: PlanError) -> CliError {
        let shown = self.names.get(&error.file).cloned();
        error.file = shown.unwrap_or_else(|| root.join(&error.file).display().to_string());
        faulty(error)
    }
}

/// What sources declare, under the names by which their user knows them.
///
/// # Errors
///
/// As [`hcl::read`], under the names of the sources.
pub fn plan(
    sources: &Sources,
    options: &Options,
    names: &BTreeMap<String, String>,
) -> Result<Plan, PlanError> {
    Ok(shown(hcl::read(sources, options)?, options, names))
}

/// A plan under the names by which its user knows the sources.
fn shown(mut plan: Plan, options: &Options, names: &BTreeMap<String, String>) -> Plan {
    plan.account = plan.account.or_else(|| options.account.clone());
    plan.region = plan.region.or_else(|| options.region.clone());
    let declared = plan.declared.iter_mut();
    let places = declared.flat_map(|it| it.at.iter_mut().chain(it.places.values_mut()));
    let noted = plan.notes.iter_mut().filter_map(|it| it.at.as_mut());
    for place in places.chain(noted) {
        if let Some(shown) = names.get(&place.file) {
            place.file.clone_from(shown);
        }
    }
    plan
}

/// A name in a folder among the sources.
fn below(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}
