//! One party's view of a ceremony: the messages that it has received, in any order.

use std::collections::{BTreeMap, btree_map::Entry};

use secp256k1::XOnlyPublicKey;

use crate::{
    Approval, Body, Chain, ChainError, Digest, Evidence, EvidenceError, Join, KeyUse, Member,
    Message, Party, Proposal, Warning, check_proposal, message::is_proven, proof_digest, warnings,
    words,
};

/// The error for a message that does not belong in a ceremony, or a ceremony that is not complete.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CeremonyError {
    /// The first message is not a proposal.
    #[error("a ceremony starts with a proposal, not with a message of kind `{0}`")]
    NoProposal(&'static str),
    /// The message is of another ceremony.
    #[error(
        "the {kind} is for ceremony {other}, but this one is {this}: make one for this ceremony"
    )]
    OtherCeremony {
        /// The kind of message.
        kind: &'static str,
        /// Its ceremony.
        other: Digest,
        /// This ceremony.
        this: Digest,
    },
    /// The sender is not a member.
    #[error("the {kind} is by {sender}, who is not a member")]
    Stranger {
        /// The kind of message.
        kind: &'static str,
        /// The key that signed it.
        sender: XOnlyPublicKey,
    },
    /// The keys are not those that the proposal requires.
    #[error("`{0}` must bring exactly the keys that the proposal requires, in the same order")]
    Keys(String),
    /// A proof of possession is missing or invalid.
    #[error("`{member}` has not proven possession of its {} key for this ceremony", usage.as_str())]
    Unproven {
        /// The member.
        member: String,
        /// The use of the key.
        usage: KeyUse,
    },
    /// An address is malformed.
    #[error("`{member}` gives the malformed address `{address}`: expected host:port")]
    Address {
        /// The member.
        member: String,
        /// The address.
        address: String,
    },
    /// The member has signed two conflicting messages.
    #[error(
        "`{0}` has signed two different messages of one kind: start a new ceremony without it, and send the evidence to the others"
    )]
    Equivocation(String),
    /// The member approves a different chain.
    #[error(
        "`{member}` approves the manifest {theirs}, but here it is {ours}: compare what you both have, then start a new ceremony"
    )]
    Disagrees {
        /// The member.
        member: String,
        /// The manifest that it approves.
        theirs: Digest,
        /// The manifest computed here.
        ours: Digest,
    },
    /// The member has not approved yet.
    #[error("`{0}` has not approved")]
    NotApproved(String),
    /// The messages do not result in a chain.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// Two messages do not contradict each other.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
}

