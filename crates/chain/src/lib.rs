//! Sidechain blocks of three dialects: Ocean, Elements with plain signed headers, and Elements
//! with dynamic federations (dynafed).
//!
//! The crate decodes and encodes headers and blocks, computes the block hash (which in every
//! dialect is the hash that the federation signs), puts M signatures in place as solution or
//! witness, and checks a complete block by the rules of the nodes' script engine. It does no I/O
//! and reads no clock. Whether transactions are valid is left to a node.
//!
//! ```text
//!             bytes ── Block::decode ──> Block ── block_hash ──> signed by M operators
//!                                          │                          │
//!                                          └── SigningRules::assemble ┴──> complete Block ──> bytes
//! ```
//!
//! ```
//! use std::collections::BTreeMap;
//!
//! use federation_chain::{
//!     Block, BlockHash, BlockHeight, Dialect, Header, HeaderFields, Proof, SigningRules,
//! };
//! use federation_multisig::{KeyOrder, MultisigScript, Threshold};
//! use secp256k1::{Message, SECP256K1, SecretKey};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let operators = [1, 2, 3].map(|i| SecretKey::from_slice(&[i; 32]).expect("in range"));
//! let keys = operators.iter().map(|key| key.public_key(SECP256K1)).collect();
//! let script = MultisigScript::new(Threshold::new(2)?, keys, KeyOrder::AsGiven)?;
//! let rules = SigningRules::new(Dialect::Elements, script, 145)?;
//!
//! let unsigned = Block::from_parts(
//!     Header::new(HeaderFields {
//!         version: 0x2000_0000,
//!         previous: BlockHash::from_bytes([0; 32]),
//!         merkle_root: [0; 32],
//!         time: 1_600_000_000,
//!         height: BlockHeight::new(1),
//!         proof: Proof::Signed {
//!             challenge: rules.signing_script().to_vec(),
//!             solution: vec![],
//!         },
//!     }),
//!     &[],
//! );
//! let message = Message::from_digest(unsigned.block_hash().to_bytes());
//! let signatures = BTreeMap::from([
//!     (0, SECP256K1.sign_ecdsa(&message, &operators[0])),
//!     (2, SECP256K1.sign_ecdsa(&message, &operators[2])),
//! ]);
//! let complete = rules.assemble(&unsigned, &signatures)?;
//! assert_eq!(rules.check_block(&complete), Ok(()));
//! assert_eq!(rules.signers(complete.header())?, [0, 2]);
//! assert_eq!(complete.block_hash(), unsigned.block_hash());
//! # Ok(())
//! # }
//! ```
//!
//! # Where the crate is stricter than a node
//!
//! Every block accepted here is accepted by a node, but not the other way round.
//!
//! - Elements' nodes apply exactly the rules of [`SigningRules::check_block`] to a block's
//!   signatures. Ocean's nodes apply `SCRIPT_VERIFY_P2SH` and no size limit (`CheckProof` in
//!   `pow.cpp`), so they also accept high S, lax DER and additional items: on Ocean a third party
//!   can change a block's solution without changing its hash. [`SigningRules::check_stored_block`]
//!   accepts this.
//! - [`Block::check_commitments`] refuses data in a coinbase's witness that no hash commits to;
//!   [`Block::check_stored_commitments`] accepts it.
//!
//! # Transactions
//!
//! Untrusted blocks are read through [`TransactionView`]s ([`Block::each_transaction`]): inputs,
//! outputs, issuances, peg-ins and witnesses as lists, borrowed from the block's bytes. They read
//! everything that the nodes of both families read; ids, Merkle root, witness commitment and sizes
//! are computed the same way.
//!
//! [`Block::transactions`] returns [`elements::Transaction`]s, for programs that build
//! transactions. Ocean's serialisation is that of Elements 0.14, which Elements kept, so the
//! `elements` crate reads what wallets write: issuances and reissuances, confidential outputs, the
//! policy transactions of Ocean's genesis block. It does not read everything that nodes accept in a
//! block. It fails on
//!
//! - a peg-in witness on an input that claims no peg-in, which the nodes of Elements do not relay
//!   but accept in a block;
//! - a claim of an Ethereum peg-in, the only kind that Ocean's consensus knows: its witness has
//!   five items (value, asset, genesis, key, transaction), and the crate reads only the six of a
//!   Bitcoin peg-in;
//! - a nonce that is not a point on the curve, which the nodes of both families never check;
//! - an asset, value or nonce with the prefix `ff`, which Ocean's nodes read like the explicit `01`
//!   and accept in a nonce;
//! - more than 7,936 inputs or 16,666 outputs in one transaction (the crate limits a list to
//!   4,000,000 bytes of memory);
//! - proofs and commitments that do not parse, which the nodes read, and refuse when they check
//!   amounts.

mod block;
mod cursor;
mod dialect;
mod error;
mod hash;
mod header;
mod height;
mod merkle;
mod params;
mod rules;
mod sighash;
mod signblock;
mod tagged;
mod time;
mod transaction;

pub use elements::dynafed::{FullParams, Params};

pub use block::Block;
pub use cursor::push_compact_size;
pub use dialect::{Dialect, UnknownDialect};
pub use error::{AssembleError, CheckError, CommitmentError, DecodeError, RulesError};
pub use hash::{BlockHash, ParseBlockHashError};
pub use header::{Header, HeaderFields, Proof};
pub use height::BlockHeight;
pub use merkle::merkle_root;
pub use params::{ParamsRoot, ParseParamsRootError};
pub use rules::SigningRules;
pub use sighash::legacy_sighash;
pub use signblock::{
    SignatureFormError, script_sig_of_signatures, signature_of_signblock, signatures_of_script_sig,
    signblock_of_signature,
};
pub use tagged::TaggedHash;
pub use time::UnixTime;
pub use transaction::{
    AssetView, InputView, InputWitnessView, Inputs, Issuance, OutputView, OutputWitnessView,
    Outputs, PeginClaim, Stack, TransactionView, ValueView,
};
