//! Where coins and fees go according to a proposal: the sweep in block 1, and the settings.

use federation_genesis::{Genesis, InitialAsset, NodeKind, Settings, Sweep, federation_script};
use federation_multisig::MultisigScript;
use hex_conservative::{DisplayHex, FromHex};

use crate::{ChainError, Destination, KeyUse, Proposal};

/// Checks the destinations in a proposal, before the keys are known.
pub(crate) fn check(proposal: &Proposal, settings: &Settings) -> Result<(), ChainError> {
    for destination in destinations(proposal) {
        if let Destination::Keys(usage) = destination
            && !proposal.keys.contains(usage)
        {
            return Err(ChainError::SweepKeys(*usage));
        }
    }
    let Some(to) = &proposal.sweep else {
        return Ok(());
    };
    if settings.node() == NodeKind::Ocean {
        return match to.tokens {
            Some(_) => Err(ChainError::OceanSweep),
            None if is_zero(settings, "initialfreecoins") => Err(ChainError::NoCoins),
            None => Ok(()),
        };
    }
    if is_zero(settings, "con_connect_genesis_outputs") {
        return Err(ChainError::Unconnected);
    }
    Ok(())
}

fn is_zero(settings: &Settings, name: &str) -> bool {
    let mut settings = settings.iter();
    settings.any(|setting| setting.name == name && setting.values == ["0"])
}

/// All destinations in a proposal.
fn destinations(proposal: &Proposal) -> impl Iterator<Item = &Destination> {
    let sweep = proposal.sweep.iter();
    sweep
        .flat_map(|to| [&to.coins, &to.tokens])
        .chain([&proposal.fees])
        .flatten()
}

/// Whether coins or fees go to the parties' keys for a use.
pub(crate) fn goes_to(proposal: &Proposal, usage: KeyUse) -> bool {
    destinations(proposal).any(|destination| *destination == Destination::Keys(usage))
}

/// Returns the output script of a destination; `script_of` returns the parties' script for a use.
fn output_script(
    node: NodeKind,
    destination: &Destination,
    script_of: &impl Fn(KeyUse) -> Result<MultisigScript, ChainError>,
) -> Result<Vec<u8>, ChainError> {
    match destination {
        Destination::Keys(usage) => Ok(federation_script(node, script_of(*usage)?)),
        Destination::Script(hex) => {
            Vec::from_hex(hex).map_err(|_| ChainError::SweepScript(hex.clone()))
        }
    }
}

/// Returns the settings, with their values, that follow from the destinations in the proposal. A
/// configuration that also sets one of them is refused.
pub(crate) fn derived(
    proposal: &Proposal,
    node: NodeKind,
    script_of: impl Fn(KeyUse) -> Result<MultisigScript, ChainError>,
) -> Result<Vec<(&'static str, String)>, ChainError> {
    let mut found = Vec::new();
    let mut add = |name, destination: &Destination| {
        let script = output_script(node, destination, &script_of)?;
        found.push((name, script.to_lower_hex_string()));
        Ok::<_, ChainError>(())
    };
    if let Some(fees) = &proposal.fees {
        add("con_mandatorycoinbase", fees)?;
    }
    let coins = proposal.sweep.as_ref().and_then(|to| to.coins.as_ref());
    if let (NodeKind::Ocean, Some(coins)) = (node, coins) {
        add("initialfreecoinsdestination", coins)?;
    }
    Ok(found)
}

/// Returns the sweep of a genesis block, if the proposal has one; `script_of` returns the parties'
/// script for a use.
pub(crate) fn of(
    proposal: &Proposal,
    genesis: &Genesis,
    script_of: impl Fn(KeyUse) -> Result<MultisigScript, ChainError>,
) -> Result<Option<Sweep>, ChainError> {
    let Some(to) = proposal.sweep.as_ref().filter(|_| proposal.node != "ocean") else {
        return Ok(None);
    };
    let script = |destination: &Option<Destination>| {
        let destination = destination.as_ref();
        destination
            .map(|destination| output_script(NodeKind::Elements, destination, &script_of))
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
    // Conversely, each destination must have coins.
    let given = usize::from(coins.is_some()) + usize::from(tokens.is_some());
    if given
        != genesis
            .assets()
            .filter(|asset| asset.anyone_can_spend())
            .count()
    {
        return Err(federation_genesis::SweepError::NothingToSweep.into());
    }
    Ok(Some(sweep))
}