/// The outcome of adding a message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Added {
    /// The message is new.
    New,
    /// The message was known already.
    Known,
    /// The message contradicts an earlier one by the same sender.
    Equivocation(Box<Evidence>),
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
    /// Opens the ceremony of a proposal.
    ///
    /// # Errors
    /// If the message is not a proposal, its sender is not a member, or no chain could result from it.
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
        ceremony.index_of_sender(&opening)?;
        Ok(ceremony)
    }

    /// Adds a message. Messages may come in any order and more than once.
    ///
    /// # Errors
    /// If it does not belong in this ceremony. Nothing changes then.
    pub fn add(&mut self, message: Message) -> Result<Added, CeremonyError> {
        if message.ceremony() != self.id() {
            return Err(CeremonyError::OtherCeremony {
                kind: message.body().kind(),
                other: message.ceremony(),
                this: self.id(),
            });
        }
        let index = self.index_of_sender(&message)?;
        let member = &self.proposal.members[index];
        let of_its_kind = match message.body() {
            Body::Proposal(_) => {
                // The id covers the proposal, so this is the same one, whichever member sends it.
                keep_least(&mut self.opening, message);
                return Ok(Added::Known);
            }
            Body::Join(join) => {
                self.check_join(member, join)?;
                &mut self.joins
            }
            Body::Approval(_) => &mut self.approvals,
        };
        let known = match of_its_kind.entry(index) {
            Entry::Vacant(vacant) => {
                vacant.insert(message);
                return Ok(Added::New);
            }
            Entry::Occupied(known) => known.into_mut(),
        };
        if known.body().has_same_content(message.body()) {
            keep_least(known, message);
            return Ok(Added::Known);
        }
        let evidence = Evidence::new(self.opening.clone(), [known.clone(), message])?;
        self.evidence.insert(index, evidence.clone());
        Ok(Added::Equivocation(Box::new(evidence)))
    }

    /// The ceremony's id.
    #[must_use]
    pub const fn id(&self) -> Digest {
        self.opening.ceremony()
    }

    /// The proposal.
    #[must_use]
    pub const fn proposal(&self) -> &Proposal {
        &self.proposal
    }

    /// The members, in the order of the roster.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.proposal.members
    }

    /// Whether the member at this index has joined.
    #[must_use]
    pub fn has_joined(&self, index: usize) -> bool {
        self.joins.contains_key(&index)
    }

    /// The approval of the member at this index.
    #[must_use]
    pub fn approval(&self, index: usize) -> Option<&Approval> {
        self.approvals.get(&index).and_then(approval_in)
    }

    /// The keys and addresses of the member at this index.
    #[must_use]
    pub fn join(&self, index: usize) -> Option<&Join> {
        self.joins.get(&index).and_then(join_in)
    }

    /// The message with which the member at this index joined.
    #[must_use]
    pub fn join_message(&self, index: usize) -> Option<&Message> {
        self.joins.get(&index)
    }

    /// The message with which the member at this index approved.
    #[must_use]
    pub fn approval_message(&self, index: usize) -> Option<&Message> {
        self.approvals.get(&index)
    }

    /// Twelve words to compare by voice before anybody joins: a fingerprint of the proposal.
    #[must_use]
    pub fn proposal_words(&self) -> String {
        words::of(self.id())
    }

    /// Twelve words to compare by voice if the [chain's](Chain::words) differ: a fingerprint of the
    /// content of one member's join; none if it has not joined.
    #[must_use]
    pub fn join_words(&self, index: usize) -> Option<String> {
        let join = self.join(index)?;
        let digest = join_digest(self.id(), &self.proposal.members[index], join);
        Some(words::of(digest))
    }

    /// The evidence against members that have signed conflicting messages.
    pub fn evidence(&self) -> impl Iterator<Item = &Evidence> {
        self.evidence.values()
    }

    /// The warnings to read before approving: about the proposal, and about addresses that two parties
    /// share.
    #[must_use]
    pub fn warnings(&self) -> Vec<Warning> {
        let mut found = warnings(&self.proposal);
        let mut known = BTreeMap::new();
        for (index, message) in &self.joins {
            let Some(join) = join_in(message) else {
                continue;
            };
            let name = &self.proposal.members[*index].name;
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

    /// All messages that count, in a fixed order: the proposal, joins, approvals.
    pub fn messages(&self) -> impl Iterator<Item = &Message> {
        core::iter::once(&self.opening)
            .chain(self.joins.values())
            .chain(self.approvals.values())
    }

    /// Computes the chain from the keys of all members.
    ///
    /// # Errors
    /// If a member has not joined or has signed conflicting messages, or no chain results.
    pub fn chain(&self) -> Result<Chain, CeremonyError> {
        if let Some(evidence) = self.evidence.values().next() {
            return Err(CeremonyError::Equivocation(evidence.member().to_owned()));
        }
        let parties = self.members().iter().enumerate().map(|(index, member)| {
            let join = self
                .join(index)
                .ok_or_else(|| ChainError::Missing(member.name.clone()))?;
            Ok(Party {
                member: member.clone(),
                join: join.clone(),
            })
        });
        let parties = parties.collect::<Result<_, ChainError>>()?;
        Ok(Chain::new(self.id(), &self.proposal, parties)?)
    }

    /// Computes the chain, if all members have approved it.
    ///
    /// # Errors
    /// If there is no chain, or a member has not approved it.
    pub fn agreed(&self) -> Result<Chain, CeremonyError> {
        let chain = self.chain()?;
        let ours = Self::approval_of(&chain);
        // Disagreement is reported before missing approvals.
        for (index, message) in &self.approvals {
            if let Some(approval) = approval_in(message)
                && *approval != ours
            {
                return Err(CeremonyError::Disagrees {
                    member: self.proposal.members[*index].name.clone(),
                    theirs: approval.manifest,
                    ours: ours.manifest,
                });
            }
        }
        for (index, member) in self.members().iter().enumerate() {
            if !self.approvals.contains_key(&index) {
                return Err(CeremonyError::NotApproved(member.name.clone()));
            }
        }
        Ok(chain)
    }

    /// Returns the approval of a chain that a party has computed.
    #[must_use]
    pub fn approval_of(chain: &Chain) -> Approval {
        Approval {
            manifest: chain.manifest_hash(),
            genesis: chain.genesis().hash().to_string(),
        }
    }

    fn index_of_sender(&self, message: &Message) -> Result<usize, CeremonyError> {
        let mut members = self.proposal.members.iter();
        members
            .position(|member| member.identity == *message.sender())
            .ok_or_else(|| CeremonyError::Stranger {
                kind: message.body().kind(),
                sender: *message.sender(),
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

/// Keeps the lesser text of two with the same content but different signatures or proofs, so that all
/// who have the same messages make the same certificate.
fn keep_least(known: &mut Message, other: Message) {
    if other.to_text() < known.to_text() {
        *known = other;
    }
}

/// The hash of the content of a member's join, without the proofs.
fn join_digest(ceremony: Digest, member: &Member, join: &Join) -> Digest {
    let mut content = format!("{}\n{}\n", join.endpoint, join.node);
    for key in &join.keys {
        content += &format!("{}={}\n", key.usage.as_str(), key.key);
    }
    Digest::tagged(
        "federation/ceremony/join/1",
        &[
            &ceremony.to_bytes(),
            &member.identity.serialize(),
            content.as_bytes(),
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

/// Whether the text is usable as `host:port` in configurations.
fn is_address(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-.:[]_".contains(c);
    text.len() <= 255
        && text.chars().all(plain)
        && text.rsplit_once(':').is_some_and(|(host, port)| {
            !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port != 0)
        })
}
