//! The ledger's accounting, and the blocks it refuses.

use elements::{OutPoint, Script, confidential::Value};
use federation_chain::BlockHeight;
use federation_reissuance::{
    AmountError, DecodeLedgerError, Ledger, LedgerError, LedgerEvent, PlanError, ScriptKind,
    TokenForm, Uncountable, scheduled_amount,
};
use proptest::prelude::*;

use crate::common::{
    ISSUED, PERIOD, TestChain, asset, elsewhere, explicit, hash, settings, spend, token,
    transaction,
};

fn blinded() -> TestChain {
    TestChain::new(TokenForm::Blinded, ScriptKind::P2wsh)
}

#[test]
fn an_asset_is_found_at_its_issuance() {
    let mut chain = blinded();
    assert!(matches!(chain.ledger.plan(0), Err(PlanError::NotIssued(_))));
    let events = chain.issue();
    let issued = LedgerEvent::Issued {
        amount: ISSUED,
        token: token(),
    };
    assert_eq!(events, [issued]);
    assert_eq!(chain.ledger.circulation(0), Some(ISSUED));
}

#[test]
fn destroyed_amounts_and_uncollected_fees_leave_circulation() {
    let mut chain = blinded();
    chain.issue();
    let some = |value| explicit(asset(), value, Script::from(vec![0x55]));
    let burn = transaction(
        vec![spend(elsewhere())],
        vec![
            some(5),
            explicit(asset(), 100, Script::from(vec![0x6a, 1, 1])),
        ],
    );
    chain.block(vec![burn]);
    assert_eq!(chain.ledger.circulation(0), Some(ISSUED - 100));
    // A fee that no coinbase collects is destroyed with the block.
    let fee = transaction(
        vec![spend(elsewhere())],
        vec![some(5), elements::TxOut::new_fee(30, asset())],
    );
    chain.block(vec![fee]);
    assert_eq!(chain.ledger.circulation(0), Some(ISSUED - 130));
}

#[test]
fn a_late_payment_does_not_change_later_amounts() {
    let mut in_time = blinded();
    let mut late = blinded();
    for chain in [&mut in_time, &mut late] {
        chain.issue();
    }
    let mut amounts = Vec::new();
    for point in 1..=4 {
        in_time.until(point * PERIOD);
        amounts.push(in_time.plan().amount);
        let payment = in_time.payment();
        in_time.block(vec![payment]);
    }
    late.until(4 * PERIOD + 2);
    let mut caught_up = Vec::new();
    for point in 1..=4 {
        let plan = late.plan();
        assert_eq!(plan.point.height().to_u32(), point * PERIOD, "in order");
        caught_up.push(plan.amount);
        let payment = late.payment();
        late.block(vec![payment]);
    }
    assert_eq!(amounts, caught_up);
    assert_eq!(in_time.ledger.circulation(0), late.ledger.circulation(0));
}

#[test]
fn an_unscheduled_reissuance_is_reported_and_grows_from_then_on() {
    let mut chain = blinded();
    chain.issue();
    let mut own = spend(elsewhere());
    own.asset_issuance = elements::AssetIssuance {
        asset_blinding_nonce: elements::issuance::AssetBlindingNonce::from_byte_array([3; 32]),
        asset_entropy: elements::AssetId::generate_asset_entropy(
            crate::common::issued_from(),
            elements::ContractHash::from_byte_array([0; 32]),
        ),
        amount: Value::Explicit(ISSUED),
        inflation_keys: Value::Null,
    };
    let made = transaction(
        vec![own],
        vec![explicit(asset(), ISSUED, Script::from(vec![0x55]))],
    );
    let txid = made.txid();
    let events = chain.block(vec![made]);
    let amount = ISSUED;
    assert_eq!(events, [LedgerEvent::Unscheduled { amount, txid }]);
    chain.until(PERIOD);
    let expected = scheduled_amount(chain.ledger.settings()[0].schedule(), 2 * ISSUED);
    assert_eq!(Ok(chain.plan().amount), expected);
}

#[test]
fn a_payment_for_a_point_that_is_not_due_counts_as_unscheduled() {
    let mut chain = TestChain::new(TokenForm::Explicit, ScriptKind::P2sh);
    chain.issue();
    chain.until(PERIOD);
    let payment = chain.payment();
    chain.block(vec![payment.clone()]);
    // The same again with the returned tokens: the signers would have to be dishonest.
    let mut again = payment.clone();
    again.input[0].previous_output = OutPoint::new(payment.txid(), 1);
    let events = chain.block(vec![again]);
    assert!(matches!(events[..], [LedgerEvent::Unscheduled { .. }]));
}

#[test]
fn a_payment_to_another_destination_is_reported() {
    let mut chain = TestChain::new(TokenForm::Explicit, ScriptKind::P2sh);
    chain.issue();
    chain.until(PERIOD);
    let mut payment = chain.payment();
    payment.output[0].script_pubkey = Script::from(vec![0x56]);
    let events = chain.block(vec![payment]);
    assert!(matches!(
        events[..],
        [LedgerEvent::Paid {
            in_order: false,
            ..
        }]
    ));
}

