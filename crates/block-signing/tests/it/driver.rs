//! Drives one machine by hand: sorts its outputs, and makes up messages of others.

use core::time::Duration;
use std::collections::BTreeMap;

use bytes::Bytes;
use federation_block_signing::{
    BlockSignature, Candidate, Certificate, CompactSignature, Config, Event, IdentitySignature,
    Input, Machine, Message, Output, Proposal, Record, RoundCertificate, SignedMessage, Tip,
    Verdict, Vote, VoteKind,
};
use federation_chain::{BlockHash, BlockHeight, UnixTime};
use federation_roster::{OperatorId, Round};

/// The time at which the tests begin, well after the genesis block.
pub(crate) const T0: u64 = 1_700_000_000_000;

pub(crate) fn op(id: u8) -> OperatorId {
    OperatorId::new(id)
}

pub(crate) fn hash(fill: u8) -> BlockHash {
    BlockHash::from_bytes([fill; 32])
}

pub(crate) fn tip(height: u32) -> Tip {
    Tip {
        height: BlockHeight::new(height),
        hash: hash(100 + u8::try_from(height).expect("tests use low heights")),
        time: UnixTime::from_millis(T0 - 5000),
        median_time: UnixTime::from_millis(T0 - 5000),
        first_block_time: (height > 0).then_some(UnixTime::from_millis(T0 - 5000)),
    }
}

/// Returns a block on the tip of this height.
pub(crate) fn candidate(on: u32, fill: u8) -> Candidate {
    Candidate {
        hash: hash(fill),
        previous: tip(on).hash,
        height: BlockHeight::new(on + 1),
        time: UnixTime::from_millis(T0),
        bytes: Bytes::from(vec![fill; 100]),
    }
}

fn signature(sender: u8, message: &Message) -> IdentitySignature {
    let parts = message.to_parts();
    let mut bytes = [sender; 64];
    for (i, byte) in parts.payload.iter().enumerate() {
        bytes[i % 64] ^= byte.wrapping_add(parts.kind);
    }
    IdentitySignature::from_bytes(bytes)
}

pub(crate) fn from(sender: u8, message: Message) -> SignedMessage {
    SignedMessage {
        sender: op(sender),
        signature: signature(sender, &message),
        message,
    }
}

pub(crate) fn proposal(height: u32, round: u32, fill: u8, valid_round: Option<u32>) -> Message {
    Message::Proposal(Proposal {
        height: BlockHeight::new(height),
        round: Round::new(round),
        hash: hash(fill),
        valid_round: valid_round.map(Round::new),
    })
}

pub(crate) fn vote(kind: VoteKind, height: u32, round: u32, fill: Option<u8>) -> Message {
    Message::Vote(Vote {
        kind,
        height: BlockHeight::new(height),
        round: Round::new(round),
        value: fill.map(hash),
    })
}

pub(crate) fn prevote(height: u32, round: u32, fill: Option<u8>) -> Message {
    vote(VoteKind::Prevote, height, round, fill)
}

pub(crate) fn precommit(height: u32, round: u32, fill: Option<u8>) -> Message {
    vote(VoteKind::Precommit, height, round, fill)
}

pub(crate) fn certificate(
    kind: VoteKind,
    height: u32,
    round: u32,
    fill: u8,
    voters: &[u8],
) -> Message {
    let message = vote(kind, height, round, Some(fill));
    let votes = voters.iter().map(|id| (op(*id), signature(*id, &message)));
    Message::Certificate(Certificate {
        kind,
        height: BlockHeight::new(height),
        round: Round::new(round),
        hash: hash(fill),
        votes: votes.collect(),
    })
}

