//! What one reissuance is to be.

use elements::{AssetId, OutPoint, Script};
use serde::{Deserialize, Serialize};

use crate::{AssetSettings, Ledger, Opening, Point, Uncountable, asset::AssetState};

/// The most coins that are spent for one fee.
const MAX_COINS: usize = 16;

/// The least change that goes back, in satoshi; less is left to the fee. A node passes on no output
/// that it calls dust, up to some 650 satoshi where it counts as Bitcoin's do.
const LEAST_CHANGE: u64 = 1000;

/// The coins that pay a reissuance's fee.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedFee {
    /// The asset that the fee is paid in.
    pub asset: AssetId,
    /// The fee, in satoshi, with change that is too small to go back.
    pub amount: u64,
    /// The outputs that are spent for it, and what each holds, in satoshi.
    pub coins: Vec<(OutPoint, u64)>,
}

impl PlannedFee {
    /// What goes back to the script, in satoshi.
    #[must_use]
    pub fn change(&self) -> u64 {
        let sum = self
            .coins
            .iter()
            .fold(0u64, |sum, (_, value)| sum.saturating_add(*value));
        sum.saturating_sub(self.amount)
    }
}

/// What one reissuance is to be: all that its transaction follows from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The asset that is made.
    pub asset: AssetId,
    /// What is made for it.
    pub point: Point,
    /// What was in circulation at the point, in satoshi; on Ocean without what was frozen.
    pub circulation: u64,
    /// What is made, in satoshi.
    pub amount: u64,
    /// Where it goes.
    pub destination: Script,
    /// The reissuance token.
    pub token: AssetId,
    /// The asset's entropy, as a transaction has it.
    pub entropy: [u8; 32],
    /// The tokens that are spent and go back to their script.
    pub tokens: OutPoint,
    /// What is inside them.
    pub opening: Opening,
    /// How the fee is paid, if one is.
    pub fee: Option<PlannedFee>,
}

/// Why there is nothing to plan, or no way to do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// There is no such asset in the settings.
    #[error("there are no settings at place {0}")]
    NoSettings(usize),
    /// Nothing is owed.
    #[error("nothing is to be made of {asset} now; the next point is {next:?}")]
    NothingDue {
        /// The asset.
        asset: AssetId,
        /// The next point.
        next: Option<Point>,
    },
    /// The asset was not issued yet.
    #[error("{0} is not issued on this chain yet: check the asset's id")]
    NotIssued(AssetId),
    /// Nobody can count what is in circulation.
    #[error("what is in circulation of {asset} cannot be counted: {why}")]
    Uncountable {
        /// The asset.
        asset: AssetId,
        /// Why.
        #[source]
        why: Uncountable,
    },
    /// The script holds no tokens.
    #[error("the script holds no reissuance tokens {token} of {asset}: pay some to it")]
    NoTokens {
        /// The asset.
        asset: AssetId,
        /// The token.
        token: AssetId,
    },
    /// Elements reissues out of blinded tokens only.
    #[error(
        "the reissuance tokens of {asset} in {outpoint} are not blinded, and Elements reissues out of blinded ones only: spend them to the script's confidential address"
    )]
    NotBlinded {
        /// The asset.
        asset: AssetId,
        /// Where they are.
        outpoint: OutPoint,
    },
    /// The script holds too few coins for the fee.
    #[error(
        "the script holds {has} satoshi of {asset} for a fee of {needs} in its {MAX_COINS} largest coins: pay more to it"
    )]
    NoFee {
        /// The asset that fees are paid in.
        asset: AssetId,
        /// What the script holds, in satoshi.
        has: u64,
        /// What it takes, in satoshi.
        needs: u64,
    },
}

/// A field in which two plans differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Which field.
    pub field: &'static str,
    /// What the one has.
    pub ours: String,
    /// What the other has.
    pub theirs: String,
}

impl core::fmt::Display for Difference {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self {
            field,
            ours,
            theirs,
        } = self;
        write!(f, "{field} is {ours} here and {theirs} there")
    }
}

