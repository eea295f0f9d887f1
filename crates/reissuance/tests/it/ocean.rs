//! Frozen amounts on Ocean, and their growth once they become spendable.

use elements::{OutPoint, Script, Transaction};
use federation_reissuance::{ScriptKind, TokenForm, scheduled_amount};

use crate::common::{ISSUED, PERIOD, TestChain, asset, elsewhere, explicit, spend, transaction};

/// A pay-to-public-key-hash script.
fn p2pkh(hash: u8) -> Script {
    let mut bytes = vec![0x76, 0xa9, 20];
    bytes.extend([hash; 20]);
    bytes.extend([0x88, 0xac]);
    Script::from(bytes)
}

/// Freezes part of the supply: one output pays to the all-zero key hash.
fn freeze(value: u64) -> Transaction {
    transaction(
        vec![spend(elsewhere())],
        vec![
            explicit(asset(), value, p2pkh(1)),
            explicit(asset(), 0, p2pkh(0)),
        ],
    )
}

fn ocean() -> TestChain {
    let mut chain = TestChain::new(TokenForm::Explicit, ScriptKind::P2sh);
    chain.issue();
    chain
}

#[test]
fn a_frozen_amount_does_not_grow() {
    let mut chain = ocean();
    chain.block(vec![freeze(ISSUED / 4)]);
    chain.until(PERIOD);
    let plan = chain.plan();
    assert_eq!(plan.circulation, ISSUED / 4 * 3);
    let expected = scheduled_amount(chain.ledger.settings()[0].schedule(), ISSUED / 4 * 3);
    assert_eq!(Ok(plan.amount), expected);
}

#[test]
fn an_unfrozen_amount_grows_for_the_time_it_was_frozen() {
    let mut chain = ocean();
    chain.until(PERIOD - 1);
    let frozen = freeze(ISSUED / 4);
    let outpoint = OutPoint::new(frozen.txid(), 0);
    chain.block(vec![frozen]);
    chain.until(3 * PERIOD - 1);
    let unfreeze = transaction(
        vec![spend(outpoint)],
        vec![explicit(asset(), ISSUED / 4, p2pkh(2))],
    );
    let amounts: Vec<u64> = {
        chain.block(vec![unfreeze]);
        let mut amounts = Vec::new();
        while let Ok(plan) = chain.ledger.plan(0) {
            amounts.push(plan.amount);
            let payment = chain.payment();
            chain.block(vec![payment]);
        }
        amounts
    };
    let schedule = *chain.ledger.settings()[0].schedule();
    let grown = |amount| scheduled_amount(&schedule, amount).expect("small");
    let free = ISSUED / 4 * 3;
    // Frozen at the first two points, for two whole periods at the third.
    let first = grown(free);
    let second = grown(free + first);
    assert_eq!(amounts[..2], [first, second]);
    let third = amounts[2] - grown(ISSUED + first + second);
    let two_periods = grown(ISSUED / 4) + grown(ISSUED / 4 + grown(ISSUED / 4));
    assert!(
        third.abs_diff(two_periods) <= 1,
        "{third} and {two_periods}"
    );
}

#[test]
fn an_amount_burnt_while_frozen_never_grows() {
    let mut chain = ocean();
    let frozen = freeze(ISSUED / 4);
    let outpoint = OutPoint::new(frozen.txid(), 0);
    chain.block(vec![frozen]);
    let burn = transaction(
        vec![spend(outpoint)],
        vec![explicit(asset(), ISSUED / 4, Script::from(vec![0x6a]))],
    );
    chain.block(vec![burn]);
    chain.until(PERIOD);
    let plan = chain.plan();
    assert_eq!(plan.circulation, ISSUED / 4 * 3);
    let expected = scheduled_amount(chain.ledger.settings()[0].schedule(), ISSUED / 4 * 3);
    assert_eq!(Ok(plan.amount), expected);
}
