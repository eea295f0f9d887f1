//! Blocks with transactions: ids, commitments and sizes are those that the nodes report.

use federation_chain::{Block, CommitmentError, DecodeError, Dialect, SigningRules};
use federation_multisig::MultisigScript;
use hex_conservative::DisplayHex;

use crate::support::{Vectors, bytes, text};

fn recorded() -> [Vectors; 2] {
    [
        Vectors::read(Dialect::Elements, "elements-legacy-transactions"),
        Vectors::read(Dialect::Dynafed, "elements-dynafed-transactions"),
    ]
}

/// As the RPC displays hashes.
fn reversed(hash: [u8; 32]) -> String {
    hash.iter()
        .rev()
        .copied()
        .collect::<Vec<_>>()
        .to_lower_hex_string()
}

#[test]
fn ids_commitments_and_sizes_equal_the_nodes() {
    for vectors in recorded() {
        let script = MultisigScript::from_hex(text(&vectors.json["signblockscript"]));
        let rules = SigningRules::new(vectors.dialect, script.expect("a script"), 412)
            .expect("412 bytes are enough");
        for recorded in vectors.blocks() {
            let block = vectors.block(&recorded["block"]);
            assert_eq!(block.block_hash().to_string(), text(&recorded["hash"]));
            assert_eq!(rules.check_block(&block), Ok(()));
            assert_eq!(block.check_commitments(), Ok(()));
            assert_eq!(
                block.compute_merkle_root().map(reversed).as_deref(),
                Ok(text(&recorded["merkleroot"]))
            );
            let ids: Vec<_> = block
                .transaction_ids()
                .expect("transactions")
                .into_iter()
                .map(reversed)
                .collect();
            let known = recorded["tx"].as_array().expect("a list");
            assert_eq!(ids, known.iter().map(text).collect::<Vec<_>>());
            assert_eq!(block.transaction_count(), ids.len());

            let number = |key: &str| recorded[key].as_u64().and_then(|n| usize::try_from(n).ok());
            assert_eq!(Some(block.as_bytes().len()), number("size"));
            assert_eq!(block.stripped_size().ok(), number("strippedsize"));
            assert_eq!(block.weight().ok(), number("weight"));

            let transactions = block.transactions().expect("the crate reads them");
            let again = Block::from_parts(block.header().clone(), &transactions);
            assert_eq!(again.as_bytes(), block.as_bytes());
            for (transaction, id) in transactions.iter().zip(&ids) {
                assert_eq!(&transaction.txid().to_string(), id);
            }
        }
    }
}

#[test]
fn no_byte_of_a_witness_can_be_changed() {
    for vectors in recorded() {
        for recorded in vectors.blocks() {
            let whole = bytes(&recorded["block"]);
            let block = vectors.block(&recorded["block"]);
            let start = block.header().encode().len() + 1;
            // Every byte of a small block, a sample of a large one's.
            let step = whole.len() / 1000 + 1;
            for at in (start..whole.len()).step_by(step) {
                let mut changed = whole.to_vec();
                changed[at] ^= 0x10;
                let changed = Block::decode(vectors.dialect, changed.into())
                    .expect("the header is unchanged");
                assert!(changed.check_commitments().is_err(), "byte {at}");
            }
        }
    }
}

#[test]
fn a_transaction_added_omitted_or_repeated_is_refused() {
    let vectors = &recorded()[1];
    for recorded in vectors.blocks() {
        let block = vectors.block(&recorded["block"]);
        let transactions = block.transactions().expect("transactions");
        let with = |list: &[elements::Transaction]| {
            Block::from_parts(block.header().clone(), list).check_commitments()
        };
        assert_eq!(with(&transactions), Ok(()));
        assert!(with(&transactions[1..]).is_err());
        let last = transactions.last().expect("a coinbase").clone();
        let mut twice = transactions.clone();
        twice.push(last.clone());
        let expected = match transactions.len() {
            // Only the first may be a coinbase.
            1 => CommitmentError::UncommittedWitness(1),
            // The last one of an odd number is hashed with itself.
            odd if odd % 2 == 1 => CommitmentError::Repeated,
            _ => CommitmentError::MerkleRoot,
        };
        assert_eq!(with(&twice), Err(expected));
        let mut stripped = transactions.clone();
        for input in &mut stripped[0].input {
            input.witness = elements::TxInWitness::default();
        }
        assert_eq!(with(&stripped), Err(CommitmentError::WitnessNonce));
    }
}

