//! The cache, and the references that need no server.

use crate::support::Bench;
use quell::secret::SECRET_MAX_BYTES;
use quell::secret::config::SecretsConfig;
use std::fs;

fn file(content: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    fs::write(&path, content).unwrap();
    let reference = format!("file://{}", path.display());
    (folder, reference)
}

fn rewrite(reference: &str, content: &str) {
    fs::write(reference.strip_prefix("file://").unwrap(), content).unwrap();
}

#[tokio::test]
async fn variables_and_files_resolve() {
    let bench = Bench::local();
    let (_folder, reference) = file("a token of lines\nand spaces \n\n");
    assert_eq!(bench.get(&reference).await.unwrap(), "a token of lines\nand spaces");
    // Cargo sets it for every test.
    assert_eq!(bench.get("env://CARGO_PKG_NAME").await.unwrap(), "quell");
    let unset = bench.get("env://QUELL_TEST_NOT_SET").await.unwrap_err();
    assert!(unset.contains("`QUELL_TEST_NOT_SET` is not set"), "{unset}");
    assert!(bench.get("file:///no/such/file").await.is_err());
    let (_folder, empty) = file("\n");
    assert!(bench.get(&empty).await.unwrap_err().contains("is empty"));
    let (_folder, large) = file(&"x".repeat(SECRET_MAX_BYTES + 1));
    assert!(bench.get(&large).await.unwrap_err().contains("the limit is"));
    let (_folder, fits) = file(&"x".repeat(SECRET_MAX_BYTES));
    assert_eq!(bench.get(&fits).await.unwrap().len(), SECRET_MAX_BYTES);
    assert_eq!(bench.errors("file"), 3.0);
}

#[tokio::test]
async fn a_rotated_secret_is_picked_up_after_its_time() {
    let bench = Bench::local();
    let ttl_s = SecretsConfig::default().secret_ttl_s;
    let (_folder, reference) = file("old");
    assert_eq!(bench.get(&reference).await.unwrap(), "old");
    rewrite(&reference, "new");
    bench.wait_s(ttl_s - 1);
    assert_eq!(bench.get(&reference).await.unwrap(), "old");
    bench.wait_s(1);
    assert_eq!(bench.get(&reference).await.unwrap(), "new");
}

#[tokio::test]
async fn a_removed_secret_is_gone_and_comes_back() {
    let bench = Bench::local();
    let config = SecretsConfig::default();
    let (folder, reference) = file("old");
    assert_eq!(bench.get(&reference).await.unwrap(), "old");
    fs::remove_file(folder.path().join("token")).unwrap();
    bench.wait_s(config.secret_ttl_s);
    assert!(bench.get(&reference).await.is_err(), "no answer is an answer: nothing stands in");
    rewrite(&reference, "new");
    assert!(bench.get(&reference).await.is_err(), "it is not asked for again so soon");
    bench.wait_s(config.secret_retry_s);
    assert_eq!(bench.get(&reference).await.unwrap(), "new");
}

#[tokio::test]
async fn what_is_not_configured_says_so() {
    let bench = Bench::local();
    let error = bench.get("vault://secret/a#b").await.unwrap_err();
    assert!(error.contains("`secrets.vault` is not configured"), "{error}");
    let error = bench.get("gcp-sm://project/name").await.unwrap_err();
    assert!(error.contains("reads no secrets of Azure or Google"), "{error}");
}

#[test]
fn a_configuration_with_a_secret_in_it_is_refused() {
    let parse = |text: &str| quell::config::Config::parse(text).unwrap_err();
    let error = parse("sources: { webhook: { listen: '127.0.0.1:0', token: hunter2hunter2 } }");
    assert!(error.contains("sources.webhook.token") && !error.contains("hunter2"), "{error}");
    let vault = |rest: &str| parse(&format!("secrets: {{ vault: {{ {rest} }} }}"));
    let error = vault("address: 'http://vault.example.com', auth: { token: 'env://T' }");
    assert!(error.contains("must be `https://`"), "{error}");
    let error = vault("address: 'https://v', auth: {}");
    assert!(error.contains("exactly one"), "{error}");
    let error = vault("address: 'https://v', auth: { token: 'vault://a/b#c' }");
    assert!(error.contains("can't lie in Vault"), "{error}");
    let error = vault("address: 'https://me:hunter2@v', auth: { token: 'env://T' }");
    assert!(error.contains("no user, password") && !error.contains("hunter2"), "{error}");
    let error = vault("address: 'https://v', auth: { token: 'hunter2' }");
    assert!(error.contains("auth.token") && !error.contains("hunter2"), "{error}");
}
