//! Computes, offline, the genesis block that an Elements or Ocean node derives from its
//! configuration file.
//!
//! [`Settings`] reads the file as the node does, and refuses whatever the node would interpret
//! differently from what it appears to say: truncated hex, settings in sections that the node
//! ignores, misspelt names. [`Genesis`] is the block, with the setting that each byte comes from.
//! [`problems`] lists the reasons why a chain with these settings could not work. [`Manifest`] is
//! everything that defines the chain, including the settings that do not affect the genesis hash,
//! as one text with one hash.
//!
//! ```text
//! elements.conf ── Settings::parse ──> Settings ── Genesis::compute ──> Genesis
//!                                          └──────────── Manifest::new ────┴──> ManifestHash
//! ```
//!
//! The crate does no I/O: the caller passes in the text of the files. It does not follow
//! `includeconf`, `settings.json` or the node's command line, and it supports custom chains only,
//! whose parameters are settings; `liquidv1` and the like are built into the node. The byte layout
//! is described in
//! [docs/genesis.md](https://github.com/federation/federation/blob/master/docs/genesis.md).
//!
//! ```
//! use federation_genesis::{Genesis, Manifest, NodeKind, UnviableChain, Settings, problems};
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
//!     [UnviableChain::NoFederation]
//! );
//! let manifest = Manifest::new(&settings, &genesis, None, None);
//! assert_eq!(manifest.hash().to_string().len(), 64);
//! # Ok(())
//! # }
//! ```

mod chain;
mod conf;
mod dynafed;
mod federation;
mod fragment;
mod genesis;
mod hex;
mod holder;
mod manifest;
mod node;
mod node_report;
mod rehearsal;
mod requirements;
mod schedule;
mod settings;
mod sweep;
mod terms;
mod transaction;
mod warning;

pub use chain::{
    InvalidSettings, MIN_EPOCH_LENGTH, UnviableChain, problems, required_signature_size,
};
pub use conf::{ConfError, InvalidConf};
pub use dynafed::DynafedStart;
pub use fragment::Fragment;
pub use genesis::Genesis;
pub use hex::HexError;
pub use holder::{Holder, federation_script};
pub use manifest::{Difference, Manifest, ManifestHash};
pub use node::{NodeKind, UnknownNode};
pub use node_report::{FieldCheck, NodeReport, compare};
pub use schedule::{Signers, signers_by_height};
pub use settings::{Role, Setting, Settings};
pub use sweep::{Sweep, SweepError};
pub use terms::Terms;
pub use transaction::{GenesisTransaction, InitialAsset};
pub use warning::{ChainWarning, warnings};
