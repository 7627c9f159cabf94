//! Sessions per account, region and purpose.

use super::shared::Shared;
use crate::cloud::CloudError;
use crate::permissions::{heartbeat_policy, session_policy};
use aws_config::sts::AssumeRoleProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use quell_core::action::ActionMeta;
use quell_core::change::{Change, Direction};
use quell_core::decide::authorized::Authorized;
use quell_core::heartbeat::Heartbeat;
use quell_core::region::{home_region, is_region, partition};
use quell_core::resource::ResourceRef;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;
use tokio::sync::Mutex;

/// The longest name of a role session that STS takes, in characters.
pub const SESSION_NAME_MAX_CHARS: usize = 64;

/// The call that tells who calls.
const WHO: &str = "sts:GetCallerIdentity";

/// Where and as whom AWS is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsSettings {
    /// Profile of the shared configuration files.
    pub profile: Option<String>,
    /// The region of global services and of STS.
    pub region: String,
    /// The regions that are watched; empty means [`AwsSettings::region`] alone.
    pub regions: BTreeSet<String>,
    /// Another endpoint than AWS', for an emulator or a proxy.
    pub endpoint_url: Option<String>,
    /// How each account is entered; an account that is not listed is not touched.
    pub accounts: BTreeMap<String, AccountAccess>,
    /// Most attempts of one call, the first included.
    pub call_attempts_max: u32,
    /// Longest time of one call with all its attempts, in milliseconds.
    pub call_time_max_ms: u64,
}

impl Default for AwsSettings {
    fn default() -> AwsSettings {
        AwsSettings {
            profile: None,
            region: "us-east-1".to_owned(),
            regions: BTreeSet::new(),
            endpoint_url: None,
            accounts: BTreeMap::new(),
            call_attempts_max: 5,
            call_time_max_ms: 30_000,
        }
    }
}

impl AwsSettings {
    /// The regions that are watched, at least one.
    pub fn watched_regions(&self) -> Vec<&str> {
        match self.regions.is_empty() {
            true => vec![&self.region],
            false => self.regions.iter().map(String::as_str).collect(),
        }
    }
}

/// How one account is entered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccountAccess {
    /// Role for reads.
    pub read_role: Option<String>,
    /// Role for fixes.
    pub write_role: Option<String>,
    /// Role for undo.
    pub undo_role: Option<String>,
    /// External id that the roles' trust policies demand.
    pub external_id: Option<String>,
}

impl AccountAccess {
    /// The roles that our own calls can come from.
    pub fn own_roles(&self) -> impl Iterator<Item = &str> {
        [&self.read_role, &self.write_role, &self.undo_role].into_iter().flatten().map(|it| &**it)
    }
}

/// Entry to all configured accounts.
#[derive(Debug)]
pub struct Aws {
    settings: AwsSettings,
    base: SdkConfig,
    readers: Mutex<HashMap<(String, String), SdkConfig>>,
    shared: Shared,
}

impl Aws {
    /// Loads the standard credential chain. Nothing is called yet.
    pub async fn connect(settings: AwsSettings) -> Aws {
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(super::http::client())
            .region(Region::new(settings.region.clone()))
            .retry_config(
                aws_config::retry::RetryConfig::adaptive()
                    .with_max_attempts(settings.call_attempts_max),
            )
            .timeout_config(
                aws_config::timeout::TimeoutConfig::builder()
                    .operation_timeout(Duration::from_millis(settings.call_time_max_ms))
                    .build(),
            );
        if let Some(profile) = &settings.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(url) = &settings.endpoint_url {
            loader = loader.endpoint_url(url);
        }
        let base = loader.load().await;
        Aws { settings, base, readers: Mutex::default(), shared: Shared::default() }
    }

    /// An entry whose base configuration the caller has made, with credentials of its own.
    pub fn with_base(settings: AwsSettings, base: SdkConfig) -> Aws {
        Aws { settings, base, readers: Mutex::default(), shared: Shared::default() }
    }

    /// The settings that it was made with.
    pub fn settings(&self) -> &AwsSettings {
        &self.settings
    }

    /// Answers that reads share.
    pub fn shared(&self) -> &Shared {
        &self.shared
    }

    /// The process' own credentials in a region, for sources such as SQS.
    pub fn own(&self, region: &str) -> SdkConfig {
        self.in_region(region)
    }

    /// A session that asks for the accounts of our organization: one of this role, or the process'
    /// own.
    pub async fn lister(&self, role: Option<&str>, external_id: Option<&str>) -> SdkConfig {
        let home = home_region(partition(&self.settings.region));
        let Some(role) = role else { return self.in_region(home) };
        let external_id = external_id.map(str::to_owned);
        let access = AccountAccess { external_id, ..AccountAccess::default() };
        self.assume(role, &access, home, "quell-organization", None).await
    }

    /// A session that reads a resource, in its account and region.
    pub async fn reader(&self, resource: &ResourceRef) -> Result<SdkConfig, CloudError> {
        self.reader_in(&resource.account, &resource.region).await
    }

