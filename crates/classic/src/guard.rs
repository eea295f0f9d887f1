//! The guard that keeps an operator from signing two blocks of one height in one turn.
//!
//! If a leader fails, its block stays incomplete and the next leader proposes another block of the
//! same height. The old protocol only continues if operators sign that one too, so the rule of
//! `federation-signer`, one hash per height, would halt the chain. This guard enforces a weaker rule:
//!
//! - one hash per turn;
//! - at the same height, a later turn may have another hash, an earlier turn may not;
//! - nothing below the highest height signed;
//! - nothing once the key was handed over to the protocol `agreed`.
//!
//! A record is durable before the signature exists. Two blocks of one height can still get M
//! signatures each, in different turns: that is a flaw of the protocol that no guard can prevent.

use std::sync::{Arc, Mutex, PoisonError};

use federation_chain::{BlockHash, BlockHeight, UnixTime};
use serde::{Deserialize, Serialize};

use crate::{GuardFile, GuardFileError};

/// The last block signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "the complete record")]
pub struct TurnRecord {
    /// The block's height.
    pub height: BlockHeight,
    /// When its turn started.
    pub turn: UnixTime,
    /// The block's hash.
    #[serde(with = "displayed")]
    pub hash: BlockHash,
}

/// Serialises a hash as nodes display it.
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

/// The state of a guard, a plain value that implements the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TurnState {
    last: Option<TurnRecord>,
    /// The height from which the protocol `agreed` uses the key.
    agreed_from: Option<BlockHeight>,
}

/// Why the guard refuses a block.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum TurnGuardError {
    /// Another block of this height was signed in this turn.
    #[error("block {signed} was already signed at height {height} in this turn, refusing {asked}")]
    SameTurn {
        /// The height of both.
        height: BlockHeight,
        /// The hash on record.
        signed: BlockHash,
        /// The hash requested.
        asked: BlockHash,
    },
    /// A block of this height was signed in a later turn, so the clock was set back.
    #[error(
        "a block of height {height} was already signed in the turn of {signed}, refusing one in the earlier turn of {asked}: check the clock"
    )]
    EarlierTurn {
        /// The height.
        height: BlockHeight,
        /// The turn on record.
        signed: UnixTime,
        /// The turn requested.
        asked: UnixTime,
    },
    /// A block of a greater height was signed.
    #[error("a block of height {signed} was already signed, refusing one of lower height {asked}")]
    Below {
        /// The height on record.
        signed: BlockHeight,
        /// The height requested.
        asked: BlockHeight,
    },
    /// The key was handed over to the protocol `agreed`.
    #[error(
        "this key signs under the protocol `agreed` from height {0}, and no longer under classic"
    )]
    Agreed(BlockHeight),
    /// The record may not be durable, so nothing was signed.
    #[error("the guard's file failed, nothing was signed")]
    File(#[from] GuardFileError),
}

impl TurnState {
    /// Returns the last block signed.
    #[must_use]
    pub const fn last(&self) -> Option<TurnRecord> {
        self.last
    }

    /// Returns the height from which the protocol `agreed` uses the key, if it was handed over.
    #[must_use]
    pub const fn agreed_from(&self) -> Option<BlockHeight> {
        self.agreed_from
    }

    /// Returns the state after signing a block.
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

    /// Returns the state after handing the key over to `agreed`. A height set earlier is kept.
    #[must_use]
    pub fn hand_over(self, from: BlockHeight) -> Self {
        Self {
            agreed_from: self.agreed_from.or(Some(from)),
            ..self
        }
    }
}

/// The guard's state and its file. Clones share both.
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
    /// Creates a guard with the state of a file.
    #[must_use]
    pub fn new(file: GuardFile) -> Self {
        let state = file.state();
        Self {
            inner: Arc::new(Mutex::new(Inner { file, state })),
        }
    }

    /// Returns its state.
    #[must_use]
    pub fn state(&self) -> TurnState {
        self.inner
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .state
    }

    /// Admits a block for signing. Its record is durable when this returns.
    ///
    /// # Errors
    /// If the rule forbids it, or the record may not be durable.
    pub async fn admit(&self, asked: TurnRecord) -> Result<(), TurnGuardError> {
        self.change(move |state| state.admit(asked)).await
    }

    /// Hands the key over to the protocol `agreed`, durably, from this height.
    ///
    /// # Errors
    /// If the record may not be durable.
    pub async fn hand_over(&self, from: BlockHeight) -> Result<(), TurnGuardError> {
        self.change(move |state| Ok(state.hand_over(from))).await
    }

    /// Writes on a blocking thread. After a failed write the new state stays in memory: it only
    /// forbids more.
    async fn change(
        &self,
        change: impl FnOnce(TurnState) -> Result<TurnState, TurnGuardError> + Send + 'static,
    ) -> Result<(), TurnGuardError> {
        let inner = Arc::clone(&self.inner);
        tokio::task::spawn_blocking(move || {
            let mut inner = inner.lock().unwrap_or_else(PoisonError::into_inner);
            let state = change(inner.state)?;
            // Write even if nothing changed: the last write may have failed.
            inner.state = state;
            Ok(inner.file.write(state)?)
        })
        .await
        .unwrap_or_else(|error| Err(GuardFileError::interrupted(&error).into()))
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
    fn one_block_is_signed_per_turn() {
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
        assert!(
            state.admit(record(7, 60, 1)).is_err(),
            "an earlier turn is refused"
        );
        state.admit(record(8, 0, 3)).expect("the next height");
    }

    #[test]
    fn a_key_that_was_handed_over_is_never_used_again() {
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
        fn no_turn_at_a_height_ever_gets_two_hashes(
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
