//! A ceremony as one party knows it: the messages that it has, in whatever order they came.

use std::collections::{BTreeMap, btree_map::Entry};

use crate::{
    Approval, Body, Chain, ChainError, Digest, Evidence, EvidenceError, Join, KeyUse, Member,
    Message, Party, Proposal, Warning, check_proposal, message::is_proven, proof_digest, warnings,
    words,
};

/// A message that has no place in a ceremony.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CeremonyError {
    /// A ceremony begins with a proposal.
    #[error("a ceremony begins with a proposal, not with a message of kind `{0}`")]
    NoProposal(&'static str),
    /// Not of this ceremony.
    #[error("the {kind} is of the ceremony {other}, this one is {this}: make a new one for this")]
    OtherCeremony {
        /// The message's kind.
        kind: &'static str,
        /// Its ceremony.
        other: Digest,
        /// This ceremony.
        this: Digest,
    },
    /// From nobody who takes part.
    #[error("the {kind} is by {sender}, who is no member")]
    Stranger {
        /// The message's kind.
        kind: &'static str,
        /// Whose key signed it.
        sender: String,
    },
    /// Other keys than asked for.
    #[error("`{0}` has not brought exactly the keys that the proposal asks for, in its order")]
    Keys(String),
    /// A key without a proof that its owner holds it.
    #[error("`{member}` has not proven to hold its {} key for this ceremony", usage.as_str())]
    Unproven {
        /// Who.
        member: String,
        /// Which key.
        usage: KeyUse,
    },
    /// An address that is none.
    #[error("`{member}` gives `{address}`, which is no host:port")]
    Address {
        /// Who.
        member: String,
        /// What it gives.
        address: String,
    },
    /// Said two things.
    #[error(
        "`{0}` has signed two different messages of one kind, which is proven: begin a new ceremony without it"
    )]
    TwoThings(String),
    /// Not the same chain.
    #[error(
        "`{member}` approves the manifest {theirs}, here it is {ours}: compare what you both have, then begin a new ceremony"
    )]
    Disagrees {
        /// Who.
        member: String,
        /// The manifest that it approves.
        theirs: Digest,
        /// The manifest computed here.
        ours: Digest,
    },
    /// Not everybody has approved.
    #[error("`{0}` has not approved")]
    NotApproved(String),
    /// No such chain.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// No contradiction.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Added {
    /// It was not known before.
    New,
    /// It was.
    Known,
    /// Its sender has said something else before.
    TwoThings(Box<Evidence>),
}

/// The messages of one ceremony.
#[derive(Debug, Clone)]
pub struct Ceremony {
    proposal: Proposal,
    opening: Message,
    joins: BTreeMap<usize, Message>,
    approvals: BTreeMap<usize, Message>,
    evidence: BTreeMap<usize, Evidence>,
}

impl Ceremony {
    /// The ceremony that a proposal begins.
    ///
    /// # Errors
    /// If the message is none, is by no member, or no chain could follow from it.
    pub fn new(opening: Message) -> Result<Self, CeremonyError> {
        let Body::Proposal(proposal) = opening.body() else {
            return Err(CeremonyError::NoProposal(opening.body().kind()));
        };
        check_proposal(proposal)?;
        let ceremony = Self {
            proposal: proposal.clone(),
            opening: opening.clone(),
            joins: BTreeMap::new(),
            approvals: BTreeMap::new(),
            evidence: BTreeMap::new(),
        };
        ceremony.member_of(&opening)?;
        Ok(ceremony)
    }

