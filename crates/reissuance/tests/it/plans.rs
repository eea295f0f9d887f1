//! From a due point to a payment in a block.

use elements::{AssetId, Script, confidential::Asset, secp256k1_zkp::SECP256K1};
use federation_reissuance::{
    Collection, Fee, LedgerEvent, PlanError, ScriptKind, SignatureError, TokenForm,
};

use crate::common::{
    COIN, PERIOD, TOKENS, TestChain, asset, destination, elsewhere, explicit, key, settings, sign,
    spend, token, transaction,
};

const FEE_ASSET: AssetId = AssetId::LIQUID_BTC;

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
            .expect("balanced");
        held = payment.output[1].clone();
        assert!(matches!(held.asset, Asset::Confidential(_)));
        chain.block(vec![payment]);
    }
}

#[test]
fn all_operators_build_the_same_transaction() {
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

/// The proofs are not signed, so whoever assembles the transaction can replace them.
#[test]
fn tokens_with_a_replaced_proof_are_still_recognised() {
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
fn a_payment_is_locked_until_its_point() {
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

/// A chain with a reissuance fee of 7000 satoshi, at its first point.
fn with_fee() -> TestChain {
    let fee = Fee {
        asset: FEE_ASSET,
        amount: 7000,
    };
    let settings = settings(ScriptKind::P2wsh).with_fee(Some(fee));
    let mut chain = TestChain::with(TokenForm::Blinded, settings);
    chain.issue();
    chain.until(PERIOD);
    chain
}

/// Adds a block that sends coins for fees to the script.
fn pay_coins(chain: &mut TestChain, values: &[u64]) {
    let script = chain.ledger.settings()[0].tokens().script_pubkey();
    let mut from = elsewhere();
    from.vout = chain.ledger.next_height().to_u32();
    let coins = values
        .iter()
        .map(|value| explicit(FEE_ASSET, *value, script.clone()))
        .collect();
    chain.block(vec![transaction(vec![spend(from)], coins)]);
}

/// The values of the coins that the plan spends.
fn spent_coins(chain: &TestChain) -> Vec<u64> {
    let fee = chain.plan().fee.expect("a fee");
    fee.coins.into_iter().map(|(_, value)| value).collect()
}

#[test]
fn the_fee_comes_from_the_scripts_coins_and_the_change_is_returned() {
    let mut chain = with_fee();
    assert_eq!(
        chain.ledger.plan(0),
        Err(PlanError::NoFee {
            asset: FEE_ASSET,
            has: 0,
            needs: 7000
        })
    );
    pay_coins(&mut chain, &[4500, 5000]);
    let payment = chain.payment();
    assert_eq!(spent_coins(&chain), [5000, 4500]);
    assert_eq!(payment.input.len(), 3);
    assert_eq!(payment.fee_in(FEE_ASSET), 7000);
    let script = chain.ledger.settings()[0].tokens().script_pubkey();
    assert_eq!(payment.output[2], explicit(FEE_ASSET, 2500, script));
    chain.block(vec![payment]);
    chain.until(2 * PERIOD);
    assert!(
        matches!(
            chain.ledger.plan(0),
            Err(PlanError::NoFee { has: 2500, .. })
        ),
        "the change is tracked"
    );
}

#[test]
fn the_oldest_coin_that_covers_the_fee_is_spent_alone() {
    let mut chain = with_fee();
    pay_coins(&mut chain, &[6999, 8000, 7000]);
    assert_eq!(spent_coins(&chain), [8000]);
}

/// Anyone can send tiny coins to the script, before and after the coins meant for fees.
#[test]
fn crumbs_do_not_obstruct_larger_coins() {
    let mut chain = with_fee();
    pay_coins(&mut chain, &[15; 40]);
    pay_coins(&mut chain, &[100_000]);
    pay_coins(&mut chain, &[15; 40]);
    for point in 2..6 {
        assert_eq!(spent_coins(&chain).len(), 1);
        let payment = chain.payment();
        chain.block(vec![payment]);
        chain.until(point * PERIOD);
    }
    let mut chain = with_fee();
    pay_coins(&mut chain, &[15; 40]);
    pay_coins(&mut chain, &[4000, 4000]);
    assert_eq!(spent_coins(&chain), [4000, 4000]);
}

/// Nodes do not relay transactions with such small outputs.
#[test]
fn dust_change_is_added_to_the_fee() {
    for (coin, outputs, fee) in [
        (7000, 3, 7000),
        (7001, 3, 7001),
        (7999, 3, 7999),
        (8000, 4, 7000),
    ] {
        let mut chain = with_fee();
        pay_coins(&mut chain, &[coin]);
        let payment = chain.payment();
        assert_eq!(payment.output.len(), outputs, "{coin}");
        assert_eq!(payment.fee_in(FEE_ASSET), fee, "{coin}");
    }
}

/// They cannot be spent for a hundred blocks, and a payment must not wait that long.
#[test]
fn outputs_of_a_coinbase_are_not_coins_for_fees() {
    let mut chain = with_fee();
    let script = chain.ledger.settings()[0].tokens().script_pubkey();
    let coinbase = transaction(
        vec![spend(elements::OutPoint::null())],
        vec![explicit(FEE_ASSET, 100_000, script)],
    );
    chain.raw_block(&[elements::encode::serialize(&coinbase)]);
    assert!(matches!(
        chain.ledger.plan(0),
        Err(PlanError::NoFee { has: 0, .. })
    ));
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
fn elements_does_not_accept_explicit_tokens() {
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
fn invalid_signatures_are_refused_with_their_fault() {
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
    assert_eq!(collection.add(&good), Ok(false), "added before");
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

#[test]
fn differences_are_described_in_words_and_hex() {
    let mut chain = with_fee();
    pay_coins(&mut chain, &[7000]);
    let plan = chain.plan();
    let mut other = plan.clone();
    other.entropy = [0xab; 32];
    other.opening = federation_reissuance::Opening::explicit(5);
    other.fee = None;
    let found = plan.differences(&other);
    let theirs: Vec<_> = found
        .iter()
        .map(|difference| (difference.field, difference.theirs.as_str()))
        .collect();
    let (zeros, entropy) = ("0".repeat(64), "ab".repeat(32));
    let opening = format!("5 satoshi, factors {zeros} and {zeros}");
    assert_eq!(
        theirs,
        [
            ("opening", opening.as_str()),
            ("entropy", &entropy),
            ("fee", "none")
        ]
    );
    let fee = plan.fee.expect("a fee");
    let (coin, _) = fee.coins[0];
    assert_eq!(
        found[2].ours,
        format!("7000 satoshi of {FEE_ASSET} from {coin} (7000 satoshi)")
    );
}
