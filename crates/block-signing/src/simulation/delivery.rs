//! Delivery of frames between operators.

use std::rc::Rc;

use federation_roster::OperatorId;

use crate::{Input, Message, VoteKind};

use super::{
    check::Violation,
    coverage::CoveragePoint,
    network::Frame,
    world::{MAX_RECENT, SimEvent, World, signed},
};

impl World {
    /// Whether frames from one slot reach another. Honest operators reach each other unless the
    /// network is partitioned; a twin reaches only its own side.
    pub(super) fn can_reach(&self, a: usize, b: usize) -> bool {
        let honest = self.slots[a].honest && self.slots[b].honest;
        (honest && !self.split) || self.sides.connected(a, b)
    }

    pub(super) const fn cover(&mut self, what: CoveragePoint) {
        self.summary.coverage.cover(what);
    }

    pub(super) fn frame_delay(&mut self) -> u64 {
        let longest = if self.faults_active {
            self.scenario.delay
        } else {
            20
        };
        self.rng.between(1, longest.max(1))
    }

    /// Sends a message to one operator, or to all.
    pub(super) fn send(
        &mut self,
        slot: usize,
        message: Message,
        only: Option<OperatorId>,
    ) -> Result<(), Violation> {
        let sender = self.slots[slot].id;
        let parts = message.to_parts();
        let again = Message::from_parts(parts.clone());
        if again.as_ref() != Ok(&message) {
            return Err(Violation::FalseAlarm {
                operator: sender,
                alarm: format!("message changes when encoded and decoded: {message:?}"),
            });
        }
        self.trace_line(|| format!("operator {sender} (slot {slot}) sends {message:?}"));
        if matches!(message, Message::SignatureSet(_)) {
            self.cover(CoveragePoint::SignaturesPassedOn);
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
            None => self.broadcast(slot, &frame, 1000),
            Some(receiver) => self.unicast(slot, &frame, 1000, receiver),
        }
        Ok(())
    }

    /// Sends a frame to everyone that the slot can reach, to each with this probability.
    pub(super) fn broadcast(&mut self, slot: usize, frame: &Rc<Frame>, permille: u64) {
        self.send_where(slot, frame, permille, |_| true);
    }

    fn unicast(&mut self, slot: usize, frame: &Rc<Frame>, permille: u64, receiver: OperatorId) {
        self.send_where(slot, frame, permille, |id| id == receiver);
    }

    fn send_where(
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
            if !self.can_reach(slot, to) {
                if self.split {
                    self.cover(CoveragePoint::Partition);
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
            let kind_lost = self.kind_loss[to][slot] & (1 << frame.signed.message.kind()) != 0;
            if self.faults_active && (kind_lost || self.rng.chance(self.scenario.loss)) {
                self.cover(if kind_lost {
                    CoveragePoint::KindLoss
                } else {
                    CoveragePoint::Loss
                });
                continue;
            }
            self.transmit(slot, to, frame);
            if self.faults_active && self.rng.chance(self.scenario.duplicates) {
                self.cover(CoveragePoint::Duplicate);
                self.deliver_later(to, frame);
            }
        }
        if self.faults_active && self.rng.chance(self.scenario.replays) {
            self.cover(CoveragePoint::Replay);
            let old = self.recent[self.rng.index(self.recent.len())].clone();
            let to = self.rng.index(self.slots.len());
            self.deliver_later(to, &old);
        }
    }

    pub(super) fn deliver_later(&mut self, to: usize, frame: &Rc<Frame>) {
        let delay = self.frame_delay();
        let arrival = self.now + delay;
        if arrival < self.latest[to] {
            self.cover(CoveragePoint::Reordering);
        }
        self.latest[to] = self.latest[to].max(arrival);
        let frame = Rc::clone(frame);
        self.schedule(delay, SimEvent::Deliver { to, frame });
    }

    fn remember_frame(&mut self, frame: &Rc<Frame>) {
        if self.recent.len() < MAX_RECENT {
            self.recent.push(Rc::clone(frame));
        } else {
            let index = self.rng.index(MAX_RECENT);
            self.recent[index] = Rc::clone(frame);
        }
    }
}
