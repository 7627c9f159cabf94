//! The accounts of an organization, as if the configuration listed each of them.
//!
//! AWS Organizations is asked once, when the process starts. Every account that is in use is
//! entered by roles of the same names, and from there on nothing differs: scans go through it, its
//! events are taken, our roles in it are known. What the configuration says of an account itself
//! stands.
//!
//! Without the answer nothing starts, and accounts that are not in use are told: none drops out of
//! sight because it was not listed.

use crate::config::{AccountConfig, Config, check_account_id, role_account};
use quell_core::region::partition;
use quell_library::aws::Aws;
use quell_library::aws::organization::{ACTIVE, Members, PERMISSIONS, members};
use quell_library::cloud::CloudError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What the id of an organizational unit begins with.
const UNIT: &str = "ou-";

/// The organization whose accounts are ours, besides those under `aws.accounts`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrganizationConfig {
    /// ARN of the role that lists the accounts, in the management account or in a delegated
    /// administrator's; the process' own credentials where it is absent.
    #[serde(default)]
    pub list_role: Option<String>,
    /// External id that this role's trust policy demands.
    #[serde(default)]
    pub list_external_id: Option<String>,
    /// Ids of organizational units (`ou-…`), whose accounts are taken with those of the units
    /// below them; none means the whole organization.
    #[serde(default)]
    pub units: BTreeSet<String>,
    /// Ids of accounts that are left out.
    #[serde(default)]
    pub excluded_accounts: BTreeSet<String>,
    /// Name of the role for reads in each account, behind its path where it has one.
    pub read_role: String,
    /// Name of the role for fixes; each fix narrows it by a session policy to itself.
    #[serde(default)]
    pub write_role: Option<String>,
    /// Name of the role for undo; the event path never assumes it.
    #[serde(default)]
    pub undo_role: Option<String>,
    /// External id that the trust policies of these three roles demand.
    #[serde(default)]
    pub external_id: Option<String>,
}

/// Takes the organization's accounts into the configuration, where it names an organization. What
/// was left out and why, each in a line.
pub async fn join(config: &mut Config) -> Result<Vec<String>, CloudError> {
    let Some(settings) = config.aws.organization.clone() else { return Ok(Vec::new()) };
    let aws = Aws::connect(config.aws_settings()).await;
    let (role, external_id) = (settings.list_role.as_deref(), settings.list_external_id.as_deref());
    let members = members(&aws.lister(role, external_id).await, &settings.units).await?;
    if !members.values().any(|it| it == ACTIVE) {
        let [list, ..] = PERMISSIONS;
        let problem = "no account of the organization, or of its named units, is in use";
        return Err(CloudError::unsupported(list.action, problem));
    }
    let partition = partition(&config.aws.region);
    Ok(settings.take(&members, partition, &mut config.aws.accounts))
}

impl OrganizationConfig {
    /// Adds every account that is in use and neither listed nor excluded. What was left out.
    fn take(
        &self,
        members: &Members,
        partition: &str,
        accounts: &mut BTreeMap<String, AccountConfig>,
    ) -> Vec<String> {
        let mut left_out = Vec::new();
        for (id, state) in members {
            if accounts.contains_key(id) || self.excluded_accounts.contains(id) {
                continue;
            }
            if state == ACTIVE {
                accounts.insert(id.clone(), self.account(id, partition));
            } else {
                left_out.push(format!("account {id} is {state}"));
            }
        }
        // Maybe a slip: then the account that was meant is not left out.
        let strange = self.excluded_accounts.iter().filter(|it| !members.contains_key(*it));
        left_out.extend(strange.map(|it| format!("account {it} is excluded, and was not listed")));
        left_out
    }

    fn account(&self, id: &str, partition: &str) -> AccountConfig {
        let arn = |name: &String| format!("arn:{partition}:iam::{id}:role/{name}");
        AccountConfig {
            read_role: Some(arn(&self.read_role)),
            write_role: self.write_role.as_ref().map(arn),
            undo_role: self.undo_role.as_ref().map(arn),
            external_id: self.external_id.clone(),
        }
    }

