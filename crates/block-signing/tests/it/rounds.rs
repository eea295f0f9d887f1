//! Moving on: time-outs, later rounds, filled rounds.

use federation_block_signing::{Input, Message, Record, Verdict, VoteKind};

use crate::driver::{Driver, Out, candidate, certificate, hash, precommit, prevote, proposal, tip};

#[test]
fn m_nil_precommits_end_the_round_at_once() {
    let mut driver = Driver::started(0);
    driver.receive(1, precommit(1, 0, None));
    driver.receive(2, precommit(1, 0, None));
    assert_eq!(driver.round(), 0);
    driver.receive(3, precommit(1, 0, None));
    assert_eq!(driver.round(), 1);
}

#[test]
fn after_one_turn_of_leaders_rounds_end_by_the_clock() {
    let mut driver = Driver::started(0);
    for round in 0..5 {
        for sender in [1, 2, 3] {
            driver.receive(sender, precommit(1, round, None));
        }
    }
    assert_eq!(driver.round(), 5);
    for sender in [1, 2, 3] {
        driver.receive(sender, precommit(1, 5, None));
    }
    assert_eq!(driver.round(), 5);
    driver.pass(60_000);
    assert_eq!(driver.round(), 6);
}

#[test]
fn mixed_precommits_end_the_round_after_a_time_out() {
    let mut driver = Driver::precommitted(0, 7);
    driver.receive(1, precommit(1, 0, Some(7)));
    driver.receive(2, precommit(1, 0, None));
    assert_eq!(driver.round(), 0);
    driver.pass(300);
    assert_eq!(driver.round(), 1);
}

#[test]
fn mixed_prevotes_bring_a_nil_precommit_after_a_time_out() {
    let mut driver = Driver::prevoted(0, 7);
    driver.receive(1, prevote(1, 0, Some(7)));
    assert!(driver.receive(2, prevote(1, 0, None)).sent_nothing());
    assert!(driver.pass(300).has_sent(&precommit(1, 0, None)));
}

#[test]
fn alone_nobody_leaves_the_round() {
    let mut driver = Driver::started(0);
    driver.pass(600_000);
    assert_eq!(driver.round(), 0);
}

#[test]
fn one_honest_operator_in_a_later_round_is_followed_and_the_round_before_filled() {
    // Three of five: 2M - N is 1.
    let mut driver = Driver::started(0);
    let out = driver.receive(3, prevote(1, 6, None));
    assert_eq!(driver.round(), 6);
    assert_eq!(out.sent[..2], [prevote(1, 5, None), precommit(1, 5, None)]);
    assert!(out.records.iter().any(|r| matches!(r, Record::Round(..))));
}

#[test]
fn fewer_than_one_honest_operator_are_not_followed() {
    // Four of five: 2M - N is 3.
    let config = federation_block_signing::Config::new(
        5,
        4,
        crate::driver::op(0),
        core::time::Duration::from_secs(1),
    );
    let mut driver = Driver::with(config.unwrap());
    driver.input(Input::Tip(tip(0)));
    driver.receive(1, prevote(1, 9, None));
    driver.receive(2, prevote(1, 4, None));
    assert_eq!(driver.round(), 0);
    driver.receive(3, prevote(1, 5, None));
    assert_eq!(driver.round(), 4);
}

#[test]
fn rounds_that_nobody_can_have_reached_are_not_followed() {
    let mut driver = Driver::started(0);
    driver.receive(3, prevote(1, u32::MAX, None));
    driver.receive(3, precommit(1, 100_000, None));
    assert_eq!(driver.round(), 0);
    driver.pass(7_200_000);
    driver.receive(4, precommit(1, 100_000, None));
    assert_eq!(driver.round(), 100_000);
}

#[test]
fn proof_from_an_earlier_round_reaches_who_missed_the_prevotes() {
    let mut driver = Driver::started(0);
    driver.body(1, candidate(0, 7));
    let out = driver.receive(2, certificate(VoteKind::Prevote, 1, 0, 7, &[1, 2, 3]));
    assert!(out.has_sent(&precommit(1, 0, Some(7))));
}

