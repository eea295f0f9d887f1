//! Errors name the fault: module, token, PIN, key.

use std::path::Path;

use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    error::{Error, RvError},
    mechanism::Mechanism,
    object::Attribute,
    session::{Session, UserType},
    types::AuthPin,
};
use federation_signer::{KeySelector, SecretSource, TokenSelector};
use federation_signer_hsm::{
    HsmConfig, HsmError,
    admin::{generate_key, keys},
    testing::{USER_PIN, config, isolated, make_token, pin, softhsm},
};

use crate::refused;

const P256: [u8; 10] = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const SECP256K1: [u8; 7] = [0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x0a];

/// A session that bypasses this crate, for operations it does not offer.
fn session() -> Session {
    let pkcs11 = Pkcs11::new(softhsm()).expect("the module");
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
    session
}

/// Creates a key pair with these attributes of the private key.
fn make_pair(session: &Session, curve: &[u8], label: &str, id: &[u8], sign: bool) {
    let named = [
        Attribute::Token(true),
        Attribute::Label(label.as_bytes().to_vec()),
        Attribute::Id(id.to_vec()),
    ];
    let mut public = named.to_vec();
    public.push(Attribute::EcParams(curve.to_vec()));
    let mut private = named.to_vec();
    private.push(Attribute::Sign(sign));
    session
        .generate_key_pair(&Mechanism::EccKeyPairGen, &public, &private)
        .expect("a pair");
}

#[test]
fn a_path_that_is_not_a_module_is_refused() {
    let missing = refused(config(Path::new("/no/such/module.so"), "x", "x"));
    assert_eq!(missing, HsmError::NoSuchModule("/no/such/module.so".into()));
    let folder = tempfile::tempdir().expect("a folder");
    let text = folder.path().join("module.so");
    std::fs::write(&text, "not a library").expect("a file");
    let no_library = refused(config(&text, "x", "x"));
    assert!(
        matches!(no_library, HsmError::NotAModule { .. }),
        "{no_library:?}"
    );
    let libc = [
        "/lib/x86_64-linux-gnu/libm.so.6",
        "/lib/aarch64-linux-gnu/libm.so.6",
    ]
    .iter()
    .map(Path::new)
    .find(|path| path.exists());
    if let Some(libc) = libc {
        let other = refused(config(libc, "x", "x"));
        assert!(
            matches!(&other, HsmError::NotAModule { reason, .. } if reason.contains("C_GetFunctionList")),
            "{other:?}"
        );
    }
}

#[test]
fn a_missing_token_is_reported_with_those_found() {
    isolated(
        "errors::a_missing_token_is_reported_with_those_found",
        || {
            let module = softhsm();
            make_token(&module, "operator");
            let error = refused(config(&module, "operater", "block"));
            assert_eq!(
                error,
                HsmError::TokenMissing {
                    selector: TokenSelector::Label("operater".to_owned()),
                    found: "`operator`".to_owned(),
                }
            );
        },
    );
}

#[test]
fn a_wrong_pin_is_refused_and_not_shown() {
    isolated("errors::a_wrong_pin_is_refused_and_not_shown", || {
        let module = softhsm();
        make_token(&module, "operator");
        let wrong = HsmConfig::new(
            &module,
            TokenSelector::Label("operator".to_owned()),
            KeySelector::Label("block".to_owned()),
            pin("99999999"),
        );
        assert!(!format!("{wrong:?}").contains("99999999"));
        let error = refused(wrong);
        assert!(matches!(error, HsmError::PinIncorrect { .. }), "{error:?}");
        assert!(!error.is_transient());
        assert!(!format!("{error} {error:?}").contains("99999999"));
    });
}

#[test]
fn a_missing_key_is_reported_with_those_found() {
    isolated("errors::a_missing_key_is_reported_with_those_found", || {
        let module = softhsm();
        make_token(&module, "operator");
        let token = TokenSelector::Label("operator".to_owned());
        let error = refused(config(&module, "operator", "block"));
        assert!(matches!(&error, HsmError::NoKeys { .. }), "{error:?}");
        assert!(error.to_string().contains("keygen"), "{error}");
        generate_key(&module, &token, &pin(USER_PIN), "peg").expect("a key");
        let error = refused(config(&module, "operator", "block"));
        assert!(matches!(&error, HsmError::KeyMissing { found, .. } if found == "`peg`"));
        // There are keys to choose from, so no new one is suggested.
        assert!(!error.to_string().contains("keygen"), "{error}");
    });
}

