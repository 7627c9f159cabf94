//! The configuration: one YAML file, every setting with a finite default.
//!
//! Parsed twice: [`Config`] is the file as written, where unknown keys are refused with line and
//! column; [`Config::check`] then says what the types can't, by the name of the setting. Secrets
//! stand in it as references only.

use crate::organization::OrganizationConfig;
use crate::scan::AT_ONCE_MAX;
use crate::scan::pace::LOOKS_PER_S_MAX;
use crate::secret::config::SecretsConfig;
use crate::secret::reference::Reference;
use jiff::Timestamp;
use quell_core::decide::guardrails::Guardrails;
use quell_core::heartbeat::{HEARTBEAT_LATE_S, HEARTBEAT_WINDOW_S};
use quell_core::normalize::DOCUMENT_MAX_BYTES;
use quell_core::policy::{POLICY_INSTRUCTIONS_MAX, POLICY_TIME_MAX_MS, PolicyLimits};
use quell_core::resource::Trust;
use quell_library::aws::{AccountAccess, AwsSettings};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_saphyr::Error as YamlError;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The largest configuration file, in bytes.
pub const CONFIG_MAX_BYTES: u64 = 4 * 1024 * 1024;

/// The whole configuration file.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where and as whom AWS is called.
    pub aws: AwsConfig,
    /// Whom the owner trusts: what turns "outside" into "ours".
    pub trust: TrustConfig,
    /// Which policies are enabled, and with which parameters.
    pub policies: PoliciesConfig,
    /// Modes, exemptions and all limits of acting.
    pub guardrails: Guardrails,
    /// Where events come from.
    pub sources: SourcesConfig,
    /// Where the ledger and its state lie.
    pub store: StoreConfig,
    /// How references to secrets are resolved.
    pub secrets: SecretsConfig,
    /// Heartbeats, by which silence and blindness are told apart; none are written without it.
    pub heartbeat: Option<HeartbeatConfig>,
    /// Limits of the process.
    pub limits: LimitsConfig,
}

/// Where and as whom AWS is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AwsConfig {
    /// Profile of AWS' shared configuration files.
    pub profile: Option<String>,
    /// Region of global services and of STS.
    pub region: String,
    /// Regions that scans go through and heartbeats are written in; none means `region` alone.
    /// Events are taken from any region.
    pub regions: BTreeSet<String>,
    /// Another endpoint than AWS', for an emulator or a proxy.
    pub endpoint_url: Option<String>,
    /// The accounts that are ours, by account id. Events of any other account are put aside.
    pub accounts: BTreeMap<String, AccountConfig>,
    /// An organization whose accounts are ours, too; it is asked for them at each start.
    pub organization: Option<OrganizationConfig>,
    /// Most attempts of one call, the first included.
    pub call_attempts_max: u32,
    /// Longest time of one call with all its attempts, in milliseconds.
    pub call_time_max_ms: u64,
}

impl Default for AwsConfig {
    fn default() -> AwsConfig {
        let settings = AwsSettings::default();
        AwsConfig {
            profile: settings.profile,
            region: settings.region,
            regions: settings.regions,
            endpoint_url: settings.endpoint_url,
            accounts: BTreeMap::new(),
            organization: None,
            call_attempts_max: settings.call_attempts_max,
            call_time_max_ms: settings.call_time_max_ms,
        }
    }
}

/// How one account is entered. Without roles, the process' own credentials are used as they are.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AccountConfig {
    /// ARN of the role for reads.
    pub read_role: Option<String>,
    /// ARN of the role for fixes; each fix narrows it by a session policy to itself.
    pub write_role: Option<String>,
    /// ARN of the role for undo; the event path never assumes it.
    pub undo_role: Option<String>,
    /// External id that the roles' trust policies demand.
    pub external_id: Option<String>,
}

/// Whom the owner trusts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TrustConfig {
    /// Account ids that count as ours, besides the configured ones.
    pub accounts: BTreeSet<String>,
    /// Organization ids (`o-…`).
    pub org_ids: BTreeSet<String>,
    /// Organization paths (`o-…/r-…/ou-…/`).
    pub org_paths: BTreeSet<String>,
    /// VPC ids.
    pub vpcs: BTreeSet<String>,
    /// VPC endpoint ids.
    pub vpc_endpoints: BTreeSet<String>,
    /// Principal ARNs.
    pub principals: BTreeSet<String>,
}

