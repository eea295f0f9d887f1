//! The openings of blinded token outputs, and the blinding of their successors.
//!
//! Elements requires the tokens spent by a reissuance to be blinded, with a factor that the
//! reissuance reveals. So all factors here are derived from public data: the first payment of
//! tokens to the script is blinded to the script's public blinding key, and the output that each
//! reissuance returns to the script has factors derived from the output spent. Range proofs are not
//! signed, so whoever assembles a transaction could replace them; the derivation gives later
//! readers the opening regardless of the proof.

use elements::{
    AssetId, OutPoint, RangeProof, Script, TxOut, TxOutSecrets, TxOutWitness,
    confidential::{Asset, AssetBlindingFactor, Nonce, Value, ValueBlindingFactor},
    secp256k1_zkp::{SECP256K1, SecretKey},
};
use federation_chain::{AssetView, BlockHash, OutputView, ValueView};
use serde::{Deserialize, Serialize};

use crate::script::{TokenScript, derived, outpoint_bytes};

/// The opening of an output with reissuance tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawOpening")]
pub struct Opening {
    value: u64,
    asset_factor: [u8; 32],
    value_factor: [u8; 32],
}

/// An opening as it is stored and sent.
#[derive(Deserialize)]
#[serde(rename = "Opening")]
struct RawOpening {
    value: u64,
    asset_factor: [u8; 32],
    value_factor: [u8; 32],
}

/// A blinding factor out of range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a blinding factor is not below the order of the curve's group")]
struct OutOfRange;

impl TryFrom<RawOpening> for Opening {
    type Error = OutOfRange;

    fn try_from(raw: RawOpening) -> Result<Self, OutOfRange> {
        let RawOpening {
            value,
            asset_factor,
            value_factor,
        } = raw;
        AssetBlindingFactor::from_byte_array(asset_factor).map_err(|_| OutOfRange)?;
        ValueBlindingFactor::from_slice(&value_factor).map_err(|_| OutOfRange)?;
        Ok(Self {
            value,
            asset_factor,
            value_factor,
        })
    }
}

impl core::fmt::Display for Opening {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let (asset, value) = (hex(&self.asset_factor), hex(&self.value_factor));
        write!(f, "{} satoshi, factors {asset} and {value}", self.value)
    }
}

