//! After a crash: the same round, the same messages, and the lock.

use federation_block_signing::{Event, Input, Machine, Message, Output, Phase, Record, Verdict};
use federation_chain::{BlockHeight, UnixTime};
use federation_roster::Round;

use crate::driver::{
    Driver, T0, candidate, hash, precommit, prevote, proposal, round_certificate, tip,
};

/// Precommits that end a round.
const NILS: [(u8, Option<u8>); 3] = [(1, None), (2, None), (3, None)];

#[test]
fn retransmits_its_messages_and_sends_nothing_else() {
    let mut driver = Driver::precommitted(0, 7);
    driver.restart();
    let out = driver.input(Input::Tip(tip(0)));
    assert!(out.has_sent(&prevote(1, 0, Some(7))));
    assert!(out.has_sent(&precommit(1, 0, Some(7))));
    assert!(out.records.is_empty(), "{:?}", out.records);
    assert_eq!(driver.machine.status().phase, Phase::Precommit);
}

#[test]
fn leader_retransmits_its_proposal_and_makes_no_other() {
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
fn resumes_in_the_round_it_had_reached() {
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
fn drops_what_became_final_in_the_meantime() {
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

/// A store written by an earlier version has this operator's votes for nil of the previous round,
/// and no proof that it is over: operators still in it need the votes.
#[test]
fn retransmits_the_votes_of_the_previous_round_if_it_has_no_certificate_of_it() {
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

/// Returns the records of a run with a proposal, a lock, several rounds and a decision.
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
    machine.handle(UnixTime::from_millis(T0), Input::Tip(tip(0)));
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

/// Runs a height at which this operator, number 1, leads every fifth round with a fresh block, and
/// all others reject everything, for these rounds. Returns every record ever stored.
fn refused_rounds(driver: &mut Driver, from: u32, to: u32) -> Vec<Record> {
    let mut written = Vec::new();
    for round in from..to {
        let mut outs = Vec::new();
        if round % 5 == 0 {
            let mut fresh = candidate(0, u8::try_from(round % 250 + 1).expect("small"));
            fresh.time = UnixTime::from_millis(driver.now);
            outs.push(driver.template(1, round, fresh));
        }
        while driver.machine.status().phase == Phase::Propose {
            outs.push(driver.timeout());
        }
        for message in [prevote(1, round, None), precommit(1, round, None)] {
            for sender in [0, 2, 3, 4] {
                outs.push(driver.receive(sender, message.clone()));
            }
        }
        while driver.round() == round {
            outs.push(driver.timeout());
        }
        written.extend(outs.into_iter().flat_map(|out| out.records));
    }
    written
}

/// Counts the records of this operator's messages, of blocks and of proofs of lock.
fn stored(driver: &Driver) -> (usize, usize, usize) {
    let count = |kind: fn(&Record) -> bool| driver.store.values().filter(|r| kind(r)).count();
    (
        count(|r| matches!(r, Record::Vote(_) | Record::Proposal(_))),
        count(|r| matches!(r, Record::Body(_))),
        count(|r| matches!(r, Record::ProofOfLock(_))),
    )
}

#[test]
fn a_long_height_leaves_a_bounded_number_of_records() {
    let mut driver = Driver::started(1);
    refused_rounds(&mut driver, 0, 30);
    let after_thirty = (stored(&driver), driver.store.len());
    refused_rounds(&mut driver, 30, 500);
    assert_eq!((stored(&driver), driver.store.len()), after_thirty);
    let ((words, bodies, proofs), all) = after_thirty;
    // The window is ten rounds.
    assert!(words <= 2 * 11 + 3, "{words}");
    assert!(bodies <= 1, "{bodies}");
    assert_eq!(proofs, 0);
    assert!(all <= words + bodies + 3, "{all}");
}

#[test]
fn lock_with_its_block_and_proof_outlives_the_rounds_of_a_long_height_and_restarts() {
    let mut driver = Driver::started(1);
    driver.template(1, 0, candidate(0, 7));
    for sender in [2, 3] {
        driver.receive(sender, prevote(1, 0, Some(7)));
    }
    refused_rounds(&mut driver, 0, 40);
    assert_eq!(stored(&driver).1, 1, "the locked block");
    assert_eq!(stored(&driver).2, 1, "its proof");
    for again in 1..3u32 {
        driver.restart();
        driver.input(Input::Tip(tip(0)));
        // It leads every fifth round, is locked, and proposes its block again.
        let round = 40 * again;
        assert_eq!(driver.round(), round);
        let proposed = driver.store.values().any(
            |record| matches!(record, Record::Proposal(p) if p.round.to_u32() == round && p.hash == hash(7)),
        );
        assert!(proposed, "round {round}");
        refused_rounds(&mut driver, round, round + 40);
    }
}

#[test]
fn nothing_is_sent_again_in_rounds_that_the_store_has_pruned() {
    let mut driver = Driver::started(1);
    let mut written = refused_rounds(&mut driver, 0, 100);
    driver.restart();
    let mut outs = vec![driver.input(Input::Tip(tip(0)))];
    // Messages of rounds long left, and of a later one.
    for round in [0, 50, 95, 100, 101] {
        for sender in [0, 2, 3, 4] {
            outs.push(driver.receive(sender, prevote(1, round, Some(8))));
            outs.push(driver.receive(sender, precommit(1, round, None)));
        }
        outs.push(driver.pass(2000));
    }
    let round = driver.round();
    written.extend(refused_rounds(&mut driver, round, 130));
    written.extend(outs.into_iter().flat_map(|out| out.records));
    let mut votes = std::collections::BTreeMap::new();
    for record in written {
        if matches!(record, Record::Vote(_)) {
            let first = votes.entry(record.key()).or_insert_with(|| record.clone());
            assert_eq!(*first, record);
        }
    }
    assert!(votes.len() > 200);
}

#[test]
fn a_store_that_was_never_pruned_is_read_and_pruned() {
    let mut driver = Driver::started(1);
    let written = refused_rounds(&mut driver, 0, 100);
    for record in written {
        driver.store.insert(record.key(), record);
    }
    assert!(driver.store.len() > 200, "{}", driver.store.len());
    driver.restart();
    driver.input(Input::Tip(tip(0)));
    assert_eq!(driver.round(), 100);
    assert!(driver.store.len() < 40, "{}", driver.store.len());
}
