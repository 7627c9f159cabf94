//! HashiCorp Vault, against the stand-in.

use crate::e2e::Person;
use crate::standin::{NAMESPACE, ROLE_ID, SERVER_ID, StandIn};
use crate::support::{Bench, Line, add_profile, aws_at};
use quell::journal::lock;
use quell::secret::SecretError;
use quell::secret::config::{AppRole, AwsIam, SecretsConfig, VaultAuth, VaultConfig};
use quell_library::aws::AwsSettings;
use serde_json::json;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use testkit::{ADMIN_ACCESS_KEY_ID, ADMIN_SECRET_ACCESS_KEY, Ministack, Venv};

fn config(address: &str, auth: VaultAuth) -> SecretsConfig {
    SecretsConfig {
        vault: Some(VaultConfig {
            address: format!("http://{address}"),
            namespace: Some(NAMESPACE.to_owned()),
            ca_file: None,
            unversioned_mounts: vec!["kv".to_owned(), "database".to_owned()],
            auth,
        }),
        ..SecretsConfig::default()
    }
}

/// A stand-in, and a bench that logs in by AppRole with a secret id in a file.
async fn by_app_role() -> (StandIn, Bench, tempfile::TempDir) {
    let standin = StandIn::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret-id");
    fs::write(&file, "the secret id\n").unwrap();
    {
        let mut held = lock(&standin.held);
        held.secret_id = "the secret id".to_owned();
        held.kv2.insert("quell/webhook".to_owned(), json!({ "token": "v2", "port": 8200 }));
        held.kv1.insert("webhook".to_owned(), json!({ "token": "v1", "list": [] }));
    }
    let auth = app_role(&format!("file://{}", file.display()));
    let bench = Bench::new(config(&standin.address, auth), AwsSettings::default());
    (standin, bench, folder)
}

fn app_role(secret_id: &str) -> VaultAuth {
    let app_role = AppRole {
        mount: "approle".to_owned(),
        role_id: ROLE_ID.to_owned(),
        secret_id: secret_id.to_owned(),
    };
    VaultAuth { app_role: Some(app_role), ..VaultAuth::default() }
}

const LOGIN: &str = "POST /v1/auth/approle/login";
const RENEWAL: &str = "POST /v1/auth/token/renew-self";
const LEASE_RENEWAL: &str = "POST /v1/sys/leases/renew";

#[tokio::test]
async fn both_versions_of_kv_are_read_with_one_login() {
    let (standin, bench, _folder) = by_app_role().await;
    assert_eq!(bench.get("vault://secret/quell/webhook#token").await.unwrap(), "v2");
    assert_eq!(bench.get("vault://secret/quell/webhook#port").await.unwrap(), "8200");
    assert_eq!(bench.get("vault://kv/webhook#token").await.unwrap(), "v1");
    assert_eq!(lock(&standin.held).count(LOGIN), 1);

    let missing = bench.secrets.get("vault://secret/none#token").await.unwrap_err();
    assert!(matches!(missing, SecretError::NotFound { .. }), "{missing}");
    let no_key = bench.get("vault://secret/quell/webhook#password").await.unwrap_err();
    assert!(no_key.contains("no text under key `password`"), "{no_key}");
    assert!(bench.get("vault://kv/webhook#list").await.is_err());
    assert_eq!(bench.errors("vault"), 3.0);
}

#[tokio::test]
async fn a_rotated_value_is_picked_up() {
    let (standin, bench, _folder) = by_app_role().await;
    assert_eq!(bench.get("vault://secret/quell/webhook#token").await.unwrap(), "v2");
    lock(&standin.held).kv2.insert("quell/webhook".to_owned(), json!({ "token": "rotated" }));
    assert_eq!(bench.get("vault://secret/quell/webhook#token").await.unwrap(), "v2");
    bench.wait_s(300);
    assert_eq!(bench.get("vault://secret/quell/webhook#token").await.unwrap(), "rotated");
}

#[tokio::test]
async fn many_who_ask_at_once_lead_to_one_look_up() {
    let (standin, bench, _folder) = by_app_role().await;
    lock(&standin.held).delay = Duration::from_millis(50);
    let asked = (0..50).map(|_| bench.get("vault://secret/quell/webhook#token"));
    for found in futures::future::join_all(asked).await {
        assert_eq!(found.unwrap(), "v2");
    }
    assert_eq!(lock(&standin.held).requests.len(), 2, "one login and one read");
    lock(&standin.held).sealed = true;
    let asked = (0..50).map(|_| bench.get("vault://secret/none#token"));
    assert!(futures::future::join_all(asked).await.iter().all(Result::is_err));
    assert_eq!(lock(&standin.held).requests.len(), 3, "a failure is shared, too");
}

