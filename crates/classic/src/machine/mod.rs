//! One operator's turns as a state machine without I/O.
//!
//! ```text
//!            ┌ AskChain ─> our turn:     AskTemplate ─> propose ─> collect ─> sign ─> submit
//! turn ──────┤                                                       (until half of the turn)
//!            └           ─> another's:   wait ─> TestBlock ─> SignBlock ─> publish
//!                                        (until a third of the turn)
//! ```

mod others;
mod own;
mod proposals;
#[cfg(test)]
mod tests;

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use federation_chain::{Block, BlockHash, BlockHeight, SigningRules, UnixTime};
use secp256k1::ecdsa::Signature;

use self::proposals::{Proposal, Proposals};
use crate::{ChainView, Duty, Event, Input, Message, Output, RawReissuance, Schedule, Turn};

/// The configuration of an operator.
#[derive(Debug, Clone)]
pub struct Config {
    rules: SigningRules,
    schedule: Schedule,
    me: usize,
    until: Option<BlockHeight>,
}

impl Config {
    /// Creates the configuration of the operator with index `me`, counted from 0. As in the old
    /// program, it is taken modulo the number of operators.
    #[must_use]
    pub const fn new(rules: SigningRules, schedule: Schedule, me: usize) -> Self {
        Self {
            rules,
            me: me % schedule.operators(),
            schedule,
            until: None,
        }
    }

    /// Ends the protocol before this height, the first one of the next protocol.
    #[must_use]
    pub const fn until(mut self, height: BlockHeight) -> Self {
        self.until = Some(height);
        self
    }

    /// Returns the first height of the next protocol, if one is set.
    #[must_use]
    pub const fn ends_at(&self) -> Option<BlockHeight> {
        self.until
    }

    /// Returns the chain's rules.
    #[must_use]
    pub const fn rules(&self) -> &SigningRules {
        &self.rules
    }

    /// Returns the schedule of turns.
    #[must_use]
    pub const fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// Returns the operator's index.
    #[must_use]
    pub const fn me(&self) -> usize {
        self.me
    }
}

/// The state machine of one operator.
#[derive(Debug)]
pub struct Machine {
    config: Config,
    /// The time between turns: the interval, or half of it while the chain is behind.
    pace: Duration,
    next: Option<Turn>,
    active: Option<Active>,
    proposals: Proposals,
    outputs: VecDeque<Output>,
}

/// The current turn.
#[derive(Debug)]
struct Active {
    turn: Turn,
    /// The turn's length; the deadlines are a third and a half of it.
    window: Duration,
    view: Option<ChainView>,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Waiting for the node's chain.
    Asking,
    /// Another operator leads; waiting for its proposal.
    Waiting,
    /// The node tests a proposal.
    Testing(Proposal),
    /// A proposal is being signed.
    Signing(Proposal),
    /// We lead; the node creates a block.
    Templating,
    /// We lead; collecting the others' signatures.
    Collecting(OwnBlock),
    /// The others have signed; signing our block ourselves.
    SigningOwn(OwnBlock),
    /// Nothing left to do in this turn.
    Done,
}

/// Our block with the others' signatures, by key index in the script.
#[derive(Debug)]
struct OwnBlock {
    block: Block,
    signatures: BTreeMap<usize, Signature>,
    /// The reissuances proposed with it.
    reissuances: Vec<RawReissuance>,
    /// The others' signatures of the reissuances, by the index they claim.
    tx_signatures: BTreeMap<usize, Vec<String>>,
    /// How many messages of each sender were processed.
    processed: BTreeMap<Option<usize>, u32>,
}

impl Active {
    fn proposals_until(&self) -> UnixTime {
        self.turn.start().saturating_add(self.window / 3)
    }

    fn signatures_until(&self) -> UnixTime {
        self.turn.start().saturating_add(self.window / 2)
    }

    /// Returns when our block is completed or abandoned.
    fn completes_at(&self, own: &OwnBlock, need: usize) -> UnixTime {
        if own.reissuances.is_empty() && own.signatures.len() >= need {
            self.proposals_until()
        } else {
            self.signatures_until()
        }
    }

    fn height(&self) -> Option<BlockHeight> {
        self.view.map(|view| view.height.next())
    }
}

