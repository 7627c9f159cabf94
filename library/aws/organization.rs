//! The accounts of an organization, asked of AWS Organizations.
//!
//! It answers its management account and the administrators whom that one has named, and nobody
//! else. An answer that can't be had whole is an error: an account that is left out of a shorter
//! list is one that nobody looks at.

use super::errors::cloud_error;
use crate::cloud::CloudError;
use aws_config::SdkConfig;
use aws_sdk_organizations::Client;
use aws_sdk_organizations::types::Account;
use quell_core::resource::Permission;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The most accounts of an organization; more is an error.
pub const ACCOUNTS_LISTED_MAX: usize = 10_000;
/// The most organizational units that are gone through; more is an error.
pub const UNITS_LISTED_MAX: usize = 2_000;
/// The state of an account that is in use.
pub const ACTIVE: &str = "ACTIVE";
/// The state of an account of which no state is told.
pub const UNTOLD: &str = "of no known state";

const LIST: &str = "organizations:ListAccounts";
const LIST_OF_UNIT: &str = "organizations:ListAccountsForParent";
const LIST_UNITS: &str = "organizations:ListOrganizationalUnitsForParent";
/// Units lie in the management account, whichever account asks.
const UNIT_ARN: &str = "arn:{partition}:organizations::*:ou/*";

/// What asking takes: of the role that asks, and of none in the accounts themselves.
pub const PERMISSIONS: [Permission; 3] = [
    Permission::organization(LIST, "*"),
    Permission::organization(LIST_OF_UNIT, UNIT_ARN),
    Permission::organization(LIST_UNITS, UNIT_ARN),
];

/// Accounts by id, each with its state: [`ACTIVE`], `SUSPENDED`, `PENDING_CLOSURE` or another of
/// AWS' words, or [`UNTOLD`].
pub type Members = BTreeMap<String, String>;

/// Every account of the organization; where units are named, of these and of all units below them.
pub async fn members(config: &SdkConfig, units: &BTreeSet<String>) -> Result<Members, CloudError> {
    let client = Client::new(config);
    let mut members = Members::new();
    if units.is_empty() {
        let mut pages = client.list_accounts().into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|it| cloud_error(LIST, &it))?;
            take(&mut members, page.accounts.unwrap_or_default(), LIST)?;
        }
        return Ok(members);
    }
    let mut known = units.clone();
    let mut ahead: VecDeque<String> = units.iter().cloned().collect();
    while let Some(unit) = ahead.pop_front() {
        let call = client.list_accounts_for_parent().parent_id(&unit);
        let mut pages = call.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|it| cloud_error(LIST_OF_UNIT, &it))?;
            take(&mut members, page.accounts.unwrap_or_default(), LIST_OF_UNIT)?;
        }
        for below in units_below(&client, &unit).await? {
            if known.insert(below.clone()) {
                ahead.push_back(below);
            }
        }
        if UNITS_LISTED_MAX < known.len() {
            return Err(too_many_units());
        }
    }
    Ok(members)
}

async fn units_below(client: &Client, unit: &str) -> Result<Vec<String>, CloudError> {
    let call = client.list_organizational_units_for_parent().parent_id(unit);
    let mut pages = call.into_paginator().send();
    let mut below = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|it| cloud_error(LIST_UNITS, &it))?;
        let units = page.organizational_units.unwrap_or_default();
        below.extend(units.into_iter().filter_map(|it| it.id));
        if UNITS_LISTED_MAX < below.len() {
            return Err(too_many_units());
        }
    }
    Ok(below)
}

fn too_many_units() -> CloudError {
    let problem = format!("more than {UNITS_LISTED_MAX} organizational units");
    CloudError::unsupported(LIST_UNITS, problem)
}

fn take(
    members: &mut Members,
    page: Vec<Account>,
    operation: &'static str,
) -> Result<(), CloudError> {
    for account in page {
        let state = state(&account);
        let Some(id) = account.id else {
            let problem = "an account without an id was listed";
            return Err(CloudError::unsupported(operation, problem));
        };
        members.insert(id, state);
    }
    if ACCOUNTS_LISTED_MAX < members.len() {
        let problem = format!("more than {ACCOUNTS_LISTED_MAX} accounts");
        return Err(CloudError::unsupported(operation, problem));
    }
    Ok(())
}

/// `State`, which is finer, has taken the place of `Status`.
#[allow(deprecated, reason = "who still answers `Status` alone is understood, too")]
fn state(account: &Account) -> String {
    let state = account.state.as_ref().map(|it| it.as_str());
    let state = state.or_else(|| account.status.as_ref().map(|it| it.as_str()));
    state.unwrap_or(UNTOLD).to_owned()
}
