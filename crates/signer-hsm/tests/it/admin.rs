//! Tokens and keys are listed, created and imported, and nothing is ever replaced.

use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    error::{Error, RvError},
    object::{Attribute, AttributeType, ObjectClass},
    session::UserType,
    types::AuthPin,
};
use federation_signer::{Secret, TokenSelector};
use federation_signer_hsm::{
    HsmError,
    admin::{generate_key, import_key, init_token, keys, tokens},
    testing::{SO_PIN, USER_PIN, isolated, make_token, pin, softhsm},
};

fn operator() -> TokenSelector {
    TokenSelector::Label("operator".to_owned())
}

#[test]
fn a_token_is_made_once_and_never_erased() {
    isolated("admin::a_token_is_made_once_and_never_erased", || {
        let module = softhsm();
        let made = init_token(&module, None, "operator", &pin(SO_PIN), &pin(USER_PIN))
            .expect("a new token");
        assert!(made.initialised && made.has_user_pin && !made.pin_locked);
        assert_eq!(made.label, "operator");
        let again = init_token(&module, None, "operator", &pin(SO_PIN), &pin(USER_PIN));
        assert!(
            matches!(again, Err(HsmError::TokenInUse { .. })),
            "{again:?}"
        );
        let over = init_token(
            &module,
            Some(made.slot),
            "other",
            &pin(SO_PIN),
            &pin(USER_PIN),
        );
        assert!(
            matches!(&over, Err(HsmError::TokenInUse { label, .. }) if label == "operator"),
            "{over:?}"
        );
        let none = init_token(
            &module,
            Some(4_000_000),
            "other",
            &pin(SO_PIN),
            &pin(USER_PIN),
        );
        assert_eq!(none, Err(HsmError::NoFreeSlot));
        let long = init_token(&module, None, &"x".repeat(33), &pin(SO_PIN), &pin(USER_PIN));
        assert_eq!(long, Err(HsmError::LongLabel(33)));
        let count = |tokens: Vec<federation_signer_hsm::admin::TokenEntry>| {
            tokens.iter().filter(|token| token.initialised).count()
        };
        assert_eq!(count(tokens(&module).expect("a list")), 1);
    });
}

#[test]
fn a_pin_of_a_form_that_the_token_does_not_accept_is_refused() {
    isolated(
        "admin::a_pin_of_a_form_that_the_token_does_not_accept_is_refused",
        || {
            let short = init_token(&softhsm(), None, "operator", &pin("12"), &pin(USER_PIN));
            assert!(
                matches!(short, Err(HsmError::PinForm { min: 4, .. })),
                "{short:?}"
            );
        },
    );
}

#[test]
fn keys_are_listed_and_a_label_is_used_once() {
    isolated("admin::keys_are_listed_and_a_label_is_used_once", || {
        let module = softhsm();
        make_token(&module, "operator");
        let pin = pin(USER_PIN);
        let made = generate_key(&module, &operator(), &pin, "block").expect("a key");
        let secret = Secret::generate();
        let imported = import_key(&module, &operator(), &pin, "peg", &secret).expect("another key");
        assert_eq!(imported.public_key, Some(secret.public_key()));
        assert_eq!(
            keys(&module, &operator(), &pin).expect("a list"),
            [made, imported]
        );
        for taken in [
            generate_key(&module, &operator(), &pin, "block"),
            import_key(&module, &operator(), &pin, "block", &secret),
            generate_key(&module, &operator(), &pin, "peg"),
        ] {
            assert!(
                matches!(taken, Err(HsmError::LabelTaken { .. })),
                "{taken:?}"
            );
        }
        assert_eq!(keys(&module, &operator(), &pin).expect("a list").len(), 2);
    });
}

#[test]
fn the_private_key_cannot_be_extracted() {
    isolated("admin::the_private_key_cannot_be_extracted", || {
        let module = softhsm();
        make_token(&module, "operator");
        generate_key(&module, &operator(), &pin(USER_PIN), "made").expect("a key");
        let secret = Secret::generate();
        import_key(&module, &operator(), &pin(USER_PIN), "imported", &secret).expect("a key");
        // Not through this crate, which offers no such call.
        let pkcs11 = Pkcs11::new(&module).expect("the module");
        match pkcs11.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
            Err(error) => panic!("{error}"),
        }
        let slot = pkcs11.get_slots_with_initialized_token().expect("slots")[0];
        let session = pkcs11.open_rw_session(slot).expect("a session");
        match session.login(UserType::User, Some(&AuthPin::from(USER_PIN))) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {}
            Err(error) => panic!("{error}"),
        }
        let private = session
            .find_objects(&[Attribute::Class(ObjectClass::PRIVATE_KEY)])
            .expect("keys");
        assert_eq!(private.len(), 2);
        for key in private {
            let reported = session
                .get_attributes(
                    key,
                    &[
                        AttributeType::Value,
                        AttributeType::Sensitive,
                        AttributeType::Extractable,
                    ],
                )
                .expect("attributes");
            assert_eq!(
                reported,
                [Attribute::Sensitive(true), Attribute::Extractable(false)]
            );
            let opened = session.update_attributes(key, &[Attribute::Extractable(true)]);
            assert!(opened.is_err(), "{opened:?}");
        }
    });
}
