//! The ledger reads transactions that nodes accept and the `elements` crate does not.

use elements::{AssetId, Script};
use federation_chain::{Block, Dialect, TransactionView};
use federation_reissuance::{AssetSettings, LedgerEvent, ScriptKind, TokenForm, Uncountable};

use crate::common::{ISSUED, PERIOD, TestChain, asset, destination, settings, tokens};

/// Transactions of blocks recorded from nodes with a parent chain.
fn recorded(dialect: Dialect, path: [&str; 2]) -> Vec<Vec<u8>> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/pegs.json");
    let text = std::fs::read_to_string(file).expect("the vectors are in the repository");
    let json: serde_json::Value = serde_json::from_str(&text).expect("json");
    let hex = path.iter().fold(&json, |json, key| &json[key]);
    let hex = hex["block"].as_str().or(hex.as_str()).expect("a block");
    let bytes: Vec<u8> = hex_conservative::FromHex::from_hex(hex).expect("hex");
    let block = Block::decode(dialect, bytes.into()).expect("a block");
    let mut all = Vec::new();
    block
        .each_transaction(|view| all.push(view.as_bytes().to_vec()))
        .expect("read");
    all
}

fn is_known_to_the_crate(transactions: &[Vec<u8>]) -> bool {
    let parse = |bytes: &Vec<u8>| elements::encode::deserialize::<elements::Transaction>(bytes);
    transactions.iter().all(|bytes| parse(bytes).is_ok())
}

/// Settings for another asset, with the same schedule.
fn of(asset: AssetId, kind: ScriptKind) -> AssetSettings {
    let schedule = *settings(kind).schedule();
    AssetSettings::new(asset, schedule, destination(), tokens(kind)).expect("settings")
}

#[test]
fn a_peg_in_witness_on_an_ordinary_input_is_read_and_adds_nothing() {
    let transactions = recorded(Dialect::Dynafed, ["elements", "stray_pegin_witness"]);
    assert!(!is_known_to_the_crate(&transactions));
    let mut chain = TestChain::new(TokenForm::Blinded, ScriptKind::P2wsh);
    chain.issue();
    assert_eq!(chain.raw_block(&transactions), []);
    assert_eq!(chain.ledger.circulation(0), Some(ISSUED));
    chain.until(PERIOD);
    let payment = chain.payment();
    let events = chain.block(vec![payment]);
    assert!(matches!(
        events[..],
        [LedgerEvent::Paid { in_order: true, .. }]
    ));
}

#[test]
fn a_claim_adds_its_amount_on_both_families() {
    let ocean = recorded(Dialect::Ocean, ["ocean", "claim"]);
    assert!(!is_known_to_the_crate(&ocean));
    let elements = recorded(Dialect::Dynafed, ["elements", "claim_block"]);
    let cases = [
        (Dialect::Ocean, TokenForm::Explicit, ScriptKind::P2sh, ocean),
        (
            Dialect::Dynafed,
            TokenForm::Blinded,
            ScriptKind::P2wsh,
            elements,
        ),
    ];
    for (dialect, form, kind, transactions) in cases {
        let claims: Vec<(AssetId, u64)> = transactions
            .iter()
            .map(|bytes| TransactionView::decode(dialect, bytes).expect("a transaction"))
            .flat_map(|view| {
                view.inputs()
                    .filter_map(|input| input.pegin())
                    .collect::<Vec<_>>()
            })
            .map(|claim| claim.amount().expect("an amount"))
            .collect();
        let [(pegged, value)] = claims[..] else {
            panic!("one claim: {claims:?}");
        };
        assert!(value > 0);
        let mut chain = TestChain::with(form, of(pegged, kind));
        assert_eq!(chain.raw_block(&transactions), [], "{dialect}");
        // The coinbase returns what is paid as a fee.
        assert_eq!(chain.ledger.circulation(0), Some(value), "{dialect}");

        let mut other = TestChain::new(form, kind);
        other.issue();
        assert_eq!(other.raw_block(&transactions), []);
        assert_eq!(other.ledger.circulation(0), Some(ISSUED));
    }
}

/// No node accepts it; if one did, the circulation could no longer be determined.
#[test]
fn a_claim_without_an_amount_makes_the_circulation_unknown() {
    let mut transaction = vec![2, 0, 0, 0, 1, 1];
    transaction.extend([9; 32]);
    transaction.extend((1u32 << 30).to_le_bytes());
    transaction.extend([0, 0xff, 0xff, 0xff, 0xff]);
    transaction.extend([1, 1]);
    transaction.extend(asset().to_byte_array());
    transaction.extend([1, 0, 0, 0, 0, 0, 0, 0, 5, 0, 1, 0x51]);
    transaction.extend([0; 4]);
    // The witness: a peg-in stack of one item.
    transaction.extend([0, 0, 0, 1, 1, 7, 0, 0]);
    let mut chain = TestChain::new(TokenForm::Explicit, ScriptKind::P2sh);
    chain.issue();
    let view = TransactionView::decode(Dialect::Ocean, &transaction).expect("readable");
    let txid = view.txid();
    let events = chain.raw_block(&[transaction]);
    assert_eq!(events, [LedgerEvent::Uncountable(Uncountable::PegIn(txid))]);
}

/// Proofs and nonces that are not points, and prefixes that only Ocean knows, on outputs to the
/// script.
#[test]
fn malformed_outputs_to_the_script_are_not_tokens() {
    for (dialect, form, kind) in [
        (Dialect::Ocean, TokenForm::Explicit, ScriptKind::P2sh),
        (Dialect::Dynafed, TokenForm::Blinded, ScriptKind::P2wsh),
    ] {
        let script: Script = tokens(kind).script_pubkey();
        let mut transaction = vec![2, 0, 0, 0, 1, 1];
        transaction.extend([9; 32]);
        transaction.extend([0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
        transaction.push(1);
        for (prefix, length) in [(0x0a, 32), (0x08, 32), (0x02, 32)] {
            transaction.push(prefix);
            transaction.extend(vec![0xff; length]);
        }
        transaction.push(u8::try_from(script.len()).expect("short"));
        transaction.extend(script.as_bytes());
        transaction.extend([0; 4]);
        transaction.extend([0, 0, 0, 0]);
        transaction.extend([2, 7, 7, 3, 8, 8, 8]);
        assert!(!is_known_to_the_crate(std::slice::from_ref(&transaction)));
        let mut chain = TestChain::new(form, kind);
        chain.issue();
        let held = chain.ledger.tokens_of(0);
        assert_eq!(chain.raw_block(&[transaction]), [], "{dialect}");
        assert_eq!(chain.ledger.tokens_of(0), held, "{dialect}");
    }
}
