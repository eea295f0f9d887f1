//! The settings of a reissuance.

use elements::{
    AssetId, Script,
    hashes::{HashEngine, sha256},
};
use federation_chain::{BlockHash, Dialect};
use serde::{Deserialize, Serialize};

use crate::{Schedule, ScriptKind, TokenScript};

/// The chain of the reissuances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    /// Hash of its genesis block.
    pub genesis: BlockHash,
    /// Whether its tokens must be blinded (Elements) or cannot be (Ocean).
    pub tokens: TokenForm,
}

/// The form in which a chain requires reissuance tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TokenForm {
    /// Blinded, as Elements requires for reissuance.
    Blinded,
    /// Explicit, as on Ocean.
    Explicit,
}

impl TokenForm {
    /// Returns the form that the chains of a dialect require.
    #[must_use]
    pub const fn of(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Ocean => Self::Explicit,
            Dialect::Elements | Dialect::Dynafed => Self::Blinded,
        }
    }
}

/// The fee of a reissuance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fee {
    /// The asset in which the chain collects fees.
    pub asset: AssetId,
    /// The amount, in satoshi; above 0.
    pub amount: u64,
}

/// The settings of one asset's reissuance, the same for all operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssetSettings {
    asset: AssetId,
    schedule: Schedule,
    destination: Script,
    tokens: TokenScript,
    fee: Option<Fee>,
}

/// Invalid settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// Ocean does not support witness scripts.
    #[error("the tokens of {0} are held by p2wsh, which Ocean does not support: use p2sh")]
    WitnessScript(AssetId),
    /// The issued amount would be destroyed.
    #[error("the destination of {0} is unspendable: use the address of a wallet")]
    Destination(AssetId),
}

impl AssetSettings {
    /// Reissues an asset on a schedule to a destination, with tokens held by a script.
    ///
    /// # Errors
    /// If the destination is unspendable.
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

    /// Pays a fee with each reissuance, from coins held by the same script.
    #[must_use]
    pub const fn with_fee(mut self, fee: Option<Fee>) -> Self {
        self.fee = fee;
        self
    }

    /// Checks the settings that depend on the chain.
    ///
    /// # Errors
    /// If the chain does not support the kind of script.
    pub fn check(&self, chain: &Chain) -> Result<(), SettingsError> {
        if chain.tokens == TokenForm::Explicit && self.tokens.kind() == ScriptKind::P2wsh {
            return Err(SettingsError::WitnessScript(self.asset));
        }
        Ok(())
    }

    /// Returns the asset that is reissued.
    #[must_use]
    pub const fn asset(&self) -> AssetId {
        self.asset
    }

    /// Returns the points and the rate.
    #[must_use]
    pub const fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// Returns the script that receives the issued amount.
    #[must_use]
    pub const fn destination(&self) -> &Script {
        &self.destination
    }

    /// Returns the script that holds the tokens.
    #[must_use]
    pub const fn tokens(&self) -> &TokenScript {
        &self.tokens
    }

    /// Returns the fee of each reissuance, if any.
    #[must_use]
    pub const fn fee(&self) -> Option<Fee> {
        self.fee
    }

    /// Returns a hash of all settings that a ledger's state depends on, so that a state of other
    /// settings is detected.
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
