//! LocalEmu: the emulator whose API calls become CloudTrail events, on EventBridge after 60 s.
//!
//! Its events differ from AWS's in shape. Tests take only ids from them, and nothing of its ways
//! goes into the product.

use std::process::Command;

use camino::Utf8PathBuf;

use crate::{
    ADMIN_ACCESS_KEY_ID, ADMIN_SECRET_ACCESS_KEY, REGION, TestkitError, Venv,
    service::{Service, ServiceSpec, Settings},
};

/// A running LocalEmu. Dropping it ends it.
#[derive(Debug)]
pub struct LocalEmu {
    python: Utf8PathBuf,
    service: Service,
}

impl LocalEmu {
    /// Starts one.
    ///
    /// # Errors
    /// Any of [`TestkitError`]'s: no environment, no free port, not ready in time.
    pub fn start() -> Result<LocalEmu, TestkitError> {
        let python = Venv::LOCALEMU.python()?;
        let settings = |port: u16| Settings {
            arguments: vec![],
            variables: vec![
                ("GATEWAY_LISTEN", format!("127.0.0.1:{port}")),
                ("AWS_ACCESS_KEY_ID", ADMIN_ACCESS_KEY_ID.to_owned()),
                ("AWS_SECRET_ACCESS_KEY", ADMIN_SECRET_ACCESS_KEY.to_owned()),
                ("AWS_DEFAULT_REGION", REGION.to_owned()),
            ],
        };
        let service = Service::start(&ServiceSpec {
            python: &python,
            module: "localemu.runtime.main",
            module_text: None,
            settings: &settings,
            ready_path: "/_localemu/health",
        })?;
        Ok(LocalEmu { python, service })
    }

    /// `http://127.0.0.1:PORT`, for the SDK's endpoint URL.
    pub fn endpoint(&self) -> String {
        self.service.endpoint()
    }

    /// The plain AWS command line, pointed at this emulator: `aws_cli(&["s3api", "list-buckets"])`.
    pub fn aws_cli(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.python);
        command
            .args(["-m", "awscli", "--endpoint-url", &self.endpoint(), "--output", "json"])
            .args(arguments)
            .env("AWS_ACCESS_KEY_ID", ADMIN_ACCESS_KEY_ID)
            .env("AWS_SECRET_ACCESS_KEY", ADMIN_SECRET_ACCESS_KEY)
            .env("AWS_DEFAULT_REGION", REGION)
            .env("AWS_PAGER", "")
            .env_remove("AWS_PROFILE");
        command
    }

    /// The process id, which is that of its process group too.
    pub fn process_id(&self) -> u32 {
        self.service.process_id()
    }

    /// The last lines of its log.
    pub fn log_tail(&self) -> String {
        self.service.log_tail()
    }
}
