//! The plan of one reissuance.

use elements::{AssetId, OutPoint, Script};
use serde::{Deserialize, Serialize};

use crate::{AssetSettings, Ledger, Opening, Point, Uncountable, asset::AssetState, opening::hex};

/// Limit on the coins spent for one fee.
const MAX_COINS: usize = 16;

/// The smallest change that is returned, in satoshi; less is added to the fee. Nodes do not relay
/// dust outputs, up to about 650 satoshi by Bitcoin's rule.
const LEAST_CHANGE: u64 = 1000;

/// The coins that pay the fee of a reissuance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedFee {
    /// The asset in which the fee is paid.
    pub asset: AssetId,
    /// The fee, in satoshi, including change that is too small to return.
    pub amount: u64,
    /// The outputs spent for it, with the value of each in satoshi.
    pub coins: Vec<(OutPoint, u64)>,
}

impl PlannedFee {
    /// Returns the change returned to the script, in satoshi.
    #[must_use]
    pub fn change(&self) -> u64 {
        let sum = self
            .coins
            .iter()
            .fold(0u64, |sum, (_, value)| sum.saturating_add(*value));
        sum.saturating_sub(self.amount)
    }
}

impl core::fmt::Display for PlannedFee {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} satoshi of {} from", self.amount, self.asset)?;
        for (index, (outpoint, value)) in self.coins.iter().enumerate() {
            let separator = if index == 0 { "" } else { "," };
            write!(f, "{separator} {outpoint} ({value} satoshi)")?;
        }
        Ok(())
    }
}

/// The plan of one reissuance: everything that determines its transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The asset issued.
    pub asset: AssetId,
    /// The point for which it is issued.
    pub point: Point,
    /// The circulation at the point, in satoshi; on Ocean without frozen amounts.
    pub circulation: u64,
    /// The amount issued, in satoshi.
    pub amount: u64,
    /// The script that receives it.
    pub destination: Script,
    /// The reissuance token.
    pub token: AssetId,
    /// The asset's entropy, in wire order.
    pub entropy: [u8; 32],
    /// The output with the tokens that are spent and returned to their script.
    pub tokens: OutPoint,
    /// The opening of that output.
    pub opening: Opening,
    /// The fee, if one is paid.
    pub fee: Option<PlannedFee>,
}

/// Why no reissuance can be planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The settings have no asset with this index.
    #[error("there are no settings with index {0}")]
    NoSettings(usize),
    /// No reissuance is due.
    #[error("no reissuance of {asset} is due: {}", describe_next(.next.as_ref()))]
    NothingDue {
        /// The asset.
        asset: AssetId,
        /// The next point.
        next: Option<Point>,
    },
    /// The asset has not been issued yet.
    #[error("{0} has not been issued on this chain: check the asset's id")]
    NotIssued(AssetId),
    /// The circulation cannot be determined.
    #[error("the circulation of {asset} cannot be determined: {why}")]
    Uncountable {
        /// The asset.
        asset: AssetId,
        /// The reason.
        #[source]
        why: Uncountable,
    },
    /// The script holds no tokens.
    #[error("the script holds no reissuance tokens ({token}) of {asset}: send it some")]
    NoTokens {
        /// The asset.
        asset: AssetId,
        /// The token.
        token: AssetId,
    },
    /// The tokens are not blinded, which Elements requires.
    #[error(
        "the reissuance tokens of {asset} in {outpoint} are not blinded, which Elements requires: spend them to the script's confidential address"
    )]
    NotBlinded {
        /// The asset.
        asset: AssetId,
        /// The output that holds them.
        outpoint: OutPoint,
    },
    /// The script's coins do not cover the fee.
    #[error(
        "the {MAX_COINS} largest coins of the script hold {has} satoshi of {asset}, but the fee is {needs}: send it more"
    )]
    NoFee {
        /// The asset in which fees are paid.
        asset: AssetId,
        /// The value of those coins, in satoshi.
        has: u64,
        /// The fee, in satoshi.
        needs: u64,
    },
}

fn describe_next(next: Option<&Point>) -> String {
    next.map_or_else(
        || "there is no further point".to_owned(),
        |point| format!("the next point is {point}"),
    )
}

/// A difference between two plans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The name of the field.
    pub field: &'static str,
    /// Its value in the first plan.
    pub ours: String,
    /// Its value in the second plan.
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
    /// Returns the next reissuance of the asset with this index in the settings, if one is due and
    /// possible.
    ///
    /// # Errors
    /// If no reissuance is due, or it is not possible.
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

/// Returns the oldest usable tokens.
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

/// Returns the oldest coin that covers the fee alone, otherwise as many of the largest as needed.
/// Anyone can send tiny coins to the script, so they must not displace larger ones.
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
    // The sort is stable: of equal coins, the older comes first.
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
    /// Returns the fields in which another operator's plan for the same asset differs.
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
            self.opening.to_string(),
            other.opening.to_string(),
        );
        compare("entropy", hex(&self.entropy), hex(&other.entropy));
        let fee = |plan: &Self| {
            plan.fee
                .as_ref()
                .map_or_else(|| "none".to_owned(), PlannedFee::to_string)
        };
        compare("fee", fee(self), fee(other));
        found
    }
}
