//! Turns led by another operator: its proposal is checked, tested and signed.

use bytes::Bytes;
use federation_chain::{Block, BlockHash, BlockHeight, UnixTime};
use secp256k1::ecdsa::Signature;

use super::{Machine, Proposal, Proposals, State};
use crate::{Duty, Event, Message, Output, RawReissuance, Turn, TxSignatures, Verdict};

impl Machine {
    /// Handles a received proposal: keeps it until it can be checked.
    pub(super) fn proposal(
        &mut self,
        now: UnixTime,
        from: Option<usize>,
        height: BlockHeight,
        block: Bytes,
        reissuances: Vec<RawReissuance>,
    ) {
        let drop = |reason| Event::Dropped { from, reason };
        let in_time = self.active.as_ref().is_some_and(|active| {
            now < active.proposals_until()
                && matches!(
                    active.state,
                    State::Asking | State::Waiting | State::Testing(_)
                )
        });
        let early = self
            .next
            .is_some_and(|next| now >= Proposals::opens(next.start(), self.pace));
        if !in_time && !early {
            self.report(drop("proposal outside its time"));
            return;
        }
        let rules = &self.config.rules;
        let decoded = Block::decode(rules.dialect(), block)
            .ok()
            .filter(|block| block.height() == height)
            .filter(|block| rules.check_challenge(block.header()).is_ok())
            // Nodes of a dynafed chain accept votes for other signers.
            .filter(|block| rules.check_proposed(block.header()).is_ok());
        let Some(block) = decoded else {
            self.report(drop("proposal is not a block of this chain and height"));
            return;
        };
        let proposal = Proposal {
            block: block.without_signatures(),
            reissuances,
        };
        if let Err(reason) = self.proposals.push(now, from, proposal) {
            self.report(drop(reason));
            return;
        }
        self.check_proposals(now);
    }

    /// Tests the first suitable proposal, if we are waiting for one.
    pub(super) fn check_proposals(&mut self, now: UnixTime) {
        loop {
            let Some(active) = &mut self.active else {
                return;
            };
            let (State::Waiting, Some(view)) = (&active.state, active.view) else {
                return;
            };
            if now >= active.proposals_until() {
                return;
            }
            let Some((from, proposal)) = self.proposals.pop() else {
                return;
            };
            let block = &proposal.block;
            let leader = active.turn.leader();
            let reason = if from.is_some_and(|from| from != leader) {
                "proposal of an operator out of turn"
            } else if block.height() != view.height.next() {
                "proposal of another height"
            } else if block.header().previous() != view.tip {
                "proposal not on our node's best block"
            } else {
                let turn = active.turn;
                let block = block.clone();
                active.state = State::Testing(proposal);
                self.outputs.push_back(Output::TestBlock { turn, block });
                return;
            };
            self.report(Event::Dropped { from, reason });
        }
    }

    pub(super) fn tested(&mut self, now: UnixTime, turn: Turn, hash: BlockHash, verdict: Verdict) {
        let Some(active) = self.active.as_mut().filter(|active| active.turn == turn) else {
            let duty = Duty::Test;
            self.report(Event::TooLate { hash, duty });
            return;
        };
        let proposal = match core::mem::replace(&mut active.state, State::Done) {
            State::Testing(proposal) if proposal.block.block_hash() == hash => proposal,
            other => {
                active.state = other;
                return;
            }
        };
        let height = proposal.block.height();
        let refused = |reason| Event::Refused {
            height,
            hash,
            reason,
        };
        match verdict {
            Verdict::Complete => {}
            Verdict::Invalid(reason) => {
                active.state = State::Waiting;
                self.report(refused(reason));
                self.check_proposals(now);
            }
            Verdict::Valid if now >= active.signatures_until() => {
                // The leader has counted already: a signature now would only be there for anyone to use.
                self.report(Event::TooLate {
                    hash,
                    duty: Duty::Test,
                });
            }
            Verdict::Valid => {
                active.state = State::Signing(proposal.clone());
                let Proposal { block, reissuances } = proposal;
                self.outputs.push_back(Output::SignBlock {
                    turn,
                    block,
                    reissuances,
                });
            }
        }
    }

    pub(super) fn signed_other(
        &mut self,
        now: UnixTime,
        block: &Block,
        signatures: Result<Vec<Signature>, String>,
        reissuances: Option<Vec<String>>,
    ) {
        let (height, hash) = (block.height(), block.block_hash());
        let late = self
            .active
            .as_ref()
            .is_none_or(|active| now >= active.signatures_until());
        let checked = signatures.and_then(|signatures| {
            let valid: Vec<_> = Self::valid(&self.config.rules, hash, signatures)
                .map(|(_, signature)| signature)
                .collect();
            if valid.is_empty() {
                Err("the signer has none of the chain's keys".to_owned())
            } else {
                Ok(valid)
            }
        });
        match checked {
            Ok(_) if late => self.report(Event::TooLate {
                hash,
                duty: Duty::Sign,
            }),
            Ok(signatures) => {
                let id = self.config.me;
                let message = Message::Signatures {
                    height,
                    signatures,
                    reissuances: reissuances.map(|signatures| TxSignatures { id, signatures }),
                };
                self.outputs.push_back(Output::Publish(message));
                self.report(Event::Signed { height, hash });
            }
            Err(reason) => self.report(Event::Refused {
                height,
                hash,
                reason,
            }),
        }
    }
}
