//! Risks that do not stop a chain from working, but that its operators should know.

use crate::{Genesis, Settings, Sweep, schedule};

/// A risk of losing money that does not stop a chain from working.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainWarning {
    /// No script is set for fees.
    #[error(
        "anyone can take the fees: con_mandatorycoinbase is not set, so nodes pay them to OP_TRUE, and the maker of a block may pay them to itself; set it to a script of the federation"
    )]
    FeesForAnyone,
    /// Genesis coins that anyone can spend are not swept.
    #[error(
        "anyone can take {amount} of asset {name} from the genesis block: the maker of block 1 will, unless a sweep is agreed on"
    )]
    CoinsForAnyone {
        /// The asset.
        name: &'static str,
        /// The amount, in satoshi.
        amount: u64,
    },
}

/// Returns the warnings about a chain: coins and fees that can be taken without a key.
#[must_use]
pub fn warnings(
    settings: &Settings,
    genesis: &Genesis,
    sweep: Option<&Sweep>,
) -> Vec<ChainWarning> {
    let mut warnings = Vec::new();
    if sweep.is_none() {
        let free = genesis.assets().filter(|asset| asset.anyone_can_spend());
        warnings.extend(free.map(|asset| ChainWarning::CoinsForAnyone {
            name: asset.name(),
            amount: asset.amount(),
        }));
    }
    if schedule::fee_scripts(settings).is_empty() {
        warnings.push(ChainWarning::FeesForAnyone);
    }
    warnings
}