#[tokio::test]
async fn a_token_is_renewed_in_time_and_replaced_when_that_fails() {
    let (standin, bench, _folder) = by_app_role().await;
    let get = || bench.get("vault://secret/quell/webhook#token");
    let counts = || {
        let held = lock(&standin.held);
        (held.count(LOGIN), held.count(RENEWAL))
    };
    get().await.unwrap();
    bench.wait_s(2399);
    get().await.unwrap();
    assert_eq!(counts(), (1, 0), "two thirds are not over");
    bench.wait_s(301);
    get().await.unwrap();
    assert_eq!(counts(), (1, 1), "renewed");
    bench.wait_s(3601);
    get().await.unwrap();
    assert_eq!(counts(), (2, 1), "its life was over");

    lock(&standin.held).tokens.clear();
    bench.wait_s(301);
    assert_eq!(get().await.unwrap(), "v2", "revoked, so we logged in again");
    assert_eq!(counts(), (3, 1));
    {
        let mut held = lock(&standin.held);
        held.tokens.clear();
        held.secret_id = "another secret id".to_owned();
    }
    bench.wait_s(301);
    let error = get().await.unwrap_err();
    assert!(error.contains("`auth/approle/login` answered 400"), "{error}");
}

#[tokio::test]
async fn what_is_lent_is_renewed_and_its_keys_belong_together() {
    let (standin, bench, _folder) = by_app_role().await;
    let user = || bench.get("vault://database/creds/app#username");
    let first = user().await.unwrap();
    assert_eq!(bench.get("vault://database/creds/app#password").await.unwrap(), "lent");
    let reads = || lock(&standin.held).count("GET /v1/database/creds/app");
    assert_eq!(reads(), 1, "one lease for both keys");
    bench.wait_s(1801);
    assert_eq!(user().await.unwrap(), first);
    assert_eq!((reads(), lock(&standin.held).count(LEASE_RENEWAL)), (1, 1), "renewed");
    // The lease is revoked: another one is taken.
    lock(&standin.held).leases.clear();
    bench.wait_s(1801);
    assert_ne!(user().await.unwrap(), first);
    assert_eq!(reads(), 2);
}

#[tokio::test]
async fn a_short_lease_is_not_kept_beyond_its_middle() {
    let (standin, bench, _folder) = by_app_role().await;
    lock(&standin.held).lease_life_s = 60;
    bench.get("vault://database/creds/app#username").await.unwrap();
    bench.wait_s(31);
    bench.get("vault://database/creds/app#username").await.unwrap();
    assert_eq!(lock(&standin.held).count(LEASE_RENEWAL), 1);
}

#[tokio::test]
async fn the_last_value_stands_in_while_vault_is_sealed() {
    let (standin, bench, _folder) = by_app_role().await;
    let get = || bench.get("vault://secret/quell/webhook#token");
    assert_eq!(get().await.unwrap(), "v2");
    lock(&standin.held).sealed = true;
    bench.wait_s(300);
    assert_eq!(get().await.unwrap(), "v2");
    bench.wait_s(3300);
    let error = bench.secrets.get("vault://secret/quell/webhook#token").await.unwrap_err();
    assert!(matches!(error, SecretError::Unavailable { .. }), "{error}");
    lock(&standin.held).sealed = false;
    bench.wait_s(5);
    assert_eq!(get().await.unwrap(), "v2");
}

#[tokio::test]
async fn a_server_that_does_not_answer_ends_the_look_up() {
    let (standin, _, _folder) = by_app_role().await;
    lock(&standin.held).delay = Duration::from_secs(600);
    let limited = SecretsConfig {
        secret_time_max_ms: 100,
        ..config(&standin.address, app_role("env://CARGO_PKG_NAME"))
    };
    let bench = Bench { ..Bench::new(limited, AwsSettings::default()) };
    let error = bench.get("vault://secret/quell/webhook#token").await.unwrap_err();
    assert!(error.contains("secret_time_max_ms, 100 ms"), "{error}");
    let line = Line::to(standin.address.clone()).await;
    line.cut();
    let address = line.endpoint.strip_prefix("http://").unwrap();
    let cut = config(address, app_role("env://CARGO_PKG_NAME"));
    let error = Bench::new(cut, AwsSettings::default()).secrets;
    let error = error.get("vault://secret/quell/webhook#token").await.unwrap_err();
    assert!(error.is_transient(), "{error}");
}

#[tokio::test]
async fn a_given_token_is_read_again_when_it_was_replaced() {
    let (standin, _, folder) = by_app_role().await;
    let file = folder.path().join("token");
    fs::write(&file, "agent-1\n").unwrap();
    lock(&standin.held).tokens.insert("agent-1".to_owned());
    let token = Some(format!("file://{}", file.display()));
    let auth = VaultAuth { token, ..VaultAuth::default() };
    let bench = Bench::new(config(&standin.address, auth), AwsSettings::default());
    let get = || bench.get("vault://secret/quell/webhook#token");
    assert_eq!(get().await.unwrap(), "v2");
    fs::write(&file, "agent-2\n").unwrap();
    lock(&standin.held).tokens = ["agent-2".to_owned()].into();
    bench.wait_s(300);
    assert_eq!(get().await.unwrap(), "v2");
}

