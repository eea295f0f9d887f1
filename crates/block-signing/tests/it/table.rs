//! The rules as a truth table: the actions of an operator, given its step and the facts it learns.
//!
//! The federation has five operators with threshold three, at height 1 (the step `waiting`: at
//! height 2, before its start). Operator 1 leads round 0, operator 2 round 1. B and C are blocks.
//! Votes are in the current round unless a row says `@round`, and never by the operator itself: its
//! own votes are among its actions, and count.

use core::time::Duration;

use federation_block_signing::{
    CompactSignature, Event, Input, Message, Tip, Verdict, Vote, VoteKind,
};
use federation_chain::{BlockHash, BlockHeight, UnixTime};

use crate::driver::{
    Driver, Out, T0, block_signature, candidate, certificate, hash, proposal, round_certificate,
    tip, vote,
};

/// The steps, and the facts that lead to them.
const STEPS: &str = "
    waiting           |
    propose           |
    propose, locked B | node accepts, proposal B, body B, 2 prevotes B, 3 precommits nil
    propose, round 5  | round certificate 4
    prevote           | node accepts, proposal B, body B
    prevote, nil      | timeout
    precommit         | node accepts, proposal B, body B, 2 prevotes B
    decided           | node accepts, proposal B, body B, 2 prevotes B, 2 precommits B
    decided, no body  | decision B of 8
    decided, signed   | node accepts, proposal B, body B, 2 prevotes B, 2 precommits B, signed
    observing         |
";

