//! What keeps an operator from signing two blocks of one height in one turn.
//!
//! A leader that failed leaves its block unfinished, and the next one proposes another of the same
//! height: to sign that one too is how the old protocol goes on, so "one hash for each height", the
//! rule of `federation-signer`, would stop the chain here. What can be kept is less:
//!
//! - in one turn, one hash;
//! - a later turn may have another hash of the same height, an earlier turn may not;
//! - nothing below the highest height that was signed;
//! - nothing once the key has changed to the protocol `agreed`.
//!
//! A record is durable before the signature exists. It stays possible that two blocks of one height
//! get M signatures each, from different turns: that is the protocol's, and no guard's, fault.

use std::sync::{Arc, Mutex, PoisonError};

use federation_chain::{BlockHash, BlockHeight, UnixTime};
use serde::{Deserialize, Serialize};

use crate::{GuardFile, GuardFileError};

/// What was signed last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "the whole of what is on record")]
pub struct TurnRecord {
    /// The block's height.
    pub height: BlockHeight,
    /// When its turn began.
    pub turn: UnixTime,
    /// The block's hash.
    #[serde(with = "displayed")]
    pub hash: BlockHash,
}

/// A hash as the nodes' RPC displays it.
mod displayed {
    use federation_chain::BlockHash;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(hash: &BlockHash, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(hash)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<BlockHash, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// What a guard remembers. A plain value with the rule on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TurnState {
    last: Option<TurnRecord>,
    /// From which height on the protocol `agreed` has the key.
    agreed_from: Option<BlockHeight>,
}

/// Why a block is not signed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum TurnGuardError {
    /// Another block of this height was signed in this turn.
    #[error("block {signed} was signed at height {height} in this turn, so {asked} will not be")]
    SameTurn {
        /// The height of both.
        height: BlockHeight,
        /// What is on record.
        signed: BlockHash,
        /// What was asked for.
        asked: BlockHash,
    },
    /// A block of this height was signed in a later turn: the clock was set back.
    #[error(
        "a block was signed at height {height} in the turn of {signed}, so none will be in that of {asked}: check the clock"
    )]
    EarlierTurn {
        /// The height.
        height: BlockHeight,
        /// The turn on record.
        signed: UnixTime,
        /// The turn that was asked for.
        asked: UnixTime,
    },
    /// A block of a greater height was signed.
    #[error("a block was signed at height {signed}, so none will be at {asked} below it")]
    Below {
        /// The height on record.
        signed: BlockHeight,
        /// The height that was asked for.
        asked: BlockHeight,
    },
    /// The key has changed to the other protocol.
    #[error(
        "this key signs by the protocol `agreed` from height {0} on, and never by classic again"
    )]
    Agreed(BlockHeight),
    /// The record may not be durable, so nothing was signed.
    #[error("the guard's file failed, so nothing was signed")]
    File(#[from] GuardFileError),
}

impl TurnState {
    /// What was signed last.
    #[must_use]
    pub const fn last(&self) -> Option<TurnRecord> {
        self.last
    }

    /// From which height on the protocol `agreed` has the key, if it was handed over.
    #[must_use]
    pub const fn agreed_from(&self) -> Option<BlockHeight> {
        self.agreed_from
    }

    /// The state after signing a block, or why it must not be signed.
    ///
    /// # Errors
    /// If the rule forbids it.
    pub fn admit(self, asked: TurnRecord) -> Result<Self, TurnGuardError> {
        if let Some(height) = self.agreed_from {
            return Err(TurnGuardError::Agreed(height));
        }
        if let Some(last) = self.last {
            if asked.height < last.height {
                return Err(TurnGuardError::Below {
                    signed: last.height,
                    asked: asked.height,
                });
            }
            if asked.height == last.height {
                if asked.turn < last.turn {
                    return Err(TurnGuardError::EarlierTurn {
                        height: asked.height,
                        signed: last.turn,
                        asked: asked.turn,
                    });
                }
                if asked.turn == last.turn && asked.hash != last.hash {
                    return Err(TurnGuardError::SameTurn {
                        height: asked.height,
                        signed: last.hash,
                        asked: asked.hash,
                    });
                }
            }
        }
        Ok(Self {
            last: Some(asked),
            ..self
        })
    }

