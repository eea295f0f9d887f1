//! The info string of a block.

use std::{env, path::PathBuf};

/// A node program that a block requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Needs {
    /// The program named by `ELEMENTSD`.
    Elementsd,
    /// The program named by `OCEAND`.
    Oceand,
}

impl Needs {
    /// Returns the program's path, if the variable is set.
    #[must_use]
    pub fn program(self) -> Option<PathBuf> {
        let name = match self {
            Self::Elementsd => "ELEMENTSD",
            Self::Oceand => "OCEAND",
        };
        env::var_os(name).map(PathBuf::from)
    }
}

/// RunOptions the commands of a block are run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct RunOptions {
    /// The program without which the block is skipped.
    pub needs: Option<Needs>,
    /// Whether only the first reader runs it.
    pub one_party: bool,
    /// The output that shows that the block works, if it does not end by itself.
    pub until: Option<String>,
}

/// The kind of a block, which determines what is done with it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Commands to be run.
    Run(RunOptions),
    /// Commands that are not run, with the reason.
    NotRun(String),
    /// Commands after `$ `, with their output.
    Console,
    /// The output of the block above.
    Output,
    /// Text that nothing is done with.
    Text,
    /// A file, or a part of one.
    File {
        /// `toml`, `conf`, `ini` or `json`.
        language: String,
        /// The mark after the language, which identifies the file.
        mark: String,
    },
}

/// Parses an info string.
pub(super) fn kind(info: &str) -> Result<Kind, String> {
    let (language, mark) = info.split_once(char::is_whitespace).unwrap_or((info, ""));
    let mark = mark.trim();
    match language {
        "sh" | "console" if mark.starts_with("no-run") => match mark.strip_prefix("no-run:") {
            Some(why) if why.trim().len() >= 5 => Ok(Kind::NotRun(why.trim().to_owned())),
            _ => Err(format!(
                "`{info}`: state why it is not run, `no-run: REASON`"
            )),
        },
        "sh" => run_options(mark)
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
            "Rust belongs in the documentation of a crate, where it is compiled and run".to_owned(),
        ),
        "" => Err("a block without a language: add one to its fence".to_owned()),
        _ => Err(format!("`{info}`: unknown language or mark")),
    }
}

fn run_options(mark: &str) -> Option<RunOptions> {
    let (words, until) = match mark.split_once("until:") {
        Some((_, until)) if until.trim().is_empty() => return None,
        Some((words, until)) => (words, Some(until.trim().to_owned())),
        None => (mark, None),
    };
    let mut options = RunOptions {
        until,
        ..RunOptions::default()
    };
    for word in words.split_whitespace() {
        match word {
            "elementsd" => options.needs = Some(Needs::Elementsd),
            "oceand" => options.needs = Some(Needs::Oceand),
            "one-party" => options.one_party = true,
            _ => return None,
        }
    }
    Some(options)
}
