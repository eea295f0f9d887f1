//! Runs the simulation over many seeds, or one seed with a trace.
//!
//! `cargo run --release -p federation-block-signing --example simulate -- --seeds 100000`
//! `cargo run --release -p federation-block-signing --example simulate -- --seed 7 --trace`

#![expect(clippy::print_stdout, reason = "a program for the terminal")]
#![expect(
    clippy::disallowed_methods,
    reason = "schedules per second are measured in real time, which the machine never sees"
)]

use std::{process::ExitCode, time::Instant};

use federation_block_signing::simulation::{Scenario, Summary, World};

struct Options {
    first: u64,
    count: u64,
    trace: bool,
    verbose: bool,
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        first: 0,
        count: 1000,
        trace: false,
        verbose: false,
    };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut number = || {
            let text = args.next().ok_or_else(|| format!("{arg} needs a number"))?;
            text.parse::<u64>()
                .map_err(|e| format!("{arg} {text}: {e}"))
        };
        match arg.as_str() {
            "--seeds" => options.count = number()?,
            "--from" => options.first = number()?,
            "--seed" => {
                options.first = number()?;
                options.count = 1;
                options.verbose = true;
            }
            "--trace" => options.trace = true,
            _ => {
                return Err(format!(
                    "unknown option {arg}: use --seeds N [--from SEED], or --seed SEED [--trace]"
                ));
            }
        }
    }
    Ok(options)
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let mut failures = 0;
    let mut total = Summary::default();
    let begun = Instant::now();
    for seed in options.first..options.first + options.count {
        let scenario = Scenario::from_seed(seed);
        if options.verbose {
            println!("{scenario:#?}");
        }
        let mut world = World::new(scenario);
        if options.trace {
            world.set_trace(|line| println!("{line}"));
        }
        match world.run() {
            Ok(summary) => {
                if options.verbose {
                    println!("{summary:#?}");
                }
                total.coverage.add(&summary.coverage);
                total.blocks += summary.blocks;
                total.inputs += summary.inputs;
                total.crashes += summary.crashes;
                total.evidence += summary.evidence;
                total.highest_round = total.highest_round.max(summary.highest_round);
                total.highest_quiescent_round = total
                    .highest_quiescent_round
                    .max(summary.highest_quiescent_round);
                total.quiescent = total.quiescent.max(summary.quiescent);
            }
            Err(failure) => {
                eprintln!("seed {seed}: {failure}");
                failures += 1;
            }
        }
    }
    println!(
        "{} schedules: {} blocks, {} inputs, {} crashes, {} pieces of evidence, rounds up to {}, \
         in the quiescent phase up to {}, longest quiescent phase {} ms, {failures} failures",
        options.count,
        total.blocks,
        total.inputs,
        total.crashes,
        total.evidence,
        total.highest_round,
        total.highest_quiescent_round,
        total.quiescent,
    );
    println!(
        "{:.0} schedules per second",
        options.count as f64 / begun.elapsed().as_secs_f64()
    );
    println!("covered: {}", total.coverage);
    let uncovered: Vec<_> = total.coverage.uncovered().collect();
    if options.count >= 1000 && !uncovered.is_empty() {
        eprintln!("not covered, so nothing is shown about: {uncovered:?}");
        return ExitCode::FAILURE;
    }
    if failures == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
