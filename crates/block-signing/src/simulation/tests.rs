//! The simulation must find what is wrong: faults put into the machine, and more liars than the
//! threshold stands.

use core::time::Duration;

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

/// A federation whose machines ask for signatures before the decision. Only what gets past the
/// guard is judged.
fn rash(seed: u64, guarded: bool) -> Option<Breach> {
    let mut scenario = Scenario::about_locks(seed);
    scenario.only_forks = true;
    let mut world = World::with_config(scenario, |mut config| {
        config.mutation = Some(Mutation::SignAtPrecommit);
        config
    });
    for slot in &mut world.slots {
        slot.unguarded = !guarded;
    }
    world.run().err().map(|failure| failure.breach)
}

#[test]
fn finds_the_double_signature_that_a_missing_guard_lets_pass_and_the_guard_refuses() {
    let double = |breach: &Breach| matches!(breach, Breach::SignedTwice { .. });
    let seed = (3..8000).find(|seed| rash(*seed, false).is_some_and(|breach| double(&breach)));
    let seed = seed.expect("a machine that asks twice is found without the guard");
    // With it the same faulty machines may stand still, and never make a second signature.
    for seed in seed..seed + 200 {
        let breach = rash(seed, true);
        assert!(
            matches!(
                breach,
                None | Some(Breach::Stuck { .. } | Breach::TooManyRounds { .. })
            ),
            "seed {seed}: {breach:?}"
        );
    }
}

/// Five honest operators of whom all are needed, and two liars who pull some of them ahead and
/// then fall silent.
fn abandoned(seed: u64, mutation: Option<Mutation>) -> Result<(), Breach> {
    let mut scenario = Scenario::calm(seed);
    (scenario.size, scenario.threshold, scenario.liars) = (7, 5, 2);
    scenario.silenced = true;
    scenario.loss = 300;
    scenario.secrets = 200;
    scenario.hasty = seed.is_multiple_of(2);
    scenario.relay = false;
    scenario.storm = Duration::from_millis(1000 + seed % 3000);
    let mut world = World::with_config(scenario, |mut config| {
        config.mutation = mutation;
        config
    });
    world.run().map(drop).map_err(|failure| failure.breach)
}

#[test]
fn finds_operators_left_behind_in_a_round_that_others_do_not_fill() {
    let seeds = 0..600;
    let stuck = seeds
        .clone()
        .find(|seed| abandoned(*seed, Some(Mutation::NoFill)).is_err());
    assert!(stuck.is_some());
    for seed in seeds {
        assert_eq!(abandoned(seed, None), Ok(()), "seed {seed}");
    }
}

#[test]
fn finds_a_fork_when_more_operators_lie_than_the_threshold_stands() {
    let fork = (0..200).find_map(|seed| {
        let mut scenario = Scenario::calm(seed);
        scenario.size = 4;
        scenario.threshold = 3;
        scenario.liars = 2; // 2M - N - 1 is 1
        scenario.storm = Duration::from_secs(6);
        scenario.partitions = true;
        scenario.relay = false;
        scenario.only_forks = true;
        World::new(scenario).run().err()
    });
    let breach = fork.map(|failure| failure.breach);
    assert!(matches!(breach, Some(Breach::Fork { .. })), "{breach:?}");
}
