//! An operator that lost its store.

use std::collections::{BTreeSet, VecDeque};

use federation_block_signing::{
    CompactSignature, Event, Input, Message, Record, Standing, Tip, Verdict, VoteKind,
};
use federation_chain::{BlockHeight, UnixTime};

use crate::driver::{
    Driver, T0, block_signature, candidate, certificate, hash, precommit, prevote, proposal, tip,
};

/// Returns the tip of height 1 with a block made this long after observing began.
fn block_made_after(millis: u64) -> Tip {
    Tip {
        hash: hash(7),
        time: UnixTime::from_millis(T0 + millis),
        ..tip(1)
    }
}

/// Twice the drift: the operator's clock may be behind by one, and a block's time ahead by one.
const TWICE_THE_DRIFT: u64 = 20_000;

fn observer() -> Driver {
    let mut driver = Driver::with(Driver::config(0).as_observer());
    let out = driver.input(Input::Tip(tip(0)));
    let since = Some(UnixTime::from_millis(T0));
    let standing = Record::Standing(Standing::Observing { since });
    assert!(out.records.contains(&standing));
    driver
}

#[test]
fn stays_silent_and_participates_after_others_finished_a_height() {
    let mut driver = observer();
    assert!(driver.receive(1, proposal(1, 0, 7, None)).sent_nothing());
    assert!(driver.body(1, candidate(0, 7)).sent_nothing());
    for sender in [1, 2, 3] {
        assert!(
            driver
                .receive(sender, prevote(1, 0, Some(7)))
                .sent_nothing()
        );
    }
    for sender in [1, 2, 3] {
        let out = driver.receive(sender, precommit(1, 0, Some(7)));
        assert!(out.sent_nothing() && out.signs.is_empty());
    }
    let out = driver.input(Input::Tip(block_made_after(TWICE_THE_DRIFT + 1)));
    assert!(
        out.events
            .iter()
            .any(|e| matches!(e, Event::Participating { .. }))
    );
    assert!(!driver.machine.status().observing);
}

#[test]
fn its_votes_of_the_earlier_life_do_not_count() {
    let mut driver = observer();
    for sender in [0, 1, 2] {
        driver.receive(sender, precommit(1, 0, Some(7)));
        driver.receive(sender, block_signature(1, 7));
    }
    driver.input(Input::Tip(block_made_after(TWICE_THE_DRIFT + 1)));
    assert!(driver.machine.status().observing);
}

#[test]
fn a_tip_alone_does_not_end_observing() {
    let mut driver = observer();
    driver.input(Input::Tip(tip(1)));
    driver.input(Input::Tip(tip(2)));
    assert!(driver.machine.status().observing);
}

#[test]
fn keeps_observing_after_a_restart_without_the_flag() {
    let mut driver = observer();
    driver.restart_with(|_| Driver::config(0));
    driver.input(Input::Tip(tip(0)));
    assert!(driver.machine.status().observing);
    assert!(driver.pass(5000).sent_nothing());
}

#[test]
fn a_settled_height_with_a_possibly_older_block_does_not_end_observing() {
    for made_after in [0, 1000, TWICE_THE_DRIFT] {
        let mut driver = observer();
        for sender in [1, 2, 3] {
            driver.receive(sender, precommit(1, 0, Some(7)));
        }
        driver.input(Input::Tip(block_made_after(made_after)));
        assert!(driver.machine.status().observing);
    }
}

#[test]
fn a_block_with_the_lowest_possible_time_does_not_end_observing() {
    // Where blocks are made faster than once a second, their times run ahead of all clocks.
    let mut driver = Driver::with(Driver::config(0).as_observer());
    let ahead = T0 + 600_000;
    driver.input(Input::Tip(Tip {
        time: UnixTime::from_millis(ahead + 1000),
        median_time: UnixTime::from_millis(ahead),
        ..tip(0)
    }));
    for sender in [1, 2, 3] {
        driver.receive(sender, precommit(1, 0, Some(7)));
    }
    driver.input(Input::Tip(block_made_after(601_000)));
    assert!(driver.machine.status().observing);
}

/// Whether an observer participates after a block made this long after its first start.
fn takes_part_after(mut driver: Driver, millis: u64) -> bool {
    for sender in [1, 2, 3] {
        driver.receive(sender, precommit(1, 0, Some(7)));
    }
    driver.input(Input::Tip(block_made_after(millis)));
    !driver.machine.status().observing
}

const HOUR: u64 = 3_600_000;

#[test]
fn a_restart_restarts_observing() {
    for flag in [true, false] {
        let restarted = || {
            let mut driver = observer();
            driver.now += HOUR;
            driver.restart_with(|config| {
                if flag {
                    config.as_observer()
                } else {
                    Driver::config(0)
                }
            });
            driver.input(Input::Tip(tip(0)));
            driver
        };
        assert!(!takes_part_after(restarted(), HOUR + TWICE_THE_DRIFT));
        assert!(takes_part_after(restarted(), HOUR + TWICE_THE_DRIFT + 1));
    }
}

