//! What follows from a proposal and everybody's keys: the chain, its roster, its manifest.

use core::time::Duration;

use federation_chain::{Dialect, RulesError, SigningRules};
use federation_genesis::{
    ConfError, DynafedStart, Genesis, InvalidConf, Manifest, NodeKind, Problem, Settings, Sweep,
    SweepError, Terms, Unfit, UnknownNode, problems, required_signature_size,
};
use federation_multisig::{KeyOrder, MultisigScript, ScriptError, Threshold, ThresholdError};
use federation_roster::{Federation, FederationError, Operator};
use secp256k1::PublicKey;

use crate::{Digest, Join, KeyUse, Member, Proposal, hash, sweep, words};

/// The shortest time from one block to the next, in milliseconds: headers count seconds.
pub const MIN_INTERVAL: u64 = 1_000;

/// The longest time from one block to the next, in milliseconds: a day.
pub const MAX_INTERVAL: u64 = 86_400_000;

/// Elements' limit on the size of a block's signatures.
const SIGNATURE_SIZE: &str = "con_max_block_sig_size";

/// A chain that cannot be made of what the parties say.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// No such node.
    #[error(transparent)]
    Node(#[from] UnknownNode),
    /// Wrong settings.
    #[error("the proposal's configuration: {0}")]
    Configuration(#[from] InvalidConf),
    /// A setting that cannot be made.
    #[error(transparent)]
    Setting(#[from] ConfError),
    /// More in the configuration than what makes the chain.
    #[error("the proposal's configuration has more than the chain's settings, or in another order")]
    NotCanonical,
    /// A setting that follows from the keys.
    #[error("`{0}` follows from the parties' keys: leave it out of the configuration")]
    Derived(&'static str),
    /// Keys for which the chain has no use.
    #[error(
        "an elements chain has no setting for reissuance keys: ask for them only where the sweep goes to them"
    )]
    Reissuance,
    /// No keys to sign blocks with, or one use twice.
    #[error("the proposal's keys must be different and ascending, and the first one `block`")]
    Keys,
    /// A name that makes no file name.
    #[error("`{0}` is no name: use 1 to 64 letters, digits, `-` and `_`")]
    Name(String),
    /// Two parties that are one.
    #[error("`{first}` and `{second}` have the same name, identity or key")]
    Same {
        /// One of them.
        first: String,
        /// The other.
        second: String,
    },
    /// Blocks too close together or too far apart.
    #[error(
        "the interval of {0} ms is none that a federation can keep: use {MIN_INTERVAL} to {MAX_INTERVAL} ms"
    )]
    Interval(u64),
    /// No M.
    #[error(transparent)]
    Threshold(#[from] ThresholdError),
    /// No M-of-N.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// M is no majority.
    #[error("{m} of {n} is no majority, so two chains could be signed: use at least {}", .n / 2 + 1)]
    NoMajority {
        /// M.
        m: u8,
        /// N.
        n: usize,
    },
    /// No genesis block.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// A chain that stops or splits.
    #[error("this chain cannot live: {0}")]
    Problem(Problem),
    /// A chain that changes its form of block on its way.
    #[error(
        "the chain would change to dynafed on its way, which a new federation does not need: set evbparams=dynafed:-1::: or dynafed:-2:::"
    )]
    Signalled,
    /// No rules for the signatures in its blocks.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// No roster.
    #[error(transparent)]
    Federation(#[from] FederationError),
    /// No transaction that takes the coins which anyone could take.
    #[error("the proposal's sweep: {0}")]
    Sweep(#[from] SweepError),
    /// A destination that is no hex.
    #[error("the proposal's sweep: `{0}` is no output script in hex")]
    SweepScript(String),
    /// Coins for keys that nobody brings, or that sign blocks only.
    #[error("the proposal's sweep goes to {} keys, which {}", .0.as_str(), if *.0 == KeyUse::Block {
        "sign blocks and nothing else"
    } else {
        "the proposal does not ask for"
    })]
    SweepKeys(KeyUse),
    /// Coins that can have another destination.
    #[error(
        "an ocean chain needs no sweep: set initialfreecoinsdestination and the policies' destinations"
    )]
    OceanSweep,
    /// Not everybody's keys are there.
    #[error("`{0}` has not joined")]
    Missing(String),
}

/// One operator of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Party {
    pub(crate) member: Member,
    pub(crate) join: Join,
}

impl Party {
    /// Its name and identity.
    #[must_use]
    pub const fn member(&self) -> &Member {
        &self.member
    }

