//! The one thread that writes: group commit.

use std::mem;
use std::sync::Arc;

use ed25519_dalek::SigningKey;
use jiff::Timestamp;
use quell_core::ledger::chain::Chain;
use quell_core::ledger::checkpoint::Checkpoint;
use quell_core::ledger::line::{FactJson, Record};
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use crate::store::error::{AppendError, StoreError};
use crate::store::layout::Layout;
use crate::store::lock::Lock;
use crate::store::segments::{Medium, write_durably};
use crate::store::{APPEND_FACTS_MAX, Projection, State};

/// A group is closed when its lines reach this size, in bytes.
pub(crate) const GROUP_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What the writer is asked to do.
pub(crate) enum Command<F> {
    Append(Request<F>),
    Checkpoint(oneshot::Sender<Result<Checkpoint, StoreError>>),
    Close(oneshot::Sender<Result<(), StoreError>>),
}

/// Facts to record.
pub(crate) struct Request<F> {
    pub batch: Batch<F>,
    pub reply: Reply<F>,
}

type Reply<F> = oneshot::Sender<Result<Batch<F>, AppendError>>;

/// The facts of one append on their way there and their records on the way back. All of its memory
/// is the caller's, who frees it: a writer that did would fight the callers for the allocator's
/// locks, once per fact.
pub(crate) struct Batch<F> {
    facts: Vec<F>,
    json: Vec<FactJson>,
    records: Vec<Record<F>>,
}

/// The state of the thread. Everything it needs, and the lock, which ends with it.
pub(crate) struct Writer<F, P, M> {
    pub layout: Layout,
    pub lock: Lock,
    pub chain: Chain,
    pub medium: M,
    pub state: Arc<State<P>>,
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    pub signing_key: Option<SigningKey>,
    pub commands: mpsc::Receiver<Command<F>>,
    /// Set by the first write that fails; nothing is written after it.
    pub failed: Option<Arc<StoreError>>,
}

/// Records that are sealed into lines and not yet durable.
struct Group<F> {
    first: u64,
    time: Timestamp,
    lines: String,
    members: Vec<Request<F>>,
}

impl<F, P, M> Writer<F, P, M>
where
    F: Send + 'static,
    P: Projection<F>,
    M: Medium,
{
    /// Records facts before the thread runs.
    pub(crate) fn record(&mut self, batch: Batch<F>) -> Result<(), StoreError> {
        let (reply, mut answer) = oneshot::channel();
        let group = self.group(String::new(), Request { batch, reply }, &mut None);
        self.commit(group);
        let answer = answer.try_recv().unwrap_or(Err(AppendError::Closed));
        answer.map(drop).map_err(StoreError::Repair)
    }

    /// Works until the store is closed or its last handle is gone; what was taken is finished.
    pub(crate) fn run(mut self) {
        let mut closer = None;
        let mut next = self.commands.blocking_recv();
        let mut lines = String::new();
        while let Some(command) = next.take() {
            match command {
                Command::Append(request) => {
                    let group = self.group(mem::take(&mut lines), request, &mut next);
                    lines = self.commit(group);
                }
                // Whoever asked may have gone away.
                Command::Checkpoint(reply) => drop(reply.send(self.checkpoint())),
                Command::Close(reply) => {
                    self.commands.close();
                    closer.get_or_insert(reply);
                }
            }
            next = next.or_else(|| self.commands.blocking_recv());
        }
        let Some(reply) = closer else { return };
        let signs = self.signing_key.is_some() && self.failed.is_none();
        let last = if signs { self.checkpoint().map(drop) } else { Ok(()) };
        // The lock goes first, so that who waits for the end can open the store again.
        let Self { lock, .. } = self;
        drop(lock);
        drop(reply.send(last));
    }

    /// Seals `first` and all appends that wait behind it; another command ends the group and is
    /// left in `next`.
    fn group(
        &mut self,
        mut lines: String,
        first: Request<F>,
        next: &mut Option<Command<F>>,
    ) -> Group<F> {
        lines.clear();
        let sequence = self.chain.next_sequence();
        let time = (self.clock)();
        let mut group = Group { first: sequence, time, lines, members: Vec::new() };
        group.seal(&mut self.chain, first);
        while group.lines.len() < GROUP_BYTES_MAX {
            match self.commands.try_recv() {
                Ok(Command::Append(request)) => group.seal(&mut self.chain, request),
                Ok(other) => {
                    *next = Some(other);
                    break;
                }
                Err(_) => break,
            }
        }
        group
    }

    /// Makes a group durable, folds it into the state, answers; gives the buffer back.
    fn commit(&mut self, group: Group<F>) -> String {
        let Group { first, lines, members, .. } = group;
        if self.failed.is_none()
            && let Err(error) = self.medium.append(first, lines.as_bytes())
        {
            tracing::error!(%error, sequence = first, "the ledger cannot be written");
            self.failed = Some(Arc::new(error));
        }
        if let Some(error) = &self.failed {
            for Request { reply, .. } in members {
                drop(reply.send(Err(AppendError::Write(Arc::clone(error)))));
            }
            return lines;
        }
        let records = members.iter().flat_map(|it| &it.batch.records);
        self.state.apply(records, self.chain.head());
        for Request { batch, reply } in members {
            // A caller that went away has its facts recorded all the same.
            drop(reply.send(Ok(batch)));
        }
        lines
    }

    /// Signs the head and keeps the checkpoint.
    fn checkpoint(&self) -> Result<Checkpoint, StoreError> {
        let key = self.signing_key.as_ref().ok_or(StoreError::NoSigningKey)?;
        let head = self.state.read(|_, head| head.clone());
        let path = self.layout.checkpoints().join(format!("{:020}.json", head.sequence));
        let checkpoint = Checkpoint::sign((self.clock)(), vec![head], key);
        write_durably(&path, format!("{}\n", checkpoint.to_json()).as_bytes())?;
        Ok(checkpoint)
    }
}