    /// A session that reads in an account and region. That it is one of this account is asked
    /// once: IAM is addressed by name, and a name exists in other accounts, too.
    pub async fn reader_in(&self, account: &str, region: &str) -> Result<SdkConfig, CloudError> {
        let access = self.access(account)?;
        // It becomes part of a host's name, and comes from an event.
        if !is_region(region) {
            let problem = format!("`{region}` is no name of a region");
            return Err(CloudError::unsupported("region", problem));
        }
        let key = (account.to_owned(), region.to_owned());
        let (found, known) = {
            let readers = self.readers.lock().await;
            (readers.get(&key).cloned(), readers.keys().any(|(it, _)| it == account))
        };
        if let Some(found) = found {
            return Ok(found);
        }
        let made = match &access.read_role {
            Some(role) => self.assume(role, access, region, "quell-read", None).await,
            None => self.in_region(region),
        };
        if !known {
            let (found, arn) = who(&made).await?;
            if found != account {
                let problem = format!("`{arn}` is of account `{found}`, not of `{account}`");
                return Err(CloudError::unsupported(WHO, problem));
            }
        }
        self.readers.lock().await.insert(key, made.clone());
        Ok(made)
    }

    /// ARN of the session that reads in an account.
    pub async fn who_reads(&self, account: &str) -> Result<String, CloudError> {
        Ok(who(&self.reader_in(account, &self.settings.region).await?).await?.1)
    }

    /// A session that can make just this change.
    pub async fn writer(
        &self,
        action: &ActionMeta,
        change: &Authorized<Change>,
        session: &str,
    ) -> Result<SdkConfig, CloudError> {
        let change = change.get();
        let policy = session_policy(action, change);
        self.narrowed(action.name, &change.resource, change.direction, session, policy).await
    }

    /// A session that can write just this heartbeat.
    pub async fn heart(&self, heartbeat: &Authorized<Heartbeat>) -> Result<SdkConfig, CloudError> {
        let Heartbeat { rule, nonce } = heartbeat.get();
        let policy = heartbeat_policy(rule);
        let session = format!("quell-heartbeat-{nonce}");
        self.narrowed("heartbeat", rule, Direction::Forward, &session, policy).await
    }

    /// A session of the role that a direction demands, which can do no more than `policy`.
    async fn narrowed(
        &self,
        operation: &str,
        resource: &ResourceRef,
        direction: Direction,
        session: &str,
        policy: Value,
    ) -> Result<SdkConfig, CloudError> {
        let access = self.access(&resource.account)?;
        let (role, name) = match direction {
            Direction::Forward => (&access.write_role, "write_role"),
            Direction::Undo => (&access.undo_role, "undo_role"),
        };
        match role {
            Some(role) => {
                let policy = Some(policy.to_string());
                Ok(self.assume(role, access, &resource.region, session, policy).await)
            }
            None if access.own_roles().next().is_some() => Err(CloudError::unsupported(
                operation,
                format!("account `{}` has roles configured, but no {name}", resource.account),
            )),
            None => Ok(self.in_region(&resource.region)),
        }
    }

    fn access(&self, account: &str) -> Result<&AccountAccess, CloudError> {
        self.settings.accounts.get(account).ok_or_else(|| {
            CloudError::unsupported("account", format!("account `{account}` is not configured"))
        })
    }

    fn in_region(&self, region: &str) -> SdkConfig {
        self.base.clone().into_builder().region(Region::new(region.to_owned())).build()
    }

    async fn assume(
        &self,
        role: &str,
        access: &AccountAccess,
        region: &str,
        session: &str,
        policy: Option<String>,
    ) -> SdkConfig {
        let mut builder = AssumeRoleProvider::builder(role)
            .configure(&self.base)
            .region(Region::new(self.settings.region.clone()))
            .session_name(session_name(session));
        if let Some(id) = &access.external_id {
            builder = builder.external_id(id);
        }
        if let Some(policy) = policy {
            builder = builder.policy(policy);
        }
        let provider = SharedCredentialsProvider::new(builder.build().await);
        self.in_region(region).into_builder().credentials_provider(provider).build()
    }
}

/// Account and ARN of a session. Needs no permission.
async fn who(config: &SdkConfig) -> Result<(String, String), CloudError> {
    let call = aws_sdk_sts::Client::new(config).get_caller_identity();
    let answer = call.send().await.map_err(|it| super::errors::cloud_error(WHO, &it))?;
    Ok((answer.account.unwrap_or_default(), answer.arn.unwrap_or_default()))
}

/// A session name that STS takes: letters, digits and `_=,.@-`, at most 64.
fn session_name(wanted: &str) -> String {
    let fits = |it: char| it.is_ascii_alphanumeric() || "_=,.@-".contains(it);
    wanted.chars().map(|it| if fits(it) { it } else { '-' }).take(SESSION_NAME_MAX_CHARS).collect()
}