    /// Where it is reached, and its keys.
    #[must_use]
    pub const fn join(&self) -> &Join {
        &self.join
    }

    /// Its key for a use; none if the proposal does not ask for one.
    #[must_use]
    pub fn key(&self, usage: KeyUse) -> Option<PublicKey> {
        let mut keys = self.join.keys.iter();
        keys.find(|key| key.usage == usage).map(|key| key.key)
    }

    /// What the roster says of it.
    fn operator(&self) -> Option<Operator> {
        Some(Operator {
            name: self.member.name.clone(),
            identity: self.member.identity,
            block_key: self.key(KeyUse::Block)?,
            endpoint: self.join.endpoint.clone(),
        })
    }
}

/// A chain that everybody computes alike.
#[derive(Debug, Clone)]
pub struct Chain {
    settings: Settings,
    genesis: Genesis,
    sweep: Option<Sweep>,
    federation: Federation,
    manifest: String,
    parties: Vec<Party>,
}

/// Checks what can be known before anybody has joined.
///
/// # Errors
/// If no keys at all could make a chain of this proposal.
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
            // Files are named after them, and some systems know no case.
            if other.name.eq_ignore_ascii_case(&member.name) || other.identity == member.identity {
                return Err(ChainError::Same {
                    first: other.name.clone(),
                    second: member.name.clone(),
                });
            }
        }
    }
    check_coins(proposal, &settings)?;
    dialect(&settings).map(|_| ())
}

/// Checks that the coins that anyone could take have a destination. Keys that are not there yet are
/// stood in for: they change neither amounts nor who may take them.
fn check_coins(proposal: &Proposal, settings: &Settings) -> Result<(), ChainError> {
    let genesis = Genesis::compute(settings, terms(proposal).as_ref())?;
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
    let sweep = sweep::of(proposal, &genesis, stand_in)?;
    let found = problems(settings, &genesis, terms(proposal).as_ref(), sweep.as_ref())?;
    let coins = found
        .into_iter()
        .find(|problem| matches!(problem, Problem::AnyoneCanSpend { .. }));
    coins.map_or(Ok(()), |problem| Err(ChainError::Problem(problem)))
}

fn base(proposal: &Proposal) -> Result<Settings, ChainError> {
    let settings = Settings::parse(proposal.node.parse()?, &proposal.configuration)?;
    if settings.to_conf() != proposal.configuration {
        return Err(ChainError::NotCanonical);
    }
    Ok(settings)
}

/// The setting that holds the script of the parties' keys of a use.
const fn setting_of(node: NodeKind, usage: KeyUse) -> Option<&'static str> {
    match (usage, node) {
        (KeyUse::Block, _) => Some("signblockscript"),
        (KeyUse::Peg, _) => Some("fedpegscript"),
        (KeyUse::Reissuance, NodeKind::Ocean) => Some("issuecontrolscript"),
        (KeyUse::Reissuance, NodeKind::Elements) => None,
    }
}

fn dialect(settings: &Settings) -> Result<Dialect, ChainError> {
    if settings.node() == NodeKind::Ocean {
        return Ok(Dialect::Ocean);
    }
    match DynafedStart::of(settings)? {
        DynafedStart::Always => Ok(Dialect::Dynafed),
        DynafedStart::Never => Ok(Dialect::Elements),
        _ => Err(ChainError::Signalled),
    }
}

/// The rules by which the chain's blocks are signed.
fn rules(settings: &Settings, script: MultisigScript) -> Result<SigningRules, ChainError> {
    let dialect = dialect(settings)?;
    let needed = SigningRules::required_signature_size(dialect, &script);
    // Ocean has no such setting, and no such limit.
    let limit = settings
        .iter()
        .find(|setting| setting.name == SIGNATURE_SIZE)
        .and_then(|setting| setting.values.first()?.parse().ok());
    Ok(SigningRules::new(dialect, script, limit.unwrap_or(needed))?)
}

