//! Block signatures: the own one from the signer, others' from the messenger; and what became of
//! the signed block.

use federation_chain::{BlockHash, BlockHeight, UnixTime};
use federation_roster::OperatorId;

use crate::{
    Alarm, BlockSignature, CompactSignature, IdentitySignature, Machine, SubmitOutcome,
    state::Errand,
};

impl Machine {
    /// R18: a verified block signature of any operator.
    pub(crate) fn on_block_signature(
        &mut self,
        sender: OperatorId,
        signed: BlockSignature,
        signature: IdentitySignature,
    ) {
        let Some((ballots, _)) = self.collection(signed.height) else {
            return;
        };
        let evidence = ballots.add_signature(sender, signed, Some(signature));
        self.out.evidence(evidence); // R23
    }

    /// R17: the guard allowed it and the signer signed.
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
        if let Some(mut work) = self.work(now) {
            work.signed(BlockSignature {
                height,
                hash,
                signature,
            });
        }
    }

    /// R17, R20: asked again at the beat. A refusal that comes when the height is over says nothing of
    /// the height worked on; the driver counts it.
    pub(crate) fn on_sign_refused(&mut self, height: BlockHeight, hash: BlockHash, reason: String) {
        let Some(current) = self.current(height) else {
            return;
        };
        current.signing = Errand::Failed;
        self.out.alarm(Alarm::SignRefused {
            height,
            hash,
            reason,
        });
    }

    /// R17, R20: asked again at the beat, and no alarm.
    pub(crate) fn on_sign_unavailable(&mut self, height: BlockHeight) {
        if let Some(current) = self.current(height) {
            current.signing = Errand::Failed;
        }
    }

    /// R18: an accepted block becomes the tip, which comes as an input of its own.
    pub(crate) fn on_submitted(
        &mut self,
        height: BlockHeight,
        hash: BlockHash,
        outcome: SubmitOutcome,
    ) {
        let errand = match &outcome {
            SubmitOutcome::Accepted => Errand::Done,
            SubmitOutcome::Unavailable | SubmitOutcome::Rejected(_) => Errand::Failed,
        };
        let Some(current) = self.current(height) else {
            return;
        };
        current.submitting = errand;
        if let SubmitOutcome::Rejected(reason) = outcome {
            // The copy may be bad and the block good: look for another copy.
            current.ballots.bodies.refuse(hash, &reason);
            self.out.alarm(Alarm::SubmitRejected {
                height,
                hash,
                reason,
            });
        }
    }
}
