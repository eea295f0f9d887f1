//! A federation as a model: every order in which messages can arrive, timeouts fire and operators
//! crash.
//!
//! The transitions are those of the real [`Machine`]. Its surroundings are as hostile as the
//! protocol allows: a message that was sent may arrive at each operator at any time, in any order,
//! any number of times, or never; a timeout may fire at any time; an operator may crash between any
//! two steps, and resumes from its durable records.
//!
//! Three simplifications, none of which hides a fault: a block's bytes travel with its proposal;
//! nodes answer at once and accept every block; the chain ends with this height, so block
//! signatures are counted where they are made and go nowhere. Clocks run only as far as the next
//! timeout and are then set back, so that states differ by what happened and not by when.
//!
//! One reduction, without loss: a message that an operator receives changes nothing for the others
//! until the operator acts on it, and a message that was sent can arrive later as well. So
//! deliveries after which an operator sends, stores, signs and decides nothing are explored only
//! right before the step of the same operator in which it acts.
//!
//! And one bound: an operator receives at most M + 1 messages without acting on them before it
//! acts. A quorum needs M - 1 votes of others, a proposal its block and the proof of its lock;
//! messages beyond that enable no action that is impossible without them.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use federation_block_signing::{
    Candidate, CompactSignature, Config, Event, IdentitySignature, Input, Machine, Message, Output,
    Record, SignedMessage, Timeouts, Tip, Verdict, Vote,
};
use federation_chain::{BlockHash, BlockHeight, UnixTime};
use federation_roster::{OperatorId, Round};
use stateright::{Model, Property};

/// The height of the model.
const HEIGHT: BlockHeight = BlockHeight::new(1);

/// The constant time of day.
const NOW: UnixTime = UnixTime::from_millis(1_000_000_000_000);

/// So far away that it never comes.
const NEVER: Duration = Duration::from_secs(1_000_000);

/// The federation to explore.
#[derive(Debug, Clone)]
pub(crate) struct Federation {
    /// Each operator's configuration.
    pub(crate) configs: Vec<Config>,
    /// M.
    pub(crate) threshold: usize,
    /// The number of rounds; timeouts into a later one do not fire.
    pub(crate) rounds: u32,
    /// When operators crash.
    pub(crate) crashes: Crashes,
}

/// When operators crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Crashes {
    /// At most this many times in total, between any two steps. Without crashes, everything that an
    /// operator has received is part of its state, which makes many states.
    UpTo(u8),
    /// Each operator after each of its actions: it keeps only its durable records. As messages can
    /// arrive again, an operator that had not crashed could be in the same state after receiving
    /// the same again, so this leaves out nothing that can be sent or signed.
    Always,
}

/// Returns the configuration of one operator, with equal timeouts in every round.
pub(crate) fn config(size: usize, threshold: usize, me: u8) -> Config {
    let timeout = Duration::from_millis(300);
    let timeouts = Timeouts {
        propose: timeout,
        prevote: timeout,
        precommit: timeout,
        growth: Duration::ZERO,
        limit: timeout,
    };
    Config::new(size, threshold, OperatorId::new(me), Duration::from_secs(1))
        .expect("a federation")
        .with_timeouts(timeouts)
        .with_retransmit_interval(NEVER)
        .with_max_drift(NEVER)
}

impl Federation {
    pub(crate) fn new(size: u8, threshold: usize, rounds: u32, crashes: Crashes) -> Self {
        let configs = (0..size)
            .map(|me| config(usize::from(size), threshold, me))
            .collect();
        Self {
            configs,
            threshold,
            rounds,
            crashes,
        }
    }
}

/// A possible next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// A message arrives: its index among those sent, and the receiver.
    Deliver(usize, usize),
    /// The next timeout of an operator fires.
    TimeOut(usize),
    /// An operator crashes and restarts.
    Crash(usize),
}

/// A message under way, for ever.
#[derive(Debug)]
pub(crate) struct Sent {
    digest: u64,
    signed: SignedMessage,
}

