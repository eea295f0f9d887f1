//! What the info string of a block says.

use std::{env, path::PathBuf};

/// A node program that a block needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Needs {
    /// `ELEMENTSD` names it.
    Elementsd,
    /// `OCEAND` names it.
    Oceand,
}

impl Needs {
    /// The program, if it is there.
    #[must_use]
    pub fn program(self) -> Option<PathBuf> {
        let name = match self {
            Self::Elementsd => "ELEMENTSD",
            Self::Oceand => "OCEAND",
        };
        env::var_os(name).map(PathBuf::from)
    }
}

/// How commands are run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct How {
    /// Only where this program is there.
    pub needs: Option<Needs>,
    /// By the first reader alone.
    pub one_party: bool,
    /// What the block says when it does what it is for, if it does not end by itself.
    pub until: Option<String>,
}

/// What is to be done with a block.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Commands, to be run.
    Run(How),
    /// Commands that are not run, and why.
    NotRun(String),
    /// Commands after `$ `, and what they say.
    Console,
    /// What the block above says.
    Output,
    /// Nothing.
    Text,
    /// A file, or a piece of one: its language, and the mark behind.
    File {
        /// `toml`, `conf`, `ini` or `json`.
        language: String,
        /// Whose file it is, as the document says.
        mark: String,
    },
}

/// What an info string says.
pub(super) fn kind(info: &str) -> Result<Kind, String> {
    let (language, mark) = info.split_once(char::is_whitespace).unwrap_or((info, ""));
    let mark = mark.trim();
    match language {
        "sh" | "console" if mark.starts_with("no-run") => match mark.strip_prefix("no-run:") {
            Some(why) if why.trim().len() >= 5 => Ok(Kind::NotRun(why.trim().to_owned())),
            _ => Err(format!("`{info}`: say why it is not run, `no-run: WHY`")),
        },
        "sh" => how(mark)
            .map(Kind::Run)
            .ok_or_else(|| format!("`{info}`: unknown mark `{mark}`")),
        "console" if mark.is_empty() => Ok(Kind::Console),
        "text" if mark == "output" => Ok(Kind::Output),
        "text" if mark.is_empty() => Ok(Kind::Text),
        "toml" | "conf" | "ini" | "json" => Ok(Kind::File {
            language: language.to_owned(),
            mark: mark.to_owned(),
        }),
        "rust" => Err(
            "Rust belongs into the documentation of a crate, where it is compiled and run"
                .to_owned(),
        ),
        "" => Err("a block without a language: nobody knows what to do with it".to_owned()),
        _ => Err(format!("`{info}`: unknown language or mark")),
    }
}

fn how(mark: &str) -> Option<How> {
    let (words, until) = match mark.split_once("until:") {
        Some((_, until)) if until.trim().is_empty() => return None,
        Some((words, until)) => (words, Some(until.trim().to_owned())),
        None => (mark, None),
    };
    let mut how = How {
        until,
        ..How::default()
    };
    for word in words.split_whitespace() {
        match word {
            "elementsd" => how.needs = Some(Needs::Elementsd),
            "oceand" => how.needs = Some(Needs::Oceand),
            "one-party" => how.one_party = true,
            _ => return None,
        }
    }
    Some(how)
}
