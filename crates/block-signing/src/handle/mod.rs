//! One file per input: each notes what was said, if it is of use; `work` acts on it.

mod body;
mod certificate;
mod proposal;
mod received;
mod request;
mod signature;
mod template;
mod test;
mod tip;
mod vote;

use federation_chain::BlockHeight;

use crate::{Machine, ballots::Ballots, ballots::Window, state::Height};
use federation_roster::Round;

/// Where a height lies, seen from the one worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The height worked on.
    Current,
    /// The one above it.
    Next,
    /// The one below it.
    Last,
    /// Any other.
    Far,
}

impl Machine {
    pub(crate) fn place(&self, height: BlockHeight) -> Place {
        let Some(current) = self.height.as_ref().map(Height::number) else {
            return Place::Far;
        };
        if height == current {
            Place::Current
        } else if height == current.next() {
            Place::Next
        } else if Some(height) == current.previous() {
            Place::Last
        } else {
            Place::Far
        }
    }

    /// The collection that a height's messages go to, and the rounds it takes (rule R27).
    pub(crate) fn collection(&mut self, height: BlockHeight) -> Option<(&mut Ballots, Window)> {
        match self.place(height) {
            Place::Current => {
                let height = self.height.as_mut()?;
                let window = Window::around(height.round, &self.config);
                Some((&mut height.ballots, window))
            }
            Place::Next => {
                let window = Window::around(Round::FIRST, &self.config);
                Some((&mut self.next, window))
            }
            Place::Last | Place::Far => None,
        }
    }

    /// The height worked on, if it is this one.
    pub(crate) fn current(&mut self, height: BlockHeight) -> Option<&mut Height> {
        self.height.as_mut().filter(|h| h.number() == height)
    }
}
