//! A policy's folder: built in, or on disk.

use quell_core::policy::{Policy, PolicyLimits, PolicyLoadError};
use rust_embed::RustEmbed;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use thiserror::Error;

/// The deepest folder below a `--policies` folder that is searched.
pub const FOLDER_DEPTH_MAX: usize = 8;
/// The most policies that are loaded.
pub const POLICIES_MAX: usize = 2_000;

/// Where a built-in policy lies.
pub const BUILT_IN: &str = "built in";

/// The text of one policy's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyFolder {
    /// The id that the folder's path demands; for a folder on disk, the id that its YAML gives.
    pub id: String,
    /// Where it lies, for messages: a path, or [`BUILT_IN`].
    pub place: String,
    /// `policy.yaml`.
    pub yaml: String,
    /// `policy.rego`.
    pub rego: String,
    /// Cases by name.
    pub cases: BTreeMap<String, Case>,
}

/// One case of a policy: an event and the state that a read would see after it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Case {
    /// `event.json`.
    pub event: String,
    /// `state.json`.
    pub state: String,
}

/// Why a folder could not be loaded.
#[derive(Debug, Error)]
pub enum FolderError {
    /// The policy in it is faulty.
    #[error("policy `{id}` ({place}): {source}")]
    Policy {
        /// Its id.
        id: String,
        /// Where it lies.
        place: String,
        /// What is wrong.
        source: PolicyLoadError,
    },
    /// The policy does not fit the rest.
    #[error("policy `{id}` ({place}): {problem}")]
    Fault {
        /// Its id.
        id: String,
        /// Where it lies.
        place: String,
        /// What is wrong.
        problem: String,
    },
    /// The configuration names a policy that there is not.
    #[error("there is no policy `{0}`")]
    Unknown(String),
    /// A file could not be read.
    #[error("`{path}`: {problem}")]
    File {
        /// Its path.
        path: String,
        /// What is wrong.
        problem: String,
    },
}

impl PolicyFolder {
    /// Compiles the policy; its `id` must be the folder's. The Rego of a built-in one, which our
    /// tests have compiled, waits until it is needed.
    pub fn compile(
        &self,
        params: &BTreeMap<String, Value>,
        limits: PolicyLimits,
    ) -> Result<Policy, FolderError> {
        let load = if self.place == BUILT_IN { Policy::deferred } else { Policy::compile };
        let policy = load(&self.yaml, &self.rego, params, limits).map_err(|source| {
            FolderError::Policy { id: self.id.clone(), place: self.place.clone(), source }
        })?;
        if policy.id() != self.id {
            return Err(self.fault(&format!("policy.yaml gives the id `{}`", policy.id())));
        }
        Ok(policy)
    }

    /// An error about this folder.
    pub fn fault(&self, problem: &str) -> FolderError {
        FolderError::Fault {
            id: self.id.clone(),
            place: self.place.clone(),
            problem: problem.to_owned(),
        }
    }
}

#[derive(RustEmbed)]
#[folder = "."]
#[include = "*/policy.yaml"]
#[include = "*/policy.rego"]
#[include = "*/cases/*.json"]
struct Builtin;

/// The folders that are built in.
pub fn builtin() -> Result<Vec<PolicyFolder>, FolderError> {
    let mut folders: BTreeMap<String, PolicyFolder> = BTreeMap::new();
    for path in Builtin::iter() {
        let text = Builtin::get(&path).map(|it| it.data.into_owned()).unwrap_or_default();
        let text = String::from_utf8(text)
            .map_err(|it| FolderError::File { path: path.to_string(), problem: it.to_string() })?;
        let parts: Vec<&str> = path.split('/').collect();
        let (id, rest) = match parts.as_slice() {
            [id @ .., "cases", case, file] => (id.join("."), Some((*case, *file))),
            [id @ .., _file] => (id.join("."), None),
            [] => continue,
        };
        let folder = folders.entry(id.clone()).or_insert_with(|| PolicyFolder {
            id,
            place: BUILT_IN.to_owned(),
            yaml: String::new(),
            rego: String::new(),
            cases: BTreeMap::new(),
        });
        match rest {
            Some((case, file)) => folder.cases.entry(case.to_owned()).or_default().set(file, text),
            None if path.ends_with(".yaml") => folder.yaml = text,
            None => folder.rego = text,
        }
    }
    Ok(folders.into_values().collect())
}

impl Case {
    fn set(&mut self, file: &str, text: String) {
        match file {
            "event.json" => self.event = text,
            "state.json" => self.state = text,
            _ => {}
        }
    }
}

/// Every policy folder below a folder on disk.
pub fn from_disk(root: &Path) -> Result<Vec<PolicyFolder>, FolderError> {
    let mut folders = Vec::new();
    search(root, FOLDER_DEPTH_MAX, &mut folders)?;
    if folders.is_empty() {
        return Err(file_error(root, "holds no folder with a policy.yaml"));
    }
    Ok(folders)
}

fn search(at: &Path, depth: usize, folders: &mut Vec<PolicyFolder>) -> Result<(), FolderError> {
    if POLICIES_MAX <= folders.len() {
        return Err(file_error(at, &format!("more than {POLICIES_MAX} policies")));
    }
    if at.join("policy.yaml").is_file() {
        folders.push(read_folder(at)?);
        return Ok(());
    }
    let Some(depth) = depth.checked_sub(1) else { return Ok(()) };
    for entry in sorted(at)? {
        if entry.is_dir() {
            search(&entry, depth, folders)?;
        }
    }
    Ok(())
}

fn read_folder(at: &Path) -> Result<PolicyFolder, FolderError> {
    let yaml = read(&at.join("policy.yaml"))?;
    let rego = read(&at.join("policy.rego"))?;
    let mut cases = BTreeMap::new();
    if at.join("cases").is_dir() {
        for entry in sorted(&at.join("cases"))?.iter().filter(|it| it.is_dir()) {
            let name = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let event = read(&entry.join("event.json"))?;
            cases.insert(name, Case { event, state: read(&entry.join("state.json"))? });
        }
    }
    // The id is needed before the whole is checked: a wrong file still gets a message with a name.
    let id = yaml.lines().find_map(|it| it.strip_prefix("id:")).unwrap_or("?").trim().to_owned();
    Ok(PolicyFolder { id, place: at.display().to_string(), yaml, rego, cases })
}

fn sorted(at: &Path) -> Result<Vec<std::path::PathBuf>, FolderError> {
    let entries = std::fs::read_dir(at).map_err(|it| file_error(at, &it.to_string()))?;
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry.map_err(|it| file_error(at, &it.to_string()))?.path());
    }
    paths.sort();
    Ok(paths)
}

fn read(path: &Path) -> Result<String, FolderError> {
    let failed = |it: std::io::Error| file_error(path, &it.to_string());
    let file = std::fs::File::open(path).map_err(failed)?;
    // A device has no size and no end.
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(file_error(path, "is no file"));
    }
    std::io::read_to_string(file).map_err(failed)
}

fn file_error(path: &Path, problem: &str) -> FolderError {
    FolderError::File { path: path.display().to_string(), problem: problem.to_owned() }
}
