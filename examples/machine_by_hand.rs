//! The agreement of block signing, driven by hand: three machines, a queue and a clock that is a
//! number. No runtime, no network, no keys.
//!
//! For those who want another driver than `federation-operator`, and to see what one has to do.
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

/// Where the clock starts, in seconds.
const START: u64 = 1_700_000_000;

/// One operator: its machine and what it must not forget.
struct Operator {
    machine: Machine,
    /// Stands for a store on disk, by the records' keys.
    store: BTreeMap<Vec<u8>, Record>,
}

/// Three operators, what is on its way to them, and what came out.
struct Federation {
    now: UnixTime,
    /// Operators that run; the others are away.
    operators: BTreeMap<OperatorId, Operator>,
    queue: VecDeque<(OperatorId, Input)>,
    /// All blocks made so far. Others know a block by its bytes; here one looks them up.
    blocks: BTreeMap<BlockHash, Candidate>,
    /// The rounds in which the operators saw the decision.
    decided: BTreeMap<OperatorId, (Round, BlockHash)>,
    /// What the operators gave to their nodes, and whose signatures were with it.
    submitted: BTreeMap<OperatorId, (BlockHash, Vec<OperatorId>)>,
}

impl Federation {
    fn new(absent: Option<OperatorId>) -> Result<Self, ConfigError> {
        let mut operators = BTreeMap::new();
        for me in (0..OPERATORS).map(OperatorId::new) {
            let config = Config::new(usize::from(OPERATORS), THRESHOLD, me, INTERVAL)?;
            // An operator that was stopped gives its machine all that its store holds; this one
            // is new.
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
        // A machine does nothing before it knows its node's tip.
        for id in self.operators.keys() {
            self.queue.push_back((*id, Input::Tip(genesis)));
        }
        while self.submitted.len() < self.operators.len() {
            match self.queue.pop_front() {
                Some((id, input)) => self.step(id, input),
                None => self.pass_time(),
            }
        }
    }

    /// Nothing is on its way, so the next thing that happens is a time-out.
    fn pass_time(&mut self) {
        let due = |operator: &Operator| operator.machine.poll_timeout();
        let next = self.operators.values().filter_map(due).min();
        self.now = next.expect("a machine that waits for nobody waits for a time");
        for id in self.operators.keys() {
            self.queue.push_back((*id, Input::Tick));
        }
    }

    /// Gives a machine one input and does what it then asks for.
    fn step(&mut self, id: OperatorId, input: Input) {
        let Some(operator) = self.operators.get_mut(&id) else {
            return;
        };
        operator.machine.handle(self.now, input);
        let outputs: Vec<Output> = std::iter::from_fn(|| operator.machine.poll_output()).collect();
        for output in outputs {
            self.act(id, output);
        }
    }

    /// The driver's whole work. The match has no `_`, so an output that is new is not forgotten.
    fn act(&mut self, id: OperatorId, output: Output) {
        match output {
            // Always the first outputs of a batch. On disk, and synced, before anything below is
            // done: an operator that forgets what it said can say the opposite.
            Output::Persist(record) => self.remember(id, record),
            Output::Forget { .. } | Output::ForgetRecords { .. } => {}
            // To one operator only, where the network can do that.
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
            // Here the node judges the transactions, and the operator's own policy the block.
            Output::TestBlock { candidate } => {
                let tested = Input::Tested {
                    candidate,
                    verdict: Verdict::Valid,
                };
                self.queue.push_back((id, tested));
            }
            // Here the guard and the signer are asked.
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
            Output::Evidence(evidence) => println!("{id}: a lie: {evidence:?}"),
            Output::Event(event) => self.tell(id, &event),
        }
    }

    fn remember(&mut self, id: OperatorId, record: Record) {
        if let Some(operator) = self.operators.get_mut(&id) {
            operator.store.insert(record.key(), record);
        }
    }

    /// To all others, and, but for blocks, back to the sender: own votes count like any other.
    fn send(&mut self, sender: OperatorId, message: Message) {
        for receiver in self.operators.keys().copied() {
            let input = match &message {
                Message::Body(_) if receiver == sender => continue,
                // A driver decodes the bytes of a block and checks challenge and commitments.
                Message::Body(body) => match self.blocks.get(&body.hash) {
                    Some(candidate) => Input::Body {
                        from: sender,
                        candidate: candidate.clone(),
                    },
                    None => continue,
                },
                // A driver puts messages into signed envelopes, and drops at the other end those
                // whose signature is not the sender's. The machine only keeps the signature.
                _ => Input::Received(SignedMessage {
                    sender,
                    message: message.clone(),
                    signature: IdentitySignature::from_bytes([sender.to_u8(); 64]),
                }),
            };
            self.queue.push_back((receiver, input));
        }
    }

    /// A made-up block: of its maker, height and time, with a hash that no other has.
    fn make_block(&mut self, maker: OperatorId, height: BlockHeight) -> Candidate {
        let mut hash = [0; 32];
        hash[0] = maker.to_u8() + 1;
        hash[1..9].copy_from_slice(&self.now.as_millis().to_le_bytes());
        let candidate = Candidate {
            hash: BlockHash::from_bytes(hash),
            previous: BlockHash::from_bytes([0; 32]),
            height,
            // Headers have whole seconds.
            time: UnixTime::from_secs(self.now.as_secs()),
            bytes: Bytes::copy_from_slice(&hash),
        };
        self.blocks.insert(candidate.hash, candidate.clone());
        candidate
    }

    fn tell(&mut self, id: OperatorId, event: &Event) {
        let passed = self.now.since(UnixTime::from_secs(START));
        match event {
            Event::RoundStarted { round, leader, .. } => {
                println!("{id}: after {passed:?} round {round} begins, {leader} leads");
            }
            Event::Decided { round, hash, .. } => {
                println!("{id}: decided {} in round {round}", short(*hash));
                self.decided.insert(id, (*round, *hash));
            }
            // The rest is for logs and metrics.
            _ => {}
        }
    }
}

/// Enough of a made-up hash to tell it from others: they are shown with their last byte first.
fn short(hash: BlockHash) -> String {
    hash.to_string().split_off(44)
}

/// Runs a federation to its first block; gives the round that decided it.
fn first_block(absent: Option<OperatorId>) -> Result<Round, ConfigError> {
    let mut federation = Federation::new(absent)?;
    federation.run();
    let (round, hash) = federation
        .decided
        .values()
        .next()
        .copied()
        .expect("what was submitted was decided");
    for (submitted, signers) in federation.submitted.values() {
        assert_eq!(*submitted, hash, "all submit the block that was decided");
        assert!(signers.len() >= THRESHOLD, "with enough signatures");
    }
    for operator in federation.operators.values() {
        assert!(!operator.store.is_empty(), "votes are stored");
    }
    Ok(round)
}

fn main() -> Result<(), ConfigError> {
    println!("all three are there:");
    assert_eq!(first_block(None)?, Round::FIRST);

    // Whoever leads the first round of height 1 is away: the round ends by time, and the next
    // leader's block is decided by the two who are left.
    let config = Config::new(
        usize::from(OPERATORS),
        THRESHOLD,
        OperatorId::new(0),
        INTERVAL,
    )?;
    let leader = config.leader(BlockHeight::new(1), Round::FIRST);
    println!("{leader} is away:");
    assert!(first_block(Some(leader))? > Round::FIRST);
    Ok(())
}

#[test]
fn runs_to_its_end() {
    main().expect("the example runs");
}
