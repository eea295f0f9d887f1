//! Views of transactions agree with the `elements` crate, and also read what it cannot.

use std::sync::LazyLock;

use elements::{AssetId, OutPoint, Transaction, confidential};
use federation_chain::{AssetView, Block, CommitmentError, Dialect, TransactionView, ValueView};
use hex_conservative::DisplayHex;
use proptest::prelude::*;

use crate::support::{Vectors, bytes, text};

const KINDS: [(Dialect, &str); 5] = [
    (Dialect::Ocean, "ocean"),
    (Dialect::Elements, "elements-legacy"),
    (Dialect::Dynafed, "elements-dynafed"),
    (Dialect::Elements, "elements-legacy-transactions"),
    (Dialect::Dynafed, "elements-dynafed-transactions"),
];

fn value(view: ValueView<'_>) -> confidential::Value {
    match view {
        ValueView::Null => confidential::Value::Null,
        ValueView::Explicit(value) => confidential::Value::Explicit(value),
        ValueView::Confidential(commitment) => {
            confidential::Value::from_commitment(commitment).expect("a commitment")
        }
    }
}

fn asset(view: AssetView<'_>) -> confidential::Asset {
    match view {
        AssetView::Null => confidential::Asset::Null,
        AssetView::Explicit(asset) => confidential::Asset::Explicit(asset),
        AssetView::Confidential(commitment) => {
            confidential::Asset::from_commitment(commitment).expect("a commitment")
        }
    }
}

/// Asserts that a view agrees with the crate on every field.
fn compare(view: &TransactionView<'_>, parsed: &Transaction) {
    assert_eq!(view.txid(), parsed.txid());
    assert_eq!(view.lock_time(), parsed.lock_time.to_consensus_u32());
    assert_eq!(view.is_coinbase(), parsed.is_coinbase());
    assert_eq!(view.has_witness(), parsed.has_witness());
    assert_eq!(view.inputs().len(), parsed.input.len());
    assert_eq!(view.outputs().len(), parsed.output.len());
    assert_eq!(view.inputs().count(), parsed.input.len());
    assert_eq!(view.outputs().count(), parsed.output.len());
    for (view, input) in view.inputs().zip(&parsed.input) {
        assert_eq!(view.outpoint, input.previous_output);
        assert_eq!(view.is_pegin, input.is_pegin());
        assert_eq!(view.script_sig, input.script_sig.as_bytes());
        assert_eq!(view.sequence, input.sequence.to_consensus_u32());
        assert_eq!(view.issuance.is_some(), input.has_issuance());
        if let Some(issuance) = view.issuance {
            let theirs = &input.asset_issuance;
            assert_eq!(issuance.nonce, theirs.asset_blinding_nonce.to_byte_array());
            assert_eq!(issuance.entropy, theirs.asset_entropy.to_byte_array());
            assert_eq!(value(issuance.amount), theirs.amount);
            assert_eq!(value(issuance.tokens), theirs.inflation_keys);
        }
        let (id, token) = input.issuance_ids();
        if let Some(entropy) = view.issuance_entropy() {
            assert_eq!(AssetId::from_entropy(entropy), id);
            let blinded = input.asset_issuance.amount.is_confidential();
            let from_entropy = AssetId::reissuance_token_from_entropy(entropy, blinded);
            assert_eq!(from_entropy, token);
        }
        let script: Vec<Vec<u8>> = view.witness.script.iter().map(<[u8]>::to_vec).collect();
        assert_eq!(script.len(), view.witness.script.len());
        let theirs: Vec<Vec<u8>> = input
            .witness
            .script_witness
            .iter()
            .map(<[u8]>::to_vec)
            .collect();
        assert_eq!(script, theirs);
        assert_eq!(
            view.pegin().and_then(|claim| claim.amount()),
            input.pegin_data().map(|data| (data.asset_id, data.value))
        );
    }
    for (view, output) in view.outputs().zip(&parsed.output) {
        assert_eq!(asset(view.asset), output.asset);
        assert_eq!(value(view.value), output.value);
        assert_eq!(view.script_pubkey, output.script_pubkey.as_bytes());
        assert_eq!(view.is_fee(), output.is_fee());
        let proof = elements::RangeProof::from_slice(view.witness.range_proof);
        assert_eq!(proof.ok().as_ref(), Some(&output.witness.rangeproof));
    }
}

static RECORDED: LazyLock<Vec<(Dialect, Block)>> = LazyLock::new(recorded);

fn recorded() -> Vec<(Dialect, Block)> {
    let mut all = Vec::new();
    for (dialect, name) in KINDS {
        let vectors = Vectors::read(dialect, name);
        for recorded in vectors.blocks() {
            let hex = recorded.get("block").unwrap_or(&recorded["unsigned"]);
            all.push((dialect, vectors.block(hex)));
        }
    }
    let pegs = Vectors::read(Dialect::Dynafed, "pegs");
    all.push((
        Dialect::Dynafed,
        pegs.block(&pegs.json["elements"]["claim_block"]),
    ));
    all
}

#[test]
fn a_view_agrees_with_the_parser() {
    let (mut issuances, mut claims) = (0, 0);
    for (dialect, block) in RECORDED.iter() {
        let mut parsed = block
            .transactions()
            .expect("the crate reads them")
            .into_iter();
        block
            .each_transaction(|view| {
                let parsed = parsed.next().expect("as many");
                compare(&view, &parsed);
                let again = TransactionView::decode(*dialect, view.as_bytes()).expect("it is one");
                compare(&again, &parsed);
                issuances += view
                    .inputs()
                    .filter(|input| input.issuance.is_some())
                    .count();
                claims += view.inputs().filter(|input| input.is_pegin).count();
            })
            .expect("transactions");
        assert!(parsed.next().is_none());
        assert_eq!(
            block.coinbase().map(|view| view.txid()).ok(),
            block.transactions().ok().map(|all| all[0].txid())
        );
    }
    assert!(issuances > 3 && claims > 0, "{issuances} {claims}");
}

