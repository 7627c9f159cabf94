//! One service process: started, awaited, logged, ended.

use std::{
    fs::{self, File},
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::process::CommandExt,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Mutex, OnceLock, PoisonError},
    thread,
    time::{Duration, Instant},
};

use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    TestkitError,
    error::cannot,
    http::{HttpAnswer, http_request},
};

/// How many free ports are tried: another process may take one between our look and the service's.
const STARTS_MAX: usize = 3;
/// How long a service may take until it answers (LocalEmu on a busy machine is the slowest).
const READY_TIME_MAX: Duration = Duration::from_secs(90);
/// Pause between two looks at whether it answers, or has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// How long the watchdog may take to end the service before it is killed from here.
const STOP_TIME_MAX: Duration = Duration::from_secs(5);
/// How much of the log an error shows.
const LOG_TAIL_LINES_MAX: usize = 40;

/// What is started, and how to see that it is ready.
pub(crate) struct ServiceSpec<'a> {
    /// The interpreter of the virtual environment that has the module.
    pub python: &'a Utf8Path,
    /// The Python module, run as `python -m` would.
    pub module: &'a str,
    /// The module's text where it is one of ours; none where the environment has it.
    pub module_text: Option<&'a str>,
    /// Arguments and variables for the port that was chosen.
    pub settings: &'a dyn Fn(u16) -> Settings,
    /// A path that answers 200 when the service is ready.
    pub ready_path: &'a str,
}

/// Arguments and environment of a service.
#[derive(Default)]
pub(crate) struct Settings {
    /// Command line after the module.
    pub arguments: Vec<String>,
    /// Variables beyond the inherited ones.
    pub variables: Vec<(&'static str, String)>,
}

/// A running service. Dropping it ends it and everything that it started.
#[derive(Debug)]
pub(crate) struct Service {
    module: String,
    child: Child,
    address: SocketAddr,
    /// Temporary files and the log. The watchdog removes it.
    folder: Utf8PathBuf,
}

impl Service {
    /// Starts the service on a free loopback port and waits until it answers.
    pub(crate) fn start(spec: &ServiceSpec<'_>) -> Result<Service, TestkitError> {
        let mut attempt = 1;
        loop {
            let mut service = Service::spawn(spec)?;
            match service.wait_until_ready(spec.ready_path) {
                Ok(()) => return Ok(service),
                Err(_) if service.has_ended() && attempt < STARTS_MAX => attempt += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// `http://127.0.0.1:PORT`
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sends a request without a body.
    pub(crate) fn request(&self, method: &str, path: &str) -> Result<HttpAnswer, TestkitError> {
        http_request(self.address, method, path)
    }

    /// The process id, which is its process group's too.
    pub(crate) fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// All that the service printed.
    pub(crate) fn log(&self) -> String {
        let log = fs::read(self.folder.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// The last lines of what the service printed.
    pub(crate) fn log_tail(&self) -> String {
        let log = self.log();
        let skipped = log.lines().count().saturating_sub(LOG_TAIL_LINES_MAX);
        log.lines().skip(skipped).collect::<Vec<_>>().join("\n")
    }

    fn spawn(spec: &ServiceSpec<'_>) -> Result<Service, TestkitError> {
        let address = free_address()?;
        let folder = temporary_folder()?;
        let log = File::create(folder.join("log")).map_err(cannot("make a service's log"))?;
        let log_too = log.try_clone().map_err(cannot("share a service's log"))?;
        if let Some(text) = spec.module_text {
            // The service runs in its folder, so Python finds the module there.
            let file = folder.join(format!("{}.py", spec.module));
            fs::write(file, text).map_err(cannot("write a service's module"))?;
        }
        let settings = (spec.settings)(address.port());
        let child = Command::new(spec.python)
            .args(["-c", include_str!("watchdog.py"), folder.as_str(), spec.module])
            .args(settings.arguments)
            .envs(settings.variables)
            .env("TMPDIR", &folder)
            .env("PYTHONUNBUFFERED", "1")
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(log)
            .stderr(log_too)
            .process_group(0)
            .spawn()
            .map_err(cannot(format!("start `{}`", spec.python)))?;
        Ok(Service { module: spec.module.to_owned(), child, address, folder })
    }

    fn wait_until_ready(&mut self, path: &str) -> Result<(), TestkitError> {
        let started = Instant::now();
        let mut last = String::from("never answered");
        while started.elapsed() < READY_TIME_MAX {
            if let Some(status) = self.child.try_wait().ok().flatten() {
                return Err(self.not_ready(format!("ended early ({status})")));
            }
            match self.request("GET", path) {
                Ok(answer) if answer.status == 200 => return Ok(()),
                Ok(answer) => last = format!("answers `{path}` with status {}", answer.status),
                Err(_) => {}
            }
            thread::sleep(POLL_INTERVAL);
        }
        Err(self.not_ready(format!("was not ready after {READY_TIME_MAX:?}: it {last}")))
    }

    fn not_ready(&self, what: String) -> TestkitError {
        TestkitError::NotReady { service: self.module.clone(), what, log_tail: self.log_tail() }
    }

    fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("the end of `{}`'s log:\n{}", self.module, self.log_tail());
        }
        drop(self.child.stdin.take());
        if wait_at_most(&mut self.child, STOP_TIME_MAX).ok().flatten().is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        // Usually gone already; a service that ended before its watchdog was up left it behind.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Hands out the value in `slot`, made by `start` if need be. One caller at a time starts.
pub(crate) fn shared<T>(
    slot: &'static OnceLock<T>,
    start: impl FnOnce() -> Result<T, TestkitError>,
) -> Result<&'static T, TestkitError> {
    static STARTING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    match slot.get() {
        Some(running) => Ok(running),
        None => start().map(|it| slot.get_or_init(|| it)),
    }
}

/// Waits for `child` to end, for at most `limit`.
pub(crate) fn wait_at_most(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let started = Instant::now();
    loop {
        match child.try_wait()? {
            None if started.elapsed() < limit => thread::sleep(POLL_INTERVAL.min(limit)),
            ended => return Ok(ended),
        }
    }
}

/// A loopback address that was free a moment ago.
fn free_address() -> Result<SocketAddr, TestkitError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|it| it.local_addr())
        .map_err(cannot("find a free port"))
}

fn temporary_folder() -> Result<Utf8PathBuf, TestkitError> {
    let folder = tempfile::Builder::new().prefix("quell-service-").tempdir();
    let path = folder.map_err(cannot("make a temporary folder"))?.keep();
    Utf8PathBuf::from_path_buf(path)
        .map_err(|_| cannot("use a temporary folder")(io::ErrorKind::InvalidFilename.into()))
}
