//! What these tests share: a resolver with a clock that stands still, credentials by profile, a
//! connection that can be cut, and a log of everything.

use jiff::Timestamp;
use quell::clock::Clock;
use quell::secret::Secrets;
use quell::secret::config::SecretsConfig;
use quell::simulation::clock::SimulatedClock;
use quell::telemetry::metric::{Dimension, Metric};
use quell::telemetry::{Samples, Series, Telemetry};
use quell_library::aws::AwsSettings;
use std::fs;
use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A resolver, its clock, and what it counts.
pub struct Bench {
    pub secrets: Arc<Secrets>,
    pub clock: Arc<SimulatedClock>,
    pub telemetry: Arc<Telemetry>,
}

impl Bench {
    pub fn new(config: SecretsConfig, aws: AwsSettings) -> Bench {
        log();
        credentials();
        let start = Timestamp::constant(1_767_603_600, 0);
        let clock = Arc::new(SimulatedClock::at(start));
        let telemetry = Arc::new(Telemetry::default());
        let ticking = Arc::clone(&clock) as Arc<dyn Clock>;
        let secrets = Arc::new(Secrets::new(config, aws, ticking, Arc::clone(&telemetry)));
        Bench { secrets, clock, telemetry }
    }

    /// Nothing but the environment and files.
    pub fn local() -> Bench {
        Bench::new(SecretsConfig::default(), AwsSettings::default())
    }

    /// What the reference leads to now; the error's text where it leads nowhere.
    pub async fn get(&self, reference: &str) -> Result<String, String> {
        let found = self.secrets.get(reference).await;
        found.map(|it| it.expose().to_owned()).map_err(|it| it.to_string())
    }

    pub fn wait_s(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// How many look-ups failed since the last time.
    pub fn errors(&self, scheme: &str) -> f64 {
        let labels = vec![(Dimension::Scheme, scheme.to_owned())];
        let series = Series { metric: Metric::SecretErrors, labels };
        match self.telemetry.take(self.clock.now()).get(&series) {
            Some(Samples::One(count)) => *count,
            _ => 0.0,
        }
    }
}

/// AWS at an endpoint, as a profile of [`credentials`].
pub fn aws_at(endpoint: &str, profile: &str) -> AwsSettings {
    AwsSettings {
        profile: Some(profile.to_owned()),
        endpoint_url: Some(endpoint.to_owned()),
        call_attempts_max: 1,
        ..AwsSettings::default()
    }
}

fn profiles() -> &'static Mutex<String> {
    static PROFILES: Mutex<String> = Mutex::new(String::new());
    &PROFILES
}

fn credentials() -> &'static std::path::Path {
    static FILE: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = FILE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("credentials");
        fs::write(&file, "").unwrap();
        // SAFETY: only Rust's own functions read the environment in this process, and they lock it.
        unsafe {
            for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
                std::env::remove_var(name);
            }
            std::env::set_var("AWS_EC2_METADATA_DISABLED", "true");
            std::env::set_var("AWS_SHARED_CREDENTIALS_FILE", &file);
            std::env::set_var("AWS_CONFIG_FILE", folder.path().join("config"));
        }
        folder
    });
    folder.path()
}

/// Adds a profile with fixed keys.
pub fn add_profile(name: &str, id: &str, secret: &str) {
    let file = credentials().join("credentials");
    let mut all = profiles().lock().unwrap();
    all.push_str(&format!(
        "[{name}]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n\n"
    ));
    fs::write(file, all.as_bytes()).unwrap();
}

/// A connection to an address that can be cut and mended.
pub struct Line {
    pub endpoint: String,
    up: watch::Sender<bool>,
}

impl Line {
    pub async fn to(address: String) -> Line {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let (up, watched) = watch::channel(true);
        tokio::spawn(async move {
            while let Ok((mut here, _)) = listener.accept().await {
                let (address, mut watched) = (address.clone(), watched.clone());
                tokio::spawn(async move {
                    if !*watched.borrow() {
                        return;
                    }
                    let Ok(mut there) = TcpStream::connect(address).await else { return };
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut here, &mut there) => {}
                        _ = watched.wait_for(|it| !*it) => {}
                    }
                });
            }
        });
        Line { endpoint, up }
    }

    pub fn cut(&self) {
        self.up.send_replace(false);
    }

    pub fn mend(&self) {
        self.up.send_replace(true);
    }
}

/// Everything that this process logs, at the finest level, of every crate.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

pub fn log() -> &'static Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    LOG.get_or_init(|| {
        let log = Log::default();
        let out = log.clone();
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_writer(move || out.clone())
            .init();
        log
    })
}
