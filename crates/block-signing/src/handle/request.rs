//! Calls for help: a body that somebody lacks, a height that somebody missed the end of.

use federation_chain::UnixTime;
use federation_roster::OperatorId;

use crate::{
    BlockSignature, Body, BodyRequest, Candidate, Machine, Message, SignatureSet, SignedMessage,
    answers::Pauses,
};

fn body(candidate: &Candidate) -> Message {
    Message::Body(Body {
        height: candidate.height,
        hash: candidate.hash,
        bytes: candidate.bytes.clone(),
    })
}

impl Machine {
    /// R22: who is asked answers, to who asks, and counts the answers.
    pub(crate) fn on_request(&mut self, now: UnixTime, sender: OperatorId, request: BodyRequest) {
        let me = self.config.me();
        if request.asked != me || sender == me {
            return;
        }
        let Some(current) = self.current(request.height) else {
            return;
        };
        let Some(candidate) = current.ballots.bodies.usable(request.hash).cloned() else {
            return;
        };
        let pauses = self.pauses(candidate.bytes.len());
        let answers = self.current(request.height).map(|h| &mut h.answers);
        let given = answers.is_some_and(|answers| answers.give(sender, request.hash, now, pauses));
        #[cfg(test)]
        let given = given || self.config.mutation == Some(crate::mutation::Mutation::AnswerAlways);
        if given {
            self.out.send_to(sender, body(&candidate));
        }
    }

    /// R22: how long a block of this size may be under way. What was sent to all is taken to be,
    /// until something is known of the links, for as long as a round may last at most.
    fn pauses(&self, bytes: usize) -> Pauses {
        let timeouts = self.config.timeouts();
        let limit = timeouts.limit.max(timeouts.propose);
        let usual = self
            .pace
            .usual_for(bytes)
            .map(|time| time.saturating_mul(2));
        Pauses {
            broadcast: usual.unwrap_or(limit).clamp(timeouts.propose / 4, limit),
            answer: usual.unwrap_or_default().clamp(timeouts.propose, limit),
            more: Some(limit),
        }
    }

    /// R21: whoever still speaks of the last height has missed its end: send it what settles it,
    /// once a beat.
    pub(crate) fn help(&mut self, now: UnixTime, signed: &SignedMessage) {
        let (me, beat) = (self.config.me(), self.config.beat());
        let Some(finished) = &self.finished else {
            return;
        };
        let (sender, height) = (signed.sender, finished.decision.height);
        if sender == me || height != signed.message.height() {
            return;
        }
        if let Message::SignatureSet(_) = &signed.message
            && let Some(finished) = &mut self.finished
        {
            // It has all that it takes, and helps.
            finished.helpers.insert(sender);
            return;
        }
        if let Message::BodyRequest(request) = &signed.message
            && request.asked == me
        {
            self.answer_late(now, sender, request);
        }
        let Some(finished) = &mut self.finished else {
            return;
        };
        if finished.helpers.contains(&sender) || now < finished.helped.after(beat) {
            return;
        }
        finished.helped = now;
        let hash = finished.decision.hash;
        let all = !finished.signatures.is_empty();
        #[cfg(test)]
        let all = all && self.config.mutation != Some(crate::mutation::Mutation::HelpAlone);
        // First, so that other helpers do not take the rest for a call.
        if all {
            self.out.send(Message::SignatureSet(SignatureSet {
                height,
                hash,
                signatures: finished.signatures.clone(),
            }));
        }
        let decision = Message::Certificate(finished.decision.clone());
        self.out.send(decision);
        if let Some(signature) = finished.signature {
            self.out.send(Message::BlockSignature(signature));
        }
    }

    /// R22 for the block of the last height: nobody waits for it any more but who asks, so there
    /// are no further answers.
    fn answer_late(&mut self, now: UnixTime, sender: OperatorId, request: &BodyRequest) {
        let wanted = self.finished.as_ref().and_then(|f| f.candidate.clone());
        let Some(candidate) = wanted.filter(|c| c.hash == request.hash) else {
            return;
        };
        let pauses = Pauses {
            more: None,
            ..self.pauses(candidate.bytes.len())
        };
        let answers = self.finished.as_mut().map(|f| &mut f.answers);
        let given = answers.is_some_and(|answers| answers.give(sender, request.hash, now, pauses));
        #[cfg(test)]
        let given = given || self.config.mutation == Some(crate::mutation::Mutation::AnswerAlways);
        if given {
            self.out.send_to(sender, body(&candidate));
        }
    }

    /// R18, R21: block signatures that somebody passes on; the driver has verified each. They stand
    /// without the envelopes of who made them, so they are counted and no evidence.
    pub(crate) fn on_signatures(&mut self, mut set: SignatureSet) {
        let (me, size) = (self.config.me(), self.config.size());
        if self.observing() {
            // R29: what was signed before the memory was lost does not count.
            set.signatures.remove(&me);
        }
        let (height, hash) = (set.height, set.hash);
        if set.signatures.contains_key(&me)
            && let Some(current) = self.current(height)
            && current.own.signature.map(|own| own.hash) != Some(hash)
        {
            // R24: the own block key signed elsewhere.
            self.out.alarm(crate::Alarm::OwnMessageFromElsewhere {
                height,
                round: federation_roster::Round::FIRST,
            });
        }
        let Some((ballots, _)) = self.collection(height) else {
            return;
        };
        let known = set
            .signatures
            .into_iter()
            .filter(|(id, _)| id.index() < size);
        for (id, signature) in known {
            let signed = BlockSignature {
                height,
                hash,
                signature,
            };
            let evidence = ballots.add_signature(id, signed, None);
            debug_assert!(evidence.is_none(), "evidence takes two envelopes");
        }
    }
}