/// One operator.
#[derive(Debug, Clone)]
pub(crate) struct Operator {
    machine: Machine,
    records: BTreeMap<Vec<u8>, Record>,
    /// The digest of the records.
    stored: u64,
    /// Blocks that its signer was asked to sign. There is no guard: it must be shown without one
    /// that there is at most one such block.
    pub(crate) signed: BTreeSet<BlockHash>,
    /// The block that it decided, and in which round.
    pub(crate) decided: Option<(Round, BlockHash)>,
    pub(crate) crashed: bool,
}

impl Operator {
    fn behaviour(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.machine.hash_behaviour(&mut hasher);
        hasher.finish()
    }
}

/// All operators, and all messages sent.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) operators: Vec<Arc<Operator>>,
    sent: Vec<Arc<Sent>>,
    crashes_left: u8,
    /// The operator that received messages without having acted on them yet, and how many: see the
    /// reductions above.
    focus: Option<(usize, usize)>,
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        digest(self) == digest(other)
    }
}

impl Hash for State {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        for operator in &self.operators {
            operator.machine.hash_behaviour(hasher);
            (&operator.signed, &operator.decided, operator.crashed).hash(hasher);
            // What a crash leaves.
            operator.stored.hash(hasher);
        }
        let mut sent: Vec<u64> = self.sent.iter().map(|sent| sent.digest).collect();
        sent.sort_unstable();
        (sent, self.crashes_left, self.focus).hash(hasher);
    }
}

