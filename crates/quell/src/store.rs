//! The embedded store: one directory, no server.
//!
//! The ledger is the only truth; state is a fold over it. Facts go in through [`Store::append`],
//! which answers when they are durable; then, and only then, the [`Projection`] sees them, so a
//! reader of state never sees what a crash could take back. The store that many writers share is
//! [`dynamodb`].
//!
//! All appends go through one thread, which takes whatever waits, seals it into the chain, writes
//! it with one call and makes it durable with one `fdatasync`: group commit. The queue is bounded,
//! so a slow disk slows the callers down. A write or sync that fails ends the store: what the disk
//! holds then is unknown, and only reading it again, when the store is next opened, can tell. An
//! append that failed may therefore have happened, as may one whose caller went away.
//!
//! Opening reads the ledger from the first record. It cuts off a torn tail, which was never
//! acknowledged, keeps its bytes and records the repair; it refuses anything else that is not what
//! was written. A hole of zeros in the middle of the last group, which some file systems can leave
//! after a power failure, looks like tampering and is refused too.

pub mod dynamodb;
pub mod error;
pub mod layout;
pub mod lines;
pub mod lock;
pub mod keys;
pub mod reader;
pub mod verify;
mod segments;
mod recovery;
mod writer;

use std::sync::{Arc, PoisonError, RwLock};
use std::{io, thread};

use camino::Utf8Path;
use ed25519_dalek::SigningKey;
use jiff::Timestamp;
use quell_core::ledger::checkpoint::Checkpoint;
use quell_core::ledger::ids::{ChainId, Head};
use quell_core::ledger::line::Record;
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::{mpsc, oneshot};

use crate::store::error::{AppendError, StoreError};
use crate::store::layout::Layout;
use crate::store::reader::Replay;
use crate::store::writer::{Batch, Command, Request, Writer};

/// The chain of an embedded store, unless its owner names another.
pub const CHAIN_DEFAULT: &str = "main";

/// A segment that has reached this size is closed and the next one begun, in bytes.
pub const SEGMENT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// How many appends may wait for the writer; the next one waits for a place.
pub const APPEND_QUEUE_REQUESTS_MAX: usize = 4096;

/// How many facts one append may hold.
pub const APPEND_FACTS_MAX: usize = 10_000;

/// State that follows from the ledger: a fold over its records, in order, each once.
pub trait Projection<F>: Send + Sync + 'static {
    /// Folds one durable record in.
    fn apply(&mut self, record: &Record<F>);
}

/// How to open a store.
pub struct Options<F> {
    /// The name of the chain, if the directory has none yet.
    pub new_chain: ChainId,
    /// [`SEGMENT_BYTES_MAX`], or less.
    pub segment_bytes_max: u64,
    /// Signs checkpoints; without it there are none.
    pub signing_key: Option<SigningKey>,
    /// Tells the time of records.
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// The fact that records the repair of a torn tail.
    pub tail_repaired: fn(TornTail) -> F,
}

/// The end of an unfinished write, cut off when the store was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TornTail {
    /// How many bytes.
    pub bytes: u64,
    /// The file that holds them, within the store's directory.
    pub file: String,
}

/// An open store. It is shared by reference; every method takes `&self`.
pub struct Store<F, P> {
    layout: Layout,
    state: Arc<State<P>>,
    queue: mpsc::Sender<Command<F>>,
}

/// What the ledger says so far.
pub(crate) struct State<P> {
    inner: RwLock<(P, Head)>,
}

impl<F> Options<F> {
    /// The defaults: the chain is named [`CHAIN_DEFAULT`], times are the system clock's, and there
    /// is no signing key.
    pub fn new(tail_repaired: fn(TornTail) -> F) -> Result<Self, StoreError> {
        Ok(Self {
            new_chain: ChainId::new(CHAIN_DEFAULT)?,
            segment_bytes_max: SEGMENT_BYTES_MAX,
            signing_key: None,
            clock: Arc::new(Timestamp::now),
            tail_repaired,
        })
    }
}

