//! A real token is removed and comes back.

use std::{
    fs,
    time::{Duration, Instant},
};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use federation_chain::BlockHash;
use federation_signer::{Signer, SignerError, TokenSelector};
use federation_signer_hsm::{
    HsmKey, HsmSigner,
    admin::generate_key,
    testing::{USER_PIN, config, isolated, make_token, pin, softhsm, tokens_here},
};

use crate::run;

async fn signer() -> HsmSigner {
    let module = softhsm();
    make_token(&module, "operator");
    let token = TokenSelector::Label("operator".to_owned());
    generate_key(&module, &token, &pin(USER_PIN), "block").expect("a key");
    let config = config(&module, "operator", "block");
    HsmSigner::new(HsmKey::open(config).await.expect("the key"))
}

const HASH: BlockHash = BlockHash::from_bytes([1; 32]);

#[test]
fn a_token_that_was_removed_and_came_back_signs_again() {
    isolated(
        "recovery::a_token_that_was_removed_and_came_back_signs_again",
        || {
            run(async {
                let signer = signer().await;
                signer.sign_block(HASH).await.expect("a signature");
                let away = tokens_here().with_file_name("away");
                fs::rename(tokens_here(), &away).expect("the token is removed");
                fs::create_dir(tokens_here()).expect("an empty folder");
                // The module notices when it is called, at the latest when it is reinitialised.
                let deadline = Instant::now() + Duration::from_secs(20);
                loop {
                    match signer.sign_block(HASH).await {
                        Err(error) => {
                            assert!(matches!(error, SignerError::Unavailable(_)), "{error:?}");
                            break;
                        }
                        Ok(_) => assert!(Instant::now() < deadline, "the key is still usable"),
                    }
                }
                fs::remove_dir_all(tokens_here()).expect("removed");
                fs::rename(&away, tokens_here()).expect("the token is back");
                while let Err(error) = signer.sign_block(HASH).await {
                    assert!(Instant::now() < deadline, "{error:?}");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            });
        },
    );
}

#[test]
fn a_module_finalised_elsewhere_in_the_process_signs_again() {
    isolated(
        "recovery::a_module_finalised_elsewhere_in_the_process_signs_again",
        || {
            run(async {
                let signer = signer().await;
                let other = Pkcs11::new(softhsm()).expect("the same library");
                other.clone().finalize().expect("finalised");
                // The first restart may be delayed, since the module was started just now.
                let deadline = Instant::now() + Duration::from_secs(20);
                while let Err(error) = signer.sign_block(HASH).await {
                    assert!(Instant::now() < deadline, "{error:?}");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                // And once more, with all sessions invalid and the module initialised elsewhere.
                other.clone().finalize().expect("finalised");
                let args = CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK);
                other.initialize(args).expect("initialised");
                signer.sign_block(HASH).await.expect("at once");
            });
        },
    );
}
