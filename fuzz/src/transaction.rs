//! Transactions of the three dialects: what a view reads, it reads to the end; it agrees with the
//! parser where that can read the transaction; and no ledger fails on it.

use elements::encode::{deserialize, serialize};
use federation_chain::{BlockHash, BlockHeight, Dialect, TransactionView};
use federation_reissuance::Ledger;

use super::reissuance::settings;

/// Checks any bytes.
pub fn check(bytes: &[u8]) {
    for dialect in Dialect::ALL {
        let Ok(view) = TransactionView::decode(dialect, bytes) else {
            continue;
        };
        assert_eq!(view.as_bytes(), bytes);
        assert!(view.stripped_size() <= bytes.len());
        assert_eq!(view.inputs().count(), view.inputs().len());
        assert_eq!(view.outputs().count(), view.outputs().len());
        for input in view.inputs() {
            for stack in [input.witness.script, input.witness.pegin] {
                assert_eq!(stack.iter().count(), stack.len());
            }
            let _ = input.pegin().and_then(|claim| claim.amount());
            assert_eq!(input.issuance.is_some(), input.issuance_entropy().is_some());
        }
        if let Ok(parsed) = deserialize::<elements::Transaction>(bytes)
            && serialize(&parsed) == bytes
        {
            assert_eq!(view.txid(), parsed.txid());
            assert_eq!(view.is_coinbase(), parsed.is_coinbase());
            assert_eq!(view.inputs().len(), parsed.input.len());
            assert_eq!(view.outputs().len(), parsed.output.len());
        }
        let (chain, settings) = settings();
        let mut ledger = Ledger::new(chain, settings);
        let none = BlockHash::from_bytes([0; 32]);
        let read = ledger.apply(BlockHeight::GENESIS, chain.genesis, none, &[view]);
        assert!(read.is_ok());
    }
}
