//! Repeats, requests and help for those who missed something.

use federation_block_signing::{Body, BodyRequest, Input, Message, Verdict, VoteKind};
use federation_chain::BlockHeight;

use crate::driver::{
    Driver, Out, candidate, hash, op, precommit, prevote, proposal, round_certificate, tip,
};

fn request(height: u32, fill: u8, asked: u8) -> Message {
    Message::BodyRequest(BodyRequest {
        height: BlockHeight::new(height),
        hash: hash(fill),
        asked: op(asked),
    })
}

fn bodies(out: &Out) -> usize {
    let is_body = |m: &&Message| matches!(m, Message::Body(_));
    out.sent.iter().filter(is_body).count()
}

fn is_decision(message: &Message) -> bool {
    matches!(message, Message::Certificate(c) if c.kind == VoteKind::Precommit)
}

#[test]
fn votes_of_this_round_and_what_ended_the_one_before_are_repeated_at_the_beat() {
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

#[test]
fn proposed_block_that_does_not_come_is_asked_for_from_one_after_the_other() {
    let mut driver = Driver::started(0);
    driver.receive(1, proposal(1, 0, 7, None));
    driver.receive(3, prevote(1, 0, Some(7)));
    assert!(driver.pass(100).sent_nothing());
    assert!(driver.pass(50).has_sent(&request(1, 7, 1)));
    assert!(driver.pass(600).has_sent(&request(1, 7, 3)));
}

#[test]
fn only_who_is_asked_answers_and_not_too_often() {
    let mut driver = Driver::prevoted(0, 7);
    assert_eq!(bodies(&driver.receive(3, request(1, 7, 1))), 0);
    let out = driver.receive(3, request(1, 7, 0));
    let body = Message::Body(Body {
        height: BlockHeight::new(1),
        hash: hash(7),
        bytes: candidate(0, 7).bytes,
    });
    assert_eq!(out.sent, [body]);
    assert_eq!(bodies(&driver.receive(4, request(1, 7, 0))), 0);
    driver.pass(300);
    assert_eq!(bodies(&driver.receive(4, request(1, 7, 0))), 1);
}

#[test]
fn who_still_speaks_of_the_last_height_is_sent_its_decision_once_a_beat() {
    let mut driver = Driver::decided(0, 7);
    let mut next = tip(1);
    next.hash = hash(7);
    driver.input(Input::Tip(next));
    let late = driver.receive(3, precommit(1, 0, Some(7)));
    assert!(late.sent_nothing(), "a message that is merely late is none");
    driver.pass(600);
    let out = driver.receive(3, prevote(1, 1, None));
    assert!(out.sent.iter().any(is_decision));
    assert!(driver.receive(4, prevote(1, 1, None)).sent_nothing());
    assert_eq!(bodies(&driver.receive(3, request(1, 7, 0))), 1);
}

#[test]
fn decision_and_signature_are_repeated_until_the_block_is_there() {
    let mut driver = Driver::decided(0, 7);
    driver.input(Input::Signed {
        height: BlockHeight::new(1),
        hash: hash(7),
        signature: federation_block_signing::CompactSignature::from_bytes([7; 64]),
    });
    for _ in 0..3 {
        let out = driver.pass(500);
        assert!(out.sent.iter().any(is_decision));
        let signature = |m: &Message| matches!(m, Message::BlockSignature(_));
        assert!(out.sent.iter().any(signature));
    }
}
