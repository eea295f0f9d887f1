//! What is to be made, of which asset, for whom, out of which tokens.

use elements::{
    AssetId, Script,
    hashes::{HashEngine, sha256},
};
use federation_chain::{BlockHash, Dialect};
use serde::{Deserialize, Serialize};

use crate::{Schedule, ScriptKind, TokenScript};

/// The chain that is reissued on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    /// Hash of its genesis block.
    pub genesis: BlockHash,
    /// Whether its tokens must be blinded (Elements) or cannot be (Ocean).
    pub tokens: TokenForm,
}

/// How a chain wants its reissuance tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TokenForm {
    /// Blinded, as Elements demands of tokens that are to reissue.
    Blinded,
    /// Explicit, as on Ocean.
    Explicit,
}

impl TokenForm {
    /// What the chains of a dialect want.
    #[must_use]
    pub const fn of(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Ocean => Self::Explicit,
            Dialect::Elements | Dialect::Dynafed => Self::Blinded,
        }
    }
}

/// What a reissuance pays to get into a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fee {
    /// The asset that the chain takes fees in.
    pub asset: AssetId,
    /// How much, in satoshi; above 0.
    pub amount: u64,
}

/// One asset's reissuance, the same for all operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssetSettings {
    asset: AssetId,
    schedule: Schedule,
    destination: Script,
    tokens: TokenScript,
    fee: Option<Fee>,
}

/// Settings that cannot be followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// Ocean knows no witness scripts.
    #[error("the tokens of {0} are held by p2wsh, which Ocean does not know: choose p2sh")]
    WitnessScript(AssetId),
    /// What is made would be destroyed at once.
    #[error("the destination of {0} cannot be spent: give the address of a wallet")]
    Destination(AssetId),
}

impl AssetSettings {
    /// Reissues an asset by a schedule to a destination, out of tokens that a script holds.
    ///
    /// # Errors
    /// If the destination cannot be spent.
    pub fn new(
        asset: AssetId,
        schedule: Schedule,
        destination: Script,
        tokens: TokenScript,
    ) -> Result<Self, SettingsError> {
        if destination.is_empty() || destination.is_provably_unspendable() {
            return Err(SettingsError::Destination(asset));
        }
        Ok(Self {
            asset,
            schedule,
            destination,
            tokens,
            fee: None,
        })
    }

    /// Pays a fee with each reissuance, out of coins that the same script holds.
    #[must_use]
    pub const fn with_fee(mut self, fee: Option<Fee>) -> Self {
        self.fee = fee;
        self
    }

    /// Checks what depends on the chain.
    ///
    /// # Errors
    /// If the chain does not know the kind of script.
    pub fn check(&self, chain: &Chain) -> Result<(), SettingsError> {
        if chain.tokens == TokenForm::Explicit && self.tokens.kind() == ScriptKind::P2wsh {
            return Err(SettingsError::WitnessScript(self.asset));
        }
        Ok(())
    }

    /// The asset that is made.
    #[must_use]
    pub const fn asset(&self) -> AssetId {
        self.asset
    }

    /// When, and at which rate.
    #[must_use]
    pub const fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// The script that what is made is paid to.
    #[must_use]
    pub const fn destination(&self) -> &Script {
        &self.destination
    }

    /// The script that holds the tokens.
    #[must_use]
    pub const fn tokens(&self) -> &TokenScript {
        &self.tokens
    }

    /// What each reissuance pays, if anything.
    #[must_use]
    pub const fn fee(&self) -> Option<Fee> {
        self.fee
    }

    /// A hash of all that a ledger's state depends on, so that a state of other settings is noticed.
    pub(crate) fn fingerprint(&self, chain: &Chain) -> [u8; 32] {
        let mut engine = sha256::Hash::engine();
        engine.input(chain.genesis.as_bytes());
        engine.input(&[chain.tokens as u8, self.tokens.kind() as u8]);
        engine.input(self.asset.to_byte_array().as_slice());
        engine.input(&self.schedule.rate().trillionths().to_le_bytes());
        engine.input(&self.schedule.period_ms().to_le_bytes());
        engine.input(&self.schedule.period().to_le_bytes());
        engine.input(&self.schedule.start().to_u32().to_le_bytes());
        engine.input(self.tokens.multisig().as_bytes());
        if let Some(fee) = self.fee {
            engine.input(fee.asset.to_byte_array().as_slice());
        }
        sha256::Hash::from_engine(engine).to_byte_array()
    }
}
