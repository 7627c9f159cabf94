//! Puts the parts together: configuration, library, world, store, pipeline.
//!
//! One way to do it, for every command that acts. A data folder that belongs to a simulated account
//! (made by `quell demo`) says so itself, and every command then works on that account.

use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::embedded::Embedded;
use crate::journal::{Journal, JournalError};
use crate::organization;
use crate::pipeline::deadline::Deadline;
use crate::pipeline::{Pipeline, Readback, Scope};
use crate::secret::reference::Reference;
use crate::secret::{SecretError, Secrets};
use crate::simulation::{self, SimulatedAccount};
use crate::store::dynamodb::Dynamo;
use crate::store::error::StoreError;
use crate::store::keys::{self, KeyError};
use crate::telemetry::Telemetry;
use crate::telemetry::watched::Watched;
use camino::{Utf8Path, Utf8PathBuf};
use quell_core::scope::glob;
use quell_library::Library;
use quell_library::aws::Aws;
use quell_library::cloud::{CloudError, World};
use quell_library::folder::{self, FolderError};
use quell_library::live::Live;
use std::sync::Arc;
use thiserror::Error;

/// Everything that acts.
pub struct Runtime {
    /// The configuration, the organization's accounts in it.
    pub config: Config,
    /// Which accounts of the organization are not looked at, and why.
    pub left_out: Vec<String>,
    /// The path of an event.
    pub pipeline: Arc<Pipeline>,
    /// The store behind it.
    pub store: Arc<dyn Journal>,
    /// The data folder: the embedded store's, and where put-aside deliveries are kept.
    pub data_dir: Utf8PathBuf,
    /// The live cloud, where it is one.
    pub live: Option<Arc<Live>>,
    /// Resolves references to secrets.
    pub secrets: Arc<Secrets>,
    /// Measures what is done.
    pub telemetry: Arc<Telemetry>,
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Runtime").field("data_dir", &self.data_dir).finish_non_exhaustive()
    }
}

