//! What strangers pay to the script, or freeze: never more than a fixed number is kept, what is kept
//! follows from the chain, and none of it stands in a payment's way.

use elements::{AssetId, OutPoint, Script, Transaction};
use federation_reissuance::{
    Fee, Ledger, LedgerEvent, Listed, PlanError, ScriptKind, TokenForm, scheduled_amount,
};

use crate::common::{
    COIN, ISSUED, PERIOD, TOKENS, TestChain, asset, elsewhere, explicit, settings, spend, token,
    transaction,
};

const FEE_ASSET: AssetId = AssetId::LIQUID_BTC;

/// What a ledger says that it keeps.
const COINS: u64 = 256;
const TOKENS_KEPT: u64 = 256;
const UNBLINDED: u64 = 16;
const FROZEN: u64 = 4096;

fn with_fee(form: TokenForm, kind: ScriptKind) -> TestChain {
    let fee = Fee {
        asset: FEE_ASSET,
        amount: 1000,
    };
    let mut chain = TestChain::with(form, settings(kind).with_fee(Some(fee)));
    chain.issue();
    chain
}

fn script(chain: &TestChain) -> Script {
    chain.ledger.settings()[0].tokens().script_pubkey()
}

/// Pays outputs of an asset to a script, each in its turn.
fn pay(asset: AssetId, script: &Script, values: impl Iterator<Item = u64>) -> Transaction {
    let output = |value| explicit(asset, value, script.clone());
    transaction(vec![spend(elsewhere())], values.map(output).collect())
}

fn p2pkh(hash: u8) -> Script {
    let mut bytes = vec![0x76, 0xa9, 20];
    bytes.extend([hash; 20]);
    bytes.extend([0x88, 0xac]);
    Script::from(bytes)
}

#[test]
fn the_largest_coins_are_kept_and_the_rest_is_told_of_now_and_then() {
    let mut chain = with_fee(TokenForm::Blinded, ScriptKind::P2wsh);
    let script = script(&chain);
    let good = pay(FEE_ASSET, &script, [5000].into_iter());
    let good_at = OutPoint::new(good.txid(), 0);
    chain.block(vec![good]);
    let crumbs = pay(FEE_ASSET, &script, (0..COINS + 99).map(|_| 3));
    let first = OutPoint::new(crumbs.txid(), 0);
    let dropped = OutPoint::new(crumbs.txid(), 300);
    let told: Vec<_> = chain
        .block(vec![crumbs])
        .into_iter()
        .filter_map(|event| match event {
            LedgerEvent::PassedOver { what, most, total } => Some((what, most as u64, total)),
            _ => None,
        })
        .collect();
    let what = Listed::Coins;
    assert_eq!(
        told,
        [(what, COINS, 1), (what, COINS, 10), (what, COINS, 100)]
    );
    assert!(chain.ledger.holds(0, good_at) && chain.ledger.holds(0, first));
    assert!(!chain.ledger.holds(0, dropped));
    // A larger one takes the newest crumb's place.
    let better = pay(FEE_ASSET, &script, [4000].into_iter());
    let better_at = OutPoint::new(better.txid(), 0);
    chain.block(vec![better]);
    assert!(chain.ledger.holds(0, better_at) && chain.ledger.holds(0, first));
    chain.until(PERIOD);
    let fee = chain.plan().fee.expect("a fee");
    assert_eq!(fee.coins, [(good_at, 5000)], "the oldest that suffices");
}

#[test]
fn everybody_keeps_the_same_whenever_they_read() {
    let mut chain = with_fee(TokenForm::Blinded, ScriptKind::P2wsh);
    let script = script(&chain);
    for block in 0..4u64 {
        let crumbs = pay(
            FEE_ASSET,
            &script,
            (0..150).map(|n| 1 + (n * 7 + block) % 40),
        );
        chain.block(vec![crumbs]);
        // One who starts again has the same.
        let stored = chain.ledger.to_bytes();
        let settings = chain.ledger.settings().to_vec();
        let back = Ledger::from_bytes(&stored, chain.chain, settings).expect("stored");
        assert!(back == chain.ledger);
        chain.ledger = back;
    }
}

/// Tokens that were signed for must be seen to be spent, so none that is kept is given up.
#[test]
fn tokens_that_are_kept_stay_and_those_that_come_too_late_are_told_of() {
    let mut chain = TestChain::new(TokenForm::Explicit, ScriptKind::P2sh);
    chain.issue();
    let script = script(&chain);
    let held: Vec<_> = chain.ledger.tokens_of(0);
    let crumbs = pay(token(), &script, (0..TOKENS_KEPT + 9).map(|_| 2 * TOKENS));
    let events = chain.block(vec![crumbs]);
    let told: Vec<_> = events
        .iter()
        .filter(|event| {
            matches!(
                event,
                LedgerEvent::PassedOver {
                    what: Listed::Tokens,
                    ..
                }
            )
        })
        .collect();
    assert_eq!(told.len(), 2, "the first and the tenth of ten");
    assert_eq!(chain.ledger.tokens_of(0).len() as u64, TOKENS_KEPT);
    assert_eq!(chain.ledger.tokens_of(0)[0], held[0]);
    // Full as it is, every payment's tokens go back and are found.
    for point in 1..=3 {
        chain.until(point * PERIOD);
        let payment = chain.payment();
        let events = chain.block(vec![payment]);
        assert!(matches!(
            events[..],
            [LedgerEvent::Paid { in_order: true, .. }]
        ));
        assert_eq!(chain.ledger.tokens_of(0).len() as u64, TOKENS_KEPT);
    }
}

