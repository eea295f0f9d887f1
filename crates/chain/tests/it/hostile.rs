//! Blocks with modified bytes.

use federation_chain::{Block, CommitmentError, DecodeError, Dialect, Header};
use proptest::prelude::*;

use crate::support::{Vectors, bytes};

#[test]
fn a_changed_body_is_refused() {
    for vectors in Vectors::all() {
        let block = vectors.block(&vectors.blocks()[0]["unsigned"]);
        let start = block.header().encode().len();
        for at in start..block.as_bytes().len() {
            let mut bytes = block.as_bytes().to_vec();
            bytes[at] ^= 1;
            let changed = match Block::decode(vectors.dialect, bytes.into()) {
                Ok(changed) => changed,
                Err(error) => {
                    assert_eq!(error, DecodeError::NoTransactions);
                    assert_eq!(at, start, "only the count is checked");
                    continue;
                }
            };
            assert_eq!(changed.block_hash(), block.block_hash());
            assert!(
                changed.check_commitments().is_err(),
                "{}: byte {at} can be changed",
                vectors.dialect
            );
        }
    }
}

#[test]
fn a_coinbase_witness_of_more_than_its_nonce_is_refused() {
    for vectors in Vectors::all() {
        let block = vectors.block(&vectors.blocks()[0]["unsigned"]);
        let whole = block.as_bytes();
        // The coinbase ends with its witness: two proofs, a stack of one item, a peg-in stack, and
        // two proofs for each of the two outputs.
        let witness = whole.len() - (2 + 2 + 32 + 1 + 4);
        assert_eq!(whole[witness..][..4], [0, 0, 1, 32]);
        for (at, added) in [
            (witness, &[1, 7][..]),
            (witness + 1, &[1, 7]),
            (witness + 4 + 32, &[1, 1, 7]),
        ] {
            let longer = [&whole[..at], added, &whole[at + 1..]].concat();
            let changed = Block::decode(vectors.dialect, longer.into()).expect("a block");
            assert_eq!(changed.block_hash(), block.block_hash());
            assert_eq!(
                changed.check_commitments(),
                Err(CommitmentError::UncommittedWitness(0))
            );
        }
        // An empty witness where the flag promises one.
        let mut empty = whole[..witness].to_vec();
        empty.extend_from_slice(&[0; 4 + 4]);
        let changed = Block::decode(vectors.dialect, empty.into()).expect("a block");
        assert!(matches!(
            changed.check_commitments(),
            Err(CommitmentError::Decode(DecodeError::SuperfluousWitness(_)))
        ));
        // Two items instead of one.
        let two = [&whole[..witness], &[0, 0, 2, 0, 32], &whole[witness + 4..]].concat();
        let changed = Block::decode(vectors.dialect, two.into()).expect("a block");
        assert_eq!(
            changed.check_commitments(),
            Err(CommitmentError::WitnessNonce)
        );
    }
}

#[test]
fn a_block_that_promises_more_than_it_has_is_refused_without_allocating() {
    for vectors in Vectors::all() {
        let header = vectors
            .block(&vectors.blocks()[0]["unsigned"])
            .header()
            .encode();
        let block = |tail: &[u8]| {
            let bytes = [&header[..], tail].concat();
            Block::decode(vectors.dialect, bytes.into())
        };
        assert!(matches!(block(&[]), Err(DecodeError::Truncated { .. })));
        assert_eq!(block(&[0]), Err(DecodeError::NoTransactions));
        assert!(matches!(
            block(&[0xff; 9]),
            Err(DecodeError::TooLong { .. })
        ));
        assert!(matches!(
            block(&[0xfd, 1, 0]),
            Err(DecodeError::NonMinimalLength(_))
        ));
        let most = block(&[0xfe, 0, 0, 0, 1]).expect("not read yet");
        assert_eq!(most.transaction_count(), 1 << 24);
        for result in [
            most.transactions().map(drop),
            most.transaction_ids().map(drop),
            most.weight().map(drop),
        ] {
            assert!(matches!(result, Err(DecodeError::Truncated { .. })));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn mutated_blocks_never_panic_and_never_pass_as_signed(
        which in 0usize..3, at in any::<prop::sample::Index>(), flip in 1u8..,
        cut in any::<prop::sample::Index>(),
    ) {
        let vectors = &Vectors::all()[which];
        let rules = vectors.rules();
        let block = bytes(&vectors.blocks()[0]["combined"]["hex"]);
        let mut changed = block.to_vec();
        changed[at.index(block.len())] ^= flip;
        for dialect in Dialect::ALL {
            if let Ok(decoded) = Block::decode(dialect, changed.clone().into()) {
                let header = decoded.header();
                let again = Header::decode(dialect, &header.encode());
                prop_assert_eq!(again.as_ref(), Ok(header));
                prop_assert!(rules.check_block(&decoded).is_err() || decoded.check_commitments().is_err());
                // The walk reads everything that the parser reads.
                prop_assert!(decoded.transactions().is_err() || decoded.weight().is_ok());
            }
        }
        let cut = block.slice(..cut.index(block.len()));
        if let Ok(decoded) = Block::decode(vectors.dialect, cut) {
            prop_assert!(decoded.check_commitments().is_err());
        }
    }
}
