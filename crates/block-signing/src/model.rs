//! The model of `examples/model`, small enough for every test run: exhaustive up to a depth, and by
//! random walks beyond it. Both detect faulty machines.

#[path = "../examples/model/system.rs"]
mod system;

use std::collections::BTreeSet;

use stateright::{Checker, Expectation, Model, Property};

use self::system::{Crashes, Federation};
use crate::mutation::Mutation;

/// How many states a test visits.
const STATES: usize = 40_000;

/// The number of random walks, and of steps in each.
const WALKS: u64 = 60;
const STEPS: usize = 150;

fn federation(size: u8, threshold: usize, crashes: Crashes, fault: Option<Mutation>) -> Federation {
    let mut federation = Federation::new(size, threshold, 3, crashes);
    for config in &mut federation.configs {
        config.mutation = fault;
    }
    federation
}

/// Returns the names of the properties that must always hold.
fn always(federation: &Federation) -> impl Iterator<Item = &'static str> {
    let always = |property: &Property<Federation>| property.expectation == Expectation::Always;
    let properties = federation.properties().into_iter();
    properties.filter(always).map(|property| property.name)
}

#[test]
fn safety_holds_in_every_order_of_the_first_steps() {
    for (size, threshold, crashes) in [
        (3, 2, Crashes::UpTo(1)),
        (3, 2, Crashes::Always),
        (4, 3, Crashes::UpTo(1)),
    ] {
        let federation = federation(size, threshold, crashes, None);
        let checker = federation.checker().target_state_count(STATES).spawn_bfs();
        let checker = checker.join();
        for name in always(checker.model()) {
            checker.assert_no_discovery(name);
        }
        println!(
            "{threshold} of {size}, {crashes:?}: {} states, all up to {} steps",
            checker.unique_state_count(),
            checker.max_depth() - 1
        );
    }
}

/// Walks at random and collects the properties that were seen to differ from the default: those
/// that must always hold and failed, and those that may come true and did.
fn walk(federation: &Federation, seed: u64, seen: &mut BTreeSet<&'static str>) {
    let mut dice = seed.wrapping_mul(2).wrapping_add(1);
    let mut roll = |sides: usize| {
        dice = dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(dice >> 33).unwrap_or_default() % sides
    };
    let properties = federation.properties();
    let mut state = federation.init_states().remove(0);
    for _ in 0..STEPS {
        let mut actions = Vec::new();
        federation.actions(&state, &mut actions);
        if actions.is_empty() {
            return;
        }
        let action = actions.swap_remove(roll(actions.len()));
        let Some(next) = federation.next_state(&state, action) else {
            return;
        };
        state = next;
        for property in &properties {
            let holds = (property.condition)(federation, &state);
            if holds == (property.expectation == Expectation::Sometimes) {
                seen.insert(property.name);
            }
        }
    }
}

#[test]
fn random_walks_decide_in_every_round_and_never_twice() {
    for (size, threshold, crashes) in [
        (3, 2, Crashes::UpTo(1)),
        (3, 2, Crashes::Always),
        (4, 3, Crashes::UpTo(1)),
    ] {
        let federation = federation(size, threshold, crashes, None);
        let mut seen = BTreeSet::new();
        for seed in 0..WALKS {
            walk(&federation, seed, &mut seen);
        }
        for property in federation.properties() {
            let expected = property.expectation == Expectation::Sometimes;
            let found = seen.contains(property.name);
            assert_eq!(found, expected, "{size} {crashes:?}: {}", property.name);
        }
    }
}

#[test]
fn faulty_machines_are_detected() {
    for fault in [
        Mutation::SmallQuorum,
        Mutation::SignAtPrecommit,
        Mutation::NoLock,
        Mutation::ForgetLock,
    ] {
        let federation = federation(3, 2, Crashes::Always, Some(fault));
        let mut seen = BTreeSet::new();
        let caught = (0..100 * WALKS).find(|seed| {
            walk(&federation, *seed, &mut seen);
            always(&federation).any(|name| seen.contains(name))
        });
        assert!(caught.is_some(), "{fault:?}");
    }
}
