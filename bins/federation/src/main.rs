//! The federation daemon, and what shows and measures it.

mod bench;
mod cli;
mod demo;
mod errors;
mod out;
mod runtime;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).with_writer(std::io::stderr).init();
    let result = match &cli.command {
        Command::Demo(args) => demo::run(args),
        Command::Bench(args) => bench::run(args),
        _ => Ok(ExitCode::SUCCESS),
    };
    result.unwrap_or_else(|error| {
        out::note(&error.to_string());
        error.exit_code()
    })
}
