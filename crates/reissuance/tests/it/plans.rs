//! From a point that is reached to a payment in a block.

use elements::{Script, confidential::Asset, secp256k1_zkp::SECP256K1};
use federation_reissuance::{
    Collection, Fee, LedgerEvent, PlanError, ScriptKind, SignatureError, TokenForm,
};

use crate::common::{
    COIN, PERIOD, TOKENS, TestChain, asset, destination, elsewhere, explicit, key, settings, sign,
    spend, token, transaction,
};

const KINDS: [(TokenForm, ScriptKind); 3] = [
    (TokenForm::Blinded, ScriptKind::P2wsh),
    (TokenForm::Blinded, ScriptKind::P2sh),
    (TokenForm::Explicit, ScriptKind::P2sh),
];

#[test]
fn every_point_is_paid_once_and_the_tokens_stay_with_the_script() {
    for (form, kind) in KINDS {
        let mut chain = TestChain::new(form, kind);
        chain.issue();
        for point in 1..=4 {
            chain.until(point * PERIOD);
            let plan = chain.plan();
            assert_eq!(plan.point.height().to_u32(), point * PERIOD);
            let before = chain.ledger.circulation(0).expect("counted");
            let payment = chain.payment();
            let txid = payment.txid();
            let events = chain.block(vec![payment]);
            assert_eq!(
                events,
                [LedgerEvent::Paid {
                    point: plan.point,
                    scheduled: plan.amount,
                    amount: plan.amount,
                    in_order: true,
                    txid,
                }],
                "{form:?} {kind:?}"
            );
            assert_eq!(chain.ledger.circulation(0), Some(before + plan.amount));
            assert!(matches!(
                chain.ledger.plan(0),
                Err(PlanError::NothingDue { .. })
            ));
        }
    }
}

#[test]
fn the_sums_and_proofs_of_a_payment_verify() {
    let mut chain = TestChain::new(TokenForm::Blinded, ScriptKind::P2wsh);
    let mut held = chain.issuance().output[1].clone();
    chain.issue();
    for point in 1..=3 {
        chain.until(point * PERIOD);
        let payment = chain.payment();
        payment
            .verify_tx_amt_proofs(SECP256K1, std::slice::from_ref(&held))
            .expect("it balances");
        held = payment.output[1].clone();
        assert!(matches!(held.asset, Asset::Confidential(_)));
        chain.block(vec![payment]);
    }
}

#[test]
fn everybody_makes_the_same_transaction() {
    let mut chain = TestChain::new(TokenForm::Blinded, ScriptKind::P2wsh);
    chain.issue();
    chain.until(PERIOD);
    let tokens = chain.ledger.settings()[0].tokens().clone();
    let bytes = || {
        let unsigned = chain.plan().unsigned(&chain.chain, &tokens).expect("one");
        elements::encode::serialize(unsigned.transaction())
    };
    assert_eq!(bytes(), bytes());
}

/// The proofs are not signed, so whoever puts the transaction together can replace them.
#[test]
fn tokens_whose_proof_was_replaced_are_known_all_the_same() {
    let mut chain = TestChain::new(TokenForm::Blinded, ScriptKind::P2wsh);
    chain.issue();
    chain.until(PERIOD);
    let mut payment = chain.payment();
    payment.output[1].witness = elements::TxOutWitness::empty();
    chain.block(vec![payment]);
    chain.until(2 * PERIOD);
    assert_eq!(chain.plan().opening.value(), TOKENS);
}

#[test]
fn a_payment_is_locked_until_its_point_and_says_so() {
    let mut chain = TestChain::new(TokenForm::Blinded, ScriptKind::P2wsh);
    chain.issue();
    chain.until(PERIOD);
    let payment = chain.payment();
    assert_eq!(payment.lock_time.to_consensus_u32(), PERIOD);
    assert!(
        payment
            .input
            .iter()
            .all(|i| i.sequence.enables_absolute_lock_time())
    );
}

