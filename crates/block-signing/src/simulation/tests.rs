//! The simulation must detect what is wrong: faults injected into the machine, and more liars than
//! the threshold tolerates.

use core::{cell::Cell, time::Duration};
use std::{collections::BTreeMap, rc::Rc};

use federation_roster::{OperatorId, Round};

use crate::{Message, VoteKind, mutation::Mutation};

use super::{CoveragePoint, Failure, Scenario, Summary, Violation, World};

/// Returns the failure of the first seed that reveals a fault in every machine.
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
    let violation = failure.map(|failure| failure.violation);
    assert!(
        matches!(
            violation,
            Some(
                Violation::Fork { .. }
                    | Violation::Disagreement { .. }
                    | Violation::SignedTwice { .. }
                    | Violation::SignedUndecided { .. }
            )
        ),
        "{mutation:?} in {seeds} seeds: {violation:?}"
    );
}

#[test]
fn detects_a_machine_that_ignores_its_lock() {
    assert_found(Mutation::NoLock, 2000);
}

#[test]
fn detects_a_machine_that_forgets_its_lock_when_restarting() {
    assert_found(Mutation::ForgetLock, 10_000);
}

#[test]
fn detects_a_machine_with_too_small_a_quorum() {
    assert_found(Mutation::SmallQuorum, 2000);
}

#[test]
fn detects_a_machine_that_signs_before_the_decision() {
    assert_found(Mutation::SignAtPrecommit, 2000);
}

/// Runs a federation whose machines ask for signatures before the decision. Only what the guard
/// allows is judged.
fn rash(seed: u64, guarded: bool) -> Option<Violation> {
    let mut scenario = Scenario::about_locks(seed);
    scenario.only_forks = true;
    let mut world = World::with_config(scenario, |mut config| {
        config.mutation = Some(Mutation::SignAtPrecommit);
        config
    });
    for slot in &mut world.slots {
        slot.unguarded = !guarded;
    }
    world.run().err().map(|failure| failure.violation)
}

#[test]
fn detects_the_double_signature_that_a_guard_would_have_prevented() {
    let double = |violation: &Violation| matches!(violation, Violation::SignedTwice { .. });
    let seed =
        (3..8000).find(|seed| rash(*seed, false).is_some_and(|violation| double(&violation)));
    let seed = seed.expect("a machine that asks twice is detected without the guard");
    // With the guard the same faulty machines may make no progress, but never sign twice.
    for seed in seed..seed + 200 {
        let violation = rash(seed, true);
        assert!(
            matches!(
                violation,
                None | Some(Violation::Stuck { .. } | Violation::TooManyRounds { .. })
            ),
            "seed {seed}: {violation:?}"
        );
    }
}

/// Counts the seeds that end without blocks, or with too many rounds for one.
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
                violation: Violation::Stuck { .. } | Violation::TooManyRounds { .. },
                ..
            }) => true,
            Err(failure) => panic!("{failure}"),
        }
    };
    seeds.filter(stands_still).count()
}

/// A scenario in which operators receive far less than is sent, with liars that fall silent.
fn scattered(seed: u64) -> Scenario {
    let mut scenario = Scenario::fault_free(seed);
    (scenario.size, scenario.threshold, scenario.liars) = (7, 5, 2);
    scenario.silenced = true;
    scenario.loss = 300;
    scenario.vote_loss = 200;
    scenario.fast_timeouts = seed.is_multiple_of(2);
    scenario.relay = false;
    scenario.fault_phase = Duration::from_millis(1000 + seed % 3000);
    scenario
}

#[test]
fn detects_operators_left_behind_when_round_certificates_are_not_retransmitted() {
    let mutation = Some(Mutation::WithholdRoundCertificates);
    assert!(standstills(0..600, scattered, mutation) > 0);
    assert_eq!(standstills(0..600, scattered, None), 0);
}

/// N - M liars that vote for no block; with 3 of 5, one of them is 2M - N.
fn five_with_nil_voters(seed: u64) -> Scenario {
    let mut scenario = Scenario::about_nil_voters(seed);
    (scenario.size, scenario.threshold, scenario.liars) = (5, 3, 1);
    scenario
}

#[test]
fn detects_a_machine_that_follows_a_minority_to_later_rounds() {
    let mutation = Some(Mutation::FollowMinority);
    assert!(standstills(0..200, five_with_nil_voters, mutation) > 0);
    assert_eq!(standstills(0..200, five_with_nil_voters, None), 0);
    assert_eq!(standstills(0..100, Scenario::about_nil_voters, None), 0);
}