/// Which policies are enabled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PoliciesConfig {
    /// Policy ids, may hold `*`.
    pub enabled: Vec<String>,
    /// Folders with private policies; a relative one is looked up from the working folder.
    pub folders: Vec<PathBuf>,
    /// Parameters that override a policy's own, by policy id.
    pub params: BTreeMap<String, BTreeMap<String, Value>>,
    /// Most virtual-machine instructions of one judgment.
    pub policy_instructions_max: usize,
    /// Longest time of one judgment, in milliseconds.
    pub policy_time_max_ms: u64,
}

impl Default for PoliciesConfig {
    fn default() -> PoliciesConfig {
        PoliciesConfig {
            enabled: vec!["*".to_owned()],
            folders: Vec::new(),
            params: BTreeMap::new(),
            policy_instructions_max: POLICY_INSTRUCTIONS_MAX,
            policy_time_max_ms: POLICY_TIME_MAX_MS,
        }
    }
}

/// Where events come from; `quell run` reads them all.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SourcesConfig {
    /// SQS queues that EventBridge rules deliver to.
    pub sqs: Vec<SqsConfig>,
    /// Files or folders of events: `.json`, `.jsonl`, `.ndjson`, perhaps gzipped (`.gz`); `-` is
    /// standard input, one event per line.
    pub files: Vec<PathBuf>,
    /// Whether folders are watched for new files; else `run` ends when all files are read.
    pub follow: bool,
    /// An HTTP endpoint for EventBridge API destinations.
    pub webhook: Option<WebhookConfig>,
}

/// One queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SqsConfig {
    /// The queue's URL.
    pub queue_url: String,
    /// The queue's region; `aws.region` where it is absent.
    #[serde(default)]
    pub region: Option<String>,
}

/// The HTTP endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// Address to listen on, such as `127.0.0.1:8480`. Events are posted to `/events`, with the
    /// header `Authorization: Bearer TOKEN`.
    pub listen: String,
    /// Reference to the bearer token, such as `env://NAME` or `file:///path`.
    pub token: String,
}

/// Where the ledger and its state lie: the data folder, or tables that many writers share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StoreConfig {
    /// Reference to the Ed25519 private key (PKCS#8 PEM) that signs checkpoints, such as
    /// `file:///path`, which must lie outside the data folder.
    pub signing_key: Option<String>,
    /// How often a running service signs a checkpoint, in seconds; it also signs one when it ends.
    pub checkpoint_period_s: u64,
    /// The distributed store, in place of the data folder.
    pub dynamodb: Option<DynamoConfig>,
}

impl Default for StoreConfig {
    fn default() -> StoreConfig {
        StoreConfig { signing_key: None, checkpoint_period_s: 3600, dynamodb: None }
    }
}

/// The distributed store: the tables `<name>-ledger` and `<name>-state`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DynamoConfig {
    /// What the tables' names begin with.
    pub name: String,
    /// The tables' region; `aws.region` where it is absent.
    #[serde(default)]
    pub region: Option<String>,
    /// How long a resource's lease holds, in seconds: longer than a function may run.
    #[serde(default = "lease_time_s")]
    pub lease_time_s: u64,
    /// Longest wait for a lease that another writer has, in milliseconds; then the delivery comes
    /// again.
    #[serde(default = "lease_wait_max_ms")]
    pub lease_wait_max_ms: u64,
    /// Where checkpoints are kept, a bucket with Object Lock: `s3://BUCKET/PREFIX`.
    #[serde(default)]
    pub checkpoints: Option<String>,
    /// Who signs checkpoints: `kms://KEY_ARN` (ECC_NIST_P256), or a reference to an Ed25519 private
    /// key.
    #[serde(default)]
    pub signer: Option<String>,
    /// How long a checkpoint can't be removed, in days.
    #[serde(default = "checkpoint_retention_days")]
    pub checkpoint_retention_days: u32,
    /// Who could remove it earlier.
    #[serde(default)]
    pub checkpoint_lock: LockMode,
}

