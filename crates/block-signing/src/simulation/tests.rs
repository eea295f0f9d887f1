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

/// How many of these seeds end without blocks, or with too many rounds for one.
fn standstills(
    seeds: core::ops::Range<u64>,
    scenario: impl Fn(u64) -> Scenario,
    mutation: Option<Mutation>,
) -> usize {
    let stands_still = |seed: &u64| {
        let mut world = World::with_config(scenario(*seed), |mut config| {
            config.mutation = mutation;
            config
        });
        match world.run() {
            Ok(_) => false,
            Err(Failure {
                breach: Breach::Stuck { .. } | Breach::TooManyRounds { .. },
                ..
            }) => true,
            Err(failure) => panic!("{failure}"),
        }
    };
    seeds.filter(stands_still).count()
}

/// Operators that hear much less of each other than they say, and a liar who falls silent.
fn scattered(seed: u64) -> Scenario {
    let mut scenario = Scenario::calm(seed);
    (scenario.size, scenario.threshold, scenario.liars) = (7, 5, 2);
    scenario.silenced = true;
    scenario.loss = 300;
    scenario.secrets = 200;
    scenario.hasty = seed.is_multiple_of(2);
    scenario.relay = false;
    scenario.storm = Duration::from_millis(1000 + seed % 3000);
    scenario
}

#[test]
fn finds_operators_left_behind_in_a_round_whose_end_is_not_repeated() {
    let mutation = Some(Mutation::KeepRoundCertificates);
    assert!(standstills(0..600, scattered, mutation) > 0);
    assert_eq!(standstills(0..600, scattered, None), 0);
}

/// N - M liars who vote for no block; with 3 of 5 one of them is 2M - N.
fn five_with_nuisances(seed: u64) -> Scenario {
    let mut scenario = Scenario::of_nuisances(seed);
    (scenario.size, scenario.threshold, scenario.liars) = (5, 3, 1);
    scenario
}

#[test]
fn finds_a_machine_that_goes_to_later_rounds_on_the_word_of_few() {
    let mutation = Some(Mutation::FollowFew);
    assert!(standstills(0..20, five_with_nuisances, mutation) > 0);
    assert_eq!(standstills(0..200, five_with_nuisances, None), 0);
    assert_eq!(standstills(0..100, Scenario::of_nuisances, None), 0);
}

/// Operators who lose memory and node, while all that was ever decided is said again.
fn forgetful(seed: u64) -> Scenario {
    let mut scenario = Scenario::calm(seed);
    (scenario.size, scenario.threshold) = [(3, 2), (5, 3)][usize::from(seed % 2 == 1)];
    scenario.interval = Duration::from_millis(500);
    scenario.storm = Duration::from_secs(8);
    scenario.goal = 2;
    scenario.loss = 100;
    scenario.replays = 300;
    scenario.partitions = true;
    scenario.crashes = 5;
    scenario.amnesia = true;
    scenario
}

#[test]
fn finds_an_observer_that_takes_any_settled_height_for_a_young_one() {
    let run = |seed, mutation| {
        let mut world = World::with_config(forgetful(seed), |mut config| {
            config.mutation = mutation;
            config
        });
        world.run().err()
    };
    let found = (0..2000).find_map(|seed| run(seed, Some(Mutation::TrustOldHeights)));
    assert!(
        matches!(
            found.as_ref().map(|failure| &failure.breach),
            Some(Breach::FalseAlarm { .. } | Breach::HonestAccused { .. } | Breach::Fork { .. })
        ),
        "{found:?}"
    );
    for seed in 0..500 {
        assert_eq!(run(seed, None), None);
    }
}

/// A guard's store fails at one or two of three operators who are all needed.
#[test]
fn finds_a_driver_that_goes_on_when_its_guard_has_failed() {
    let run = |seed, stubborn| {
        let mut scenario = Scenario::calm(seed);
        (scenario.size, scenario.threshold) = (3, 3);
        scenario.storm = Duration::from_secs(3);
        scenario.guard_failures = 300;
        scenario.only_forks = true; // or the refusal itself would be the breach
        let mut world = World::new(scenario);
        world.stubborn = stubborn;
        world.run().err().map(|failure| failure.breach)
    };
    let found = (0..20).find_map(|seed| run(seed, true));
    assert!(matches!(found, Some(Breach::Stuck { .. })), "{found:?}");
    for seed in 0..100 {
        assert_eq!(run(seed, false), None, "seed {seed}");
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
