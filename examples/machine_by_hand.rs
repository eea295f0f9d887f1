//! The block-signing protocol, driven by hand: three state machines, a queue, and a clock that is
//! just a number. Without a runtime, a network or keys.
//!
//! For writing a driver other than `federation-operator`: it shows everything that a driver must do.
//!
//! Run it with `cargo run -p federation-examples --example machine_by_hand`.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use bytes::Bytes;
use federation_block_signing::{
    Candidate, CompactSignature, Config, ConfigError, Event, IdentitySignature, Input, Machine,
    Message, Output, Record, SignedMessage, SubmitOutcome, Tip, Verdict,
};
use federation_chain::{BlockHash, BlockHeight, UnixTime};
use federation_roster::{OperatorId, Round};

const OPERATORS: u8 = 3;
const THRESHOLD: usize = 2;
const INTERVAL: Duration = Duration::from_secs(60);

/// The time at which the clock starts, in seconds.
const START: u64 = 1_700_000_000;

/// One operator: its state machine and its records.
struct Operator {
    machine: Machine,
    /// Stands in for a store on disk; records by key.
    store: BTreeMap<Vec<u8>, Record>,
}

/// Three operators, the inputs on their way to them, and the results.
struct Federation {
    now: UnixTime,
    /// The running operators; the others are absent.
    operators: BTreeMap<OperatorId, Operator>,
    queue: VecDeque<(OperatorId, Input)>,
    /// All blocks made so far. A real receiver decodes a block's bytes; here it looks them up.
    blocks: BTreeMap<BlockHash, Candidate>,
    /// The round in which each operator saw the decision.
    decided: BTreeMap<OperatorId, (Round, BlockHash)>,
    /// The block that each operator submitted to its node, and its signers.
    submitted: BTreeMap<OperatorId, (BlockHash, Vec<OperatorId>)>,
}

impl Federation {
    fn new(absent: Option<OperatorId>) -> Result<Self, ConfigError> {
        let mut operators = BTreeMap::new();
        for me in (0..OPERATORS).map(OperatorId::new) {
            let config = Config::new(usize::from(OPERATORS), THRESHOLD, me, INTERVAL)?;
            // After a restart, the machine is given everything from the store; this operator is
            // new.
            let machine = Machine::new(config, Vec::new());
            let store = BTreeMap::new();
            if Some(me) != absent {
                operators.insert(me, Operator { machine, store });
            }
        }
        Ok(Self {
            now: UnixTime::from_secs(START),
            operators,
            queue: VecDeque::new(),
            blocks: BTreeMap::new(),
            decided: BTreeMap::new(),
            submitted: BTreeMap::new(),
        })
    }

    /// Runs until every operator's node has block 1.
    fn run(&mut self) {
        let genesis = Tip {
            height: BlockHeight::GENESIS,
            hash: BlockHash::from_bytes([0; 32]),
            time: self.now,
            median_time: self.now,
            first_block_time: None,
        };
        // A machine does nothing until it knows its node's tip.
        for id in self.operators.keys() {
            self.queue.push_back((*id, Input::Tip(genesis)));
        }
        while self.submitted.len() < self.operators.len() {
            match self.queue.pop_front() {
                Some((id, input)) => self.step(id, input),
                None => self.advance_clock(),
            }
        }
    }

    /// Moves to the next timeout: the queue is empty, so nothing else can happen before it.
    fn advance_clock(&mut self) {
        let due = |operator: &Operator| operator.machine.poll_timeout();
        let next = self.operators.values().filter_map(due).min();
        self.now = next.expect("a machine without pending inputs has a timeout");
        for id in self.operators.keys() {
            self.queue.push_back((*id, Input::Tick));
        }
    }

    /// Passes one input to a machine and carries out its outputs.
    fn step(&mut self, id: OperatorId, input: Input) {
        let Some(operator) = self.operators.get_mut(&id) else {
            return;
        };
        operator.machine.handle(self.now, input);
        let outputs: Vec<Output> = std::iter::from_fn(|| operator.machine.poll_output()).collect();
        for output in outputs {
            self.execute(id, output);
        }
    }

