//! Keys are found in whatever form a module presents them.

use federation_signer::{KeySelector, Secret, TokenSelector};
use federation_signer_hsm::{
    HsmConfig, HsmError, HsmKey,
    admin::{find_key, keys, tokens},
    testing::{USER_PIN, isolated, pin},
};

use super::Quirky;
use crate::{refused, run};

/// With each of these quirks the key `block` is found and used as without them.
fn found_with_each(cases: &[&str]) {
    let (quirky, key) = Quirky::new();
    for case in cases {
        quirky.set(case);
        let found = quirky.find("block");
        assert_eq!(
            found.map(|found| found.public_key),
            Ok(key.public_key),
            "{case}"
        );
        let open = quirky.open("block");
        assert_eq!(
            open.map(|key| Some(key.public_key())).as_ref(),
            Ok(&key.public_key),
            "{case}"
        );
    }
}

#[test]
fn a_public_key_is_read_in_every_form() {
    isolated(
        "quirks::finding::a_public_key_is_read_in_every_form",
        || {
            let (quirky, key) = Quirky::new();
            for form in [
                "raw", "xy", "long", "longer", "bits", "spki", "hybrid", "comp", "rawcomp", "trail",
            ] {
                quirky.set(&format!("ecpoint={form}"));
                let found = quirky.find("block").map(|found| found.public_key);
                assert_eq!(found, Ok(key.public_key), "{form}");
            }
            // It was read, not determined by signatures.
            assert_eq!(quirky.calls("C_Sign"), 0);
        },
    );
}

#[test]
fn a_missing_public_key_is_determined_by_signatures() {
    isolated(
        "quirks::finding::a_missing_public_key_is_determined_by_signatures",
        || found_with_each(&["nopub", "ecpoint=none", "pubid=zz"]),
    );
}

#[test]
fn listing_keys_signs_nothing() {
    isolated("quirks::finding::listing_keys_signs_nothing", || {
        let (quirky, key) = Quirky::new();
        let listed = || keys(&quirky.module, &Quirky::token(), &pin(USER_PIN)).expect("a list");
        assert_eq!(listed(), [key]);
        quirky.set("nopub");
        let [unknown] = &listed()[..] else {
            panic!("one key");
        };
        assert_eq!(unknown.public_key, None);
        let problem = unknown.problem.as_deref().unwrap_or_default();
        assert!(problem.contains("multisig hsm pubkey"), "{problem}");
        assert_eq!(quirky.calls("C_Sign"), 0);
    });
}

#[test]
fn the_expected_key_replaces_a_missing_public_key_if_a_signature_confirms_it() {
    isolated(
        "quirks::finding::the_expected_key_replaces_a_missing_public_key_if_a_signature_confirms_it",
        || {
            let (quirky, key) = Quirky::new();
            let expected = key.public_key.expect("a key");
            quirky.set("nopub");
            let config = quirky.config("block").with_public_key(expected);
            let open = run(HsmKey::open(config)).expect("the key");
            assert_eq!(open.public_key(), expected);
            assert_eq!(quirky.calls("C_Sign"), 1, "only the proof");
            let other = Secret::generate().public_key();
            let config = quirky.config("block").with_public_key(other);
            assert_eq!(refused(config), HsmError::BadSignature);
        },
    );
}

#[test]
fn a_curve_is_recognised_by_identifier_name_or_parameters() {
    isolated(
        "quirks::finding::a_curve_is_recognised_by_identifier_name_or_parameters",
        || {
            let forms = ["name", "utf8name", "barename", "bareoid", "explicit"];
            let both = |form| format!("privparams={form},pubparams={form}");
            let (quirky, key) = Quirky::new();
            for form in forms {
                quirky.set(&both(form));
                let found = quirky.find("block").map(|found| found.public_key);
                assert_eq!(found, Ok(key.public_key), "{form}");
            }
            assert_eq!(quirky.calls("C_Sign"), 0);
        },
    );
}

#[test]
fn an_unreported_curve_is_recognised_by_the_public_key_or_by_signatures() {
    isolated(
        "quirks::finding::an_unreported_curve_is_recognised_by_the_public_key_or_by_signatures",
        || {
            found_with_each(&[
                "privparams=none",
                "privparams=empty",
                "privparams=zeros",
                "privparams=none,pubparams=none",
                "privparams=empty,pubparams=zeros,nopub",
            ]);
        },
    );
}

#[test]
fn unreported_attributes_are_not_needed() {
    isolated(
        "quirks::finding::unreported_attributes_are_not_needed",
        || {
            found_with_each(&[
                "privid=empty",
                "privid=none",
                "pubid=empty",
                "pubid=none",
                "nosignattr",
                "allornothing",
                "allornothing,privid=none",
                "allornothing,nosignattr,privparams=none",
            ]);
        },
    );
}

#[test]
fn padding_of_labels_is_ignored() {
    isolated("quirks::finding::padding_of_labels_is_ignored", || {
        found_with_each(&[
            "padlabel=blanks",
            "padlabel=nul",
            "padlabel=front",
            "padtoken=nul",
            "padtoken=front",
            "padlabel=nul,padtoken=nul",
        ]);
    });
}

#[test]
fn padding_of_selectors_is_ignored() {
    isolated("quirks::finding::padding_of_selectors_is_ignored", || {
        let (quirky, key) = Quirky::new();
        let serial = tokens(&quirky.module).expect("tokens").remove(0).serial;
        for (quirks, token, label) in [
            ("", TokenSelector::Label("operator  ".to_owned()), "block "),
            (
                "padlabel=nul",
                TokenSelector::Label(" operator".to_owned()),
                " block",
            ),
            (
                "padtoken=front",
                TokenSelector::Serial(format!("{serial} ")),
                "block\0",
            ),
        ] {
            quirky.set(quirks);
            let chosen = KeySelector::Label(label.to_owned());
            let config = HsmConfig::new(&quirky.module, token, chosen, pin(USER_PIN));
            let open = run(HsmKey::open(config)).expect("the key");
            assert_eq!(Some(open.public_key()), key.public_key, "{quirks}");
        }
    });
}

#[test]
fn a_key_is_found_by_its_id_even_if_the_module_does_not_search_by_it() {
    isolated(
        "quirks::finding::a_key_is_found_by_its_id_even_if_the_module_does_not_search_by_it",
        || {
            let (quirky, key) = Quirky::new();
            quirky.set("id2");
            let id = KeySelector::Id(key.id.clone());
            let found = find_key(&quirky.module, &Quirky::token(), &pin(USER_PIN), &id);
            assert_eq!(found, Ok(key));
        },
    );
}
