//! `Received`: sorts messages by sender and height.

use federation_chain::UnixTime;

use crate::{Alarm, Machine, Message, SignedMessage, ballots::Window, votes::Cast};

use super::Place;

impl Machine {
    pub(crate) fn on_received(&mut self, now: UnixTime, signed: SignedMessage) {
        if signed.sender.index() >= self.config.size() {
            return;
        }
        if signed.sender == self.config.me() && !self.is_own(&signed) {
            return;
        }
        let height = signed.message.height();
        match self.place(height) {
            Place::Far => return,
            Place::Last => return self.help(now, &signed),
            Place::Current | Place::Next => {}
        }
        let SignedMessage {
            sender,
            message,
            signature,
        } = signed;
        match message {
            Message::Proposal(m) => self.on_proposal(now, sender, m, signature),
            Message::Vote(vote) => self.on_vote(sender, Cast { vote, signature }),
            Message::Certificate(m) => self.on_certificate(m),
            Message::RoundCertificate(m) => self.on_round_certificate(m),
            Message::BlockSignature(m) => self.on_block_signature(sender, m, signature),
            Message::BodyRequest(m) => self.on_request(now, sender, m),
            Message::SignatureSet(m) => self.on_signatures(m),
            // Bodies come as an input of their own, after the driver has looked inside.
            Message::Body(_) => {}
        }
    }

    /// R24: whether this machine sent a message that bears its name.
    ///
    /// While it observes, it does not know what it said before: such messages count for nothing.
    fn is_own(&mut self, signed: &SignedMessage) -> bool {
        if self.observing() {
            return false;
        }
        let (height, round) = (signed.message.height(), signed.message.round());
        let me = self.config.me();
        let foreign = Alarm::OwnMessageFromElsewhere { height, round };
        match self.place(height) {
            Place::Next => {
                self.out.alarm(foreign);
                false
            }
            Place::Current => {
                let Some(current) = self.height.as_mut() else {
                    return false;
                };
                if current.own.sent(&signed.message) {
                    return true;
                }
                let window = Window::around(current.round, &self.config);
                // What was said in rounds long left is forgotten; it may well have been said.
                if round < window.low() {
                    return false;
                }
                self.out.alarm(foreign);
                if let Message::Vote(vote) = signed.message {
                    let signature = signed.signature;
                    let first = current.ballots.contradicting(me, &Cast { vote, signature });
                    let evidence =
                        first.and_then(|first| current.ballots.accuse(first, signed.clone()));
                    self.out.evidence(evidence);
                }
                false
            }
            Place::Last | Place::Far => false,
        }
    }
}
