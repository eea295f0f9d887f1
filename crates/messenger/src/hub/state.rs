//! The hub's members, its links, and the frames in transit on them.

use core::{cmp::Ordering, time::Duration};
use std::collections::{BTreeMap, BinaryHeap};

use bytes::Bytes;
use federation_roster::OperatorId;
use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio::time::Instant;

use super::LinkFaults;
use crate::{Inbox, Lane, MessengerStats, Peer, PeerStats, QueueLimits};

#[derive(Debug)]
pub(super) struct State {
    rng: StdRng,
    limits: QueueLimits,
    /// Faults of links that were not set individually.
    faults: LinkFaults,
    members: BTreeMap<OperatorId, Member>,
    links: BTreeMap<(OperatorId, OperatorId), Link>,
    in_transit: BinaryHeap<InTransit>,
    /// Counts joins and frames, to order frames that are due at the same time.
    serial: u64,
}

#[derive(Debug)]
struct Member {
    generation: u64,
    /// The operator it acts for: itself, unless it is a second machine of another operator.
    name: OperatorId,
    inbox: Inbox,
    lanes: BTreeMap<OperatorId, Lane>,
}

/// One direction between two operators, which need not be connected.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) faults: LinkFaults,
    cut: bool,
    /// When the last frame that was not reordered is due.
    last_due: Option<Instant>,
    frames_in_transit: usize,
    bytes_in_transit: usize,
    frames_out: u64,
    bytes_out: u64,
    dropped_out: u64,
    heals: u64,
}

/// A delayed frame; the heap yields the earliest first.
#[derive(Debug)]
struct InTransit {
    due: Instant,
    serial: u64,
    from: OperatorId,
    to: OperatorId,
    /// The receiver's generation: a frame is lost if the receiver restarts in the meantime.
    generation: u64,
    frame: Bytes,
}

impl PartialEq for InTransit {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for InTransit {}

impl PartialOrd for InTransit {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for InTransit {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.due, other.serial).cmp(&(self.due, self.serial))
    }
}

impl State {
    pub(super) fn new(seed: u64, limits: QueueLimits) -> Self {
        Self {
            rng: StdRng::seed_from_u64(seed),
            limits,
            faults: LinkFaults::none(),
            members: BTreeMap::new(),
            links: BTreeMap::new(),
            in_transit: BinaryHeap::new(),
            serial: 0,
        }
    }

    pub(super) fn join(&mut self, operator: OperatorId, name: OperatorId) -> (Inbox, u64) {
        self.serial += 1;
        let member = Member {
            generation: self.serial,
            name,
            inbox: Inbox::new(),
            lanes: BTreeMap::new(),
        };
        let joined = (member.inbox.clone(), member.generation);
        if let Some(earlier) = self.members.insert(operator, member) {
            earlier.inbox.close();
        }
        joined
    }

    pub(super) fn leave(&mut self, operator: OperatorId, generation: u64) {
        if self
            .members
            .get(&operator)
            .is_some_and(|member| member.generation == generation)
        {
            self.members.remove(&operator);
        }
    }

    pub(super) fn link(&mut self, from: OperatorId, to: OperatorId) -> &mut Link {
        self.links.entry((from, to)).or_insert_with(|| Link {
            faults: self.faults.clone(),
            cut: false,
            last_due: None,
            frames_in_transit: 0,
            bytes_in_transit: 0,
            frames_out: 0,
            bytes_out: 0,
            dropped_out: 0,
            heals: 0,
        })
    }

    pub(super) fn set_all_links(&mut self, faults: &LinkFaults) {
        self.faults = faults.clone();
        for link in self.links.values_mut() {
            link.faults = faults.clone();
        }
    }

    pub(super) fn set_cut(&mut self, from: OperatorId, to: OperatorId, cut: bool) {
        let link = self.link(from, to);
        if link.cut && !cut {
            link.heals += 1;
        }
        link.cut = cut;
    }

    pub(super) fn is_cut(&self, from: OperatorId, to: OperatorId) -> bool {
        self.links.get(&(from, to)).is_some_and(|link| link.cut)
    }

    pub(super) fn heal_all(&mut self, operator: OperatorId) {
        let of_operator: Vec<_> = self
            .links
            .keys()
            .copied()
            .filter(|(from, to)| *from == operator || *to == operator)
            .collect();
        for (from, to) in of_operator {
            self.set_cut(from, to, false);
        }
    }

    pub(super) fn others(&self, operator: OperatorId) -> Vec<OperatorId> {
        self.members
            .keys()
            .copied()
            .filter(|other| *other != operator)
            .collect()
    }

    /// Sends to all others; returns whether anything was delayed.
    pub(super) fn broadcast(&mut self, from: OperatorId, frame: &Bytes, now: Instant) -> bool {
        let mut delayed = false;
        for to in self.others(from) {
            delayed |= self.send(from, to, frame, now);
        }
        delayed
    }

