//! A halt: what ended the operator and is for people, so that no restart gets past it.

use std::fmt;

use federation_chain::{BlockHeight, UnixTime};
use redb::{ReadableDatabase, TableDefinition, TableError};

use super::{
    Store, StoreError,
    database::begin_write,
    records::{seal, unseal},
};

/// The halt under key 0, and who cleared the last one under key 1.
const HALT: TableDefinition<'_, u8, &[u8]> = TableDefinition::new("halt");
const HALTED: u8 = 0;
const RESUMED: u8 = 1;

/// The longest text that is kept of who cleared a halt, in bytes.
const MAX_WHO: usize = 256;

/// Why an operator halted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HaltReason {
    /// Another daemon spoke with this operator's identity key.
    Twin,
    /// A block has a signature by this operator's key that its guard knows nothing of.
    OldStore,
    /// Two blocks were decided at one height.
    TwoDecisions,
}

impl HaltReason {
    const ALL: [Self; 3] = [Self::Twin, Self::OldStore, Self::TwoDecisions];

    /// Its word for files and machines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Twin => "twin",
            Self::OldStore => "old-store",
            Self::TwoDecisions => "two-decisions",
        }
    }

    /// What to do about it before the halt is cleared.
    #[must_use]
    pub const fn help(self) -> &'static str {
        match self {
            Self::Twin => {
                "stop the other daemon, find out which store is the newer, and start only that one, \
                 after `federation guard resume`"
            }
            Self::OldStore => {
                "start with the newest store if there is one, and stop any other daemon with this key; \
                 else `federation guard repair` finds out from which height on the key may sign"
            }
            Self::TwoDecisions => {
                "more operators lie or run with wrong stores than the threshold stands: look at \
                 `federation status --evidence` of all, settle with the others which chain goes on, \
                 then `federation guard resume`"
            }
        }
    }
}

impl fmt::Display for HaltReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Twin => "another daemon spoke for this operator",
            Self::OldStore => {
                "a block has a signature by this operator's key of which its guard knows nothing"
            }
            Self::TwoDecisions => "two blocks were decided",
        })
    }
}

/// What ended an operator for good, until a person clears it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct Halt {
    /// Why.
    pub reason: HaltReason,
    /// The height that it was about.
    pub height: BlockHeight,
    /// When.
    pub time: UnixTime,
}

impl fmt::Display for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (height {})", self.reason, self.height)
    }
}

impl Halt {
    fn to_text(self) -> String {
        format!(
            "{} {} {}",
            self.reason.as_str(),
            self.height,
            self.time.as_millis()
        )
    }

    fn from_text(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let mut next = || words.next();
        let reason = next()?;
        let reason = HaltReason::ALL
            .into_iter()
            .find(|known| known.as_str() == reason)?;
        let height = BlockHeight::new(next()?.parse().ok()?);
        let time = UnixTime::from_millis(next()?.parse().ok()?);
        next().is_none().then_some(Self {
            reason,
            height,
            time,
        })
    }
}

/// That a person cleared a halt.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct Resumed {
    /// The halt.
    pub halt: Halt,
    /// When it was cleared.
    pub time: UnixTime,
    /// Who cleared it, as far as the system says.
    pub who: String,
}

impl Store {
    /// The halt that keeps this operator from starting, if there is one.
    ///
    /// # Errors
    /// If it cannot be read, was altered, or is of a newer version.
    pub fn halt(&self) -> Result<Option<Halt>, StoreError> {
        let Some(text) = self.halt_text(HALTED)? else {
            return Ok(None);
        };
        let halt = Halt::from_text(&text);
        halt.map(Some).ok_or_else(|| self.newer(&text))
    }

    /// Keeps a halt, durably: the operator does not start again until it is cleared. The first of
    /// several is what counts.
    ///
    /// # Errors
    /// If it may not have become durable.
    pub fn write_halt(&self, halt: Halt) -> Result<(), StoreError> {
        if self.halt()?.is_some() {
            return Ok(());
        }
        self.change_halt(HALTED, Some(&halt.to_text()), None)
    }

    /// Clears the halt, if there is one, and keeps who did so.
    ///
    /// # Errors
    /// If it cannot be read, or the change may not have become durable.
    pub fn resume(&self, time: UnixTime, who: &str) -> Result<Option<Halt>, StoreError> {
        let Some(halt) = self.halt()? else {
            return Ok(None);
        };
        let who: String = who
            .chars()
            .filter(|c| !c.is_control())
            .take(MAX_WHO / 4)
            .collect();
        let resumed = format!("{}\n{}\n{who}", halt.to_text(), time.as_millis());
        self.change_halt(HALTED, None, Some(&resumed))?;
        Ok(Some(halt))
    }

    /// Who cleared the last halt, if one ever was.
    ///
    /// # Errors
    /// If it cannot be read, was altered, or is of a newer version.
    pub fn resumed(&self) -> Result<Option<Resumed>, StoreError> {
        let Some(text) = self.halt_text(RESUMED)? else {
            return Ok(None);
        };
        let parse = |text: &str| {
            let (halt, rest) = text.split_once('\n')?;
            let (time, who) = rest.split_once('\n')?;
            Some(Resumed {
                halt: Halt::from_text(halt)?,
                time: UnixTime::from_millis(time.parse().ok()?),
                who: who.to_owned(),
            })
        };
        parse(&text).map(Some).ok_or_else(|| self.newer(&text))
    }

