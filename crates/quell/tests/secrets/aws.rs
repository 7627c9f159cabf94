//! AWS Secrets Manager and Systems Manager, on ministack with IAM enforced.

use crate::e2e::{Person, policy, text};
use crate::support::{Bench, Line, add_profile, aws_at};
use quell::secret::config::SecretsConfig;
use serde_json::json;
use std::sync::Once;
use testkit::{ADMIN_ACCESS_KEY_ID, ADMIN_SECRET_ACCESS_KEY, Ministack, Venv};

fn admin() -> (String, Person) {
    static PROFILE: Once = Once::new();
    PROFILE.call_once(|| add_profile("admin", ADMIN_ACCESS_KEY_ID, ADMIN_SECRET_ACCESS_KEY));
    let endpoint = Ministack::shared(true).unwrap().endpoint();
    let person = Person::at(&endpoint, &Venv::SERVICES);
    (endpoint, person)
}

fn make_secret(person: &Person, name: &str, value: &str) {
    let wanted = json!({ "Name": name, "SecretString": value });
    person.call("secretsmanager", "create_secret", wanted);
}

fn rotate(person: &Person, name: &str, value: &str) {
    let wanted = json!({ "SecretId": name, "SecretString": value });
    person.call("secretsmanager", "put_secret_value", wanted);
}