/// Rule, operator, step, facts, actions.
const TABLE: &str = "
    R2  | 0 | waiting           | proposal B, body B                                      | -
    R2  | 0 | waiting           | 3 prevotes B, body B                                    | -
    R2  | 0 | waiting           | 3 precommits nil                                        | -
    R2  | 0 | waiting           | node accepts, proposal B, body B, timeout               | test B, prevote B

    R3  | 0 | propose           | proposal B by 2, body B                                 | -
    R4  | 1 | propose           | template B                                              | propose B, prevote B
    R4  | 1 | propose           | template B on another tip                               | alarm
    R4  | 1 | propose           | template B, template C                                  | propose B, prevote B
    R4  | 1 | prevote, nil      | template B                                              | -
    R4  | 2 | propose           | 3 precommits nil                                        | enter 1, ask node
    R4  | 2 | precommit         | 3 precommits nil                                        | enter 1, propose B of 0, prevote B
    R4  | 2 | prevote, nil      | node accepts, body B, proof B of 0, 3 precommits nil    | precommit B, enter 1, propose B of 0, test B, prevote B

    R5  | 0 | propose           | proposal B                                              | -
    R5  | 0 | propose           | body B                                                  | -
    R5  | 0 | propose           | proposal B, body B                                      | test B
    R5  | 0 | propose           | proposal B, body B on another tip                       | prevote nil
    R5  | 0 | propose           | proposal B, body B too early                            | prevote nil
    R5  | 0 | propose           | proposal B, body B too late                             | -
    R6  | 0 | propose           | node accepts, proposal B, body B                        | test B, prevote B
    R6  | 0 | propose           | node accepts, body B, proposal B                        | test B, prevote B
    R6  | 0 | propose           | node rejects, proposal B, body B                        | test B, prevote nil

    R7  | 0 | propose, locked B | proposal B                                              | prevote B
    R7  | 0 | propose, locked B | proposal B of 0                                         | prevote B
    R7  | 0 | propose, locked B | proposal C, body C                                      | prevote nil
    R7  | 0 | propose, locked B | body C, proposal C of 0                                 | -
    R7  | 0 | propose, locked B | body C, proposal C of 0, proof C of 0                   | test C, prevote C
    R8  | 0 | propose           | timeout                                                 | prevote nil
    R8  | 0 | propose           | proposal B, body B, timeout                             | test B, prevote nil
    R8  | 0 | propose           | proposal B, body B too late, timeout                    | prevote nil
    R8  | 0 | propose, locked B | body C, proposal C of 0, timeout                        | prevote nil

    R9  | 0 | propose           | body B, 3 prevotes B                                    | precommit B
    R9  | 0 | propose           | 3 prevotes B                                            | request B
    R9  | 0 | propose           | 3 prevotes B, body B                                    | request B, precommit B
    R9  | 0 | prevote           | 1 prevotes B                                            | -
    R9  | 0 | prevote           | 2 prevotes B                                            | precommit B
    R9  | 0 | prevote           | proof B of 0                                            | precommit B
    R9  | 0 | prevote, nil      | body B, 3 prevotes B                                    | precommit B
    R9  | 0 | propose           | node rejects, proposal B, body B, 3 prevotes B          | test B, prevote nil
    R9  | 0 | precommit         | 2 prevotes B                                            | -
    R10 | 0 | prevote           | 3 prevotes nil                                          | precommit nil
    R10 | 0 | prevote, nil      | 2 prevotes nil                                          | precommit nil
    R10 | 0 | propose           | 3 prevotes nil                                          | -
    R11 | 0 | prevote           | 1 prevotes nil, timeout                                 | -
    R11 | 0 | prevote           | 1 prevotes nil, 1 prevotes C                            | -
    R11 | 0 | prevote           | 1 prevotes nil, 1 prevotes C, timeout                   | precommit nil
    R11 | 0 | propose           | node rejects, proposal B, body B, 3 prevotes B, timeout | test B, prevote nil, precommit nil

    R12 | 0 | propose           | 2 precommits nil                                        | -
    R12 | 0 | propose           | 3 precommits nil                                        | enter 1
    R12 | 0 | prevote           | 3 precommits nil                                        | enter 1
    R12 | 0 | precommit         | 3 precommits nil                                        | enter 1
    R12 | 0 | propose           | round certificate 0                                     | enter 1
    R12 | 0 | propose, round 5  | 3 precommits nil                                        | -
    R13 | 0 | propose, round 5  | 3 precommits nil, timeout                               | enter 6
    R13 | 0 | precommit         | 1 precommits nil, timeout                               | -
    R13 | 0 | precommit         | 1 precommits B, 1 precommits nil                        | -
    R13 | 0 | precommit         | 1 precommits B, 1 precommits nil, timeout               | enter 1
    R14 | 0 | propose           | 4 prevotes nil@4                                        | -
    R14 | 0 | propose           | 2 precommits nil@4                                      | -
    R14 | 0 | propose           | 1 precommits B@4, 2 precommits nil@4                    | enter 5
    R14 | 0 | propose           | round certificate 50                                    | enter 51
    R14 | 0 | prevote           | round certificate 50                                    | enter 51
    R14 | 0 | precommit         | round certificate 50                                    | enter 51
    R14 | 0 | propose, round 5  | round certificate 3                                     | -

    R16 | 0 | waiting           | body B, 3 precommits B                                  | decide B, sign B
    R16 | 0 | propose           | body B, 3 precommits B                                  | decide B, sign B
    R16 | 0 | propose           | decision B of 8                                         | decide B, request B
    R16 | 0 | propose, locked B | decision C of 8                                         | decide C, request C
    R16 | 0 | prevote           | 3 precommits B                                          | decide B, sign B
    R16 | 0 | precommit         | 1 precommits B                                          | -
    R16 | 0 | precommit         | 2 precommits B                                          | decide B, sign B
    R16 | 0 | decided           | decision C of 8                                         | alarm
    R16 | 0 | decided           | round certificate 50                                    | -
    R16 | 0 | decided           | proposal C, body C, 2 prevotes C                        | -
    R17 | 0 | decided, no body  | body B                                                  | sign B
    R17 | 0 | decided           | body B                                                  | -
    R17 | 0 | decided           | signed                                                  | send signature
    R17 | 0 | decided           | signing refused                                         | alarm
    R17 | 0 | decided           | signer unavailable                                      | -
    R18 | 0 | propose           | body B, 2 signatures B                                  | -
    R18 | 0 | propose           | body B, 3 signatures B                                  | submit B
    R18 | 0 | propose           | 3 signatures B                                          | request B
    R18 | 0 | decided           | 3 signatures B                                          | submit B
    R18 | 0 | decided, signed   | 1 signatures B                                          | -
    R18 | 0 | decided, signed   | 2 signatures B                                          | submit B
    R18 | 0 | decided, signed   | 2 signatures B, 1 signatures B                          | submit B
    R19 | 0 | propose           | tip B                                                   | finish
    R19 | 0 | decided           | tip B                                                   | finish
    R19 | 0 | decided           | tip C                                                   | alarm, finish

    R22 | 0 | propose           | proposal B of 0                                         | request B
    R22 | 0 | propose, locked B | proposal C of 0                                         | request C
    R22 | 0 | propose           | proof B of 0                                            | request B
    R22 | 0 | propose           | proposal B                                              | -

    R28 | 0 | propose           | store failed, node accepts, proposal B, body B          | alarm
    R28 | 0 | precommit         | store failed, 2 precommits B                            | alarm
    R29 | 0 | observing         | node accepts, proposal B, body B                        | -
    R29 | 0 | observing         | body B, 3 prevotes B                                    | -
    R29 | 0 | observing         | timeout                                                 | -
    R29 | 0 | observing         | 3 precommits nil                                        | enter 1
    R29 | 0 | observing         | body B, 3 precommits B                                  | decide B
    R29 | 0 | observing         | body B, 3 signatures B                                  | submit B
