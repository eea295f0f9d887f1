//! Retransmission, body requests, and help for operators that missed something.

use core::time::Duration;

use federation_block_signing::{
    Alarm, Body, BodyRequest, CompactSignature, Config, Event, Input, Message, Phase, SignatureSet,
    Verdict, VoteKind,
};
use federation_chain::BlockHeight;

use crate::driver::{
    Driver, Out, block_signature, candidate, certificate, hash, op, precommit, prevote, proposal,
    round_certificate, tip,
};

fn request(height: u32, fill: u8, asked: u8) -> Message {
    Message::BodyRequest(BodyRequest {
        height: BlockHeight::new(height),
        hash: hash(fill),
        asked: op(asked),
    })
}

fn is_decision(message: &Message) -> bool {
    matches!(message, Message::Certificate(c) if c.kind == VoteKind::Precommit)
}

#[test]
fn votes_of_this_round_and_the_certificate_of_the_previous_one_are_retransmitted() {
    let mut driver = Driver::prevoted(0, 7);
    for sender in [1, 2, 3] {
        driver.receive(sender, precommit(1, 0, None));
    }
    driver.receive(2, proposal(1, 1, 8, None));
    driver.body(2, candidate(0, 8));
    driver.tested(1, 8, Verdict::Valid);
    let ended = round_certificate(1, 0, &[(1, None), (2, None), (3, None)]);
    let out = driver.pass(600);
    for message in [prevote(1, 1, Some(8)), ended] {
        assert!(out.has_sent(&message), "{message:?}");
    }
    assert!(!out.has_sent(&prevote(1, 0, Some(7))));
}

/// Returns the operators asked for a body.
fn asked(out: &Out) -> Vec<u8> {
    let of = |message: &Message| match message {
        Message::BodyRequest(request) => Some(request.asked.to_u8()),
        _ => None,
    };
    out.sent.iter().filter_map(of).collect()
}

/// The propose timeout of the tests' federation, after which a body of unknown timing counts as
/// lost.
const PROPOSE: u64 = 500;

#[test]
fn proposed_block_is_awaited_and_then_requested_from_one_operator_after_another() {
    // A round that is long enough to ask twice.
    let mut driver = Driver::started(0);
    for round in 0..5 {
        for sender in [1, 2, 3] {
            driver.receive(sender, precommit(1, round, None));
        }
    }
    driver.receive(1, proposal(1, 5, 7, None));
    driver.receive(3, prevote(1, 5, Some(7)));
    assert_eq!(asked(&driver.pass(PROPOSE - 1)), []);
    // Its voter has it; whether the leader's copy is still under way is unknown.
    assert_eq!(asked(&driver.pass(1)), [3]);
    assert_eq!(asked(&driver.pass(PROPOSE - 1)), []);
    assert_eq!(asked(&driver.pass(1)), [1]);
}

/// Returns a machine that received the proposal's body after this many milliseconds at height 1,
/// now at the beginning of height 2, whose leader is operator 2.
fn paced(millis: u64) -> Driver {
    let mut driver = Driver::started(0);
    driver.receive(1, proposal(1, 0, 7, None));
    driver.now += millis;
    driver.body(1, candidate(0, 7));
    let mut next = tip(1);
    next.hash = hash(7);
    driver.input(Input::Tip(next));
    while driver.machine.status().phase != Phase::Propose {
        driver.timeout();
    }
    driver
}

#[test]
fn waiting_times_follow_recent_bodies() {
    for (took, waits) in [(10, PROPOSE / 4), (100, 200), (200, 400)] {
        let mut driver = paced(took);
        driver.receive(2, proposal(2, 0, 9, None));
        assert_eq!(asked(&driver.pass(waits - 1)), [], "{took} ms");
        assert_eq!(asked(&driver.pass(1)), [2], "{took} ms");
    }
}

#[test]
fn proven_block_is_requested_at_once_unless_it_is_under_way() {
    let proof = || certificate(VoteKind::Prevote, 1, 0, 7, &[1, 2, 3]);
    let mut driver = Driver::started(0);
    driver.receive(1, proposal(1, 0, 7, None));
    assert_eq!(asked(&driver.receive(2, proof())), []);
    assert_eq!(asked(&driver.pass(PROPOSE)), [1]);
    // Here no operator has announced it.
    let mut driver = Driver::started(0);
    assert_eq!(asked(&driver.receive(2, proof())), [1]);
}

#[test]
fn block_of_an_older_proof_is_requested_as_well() {
    let mut driver = Driver::started(0);
    for sender in [1, 2, 3] {
        driver.receive(sender, precommit(1, 0, None));
    }
    assert_eq!(driver.round(), 1);
    let proof = certificate(VoteKind::Prevote, 1, 0, 7, &[1, 2, 3]);
    assert_eq!(asked(&driver.receive(2, proof)), [1]);
}