impl Ledger {
    /// What is to be made next of the asset at a place in the settings, if something is owed and
    /// can be made.
    ///
    /// # Errors
    /// Why nothing is to be made, or cannot be.
    pub fn plan(&self, index: usize) -> Result<Plan, PlanError> {
        let (settings, state) = self.asset(index).ok_or(PlanError::NoSettings(index))?;
        let asset = settings.asset();
        if let Some(why) = state.uncountable() {
            return Err(PlanError::Uncountable { asset, why });
        }
        let (entropy, token) = state.issued().ok_or(PlanError::NotIssued(asset))?;
        let due = state.due().ok_or_else(|| PlanError::NothingDue {
            asset,
            next: self
                .tip()
                .and_then(|(height, _)| settings.schedule().after(height)),
        })?;
        let (tokens, opening) = choose_tokens(asset, token, state)?;
        Ok(Plan {
            asset,
            point: due.point,
            circulation: due.circulation,
            amount: due.amount,
            destination: settings.destination().clone(),
            token,
            entropy,
            tokens,
            opening,
            fee: choose_coins(settings, state)?,
        })
    }
}

/// The oldest tokens that can be used.
fn choose_tokens(
    asset: AssetId,
    token: AssetId,
    state: &AssetState,
) -> Result<(OutPoint, Opening), PlanError> {
    let unusable = state.unusable.oldest_first();
    match (state.tokens.oldest_first().first(), unusable.first()) {
        (Some((outpoint, opening)), _) => Ok((*outpoint, **opening)),
        (None, Some((outpoint, _))) => Err(PlanError::NotBlinded {
            asset,
            outpoint: *outpoint,
        }),
        (None, None) => Err(PlanError::NoTokens { asset, token }),
    }
}

/// The oldest coin that suffices alone, or else as many of the largest as it takes. Anyone can pay
/// crumbs to the script, so what is small must not stand in the way of what is not.
fn choose_coins(
    settings: &AssetSettings,
    state: &AssetState,
) -> Result<Option<PlannedFee>, PlanError> {
    let Some(fee) = settings.fee() else {
        return Ok(None);
    };
    let mut from = state.coins.oldest_first();
    if let Some(coin) = from.iter().find(|(_, value)| **value >= fee.amount) {
        from = vec![*coin];
    }
    // Stable: of equal ones the older first.
    from.sort_by_key(|(_, value)| core::cmp::Reverse(**value));
    let mut coins = Vec::new();
    let mut has = 0u64;
    for (outpoint, value) in from.into_iter().take(MAX_COINS) {
        coins.push((outpoint, *value));
        has = has.saturating_add(*value);
        let Some(change) = has.checked_sub(fee.amount) else {
            continue;
        };
        let amount = if change < LEAST_CHANGE {
            has
        } else {
            fee.amount
        };
        return Ok(Some(PlannedFee {
            asset: fee.asset,
            amount,
            coins,
        }));
    }
    Err(PlanError::NoFee {
        asset: fee.asset,
        has,
        needs: fee.amount,
    })
}

impl Plan {
    /// The fields in which another operator's plan for the same asset differs.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<Difference> {
        let mut found = Vec::new();
        let mut compare = |field, ours: String, theirs: String| {
            if ours != theirs {
                found.push(Difference {
                    field,
                    ours,
                    theirs,
                });
            }
        };
        compare("asset", self.asset.to_string(), other.asset.to_string());
        compare("point", self.point.to_string(), other.point.to_string());
        compare(
            "circulation",
            self.circulation.to_string(),
            other.circulation.to_string(),
        );
        compare("amount", self.amount.to_string(), other.amount.to_string());
        compare(
            "destination",
            format!("{:x}", self.destination),
            format!("{:x}", other.destination),
        );
        compare("token", self.token.to_string(), other.token.to_string());
        compare("tokens", self.tokens.to_string(), other.tokens.to_string());
        compare(
            "opening",
            format!("{:?}", self.opening),
            format!("{:?}", other.opening),
        );
        compare(
            "entropy",
            format!("{:?}", self.entropy),
            format!("{:?}", other.entropy),
        );
        compare("fee", format!("{:?}", self.fee), format!("{:?}", other.fee));
        found
    }
}
