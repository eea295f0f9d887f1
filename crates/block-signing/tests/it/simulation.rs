//! Whole federations in virtual time. `SIMULATION_SEEDS` sets how many schedules are run and
//! `SIMULATION_FROM` the first seed.

use federation_block_signing::simulation::{Exercise, Exercised, Failure, Scenario, run};

fn number(variable: &str, default: u64) -> u64 {
    let value = std::env::var(variable).ok();
    value.map_or(default, |text| {
        text.parse()
            .unwrap_or_else(|e| panic!("{variable}={text}: {e}"))
    })
}

/// The schedules of every second seed: what they exercised, and which failed.
fn run_half(from: u64, count: u64, half: u64) -> (Exercised, Vec<Failure>) {
    let (mut exercised, mut failures) = (Exercised::default(), Vec::new());
    for seed in (from..from + count).filter(|seed| seed % 2 == half) {
        match run(&Scenario::from_seed(seed)) {
            Ok(summary) => exercised.add(&summary.exercised),
            Err(failure) => failures.push(failure),
        }
    }
    (exercised, failures)
}

#[test]
fn no_schedule_breaks_the_protocol_and_each_fault_and_rule_is_met() {
    let from = number("SIMULATION_FROM", 0);
    let count = number("SIMULATION_SEEDS", 3000);
    let (mut exercised, mut failures) = (Exercised::default(), Vec::new());
    std::thread::scope(|scope| {
        let halves = [0, 1].map(|half| scope.spawn(move || run_half(from, count, half)));
        for half in halves {
            let (met, failed) = half.join().unwrap_or_else(|e| std::panic::resume_unwind(e));
            exercised.add(&met);
            failures.extend(failed);
        }
    });
    assert!(failures.is_empty(), "{failures:#?}");
    println!("{exercised}");
    let never: Vec<Exercise> = exercised.never().collect();
    assert!(
        never.is_empty(),
        "never met in {count} schedules: {never:?}"
    );
}

#[test]
fn calm_federations_decide_every_height_in_its_first_round() {
    for seed in 0..50 {
        let mut scenario = Scenario::calm(seed);
        scenario.goal = 5;
        let summary = run(&scenario).unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(summary.blocks, 5);
        assert_eq!(summary.highest_calm_round, 0, "seed {seed}");
    }
}

#[test]
fn with_two_of_five_gone_blocks_come_with_one_round_for_each_dead_leader_at_most() {
    for seed in 0..50 {
        let mut scenario = Scenario::calm(seed);
        scenario.dead = 2;
        scenario.goal = 6;
        let summary = run(&scenario).unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(summary.blocks, 6);
        assert!(summary.highest_calm_round <= 2, "{summary:?}");
    }
}

#[test]
fn same_seed_runs_the_same() {
    for seed in [3, 8, 21] {
        let scenario = Scenario::from_seed(seed);
        assert_eq!(run(&scenario), run(&scenario));
    }
}
