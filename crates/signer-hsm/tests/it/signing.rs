//! A key in a token signs like every signer.

use federation_chain::{BlockHash, BlockHeight};
use federation_signer::TokenSelector;
use federation_signer::{GuardedSigner, KeySelector, MemoryGuardStore, Secret, Signer, contract};
use federation_signer_hsm::{
    HsmConfig, HsmKey, HsmSigner, HsmSpender,
    admin::{self, generate_key, import_key},
    testing::{USER_PIN, config, isolated, make_token, pin, softhsm},
};

use crate::run;

#[test]
fn a_key_in_a_token_passes_the_contract() {
    isolated("signing::a_key_in_a_token_passes_the_contract", || {
        let module = softhsm();
        make_token(&module, "operator");
        let token = TokenSelector::Label("operator".to_owned());
        let made = generate_key(&module, &token, &pin(USER_PIN), "block").expect("a key");
        run(async {
            let key = HsmKey::open(config(&module, "operator", "block"))
                .await
                .expect("the key");
            let signer = HsmSigner::new(key);
            assert_eq!(Some(signer.public_key()), made.public_key);
            contract::signer(&signer).await;
            let key = HsmKey::open(config(&module, "operator", "block"))
                .await
                .expect("the key a second time");
            contract::spend_signer(&HsmSpender::new(key)).await;
        });
    });
}

#[test]
fn every_selector_of_token_and_key_finds_the_same_key() {
    isolated(
        "signing::every_selector_of_token_and_key_finds_the_same_key",
        || {
            let module = softhsm();
            make_token(&module, "one");
            make_token(&module, "two");
            let two = TokenSelector::Label("two".to_owned());
            let made = generate_key(&module, &two, &pin(USER_PIN), "block").expect("a key");
            let entry = admin::tokens(&module)
                .expect("tokens")
                .into_iter()
                .find(|entry| entry.label == "two")
                .expect("the second");
            for token in [
                two,
                TokenSelector::Serial(entry.serial),
                TokenSelector::Slot(entry.slot),
            ] {
                for key in [
                    KeySelector::Label("block".to_owned()),
                    KeySelector::Id(made.id.clone()),
                ] {
                    let config = HsmConfig::new(&module, token.clone(), key, pin(USER_PIN));
                    let found = run(HsmKey::open(config)).expect("the key");
                    assert_eq!(Some(found.public_key()), made.public_key);
                }
            }
        },
    );
}

#[test]
fn an_imported_key_signs_with_low_s_as_the_same_key() {
    isolated(
        "signing::an_imported_key_signs_with_low_s_as_the_same_key",
        || {
            let module = softhsm();
            make_token(&module, "operator");
            let token = TokenSelector::Label("operator".to_owned());
            let secret = Secret::generate();
            import_key(&module, &token, &pin(USER_PIN), "block", &secret).expect("a key");
            run(async {
                let key = HsmKey::open(config(&module, "operator", "block"))
                    .await
                    .expect("the key");
                assert_eq!(key.public_key(), secret.public_key());
                let signer = HsmSigner::new(key);
                for n in 0..32 {
                    let hash = BlockHash::from_bytes([n; 32]);
                    let signature = signer.sign_block(hash).await.expect("a signature");
                    let mut low = signature;
                    low.normalize_s();
                    // The module itself returns high S half of the time.
                    assert_eq!(signature, low);
                }
            });
        },
    );
}

#[test]
fn the_guard_protects_a_key_in_a_token() {
    isolated("signing::the_guard_protects_a_key_in_a_token", || {
        let module = softhsm();
        make_token(&module, "operator");
        let token = TokenSelector::Label("operator".to_owned());
        generate_key(&module, &token, &pin(USER_PIN), "block").expect("a key");
        run(async {
            let key = HsmKey::open(config(&module, "operator", "block"))
                .await
                .expect("the key");
            let guarded =
                GuardedSigner::new(HsmSigner::new(key), MemoryGuardStore::new()).expect("new");
            let height = BlockHeight::new(7);
            let hash = |n| BlockHash::from_bytes([n; 32]);
            guarded
                .sign_block(height, hash(1))
                .await
                .expect("the first");
            guarded
                .sign_block(height, hash(1))
                .await
                .expect("the same again");
            guarded
                .sign_block(height, hash(2))
                .await
                .expect_err("another at the height");
        });
    });
}
