//! Answers that many reads share, each for a moment: what belongs to an account is the same for all
//! that the account has, and a scan asks for it once.
//!
//! For reads of parts alone. What is decided on is read whole, and nothing of that from here.

use crate::cloud::CloudError;
use serde_json::Value;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// How long an answer is shared.
pub const SHARED_MAX: Duration = Duration::from_secs(60);

/// Answers by a name that tells call and account.
#[derive(Debug, Default)]
pub struct Shared(Mutex<HashMap<String, (Instant, Option<Value>)>>);

impl Shared {
    /// The answer of that name, or what `read` gives, which then is the answer. Whoever comes
    /// meanwhile waits for it; a failure is nobody's answer.
    pub async fn get(
        &self,
        name: &str,
        read: impl Future<Output = Result<Option<Value>, CloudError>>,
    ) -> Result<Option<Value>, CloudError> {
        let mut answers = self.0.lock().await;
        if let Some((at, answer)) = answers.get(name)
            && at.elapsed() < SHARED_MAX
        {
            return Ok(answer.clone());
        }
        let answer = read.await?;
        answers.insert(name.to_owned(), (Instant::now(), answer.clone()));
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[tokio::test]
    async fn it_is_asked_once_and_a_failure_is_no_answer() {
        let shared = Shared::default();
        let failed = async { Err(CloudError::unsupported("s3:Get", "no")) };
        assert!(shared.get("a", failed).await.is_err());
        let first = async { Ok(Some(json!(1))) };
        assert_eq!(shared.get("a", first).await.unwrap(), Some(json!(1)));
        let second = async { Ok(Some(json!(2))) };
        assert_eq!(shared.get("a", second).await.unwrap(), Some(json!(1)));
        let none = async { Ok(None) };
        assert_eq!(shared.get("b", none).await.unwrap(), None);
    }
}
