//! The demo on a terminal: drawing, and what the keys do.

use federation_cli::CliError;
use std::time::Duration;

use crossterm::event::{Event as TerminalEvent, KeyCode, KeyEventKind, KeyModifiers};
use tokio::sync::mpsc;

use super::{
    session::{End, Ended, Session},
    view,
};

/// The pause between two pictures.
const FRAME: Duration = Duration::from_millis(100);

/// Runs the demo until it is over or the user quits.
pub(crate) async fn run(mut session: Session) -> Result<Ended, CliError> {
    let mut terminal = ratatui::try_init()
        .map_err(|error| CliError::failure(error, "use --plain without a full terminal"))?;
    let result = drive(&mut session, &mut terminal).await;
    ratatui::restore();
    let end = result?;
    Ok(session.close(end))
}

async fn drive(
    session: &mut Session,
    terminal: &mut ratatui::DefaultTerminal,
) -> Result<End, CliError> {
    let mut keys = read_keys();
    let mut chosen = 0;
    let mut frame = tokio::time::interval(FRAME);
    loop {
        tokio::select! {
            // What is done about it is not dropped half done.
            Some(news) = session.hear() => {
                session.act(news).await;
            }
            Some(key) = keys.recv() => {
                if press(session, key, &mut chosen).await {
                    return Ok(End::Quit);
                }
            }
            _ = frame.tick() => {
                let state = &session.state;
                terminal
                    .draw(|frame| view::draw(frame, state, chosen))
                    .map_err(|error| CliError::failure(error, "use --plain"))?;
            }
        }
        if let Some(end) = session.end() {
            return Ok(end);
        }
    }
}

/// Reads keys on a thread of its own, since the terminal blocks. It ends with the program.
fn read_keys() -> mpsc::Receiver<KeyCode> {
    let (sender, receiver) = mpsc::channel(16);
    std::thread::spawn(move || {
        while let Ok(event) = crossterm::event::read() {
            let TerminalEvent::Key(key) = event else {
                continue;
            };
            if key.kind != KeyEventKind::Press {
                continue;
            }
            let control_c =
                key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
            let code = if control_c { KeyCode::Esc } else { key.code };
            if sender.blocking_send(code).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Does what a key says; whether that is to quit.
async fn press(session: &mut Session, key: KeyCode, chosen: &mut usize) -> bool {
    let count = session.state.operators.len();
    match key {
        KeyCode::Char('q') | KeyCode::Esc => return true,
        KeyCode::Down => *chosen = (*chosen + 1) % count,
        KeyCode::Up => *chosen = (*chosen + count - 1) % count,
        KeyCode::Char(' ') if session.state.operators[*chosen].running => {
            session.stop(*chosen).await;
        }
        KeyCode::Char(' ') => session.restart(*chosen).await,
        KeyCode::Char('k') if session.state.operators[*chosen].running => {
            session.kill(*chosen).await;
        }
        KeyCode::Char('c') => cut(session, *chosen),
        KeyCode::Char('h') => heal(session, *chosen),
        _ => {}
    }
    false
}

/// Cuts the chosen operator's link to the next one that it still has a link to.
fn cut(session: &mut Session, chosen: usize) {
    let count = session.state.operators.len();
    let other = (1..count)
        .map(|step| (chosen + step) % count)
        .find(|other| !session.state.cut.contains(&link(chosen, *other)));
    let Some(other) = other else { return };
    if let Err(error) = session.federation.cut(chosen, other) {
        session.state.tell(error.to_string());
        return;
    }
    session.state.cut.push(link(chosen, other));
    let names = (
        &session.state.operators[chosen].name,
        &session.state.operators[other].name,
    );
    let text = format!("the link between {} and {} is cut", names.0, names.1);
    session.state.tell(text);
}

/// Mends all links of the chosen operator.
fn heal(session: &mut Session, chosen: usize) {
    let (own, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut session.state.cut)
        .into_iter()
        .partition(|(a, b)| *a == chosen || *b == chosen);
    session.state.cut = rest;
    for (a, b) in &own {
        if let Err(error) = session.federation.heal(*a, *b) {
            session.state.tell(error.to_string());
        }
    }
    if !own.is_empty() {
        let text = format!(
            "the links of {} are mended",
            session.state.operators[chosen].name
        );
        session.state.tell(text);
    }
}

fn link(a: usize, b: usize) -> (usize, usize) {
    (a.min(b), a.max(b))
}
