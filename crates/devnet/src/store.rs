//! Storage of the chain: one table of blocks by height.

use std::path::Path;

use bytes::Bytes;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

use crate::DevNodeError;

const BLOCKS: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("blocks");

pub(crate) struct BlockStore(Database);

fn failed(error: &dyn std::error::Error) -> DevNodeError {
    DevNodeError::Store(error.to_string())
}

impl BlockStore {
    pub(crate) fn open(folder: &Path) -> Result<Self, DevNodeError> {
        std::fs::create_dir_all(folder).map_err(|error| failed(&error))?;
        let database = Database::builder()
            .set_cache_size(1024 * 1024)
            .create(folder.join("blocks.redb"))
            .map_err(|error| failed(&error))?;
        let write = database.begin_write().map_err(|error| failed(&error))?;
        write.open_table(BLOCKS).map_err(|error| failed(&error))?;
        write.commit().map_err(|error| failed(&error))?;
        Ok(Self(database))
    }

    /// Returns all blocks, lowest first.
    pub(crate) fn blocks(&self) -> Result<Vec<Bytes>, DevNodeError> {
        let read = self.0.begin_read().map_err(|error| failed(&error))?;
        let table = read.open_table(BLOCKS).map_err(|error| failed(&error))?;
        table
            .iter()
            .map_err(|error| failed(&error))?
            .map(|entry| {
                let (_, block) = entry.map_err(|error| failed(&error))?;
                Ok(Bytes::copy_from_slice(block.value()))
            })
            .collect()
    }

    pub(crate) fn append(&self, height: u32, block: &[u8]) -> Result<(), DevNodeError> {
        let write = self.0.begin_write().map_err(|error| failed(&error))?;
        write
            .open_table(BLOCKS)
            .map_err(|error| failed(&error))?
            .insert(height, block)
            .map_err(|error| failed(&error))?;
        write.commit().map_err(|error| failed(&error))
    }
}
