//! What a chain can live with, and what its operators should know.

use crate::{Genesis, Settings, Sweep, schedule};

/// Something with which a chain lives, and that somebody loses money by.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainWarning {
    /// Nothing says where fees go.
    #[error(
        "anyone can take the fees: con_mandatorycoinbase is not set, so the node pays them to OP_TRUE, and a block's maker may pay them to itself; set it to a script of the federation's"
    )]
    FeesForAnyone,
    /// Coins of the genesis that nobody sweeps.
    #[error(
        "anyone can take {amount} of asset {name} from the genesis block: whoever makes block 1 does, unless a sweep is agreed on"
    )]
    CoinsForAnyone {
        /// Which asset.
        name: &'static str,
        /// How much, in satoshi.
        amount: u64,
    },
}

/// What is to be said loudly of a chain: who can take coins and fees without a key.
#[must_use]
pub fn warnings(
    settings: &Settings,
    genesis: &Genesis,
    sweep: Option<&Sweep>,
) -> Vec<ChainWarning> {
    let mut warnings = Vec::new();
    if sweep.is_none() {
        let free = genesis.assets().filter(|asset| asset.is_anyones());
        warnings.extend(free.map(|asset| ChainWarning::CoinsForAnyone {
            name: asset.name(),
            amount: asset.amount(),
        }));
    }
    if schedule::payees(settings).is_empty() {
        warnings.push(ChainWarning::FeesForAnyone);
    }
    warnings
}
