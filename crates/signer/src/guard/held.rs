//! What a guard's store holds, and how it is handed on: forward only, and to one place at a time.

use federation_chain::{BlockHeight, UnixTime};

use super::{GuardContradiction, GuardPin, GuardRecord, GuardRecordKind, GuardState};

/// Whether a guard lets its key sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(
    clippy::exhaustive_enums,
    reason = "whoever opens a guard must know all of them"
)]
pub enum GuardStanding {
    /// It does.
    #[default]
    Active,
    /// It was handed on by a transfer: the key signs elsewhere.
    MovedAway,
    /// It holds a copy, since which the key may have signed more.
    Unproven,
}

impl GuardStanding {
    /// Its word for people and files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::MovedAway => "moved away",
            Self::Unproven => "unproven",
        }
    }
}

/// Everything that a guard's store holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct HeldGuard {
    /// Whether it lets its key sign.
    pub standing: GuardStanding,
    /// How often the key was handed on, as far as this guard knows.
    pub number: u32,
    /// What the key has signed.
    pub state: GuardState,
}

/// Whether the transfer that a guard wrote itself may come back to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "yes or no")]
pub enum TakeBack {
    /// It may: a person says that it was imported nowhere else.
    Allowed,
    /// It may not.
    Refused,
}

/// Why a guard does not take a record, or gives none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The key has signed two blocks at a height.
    #[error(transparent)]
    Contradiction(#[from] GuardContradiction),
    /// The guard knows all that the record says, and more.
    #[error("the record is older than this guard: it ends at height {} (number {}), the guard at {} (number {})", .record.text(), .record.number, .guard.text(), .guard.number)]
    Older {
        /// Where the record ends.
        record: GuardEnd,
        /// Where the guard ends.
        guard: GuardEnd,
    },
    /// The guard has written this transfer itself.
    #[error("this guard was moved away by this very record, number {0}")]
    OwnTransfer(u32),
    /// The guard was handed on.
    #[error("this guard was moved away by the transfer number {0}")]
    MovedAway(u32),
    /// The guard holds a copy, since which more may have been signed.
    #[error("this guard holds a copy of number {0}, since which the key may have signed more")]
    Unproven(u32),
}

/// Where a guard's knowledge ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct GuardEnd {
    /// The highest height that it knows of.
    pub top: Option<BlockHeight>,
    /// How often it was handed on.
    pub number: u32,
}

impl GuardEnd {
    fn text(&self) -> String {
        self.top
            .map_or_else(|| "none".to_owned(), |top| top.to_string())
    }
}

impl HeldGuard {
    /// Whether nothing was ever recorded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The guard after it was handed on, and the record that takes its knowledge with it. A guard
    /// that was moved away gives the same record again: nothing was added since.
    ///
    /// # Errors
    /// [`ImportError::Unproven`] if it does not know what the key has signed.
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

    /// A record for a backup; the guard goes on.
    ///
    /// # Errors
    /// If it does not know what the key has signed.
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

    /// The guard after it took a record, which is verified. It refuses whatever it refused before.
    ///
    /// A transfer lets the key sign here from now on. A copy does not when the guard knew nothing,
    /// or when the key was handed on since this guard last had it: it may have signed more.
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

    /// The guard after people have found out up to which height its key may have signed: it signs
    /// nothing at or below.
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