#[tokio::test(flavor = "multi_thread")]
async fn our_iam_identity_logs_in() {
    add_profile("vault-admin", ADMIN_ACCESS_KEY_ID, ADMIN_SECRET_ACCESS_KEY);
    let (standin, _, _folder) = by_app_role().await;
    let endpoint = Ministack::shared(true).unwrap().endpoint();
    lock(&standin.held).sts = endpoint.clone();
    let person = Person::at(&endpoint, &Venv::SERVICES);
    person.call("iam", "create_user", json!({ "UserName": "vault-login" }));
    let key = person.call("iam", "create_access_key", json!({ "UserName": "vault-login" }));
    let key = |it: &str| crate::e2e::text(&key["AccessKey"][it]);
    add_profile("vault-login", &key("AccessKeyId"), &key("SecretAccessKey"));
    // The same user with a wrong secret: STS must refuse the signature.
    add_profile("vault-forged", &key("AccessKeyId"), "not the secret of this key");
    let aws_iam = AwsIam {
        mount: "aws".to_owned(),
        role: "quell".to_owned(),
        server_id: Some(SERVER_ID.to_owned()),
        sts_region: Some("us-east-1".to_owned()),
    };
    let auth = VaultAuth { aws_iam: Some(aws_iam), ..VaultAuth::default() };
    let bench = |profile: &str| {
        let bench = Bench::new(config(&standin.address, auth.clone()), aws_at(&endpoint, profile));
        // STS refuses signatures that are older than some minutes.
        let behind = jiff::Timestamp::now().duration_since(quell::clock::Clock::now(&*bench.clock));
        bench.wait_s(behind.as_secs().unsigned_abs());
        bench
    };
    let found = bench("vault-login").get("vault://secret/quell/webhook#token").await;
    assert_eq!(found.unwrap(), "v2");
    let identities = lock(&standin.held).identities.clone();
    assert_eq!(identities, ["arn:aws:iam::000000000000:user/vault-login"]);
    let forged = bench("vault-forged").get("vault://secret/quell/webhook#token").await;
    let error = forged.unwrap_err();
    assert!(error.contains("`auth/aws/login` answered 400"), "{error}");
}

/// TLS in front of the stand-in, by Python's own; ended when dropped.
struct Tls {
    child: Child,
    port: u16,
}

const TLS_PROXY: &str = r#"
import socket, ssl, sys, threading
cert, key, host, port = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(cert, key)
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)

def pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    finally:
        sink.close()

while True:
    raw, _ = listener.accept()
    try:
        here = context.wrap_socket(raw, server_side=True)
    except (OSError, ssl.SSLError):
        continue
    there = socket.create_connection((host, port))
    for pair in ((here, there), (there, here)):
        threading.Thread(target=pump, args=pair, daemon=True).start()
"#;

impl Tls {
    fn before(address: &str, folder: &std::path::Path) -> Tls {
        let (cert, key) = (folder.join("ca.pem"), folder.join("key.pem"));
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
            .args(["-nodes", "-days", "2", "-subj", "/CN=vault"])
            .args(["-addext", "subjectAltName=IP:127.0.0.1"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
            .arg(&key)
            .arg("-out")
            .arg(&cert)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let (host, port) = address.split_once(':').unwrap();
        let mut child = Command::new(Venv::SERVICES.python().unwrap())
            .args(["-c", TLS_PROXY])
            .args([&cert, &key])
            .args([host, port])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut out, &mut line).unwrap();
        Tls { child, port: line.trim().parse().unwrap() }
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_named_authority_is_trusted() {
    let (standin, _, folder) = by_app_role().await;
    let tls = Tls::before(&standin.address, folder.path());
    let secret_id = format!("file://{}", folder.path().join("secret-id").display());
    let with = |ca_file| {
        let mut config = config("unused", app_role(&secret_id));
        let vault = config.vault.as_mut().unwrap();
        vault.address = format!("https://127.0.0.1:{}", tls.port);
        vault.ca_file = ca_file;
        Bench::new(config, AwsSettings::default())
    };
    let trusted = with(Some(folder.path().join("ca.pem")));
    assert_eq!(trusted.get("vault://secret/quell/webhook#token").await.unwrap(), "v2");
    let error = with(None).get("vault://secret/quell/webhook#token").await.unwrap_err();
    assert!(error.to_lowercase().contains("certificate"), "{error}");
    let error = with(Some(folder.path().join("secret-id"))).get("vault://secret/a#b").await;
    assert!(error.unwrap_err().contains("secrets.vault.ca_file"), "names the setting");
}
