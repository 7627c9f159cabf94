//! Which chain this writer extends.
//!
//! A writer takes up a chain whose writer has gone, or begins a new one, so that there are never
//! many more chains than there were writers at once, and a checkpoint can name them all. Having a
//! chain only keeps writers out of each other's way; what makes it safe is that the place of a
//! record can be taken once. Whoever finds it taken leaves the chain and takes another.

use super::append::Writer;
use super::items::{CHAINS, HOLDER, SORT, UNTIL_MS, number, number_of, text, text_of};
use super::tables::{Tables, Update, Updated};
use super::{Inner, after, nonce};
use crate::journal::JournalError;
use quell_core::ledger::chain::Chain;
use quell_core::ledger::ids::ChainId;

/// How long a chain is had without a word of its writer, in seconds: as long as a function of
/// Lambda may run.
pub const CHAIN_LEASE_S: i64 = 15 * 60;
/// How many chains are tried before it is left to the next delivery.
const CHAINS_TRIED_MAX: usize = 8;

/// A chain that this writer has.
#[derive(Debug, Clone)]
pub(super) struct Claim {
    chain: ChainId,
    holder: String,
    until_ms: i64,
}

impl Inner {
    /// Where the writer's chain ends; takes a chain and reads its end, where that is not known.
    pub(super) async fn chain(&self, writer: &mut Writer) -> Result<Chain, JournalError> {
        let claim = match writer.claim.take() {
            Some(claim) => self.renew(claim).await?,
            None => None,
        };
        let claim = match claim {
            Some(claim) => claim,
            None => {
                writer.chain = None;
                self.claim().await?
            }
        };
        let chain = match writer.chain.take() {
            Some(chain) => chain,
            None => Chain::resume(self.tables.head(&claim.chain).await?),
        };
        writer.claim = Some(claim);
        Ok(chain)
    }

    /// Gives the chain free for another writer.
    pub(super) async fn leave_chain(&self) {
        let mut writer = self.writer.lock().await;
        let Some(claim) = writer.claim.take() else { return };
        writer.chain = None;
        if let Err(error) = self.extend_claim(&claim, 0).await {
            tracing::warn!(%error, chain = %claim.chain, "a chain was not given back; it runs out");
        }
    }

    async fn claim(&self) -> Result<Claim, JournalError> {
        let holder = nonce();
        let now = self.clock.now();
        let until_ms = after(now, CHAIN_LEASE_S).as_millisecond();
        let mut free = Vec::new();
        for item in self.tables.listed_chains().await? {
            let chain = ChainId::new(text_of(&item, SORT).unwrap_or_default());
            let seen_ms: Option<i64> = number_of(&item, UNTIL_MS);
            if let (Ok(chain), Some(seen_ms)) = (chain, seen_ms)
                && seen_ms <= now.as_millisecond()
            {
                free.push((chain, seen_ms));
            }
        }
        // Writers that start together should not all try the same one first.
        let start = usize::try_from(rand::random::<u32>()).unwrap_or_default();
        let first = start.checked_rem(free.len()).unwrap_or_default();
        free.rotate_left(first);
        for (chain, seen_ms) in free.into_iter().take(CHAINS_TRIED_MAX) {
            let update = Update {
                key: Tables::chain_key(&chain),
                change: &format!("SET {HOLDER} = :me, {UNTIL_MS} = :until"),
                condition: &format!("{UNTIL_MS} = :seen"),
                values: vec![
                    (":me", text(&holder)),
                    (":until", number(until_ms)),
                    (":seen", number(seen_ms)),
                ],
            };
            if let Updated::Made(_) = self.tables.update(update).await? {
                return Ok(Claim { chain, holder, until_ms });
            }
        }
        self.begin(holder, until_ms).await
    }

    async fn begin(&self, holder: String, until_ms: i64) -> Result<Claim, JournalError> {
        for _ in 0..CHAINS_TRIED_MAX {
            let name = format!("w-{:08x}", rand::random::<u32>());
            let chain = ChainId::new(&name).map_err(|it| JournalError::Broken(it.to_string()))?;
            let update = Update {
                key: Tables::chain_key(&chain),
                change: &format!("SET {HOLDER} = :me, {UNTIL_MS} = :until"),
                condition: &format!("attribute_not_exists({UNTIL_MS}) OR {HOLDER} = :me"),
                values: vec![(":me", text(&holder)), (":until", number(until_ms))],
            };
            if let Updated::Made(_) = self.tables.update(update).await? {
                return Ok(Claim { chain, holder, until_ms });
            }
        }
        Err(JournalError::Later(format!("no chain is free in `{CHAINS}`")))
    }

    /// Says that the writer is still there, when half of its time is over; `None` if it is too
    /// late.
    async fn renew(&self, claim: Claim) -> Result<Option<Claim>, JournalError> {
        let now = self.clock.now();
        if after(now, CHAIN_LEASE_S / 2).as_millisecond() < claim.until_ms {
            return Ok(Some(claim));
        }
        let until_ms = after(now, CHAIN_LEASE_S).as_millisecond();
        Ok(match self.extend_claim(&claim, until_ms).await? {
            Updated::Made(_) => Some(Claim { until_ms, ..claim }),
            Updated::Refused(_) => None,
        })
    }

    async fn extend_claim(&self, claim: &Claim, until_ms: i64) -> Result<Updated, JournalError> {
        let update = Update {
            key: Tables::chain_key(&claim.chain),
            change: &format!("SET {UNTIL_MS} = :until"),
            condition: &format!("{HOLDER} = :me"),
            values: vec![(":until", number(until_ms)), (":me", text(&claim.holder))],
        };
        self.tables.update(update).await
    }
}