    /// Takes a message, in any order, as often as it comes.
    ///
    /// # Errors
    /// If it has no place here; nothing changes then.
    pub fn add(&mut self, message: Message) -> Result<Added, CeremonyError> {
        if message.ceremony() != self.id() {
            return Err(CeremonyError::OtherCeremony {
                kind: message.body().kind(),
                other: message.ceremony(),
                this: self.id(),
            });
        }
        let place = self.member_of(&message)?;
        let member = &self.proposal.members[place];
        let of_its_kind = match message.body() {
            Body::Proposal(_) => {
                // The id holds the proposal: this is the same, whoever of the members sends it.
                keep_least(&mut self.opening, message);
                return Ok(Added::Known);
            }
            Body::Join(join) => {
                self.check_join(member, join)?;
                &mut self.joins
            }
            Body::Approval(_) => &mut self.approvals,
        };
        let known = match of_its_kind.entry(place) {
            Entry::Vacant(vacant) => {
                vacant.insert(message);
                return Ok(Added::New);
            }
            Entry::Occupied(known) => known.into_mut(),
        };
        if known.body().says_the_same(message.body()) {
            keep_least(known, message);
            return Ok(Added::Known);
        }
        let evidence = Evidence::new(self.opening.clone(), [known.clone(), message])?;
        self.evidence.insert(place, evidence.clone());
        Ok(Added::TwoThings(Box::new(evidence)))
    }

    /// The ceremony's id.
    #[must_use]
    pub const fn id(&self) -> Digest {
        self.opening.ceremony()
    }

    /// What is to be made.
    #[must_use]
    pub const fn proposal(&self) -> &Proposal {
        &self.proposal
    }

    /// Who takes part, in the order of the roster.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.proposal.members
    }

    /// Whether a member has joined.
    #[must_use]
    pub fn has_joined(&self, place: usize) -> bool {
        self.joins.contains_key(&place)
    }

    /// What a member has approved.
    #[must_use]
    pub fn approval(&self, place: usize) -> Option<&Approval> {
        self.approvals.get(&place).and_then(approval_in)
    }

    /// A member's keys and addresses.
    #[must_use]
    pub fn join(&self, place: usize) -> Option<&Join> {
        self.joins.get(&place).and_then(join_in)
    }

    /// The message by which a member joined.
    #[must_use]
    pub fn join_message(&self, place: usize) -> Option<&Message> {
        self.joins.get(&place)
    }

    /// The message by which a member approved.
    #[must_use]
    pub fn approval_message(&self, place: usize) -> Option<&Message> {
        self.approvals.get(&place)
    }

    /// Twelve words to compare by voice before anybody joins: the fingerprint of the proposal.
    #[must_use]
    pub fn proposal_words(&self) -> String {
        words::of(self.id())
    }

    /// Twelve words to compare by voice where the [chain's](Chain::words) differ: the fingerprint of
    /// what one member has said when it joined; none if it has not.
    #[must_use]
    pub fn join_words(&self, place: usize) -> Option<String> {
        let join = self.join(place)?;
        let said = join_digest(self.id(), &self.proposal.members[place], join);
        Some(words::of(said))
    }

    /// Who has said two things, with the proof.
    pub fn evidence(&self) -> impl Iterator<Item = &Evidence> {
        self.evidence.values()
    }

    /// What there is to know before one approves: about the proposal, and addresses that two parties
    /// share.
    #[must_use]
    pub fn warnings(&self) -> Vec<Warning> {
        let mut found = warnings(&self.proposal);
        let mut known = BTreeMap::new();
        for (place, message) in &self.joins {
            let Some(join) = join_in(message) else {
                continue;
            };
            let name = &self.proposal.members[*place].name;
            for address in [&join.endpoint, &join.node] {
                let first = known.entry(address).or_insert(name);
                if *first != name {
                    found.push(Warning::SameAddress {
                        first: (*first).clone(),
                        second: name.clone(),
                        address: address.clone(),
                    });
                }
            }
        }
        found
    }

    /// All messages that count, in one order: the proposal, joins, approvals.
    pub fn messages(&self) -> impl Iterator<Item = &Message> {
        core::iter::once(&self.opening)
            .chain(self.joins.values())
            .chain(self.approvals.values())
    }

    /// The chain that everybody's keys make.
    ///
    /// # Errors
    /// If somebody has not joined or has said two things, or their keys make no chain.
    pub fn chain(&self) -> Result<Chain, CeremonyError> {
        if let Some(evidence) = self.evidence.values().next() {
            return Err(CeremonyError::TwoThings(evidence.member().to_owned()));
        }
        let parties = self.members().iter().enumerate().map(|(place, member)| {
            let join = self
                .join(place)
                .ok_or_else(|| ChainError::Missing(member.name.clone()))?;
            Ok(Party {
                member: member.clone(),
                join: join.clone(),
            })
        });
        let parties = parties.collect::<Result<_, ChainError>>()?;
        Ok(Chain::new(self.id(), &self.proposal, parties)?)
    }

    /// The chain, if everybody has approved it.
    ///
    /// # Errors
    /// If there is no chain, or somebody has not approved it.
    pub fn agreed(&self) -> Result<Chain, CeremonyError> {
        let chain = self.chain()?;
        let ours = Self::approval_of(&chain);
        // Who disagrees goes before who is late.
        for (place, message) in &self.approvals {
            if let Some(approval) = approval_in(message)
                && *approval != ours
            {
                return Err(CeremonyError::Disagrees {
                    member: self.proposal.members[*place].name.clone(),
                    theirs: approval.manifest,
                    ours: ours.manifest,
                });
            }
        }
        for (place, member) in self.members().iter().enumerate() {
            if !self.approvals.contains_key(&place) {
                return Err(CeremonyError::NotApproved(member.name.clone()));
            }
        }
        Ok(chain)
    }

    /// What a party says to approve a chain that it has computed.
    #[must_use]
    pub fn approval_of(chain: &Chain) -> Approval {
        Approval {
            manifest: chain.manifest_hash(),
            genesis: chain.genesis().hash().to_string(),
        }
    }

    fn member_of(&self, message: &Message) -> Result<usize, CeremonyError> {
        let mut members = self.proposal.members.iter();
        members
            .position(|member| member.identity == *message.sender())
            .ok_or_else(|| CeremonyError::Stranger {
                kind: message.body().kind(),
                sender: message.sender().to_string(),
            })
    }

    fn check_join(&self, member: &Member, join: &Join) -> Result<(), CeremonyError> {
        for address in [&join.endpoint, &join.node] {
            if !is_address(address) {
                return Err(CeremonyError::Address {
                    member: member.name.clone(),
                    address: address.clone(),
                });
            }
        }
        let brought = join.keys.iter().map(|key| key.usage);
        if !brought.eq(self.proposal.keys.iter().copied()) {
            return Err(CeremonyError::Keys(member.name.clone()));
        }
        for key in &join.keys {
            let digest = proof_digest(self.id(), &member.identity, key.usage, &key.key);
            if !is_proven(digest, &key.key, &key.proof) {
                return Err(CeremonyError::Unproven {
                    member: member.name.clone(),
                    usage: key.usage,
                });
            }
        }
        Ok(())
    }
}