/// The mode of an object's lock. Source: "Using Object Lock" in the Amazon S3 user guide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LockMode {
    /// Whoever has `s3:BypassGovernanceRetention`.
    #[default]
    Governance,
    /// Nobody, not even the account's root user.
    Compliance,
}

/// What a signer that is a key in AWS KMS is written with.
pub const KMS_SCHEME: &str = "kms://";

/// The longest lease, in seconds: a day.
pub const LEASE_TIME_MAX_S: u64 = 24 * 3600;

fn lease_time_s() -> u64 {
    300
}

fn lease_wait_max_ms() -> u64 {
    20_000
}

fn checkpoint_retention_days() -> u32 {
    365
}

impl DynamoConfig {
    /// The store of a name, with the defaults.
    pub fn named(name: &str) -> DynamoConfig {
        DynamoConfig {
            name: name.to_owned(),
            region: None,
            lease_time_s: lease_time_s(),
            lease_wait_max_ms: lease_wait_max_ms(),
            checkpoints: None,
            signer: None,
            checkpoint_retention_days: checkpoint_retention_days(),
            checkpoint_lock: LockMode::default(),
        }
    }

    /// The reference to the signer's secret, where the signer is one.
    pub fn secret(&self) -> Option<&str> {
        self.signer.as_deref().filter(|it| !it.starts_with(KMS_SCHEME))
    }

    fn check(&self) -> Result<(), String> {
        let fits = |it: char| it.is_ascii_alphanumeric() || "_.-".contains(it);
        if self.name.is_empty() || !self.name.chars().all(fits) {
            return Err(format!("name: `{}` can't begin the name of a table", self.name));
        }
        if !(1..=LEASE_TIME_MAX_S).contains(&self.lease_time_s) {
            return Err(format!("lease_time_s: must be between 1 and {LEASE_TIME_MAX_S}"));
        }
        match &self.checkpoints {
            Some(it) if !it.starts_with("s3://") => {
                Err(format!("checkpoints: `{it}` is not `s3://BUCKET/PREFIX`"))
            }
            _ => Ok(()),
        }
    }
}

/// Heartbeats: a tag on a rule of ours in each watched account and region, whose audit event must
/// come back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HeartbeatConfig {
    /// Name of the rule that is tagged, after its bus and a slash where that is not the default
    /// one.
    pub rule: String,
    /// How often `quell run` writes one, in seconds.
    pub heartbeat_period_s: u64,
    /// How long one may take to come back before that is reported, in seconds.
    pub heartbeat_late_s: i64,
}

impl Default for HeartbeatConfig {
    fn default() -> HeartbeatConfig {
        HeartbeatConfig {
            rule: "quell-heartbeat".to_owned(),
            heartbeat_period_s: 300,
            heartbeat_late_s: HEARTBEAT_LATE_S,
        }
    }
}

/// Limits of the process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Most deliveries that are worked on at once.
    pub deliveries_at_once_max: usize,
    /// Most times that a delivery is tried at once; then a queue or sender delivers it again, and
    /// what came from a file is put aside.
    pub delivery_attempts_max: u32,
    /// Largest delivery, in bytes; at most 8 MiB. Of files each record is one, of at most 2 MiB.
    pub delivery_max_bytes: usize,
    /// Most reads after a change until it must show.
    pub readback_attempts_max: u32,
    /// First wait between these reads, in milliseconds; it doubles.
    pub readback_wait_ms: u64,
    /// Longest wait for work under way when the process is asked to stop, in seconds.
    pub shutdown_max_s: u64,
    /// Least time that must be left of a function's time-out to begin a change, in milliseconds.
    pub apply_time_min_ms: u64,
    /// Most resources and listings that a scan has under way at once.
    pub scan_at_once_max: usize,
    /// Most resources and listings that a scan begins in a second, for each service of each account
    /// and region; where a service throttles, it is asked less.
    pub scan_looks_per_s_max: u32,
}