";

fn columns(line: &str) -> Vec<&str> {
    line.split('|').map(str::trim).collect()
}

fn facts(list: &str) -> impl Iterator<Item = &str> {
    list.split(',')
        .map(str::trim)
        .filter(|fact| !fact.is_empty())
}

fn rows(table: &str) -> impl Iterator<Item = Vec<&str>> {
    table
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(columns)
}

fn fill(block: &str) -> Option<u8> {
    match block {
        "nil" => None,
        "B" => Some(7),
        "C" => Some(8),
        other => panic!("unknown block {other}"),
    }
}

fn name(block: Option<BlockHash>) -> &'static str {
    match block {
        None => "nil",
        Some(block) if block == hash(7) => "B",
        Some(block) if block == hash(8) => "C",
        Some(other) => panic!("unknown block {other}"),
    }
}

fn number(text: &str) -> u32 {
    text.parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// One operator in one row of the table.
struct Row {
    driver: Driver,
    height: u32,
    me: u8,
    /// The node's verdict on every block that it is asked about.
    verdict: Verdict,
    /// Whose votes were received, so that each is by another operator.
    voted: Vec<(VoteKind, u32, u8)>,
    signed: Vec<u8>,
    actions: Vec<String>,
}

impl Row {
    fn new(me: u8, step: &str) -> Self {
        // Retransmissions are not in the table.
        let hour = Duration::from_secs(3600);
        let config = Driver::config(me).with_retransmit_interval(hour);
        let observing = step == "observing";
        let mut row = Self {
            driver: Driver::with(if observing {
                config.as_observer()
            } else {
                config
            }),
            height: if step == "waiting" { 2 } else { 1 },
            me,
            verdict: Verdict::Unavailable,
            voted: Vec::new(),
            signed: Vec::new(),
            actions: Vec::new(),
        };
        row.input(Input::Tip(if step == "waiting" {
            let now = UnixTime::from_millis(T0);
            Tip {
                time: now,
                first_block_time: Some(now),
                ..tip(1)
            }
        } else {
            tip(0)
        }));
        let facts_of_step = rows(STEPS)
            .find(|columns| columns[0] == step)
            .unwrap_or_else(|| panic!("unknown step {step}"))[1];
        for fact in facts(facts_of_step) {
            row.learn(fact);
        }
        row.actions.clear();
        row
    }

    fn input(&mut self, input: Input) {
        let out = self.driver.input(input);
        self.act(out);
    }

    fn receive(&mut self, sender: u8, message: Message) {
        let out = self.driver.receive(sender, message);
        self.act(out);
    }

    /// Writes down the actions, and answers for the node.
    fn act(&mut self, out: Out) {
        for event in &out.events {
            self.actions.extend(match event {
                Event::RoundStarted { round, .. } if round.to_u32() > 0 => {
                    Some(format!("enter {round}"))
                }
                Event::Decided { hash, .. } => Some(format!("decide {}", name(Some(*hash)))),
                Event::HeightFinished(_) => Some("finish".to_owned()),
                Event::Alarm(_) => Some("alarm".to_owned()),
                _ => None,
            });
        }
        for message in &out.sent {
            self.actions.extend(match message {
                Message::Vote(Vote { kind, value, .. }) => Some(match kind {
                    VoteKind::Prevote => format!("prevote {}", name(*value)),
                    VoteKind::Precommit => format!("precommit {}", name(*value)),
                }),
                Message::Proposal(p) => Some(match p.valid_round {
                    None => format!("propose {}", name(Some(p.hash))),
                    Some(round) => format!("propose {} of {round}", name(Some(p.hash))),
                }),
                Message::BodyRequest(r) => Some(format!("request {}", name(Some(r.hash)))),
                Message::BlockSignature(_) => Some("send signature".to_owned()),
                _ => None,
            });
        }
        let templates = (0..out.templates).map(|_| "ask node".to_owned());
        self.actions.extend(templates);
        let signs = out.signs.iter().map(|hash| name(Some(*hash)));
        self.actions
            .extend(signs.map(|name| format!("sign {name}")));
        let submits = out.submits.iter().map(|(block, _)| name(Some(block.hash)));
        self.actions
            .extend(submits.map(|name| format!("submit {name}")));
        for candidate in out.tests {
            self.actions
                .push(format!("test {}", name(Some(candidate.hash))));
            let verdict = self.verdict.clone();
            self.input(Input::Tested { candidate, verdict });
        }
    }

    fn others(&self) -> impl Iterator<Item = u8> + use<> {
        let me = self.me;
        (0..5).filter(move |id| *id != me)
    }

    fn leader(&self) -> u8 {
        u8::try_from((self.height + self.driver.round()) % 5).expect("one of five")
    }

    fn votes(&mut self, count: u32, kind: VoteKind, value: &str) {
        let (value, round) = match value.split_once('@') {
            Some((value, round)) => (value, number(round)),
            None => (value, self.driver.round()),
        };
        for _ in 0..count {
            let mut free = self.others();
            let voter = free.find(|id| !self.voted.contains(&(kind, round, *id)));
            let voter = voter.expect("an operator that has not voted yet");
            self.voted.push((kind, round, voter));
            self.receive(voter, vote(kind, self.height, round, fill(value)));
        }
    }

    fn certificate(&mut self, kind: VoteKind, block: &str, round: &str) {
        let voters: Vec<u8> = self.others().take(3).collect();
        let fill = fill(block).expect("a certificate of a block");
        let message = certificate(kind, self.height, number(round), fill, &voters);
        self.receive(4, message);
    }

    /// Deadlines pass until the operator acts or two seconds have gone by.
    fn timeout(&mut self) {
        let (end, acted) = (self.driver.now + 2000, self.actions.len());
        while let Some(at) = self.driver.machine.poll_timeout()
            && at.as_millis() <= end
            && self.actions.len() == acted
        {
            let out = self.driver.timeout();
            self.act(out);
        }
    }

    fn learn(&mut self, fact: &str) {
        let height = BlockHeight::new(self.height);
        let parent = self.height - 1;
        let block = |name: &str| candidate(parent, fill(name).expect("a block"));
        match fact.split(' ').collect::<Vec<_>>()[..] {
            ["node", "accepts"] => self.verdict = Verdict::Valid,
            ["node", "rejects"] => self.verdict = Verdict::Invalid("bad-txns".to_owned()),
            ["proposal", name, ref rest @ ..] => {
                let (by, of) = match rest {
                    ["by", by] => (u8::try_from(number(by)).expect("one of five"), None),
                    ["of", round] => (self.leader(), Some(number(round))),
                    _ => (self.leader(), None),
                };
                let fill = fill(name).expect("a proposal of a block");
                let round = self.driver.round();
                self.receive(by, proposal(self.height, round, fill, of));
            }
            ["body", name, ref rest @ ..] => {
                let mut candidate = block(name);
                match rest {
                    ["on", "another", "tip"] => candidate.previous = hash(99),
                    ["too", "early"] => candidate.time = UnixTime::from_millis(T0 - 60_000),
                    ["too", "late"] => candidate.time = UnixTime::from_millis(T0 + 3_600_000),
                    _ => {}
                }
                let out = self.driver.body(4, candidate);
                self.act(out);
            }
            ["template", name, ref rest @ ..] => {
                let mut candidate = block(name);
                if !rest.is_empty() {
                    candidate.previous = hash(99);
                }
                let round = self.driver.round();
                let out = self.driver.template(self.height, round, candidate);
                self.act(out);
            }
            [count, "prevotes", value] => self.votes(number(count), VoteKind::Prevote, value),
            [count, "precommits", value] => self.votes(number(count), VoteKind::Precommit, value),
            ["proof", name, "of", round] => self.certificate(VoteKind::Prevote, name, round),
            ["decision", name, "of", round] => self.certificate(VoteKind::Precommit, name, round),
            ["round", "certificate", round] => {
                let votes: Vec<_> = self.others().take(3).map(|id| (id, None)).collect();
                let message = round_certificate(self.height, number(round), &votes);
                self.receive(4, message);
            }
            [count, "signatures", name] => {
                for _ in 0..number(count) {
                    let mut free = self.others();
                    let signer = free.find(|id| !self.signed.contains(id));
                    let signer = signer.expect("an operator that has not signed yet");
                    self.signed.push(signer);
                    let fill = fill(name).expect("a signature of a block");
                    self.receive(signer, block_signature(self.height, fill));
                }
            }
            ["timeout"] => self.timeout(),
            ["signed"] => self.input(Input::Signed {
                height,
                hash: hash(7),
                signature: CompactSignature::from_bytes([7; 64]),
            }),
            ["signing", "refused"] => self.input(Input::SignRefused {
                height,
                hash: hash(7),
                reason: "token removed".to_owned(),
            }),
            ["signer", "unavailable"] => self.input(Input::SignUnavailable {
                height,
                hash: hash(7),
            }),
            ["tip", name] => self.input(Input::Tip(Tip {
                hash: block(name).hash,
                ..tip(self.height)
            })),
            ["store", "failed"] => self.input(Input::StoreFailed),
            _ => panic!("unknown fact {fact}"),
        }
    }
}

#[test]
fn every_row_of_the_table_holds() {
    let mut wrong = Vec::new();
    for columns in rows(TABLE) {
        let [rule, me, step, list, expected] = columns[..] else {
            panic!("five columns: {columns:?}");
        };
        let mut row = Row::new(u8::try_from(number(me)).expect("one of five"), step);
        for fact in facts(list) {
            row.learn(fact);
        }
        let actions = row.actions.join(", ");
        let actions = if actions.is_empty() { "-" } else { &actions };
        if actions != expected {
            wrong.push(format!(
                "{rule}: operator {me}, {step}, {list}: expected {expected}, got {actions}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_rule_about_steps_is_in_the_table() {
    // The others are about records, retransmission and faults, and have tests of their own.
    let rules = (2..=14).chain(16..=19).chain([22, 28, 29]);
    for rule in rules.map(|rule| format!("R{rule}")) {
        assert!(rows(TABLE).any(|columns| columns[0] == rule), "{rule}");
    }
}

#[test]
fn every_step_is_in_the_table() {
    for step in rows(STEPS) {
        assert!(rows(TABLE).any(|columns| columns[2] == step[0]), "{step:?}");
    }
}
