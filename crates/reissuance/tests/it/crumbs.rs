//! Outputs that third parties send to the script, or freeze: only a limited number is tracked, the
//! choice follows from the chain, and none of them obstructs a payment.

use elements::{AssetId, OutPoint, Script, Transaction};
use federation_reissuance::{
    Fee, Ledger, LedgerEvent, OutputKind, PlanError, ScriptKind, TokenForm, scheduled_amount,
};

use crate::common::{
    COIN, ISSUED, PERIOD, TOKENS, TestChain, asset, elsewhere, explicit, settings, spend, token,
    transaction,
};

const FEE_ASSET: AssetId = AssetId::LIQUID_BTC;

/// The ledger's limits.
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

/// Pays outputs of an asset to a script, in order.
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
fn the_largest_coins_are_tracked_and_the_rest_is_reported_occasionally() {
    let mut chain = with_fee(TokenForm::Blinded, ScriptKind::P2wsh);
    let script = script(&chain);
    let good = pay(FEE_ASSET, &script, [5000].into_iter());
    let good_at = OutPoint::new(good.txid(), 0);
    chain.block(vec![good]);
    let crumbs = pay(FEE_ASSET, &script, (0..COINS + 99).map(|_| 3));
    let first = OutPoint::new(crumbs.txid(), 0);
    let dropped = OutPoint::new(crumbs.txid(), 300);
    let reported: Vec<_> = chain
        .block(vec![crumbs])
        .into_iter()
        .filter_map(|event| match event {
            LedgerEvent::Untracked { kind, limit, total } => Some((kind, limit as u64, total)),
            _ => None,
        })
        .collect();
    let kind = OutputKind::Coins;
    assert_eq!(
        reported,
        [(kind, COINS, 1), (kind, COINS, 10), (kind, COINS, 100)]
    );
    assert!(chain.ledger.holds(0, good_at) && chain.ledger.holds(0, first));
    assert!(!chain.ledger.holds(0, dropped));
    // A larger one replaces the newest crumb.
    let better = pay(FEE_ASSET, &script, [4000].into_iter());
    let better_at = OutPoint::new(better.txid(), 0);
    chain.block(vec![better]);
    assert!(chain.ledger.holds(0, better_at) && chain.ledger.holds(0, first));
    chain.until(PERIOD);
    let fee = chain.plan().fee.expect("a fee");
    assert_eq!(
        fee.coins,
        [(good_at, 5000)],
        "the oldest that covers the fee"
    );
}

#[test]
fn all_readers_track_the_same_outputs_even_after_a_restart() {
    let mut chain = with_fee(TokenForm::Blinded, ScriptKind::P2wsh);
    let script = script(&chain);
    for block in 0..4u64 {
        let crumbs = pay(
            FEE_ASSET,
            &script,
            (0..150).map(|n| 1 + (n * 7 + block) % 40),
        );
        chain.block(vec![crumbs]);
        // A reader that restarts has the same ledger.
        let stored = chain.ledger.to_bytes();
        let settings = chain.ledger.settings().to_vec();
        let back = Ledger::from_bytes(&stored, chain.chain, settings).expect("stored");
        assert!(back == chain.ledger);
        chain.ledger = back;
    }
}

/// Operators must see when tokens that they signed for are spent, so tracked tokens are never
/// displaced.
#[test]
fn tracked_tokens_stay_and_later_ones_are_reported() {
    let mut chain = TestChain::new(TokenForm::Explicit, ScriptKind::P2sh);
    chain.issue();
    let script = script(&chain);
    let held: Vec<_> = chain.ledger.tokens_of(0);
    let crumbs = pay(token(), &script, (0..TOKENS_KEPT + 9).map(|_| 2 * TOKENS));
    let events = chain.block(vec![crumbs]);
    let reported: Vec<_> = events
        .iter()
        .filter(|event| {
            matches!(
                event,
                LedgerEvent::Untracked {
                    kind: OutputKind::Tokens,
                    ..
                }
            )
        })
        .collect();
    assert_eq!(reported.len(), 2, "the first and the tenth");
    assert_eq!(chain.ledger.tokens_of(0).len() as u64, TOKENS_KEPT);
    assert_eq!(chain.ledger.tokens_of(0)[0], held[0]);
    // Even with a full list, every payment's returned tokens are found.
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

/// On Elements some tokens cannot be used, and any number of them must not keep usable ones out.
#[test]
fn unusable_tokens_do_not_keep_usable_ones_out() {
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
fn frozen_outputs_beyond_the_limit_count_as_in_circulation() {
    let mut chain = TestChain::new(TokenForm::Explicit, ScriptKind::P2sh);
    chain.issue();
    let mut crumbs = pay(asset(), &p2pkh(1), (0..FROZEN + 10).map(|_| 7));
    crumbs.output.push(explicit(asset(), COIN, p2pkh(2)));
    crumbs.output.push(explicit(asset(), 0, p2pkh(0)));
    let events = chain.block(vec![crumbs]);
    let reported = |event: &&LedgerEvent| {
        matches!(
            event,
            LedgerEvent::Untracked {
                kind: OutputKind::Frozen,
                ..
            }
        )
    };
    assert_eq!(events.iter().filter(reported).count(), 2);
    chain.until(PERIOD);
    let circulation = ISSUED - COIN - (FROZEN - 1) * 7;
    let plan = chain.plan();
    assert_eq!(plan.circulation, circulation);
    let expected = scheduled_amount(chain.ledger.settings()[0].schedule(), circulation);
    assert_eq!(Ok(plan.amount), expected);
}

/// Amounts unfrozen within the same period, or before points begin, are not remembered.
#[test]
fn repeated_freezing_and_spending_leaves_nothing_behind() {
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
    // Room for what becomes due meanwhile.
    let grown = chain.ledger.to_bytes().len() - empty;
    assert!(grown < 50 * 40, "{grown} bytes");
}

#[test]
fn only_tracked_outputs_count_as_spent() {
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

/// A measurement: `cargo test -p federation-reissuance --test it crumbs -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
#[expect(clippy::disallowed_methods, reason = "it measures")]
fn a_hundred_thousand_crumbs() {
    use std::time::Instant;

    let mut chain = with_fee(TokenForm::Blinded, ScriptKind::P2wsh);
    let script = script(&chain);
    let started = Instant::now();
    chain.block(vec![]);
    let empty = started.elapsed();
    let blocks: Vec<Transaction> = (0..20)
        .map(|block| pay(FEE_ASSET, &script, (0..5000).map(|n| 1 + (n + block) % 900)))
        .collect();
    let started = Instant::now();
    for block in blocks {
        chain.block(vec![block]);
    }
    let read = started.elapsed();
    let started = Instant::now();
    let bytes = chain.ledger.to_bytes().len();
    let encoded = started.elapsed();
    let started = Instant::now();
    chain.block(vec![]);
    let after = started.elapsed();
    println!(
        "an empty block {empty:?}; 100,000 crumbs in 20 blocks {read:?}; then the ledger has {bytes} bytes, written in {encoded:?}, and an empty block takes {after:?}"
    );
    assert!(bytes < 64 * 1024);
}