    fn halt_text(&self, key: u8) -> Result<Option<String>, StoreError> {
        let read = self
            .database
            .begin_read()
            .map_err(|e| self.read_error(&e))?;
        let table = match read.open_table(HALT) {
            Ok(table) => table,
            Err(TableError::TableDoesNotExist(_)) => return Ok(None),
            Err(error) => return Err(self.read_error(&error)),
        };
        let Some(sealed) = table.get(key).map_err(|e| self.read_error(&e))? else {
            return Ok(None);
        };
        unseal(sealed.value())
            .and_then(|text| core::str::from_utf8(text).ok())
            .map(|text| Some(text.to_owned()))
            .ok_or_else(|| self.altered())
    }

    fn change_halt(
        &self,
        key: u8,
        value: Option<&str>,
        resumed: Option<&str>,
    ) -> Result<(), StoreError> {
        let write = begin_write(&self.database).map_err(|e| self.write_error(&e))?;
        {
            let mut table = write.open_table(HALT).map_err(|e| self.write_error(&e))?;
            match value {
                Some(text) => table.insert(key, &*seal(text.as_bytes())).map(drop),
                None => table.remove(key).map(drop),
            }
            .map_err(|e| self.write_error(&e))?;
            if let Some(text) = resumed {
                table
                    .insert(RESUMED, &*seal(text.as_bytes()))
                    .map_err(|e| self.write_error(&e))?;
            }
        }
        write.commit().map_err(|e| self.write_error(&e))
    }

    /// Its seal is whole, so it is as it was written, by a version that knows more.
    fn newer(&self, text: &str) -> StoreError {
        StoreError::Newer {
            path: self.path.clone(),
            what: format!("the halt `{}`", text.escape_debug()),
        }
    }

    fn altered(&self) -> StoreError {
        StoreError::Altered {
            path: self.path.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use federation_roster::{FederationId, OperatorId};

    use super::*;

    fn open(folder: &std::path::Path) -> Store {
        let federation = FederationId::from_bytes([7; 32]);
        Store::open(folder, federation, OperatorId::new(1)).expect("it opens")
    }

    fn halt(reason: HaltReason, height: u32) -> Halt {
        Halt {
            reason,
            height: BlockHeight::new(height),
            time: UnixTime::from_millis(1_700_000_000_123),
        }
    }

    #[test]
    fn a_halt_lasts_over_restarts_until_it_is_cleared_and_who_did_so_is_kept() {
        for reason in HaltReason::ALL {
            let folder = tempfile::tempdir().expect("a folder");
            let store = open(folder.path());
            assert_eq!(store.halt(), Ok(None));
            assert_eq!(store.resume(UnixTime::from_secs(1), "nobody"), Ok(None));
            assert_eq!(store.resumed(), Ok(None));
            let first = halt(reason, 7);
            store.write_halt(first).expect("written");
            // What comes after the first is its consequence.
            store
                .write_halt(halt(HaltReason::Twin, 9))
                .expect("written");
            drop(store);
            let store = open(folder.path());
            assert_eq!(store.halt(), Ok(Some(first)));
            let now = UnixTime::from_millis(1_700_000_009_000);
            assert_eq!(
                store.resume(now, "alice\n(uid 1000)"),
                Ok(Some(first)),
                "a line break in a name breaks nothing"
            );
            drop(store);
            let store = open(folder.path());
            assert_eq!(store.halt(), Ok(None));
            let who = "alice(uid 1000)".to_owned();
            let resumed = Resumed {
                halt: first,
                time: now,
                who,
            };
            assert_eq!(store.resumed(), Ok(Some(resumed)));
            // The records are none of its business.
            assert_eq!(store.records(), Ok(Vec::new()));
        }
    }

    #[test]
    fn a_halt_of_a_newer_version_is_no_leave_to_start_and_no_damage_and_is_not_lost() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = open(folder.path());
        for text in ["", "later-reason 7 1", "twin 7", "twin x 1", "twin 7 1 1"] {
            store
                .change_halt(HALTED, Some(text), None)
                .expect("written");
            let error = store.halt().expect_err("not known");
            assert!(matches!(error, StoreError::Newer { .. }), "{error}");
            assert!(!error.is_damage());
            let said = error.to_string();
            assert!(said.contains("written by a newer version"), "{said}");
            for wrong in ["altered", "repair", "move the store away"] {
                assert!(!said.contains(wrong), "{said}");
            }
            // Neither another halt nor a person without that version gets it out of the way.
            let own = halt(HaltReason::Twin, 9);
            assert!(store.write_halt(own).is_err(), "{text}");
            assert!(store.resume(UnixTime::from_secs(1), "alice").is_err());
            assert_eq!(store.halt_text(HALTED), Ok(Some(text.to_owned())));
        }
    }

    #[test]
    fn a_halt_that_was_altered_is_damage() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = open(folder.path());
        let write = store.database.begin_write().expect("begun");
        {
            let mut table = write.open_table(HALT).expect("there");
            let mut sealed = seal(b"twin 7 1");
            sealed[0] ^= 1;
            table.insert(HALTED, &*sealed).expect("written");
        }
        write.commit().expect("durable");
        assert!(matches!(store.halt(), Err(StoreError::Altered { .. })));
    }
}
