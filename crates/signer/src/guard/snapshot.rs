//! The contents of a guard's store, and its transfer: forward only, and to one place at a time.

use federation_chain::{BlockHeight, UnixTime};

use super::{GuardContradiction, GuardPin, GuardRecord, GuardRecordKind, GuardState};

/// The state of a guard, which decides whether its key may sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(
    clippy::exhaustive_enums,
    reason = "code that opens a guard must handle all of them"
)]
pub enum GuardStanding {
    /// The key may sign.
    #[default]
    Active,
    /// The guard was moved away by a transfer: the key signs elsewhere.
    MovedAway,
    /// The guard was restored from a copy; the key may have signed more since.
    Unproven,
}

impl GuardStanding {
    /// Returns its name in files and messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::MovedAway => "moved away",
            Self::Unproven => "unproven",
        }
    }
}

/// Everything in a guard's store.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct GuardSnapshot {
    /// Whether the key may sign.
    pub standing: GuardStanding,
    /// How often the guard was transferred, as far as it knows.
    pub number: u32,
    /// The blocks that the key has signed.
    pub state: GuardState,
}

/// Whether a transfer may be imported again by the guard that wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "yes or no")]
pub enum TakeBack {
    /// It may: the operator confirms that it was imported nowhere else.
    Allowed,
    /// It may not.
    Refused,
}

/// Why a guard refuses to import or export a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The key has signed two blocks at a height.
    #[error(transparent)]
    Contradiction(#[from] GuardContradiction),
    /// The guard knows everything in the record, and more.
    #[error("the record is older than this guard: it ends at height {} (number {}), the guard at {} (number {})", .record.text(), .record.number, .guard.text(), .guard.number)]
    Older {
        /// The end of the record.
        record: GuardEnd,
        /// The end of the guard's knowledge.
        guard: GuardEnd,
    },
    /// The guard wrote this transfer itself.
    #[error("this guard was moved away by this record itself, number {0}")]
    OwnTransfer(u32),
    /// The guard was transferred away.
    #[error("this guard was moved away by transfer number {0}")]
    MovedAway(u32),
    /// The guard was restored from a copy, and more may have been signed since.
    #[error("this guard holds a copy with number {0}, and the key may have signed more since")]
    Unproven(u32),
}

/// The end of a guard's knowledge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct GuardEnd {
    /// The highest height known.
    pub top: Option<BlockHeight>,
    /// The number of transfers known.
    pub number: u32,
}

impl GuardEnd {
    fn text(&self) -> String {
        self.top
            .map_or_else(|| "none".to_owned(), |top| top.to_string())
    }
}

impl GuardSnapshot {
    /// Returns whether nothing was ever recorded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Transfers the guard: returns its state after that, and the record that carries its
    /// knowledge. A guard that was moved away returns the same record again, because nothing was
    /// added since.
    ///
    /// # Errors
    /// [`ImportError::Unproven`] if the guard does not know what the key has signed.
    pub fn transfer(
        &self,
        pin: GuardPin,
        now: UnixTime,
    ) -> Result<(Self, GuardRecord), ImportError> {
        let number = match self.standing {
            GuardStanding::Active => self.number.saturating_add(1),
            GuardStanding::MovedAway => self.number,
            GuardStanding::Unproven => return Err(ImportError::Unproven(self.number)),
        };
        let moved = Self {
            standing: GuardStanding::MovedAway,
            number,
            state: self.state.clone(),
        };
        let record = moved.to_record(pin, GuardRecordKind::Transfer, now);
        Ok((moved, record))
    }

    /// Creates a record for a backup; the guard stays in use.
    ///
    /// # Errors
    /// If the guard does not know what the key has signed.
    pub fn copy(&self, pin: GuardPin, now: UnixTime) -> Result<GuardRecord, ImportError> {
        match self.standing {
            GuardStanding::Active => Ok(self.to_record(pin, GuardRecordKind::Copy, now)),
            GuardStanding::MovedAway => Err(ImportError::MovedAway(self.number)),
            GuardStanding::Unproven => Err(ImportError::Unproven(self.number)),
        }
    }

    fn to_record(&self, pin: GuardPin, kind: GuardRecordKind, now: UnixTime) -> GuardRecord {
        GuardRecord {
            pin,
            kind,
            number: self.number,
            written: UnixTime::from_secs(now.as_secs()),
            state: self.state.clone(),
        }
    }

    /// Imports a verified record: returns the guard after that. It refuses everything that it
    /// refused before.
    ///
    /// After a transfer, the key may sign here. After a copy it may not, if the guard was empty or
    /// the key was transferred since this guard last had it: it may have signed more.
    ///
    /// # Errors
    /// If record and guard contradict each other, or the guard does not need the record.
    pub fn import(&self, record: &GuardRecord, take_back: TakeBack) -> Result<Self, ImportError> {
        let state = self.state.merged(&record.state)?;
        if record.number < self.number {
            return Err(self.older(record));
        }
        let is_news = record.number > self.number;
        let standing = match (record.kind, self.standing) {
            (GuardRecordKind::Transfer, GuardStanding::MovedAway) if !is_news => match take_back {
                TakeBack::Allowed => GuardStanding::Active,
                TakeBack::Refused => return Err(ImportError::OwnTransfer(self.number)),
            },
            (GuardRecordKind::Transfer, _) if is_news => GuardStanding::Active,
            (GuardRecordKind::Transfer, _) => return Err(self.older(record)),
            (GuardRecordKind::Copy, GuardStanding::MovedAway) => {
                return Err(ImportError::MovedAway(self.number));
            }
            (GuardRecordKind::Copy, standing) => {
                if is_news || self.is_empty() {
                    GuardStanding::Unproven
                } else if self.state.covers(&record.state) && self.state != record.state {
                    return Err(self.older(record));
                } else {
                    standing
                }
            }
        };
        Ok(Self {
            standing,
            number: record.number,
            state,
        })
    }

    /// Repairs the guard once the operator knows up to which height its key may have signed: it
    /// refuses to sign at or below that.
    ///
    /// # Errors
    /// [`ImportError::MovedAway`] if the key is elsewhere.
    pub fn repaired(&self, watermark: BlockHeight) -> Result<Self, ImportError> {
        if self.standing == GuardStanding::MovedAway {
            return Err(ImportError::MovedAway(self.number));
        }
        let mut state = self.state.clone();
        state.raise_final(watermark);
        Ok(Self {
            standing: GuardStanding::Active,
            number: self.number,
            state,
        })
    }

    fn older(&self, record: &GuardRecord) -> ImportError {
        ImportError::Older {
            record: GuardEnd {
                top: record.state.top(),
                number: record.number,
            },
            guard: GuardEnd {
                top: self.state.top(),
                number: self.number,
            },
        }
    }
}

#[cfg(test)]
mod tests;
