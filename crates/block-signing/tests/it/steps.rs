//! ```text
//! Waiting -R2-> Propose -R6,R7,R8-> Prevote -R9,R10,R11-> Precommit -R12,R13-> Propose (r + 1)
//!                                      any step -R16-> Decided -R17,R18,R19-> Waiting (h + 1)
//! ```

use federation_block_signing::{
    Alarm, Body, Event, Input, Message, Phase, Record, Refusal, Tip, Verdict, VoteKind,
};
use federation_chain::{BlockHeight, UnixTime};

use crate::driver::{Driver, T0, candidate, certificate, hash, precommit, prevote, proposal, tip};

/// Operator 1 leads height 1, round 0; most tests look at operator 0.
const ME: u8 = 0;

#[test]
fn leader_stores_proposal_block_and_prevote_before_it_sends_them() {
    let mut driver = Driver::new(1);
    assert_eq!(driver.input(Input::Tip(tip(0))).templates, 1);
    let out = driver.template(1, 0, candidate(0, 7));
    let stored = |wanted: fn(&Record) -> bool| out.records.iter().any(wanted);
    assert!(stored(|r| matches!(r, Record::Proposal(_))));
    assert!(stored(|r| matches!(r, Record::Body(_))));
    assert!(stored(|r| matches!(r, Record::Vote(_))));
    assert!(out.tests.is_empty(), "its own node made the block");
    let body = Message::Body(Body {
        height: BlockHeight::new(1),
        hash: hash(7),
        bytes: candidate(0, 7).bytes,
    });
    let wanted = [proposal(1, 0, 7, None), body, prevote(1, 0, Some(7))];
    assert_eq!(out.sent, wanted);
}

#[test]
fn leader_does_not_propose_a_block_that_does_not_build_on_its_tip() {
    let mut driver = Driver::started(1);
    let mut unfit = candidate(0, 7);
    unfit.previous = hash(99);
    let out = driver.template(1, 0, unfit);
    assert!(out.sent_nothing());
    let alarm = Alarm::UnfitTemplate {
        height: BlockHeight::new(1),
        reason: Refusal::WrongPrevious,
    };
    assert!(out.events.contains(&Event::Alarm(alarm)));
}

#[test]
fn leader_asks_for_a_template_again_at_the_next_retransmission() {
    let mut driver = Driver::with(
        Driver::config(1).with_retransmit_interval(core::time::Duration::from_millis(100)),
    );
    driver.input(Input::Tip(tip(0)));
    let round = federation_roster::Round::FIRST;
    let height = BlockHeight::new(1);
    driver.input(Input::TemplateFailed { height, round });
    assert_eq!(driver.timeout().templates, 1);
}

#[test]
fn prevotes_follow_the_verdict() {
    // verdict, immediate prevote
    let table = [
        (Verdict::Valid, Some(Some(7))),
        (Verdict::Invalid("bad-txns".to_owned()), Some(None)),
        (Verdict::Unavailable, None),
    ];
    for (verdict, expected) in table {
        let mut driver = Driver::started(ME);
        driver.receive(1, proposal(1, 0, 7, None));
        assert_eq!(driver.body(1, candidate(0, 7)).tests, [candidate(0, 7)]);
        let out = driver.tested(1, 7, verdict.clone());
        let wanted: Vec<Message> = expected.map(|v| prevote(1, 0, v)).into_iter().collect();
        assert_eq!(out.sent, wanted, "{verdict:?}");
    }
}

#[test]
fn an_unresponsive_node_costs_the_prevote_only_at_the_timeout() {
    let mut driver = Driver::with(
        Driver::config(ME).with_retransmit_interval(core::time::Duration::from_secs(9)),
    );
    driver.input(Input::Tip(tip(0)));
    driver.receive(1, proposal(1, 0, 7, None));
    driver.body(1, candidate(0, 7));
    assert!(driver.tested(1, 7, Verdict::Unavailable).sent_nothing());
    assert_eq!(driver.timeout().sent, [prevote(1, 0, None)]);
}

#[test]
fn a_node_that_recovers_in_time_is_asked_again() {
    let mut driver = Driver::with(
        Driver::config(ME).with_retransmit_interval(core::time::Duration::from_millis(100)),
    );
    driver.input(Input::Tip(tip(0)));
    driver.receive(1, proposal(1, 0, 7, None));
    driver.body(1, candidate(0, 7));
    driver.tested(1, 7, Verdict::Unavailable);
    assert_eq!(driver.timeout().tests, [candidate(0, 7)]);
    let out = driver.tested(1, 7, Verdict::Valid);
    assert_eq!(out.sent, [prevote(1, 0, Some(7))]);
}

