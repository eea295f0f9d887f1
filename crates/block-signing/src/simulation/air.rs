//! Frames on their way between operators.

use std::rc::Rc;

use federation_roster::OperatorId;

use crate::{Input, Message, VoteKind};

use super::{
    check::Breach,
    exercise::Exercise,
    network::Frame,
    world::{Happening, MEMORY, World, signed},
};

impl World {
    /// Honest operators hear each other unless the network is split; a twin is heard on its side.
    pub(super) fn audible(&self, a: usize, b: usize) -> bool {
        let honest = self.slots[a].honest && self.slots[b].honest;
        (honest && !self.split) || self.sides.connected(a, b)
    }

    pub(super) const fn count(&mut self, what: Exercise) {
        self.summary.exercised.count(what);
    }

    pub(super) fn frame_delay(&mut self) -> u64 {
        let longest = if self.storm { self.scenario.delay } else { 20 };
        self.rng.between(1, longest.max(1))
    }

    /// Sends a message to one operator, or to all.
    pub(super) fn send(
        &mut self,
        slot: usize,
        message: Message,
        only: Option<OperatorId>,
    ) -> Result<(), Breach> {
        let sender = self.slots[slot].id;
        let parts = message.to_parts();
        let again = Message::from_parts(parts.clone());
        if again.as_ref() != Ok(&message) {
            return Err(Breach::FalseAlarm {
                operator: sender,
                alarm: format!("message does not survive its encoding: {message:?}"),
            });
        }
        self.note(|| format!("operator {sender} (slot {slot}) sends {message:?}"));
        if matches!(message, Message::SignatureSet(_)) {
            self.count(Exercise::SignaturesPassedOn);
        }
        let frame = Rc::new(Frame::new(signed(sender, message)));
        if let Message::Certificate(certificate) = &frame.signed.message
            && certificate.kind == VoteKind::Precommit
        {
            let known = self.decisions.entry(certificate.height);
            known.or_insert_with(|| Rc::clone(&frame));
        }
        if !matches!(frame.signed.message, Message::Body(_)) {
            self.feed(slot, 0, Input::Received(frame.signed.clone()));
        }
        match only {
            None => self.spread(slot, &frame, 1000),
            Some(receiver) => self.spread_to(slot, &frame, 1000, receiver),
        }
        Ok(())
    }

    /// Puts a frame on its way to everybody who hears the slot, each with this chance.
    pub(super) fn spread(&mut self, slot: usize, frame: &Rc<Frame>, permille: u64) {
        self.spread_where(slot, frame, permille, |_| true);
    }

    fn spread_to(&mut self, slot: usize, frame: &Rc<Frame>, permille: u64, receiver: OperatorId) {
        self.spread_where(slot, frame, permille, |id| id == receiver);
    }

    fn spread_where(
        &mut self,
        slot: usize,
        frame: &Rc<Frame>,
        permille: u64,
        is_meant: impl Fn(OperatorId) -> bool,
    ) {
        self.remember_frame(frame);
        for to in 0..self.slots.len() {
            if to == slot || !is_meant(self.slots[to].id) {
                continue;
            }
            if !self.audible(slot, to) {
                if self.split {
                    self.count(Exercise::Partition);
                }
                continue;
            }
            if !self.rng.chance(permille) {
                continue;
            }
            let receiver = self.slots[to].id;
            if let Some(filter) = &mut self.filter
                && !filter(frame, receiver)
            {
                continue;
            }
            let deaf = self.deaf[to][slot] & (1 << frame.signed.message.kind()) != 0;
            if self.storm && (deaf || self.rng.chance(self.scenario.loss)) {
                self.count(if deaf {
                    Exercise::Deafness
                } else {
                    Exercise::Loss
                });
                continue;
            }
            self.transmit(slot, to, frame);
            if self.storm && self.rng.chance(self.scenario.duplicates) {
                self.count(Exercise::Duplicate);
                self.dispatch(to, frame);
            }
        }
        if self.storm && self.rng.chance(self.scenario.replays) {
            self.count(Exercise::Replay);
            let old = self.recent[self.rng.index(self.recent.len())].clone();
            let to = self.rng.index(self.slots.len());
            self.dispatch(to, &old);
        }
    }

    pub(super) fn dispatch(&mut self, to: usize, frame: &Rc<Frame>) {
        let delay = self.frame_delay();
        let arrival = self.now + delay;
        if arrival < self.latest[to] {
            self.count(Exercise::Reordering);
        }
        self.latest[to] = self.latest[to].max(arrival);
        let frame = Rc::clone(frame);
        self.later(delay, Happening::Deliver { to, frame });
    }

    fn remember_frame(&mut self, frame: &Rc<Frame>) {
        if self.recent.len() < MEMORY {
            self.recent.push(Rc::clone(frame));
        } else {
            let place = self.rng.index(MEMORY);
            self.recent[place] = Rc::clone(frame);
        }
    }
}
