//! Checks whether store and guard belong together.

use federation_block_signing::Record;
use federation_signer::{GuardSnapshot, GuardStanding};

/// Returns why store and guard do not belong together, if they do not. The guard must know every block
/// that was signed according to the store, and none above the heights that the store has worked on.
pub(super) fn mismatch(records: &[Record], held: &GuardSnapshot) -> Option<String> {
    if records.is_empty() || held.standing != GuardStanding::Active {
        return None;
    }
    for record in records {
        let Record::Signature(signature) = record else {
            continue;
        };
        let (height, hash) = (signature.height, signature.hash);
        let is_forgotten = held.state.highest_final() >= Some(height);
        match held.state.signed(height) {
            Some(known) if known == hash => {}
            Some(known) => {
                return Some(format!(
                    "store and guard do not belong together: at height {height}, block {hash} was signed \
                     according to the store, but {known} according to the guard"
                ));
            }
            None if is_forgotten => {}
            None => {
                return Some(format!(
                    "store and guard do not belong together: according to the store, block {hash} at \
                     height {height} was signed, but the guard does not know it"
                ));
            }
        }
    }
    let worked_on = records
        .iter()
        .filter_map(|record| match record {
            Record::Final(height) => Some(height.next()),
            record => record.height(),
        })
        .max();
    let signed = held.state.records().last().map(|(height, _)| height);
    match (signed, worked_on) {
        (Some(signed), Some(worked_on)) if signed > worked_on => Some(format!(
            "store and guard do not belong together: the guard has signed a block at height \
             {signed}, but the store has only reached height {worked_on}"
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use federation_block_signing::{BlockSignature, CompactSignature};
    use federation_chain::{BlockHash, BlockHeight};

    use super::*;

    fn signed(height: u32, hash: u8) -> Record {
        Record::Signature(BlockSignature {
            height: BlockHeight::new(height),
            hash: BlockHash::from_bytes([hash; 32]),
            signature: CompactSignature::from_bytes([1; 64]),
        })
    }

    fn last(height: u32) -> Record {
        Record::Final(BlockHeight::new(height))
    }

    /// A guard that signed these blocks.
    fn guard(records: &[(u32, u8)], highest_final: u32) -> GuardSnapshot {
        let mut held = GuardSnapshot::default();
        for (height, hash) in records {
            let hash = BlockHash::from_bytes([*hash; 32]);
            held.state
                .record(BlockHeight::new(*height), hash)
                .expect("fresh");
        }
        held.state.raise_final(BlockHeight::new(highest_final));
        held
    }

    #[test]
    fn a_store_and_its_guard_belong_together() {
        // The store keeps the last height's signature, and the guard may be ahead by one write.
        let records = [last(7), signed(7, 7), signed(8, 8)];
        assert_eq!(mismatch(&records, &guard(&[(7, 7), (8, 8)], 6)), None);
        assert_eq!(mismatch(&[last(7)], &guard(&[(7, 7), (8, 8)], 7)), None);
        // After a repair everything up to the watermark counts as signed.
        assert_eq!(mismatch(&records, &guard(&[], 20)), None);
        assert_eq!(mismatch(&[], &guard(&[(7, 7)], 6)), None);
    }

    #[test]
    fn a_guard_from_another_time_or_machine_is_detected() {
        let records = [last(7), signed(8, 8)];
        let of = |held: &GuardSnapshot| mismatch(&records, held).expect("detected");
        assert!(of(&guard(&[(5, 5)], 5)).contains("does not know it"));
        assert!(of(&guard(&[(8, 9)], 7)).contains("but 0909"));
        let ahead = of(&guard(&[(8, 8), (30, 1)], 29));
        assert!(ahead.contains("has only reached height 8"), "{ahead}");
    }
}
