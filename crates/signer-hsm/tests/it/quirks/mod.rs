//! Differences of other modules from SoftHSM, imitated by a module that is SoftHSM with switchable
//! quirks. Each test names the quirks and checks that the crate copes with them.

mod finding;
mod hanging;
mod making;
mod sessions;
mod signing;
mod tokens;

use std::{fs, path::PathBuf, process::Command};

use federation_signer::{KeySelector, TokenSelector};
use federation_signer_hsm::{
    HsmConfig, HsmError, HsmKey, HsmSigner,
    admin::{KeyEntry, find_key, generate_key},
    testing::{SO_PIN, USER_PIN, config, make_token, pin, softhsm, tokens_here},
};

use crate::run;

/// The module with quirks.
struct Quirky {
    module: PathBuf,
    folder: PathBuf,
}

impl Quirky {
    /// Without a token.
    fn bare() -> Self {
        let folder = tokens_here().parent().expect("its folder").to_owned();
        let module = folder.join("quirks.so");
        let text = |name: &str, value: &str| format!("-D{name}=\"{value}\"");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(&module)
            .arg(text("REAL", &softhsm().display().to_string()))
            .arg(text("FOLDER", &folder.display().to_string()))
            .arg(text("PIN", USER_PIN))
            .arg(text("SO_PIN", SO_PIN))
            .arg(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/tests/it/quirks/quirks.c"
            ))
            .args(["-ldl", "-lpthread"])
            .status()
            .expect("a C compiler");
        assert!(built.success());
        Self { module, folder }
    }

    /// With a token `operator` and its key `block`, created before any quirks.
    fn new() -> (Self, KeyEntry) {
        let quirky = Self::bare();
        make_token(&quirky.module, "operator");
        let key = quirky.generate("block").expect("a key");
        quirky.clear_calls();
        (quirky, key)
    }

    /// Sets the quirks of the module from the next call on.
    fn set(&self, quirks: &str) {
        // Atomically, so that no half-written line is read.
        let next = self.folder.join("next");
        fs::write(&next, quirks).expect("writable");
        fs::rename(next, self.folder.join("quirks")).expect("writable");
    }

    /// The number of recorded calls that begin like this.
    fn calls(&self, begin: &str) -> usize {
        let calls = fs::read_to_string(self.folder.join("calls")).unwrap_or_default();
        calls.lines().filter(|line| line.starts_with(begin)).count()
    }

    fn clear_calls(&self) {
        fs::write(self.folder.join("calls"), "").expect("writable");
    }

    fn token() -> TokenSelector {
        TokenSelector::Label("operator".to_owned())
    }

    fn generate(&self, label: &str) -> Result<KeyEntry, HsmError> {
        generate_key(&self.module, &Self::token(), &pin(USER_PIN), label)
    }

    fn find(&self, label: &str) -> Result<KeyEntry, HsmError> {
        let key = KeySelector::Label(label.to_owned());
        find_key(&self.module, &Self::token(), &pin(USER_PIN), &key)
    }

    fn config(&self, label: &str) -> HsmConfig {
        config(&self.module, "operator", label).with_sessions(1)
    }

    fn open(&self, label: &str) -> Result<HsmKey, HsmError> {
        run(HsmKey::open(self.config(label)))
    }

    async fn signer(&self) -> HsmSigner {
        let key = HsmKey::open(self.config("block")).await;
        HsmSigner::new(key.expect("the key"))
    }
}