impl<F> Group<F> {
    fn seal(&mut self, chain: &mut Chain, mut request: Request<F>) {
        let Batch { facts, json, records } = &mut request.batch;
        for (fact, json) in facts.drain(..).zip(json) {
            records.push(chain.seal(self.time, fact, json, &mut self.lines));
        }
        self.members.push(request);
    }
}

impl<F: Serialize> Batch<F> {
    /// Writes the facts as JSON: the caller's part of the work, since the writer is one thread.
    pub(crate) fn encode(facts: Vec<F>) -> Result<Self, AppendError> {
        if APPEND_FACTS_MAX < facts.len() {
            return Err(AppendError::TooManyFacts { facts: facts.len() });
        }
        let json = facts.iter().map(FactJson::encode).collect::<Result<_, _>>()?;
        let records = Vec::with_capacity(facts.len());
        Ok(Self { facts, json, records })
    }
}

impl<F> Batch<F> {
    /// The records, once the batch is back.
    pub(crate) fn into_records(self) -> Vec<Record<F>> {
        self.records
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use camino::Utf8PathBuf;
    use quell_core::ledger::ids::ChainId;

    use super::*;
    use crate::store::layout::Layout;
    use crate::store::lock;

    /// A stand-in for a disk whose second sync fails and whose later ones seem to work, which is
    /// what Linux reports after a failed fsync. No real disk does so on demand.
    struct SecondSyncFails {
        written: Vec<u8>,
        calls: usize,
    }

    impl Medium for SecondSyncFails {
        fn append(&mut self, _first: u64, lines: &[u8]) -> Result<(), StoreError> {
            self.calls += 1;
            if self.calls == 2 {
                let source = io::Error::other("the disk is gone");
                return Err(StoreError::Io { path: Utf8PathBuf::from("segment"), source });
            }
            self.written.extend_from_slice(lines);
            Ok(())
        }
    }

    struct Count(u64);

    impl Projection<u64> for Count {
        fn apply(&mut self, record: &Record<u64>) {
            self.0 += record.fact;
        }
    }

    #[test]
    fn after_a_failed_sync_nothing_is_written_folded_or_acknowledged() {
        let folder = tempfile::tempdir().unwrap();
        let dir = Utf8PathBuf::from_path_buf(folder.path().to_owned()).unwrap();
        let layout = Layout::create(&dir).unwrap();
        let chain = Chain::new(ChainId::new("main").unwrap());
        let state = Arc::new(State::new(Count(0), chain.head().clone()));
        let (_queue, commands) = mpsc::channel(1);
        let mut writer = Writer {
            lock: lock::acquire(&layout).unwrap(),
            layout,
            chain,
            medium: SecondSyncFails { written: Vec::new(), calls: 0 },
            state: Arc::clone(&state),
            clock: Arc::new(|| Timestamp::UNIX_EPOCH),
            signing_key: None,
            commands,
            failed: None,
        };
        let mut record = |fact: u64| writer.record(Batch::encode(vec![fact]).unwrap());
        record(1).unwrap();
        for fact in [10, 100] {
            let refused = record(fact);
            assert!(
                matches!(refused, Err(StoreError::Repair(AppendError::Write(_)))),
                "{refused:?}"
            );
        }
        assert_eq!(state.read(|count, head| (count.0, head.sequence)), (1, 1));
        assert_eq!(writer.medium.calls, 2, "a sync that follows a failed one proves nothing");
    }
}