/// Makes a round certificate from precommits.
pub(crate) fn round_certificate(height: u32, round: u32, votes: &[(u8, Option<u8>)]) -> Message {
    let votes = votes.iter().map(|(id, fill)| {
        let vote = precommit(height, round, *fill);
        (op(*id), (fill.map(hash), signature(*id, &vote)))
    });
    Message::RoundCertificate(RoundCertificate {
        height: BlockHeight::new(height),
        round: Round::new(round),
        votes: votes.collect(),
    })
}

pub(crate) fn block_signature(height: u32, fill: u8) -> Message {
    Message::BlockSignature(BlockSignature {
        height: BlockHeight::new(height),
        hash: hash(fill),
        signature: CompactSignature::from_bytes([fill; 64]),
    })
}

/// The outputs of one input, or of several.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Out {
    pub(crate) records: Vec<Record>,
    pub(crate) sent: Vec<Message>,
    pub(crate) sent_to: Vec<(OperatorId, Message)>,
    pub(crate) tests: Vec<Candidate>,
    pub(crate) templates: usize,
    pub(crate) signs: Vec<BlockHash>,
    pub(crate) submits: Vec<(Candidate, usize)>,
    pub(crate) evidence: usize,
    pub(crate) events: Vec<Event>,
}

impl Out {
    pub(crate) fn sent_nothing(&self) -> bool {
        self.sent.is_empty() && self.sent_to.is_empty()
    }

    pub(crate) fn has_sent(&self, message: &Message) -> bool {
        self.sent.contains(message)
    }
}

/// A machine of a federation of five operators with threshold three, its store, and its clock. It
/// receives its own messages, as the driver's contract demands.
pub(crate) struct Driver {
    pub(crate) machine: Machine,
    pub(crate) store: BTreeMap<Vec<u8>, Record>,
    pub(crate) now: u64,
    me: u8,
    config: Config,
}

impl Driver {
    pub(crate) fn new(me: u8) -> Self {
        Self::with(Self::config(me))
    }

    pub(crate) fn config(me: u8) -> Config {
        Config::new(5, 3, op(me), Duration::from_secs(1)).expect("a federation")
    }

    pub(crate) fn with(config: Config) -> Self {
        Self {
            machine: Machine::new(config.clone(), Vec::new()),
            store: BTreeMap::new(),
            now: T0,
            me: config.me().to_u8(),
            config,
        }
    }

    /// Starts at height 1, which is due at once.
    pub(crate) fn started(me: u8) -> Self {
        let mut driver = Self::new(me);
        driver.input(Input::Tip(tip(0)));
        driver
    }

    /// Restarts with the stored records, and no tip yet.
    pub(crate) fn restart(&mut self) {
        self.restart_with(|config| config);
    }

    pub(crate) fn restart_with(&mut self, change: impl FnOnce(Config) -> Config) {
        let records = self.store.values().cloned().collect();
        self.machine = Machine::new(change(self.config.clone()), records);
    }

    pub(crate) fn input(&mut self, input: Input) -> Out {
        let mut out = Out::default();
        let mut inputs = vec![input];
        while !inputs.is_empty() {
            let input = inputs.remove(0);
            self.machine.handle(UnixTime::from_millis(self.now), input);
            let mut recording = true;
            while let Some(output) = self.machine.poll_output() {
                recording &= matches!(output, Output::Persist(_));
                match output {
                    Output::Persist(record) => {
                        assert!(recording, "records must come first");
                        self.store.insert(record.key(), record.clone());
                        out.records.push(record);
                    }
                    Output::Forget { below } => {
                        let low = Record::height_key(BlockHeight::GENESIS);
                        let high = Record::height_key(below);
                        self.store.retain(|key, _| *key < low || *key >= high);
                    }
                    Output::ForgetRecords { keys } => {
                        for key in keys {
                            self.store.remove(&key);
                        }
                    }
                    Output::SendTo { to, message } => out.sent_to.push((to, message)),
                    Output::Send(message) => {
                        if !matches!(message, Message::Body(_)) {
                            inputs.push(Input::Received(from(self.me, message.clone())));
                        }
                        out.sent.push(message);
                    }
                    Output::RequestTemplate { .. } => out.templates += 1,
                    Output::TestBlock { candidate } => out.tests.push(candidate),
                    Output::SignBlock { candidate } => out.signs.push(candidate.hash),
                    Output::Submit {
                        candidate,
                        signatures,
                    } => out.submits.push((candidate, signatures.len())),
                    Output::Evidence(_) => out.evidence += 1,
                    Output::Event(event) => out.events.push(event),
                }
            }
        }
        out
    }