impl Default for LimitsConfig {
    fn default() -> LimitsConfig {
        LimitsConfig {
            deliveries_at_once_max: 32,
            delivery_attempts_max: 5,
            delivery_max_bytes: DOCUMENT_MAX_BYTES,
            readback_attempts_max: 6,
            readback_wait_ms: 100,
            shutdown_max_s: 25,
            apply_time_min_ms: 10_000,
            scan_at_once_max: AT_ONCE_MAX,
            scan_looks_per_s_max: LOOKS_PER_S_MAX,
        }
    }
}

/// Why there is no usable configuration.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("`{path}`: {problem}")]
    File {
        /// Its path.
        path: String,
        /// What is wrong.
        problem: String,
    },
    /// The file does not say what it must.
    #[error("`{path}`: {problem}")]
    Content {
        /// Its path.
        path: String,
        /// What is wrong, with line and column where the text is at fault.
        problem: String,
    },
}

impl Config {
    /// Reads and checks a file.
    pub fn load(path: &Path) -> Result<Config, ConfigError> {
        let place = path.display().to_string();
        let file = |problem: String| ConfigError::File { path: place.clone(), problem };
        let opened = std::fs::File::open(path).map_err(|it| file(it.to_string()))?;
        let mut text = String::new();
        // A device or a pipe does not tell its size.
        opened
            .take(CONFIG_MAX_BYTES + 1)
            .read_to_string(&mut text)
            .map_err(|it| file(it.to_string()))?;
        if CONFIG_MAX_BYTES < text.len() as u64 {
            return Err(file(format!("larger than the limit of {CONFIG_MAX_BYTES} bytes")));
        }
        Config::parse(&text).map_err(|problem| ConfigError::Content { path: place, problem })
    }

    /// Parses and checks a text.
    pub fn parse(text: &str) -> Result<Config, String> {
        if text.trim().is_empty() {
            return Ok(Config::default());
        }
        let config: Config = serde_saphyr::from_str(text).map_err(|it| problem(&it))?;
        config.check()?;
        Ok(config)
    }

    /// Checks what the types can't say; the error names the setting.
    pub fn check(&self) -> Result<(), String> {
        self.guardrails.check().map_err(|it| format!("guardrails: {it}"))?;
        for (id, account) in &self.aws.accounts {
            check_account_id(id).map_err(|it| format!("aws.accounts: {it}"))?;
            account.check(id).map_err(|it| format!("aws.accounts.{id}: {it}"))?;
        }
        if let Some(it) = &self.aws.organization {
            it.check(&self.aws.accounts).map_err(|it| format!("aws.organization.{it}"))?;
        }
        for id in &self.trust.accounts {
            check_account_id(id).map_err(|it| format!("trust.accounts: {it}"))?;
        }
        if self.policies.enabled.is_empty() {
            return Err("policies.enabled: names no policy, so nothing would be watched".to_owned());
        }
        self.secrets.check().map_err(|it| format!("secrets.{it}"))?;
        for (setting, reference) in self.secret_references() {
            Reference::parse(reference).map_err(|it| format!("{setting}: {it}"))?;
        }
        if let Some(heartbeat) = &self.heartbeat {
            heartbeat.check().map_err(|it| format!("heartbeat.{it}"))?;
        }
        if DOCUMENT_MAX_BYTES < self.limits.delivery_max_bytes {
            return Err(format!("limits.delivery_max_bytes: at most {DOCUMENT_MAX_BYTES}"));
        }
        if let Some(dynamodb) = &self.store.dynamodb {
            dynamodb.check().map_err(|it| format!("store.dynamodb.{it}"))?;
        }
        let positive = [
            ("limits.deliveries_at_once_max", 0 < self.limits.deliveries_at_once_max),
            ("limits.delivery_attempts_max", 0 < self.limits.delivery_attempts_max),
            ("limits.delivery_max_bytes", 0 < self.limits.delivery_max_bytes),
            ("limits.readback_attempts_max", 0 < self.limits.readback_attempts_max),
            ("limits.scan_at_once_max", 0 < self.limits.scan_at_once_max),
            ("limits.scan_looks_per_s_max", 0 < self.limits.scan_looks_per_s_max),
            ("policies.policy_instructions_max", 0 < self.policies.policy_instructions_max),
            ("policies.policy_time_max_ms", 0 < self.policies.policy_time_max_ms),
            ("aws.call_attempts_max", 0 < self.aws.call_attempts_max),
            ("aws.call_time_max_ms", 0 < self.aws.call_time_max_ms),
            ("store.checkpoint_period_s", 0 < self.store.checkpoint_period_s),
        ];
        match positive.iter().find(|(_, is_positive)| !is_positive) {
            Some((name, _)) => Err(format!("{name}: must be at least 1")),
            None => Ok(()),
        }
    }

