//! How a demo ended: a last line, and the exit code.

use federation_cli::{CliError, out};
use std::{process::ExitCode, time::Duration};

use federation_local::LocalError;
use serde_json::json;

use super::{
    Show, failed,
    inflation::{Audit, audit},
    session::{End, Ended, millis},
    state::DemoState,
};
use crate::runtime::Stop;

/// How long the nodes may take to be asked for the last time after a signal.
const LAST_LOOK: Duration = Duration::from_millis(300);

/// What the nodes hold at the end.
struct Found {
    /// Up to which height they hold the same.
    common: u32,
    forked: Option<u32>,
    audit: Option<Audit>,
}

/// Checks that all nodes hold one chain, stops everything, and says how it went.
pub(crate) async fn tell(
    ended: Ended,
    show: Show,
    asked_for_inflation: bool,
    stop: &Stop,
) -> Result<ExitCode, CliError> {
    // After a signal there is no time to stop nodes kindly: they are ended when they are dropped.
    let found = if stop.is_asked() {
        let looked = tokio::time::timeout(LAST_LOOK, look(&ended)).await;
        looked.ok().transpose()
    } else {
        tokio::select! {
            found = look(&ended) => found.map(Some),
            _ = stop.asked() => Ok(None),
        }
    };
    let state = ended.picture.now().clone();
    tell_totals(
        &ended,
        &state,
        show,
        found.as_ref().ok().and_then(Option::as_ref),
    )?;
    let problems = problems(&ended, &state, &found);
    for problem in &problems {
        out::note(&format!("error: {problem}"));
    }
    if let Ok(Some(Found { audit, .. })) = &found
        && asked_for_inflation
        && audit.is_none_or(|audit| audit.paid == 0)
        && ended.end == End::Done
        && problems.is_empty()
    {
        out::note("no point of the schedule was reached: --blocks with a greater number shows one");
    }
    if !stop.is_asked() {
        tokio::select! {
            () = ended.federation.stop() => {}
            _ = stop.asked() => {}
        }
    }
    if problems.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    Err(CliError::failure(
        "the demo did not go as it should",
        "try again, with RUST_LOG=info for more",
    ))
}

/// Asks all nodes for what they hold.
async fn look(ended: &Ended) -> Result<Found, CliError> {
    let chain = ended.federation.check_one_chain().await;
    let audit = match &ended.reissued {
        Some(settings) => Some(audit(&ended.federation, settings.clone()).await?),
        None => None,
    };
    let (common, forked) = match chain {
        Ok(height) => (height, ended.picture.now().forks.first().copied()),
        Err(LocalError::Fork(height)) => (height.saturating_sub(1), Some(height)),
        Err(error) => return Err(failed(error)),
    };
    Ok(Found {
        common,
        forked,
        audit,
    })
}

/// All that went wrong.
fn problems(
    ended: &Ended,
    state: &DemoState,
    found: &Result<Option<Found>, CliError>,
) -> Vec<String> {
    let mut problems = ended.failures.clone();
    if ended.end == End::StoodStill {
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
                        "{} points of the schedule were not paid",
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

fn tell_totals(
    ended: &Ended,
    state: &DemoState,
    show: Show,
    found: Option<&Found>,
) -> Result<(), CliError> {
    let seconds = ended.ended.duration_since(state.began).as_secs_f32();
    let retried = state.blocks.iter().filter(|block| block.round > 0).count();
    let audit = found.and_then(|found| found.audit);
    if show == Show::Json {
        let summary = json!({
            "summary": {
                "blocks": state.finished,
                "first_height": ended.first_height,
                "common_height": found.map(|found| found.common),
                "seconds": seconds,
                "longest_gap_ms": state.longest_gap_ms,
                "later_rounds": retried,
                "forked_at": found.and_then(|found| found.forked),
                "stood_still": ended.end == End::StoodStill,
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
        Some(Found {
            forked: Some(height),
            ..
        }) => format!("FORKED at height {height}"),
        Some(Found { common, .. }) => format!("one chain on all nodes up to height {common}"),
        None => "the nodes were not asked at the end".to_owned(),
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
            "audit: {paid} points paid as scheduled, {owed} owed, {differences} differences"
        ))?;
    }
    Ok(())
}