/// A scenario in which operators lose store and node, while every old decision is sent again.
fn forgetful(seed: u64) -> Scenario {
    let mut scenario = Scenario::fault_free(seed);
    (scenario.size, scenario.threshold) = [(3, 2), (5, 3)][usize::from(seed % 2 == 1)];
    scenario.interval = Duration::from_millis(500);
    scenario.fault_phase = Duration::from_secs(8);
    scenario.goal = 2;
    scenario.loss = 100;
    scenario.replays = 300;
    scenario.partitions = true;
    scenario.crashes = 5;
    scenario.amnesia = true;
    scenario
}

#[test]
fn detects_an_observer_that_trusts_old_heights() {
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
            found.as_ref().map(|failure| &failure.violation),
            Some(
                Violation::FalseAlarm { .. }
                    | Violation::HonestAccused { .. }
                    | Violation::Fork { .. }
            )
        ),
        "{found:?}"
    );
    for seed in 0..500 {
        assert_eq!(run(seed, None), None);
    }
}

/// A guard's store fails at one or two of three operators that are all needed.
#[test]
fn detects_a_driver_that_continues_after_its_guard_failed() {
    let run = |seed, ignore_guard_failure| {
        let mut scenario = Scenario::fault_free(seed);
        (scenario.size, scenario.threshold) = (3, 3);
        scenario.fault_phase = Duration::from_secs(3);
        scenario.guard_failures = 300;
        scenario.only_forks = true; // otherwise the refusal itself would be the violation
        let mut world = World::new(scenario);
        world.ignore_guard_failure = ignore_guard_failure;
        world.run().err().map(|failure| failure.violation)
    };
    let found = (0..20).find_map(|seed| run(seed, true));
    assert!(matches!(found, Some(Violation::Stuck { .. })), "{found:?}");
    for seed in 0..100 {
        assert_eq!(run(seed, false), None, "seed {seed}");
    }
}

/// Five operators, three of which prevote for the block of operator 1 while none precommits it, as
/// each receives one prevote too late. Then nodes reject it, and until the quiescent phase no
/// operator receives another proposal.
fn flipped(seed: u64, mutation: Option<Mutation>) -> Result<Summary, Violation> {
    let mut scenario = Scenario::fault_free(seed);
    scenario.fault_phase = Duration::from_secs(4);
    scenario.goal = 1;
    scenario.flips = 1000;
    // An operator that restarts asks its node again.
    scenario.crashes = 10;
    let mut world = World::with_config(scenario, |mut config| {
        config.mutation = mutation;
        // Blocks without a proof of lock expire soon, so that more rounds fail.
        config.with_max_drift(Duration::from_secs(1))
    });
    let faults_over = Rc::new(Cell::new(false));
    let seen = Rc::clone(&faults_over);
    world.set_trace(move |line| seen.set(seen.get() || line.ends_with("-- end of faults")));
    let mut late = BTreeMap::new();
    world.set_filter(move |frame, to| {
        let (from, to) = (frame.signed.sender.to_u8(), to.to_u8());
        match &frame.signed.message {
            Message::Proposal(proposal) if proposal.round == Round::FIRST => to != 4 && to != 0,
            Message::Proposal(proposal) => faults_over.get() || proposal.valid_round.is_some(),
            Message::Vote(vote) if vote.kind == VoteKind::Prevote => {
                let is_late = vote.round == Round::FIRST && (from == 1 || (from, to) == (2, 1));
                let sent = late.entry((from, to)).or_insert(0);
                *sent += i32::from(is_late);
                // As often as it is retransmitted before all have precommitted.
                !is_late || *sent > 5
            }
            _ => true,
        }
    });
    world.run().map_err(|failure| failure.violation)
}

#[test]
fn detects_leaders_that_insist_on_a_block_that_all_nodes_reject() {
    let insist = Some(Mutation::InsistOnRefused);
    let stuck = (0..1000).find(|seed| flipped(*seed, insist).is_err());
    let stuck = stuck.expect("some seed leaves too few operators that found the block valid");
    let mut fresh = 0;
    for seed in (0..40).chain([stuck]) {
        let summary = flipped(seed, None).unwrap_or_else(|violation| panic!("{seed}: {violation}"));
        fresh += summary.coverage.of(CoveragePoint::FreshBlock);
    }
    assert!(fresh > 0);
}

