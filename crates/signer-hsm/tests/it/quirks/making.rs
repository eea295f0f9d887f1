//! Keys are generated and imported with as many attributes as a module accepts.

use federation_signer::Secret;
use federation_signer_hsm::{
    HsmError,
    admin::{import_key, keys},
    testing::{USER_PIN, isolated, pin},
};

use super::Quirky;

impl Quirky {
    fn import(
        &self,
        label: &str,
        secret: &Secret,
    ) -> Result<federation_signer_hsm::admin::KeyEntry, HsmError> {
        // For quirks where the module computes the public key itself.
        let point = secret.public_key().serialize_uncompressed();
        std::fs::write(self.folder.join("point"), point).expect("writable");
        import_key(&self.module, &Self::token(), &pin(USER_PIN), label, secret)
    }
}

#[test]
fn a_key_is_generated_with_the_largest_template_that_the_module_accepts() {
    isolated(
        "quirks::making::a_key_is_generated_with_the_largest_template_that_the_module_accepts",
        || {
            let (quirky, _) = Quirky::new();
            for (case, id) in [
                ("", 8),
                ("pubmustbeprivate", 8),
                ("needkeytype", 8),
                ("needderive", 8),
                ("idmax2", 2),
                ("noidtemplate", 0),
                ("pubmustbeprivate,noidtemplate,needkeytype,needderive", 0),
            ] {
                quirky.set(case);
                let label = format!("made {case}");
                let made = quirky.generate(&label);
                let made = made.unwrap_or_else(|error| panic!("{case}: {error}"));
                assert_eq!(made.id.len(), id, "{case}");
                assert_eq!(made.extractable, Some(false), "{case}");
                let open = quirky.open(&label).expect("the new key");
                assert_eq!(Some(open.public_key()), made.public_key, "{case}");
                assert_eq!(quirky.find(&label), Ok(made), "{case}");
            }
        },
    );
}

#[test]
fn a_new_key_is_used_by_its_handle() {
    isolated("quirks::making::a_new_key_is_used_by_its_handle", || {
        let (quirky, _) = Quirky::new();
        // None of these would be found by the id or label given at its creation.
        for case in [
            "id2",
            "privid=xx",
            "privid=none,padlabel=nul",
            "nopub,id2",
            "ecpoint=none",
        ] {
            quirky.set(case);
            let label = format!("made {case}");
            let made = quirky.generate(&label);
            let made = made.unwrap_or_else(|error| panic!("{case}: {error}"));
            let secret = Secret::generate();
            let imported = quirky.import(&format!("put {case}"), &secret);
            let imported = imported.unwrap_or_else(|error| panic!("{case}: {error}"));
            assert_eq!(imported.public_key, Some(secret.public_key()), "{case}");
            quirky.set("");
            let open = quirky.open(&label).expect("the new key");
            assert_eq!(Some(open.public_key()), made.public_key, "{case}");
        }
    });
}

#[test]
fn a_key_is_imported_with_or_without_a_public_key_object() {
    isolated(
        "quirks::making::a_key_is_imported_with_or_without_a_public_key_object",
        || {
            let (quirky, _) = Quirky::new();
            for case in ["", "virtualpub", "nopubcreate", "idmax2", "noidtemplate"] {
                quirky.set(case);
                let secret = Secret::generate();
                let label = format!("put {case}");
                let put = quirky.import(&label, &secret);
                let put = put.unwrap_or_else(|error| panic!("{case}: {error}"));
                assert_eq!(put.public_key, Some(secret.public_key()), "{case}");
                assert_eq!(put.extractable, Some(false), "{case}");
                let open = quirky.open(&label).expect("the key");
                assert_eq!(open.public_key(), secret.public_key(), "{case}");
            }
            assert_eq!(quirky.calls("its own public key -> 0"), 1);
        },
    );
}

#[test]
fn an_imported_key_is_never_destroyed() {
    isolated("quirks::making::an_imported_key_is_never_destroyed", || {
        let (quirky, _) = Quirky::new();
        let secret = Secret::generate();
        // It is in the token, but cannot prove that it signs: the module is out of memory.
        quirky.set("nopubcreate,every=1,code=2");
        let failed = quirky.import("peg", &secret);
        assert!(
            matches!(&failed, Err(HsmError::LeftThere { label, .. }) if label == "peg"),
            "{failed:?}"
        );
        quirky.set("");
        assert_eq!(quirky.calls("C_DestroyObject"), 0);
        let listed = keys(&quirky.module, &Quirky::token(), &pin(USER_PIN)).expect("a list");
        assert_eq!(listed.len(), 2);
        let open = quirky.open("peg").expect("the key");
        assert_eq!(open.public_key(), secret.public_key());
    });
}

#[test]
fn a_module_without_key_import_is_reported() {
    isolated(
        "quirks::making::a_module_without_key_import_is_reported",
        || {
            let (quirky, _) = Quirky::new();
            quirky.set("nocreate");
            let refused = quirky.import("peg", &Secret::generate());
            assert!(matches!(refused, Err(HsmError::NoImport(_))), "{refused:?}");
        },
    );
}

#[test]
fn a_label_used_with_padding_is_refused() {
    isolated(
        "quirks::making::a_label_used_with_padding_is_refused",
        || {
            let (quirky, _) = Quirky::new();
            for case in ["padlabel=blanks", "padlabel=nul", "padlabel=front"] {
                quirky.set(case);
                for taken in [
                    quirky.generate("block"),
                    quirky.import("block", &Secret::generate()),
                ] {
                    assert!(
                        matches!(taken, Err(HsmError::LabelTaken { .. })),
                        "{case}: {taken:?}"
                    );
                }
            }
        },
    );
}
