//! Signatures are had from modules that give them otherwise, or fail in their own ways.

use federation_chain::BlockHash;
use federation_signer::{Signer, SignerError};
use federation_signer_hsm::{HsmError, HsmKey, HsmSigner, testing::isolated};

use super::Quirky;
use crate::run;

fn hash(n: u32) -> BlockHash {
    let mut bytes = [9; 32];
    bytes[..4].copy_from_slice(&n.to_be_bytes());
    BlockHash::from_bytes(bytes)
}

/// With each of these oddities so many signatures come, all of which were checked.
fn signs_with_each(cases: &[&str], count: u32) {
    let (quirky, _) = Quirky::new();
    run(async {
        for case in cases {
            quirky.set(case);
            let signer = quirky.signer().await;
            for n in 0..count {
                let signature = signer.sign_block(hash(n)).await;
                let signature = signature.unwrap_or_else(|error| panic!("{case}: {error:?}"));
                let mut low = signature;
                low.normalize_s();
                assert_eq!(signature, low, "{case}");
            }
        }
    });
}

#[test]
fn signatures_are_understood_in_every_form() {
    isolated(
        "quirks::signing::signatures_are_understood_in_every_form",
        || {
            signs_with_each(&["sig=der", "sig=derpad", "sig=wide"], 20);
        },
    );
}

#[test]
fn signatures_without_zeros_in_front_are_understood() {
    isolated(
        "quirks::signing::signatures_without_zeros_in_front_are_understood",
        // One in 128 is shorter.
        || signs_with_each(&["sig=short"], 600),
    );
}

#[test]
fn a_false_signature_is_understood_in_no_form() {
    isolated(
        "quirks::signing::a_false_signature_is_understood_in_no_form",
        || {
            let (quirky, _) = Quirky::new();
            quirky.set("sig=false");
            assert_eq!(quirky.open("block").err(), Some(HsmError::BadSignature));
            quirky.set("sig=false,nopub");
            let unknown = quirky.open("block").err();
            assert!(
                matches!(unknown, Some(HsmError::NoPublicKey(_))),
                "{unknown:?}"
            );
        },
    );
}

#[test]
fn a_pin_is_given_for_each_use_if_the_key_wants_it() {
    isolated(
        "quirks::signing::a_pin_is_given_for_each_use_if_the_key_wants_it",
        || {
            signs_with_each(
                &[
                    "eachuse",
                    "eachuse=untold",
                    "eachuse,nopub",
                    "eachuse,sig=der",
                ],
                5,
            )
        },
    );
}

#[test]
fn a_pin_that_was_refused_for_one_use_is_not_given_again() {
    isolated(
        "quirks::signing::a_pin_that_was_refused_for_one_use_is_not_given_again",
        || {
            let (quirky, _) = Quirky::new();
            run(async {
                let config = quirky.config("block").with_sessions(3);
                let key = HsmKey::open(config).await.expect("the key");
                let signer = HsmSigner::new(key);
                quirky.set("eachuse=refused");
                for n in 0..8 {
                    let refused = signer.sign_block(hash(n)).await;
                    assert!(refused.is_err(), "{refused:?}");
                }
                assert_eq!(
                    quirky.calls("C_Login user=2"),
                    1,
                    "one try, for all sessions"
                );
            });
        },
    );
}

#[test]
fn keys_are_made_where_the_pin_is_wanted_for_each_use() {
    isolated(
        "quirks::signing::keys_are_made_where_the_pin_is_wanted_for_each_use",
        || {
            let (quirky, key) = Quirky::new();
            quirky.set("eachuse,nopub");
            assert_eq!(quirky.find("block").as_ref(), Ok(&key));
            quirky.generate("other").expect("a key that proves itself");
        },
    );
}

#[test]
fn a_session_that_fails_in_any_way_is_opened_again() {
    isolated(
        "quirks::signing::a_session_that_fails_in_any_way_is_opened_again",
        || {
            let cases = [
                "b3", "b0", "30", "32", "e0", "101", "6", "5", "50", "80000067", "ffffffff", "1f7",
            ]
            .map(|code| format!("every=3,code={code}"));
            signs_with_each(&cases.each_ref().map(String::as_str), 10);
        },
    );
}

#[test]
fn a_code_of_the_vendor_that_comes_twice_starts_the_module_again() {
    isolated(
        "quirks::signing::a_code_of_the_vendor_that_comes_twice_starts_the_module_again",
        || {
            let (quirky, _) = Quirky::new();
            run(async {
                let signer = quirky.signer().await;
                quirky.forget_calls();
                quirky.set("every=1,code=80000067");
                let failed = signer.sign_block(hash(1)).await;
                assert!(
                    matches!(failed, Err(SignerError::Unavailable(_))),
                    "{failed:?}"
                );
                assert_eq!(quirky.calls("C_Sign"), 3);
                assert_eq!(quirky.calls("C_Finalize"), 1);
                quirky.set("");
                signer.sign_block(hash(1)).await.expect("it is well again");
            });
        },
    );
}

#[test]
fn a_device_that_is_dead_until_the_module_is_started_again_signs_at_once() {
    isolated(
        "quirks::signing::a_device_that_is_dead_until_the_module_is_started_again_signs_at_once",
        || {
            let (quirky, _) = Quirky::new();
            run(async {
                let signer = quirky.signer().await;
                // Counted by the module from its start: one when the key was made, one when it was
                // opened.
                quirky.set("diedevice=4");
                for n in 0..4 {
                    signer.sign_block(hash(n)).await.expect("a signature");
                }
                assert_eq!(quirky.calls("C_Finalize"), 1);
            });
        },
    );
}