#[test]
fn two_keys_under_one_label_are_refused_and_distinguished_by_id() {
    isolated(
        "errors::two_keys_under_one_label_are_refused_and_distinguished_by_id",
        || {
            let module = softhsm();
            make_token(&module, "operator");
            let session = session();
            make_pair(&session, &SECP256K1, "block", &[1], true);
            make_pair(&session, &SECP256K1, "block", &[2], true);
            let error = refused(config(&module, "operator", "block"));
            assert!(
                matches!(error, HsmError::KeyAmbiguous { count: 2, .. }),
                "{error:?}"
            );
            let by_id = HsmConfig::new(
                &module,
                TokenSelector::Label("operator".to_owned()),
                KeySelector::Id(vec![2]),
                pin(USER_PIN),
            );
            crate::run(federation_signer_hsm::HsmKey::open(by_id)).expect("the second");
        },
    );
}

#[test]
fn a_key_on_another_curve_is_refused() {
    isolated("errors::a_key_on_another_curve_is_refused", || {
        let module = softhsm();
        make_token(&module, "operator");
        make_pair(&session(), &P256, "block", &[1], true);
        let error = refused(config(&module, "operator", "block"));
        assert!(
            matches!(&error, HsmError::WrongCurve { found, .. } if found == "on the curve P-256"),
            "{error:?}"
        );
        assert!(!error.to_string().contains("keygen"), "{error}");
        let token = TokenSelector::Label("operator".to_owned());
        let listed = keys(&module, &token, &pin(USER_PIN)).expect("a list");
        assert_eq!(listed.len(), 1);
        assert!(listed[0].public_key.is_none() && listed[0].problem.is_some());
    });
}

#[test]
fn a_key_that_may_not_sign_is_refused() {
    isolated("errors::a_key_that_may_not_sign_is_refused", || {
        let module = softhsm();
        make_token(&module, "operator");
        make_pair(&session(), &SECP256K1, "block", &[1], false);
        assert_eq!(
            refused(config(&module, "operator", "block")),
            HsmError::NotForSigning(KeySelector::Label("block".to_owned()))
        );
    });
}

#[test]
fn mismatched_private_and_public_keys_are_detected_at_the_start() {
    isolated(
        "errors::mismatched_private_and_public_keys_are_detected_at_the_start",
        || {
            use cryptoki::object::{AttributeType, ObjectClass};

            let module = softhsm();
            make_token(&module, "operator");
            let session = session();
            make_pair(&session, &SECP256K1, "block", &[1], true);
            make_pair(&session, &SECP256K1, "other", &[2], true);
            // The other key's public key replaces the right one.
            let public = |id: u8| {
                let template = [
                    Attribute::Class(ObjectClass::PUBLIC_KEY),
                    Attribute::Id(vec![id]),
                ];
                session.find_objects(&template).expect("objects")[0]
            };
            session.destroy_object(public(1)).expect("destroyed");
            // Without it, signatures determine the public key; a wrong one is not corrected.
            crate::run(federation_signer_hsm::HsmKey::open(config(
                &module, "operator", "block",
            )))
            .expect("the key");
            session
                .update_attributes(public(2), &[Attribute::Id(vec![1])])
                .expect("changed");
            let reported = session
                .get_attributes(public(1), &[AttributeType::Label])
                .expect("its label");
            assert_eq!(reported, [Attribute::Label(b"other".to_vec())]);
            assert_eq!(
                refused(config(&module, "operator", "block")),
                HsmError::BadSignature
            );
        },
    );
}

#[test]
fn the_pin_comes_from_a_file() {
    isolated("errors::the_pin_comes_from_a_file", || {
        use std::{io::Write, os::unix::fs::OpenOptionsExt};

        let module = softhsm();
        make_token(&module, "operator");
        let token = TokenSelector::Label("operator".to_owned());
        generate_key(&module, &token, &pin(USER_PIN), "block").expect("a key");
        let path = federation_signer_hsm::testing::tokens_here().with_file_name("pin");
        let mut file = std::fs::OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(&path)
            .expect("a file");
        writeln!(file, "{USER_PIN}").expect("the PIN");
        let read = SecretSource::File(path).read("the PIN").expect("one line");
        let config = HsmConfig::new(&module, token, KeySelector::Label("block".to_owned()), read);
        crate::run(federation_signer_hsm::HsmKey::open(config)).expect("the key");
    });
}
