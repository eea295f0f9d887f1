//! How a demo ended: a last line, and the exit code.

use federation_cli::{CliError, out};
use std::process::ExitCode;

use serde_json::json;

use super::{
    Show, failed,
    inflation::{Audit, audit},
    session::{End, Ended, millis},
};

/// Checks that all nodes hold one chain, stops everything, and says how it went.
pub(crate) async fn tell(ended: Ended, show: Show) -> Result<ExitCode, CliError> {
    let Ended {
        federation,
        state,
        end,
        ended,
        first_height,
        reissued,
    } = ended;
    let chain = federation.check_one_chain().await;
    let audit = match reissued {
        Some(settings) => Some(audit(&federation, settings).await?),
        None => None,
    };
    federation.stop().await;
    let forked = match &chain {
        Err(federation_local::LocalError::Fork(height)) => Some(*height),
        _ => state.forks.first().copied(),
    };
    let common = match chain {
        Ok(height) => height,
        Err(federation_local::LocalError::Fork(height)) => height.saturating_sub(1),
        Err(error) => return Err(failed(error)),
    };
    let seconds = ended.duration_since(state.began).as_secs_f32();
    let retried = state.blocks.iter().filter(|block| block.round > 0).count();
    if show == Show::Json {
        let summary = json!({
            "summary": {
                "blocks": state.finished,
                "first_height": first_height,
                "common_height": common,
                "seconds": seconds,
                "longest_gap_ms": state.longest_gap_ms,
                "later_rounds": retried,
                "forked_at": forked,
                "stood_still": end == End::StoodStill,
                "reissuances": audit.map(|audit| json!({
                    "paid": audit.paid,
                    "owed": audit.owed,
                    "differences": audit.differences,
                })),
            }
        });
        out::line(&summary.to_string())?;
    } else {
        out::line(&format!(
            "{} blocks in {seconds:.1} s, {retried} of the last {} in a later round, longest gap {} ms, {}",
            state.finished,
            state.blocks.len(),
            state.longest_gap_ms,
            match forked {
                Some(height) => format!("FORKED at height {height}"),
                None => format!("one chain on all nodes up to height {common}"),
            }
        ))?;
        if let Some(Audit {
            paid,
            owed,
            differences,
        }) = audit
        {
            out::line(&format!(
                "audit: {paid} points paid as scheduled, {owed} owed, {differences} differences"
            ))?;
        }
    }
    let took = millis(ended.duration_since(state.last_block.unwrap_or(state.began)));
    if end == End::StoodStill {
        out::note(&format!("the chain stood still for {took} ms"));
    }
    let as_scheduled = audit.is_none_or(|audit| audit.differences == 0);
    let fine = forked.is_none() && end != End::StoodStill && as_scheduled;
    Ok(if fine {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
