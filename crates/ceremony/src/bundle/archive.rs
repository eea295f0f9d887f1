//! The zip file, with the same bytes on every machine.

use std::{
    collections::BTreeMap,
    io::{Cursor, Write},
};

use zip::{CompressionMethod, DateTime, System, ZipWriter, write::SimpleFileOptions};

use super::BundleError;

/// Readable by all, as the files hold no secrets.
const MODE: u32 = 0o644;

/// Returns the files as a zip: sorted by name, uncompressed, with the earliest time of the format and
/// one system.
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
