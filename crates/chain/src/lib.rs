//! Sidechain blocks of three dialects: Ocean, Elements with plain signed headers, and Elements
//! with dynamic federations (dynafed).
//!
//! The crate decodes and encodes headers and blocks, computes the block hash (which in every
//! dialect is the hash that the federation signs), puts M signatures in place as solution or
//! witness, and checks a complete block by the rules that the nodes' script engine applies. It
//! does no I/O and knows no time. Whether transactions are valid it leaves to a node.
//!
//! ```text
//!             bytes ── Block::decode ──> Block ── block_hash ──> signed by M operators
//!                                          │                          │
//!                                          └── SigningRules::assemble ┴──> complete Block ──> bytes
//! ```
//!
//! # Transactions
//!
//! [`Block::transactions`] hands out [`elements::Transaction`]s. The `elements` crate reads the
//! transactions of Elements and those of Ocean, whose serialisation is that of Elements 0.14, with
//! one exception: it gives the pegin witness a fixed form, so an Ocean claim of an Ethereum peg-in
//! (five witness items instead of six) is an error to it. What a federation needs to know of a
//! block, its identity, does not depend on that: Merkle root and witness commitment are computed by
//! a walk over the bytes of its own (see [`Block::check_commitments`]), which asks only where a
//! transaction's parts begin and end.

mod block;
mod cursor;
mod dialect;
mod error;
mod hash;
mod header;
mod height;
mod merkle;
mod rules;
mod signblock;
mod time;
mod walk;

pub use elements::dynafed::{FullParams, Params};

pub use block::Block;
pub use dialect::{Dialect, UnknownDialect};
pub use error::{AssembleError, CheckError, CommitmentError, DecodeError, RulesError};
pub use hash::{BlockHash, ParseBlockHashError};
pub use header::{Header, HeaderFields, Proof};
pub use height::BlockHeight;
pub use rules::SigningRules;
pub use signblock::{
    SignatureFormError, script_sig_of_signatures, signature_of_signblock, signatures_of_script_sig,
    signblock_of_signature,
};
pub use time::UnixTime;