    /// Carries out one output: all the work of a driver. The match has no `_` arm, so a new kind of
    /// output cannot be forgotten.
    fn execute(&mut self, id: OperatorId, output: Output) {
        match output {
            // Always the first outputs of a batch. They must be synced to disk before any other
            // output is carried out: an operator that forgets a vote could contradict it.
            Output::Persist(record) => self.persist(id, record),
            Output::Forget { .. } | Output::ForgetRecords { .. } => {}
            // To one operator only, if the network has unicast.
            Output::SendTo { message, .. } => self.send(id, message),
            Output::Send(message) => self.send(id, message),
            Output::RequestTemplate { height, round } => {
                let candidate = self.make_block(id, height);
                let template = Input::Template {
                    height,
                    round,
                    candidate,
                };
                self.queue.push_back((id, template));
            }
            // A real driver asks the node about the transactions and the operator's policy about
            // the block.
            Output::TestBlock { candidate } => {
                let tested = Input::Tested {
                    candidate,
                    verdict: Verdict::Valid,
                };
                self.queue.push_back((id, tested));
            }
            // A real driver asks the guard and the signer.
            Output::SignBlock { candidate } => {
                let signed = Input::Signed {
                    height: candidate.height,
                    hash: candidate.hash,
                    signature: CompactSignature::from_bytes([id.to_u8(); 64]),
                };
                self.queue.push_back((id, signed));
            }
            Output::Submit {
                candidate,
                signatures,
            } => {
                let signers: Vec<_> = signatures.keys().copied().collect();
                let names: Vec<_> = signers.iter().map(OperatorId::to_string).collect();
                println!(
                    "{id}: submits {} signed by {}",
                    short(candidate.hash),
                    names.join(" and ")
                );
                let taken = Input::Submitted {
                    height: candidate.height,
                    hash: candidate.hash,
                    outcome: SubmitOutcome::Accepted,
                };
                let tip = Input::Tip(Tip {
                    height: candidate.height,
                    hash: candidate.hash,
                    time: candidate.time,
                    median_time: candidate.time,
                    first_block_time: Some(candidate.time),
                });
                self.queue.extend([(id, taken), (id, tip)]);
                self.submitted.insert(id, (candidate.hash, signers));
            }
            Output::Evidence(evidence) => println!("{id}: evidence: {evidence:?}"),
            Output::Event(event) => self.log(id, &event),
        }
    }

    fn persist(&mut self, id: OperatorId, record: Record) {
        if let Some(operator) = self.operators.get_mut(&id) {
            operator.store.insert(record.key(), record);
        }
    }

    /// Delivers a message to all others and, except for bodies, back to its sender, whose own votes
    /// count like any other.
    fn send(&mut self, sender: OperatorId, message: Message) {
        for receiver in self.operators.keys().copied() {
            let input = match &message {
                Message::Body(_) if receiver == sender => continue,
                // A real driver decodes the block and checks its challenge and commitments.
                Message::Body(body) => match self.blocks.get(&body.hash) {
                    Some(candidate) => Input::Body {
                        from: sender,
                        candidate: candidate.clone(),
                    },
                    None => continue,
                },
                // A real driver sends messages in signed envelopes, and its receivers drop those
                // without the sender's valid signature. The machine only keeps the signature.
                _ => Input::Received(SignedMessage {
                    sender,
                    message: message.clone(),
                    signature: IdentitySignature::from_bytes([sender.to_u8(); 64]),
                }),
            };
            self.queue.push_back((receiver, input));
        }
    }

    /// Makes a fake block whose hash is unique to its maker, height and time.
    fn make_block(&mut self, maker: OperatorId, height: BlockHeight) -> Candidate {
        let mut hash = [0; 32];
        hash[0] = maker.to_u8() + 1;
        hash[1..9].copy_from_slice(&self.now.as_millis().to_le_bytes());
        let candidate = Candidate {
            hash: BlockHash::from_bytes(hash),
            previous: BlockHash::from_bytes([0; 32]),
            height,
            // Headers carry whole seconds.
            time: UnixTime::from_secs(self.now.as_secs()),
            bytes: Bytes::copy_from_slice(&hash),
        };
        self.blocks.insert(candidate.hash, candidate.clone());
        candidate
    }

    fn log(&mut self, id: OperatorId, event: &Event) {
        let elapsed = self
            .now
            .saturating_duration_since(UnixTime::from_secs(START));
        match event {
            Event::RoundStarted { round, leader, .. } => {
                println!("{id}: round {round} starts after {elapsed:?}, leader {leader}");
            }
            Event::Decided { round, hash, .. } => {
                println!("{id}: decided {} in round {round}", short(*hash));
                self.decided.insert(id, (*round, *hash));
            }
            // The other events are for logs and metrics.
            _ => {}
        }
    }
}

/// The significant part of a fake hash: hashes print their last byte first.
fn short(hash: BlockHash) -> String {
    hash.to_string().split_off(44)
}

/// Runs a federation to its first block and returns the round that decided it.
fn first_block(absent: Option<OperatorId>) -> Result<Round, ConfigError> {
    let mut federation = Federation::new(absent)?;
    federation.run();
    let (round, hash) = federation
        .decided
        .values()
        .next()
        .copied()
        .expect("a submitted block was decided");
    for (submitted, signers) in federation.submitted.values() {
        assert_eq!(*submitted, hash, "every operator submits the decided block");
        assert!(
            signers.len() >= THRESHOLD,
            "a submitted block has enough signatures"
        );
    }
    for operator in federation.operators.values() {
        assert!(!operator.store.is_empty(), "votes are stored");
    }
    Ok(round)
}

fn main() -> Result<(), ConfigError> {
    println!("all three are present:");
    assert_eq!(first_block(None)?, Round::FIRST);

    // The leader of the first round of height 1 is absent: the round times out, and the remaining
    // two decide the next leader's block.
    let config = Config::new(
        usize::from(OPERATORS),
        THRESHOLD,
        OperatorId::new(0),
        INTERVAL,
    )?;
    let leader = config.leader(BlockHeight::new(1), Round::FIRST);
    println!("{leader} is absent:");
    assert!(first_block(Some(leader))? > Round::FIRST);
    Ok(())
}

#[test]
fn runs_to_completion() {
    main().expect("the example runs");
}
