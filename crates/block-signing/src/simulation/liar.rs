//! Messages of lying operators besides those of their twins: anything that their own key can sign,
//! to any operator, at any time. They cannot forge other operators' signatures.

use std::{collections::BTreeMap, rc::Rc};

use federation_chain::{BlockHash, BlockHeight};
use federation_roster::{OperatorId, Round};

use crate::{
    BlockSignature, Body, Certificate, CompactSignature, IdentitySignature, Message, Proposal,
    RoundCertificate, Vote, VoteKind,
};

use super::{
    chain,
    coverage::CoveragePoint,
    network::Frame,
    requests::REQUESTS_PER_LIE,
    world::{World, signed},
};

impl World {
    /// Sends one lie of one liar to a random part of the federation.
    pub(crate) fn lie(&mut self) {
        let liars: Vec<usize> = (0..self.slots.len())
            .filter(|slot| !self.slots[*slot].honest && !self.is_duplicate(*slot))
            .collect();
        if liars.is_empty() {
            return;
        }
        let slot = liars[self.rng.index(liars.len())];
        let id = self.slots[slot].id;
        let Some((height, round)) = self.target_of_lie() else {
            return;
        };
        let (kind, message) = match self.rng.below(11) {
            0 | 1 => (CoveragePoint::LyingVote, self.lying_vote(height, round)),
            2 => (
                CoveragePoint::VoteFarAhead,
                self.vote_far_ahead(slot, height),
            ),
            3 | 4 => (
                CoveragePoint::LyingProposal,
                self.lying_proposal(slot, height, round),
            ),
            5 if self.scenario.nil_voters => return,
            5 => (
                CoveragePoint::LyingSignature,
                self.lying_signature(id, height),
            ),
            6 => (CoveragePoint::SpoiledBody, self.spoiled_body()),
            7 | 8 => (
                CoveragePoint::AssembledRoundCertificate,
                self.assembled_round_certificate(),
            ),
            9 => (
                CoveragePoint::RepeatedRequest,
                self.repeated_request(height),
            ),
            _ => (
                CoveragePoint::AssembledCertificate,
                self.assembled_certificate(),
            ),
        };
        if let Some(message) = message {
            self.cover(kind);
            let frame = Rc::new(Frame::new(signed(id, message)));
            let part = self.rng.between(200, 1000);
            let greedy = matches!(frame.signed.message, Message::BodyRequest(_));
            for _ in 0..if greedy { REQUESTS_PER_LIE } else { 1 } {
                self.broadcast(slot, &frame, part);
            }
        }
    }

    /// Returns a height and round close to those of a random machine.
    fn target_of_lie(&mut self) -> Option<(BlockHeight, Round)> {
        let slot = self.rng.index(self.slots.len());
        let status = self.slots[slot].machine.as_ref()?.status();
        let ahead = u32::try_from(self.rng.below(4)).unwrap_or(0);
        let round = status.round.to_u32().saturating_sub(1) + ahead;
        Some((status.height, Round::new(round)))
    }

    /// Makes a vote for nil any number of rounds ahead of the others, often in a round that the
    /// liar leads, where all would have to wait for its proposal.
    fn vote_far_ahead(&mut self, slot: usize, height: BlockHeight) -> Option<Message> {
        let id = self.slots[slot].id;
        let config = &self.slots[slot].config;
        let machines = self.slots.iter().filter_map(|slot| slot.machine.as_ref());
        let status = machines.map(|machine| machine.status());
        let rounds = status.filter(|status| status.height == height);
        let highest = rounds.map(|status| status.round.to_u32()).max()?;
        let mut ahead = (highest + 1..).map(Round::new);
        let led = ahead.find(|round| config.leader(height, *round) == id)?;
        let round = if self.rng.chance(500) {
            led
        } else {
            let most = 10_u64.pow(u32::try_from(self.rng.between(1, 9)).unwrap_or(1));
            let ahead = u32::try_from(self.rng.between(1, most)).unwrap_or(1);
            Round::new(highest.saturating_add(ahead))
        };
        Some(Message::Vote(Vote {
            kind: [VoteKind::Prevote, VoteKind::Precommit][self.rng.index(2)],
            height,
            round,
            value: None,
        }))
    }

    fn some_hash(&mut self, height: BlockHeight) -> Option<BlockHash> {
        let known: Vec<BlockHash> = self
            .blocks
            .iter()
            .filter(|block| block.height == height)
            .map(|block| block.hash)
            .collect();
        known.get(self.rng.index(known.len())).copied()
    }

