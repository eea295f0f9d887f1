//! The ceremony in which a consortium sets up its chain: signed messages, proofs of possession,
//! approvals, and the certificate that results.
//!
//! One party sends a [`Proposal`]. Every party sends a [`Join`] with its public keys and a proof for
//! each, computes the [`Chain`] itself, compares its [words](Chain::words) with the others by voice,
//! and sends an [`Approval`] of its manifest. The approvals of all make a [`Certificate`].
//!
//! ```text
//! Proposal ──> Join x N ──> Chain (computed by each) ──> Approval x N ──> Certificate
//! ```
//!
//! Messages may arrive in any order and more than once. A member that signs two conflicting messages
//! of one kind is named, with [`Evidence`] that anybody can check; [`differences`] shows where the
//! views of two parties diverge. If a party drops out, a new ceremony is needed: proofs are valid for
//! one ceremony only. Genesis coins that anyone could take are moved by an agreed
//! [sweep](Chain::sweep).
//!
//! A certificate is verified offline. What it certifies has one [hash](Certificate::agreed_hash),
//! whatever the signatures are. The [bundle] of an operator, with everything that its node and its
//! daemon need to start, follows from it. The crate does no I/O and holds no secrets: callers sign
//! [`message_digest`] and [`proof_digest`] wherever their keys are. The CLI `multisig ceremony` drives
//! it.
//!
//! ```
//! use federation_ceremony::{Body, Ceremony, Digest, KeyUse, Member, Message, Proposal};
//! use federation_ceremony::{ceremony_id, message_digest};
//! use secp256k1::{Keypair, Message as Signed, SECP256K1};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let identity = Keypair::from_seckey_slice(SECP256K1, &[7; 32])?;
//! let sender = identity.x_only_public_key().0;
//! let proposal = Proposal {
//!     node: "elements".to_owned(),
//!     configuration: "chain=fedchain\n".to_owned(),
//!     terms: None,
//!     threshold: 1,
//!     interval: 60_000,
//!     keys: vec![KeyUse::Block],
//!     sweep: None,
//!     fees: Some(federation_ceremony::Destination::Keys(federation_ceremony::KeyUse::Block)),
//!     members: vec![Member { name: "alone".to_owned(), identity: sender }],
//!     nonce: Digest::from_bytes([1; 32]),
//! };
//! let id = ceremony_id(&proposal)?;
//! let body = Body::Proposal(proposal);
//! let digest = message_digest(id, &sender, &body)?;
//! let signed = Signed::from_digest(digest.to_bytes());
//! let signature = SECP256K1.sign_schnorr_no_aux_rand(&signed, &identity);
//! let opening = Message::new(id, sender, body, signature)?;
//! let ceremony = Ceremony::new(Message::parse(&opening.to_text())?)?;
//! assert!(!ceremony.has_joined(0));
//! # Ok(())
//! # }
//! ```

mod body;
pub mod bundle;
mod ceremony;
mod certificate;
mod chain;
mod difference;
mod error;
mod evidence;
mod hash;
mod message;
mod proposal;
mod sweep;
mod warning;
mod words;

pub use body::{Approval, Body, Destination, Join, KeyUse, Member, Proposal, ProvenKey, SweepTo};
pub use ceremony::{Added, Ceremony, CeremonyError};
pub use certificate::{Certificate, CertificateError, MAX_CERTIFICATE};
pub use chain::{Chain, Party};
pub use difference::{Difference, Stage, differences};
pub use error::ChainError;
pub use evidence::{Evidence, EvidenceError, MAX_EVIDENCE};
pub use hash::{Digest, ParseDigestError};
pub use message::{MAX_MESSAGE, Message, MessageError, ceremony_id, message_digest, proof_digest};
pub use proposal::{MAX_INTERVAL, MIN_INTERVAL, check_proposal};
pub use warning::{Warning, warnings};
