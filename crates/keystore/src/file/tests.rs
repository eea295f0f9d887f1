//! Files are written, opened, altered, and given other pass phrases.

use std::{
    fs,
    io::{Read, Write},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
};

use proptest::prelude::*;
use zeroize::Zeroizing;

use super::*;

const QUICK: WorkFactor = WorkFactor::insecure_for_tests();

fn phrase(text: &str) -> Passphrase {
    Passphrase::new(Zeroizing::new(text.to_owned()))
}

fn create_keystore(role: KeyRole) -> (tempfile::TempDir, PathBuf, Secret) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("block.key");
    let secret = Secret::generate();
    create(&path, role, &secret, &phrase("correct horse"), QUICK).expect("a new file");
    (folder, path, secret)
}

/// Overwrites the file and keeps its mode.
fn overwrite(path: &Path, text: &str) {
    fs::write(path, text).expect("writable");
}

#[test]
fn a_keystore_opens_only_with_its_pass_phrase() {
    for role in KeyRole::ALL {
        let (_folder, path, secret) = create_keystore(role);
        let (head, opened) = open(&path, &phrase("correct horse")).expect("the right pass phrase");
        assert_eq!(head, Head::new(role, secret.public_key()));
        assert_eq!(*opened.to_hex(), *secret.to_hex());
        assert_eq!(read_head(&path).expect("a keystore"), head);
        for wrong in ["", "correct hors", "Correct horse", "correct horse "] {
            assert!(matches!(
                open(&path, &phrase(wrong)),
                Err(KeystoreError::WrongPassphrase(_))
            ));
        }
    }
}

#[test]
fn a_key_is_opened_only_for_its_role() {
    let (_folder, path, secret) = create_keystore(KeyRole::Peg);
    let passphrase = phrase("correct horse");
    let opened = open_as(&path, KeyRole::Peg, &passphrase).expect("its role");
    assert_eq!(opened.public_key(), secret.public_key());
    assert!(matches!(
        open_as(&path, KeyRole::Block, &passphrase),
        Err(KeystoreError::OtherRole {
            expected: KeyRole::Block,
            found: KeyRole::Peg,
            ..
        })
    ));
}

#[test]
fn the_file_is_accessible_to_its_owner_only_and_holds_no_secret_in_clear_text() {
    let (_folder, path, secret) = create_keystore(KeyRole::Block);
    let mode = fs::metadata(&path).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let text = fs::read_to_string(&path).expect("text");
    assert!(!text.contains(&secret.to_hex()[..8]));
    assert!(text.contains(&secret.public_key().to_string()));
}

#[test]
fn a_file_that_other_users_can_read_is_refused() {
    let (_folder, path, _) = create_keystore(KeyRole::Block);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("ours");
    assert!(matches!(
        open(&path, &phrase("correct horse")),
        Err(KeystoreError::OpenToOthers { mode: 0o640, .. })
    ));
}

#[test]
fn a_file_is_never_overwritten_by_a_new_key() {
    let (_folder, path, secret) = create_keystore(KeyRole::Block);
    let again = create(
        &path,
        KeyRole::Block,
        &Secret::generate(),
        &phrase("x"),
        QUICK,
    );
    assert!(matches!(again, Err(KeystoreError::Exists(_))), "{again:?}");
    let (_, opened) = open(&path, &phrase("correct horse")).expect("as before");
    assert_eq!(opened.public_key(), secret.public_key());
}

#[test]
fn an_altered_header_is_detected() {
    let (_folder, path, secret) = create_keystore(KeyRole::Block);
    let text = fs::read_to_string(&path).expect("text");
    let ours = secret.public_key().to_string();
    let other = Secret::generate().public_key().to_string();
    for altered in [
        text.replace("role: block", "role: peg"),
        text.replace(&ours, &other),
    ] {
        overwrite(&path, &altered);
        assert!(matches!(
            open(&path, &phrase("correct horse")),
            Err(KeystoreError::AlteredHead(_))
        ));
    }
}

#[test]
fn a_plain_key_file_is_not_a_keystore() {
    let (_folder, path, secret) = create_keystore(KeyRole::Block);
    assert!(is_keystore(&path));
    overwrite(&path, &secret.to_hex());
    assert!(!is_keystore(&path));
    let error = open(&path, &phrase("x")).expect_err("a plain key");
    assert!(!format!("{error} {error:?}").contains(&secret.to_hex()[..8]));
}

#[test]
fn a_file_that_requires_gigabytes_is_refused_without_deriving_the_key() {
    let (_folder, path, _) = create_keystore(KeyRole::Block);
    let text = fs::read_to_string(&path).expect("text");
    let (head, body) = Head::parse(&text).expect("a head");
    let mut age = Vec::new();
    age::armor::ArmoredReader::new(body.as_bytes())
        .read_to_end(&mut age)
        .expect("armored");
    // The factor is the last word of the second line.
    let at = age
        .windows(3)
        .position(|window| window == b" 2\n")
        .expect("the factor");
    age.splice(at + 1..at + 2, *b"30");
    let mut armored = age::armor::ArmoredWriter::wrap_output(
        head.to_string().into_bytes(),
        age::armor::Format::AsciiArmor,
    )
    .expect("a writer");
    armored.write_all(&age).expect("in memory");
    let text = armored.finish().expect("in memory");
    overwrite(&path, core::str::from_utf8(&text).expect("text"));
    assert!(matches!(
        open(&path, &phrase("correct horse")),
        Err(KeystoreError::ExcessiveWork { required: 30, .. })
    ));
}

#[test]
fn changing_the_pass_phrase_keeps_the_key() {
    let (folder, path, secret) = create_keystore(KeyRole::Identity);
    let wrong = change_passphrase(&path, &phrase("wrong"), &phrase("new"), QUICK);
    assert!(matches!(wrong, Err(KeystoreError::WrongPassphrase(_))));
    let new = Passphrase::generate();
    change_passphrase(&path, &phrase("correct horse"), &new, QUICK).expect("the old one");
    assert!(open(&path, &phrase("correct horse")).is_err());
    let (head, opened) = open(&path, &new).expect("the new one");
    assert_eq!(head.role(), KeyRole::Identity);
    assert_eq!(opened.public_key(), secret.public_key());
    let mode = fs::metadata(&path).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let files = fs::read_dir(folder.path()).expect("ours").count();
    assert_eq!(files, 1, "no temporary file remains");
}

#[test]
fn a_folder_a_missing_file_and_a_huge_file_are_refused() {
    let (folder, path, _) = create_keystore(KeyRole::Block);
    assert!(matches!(
        open(folder.path(), &phrase("x")),
        Err(KeystoreError::NotAFile(_))
    ));
    assert!(matches!(
        open(&folder.path().join("none"), &phrase("x")),
        Err(KeystoreError::Io { action: "read", .. })
    ));
    overwrite(&path, &"x".repeat(MAX_BYTES + 1));
    assert!(matches!(
        open(&path, &phrase("x")),
        Err(KeystoreError::Format { .. })
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_damaged_file_never_opens_as_another_key(at in 0_usize..700, byte in 32_u8..127) {
        let (_folder, path, secret) = create_keystore(KeyRole::Block);
        let mut text = fs::read(&path).expect("text");
        let at = at % text.len();
        text[at] = byte;
        fs::write(&path, &text).expect("ours");
        if let Ok((head, opened)) = open(&path, &phrase("correct horse")) {
            prop_assert_eq!(head.role(), KeyRole::Block);
            prop_assert_eq!(opened.public_key(), secret.public_key());
        }
    }
}
