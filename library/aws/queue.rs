//! An SQS queue as a source of events. No decision is made here: receive, keep invisible, delete.

use super::Aws;
use super::errors::cloud_error;
use crate::cloud::CloudError;
use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::MessageSystemAttributeName;

/// Longest wait of one poll, in seconds: the most that SQS allows.
pub const POLL_S: i32 = 20;
/// Most messages of one poll: the most that SQS allows.
pub const MESSAGES_PER_POLL_MAX: i32 = 10;

/// One queue.
#[derive(Debug, Clone)]
pub struct Queue {
    client: Client,
    url: String,
}

/// A received message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its text.
    pub body: String,
    /// What names this receipt of it.
    pub receipt: String,
    /// X-Ray's header (`AWSTraceHeader`), where the sender was traced.
    pub trace_header: Option<String>,
}

impl Queue {
    /// A queue by its URL, in the region of `config`.
    pub fn new(config: &SdkConfig, url: &str) -> Queue {
        Queue { client: Client::new(config), url: url.to_owned() }
    }

    /// A queue by its ARN, called with the process' own credentials.
    pub async fn of_arn(aws: &Aws, arn: &str) -> Result<Queue, CloudError> {
        let operation = "sqs:GetQueueUrl";
        let parts: Vec<&str> = arn.split(':').collect();
        let ["arn", _, "sqs", region, account, name] = parts.as_slice() else {
            let message = format!("`{arn}` is not the ARN of a queue");
            return Err(CloudError::unsupported(operation, message));
        };
        let client = Client::new(&aws.own(region));
        let call = client.get_queue_url().queue_name(*name).queue_owner_aws_account_id(*account);
        let answer = call.send().await.map_err(|it| cloud_error(operation, &it))?;
        Ok(Queue { client, url: answer.queue_url.unwrap_or_default() })
    }

    /// The queue's URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Waits up to [`POLL_S`] for `messages_max` messages at the most (1 to
    /// [`MESSAGES_PER_POLL_MAX`]), which are then invisible for `visibility_s` seconds.
    pub async fn receive(
        &self,
        messages_max: i32,
        visibility_s: i32,
    ) -> Result<Vec<Message>, CloudError> {
        let answer = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .wait_time_seconds(POLL_S)
            .max_number_of_messages(messages_max.clamp(1, MESSAGES_PER_POLL_MAX))
            .visibility_timeout(visibility_s)
            .message_system_attribute_names(MessageSystemAttributeName::AwsTraceHeader)
            .send()
            .await
            .map_err(|it| cloud_error("sqs:ReceiveMessage", &it))?;
        let messages = answer.messages.unwrap_or_default().into_iter();
        Ok(messages
            .map(|it| Message {
                body: it.body.unwrap_or_default(),
                receipt: it.receipt_handle.unwrap_or_default(),
                trace_header: it
                    .attributes
                    .and_then(|mut it| it.remove(&MessageSystemAttributeName::AwsTraceHeader)),
            })
            .collect())
    }

    /// Keeps a message invisible for `visibility_s` more seconds.
    pub async fn keep_invisible(&self, receipt: &str, visibility_s: i32) -> Result<(), CloudError> {
        let call = self.client.change_message_visibility().queue_url(&self.url);
        call.receipt_handle(receipt)
            .visibility_timeout(visibility_s)
            .send()
            .await
            .map(|_| ())
            .map_err(|it| cloud_error("sqs:ChangeMessageVisibility", &it))
    }

    /// Deletes a message.
    pub async fn delete(&self, receipt: &str) -> Result<(), CloudError> {
        let call = self.client.delete_message().queue_url(&self.url).receipt_handle(receipt);
        call.send().await.map(|_| ()).map_err(|it| cloud_error("sqs:DeleteMessage", &it))
    }
}