impl Chain {
    /// The chain of a proposal and one join for each member, in the order of the members.
    pub(crate) fn new(
        id: Digest,
        proposal: &Proposal,
        parties: Vec<Party>,
    ) -> Result<Self, ChainError> {
        check_proposal(proposal)?;
        check_keys(&parties)?;
        let threshold = Threshold::new(proposal.threshold)?;
        let mut settings = base(proposal)?;
        let script_of = |usage| {
            let keys = parties
                .iter()
                .filter_map(|party| party.key(usage))
                .collect();
            MultisigScript::new(threshold, keys, KeyOrder::Lexicographic).map_err(ChainError::from)
        };
        for usage in &proposal.keys {
            if let Some(name) = setting_of(settings.node(), *usage) {
                settings = settings.with(name, &script_of(*usage)?.to_hex())?;
            }
        }
        let size_given = settings
            .iter()
            .any(|setting| setting.given && setting.name == SIGNATURE_SIZE);
        if !size_given && let Some(size) = required_signature_size(&settings)? {
            settings = settings.with(SIGNATURE_SIZE, &size.to_string())?;
        }
        let terms = terms(proposal);
        let genesis = Genesis::compute(&settings, terms.as_ref())?;
        let sweep = sweep::of(proposal, &genesis, script_of)?;
        if let Some(problem) = problems(&settings, &genesis, terms.as_ref(), sweep.as_ref())?
            .into_iter()
            .next()
        {
            return Err(ChainError::Problem(problem));
        }
        let mut manifest =
            Manifest::new(&settings, &genesis, terms.as_ref(), sweep.as_ref()).to_text();
        let mut line = |name: &str, value: &str| manifest.push_str(&format!("{name}={value}\n"));
        line("ceremony", &id.to_string());
        line("federation.threshold", &threshold.to_string());
        line("federation.interval_ms", &proposal.interval.to_string());
        for (index, party) in parties.iter().enumerate() {
            let mut of = |name: &str, value: &str| {
                line(&format!("federation.operator.{index}.{name}"), value);
            };
            of("name", &party.member.name);
            of("identity", &party.member.identity.to_string());
            for key in &party.join.keys {
                of(key.usage.as_str(), &key.key.to_string());
            }
            of("endpoint", &party.join.endpoint);
            of("node", &party.join.node);
        }
        let rules = rules(&settings, script_of(KeyUse::Block)?)?;
        let operators = parties.iter().filter_map(Party::operator).collect();
        let interval = Duration::from_millis(proposal.interval);
        Ok(Self {
            federation: Federation::new(operators, rules, genesis.hash(), interval)?,
            settings,
            genesis,
            sweep,
            manifest,
            parties,
        })
    }

    /// All settings that make the chain.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Its first block.
    #[must_use]
    pub const fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// The transaction without which there is no block 1, if its genesis has coins that anyone could
    /// take: the manifest names its id. Every operator's `federation.toml` has it as `sweep`.
    #[must_use]
    pub const fn sweep(&self) -> Option<&Sweep> {
        self.sweep.as_ref()
    }

    /// The form of its blocks.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        self.federation.rules().dialect()
    }

    /// Who signs its blocks.
    #[must_use]
    pub const fn script(&self) -> &MultisigScript {
        self.federation.rules().script()
    }

    /// The federation that runs it: roster, rules of signing, genesis hash and interval, as its
    /// operators have them in `federation.toml`.
    #[must_use]
    pub const fn federation(&self) -> &Federation {
        &self.federation
    }

    /// The operators, in the order of the roster.
    #[must_use]
    pub fn parties(&self) -> &[Party] {
        &self.parties
    }

    /// Everything that makes the chain and the federation, in one text.
    #[must_use]
    pub fn manifest(&self) -> &str {
        &self.manifest
    }

    /// SHA-256 of the manifest, as `sha256sum` gives it.
    #[must_use]
    pub fn manifest_hash(&self) -> Digest {
        hash::sha256(self.manifest.as_bytes())
    }

    /// Twelve words to compare by voice: the manifest's fingerprint, the roster's with it.
    #[must_use]
    pub fn words(&self) -> String {
        words::of(self.manifest_hash())
    }
}

/// The proposal's terms and conditions, as a node reads them.
pub(crate) fn terms(proposal: &Proposal) -> Option<Terms> {
    let text = proposal.terms.as_ref()?;
    Terms::from_file(text.as_bytes())
}

/// No key twice, whoever brings it and whatever for.
fn check_keys(parties: &[Party]) -> Result<(), ChainError> {
    let mut seen = std::collections::BTreeMap::new();
    for party in parties {
        let name = &party.member.name;
        let keys = party
            .join
            .keys
            .iter()
            .map(|key| key.key.x_only_public_key().0);
        for key in keys.chain([party.member.identity]) {
            if let Some(first) = seen.insert(key.serialize(), name) {
                return Err(ChainError::Same {
                    first: first.clone(),
                    second: name.clone(),
                });
            }
        }
    }
    Ok(())
}
