//! Guards are transferred forward only, and never to two places.

use federation_chain::BlockHash;
use federation_roster::FederationId;
use proptest::{collection::btree_map, option, prelude::*};

use super::*;
use crate::{AUDIT_HEIGHTS, Secret};

fn pin() -> GuardPin {
    GuardPin {
        federation: FederationId::from_bytes([7; 32]),
        genesis: BlockHash::from_bytes([8; 32]),
        block_key: Secret::from_hex(&"01".repeat(32))
            .expect("a key")
            .public_key(),
    }
}

const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);

const fn hash(n: u8) -> BlockHash {
    BlockHash::from_bytes([n; 32])
}

const fn at(height: u32) -> BlockHeight {
    BlockHeight::new(height)
}

fn state(highest_final: Option<u32>, signed: &[(u32, u8)]) -> GuardState {
    let signed = signed
        .iter()
        .map(|(height, block)| (at(*height), hash(*block)));
    GuardState::new(highest_final.map(at), signed)
}

fn active(number: u32, state: GuardState) -> GuardSnapshot {
    GuardSnapshot {
        standing: GuardStanding::Active,
        number,
        state,
    }
}

/// Returns whether the guard would sign this hash at this height.
fn admits(guard: &GuardSnapshot, height: u32, block: u8) -> bool {
    guard.standing == GuardStanding::Active
        && guard
            .state
            .highest_final()
            .is_none_or(|highest| at(height) > highest)
        && guard
            .state
            .signed(at(height))
            .is_none_or(|signed| signed == hash(block))
}

prop_compose! {
    fn any_state()(
        highest_final in option::of(0..12_u32),
        signed in btree_map(0..14_u32, 1..3_u8, 0..8),
    ) -> GuardState {
        let signed: Vec<_> = signed.into_iter().collect();
        state(highest_final, &signed)
    }
}

prop_compose! {
    fn any_held()(
        standing in prop::sample::select(vec![
            GuardStanding::Active,
            GuardStanding::MovedAway,
            GuardStanding::Unproven,
        ]),
        number in 0..4_u32,
        state in any_state(),
    ) -> GuardSnapshot {
        GuardSnapshot { standing, number, state }
    }
}

