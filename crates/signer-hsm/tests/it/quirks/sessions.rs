//! Sessions are opened as the module has them.

use cryptoki::error::RvError;
use federation_chain::BlockHash;
use federation_signer::Signer;
use federation_signer_hsm::{
    HsmError, HsmKey, HsmSigner,
    admin::keys,
    testing::{USER_PIN, isolated, make_token, pin},
};

use super::Quirky;
use crate::run;

#[test]
fn what_is_refused_in_one_mode_is_done_in_the_other() {
    isolated(
        "quirks::sessions::what_is_refused_in_one_mode_is_done_in_the_other",
        || {
            let (quirky, key) = Quirky::new();
            for case in ["noro", "noro=54", "noro=b7", "wrprot"] {
                quirky.set(case);
                let listed = keys(&quirky.module, &Quirky::token(), &pin(USER_PIN));
                assert_eq!(listed.as_deref(), Ok(&[key.clone()][..]), "{case}");
                assert_eq!(quirky.find("block").as_ref(), Ok(&key), "{case}");
                run(async {
                    let signer = quirky.signer().await;
                    signer
                        .sign_block(BlockHash::from_bytes([1; 32]))
                        .await
                        .unwrap_or_else(|error| panic!("{case}: {error:?}"));
                });
            }
        },
    );
}

#[test]
fn a_key_that_cannot_be_made_is_told_by_the_first_refusal() {
    isolated(
        "quirks::sessions::a_key_that_cannot_be_made_is_told_by_the_first_refusal",
        || {
            let (quirky, _) = Quirky::new();
            quirky.set("wrprot");
            let refused = quirky.generate("other");
            assert!(
                matches!(
                    refused,
                    Err(HsmError::Call {
                        code: RvError::TokenWriteProtected,
                        ..
                    })
                ),
                "{refused:?}"
            );
        },
    );
}

#[test]
fn a_module_that_takes_one_thread_at_a_time_is_given_one() {
    isolated(
        "quirks::sessions::a_module_that_takes_one_thread_at_a_time_is_given_one",
        || {
            let quirky = Quirky::bare();
            quirky.set("cantlock");
            make_token(&quirky.module, "operator");
            quirky.generate("block").expect("a key");
            assert_eq!(quirky.calls("C_Initialize flags=2"), 1);
            assert_eq!(quirky.calls("C_Initialize flags=0"), 1);
            run(async {
                let config = quirky.config("block").with_sessions(4);
                let signer = HsmSigner::new(HsmKey::open(config).await.expect("the key"));
                let all = (0..16).map(|n| signer.sign_block(BlockHash::from_bytes([n; 32])));
                for signature in futures::future::join_all(all).await {
                    signature.expect("a signature");
                }
            });
        },
    );
}

#[test]
fn a_module_that_does_not_start_says_so() {
    isolated(
        "quirks::sessions::a_module_that_does_not_start_says_so",
        || {
            let quirky = Quirky::bare();
            quirky.set("noenv");
            let error = quirky.open("block").expect_err("it does not start");
            assert_eq!(error, HsmError::NotStarted(RvError::FunctionFailed));
            assert!(error.to_string().contains("manual"), "{error}");
            // Its cure may come while this process runs.
            quirky.set("");
            make_token(&quirky.module, "operator");
        },
    );
}
