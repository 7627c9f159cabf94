//! The forms of a reference, and what each demands of a role.

use super::SecretError;

/// Where a secret lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// `env://NAME`: a variable of the environment.
    Env(String),
    /// `file:///path`: a file; white space at its end is not part of the secret.
    File(String),
    /// `vault://MOUNT/PATH#KEY`: HashiCorp Vault, or OpenBao.
    Vault(InVault),
    /// `aws-sm://NAME`: AWS Secrets Manager.
    AwsSm(InSecretsManager),
    /// `aws-ssm://NAME`: a parameter of AWS Systems Manager, decrypted; `/` begins the name of one
    /// in a hierarchy, so that it reads `aws-ssm:///quell/token`.
    AwsSsm(String),
}

/// A key of a secret in Vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InVault {
    /// Where the secrets engine is mounted: the reference up to its first `/`.
    pub mount: String,
    /// The rest.
    pub path: String,
    /// Which of the secret's keys.
    pub key: String,
}

/// A secret in AWS Secrets Manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InSecretsManager {
    /// Its name or ARN.
    pub id: String,
    /// A key of it, where it is a JSON object: `#KEY`.
    pub key: Option<String>,
    /// `?version-stage=STAGE`; else AWS takes `AWSCURRENT`.
    pub version_stage: Option<String>,
}

/// What every message about a reference ends with.
const FORMS: &str = "write `env://NAME`, `file:///PATH`, `vault://MOUNT/PATH#KEY`, \
                     `aws-sm://NAME` or `aws-ssm://NAME`";

impl Reference {
    /// Reads a reference.
    ///
    /// # Errors
    /// [`SecretError::Malformed`], which shows no more of it than its scheme: a secret may have
    /// been written where its reference belongs.
    pub fn parse(text: &str) -> Result<Reference, SecretError> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(SecretError::Malformed("…".to_owned(), FORMS.to_owned()));
        };
        let malformed = |problem: &str| SecretError::Malformed(shown(scheme), problem.to_owned());
        if rest.is_empty() || rest.contains(|it: char| it.is_whitespace() || it.is_control()) {
            return Err(malformed(FORMS));
        }
        match scheme {
            "env" => Ok(Reference::Env(rest.to_owned())),
            "file" => Ok(Reference::File(rest.to_owned())),
            "vault" => in_vault(rest).map(Reference::Vault).map_err(malformed),
            "aws-sm" => in_secrets_manager(rest).map(Reference::AwsSm).map_err(malformed),
            "aws-ssm" if is_parameter(rest) => Ok(Reference::AwsSsm(rest.to_owned())),
            "aws-ssm" => Err(malformed(
                "a parameter's name that holds a `/` begins with one: `aws-ssm:///quell/token`",
            )),
            "azure-kv" | "gcp-sm" => Err(malformed(
                "this version of Quell reads no secrets of Azure or Google; keep it in Vault or \
                 AWS, or in a file",
            )),
            _ => Err(malformed(FORMS)),
        }
    }

    /// Its scheme, without `://`.
    pub fn scheme(&self) -> &'static str {
        match self {
            Reference::Env(_) => "env",
            Reference::File(_) => "file",
            Reference::Vault(_) => "vault",
            Reference::AwsSm(_) => "aws-sm",
            Reference::AwsSsm(_) => "aws-ssm",
        }
    }

    /// The IAM action and the ARN that reading it needs, in an account and region that may be
    /// placeholders. Secrets Manager adds a dash and six characters to a name.
    pub fn permission(&self, account: &str, region: &str) -> Option<(&'static str, String)> {
        let (action, name, arn) = match self {
            Reference::AwsSm(it) => {
                let arn =
                    format!("arn:aws:secretsmanager:{region}:{account}:secret:{}-??????", it.id);
                ("secretsmanager:GetSecretValue", &it.id, arn)
            }
            Reference::AwsSsm(name) => {
                let slash = if name.starts_with('/') { "" } else { "/" };
                // A version or label (`NAME:3`) is not part of the ARN.
                let bare = name.split(':').next().unwrap_or(name);
                let arn = format!("arn:aws:ssm:{region}:{account}:parameter{slash}{bare}");
                ("ssm:GetParameter", name, arn)
            }
            Reference::Env(_) | Reference::File(_) | Reference::Vault(_) => return None,
        };
        Some((action, if name.starts_with("arn:") { name.clone() } else { arn }))
    }
}

/// As much of a scheme as can be no secret: the beginning of one that we know, or nothing.
fn shown(scheme: &str) -> String {
    let known = ["env", "file", "vault", "aws-sm", "aws-ssm", "azure-kv", "gcp-sm"];
    let known = known.iter().find(|it| **it == scheme);
    known.map_or("…".to_owned(), |it| format!("{it}://…"))
}

