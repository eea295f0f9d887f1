//! Encrypted key files: one secret key, encrypted with a pass phrase by `age`'s scrypt recipient.
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
//! The header in clear text has only the key's role and its public key, so that files can be told apart
//! without their pass phrases. The encrypted part repeats the role, and the public key follows from
//! the secret key, so an altered header is detected when the file is opened. From the dashes on, the
//! text is a plain age file, which `age --decrypt` can read as well.
//!
//! Files are written atomically and durably, with mode 0600; files that other users can access are
//! refused. The caller chooses where the pass phrase comes from (`federation_signer::SecretSource`).
//! Keys without a pass phrase are in `federation_signer::key_file`.
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
//! // Shown once. Use the default factor outside of tests.
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
