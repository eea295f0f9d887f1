//! Documents whose code blocks are run as a reader would run them.
//!
//! A [`Document`] is Markdown. The info string of each fenced [`Block`] determines what is done with it.
//! The first word is the language, the rest a mark:
//!
//! | info string | action |
//! |---|---|
//! | `sh` | run, in one shell with the blocks above it; every command must exit with 0 |
//! | `sh until: TEXT` | run until it has printed TEXT, and left running until the document ends |
//! | `sh elementsd`, `sh oceand` | run if `ELEMENTSD` or `OCEAND` names the program |
//! | `sh elementsd until: TEXT` | both |
//! | `sh no-run: REASON` | not run; as everywhere, [`Programs`] checks that its verbs and options exist |
//! | `sh one-party` | as `sh`; if there are several readers, only the first runs it |
//! | `console` | lines after `$ ` are run, their output must contain the other lines |
//! | `text output` | must be in the output of the block above, see [`check_output`] |
//! | `text` | nothing: a picture, a form |
//! | `toml`, `conf`, `ini`, `json` | passed to the caller of [`Document::run`], who knows the formats |
//!
//! Anything else, and a block without a language, is a [`Fault`], so that new blocks state what they are.
//! So is a command in an indented block, which would not be checked otherwise.
//!
//! A [`Session`] is the shell; [`Document::run`] runs all blocks in one.

mod info;
mod options;
mod output;
mod prose;
mod session;

use core::fmt;
use std::{fs, path::Path};

pub use info::{Kind, Needs, RunOptions};
pub use options::Programs;
pub use output::check_output;
pub use session::{Session, SessionPlan};

use info::kind;
use prose::Prose;

/// Commands that must not be in an indented block.
const COMMANDS: [&str; 9] = [
    "$ ",
    "cargo ",
    "docker ",
    "elements-cli ",
    "elementsd ",
    "federation ",
    "multisig ",
    "sudo ",
    "unzip ",
];

/// An error in a document, with its location.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{location}: {what}")]
pub struct Fault {
    location: String,
    what: String,
}

impl Fault {
    /// Creates a fault of a block.
    #[must_use]
    pub fn new(block: &Block, what: impl fmt::Display) -> Self {
        Self {
            location: block.to_string(),
            what: what.to_string(),
        }
    }
}

/// A fenced block.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Block {
    /// The document's path in the repository.
    pub document: String,
    /// The line of the fence, counted from 1.
    pub line: usize,
    /// Its kind.
    pub kind: Kind,
    /// Its content.
    pub text: String,
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.document, self.line)
    }
}

/// A document with all its blocks.
#[derive(Debug, Clone)]
pub struct Document {
    name: String,
    blocks: Vec<Block>,
    /// The code spans of the text, as blocks that are not run.
    spans: Vec<Block>,
}

impl Document {
    /// Reads the document at a path in the repository.
    ///
    /// # Errors
    /// If it cannot be read, or a block's info string is invalid.
    pub fn load(repository: &Path, name: &str) -> Result<Self, Fault> {
        let text = fs::read_to_string(repository.join(name)).map_err(|error| Fault {
            location: name.to_owned(),
            what: error.to_string(),
        })?;
        Self::parse(name, &text)
    }

    /// Parses a document.
    ///
    /// # Errors
    /// If a block's info string is invalid.
    pub fn parse(name: &str, text: &str) -> Result<Self, Fault> {
        let mut blocks = Vec::new();
        let mut prose = Prose::new(name);
        let mut open: Option<(String, usize, Block)> = None;
        for (index, line) in text.lines().enumerate() {
            let bare = line.trim_start();
            let indent = line.len() - bare.len();
            let at = |what: String| Fault {
                location: format!("{name}:{}", index + 1),
                what,
            };
            match open.take() {
                Some((fence, _, block))
                    if bare.trim_end().starts_with(&fence)
                        && bare
                            .trim_end()
                            .bytes()
                            .all(|byte| fence.as_bytes()[0] == byte) =>
                {
                    blocks.push(block);
                }
                Some((fence, depth, mut block)) => {
                    block.text.push_str(&line[indent.min(depth)..]);
                    block.text.push('\n');
                    open = Some((fence, depth, block));
                }
                None if bare.starts_with("```") || bare.starts_with("~~~") => {
                    let info = bare.trim_start_matches(['`', '~']);
                    let fence = bare[..bare.len() - info.len()].to_owned();
                    let block = Block {
                        document: name.to_owned(),
                        line: index + 1,
                        kind: kind(info.trim()).map_err(at)?,
                        text: String::new(),
                    };
                    open = Some((fence, indent, block));
                }
                None if indent >= 4 && COMMANDS.iter().any(|word| bare.starts_with(word)) => {
                    return Err(at(
                        "a command in an indented block is not run: put it in a fence with `sh`"
                            .to_owned(),
                    ));
                }
                None => prose.read(index + 1, bare),
            }
        }
        if let Some((_, _, block)) = open {
            return Err(Fault::new(&block, "the fence is not closed"));
        }
        Ok(Self {
            name: name.to_owned(),
            blocks,
            spans: prose.spans,
        })
    }

