//! The options that every command has, and what they lead to.

use crate::config::{Config, DynamoConfig};
use crate::exit::CliError;
use crate::output::Color;
use crate::runtime;
use crate::telemetry::log::{self, LogFormat};
use camino::{Utf8Path, Utf8PathBuf};
use quell_library::Library;
use quell_library::folder;
use std::env;
use std::path::{Path, PathBuf};

/// Options of every command.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// The configuration file; without one, everything is observed and nothing changed
    #[arg(long, global = true, value_name = "FILE", env = "QUELL_CONFIG", hide_env_values = true)]
    pub config: Option<Utf8PathBuf>,
    /// The folder of the ledger and its state [default: $XDG_STATE_HOME/quell, or
    /// ~/.local/state/quell]
    #[arg(long, global = true, value_name = "DIR", env = "QUELL_DATA_DIR", hide_env_values = true)]
    data_dir: Option<Utf8PathBuf>,
    /// The distributed store, `dynamodb://NAME` or `dynamodb://NAME?region=REGION`, in place of a
    /// data folder [default: the configuration's `store.dynamodb`, unless --data-dir is given]
    #[arg(long, global = true, value_name = "URL", env = "QUELL_STORE", hide_env_values = true)]
    store: Option<String>,
    /// A folder of private policies to add, or ids (`aws.s3.*`) to use only these; repeatable
    #[arg(long, global = true, value_name = "DIR|ID")]
    pub policies: Vec<String>,
    /// When to use colors
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub color: Color,
    /// Log more on standard error: -v what is done, -vv every step
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
}

impl Global {
    /// Where the ledger lies.
    pub fn data_dir(&self) -> Result<Utf8PathBuf, CliError> {
        if let Some(given) = given(&self.data_dir) {
            return Ok(given.clone());
        }
        let state = match (folder_variable("XDG_STATE_HOME"), folder_variable("HOME")) {
            (Some(state), _) => state,
            (None, Some(home)) => home.join(".local/state"),
            (None, None) => {
                return Err(CliError::usage("no home folder is known to keep the ledger in")
                    .hint("name a folder with --data-dir or QUELL_DATA_DIR"));
            }
        };
        Ok(state.join("quell"))
    }

    /// Which store the ledger lies in: the one that is nearest on the command line, else the
    /// configured one, else the data folder's.
    fn choose_store(&self, config: &mut Config) -> Result<(), CliError> {
        let Some(url) = self.store.as_deref().filter(|it| !it.is_empty()) else {
            if given(&self.data_dir).is_some() {
                config.store.dynamodb = None;
            }
            return Ok(());
        };
        let (name, region) = store_url(url).ok_or_else(|| {
            CliError::usage(format!("`{url}` names no store"))
                .hint("write `dynamodb://NAME` or `dynamodb://NAME?region=eu-central-1`")
        })?;
        let configured = config.store.dynamodb.take().filter(|it| it.name == name);
        let mut settings = configured.unwrap_or_else(|| DynamoConfig::named(name));
        if let Some(region) = region {
            settings.region = Some(region.to_owned());
        }
        config.store.dynamodb = Some(settings);
        config.check().map_err(|it| CliError::usage("--store").because(it))
    }

    /// The folder that was named for the ledger, if one was.
    pub fn given_data_dir(&self) -> Option<&Utf8Path> {
        self.data_dir.as_deref()
    }

    /// The configuration file; without one, the defaults.
    pub fn config(&self) -> Result<Config, CliError> {
        let mut config = match given(&self.config) {
            None => Config::default(),
            Some(path) => Config::load(path.as_std_path()).map_err(|it| {
                CliError::usage("the configuration cannot be used")
                    .because(it)
                    .hint("every setting is described in docs/reference/config.md")
            })?,
        };
        self.choose_store(&mut config)?;
        Ok(config)
    }

    /// The configuration, with the policies that the command line names.
    pub fn acting_config(&self) -> Result<Config, CliError> {
        let mut config = self.config()?;
        let (folders, ids): (Vec<&String>, Vec<&String>) =
            self.policies.iter().partition(|it| is_folder(it));
        config.policies.folders.extend(folders.into_iter().map(PathBuf::from));
        if !ids.is_empty() {
            config.policies.enabled = ids.into_iter().cloned().collect();
        }
        Ok(config)
    }

    /// The enabled policies of [`Global::acting_config`], compiled.
    pub fn library(config: &Config) -> Result<Library, CliError> {
        runtime::library(config).map_err(bad_policy)
    }

    /// Starts the log on standard error.
    pub(super) fn start_log(&self) {
        let level = match self.verbose {
            0 => "warn",
            1 => "quell=info,warn",
            2 => "quell=debug,info",
            _ => "trace",
        };
        log::start(LogFormat::from_variable(LogFormat::Text), level);
    }
}

/// A policy that nobody has.
pub fn unknown_policy(id: &str) -> CliError {
    let error = CliError::usage(format!("there is no policy `{id}`"));
    error.hint("`quell policy list` shows the ids; a folder is named with a `/`, as in `./mine`")
}

/// A policy folder that does not load.
pub fn bad_policy(error: folder::FolderError) -> CliError {
    if let folder::FolderError::Unknown(id) = &error {
        return unknown_policy(id);
    }
    CliError::usage("the policies could not be loaded")
        .because(error)
        .hint("`quell policy lint DIR` lists everything that is wrong with a folder")
}

/// Name and region in `dynamodb://NAME?region=REGION`.
fn store_url(url: &str) -> Option<(&str, Option<&str>)> {
    let rest = url.strip_prefix("dynamodb://")?;
    match rest.split_once('?') {
        None => Some((rest, None)),
        Some((name, query)) => Some((name, Some(query.strip_prefix("region=")?))),
    }
}

/// An empty variable is one that is not set.
fn given(path: &Option<Utf8PathBuf>) -> Option<&Utf8PathBuf> {
    path.as_ref().filter(|it| !it.as_str().is_empty())
}

/// An id holds no slash, and no folder of that name lies here.
fn is_folder(given: &str) -> bool {
    given.contains('/') || given == "." || given == ".." || Path::new(given).is_dir()
}

fn folder_variable(name: &str) -> Option<Utf8PathBuf> {
    env::var(name).ok().filter(|it| !it.is_empty()).map(Utf8PathBuf::from)
}
