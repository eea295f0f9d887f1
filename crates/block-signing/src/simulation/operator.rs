//! One simulated operator: a machine with its store, guard, node and clock.

use std::collections::BTreeMap;

use federation_chain::{BlockHash, BlockHeight, UnixTime};
use federation_roster::OperatorId;

use crate::{Config, Machine, Record};

use super::chain::Node;

/// A machine with its surroundings. A lying operator has two of these ("twins"): each part of the
/// federation talks to a different one, and each believes that it is the only one.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) id: OperatorId,
    pub(crate) honest: bool,
    /// Permanently absent.
    pub(crate) dead: bool,
    /// `None` while crashed.
    pub(crate) machine: Option<Machine>,
    /// Counts restarts: answers to an earlier life are dropped.
    pub(crate) life: u32,
    pub(crate) config: Config,
    pub(crate) store: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(crate) guard: BTreeMap<BlockHeight, BlockHash>,
    pub(crate) node: Node,
    /// Clock minus true time, in milliseconds.
    pub(crate) skew: i64,
    /// The pending wake-up in true time, so that not every step schedules a new one.
    pub(crate) wake: Option<u64>,
    /// Lost its store, so it starts as an observer.
    pub(crate) amnesic: bool,
    /// Its guard's store has failed and it continues, which a driver must not do.
    #[cfg(test)]
    pub(crate) guard_broken: bool,
    /// Has no guard, to show what the guard is for.
    #[cfg(test)]
    pub(crate) unguarded: bool,
}

impl Slot {
    pub(crate) fn new(id: OperatorId, honest: bool, config: Config) -> Self {
        Self {
            id,
            honest,
            dead: false,
            machine: None,
            life: 0,
            config,
            store: BTreeMap::new(),
            guard: BTreeMap::new(),
            node: Node::new(),
            skew: 0,
            wake: None,
            amnesic: false,
            #[cfg(test)]
            guard_broken: false,
            #[cfg(test)]
            unguarded: false,
        }
    }

    pub(crate) fn clock(&self, now: u64) -> UnixTime {
        UnixTime::from_millis(now.saturating_add_signed(self.skew))
    }

    /// Starts from the records in the store.
    pub(crate) fn start(&mut self) {
        let records = self.records().collect();
        // The flag stays set until the store records that the operator observes.
        let config = if self.amnesic && self.store.is_empty() {
            self.config.clone().as_observer()
        } else {
            self.config.clone()
        };
        self.machine = Some(Machine::new(config, records));
        self.life += 1;
        self.wake = None;
        #[cfg(test)]
        {
            self.guard_broken = false;
        }
    }

    pub(crate) fn records(&self) -> impl Iterator<Item = Record> + '_ {
        let bytes = self.store.values();
        bytes.map(|bytes| {
            Record::from_bytes(bytes).expect("the store returns the bytes it was given")
        })
    }

    pub(crate) fn persist(&mut self, record: &Record) {
        self.store.insert(record.key(), record.to_bytes());
    }

    pub(crate) fn forget(&mut self, below: BlockHeight) {
        let from = Record::height_key(BlockHeight::GENESIS);
        let to = Record::height_key(below);
        let old: Vec<_> = self.store.range(from..to).map(|(k, _)| k.clone()).collect();
        for key in old {
            self.store.remove(&key);
        }
    }

    pub(crate) fn forget_records(&mut self, keys: &[Vec<u8>]) {
        for key in keys {
            self.store.remove(key);
        }
    }

    /// Asks the guard: one hash per height. A liar's twins have none.
    pub(crate) fn guard(&mut self, height: BlockHeight, hash: BlockHash) -> Result<(), String> {
        if !self.honest {
            return Ok(());
        }
        #[cfg(test)]
        if self.unguarded {
            return Ok(());
        }
        let signed = *self.guard.entry(height).or_insert(hash);
        if signed == hash {
            Ok(())
        } else {
            Err(format!(
                "block {signed} was already signed at height {height}"
            ))
        }
    }
}
