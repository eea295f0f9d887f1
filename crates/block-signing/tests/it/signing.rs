//! After the decision: signing, submitting, finishing; and evidence against liars.

use core::time::Duration;

use federation_block_signing::{
    Alarm, BodyRequest, CompactSignature, Config, Event, Input, Message, Phase, Record,
    SubmitOutcome, Verdict, VoteKind,
};
use federation_chain::BlockHeight;

use crate::driver::{
    Driver, Out, block_signature, candidate, certificate, hash, op, precommit, prevote, proposal,
    tip,
};

fn signed(driver: &mut Driver) -> Out {
    driver.input(Input::Signed {
        height: BlockHeight::new(1),
        hash: hash(7),
        signature: CompactSignature::from_bytes([7; 64]),
    })
}

#[test]
fn no_signature_is_asked_for_before_m_precommits() {
    let mut driver = Driver::precommitted(0, 7);
    assert!(driver.receive(1, precommit(1, 0, Some(7))).signs.is_empty());
    let out = driver.receive(2, precommit(1, 0, Some(7)));
    assert_eq!(out.signs, [hash(7)]);
    assert!(out.records.iter().any(|r| matches!(r, Record::Decision(_))));
}

#[test]
fn signature_is_stored_sent_and_with_m_of_them_the_block_is_submitted() {
    let mut driver = Driver::decided(0, 7);
    let out = signed(&mut driver);
    assert_eq!(out.sent, [block_signature(1, 7)]);
    assert!(
        out.records
            .iter()
            .any(|r| matches!(r, Record::Signature(_)))
    );
    assert!(driver.receive(1, block_signature(1, 7)).submits.is_empty());
    let out = driver.receive(2, block_signature(1, 7));
    assert_eq!(out.submits, [(candidate(0, 7), 3)]);
    // Once, until it fails.
    assert!(driver.receive(3, block_signature(1, 7)).submits.is_empty());
    driver.input(Input::Submitted {
        height: BlockHeight::new(1),
        hash: hash(7),
        outcome: SubmitOutcome::Unavailable,
    });
    assert_eq!(driver.pass(600).submits, [(candidate(0, 7), 4)]);
}

#[test]
fn refused_signature_is_requested_again_at_the_next_retransmission() {
    let mut driver = Driver::decided(0, 7);
    let out = driver.input(Input::SignRefused {
        height: BlockHeight::new(1),
        hash: hash(7),
        reason: "token removed".to_owned(),
    });
    assert!(out.sent_nothing());
    assert_eq!(driver.pass(600).signs, [hash(7)]);
}

#[test]
fn an_unreachable_signer_is_asked_again_without_an_alarm() {
    let mut driver = Driver::decided(0, 7);
    for _ in 0..3 {
        let out = driver.input(Input::SignUnavailable {
            height: BlockHeight::new(1),
            hash: hash(7),
        });
        assert!(out.sent_nothing());
        assert_eq!(out.events, []);
        assert_eq!(driver.pass(600).signs, [hash(7)]);
        // It waits for an answer, and does not ask again.
        assert!(driver.pass(600).signs.is_empty());
    }
}

#[test]
fn a_decision_of_any_round_is_accepted_and_its_block_requested() {
    let mut driver = Driver::started(0);
    let out = driver.receive(3, certificate(VoteKind::Precommit, 1, 8, 7, &[1, 2, 3]));
    assert_eq!(driver.machine.status().phase, Phase::Decided);
    let request = Message::BodyRequest(BodyRequest {
        height: BlockHeight::new(1),
        hash: hash(7),
        asked: op(1),
    });
    assert!(out.has_sent(&request));
    assert!(out.signs.is_empty());
    assert_eq!(driver.body(2, candidate(0, 7)).signs, [hash(7)]);
}

#[test]
fn m_signatures_are_enough_for_an_operator_that_missed_the_decision() {
    let mut driver = Driver::started(0);
    driver.body(1, candidate(0, 7));
    for sender in [1, 2] {
        driver.receive(sender, block_signature(1, 7));
    }
    let out = driver.receive(3, block_signature(1, 7));
    assert_eq!(out.submits.len(), 1);
    assert!(out.signs.is_empty());
}

#[test]
fn a_tip_ends_the_height_and_deletes_old_records() {
    let mut driver = Driver::decided(0, 7);
    let mut next = tip(1);
    next.hash = hash(7);
    let out = driver.input(Input::Tip(next));
    let report = out.events.iter().find_map(|event| match event {
        Event::HeightFinished(report) => Some(report),
        _ => None,
    });
    let report = report.expect("the end of the height is reported");
    assert_eq!(report.hash, hash(7));
    assert_eq!(report.leader, Some(op(1)));
    assert!(out.records.contains(&Record::Final(BlockHeight::new(1))));
    driver.input(Input::Tip(tip(2)));
    let heights: Vec<_> = driver.store.values().filter_map(Record::height).collect();
    assert!(heights.is_empty(), "{heights:?}");
}