/// Five operators whose nodes reject each other's blocks throughout the fault phase.
fn refusing(seed: u64, mutation: Option<Mutation>) -> Result<u32, Violation> {
    let mut scenario = Scenario::fault_free(seed);
    scenario.fast_timeouts = true;
    scenario.fault_phase = Duration::from_secs(6);
    scenario.goal = 1;
    scenario.refusals = 1000;
    scenario.crashes = 5;
    let mut world = World::with_config(scenario, |mut config| {
        config.mutation = mutation;
        config
    });
    let summary = world.run().map_err(|failure| failure.violation)?;
    Ok(summary.highest_round)
}

#[test]
fn detects_a_store_that_grows_with_the_rounds_of_a_height() {
    for seed in 0..20 {
        let rounds = refusing(seed, None).unwrap_or_else(|violation| panic!("{seed}: {violation}"));
        assert!(rounds > 12, "seed {seed}: {rounds} rounds");
        let grows = refusing(seed, Some(Mutation::NeverPrune));
        let grows = matches!(grows, Err(Violation::StoreGrows { .. }));
        assert!(grows, "seed {seed}");
    }
}

/// Counts the bodies that eleven operators send without faults for two blocks, each of which takes
/// longer than a round to reach everyone.
fn bodies(mutation: Option<Mutation>) -> u64 {
    let mut scenario = Scenario::fault_free(1);
    (scenario.size, scenario.threshold) = (11, 6);
    scenario.interval = Duration::from_secs(60);
    scenario.goal = 2;
    scenario.body_millis = 1000;
    let mut world = World::with_config(scenario, |mut config| {
        config.mutation = mutation;
        config
    });
    let summary = world.run().expect("blocks are made");
    summary.bodies
}

#[test]
fn detects_operators_that_request_blocks_already_under_way() {
    let (sent, mutant) = (bodies(None), bodies(Some(Mutation::Impatient)));
    println!("{sent} bodies, {mutant} without patience");
    // Four rounds of one height and one of the other.
    assert!(sent <= 10 * 8, "{sent}");
    assert!(mutant > sent + 10, "{mutant}");
}

/// Five operators, one of which requests blocks from the others again and again.
fn greedy(seed: u64, mutation: Option<Mutation>) -> Option<Violation> {
    let mut scenario = Scenario::fault_free(seed);
    (scenario.threshold, scenario.liars) = (4, 1);
    scenario.fault_phase = Duration::from_secs(3);
    let mut world = World::with_config(scenario, |mut config| {
        config.mutation = mutation;
        config
    });
    world.run().err().map(|failure| failure.violation)
}

#[test]
fn detects_operators_that_answer_every_body_request() {
    let amplified = |violation| matches!(violation, Some(Violation::Amplified { .. }));
    let mutant = |seed: u64| greedy(seed, Some(Mutation::AlwaysReply));
    assert!((0..20).any(|seed| amplified(mutant(seed))));
    for seed in 0..20 {
        assert_eq!(greedy(seed, None), None, "seed {seed}");
    }
}

/// Whether an operator that receives messages from only one other, and whose node is isolated, gets
/// the block of height 1 from it after the others are done.
fn helped(mutation: Option<Mutation>) -> bool {
    let mut scenario = Scenario::fault_free(1);
    scenario.relay = false;
    scenario.fault_phase = Duration::from_secs(20);
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
        } else if seen.get().is_none() && line.ends_with("-- end of faults") {
            seen.set(Some(false));
        }
    });
    // It makes no progress behind the filter.
    let _ = world.run();
    helped.get().expect("the fault phase ends")
}

#[test]
fn detects_a_helper_that_does_not_pass_on_signatures() {
    assert!(helped(None));
    assert!(!helped(Some(Mutation::HelpWithOwnSignatureOnly)));
}

#[test]
fn detects_a_fork_when_more_operators_lie_than_the_threshold_tolerates() {
    let fork = (0..200).find_map(|seed| {
        let mut scenario = Scenario::fault_free(seed);
        scenario.size = 4;
        scenario.threshold = 3;
        scenario.liars = 2; // 2M - N - 1 is 1
        scenario.fault_phase = Duration::from_secs(6);
        scenario.partitions = true;
        scenario.relay = false;
        scenario.only_forks = true;
        World::new(scenario).run().err()
    });
    let violation = fork.map(|failure| failure.violation);
    assert!(
        matches!(violation, Some(Violation::Fork { .. })),
        "{violation:?}"
    );
}
