//! The sweep that follows from a proposal: which coins of the genesis go where in block 1.

use federation_genesis::{Genesis, InitialAsset, NodeKind, Settings, Sweep};
use federation_multisig::{MultisigScript, WitnessScript};
use hex_conservative::FromHex;

use crate::{ChainError, Destination, KeyUse, Proposal};

/// Checks what a proposal says of a sweep, before there are keys.
pub(crate) fn check(proposal: &Proposal, settings: &Settings) -> Result<(), ChainError> {
    let Some(to) = &proposal.sweep else {
        return Ok(());
    };
    if settings.node() == NodeKind::Ocean {
        return Err(ChainError::OceanSweep);
    }
    let unconnected = |name: &str| {
        let mut settings = settings.iter();
        settings.any(|setting| setting.name == name && setting.values == ["0"])
    };
    if unconnected("con_connect_genesis_outputs") {
        return Err(ChainError::Unconnected);
    }
    for destination in [&to.coins, &to.tokens].into_iter().flatten() {
        if let Destination::Keys(usage) = destination
            && (*usage == KeyUse::Block || !proposal.keys.contains(usage))
        {
            return Err(ChainError::SweepKeys(*usage));
        }
    }
    Ok(())
}

/// Whether coins go to the parties' keys of a use.
pub(crate) fn goes_to(proposal: &Proposal, usage: KeyUse) -> bool {
    proposal.sweep.as_ref().is_some_and(|to| {
        let mut destinations = [&to.coins, &to.tokens].into_iter().flatten();
        destinations.any(|destination| *destination == Destination::Keys(usage))
    })
}

/// The sweep of a genesis, where the proposal has one; `script_of` makes the parties' scripts.
pub(crate) fn of(
    proposal: &Proposal,
    genesis: &Genesis,
    script_of: impl Fn(KeyUse) -> Result<MultisigScript, ChainError>,
) -> Result<Option<Sweep>, ChainError> {
    let Some(to) = &proposal.sweep else {
        return Ok(None);
    };
    let script = |destination: &Option<Destination>| {
        destination
            .as_ref()
            .map(|destination| match destination {
                Destination::Keys(usage) => {
                    script_of(*usage).map(|script| WitnessScript::from(script).script_pubkey())
                }
                Destination::Script(hex) => {
                    Vec::from_hex(hex).map_err(|_| ChainError::SweepScript(hex.clone()))
                }
            })
            .transpose()
    };
    let (coins, tokens) = (script(&to.coins)?, script(&to.tokens)?);
    let of = |asset: &InitialAsset| {
        if asset.id() == genesis.pegged_asset() {
            coins.clone()
        } else {
            tokens.clone()
        }
    };
    let sweep = Sweep::new(genesis, of)?;
    // Each destination has its coins, too.
    let given = usize::from(coins.is_some()) + usize::from(tokens.is_some());
    if given != genesis.assets().filter(|asset| asset.is_anyones()).count() {
        return Err(federation_genesis::SweepError::Nothing.into());
    }
    Ok(Some(sweep))
}
