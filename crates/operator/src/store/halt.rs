//! A halt: an error that ended the operator and that a person must resolve before it can start again.

use std::fmt;

use federation_chain::{BlockHeight, UnixTime};
use redb::TableDefinition;

use super::{
    Store, StoreError,
    records::{seal, unseal},
    transaction::{Failure, table},
};

/// The current halt under key 0, the last cleared one under key 1.
const HALT: TableDefinition<'_, u8, &[u8]> = TableDefinition::new("halt");
const HALTED: u8 = 0;
const CLEARED: u8 = 1;

/// The maximum length of the name of whoever cleared a halt, in bytes.
const MAX_WHO: usize = 256;

/// Why an operator halted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HaltReason {
    /// Another daemon used this operator's identity key.
    Twin,
    /// A block has a signature by this operator's key that its guard does not know.
    OldStore,
    /// Two blocks were decided at one height.
    TwoDecisions,
}

impl HaltReason {
    const ALL: [Self; 3] = [Self::Twin, Self::OldStore, Self::TwoDecisions];

    /// Returns its name in files and machine-readable output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Twin => "twin",
            Self::OldStore => "old-store",
            Self::TwoDecisions => "two-decisions",
        }
    }

    /// Returns what to do before clearing the halt.
    #[must_use]
    pub const fn help(self) -> &'static str {
        match self {
            Self::Twin => {
                "stop the other daemon, find out which store is newer, and start only that one, \
                 after `federation guard resume`"
            }
            Self::OldStore => {
                "stop any other daemon with this key, and start with the newest store if there is one; \
                 otherwise `federation guard repair` finds the height from which the key may sign"
            }
            Self::TwoDecisions => {
                "more operators are faulty or run with wrong stores than the threshold tolerates: look \
                 at `federation status --evidence` of all, agree with the other operators which chain \
                 continues, then `federation guard resume`"
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

/// An error that keeps an operator from starting until a person clears it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct Halt {
    /// The reason.
    pub reason: HaltReason,
    /// The height at which it occurred.
    pub height: BlockHeight,
    /// When it occurred.
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

/// A halt that a person cleared.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct ClearedHalt {
    /// The halt.
    pub halt: Halt,
    /// When it was cleared.
    pub time: UnixTime,
    /// Who cleared it, as far as the system tells.
    pub who: String,
}

impl Store {
    /// Returns the halt that keeps this operator from starting, if any.
    ///
    /// # Errors
    /// If it cannot be read, was altered, or was written by a newer version.
    pub fn halt(&self) -> Result<Option<Halt>, StoreError> {
        let Some(text) = self.halt_text(HALTED)? else {
            return Ok(None);
        };
        let halt = Halt::from_text(&text);
        halt.map(Some).ok_or_else(|| self.newer(&text))
    }

    /// Stores a halt durably: the operator does not start again until it is cleared. If there is a halt
    /// already, that one is kept.
    ///
    /// # Errors
    /// If it may not have become durable.
    pub fn write_halt(&self, halt: Halt) -> Result<(), StoreError> {
        if self.halt()?.is_some() {
            return Ok(());
        }
        self.change_halt(HALTED, Some(&halt.to_text()), None)
    }

    /// Clears the halt, if there is one, and stores who cleared it.
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
        let cleared = format!("{}\n{}\n{who}", halt.to_text(), time.as_millis());
        self.change_halt(HALTED, None, Some(&cleared))?;
        Ok(Some(halt))
    }

    /// Returns the last halt that was cleared, if any.
    ///
    /// # Errors
    /// If it cannot be read, was altered, or was written by a newer version.
    pub fn cleared_halt(&self) -> Result<Option<ClearedHalt>, StoreError> {
        let Some(text) = self.halt_text(CLEARED)? else {
            return Ok(None);
        };
        let parse = |text: &str| {
            let (halt, rest) = text.split_once('\n')?;
            let (time, who) = rest.split_once('\n')?;
            Some(ClearedHalt {
                halt: Halt::from_text(halt)?,
                time: UnixTime::from_millis(time.parse().ok()?),
                who: who.to_owned(),
            })
        };
        parse(&text).map(Some).ok_or_else(|| self.newer(&text))
    }

    fn halt_text(&self, key: u8) -> Result<Option<String>, StoreError> {
        self.read(|transaction| {
            let Some(table) = table(transaction, HALT)? else {
                return Ok(None);
            };
            let Some(sealed) = table.get(key)? else {
                return Ok(None);
            };
            unseal(sealed.value())
                .and_then(|text| core::str::from_utf8(text).ok())
                .map(|text| Some(text.to_owned()))
                .ok_or_else(|| Failure::Content(self.altered()))
        })
    }

    fn change_halt(
        &self,
        key: u8,
        value: Option<&str>,
        cleared: Option<&str>,
    ) -> Result<(), StoreError> {
        self.write_transaction(|transaction| {
            let mut table = transaction.open_table(HALT)?;
            match value {
                Some(text) => table.insert(key, &*seal(text.as_bytes()))?,
                None => table.remove(key)?,
            };
            if let Some(text) = cleared {
                table.insert(CLEARED, &*seal(text.as_bytes()))?;
            }
            Ok(())
        })
    }

    /// Returns the error for a halt that is intact but unknown, so a newer version wrote it.
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
    fn a_halt_survives_restarts_until_it_is_cleared_and_who_cleared_it_is_stored() {
        for reason in HaltReason::ALL {
            let folder = tempfile::tempdir().expect("a folder");
            let store = open(folder.path());
            assert_eq!(store.halt(), Ok(None));
            assert_eq!(store.resume(UnixTime::from_secs(1), "nobody"), Ok(None));
            assert_eq!(store.cleared_halt(), Ok(None));
            let first = halt(reason, 7);
            store.write_halt(first).expect("written");
            // Later halts are consequences of the first.
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
                "line breaks are removed from the name"
            );
            drop(store);
            let store = open(folder.path());
            assert_eq!(store.halt(), Ok(None));
            let who = "alice(uid 1000)".to_owned();
            let cleared = ClearedHalt {
                halt: first,
                time: now,
                who,
            };
            assert_eq!(store.cleared_halt(), Ok(Some(cleared)));
            // The records are unaffected.
            assert_eq!(store.records(), Ok(Vec::new()));
        }
    }

    #[test]
    fn a_halt_of_a_newer_version_prevents_the_start_and_is_neither_damage_nor_lost() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = open(folder.path());
        for text in ["", "later-reason 7 1", "twin 7", "twin x 1", "twin 7 1 1"] {
            store
                .change_halt(HALTED, Some(text), None)
                .expect("written");
            let error = store.halt().expect_err("not known");
            assert!(matches!(error, StoreError::Newer { .. }), "{error}");
            assert!(!error.is_damage());
            let shown = error.to_string();
            assert!(shown.contains("written by a newer version"), "{shown}");
            for wrong in ["altered", "repair", "move the store away"] {
                assert!(!shown.contains(wrong), "{shown}");
            }
            // Neither another halt nor a person with this version can remove it.
            let other = halt(HaltReason::Twin, 9);
            assert!(store.write_halt(other).is_err(), "{text}");
            assert!(store.resume(UnixTime::from_secs(1), "alice").is_err());
            assert_eq!(store.halt_text(HALTED), Ok(Some(text.to_owned())));
        }
    }

    #[test]
    fn an_altered_halt_is_damage() {
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