    /// Sends to all machines of one operator, if any; returns whether anything was delayed.
    pub(super) fn send_to(
        &mut self,
        from: OperatorId,
        to: OperatorId,
        frame: &Bytes,
        now: Instant,
    ) -> bool {
        let named = |(id, member): (&OperatorId, &Member)| {
            (*id != from && member.name == to).then_some(*id)
        };
        let receivers: Vec<_> = self.members.iter().filter_map(named).collect();
        let mut delayed = false;
        for receiver in receivers {
            delayed |= self.send(from, receiver, frame, now);
        }
        delayed
    }

    fn send(&mut self, from: OperatorId, to: OperatorId, frame: &Bytes, now: Instant) -> bool {
        // Always the same number of draws, so one link's faults do not change another's outcome.
        let [lost, duplicated, held, hold, delay, second] = self.rng.r#gen::<[f64; 6]>();
        let link = self.link(from, to);
        link.frames_out += 1;
        link.bytes_out += frame.len() as u64;
        if link.cut || lost < link.faults.loss() {
            link.dropped_out += 1;
            return false;
        }
        let held = held < link.faults.reorder();
        let hold = if held {
            link.faults.hold(hold)
        } else {
            Duration::ZERO
        };
        let first_delay = link.faults.delay(delay) + hold;
        let second_delay =
            (duplicated < link.faults.duplicate()).then(|| link.faults.delay(second) + hold);
        let mut delayed = self.send_copy(from, to, frame, now, first_delay, held);
        if let Some(second_delay) = second_delay {
            delayed |= self.send_copy(from, to, frame, now, second_delay, held);
        }
        delayed
    }

    fn send_copy(
        &mut self,
        from: OperatorId,
        to: OperatorId,
        frame: &Bytes,
        now: Instant,
        delay: Duration,
        held: bool,
    ) -> bool {
        let limits = self.limits;
        self.serial += 1;
        let serial = self.serial;
        let Some(generation) = self.members.get(&to).map(|member| member.generation) else {
            return false;
        };
        let link = self.link(from, to);
        let mut due = now + delay;
        if !held {
            due = link.last_due.map_or(due, |last| due.max(last));
        }
        if due <= now && link.frames_in_transit == 0 {
            self.arrive(from, to, frame.clone());
            return false;
        }
        if link.frames_in_transit >= limits.frames()
            || link.bytes_in_transit.saturating_add(frame.len()) > limits.bytes()
        {
            link.dropped_out += 1;
            return false;
        }
        if !held {
            link.last_due = Some(due);
        }
        link.frames_in_transit += 1;
        link.bytes_in_transit += frame.len();
        self.in_transit.push(InTransit {
            due,
            serial,
            from,
            to,
            generation,
            frame: frame.clone(),
        });
        true
    }

    /// Delivers all frames that are due; returns when the next one is.
    pub(super) fn deliver_due(&mut self, now: Instant) -> Option<Instant> {
        while let Some(next) = self.in_transit.peek() {
            if next.due > now {
                return Some(next.due);
            }
            let InTransit {
                from,
                to,
                generation,
                frame,
                ..
            } = self.in_transit.pop()?;
            let same_receiver = self
                .members
                .get(&to)
                .is_some_and(|member| member.generation == generation);
            let link = self.link(from, to);
            link.frames_in_transit -= 1;
            link.bytes_in_transit -= frame.len();
            if link.cut || !same_receiver {
                link.dropped_out += 1;
            } else {
                self.arrive(from, to, frame);
            }
        }
        None
    }

    fn arrive(&mut self, from: OperatorId, to: OperatorId, frame: Bytes) {
        let limits = self.limits;
        if let Some(Member { inbox, lanes, .. }) = self.members.get_mut(&to) {
            lanes
                .entry(from)
                .or_insert_with(|| inbox.lane(limits))
                .push(frame);
        }
    }

    pub(super) fn stats(&self, operator: OperatorId, generation: u64) -> MessengerStats {
        let mut stats = MessengerStats::default();
        let Some(me) = self
            .members
            .get(&operator)
            .filter(|member| member.generation == generation)
        else {
            return stats;
        };
        let mut peers: Vec<_> = self.others(operator);
        peers.extend(me.lanes.keys());
        peers.extend(
            self.links
                .keys()
                .filter_map(|(from, to)| (*from == operator).then_some(to)),
        );
        peers.sort_unstable();
        peers.dedup();
        for id in peers {
            let mut peer = PeerStats::new(Peer::Operator(id));
            peer.connected = !me.inbox.is_closed()
                && !self.is_cut(operator, id)
                && !self.is_cut(id, operator)
                && self
                    .members
                    .get(&id)
                    .is_some_and(|member| !member.inbox.is_closed());
            if let Some(lane) = me.lanes.get(&id) {
                peer.frames_in = lane.frames_in();
                peer.bytes_in = lane.bytes_in();
                peer.dropped_in = lane.dropped();
            }
            if let Some(link) = self.links.get(&(operator, id)) {
                peer.frames_out = link.frames_out;
                peer.bytes_out = link.bytes_out;
                peer.dropped_out = link.dropped_out;
                peer.reconnects = link.heals;
            }
            stats.push(peer);
        }
        stats
    }
}
