//! The two tables, and what a failed call to them means.

use super::items::{CHAIN, Item, LINE, PARTITION, SEQUENCE, SORT, key, number, number_of, text};
use crate::config::DynamoConfig;
use crate::journal::JournalError;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Builder;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use quell_core::ledger::ids::{ChainId, Head};
use quell_core::ledger::line::Line;
use quell_library::aws::Aws;
use quell_library::aws::errors::cloud_error;
use std::collections::HashMap;

/// The tables, and the one client that calls them.
#[derive(Debug, Clone)]
pub(super) struct Tables {
    pub client: Client,
    pub ledger: String,
    pub state: String,
}

/// A conditional change of one item of the state table.
#[derive(Debug, Clone)]
pub(super) struct Update<'a> {
    pub key: Item,
    pub change: &'a str,
    pub condition: &'a str,
    pub values: Vec<(&'static str, AttributeValue)>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Updated {
    /// It was made; the item after it.
    Made(Item),
    /// The condition did not hold; the item as it is, if there is one.
    Refused(Option<Item>),
}

impl Tables {
    /// The tables named in `settings`, called with the process' own credentials. A throttled call
    /// is repeated with backoff; the adaptive mode of other calls would slow each later one down,
    /// and a turn makes a dozen within the lease's time.
    pub(super) fn new(aws: &Aws, settings: &DynamoConfig) -> Tables {
        let region = settings.region.as_ref().unwrap_or(&aws.settings().region);
        let attempts_max = aws.settings().call_attempts_max;
        Tables {
            client: Client::from_conf(
                Builder::from(&aws.own(region))
                    .retry_config(RetryConfig::standard().with_max_attempts(attempts_max))
                    .build(),
            ),
            ledger: format!("{}-ledger", settings.name),
            state: format!("{}-state", settings.name),
        }
    }