/// Writes bytes in hex, in the order in which they are stored.
pub(crate) fn hex(bytes: &[u8; 32]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Opening {
    /// Creates the opening of an explicit output.
    #[must_use]
    pub const fn explicit(value: u64) -> Self {
        Self {
            value,
            asset_factor: [0; 32],
            value_factor: [0; 32],
        }
    }

    /// Returns the amount of tokens, in satoshi.
    #[must_use]
    pub const fn value(&self) -> u64 {
        self.value
    }

    /// Returns whether the asset is blinded, which Elements requires of tokens.
    #[must_use]
    pub fn is_blinded(&self) -> bool {
        self.asset_factor != [0; 32]
    }

    /// Returns the asset's blinding factor, which a reissuance reveals as its nonce.
    #[must_use]
    pub const fn asset_factor(&self) -> &[u8; 32] {
        &self.asset_factor
    }

    fn of(secrets: &TxOutSecrets) -> Self {
        let bytes = |tweak: &[u8]| {
            let mut bytes = [0; 32];
            bytes.copy_from_slice(tweak);
            bytes
        };
        Self {
            value: secrets.value,
            asset_factor: bytes(secrets.asset_bf.into_inner().as_ref()),
            value_factor: bytes(secrets.value_bf.into_inner().as_ref()),
        }
    }

    /// Returns the opening as a type of the transaction crate; `None` if the factors are out of
    /// range, which is impossible after a check against commitments.
    pub(crate) fn secrets(&self, token: AssetId) -> Option<TxOutSecrets> {
        let asset_bf = AssetBlindingFactor::from_byte_array(self.asset_factor).ok()?;
        let value_bf = ValueBlindingFactor::from_slice(&self.value_factor).ok()?;
        Some(TxOutSecrets::new(token, asset_bf, self.value, value_bf))
    }

    /// Reads an output with tokens that was paid to the script.
    pub(crate) fn read(
        output: &OutputView<'_>,
        token: AssetId,
        script: &TokenScript,
        genesis: BlockHash,
    ) -> Option<Self> {
        match (output.asset, output.value) {
            (AssetView::Explicit(asset), ValueView::Explicit(value)) if asset == token => {
                Some(Self::explicit(value))
            }
            (AssetView::Confidential(asset), ValueView::Confidential(value)) => {
                let secrets = blinded(output, asset, value)?
                    .unblind(SECP256K1, script.blinding_key(genesis))
                    .ok()
                    .filter(|secrets| secrets.asset == token)?;
                let opening = Self::of(&secrets);
                opening.opens(output, token).then_some(opening)
            }
            _ => None,
        }
    }

    /// Returns whether this is the opening of a blinded output.
    pub(crate) fn opens(&self, output: &OutputView<'_>, token: AssetId) -> bool {
        let (AssetView::Confidential(asset), ValueView::Confidential(value)) =
            (output.asset, output.value)
        else {
            return false;
        };
        self.secrets(token).is_some_and(|secrets| {
            let made = Asset::new_confidential(SECP256K1, token, secrets.asset_bf);
            let Some(generator) = made.commitment() else {
                return false;
            };
            let committed =
                Value::new_confidential(SECP256K1, self.value, generator, secrets.value_bf);
            generator.serialize() == asset
                && committed
                    .commitment()
                    .is_some_and(|commitment| commitment.serialize() == value)
        })
    }

    /// Returns the opening of the output that returns the tokens to the script when the output with
    /// this opening, at this outpoint, is spent: the same value; another factor for the asset,
    /// since a proof between equal ones would prove nothing; and a factor for the value that
    /// balances the sums.
    pub(crate) fn successor(&self, spent: OutPoint, token: AssetId) -> Option<Self> {
        let secrets = self.secrets(token)?;
        let asset_bf = AssetBlindingFactor::from_byte_array(factor(spent)).ok()?;
        let value_bf = ValueBlindingFactor::last(
            SECP256K1,
            self.value,
            asset_bf,
            &[secrets.value_blind_inputs()],
            &[],
        );
        Some(Self::of(&TxOutSecrets::new(
            token, asset_bf, self.value, value_bf,
        )))
    }
}

/// Converts a blinded output to a type of the transaction crate; `None` if one of its parts is
/// malformed, so that nobody can unblind it. The surjection proof is not needed.
fn blinded(output: &OutputView<'_>, asset: &[u8], value: &[u8]) -> Option<TxOut> {
    let mut witness = TxOutWitness::empty();
    witness.rangeproof = RangeProof::from_slice(output.witness.range_proof).ok()?;
    Some(TxOut {
        asset: Asset::from_commitment(asset).ok()?,
        value: Value::from_commitment(value).ok()?,
        nonce: Nonce::from_commitment(output.nonce).ok()?,
        script_pubkey: Script::from(output.script_pubkey.to_vec()),
        witness,
    })
}

/// Returns the asset's blinding factor in the successor of an outpoint.
fn factor(spent: OutPoint) -> [u8; 32] {
    derived(b"asset-factor", &[&outpoint_bytes(spent)]).secret_bytes()
}

/// Returns the secret key for the nonce of that output.
pub(crate) fn ephemeral(spent: OutPoint) -> SecretKey {
    derived(b"nonce", &[&outpoint_bytes(spent)])
}

/// Returns the seed for the proofs of that output, which need random numbers but no secret ones.
pub(crate) fn seed(spent: OutPoint) -> [u8; 32] {
    derived(b"proofs", &[&outpoint_bytes(spent)]).secret_bytes()
}
