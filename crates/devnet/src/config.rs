//! The configuration of a devnet node.

use std::{net::SocketAddr, path::PathBuf};

use bytes::Bytes;
use federation_chain::{Dialect, SigningRules};
use federation_multisig::MultisigScript;

/// The configuration of a devnet node. Nodes of one chain need the same dialect, chain name,
/// script, limit and coins.
#[derive(Debug, Clone)]
pub struct DevNodeConfig {
    pub(crate) dialect: Dialect,
    pub(crate) chain: String,
    pub(crate) script: MultisigScript,
    pub(crate) max_signature_size: u32,
    pub(crate) epoch_length: u32,
    pub(crate) free_coins: u64,
    pub(crate) rpc_listen: SocketAddr,
    pub(crate) p2p_listen: SocketAddr,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) folder: Option<PathBuf>,
    pub(crate) genesis: Option<(Bytes, [u8; 32])>,
}

impl DevNodeConfig {
    /// Creates the configuration of a node of the chain `devnet` in this dialect, with this
    /// `signblockscript`: ports chosen by the system on loopback, 21 million coins that anyone can
    /// spend, nothing stored.
    #[must_use]
    pub fn new(dialect: Dialect, script: MultisigScript) -> Self {
        Self {
            dialect,
            chain: "devnet".to_owned(),
            max_signature_size: SigningRules::required_signature_size(dialect, &script),
            script,
            epoch_length: 10,
            free_coins: 2_100_000_000_000_000,
            rpc_listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            p2p_listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            user: "user".to_owned(),
            password: "password".to_owned(),
            folder: None,
            genesis: None,
        }
    }

    /// Sets the chain's name, which determines its genesis block.
    #[must_use]
    pub fn with_chain(mut self, chain: impl Into<String>) -> Self {
        self.chain = chain.into();
        self
    }

    /// Sets `con_max_block_sig_size`, in bytes; by default the smallest limit that the script
    /// allows.
    #[must_use]
    pub const fn with_max_signature_size(mut self, bytes: u32) -> Self {
        self.max_signature_size = bytes;
        self
    }

    /// Sets `dynamic_epoch_length`, in blocks; ten by default. Only dynafed chains have epochs.
    #[must_use]
    pub const fn with_epoch_length(mut self, blocks: u32) -> Self {
        self.epoch_length = blocks;
        self
    }

    /// Sets the amount of coins in the genesis block, in satoshi.
    #[must_use]
    pub const fn with_free_coins(mut self, satoshi: u64) -> Self {
        self.free_coins = satoshi;
        self
    }

    /// Sets the addresses for RPC and for other devnet nodes; port 0 lets the system choose.
    #[must_use]
    pub const fn with_listen(mut self, rpc: SocketAddr, p2p: SocketAddr) -> Self {
        self.rpc_listen = rpc;
        self.p2p_listen = p2p;
        self
    }

    /// Sets the RPC credentials.
    #[must_use]
    pub fn with_credentials(
        mut self,
        user: impl Into<String>,
        password: impl Into<String>,
    ) -> Self {
        self.user = user.into();
        self.password = password.into();
        self
    }

    /// Stores the chain in this folder and continues it at the next start.
    #[must_use]
    pub fn with_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Sets the genesis block, and the id (in wire order) of the asset of coinbase outputs, instead
    /// of deriving both from the other settings.
    #[must_use]
    pub fn with_genesis(mut self, block: Bytes, pegged_asset: [u8; 32]) -> Self {
        self.genesis = Some((block, pegged_asset));
        self
    }
}