    /// Every reference to a secret, with the setting that holds it: what a role must be able to
    /// read, and nothing more.
    pub fn secret_references(&self) -> Vec<(&'static str, &str)> {
        let webhook = self.sources.webhook.as_ref().map(|it| it.token.as_str());
        let own = [
            ("sources.webhook.token", webhook),
            ("store.signing_key", self.store.signing_key.as_deref()),
            ("store.dynamodb.signer", self.store.dynamodb.as_ref().and_then(|it| it.secret())),
        ];
        let own = own.into_iter().filter_map(|(setting, it)| Some((setting, it?)));
        own.chain(self.secrets.references().map(|it| ("secrets.vault.auth", it))).collect()
    }

    /// AWS settings as the library takes them.
    pub fn aws_settings(&self) -> AwsSettings {
        let accounts = self.aws.accounts.iter();
        AwsSettings {
            profile: self.aws.profile.clone(),
            region: self.aws.region.clone(),
            regions: self.aws.regions.clone(),
            endpoint_url: self.aws.endpoint_url.clone(),
            accounts: accounts.map(|(id, it)| (id.clone(), it.access())).collect(),
            call_attempts_max: self.aws.call_attempts_max,
            call_time_max_ms: self.aws.call_time_max_ms,
        }
    }

    /// Whom the owner trusts: the configured accounts are ours.
    pub fn trust(&self) -> Trust {
        let accounts = self.trust.accounts.iter().chain(self.aws.accounts.keys());
        Trust {
            accounts: accounts.cloned().collect(),
            org_ids: self.trust.org_ids.clone(),
            org_paths: self.trust.org_paths.clone(),
            vpcs: self.trust.vpcs.clone(),
            vpc_endpoints: self.trust.vpc_endpoints.clone(),
            principals: self.trust.principals.clone(),
        }
    }

    /// Limits of judging.
    pub fn policy_limits(&self) -> PolicyLimits {
        PolicyLimits {
            policy_instructions_max: self.policies.policy_instructions_max,
            policy_time_max_ms: self.policies.policy_time_max_ms,
        }
    }

    /// Exemptions that run out before a moment: what `quell doctor` warns of.
    pub fn exemptions_ending_before(&self, moment: Timestamp) -> Vec<&str> {
        let exemptions = self.guardrails.exemptions.iter();
        exemptions.filter(|it| it.expires < moment).map(|it| it.id.as_str()).collect()
    }
}

impl HeartbeatConfig {
    fn check(&self) -> Result<(), String> {
        if self.rule.is_empty() {
            return Err("rule: names no rule".to_owned());
        }
        if self.heartbeat_period_s == 0 {
            return Err("heartbeat_period_s: must be at least 1".to_owned());
        }
        // What is not known any more can't be reported as late.
        if !(1..HEARTBEAT_WINDOW_S).contains(&self.heartbeat_late_s) {
            return Err(format!("heartbeat_late_s: must be between 1 and {HEARTBEAT_WINDOW_S}"));
        }
        Ok(())
    }
}

impl AccountConfig {
    /// As the library takes it.
    pub fn access(&self) -> AccountAccess {
        AccountAccess {
            read_role: self.read_role.clone(),
            write_role: self.write_role.clone(),
            undo_role: self.undo_role.clone(),
            external_id: self.external_id.clone(),
        }
    }

    fn check(&self, id: &str) -> Result<(), String> {
        let roles = [
            ("read_role", &self.read_role),
            ("write_role", &self.write_role),
            ("undo_role", &self.undo_role),
        ];
        for (name, role) in roles {
            let Some(role) = role else { continue };
            match role_account(role) {
                Some(account) if account == id => {}
                Some(account) => return Err(format!("`{name}` is a role of account `{account}`")),
                None => return Err(format!("`{name}` is not the ARN of a role")),
            }
        }
        if self.undo_role.is_some() && self.undo_role == self.write_role {
            return Err("`undo_role` must not be the `write_role`: events could undo".to_owned());
        }
        Ok(())
    }
}