/// Of two signatures on one message, or two proofs of one key, the lesser text stays, so that all
/// who have the same messages make the same certificate.
fn keep_least(known: &mut Message, other: Message) {
    if other.to_text() < known.to_text() {
        *known = other;
    }
}

/// What a member says when it joins, without the proofs, under one hash.
fn join_digest(ceremony: Digest, member: &Member, join: &Join) -> Digest {
    let mut said = format!("{}\n{}\n", join.endpoint, join.node);
    for key in &join.keys {
        said += &format!("{}={}\n", key.usage.as_str(), key.key);
    }
    Digest::tagged(
        "federation/ceremony/join/1",
        &[
            &ceremony.to_bytes(),
            &member.identity.serialize(),
            said.as_bytes(),
        ],
    )
}

const fn join_in(message: &Message) -> Option<&Join> {
    match message.body() {
        Body::Join(join) => Some(join),
        _ => None,
    }
}

const fn approval_in(message: &Message) -> Option<&Approval> {
    match message.body() {
        Body::Approval(approval) => Some(approval),
        _ => None,
    }
}

/// Whether it can stand in configurations as `host:port`.
fn is_address(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-.:[]_".contains(c);
    text.len() <= 255
        && text.chars().all(plain)
        && text.rsplit_once(':').is_some_and(|(host, port)| {
            !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port != 0)
        })
}