fn put_parameter(person: &Person, name: &str, value: &str) {
    let wanted = json!({ "Name": name, "Value": value, "Type": "SecureString", "Overwrite": true });
    person.call("ssm", "put_parameter", wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_manager_gives_text_keys_and_versions() {
    let (endpoint, person) = admin();
    make_secret(&person, "forms/plain", "first");
    make_secret(&person, "forms/object", r#"{"user": "me", "token": "of the object"}"#);
    let bench = Bench::new(SecretsConfig::default(), aws_at(&endpoint, "admin"));
    assert_eq!(bench.get("aws-sm://forms/plain").await.unwrap(), "first");
    assert_eq!(bench.get("aws-sm://forms/object#token").await.unwrap(), "of the object");
    rotate(&person, "forms/plain", "second");
    assert_eq!(bench.get("aws-sm://forms/plain").await.unwrap(), "first", "still kept");
    bench.wait_s(300);
    assert_eq!(bench.get("aws-sm://forms/plain").await.unwrap(), "second", "rotated");
    let previous = bench.get("aws-sm://forms/plain?version-stage=AWSPREVIOUS").await;
    assert_eq!(previous.unwrap(), "first");
    let described =
        person.call("secretsmanager", "describe_secret", json!({ "SecretId": "forms/plain" }));
    let by_arn = format!("aws-sm://{}", text(&described["ARN"]));
    assert_eq!(bench.get(&by_arn).await.unwrap(), "second");

    let missing = bench.secrets.get("aws-sm://forms/none").await.unwrap_err();
    assert!(matches!(missing, quell::secret::SecretError::NotFound { .. }), "{missing}");
    let no_key = bench.get("aws-sm://forms/object#password").await.unwrap_err();
    assert!(no_key.contains("no text under key `password`"), "{no_key}");
    let no_object = bench.get("aws-sm://forms/plain#token").await.unwrap_err();
    assert!(no_object.contains("is no JSON object"), "{no_object}");
    assert!(!no_object.contains("second"), "{no_object}");
}

#[tokio::test(flavor = "multi_thread")]
async fn systems_manager_gives_decrypted_parameters() {
    let (endpoint, person) = admin();
    put_parameter(&person, "/forms/token", "first");
    let bench = Bench::new(SecretsConfig::default(), aws_at(&endpoint, "admin"));
    assert_eq!(bench.get("aws-ssm:///forms/token").await.unwrap(), "first");
    put_parameter(&person, "/forms/token", "second");
    bench.wait_s(300);
    assert_eq!(bench.get("aws-ssm:///forms/token").await.unwrap(), "second");
    let missing = bench.secrets.get("aws-ssm:///forms/none").await.unwrap_err();
    assert!(matches!(missing, quell::secret::SecretError::NotFound { .. }), "{missing}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_reads_only_the_named_secrets() {
    let (endpoint, person) = admin();
    make_secret(&person, "named/one", "for us");
    make_secret(&person, "named/other", "not for us");
    put_parameter(&person, "/named/one", "for us");
    put_parameter(&person, "/named/other", "not for us");
    let ours = ["aws-sm://named/one", "aws-ssm:///named/one"];
    let statements = ours.map(|it| {
        let reference = quell::secret::reference::Reference::parse(it).unwrap();
        let (action, resource) = reference.permission("000000000000", "us-east-1").unwrap();
        json!({ "Effect": "Allow", "Action": action, "Resource": resource })
    });
    person.call("iam", "create_user", json!({ "UserName": "narrow" }));
    let document = policy(&statements).to_string();
    let wanted =
        json!({ "UserName": "narrow", "PolicyName": "secrets", "PolicyDocument": document });
    person.call("iam", "put_user_policy", wanted);
    let key = person.call("iam", "create_access_key", json!({ "UserName": "narrow" }));
    let key = &key["AccessKey"];
    add_profile("narrow", &text(&key["AccessKeyId"]), &text(&key["SecretAccessKey"]));

    let bench = Bench::new(SecretsConfig::default(), aws_at(&endpoint, "narrow"));
    for it in ours {
        assert_eq!(bench.get(it).await.unwrap(), "for us");
    }
    for (it, action) in [
        ("aws-sm://named/other", "secretsmanager:GetSecretValue"),
        ("aws-ssm:///named/other", "ssm:GetParameter"),
    ] {
        let denied = bench.secrets.get(it).await.unwrap_err();
        assert!(matches!(denied, quell::secret::SecretError::Denied { .. }), "{denied}");
        assert!(denied.to_string().contains(action), "{denied}");
    }
    assert_eq!(bench.errors("aws-sm"), 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_secret_is_not_used_any_longer() {
    let (endpoint, person) = admin();
    make_secret(&person, "revoked/token", "once");
    let bench = Bench::new(SecretsConfig::default(), aws_at(&endpoint, "admin"));
    assert_eq!(bench.get("aws-sm://revoked/token").await.unwrap(), "once");
    let gone = json!({ "SecretId": "revoked/token", "ForceDeleteWithoutRecovery": true });
    person.call("secretsmanager", "delete_secret", gone);
    bench.wait_s(300);
    assert!(bench.get("aws-sm://revoked/token").await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_value_stands_in_while_the_store_is_down() {
    let (endpoint, person) = admin();
    make_secret(&person, "down/token", "first");
    let line = Line::to(endpoint.strip_prefix("http://").unwrap().to_owned()).await;
    let config = SecretsConfig::default();
    let bench = Bench::new(config.clone(), aws_at(&line.endpoint, "admin"));
    let get = || bench.get("aws-sm://down/token");
    assert_eq!(get().await.unwrap(), "first");
    line.cut();
    bench.wait_s(config.secret_ttl_s);
    assert_eq!(get().await.unwrap(), "first", "stale, but within the limit");
    assert_eq!(get().await.unwrap(), "first");
    assert_eq!(bench.errors("aws-sm"), 1.0, "the second one did not ask again");

    rotate(&person, "down/token", "second");
    line.mend();
    bench.wait_s(config.secret_retry_s);
    assert_eq!(get().await.unwrap(), "second", "picked up when the store is back");

    line.cut();
    bench.wait_s(config.secret_stale_max_s - 1);
    assert_eq!(get().await.unwrap(), "second");
    bench.wait_s(config.secret_retry_s + 1);
    let error = bench.secrets.get("aws-sm://down/token").await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    line.mend();
    bench.wait_s(config.secret_retry_s);
    assert_eq!(get().await.unwrap(), "second");
}
