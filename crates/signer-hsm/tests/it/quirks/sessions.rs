//! Sessions are opened in the mode that the module supports.

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
fn a_refused_mode_is_replaced_by_the_other() {
    isolated(
        "quirks::sessions::a_refused_mode_is_replaced_by_the_other",
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
fn a_failed_key_generation_returns_the_first_refusal() {
    isolated(
        "quirks::sessions::a_failed_key_generation_returns_the_first_refusal",
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
fn calls_of_a_module_that_is_not_thread_safe_are_serialised() {
    isolated(
        "quirks::sessions::calls_of_a_module_that_is_not_thread_safe_are_serialised",
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
fn a_module_that_does_not_start_is_reported() {
    isolated(
        "quirks::sessions::a_module_that_does_not_start_is_reported",
        || {
            let quirky = Quirky::bare();
            quirky.set("noenv");
            let error = quirky.open("block").expect_err("not started");
            assert_eq!(error, HsmError::NotStarted(RvError::FunctionFailed));
            assert!(error.to_string().contains("manual"), "{error}");
            // It may be fixed while this process runs.
            quirky.set("");
            make_token(&quirky.module, "operator");
        },
    );
}
