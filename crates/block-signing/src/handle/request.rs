//! Calls for help: a body that somebody lacks, a height that somebody missed the end of.

use federation_chain::UnixTime;
use federation_roster::OperatorId;

use crate::{Body, BodyRequest, Candidate, Machine, Message, SignedMessage};

fn body(candidate: &Candidate) -> Message {
    Message::Body(Body {
        height: candidate.height,
        hash: candidate.hash,
        bytes: candidate.bytes.clone(),
    })
}

impl Machine {
    /// R22: who is asked answers, to all, and not more than twice a beat for one block.
    pub(crate) fn on_request(&mut self, now: UnixTime, sender: OperatorId, request: BodyRequest) {
        let me = self.config.me();
        if request.asked != me || sender == me {
            return;
        }
        let pause = self.config.beat() / 2;
        let Some(current) = self.current(request.height) else {
            return;
        };
        let Some(message) = current.ballots.bodies.usable(request.hash).map(body) else {
            return;
        };
        let recent = current.answered.get(&request.hash);
        if recent.is_some_and(|at| now < at.after(pause)) {
            return;
        }
        current.answered.retain(|_, at| now < at.after(pause));
        current.answered.insert(request.hash, now);
        self.out.send(message);
    }

    /// R21: whoever still speaks of the last height has missed its end: send it what settles it,
    /// once a beat.
    pub(crate) fn help(&mut self, now: UnixTime, signed: &SignedMessage) {
        let (me, beat) = (self.config.me(), self.config.beat());
        let Some(finished) = &mut self.finished else {
            return;
        };
        if signed.sender == me || finished.decision.height != signed.message.height() {
            return;
        }
        if let Message::BodyRequest(request) = &signed.message {
            let recent = finished.answered.is_some_and(|at| now < at.after(beat / 2));
            let held = finished.candidate.as_ref();
            if let Some(candidate) = held.filter(|c| c.hash == request.hash)
                && request.asked == me
                && !recent
            {
                finished.answered = Some(now);
                self.out.send(body(candidate));
            }
        }
        if now < finished.helped.after(beat) {
            return;
        }
        finished.helped = now;
        self.out
            .send(Message::Certificate(finished.decision.clone()));
        if let Some(signature) = finished.signature {
            self.out.send(Message::BlockSignature(signature));
        }
    }
}
