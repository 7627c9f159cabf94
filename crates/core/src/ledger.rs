//! The append-only, hash-chained record of everything Quell saw and did.
//!
//! A ledger is one or more *chains*, one per writer. A chain is a sequence of *records*, numbered
//! from 1 without a hole; each holds the digest of its predecessor, so that a record cannot be
//! edited, dropped, swapped or doubled without breaking what follows. A signed *checkpoint* binds
//! the heads of all chains: rewriting a whole chain needs the signing key too. A checkpoint kept
//! where the ledger's keeper cannot reach it is an *anchor*: it also proves that nothing was cut
//! off the end, which no ledger can prove about itself.
//!
//! A record is one line of JSON and its digest covers the exact bytes of that line, so there is no
//! canonicalization to get wrong and a verifier fits on a page: `docs/reference/ledger-format.md`
//! holds the format, byte by byte.
//!
//! Everything here is generic over the fact that a record carries and does no IO: bytes come in,
//! bytes, records and a report go out. The embedded directory, the locks and the fsyncs live in
//! the binary's `store`.

pub mod ids;
pub mod line;
pub mod chain;
pub mod keys;
pub mod checkpoint;
pub mod verify;
