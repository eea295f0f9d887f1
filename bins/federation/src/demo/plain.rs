//! The demo without a terminal: log lines, or one line of JSON for each block.

use federation_cli::{CliError, out};
use tokio::sync::mpsc;

use super::{
    Show,
    session::{End, Ended, Session},
    state::{BlockRow, Picture},
};
use crate::runtime::Stop;

/// Runs the demo to its end.
pub(crate) async fn run(mut session: Session, show: Show, stop: &Stop) -> Result<Ended, CliError> {
    let picture = session.picture.clone();
    if show == Show::Plain {
        out::line(&picture.now().title)?;
    }
    // Nobody wishes for anything.
    let (_, wishes) = mpsc::channel(1);
    let mut told = 0;
    let tell = |block: Option<&BlockRow>| {
        if show == Show::Plain {
            tell_news(&picture, &mut told)?;
        }
        match block {
            Some(block) => out::line(&match show {
                Show::Json => serde_json::to_string(block)
                    .map_err(|e| CliError::failure(e, "this is a bug: please report it"))?,
                _ => describe(&picture, block),
            }),
            None => Ok(()),
        }
    };
    let end = tokio::select! {
        end = session.run(wishes, tell) => end?,
        _ = stop.asked() => End::Stopped,
    };
    Ok(session.close(end))
}

/// Prints the news since the last time.
fn tell_news(picture: &Picture, told: &mut u64) -> Result<(), CliError> {
    let lines: Vec<String> = {
        let state = picture.now();
        let fresh = usize::try_from(state.told - *told).unwrap_or(usize::MAX);
        *told = state.told;
        state.news.iter().take(fresh).rev().cloned().collect()
    };
    lines.iter().try_for_each(|line| out::line(line))
}

fn describe(picture: &Picture, block: &BlockRow) -> String {
    let seconds = picture.now().began.elapsed().as_secs_f32();
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
