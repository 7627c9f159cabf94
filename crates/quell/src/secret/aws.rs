//! AWS' two stores: the session for them is made when the first reference asks for it.

use super::reference::Reference;
use super::{Found, SecretError, aws_sm, aws_ssm, env, file};
use aws_sdk_ssm::config::{Credentials, ProvideCredentials as _};
use quell_library::aws::{Aws, AwsSettings};
use quell_library::cloud::{CloudError, CloudErrorKind};
use tokio::sync::OnceCell;

/// Everything that is not Vault, which needs it for its own secrets.
pub struct AwsStores {
    settings: AwsSettings,
    aws: OnceCell<Aws>,
}

impl AwsStores {
    pub fn new(settings: AwsSettings) -> AwsStores {
        AwsStores { settings, aws: OnceCell::new() }
    }

    /// Reads what lies outside Vault.
    pub async fn read_outside_vault(
        &self,
        parsed: &Reference,
        reference: &str,
    ) -> Result<Found, SecretError> {
        match parsed {
            Reference::Env(name) => env::read(name, reference),
            Reference::File(path) => file::read(path, reference),
            Reference::AwsSm(it) => {
                let config = self.aws().await.own(self.region(&it.id));
                aws_sm::read(&aws_sdk_secretsmanager::Client::new(&config), it, reference).await
            }
            Reference::AwsSsm(name) => {
                let config = self.aws().await.own(self.region(name));
                aws_ssm::read(&aws_sdk_ssm::Client::new(&config), name, reference).await
            }
            Reference::Vault(_) => Err(SecretError::Useless {
                reference: reference.to_owned(),
                problem: "the way into Vault can't lie in Vault".to_owned(),
            }),
        }
    }

    /// Our own credentials, to prove to Vault who we are.
    pub async fn credentials(&self, reference: &str) -> Result<Credentials, SecretError> {
        let missing = |problem: String| SecretError::Unavailable {
            reference: reference.to_owned(),
            problem: format!("no AWS credentials to log in to Vault with: {problem}"),
        };
        let config = self.aws().await.own(&self.settings.region);
        let provider = config.credentials_provider();
        let provider = provider.ok_or_else(|| missing("there is no provider".to_owned()))?;
        provider.provide_credentials().await.map_err(|it| missing(it.to_string()))
    }

    async fn aws(&self) -> &Aws {
        self.aws.get_or_init(|| Aws::connect(self.settings.clone())).await
    }

    /// The region of an ARN (`arn:aws:ssm:REGION:…`); for a name, ours.
    fn region<'a>(&'a self, name: &'a str) -> &'a str {
        let of_arn = name.strip_prefix("arn:").and_then(|it| it.split(':').nth(2));
        of_arn.filter(|it| !it.is_empty()).unwrap_or(&self.settings.region)
    }
}

/// A failed call in our terms.
pub fn refused(error: &CloudError, reference: &str) -> SecretError {
    let (reference, problem) = (reference.to_owned(), error.to_string());
    match error.kind {
        CloudErrorKind::NotFound => SecretError::NotFound { reference, problem },
        CloudErrorKind::Denied => SecretError::Denied { reference, problem },
        CloudErrorKind::Throttled | CloudErrorKind::Unavailable => {
            SecretError::Unavailable { reference, problem }
        }
        CloudErrorKind::Invalid | CloudErrorKind::Unsupported => {
            SecretError::Useless { reference, problem }
        }
    }
}
