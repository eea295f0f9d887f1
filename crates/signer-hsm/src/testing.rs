//! SoftHSM tokens in a temporary folder, for the tests of whoever uses this crate.
//!
//! SoftHSM reads `SOFTHSM2_CONF` once per process, so a test runs in a process of its own:
//! [`isolated`] starts the test's program again for this test only, with the variable set. The
//! functions panic by design, with a message that says what is missing.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use federation_signer::{KeySelector, TokenSelector};
use tempfile::TempDir;
use zeroize::Zeroizing;

use crate::{HsmConfig, Pin, admin};

/// Says which test a process is to run by itself.
const CHILD: &str = "FEDERATION_SOFTHSM_TEST";

/// The user PIN of tokens made here.
pub const USER_PIN: &str = "12345678";

/// The security officer's PIN of tokens made here.
pub const SO_PIN: &str = "87654321";

/// Where systems have SoftHSM's library.
const PLACES: [&str; 7] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
    "/usr/lib/pkcs11/libsofthsm2.so",
];

/// SoftHSM's library: `$SOFTHSM2_MODULE`, or where systems have it.
///
/// # Panics
/// If it is not installed.
#[must_use]
pub fn softhsm() -> PathBuf {
    std::env::var_os("SOFTHSM2_MODULE")
        .map(PathBuf::from)
        .or_else(|| {
            PLACES
                .iter()
                .map(PathBuf::from)
                .find(|place| place.exists())
        })
        .expect("SoftHSM 2: install softhsm2, or set SOFTHSM2_MODULE to its library")
}

/// A folder for tokens, with the configuration that names it.
///
/// # Panics
/// If it cannot be made.
#[must_use]
pub fn token_folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let tokens = folder.path().join("tokens");
    std::fs::create_dir(&tokens).expect("a folder for the tokens");
    let conf = format!(
        "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
        tokens.display()
    );
    std::fs::write(conf_of(folder.path()), conf).expect("the configuration");
    folder
}

/// The configuration in a folder of [`token_folder`], for `SOFTHSM2_CONF`.
#[must_use]
pub fn conf_of(folder: &Path) -> PathBuf {
    folder.join("softhsm2.conf")
}

/// The folder of the tokens, in a process of [`isolated`].
///
/// # Panics
/// In any other process.
#[must_use]
pub fn tokens_here() -> PathBuf {
    let conf = std::env::var_os("SOFTHSM2_CONF").expect("a process of `isolated`");
    Path::new(&conf).with_file_name("tokens")
}

/// Runs a test in a process of its own with an empty folder for tokens. `name` is the test's, as
/// the test program lists it.
///
/// # Panics
/// If the test fails there.
pub fn isolated(name: &str, test: impl FnOnce()) {
    if std::env::var(CHILD).is_ok_and(|child| child == name) {
        return test();
    }
    let folder = token_folder();
    let output = Command::new(std::env::current_exe().expect("this program"))
        .args([name, "--exact", "--nocapture", "--include-ignored"])
        .env(CHILD, name)
        .env("SOFTHSM2_CONF", conf_of(folder.path()))
        .output()
        .expect("this program runs again");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "`{name}` in its own process, {}:\n{text}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A PIN from a text in a test.
#[must_use]
pub fn pin(text: &str) -> Pin {
    Zeroizing::new(text.to_owned()).into()
}

/// Makes a token with [`USER_PIN`].
///
/// # Panics
/// If that fails.
pub fn make_token(module: &Path, label: &str) {
    admin::init_token(module, None, label, &pin(SO_PIN), &pin(USER_PIN)).expect("a new token");
}

/// How to open a key of a token of [`make_token`], by their labels.
#[must_use]
pub fn config(module: &Path, token: &str, key: &str) -> HsmConfig {
    HsmConfig::new(
        module,
        TokenSelector::Label(token.to_owned()),
        KeySelector::Label(key.to_owned()),
        pin(USER_PIN),
    )
}
