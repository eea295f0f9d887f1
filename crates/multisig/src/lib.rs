//! M-of-N multisig scripts of a sidechain federation, with their addresses and limits.
//!
//! The crate builds and parses `M <key>.. N OP_CHECKMULTISIG` for 1 <= M <= N <= 20, orders keys as
//! given or by BIP 67, makes P2SH, P2WSH and P2SH-P2WSH addresses and WIF keys for Ocean, Liquid
//! and custom chains, and computes the signature size that a chain must be configured with. It does
//! no I/O and keeps no secret beyond a call.
//!
//! ```
//! use federation_multisig::{KeyOrder, MultisigScript, Network, Threshold, WitnessScript};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let keys = [
//!     "02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5",
//!     "02f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9",
//!     "0379be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
//! ]
//! .map(|key| key.parse())
//! .into_iter()
//! .collect::<Result<Vec<_>, _>>()?;
//! let script = MultisigScript::new(Threshold::new(2)?, keys, KeyOrder::AsGiven)?;
//! assert!(script.to_hex().starts_with("522102c604"));
//! let address = WitnessScript::from(script).p2wsh(&Network::LIQUID)?;
//! assert!(address.starts_with("ex1q"));
//! # Ok(())
//! # }
//! ```

mod address;
mod network;
mod order;
mod output_script;
mod script;
mod size;
mod threshold;
mod wif;

pub use secp256k1::PublicKey;

pub use address::{AddressError, RedeemScript, WitnessScript, p2pkh, p2pkh_script};
pub use network::Network;
pub use order::KeyOrder;
pub use output_script::{ParseAddressError, script_of};
pub use script::{MAX_KEYS, MultisigScript, ParseScriptError, ScriptError};
pub use size::{SolutionForm, required_block_signature_size};
pub use threshold::{Threshold, ThresholdError};
pub use wif::{WifError, decode_wif, encode_wif};
