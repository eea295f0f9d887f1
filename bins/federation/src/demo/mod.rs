//! `federation demo`: a whole federation on this machine, with a crash and a comeback.

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
use std::{io::IsTerminal, process::ExitCode, time::Duration};

use federation_chain::Dialect;
use federation_local::{LocalConfig, LocalFederation, NodeKind};
use federation_roster::FederationError;

use self::{
    inflation::Inflation,
    session::{Acts, Session},
    state::DemoState,
};
use crate::cli::DemoArgs;

/// How many blocks a demo makes when nobody watches it live.
const BLOCKS: u32 = 20;

/// How the demo is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Show {
    /// The live view.
    Live,
    /// Log lines.
    Plain,
    /// One line of JSON for each block.
    Json,
}

/// The smallest majority.
pub(crate) const fn majority(operators: u8) -> u8 {
    operators / 2 + 1
}

/// Runs the demo until its blocks are made, the user quits, or the chain stands still.
pub(crate) fn run(args: &DemoArgs) -> Result<ExitCode, CliError> {
    let show = if args.json {
        Show::Json
    } else if args.plain || !std::io::stdout().is_terminal() {
        Show::Plain
    } else {
        Show::Live
    };
    let config = local_config(args)?;
    if let Some(rate) = args.inflation_rate {
        inflation::schedule(rate, args.inflation_period, args.interval)?;
    }
    let blocks = match (args.blocks, show) {
        (Some(blocks), _) => Some(blocks),
        (None, Show::Live) => None,
        (None, _) => Some(BLOCKS),
    };
    crate::runtime::multi_thread()?.until_stopped(async |stop| {
        if config_is_slow(args) {
            out::note("starting a node for each operator...");
        }
        let federation = tokio::select! {
            federation = LocalFederation::start(config) => federation.map_err(failed)?,
            _ = stop.asked() => return Ok(ExitCode::SUCCESS),
        };
        let names = federation.federation().operators().iter();
        let names = names.map(|operator| operator.name.clone()).collect();
        let threshold = federation.federation().threshold();
        let state = DemoState::new(title(args), threshold, args.interval, names);
        let inflation = args
            .inflation_rate
            .map(|rate| Inflation::new(rate, args.inflation_period, args.interval, &federation))
            .transpose()?;
        let asked_for_inflation = inflation.is_some();
        let acts = Acts {
            crash: !args.no_crash,
            inflation,
        };
        let session = Session::new(federation, state, acts, blocks, args.interval);
        let ended = match show {
            Show::Live => live::run(session, &stop).await?,
            Show::Plain | Show::Json => plain::run(session, show, &stop).await?,
        };
        summary::tell(ended, show, asked_for_inflation, &stop).await
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
                "elementsd runs no Ocean chain",
                "use --dialect elements or dynafed with --elementsd, or give --oceand",
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
                "oceand runs Ocean chains only",
                "leave --dialect away, or give --elementsd",
            ));
        }
        config = config
            .with_dialect(Dialect::Ocean)
            .with_nodes(NodeKind::Process(program.clone()));
    }
    Ok(config)
}

/// The block format of the chain.
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

/// An error of the local federation, with what to do about it.
pub(crate) fn failed(error: federation_local::LocalError) -> CliError {
    let cure = match &error {
        federation_local::LocalError::Federation(FederationError::NoInterval) => {
            return CliError::usage(error, "give --interval of 100ms or more");
        }
        federation_local::LocalError::Federation(_)
        | federation_local::LocalError::Threshold(_)
        | federation_local::LocalError::Script(_) => {
            return CliError::usage(
                error,
                "choose --threshold above half of --operators, and not above them",
            );
        }
        federation_local::LocalError::Process(_) => {
            "check that the program is the right node, and look at its output"
        }
        _ => "try again, with RUST_LOG=info for more",
    };
    CliError::failure(error, cure)
}

/// How long a chain may be without a block before it counts as standing still.
pub(crate) fn patience(interval: Duration) -> Duration {
    // A machine that does other things as well may take its time for a block.
    (interval * 10).max(Duration::from_secs(120))
}