/// A block of one transaction that is invalid but has a form that the nodes of Ocean read.
fn ocean_block(transaction: &[u8]) -> Block {
    let vectors = &Vectors::all()[0];
    let unsigned = vectors.block(&vectors.blocks()[0]["unsigned"]);
    let bytes = [&unsigned.header().encode()[..], &[1], transaction].concat();
    Block::decode(Dialect::Ocean, bytes.into()).expect("a header and a transaction")
}

const VERSION: [u8; 4] = [2, 0, 0, 0];

/// An input that spends a made-up output.
fn input(index: u32) -> Vec<u8> {
    [&[9; 32][..], &index.to_le_bytes(), &[0], &[0xff; 4]].concat()
}

/// An output with null asset and value, and a nonce.
fn output(nonce: &[u8]) -> Vec<u8> {
    [&[1, 0, 0][..], nonce, &[0]].concat()
}

#[test]
fn an_ethereum_peg_in_is_read_but_not_parsed() {
    let pegin = 1 << 30;
    // Value, asset, genesis, key and transaction: five items, where Bitcoin's peg-in has six.
    let mut witness = vec![0, 0, 0, 5];
    for length in [8, 32, 32, 33, 32] {
        witness.push(length);
        witness.extend(vec![3; usize::from(length)]);
    }
    let transaction = [
        &VERSION[..],
        &[1, 1],
        &input(pegin),
        &output(&[0]),
        &[0; 4],
        &witness,
        &[0, 0],
    ]
    .concat();
    let block = ocean_block(&transaction);
    assert_eq!(block.transaction_ids().map(|ids| ids.len()), Ok(1));
    assert!(matches!(
        block.transactions(),
        Err(DecodeError::Transaction { index: 0, .. })
    ));
}

#[test]
fn a_nonce_that_is_not_a_point_is_read_but_not_parsed() {
    let nonce = [&[2][..], &[0xff; 32]].concat();
    let transaction = [&VERSION[..], &[0, 1], &input(0), &output(&nonce), &[0; 4]].concat();
    let block = ocean_block(&transaction);
    assert_eq!(block.transaction_ids().map(|ids| ids.len()), Ok(1));
    assert!(matches!(
        block.transactions(),
        Err(DecodeError::Transaction { index: 0, .. })
    ));
}

#[test]
fn the_prefix_that_only_ocean_knows_is_read_in_ocean_only() {
    let nonce = [&[0xff][..], &[5; 32]].concat();
    let transaction = [&VERSION[..], &[0, 1], &input(0), &output(&nonce), &[0; 4]].concat();
    let block = ocean_block(&transaction);
    assert_eq!(block.transaction_ids().map(|ids| ids.len()), Ok(1));
    assert!(block.transactions().is_err());

    let vectors = &Vectors::all()[1];
    let header = vectors
        .block(&vectors.blocks()[0]["unsigned"])
        .header()
        .encode();
    let bytes = [&header[..], &[1], &transaction].concat();
    let block = Block::decode(Dialect::Elements, bytes.into()).expect("a header");
    assert!(matches!(
        block.transaction_ids(),
        Err(DecodeError::Prefix { prefix: 0xff, .. })
    ));
}

#[test]
fn an_issuance_of_nothing_is_refused() {
    let issuance = 1 << 31;
    let input = [&input(issuance)[..], &[4; 64], &[0, 0]].concat();
    let transaction = [&VERSION[..], &[0, 1], &input, &output(&[0]), &[0; 4]].concat();
    assert!(matches!(
        ocean_block(&transaction).transaction_ids(),
        Err(DecodeError::SuperfluousIssuance(_))
    ));
}

#[test]
fn a_transaction_of_very_many_outputs_is_read_but_not_parsed() {
    let count: u16 = 20_000;
    let outputs = [0; 4].repeat(usize::from(count));
    let transaction = [
        &VERSION[..],
        &[0, 1],
        &input(0),
        &[0xfd],
        &count.to_le_bytes(),
        &outputs,
        &[0; 4],
    ]
    .concat();
    let block = ocean_block(&transaction);
    assert_eq!(block.transaction_ids().map(|ids| ids.len()), Ok(1));
    assert!(matches!(
        block.transactions(),
        Err(DecodeError::Transaction { index: 0, .. })
    ));
}

#[test]
fn the_commitment_script_of_a_block_equals_the_one_in_its_coinbase() {
    for vectors in Vectors::all().iter().chain(&recorded()) {
        for recorded in vectors.blocks() {
            let hex = recorded.get("block").unwrap_or(&recorded["unsigned"]);
            let block = vectors.block(hex);
            let script = block.witness_commitment_script().expect("transactions");
            let coinbase = block.transactions().expect("transactions").swap_remove(0);
            let last = coinbase.output.last().expect("an output");
            assert_eq!(last.script_pubkey.as_bytes(), script);
        }
    }
}
