//! The checks of a proposal that are possible before anybody has joined.

use federation_chain::Dialect;
use federation_genesis::{
    DynafedStart, Genesis, NodeKind, Settings, Terms, UnviableChain, problems,
};
use federation_multisig::{KeyOrder, MultisigScript, ScriptError, Threshold};

use crate::{ChainError, KeyUse, Proposal, sweep};

/// The shortest block interval, in milliseconds: headers count seconds.
pub const MIN_INTERVAL: u64 = 1_000;

/// The longest block interval, in milliseconds: a day.
pub const MAX_INTERVAL: u64 = 86_400_000;

/// Checks everything that can be checked before anybody has joined.
///
/// # Errors
/// If the proposal could not result in a chain, whatever the parties' keys are.
pub fn check_proposal(proposal: &Proposal) -> Result<(), ChainError> {
    let settings = base(proposal)?;
    let n = proposal.members.len();
    let threshold = Threshold::new(proposal.threshold)?;
    if n > 20 {
        return Err(ScriptError::TooManyKeys(n).into());
    }
    if 2 * threshold.to_usize() <= n || threshold.to_usize() > n {
        let m = proposal.threshold;
        return Err(ChainError::NoMajority { m, n });
    }
    if !(MIN_INTERVAL..=MAX_INTERVAL).contains(&proposal.interval) {
        return Err(ChainError::Interval(proposal.interval));
    }
    let ascending = proposal.keys.windows(2).all(|pair| pair[0] < pair[1]);
    if !ascending || proposal.keys.first() != Some(&KeyUse::Block) {
        return Err(ChainError::Keys);
    }
    sweep::check(proposal, &settings)?;
    for usage in &proposal.keys {
        let Some(name) = setting_of(settings.node(), *usage) else {
            if sweep::goes_to(proposal, *usage) {
                continue;
            }
            return Err(ChainError::Reissuance);
        };
        if settings
            .iter()
            .any(|setting| setting.given && setting.name == name)
        {
            return Err(ChainError::Derived(name));
        }
    }
    for (index, member) in proposal.members.iter().enumerate() {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let length = member.name.len();
        if !(1..=64).contains(&length) || !member.name.chars().all(plain) {
            return Err(ChainError::Name(member.name.clone()));
        }
        for other in &proposal.members[..index] {
            // Files are named after members, and some file systems ignore case.
            if other.name.eq_ignore_ascii_case(&member.name) || other.identity == member.identity {
                return Err(ChainError::Same {
                    first: other.name.clone(),
                    second: member.name.clone(),
                });
            }
        }
    }
    dialect(&settings)?;
    check_coins(proposal, settings)
}

/// Checks that the coins that anyone could take have a destination, and everything else that does
/// not depend on the keys. The members' identities stand in for the missing keys, which affect
/// neither the amounts nor who may take them.
fn check_coins(proposal: &Proposal, mut settings: Settings) -> Result<(), ChainError> {
    let stand_in = |_| {
        let keys = proposal.members.iter();
        let keys = keys.map(|member| member.identity.public_key(secp256k1::Parity::Even));
        let threshold = Threshold::new(proposal.threshold)?;
        Ok(MultisigScript::new(
            threshold,
            keys.collect(),
            KeyOrder::Lexicographic,
        )?)
    };
    for (name, value) in sweep::derived(proposal, settings.node(), stand_in)? {
        let given = settings
            .iter()
            .any(|setting| setting.given && setting.name == name);
        if given {
            return Err(ChainError::Derived(name));
        }
        settings = settings.with(name, &value)?;
    }
    let terms = terms(proposal);
    let genesis = Genesis::compute(&settings, terms.as_ref())?;
    let sweep = sweep::of(proposal, &genesis, stand_in)?;
    let found = problems(&settings, &genesis, terms.as_ref(), sweep.as_ref())?;
    let lasting = found.into_iter().find(|problem| !depends_on_keys(problem));
    lasting.map_or(Ok(()), |problem| Err(ChainError::UnviableChain(problem)))
}

/// Whether the problem depends on the keys, which are not known yet.
const fn depends_on_keys(problem: &UnviableChain) -> bool {
    matches!(
        problem,
        UnviableChain::NoFederation
            | UnviableChain::NoMajority { .. }
            | UnviableChain::SignatureLimit { .. }
    )
}

/// Parses the proposal's configuration: the settings except those that follow from the keys.
pub(crate) fn base(proposal: &Proposal) -> Result<Settings, ChainError> {
    let settings = Settings::parse(proposal.node.parse()?, &proposal.configuration)?;
    if settings.to_conf() != proposal.configuration {
        return Err(ChainError::NotCanonical);
    }
    Ok(settings)
}

/// Returns the setting that holds the script of the parties' keys for a use.
pub(crate) const fn setting_of(node: NodeKind, usage: KeyUse) -> Option<&'static str> {
    match (usage, node) {
        (KeyUse::Block, _) => Some("signblockscript"),
        (KeyUse::Peg, _) => Some("fedpegscript"),
        (KeyUse::Reissuance, NodeKind::Ocean) => Some("issuecontrolscript"),
        (KeyUse::Reissuance, NodeKind::Elements) => None,
    }
}

/// Returns the format of the chain's blocks.
pub(crate) fn dialect(settings: &Settings) -> Result<Dialect, ChainError> {
    if settings.node() == NodeKind::Ocean {
        return Ok(Dialect::Ocean);
    }
    match DynafedStart::of(settings)? {
        DynafedStart::Always => Ok(Dialect::Dynafed),
        DynafedStart::Never => Ok(Dialect::Elements),
        _ => Err(ChainError::Signalled),
    }
}

/// Returns the proposal's terms and conditions as a node reads them.
pub(crate) fn terms(proposal: &Proposal) -> Option<Terms> {
    let text = proposal.terms.as_ref()?;
    Terms::from_file(text.as_bytes())
}
