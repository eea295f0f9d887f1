//! Links of limited bandwidth: one uplink per operator, shared by a bounded queue for each
//! receiver.
//!
//! The uplink takes one frame from each queue in turn, as connections that share a line do. Only
//! bodies take time; everything else waits behind the bodies in its own queue.

use std::{collections::VecDeque, rc::Rc};

use crate::Message;

use super::{
    coverage::CoveragePoint,
    network::Frame,
    scenario::Scenario,
    world::{SimEvent, World},
};

/// The most frames queued for one receiver.
const MOST_FRAMES: usize = 1024;

/// The frames that one operator has yet to send.
#[derive(Debug, Clone, Default)]
pub(crate) struct Uplink {
    /// By receiving slot.
    queues: Vec<VecDeque<Rc<Frame>>>,
    /// The queue whose turn is next.
    turn: usize,
    busy: bool,
}

impl Uplink {
    pub(crate) fn new(slots: usize) -> Self {
        Self {
            queues: vec![VecDeque::new(); slots],
            turn: 0,
            busy: false,
        }
    }

    /// Appends a frame, and returns how many old ones were dropped for it.
    fn push(&mut self, to: usize, frame: &Rc<Frame>, most_bodies: usize) -> usize {
        let queue = &mut self.queues[to];
        queue.push_back(Rc::clone(frame));
        let mut bodies = queue.iter().filter(|frame| is_body(frame)).count();
        let mut dropped = 0;
        while bodies > most_bodies || queue.len() > MOST_FRAMES {
            let Some(oldest) = queue.pop_front() else {
                break;
            };
            bodies -= usize::from(is_body(&oldest));
            dropped += 1;
        }
        dropped
    }

    fn pop(&mut self) -> Option<(usize, Rc<Frame>)> {
        let slots = self.queues.len();
        for step in 0..slots {
            let to = (self.turn + step) % slots;
            if let Some(frame) = self.queues[to].pop_front() {
                self.turn = (to + 1) % slots;
                return Some((to, frame));
            }
        }
        None
    }

    fn is_idle(&self) -> bool {
        !self.busy && self.queues.iter().all(VecDeque::is_empty)
    }

    /// Drops everything queued, as it is lost with the process.
    pub(crate) fn clear(&mut self) {
        self.queues.iter_mut().for_each(VecDeque::clear);
    }
}

fn is_body(frame: &Frame) -> bool {
    matches!(frame.signed.message, Message::Body(_))
}

impl World {
    /// Sends a frame over the sender's uplink.
    pub(super) fn transmit(&mut self, from: usize, to: usize, frame: &Rc<Frame>) {
        if self.body_millis() == 0 && self.uplinks[from].is_idle() {
            self.count_body(frame);
            self.deliver_later(to, frame);
            return;
        }
        let dropped = self.uplinks[from].push(to, frame, self.scenario.queued_bodies);
        for _ in 0..dropped {
            self.cover(CoveragePoint::FullQueue);
        }
        if self.uplinks[from].busy {
            self.cover(CoveragePoint::BusyUplink);
        } else {
            self.transmit_next(from);
        }
    }

    /// Sends the next frames until the uplink is busy again.
    pub(super) fn transmit_next(&mut self, from: usize) {
        self.uplinks[from].busy = false;
        while let Some((to, frame)) = self.uplinks[from].pop() {
            if is_body(&frame) {
                self.uplinks[from].busy = true;
                let millis = self.body_millis();
                self.schedule(millis, SimEvent::Sent { from, to, frame });
                return;
            }
            self.deliver_later(to, &frame);
        }
    }

    /// Handles a body that has left the uplink.
    pub(super) fn sent(&mut self, from: usize, to: usize, frame: &Rc<Frame>) {
        self.count_body(frame);
        self.deliver_later(to, frame);
        self.transmit_next(from);
    }

    const fn body_millis(&self) -> u64 {
        let Scenario {
            body_millis,
            congested_millis,
            ..
        } = self.scenario;
        if self.faults_active && congested_millis > body_millis {
            congested_millis
        } else {
            body_millis
        }
    }

    fn count_body(&mut self, frame: &Frame) {
        self.summary.bodies += u64::from(is_body(frame));
    }
}