    /// The state after the change to the other protocol; a height that is set stays.
    #[must_use]
    pub fn hand_over(self, from: BlockHeight) -> Self {
        Self {
            agreed_from: self.agreed_from.or(Some(from)),
            ..self
        }
    }
}

/// The rule with its file. Clones share both.
#[derive(Debug, Clone)]
pub struct TurnGuard {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    file: GuardFile,
    state: TurnState,
}

impl TurnGuard {
    /// The guard of what a file holds.
    #[must_use]
    pub fn new(file: GuardFile) -> Self {
        let state = file.state();
        Self {
            inner: Arc::new(Mutex::new(Inner { file, state })),
        }
    }

    /// What it remembers.
    #[must_use]
    pub fn state(&self) -> TurnState {
        self.inner
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .state
    }

    /// Lets a block pass that is on record, durably, once this returns.
    ///
    /// # Errors
    /// If the rule forbids it, or the record may not be durable.
    pub async fn admit(&self, asked: TurnRecord) -> Result<(), TurnGuardError> {
        self.change(move |state| state.admit(asked)).await
    }

    /// Hands the key over to the protocol `agreed`, durably, from this height on.
    ///
    /// # Errors
    /// If that may not be durable.
    pub async fn hand_over(&self, from: BlockHeight) -> Result<(), TurnGuardError> {
        self.change(move |state| Ok(state.hand_over(from))).await
    }

    /// Writes on a thread where blocking is no harm. After a failed write the new state stays in
    /// memory too: it forbids more, never less.
    async fn change(
        &self,
        change: impl FnOnce(TurnState) -> Result<TurnState, TurnGuardError> + Send + 'static,
    ) -> Result<(), TurnGuardError> {
        let inner = Arc::clone(&self.inner);
        tokio::task::spawn_blocking(move || {
            let mut inner = inner.lock().unwrap_or_else(PoisonError::into_inner);
            let state = change(inner.state)?;
            // Also when nothing changes: the last write may have failed.
            inner.state = state;
            Ok(inner.file.write(state)?)
        })
        .await
        .unwrap_or_else(|gone| Err(GuardFileError::interrupted(&gone).into()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn record(height: u32, turn: u64, hash: u8) -> TurnRecord {
        TurnRecord {
            height: BlockHeight::new(height),
            turn: UnixTime::from_secs(turn),
            hash: BlockHash::from_bytes([hash; 32]),
        }
    }

    #[test]
    fn one_block_is_signed_in_one_turn() {
        let state = TurnState::default().admit(record(7, 60, 1)).expect("first");
        state.admit(record(7, 60, 1)).expect("the same again");
        assert!(matches!(
            state.admit(record(7, 60, 2)),
            Err(TurnGuardError::SameTurn { .. })
        ));
        assert!(matches!(
            state.admit(record(7, 0, 1)),
            Err(TurnGuardError::EarlierTurn { .. })
        ));
        assert!(matches!(
            state.admit(record(6, 120, 2)),
            Err(TurnGuardError::Below { .. })
        ));
        let state = state.admit(record(7, 120, 2)).expect("the next turn");
        assert!(state.admit(record(7, 60, 1)).is_err(), "and no way back");
        state.admit(record(8, 0, 3)).expect("the next height");
    }

    #[test]
    fn a_key_that_was_handed_over_does_not_come_back() {
        let state = TurnState::default().hand_over(BlockHeight::new(10));
        assert!(matches!(
            state.admit(record(9, 60, 1)),
            Err(TurnGuardError::Agreed(_))
        ));
        let again = state.hand_over(BlockHeight::new(20));
        assert_eq!(again.agreed_from(), Some(BlockHeight::new(10)));
    }

    proptest! {
        #[test]
        fn no_turn_of_a_height_ever_gets_two_hashes(
            asked in prop::collection::vec((0..4_u32, 0..4_u64, 0..3_u8), 0..40),
        ) {
            let mut state = TurnState::default();
            let mut signed = std::collections::BTreeMap::new();
            for (height, turn, hash) in asked {
                if let Ok(next) = state.admit(record(height, turn, hash)) {
                    state = next;
                    let first = *signed.entry((height, turn)).or_insert(hash);
                    prop_assert_eq!(first, hash);
                }
            }
        }
    }
}
