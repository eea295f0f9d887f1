//! Signatures from modules that return them in other forms, or fail in unusual ways.

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

/// With each of these quirks, signs this many times; every signature was verified.
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
fn signatures_are_read_in_every_form() {
    isolated("quirks::signing::signatures_are_read_in_every_form", || {
        signs_with_each(&["sig=der", "sig=derpad", "sig=wide"], 20);
    });
}

#[test]
fn signatures_without_leading_zeros_are_read() {
    isolated(
        "quirks::signing::signatures_without_leading_zeros_are_read",
        // One in 128 is shorter.
        || signs_with_each(&["sig=short"], 600),
    );
}

#[test]
fn a_wrong_signature_is_refused_in_every_form() {
    isolated(
        "quirks::signing::a_wrong_signature_is_refused_in_every_form",
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
fn a_pin_is_sent_for_each_use_if_the_key_requires_it() {
    isolated(
        "quirks::signing::a_pin_is_sent_for_each_use_if_the_key_requires_it",
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
fn a_pin_refused_for_one_use_is_not_sent_again() {
    isolated(
        "quirks::signing::a_pin_refused_for_one_use_is_not_sent_again",
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
                    "one attempt for all sessions"
                );
            });
        },
    );
}

#[test]
fn keys_are_generated_if_the_pin_is_required_for_each_use() {
    isolated(
        "quirks::signing::keys_are_generated_if_the_pin_is_required_for_each_use",
        || {
            let (quirky, key) = Quirky::new();
            quirky.set("eachuse,nopub");
            assert_eq!(quirky.find("block").as_ref(), Ok(&key));
            quirky.generate("other").expect("a tested key");
        },
    );
}

#[test]
fn a_session_that_fails_in_any_way_is_reopened() {
    isolated(
        "quirks::signing::a_session_that_fails_in_any_way_is_reopened",
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
fn a_repeated_vendor_error_reinitialises_the_module() {
    isolated(
        "quirks::signing::a_repeated_vendor_error_reinitialises_the_module",
        || {
            let (quirky, _) = Quirky::new();
            run(async {
                let signer = quirky.signer().await;
                quirky.clear_calls();
                quirky.set("every=1,code=80000067");
                let failed = signer.sign_block(hash(1)).await;
                assert!(
                    matches!(failed, Err(SignerError::Unavailable(_))),
                    "{failed:?}"
                );
                assert_eq!(quirky.calls("C_Sign"), 3);
                assert_eq!(quirky.calls("C_Finalize"), 1);
                quirky.set("");
                signer.sign_block(hash(1)).await.expect("recovered");
            });
        },
    );
}

#[test]
fn a_device_that_needs_a_reinitialised_module_signs_without_delay() {
    isolated(
        "quirks::signing::a_device_that_needs_a_reinitialised_module_signs_without_delay",
        || {
            let (quirky, _) = Quirky::new();
            run(async {
                let signer = quirky.signer().await;
                // Counted by the module from its start: one for the generation of the key, one for
                // its opening.
                quirky.set("diedevice=4");
                for n in 0..4 {
                    signer.sign_block(hash(n)).await.expect("a signature");
                }
                assert_eq!(quirky.calls("C_Finalize"), 1);
            });
        },
    );
}
