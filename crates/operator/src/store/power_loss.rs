//! A simulated disk that loses power: data that was not synced may be present, absent or partial.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard},
};

use proptest::prelude::*;
use redb::{
    Builder, Database, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition,
    backends::InMemoryBackend,
};

use super::transaction::begin_write;

const TABLE: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("table");

/// The unit that a disk writes atomically, in bytes.
const SECTOR: usize = 512;

#[derive(Debug, Default)]
struct Disk {
    /// The content that readers see.
    seen: Vec<u8>,
    /// The content that survives a power loss in any case.
    durable: Vec<u8>,
    /// The writes since the last sync.
    pending: Vec<(usize, Vec<u8>)>,
    /// The number of changes until the power loss.
    changes_left: usize,
}

impl Disk {
    fn change(&mut self) -> io::Result<()> {
        if self.changes_left == 0 {
            return Err(io::Error::other("no power"));
        }
        self.changes_left -= 1;
        Ok(())
    }
}

#[derive(Debug, Clone)]
struct Handle(Arc<Mutex<Disk>>);

impl Handle {
    fn new(changes: usize) -> Self {
        Self(Arc::new(Mutex::new(Disk {
            changes_left: changes,
            ..Disk::default()
        })))
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().expect("not poisoned")
    }

    /// Returns the content after a power loss: of each write since the last sync, in any order, all,
    /// none or some of the sectors.
    fn after_power_loss(&self, mut dice: impl FnMut(usize) -> usize) -> Vec<u8> {
        let disk = self.disk();
        let mut image = disk.durable.clone();
        for (offset, bytes) in &disk.pending {
            for (index, sector) in bytes.chunks(SECTOR).enumerate() {
                if dice(2) == 0 {
                    continue;
                }
                let begin = offset + index * SECTOR;
                let end = begin + sector.len();
                if image.len() < end {
                    image.resize(end, 0);
                }
                image[begin..end].copy_from_slice(sector);
            }
        }
        image
    }
}

impl StorageBackend for Handle {
    fn len(&self) -> io::Result<u64> {
        Ok(self.disk().seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        let disk = self.disk();
        let found = disk
            .seen
            .get(offset..offset + out.len())
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(found);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).map_err(io::Error::other)?;
        let mut disk = self.disk();
        disk.change()?;
        disk.seen.resize(len, 0);
        // A file system's metadata is consistent: a new length takes effect wholly or not at all.
        disk.durable.resize(len, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut disk = self.disk();
        disk.change()?;
        disk.durable = disk.seen.clone();
        disk.pending.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        let mut disk = self.disk();
        disk.change()?;
        disk.seen[offset..offset + data.len()].copy_from_slice(data);
        disk.pending.push((offset, data.to_vec()));
        Ok(())
    }
}

/// Writes entries until the power is lost. Returns how many writes were acknowledged.
fn write_until_power_loss(handle: &Handle) -> u32 {
    let Ok(database) = Builder::new().create_with_backend(handle.clone()) else {
        return 0;
    };
    let write = |key: u32| -> Result<(), redb::Error> {
        let write = begin_write(&database)?;
        {
            let mut table = write.open_table(TABLE)?;
            table.insert(key, &[7; 300][..])?;
            // Removed entries free space that is reused.
            table.retain_in(..key.saturating_sub(10), |_, _| false)?;
        }
        write.commit()?;
        Ok(())
    };
    (0..)
        .take_while(|key| write(*key).is_ok())
        .last()
        .map_or(0, |last| last + 1)
}

/// Returns the newest entry in the remains of a database.
fn newest(image: &[u8]) -> Option<u32> {
    let backend = InMemoryBackend::new();
    backend.set_len(image.len() as u64).expect("memory");
    backend.write(0, image).expect("memory");
    let mut database: Database = Builder::new()
        .create_with_backend(backend)
        .expect("it opens");
    assert!(database.check_integrity().expect("it reads"));
    let read = database.begin_read().expect("it reads");
    let table = read.open_table(TABLE).ok()?;
    let last = table.last().expect("it reads")?;
    Some(last.0.value())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn acknowledged_writes_survive_a_power_loss(
        changes in 1..400_usize,
        seed in any::<u64>(),
    ) {
        let handle = Handle::new(changes);
        let acknowledged = write_until_power_loss(&handle);
        let mut state = seed | 1;
        let image = handle.after_power_loss(|sides| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as usize % sides
        });
        if let Some(last) = acknowledged.checked_sub(1) {
            let newest = newest(&image);
            prop_assert!(newest >= Some(last), "{newest:?} after {last}");
        }
    }
}