#[test]
fn a_confidential_amount_makes_the_circulation_unknown() {
    let mut chain = blinded();
    let mut issuance = chain.issuance();
    issuance.input[0].asset_issuance.amount = issuance.output[1].value;
    chain.block(vec![issuance]);
    assert!(matches!(
        chain.ledger.plan(0),
        Err(PlanError::NotIssued(_) | PlanError::Uncountable { .. })
    ));
}

#[test]
fn only_the_next_block_of_the_same_chain_is_read() {
    let mut chain = blinded();
    let before = chain.ledger.clone();
    let one = BlockHeight::new(1);
    let read = |ledger: &mut Ledger, height, previous| ledger.apply(height, hash(1), previous, &[]);
    let ledger = &mut chain.ledger;
    assert!(matches!(
        read(ledger, BlockHeight::new(2), hash(1)),
        Err(LedgerError::Height { .. })
    ));
    assert!(matches!(
        read(ledger, one, hash(5)),
        Err(LedgerError::Previous { .. })
    ));
    assert_eq!(*ledger, before);
    let mut other = Ledger::new(chain.chain, vec![settings(ScriptKind::P2wsh)]);
    let genesis = other.apply(BlockHeight::GENESIS, hash(3), hash(0), &[]);
    assert!(matches!(genesis, Err(LedgerError::Genesis { .. })));
}

#[test]
fn a_stored_ledger_is_read_under_the_same_settings_only() {
    let mut chain = blinded();
    chain.issue();
    chain.until(2 * PERIOD);
    let bytes = chain.ledger.to_bytes();
    let back = |kind| Ledger::from_bytes(&bytes, chain.chain, vec![settings(kind)]);
    assert_eq!(back(ScriptKind::P2wsh), Ok(chain.ledger.clone()));
    assert_eq!(back(ScriptKind::P2sh), Err(DecodeLedgerError::Settings));
    assert_eq!(
        Ledger::from_bytes(&[], chain.chain, vec![]),
        Err(DecodeLedgerError::Malformed)
    );
    assert_eq!(
        Ledger::from_bytes(&[9], chain.chain, vec![]),
        Err(DecodeLedgerError::Version(9))
    );
    let mut old = bytes.clone();
    old[0] = 1;
    assert_eq!(
        Ledger::from_bytes(&old, chain.chain, vec![]),
        Err(DecodeLedgerError::Version(1))
    );
}

/// A modified byte in the store is refused, or leaves a ledger that can be continued.
#[test]
fn a_modified_ledger_is_refused_or_can_be_continued() {
    let mut chain = TestChain::new(TokenForm::Explicit, ScriptKind::P2sh);
    chain.issue();
    chain.until(2 * PERIOD);
    let bytes = chain.ledger.to_bytes();
    let settings = chain.ledger.settings().to_vec();
    let mut refused = 0;
    for at in 0..bytes.len() {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut altered = bytes.clone();
            altered[at] = value;
            let Ok(mut ledger) = Ledger::from_bytes(&altered, chain.chain, settings.clone()) else {
                refused += 1;
                continue;
            };
            let _ = ledger.plan(0);
            let (height, previous) = (ledger.next_height(), ledger.tip().map(|tip| tip.1));
            for n in 0..PERIOD {
                let height = BlockHeight::new(height.to_u32().saturating_add(n));
                let previous = if n == 0 {
                    previous.unwrap_or(hash(0))
                } else {
                    hash(n - 1)
                };
                let _ = ledger.apply(height, hash(n), previous, &[]);
            }
            let _ = ledger.circulation(0);
        }
    }
    assert!(refused > bytes.len(), "{refused}");
}

#[test]
fn an_empty_circulation_does_not_grow() {
    let mut chain = blinded();
    let mut issuance = chain.issuance();
    issuance.input[0].asset_issuance.amount = Value::Null;
    issuance.output.remove(0);
    chain.block(vec![issuance]);
    assert_eq!(chain.until(3 * PERIOD), []);
}

/// Destroys an amount of the asset.
fn burn(amount: u64) -> elements::Transaction {
    transaction(
        vec![spend(elsewhere())],
        vec![explicit(asset(), amount, Script::from(vec![0x6a]))],
    )
}

