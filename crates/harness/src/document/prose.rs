//! The text between the blocks, whose code spans contain commands, too.

use super::{Block, Kind};

/// Collects the code spans of a document's text.
pub(super) struct Prose {
    name: String,
    pub(super) spans: Vec<Block>,
    /// A span that started on an earlier line.
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
            // A span ends with its paragraph.
            self.open = None;
            return;
        }
        let mut parts = text.split('`').peekable();
        while let Some(part) = parts.next() {
            if let Some((_, open)) = &mut self.open {
                open.push_str(part);
            }
            if parts.peek().is_none() {
                break;
            }
            match self.open.take() {
                None => self.open = Some((line, String::new())),
                Some((line, text)) => self.spans.push(Block {
                    document: self.name.clone(),
                    line,
                    kind: Kind::NotRun("it is a code span".to_owned()),
                    text,
                }),
            }
        }
        if let Some((_, open)) = &mut self.open {
            open.push(' ');
        }
    }
}