    /// Changes an item if a condition holds.
    pub(super) async fn update(&self, update: Update<'_>) -> Result<Updated, JournalError> {
        let values = update.values.into_iter().map(|(name, it)| (name.to_owned(), it));
        let call = self.client.update_item().table_name(&self.state).set_key(Some(update.key));
        let call = call
            .update_expression(update.change)
            .condition_expression(update.condition)
            .set_expression_attribute_values(Some(values.collect()))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match call.send().await {
            Ok(answer) => Ok(Updated::Made(answer.attributes.unwrap_or_default())),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(it)) => {
                    Ok(Updated::Refused(it.item().cloned()))
                }
                _ => Err(failed("dynamodb:UpdateItem", &error)),
            },
        }
    }

    /// One item of the state table, as all writers see it.
    pub(super) async fn get(&self, key: Item) -> Result<Option<Item>, JournalError> {
        let call = self.client.get_item().table_name(&self.state).set_key(Some(key));
        let answer = call.consistent_read(true).send().await;
        answer.map(|it| it.item).map_err(|it| failed("dynamodb:GetItem", &it))
    }

    /// The items of a partition of the state table whose sort keys follow `after`.
    pub(super) async fn partition(
        &self,
        partition: &str,
        after: &str,
    ) -> Result<Vec<Item>, JournalError> {
        let mut items = Vec::new();
        let mut next = None;
        loop {
            let call = self.client.query().table_name(&self.state).consistent_read(true);
            let page = call
                .key_condition_expression(format!("{PARTITION} = :partition AND {SORT} > :after"))
                .expression_attribute_values(":partition", text(partition))
                .expression_attribute_values(":after", text(after))
                .set_exclusive_start_key(next)
                .send()
                .await
                .map_err(|it| failed("dynamodb:Query", &it))?;
            items.extend(page.items.unwrap_or_default());
            next = page.last_evaluated_key;
            if next.is_none() {
                return Ok(items);
            }
        }
    }

    /// A page of a chain's lines that follow record `after`, and whether more may follow.
    pub(super) async fn lines(
        &self,
        chain: &ChainId,
        after: u64,
    ) -> Result<(Vec<(u64, String)>, bool), JournalError> {
        let call = self.client.query().table_name(&self.ledger).consistent_read(true);
        let page = call
            .key_condition_expression("#chain = :chain AND #sequence > :after")
            .expression_attribute_names("#chain", CHAIN)
            .expression_attribute_names("#sequence", SEQUENCE)
            .expression_attribute_values(":chain", text(chain.as_str()))
            .expression_attribute_values(":after", number(after))
            .send()
            .await
            .map_err(|it| failed("dynamodb:Query", &it))?;
        let more = page.last_evaluated_key.is_some();
        let lines = page.items.unwrap_or_default().into_iter().map(numbered_line);
        Ok((lines.collect(), more))
    }

    /// The line of one record, as the ledger has it.
    pub(super) async fn line(
        &self,
        chain: &ChainId,
        sequence: u64,
    ) -> Result<Option<String>, JournalError> {
        let call = self.client.query().table_name(&self.ledger).consistent_read(true);
        let answer = call
            .key_condition_expression("#chain = :chain AND #sequence = :sequence")
            .expression_attribute_names("#chain", CHAIN)
            .expression_attribute_names("#sequence", SEQUENCE)
            .expression_attribute_values(":chain", text(chain.as_str()))
            .expression_attribute_values(":sequence", number(sequence))
            .send()
            .await
            .map_err(|it| failed("dynamodb:Query", &it))?;
        Ok(answer.items.unwrap_or_default().into_iter().next().map(|it| numbered_line(it).1))
    }

    /// The last record of a chain.
    pub(super) async fn head(&self, chain: &ChainId) -> Result<Head, JournalError> {
        let call = self.client.query().table_name(&self.ledger).consistent_read(true);
        let answer = call
            .key_condition_expression("#chain = :chain")
            .expression_attribute_names("#chain", CHAIN)
            .expression_attribute_values(":chain", text(chain.as_str()))
            .scan_index_forward(false)
            .limit(1)
            .send()
            .await
            .map_err(|it| failed("dynamodb:Query", &it))?;
        let Some(last) = answer.items.unwrap_or_default().into_iter().next() else {
            return Ok(Head::empty(chain.clone()));
        };
        let (sequence, line) = numbered_line(last);
        match Line::parse(line.as_bytes()) {
            Ok(it) if it.chain == *chain && it.sequence == sequence => {
                Ok(Head { chain: it.chain, sequence, digest: it.digest })
            }
            Ok(_) => Err(corrupt(chain, sequence, "it holds another record")),
            Err(error) => Err(corrupt(chain, sequence, &error.to_string())),
        }
    }

    /// The names of the chains in the state table's list.
    pub(super) async fn listed_chains(&self) -> Result<Vec<Item>, JournalError> {
        self.partition(super::items::CHAINS, " ").await
    }

    /// The key of a chain in that list.
    pub(super) fn chain_key(chain: &ChainId) -> Item {
        key(super::items::CHAINS, chain.as_str())
    }
}

/// A record's number and its line; a verifier tells what is wrong with either.
pub(super) fn numbered_line(mut item: HashMap<String, AttributeValue>) -> (u64, String) {
    let sequence = number_of(&item, SEQUENCE).unwrap_or_default();
    match item.remove(LINE) {
        Some(AttributeValue::S(line)) => (sequence, line),
        _ => (sequence, String::new()),
    }
}

/// A ledger that is not what was written: nothing may be built on it.
fn corrupt(chain: &ChainId, sequence: u64, problem: &str) -> JournalError {
    JournalError::Broken(format!("record {sequence} of chain `{chain}` is corrupt: {problem}"))
}

/// What a failed call means: again later, or not at all.
pub(super) fn failed<E>(operation: &str, error: &SdkError<E>) -> JournalError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let error = cloud_error(operation, error);
    match error.is_transient() {
        true => JournalError::Later(error.to_string()),
        false => JournalError::Broken(error.to_string()),
    }
}