/// A replaced computer may start with a clock years behind, by which every block is recent.
#[test]
fn setting_the_clock_restarts_observing() {
    let set = |clock: u64| {
        let mut driver = Driver::with(Driver::config(0).as_observer());
        driver.now = clock;
        driver.input(Input::Tip(tip(0)));
        driver.now = T0;
        driver.input(Input::Tick);
        driver
    };
    for clock in [T0 - 8000 * 24 * HOUR, T0 + 8000 * 24 * HOUR] {
        assert!(!takes_part_after(set(clock), TWICE_THE_DRIFT));
        assert!(takes_part_after(set(clock), TWICE_THE_DRIFT + 1));
    }
}

#[test]
fn passing_time_does_not_restart_observing() {
    let mut driver = observer();
    driver.pass(HOUR);
    assert!(takes_part_after(driver, TWICE_THE_DRIFT + 1));
}

/// The node is lost with the store and catches up. An old decision is sent again by an operator
/// whose own node is behind, by a queue, or by anyone who kept it.
fn caught_up_from_genesis(mut driver: Driver) -> Driver {
    driver.input(Input::Tip(tip(0)));
    driver.receive(4, certificate(VoteKind::Precommit, 1, 0, 101, &[1, 2, 3]));
    driver.input(Input::Tip(tip(1)));
    driver.input(Input::Tip(tip(2)));
    driver
}

#[test]
fn an_old_decision_sent_again_does_not_end_observing() {
    let mut driver = caught_up_from_genesis(Driver::with(Driver::config(0).as_observer()));
    assert!(driver.machine.status().observing);
    assert!(driver.pass(3600).sent_nothing());
}

/// Up to the watermark of a repaired guard the machine votes for nothing, as the record marks it as
/// final.
#[test]
fn nothing_is_sent_up_to_a_height_recorded_as_final() {
    let mut driver = Driver::new(0);
    let watermark = Record::Final(BlockHeight::new(2));
    driver.store.insert(watermark.key(), watermark);
    driver.restart();
    for height in 0..2 {
        driver.input(Input::Tip(tip(height)));
        driver.receive(1, proposal(height + 1, 0, 7, None));
        driver.body(1, candidate(height, 7));
        assert!(driver.pass(10_000).sent_nothing());
    }
    driver.input(Input::Tip(tip(2)));
    assert!(!driver.pass(10_000).sent_nothing());
}

/// Five honest operators with threshold three. Operator 0 loses store, guard and node after it
/// helped to decide block 7 of height 3, which 2 and 4 know nothing about.
#[test]
fn a_lost_node_does_not_lead_to_a_second_block() {
    let mut signed = BTreeSet::new();
    let at_three = |id: u8| {
        let mut driver = Driver::new(id);
        driver.input(Input::Tip(tip(2)));
        (id, driver)
    };
    // Round 0: operators 0, 1 and 3 are connected, decide block 7, and sign it.
    let mut left = [at_three(0), at_three(1), at_three(3)];
    let out = left[2].1.template(3, 0, candidate(2, 7));
    let messages = out.sent.into_iter().map(|message| (3, message)).collect();
    exchange(&mut left, messages, &mut signed);
    assert_eq!(signed, BTreeSet::from([(7, 0), (7, 1), (7, 3)]));
    // The network splits: 1 and 3 on one side; 2, 4 and 0 on the other, with another block in a
    // later round.
    let zero = caught_up_from_genesis(Driver::with(Driver::config(0).as_observer()));
    let mut right = [(0, zero), at_three(2), at_three(4)];
    for _ in 0..100 {
        for index in 0..right.len() {
            let (id, driver) = &mut right[index];
            let id = *id;
            let mut messages: Vec<_> = driver.pass(100).sent;
            for round in 0..5 {
                messages.extend(driver.template(3, round, candidate(2, 8)).sent);
            }
            let messages = messages.into_iter().map(|message| (id, message)).collect();
            exchange(&mut right, messages, &mut signed);
        }
    }
    assert_eq!(signed, BTreeSet::from([(7, 0), (7, 1), (7, 3)]));
}

/// Delivers these drivers' messages among them until there is nothing new; block signatures are
/// collected by block and operator.
fn exchange(
    drivers: &mut [(u8, Driver)],
    mut messages: VecDeque<(u8, Message)>,
    signed: &mut BTreeSet<(u8, u8)>,
) {
    while let Some((sender, message)) = messages.pop_front() {
        for (id, driver) in drivers.iter_mut().filter(|(id, _)| *id != sender) {
            let mut outs = match &message {
                Message::Body(body) => vec![driver.body(sender, candidate(2, body.bytes[0]))],
                other => vec![driver.receive(sender, other.clone())],
            };
            while let Some(out) = outs.pop() {
                for test in &out.tests {
                    outs.push(driver.tested(3, test.bytes[0], Verdict::Valid));
                }
                for hash in &out.signs {
                    let fill = hash.as_bytes()[0];
                    signed.insert((fill, *id));
                    outs.push(driver.input(Input::Signed {
                        height: BlockHeight::new(3),
                        hash: *hash,
                        signature: CompactSignature::from_bytes([fill; 64]),
                    }));
                }
                messages.extend(out.sent.into_iter().map(|message| (*id, message)));
            }
        }
    }
}
