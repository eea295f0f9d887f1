//! Documents whose code blocks are run as a reader would run them.
//!
//! A [`Document`] is Markdown; each of its fenced [`Block`]s says by its info string what is to be
//! done with it. The first word is the language, the rest a mark:
//!
//! | info string | what is done |
//! |---|---|
//! | `sh` | run, after the blocks above it in one shell; every command must end with 0 |
//! | `sh until: TEXT` | run until it has said TEXT, and left running until the document ends |
//! | `sh elementsd`, `sh oceand` | run where `ELEMENTSD` or `OCEAND` names the program |
//! | `sh elementsd until: TEXT` | both |
//! | `sh no-run: WHY` | not run; that its verbs and options exist is checked by [`Programs`], as everywhere |
//! | `sh one-party` | as `sh`; where several people read, the first of them alone runs it |
//! | `console` | lines after `$ ` are run, the others must be in what they say |
//! | `text output` | must be in what the block above it said, see [`is_in`] |
//! | `text` | nothing: a picture, a form |
//! | `toml`, `conf`, `ini`, `json` | read by whoever runs the document, who knows the formats |
//!
//! Anything else, and a block without a language, is a [`Fault`]: a new block has to say what it is.
//! So is an indented block with a command in it, which would go round all of this.
//!
//! A [`Session`] is the shell, and [`Document::run`] goes through all blocks with one.

mod info;
mod options;
mod output;
mod prose;
mod session;

use core::fmt;
use std::{fs, path::Path};

pub use info::{How, Kind, Needs};
pub use options::Programs;
pub use output::is_in;
pub use session::{Session, SessionPlan};

use info::kind;
use prose::Prose;

/// Commands that nobody hides in an indented block.
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

/// What is wrong with a document, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {what}")]
pub struct Fault {
    place: String,
    what: String,
}

impl Fault {
    /// A fault of a block.
    #[must_use]
    pub fn new(block: &Block, what: impl fmt::Display) -> Self {
        Self {
            place: block.to_string(),
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
    /// What is to be done with it.
    pub kind: Kind,
    /// What stands in it.
    pub text: String,
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.document, self.line)
    }
}

/// A document, and all blocks in it.
#[derive(Debug, Clone)]
pub struct Document {
    name: String,
    blocks: Vec<Block>,
    /// What stands between backticks in the text, as a block that is not run.
    spans: Vec<Block>,
}

impl Document {
    /// Reads the document at a path in the repository.
    ///
    /// # Errors
    /// If it cannot be read, or a block does not say what is to be done with it.
    pub fn load(repository: &Path, name: &str) -> Result<Self, Fault> {
        let text = fs::read_to_string(repository.join(name)).map_err(|error| Fault {
            place: name.to_owned(),
            what: error.to_string(),
        })?;
        Self::parse(name, &text)
    }

    /// Reads a document.
    ///
    /// # Errors
    /// If a block does not say what is to be done with it.
    pub fn parse(name: &str, text: &str) -> Result<Self, Fault> {
        let mut blocks = Vec::new();
        let mut prose = Prose::new(name);
        let mut open: Option<(String, usize, Block)> = None;
        for (index, line) in text.lines().enumerate() {
            let bare = line.trim_start();
            let indent = line.len() - bare.len();
            let at = |what: String| Fault {
                place: format!("{name}:{}", index + 1),
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
                        "a command in an indented block, which nobody runs: put it into a fence with `sh`"
                            .to_owned(),
                    ));
                }
                None => prose.read(index + 1, bare),
            }
        }
        if let Some((_, _, block)) = open {
            return Err(Fault::new(&block, "the fence has no end"));
        }
        Ok(Self {
            name: name.to_owned(),
            blocks,
            spans: prose.spans,
        })
    }

    /// Its path in the repository.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its blocks, in order.
    #[must_use]
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// Changes what a reader has to fill in: each of the first texts into the second.
    ///
    /// # Errors
    /// If a text does not stand in any block: the document has changed.
    pub fn fill_in(&mut self, values: &[(&str, &str)]) -> Result<(), Fault> {
        for (from, to) in values {
            let mut found = false;
            for block in &mut self.blocks {
                found |= block.text.contains(from);
                block.text = block.text.replace(from, to);
            }
            if !found {
                return Err(Fault {
                    place: self.name.clone(),
                    what: format!("`{from}` is in no block any more"),
                });
            }
        }
        Ok(())
    }

    /// Runs all blocks that are to be run, in order, as one reader, and has `file` read what is a
    /// file; the number of blocks that were run.
    ///
    /// # Errors
    /// If a command fails, says something else than the document shows, or a file is refused.
    pub fn run(
        &self,
        session: &mut Session,
        file: impl Fn(&Block) -> Result<(), String>,
    ) -> Result<usize, Fault> {
        let mut said: Option<String> = None;
        let mut count = 0;
        for block in &self.blocks {
            let fault = |what: String| Fault::new(block, what);
            match &block.kind {
                Kind::Run(_) => {
                    said = session.run(block)?;
                    count += usize::from(said.is_some());
                }
                Kind::Console => {
                    console(block, session)?;
                    count += 1;
                }
                Kind::Output => {
                    if let Some(said) = &said {
                        is_in(&block.text, said).map_err(fault)?;
                    }
                }
                Kind::File { .. } => file(block).map_err(fault)?,
                // What stands below it is not what the block before it has said.
                Kind::NotRun(_) => said = None,
                Kind::Text => {}
            }
        }
        Ok(count)
    }
}