/// The nodes of Elements do not relay such a transaction, but accept it in a block.
#[test]
fn a_peg_in_witness_on_an_ordinary_input_is_read_and_claims_nothing() {
    let pegs = Vectors::read(Dialect::Dynafed, "pegs");
    let stray = &pegs.json["elements"]["stray_pegin_witness"];
    let block = pegs.block(&stray["block"]);
    assert_eq!(block.check_commitments(), Ok(()));
    assert!(block.transactions().is_err(), "the crate reads it now");
    let raw = bytes(&stray["transaction"]);
    let mut found = 0;
    block
        .each_transaction(|view| {
            for input in view.inputs() {
                assert_eq!(input.pegin(), None);
                assert!(!input.is_pegin);
                if !input.witness.pegin.is_empty() {
                    found += 1;
                    assert_eq!(view.as_bytes(), &raw[..]);
                    assert_eq!(input.outpoint.vout, 0);
                }
            }
        })
        .expect("readable");
    assert_eq!(found, 1);
}

#[test]
fn a_claim_on_ocean_has_its_asset_and_amount() {
    let pegs = Vectors::read(Dialect::Ocean, "pegs");
    let ocean = &pegs.json["ocean"];
    let block = pegs.block(&ocean["claim"]["block"]);
    assert_eq!(block.check_commitments(), Ok(()));
    assert!(block.transactions().is_err(), "the crate reads it now");
    let pegged: AssetId = text(&ocean["pegged_asset"]).parse().expect("an asset");
    let mut claims = Vec::new();
    block
        .each_transaction(|view| {
            claims.extend(view.inputs().filter_map(|input| input.pegin()?.amount()));
        })
        .expect("readable");
    assert_eq!(claims, [(pegged, 300_000_000)]);

    let block = pegs.block(&ocean["pegout_block"]);
    assert_eq!(block.check_commitments(), Ok(()));
    let pegged_out = |view: &TransactionView<'_>| {
        view.outputs()
            .filter(|output| output.script_pubkey.starts_with(&[0x6a, 0x20]))
            .filter_map(|output| output.value.explicit())
            .sum::<u64>()
    };
    let mut sum = 0;
    block
        .each_transaction(|view| sum += pegged_out(&view))
        .expect("readable");
    assert!(sum > 0);
}

/// A third party can put data into the coinbase's own witness; it stays uncommitted and must not
/// stop a reader.
#[test]
fn uncommitted_data_in_a_coinbase_is_accepted_in_a_stored_block() {
    for vectors in Vectors::all() {
        let block = vectors.block(&vectors.blocks()[0]["unsigned"]);
        assert_eq!(block.check_stored_commitments(), Ok(()));
        let whole = block.as_bytes();
        let witness = whole.len() - (2 + 2 + 32 + 1 + 4);
        // A peg-in witness of one item, after the nonce.
        let at = witness + 4 + 32;
        let longer = [&whole[..at], &[1, 1, 7], &whole[at + 1..]].concat();
        let changed = Block::decode(vectors.dialect, longer.into()).expect("a block");
        assert_eq!(
            changed.check_commitments(),
            Err(CommitmentError::UncommittedWitness(0))
        );
        assert_eq!(changed.check_stored_commitments(), Ok(()));
        // The nonce itself is committed to.
        let mut other = whole.to_vec();
        other[witness + 5] ^= 1;
        let changed = Block::decode(vectors.dialect, other.into()).expect("a block");
        assert_eq!(
            changed.check_stored_commitments(),
            Err(CommitmentError::WitnessCommitment)
        );
    }
}

#[test]
fn the_null_outpoint_has_no_flags() {
    let vectors = &Vectors::all()[1];
    let block = vectors.block(&vectors.blocks()[0]["unsigned"]);
    let coinbase = block.coinbase().expect("a coinbase");
    let input = coinbase.inputs().next().expect("an input");
    assert!(coinbase.is_coinbase());
    assert_eq!(input.outpoint, OutPoint::null());
    assert!(!input.is_pegin && input.issuance.is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Changed bytes that the crate still reads, a view reads identically; and what a view reads,
    /// it reads to the end.
    #[test]
    fn changed_bytes_are_read_identically_or_refused(
        which in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(),
        byte in any::<u8>(), cut in any::<prop::sample::Index>(), cuts in any::<bool>(),
    ) {
        let (dialect, block) = which.get(&RECORDED);
        let mut transactions = Vec::new();
        block.each_transaction(|view| transactions.push(view.as_bytes().to_vec())).expect("read");
        let mut raw = which.get(&transactions).clone();
        let at = at.index(raw.len());
        raw[at] = byte;
        if cuts {
            raw.truncate(cut.index(raw.len()));
        }
        let parsed = elements::encode::deserialize::<Transaction>(&raw);
        let view = TransactionView::decode(*dialect, &raw);
        if let Ok(view) = &view {
            prop_assert_eq!(view.inputs().count(), view.inputs().len());
            prop_assert_eq!(view.outputs().count(), view.outputs().len());
        }
        if let Ok(parsed) = parsed {
            match view {
                Ok(view) => {
                    prop_assert_eq!(view.txid(), parsed.txid(), "{}", raw.to_lower_hex_string());
                }
                // The crate reads issuances of nothing and forms that it would not write.
                Err(_) => prop_assert_ne!(elements::encode::serialize(&parsed), raw),
            }
        }
    }
}
