//! `federation bench`: measures a whole federation on this machine.
//!
//! A height is measured from the moment when the first operator starts it to the moment when the last
//! node has the block. The second figure subtracts the time that the slowest operator's calls to its
//! node (template, tests, submission) took at that height.

mod args;
mod load;
mod report;

use federation_cli::{BUG, CliError, OrHelp, out};
use std::{collections::BTreeMap, process::ExitCode, time::Duration};

use federation_block_signing::Event;
use federation_local::{EventPump, LocalConfig, LocalEvent, LocalEventKind, LocalFederation};
use federation_operator::OperatorEvent;

pub(crate) use self::args::BenchArgs;
use self::{
    load::Load,
    report::{Height, Report},
};
use crate::{local, runtime};

/// The number of blocks at the start that are not measured, while connections are established.
const WARM_UP: u32 = 3;

/// The help for a run that failed.
const SEE_LOG: &str = "run again with RUST_LOG=info to see why";

/// Runs the federation and prints the report.
pub(crate) fn run(args: &BenchArgs) -> Result<ExitCode, CliError> {
    let threshold = args.threshold.unwrap_or(local::majority(args.operators));
    if args.kill > args.operators - threshold.min(args.operators) {
        return Err(CliError::usage(
            format!(
                "killing {} of {} operators leaves fewer than the threshold, {threshold}",
                args.kill, args.operators
            ),
            "choose a smaller --kill",
        ));
    }
    let mut config = LocalConfig::new(args.operators, threshold)
        .with_interval(args.interval)
        .with_dialect(args.dialect.into());
    config = args.transport.apply(config)?;
    if let Some(folder) = &args.store {
        config = config.with_folder(folder);
    }
    runtime::multi_thread()?.block_on(async {
        let federation = LocalFederation::start(config)
            .await
            .map_err(local::failed)?;
        let report = measure(federation, args, threshold).await?;
        let text = if args.json {
            serde_json::to_string(&report).or_help(BUG)?
        } else {
            report.to_string()
        };
        out::line(&text)?;
        Ok(ExitCode::SUCCESS)
    })
}

async fn measure(
    mut federation: LocalFederation,
    args: &BenchArgs,
    threshold: u8,
) -> Result<Report, CliError> {
    let mut load = loads(&federation, args).await?;
    let mut events = EventPump::new(&federation);
    let count = usize::from(args.operators);
    let mut heights: BTreeMap<u32, Height> = BTreeMap::new();
    let mut killed = 0;
    let mut running = count;
    let last = WARM_UP + args.blocks;
    let patience = local::patience(args.interval);
    while heights
        .get(&last)
        .is_none_or(|height| height.tips < running)
    {
        let next = tokio::time::timeout(patience, events.recv()).await;
        let Ok(next) = next else {
            return Err(CliError::failure("the chain has stopped", SEE_LOG));
        };
        record(&mut heights, &next);
        if next.operator == count - 1
            && let LocalEventKind::Operator(OperatorEvent::Tip { .. }) = &next.kind
            && let Some(load) = &mut load
        {
            load.fill().await?;
        }
        let reached = heights.keys().next_back().copied().unwrap_or_default();
        if killed < args.kill && reached > WARM_UP + args.blocks / 3 {
            for operator in 0..usize::from(args.kill) {
                federation.kill_operator(operator).await;
            }
            killed = args.kill;
            running -= usize::from(args.kill);
        }
    }
    federation.check_one_chain().await.map_err(local::failed)?;
    federation.stop().await;
    heights.retain(|height, _| (WARM_UP + 1..=last).contains(height));
    Ok(Report::new(args, threshold, heights))
}

/// Creates the load that fills the blocks, if requested. It is sent to the node of the last operator,
/// which is never killed.
async fn loads(federation: &LocalFederation, args: &BenchArgs) -> Result<Option<Load>, CliError> {
    if args.block_size == 0 {
        return Ok(None);
    }
    let node = federation
        .node(usize::from(args.operators) - 1)
        .client()
        .clone();
    Load::new(node, args.dialect.into(), args.block_size as usize)
        .await
        .map(Some)
}

fn record(heights: &mut BTreeMap<u32, Height>, event: &LocalEvent) {
    let LocalEventKind::Operator(reported) = &event.kind else {
        return;
    };
    match reported {
        OperatorEvent::Protocol(Event::HeightStarted { height, late }) => {
            heights
                .entry(height.to_u32())
                .or_default()
                .started(event.at, *late);
        }
        OperatorEvent::NodeCall { what, height, took } if *what != "sign" => {
            let entry = heights.entry(height.to_u32()).or_default();
            entry.called(event.operator, *took);
        }
        OperatorEvent::Tip { height, .. } => {
            heights
                .entry(height.to_u32())
                .or_default()
                .arrived(event.at);
        }
        OperatorEvent::Protocol(Event::HeightFinished(report)) => {
            let round = report.round.map_or(0, federation_roster::Round::to_u32);
            heights.entry(report.height.to_u32()).or_default().round = round;
        }
        _ => {}
    }
}

/// Returns a duration in milliseconds, with its fraction.
pub(crate) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
