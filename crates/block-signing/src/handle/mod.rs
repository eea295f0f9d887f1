//! One file per input. Each records the facts that the input brings; `rules` acts on them.

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

use crate::{Machine, state::Height, vote_keeper::VoteKeeper, vote_keeper::Window};
use federation_roster::Round;

/// A height relative to the current one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RelativeHeight {
    /// The current height.
    Current,
    /// The one above it.
    Next,
    /// The one below it.
    Last,
    /// Any other.
    Far,
}

impl Machine {
    pub(crate) fn relative_height(&self, height: BlockHeight) -> RelativeHeight {
        let Some(current) = self.height.as_ref().map(Height::number) else {
            return RelativeHeight::Far;
        };
        if height == current {
            RelativeHeight::Current
        } else if height == current.next() {
            RelativeHeight::Next
        } else if Some(height) == current.previous() {
            RelativeHeight::Last
        } else {
            RelativeHeight::Far
        }
    }

    /// Returns the collection for a height's messages, and the rounds it accepts (rule R27).
    pub(crate) fn keeper_for(&mut self, height: BlockHeight) -> Option<(&mut VoteKeeper, Window)> {
        match self.relative_height(height) {
            RelativeHeight::Current => {
                let height = self.height.as_mut()?;
                let window = Window::around(height.round, &self.config);
                Some((&mut height.keeper, window))
            }
            RelativeHeight::Next => {
                let window = Window::around(Round::FIRST, &self.config);
                Some((&mut self.next, window))
            }
            RelativeHeight::Last | RelativeHeight::Far => None,
        }
    }

    /// Returns the state of the current height, if it is this one.
    pub(crate) fn current(&mut self, height: BlockHeight) -> Option<&mut Height> {
        self.height.as_mut().filter(|h| h.number() == height)
    }
}