fn in_vault(rest: &str) -> Result<InVault, &'static str> {
    let form = "write `vault://MOUNT/PATH#KEY`";
    let (place, key) = rest.split_once('#').filter(|(_, key)| !key.is_empty()).ok_or(form)?;
    let (mount, path) = place.split_once('/').ok_or(form)?;
    let odd = |it: &str| it.is_empty() || it == "." || it == "..";
    if odd(mount) || path.split('/').any(odd) || place.contains(['?', '%']) {
        return Err(form);
    }
    Ok(InVault { mount: mount.to_owned(), path: path.to_owned(), key: key.to_owned() })
}

fn in_secrets_manager(rest: &str) -> Result<InSecretsManager, &'static str> {
    let form = "write `aws-sm://NAME`, then `#KEY` for a key of a JSON object, then \
                `?version-stage=STAGE`";
    let id_end = rest.find(['#', '?']).unwrap_or(rest.len());
    let (id, mut rest) = rest.split_at_checked(id_end).ok_or(form)?;
    let mut found = InSecretsManager { id: id.to_owned(), key: None, version_stage: None };
    // Both orders: ours, and that of a URL, where the query stands before the fragment.
    while let Some(part) = rest.get(1..).filter(|it| !it.is_empty()) {
        let end = part.find(['#', '?']).unwrap_or(part.len());
        let (value, next) = part.split_at_checked(end).ok_or(form)?;
        let place = if rest.starts_with('#') { &mut found.key } else { &mut found.version_stage };
        let value = match rest.starts_with('#') {
            true => Some(value),
            false => value.strip_prefix("version-stage="),
        };
        let value = value.filter(|it| !it.is_empty() && place.is_none()).ok_or(form)?;
        *place = Some(value.to_owned());
        rest = next;
    }
    if found.id.is_empty() || !rest.is_empty() { Err(form) } else { Ok(found) }
}

/// A name without `/`, one that begins with it, or an ARN.
fn is_parameter(name: &str) -> bool {
    !name.contains('/') || name.starts_with('/') || name.starts_with("arn:")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Reference {
        Reference::parse(text).unwrap()
    }

    #[test]
    fn all_forms_are_read() {
        assert_eq!(parsed("env://TOKEN"), Reference::Env("TOKEN".to_owned()));
        assert_eq!(parsed("file:///run/token"), Reference::File("/run/token".to_owned()));
        let Reference::Vault(it) = parsed("vault://secret/quell/webhook#token") else { panic!() };
        assert_eq!((&*it.mount, &*it.path, &*it.key), ("secret", "quell/webhook", "token"));
        assert_eq!(parsed("aws-ssm:///quell/token").scheme(), "aws-ssm");
        for text in ["aws-sm://a/b#k?version-stage=S", "aws-sm://a/b?version-stage=S#k"] {
            let Reference::AwsSm(it) = parsed(text) else { panic!() };
            assert_eq!((&*it.id, it.key.as_deref()), ("a/b", Some("k")), "{text}");
            assert_eq!(it.version_stage.as_deref(), Some("S"), "{text}");
        }
        let arn = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:quell/x-AbCdEf";
        let Reference::AwsSm(it) = parsed(&format!("aws-sm://{arn}#k")) else { panic!() };
        assert_eq!(it.id, arn);
    }

    #[test]
    fn a_malformed_reference_is_not_repeated() {
        for text in [
            "",
            "hunter2",
            "hunter2://",
            "hunter2://hunter2",
            "env://",
            "env://hunter2 hunter2",
            "vault://hunter2",
            "vault://hunter2/path",
            "vault://mount/../hunter2#key",
            "vault://mount//hunter2#key",
            "aws-sm://#hunter2",
            "aws-sm://name#",
            "aws-sm://name?hunter2",
            "aws-sm://name#hunter2#again",
            "aws-ssm://quell/hunter2",
            "azure-kv://hunter2",
            "gcp-sm://hunter2",
        ] {
            let error = Reference::parse(text).unwrap_err();
            assert!(matches!(error, SecretError::Malformed(..)), "{text}");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{text}: {error}");
        }
        let later = Reference::parse("azure-kv://vault/name").unwrap_err().to_string();
        assert!(later.contains("reads no secrets of Azure or Google"), "{later}");
    }

    #[test]
    fn a_permission_names_the_one_secret() {
        let of = |text: &str| parsed(text).permission("111122223333", "eu-central-1");
        let arn = |text: &str| of(text).unwrap().1;
        assert_eq!(
            arn("aws-sm://quell/webhook#token"),
            "arn:aws:secretsmanager:eu-central-1:111122223333:secret:quell/webhook-??????"
        );
        assert_eq!(
            arn("aws-ssm:///quell/token:3"),
            "arn:aws:ssm:eu-central-1:111122223333:parameter/quell/token"
        );
        assert_eq!(arn("aws-ssm://token"), "arn:aws:ssm:eu-central-1:111122223333:parameter/token");
        assert_eq!(of("vault://secret/a#b"), None);
    }
}