#[test]
fn certificate_with_too_few_votes_is_nothing() {
    let mut driver = Driver::started(0);
    driver.body(1, candidate(0, 7));
    let out = driver.receive(2, certificate(VoteKind::Prevote, 1, 0, 7, &[1, 2]));
    assert!(out.sent_nothing());
    let out = driver.receive(2, certificate(VoteKind::Precommit, 1, 0, 7, &[1, 2, 9]));
    assert!(out.signs.is_empty());
}

/// Ends rounds by the votes of the others for nil until this one begins; what comes out then.
fn pass_to(driver: &mut Driver, round: u32) -> Out {
    loop {
        let now = driver.round();
        let nil = [prevote(1, now, None), precommit(1, now, None)];
        let mut said = nil
            .iter()
            .flat_map(|vote| [1, 3, 4].map(|sender| (sender, vote)));
        let begun = loop {
            let out = match said.next() {
                Some((sender, vote)) => driver.receive(sender, vote.clone()),
                None => driver.timeout(),
            };
            if driver.round() > now {
                break out;
            }
        };
        if driver.round() >= round {
            return begun;
        }
    }
}

fn proposed(out: &Out, fill: u8) -> bool {
    let is_it = |m: &Message| matches!(m, Message::Proposal(p) if p.hash == hash(fill));
    out.sent.iter().any(is_it)
}

/// Operator 2, who leads rounds 1 and 6, holds block 7 and a proof of lock for it from round 0,
/// after it precommitted nil there.
fn unlocked_leader_with_a_proof() -> Driver {
    let mut driver = Driver::started(2);
    driver.receive(1, proposal(1, 0, 7, None));
    driver.body(1, candidate(0, 7));
    for sender in [0, 3, 4] {
        driver.receive(sender, prevote(1, 0, None));
    }
    assert!(driver.pass(600).has_sent(&precommit(1, 0, None)));
    driver.receive(3, certificate(VoteKind::Prevote, 1, 0, 7, &[0, 1, 3]));
    driver
}

#[test]
fn leader_that_is_not_locked_makes_a_fresh_block_when_its_node_refuses_the_proven_one() {
    let mut driver = unlocked_leader_with_a_proof();
    // Never judged: M operators vouch for it.
    assert!(proposed(&pass_to(&mut driver, 1), 7));
    let refused = driver.tested(1, 7, Verdict::Invalid("bad-peg-in".to_owned()));
    assert!(refused.has_sent(&prevote(1, 1, None)));
    for round in [6, 11] {
        let begun = pass_to(&mut driver, round);
        assert!(!proposed(&begun, 7), "round {round}");
        assert_eq!(begun.templates, 1, "round {round}");
    }
    let fresh = |driver: &Driver, fill| federation_block_signing::Candidate {
        time: federation_chain::UnixTime::from_millis(driver.now),
        ..candidate(0, fill)
    };
    let block = fresh(&driver, 9);
    let out = driver.template(1, 11, block);
    assert!(proposed(&out, 9));
    // Whatever comes then, one proposal a round is all.
    let out = driver.receive(3, certificate(VoteKind::Prevote, 1, 10, 7, &[0, 1, 3]));
    assert!(!proposed(&out, 7));
    let block = fresh(&driver, 8);
    assert!(!proposed(&driver.template(1, 11, block), 8));
}

#[test]
fn locked_leader_proposes_its_block_again_though_its_node_refuses_it_now() {
    let mut driver = Driver::prevoted(2, 7);
    driver.receive(1, prevote(1, 0, Some(7)));
    let out = driver.receive(3, prevote(1, 0, Some(7)));
    assert!(out.has_sent(&precommit(1, 0, Some(7))));
    pass_to(&mut driver, 5);
    driver.receive(1, proposal(1, 5, 7, Some(0)));
    driver.tested(1, 7, Verdict::Invalid("bad-peg-in".to_owned()));
    assert!(proposed(&pass_to(&mut driver, 6), 7));
}

#[test]
fn leader_whose_node_takes_the_proven_block_again_proposes_it() {
    let mut driver = unlocked_leader_with_a_proof();
    pass_to(&mut driver, 1);
    driver.tested(1, 7, Verdict::Invalid("bad-peg-in".to_owned()));
    pass_to(&mut driver, 2);
    driver.receive(3, proposal(1, 2, 7, Some(0)));
    driver.tested(1, 7, Verdict::Valid);
    assert!(proposed(&pass_to(&mut driver, 6), 7));
}