/// Why nothing can act.
#[derive(Debug, Error)]
pub enum RuntimeError {
    /// A policy folder is faulty.
    #[error(transparent)]
    Policies(#[from] FolderError),
    /// The organization does not tell its accounts.
    #[error("the organization's accounts can't be listed: {0}")]
    Organization(#[source] CloudError),
    /// The store can't be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The signing key can't be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A secret does not resolve.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The simulated account can't be read.
    #[error("{0}")]
    Simulation(String),
    /// The store does not take what was recorded.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The configuration contradicts itself.
    #[error("{0}")]
    Config(String),
}

impl Runtime {
    /// Opens the store that is configured, or the one in `data_dir`, and connects to the cloud.
    pub async fn open(mut config: Config, data_dir: &Utf8Path) -> Result<Runtime, RuntimeError> {
        let library = Arc::new(library(&config)?);
        // A simulated account is in no organization.
        let left_out = match simulation::is_simulated(data_dir) {
            true => Vec::new(),
            false => organization::join(&mut config).await.map_err(RuntimeError::Organization)?,
        };
        let (world, clock, live) = world(&config, data_dir).await?;
        let telemetry = Arc::new(Telemetry::default());
        let secrets = Arc::new(secrets(&config, Arc::clone(&clock), Arc::clone(&telemetry)));
        let store = store(&config, &secrets, data_dir, live.as_deref(), &clock).await?;
        telemetry.remember(&store.history());
        let mut pipeline = Pipeline::new(
            library,
            world,
            Arc::new(Watched::new(Arc::clone(&store), Arc::clone(&telemetry))),
            clock,
            config.guardrails.clone(),
            scope(&config),
        );
        pipeline.readback = Readback {
            readback_attempts_max: config.limits.readback_attempts_max,
            readback_wait_ms: config.limits.readback_wait_ms,
        };
        pipeline.observer = telemetry.observer();
        pipeline.deadline = Deadline::new(config.limits.apply_time_min_ms);
        let data_dir = data_dir.to_owned();
        let pipeline = Arc::new(pipeline);
        Ok(Runtime { config, left_out, pipeline, store, data_dir, live, secrets, telemetry })
    }
}

impl Runtime {
    /// Logs which accounts of the organization are not looked at.
    pub fn tell_left_out(&self) {
        for it in &self.left_out {
            tracing::warn!(why = it, "not looked at");
        }
    }
}

/// The enabled policies, built in and private. A name that fits none is an error: what somebody
/// wanted to have watched would not be.
pub fn library(config: &Config) -> Result<Library, FolderError> {
    let mut folders = folder::builtin()?;
    for path in &config.policies.folders {
        folders.extend(folder::from_disk(path)?);
    }
    let wanted = &config.policies.enabled;
    let is_known = |name: &String| folders.iter().any(|it| glob(name, &it.id));
    let is_id = |name: &String| folders.iter().any(|it| it.id == *name);
    let params = config.policies.params.keys();
    let unknown =
        wanted.iter().find(|it| !is_known(it)).or(params.into_iter().find(|it| !is_id(it)));
    if let Some(name) = unknown {
        return Err(FolderError::Unknown(name.clone()));
    }
    folders.retain(|it| wanted.iter().any(|wanted| glob(wanted, &it.id)));
    Library::load(folders, &config.policies.params, config.policy_limits())
}

type OpenWorld = (Arc<dyn World>, Arc<dyn Clock>, Option<Arc<Live>>);

async fn world(config: &Config, data_dir: &Utf8Path) -> Result<OpenWorld, RuntimeError> {
    if simulation::is_simulated(data_dir) {
        let account = SimulatedAccount::load(data_dir).map_err(RuntimeError::Simulation)?;
        let clock = account.clock();
        return Ok((Arc::new(account), Arc::new(clock), None));
    }
    let aws = Aws::connect(config.aws_settings()).await;
    let live = Arc::new(Live::new(aws, config.trust()));
    Ok((Arc::clone(&live) as Arc<dyn World>, Arc::new(SystemClock), Some(live)))
}

/// What resolves the configuration's references to secrets.
pub fn secrets(config: &Config, clock: Arc<dyn Clock>, telemetry: Arc<Telemetry>) -> Secrets {
    Secrets::new(config.secrets.clone(), config.aws_settings(), clock, telemetry)
}

async fn store(
    config: &Config,
    secrets: &Secrets,
    data_dir: &Utf8Path,
    live: Option<&Live>,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<dyn Journal>, RuntimeError> {
    let clock = Arc::clone(clock);
    let Some(settings) = config.store.dynamodb.clone() else {
        let key = signing_key(config, secrets, data_dir).await?;
        return Ok(Arc::new(Embedded::open(data_dir, clock, key)?));
    };
    Ok(Arc::new(match live {
        Some(live) => Dynamo::new(live.aws(), settings, clock),
        None => Dynamo::new(&Aws::connect(config.aws_settings()).await, settings, clock),
    }))
}

/// The key that signs the embedded store's checkpoints, if one is configured.
pub async fn signing_key(
    config: &Config,
    secrets: &Secrets,
    data_dir: &Utf8Path,
) -> Result<Option<ed25519_dalek::SigningKey>, RuntimeError> {
    let Some(reference) = &config.store.signing_key else { return Ok(None) };
    if let Reference::File(path) = Reference::parse(reference)? {
        keys::lies_outside(Utf8Path::new(&path), data_dir)?;
    }
    let pem = secrets.get(reference).await?;
    Ok(Some(keys::signing_key(pem.expose(), reference)?))
}

/// Which accounts are ours, and as whom we act there.
pub fn scope(config: &Config) -> Scope {
    let accounts = config.aws.accounts.iter();
    let roles = accounts.clone().flat_map(|(_, it)| {
        [&it.read_role, &it.write_role, &it.undo_role].into_iter().flatten().cloned()
    });
    Scope { own_roles: roles.collect(), accounts: accounts.map(|(id, _)| id.clone()).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_fits_no_policy_is_refused() {
        let config = |text: &str| Config::parse(text).unwrap();
        let known = config("policies: { enabled: ['aws.s3.*'] }");
        assert_eq!(library(&known).unwrap().policies().len(), 4);
        for typo in [
            "policies: { enabled: ['aws.s4.*'] }",
            "policies: { params: { aws.ec2.admin_port: { ports: [22] } } }",
            "policies: { params: { 'aws.ec2.*': { ports: [22] } } }",
        ] {
            let refused = library(&config(typo));
            assert!(matches!(refused, Err(FolderError::Unknown(_))), "{typo}: {refused:?}");
        }
        assert!(Config::parse("policies: { enabled: [] }").is_err());
    }
}