impl<F, P> Store<F, P>
where
    F: Serialize + DeserializeOwned + Send + 'static,
    P: Projection<F>,
{
    /// Opens the store in `dir`, making it if it is not there, and folds what it holds into
    /// `projection`. Blocks for as long as reading the ledger takes.
    pub fn open(
        dir: &Utf8Path,
        options: Options<F>,
        mut projection: P,
    ) -> Result<Self, StoreError> {
        let layout = Layout::create(dir)?;
        let lock = lock::acquire(&layout)?;
        let recovered = recovery::recover(&layout, &options, &mut projection)?;
        let state = Arc::new(State::new(projection, recovered.chain.head().clone()));
        let (queue, commands) = mpsc::channel(APPEND_QUEUE_REQUESTS_MAX);
        let mut writer = Writer {
            layout: layout.clone(),
            lock,
            chain: recovered.chain,
            medium: recovered.segments,
            state: Arc::clone(&state),
            clock: options.clock,
            signing_key: options.signing_key,
            commands,
            failed: None,
        };
        let repairs: Vec<F> = recovered.torn.into_iter().map(options.tail_repaired).collect();
        if !repairs.is_empty() {
            writer.record(Batch::encode(repairs).map_err(StoreError::Repair)?)?;
        }
        thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || writer.run())
            .map_err(|source| StoreError::Thread { source })?;
        Ok(Self { layout, state, queue })
    }

    /// Records facts, in order, and answers with their records when they are durable and folded
    /// into the projection.
    ///
    /// A crash may keep the first few of an append that was not answered, never a later one
    /// without an earlier one.
    pub async fn append(&self, facts: Vec<F>) -> Result<Vec<Record<F>>, AppendError> {
        if facts.is_empty() {
            return Ok(Vec::new());
        }
        let (reply, answer) = oneshot::channel();
        let request = Request { batch: Batch::encode(facts)?, reply };
        self.queue.send(Command::Append(request)).await.map_err(|_| AppendError::Closed)?;
        let batch = answer.await.map_err(|_| AppendError::Closed)??;
        Ok(batch.into_records())
    }

    /// Looks at the state. Appends wait meanwhile: copy what you need and return.
    pub fn read<R>(&self, look: impl FnOnce(&P) -> R) -> R {
        self.state.read(|projection, _| look(projection))
    }

    /// The last durable record.
    pub fn head(&self) -> Head {
        self.state.read(|_, head| head.clone())
    }

    /// The durable records with a sequence of at least `from`, up to the present head. Reads files.
    pub fn replay(&self, from: u64) -> Result<Replay<F>, StoreError> {
        let head = self.head();
        Replay::open(&self.layout, &head.chain, from, head.sequence)
    }

    /// Signs the present head and keeps the checkpoint in the directory. Keep a copy of it
    /// elsewhere to have an anchor.
    pub async fn checkpoint(&self) -> Result<Checkpoint, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.queue.send(Command::Checkpoint(reply)).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Takes no further append, makes durable what was taken, signs a last checkpoint where there
    /// is a key, and gives the directory free.
    pub async fn close(&self) -> Result<(), StoreError> {
        let (reply, answer) = oneshot::channel();
        self.queue.send(Command::Close(reply)).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

impl<P> State<P> {
    fn new(projection: P, head: Head) -> Self {
        Self { inner: RwLock::new((projection, head)) }
    }

    /// A projection that panicked has killed the writer; what it had folded can still be read.
    fn read<R>(&self, look: impl FnOnce(&P, &Head) -> R) -> R {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        look(&inner.0, &inner.1)
    }

    fn apply<'r, F: 'r>(&self, records: impl Iterator<Item = &'r Record<F>>, head: &Head)
    where
        P: Projection<F>,
    {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        for record in records {
            inner.0.apply(record);
        }
        inner.1 = head.clone();
    }
}

/// Names the path in an error of the file system.
pub(crate) fn at(path: &Utf8Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { path, source }
}
