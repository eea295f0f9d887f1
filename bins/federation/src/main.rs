//! The federation daemon, with the verbs that prepare, inspect, demonstrate and measure it.

mod args;
mod checks;
mod cli;
mod files;
mod hints;
mod key_checks;
mod key_lock;
mod keys;
mod local;
mod messenger;
mod node;
mod reissuing;
mod runtime;
mod verbs;

use std::{io::IsTerminal, process::ExitCode};

use clap::{CommandFactory, Parser};
use federation_cli::{out, write_completions, write_help, write_man_pages};
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    fmt,
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::{
    args::LogFormat,
    cli::{Cli, Command},
};

fn main() -> ExitCode {
    let cli = Cli::parse();
    start_log(&cli.command);
    let result = match &cli.command {
        Command::Run(args) => verbs::run::run(args),
        Command::Demo(args) => verbs::demo::run(args),
        Command::Devnet(args) => verbs::devnet::run(args),
        Command::Bench(args) => verbs::bench::run(args),
        Command::Init(args) => verbs::init::run(args),
        Command::Config(args) => verbs::config::run(args),
        Command::Rehearse(args) => verbs::rehearse::run(args),
        Command::Preflight(args) => verbs::preflight::run(args),
        Command::Status(args) => verbs::status::run(args),
        Command::Guard(args) => verbs::guard::run(args),
        Command::Issue(args) => verbs::issue::run(args),
        Command::Reissuance(args) => verbs::reissuance::run(args),
        Command::KafkaClient(_) => Ok(federation_messenger_kafka::run_client()),
        Command::Help(args) => write_help(Cli::command(), &args.words),
        Command::Completions { shell } => Ok(write_completions(Cli::command(), *shell)),
        Command::Man { out } => write_man_pages(Cli::command(), out),
    };
    result.unwrap_or_else(|error| {
        out::note(&error.to_string());
        error.exit_code()
    })
}

/// Starts the log on the standard error: from level info in a daemon, only as RUST_LOG selects elsewhere.
fn start_log(command: &Command) {
    let (verbose, format) = match command {
        Command::Run(args) => (true, args.log_format),
        Command::KafkaClient(args) => (!args.quiet, args.log_format),
        _ => (false, LogFormat::Text),
    };
    messenger::set_log(verbose, format);
    let default = if verbose {
        LevelFilter::INFO
    } else {
        LevelFilter::OFF
    };
    let requested = std::env::var("RUST_LOG").ok().map(|text| text.parse());
    let is_malformed = matches!(requested, Some(Err(_)));
    let filter = requested
        .and_then(Result::ok)
        .unwrap_or_else(|| Targets::new().with_default(default));
    let lines = fmt::layer()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let log = tracing_subscriber::registry().with(filter);
    match format {
        LogFormat::Json => log.with(lines.json()).init(),
        LogFormat::Text => log.with(lines).init(),
    }
    if is_malformed {
        out::note("warning: RUST_LOG is malformed: write for example info,federation=debug");
    }
}
