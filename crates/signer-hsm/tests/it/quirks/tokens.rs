//! A token in use is never initialised, and a token's PIN pad is used.

use federation_signer::{SecretSource, TokenSelector};
use federation_signer_hsm::{
    HsmConfig, HsmError, HsmKey, Pin,
    admin::{generate_key, has_pin_pad, init_token, tokens},
    testing::{SO_PIN, USER_PIN, isolated, make_token, pin},
};

use super::Quirky;
use crate::{refused, run};

#[test]
fn a_token_in_use_is_never_initialised() {
    isolated(
        "quirks::tokens::a_token_in_use_is_never_initialised",
        || {
            let (quirky, key) = Quirky::new();
            let is_ours =
                |token: &&federation_signer_hsm::admin::TokenEntry| token.label == "operator";
            let listed = tokens(&quirky.module).expect("tokens");
            let slot = listed.iter().find(is_ours).expect("the token").slot;
            // The module does not flag the token as initialised; only its label, its user PIN, or
            // an object shows that it is in use.
            for (case, sign) in [
                ("", "it is initialised"),
                ("noflag", "it has a label"),
                ("noflag=pin", "it has a user PIN"),
                ("noflag=objects", "it holds objects"),
            ] {
                quirky.set(case);
                let over = init_token(
                    &quirky.module,
                    Some(slot),
                    "other",
                    &pin(SO_PIN),
                    &pin(USER_PIN),
                );
                assert!(
                    matches!(&over, Err(HsmError::TokenInUse { sign: found, .. }) if *found == sign),
                    "{case}: {over:?}"
                );
                assert_eq!(quirky.calls("C_InitToken"), 0, "{case}");
            }
            // Nor is it chosen if no slot is given: another one is.
            quirky.set("noflag=objects");
            let made = init_token(&quirky.module, None, "other", &pin(SO_PIN), &pin(USER_PIN));
            assert_ne!(made.expect("an empty one").slot, slot);
            quirky.set("");
            let open = quirky.open("block").expect("the key is still there");
            assert_eq!(Some(open.public_key()), key.public_key);
        },
    );
}

#[test]
fn a_token_that_is_not_flagged_as_initialised_is_used() {
    isolated(
        "quirks::tokens::a_token_that_is_not_flagged_as_initialised_is_used",
        || {
            let (quirky, key) = Quirky::new();
            quirky.set("noflag");
            let open = quirky.open("block").expect("the key");
            assert_eq!(Some(open.public_key()), key.public_key);
        },
    );
}

#[test]
fn a_new_token_is_identified_by_its_slot_and_not_by_its_label() {
    isolated(
        "quirks::tokens::a_new_token_is_identified_by_its_slot_and_not_by_its_label",
        || {
            let quirky = Quirky::bare();
            // No token appears to have a label now.
            quirky.set("noflag=pin");
            let made = init_token(
                &quirky.module,
                None,
                "operator",
                &pin(SO_PIN),
                &pin(USER_PIN),
            );
            let made = made.expect("a token");
            quirky.set("");
            let token = TokenSelector::Serial(made.serial);
            generate_key(&quirky.module, &token, &pin(USER_PIN), "block").expect("a key in it");
        },
    );
}

#[test]
fn a_pin_is_entered_on_the_pad_of_the_token() {
    isolated(
        "quirks::tokens::a_pin_is_entered_on_the_pad_of_the_token",
        || {
            let (quirky, key) = Quirky::new();
            let at_pad = || {
                HsmConfig::new(
                    &quirky.module,
                    Quirky::token(),
                    federation_signer::KeySelector::Label("block".to_owned()),
                    Pin::at_pad(),
                )
            };
            assert_eq!(has_pin_pad(&quirky.module, &Quirky::token()), Ok(false));
            assert_eq!(refused(at_pad()), HsmError::NoPinPad("operator".to_owned()));
            quirky.set("pinpad");
            assert_eq!(has_pin_pad(&quirky.module, &Quirky::token()), Ok(true));
            // This process has no terminal for a prompt.
            let source = SecretSource::Prompt;
            let read = Pin::read(&source, "the PIN", &quirky.module, &Quirky::token());
            read.expect("no prompt");
            // All earlier sessions are closed: the token is logged out.
            let open = run(HsmKey::open(at_pad())).expect("the key");
            assert_eq!(Some(open.public_key()), key.public_key);
            drop(open);
            // The pad is used, whatever PIN is given here.
            quirky.open("block").expect("the key");
            quirky.set("pinpad,eachuse");
            let open = run(HsmKey::open(at_pad())).expect("the key, with the pad for each use");
            run(open.prove()).expect("once more");
            // Sending a wrong PIN would use up attempts and lock the token.
            assert_eq!(quirky.calls("C_Login user=2 pin=1"), 0);
        },
    );
}

#[test]
fn a_token_is_initialised_at_its_pad() {
    isolated("quirks::tokens::a_token_is_initialised_at_its_pad", || {
        let quirky = Quirky::bare();
        quirky.set("pinpad");
        let made = init_token(
            &quirky.module,
            None,
            "operator",
            &Pin::at_pad(),
            &Pin::at_pad(),
        );
        let made = made.expect("a token");
        assert!(made.pin_pad && made.has_user_pin && made.label == "operator");
        let key = generate_key(&quirky.module, &Quirky::token(), &Pin::at_pad(), "block");
        key.expect("a key");
        quirky.set("");
        // Without its pad, PINs are required.
        let none = init_token(
            &quirky.module,
            None,
            "other",
            &Pin::at_pad(),
            &Pin::at_pad(),
        );
        assert!(matches!(none, Err(HsmError::NoPinPad(_))), "{none:?}");
        make_token(&quirky.module, "other");
    });
}