#[test]
fn another_copy_of_a_proven_block_is_requested_when_the_node_rejects_the_one_held() {
    let mut driver = Driver::started(0);
    let mut bad = candidate(0, 7);
    bad.bytes = bytes::Bytes::from_static(b"same hash, bad witness");
    driver.receive(1, proposal(1, 0, 7, None));
    driver.body(4, bad.clone());
    let refusal = Verdict::Invalid("bad-witness".to_owned());
    assert_eq!(asked(&driver.tested_copy(bad, refusal)), []);
    let proof = certificate(VoteKind::Prevote, 1, 0, 7, &[1, 2, 3]);
    driver.receive(2, proof);
    // The leader's copy may still be under way.
    assert_eq!(asked(&driver.pass(PROPOSE)).len(), 1);
    // In the next round the node is asked again, and the requests continue.
    for sender in [1, 2, 3] {
        driver.receive(sender, precommit(1, 0, None));
    }
    assert_eq!(driver.round(), 1);
    assert_eq!(asked(&driver.pass(PROPOSE)).len(), 1);
    driver.body(3, candidate(0, 7));
    assert_eq!(asked(&driver.pass(10 * PROPOSE)), []);
}

#[test]
fn a_block_is_no_longer_requested_once_its_round_is_voted_on() {
    let mut driver = Driver::started(0);
    driver.receive(1, proposal(1, 0, 7, None));
    driver.now += PROPOSE;
    assert!(driver.input(Input::Tick).has_sent(&prevote(1, 0, None)));
    assert_eq!(asked(&driver.pass(4 * PROPOSE)), []);
}

fn body(on: u32, fill: u8) -> Message {
    Message::Body(Body {
        height: BlockHeight::new(on + 1),
        hash: hash(fill),
        bytes: candidate(on, fill).bytes,
    })
}

#[test]
fn only_the_operator_addressed_replies_and_only_to_the_requester() {
    let mut driver = Driver::prevoted(0, 7);
    assert!(driver.receive(3, request(1, 7, 1)).sent_nothing());
    let out = driver.receive(3, request(1, 7, 0));
    assert_eq!((out.sent, out.sent_to), (vec![], vec![(op(3), body(0, 7))]));
    let again = driver.receive(3, request(1, 7, 0));
    assert!(again.sent_nothing(), "it is already under way");
    let other = driver.receive(4, request(1, 7, 0));
    assert_eq!(other.sent_to, [(op(4), body(0, 7))]);
}

#[test]
fn leader_does_not_send_a_body_again_while_its_broadcast_is_under_way() {
    let mut leader = Driver::started(1);
    assert!(leader.template(1, 0, candidate(0, 7)).has_sent(&body(0, 7)));
    for millis in [0, 1000, 1000, 1000] {
        leader.pass(millis);
        for sender in [0, 2, 3, 4] {
            let out = leader.receive(sender, request(1, 7, 1));
            assert_eq!(out.sent_to, [], "operator {sender}");
        }
    }
    // After as long as a round may last it must be lost.
    leader.pass(2000);
    assert_eq!(leader.receive(3, request(1, 7, 1)).sent_to.len(), 1);
}

#[test]
fn a_slow_block_is_sent_once() {
    let config = |me: u8| Config::new(20, 11, op(me), Duration::from_secs(60)).unwrap();
    let mut leader = Driver::with(config(1));
    leader.input(Input::Tip(tip(0)));
    let out = leader.template(1, 0, candidate(0, 7));
    assert!(out.has_sent(&body(0, 7)));
    let others = (0..20).filter(|id| *id != 1);
    let mut others: Vec<(u8, Driver)> = others.map(|id| (id, Driver::with(config(id)))).collect();
    for (_, other) in &mut others {
        other.input(Input::Tip(tip(0)));
        other.receive(1, proposal(1, 0, 7, None));
    }
    let (mut requests, mut copies) = (0, 0);
    for _ in 0..200 {
        leader.pass(50);
        for (id, other) in &mut others {
            for message in other.pass(50).sent {
                if matches!(message, Message::BodyRequest(_)) {
                    requests += 1;
                    copies += leader.receive(*id, message).sent_to.len();
                }
            }
        }
    }
    // In ten seconds each of them asks the only operator that has it, or not at all because its
    // round is over.
    assert!(requests <= 19, "{requests}");
    assert_eq!(copies, 0);
}

#[test]
fn the_bodies_sent_to_one_requester_are_bounded() {
    // The last height, and the current one.
    let mut last = Driver::decided(0, 7);
    let mut next = tip(1);
    next.hash = hash(7);
    last.input(Input::Tip(next));
    for (mut driver, most) in [(last, 2), (Driver::prevoted(0, 7), 3)] {
        let mut bodies = 0;
        for _ in 0..600 {
            driver.now += 10;
            let out = driver.receive(4, request(1, 7, 0));
            assert!(!out.sent.iter().any(|m| matches!(m, Message::Body(_))));
            bodies += out.sent_to.len();
        }
        assert!(bodies > 0 && bodies <= most, "{bodies} of {most}");
    }
}

