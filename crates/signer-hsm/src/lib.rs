//! Signatures from a hardware module, by PKCS#11, and the keys in it.
//!
//! A [`HsmKey`] is one secp256k1 key in one token of a module. It signs as a block key
//! ([`HsmSigner`]) or as a reissuance or peg key ([`HsmSpender`]); the raw digest is never signed
//! for a caller, so a block key in a module is as guarded as one in memory. [`admin`] lists tokens,
//! initialises them, and makes and imports keys. [`testing`] makes SoftHSM tokens for tests.
//!
//! ```text
//!  HsmSigner ── digest ──> bounded queue ──> worker threads, one session each ──> module
//!      ^                                                │
//!      └── low S, verified with the own public key <────┘
//! ```
//!
//! A module's calls block, and some hang: they run on threads of their own and a caller waits no
//! longer than the time-out. A thread that hangs is replaced, and with
//! [`HsmConfig::MAX_HANGING`] of them the key has ended ([`HsmError::Hangs`]). Sessions stay open
//! and logged in. When one is lost, because the token was pulled, the module restarted or the
//! session expired, or fails in a way that the standard does not know, it is opened again, and if
//! that does not help, the module is initialised again, which ends all its sessions in this
//! process. A PIN that was refused is not tried a second time: tokens lock after a few tries.
//!
//! When a key is opened it proves that private and public half belong together: it signs a digest
//! under a tag of its own, which no block and no transaction can have ([`proof_digest`]). A token
//! that has no object of the public half, or does not tell the curve, is asked for two such
//! signatures, which only one key on secp256k1 can have made.
//!
//! Modules differ. Sessions are opened read-only or read-write, whichever the token has; attributes
//! are asked for one by one; points, curves, signatures and labels are read in every form that
//! modules are known to give them; a template that is refused is tried with fewer attributes.
//!
//! Not here: the guard (`federation-signer`), where a PIN comes from
//! (`federation_signer::SecretSource`), identity keys: PKCS#11 has no BIP 340 signatures.
//!
//! ```no_run
//! use federation_signer::{KeySelector, MemoryGuardStore, GuardedSigner, SecretSource, TokenSelector};
//! use federation_signer_hsm::{HsmConfig, HsmKey, HsmSigner};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let pin = SecretSource::File("/etc/federation/pin".into()).read("the PIN")?;
//! let config = HsmConfig::new(
//!     "/usr/lib/softhsm/libsofthsm2.so",
//!     TokenSelector::Label("operator".to_owned()),
//!     KeySelector::Label("block".to_owned()),
//!     pin,
//! );
//! let signer = HsmSigner::new(HsmKey::open(config).await?);
//! // A real operator keeps the guard's records on disk.
//! let signer = GuardedSigner::new(signer, MemoryGuardStore::new())?;
//! println!("{}", signer.public_key());
//! # Ok(())
//! # }
//! ```

pub mod admin;
mod config;
mod curve;
mod der;
mod error;
mod find;
mod key;
mod key_session;
mod module;
mod pin;
mod pool;
mod proof;
mod raw;
mod session;
mod signature;
mod signer;
pub mod testing;

pub use config::HsmConfig;
pub use error::HsmError;
pub use key::HsmKey;
pub use pin::{Pin, PinError};
pub use proof::proof_digest;
pub use signer::{HsmSigner, HsmSpender};
