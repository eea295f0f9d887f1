//! Explores every state that a small federation can reach.
//!
//! `cargo run --release -p federation-block-signing --example model -- --operators 3 --threshold 2
//! --rounds 2 --crashes always` (or a number). `--depth` and `--states` bound a search that would
//! take too long; the coverage is printed at the end.

#![expect(clippy::print_stdout, reason = "a program for the terminal")]
#![expect(
    clippy::disallowed_methods,
    reason = "the explorer runs in real time, the machine does not"
)]

mod system;

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use stateright::{Checker, Model};

use crate::system::{Crashes, Federation};

struct Options {
    operators: u8,
    threshold: u8,
    rounds: u8,
    crashes: Crashes,
    depth: Option<usize>,
    states: Option<usize>,
    threads: usize,
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        operators: 3,
        threshold: 2,
        rounds: 2,
        crashes: Crashes::Always,
        depth: None,
        states: None,
        threads: std::thread::available_parallelism().map_or(1, Into::into),
    };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let text = args.next().ok_or_else(|| format!("{arg} needs a number"))?;
        let wrong = |error| format!("{arg} {text}: {error}");
        let small = || text.parse::<u8>().map_err(wrong);
        let large = || text.parse::<usize>().map_err(wrong);
        match arg.as_str() {
            "--operators" => options.operators = small()?,
            "--threshold" => options.threshold = small()?,
            "--rounds" => options.rounds = small()?,
            "--crashes" if text == "always" => options.crashes = Crashes::Always,
            "--crashes" => options.crashes = Crashes::UpTo(small()?),
            "--depth" => options.depth = Some(large()?),
            "--states" => options.states = Some(large()?),
            "--threads" => options.threads = large()?,
            other => return Err(format!("unknown option {other}: see the top of this file")),
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
    let federation = Federation::new(
        options.operators,
        options.threshold.into(),
        options.rounds.into(),
        options.crashes,
    );
    let crashes = match options.crashes {
        Crashes::UpTo(crashes) => format!("{crashes} crashes"),
        Crashes::Always => "a crash after each action".to_owned(),
    };
    let mut builder = federation.checker().threads(options.threads);
    if let Some(depth) = options.depth {
        builder = builder.target_max_depth(depth);
    }
    if let Some(states) = options.states {
        builder = builder.target_state_count(states);
    }
    let begun = Instant::now();
    let checker = builder.spawn_bfs();
    let mut last_report = Instant::now();
    while !checker.is_done() {
        std::thread::sleep(Duration::from_millis(100));
        if last_report.elapsed() >= Duration::from_secs(5) {
            last_report = Instant::now();
            println!(
                "{} states, {} transitions, depth {}",
                checker.unique_state_count(),
                checker.state_count(),
                checker.max_depth()
            );
        }
    }
    let checker = checker.join();
    let seconds = begun.elapsed().as_secs_f64();
    let states = checker.unique_state_count();
    println!(
        "{} of {} operators, {} rounds, {crashes}: {states} states, {} transitions, depth {}, {seconds:.1} s, {:.0} states/s",
        options.threshold,
        options.operators,
        options.rounds,
        checker.state_count(),
        checker.max_depth(),
        states as f64 / seconds
    );
    let mut fine = true;
    for (name, path) in checker.discoveries() {
        let expected = matches!(
            checker.discovery_classification(name),
            stateright::DiscoveryClassification::Example
        );
        fine &= expected;
        println!("{}: {name}", if expected { "seen" } else { "VIOLATED" });
        if !expected {
            println!("{:#?}", path.into_actions());
        }
    }
    for property in checker.model().properties() {
        if checker.discovery(property.name).is_none() {
            let must = property.expectation == stateright::Expectation::Sometimes;
            fine &= !must;
            println!(
                "{}: {}",
                if must { "NEVER SEEN" } else { "holds" },
                property.name
            );
        }
    }
    if fine {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
