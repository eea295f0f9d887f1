//! Whole federations in virtual time. `SIMULATION_SEEDS` sets how many schedules are run and
//! `SIMULATION_FROM` the first seed.

use federation_block_signing::simulation::{Scenario, run};

fn number(variable: &str, default: u64) -> u64 {
    let value = std::env::var(variable).ok();
    value.map_or(default, |text| {
        text.parse()
            .unwrap_or_else(|e| panic!("{variable}={text}: {e}"))
    })
}

#[test]
fn no_schedule_breaks_the_protocol() {
    let from = number("SIMULATION_FROM", 0);
    let count = number("SIMULATION_SEEDS", 3000);
    let failures: Vec<String> = std::thread::scope(|scope| {
        let halves = [0, 1].map(|half| {
            scope.spawn(move || {
                let seeds = (from..from + count).filter(|seed| seed % 2 == half);
                let failures = seeds.filter_map(|seed| run(&Scenario::from_seed(seed)).err());
                failures.map(|failure| failure.to_string()).collect()
            })
        });
        let joined =
            halves.map(|half| half.join().unwrap_or_else(|e| std::panic::resume_unwind(e)));
        joined
            .into_iter()
            .flat_map(|failures: Vec<String>| failures)
            .collect()
    });
    assert!(failures.is_empty(), "{failures:#?}");
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
