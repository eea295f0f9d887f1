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
//! An [`IdentitySigner`] signs envelopes with another key, which never signs a block and needs no
//! guard here: what an operator may say twice is the protocol's affair.
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
mod secret;
mod signer;
mod software;

pub use guard::{
    AUDIT_HEIGHTS, GuardError, GuardState, GuardStore, GuardStoreError, GuardedSigner,
    MAX_OPEN_HEIGHTS, MemoryGuardStore,
};
pub use secret::{Secret, SecretError};
pub use signer::{IdentitySigner, Signer, SignerError};
pub use software::{SoftwareIdentity, SoftwareSigner};
