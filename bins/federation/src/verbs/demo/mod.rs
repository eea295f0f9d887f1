//! `federation demo`: demonstrates a whole federation on this machine, with a crash and a recovery.

mod args;
mod block;
mod clients;
mod inflation;
mod links;
mod live;
mod plain;
mod session;
mod state;
mod summary;
#[cfg(test)]
mod tests;
mod view;

use federation_cli::{CliError, out};
use std::{io::IsTerminal, process::ExitCode};

use federation_chain::Dialect;
use federation_local::{LocalConfig, LocalFederation, NodeKind};

pub(crate) use self::args::DemoArgs;
use self::{
    inflation::Inflation,
    session::{DemoOptions, Session},
    state::DemoState,
};
use crate::{
    local::{failed, majority},
    runtime,
};

/// The number of blocks of a demo without a live view.
const BLOCKS: u32 = 20;

/// The output of the demo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutputMode {
    /// The live view.
    Live,
    /// Log lines.
    Plain,
    /// One line of JSON per block.
    Json,
}

/// Runs the demo until all its blocks are made, the user quits, or the chain stands still.
pub(crate) fn run(args: &DemoArgs) -> Result<ExitCode, CliError> {
    let mode = if args.json {
        OutputMode::Json
    } else if args.plain || !std::io::stdout().is_terminal() {
        OutputMode::Plain
    } else {
        OutputMode::Live
    };
    let config = local_config(args)?;
    if let Some(rate) = args.inflation_rate {
        inflation::schedule(rate, args.inflation_period, args.interval)?;
    }
    let blocks = match (args.blocks, mode) {
        (Some(blocks), _) => Some(blocks),
        (None, OutputMode::Live) => None,
        (None, _) => Some(BLOCKS),
    };
    runtime::multi_thread()?.until_stopped(async |stop| {
        if config_is_slow(args) {
            out::note("starting a node for each operator...");
        }
        let federation = tokio::select! {
            federation = LocalFederation::start(config) => federation.map_err(failed)?,
            _ = stop.requested() => return Ok(ExitCode::SUCCESS),
        };
        let names = federation.federation().members().iter();
        let names = names.map(|operator| operator.name.clone()).collect();
        let threshold = federation.federation().threshold();
        let state = DemoState::new(title(args), threshold, args.interval, names);
        let inflation = args
            .inflation_rate
            .map(|rate| Inflation::new(rate, args.inflation_period, args.interval, &federation))
            .transpose()?;
        let asked_for_inflation = inflation.is_some();
        let options = DemoOptions {
            crash: !args.no_crash,
            inflation,
        };
        let session = Session::new(federation, state, options, blocks, args.interval);
        let ended = match mode {
            OutputMode::Live => live::run(session, &stop).await?,
            OutputMode::Plain | OutputMode::Json => plain::run(session, mode, &stop).await?,
        };
        summary::print(ended, mode, asked_for_inflation, &stop).await
    })
}

fn local_config(args: &DemoArgs) -> Result<LocalConfig, CliError> {
    let threshold = args.threshold.unwrap_or(majority(args.operators));
    let mut config = LocalConfig::new(args.operators, threshold)
        .with_interval(args.interval)
        .with_dialect(dialect(args));
    config = args.transport.apply(config)?;
    if let Some(program) = &args.elementsd {
        if dialect(args) == Dialect::Ocean {
            return Err(CliError::usage(
                "elementsd cannot run an Ocean chain",
                "use --dialect elements or dynafed, or --oceand",
            ));
        }
        config = config.with_nodes(NodeKind::Process(program.clone()));
    }
    if let Some(program) = &args.oceand {
        if args
            .dialect
            .is_some_and(|dialect| Dialect::from(dialect) != Dialect::Ocean)
        {
            return Err(CliError::usage(
                "oceand can only run Ocean chains",
                "omit --dialect, or use --elementsd",
            ));
        }
        config = config
            .with_dialect(Dialect::Ocean)
            .with_nodes(NodeKind::Process(program.clone()));
    }
    Ok(config)
}

/// Returns the block format of the chain.
fn dialect(args: &DemoArgs) -> Dialect {
    match (&args.oceand, args.dialect) {
        (Some(_), _) => Dialect::Ocean,
        (None, Some(dialect)) => dialect.into(),
        (None, None) => Dialect::Dynafed,
    }
}

fn config_is_slow(args: &DemoArgs) -> bool {
    args.elementsd.is_some() || args.oceand.is_some()
}

fn title(args: &DemoArgs) -> String {
    let threshold = args.threshold.unwrap_or(majority(args.operators));
    let nodes = match (&args.elementsd, &args.oceand) {
        (Some(_), _) => format!("elementsd, {}", dialect(args)),
        (_, Some(_)) => "oceand".to_owned(),
        _ => format!("devnet, {}", dialect(args)),
    };
    format!(
        "{threshold} of {} on {nodes}, a block every {:?}",
        args.operators, args.interval
    )
}
