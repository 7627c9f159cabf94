//! The append-only, hash-chained record of everything Quell saw and did.