impl Machine {
    /// Creates a machine that starts with the first whole turn after its first input.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            pace: config.schedule.interval(),
            config,
            next: None,
            active: None,
            proposals: Proposals::default(),
            outputs: VecDeque::new(),
        }
    }

    /// Returns when [`Input::Tick`] is due at the latest; `None` means at once.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<UnixTime> {
        let deadline = self.active.as_ref().and_then(|active| match active.state {
            State::Waiting => Some(active.proposals_until()),
            State::Collecting(ref own) => Some(active.completes_at(own, self.need())),
            _ => None,
        });
        let next = self.next?.start();
        Some(deadline.map_or(next, |deadline| deadline.min(next)))
    }

    /// Returns the next output.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Processes an input.
    pub fn handle(&mut self, now: UnixTime, input: Input) {
        self.advance(now);
        match input {
            Input::Tick => {}
            Input::Chain { turn, view } => self.chain(now, turn, view),
            Input::Template {
                turn,
                block,
                reissuances,
            } => self.template(now, turn, block, reissuances),
            Input::Tested {
                turn,
                hash,
                verdict,
            } => self.tested(now, turn, hash, verdict),
            Input::Signed {
                turn,
                hash,
                signatures,
                reissuances,
            } => self.signed(now, turn, hash, signatures, reissuances),
            Input::Submitted { hash, result } => {
                if let Err(reason) = result {
                    self.report(Event::Rejected { hash, reason });
                }
            }
            Input::Received { from, message } => self.received(now, from, message),
        }
    }

    /// Handles passed deadlines and starts turns.
    fn advance(&mut self, now: UnixTime) {
        let next = match self.next {
            // Otherwise the clock was set back.
            Some(next) if next.start().saturating_duration_since(now) <= self.pace => next,
            _ => {
                self.active = None;
                self.plan(now);
                return;
            }
        };
        self.pass_deadlines(now);
        if now < next.start() {
            return;
        }
        if now >= next.start().saturating_add(self.pace) {
            // The machine was suspended, or its clock was set forward.
            self.active = None;
            self.plan(now);
            return;
        }
        self.plan(next.start());
        self.proposals
            .forget_before(Proposals::opens(next.start(), self.pace));
        self.active = Some(Active {
            turn: next,
            window: self.pace,
            view: None,
            state: State::Asking,
        });
        self.outputs.push_back(Output::AskChain(next));
    }

    fn pass_deadlines(&mut self, now: UnixTime) {
        let need = self.need();
        let Some(active) = &mut self.active else {
            return;
        };
        let Some(height) = active.height() else {
            return;
        };
        match &active.state {
            State::Waiting if now >= active.proposals_until() => {
                let leader = active.turn.leader();
                active.state = State::Done;
                self.report(Event::NoProposal { height, leader });
            }
            State::Collecting(own)
                if own.signatures.len() >= need && now >= active.completes_at(own, need) =>
            {
                self.sign_own();
            }
            State::Collecting(own) if now >= active.signatures_until() => {
                let have = own.signatures.len();
                active.state = State::Done;
                self.report(Event::TooFewSignatures { height, have, need });
            }
            _ => {}
        }
    }

    /// Returns how many other operators must sign.
    fn need(&self) -> usize {
        self.config.rules.script().threshold().to_usize() - 1
    }

    fn plan(&mut self, after: UnixTime) {
        self.next = Some(self.config.schedule.turn_after(after, self.pace));
    }

    fn chain(&mut self, now: UnixTime, turn: Turn, view: Result<ChainView, String>) {
        let Some(active) = self
            .active
            .as_mut()
            .filter(|active| active.turn == turn && matches!(active.state, State::Asking))
        else {
            return;
        };
        let view = match view {
            Ok(view) => view,
            Err(reason) => {
                active.state = State::Done;
                self.report(Event::NodeUnreachable(reason));
                return;
            }
        };
        let height = view.height.next();
        if let Some(until) = self.config.until
            && height >= until
        {
            active.state = State::Done;
            self.outputs.push_back(Output::Finish { until });
            return;
        }
        let schedule = &self.config.schedule;
        let catching_up = schedule.is_behind(view.height, view.first_block, turn.start());
        self.pace = if catching_up {
            schedule.catch_up()
        } else {
            schedule.interval()
        };
        active.window = self.pace;
        active.view = Some(view);
        let leads = turn.leader() == self.config.me;
        active.state = if leads {
            State::Templating
        } else {
            State::Waiting
        };
        self.plan(turn.start());
        self.report(Event::TurnBegan {
            height,
            leader: turn.leader(),
            catching_up,
        });
        if leads {
            self.outputs.push_back(Output::AskTemplate(turn));
        } else {
            self.check_proposals(now);
        }
    }

    fn received(&mut self, now: UnixTime, from: Option<usize>, message: Message) {
        if from == Some(self.config.me) {
            // Kafka delivers our own messages as well.
            return;
        }
        match message {
            Message::Proposal {
                height,
                block,
                reissuances,
            } => self.proposal(now, from, height, block, reissuances),
            Message::Signatures {
                height,
                signatures,
                reissuances,
            } => self.signatures(from, height, signatures, reissuances),
        }
    }

    fn signed(
        &mut self,
        now: UnixTime,
        turn: Turn,
        hash: BlockHash,
        signatures: Result<Vec<Signature>, String>,
        reissuances: Option<Vec<String>>,
    ) {
        let Some(active) = self.active.as_mut().filter(|active| active.turn == turn) else {
            if signatures.is_ok() {
                let duty = Duty::Sign;
                self.report(Event::TooLate { hash, duty });
            }
            return;
        };
        match core::mem::replace(&mut active.state, State::Done) {
            State::Signing(proposal) if proposal.block.block_hash() == hash => {
                self.signed_other(now, &proposal.block, signatures, reissuances);
            }
            State::SigningOwn(own) if own.block.block_hash() == hash => {
                self.signed_own(own, signatures);
            }
            other => active.state = other,
        }
    }

    /// Returns the valid signatures with their key indices in the script.
    fn valid(
        rules: &SigningRules,
        hash: BlockHash,
        signatures: Vec<Signature>,
    ) -> impl Iterator<Item = (usize, Signature)> {
        signatures.into_iter().filter_map(move |mut signature| {
            // The old program passes on its hardware module's signatures, half of them with high S.
            signature.normalize_s();
            (0..rules.script().keys().len())
                .find(|index| rules.verify_signature(hash, *index, &signature).is_ok())
                .map(|index| (index, signature))
        })
    }

    fn report(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }
}
