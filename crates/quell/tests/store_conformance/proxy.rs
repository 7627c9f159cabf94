//! A fault-injecting stand-in between the store and the real ministack: it forwards every request,
//! or answers it as a throttled DynamoDB does, or loses the answer. ministack never throttles.

use std::io::{BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

const THROTTLED: &str = concat!(
    r#"{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","#,
    r#""message":"injected by a test"}"#
);

/// What is still to go wrong.
#[derive(Debug, Default)]
pub struct Faults {
    /// So many requests are answered with a throttling error, and not forwarded.
    pub throttle: AtomicUsize,
    /// So many transactions are made, and their answer is lost.
    pub lose_answer: AtomicUsize,
    /// How many requests were throttled.
    pub throttled: AtomicUsize,
}

/// Starts one; it ends with the test process. Gives its URL.
pub fn start(upstream: &str, faults: Arc<Faults>) -> String {
    let upstream = upstream.trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let (upstream, faults) = (upstream.clone(), Arc::clone(&faults));
            thread::spawn(move || drop(serve(client, &upstream, &faults)));
        }
    });
    url
}

/// Serves one request per connection.
fn serve(mut client: TcpStream, upstream: &str, faults: &Faults) -> std::io::Result<()> {
    let (head, body) = message(&mut BufReader::new(client.try_clone()?))?;
    if take(&faults.throttle) {
        faults.throttled.fetch_add(1, Ordering::SeqCst);
        return write!(
            client,
            "HTTP/1.1 400 Bad Request\r\nContent-Type: application/x-amz-json-1.0\r\n\
             Connection: close\r\nContent-Length: {}\r\n\r\n{THROTTLED}",
            THROTTLED.len()
        );
    }
    let mut server = TcpStream::connect(upstream)?;
    server.write_all(&closing(&head))?;
    server.write_all(&body)?;
    let (answer_head, answer) = message(&mut BufReader::new(server))?;
    let transaction = String::from_utf8_lossy(&head).contains("TransactWriteItems");
    if transaction && take(&faults.lose_answer) {
        return Ok(());
    }
    client.write_all(&closing(&answer_head))?;
    client.write_all(&answer)
}

/// A header, with its blank line, and the body that it announces.
fn message(from: &mut impl std::io::BufRead) -> std::io::Result<(Vec<u8>, Vec<u8>)> {
    let (mut head, mut length) = (Vec::new(), None);
    loop {
        let mut line = Vec::new();
        if from.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let text = String::from_utf8_lossy(&line).to_ascii_lowercase();
        if let Some(value) = text.strip_prefix("content-length:") {
            length = value.trim().parse::<u64>().ok();
        }
        head.extend_from_slice(&line);
        if line == b"\r\n" {
            break;
        }
    }
    let mut body = Vec::new();
    match length {
        Some(length) => from.take(length).read_to_end(&mut body)?,
        None => 0,
    };
    Ok((head, body))
}

/// The header of a connection that ends with this message.
fn closing(head: &[u8]) -> Vec<u8> {
    let head = String::from_utf8_lossy(head);
    let lines = head
        .split("\r\n")
        .filter(|it| !it.is_empty() && !it.to_ascii_lowercase().starts_with("connection:"));
    let mut closing: String = lines.map(|it| format!("{it}\r\n")).collect();
    closing.push_str("Connection: close\r\n\r\n");
    closing.into_bytes()
}

fn take(left: &AtomicUsize) -> bool {
    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |it| it.checked_sub(1)).is_ok()
}
