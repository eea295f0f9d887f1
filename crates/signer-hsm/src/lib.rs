//! Signatures by a hardware module via PKCS#11, and administration of its keys.
//!
//! A [`HsmKey`] is one secp256k1 key in one token of a module. It signs as a block key
//! ([`HsmSigner`]) or as a reissuance or peg key ([`HsmSpender`]). Callers cannot have arbitrary
//! digests signed, so a block key in a module is guarded like one in memory. [`admin`] lists and
//! initialises tokens, and generates and imports keys. [`testing`] creates SoftHSM tokens for
//! tests.
//!
//! ```text
//!  HsmSigner ── digest ──> bounded queue ──> worker threads, one session each ──> module
//!      ^                                                │
//!      └── low S, verified with the public key <────────┘
//! ```
//!
//! A module's calls block, and some hang: they run on dedicated threads, and a caller waits no
//! longer than the timeout. A thread that hangs is replaced; with [`HsmConfig::MAX_HANGING`] such
//! threads the key becomes unusable ([`HsmError::Hangs`]). Sessions stay open and logged in. A
//! session is reopened when it is lost, because the token was removed, the module was restarted or
//! the session expired, or when it fails in a way unknown to the standard. If that does not help,
//! the module is reinitialised, which ends all its sessions in this process. A PIN that was refused
//! is not tried again: tokens lock after a few attempts.
//!
//! When a key is opened it proves that private and public key belong together: it signs a digest
//! with its own tag, which no block or transaction can have ([`proof_digest`]). If a token has no
//! object for the public key, or does not report the curve, the public key is determined from two
//! such signatures, which only one key on secp256k1 can have made.
//!
//! Modules differ. Sessions are opened read-only or read-write, whichever the token supports;
//! attributes are queried one by one; points, curves, signatures and labels are accepted in every
//! form that modules are known to return; a template that is refused is retried with fewer
//! attributes.
//!
//! Not included: the guard (`federation-signer`), sources of PINs
//! (`federation_signer::SecretSource`), and identity keys, because PKCS#11 has no BIP 340
//! signatures.
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
