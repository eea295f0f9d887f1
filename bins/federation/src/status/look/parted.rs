//! Whether store and guard belong together.

use federation_block_signing::Record;
use federation_signer::{GuardStanding, HeldGuard};

/// Whether store and guard are of one life; what shows that they are not. The guard knows every
/// block that the store says was signed, and none above what the store has worked on.
pub(super) fn parted(records: &[Record], held: &HeldGuard) -> Option<String> {
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
                    "store and guard do not belong together: at height {height} the store says that \
                     block {hash} was signed, and the guard {known}"
                ));
            }
            None if is_forgotten => {}
            None => {
                return Some(format!(
                    "store and guard do not belong together: the store says that block {hash} at \
                     height {height} was signed, and the guard does not know of it"
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
             {signed}, and the store has come to height {worked_on} only"
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

    /// A guard that signed these.
    fn guard(records: &[(u32, u8)], highest_final: u32) -> HeldGuard {
        let mut held = HeldGuard::default();
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
        // The last height's signature is kept, and the guard may be ahead by the write between.
        let records = [last(7), signed(7, 7), signed(8, 8)];
        assert_eq!(parted(&records, &guard(&[(7, 7), (8, 8)], 6)), None);
        assert_eq!(parted(&[last(7)], &guard(&[(7, 7), (8, 8)], 7)), None);
        // Repaired: all up to the watermark counts as signed.
        assert_eq!(parted(&records, &guard(&[], 20)), None);
        assert_eq!(parted(&[], &guard(&[(7, 7)], 6)), None);
    }

    #[test]
    fn a_guard_of_another_time_or_machine_is_noticed() {
        let records = [last(7), signed(8, 8)];
        let of = |held: &HeldGuard| parted(&records, held).expect("it shows");
        assert!(of(&guard(&[(5, 5)], 5)).contains("does not know of it"));
        assert!(of(&guard(&[(8, 9)], 7)).contains("and the guard 0909"));
        let ahead = of(&guard(&[(8, 8), (30, 1)], 29));
        assert!(ahead.contains("has come to height 8 only"), "{ahead}");
    }
}
