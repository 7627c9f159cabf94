//! Archives where CloudTrail leaves them: in a bucket. Objects are listed page by page and read as
//! they are replayed; nothing is stored.

use super::split::Fault;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::DisplayErrorContext;
use aws_sdk_s3::primitives::ByteStream;
use quell_library::aws::Aws;
use quell_library::aws::errors::cloud_error;
use quell_library::cloud::CloudError;
use std::collections::VecDeque;
use std::io::{self, Read};
use tokio::runtime::Handle;

/// A bucket, as seen from threads that are not asynchronous.
#[derive(Debug, Clone)]
pub struct Bucket {
    name: String,
    client: Client,
    runtime: Handle,
}

impl Bucket {
    /// A bucket in the region of `aws`, read with the process' own credentials.
    pub fn new(name: &str, aws: &Aws, runtime: Handle) -> Bucket {
        let settings = aws.settings();
        let config = aws_sdk_s3::config::Builder::from(&aws.own(&settings.region))
            // Emulators and proxies know no host name per bucket.
            .force_path_style(settings.endpoint_url.is_some())
            .build();
        Bucket { name: name.to_owned(), client: Client::from_conf(config), runtime }
    }

    /// The object's place, as reports name it.
    pub fn url(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.name)
    }

    /// The keys below a prefix, in their order.
    pub fn list(self, prefix: &str) -> Objects {
        let prefix = prefix.to_owned();
        Objects { bucket: self, prefix, page: VecDeque::new(), next: Next::First }
    }

    /// An object's bytes.
    pub fn get(&self, key: &str) -> Result<Body, CloudError> {
        let call = self.client.get_object().bucket(&self.name).key(key).send();
        let object = self.runtime.block_on(call).map_err(|it| cloud_error("s3:GetObject", &it))?;
        Ok(Body {
            stream: object.body,
            chunk: io::Cursor::new(Vec::new()),
            runtime: self.runtime.clone(),
        })
    }
}

/// The keys of a listing, read page by page.
#[derive(Debug)]
pub struct Objects {
    bucket: Bucket,
    prefix: String,
    page: VecDeque<String>,
    next: Next,
}

#[derive(Debug)]
enum Next {
    First,
    After(String),
    Done,
}

impl Objects {
    /// Where they lie.
    pub fn bucket(&self) -> &Bucket {
        &self.bucket
    }

    fn read_page(&mut self) -> Result<(), Fault> {
        let Bucket { name, client, runtime } = &self.bucket;
        let mut call = client.list_objects_v2().bucket(name).prefix(&self.prefix);
        match std::mem::replace(&mut self.next, Next::Done) {
            Next::First => {}
            Next::After(token) => call = call.continuation_token(token),
            Next::Done => return Ok(()),
        }
        let page = runtime.block_on(call.send()).map_err(|it| fault(&it))?;
        self.next = page.next_continuation_token.map_or(Next::Done, Next::After);
        let keys = page.contents.unwrap_or_default().into_iter().filter_map(|it| it.key);
        self.page.extend(keys);
        Ok(())
    }
}

impl Iterator for Objects {
    type Item = Result<String, Fault>;

    fn next(&mut self) -> Option<Result<String, Fault>> {
        loop {
            if let Some(key) = self.page.pop_front() {
                return Some(Ok(key));
            }
            if matches!(self.next, Next::Done) {
                return None;
            }
            if let Err(fault) = self.read_page() {
                return Some(Err(fault));
            }
        }
    }
}

/// An object's bytes as they arrive.
#[derive(Debug)]
pub struct Body {
    stream: ByteStream,
    chunk: io::Cursor<Vec<u8>>,
    runtime: Handle,
}

impl Read for Body {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        loop {
            let bytes = self.chunk.read(room)?;
            if 0 < bytes || room.is_empty() {
                return Ok(bytes);
            }
            match self.runtime.block_on(self.stream.next()) {
                None => return Ok(0),
                Some(chunk) => {
                    self.chunk = io::Cursor::new(chunk.map_err(io::Error::other)?.into())
                }
            }
        }
    }
}

fn fault(error: &(impl std::error::Error + 'static)) -> Fault {
    Fault::file(DisplayErrorContext(error).to_string())
}
