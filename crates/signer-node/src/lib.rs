//! Block signatures by the wallet of an Elements or Ocean node (`signblock`), for operators that
//! keep the block key there.
//!
//! The node receives the whole unsigned block, tests it once more and signs its hash with every key
//! of the script that its wallet holds. [`NodeWalletSigner`] picks the signature by the operator's
//! key and verifies it. The node signs any block for anyone who can call it, so its RPC must be
//! reserved for the operator. The limit of one block per height is enforced by the guard in front
//! of this signer, in `federation-signer`.
//!
//! | | call | result |
//! |---|---|---|
//! | Ocean | `signblock BLOCK` | the `scriptSig` in hex: a zero, then signatures in DER |
//! | Elements | `signblock BLOCK` | a list of `{pubkey, sig}`, DER |
//! | Elements with dynafed | `signblock BLOCK SCRIPT` | the same, each with the sighash byte `01` |
//!
//! Elements signs only with legacy wallets, and only blocks on top of its best block.
//! [`NodeWalletSigner::check_wallet`] checks the kind of wallet and the key without signing
//! anything.
//!
//! ```no_run
//! use federation_chain::SigningRules;
//! use federation_multisig::PublicKey;
//! use federation_ocean_rpc::{NodeClient, RpcError};
//! use federation_signer::{GuardError, GuardedSigner, MemoryGuardStore};
//! use federation_signer_node::NodeWalletSigner;
//!
//! # fn example(node: &NodeClient, rules: &SigningRules, key: PublicKey)
//! #     -> Result<(), Box<dyn std::error::Error>> {
//! let signer = NodeWalletSigner::new(node.wallet("signer")?, rules, key);
//! // A real operator keeps the guard's records on disk.
//! let signer = GuardedSigner::new(signer, MemoryGuardStore::new())?;
//! # Ok(())
//! # }
//! ```

mod answer;
mod signer;
mod wallet;

pub use answer::AnswerError;
pub use signer::NodeWalletSigner;
pub use wallet::WalletFault;
