//! SoftHSM tokens in a temporary folder, for tests of this crate and its users.
//!
//! SoftHSM reads `SOFTHSM2_CONF` once per process, so each test needs its own process: [`isolated`]
//! runs the test program again for one test, with the variable set. The functions panic on failure,
//! with a message that says what is missing.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use federation_signer::{KeySelector, TokenSelector};
use tempfile::TempDir;
use zeroize::Zeroizing;

use crate::{HsmConfig, Pin, admin};

/// The variable that names the test which a process runs by itself.
const CHILD: &str = "FEDERATION_SOFTHSM_TEST";

/// The user PIN of tokens created here.
pub const USER_PIN: &str = "12345678";

/// The security officer's PIN of tokens created here.
pub const SO_PIN: &str = "87654321";

/// The usual paths of SoftHSM's library.
const PLACES: [&str; 7] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
    "/usr/lib/pkcs11/libsofthsm2.so",
];

/// SoftHSM's library: `$SOFTHSM2_MODULE`, or at one of the usual paths.
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

/// Creates a folder for tokens, with a configuration that refers to it.
///
/// # Panics
/// If it cannot be created.
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

/// Returns the configuration in a folder made by [`token_folder`], for `SOFTHSM2_CONF`.
#[must_use]
pub fn conf_of(folder: &Path) -> PathBuf {
    folder.join("softhsm2.conf")
}

/// Returns the folder of the tokens, in a process started by [`isolated`].
///
/// # Panics
/// In any other process.
#[must_use]
pub fn tokens_here() -> PathBuf {
    let conf = std::env::var_os("SOFTHSM2_CONF").expect("a process of `isolated`");
    Path::new(&conf).with_file_name("tokens")
}

/// Runs a test in its own process with an empty folder for tokens. `name` is the name of the test
/// as the test program lists it.
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

/// Returns a PIN from a string in a test.
#[must_use]
pub fn pin(text: &str) -> Pin {
    Zeroizing::new(text.to_owned()).into()
}

/// Creates a token with [`USER_PIN`].
///
/// # Panics
/// If that fails.
pub fn make_token(module: &Path, label: &str) {
    admin::init_token(module, None, label, &pin(SO_PIN), &pin(USER_PIN)).expect("a new token");
}

/// Returns the configuration of a key in a token made by [`make_token`], selected by labels.
#[must_use]
pub fn config(module: &Path, token: &str, key: &str) -> HsmConfig {
    HsmConfig::new(
        module,
        TokenSelector::Label(token.to_owned()),
        KeySelector::Label(key.to_owned()),
        pin(USER_PIN),
    )
}