#[test]
fn an_operator_still_at_the_last_height_is_sent_its_decision_once_per_interval() {
    let mut driver = Driver::decided(0, 7);
    let mut next = tip(1);
    next.hash = hash(7);
    driver.input(Input::Tip(next));
    let late = driver.receive(3, precommit(1, 0, Some(7)));
    assert!(
        late.sent_nothing(),
        "a message that is merely late gets no help"
    );
    driver.pass(600);
    let out = driver.receive(3, prevote(1, 1, None));
    assert!(out.sent.iter().any(is_decision));
    assert!(driver.receive(4, prevote(1, 1, None)).sent_nothing());
    let asked = driver.receive(3, request(1, 7, 0));
    assert_eq!(asked.sent_to, [(op(3), body(0, 7))]);
}

/// Returns an operator that submitted block 7 of height 1, signed by operators 0 to 2.
fn finished() -> Driver {
    let mut driver = Driver::decided(0, 7);
    driver.input(Input::Signed {
        height: BlockHeight::new(1),
        hash: hash(7),
        signature: CompactSignature::from_bytes([7; 64]),
    });
    driver.receive(1, block_signature(1, 7));
    assert_eq!(driver.receive(2, block_signature(1, 7)).submits.len(), 1);
    let mut next = tip(1);
    next.hash = hash(7);
    driver.input(Input::Tip(next));
    driver.pass(600);
    driver
}

#[test]
fn one_helper_has_everything_that_a_laggard_needs() {
    let mut helper = finished();
    let help = helper.receive(3, prevote(1, 1, None));
    let mut laggard = Driver::started(3);
    laggard.receive(1, proposal(1, 0, 7, None));
    let mut submits = Vec::new();
    for message in help.sent {
        for request in laggard.receive(0, message).sent {
            for (to, body) in helper.receive(3, request).sent_to {
                assert_eq!((to, &body), (op(3), &self::body(0, 7)));
                submits.extend(laggard.body(0, candidate(0, 7)).submits);
            }
        }
    }
    // The body is first expected from the leader.
    while submits.is_empty() {
        for request in laggard.timeout().sent {
            if helper.receive(3, request).sent_to.len() == 1 {
                submits.extend(laggard.body(0, candidate(0, 7)).submits);
            }
        }
    }
    assert_eq!(submits, [(candidate(0, 7), 3)]);
}

fn signature_set(fill: u8, signers: &[u8]) -> Message {
    let one = |id: &u8| (op(*id), CompactSignature::from_bytes([fill; 64]));
    Message::SignatureSet(SignatureSet {
        height: BlockHeight::new(1),
        hash: hash(fill),
        signatures: signers.iter().map(one).collect(),
    })
}

#[test]
fn signatures_passed_on_count_once_each_and_those_of_strangers_do_not() {
    let mut driver = Driver::started(0);
    driver.body(1, candidate(0, 7));
    let set = |signers| signature_set(7, signers);
    assert_eq!(driver.receive(4, set(&[1, 2])).submits, []);
    assert_eq!(driver.receive(3, set(&[1, 2, 5, 19])).submits, []);
    let out = driver.receive(3, set(&[2, 4]));
    assert_eq!(out.submits, [(candidate(0, 7), 3)]);
    assert!(out.signs.is_empty(), "no decision is known");
}

#[test]
fn a_signature_in_this_operators_name_that_it_never_made_is_an_alarm() {
    let mut driver = Driver::started(0);
    let out = driver.receive(3, signature_set(7, &[0, 1]));
    let alarm = Alarm::OwnMessageFromElsewhere {
        height: BlockHeight::new(1),
        round: federation_roster::Round::FIRST,
    };
    assert!(out.events.contains(&Event::Alarm(alarm)));
    // Signatures that an observer made before it lost its store do not count.
    let mut observer = Driver::with(Driver::config(0).as_observer());
    observer.input(Input::Tip(tip(0)));
    observer.body(1, candidate(0, 7));
    let out = observer.receive(3, signature_set(7, &[0, 1, 2]));
    assert!(out.events.is_empty() && out.submits.is_empty());
    assert_eq!(observer.receive(3, signature_set(7, &[4])).submits.len(), 1);
}

#[test]
fn signatures_passed_on_are_not_evidence() {
    let mut driver = Driver::started(0);
    assert_eq!(driver.receive(3, signature_set(7, &[1, 2])).evidence, 0);
    assert_eq!(driver.receive(3, signature_set(8, &[1, 2])).evidence, 0);
    assert_eq!(driver.receive(1, block_signature(1, 8)).evidence, 0);
    // With the envelopes of both they are.
    driver.receive(4, block_signature(1, 7));
    assert_eq!(driver.receive(4, block_signature(1, 8)).evidence, 1);
}

#[test]
fn decision_and_signature_are_retransmitted_until_the_node_has_the_block() {
    let mut driver = Driver::decided(0, 7);
    driver.input(Input::Signed {
        height: BlockHeight::new(1),
        hash: hash(7),
        signature: CompactSignature::from_bytes([7; 64]),
    });
    for _ in 0..3 {
        let out = driver.pass(500);
        assert!(out.sent.iter().any(is_decision));
        let signature = |m: &Message| matches!(m, Message::BlockSignature(_));
        assert!(out.sent.iter().any(signature));
    }
}
