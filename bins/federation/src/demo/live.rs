//! The demo on a terminal: drawing, and what the keys do.

use federation_cli::CliError;
use std::time::Duration;

use crossterm::event::{Event as TerminalEvent, KeyCode, KeyEventKind, KeyModifiers};
use tokio::sync::mpsc;

use super::{
    session::{End, Ended, Session, Wish},
    state::Picture,
    view,
};
use crate::runtime::Stop;

/// The pause between two pictures.
const FRAME: Duration = Duration::from_millis(100);

/// How many wishes may wait until the federation is free for them.
const WISHES: usize = 16;

/// Runs the demo until it is over or the user quits.
pub(crate) async fn run(mut session: Session, stop: &Stop) -> Result<Ended, CliError> {
    let mut terminal = ratatui::try_init()
        .map_err(|error| CliError::failure(error, "use --plain without a full terminal"))?;
    let (wishing, wishes) = mpsc::channel(WISHES);
    let picture = session.picture.clone();
    // Each is one future to its end: what is being done to an operator is not dropped half way for a
    // picture or a key.
    let result = tokio::select! {
        end = session.run(wishes, |_| Ok(())) => end,
        drawn = draw(&picture, wishing, &mut terminal) => drawn.map(|()| End::Quit),
        _ = stop.asked() => Ok(End::Stopped),
    };
    ratatui::restore();
    let end = result?;
    Ok(session.close(end))
}

/// Draws, and hands on what the keys ask for, until one asks to quit.
async fn draw(
    picture: &Picture,
    wishes: mpsc::Sender<Wish>,
    terminal: &mut ratatui::DefaultTerminal,
) -> Result<(), CliError> {
    let mut keys = read_keys();
    let mut chosen = 0;
    let mut frame = tokio::time::interval(FRAME);
    loop {
        tokio::select! {
            Some(key) = keys.recv() => match press(picture, key, &mut chosen) {
                Pressed::Quit => return Ok(()),
                Pressed::Wish(wish) => {
                    if wishes.try_send(wish).is_err() {
                        picture.tell("one thing after the other: press it again".to_owned());
                    }
                }
                Pressed::Nothing => {}
            },
            _ = frame.tick() => {
                let state = picture.now();
                terminal
                    .draw(|frame| view::draw(frame, &state, chosen))
                    .map_err(|error| CliError::failure(error, "use --plain"))?;
            }
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

/// What a key asks for.
enum Pressed {
    Nothing,
    Quit,
    Wish(Wish),
}

fn press(picture: &Picture, key: KeyCode, chosen: &mut usize) -> Pressed {
    let operators = &picture.now().operators;
    let count = operators.len();
    let wish = match key {
        KeyCode::Char('q') | KeyCode::Esc => return Pressed::Quit,
        KeyCode::Down => {
            *chosen = (*chosen + 1) % count;
            return Pressed::Nothing;
        }
        KeyCode::Up => {
            *chosen = (*chosen + count - 1) % count;
            return Pressed::Nothing;
        }
        KeyCode::Char(' ') if operators[*chosen].running => Wish::Stop(*chosen),
        KeyCode::Char(' ') => Wish::Restart(*chosen),
        KeyCode::Char('k') if operators[*chosen].running => Wish::Kill(*chosen),
        KeyCode::Char('c') => Wish::Cut(*chosen),
        KeyCode::Char('h') => Wish::Heal(*chosen),
        _ => return Pressed::Nothing,
    };
    Pressed::Wish(wish)
}
