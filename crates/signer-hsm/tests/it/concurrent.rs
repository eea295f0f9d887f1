//! Many threads sign concurrently with one key.

use std::{sync::Arc, thread};

use federation_chain::BlockHash;
use federation_signer::{Signer, TokenSelector};
use federation_signer_hsm::{
    HsmKey, HsmSigner,
    admin::generate_key,
    testing::{USER_PIN, config, isolated, make_token, pin, softhsm},
};
use secp256k1::{Message, SECP256K1};

use crate::run;

#[test]
fn sixteen_threads_sign_at_once() {
    isolated("concurrent::sixteen_threads_sign_at_once", || {
        let module = softhsm();
        make_token(&module, "operator");
        let token = TokenSelector::Label("operator".to_owned());
        generate_key(&module, &token, &pin(USER_PIN), "block").expect("a key");
        for sessions in [1, 4, 16] {
            let config = config(&module, "operator", "block").with_sessions(sessions);
            let signer = Arc::new(HsmSigner::new(run(HsmKey::open(config)).expect("the key")));
            let threads: Vec<_> = (0..16_u8)
                .map(|thread| {
                    let signer = signer.clone();
                    thread::spawn(move || {
                        run(async {
                            for n in 0..25_u8 {
                                let mut digest = [thread; 32];
                                digest[0] = n;
                                let hash = BlockHash::from_bytes(digest);
                                let signature = signer.sign_block(hash).await.expect("a signature");
                                SECP256K1
                                    .verify_ecdsa(
                                        &Message::from_digest(digest),
                                        &signature,
                                        &signer.public_key(),
                                    )
                                    .expect("a signature of this digest, not of another thread's");
                            }
                        });
                    })
                })
                .collect();
            for thread in threads {
                thread.join().expect("no thread fails");
            }
        }
    });
}

#[test]
fn several_keys_and_tokens_of_one_module_sign_at_once() {
    isolated(
        "concurrent::several_keys_and_tokens_of_one_module_sign_at_once",
        || {
            let module = softhsm();
            let threads: Vec<_> = (0..3)
                .map(|n| {
                    let name = format!("operator-{n}");
                    make_token(&module, &name);
                    let token = TokenSelector::Label(name.clone());
                    generate_key(&module, &token, &pin(USER_PIN), "block").expect("a key");
                    let module = module.clone();
                    thread::spawn(move || {
                        run(async {
                            let key = HsmKey::open(config(&module, &name, "block"))
                                .await
                                .expect("the key");
                            federation_signer::contract::signer(&HsmSigner::new(key)).await;
                        });
                    })
                })
                .collect();
            for thread in threads {
                thread.join().expect("no thread fails");
            }
        },
    );
}
