//! Block signatures, this operator's from its signer and others' from the network, and the outcome
//! of submitting the signed block.

use federation_chain::{BlockHash, BlockHeight, UnixTime};
use federation_roster::OperatorId;

use crate::{
    Alarm, BlockSignature, CompactSignature, IdentitySignature, Machine, SubmitOutcome,
    state::RequestState,
};

impl Machine {
    /// R18: a verified block signature of any operator.
    pub(crate) fn on_block_signature(
        &mut self,
        sender: OperatorId,
        signed: BlockSignature,
        signature: IdentitySignature,
    ) {
        let Some((keeper, _)) = self.keeper_for(signed.height) else {
            return;
        };
        let evidence = keeper.add_signature(sender, signed, Some(signature));
        self.out.evidence(evidence); // R23
    }

    /// R17: the guard allowed the signature and the signer made it.
    pub(crate) fn on_signed(
        &mut self,
        now: UnixTime,
        height: BlockHeight,
        hash: BlockHash,
        signature: CompactSignature,
    ) {
        if self.current(height).is_none() {
            return;
        }
        if let Some(mut rules) = self.rules(now) {
            rules.signed(BlockSignature {
                height,
                hash,
                signature,
            });
        }
    }

    /// R17, R20: the signer is asked again at the next retransmission. A refusal that arrives after
    /// the height is over does not concern the current one; the driver counts it.
    pub(crate) fn on_sign_refused(&mut self, height: BlockHeight, hash: BlockHash, reason: String) {
        let Some(current) = self.current(height) else {
            return;
        };
        current.signing = RequestState::Failed;
        self.out.alarm(Alarm::SignRefused {
            height,
            hash,
            reason,
        });
    }

    /// R17, R20: the signer is asked again at the next retransmission, without an alarm.
    pub(crate) fn on_sign_unavailable(&mut self, height: BlockHeight) {
        if let Some(current) = self.current(height) {
            current.signing = RequestState::Failed;
        }
    }

    /// R18: an accepted block becomes the tip, which arrives as a separate input.
    pub(crate) fn on_submitted(
        &mut self,
        height: BlockHeight,
        hash: BlockHash,
        outcome: SubmitOutcome,
    ) {
        let request_state = match &outcome {
            SubmitOutcome::Accepted => RequestState::Done,
            SubmitOutcome::Unavailable | SubmitOutcome::Rejected(_) => RequestState::Failed,
        };
        let Some(current) = self.current(height) else {
            return;
        };
        current.submitting = request_state;
        if let SubmitOutcome::Rejected(reason) = outcome {
            // This copy may be bad while the block is good: another copy is sought.
            current.keeper.bodies.refuse(hash, &reason);
            self.out.alarm(Alarm::SubmitRejected {
                height,
                hash,
                reason,
            });
        }
    }
}