    fn lying_vote(&mut self, height: BlockHeight, round: Round) -> Option<Message> {
        let kind = if self.rng.chance(500) {
            VoteKind::Prevote
        } else {
            VoteKind::Precommit
        };
        let value = if self.scenario.nil_voters || self.rng.chance(200) {
            None
        } else {
            self.some_hash(height)
        };
        Some(Message::Vote(Vote {
            kind,
            height,
            round,
            value,
        }))
    }

    /// Makes a proposal for a round that it leads, of an old block or of a new one that it
    /// broadcasts.
    fn lying_proposal(&mut self, slot: usize, height: BlockHeight, near: Round) -> Option<Message> {
        let id = self.slots[slot].id;
        let config = &self.slots[slot].config;
        let rounds = near.to_u32()..near.to_u32() + 8;
        let round = rounds
            .map(Round::new)
            .find(|round| config.leader(height, *round) == id)?;
        let hash = if self.rng.chance(500) {
            self.some_hash(height)?
        } else {
            let tip = self.slots[slot].node.tip();
            let secs = tip.median_time.as_secs() + 1;
            let block = chain::block(
                height,
                tip.hash,
                secs.max(tip.time.as_secs()),
                self.rng.next(),
                0,
            );
            self.remember_block(&block);
            if self.rng.chance(600) {
                let body = Message::Body(Body {
                    height,
                    hash: block.hash,
                    bytes: block.bytes.clone(),
                });
                let frame = Rc::new(Frame::new(signed(id, body)));
                self.broadcast(slot, &frame, 700);
            } else {
                self.cover(CoveragePoint::WithheldBody);
            }
            block.hash
        };
        let valid_round = self
            .rng
            .chance(300)
            .then(|| Round::new(round.to_u32().saturating_sub(1)));
        Some(Message::Proposal(Proposal {
            height,
            round,
            hash,
            valid_round,
        }))
    }

    fn lying_signature(&mut self, id: OperatorId, height: BlockHeight) -> Option<Message> {
        Some(Message::BlockSignature(BlockSignature {
            height,
            hash: self.some_hash(height)?,
            signature: CompactSignature::from_bytes([id.to_u8(); 64]),
        }))
    }

    fn spoiled_body(&mut self) -> Option<Message> {
        let index = self.rng.index(self.blocks.len());
        let block = chain::spoil(self.blocks.get(index)?);
        Some(Message::Body(Body {
            height: block.height,
            hash: block.hash,
            bytes: block.bytes,
        }))
    }

    /// Assembles a certificate from real votes that were sent to anyone, its own lies among them,
    /// with or without a quorum.
    fn assembled_certificate(&mut self) -> Option<Message> {
        let index = self.rng.index(self.recent.len());
        let Message::Vote(vote) = self.recent.get(index)?.signed.message else {
            return None;
        };
        let hash = vote.value?;
        let mut votes: BTreeMap<OperatorId, IdentitySignature> = BTreeMap::new();
        for frame in &self.recent {
            if frame.signed.message == Message::Vote(vote) {
                votes.insert(frame.signed.sender, frame.signed.signature);
            }
        }
        let liars = self.slots.iter().filter(|slot| !slot.honest);
        for slot in liars.filter(|_| !self.scenario.nil_voters) {
            let own = signed(slot.id, Message::Vote(vote));
            votes.insert(slot.id, own.signature);
        }
        Some(Message::Certificate(Certificate {
            kind: vote.kind,
            height: vote.height,
            round: vote.round,
            hash,
            votes,
        }))
    }

    /// Assembles a round certificate from the precommits of a round, whatever they are for:
    /// accepting one too early ends a round in which others would still have decided.
    fn assembled_round_certificate(&mut self) -> Option<Message> {
        let index = self.rng.index(self.recent.len());
        let Message::Vote(some) = self.recent.get(index)?.signed.message else {
            return None;
        };
        let mut votes = BTreeMap::new();
        for frame in &self.recent {
            if let Message::Vote(vote) = frame.signed.message
                && (vote.kind, vote.height, vote.round)
                    == (VoteKind::Precommit, some.height, some.round)
            {
                votes.insert(frame.signed.sender, (vote.value, frame.signed.signature));
            }
        }
        for slot in self.slots.iter().filter(|slot| !slot.honest) {
            let nil = Vote {
                kind: VoteKind::Precommit,
                value: None,
                ..some
            };
            let own = signed(slot.id, Message::Vote(nil));
            votes.insert(slot.id, (None, own.signature));
        }
        Some(Message::RoundCertificate(RoundCertificate {
            height: some.height,
            round: some.round,
            votes,
        }))
    }
}