fn digest(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Returns the digest of the records. It does not matter whose votes make a quorum.
fn stored(records: &BTreeMap<Vec<u8>, Record>) -> u64 {
    let mut hasher = DefaultHasher::new();
    for (key, record) in records {
        key.hash(&mut hasher);
        match record {
            Record::ProofOfLock(c) | Record::Decision(c) => {
                (c.kind, c.round, c.hash).hash(&mut hasher);
            }
            Record::RoundCertificate(c) => c.round.hash(&mut hasher),
            other => other.hash(&mut hasher),
        }
    }
    hasher.finish()
}

/// Returns the block that a leader's node makes: one of two.
fn candidate(leader: usize) -> Candidate {
    let value = u8::try_from(leader % 2).unwrap_or_default() + 1;
    candidate_of(BlockHash::from_bytes([value; 32]))
}

fn candidate_of(hash: BlockHash) -> Candidate {
    Candidate {
        hash,
        previous: BlockHash::from_bytes([0; 32]),
        height: HEIGHT,
        time: NOW,
        bytes: hash.to_bytes().to_vec().into(),
    }
}

const fn tip() -> Tip {
    Tip {
        height: BlockHeight::GENESIS,
        hash: BlockHash::from_bytes([0; 32]),
        time: UnixTime::from_millis(999_999_000_000),
        median_time: UnixTime::from_millis(999_999_000_000),
        first_block_time: None,
    }
}

impl State {
    /// Feeds inputs to an operator until it is quiet, and acts on its outputs. Returns whether it
    /// acted.
    fn drive(
        &mut self,
        index: usize,
        now: UnixTime,
        inputs: impl IntoIterator<Item = Input>,
    ) -> bool {
        let sent_before = self.sent.len();
        let mut operator = Operator::clone(&self.operators[index]);
        let me = OperatorId::new(u8::try_from(index).unwrap_or(u8::MAX));
        let mut inputs: VecDeque<Input> = inputs.into_iter().collect();
        while let Some(input) = inputs.pop_front() {
            operator.machine.handle(now, input);
            while let Some(output) = operator.machine.poll_output() {
                match output {
                    Output::Persist(record) => {
                        operator.records.insert(record.key(), record);
                    }
                    Output::Send(message) => {
                        inputs.extend(self.send(me, message));
                    }
                    Output::RequestTemplate { height, round } => {
                        inputs.push_back(Input::Template {
                            height,
                            round,
                            candidate: candidate(index),
                        })
                    }
                    Output::TestBlock { candidate } => inputs.push_back(Input::Tested {
                        candidate,
                        verdict: Verdict::Valid,
                    }),
                    Output::SignBlock { candidate } => {
                        operator.signed.insert(candidate.hash);
                        inputs.push_back(Input::Signed {
                            height: candidate.height,
                            hash: candidate.hash,
                            signature: CompactSignature::from_bytes([0; 64]),
                        });
                    }
                    Output::Event(Event::Decided { round, hash, .. }) => {
                        operator.decided = Some((round, hash));
                    }
                    Output::Forget { .. }
                    | Output::ForgetRecords { .. }
                    | Output::SendTo { .. }
                    | Output::Submit { .. }
                    | Output::Evidence(_)
                    | Output::Event(_) => {}
                }
            }
        }
        operator.stored = stored(&operator.records);
        let before = &self.operators[index];
        let acted = self.sent.len() != sent_before
            || operator.stored != before.stored
            || operator.signed != before.signed
            || operator.decided != before.decided;
        self.operators[index] = Arc::new(operator);
        acted
    }

    /// Adds a message to those sent, and returns what its sender receives of it.
    fn send(&mut self, sender: OperatorId, message: Message) -> Option<Input> {
        if matches!(message, Message::Body(_)) {
            return None;
        }
        let signed = SignedMessage {
            sender,
            message,
            signature: IdentitySignature::from_bytes([0; 64]),
        };
        let travels = !matches!(
            signed.message,
            Message::BlockSignature(_) | Message::BodyRequest(_) | Message::SignatureSet(_)
        );
        let digest = match &signed.message {
            // It does not matter who sends it, or whose votes make the quorum.
            Message::Certificate(c) => digest(&(c.kind, c.round, c.hash)),
            other => digest(&(sender, other)),
        };
        if travels && self.sent.iter().all(|sent| sent.digest != digest) {
            let signed = signed.clone();
            self.sent.push(Arc::new(Sent { digest, signed }));
        }
        Some(Input::Received(signed))
    }

    /// Returns the first M that cast a vote: it does not matter whose votes make a quorum.
    fn quorum(&self, vote: &Vote, threshold: usize) -> BTreeMap<OperatorId, IdentitySignature> {
        let voter = |sent: &Arc<Sent>| {
            let is_it = matches!(&sent.signed.message, Message::Vote(cast) if cast == vote);
            is_it.then_some((sent.signed.sender, sent.signed.signature))
        };
        let all: BTreeMap<_, _> = self.sent.iter().filter_map(voter).collect();
        all.into_iter().take(threshold).collect()
    }

    /// Counts the blocks that M operators have signed.
    fn final_blocks(&self, threshold: usize) -> usize {
        let mut counts = BTreeMap::new();
        for hash in self.operators.iter().flat_map(|operator| &operator.signed) {
            *counts.entry(*hash).or_insert(0) += 1;
        }
        counts.values().filter(|count| **count >= threshold).count()
    }
}

impl Federation {
    fn start(&self, state: &mut State, index: usize) {
        state.drive(index, NOW, [Input::Tip(tip()), Input::Tick]);
    }

    /// Restarts an operator from its records.
    fn restart(&self, state: &mut State, index: usize) {
        let operator = Arc::make_mut(&mut state.operators[index]);
        let records = operator.records.values().cloned().collect();
        operator.machine = Machine::new(self.configs[index].clone(), records);
        operator.crashed = true;
        self.start(state, index);
    }

    /// Completes an operator's step: if it acted, it may crash; if not, it must be the next to act.
    /// Returns `None` if it has received enough.
    fn after(&self, last: &State, mut state: State, index: usize, acted: bool) -> Option<State> {
        let received = state.focus.map_or(0, |(_, received)| received);
        if acted {
            state.focus = None;
            if self.crashes == Crashes::Always {
                self.restart(&mut state, index);
            }
        } else if received > self.threshold
            || state.operators[index].behaviour() == last.operators[index].behaviour()
        {
            return None;
        } else {
            state.focus = Some((index, received + 1));
        }
        Some(state)
    }
}

impl Model for Federation {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let operators = self.configs.iter().map(|config| {
            Arc::new(Operator {
                machine: Machine::new(config.clone(), Vec::new()),
                records: BTreeMap::new(),
                stored: 0,
                signed: BTreeSet::new(),
                decided: None,
                crashed: false,
            })
        });
        let mut state = State {
            operators: operators.collect(),
            sent: Vec::new(),
            crashes_left: match self.crashes {
                Crashes::UpTo(crashes) => crashes,
                Crashes::Always => 0,
            },
            focus: None,
        };
        for index in 0..self.configs.len() {
            self.start(&mut state, index);
            if self.crashes == Crashes::Always {
                self.restart(&mut state, index);
            }
        }
        vec![state]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let all = 0..state.operators.len();
        for index in all.filter(|index| state.focus.is_none_or(|(focus, _)| focus == *index)) {
            for (message, sent) in state.sent.iter().enumerate() {
                if sent.signed.sender.index() != index {
                    actions.push(Action::Deliver(message, index));
                }
            }
            actions.push(Action::TimeOut(index));
            if state.crashes_left > 0 && state.focus.is_none() {
                actions.push(Action::Crash(index));
            }
        }
        // Only actions that lead somewhere: random walks rely on it.
        actions.retain(|action| self.next_state(state, action.clone()).is_some());
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Deliver(message, to) => {
                let mut signed = last.sent[message].signed.clone();
                if let Message::Certificate(certificate) = &mut signed.message {
                    certificate.votes = last.quorum(&certificate.vote(), self.threshold);
                }
                let mut inputs = vec![Input::Received(signed.clone())];
                if let Message::Proposal(proposal) = &signed.message {
                    inputs.push(Input::Body {
                        from: signed.sender,
                        candidate: candidate_of(proposal.hash),
                    });
                }
                let acted = state.drive(to, NOW, inputs);
                return self.after(last, state, to, acted);
            }
            Action::TimeOut(index) => {
                let at = state.operators[index].machine.poll_timeout()?;
                if at >= NOW.saturating_add(NEVER / 2) {
                    return None;
                }
                let mut acted = state.drive(index, at.max(NOW), [Input::Tick]);
                // Time has passed, and the clock is set back.
                acted |= state.drive(index, NOW, [Input::Tick]);
                if state.operators[index].machine.status().round.to_u32() >= self.rounds {
                    return None;
                }
                return self.after(last, state, index, acted);
            }
            Action::Crash(index) => {
                state.crashes_left -= 1;
                self.restart(&mut state, index);
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        fn decisions(state: &State) -> impl Iterator<Item = (Round, BlockHash)> {
            state
                .operators
                .iter()
                .filter_map(|operator| operator.decided)
        }
        vec![
            Property::<Self>::always("no two blocks are decided", |_, state| {
                let hashes: BTreeSet<_> = decisions(state).map(|(_, hash)| hash).collect();
                hashes.len() <= 1
            }),
            Property::<Self>::always("no operator is asked to sign two blocks", |_, state| {
                state
                    .operators
                    .iter()
                    .all(|operator| operator.signed.len() <= 1)
            }),
            Property::<Self>::always("no two blocks have M signatures", |model, state| {
                state.final_blocks(model.threshold) <= 1
            }),
            Property::<Self>::sometimes("a block is decided in round 0", |_, state| {
                decisions(state).any(|(round, _)| round == Round::FIRST)
            }),
            Property::<Self>::sometimes("a block is decided in a later round", |_, state| {
                decisions(state).any(|(round, _)| round > Round::FIRST)
            }),
            Property::<Self>::sometimes("a block gets M signatures", |model, state| {
                state.final_blocks(model.threshold) == 1
            }),
            Property::<Self>::sometimes("an operator that crashed decides", |model, state| {
                model.crashes == Crashes::UpTo(0)
                    || state
                        .operators
                        .iter()
                        .any(|operator| operator.crashed && operator.decided.is_some())
            }),
        ]
    }
}
