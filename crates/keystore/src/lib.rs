//! Encrypted key files: one secret key under a pass phrase, by `age` with its scrypt recipient.
//!
//! ```text
//! federation key 1
//! role: block
//! public key: 02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5
//!
//! -----BEGIN AGE ENCRYPTED FILE-----
//! YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IHNjcnlwdCA..
//! -----END AGE ENCRYPTED FILE-----
//! ```
//!
//! The head in clear text says what the key is for and its public half, nothing else, so that a
//! file can be told from another without its pass phrase. What is encrypted repeats the role, and
//! the public half follows from the key: a head that was altered is noticed when the file is
//! opened. The part from the dashes on is a plain age file, which `age --decrypt` reads, too.
//!
//! A file is written whole or not at all, with mode 0600, and is on disk when the call returns; it
//! is refused when others may read it. Where the pass phrase comes from is the caller's affair
//! (`federation_signer::SecretSource`). Keys without a pass phrase are in
//! `federation_signer::key_file`.
//!
//! ```
//! use federation_keystore::{Passphrase, WorkFactor, create, open};
//! use federation_signer::{KeyRole, Secret};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = tempfile::tempdir()?;
//! let file = folder.path().join("block.key");
//! let secret = Secret::generate();
//! let passphrase = Passphrase::generate();
//! // Shown once; a real file takes the default factor.
//! assert_eq!(passphrase.expose().len(), 34);
//! create(&file, KeyRole::Block, &secret, &passphrase, WorkFactor::insecure_for_tests())?;
//!
//! let (head, opened) = open(&file, &passphrase)?;
//! assert_eq!(head.role(), KeyRole::Block);
//! assert_eq!(opened.public_key(), secret.public_key());
//! # Ok(())
//! # }
//! ```

mod error;
mod file;
mod format;
mod passphrase;

pub use error::KeystoreError;
pub use file::{change_passphrase, create, is_keystore, open, open_as, read_head};
pub use format::{Head, WorkFactor};
pub use passphrase::{MIN_CHARACTERS, Passphrase, WeakPassphrase};
