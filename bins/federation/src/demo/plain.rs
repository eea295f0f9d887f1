//! The demo without a terminal: log lines, or one line of JSON for each block.

use federation_cli::{CliError, out};
use std::time::Duration;

use super::{
    Show,
    session::{End, Ended, Session},
    state::BlockRow,
};

/// Runs the demo to its end.
pub(crate) async fn run(mut session: Session, show: Show) -> Result<Ended, CliError> {
    if show == Show::Plain {
        out::line(&session.state.title)?;
    }
    let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
    loop {
        let told = session.state.told;
        let news = tokio::select! {
            news = session.hear() => news,
            () = tokio::time::sleep(Duration::from_millis(500)) => None,
            _ = &mut interrupted => return Ok(session.close(End::Quit)),
        };
        // Not inside `select!`, which would drop it half done when the time is over.
        let block = match news {
            Some(news) => session.act(news).await,
            None => None,
        };
        if show == Show::Plain {
            let fresh = usize::try_from(session.state.told - told).unwrap_or(usize::MAX);
            let news: Vec<String> = session
                .state
                .news
                .iter()
                .take(fresh)
                .rev()
                .cloned()
                .collect();
            for line in news {
                out::line(&line)?;
            }
        }
        if let Some(block) = block {
            out::line(&match show {
                Show::Json => serde_json::to_string(&block)
                    .map_err(|e| CliError::failure(e, "this is a bug: please report it"))?,
                _ => describe(&session, &block),
            })?;
        }
        if let Some(end) = session.end() {
            return Ok(session.close(end));
        }
    }
}

fn describe(session: &Session, block: &BlockRow) -> String {
    let seconds = session.state.began.elapsed().as_secs_f32();
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
