//! The simulation must find what is wrong: faults put into the machine, and more liars than the
//! threshold stands.

use core::{cell::Cell, time::Duration};
use std::{collections::BTreeMap, rc::Rc};

use federation_roster::{OperatorId, Round};

use crate::{Message, VoteKind, mutation::Mutation};

use super::{Breach, Exercise, Failure, Scenario, Summary, World};

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
    assert!(standstills(0..200, five_with_nuisances, mutation) > 0);
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

/// Five operators of whom three prevote for the block of operator 1, and none precommits it, as each
/// hears of a prevote too late. Then nodes refuse it, and until the calm nobody hears of another.
fn flipped(seed: u64, mutation: Option<Mutation>) -> Result<Summary, Breach> {
    let mut scenario = Scenario::calm(seed);
    scenario.storm = Duration::from_secs(4);
    scenario.goal = 1;
    scenario.flips = 1000;
    // Who starts again asks its node again.
    scenario.crashes = 10;
    let mut world = World::with_config(scenario, |mut config| {
        config.mutation = mutation;
        // Blocks without a proof of lock expire soon, so more rounds fail.
        config.with_max_drift(Duration::from_secs(1))
    });
    let calm = Rc::new(Cell::new(false));
    let seen = Rc::clone(&calm);
    world.set_trace(move |line| seen.set(seen.get() || line.ends_with("-- calm")));
    let mut late = BTreeMap::new();
    world.set_filter(move |frame, to| {
        let (from, to) = (frame.signed.sender.to_u8(), to.to_u8());
        match &frame.signed.message {
            Message::Proposal(proposal) if proposal.round == Round::FIRST => to != 4 && to != 0,
            Message::Proposal(proposal) => calm.get() || proposal.valid_round.is_some(),
            Message::Vote(vote) if vote.kind == VoteKind::Prevote => {
                let is_late = vote.round == Round::FIRST && (from == 1 || (from, to) == (2, 1));
                let sent = late.entry((from, to)).or_insert(0);
                *sent += i32::from(is_late);
                // As often as it is repeated before all have precommitted.
                !is_late || *sent > 5
            }
            _ => true,
        }
    });
    world.run().map_err(|failure| failure.breach)
}

#[test]
fn finds_leaders_that_insist_on_a_block_that_all_nodes_refuse() {
    let insist = Some(Mutation::InsistOnRefused);
    let stuck = (0..1000).find(|seed| flipped(*seed, insist).is_err());
    let stuck = stuck.expect("too few operators remember that they found the block valid");
    let mut fresh = 0;
    for seed in (0..40).chain([stuck]) {
        let summary = flipped(seed, None).unwrap_or_else(|breach| panic!("{seed}: {breach}"));
        fresh += summary.exercised.of(Exercise::FreshBlock);
    }
    assert!(fresh > 0);
}

/// Five operators whose nodes refuse each other's blocks as long as the storm lasts.
fn refusing(seed: u64, mutation: Option<Mutation>) -> Result<u32, Breach> {
    let mut scenario = Scenario::calm(seed);
    scenario.hasty = true;
    scenario.storm = Duration::from_secs(6);
    scenario.goal = 1;
    scenario.refusals = 1000;
    scenario.crashes = 5;
    let mut world = World::with_config(scenario, |mut config| {
        config.mutation = mutation;
        config
    });
    let summary = world.run().map_err(|failure| failure.breach)?;
    Ok(summary.highest_round)
}

#[test]
fn finds_a_store_that_grows_with_the_rounds_of_a_height() {
    for seed in 0..20 {
        let rounds = refusing(seed, None).unwrap_or_else(|breach| panic!("{seed}: {breach}"));
        assert!(rounds > 12, "seed {seed}: {rounds} rounds");
        let grows = refusing(seed, Some(Mutation::KeepRounds));
        let grows = matches!(grows, Err(Breach::StoreGrows { .. }));
        assert!(grows, "seed {seed}");
    }
}

/// The bodies that eleven operators, nothing being wrong with them, send for two blocks that take
/// longer to everybody than a round.
fn bodies(mutation: Option<Mutation>) -> u64 {
    let mut scenario = Scenario::calm(1);
    (scenario.size, scenario.threshold) = (11, 6);
    scenario.interval = Duration::from_secs(60);
    scenario.goal = 2;
    scenario.body_millis = 1000;
    let mut world = World::with_config(scenario, |mut config| {
        config.mutation = mutation;
        config
    });
    let summary = world.run().expect("blocks come");
    summary.bodies
}

#[test]
fn finds_operators_that_ask_for_blocks_that_are_under_way() {
    let (sent, mutant) = (bodies(None), bodies(Some(Mutation::Impatient)));
    println!("{sent} bodies, {mutant} without patience");
    // Four rounds of one height and one of the other.
    assert!(sent <= 10 * 8, "{sent}");
    assert!(mutant > sent + 10, "{mutant}");
}

/// Five operators, one of whom asks the others for blocks again and again.
fn greedy(seed: u64, mutation: Option<Mutation>) -> Option<Breach> {
    let mut scenario = Scenario::calm(seed);
    (scenario.threshold, scenario.liars) = (4, 1);
    scenario.storm = Duration::from_secs(3);
    let mut world = World::with_config(scenario, |mut config| {
        config.mutation = mutation;
        config
    });
    world.run().err().map(|failure| failure.breach)
}

#[test]
fn finds_operators_that_send_bodies_to_who_asks_without_end() {
    let amplified = |breach| matches!(breach, Some(Breach::Amplified { .. }));
    let mutant = |seed: u64| greedy(seed, Some(Mutation::AnswerAlways));
    assert!((0..20).any(|seed| amplified(mutant(seed))));
    for seed in 0..20 {
        assert_eq!(greedy(seed, None), None, "seed {seed}");
    }
}

/// Whether an operator that hears one other only, and whose node hears none, gets the block of
/// height 1 from it, while the others are done.
fn helped(mutation: Option<Mutation>) -> bool {
    let mut scenario = Scenario::calm(1);
    scenario.relay = false;
    scenario.storm = Duration::from_secs(20);
    scenario.interval = Duration::from_secs(60);
    let mut world = World::with_config(scenario, |mut config| {
        config.mutation = mutation;
        config
    });
    let (laggard, helper) = (OperatorId::new(0), OperatorId::new(3));
    world.set_filter(move |frame, to| to != laggard || frame.signed.sender == helper);
    let helped = Rc::new(Cell::new(None));
    let seen = Rc::clone(&helped);
    world.set_trace(move |line| {
        if seen.get().is_none() && line.contains("node of operator 0 ") {
            seen.set(Some(true));
        } else if seen.get().is_none() && line.ends_with("-- calm") {
            seen.set(Some(false));
        }
    });
    // It is stuck behind the filter for good.
    let _ = world.run();
    helped.get().expect("the storm ends")
}

#[test]
fn finds_a_helper_that_passes_on_nobody_elses_signature() {
    assert!(helped(None));
    assert!(!helped(Some(Mutation::HelpAlone)));
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
