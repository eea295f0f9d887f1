//! After a crash: the same round, the same words, and the lock.

use federation_block_signing::{Event, Input, Machine, Message, Output, Phase, Record, Verdict};
use federation_chain::{BlockHeight, UnixTime};
use federation_roster::Round;

use crate::driver::{
    Driver, candidate, hash, precommit, prevote, proposal, round_certificate, tip,
};

/// Precommits that end a round.
const NILS: [(u8, Option<u8>); 3] = [(1, None), (2, None), (3, None)];

#[test]
fn repeats_what_it_said_and_says_nothing_else() {
    let mut driver = Driver::precommitted(0, 7);
    driver.restart();
    let out = driver.input(Input::Tip(tip(0)));
    assert!(out.has_sent(&prevote(1, 0, Some(7))));
    assert!(out.has_sent(&precommit(1, 0, Some(7))));
    assert!(out.records.is_empty(), "{:?}", out.records);
    assert_eq!(driver.machine.status().phase, Phase::Precommit);
}

#[test]
fn leader_repeats_its_proposal_and_makes_no_other() {
    let mut driver = Driver::started(1);
    driver.template(1, 0, candidate(0, 7));
    driver.restart();
    let out = driver.input(Input::Tip(tip(0)));
    assert!(out.has_sent(&proposal(1, 0, 7, None)));
    assert_eq!(out.templates, 0);
    assert!(driver.template(1, 0, candidate(0, 8)).sent_nothing());
}

#[test]
fn keeps_the_lock() {
    let mut driver = Driver::precommitted(0, 7);
    driver.restart();
    driver.input(Input::Tip(tip(0)));
    for sender in [1, 2, 3] {
        driver.receive(sender, precommit(1, 0, None));
    }
    let out = driver.receive(2, proposal(1, 1, 8, None));
    assert!(out.has_sent(&prevote(1, 1, None)));
}

#[test]
fn goes_on_in_the_round_it_had_reached() {
    let mut driver = Driver::started(0);
    driver.receive(3, round_certificate(1, 5, &NILS));
    driver.restart();
    driver.input(Input::Tip(tip(0)));
    assert_eq!(driver.round(), 6);
}

#[test]
fn asks_for_the_signature_of_a_decided_block_again() {
    let mut driver = Driver::decided(0, 7);
    driver.restart();
    assert_eq!(driver.input(Input::Tip(tip(0))).signs, [hash(7)]);
}

#[test]
fn leaves_behind_what_became_final_meanwhile() {
    let mut driver = Driver::precommitted(0, 7);
    driver.restart();
    let out = driver.input(Input::Tip(tip(3)));
    assert!(out.sent_nothing());
    assert!(
        driver
            .store
            .values()
            .all(|record| record.height().is_none())
    );
    driver.restart();
    driver.input(Input::Tip(tip(0)));
    assert_eq!(driver.machine.status().phase, Phase::NoTip);
}

/// A store of an earlier version has own votes for nil in the round before, and no reason why that
/// is over: who is still there needs the votes.
#[test]
fn repeats_the_votes_of_the_round_before_if_it_does_not_remember_what_ended_it() {
    let mut driver = Driver::started(0);
    let votes = [prevote(1, 5, None), precommit(1, 5, None)];
    let mut records = vec![Record::Round(BlockHeight::new(1), Round::new(6))];
    for vote in &votes {
        let Message::Vote(vote) = vote else {
            unreachable!()
        };
        records.push(Record::Vote(*vote));
    }
    let records = records.into_iter().map(|r| (r.key(), r));
    driver.store.extend(records);
    driver.restart();
    let out = driver.input(Input::Tip(tip(0)));
    assert!(votes.iter().all(|vote| out.has_sent(vote)));
}

/// A run with a proposal, a lock, several rounds and a decision.
fn records() -> Vec<Record> {
    let mut driver = Driver::precommitted(0, 7);
    driver.receive(3, round_certificate(1, 2, &NILS));
    driver.body(4, candidate(0, 9));
    driver.receive(4, proposal(1, 3, 7, Some(0)));
    driver.tested(1, 7, Verdict::Valid);
    for sender in [1, 2, 3] {
        driver.receive(sender, precommit(1, 0, Some(7)));
    }
    driver.store.into_values().collect()
}

fn outputs(records: Vec<Record>) -> Vec<Output> {
    let mut machine = Machine::new(Driver::config(0), records);
    machine.handle(UnixTime::from_millis(crate::driver::T0), Input::Tip(tip(0)));
    let outputs = core::iter::from_fn(|| machine.poll_output());
    outputs
        .filter(|output| !matches!(output, Output::Event(Event::HeightStarted { .. })))
        .collect()
}

#[test]
fn order_of_the_records_does_not_matter() {
    let records = records();
    assert!(records.len() > 6, "{records:?}");
    let straight = outputs(records.clone());
    let mut turned = records;
    for _ in 0..turned.len() {
        turned.rotate_left(1);
        assert_eq!(outputs(turned.clone()), straight);
        assert_eq!(outputs(turned.iter().rev().cloned().collect()), straight);
    }
}
