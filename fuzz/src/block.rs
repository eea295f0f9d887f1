//! Blocks of the three dialects: reading and parsing their transactions agree.

use bytes::Bytes;
use federation_chain::{Block, Dialect};

/// Checks any bytes.
pub fn check(bytes: &[u8]) {
    let bytes = Bytes::copy_from_slice(bytes);
    for dialect in Dialect::ALL {
        let Ok(block) = Block::decode(dialect, bytes.clone()) else {
            continue;
        };
        assert_eq!(block.as_bytes(), &bytes);
        let bare = block.without_signatures();
        assert_eq!(bare.block_hash(), block.block_hash());
        assert!(bare.is_unsigned());
        let ids = block.transaction_ids();
        let (size, weight) = (block.stripped_size(), block.weight());
        assert_eq!(ids.is_ok(), size.is_ok());
        assert_eq!(ids.is_ok(), weight.is_ok());
        let committed = block.check_commitments();
        assert!(committed.is_err() || ids.is_ok());
        let _ = block.compute_merkle_root();
        let _ = block.witness_commitment_script();
        let stored = block.check_stored_commitments();
        assert!(committed.is_err() || stored.is_ok());
        let mut seen = 0;
        let read = block.each_transaction(|view| {
            seen += 1;
            assert_eq!(view.inputs().count(), view.inputs().len());
            assert_eq!(view.outputs().count(), view.outputs().len());
        });
        assert_eq!(read.is_ok(), ids.is_ok());
        assert!(read.is_err() || seen == block.transaction_count());
        if let Ok(parsed) = block.transactions() {
            let ids = ids.expect("readable if it parses");
            assert_eq!(parsed.len(), ids.len());
        }
    }
}
