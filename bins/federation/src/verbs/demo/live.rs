//! The demo on a terminal: drawing and key presses.

use federation_cli::{CliError, OrHelp};
use std::time::Duration;

use crossterm::event::{Event as TerminalEvent, KeyCode, KeyEventKind, KeyModifiers};
use tokio::sync::mpsc;

use super::{
    session::{FinishedDemo, Outcome, Session, UserCommand},
    state::SharedState,
    view,
};
use crate::runtime::Stop;

/// The pause between two frames.
const FRAME: Duration = Duration::from_millis(100);

/// The number of commands that may wait to be executed.
const MAX_COMMANDS: usize = 16;

/// Runs the demo until it ends or the user quits.
pub(crate) async fn run(mut session: Session, stop: &Stop) -> Result<FinishedDemo, CliError> {
    let mut terminal =
        ratatui::try_init().or_help("use --plain on a terminal without a live view")?;
    let (command_sender, commands) = mpsc::channel(MAX_COMMANDS);
    let shared = session.shared.clone();
    // The session is one future that runs to its end: a frame or a key must not cancel a command halfway.
    let result = tokio::select! {
        end = session.run(commands, |_| Ok(())) => end,
        drawn = draw(&shared, command_sender, &mut terminal) => drawn.map(|()| Outcome::Quit),
        _ = stop.requested() => Ok(Outcome::Stopped),
    };
    ratatui::restore();
    let end = result?;
    Ok(session.close(end))
}

/// Draws the view and forwards the user's commands until the user quits.
async fn draw(
    shared: &SharedState,
    commands: mpsc::Sender<UserCommand>,
    terminal: &mut ratatui::DefaultTerminal,
) -> Result<(), CliError> {
    let mut keys = read_keys();
    let mut chosen = 0;
    let mut frame = tokio::time::interval(FRAME);
    loop {
        tokio::select! {
            Some(key) = keys.recv() => match press(shared, key, &mut chosen) {
                Pressed::Quit => return Ok(()),
                Pressed::Command(command) => {
                    if commands.try_send(command).is_err() {
                        shared.add_news("busy: press the key again".to_owned());
                    }
                }
                Pressed::Nothing => {}
            },
            _ = frame.tick() => {
                let state = shared.now();
                terminal
                    .draw(|frame| view::draw(frame, &state, chosen))
                    .or_help("use --plain")?;
            }
        }
    }
}

/// Reads keys on a separate thread, because reading blocks. The thread ends with the program.
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

/// The meaning of a key press.
enum Pressed {
    Nothing,
    Quit,
    Command(UserCommand),
}

fn press(shared: &SharedState, key: KeyCode, chosen: &mut usize) -> Pressed {
    let operators = &shared.now().operators;
    let count = operators.len();
    let command = match key {
        KeyCode::Char('q') | KeyCode::Esc => return Pressed::Quit,
        KeyCode::Down => {
            *chosen = (*chosen + 1) % count;
            return Pressed::Nothing;
        }
        KeyCode::Up => {
            *chosen = (*chosen + count - 1) % count;
            return Pressed::Nothing;
        }
        KeyCode::Char(' ') if operators[*chosen].running => UserCommand::Stop(*chosen),
        KeyCode::Char(' ') => UserCommand::Restart(*chosen),
        KeyCode::Char('k') if operators[*chosen].running => UserCommand::Kill(*chosen),
        KeyCode::Char('c') => UserCommand::Cut(*chosen),
        KeyCode::Char('h') => UserCommand::Heal(*chosen),
        _ => return Pressed::Nothing,
    };
    Pressed::Command(command)
}
