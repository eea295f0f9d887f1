//! Keys that sign blocks and envelopes, and the guard through which every block signature must
//! pass.
//!
//! A [`Signer`] holds one operator's block key: in memory ([`SoftwareSigner`]), in a hardware
//! module, or behind a custom service. Nothing in this project calls a signer directly. It is
//! wrapped in a [`GuardedSigner`], which records the one block hash signed at each height, durably
//! and before the signature exists. So no bug in the layers above, no crash and no faulty peer
//! makes an operator sign two blocks at one height.
//!
//! ```text
//!  operator ── sign_block(height, hash) ──> GuardedSigner ── record ──> GuardStore (durable)
//!                                                │ only then
//!                                                └── sign_block(hash) ──> Signer
//! ```
//!
//! A guard's knowledge can leave its store as a [`SignedGuardRecord`], a file that is bound to
//! federation, chain and key, and that moves another guard forward only ([`GuardSnapshot`]).
//!
//! An [`IdentitySigner`] signs envelopes with another key. That key never signs a block and needs
//! no guard: the protocol decides what an operator may send twice.
//!
//! A [`SpendSigner`] signs transactions with a reissuance or peg key. Each role may have a key of a
//! different kind: [`KeySource`] is the location of a key, [`SecretSource`] the source of its PIN
//! or passphrase. The other kinds are separate crates: `federation-keystore` for encrypted files,
//! `federation-signer-hsm` for hardware modules, `federation-signer-node` for a node's wallet.
//!
//! Not included: requesting signatures (`federation-block-signing`, `federation-operator`), a store
//! on disk (`federation-operator`), checking whole blocks (`federation-chain`).
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
//! // The same block may be signed again, another one never.
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
    GuardPin, GuardRecord, GuardRecordError, GuardRecordKind, GuardSnapshot, GuardStanding,
    GuardState, GuardStore, GuardStoreError, GuardedSigner, ImportError, MAX_GUARD_RECORD_BYTES,
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
