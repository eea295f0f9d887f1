//! Dispatches received messages by sender and height.

use federation_chain::UnixTime;

use crate::{Alarm, Machine, Message, SignedMessage, vote_keeper::Window, votes::SignedVote};

use super::RelativeHeight;

impl Machine {
    pub(crate) fn on_received(&mut self, now: UnixTime, signed: SignedMessage) {
        if signed.sender.index() >= self.config.size() {
            return;
        }
        if signed.sender == self.config.me() && !self.is_own(&signed) {
            return;
        }
        let height = signed.message.height();
        match self.relative_height(height) {
            RelativeHeight::Far => return,
            RelativeHeight::Last => return self.help(now, &signed),
            RelativeHeight::Current | RelativeHeight::Next => {}
        }
        let SignedMessage {
            sender,
            message,
            signature,
        } = signed;
        match message {
            Message::Proposal(m) => self.on_proposal(now, sender, m, signature),
            Message::Vote(vote) => self.on_vote(sender, SignedVote { vote, signature }),
            Message::Certificate(m) => self.on_certificate(m),
            Message::RoundCertificate(m) => self.on_round_certificate(m),
            Message::BlockSignature(m) => self.on_block_signature(sender, m, signature),
            Message::BodyRequest(m) => self.on_request(now, sender, m),
            Message::SignatureSet(m) => self.on_signatures(m),
            // Bodies are a separate input, after the driver has checked what is inside.
            Message::Body(_) => {}
        }
    }

    /// R24: whether this machine sent a message that carries its signature.
    ///
    /// An observer does not know what it sent in its earlier life, so such messages do not count.
    fn is_own(&mut self, signed: &SignedMessage) -> bool {
        if self.observing() {
            return false;
        }
        let (height, round) = (signed.message.height(), signed.message.round());
        let me = self.config.me();
        let foreign = Alarm::OwnMessageFromElsewhere { height, round };
        match self.relative_height(height) {
            RelativeHeight::Next => {
                self.out.alarm(foreign);
                false
            }
            RelativeHeight::Current => {
                let Some(current) = self.height.as_mut() else {
                    return false;
                };
                if current.own.sent(&signed.message) {
                    return true;
                }
                let window = Window::around(current.round, &self.config);
                // Votes of rounds below the window are forgotten, so this may have been one of
                // them.
                if round < window.low() {
                    return false;
                }
                self.out.alarm(foreign);
                if let Message::Vote(vote) = signed.message {
                    let signature = signed.signature;
                    let first = current
                        .keeper
                        .conflicting_vote(me, &SignedVote { vote, signature });
                    let evidence =
                        first.and_then(|first| current.keeper.accuse(first, signed.clone()));
                    self.out.evidence(evidence);
                }
                false
            }
            RelativeHeight::Last | RelativeHeight::Far => false,
        }
    }
}
