//! No secret is ever told: neither in a log line of any crate at the finest level, nor in an error,
//! a debug print, a ledger record, what `doctor` prints, or the message of a panic.

use crate::e2e::{Person, event};
use crate::standin::StandIn;
use crate::support::{Bench, add_profile, aws_at, log};
use quell::journal::lock;
use quell::secret::config::{AppRole, SecretsConfig, VaultAuth, VaultConfig};
use serde_json::json;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};
use testkit::{ADMIN_ACCESS_KEY_ID, ADMIN_SECRET_ACCESS_KEY, Ministack, Quell, Venv};

/// In every planted secret; nothing else holds it.
const PLANTED: &str = "planted-in-a-test";

fn assert_clean(what: &str, text: &str) {
    if let Some(at) = text.find(PLANTED) {
        let from = text.floor_char_boundary(at.saturating_sub(200));
        let to = text.ceil_char_boundary((at + 100).min(text.len()));
        panic!("{what} tells a secret: …{}…", &text[from..to]);
    }
}

/// The same in other clothes.
fn assert_clean_bytes(what: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    assert_clean(what, &text);
    assert!(!text.contains(&hex::encode(PLANTED)), "{what} tells a secret in hex");
    // A whole number of groups, so that whatever follows does not matter.
    let encoded = aws_smithy_types::base64::encode(&PLANTED[..12]);
    assert!(!text.contains(&encoded), "{what} tells a secret in base64");
}

/// Puts secrets where AWS keeps them.
fn plant_in_aws(endpoint: &str) {
    let person = Person::at(endpoint, &Venv::SERVICES);
    let text = format!("{PLANTED}-in-aws");
    for (name, value) in [
        ("leaks/plain", text.clone()),
        ("leaks/object", json!({ "key": text, "number": 1 }).to_string()),
        ("leaks/broken", format!("{{\"key\": \"{text}\" oops")),
        ("leaks/string", format!("\"{text}\"")),
    ] {
        person.call(
            "secretsmanager",
            "create_secret",
            json!({ "Name": name, "SecretString": value }),
        );
    }
    let parameter = json!({ "Name": "/leaks/p", "Value": text, "Type": "SecureString" });
    person.call("ssm", "put_parameter", parameter);
}

/// Puts secrets into Vault, and says how to log in there.
fn plant_in_vault(standin: &StandIn, file: &Path) -> SecretsConfig {
    {
        let mut held = lock(&standin.held);
        held.secret_id = format!("{PLANTED}-in-file");
        held.kv2.insert("leaks".to_owned(), json!({ "key": format!("{PLANTED}-in-vault") }));
        held.kv1.insert("leaks".to_owned(), json!({ "key": format!("{PLANTED}-in-vault") }));
    }
    let app_role = AppRole {
        mount: "approle".to_owned(),
        role_id: crate::standin::ROLE_ID.to_owned(),
        secret_id: format!("file://{}", file.display()),
    };
    SecretsConfig {
        vault: Some(VaultConfig {
            address: format!("http://{}", standin.address),
            namespace: Some(crate::standin::NAMESPACE.to_owned()),
            ca_file: None,
            unversioned_mounts: vec!["kv".to_owned()],
            auth: VaultAuth { app_role: Some(app_role), ..VaultAuth::default() },
        }),
        ..SecretsConfig::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn looking_up_tells_nothing() {
    let endpoint = Ministack::shared(true).unwrap().endpoint();
    add_profile("leaks", ADMIN_ACCESS_KEY_ID, ADMIN_SECRET_ACCESS_KEY);
    plant_in_aws(&endpoint);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret-id");
    fs::write(&file, format!("{PLANTED}-in-file")).unwrap();
    let standin = StandIn::start().await;
    let bench = Bench::new(plant_in_vault(&standin, &file), aws_at(&endpoint, "leaks"));
    let (mut resolved, mut told) = (0, String::new());
    for round in 0..2 {
        for reference in [
            "aws-sm://leaks/plain",
            "aws-sm://leaks/object#key",
            "aws-sm://leaks/object#number",
            "aws-sm://leaks/broken#key",
            "aws-sm://leaks/string#key",
            "aws-sm://leaks/plain#key",
            "aws-sm://leaks/none",
            "aws-ssm:///leaks/p",
            "vault://secret/leaks#key",
            "vault://secret/leaks#other",
            "vault://kv/leaks#key",
            &format!("file://{}", file.display()),
            &format!("{PLANTED}://{PLANTED}"),
            PLANTED,
        ] {
            match bench.secrets.get(reference).await {
                Ok(secret) => {
                    resolved += usize::from(secret.expose().contains(PLANTED));
                    told.push_str(&format!("{secret:?} {secret:#?}\n"));
                }
                Err(error) => told.push_str(&format!("{error} {error:?} {error:#?}\n")),
            }
        }
        told.push_str(&format!("{:?} {:#?}", bench.secrets, bench.secrets));
        // Then the token is revoked, the login fails, and Vault is sealed.
        bench.wait_s(301);
        let mut held = lock(&standin.held);
        held.tokens.clear();
        held.secret_id = "changed".to_owned();
        held.sealed = round == 1;
    }
    assert!(10 <= resolved, "only {resolved} references led to their planted secret");
    assert_clean_bytes("an error or debug print", told.as_bytes());

    let secret = bench.secrets.get("aws-sm://leaks/plain").await.unwrap();
    let panicked = std::panic::catch_unwind(|| panic!("a bug beside {secret:?}")).unwrap_err();
    assert_clean("a panic", panicked.downcast_ref::<String>().unwrap());

    let all = log().text();
    assert!(all.contains("TRACE") && all.contains("hyper"), "the log does not hear every crate");
    assert_clean_bytes("the log", all.as_bytes());
}

/// The text of all files below a folder.
fn everything_below(folder: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(everything_below(&path));
        } else {
            all.extend(fs::read(path).unwrap());
        }
    }
    all
}

