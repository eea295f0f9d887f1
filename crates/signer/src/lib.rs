//! Keys that sign blocks and envelopes, and the guard without which no block is signed.
//!
//! A [`Signer`] holds one operator's block key: in memory ([`SoftwareSigner`]), in a module, or
//! behind a service of one's own. Nothing in this project asks a signer directly. It is given to a
//! [`GuardedSigner`], which keeps, for each height, the one block hash it signed, durably and
//! before the signature exists. So no mistake in the layers above, no crash and no lying peer makes
//! an operator sign two blocks at one height.
//!
//! ```text
//!  operator ── sign_block(height, hash) ──> GuardedSigner ── record ──> GuardStore (durable)
//!                                                │ only then
//!                                                └── sign_block(hash) ──> Signer
//! ```
//!
//! What a guard knows can leave its store as a [`SignedGuardRecord`], a file that is bound to
//! federation, chain and key, and that moves another guard forward only ([`HeldGuard`]).
//!
//! An [`IdentitySigner`] signs envelopes with another key, which never signs a block and needs no
//! guard here: what an operator may say twice is the protocol's affair.
//!
//! A [`SpendSigner`] signs transactions with a reissuance or peg key. Each role may have a key of
//! another kind: [`KeySource`] says where a key is, [`SecretSource`] where its PIN or pass phrase
//! comes from. The other kinds are crates of their own: `federation-keystore` for encrypted files,
//! `federation-signer-hsm` for hardware modules, `federation-signer-node` for a node's wallet.
//!
//! Not here: who asks for a signature and why (`federation-block-signing`, `federation-operator`),
//! a store on disk (`federation-operator`), the check of whole blocks (`federation-chain`).
//!
//! ```
//! use federation_chain::{BlockHash, BlockHeight};
//! use federation_signer::{
//!     GuardError, GuardedSigner, MemoryGuardStore, Secret, SoftwareSigner,
//! };
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), GuardError> {
//! let signer = SoftwareSigner::new(Secret::generate());
//! let signer = GuardedSigner::new(signer, MemoryGuardStore::new())?;
//! let (height, hash) = (BlockHeight::new(7), BlockHash::from_bytes([1; 32]));
//! signer.sign_block(height, hash).await?;
//! // The same block again is no harm, another one is refused for good.
//! signer.sign_block(height, hash).await?;
//! let other = BlockHash::from_bytes([2; 32]);
//! assert!(matches!(
//!     signer.sign_block(height, other).await,
//!     Err(GuardError::Conflict { .. })
//! ));
//! # Ok(())
//! # }
//! ```

pub mod contract;
pub mod key_file;

mod guard;
mod key_source;
mod role;
mod secret;
mod secret_source;
mod signer;
mod software;
mod system_fault;

pub use guard::{
    AUDIT_HEIGHTS, DecodeGuardRecordError, GuardContradiction, GuardEnd, GuardError, GuardInUse,
    GuardPin, GuardRecord, GuardRecordError, GuardRecordKind, GuardStanding, GuardState,
    GuardStore, GuardStoreError, GuardedSigner, HeldGuard, ImportError, MAX_GUARD_RECORD_BYTES,
    MAX_OPEN_HEIGHTS, MemoryGuardStore, SignedGuardRecord, TakeBack,
};
pub use key_source::{
    HsmSource, KeySelector, KeySource, KeystoreSource, ParseSelectorError, TokenSelector,
};
pub use role::{KeyRole, ParseRoleError};
pub use secret::{Secret, SecretError};
pub use secret_source::{
    MAX_SECRET_BYTES, ParseSecretSourceError, SecretSource, SecretSourceError,
};
pub use signer::{IdentitySigner, Signer, SignerError, SpendSigner};
pub use software::{SoftwareIdentity, SoftwareSigner, SoftwareSpender};
pub use system_fault::SystemFault;