prop_compose! {
    fn any_record()(
        transfer in any::<bool>(),
        number in 0..4_u32,
        state in any_state(),
    ) -> GuardRecord {
        GuardRecord {
            pin: pin(),
            kind: if transfer { GuardRecordKind::Transfer } else { GuardRecordKind::Copy },
            number,
            written: NOW,
            state,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// For any import: what the guard refused at a height stays refused, what the record refuses is
    /// refused too, and no number decreases.
    #[test]
    fn an_import_only_goes_forward(
        held in any_held(),
        record in any_record(),
        allowed in any::<bool>(),
    ) {
        let take_back = if allowed { TakeBack::Allowed } else { TakeBack::Refused };
        let Ok(after) = held.import(&record, take_back) else {
            return Ok(());
        };
        prop_assert!(after.number >= held.number && after.number >= record.number);
        prop_assert!(after.state.highest_final() >= held.state.highest_final());
        prop_assert!(after.state.covers(&held.state) && after.state.covers(&record.state));
        for height in 0..14 {
            for block in 1..4 {
                let alone = |state: &GuardState| admits(&active(0, state.clone()), height, block);
                if admits(&after, height, block) {
                    prop_assert!(alone(&held.state), "{height} {block} by the guard");
                    prop_assert!(alone(&record.state), "{height} {block} by the record");
                }
            }
        }
        if record.kind == GuardRecordKind::Copy && after.standing == GuardStanding::Active {
            prop_assert_eq!(held.standing, GuardStanding::Active);
            prop_assert_eq!(held.number, record.number);
        }
        if held.standing == GuardStanding::MovedAway && after.standing == GuardStanding::Active {
            prop_assert!(record.number > held.number || allowed);
        }
    }

    /// Of a guard and the one that imported its transfer, exactly one may sign.
    #[test]
    fn a_transfer_leaves_one_guard_that_signs(state in any_state(), number in 0..4_u32) {
        let here = active(number, state);
        let (moved, record) = here.transfer(pin(), NOW).expect("active");
        let there = GuardSnapshot::default().import(&record, TakeBack::Refused).expect("fresh");
        prop_assert_eq!(moved.standing, GuardStanding::MovedAway);
        prop_assert_eq!(there.standing, GuardStanding::Active);
        prop_assert!(there.state.covers(&here.state));
        prop_assert_eq!(
            moved.import(&record, TakeBack::Refused),
            Err(ImportError::OwnTransfer(number + 1))
        );
        let again = there.import(&record, TakeBack::Refused);
        prop_assert!(matches!(again, Err(ImportError::Older { .. })), "{:?}", again);
        // And back, by another transfer.
        let (_, back) = there.transfer(pin(), NOW).expect("active");
        let here = moved.import(&back, TakeBack::Refused).expect("news");
        prop_assert_eq!((here.standing, here.number), (GuardStanding::Active, number + 2));
    }

    #[test]
    fn a_repair_raises_the_watermark_and_nothing_else(held in any_held(), watermark in 0..20_u32) {
        match held.repaired(at(watermark)) {
            Ok(after) => {
                prop_assert_ne!(held.standing, GuardStanding::MovedAway);
                prop_assert!(after.state.highest_final() >= held.state.highest_final());
                prop_assert!(after.state.highest_final() >= Some(at(watermark)));
                prop_assert!(after.state.covers(&held.state));
                prop_assert_eq!(after.standing, GuardStanding::Active);
            }
            Err(error) => {
                prop_assert_eq!(error, ImportError::MovedAway(held.number));
                prop_assert_eq!(held.standing, GuardStanding::MovedAway);
            }
        }
    }
}

#[test]
fn two_blocks_at_one_height_are_reported_with_both_hashes() {
    let held = active(0, state(Some(6), &[(6, 1), (7, 1)]));
    let mut record = held.copy(pin(), NOW).expect("active");
    record.state = state(Some(8), &[(6, 1), (7, 2), (8, 2)]);
    assert_eq!(
        held.import(&record, TakeBack::Allowed),
        Err(ImportError::Contradiction(GuardContradiction {
            height: at(7),
            ours: hash(1),
            theirs: hash(2),
        }))
    );
}

#[test]
fn a_record_that_ends_below_the_guard_is_older() {
    let old = active(1, state(Some(5), &[(6, 1)]));
    let record = old.copy(pin(), NOW).expect("active");
    let held = active(1, state(Some(6), &[(6, 1), (7, 2)]));
    let refused = held.import(&record, TakeBack::Refused).expect_err("older");
    assert_eq!(
        refused.to_string(),
        "the record is older than this guard: it ends at height 6 (number 1), the guard at 7 (number 1)"
    );
    // Importing the same record again is harmless.
    assert_eq!(old.import(&record, TakeBack::Refused), Ok(old));
}

#[test]
fn a_copy_does_not_allow_the_key_to_sign() {
    let record = active(0, state(Some(6), &[(7, 1)]))
        .copy(pin(), NOW)
        .expect("active");
    let restored = GuardSnapshot::default()
        .import(&record, TakeBack::Refused)
        .expect("fresh");
    assert_eq!(restored.standing, GuardStanding::Unproven);
    assert_eq!(
        restored.transfer(pin(), NOW).map(|_| ()),
        Err(ImportError::Unproven(0))
    );
    assert_eq!(
        restored.copy(pin(), NOW).map(|_| ()),
        Err(ImportError::Unproven(0))
    );
    let repaired = restored.repaired(at(20)).expect("not moved");
    assert_eq!(repaired.standing, GuardStanding::Active);
    assert!(!admits(&repaired, 20, 1) && admits(&repaired, 21, 1));
}

#[test]
fn merging_keeps_a_guard_within_its_bounds() {
    let open = u32::try_from(super::super::MAX_OPEN_HEIGHTS).expect("small");
    let odd: Vec<_> = (0..open).map(|n| (2 * n + 1, 1)).collect();
    let even: Vec<_> = (1..=open).map(|n| (2 * n, 1)).collect();
    let merged = state(None, &odd)
        .merged(&state(None, &even))
        .expect("no height in both");
    assert_eq!(merged.highest_final(), Some(at(open)));
    let kept = merged.records().filter(|(height, _)| *height > at(open));
    assert_eq!(kept.count(), super::super::MAX_OPEN_HEIGHTS);
    let lowest = merged.records().next().expect("some").0;
    assert_eq!(lowest, at(open - AUDIT_HEIGHTS));
}