/// The largest possible amount at once, then more.
#[test]
fn a_supply_out_of_range_makes_the_circulation_unknown() {
    let mut chain = TestChain::new(TokenForm::Explicit, ScriptKind::P2sh);
    let mut issuance = chain.issuance();
    issuance.input[0].asset_issuance.amount = Value::Explicit(u64::MAX - 5);
    chain.block(vec![issuance]);
    assert_eq!(chain.ledger.circulation(0), Some(u64::MAX - 5));
    let mut more = spend(elsewhere());
    more.asset_issuance = elements::AssetIssuance {
        asset_blinding_nonce: elements::issuance::AssetBlindingNonce::from_byte_array([3; 32]),
        asset_entropy: elements::AssetId::generate_asset_entropy(
            crate::common::issued_from(),
            elements::ContractHash::from_byte_array([0; 32]),
        ),
        amount: Value::Explicit(6),
        inflation_keys: Value::Null,
    };
    let made = transaction(
        vec![more],
        vec![explicit(asset(), 6, Script::from(vec![0x55]))],
    );
    let txid = made.txid();
    let events = chain.block(vec![made]);
    assert!(events.contains(&LedgerEvent::Uncountable(Uncountable::Range(txid))));
}

/// The largest possible amount is in circulation and a point is due: that has its own error, and is
/// not a circulation of zero.
#[test]
fn an_amount_due_out_of_range_is_reported() {
    let mut chain = TestChain::new(TokenForm::Explicit, ScriptKind::P2sh);
    let mut issuance = chain.issuance();
    issuance.input[0].asset_issuance.amount = Value::Explicit(u64::MAX - 5);
    chain.block(vec![issuance]);
    let mut errors = Vec::new();
    for event in chain.until(400 * PERIOD) {
        if let LedgerEvent::NoAmount { error, .. } = event {
            errors.push(error);
        }
    }
    assert!(
        matches!(errors[..], [AmountError::TooLarge { .. }]),
        "{errors:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is burnt, up to the whole supply, and whenever payments arrive: the circulation is
    /// what was issued less what was burnt, and each point is paid once.
    #[test]
    fn the_circulation_is_what_was_issued_less_what_was_burnt(
        steps in prop::collection::vec((0..3u8, 0..=100u64), 1..60),
    ) {
        let mut chain = TestChain::new(TokenForm::Explicit, ScriptKind::P2sh);
        chain.issue();
        let (mut supply, mut points) = (ISSUED, Vec::new());
        for (what, part) in steps {
            let burnt = match what {
                // A hundredth, or nearly all of it.
                0 => supply / 100 * if part < 90 { 1 } else { part },
                _ => 0,
            };
            let transactions = match what {
                0 => vec![burn(burnt)],
                1 if chain.ledger.plan(0).is_ok() => vec![chain.payment()],
                _ => vec![],
            };
            supply -= burnt;
            for event in chain.block(transactions) {
                match event {
                    LedgerEvent::Paid { amount, scheduled, point, in_order, .. } => {
                        prop_assert!(in_order && amount == scheduled);
                        supply += amount;
                        points.push(point);
                    }
                    LedgerEvent::Due { .. } => {}
                    other => prop_assert!(false, "{:?}", other),
                }
            }
            prop_assert_eq!(chain.ledger.circulation(0), Some(supply));
        }
        prop_assert!(points.windows(2).all(|pair| pair[0] < pair[1]));
    }

    /// More is burnt than was first issued, including amounts issued at points. The circulation
    /// becomes unknown only if more is burnt than exists.
    #[test]
    fn amounts_issued_at_points_can_be_burnt_like_any_other(
        points in 1..30u32, part in 0..=100u64, beyond in 0..2u64,
    ) {
        let mut chain = TestChain::new(TokenForm::Explicit, ScriptKind::P2sh);
        chain.issue();
        let mut supply = ISSUED;
        for point in 1..=points {
            chain.until(point * PERIOD);
            supply += chain.plan().amount;
            let payment = chain.payment();
            chain.block(vec![payment]);
        }
        let burnt = ISSUED + (supply - ISSUED) / 100 * part;
        let burnt = if beyond == 1 { supply + 1 } else { burnt };
        let transaction = burn(burnt);
        let txid = transaction.txid();
        let events = chain.block(vec![transaction]);
        if beyond == 1 {
            prop_assert_eq!(events, [LedgerEvent::Uncountable(Uncountable::Range(txid))]);
            let uncountable = matches!(chain.ledger.plan(0), Err(PlanError::Uncountable { .. }));
            prop_assert!(uncountable);
        } else {
            prop_assert_eq!(events, []);
            prop_assert_eq!(chain.ledger.circulation(0), Some(supply - burnt));
            // The growth of the remainder, which may be zero.
            let due = chain.until((points + 1) * PERIOD);
            let schedule = *chain.ledger.settings()[0].schedule();
            let expected = scheduled_amount(&schedule, supply - burnt).expect("small");
            prop_assert_eq!(due.len(), usize::from(expected > 0));
            prop_assert_eq!(chain.ledger.plan(0).map_or(0, |plan| plan.amount), expected);
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let chain = blinded();
        let mut bytes = bytes;
        if let Some(first) = bytes.first_mut() {
            *first = 2;
        }
        let _ = Ledger::from_bytes(&bytes, chain.chain, vec![settings(ScriptKind::P2wsh)]);
    }
}