/// Events under right and wrong tokens, while the token is rotated.
async fn post_events(port: u16, token: &str, file: &str) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("http://127.0.0.1:{port}/events");
    let send = |token: &str, body: String| {
        let request = client.post(&url).bearer_auth(token).body(body);
        async { request.send().await.map(|it| it.status().as_u16()) }
    };
    let started = Instant::now();
    while send("wrong", String::new()).await.is_err() {
        assert!(started.elapsed() < Duration::from_secs(60), "it does not listen");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let fails = event("111122223333", "s3", "PutBucketPolicy", json!({ "bucketName": "b" }));
    let body =
        fails.to_string().replace(r#""eventType""#, r#""errorCode":"AccessDenied","eventType""#);
    assert_eq!(send(&format!("{token}-wrong"), body.clone()).await.unwrap(), 401);
    assert_eq!(send(token, body).await.unwrap(), 200);
    assert_eq!(send(token, "{}".to_owned()).await.unwrap(), 200, "a dead letter");
    let rotated = format!("{PLANTED}-rotated-token");
    fs::write(file, &rotated).unwrap();
    assert_eq!(send(token, "{}".to_owned()).await.unwrap(), 401, "rotated at once");
    assert_eq!(send(&rotated, "{}".to_owned()).await.unwrap(), 200);
    fs::write(file, "short").unwrap();
    assert_eq!(send(&rotated, "{}".to_owned()).await.unwrap(), 503);
}

#[test]
fn a_running_service_and_doctor_tell_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).into_os_string().into_string().unwrap();
    let token = format!("{PLANTED}-webhook-token");
    fs::write(path("token"), format!("{token}\n")).unwrap();
    fs::write(path("key.pem"), format!("-----BEGIN {PLANTED}-----\n{PLANTED}\n")).unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut config = json!({
        "aws": { "endpoint_url": "http://127.0.0.1:9", "accounts": { "111122223333": {} } },
        "sources": { "webhook": {
            "listen": format!("127.0.0.1:{port}"),
            "token": format!("file://{}", path("token")),
        }},
        "secrets": { "secret_ttl_s": 0 },
    });
    let write = |config: &serde_json::Value| {
        fs::write(path("quell.yaml"), config.to_string()).unwrap();
    };
    write(&config);
    let quell = Quell::new(env!("CARGO_BIN_EXE_quell"))
        .aws("http://127.0.0.1:9", "test", "test")
        .variable("QUELL_LOG", "trace")
        .variable("QUELL_LOG_FORMAT", "json");
    let (config_path, data) = (path("quell.yaml"), path("data"));
    let with =
        |command: &str| ["--config", &config_path, "--data-dir", &data, command].map(str::to_owned);
    let running = {
        let arguments = with("run");
        quell.spawn(&arguments.each_ref().map(String::as_str)).unwrap()
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(post_events(port, &token, &path("token")));
    running.terminate().unwrap();
    let ran = running.wait(Duration::from_secs(60)).unwrap();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("no token to compare with"), "{}", ran.stderr);
    for line in ran.stderr.lines() {
        serde_json::from_str::<serde_json::Value>(line)
            .unwrap_or_else(|_| panic!("no JSON: {line}"));
    }
    let traced =
        |line: &&str| line.contains("ViolatingCallFailed") && line.contains("\"trace_id\"");
    assert_eq!(ran.stderr.lines().filter(traced).count(), 1, "{}", ran.stderr);
    assert_clean_bytes("the service", (ran.stdout + &ran.stderr).as_bytes());
    let ledger = everything_below(Path::new(&data));
    assert!(String::from_utf8_lossy(&ledger).contains("call_failed"));
    assert_clean_bytes("the data folder", &ledger);

    fs::write(path("token"), &token).unwrap();
    config["store"] = json!({ "signing_key": format!("file://{}", path("key.pem")) });
    write(&config);
    for format in ["text", "json"] {
        let arguments = with("doctor").to_vec();
        let arguments =
            arguments.iter().map(String::as_str).chain(["--offline", "--format", format]);
        let ran = quell.run(&arguments.collect::<Vec<_>>()).unwrap();
        assert!(ran.stdout.contains("sources.webhook.token") && ran.stdout.contains("resolves"));
        assert!(ran.stdout.contains("is not an Ed25519 private key"), "{}", ran.stdout);
        assert_clean_bytes("doctor", (ran.stdout + &ran.stderr).as_bytes());
    }
}
