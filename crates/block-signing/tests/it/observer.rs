//! An operator that lost its memory.

use federation_block_signing::{Event, Input, Record, Standing};

use crate::driver::{Driver, block_signature, candidate, hash, precommit, prevote, proposal, tip};

fn observer() -> Driver {
    let mut driver = Driver::with(Driver::config(0).as_observer());
    let out = driver.input(Input::Tip(tip(0)));
    assert!(out.records.contains(&Record::Standing(Standing::Observing)));
    driver
}

#[test]
fn says_nothing_and_takes_part_after_others_finished_a_height() {
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
    let mut next = tip(1);
    next.hash = hash(7);
    let out = driver.input(Input::Tip(next));
    assert!(
        out.events
            .iter()
            .any(|e| matches!(e, Event::TakingPart { .. }))
    );
    assert!(!driver.machine.status().observing);
}

#[test]
fn its_own_votes_of_before_do_not_count() {
    let mut driver = observer();
    for sender in [0, 1, 2] {
        driver.receive(sender, precommit(1, 0, Some(7)));
        driver.receive(sender, block_signature(1, 7));
    }
    let mut next = tip(1);
    next.hash = hash(7);
    driver.input(Input::Tip(next));
    assert!(driver.machine.status().observing);
}

#[test]
fn a_tip_alone_does_not_make_it_take_part() {
    let mut driver = observer();
    driver.input(Input::Tip(tip(1)));
    driver.input(Input::Tip(tip(2)));
    assert!(driver.machine.status().observing);
}

#[test]
fn goes_on_observing_after_a_restart_without_the_flag() {
    let mut driver = observer();
    driver.restart_with(|_| Driver::config(0));
    driver.input(Input::Tip(tip(0)));
    assert!(driver.machine.status().observing);
    assert!(driver.pass(5000).sent_nothing());
}
