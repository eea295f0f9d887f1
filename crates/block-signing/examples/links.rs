//! Large blocks over links of limited bandwidth: how long federations of three sizes take to make
//! two blocks, and how many bodies they send for that.
//!
//! `cargo run -p federation-block-signing --example links`

#![expect(clippy::print_stdout, reason = "a program for the terminal")]

use core::time::Duration;

use federation_block_signing::simulation::{Scenario, World};

/// Operators and threshold.
const FEDERATIONS: [(usize, usize); 3] = [(5, 3), (11, 6), (20, 11)];
/// How long an uplink is busy with one block to one operator, in milliseconds: four megabytes take
/// 160 at 200 Mbit/s, 640 at 50 and 1000 at 32.
const MILLIS: [u64; 4] = [160, 320, 640, 1000];
const SEEDS: u64 = 3;
const BLOCKS: u32 = 2;

fn main() {
    println!("| federation | ms a block | seconds to {BLOCKS} blocks | highest round | bodies |");
    println!("|---|---|---|---|---|");
    for (size, threshold) in FEDERATIONS {
        for millis in MILLIS {
            let (mut times, mut rounds, mut bodies) = (Vec::new(), Vec::new(), Vec::new());
            for seed in 0..SEEDS {
                let mut scenario = Scenario::fault_free(seed);
                (scenario.size, scenario.threshold) = (size, threshold);
                scenario.interval = Duration::from_secs(60);
                scenario.goal = BLOCKS;
                scenario.body_millis = millis;
                let mut world = World::new(scenario);
                times.push(match world.run() {
                    Ok(summary) => format!("{:.1}", summary.quiescent as f64 / 1000.0),
                    Err(failure) => format!("not reached in {} s", failure.at / 1000),
                });
                rounds.push(world.summary().highest_round.to_string());
                bodies.push(world.summary().bodies.to_string());
            }
            let [times, rounds, bodies] = [times, rounds, bodies].map(|all| all.join(", "));
            println!("| {threshold} of {size} | {millis} | {times} | {rounds} | {bodies} |");
        }
    }
}
