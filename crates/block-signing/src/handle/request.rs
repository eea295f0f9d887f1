//! Requests for help: from an operator that lacks a body, or missed the end of a height.

use federation_chain::UnixTime;
use federation_roster::OperatorId;

use crate::{
    BlockSignature, Body, BodyRequest, Candidate, Machine, Message, SignatureSet, SignedMessage,
    replies::Waits,
};

fn body(candidate: &Candidate) -> Message {
    Message::Body(Body {
        height: candidate.height,
        hash: candidate.hash,
        bytes: candidate.bytes.clone(),
    })
}

impl Machine {
    /// R22: replies to a request addressed to this operator, to the requester only, and counts the
    /// replies.
    pub(crate) fn on_request(&mut self, now: UnixTime, sender: OperatorId, request: BodyRequest) {
        let me = self.config.me();
        if request.asked != me || sender == me {
            return;
        }
        let Some(current) = self.current(request.height) else {
            return;
        };
        let Some(candidate) = current.keeper.bodies.usable(request.hash).cloned() else {
            return;
        };
        let waits = self.waits(candidate.bytes.len());
        let replies = self.current(request.height).map(|h| &mut h.replies);
        let replied =
            replies.is_some_and(|replies| replies.grant(sender, request.hash, now, waits));
        #[cfg(test)]
        let replied =
            replied || self.config.mutation == Some(crate::mutation::Mutation::AlwaysReply);
        if replied {
            self.out.send_to(sender, body(&candidate));
        }
    }

    /// R22: how long a block of this size may take to arrive. Until something is known about the
    /// links, a broadcast block is taken to be under way for as long as a round may last.
    fn waits(&self, bytes: usize) -> Waits {
        let timeouts = self.config.timeouts();
        let limit = timeouts.limit.max(timeouts.propose);
        let typical = self
            .timing
            .typical_for(bytes)
            .map(|time| time.saturating_mul(2));
        Waits {
            broadcast: typical.unwrap_or(limit).clamp(timeouts.propose / 4, limit),
            answer: typical.unwrap_or_default().clamp(timeouts.propose, limit),
            more: Some(limit),
        }
    }

    /// R21: an operator that still sends messages of the last height has missed its end. Sends it
    /// what settles the height, at most once per retransmit interval.
    pub(crate) fn help(&mut self, now: UnixTime, signed: &SignedMessage) {
        let (me, retransmit_interval) = (self.config.me(), self.config.retransmit_interval());
        let Some(last_decided) = &self.last_decided else {
            return;
        };
        let (sender, height) = (signed.sender, last_decided.decision.height);
        if sender == me || height != signed.message.height() {
            return;
        }
        if let Message::SignatureSet(_) = &signed.message
            && let Some(last_decided) = &mut self.last_decided
        {
            // It has everything and helps others itself.
            last_decided.helpers.insert(sender);
            return;
        }
        if let Message::BodyRequest(request) = &signed.message
            && request.asked == me
        {
            self.reply_for_last_height(now, sender, request);
        }
        let Some(last_decided) = &mut self.last_decided else {
            return;
        };
        if last_decided.helpers.contains(&sender)
            || now < last_decided.last_help.saturating_add(retransmit_interval)
        {
            return;
        }
        last_decided.last_help = now;
        let hash = last_decided.decision.hash;
        let all = !last_decided.signatures.is_empty();
        #[cfg(test)]
        let all = all
            && self.config.mutation != Some(crate::mutation::Mutation::HelpWithOwnSignatureOnly);
        // Sent first, so that other helpers do not take the messages below for a request.
        if all {
            self.out.send(Message::SignatureSet(SignatureSet {
                height,
                hash,
                signatures: last_decided.signatures.clone(),
            }));
        }
        let decision = Message::Certificate(last_decided.decision.clone());
        self.out.send(decision);
        if let Some(signature) = last_decided.signature {
            self.out.send(Message::BlockSignature(signature));
        }
    }

    /// R22 for the block of the last height. No vote depends on it any more, so there are no
    /// replies beyond the free ones.
    fn reply_for_last_height(&mut self, now: UnixTime, sender: OperatorId, request: &BodyRequest) {
        let wanted = self.last_decided.as_ref().and_then(|f| f.candidate.clone());
        let Some(candidate) = wanted.filter(|c| c.hash == request.hash) else {
            return;
        };
        let waits = Waits {
            more: None,
            ..self.waits(candidate.bytes.len())
        };
        let replies = self.last_decided.as_mut().map(|f| &mut f.replies);
        let replied =
            replies.is_some_and(|replies| replies.grant(sender, request.hash, now, waits));
        #[cfg(test)]
        let replied =
            replied || self.config.mutation == Some(crate::mutation::Mutation::AlwaysReply);
        if replied {
            self.out.send_to(sender, body(&candidate));
        }
    }

    /// R18, R21: block signatures that an operator passes on; the driver has verified each. Without
    /// their makers' envelopes they count, but are not evidence.
    pub(crate) fn on_signatures(&mut self, mut set: SignatureSet) {
        let (me, size) = (self.config.me(), self.config.size());
        if self.observing() {
            // R29: signatures made before the store was lost do not count.
            set.signatures.remove(&me);
        }
        let (height, hash) = (set.height, set.hash);
        if set.signatures.contains_key(&me)
            && let Some(current) = self.current(height)
            && current.own.signature.map(|own| own.hash) != Some(hash)
        {
            // R24: this operator's block key signed elsewhere.
            self.out.alarm(crate::Alarm::OwnMessageFromElsewhere {
                height,
                round: federation_roster::Round::FIRST,
            });
        }
        let Some((keeper, _)) = self.keeper_for(height) else {
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
            let evidence = keeper.add_signature(id, signed, None);
            debug_assert!(evidence.is_none(), "evidence needs two envelopes");
        }
    }
}