    /// Checks what the types can't say; the error names the setting.
    pub fn check(&self, accounts: &BTreeMap<String, AccountConfig>) -> Result<(), String> {
        if self.list_role.as_deref().is_some_and(|it| role_account(it).is_none()) {
            return Err("list_role: is not the ARN of a role".to_owned());
        }
        let roles = [
            ("read_role", Some(&self.read_role)),
            ("write_role", self.write_role.as_ref()),
            ("undo_role", self.undo_role.as_ref()),
        ];
        let strange = roles.iter().find(|(_, it)| it.is_some_and(|it| !is_role_name(it)));
        if let Some((setting, _)) = strange {
            return Err(format!("{setting}: is not the name of a role, such as `quell-read`"));
        }
        if self.undo_role.is_some() && self.undo_role == self.write_role {
            return Err("undo_role: must not be the `write_role`: events could undo".to_owned());
        }
        if let Some(it) = self.units.iter().find(|it| !it.starts_with(UNIT)) {
            return Err(format!("units: `{it}` is not the id of an organizational unit, `ou-…`"));
        }
        for id in &self.excluded_accounts {
            check_account_id(id).map_err(|it| format!("excluded_accounts: {it}"))?;
            if accounts.contains_key(id) {
                return Err(format!("excluded_accounts: `{id}` is listed under `aws.accounts`"));
            }
        }
        Ok(())
    }
}

/// A role's name, behind its path. Source: `RoleName` and `Path` of CreateRole in the IAM API
/// reference.
fn is_role_name(name: &str) -> bool {
    let fits = |it: u8| it.is_ascii_alphanumeric() || b"_+=,.@-/".contains(&it);
    !name.is_empty() && name.bytes().all(fits) && !name.starts_with('/') && !name.ends_with('/')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;

    fn config(organization: &str) -> Result<Config, String> {
        let accounts =
            "accounts: { '111111111111': { read_role: 'arn:aws:iam::111111111111:role/r' } }";
        Config::parse(&format!("aws: {{ {accounts}, organization: {organization} }}"))
    }

    #[test]
    fn what_is_in_use_is_taken_and_what_is_not_is_told() {
        let organization = "{ read_role: quell/read, write_role: write, external_id: secret-id, \
                            excluded_accounts: ['333333333333', '999999999999'] }";
        let mut config = config(organization).unwrap();
        let states = [
            ("111111111111", "SUSPENDED"),
            ("222222222222", ACTIVE),
            ("333333333333", ACTIVE),
            ("444444444444", "PENDING_CLOSURE"),
        ];
        let members = states.map(|(id, state)| (id.to_owned(), state.to_owned()));
        let settings = config.aws.organization.clone().unwrap();
        let told = settings.take(&Members::from(members), "aws-cn", &mut config.aws.accounts);
        assert_eq!(
            told,
            [
                "account 444444444444 is PENDING_CLOSURE",
                "account 999999999999 is excluded, and was not listed"
            ]
        );
        let ids: Vec<&str> = config.aws.accounts.keys().map(String::as_str).collect();
        assert_eq!(ids, ["111111111111", "222222222222"]);
        let read_role = |id: &str| config.aws.accounts[id].read_role.clone().unwrap();
        assert_eq!(read_role("111111111111"), "arn:aws:iam::111111111111:role/r");
        let taken = &config.aws.accounts["222222222222"];
        assert_eq!(read_role("222222222222"), "arn:aws-cn:iam::222222222222:role/quell/read");
        let write_role = "arn:aws-cn:iam::222222222222:role/write";
        assert_eq!(taken.write_role.as_deref(), Some(write_role));
        assert_eq!((&taken.undo_role, taken.external_id.as_deref()), (&None, Some("secret-id")));
        config.check().unwrap();
    }

    #[test]
    fn what_can_not_be_meant_is_refused_by_its_setting() {
        for (organization, setting) in [
            ("{}", "read_role"),
            ("{ read_role: 'arn:aws:iam::111111111111:role/r' }", "organization.read_role"),
            ("{ read_role: '' }", "organization.read_role"),
            ("{ read_role: r, write_role: '/w' }", "organization.write_role"),
            ("{ read_role: r, write_role: w, undo_role: w }", "organization.undo_role"),
            ("{ read_role: r, list_role: r }", "organization.list_role"),
            ("{ read_role: r, units: ['r-abcd'] }", "organization.units"),
            ("{ read_role: r, excluded_accounts: ['1'] }", "organization.excluded_accounts"),
            ("{ read_role: r, excluded_accounts: ['111111111111'] }", "is listed under"),
            ("{ read_role: r, ous: [] }", "unknown key `ous`"),
        ] {
            let problem = config(organization).unwrap_err();
            assert!(problem.contains(setting), "{organization}: {problem}");
        }
    }
}
