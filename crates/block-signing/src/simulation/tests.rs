//! The simulation must find what is wrong: faults put into the machine, and more liars than the
//! threshold stands.

use crate::mutation::Mutation;

use super::{Breach, Failure, Scenario, World};

/// The first seed that shows a fault in every machine.
fn first_failure(mutation: Mutation, seeds: u64) -> Option<Failure> {
    (0..seeds).find_map(|seed| {
        let mut world = World::with_config(Scenario::about_locks(seed), |mut config| {
            config.mutation = Some(mutation);
            config
        });
        world.run().err()
    })
}

#[track_caller]
fn assert_found(mutation: Mutation, seeds: u64) {
    let failure = first_failure(mutation, seeds);
    let breach = failure.map(|failure| failure.breach);
    assert!(
        matches!(
            breach,
            Some(
                Breach::Fork { .. }
                    | Breach::Disagreement { .. }
                    | Breach::SignedTwice { .. }
                    | Breach::SignedUndecided { .. }
            )
        ),
        "{mutation:?} in {seeds} seeds: {breach:?}"
    );
}

#[test]
fn finds_a_machine_that_ignores_its_lock() {
    assert_found(Mutation::NoLock, 2000);
}

#[test]
fn finds_a_machine_that_forgets_its_lock_when_restarting() {
    assert_found(Mutation::ForgetLock, 10_000);
}

#[test]
fn finds_a_machine_with_too_small_a_quorum() {
    assert_found(Mutation::SmallQuorum, 2000);
}

#[test]
fn finds_a_machine_that_signs_before_the_decision() {
    assert_found(Mutation::SignAtPrecommit, 2000);
}

#[test]
fn finds_a_fork_when_more_operators_lie_than_the_threshold_stands() {
    let fork = (0..200).find_map(|seed| {
        let mut scenario = Scenario::calm(seed);
        scenario.size = 4;
        scenario.threshold = 3;
        scenario.liars = 2; // 2M - N - 1 is 1
        scenario.storm = core::time::Duration::from_secs(6);
        scenario.partitions = true;
        scenario.relay = false;
        scenario.only_forks = true;
        World::new(scenario).run().err()
    });
    let breach = fork.map(|failure| failure.breach);
    assert!(matches!(breach, Some(Breach::Fork { .. })), "{breach:?}");
}
