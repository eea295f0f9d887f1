//! Deciding, signing and submitting, in this order (rules R16 to R18).

use crate::{
    Alarm, BlockSignature, Event, Message, Output, Record, RoundOutcome,
    bodies::Validity,
    state::{RequestState, Step},
};

use super::Rules;

impl Rules<'_> {
    /// R16: M precommits in one round.
    pub(super) fn decide(&mut self) -> bool {
        let Some(decision) = self.height.keeper.decision.clone() else {
            return false;
        };
        let number = self.height.number();
        let (round, hash) = (decision.round, decision.hash);
        if self.height.timestamps.round.is_some() {
            self.report_round(RoundOutcome::Decided(hash));
        }
        if !self.height.stored_decision && !self.observing {
            self.out.persist(Record::Decision(decision));
        }
        self.height.stored_decision = true;
        self.height.step = Step::Decided;
        self.height.timestamps.decided = Some(self.now);
        self.height
            .retransmit_at
            .get_or_insert(self.now.saturating_add(self.config.retransmit_interval()));
        self.out.event(Event::Decided {
            height: number,
            round,
            hash,
        });
        if let Some(Validity::Invalid(_)) = self.keeper().bodies.validity(hash) {
            self.out.alarm(Alarm::DecidedAgainstVerdict {
                height: number,
                hash,
            });
        }
        self.trim_bodies();
        true
    }

    /// R17: a decided block that is held is signed, once.
    pub(super) fn sign(&mut self) -> bool {
        let Some(decision) = &self.height.keeper.decision else {
            return false;
        };
        let hash = decision.hash;
        let signed = self.height.own.signature.is_some();
        if self.observing || signed || self.height.signing != RequestState::Idle {
            return false;
        }
        let Some(candidate) = self.keeper().bodies.any(hash).cloned() else {
            return false;
        };
        self.store_body(hash);
        debug_assert!(
            self.height.step == Step::Decided
                && self.height.stored_decision
                && self.height.stored_bodies.contains(&hash),
            "R17, R25: a signature of a block that is not decided and on record"
        );
        self.height.signing = RequestState::Pending;
        self.out.push(Output::SignBlock { candidate });
        true
    }

    #[cfg(test)]
    pub(super) fn sign_too_early(&mut self, value: Option<federation_chain::BlockHash>) {
        if self.config.mutation == Some(crate::mutation::Mutation::SignAtPrecommit)
            && let Some(candidate) = value
                .and_then(|hash| self.keeper().bodies.any(hash))
                .cloned()
        {
            self.out.push(Output::SignBlock { candidate });
        }
    }

    /// R17: the signature is recorded, then sent.
    pub(crate) fn signed(&mut self, signature: BlockSignature) {
        if self.height.own.signature.is_none() {
            self.height.own.signature = Some(signature);
            self.height.timestamps.signed = Some(self.now);
            self.out.persist(Record::Signature(signature));
            self.out.send(Message::BlockSignature(signature));
        }
        self.height.signing = RequestState::Done;
    }

    /// R18: an operator that holds a block and M signatures submits it, even if it missed the
    /// decision.
    pub(super) fn submit(&mut self) -> bool {
        if self.height.submitting != RequestState::Idle {
            return false;
        }
        let Some(hash) = self.keeper().settled(self.quorum()) else {
            return false;
        };
        let Some(candidate) = self.keeper().bodies.any(hash).cloned() else {
            return false;
        };
        let signatures = self.keeper().compact_signatures(hash);
        if signatures.len() < self.quorum() {
            return false;
        }
        self.height.submitting = RequestState::Pending;
        self.height.timestamps.submitted.get_or_insert(self.now);
        self.height
            .retransmit_at
            .get_or_insert(self.now.saturating_add(self.config.retransmit_interval()));
        self.out.push(Output::Submit {
            candidate,
            signatures,
        });
        true
    }
}
