//! The zip, the same bytes on every machine.

use std::{
    collections::BTreeMap,
    io::{Cursor, Write},
};

use zip::{CompressionMethod, DateTime, System, ZipWriter, write::SimpleFileOptions};

use crate::BundleError;

/// Readable by all: there is no secret in it.
const MODE: u32 = 0o644;

/// The files as a zip: in the order of their names, stored as they are, from the first day that the
/// format knows, of one system.
pub(crate) fn zip(files: &BTreeMap<String, String>) -> Result<Vec<u8>, BundleError> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::DEFAULT)
        .unix_permissions(MODE)
        .system(System::Unix);
    let write = || {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, text) in files {
            writer.start_file(name.as_str(), options)?;
            writer.write_all(text.as_bytes())?;
        }
        writer.finish().map(Cursor::into_inner)
    };
    write().map_err(|error| BundleError::Zip(error.to_string()))
}