#[test]
fn order_of_arrival_does_not_matter() {
    let mut driver = Driver::started(ME);
    for sender in [1, 2] {
        driver.receive(sender, prevote(1, 0, Some(7)));
    }
    driver.body(1, candidate(0, 7));
    driver.receive(1, proposal(1, 0, 7, None));
    let out = driver.tested(1, 7, Verdict::Valid);
    assert_eq!(out.sent, [prevote(1, 0, Some(7)), precommit(1, 0, Some(7))]);
}

#[test]
fn only_the_leader_of_the_round_proposes() {
    let mut driver = Driver::started(ME);
    driver.receive(2, proposal(1, 0, 7, None));
    assert!(driver.body(2, candidate(0, 7)).tests.is_empty());
}

#[test]
fn unfit_blocks_get_a_prevote_for_nil_without_asking_the_node() {
    let mut other_previous = candidate(0, 7);
    other_previous.previous = hash(99);
    let mut too_early = candidate(0, 7);
    too_early.time = UnixTime::from_millis(T0 - 60_000);
    for unfit in [other_previous, too_early] {
        let mut driver = Driver::started(ME);
        driver.receive(1, proposal(1, 0, 7, None));
        let out = driver.body(1, unfit);
        assert_eq!(out.sent, [prevote(1, 0, None)]);
        assert!(out.tests.is_empty());
    }
}

#[test]
fn block_from_the_future_waits_for_the_clock() {
    let mut driver = Driver::started(ME);
    driver.receive(1, proposal(1, 0, 7, None));
    let mut future = candidate(0, 7);
    future.time = UnixTime::from_millis(T0 + 11_000);
    assert!(driver.body(1, future).tests.is_empty());
    driver.now += 1000;
    assert_eq!(driver.input(Input::Tick).tests.len(), 1);
}

#[test]
fn m_prevotes_lock_the_block_and_the_lock_is_stored_first() {
    let mut driver = Driver::prevoted(ME, 7);
    driver.receive(1, prevote(1, 0, Some(7)));
    let out = driver.receive(2, prevote(1, 0, Some(7)));
    assert_eq!(out.sent, [precommit(1, 0, Some(7))]);
    let proof = |r: &Record| matches!(r, Record::ProofOfLock(p) if p.votes.len() == 3);
    assert!(out.records.iter().any(proof));
    assert!(out.records.iter().any(|r| matches!(r, Record::Vote(_))));
    assert!(driver.store.values().any(|r| matches!(r, Record::Body(_))));
}

#[test]
fn no_precommit_without_the_block() {
    let mut driver = Driver::started(ME);
    for sender in [1, 2, 3] {
        let out = driver.receive(sender, prevote(1, 0, Some(7)));
        assert!(!out.has_sent(&precommit(1, 0, Some(7))));
    }
    let out = driver.body(1, candidate(0, 7));
    assert!(out.has_sent(&precommit(1, 0, Some(7))));
}

#[test]
fn no_precommit_for_a_block_that_the_operators_node_rejects() {
    let mut driver = Driver::started(ME);
    driver.receive(1, proposal(1, 0, 7, None));
    driver.body(1, candidate(0, 7));
    driver.tested(1, 7, Verdict::Invalid("no".to_owned()));
    for sender in [1, 2, 3] {
        driver.receive(sender, prevote(1, 0, Some(7)));
    }
    assert!(driver.pass(3000).has_sent(&precommit(1, 0, None)));
}

#[test]
fn locked_operator_prevotes_another_block_only_with_a_later_proof() {
    let mut driver = Driver::precommitted(ME, 7);
    for sender in [1, 2, 3] {
        driver.receive(sender, precommit(1, 0, None));
    }
    assert_eq!(driver.round(), 1);
    // Operator 2 leads round 1, operator 3 round 2.
    driver.receive(2, proposal(1, 1, 8, None));
    assert!(driver.store.values().any(|r| matches!(r, Record::Vote(v)
        if v.kind == VoteKind::Prevote && v.round.to_u32() == 1 && v.value.is_none())));
    for sender in [1, 2, 3] {
        driver.receive(sender, precommit(1, 1, None));
    }
    assert_eq!(driver.round(), 2);
    driver.receive(3, proposal(1, 2, 8, Some(1)));
    driver.body(3, candidate(0, 8));
    let proof = certificate(VoteKind::Prevote, 1, 1, 8, &[1, 2, 3]);
    assert_eq!(driver.receive(3, proof).tests, [candidate(0, 8)]);
    let out = driver.tested(1, 8, Verdict::Valid);
    assert_eq!(out.sent, [prevote(1, 2, Some(8))]);
}