    pub(crate) fn receive(&mut self, sender: u8, message: Message) -> Out {
        self.input(Input::Received(from(sender, message)))
    }

    pub(crate) fn body(&mut self, sender: u8, candidate: Candidate) -> Out {
        self.input(Input::Body {
            from: op(sender),
            candidate,
        })
    }

    pub(crate) fn tested(&mut self, height: u32, fill: u8, verdict: Verdict) -> Out {
        self.tested_copy(candidate(height - 1, fill), verdict)
    }

    pub(crate) fn tested_copy(&mut self, candidate: Candidate, verdict: Verdict) -> Out {
        self.input(Input::Tested { candidate, verdict })
    }

    pub(crate) fn template(&mut self, height: u32, round: u32, candidate: Candidate) -> Out {
        self.input(Input::Template {
            height: BlockHeight::new(height),
            round: Round::new(round),
            candidate,
        })
    }

    /// Lets time pass up to the machine's next deadline.
    pub(crate) fn timeout(&mut self) -> Out {
        let at = self
            .machine
            .poll_timeout()
            .expect("the machine waits for a deadline");
        self.now = at.as_millis();
        self.input(Input::Tick)
    }

    /// Lets this much time pass, deadline by deadline.
    pub(crate) fn pass(&mut self, millis: u64) -> Out {
        let end = self.now + millis;
        let mut all = Out::default();
        let mut add = |out: Out| {
            all.records.extend(out.records);
            all.sent.extend(out.sent);
            all.sent_to.extend(out.sent_to);
            all.tests.extend(out.tests);
            all.templates += out.templates;
            all.signs.extend(out.signs);
            all.submits.extend(out.submits);
            all.evidence += out.evidence;
            all.events.extend(out.events);
        };
        while let Some(at) = self
            .machine
            .poll_timeout()
            .filter(|at| at.as_millis() <= end)
        {
            self.now = at.as_millis();
            add(self.input(Input::Tick));
        }
        self.now = end;
        add(self.input(Input::Tick));
        all
    }

    pub(crate) fn round(&self) -> u32 {
        self.machine.status().round.to_u32()
    }

    /// Takes height 1, round 0 to this operator's prevote for the block of its leader, operator 1.
    pub(crate) fn prevoted(me: u8, fill: u8) -> Self {
        let mut driver = Self::started(me);
        driver.receive(1, proposal(1, 0, fill, None));
        driver.body(1, candidate(0, fill));
        let out = driver.tested(1, fill, Verdict::Valid);
        assert!(out.has_sent(&prevote(1, 0, Some(fill))));
        driver
    }

    /// And on to its precommit.
    pub(crate) fn precommitted(me: u8, fill: u8) -> Self {
        let mut driver = Self::prevoted(me, fill);
        driver.receive(1, prevote(1, 0, Some(fill)));
        let out = driver.receive(2, prevote(1, 0, Some(fill)));
        assert!(out.has_sent(&precommit(1, 0, Some(fill))));
        driver
    }

    /// And on to the decision.
    pub(crate) fn decided(me: u8, fill: u8) -> Self {
        let mut driver = Self::precommitted(me, fill);
        driver.receive(1, precommit(1, 0, Some(fill)));
        let out = driver.receive(2, precommit(1, 0, Some(fill)));
        assert_eq!(out.signs, [hash(fill)]);
        driver
    }
}
