//! Moving on: time-outs, later rounds, filled rounds.

use federation_block_signing::{Input, Record, VoteKind};

use crate::driver::{Driver, candidate, certificate, precommit, prevote, tip};

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
