//! A stand-in for AWS Lambda's Runtime API, written from its page in the Lambda developer guide
//! ("Using the Lambda runtime API for custom runtimes"). No emulator offers this API apart from the
//! rest of Lambda, and the rest of Lambda lets a test neither choose the deadline nor send what is
//! no JSON. Only what a bootstrap calls is there: `next`, `response`, `error`, `init/error`.

use std::{
    collections::VecDeque,
    io::{self, BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crate::{Quell, TestkitError, error::cannot};

/// How long a bootstrap may take to answer beyond its own time.
const GRACE: Duration = Duration::from_secs(60);
/// What a bootstrap may send at the most.
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The running stand-in. Dropping it ends it.
#[derive(Debug)]
pub struct RuntimeApi {
    address: SocketAddr,
    desk: Arc<Desk>,
}

/// How an invocation was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// Whether it is a response; else it is an error.
    pub is_response: bool,
    /// The answer's body.
    pub body: String,
    /// When it arrived.
    pub at: Instant,
}

/// Where invocations wait for the bootstrap, and answers for the test.
#[derive(Debug, Default)]
struct Desk {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Invocation>,
    answered: Vec<(String, Answered)>,
    invocations: usize,
    stopped: bool,
}

#[derive(Debug)]
struct Invocation {
    id: String,
    event: Vec<u8>,
    time: Duration,
}

impl RuntimeApi {
    /// Starts one on a free loopback port.
    ///
    /// # Errors
    /// [`TestkitError::Io`] where there is no port.
    pub fn start() -> Result<RuntimeApi, TestkitError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .map_err(cannot("listen as Lambda's Runtime API"))?;
        let address = listener.local_addr().map_err(cannot("tell the Runtime API's address"))?;
        let desk = Arc::new(Desk::default());
        let at_desk = Arc::clone(&desk);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let desk = Arc::clone(&at_desk);
                match stream {
                    Ok(stream) if !desk.state().stopped => {
                        // A connection that breaks is the bootstrap's end, which a test awaits.
                        thread::spawn(move || serve(&desk, &stream).ok());
                    }
                    _ => break,
                }
            }
        });
        Ok(RuntimeApi { address, desk })
    }

    /// The binary in the environment that Lambda gives a bootstrap.
    #[must_use]
    pub fn environment(&self, quell: Quell) -> Quell {
        quell
            .variable("AWS_LAMBDA_RUNTIME_API", &self.address.to_string())
            .variable("AWS_LAMBDA_FUNCTION_NAME", "quell")
            .variable("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .variable("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
    }

    /// Host and port, as `AWS_LAMBDA_RUNTIME_API` has it.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Hands an event to the bootstrap, which has `time` for it, and waits for the answer.
    ///
    /// # Errors
    /// [`TestkitError::TooLong`] where none comes.
    pub fn invoke(&self, event: &[u8], time: Duration) -> Result<Answered, TestkitError> {
        let id = self.send(event, time);
        let limit = time + GRACE;
        let started = Instant::now();
        let mut state = self.desk.state();
        loop {
            if let Some(at) = state.answered.iter().position(|(it, _)| *it == id) {
                return Ok(state.answered.swap_remove(at).1);
            }
            let Some(left) = limit.checked_sub(started.elapsed()) else {
                let command = "an invocation".to_owned();
                return Err(TestkitError::TooLong { command, limit });
            };
            state = wait(&self.desk, state, left);
        }
    }

    /// Hands an event to the bootstrap and does not wait; the invocation's id.
    pub fn send(&self, event: &[u8], time: Duration) -> String {
        let mut state = self.desk.state();
        state.invocations += 1;
        let id = format!("invocation-{}", state.invocations);
        state.waiting.push_back(Invocation { id: id.clone(), event: event.to_vec(), time });
        self.desk.changed.notify_all();
        id
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.desk.state().stopped = true;
        self.desk.changed.notify_all();
        // Wakes the listener; where that fails, it ends with the process.
        let _ = TcpStream::connect(self.address);
    }
}

