//! The text between the blocks, where commands stand too.

use super::{Block, Kind};

/// The text of a document, in which commands stand between backticks.
pub(super) struct Prose {
    name: String,
    pub(super) spans: Vec<Block>,
    /// A span that has begun in a line above.
    open: Option<(usize, String)>,
}

impl Prose {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            spans: Vec::new(),
            open: None,
        }
    }

    pub(super) fn read(&mut self, line: usize, text: &str) {
        if text.is_empty() {
            // No span goes beyond its paragraph.
            self.open = None;
            return;
        }
        let mut pieces = text.split('`').peekable();
        while let Some(piece) = pieces.next() {
            if let Some((_, open)) = &mut self.open {
                open.push_str(piece);
            }
            if pieces.peek().is_none() {
                break;
            }
            match self.open.take() {
                None => self.open = Some((line, String::new())),
                Some((line, text)) => self.spans.push(Block {
                    document: self.name.clone(),
                    line,
                    kind: Kind::NotRun("it stands in the text".to_owned()),
                    text,
                }),
            }
        }
        if let Some((_, open)) = &mut self.open {
            open.push(' ');
        }
    }
}