/// Runs what stands after `$ `, each with what stands below it.
fn console(block: &Block, session: &mut Session) -> Result<(), Fault> {
    let mut steps: Vec<(String, String)> = Vec::new();
    for line in block.text.lines() {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => steps.push((command.to_owned(), String::new())),
            (None, Some((_, output))) => {
                output.push_str(line);
                output.push('\n');
            }
            (None, None) => return Err(Fault::new(block, "it does not begin with `$ `")),
        }
    }
    for (command, output) in steps {
        let step = Block {
            kind: Kind::Run(How::default()),
            text: command,
            ..block.clone()
        };
        let said = session.run(&step)?.unwrap_or_default();
        is_in(&output, &said).map_err(|what| Fault::new(block, what))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Document, Fault> {
        Document::parse("a.md", text)
    }

    #[test]
    fn a_block_says_what_is_done_with_it() {
        let document = of("# A\n\n```sh\ntrue\n```\n1. b\n\n   ```sh elementsd until: it is up\n   x \\\n     y\n   ```\n").expect("two blocks");
        let [first, second] = document.blocks() else {
            panic!("{document:?}");
        };
        assert_eq!(first.kind, Kind::Run(How::default()));
        assert_eq!(first.text, "true\n");
        assert_eq!(first.to_string(), "a.md:3");
        assert_eq!(second.text, "x \\\n  y\n");
        let how = How {
            needs: Some(Needs::Elementsd),
            until: Some("it is up".to_owned()),
            one_party: false,
        };
        assert_eq!(second.kind, Kind::Run(how));
    }

    #[test]
    fn a_block_that_says_nothing_or_something_unknown_is_a_fault() {
        for (text, what) in [
            ("```\nx\n```\n", "without a language"),
            ("```bash\nx\n```\n", "unknown language"),
            ("```sh slowly\nx\n```\n", "unknown mark `slowly`"),
            ("```sh no-run\nx\n```\n", "say why"),
            ("```sh no-run: \nx\n```\n", "say why"),
            ("```sh until:\nx\n```\n", "unknown mark"),
            ("```rust\nx\n```\n", "documentation of a crate"),
            ("```sh\nx\n", "no end"),
            ("a\n\n    federation run\n", "indented"),
        ] {
            let fault = of(text).expect_err(text).to_string();
            assert!(fault.contains(what), "{fault}");
            assert!(fault.starts_with("a.md:"), "{fault}");
        }
    }

    #[test]
    fn commands_in_the_text_are_found() {
        let document =
            of("Do `a b` or `c\nd`.\n\nThis ` is none.\n\n```sh\n`x`\n```\n`e`\n").expect("text");
        let spans: Vec<_> = document
            .spans
            .iter()
            .map(|span| (span.line, span.text.as_str()))
            .collect();
        assert_eq!(spans, [(1, "a b"), (1, "c d"), (9, "e")]);
    }

    #[test]
    fn what_a_reader_fills_in_must_be_there() {
        let mut document = of("```sh\necho KEY\n```\n").expect("a block");
        document.fill_in(&[("KEY", "02..")]).expect("there");
        assert_eq!(document.blocks()[0].text, "echo 02..\n");
        assert!(document.fill_in(&[("KEY", "")]).is_err(), "nothing is left");
    }
}
