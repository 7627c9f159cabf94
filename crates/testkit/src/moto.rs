//! moto: the emulator for calls that ministack lacks.

use std::sync::OnceLock;

use crate::{
    ADMIN_ACCESS_KEY_ID, ADMIN_SECRET_ACCESS_KEY, REGION, TestkitError, Venv,
    service::{Service, ServiceSpec, Settings, shared},
};

/// A running moto server with AWS's managed policies loaded. Dropping it ends it.
#[derive(Debug)]
pub struct Moto {
    service: Service,
}

impl Moto {
    /// Starts one.
    ///
    /// # Errors
    /// Any of [`TestkitError`]'s: no environment, no free port, not ready in time.
    pub fn start() -> Result<Moto, TestkitError> {
        let python = Venv::SERVICES.python()?;
        let settings = |port: u16| Settings {
            arguments: ["-H", "127.0.0.1", "-p", &port.to_string()].map(str::to_owned).to_vec(),
            variables: vec![
                ("MOTO_IAM_LOAD_MANAGED_POLICIES", "true".to_owned()),
                ("AWS_ACCESS_KEY_ID", ADMIN_ACCESS_KEY_ID.to_owned()),
                ("AWS_SECRET_ACCESS_KEY", ADMIN_SECRET_ACCESS_KEY.to_owned()),
                ("AWS_DEFAULT_REGION", REGION.to_owned()),
            ],
        };
        let service = Service::start(&ServiceSpec {
            python: &python,
            module: "moto.server",
            module_text: None,
            settings: &settings,
            ready_path: "/moto-api/",
        })?;
        Ok(Moto { service })
    }

    /// The one that all tests of this process share, started by the first that asks and ended with
    /// the process. Tests that share it use resource names of their own.
    ///
    /// # Errors
    /// As [`Moto::start`]; an error is not kept, the next caller tries again.
    pub fn shared() -> Result<&'static Moto, TestkitError> {
        static SHARED: OnceLock<Moto> = OnceLock::new();
        shared(&SHARED, Moto::start)
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
        self.service.request("POST", "/moto-api/reset").map(drop)
    }

    /// The last lines of its log.
    pub fn log_tail(&self) -> String {
        self.service.log_tail()
    }
}
