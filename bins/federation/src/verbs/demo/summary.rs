//! The end of a demo: its summary and exit code.

use federation_cli::{CliError, out};
use std::{process::ExitCode, time::Duration};

use federation_local::LocalError;
use serde_json::json;

use super::{
    OutputMode,
    inflation::{Audit, audit},
    session::{FinishedDemo, Outcome, millis},
    state::DemoState,
};
use crate::{local::failed, runtime::Stop};

/// How long the last query of the nodes may take after a signal.
const LAST_QUERY: Duration = Duration::from_millis(300);

/// The nodes' chains at the end.
struct ChainsFound {
    /// The height up to which they are the same.
    common: u32,
    forked: Option<u32>,
    audit: Option<Audit>,
}

/// Checks that all nodes have the same chain, stops everything, and prints the summary.
pub(crate) async fn print(
    ended: FinishedDemo,
    mode: OutputMode,
    asked_for_inflation: bool,
    stop: &Stop,
) -> Result<ExitCode, CliError> {
    // After a signal there is no time to stop the nodes gracefully: they are killed when dropped.
    let found = if stop.is_requested() {
        let queried = tokio::time::timeout(LAST_QUERY, query_nodes(&ended)).await;
        queried.ok().transpose()
    } else {
        tokio::select! {
            found = query_nodes(&ended) => found.map(Some),
            _ = stop.requested() => Ok(None),
        }
    };
    let state = ended.shared.now().clone();
    print_totals(
        &ended,
        &state,
        mode,
        found.as_ref().ok().and_then(Option::as_ref),
    )?;
    let problems = problems(&ended, &state, &found);
    for problem in &problems {
        out::note(&format!("error: {problem}"));
    }
    if let Ok(Some(ChainsFound { audit, .. })) = &found
        && asked_for_inflation
        && audit.is_none_or(|audit| audit.paid == 0)
        && ended.end == Outcome::Done
        && problems.is_empty()
    {
        out::note("no reissuance was due: increase --blocks to see one");
    }
    if !stop.is_requested() {
        tokio::select! {
            () = ended.federation.stop() => {}
            _ = stop.requested() => {}
        }
    }
    if problems.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    Err(CliError::failure(
        "the demo failed",
        "try again, with RUST_LOG=info for more",
    ))
}

/// Queries the chains of all nodes.
async fn query_nodes(ended: &FinishedDemo) -> Result<ChainsFound, CliError> {
    let chain = ended.federation.check_one_chain().await;
    let audit = match &ended.reissued {
        Some(settings) => Some(audit(&ended.federation, settings.clone()).await?),
        None => None,
    };
    let (common, forked) = match chain {
        Ok(height) => (height, ended.shared.now().forks.first().copied()),
        Err(LocalError::Fork(height)) => (height.saturating_sub(1), Some(height)),
        Err(error) => return Err(failed(error)),
    };
    Ok(ChainsFound {
        common,
        forked,
        audit,
    })
}

/// Lists everything that went wrong.
fn problems(
    ended: &FinishedDemo,
    state: &DemoState,
    found: &Result<Option<ChainsFound>, CliError>,
) -> Vec<String> {
    let mut problems = ended.failures.clone();
    if ended.end == Outcome::StoodStill {
        let took = millis(
            ended
                .ended
                .duration_since(state.last_block.unwrap_or(state.began)),
        );
        problems.push(format!("the chain stood still for {took} ms"));
    }
    match found {
        Err(error) => problems.push(error.what().to_owned()),
        Ok(None) => {}
        Ok(Some(found)) => {
            if let Some(height) = found.forked {
                problems.push(format!("the chain forked at height {height}"));
            }
            if let Some(audit) = found.audit {
                if audit.overdue > 0 {
                    problems.push(format!(
                        "{} reissuances of the schedule were not made",
                        audit.overdue
                    ));
                }
                if audit.differences > 0 {
                    problems.push(format!(
                        "{} differences from the schedule",
                        audit.differences
                    ));
                }
            }
        }
    }
    problems
}

fn print_totals(
    ended: &FinishedDemo,
    state: &DemoState,
    mode: OutputMode,
    found: Option<&ChainsFound>,
) -> Result<(), CliError> {
    let seconds = ended.ended.duration_since(state.began).as_secs_f32();
    let retried = state.blocks.iter().filter(|block| block.round > 0).count();
    let audit = found.and_then(|found| found.audit);
    if mode == OutputMode::Json {
        let summary = json!({
            "summary": {
                "blocks": state.finished,
                "first_height": ended.first_height,
                "common_height": found.map(|found| found.common),
                "seconds": seconds,
                "longest_gap_ms": state.longest_gap_ms,
                "later_rounds": retried,
                "forked_at": found.and_then(|found| found.forked),
                "stood_still": ended.end == Outcome::StoodStill,
                "failures": ended.failures,
                "reissuances": audit.map(|audit| json!({
                    "paid": audit.paid,
                    "owed": audit.owed,
                    "overdue": audit.overdue,
                    "differences": audit.differences,
                })),
            }
        });
        return out::line(&summary.to_string());
    }
    let chain = match found {
        Some(ChainsFound {
            forked: Some(height),
            ..
        }) => format!("FORKED at height {height}"),
        Some(ChainsFound { common, .. }) => format!("one chain on all nodes up to height {common}"),
        None => "the nodes were not queried at the end".to_owned(),
    };
    out::line(&format!(
        "{} blocks in {seconds:.1} s, {retried} of the last {} in a later round, longest gap {} ms, {chain}",
        state.finished,
        state.blocks.len(),
        state.longest_gap_ms,
    ))?;
    if let Some(Audit {
        paid,
        owed,
        differences,
        ..
    }) = audit
    {
        out::line(&format!(
            "audit: {paid} reissuances as scheduled, {owed} due, {differences} differences"
        ))?;
    }
    Ok(())
}
