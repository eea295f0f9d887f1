//! Creates and examines the keys, scripts, addresses and genesis blocks of a federation.

mod address;
mod bundle;
mod ceremony;
mod cli;
mod genesis;
mod hsm;
mod input;
mod inspect;
mod key;
mod new;
mod script;
mod summary;
mod wif;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use federation_cli::{out, write_completions, write_help, write_man_pages};

use crate::cli::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match &cli.command {
        Command::New(args) => new::run(args),
        Command::Script(args) => script::run(args),
        Command::Inspect(args) => inspect::run(args),
        Command::Address(args) => address::run(args),
        Command::Wif(args) => wif::run(args),
        Command::Genesis(args) => genesis::run(args),
        Command::Ceremony(args) => ceremony::run(args),
        Command::Key(args) => key::run(args),
        Command::Hsm(args) => hsm::run(args),
        Command::Help(args) => write_help(Cli::command(), &args.words),
        Command::Completions { shell } => Ok(write_completions(Cli::command(), *shell)),
        Command::Man { out } => write_man_pages(Cli::command(), out),
    };
    result.unwrap_or_else(|error| {
        out::note(&error.to_string());
        error.exit_code()
    })
}