#[test]
fn another_block_than_the_decided_one_is_an_alarm() {
    let mut driver = Driver::decided(0, 7);
    let out = driver.input(Input::Tip(tip(1)));
    let alarm = Alarm::OtherThanDecided {
        height: BlockHeight::new(1),
        decided: hash(7),
        tip: tip(1).hash,
    };
    assert!(out.events.contains(&Event::Alarm(alarm)));
}

#[test]
fn two_votes_of_one_step_are_evidence_once() {
    let mut driver = Driver::started(0);
    assert_eq!(driver.receive(3, prevote(1, 0, Some(7))).evidence, 0);
    assert_eq!(driver.receive(3, prevote(1, 0, Some(7))).evidence, 0);
    assert_eq!(driver.receive(3, prevote(1, 0, Some(8))).evidence, 1);
    assert_eq!(driver.receive(3, prevote(1, 0, None)).evidence, 0);
    assert_eq!(driver.receive(3, precommit(1, 0, Some(7))).evidence, 0);
    let inside = certificate(VoteKind::Precommit, 1, 0, 8, &[1, 2, 3]);
    assert_eq!(driver.receive(2, inside).evidence, 1);
}

#[test]
fn two_proposals_and_two_block_signatures_are_evidence() {
    let mut driver = Driver::started(0);
    driver.receive(1, proposal(1, 0, 7, None));
    assert_eq!(driver.receive(1, proposal(1, 0, 8, None)).evidence, 1);
    driver.receive(4, block_signature(1, 7));
    assert_eq!(driver.receive(4, block_signature(1, 8)).evidence, 1);
}

#[test]
fn a_copy_with_a_bad_witness_does_not_condemn_the_block() {
    let mut driver = Driver::started(0);
    driver.receive(1, proposal(1, 0, 7, None));
    let mut bad = candidate(0, 7);
    bad.bytes = bytes::Bytes::from_static(b"same hash, bad witness");
    assert_eq!(driver.body(4, bad.clone()).tests, [bad.clone()]);
    driver.body(1, candidate(0, 7));
    let refusal = Verdict::Invalid("bad-witness".to_owned());
    let out = driver.tested_copy(bad.clone(), refusal.clone());
    assert_eq!(out.tests, [candidate(0, 7)]);
    let late = driver.tested_copy(bad, refusal);
    assert!(
        late.sent_nothing(),
        "the verdict is about a copy that was judged before"
    );
    let out = driver.tested(1, 7, Verdict::Valid);
    assert_eq!(out.sent, [prevote(1, 0, Some(7))]);
}

#[test]
fn nothing_is_sent_after_a_store_failure() {
    let mut driver = Driver::precommitted(0, 7);
    let out = driver.input(Input::StoreFailed);
    assert_eq!(out.events, [Event::Alarm(Alarm::Halted)]);
    for sender in [1, 2, 3] {
        assert!(
            driver
                .receive(sender, precommit(1, 0, Some(7)))
                .signs
                .is_empty()
        );
    }
    assert_eq!(driver.machine.poll_timeout(), None);
    assert_eq!(driver.machine.status().phase, Phase::Halted);
}

#[test]
fn a_message_in_this_operators_name_that_it_never_sent_is_an_alarm_and_does_not_count() {
    let mut driver = Driver::prevoted(0, 7);
    driver.receive(1, prevote(1, 0, Some(8)));
    driver.receive(2, prevote(1, 0, Some(8)));
    let out = driver.receive(0, prevote(1, 0, Some(8)));
    assert!(matches!(
        out.events[..],
        [Event::Alarm(Alarm::OwnMessageFromElsewhere { .. })]
    ));
    assert_eq!(out.evidence, 1);
}

#[test]
fn a_vote_in_a_certificate_that_this_machine_never_cast_is_an_alarm() {
    let is_alarm = |out: &Out| {
        out.events
            .iter()
            .any(|event| matches!(event, Event::Alarm(Alarm::OwnMessageFromElsewhere { .. })))
    };
    for (kind, voters, alarm) in [
        (VoteKind::Prevote, &[0, 1, 2][..], false),
        (VoteKind::Precommit, &[1, 2, 3], false),
        (VoteKind::Precommit, &[0, 1, 2], true),
    ] {
        let mut driver = Driver::prevoted(0, 7);
        let out = driver.receive(1, certificate(kind, 1, 0, 7, voters));
        assert_eq!(is_alarm(&out), alarm, "{kind:?} {voters:?}");
        // M votes are a decision, whichever process used the keys.
        assert_eq!(out.signs.is_empty(), kind == VoteKind::Prevote);
    }
    // Cast before, and remembered.
    let mut driver = Driver::precommitted(0, 7);
    let out = driver.receive(1, certificate(VoteKind::Precommit, 1, 0, 7, &[0, 1, 2]));
    assert!(!is_alarm(&out));
}

#[test]
fn a_federation_of_one_makes_its_block() {
    let config = Config::new(1, 1, op(0), Duration::from_secs(1)).unwrap();
    let mut driver = Driver::with(config);
    driver.input(Input::Tip(tip(0)));
    assert_eq!(driver.template(1, 0, candidate(0, 7)).signs, [hash(7)]);
    assert_eq!(signed(&mut driver).submits, [(candidate(0, 7), 1)]);
}
