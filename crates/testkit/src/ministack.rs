//! ministack: the emulator that enforces IAM as AWS does.
//!
//! It lacks S3 Control's public access block of the account, without which no bucket can be read
//! honestly; `ministack_account_block.py`, a stand-in of ours, adds those three calls, says the
//! role where a policy asks which principal a session is, and takes requests as a proxy to itself.

use std::sync::OnceLock;

use crate::{
    ADMIN_ACCESS_KEY_ID, ADMIN_SECRET_ACCESS_KEY, REGION, TestkitError, Venv,
    service::{Service, ServiceSpec, Settings, shared},
};

/// A running ministack. Dropping it ends it.
#[derive(Debug)]
pub struct Ministack {
    service: Service,
}

impl Ministack {
    /// Starts one. With `auth`, signatures and IAM policies are enforced.
    ///
    /// # Errors
    /// Any of [`TestkitError`]'s: no environment, no free port, not ready in time.
    pub fn start(auth: bool) -> Result<Ministack, TestkitError> {
        let python = Venv::SERVICES.python()?;
        let settings = |port: u16| Settings {
            arguments: vec![],
            variables: vec![
                ("AUTH", auth.to_string()),
                ("BIND_HOST", "127.0.0.1".to_owned()),
                ("GATEWAY_PORT", port.to_string()),
                // It hands these to what it runs: Lambda functions, ready scripts.
                ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}")),
                ("AWS_ACCESS_KEY_ID", ADMIN_ACCESS_KEY_ID.to_owned()),
                ("AWS_SECRET_ACCESS_KEY", ADMIN_SECRET_ACCESS_KEY.to_owned()),
                ("AWS_REGION", REGION.to_owned()),
                ("LOG_LEVEL", "WARNING".to_owned()),
            ],
        };
        let service = Service::start(&ServiceSpec {
            python: &python,
            module: "ministack_account_block",
            module_text: Some(include_str!("ministack_account_block.py")),
            settings: &settings,
            ready_path: "/_ministack/health",
        })?;
        Ok(Ministack { service })
    }

    /// The one that all tests of this process share, started by the first that asks.
    ///
    /// Statics are never dropped: its watchdog ends it with the process. Tests that share it use
    /// resource names of their own and never [`Ministack::reset`] it.
    ///
    /// # Errors
    /// As [`Ministack::start`]; an error is not kept, the next caller tries again.
    pub fn shared(auth: bool) -> Result<&'static Ministack, TestkitError> {
        static OPEN: OnceLock<Ministack> = OnceLock::new();
        static ENFORCING: OnceLock<Ministack> = OnceLock::new();
        shared(if auth { &ENFORCING } else { &OPEN }, || Ministack::start(auth))
    }

    /// `http://127.0.0.1:PORT`, for the SDK's endpoint URL.
    pub fn endpoint(&self) -> String {
        self.service.endpoint()
    }

    /// Forgets all resources, as after a fresh start.
    ///
    /// # Errors
    /// [`TestkitError::Io`] or [`TestkitError::BadAnswer`] where it does not answer.
    pub fn reset(&self) -> Result<(), TestkitError> {
        self.service.request("POST", "/_ministack/reset").map(drop)
    }

    /// The process id, for a test that ends or pauses the service.
    pub fn process_id(&self) -> u32 {
        self.service.process_id()
    }

    /// The calls that IAM refused so far: principal, action and resource.
    pub fn refusals(&self) -> Vec<String> {
        let log = self.service.log();
        let refused = log.lines().filter_map(|it| it.strip_prefix("refused "));
        refused.map(str::to_owned).collect()
    }

    /// The last lines of its log.
    pub fn log_tail(&self) -> String {
        self.service.log_tail()
    }
}
