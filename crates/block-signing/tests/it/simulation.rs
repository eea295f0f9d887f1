//! Whole federations in virtual time. `SIMULATION_SEEDS` sets how many schedules run, and
//! `SIMULATION_FROM` the first seed.

use federation_block_signing::simulation::{Coverage, CoveragePoint, Failure, Scenario, run};

fn number(variable: &str, default: u64) -> u64 {
    let value = std::env::var(variable).ok();
    value.map_or(default, |text| {
        text.parse()
            .unwrap_or_else(|e| panic!("{variable}={text}: {e}"))
    })
}

/// Runs the schedules of every second seed, and returns their coverage and the failures.
fn run_half(from: u64, count: u64, half: u64) -> (Coverage, Vec<Failure>) {
    let (mut coverage, mut failures) = (Coverage::default(), Vec::new());
    for seed in (from..from + count).filter(|seed| seed % 2 == half) {
        match run(&Scenario::from_seed(seed)) {
            Ok(summary) => coverage.add(&summary.coverage),
            Err(failure) => failures.push(failure),
        }
    }
    (coverage, failures)
}

#[test]
fn no_schedule_breaks_the_protocol_and_every_fault_and_rule_is_covered() {
    let from = number("SIMULATION_FROM", 0);
    let count = number("SIMULATION_SEEDS", 3000);
    let (mut coverage, mut failures) = (Coverage::default(), Vec::new());
    std::thread::scope(|scope| {
        let halves = [0, 1].map(|half| scope.spawn(move || run_half(from, count, half)));
        for half in halves {
            let (met, failed) = half.join().unwrap_or_else(|e| std::panic::resume_unwind(e));
            coverage.add(&met);
            failures.extend(failed);
        }
    });
    assert!(failures.is_empty(), "{failures:#?}");
    println!("{coverage}");
    let uncovered: Vec<CoveragePoint> = coverage.uncovered().collect();
    assert!(
        uncovered.is_empty(),
        "not covered in {count} schedules: {uncovered:?}"
    );
}

#[test]
fn federations_without_faults_decide_every_height_in_its_first_round() {
    for seed in 0..50 {
        let mut scenario = Scenario::fault_free(seed);
        scenario.goal = 5;
        let summary = run(&scenario).unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(summary.blocks, 5);
        assert_eq!(summary.highest_quiescent_round, 0, "seed {seed}");
    }
}

#[test]
fn with_two_of_five_absent_each_absent_leader_costs_at_most_one_round() {
    for seed in 0..50 {
        let mut scenario = Scenario::fault_free(seed);
        scenario.dead = 2;
        scenario.goal = 6;
        let summary = run(&scenario).unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(summary.blocks, 6);
        assert!(summary.highest_quiescent_round <= 2, "{summary:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in [3, 8, 21] {
        let scenario = Scenario::from_seed(seed);
        assert_eq!(run(&scenario), run(&scenario));
    }
}