impl Desk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the next invocation; none where the stand-in ends.
    fn next(&self) -> Option<Invocation> {
        let mut state = self.state();
        loop {
            if state.stopped {
                return None;
            }
            if let Some(invocation) = state.waiting.pop_front() {
                return Some(invocation);
            }
            state = wait(self, state, GRACE);
        }
    }

    fn answer(&self, id: &str, is_response: bool, body: &[u8]) {
        let body = String::from_utf8_lossy(body).into_owned();
        let answered = Answered { is_response, body, at: Instant::now() };
        self.state().answered.push((id.to_owned(), answered));
        self.changed.notify_all();
    }
}

fn wait<'a>(
    desk: &'a Desk,
    state: MutexGuard<'a, State>,
    limit: Duration,
) -> MutexGuard<'a, State> {
    let waited = desk.changed.wait_timeout(state, limit);
    waited.unwrap_or_else(PoisonError::into_inner).0
}

/// Answers one connection's requests, one after the other.
fn serve(desk: &Desk, stream: &TcpStream) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    while let Some((path, body)) = request(&mut reader)? {
        let path: Vec<&str> = path.trim_start_matches("/2018-06-01/runtime/").split('/').collect();
        match path.as_slice() {
            ["invocation", "next"] => match desk.next() {
                Some(invocation) => hand_over(stream, &invocation)?,
                None => return Ok(()),
            },
            ["invocation", id, kind @ ("response" | "error")] => {
                desk.answer(id, *kind == "response", &body);
                accepted(stream)?;
            }
            ["init", "error"] => accepted(stream)?,
            _ => write_all(stream, b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")?,
        }
    }
    Ok(())
}

fn hand_over(stream: &TcpStream, Invocation { id, event, time }: &Invocation) -> io::Result<()> {
    let deadline = SystemTime::now() + *time;
    let deadline_ms = deadline.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         lambda-runtime-aws-request-id: {id}\r\nlambda-runtime-deadline-ms: {deadline_ms}\r\n\
         lambda-runtime-invoked-function-arn: \
         arn:aws:lambda:us-east-1:000000000000:function:quell\r\n\
         lambda-runtime-trace-id: Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0\r\n\r\n",
        event.len()
    );
    write_all(stream, &[head.as_bytes(), event].concat())
}

fn accepted(stream: &TcpStream) -> io::Result<()> {
    write_all(stream, b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n")
}

fn write_all(mut stream: &TcpStream, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes)
}

/// The next request's path and body; none where the connection ends.
fn request(reader: &mut impl BufRead) -> io::Result<Option<(String, Vec<u8>)>> {
    let Some(path) = line(reader)?.and_then(|it| Some(it.split(' ').nth(1)?.to_owned())) else {
        return Ok(None);
    };
    let (mut length, mut is_chunked) = (0, false);
    while let Some(header) = line(reader)?.filter(|it| !it.is_empty()) {
        let (name, value) = header.split_once(':').unwrap_or((&header, ""));
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().map_err(io::Error::other)?,
            "transfer-encoding" => is_chunked = value.contains("chunked"),
            _ => {}
        }
    }
    let mut body = Vec::new();
    if !is_chunked {
        read_part(reader, length, &mut body)?;
        return Ok(Some((path, body)));
    }
    loop {
        let size = line(reader)?.unwrap_or_default();
        let size = usize::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
        read_part(reader, size, &mut body)?;
        line(reader)?;
        if size == 0 {
            return Ok(Some((path, body)));
        }
    }
}

fn read_part(reader: &mut impl BufRead, length: usize, body: &mut Vec<u8>) -> io::Result<()> {
    if BODY_BYTES_MAX < body.len() + length {
        return Err(io::Error::other("the bootstrap sends too much"));
    }
    reader.take(length as u64).read_to_end(body).map(drop)
}

/// A line without its end; none where the connection ends.
fn line(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = String::new();
    let read = reader.read_line(&mut line)?;
    Ok((0 < read).then(|| line.trim_end().to_owned()))
}