/// On Elements tokens can be of no use, and any number of them keeps no useful ones out.
#[test]
fn tokens_that_are_of_no_use_keep_no_others_out() {
    let mut chain = TestChain::new(TokenForm::Blinded, ScriptKind::P2wsh);
    let mut issuance = chain.issuance();
    let held = issuance.output.pop().expect("blinded tokens");
    chain.block(vec![issuance]);
    let script = script(&chain);
    let crumbs = pay(token(), &script, (0..1000).map(|_| 5));
    chain.block(vec![crumbs]);
    assert_eq!(chain.ledger.tokens_of(0).len() as u64, UNBLINDED);
    chain.until(PERIOD);
    assert!(matches!(
        chain.ledger.plan(0),
        Err(PlanError::NotBlinded { .. })
    ));
    let useful = transaction(vec![spend(elsewhere())], vec![held]);
    let at = OutPoint::new(useful.txid(), 0);
    chain.block(vec![useful]);
    assert_eq!(chain.plan().tokens, at);
}

#[test]
fn what_is_frozen_beyond_the_largest_counts_as_in_circulation() {
    let mut chain = TestChain::new(TokenForm::Explicit, ScriptKind::P2sh);
    chain.issue();
    let mut crumbs = pay(asset(), &p2pkh(1), (0..FROZEN + 10).map(|_| 7));
    crumbs.output.push(explicit(asset(), COIN, p2pkh(2)));
    crumbs.output.push(explicit(asset(), 0, p2pkh(0)));
    let events = chain.block(vec![crumbs]);
    let told = |event: &&LedgerEvent| {
        matches!(
            event,
            LedgerEvent::PassedOver {
                what: Listed::Frozen,
                ..
            }
        )
    };
    assert_eq!(events.iter().filter(told).count(), 2);
    chain.until(PERIOD);
    let there = ISSUED - COIN - (FROZEN - 1) * 7;
    let plan = chain.plan();
    assert_eq!(plan.circulation, there);
    let expected = scheduled_amount(chain.ledger.settings()[0].schedule(), there);
    assert_eq!(Ok(plan.amount), expected);
}

/// What comes out of a freeze within the period, or before points begin, is not remembered.
#[test]
fn freezing_and_spending_again_and_again_leaves_nothing() {
    let mut chain = TestChain::new(TokenForm::Explicit, ScriptKind::P2sh);
    chain.issue();
    let empty = chain.ledger.to_bytes().len();
    for round in 0..40u64 {
        let mut frozen = pay(asset(), &p2pkh(1), (0..50).map(|n| 7 + n + round));
        frozen.output.push(explicit(asset(), 0, p2pkh(0)));
        let inputs = (0..50)
            .map(|vout| spend(OutPoint::new(frozen.txid(), vout)))
            .collect();
        let spent = transaction(inputs, vec![explicit(asset(), 7, p2pkh(3))]);
        chain.block(vec![frozen, spent]);
    }
    // Room for what is owed meanwhile.
    let grown = chain.ledger.to_bytes().len() - empty;
    assert!(grown < 50 * 40, "{grown} bytes");
}

#[test]
fn only_what_was_seen_and_is_gone_is_gone() {
    let mut chain = TestChain::new(TokenForm::Explicit, ScriptKind::P2sh);
    chain.issue();
    let tokens = chain.ledger.tokens_of(0)[0].0;
    assert!(!chain.ledger.has_spent(0, elsewhere()), "never seen");
    chain.until(PERIOD);
    assert!(!chain.ledger.has_spent(0, tokens), "held");
    let away = transaction(
        vec![spend(tokens)],
        vec![explicit(token(), TOKENS, Script::from(vec![0x54]))],
    );
    chain.block(vec![away]);
    assert!(chain.ledger.has_spent(0, tokens));
    assert!(!chain.ledger.has_spent(0, elsewhere()));
}

/// A measure: `cargo test -p federation-reissuance --test it crumbs -- --ignored --nocapture`.
#[test]
#[ignore = "a measure"]
fn a_hundred_thousand_crumbs() {
    use std::time::Instant;

    let mut chain = with_fee(TokenForm::Blinded, ScriptKind::P2wsh);
    let script = script(&chain);
    let begun = Instant::now();
    chain.block(vec![]);
    let empty = begun.elapsed();
    let blocks: Vec<Transaction> = (0..20)
        .map(|block| pay(FEE_ASSET, &script, (0..5000).map(|n| 1 + (n + block) % 900)))
        .collect();
    let begun = Instant::now();
    for block in blocks {
        chain.block(vec![block]);
    }
    let read = begun.elapsed();
    let begun = Instant::now();
    let bytes = chain.ledger.to_bytes().len();
    let encoded = begun.elapsed();
    let begun = Instant::now();
    chain.block(vec![]);
    let after = begun.elapsed();
    println!(
        "an empty block {empty:?}; 100,000 crumbs in 20 blocks {read:?}; then the ledger has {bytes} bytes, written in {encoded:?}, and an empty block takes {after:?}"
    );
    assert!(bytes < 64 * 1024);
}
