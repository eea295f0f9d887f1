//! Checks that the verbs and options in a document exist, also in blocks that are not run.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

use super::{Block, Document, Fault, Kind};

/// The programs that documents mention, with the help of their verbs.
#[derive(Debug, Default)]
pub struct Programs {
    paths: BTreeMap<String, PathBuf>,
    help: BTreeMap<Vec<String>, Option<String>>,
}

impl Programs {
    /// Creates a set of programs, named by their files.
    #[must_use]
    pub fn new(paths: &[&Path]) -> Self {
        let named = paths.iter().filter_map(|path| {
            let name = path.file_name()?.to_str()?.to_owned();
            Some((name, path.to_path_buf()))
        });
        Self {
            paths: named.collect(),
            help: BTreeMap::new(),
        }
    }

    /// Checks that the verbs and options of every command, in blocks and code spans, are in the help.
    ///
    /// # Errors
    /// The first one that is not.
    pub fn check(&mut self, document: &Document) -> Result<(), Fault> {
        for block in document.blocks.iter().chain(&document.spans) {
            let commands = match &block.kind {
                Kind::Run(_) | Kind::NotRun(_) | Kind::Console => block.text.as_str(),
                _ => continue,
            };
            let joined = commands.replace("\\\n", " ");
            for line in joined.lines() {
                self.check_line(block, line)?;
            }
        }
        Ok(())
    }

    fn check_line(&mut self, block: &Block, line: &str) -> Result<(), Fault> {
        // Without comments.
        let words = line.split_whitespace();
        let words: Vec<_> = words.take_while(|word| !word.starts_with('#')).collect();
        for command in words.split(|word| ["&&", "|", "||", ";", "&"].contains(word)) {
            self.check_command(block, command)?;
        }
        Ok(())
    }

    fn check_command(&mut self, block: &Block, words: &[&str]) -> Result<(), Fault> {
        let Some(words) = words
            .iter()
            .position(|word| !is_prefix(word))
            .map(|at| &words[at..])
        else {
            return Ok(());
        };
        let words = cargo_run_command(words).unwrap_or_else(|| words.to_vec());
        let name = words[0].rsplit('/').next().unwrap_or(words[0]);
        if !self.paths.contains_key(name) {
            return Ok(());
        }
        let mut verbs = vec![name.to_owned()];
        let mut help = self.help_of(block, &verbs)?.unwrap_or_default();
        for word in &words[1..] {
            // `help` is followed by a verb or a topic, without its options.
            if verbs.last().is_some_and(|last| last == "help") {
                return Ok(());
            }
            let Some((_, below)) = help.split_once("Commands:") else {
                break;
            };
            if !below.lines().any(|line| first_word(line) == *word) {
                verbs.push((*word).to_owned());
                let usage = format!("Usage: {}", verbs.join(" "));
                // The help does not list verbs for internal use.
                if let Some(unlisted) = self.help_of(block, &verbs)?
                    && unlisted.contains(&usage)
                {
                    help = unlisted;
                    continue;
                }
                let is_word = word.chars().all(|c| c.is_ascii_lowercase() || c == '-');
                if is_word && !word.starts_with('-') {
                    return Err(Fault::new(
                        block,
                        format!("`{}` is not a command", verbs.join(" ")),
                    ));
                }
                verbs.pop();
                break;
            }
            verbs.push((*word).to_owned());
            help = self.help_of(block, &verbs)?.unwrap_or_default();
        }
        for word in words.iter().filter(|word| word.starts_with('-')) {
            let option = word.split('=').next().unwrap_or(word);
            let known = help.lines().any(|line| {
                line.split([' ', ',', '[', ']', ':'])
                    .any(|word| word == option)
            });
            if !known && !["-", "--", "--help", "--version"].contains(&option) {
                return Err(Fault::new(
                    block,
                    format!("`{}` does not have the option `{option}`", verbs.join(" ")),
                ));
            }
        }
        Ok(())
    }

    /// Returns the help of a verb; `None` if the program does not have the verb.
    fn help_of(&mut self, block: &Block, verbs: &[String]) -> Result<Option<String>, Fault> {
        if let Some(known) = self.help.get(verbs) {
            return Ok(known.clone());
        }
        let Some((path, rest)) = verbs
            .split_first()
            .and_then(|(name, rest)| Some((self.paths.get(name)?, rest)))
        else {
            return Ok(None);
        };
        let output = Command::new(path)
            .args(rest)
            .arg("--help")
            .output()
            .map_err(|error| Fault::new(block, format!("{}: {error}", path.display())))?;
        let help = output
            .status
            .success()
            .then(|| String::from_utf8_lossy(&output.stdout).into_owned());
        self.help.insert(verbs.to_vec(), help.clone());
        Ok(help)
    }
}

/// Returns whether a word may precede a program: a prompt, a variable, or a program that runs another.
fn is_prefix(word: &str) -> bool {
    let is_variable = word
        .split_once('=')
        .is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'));
    is_variable || word.ends_with('$') || ["exec", "sudo", "time", "nohup"].contains(&word)
}

/// Returns the command that `cargo run --bin NAME -- ..` runs.
fn cargo_run_command<'a>(words: &[&'a str]) -> Option<Vec<&'a str>> {
    let rest = words.strip_prefix(&["cargo", "run"])?;
    let name = rest.iter().position(|word| *word == "--bin")?;
    let arguments = rest.iter().position(|word| *word == "--")?;
    let mut command = vec![*rest.get(name + 1)?];
    command.extend(&rest[arguments + 1..]);
    Some(command)
}

fn first_word(line: &str) -> &str {
    line.split_whitespace().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Creates a program with the verb `go` and its option `--fast`.
    fn programs(folder: &Path) -> Programs {
        let path = folder.join("federation");
        let text = "#!/bin/sh\nif [ \"$1\" = go ]; then echo '      --fast'; else echo 'Commands:'; echo '  go  Goes'; echo '  help  Helps'; fi\n";
        crate::write_script(&path, text).expect("written");
        Programs::new(&[&path])
    }

    #[test]
    fn unknown_verbs_and_options_are_found_anywhere_in_a_command_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut programs = programs(folder.path());
        let mut check = |commands: &str| {
            let text = format!("```sh no-run: only checked\n{commands}\n```\n");
            programs.check(&Document::parse("a.md", &text).expect("a block"))
        };
        for good in [
            "federation go --fast",
            "docker run --name federation --network host",
            "cargo run --release --bin federation -- go --fast",
            "federation go # --slow",
            "federation help operations",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in [
            "federation go --slow",
            "cd a && federation go --slow=1",
            "federation go \\\n  --slow",
            "A=1 federation go --slow &",
            "old$ federation go --slow",
            "cargo run --release --bin federation -- go --slow",
            "federation --slow go",
            "federation went --fast",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
