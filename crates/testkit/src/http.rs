//! One HTTP request over a plain socket: enough to ask an emulator whether it is up.
//!
//! No keep-alive, no TLS, no chunked bodies to send: a client crate would be the largest dependency
//! of the tests for two requests.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use crate::{TestkitError, error::cannot};

/// How long connecting, and each read or write, may take.
const STEP_TIME_MAX: Duration = Duration::from_secs(10);
/// How much of an answer is read.
const ANSWER_BYTES_MAX: u64 = 1024 * 1024;

/// Status and body of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpAnswer {
    /// The status code, e.g. 200.
    pub status: u16,
    /// All that follows the header, as it came (a chunked body keeps its chunk sizes).
    pub body: String,
}

/// Sends `method path` without a body to `address` and reads the answer.
///
/// # Errors
/// [`TestkitError::Io`] where nothing listens or the socket fails, [`TestkitError::BadAnswer`]
/// where the answer is not HTTP.
pub fn http_request(
    address: SocketAddr,
    method: &str,
    path: &str,
) -> Result<HttpAnswer, TestkitError> {
    let mut answer = Vec::new();
    exchange(address, method, path, &mut answer)
        .map_err(cannot(format!("send `{method} {path}` to `{address}`")))?;
    let bad = |what| TestkitError::BadAnswer { address: address.to_string(), what };
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(bad("it has no header"))?;
    let status = head.split(' ').nth(1).and_then(|it| it.parse().ok());
    Ok(HttpAnswer { status: status.ok_or(bad("it has no status"))?, body: body.to_owned() })
}

fn exchange(
    address: SocketAddr,
    method: &str,
    path: &str,
    answer: &mut Vec<u8>,
) -> std::io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&address, STEP_TIME_MAX)?;
    stream.set_read_timeout(Some(STEP_TIME_MAX))?;
    stream.set_write_timeout(Some(STEP_TIME_MAX))?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\n\
         Connection: close\r\n\r\n"
    )?;
    stream.take(ANSWER_BYTES_MAX).read_to_end(answer)?;
    Ok(())
}