#[test]
fn the_fee_comes_from_the_scripts_own_coins_and_the_change_goes_back() {
    let fee_asset = elements::AssetId::LIQUID_BTC;
    let fee = Fee {
        asset: fee_asset,
        amount: 700,
    };
    let mut chain = TestChain::with(
        TokenForm::Blinded,
        settings(ScriptKind::P2wsh).with_fee(Some(fee)),
    );
    chain.issue();
    chain.until(PERIOD);
    assert_eq!(
        chain.ledger.plan(0),
        Err(PlanError::NoFee {
            asset: fee_asset,
            has: 0,
            needs: 700
        })
    );
    let script = chain.ledger.settings()[0].tokens().script_pubkey();
    let coins = transaction(
        vec![spend(elsewhere())],
        vec![
            explicit(fee_asset, 500, script.clone()),
            explicit(fee_asset, 450, script.clone()),
        ],
    );
    chain.block(vec![coins]);
    let payment = chain.payment();
    assert_eq!(payment.input.len(), 3);
    assert_eq!(payment.fee_in(fee_asset), 700);
    assert_eq!(payment.output[2], explicit(fee_asset, 250, script));
    chain.block(vec![payment]);
    chain.until(2 * PERIOD);
    assert!(
        matches!(chain.ledger.plan(0), Err(PlanError::NoFee { has: 250, .. })),
        "the change is there"
    );
}

#[test]
fn tokens_that_are_spent_elsewhere_are_replaced_by_others() {
    let mut chain = TestChain::new(TokenForm::Explicit, ScriptKind::P2sh);
    chain.issue();
    chain.until(PERIOD);
    let first = chain.plan();
    let away = transaction(
        vec![spend(first.tokens)],
        vec![explicit(token(), TOKENS, Script::from(vec![0x54]))],
    );
    let back = away.txid();
    chain.block(vec![away]);
    assert!(matches!(
        chain.ledger.plan(0),
        Err(PlanError::NoTokens { .. })
    ));
    assert!(!chain.ledger.holds(0, first.tokens));
    let script = chain.ledger.settings()[0].tokens().script_pubkey();
    chain.block(vec![transaction(
        vec![spend(elements::OutPoint::new(back, 0))],
        vec![explicit(token(), TOKENS, script)],
    )]);
    let second = chain.plan();
    let fields: Vec<_> = first
        .differences(&second)
        .into_iter()
        .map(|difference| difference.field)
        .collect();
    assert_eq!(fields, ["tokens"]);
}

#[test]
fn elements_takes_no_explicit_tokens() {
    let mut chain = TestChain::new(TokenForm::Blinded, ScriptKind::P2wsh);
    let mut issuance = chain.issuance();
    let script = chain.ledger.settings()[0].tokens().script_pubkey();
    issuance.output[1] = explicit(token(), TOKENS, script);
    chain.block(vec![issuance]);
    chain.until(PERIOD);
    assert!(matches!(
        chain.ledger.plan(0),
        Err(PlanError::NotBlinded { .. })
    ));
}

#[test]
fn what_is_wrong_with_foreign_signatures_is_told() {
    let mut chain = TestChain::new(TokenForm::Blinded, ScriptKind::P2wsh);
    chain.issue();
    chain.until(PERIOD);
    let tokens = chain.ledger.settings()[0].tokens().clone();
    let unsigned = chain.plan().unsigned(&chain.chain, &tokens).expect("one");
    let mut collection = Collection::new(unsigned.clone());
    let good = sign(&unsigned, 0);
    let mut foreign = good.clone();
    foreign.key = key(7).public_key(SECP256K1);
    assert_eq!(
        collection.add(&foreign),
        Err(SignatureError::ForeignKey(foreign.key))
    );
    let mut stolen = good.clone();
    stolen.key = key(1).public_key(SECP256K1);
    assert_eq!(
        collection.add(&stolen),
        Err(SignatureError::Invalid {
            key: stolen.key,
            input: 0
        })
    );
    let mut none = good.clone();
    none.signatures.clear();
    assert!(matches!(
        collection.add(&none),
        Err(SignatureError::Count {
            expected: 1,
            found: 0
        })
    ));
    assert_eq!(collection.add(&good), Ok(true));
    assert_eq!(collection.add(&good), Ok(false), "again");
    assert_eq!(collection.complete(), None, "one of two");
}

#[test]
fn a_plan_names_the_destination_and_the_amount() {
    let mut chain = TestChain::new(TokenForm::Blinded, ScriptKind::P2wsh);
    chain.issue();
    chain.until(PERIOD);
    let plan = chain.plan();
    assert_eq!(plan.destination, destination());
    assert_eq!((plan.asset, plan.circulation), (asset(), 1000 * COIN));
    let mut other = plan.clone();
    other.amount += 1;
    let found = plan.differences(&other);
    assert_eq!(found.len(), 1);
    assert!(found[0].to_string().starts_with("amount is "));
}
