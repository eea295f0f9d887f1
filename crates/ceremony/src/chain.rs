//! The chain, roster and manifest that follow from a proposal and the keys of all parties.

use core::time::Duration;

use federation_chain::{Dialect, SigningRules};
use federation_genesis::{Genesis, Manifest, Settings, Sweep, problems, required_signature_size};
use federation_multisig::{KeyOrder, MultisigScript, Threshold};
use federation_roster::{Federation, Member as RosterMember};
use secp256k1::PublicKey;

use crate::{
    ChainError, Digest, Join, KeyUse, Member, Proposal, check_proposal, hash,
    proposal::{base, dialect, setting_of, terms},
    sweep, words,
};

/// Elements' setting for the maximum size of a block's signatures.
const SIGNATURE_SIZE: &str = "con_max_block_sig_size";

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

    /// Its addresses and keys.
    #[must_use]
    pub const fn join(&self) -> &Join {
        &self.join
    }

    /// Its key for a use; none if the proposal does not require one.
    #[must_use]
    pub fn key(&self, usage: KeyUse) -> Option<PublicKey> {
        let mut keys = self.join.keys.iter();
        keys.find(|key| key.usage == usage).map(|key| key.key)
    }

    /// Its entry in the roster.
    fn operator(&self) -> Option<RosterMember> {
        Some(RosterMember {
            name: self.member.name.clone(),
            identity: self.member.identity,
            block_key: self.key(KeyUse::Block)?,
            endpoint: self.join.endpoint.clone(),
        })
    }
}

/// The chain, which every party computes alike.
#[derive(Debug, Clone)]
pub struct Chain {
    settings: Settings,
    genesis: Genesis,
    sweep: Option<Sweep>,
    federation: Federation,
    manifest: String,
    parties: Vec<Party>,
}

/// The rules for signing the chain's blocks.
fn rules(settings: &Settings, script: MultisigScript) -> Result<SigningRules, ChainError> {
    let dialect = dialect(settings)?;
    let needed = SigningRules::required_signature_size(dialect, &script);
    // Ocean has neither the setting nor the limit.
    let limit = settings
        .iter()
        .find(|setting| setting.name == SIGNATURE_SIZE)
        .and_then(|setting| setting.values.first()?.parse().ok());
    Ok(SigningRules::new(dialect, script, limit.unwrap_or(needed))?)
}

impl Chain {
    /// Computes the chain of a proposal from one join per member, in the order of the members.
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
        for (name, value) in sweep::derived(proposal, settings.node(), script_of)? {
            settings = settings.with(name, &value)?;
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
            return Err(ChainError::UnviableChain(problem));
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

    /// All settings that define the chain.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Its genesis block.
    #[must_use]
    pub const fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// The transaction that block 1 must include if the genesis block has coins that anyone could
    /// take. Its id is in the manifest, and it is `sweep` in every operator's `federation.toml`.
    #[must_use]
    pub const fn sweep(&self) -> Option<&Sweep> {
        self.sweep.as_ref()
    }

    /// The format of its blocks.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        self.federation.rules().dialect()
    }

    /// The script that signs its blocks.
    #[must_use]
    pub const fn script(&self) -> &MultisigScript {
        self.federation.rules().script()
    }

    /// The federation that runs it: roster, signing rules, genesis hash and interval, as in its
    /// operators' `federation.toml`.
    #[must_use]
    pub const fn federation(&self) -> &Federation {
        &self.federation
    }

    /// The operators, in the order of the roster.
    #[must_use]
    pub fn parties(&self) -> &[Party] {
        &self.parties
    }

    /// Everything that defines the chain and the federation, as one text.
    #[must_use]
    pub fn manifest(&self) -> &str {
        &self.manifest
    }

    /// The SHA-256 of the manifest, as `sha256sum` prints it.
    #[must_use]
    pub fn manifest_hash(&self) -> Digest {
        hash::sha256(self.manifest.as_bytes())
    }

    /// Twelve words to compare by voice: a fingerprint of the manifest, and thus of the roster.
    #[must_use]
    pub fn words(&self) -> String {
        words::of(self.manifest_hash())
    }
}

/// Checks that no key occurs twice, for whichever parties and uses.
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