    /// Returns its path in the repository.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns its blocks, in order.
    #[must_use]
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// Fills in what a reader has to: replaces the first text of each pair by the second.
    ///
    /// # Errors
    /// If a text is not in any block, because the document was changed.
    pub fn fill_in(&mut self, values: &[(&str, &str)]) -> Result<(), Fault> {
        for (from, to) in values {
            let mut found = false;
            for block in &mut self.blocks {
                found |= block.text.contains(from);
                block.text = block.text.replace(from, to);
            }
            if !found {
                return Err(Fault {
                    location: self.name.clone(),
                    what: format!("`{from}` is not in any block"),
                });
            }
        }
        Ok(())
    }

    /// Runs the blocks in order, as one reader, and passes blocks that are files to `file`. Returns the
    /// number of blocks that were run.
    ///
    /// # Errors
    /// If a command fails, its output differs from the document, or `file` refuses a file.
    pub fn run(
        &self,
        session: &mut Session,
        file: impl Fn(&Block) -> Result<(), String>,
    ) -> Result<usize, Fault> {
        let mut output: Option<String> = None;
        let mut count = 0;
        for block in &self.blocks {
            let fault = |what: String| Fault::new(block, what);
            match &block.kind {
                Kind::Run(_) => {
                    output = session.run(block)?;
                    count += usize::from(output.is_some());
                }
                Kind::Console => {
                    console(block, session)?;
                    count += 1;
                }
                Kind::Output => {
                    if let Some(output) = &output {
                        check_output(&block.text, output).map_err(fault)?;
                    }
                }
                Kind::File { .. } => file(block).map_err(fault)?,
                // Output shown below it is not that of an earlier block.
                Kind::NotRun(_) => output = None,
                Kind::Text => {}
            }
        }
        Ok(count)
    }
}

/// Runs each command after `$ ` and checks its output against the lines below it.
fn console(block: &Block, session: &mut Session) -> Result<(), Fault> {
    let mut steps: Vec<(String, String)> = Vec::new();
    for line in block.text.lines() {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => steps.push((command.to_owned(), String::new())),
            (None, Some((_, output))) => {
                output.push_str(line);
                output.push('\n');
            }
            (None, None) => return Err(Fault::new(block, "it does not start with `$ `")),
        }
    }
    for (command, expected) in steps {
        let step = Block {
            kind: Kind::Run(RunOptions::default()),
            text: command,
            ..block.clone()
        };
        let output = session.run(&step)?.unwrap_or_default();
        check_output(&expected, &output).map_err(|what| Fault::new(block, what))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Document, Fault> {
        Document::parse("a.md", text)
    }

    #[test]
    fn the_info_string_determines_the_kind_of_a_block() {
        let document = parse("# A\n\n```sh\ntrue\n```\n1. b\n\n   ```sh elementsd until: it is up\n   x \\\n     y\n   ```\n").expect("two blocks");
        let [first, second] = document.blocks() else {
            panic!("{document:?}");
        };
        assert_eq!(first.kind, Kind::Run(RunOptions::default()));
        assert_eq!(first.text, "true\n");
        assert_eq!(first.to_string(), "a.md:3");
        assert_eq!(second.text, "x \\\n  y\n");
        let options = RunOptions {
            needs: Some(Needs::Elementsd),
            until: Some("it is up".to_owned()),
            one_party: false,
        };
        assert_eq!(second.kind, Kind::Run(options));
    }

    #[test]
    fn a_block_with_a_missing_or_unknown_info_string_is_a_fault() {
        for (text, what) in [
            ("```\nx\n```\n", "without a language"),
            ("```bash\nx\n```\n", "unknown language"),
            ("```sh slowly\nx\n```\n", "unknown mark `slowly`"),
            ("```sh no-run\nx\n```\n", "state why"),
            ("```sh no-run: \nx\n```\n", "state why"),
            ("```sh until:\nx\n```\n", "unknown mark"),
            ("```rust\nx\n```\n", "documentation of a crate"),
            ("```sh\nx\n", "not closed"),
            ("a\n\n    federation run\n", "indented"),
        ] {
            let fault = parse(text).expect_err(text).to_string();
            assert!(fault.contains(what), "{fault}");
            assert!(fault.starts_with("a.md:"), "{fault}");
        }
    }

    #[test]
    fn commands_in_the_text_are_found() {
        let document = parse("Do `a b` or `c\nd`.\n\nThis ` is none.\n\n```sh\n`x`\n```\n`e`\n")
            .expect("text");
        let spans: Vec<_> = document
            .spans
            .iter()
            .map(|span| (span.line, span.text.as_str()))
            .collect();
        assert_eq!(spans, [(1, "a b"), (1, "c d"), (9, "e")]);
    }

    #[test]
    fn a_text_to_fill_in_must_be_in_the_document() {
        let mut document = parse("```sh\necho KEY\n```\n").expect("a block");
        document.fill_in(&[("KEY", "02..")]).expect("a match");
        assert_eq!(document.blocks()[0].text, "echo 02..\n");
        assert!(
            document.fill_in(&[("KEY", "")]).is_err(),
            "filled in already"
        );
    }
}
