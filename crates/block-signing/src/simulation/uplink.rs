//! Links of finite width: one uplink per operator, shared by a bounded queue for each receiver.
//!
//! The uplink takes one frame of each queue in turn, as connections that share a line do. Only
//! bodies take time; everything else waits behind the bodies in its own queue.

use std::{collections::VecDeque, rc::Rc};

use crate::Message;

use super::{
    exercise::Exercise,
    network::Frame,
    scenario::Scenario,
    world::{Happening, World},
};

/// Frames that wait for one receiver at most.
const MOST_FRAMES: usize = 1024;

/// What one operator has yet to send.
#[derive(Debug, Clone, Default)]
pub(crate) struct Uplink {
    /// By receiving slot.
    queues: Vec<VecDeque<Rc<Frame>>>,
    /// Whose turn it is.
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

    /// Appends a frame; how many old ones had to go for it.
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

    /// What waits is lost with the process.
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
            self.carried(frame);
            self.dispatch(to, frame);
            return;
        }
        let dropped = self.uplinks[from].push(to, frame, self.scenario.queued_bodies);
        for _ in 0..dropped {
            self.count(Exercise::FullQueue);
        }
        if self.uplinks[from].busy {
            self.count(Exercise::BusyUplink);
        } else {
            self.transmit_next(from);
        }
    }

    /// The uplink has room for its next frame.
    pub(super) fn transmit_next(&mut self, from: usize) {
        self.uplinks[from].busy = false;
        while let Some((to, frame)) = self.uplinks[from].pop() {
            if is_body(&frame) {
                self.uplinks[from].busy = true;
                let millis = self.body_millis();
                self.later(millis, Happening::Sent { from, to, frame });
                return;
            }
            self.dispatch(to, &frame);
        }
    }

    /// A body is through.
    pub(super) fn sent(&mut self, from: usize, to: usize, frame: &Rc<Frame>) {
        self.carried(frame);
        self.dispatch(to, frame);
        self.transmit_next(from);
    }

    const fn body_millis(&self) -> u64 {
        let Scenario {
            body_millis,
            clogged_millis,
            ..
        } = self.scenario;
        if self.storm && clogged_millis > body_millis {
            clogged_millis
        } else {
            body_millis
        }
    }

    fn carried(&mut self, frame: &Frame) {
        self.summary.bodies += u64::from(is_body(frame));
    }
}
