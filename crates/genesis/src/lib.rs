//! The genesis block that an Elements or Ocean node makes of its configuration file, offline.
//!
//! [`Settings`] reads the file as the node does, and refuses what the node would read otherwise
//! than it seems to be meant: cut hex, settings in sections that do not count, misspelt names.
//! [`Genesis`] is the block, byte for byte, each with the setting that it comes from.
//! [`problems`] says why a chain of these settings could not live. [`Manifest`] puts all that makes
//! the chain into one text with one hash, those settings too that leave the genesis hash alone.
//!
//! ```text
//! elements.conf ── Settings::parse ──> Settings ── Genesis::compute ──> Genesis
//!                                          └──────────── Manifest::new ────┴──> ManifestHash
//! ```
//!
//! The crate does no I/O: a program gives it the texts. It does not follow `includeconf`, nor a
//! node's `settings.json` or command line, and knows custom chains only, whose parameters are
//! settings; `liquidv1` and its kind are fixed in the node. What goes into which byte is in
//! [docs/genesis.md](https://github.com/federation/federation/blob/master/docs/genesis.md).
//!
//! ```
//! use federation_genesis::{Genesis, Manifest, NodeKind, Problem, Settings, problems};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let settings = Settings::parse(NodeKind::Elements, "chain=elementsregtest\n")?;
//! let genesis = Genesis::compute(&settings, None)?;
//! assert_eq!(
//!     genesis.hash().to_string(),
//!     "cd179c84c35f51825f20a3b91a18d45f0c53b5ceb744a5b6ef8f0babe809396f"
//! );
//! // Anyone can sign its blocks.
//! assert_eq!(
//!     problems(&settings, &genesis, None, None)?,
//!     [Problem::NoFederation]
//! );
//! let manifest = Manifest::new(&settings, &genesis, None, None);
//! assert_eq!(manifest.hash().to_string().len(), 64);
//! # Ok(())
//! # }
//! ```

mod asks;
mod chain;
mod conf;
mod dynafed;
mod genesis;
mod hex;
mod holder;
mod manifest;
mod node;
mod piece;
mod rehearsal;
mod schedule;
mod settings;
mod sweep;
mod terms;
mod told;
mod transaction;
mod warning;

pub use chain::{MIN_EPOCH_LENGTH, Problem, Unfit, problems, required_signature_size};
pub use conf::{ConfError, InvalidConf};
pub use dynafed::DynafedStart;
pub use genesis::Genesis;
pub use hex::HexError;
pub use holder::{Holder, federation_script};
pub use manifest::{Difference, Manifest, ManifestHash};
pub use node::{NodeKind, UnknownNode};
pub use piece::Piece;
pub use schedule::{Signers, signers_by_height};
pub use settings::{Role, Setting, Settings};
pub use sweep::{Sweep, SweepError};
pub use terms::Terms;
pub use told::{Compared, Told, compare};
pub use transaction::{GenesisTransaction, InitialAsset};
pub use warning::{ChainWarning, warnings};