/// What is wrong with a text, and where. It names keys and never shows a value or a line: either
/// may hold a secret that should have been a reference.
fn problem(error: &YamlError) -> String {
    let error = error.without_snippet();
    let list = |names: &[&str]| names.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>();
    let what = match error {
        YamlError::SerdeUnknownField { field, expected, .. } => {
            format!("unknown key `{field}`; expected one of {}", list(expected).join(", "))
        }
        YamlError::SerdeMissingField { field, .. } => format!("the key `{field}` is missing"),
        YamlError::DuplicateMappingKey { key: Some(key), .. } => format!("the key `{key}` twice"),
        YamlError::SerdeUnknownVariant { expected, .. } => {
            format!("the value must be one of {}", list(expected).join(", "))
        }
        YamlError::SerdeInvalidType { expected, .. }
        | YamlError::SerdeInvalidValue { expected, .. }
        | YamlError::SerdeInvalidLength { expected, .. } => {
            format!("the value must be {expected}")
        }
        YamlError::InvalidScalar { ty, .. } => format!("the value must be {ty}"),
        YamlError::Unexpected { expected, .. } => format!("expected {expected}"),
        YamlError::Message { .. } => {
            "the value cannot be understood; a time is written as in `2027-01-31T00:00:00Z`"
                .to_owned()
        }
        _ => "this is no YAML that can be used".to_owned(),
    };
    match error.location() {
        Some(at) => format!("line {}, column {}: {what}", at.line(), at.column()),
        None => what,
    }
}

/// The account of a role's ARN; `None` where it is no such ARN.
pub(crate) fn role_account(arn: &str) -> Option<&str> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    match parts.as_slice() {
        ["arn", _, "iam", "", account, it] if it.starts_with("role/") => Some(*account),
        _ => None,
    }
}

pub(crate) fn check_account_id(id: &str) -> Result<(), String> {
    if id.len() == 12 && id.bytes().all(|it| it.is_ascii_digit()) {
        return Ok(());
    }
    Err(format!("`{id}` is not a twelve-digit account id; write it in quotes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_text_is_told_by_place_and_key_and_never_by_value() {
        let secret = "SECRET-xyzzy";
        let hook = "sources:\n  webhook:\n    listen: 127.0.0.1:1\n";
        for (text, told) in [
            (format!("{hook}    token: {secret}\n    tokn: 1\n"), "unknown key `tokn`"),
            (format!("{hook}    token: {secret}\n    token: {secret}\n"), "line 5"),
            (format!("{hook}    token: {secret}\n   listen: 1\n"), "line"),
            (format!("{hook}    token: \"{secret}\n"), "line"),
            (format!("sources:\n  webhook: {secret}\n"), "line 2, column"),
            (format!("sources:\n  follow: {secret}\n"), "line 2, column"),
            (format!("limits:\n  shutdown_max_s: {secret}\n"), "line 2, column"),
            (format!("guardrails: {{ modes: {{ default: {secret} }} }}\n"), "`observe`"),
            (format!("aws:\n  accounts:\n    \"1\": {{ external_id: {secret}, foo: 1 }}"), "`foo`"),
            (
                format!("guardrails:\n  exemptions:\n    - {{ id: a, expires: {secret} }}\n"),
                "line 3",
            ),
            (format!("aws: [{secret}\n"), "line"),
            (format!("sources: *{secret}\n"), "line"),
            (format!("sources: !{secret} {{}}\nx: 1"), "line"),
        ] {
            let problem = Config::parse(&text).unwrap_err();
            assert!(problem.contains(told) && !problem.contains(secret), "{text}\n{problem}");
        }
    }

    #[test]
    fn what_has_no_end_is_not_read_to_its_end() {
        let problem = Config::load(Path::new("/dev/zero")).unwrap_err().to_string();
        assert!(problem.contains("limit"), "{problem}");
    }
}
