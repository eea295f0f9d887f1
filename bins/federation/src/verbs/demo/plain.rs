//! The demo without a live view: log lines, or one line of JSON per block.

use federation_cli::{BUG, CliError, OrHelp, out};
use tokio::sync::mpsc;

use super::{
    OutputMode,
    session::{FinishedDemo, Outcome, Session},
    state::{BlockRow, SharedState},
};
use crate::runtime::Stop;

/// Runs the demo to its end.
pub(crate) async fn run(
    mut session: Session,
    mode: OutputMode,
    stop: &Stop,
) -> Result<FinishedDemo, CliError> {
    let shared = session.shared.clone();
    if mode == OutputMode::Plain {
        out::line(&shared.now().title)?;
    }
    // There are no user commands.
    let (_, commands) = mpsc::channel(1);
    let mut printed = 0;
    let print = |block: Option<&BlockRow>| {
        if mode == OutputMode::Plain {
            print_news(&shared, &mut printed)?;
        }
        match block {
            Some(block) => out::line(&match mode {
                OutputMode::Json => serde_json::to_string(block).or_help(BUG)?,
                _ => describe(&shared, block),
            }),
            None => Ok(()),
        }
    };
    let end = tokio::select! {
        end = session.run(commands, print) => end?,
        _ = stop.requested() => Outcome::Stopped,
    };
    Ok(session.close(end))
}

/// Prints the news since the previous call.
fn print_news(shared: &SharedState, printed: &mut u64) -> Result<(), CliError> {
    let lines: Vec<String> = {
        let state = shared.now();
        let fresh = usize::try_from(state.news_count - *printed).unwrap_or(usize::MAX);
        *printed = state.news_count;
        state.news.iter().take(fresh).rev().cloned().collect()
    };
    lines.iter().try_for_each(|line| out::line(line))
}

fn describe(shared: &SharedState, block: &BlockRow) -> String {
    let seconds = shared.now().began.elapsed().as_secs_f32();
    let assets = if block.assets.is_empty() {
        String::new()
    } else {
        format!("  {}", block.assets.join(", "))
    };
    format!(
        "{seconds:7.1} s  block {:>4}  {}  round {}  led by {}  {} ms  signed by {}  {} tx{assets}",
        block.height,
        block.hash.get(..16).unwrap_or(&block.hash),
        block.round,
        block.leader,
        block.ms,
        block.signers.join(" "),
        block.transactions,
    )
}