#[test]
fn a_block_that_some_are_locked_on_does_not_expire() {
    for locked in [true, false] {
        let mut driver = if locked {
            Driver::precommitted(ME, 7)
        } else {
            Driver::started(ME)
        };
        driver.receive(1, certificate(VoteKind::Prevote, 1, 0, 7, &[1, 2, 3]));
        for round in [0, 1] {
            for sender in [1, 2, 3] {
                driver.receive(sender, precommit(1, round, None));
            }
            driver.now += 3_600_000 * u64::from(1 - round);
            driver.input(Input::Tick);
        }
        // Operator 3 leads round 2.
        let round = 2;
        driver.receive(3, proposal(1, round, 7, Some(0)));
        driver.body(3, candidate(0, 7));
        let out = driver.tested(1, 7, Verdict::Valid);
        let voted = driver.store.values().any(|r| {
            matches!(r, Record::Vote(v)
            if v.kind == VoteKind::Prevote && v.round.to_u32() == round && v.value == Some(hash(7)))
        });
        assert!(voted, "locked: {locked}, {out:?}");
    }
}

#[test]
fn leader_proposes_the_block_of_the_latest_proof_again() {
    // Operator 2 leads round 1.
    let mut driver = Driver::started(2);
    driver.receive(1, proposal(1, 0, 7, None));
    driver.body(1, candidate(0, 7));
    driver.tested(1, 7, Verdict::Valid);
    for sender in [1, 3] {
        driver.receive(sender, prevote(1, 0, Some(7)));
    }
    for sender in [0, 1] {
        driver.receive(sender, precommit(1, 0, None));
    }
    let out = driver.receive(3, precommit(1, 0, None));
    assert!(out.has_sent(&proposal(1, 1, 7, Some(0))));
    assert!(out.has_sent(&prevote(1, 1, Some(7))));
    assert!(
        out.sent
            .iter()
            .any(|m| matches!(m, Message::Certificate(_)))
    );
    assert_eq!(out.templates, 0);
}

#[test]
fn late_template_is_not_proposed_in_addition_to_a_proven_block() {
    let mut driver = Driver::started(2);
    for sender in [0, 1, 3] {
        driver.receive(sender, precommit(1, 0, None));
    }
    assert_eq!(driver.round(), 1);
    driver.body(1, candidate(0, 7));
    let proof = certificate(VoteKind::Prevote, 1, 0, 7, &[0, 1, 3]);
    let out = driver.receive(1, proof);
    assert!(out.has_sent(&proposal(1, 1, 7, Some(0))));
    assert!(driver.template(1, 1, candidate(0, 9)).sent_nothing());
}

#[test]
fn a_height_starts_at_its_target_and_uses_early_messages() {
    let mut driver = Driver::new(ME);
    let early = Tip {
        first_block_time: Some(UnixTime::from_millis(T0 + 400)),
        time: UnixTime::from_millis(T0 - 200),
        ..tip(1)
    };
    driver.now = T0 - 200;
    driver.input(Input::Tip(early));
    assert_eq!(driver.machine.status().phase, Phase::Waiting);
    // Operator 2 leads height 2; its clock is ahead.
    driver.receive(2, proposal(2, 0, 7, None));
    assert!(driver.body(2, candidate(1, 7)).tests.is_empty());
    let start = driver.machine.poll_timeout().unwrap();
    assert_eq!(start, UnixTime::from_millis(T0 + 1000));
    assert_eq!(driver.timeout().tests, [candidate(1, 7)]);
}

#[test]
fn messages_of_the_next_height_are_kept() {
    let mut driver = Driver::started(ME);
    driver.receive(2, proposal(2, 0, 9, None));
    driver.body(2, candidate(1, 9));
    driver.input(Input::Tip(tip(1)));
    let out = driver.pass(5000);
    assert_eq!(out.tests, [candidate(1, 9)]);
}

#[test]
fn a_node_below_the_final_height_is_waited_for() {
    let mut driver = Driver::started(ME);
    driver.input(Input::Tip(tip(1)));
    driver.restart();
    let out = driver.input(Input::Tip(tip(0)));
    assert!(matches!(
        out.events[..],
        [Event::Alarm(Alarm::NodeBehind { .. })]
    ));
    assert_eq!(driver.machine.status().phase, Phase::NoTip);
    driver.input(Input::Tip(tip(1)));
    assert_ne!(driver.machine.status().phase, Phase::NoTip);
}

#[test]
fn deadlines_follow_a_clock_that_is_set_back() {
    let mut driver = Driver::started(ME);
    driver.now -= 3_600_000;
    driver.input(Input::Tick);
    let next = driver.machine.poll_timeout().unwrap().as_millis();
    assert!(next <= driver.now + 1000, "{next}");
}
