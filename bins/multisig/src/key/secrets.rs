//! Reading pass phrases and secret keys.

use std::path::Path;

use federation_cli::CliError;
use federation_keystore::Passphrase;
use federation_multisig::Network;
use federation_signer::{Secret, SecretSource, key_file};
use zeroize::Zeroizing;

use crate::input;

/// The pass phrase of a file that is there.
pub(crate) fn passphrase(source: &SecretSource, file: &Path) -> Result<Passphrase, CliError> {
    read(source, &format!("pass phrase of {}", file.display())).map(Passphrase::new)
}

/// A pass phrase for a file, asked for twice at the terminal.
pub(super) fn new_passphrase(source: &SecretSource, file: &Path) -> Result<Passphrase, CliError> {
    let text = read(source, &format!("new pass phrase for {}", file.display()))?;
    if *source == SecretSource::Prompt && read(source, "the same again")? != text {
        return Err(CliError::failure(
            "the two pass phrases differ",
            "type the same twice",
        ));
    }
    Passphrase::for_new_file(text)
        .map_err(|error| CliError::failure(error, "--generate makes one of 140 bits"))
}

fn read(source: &SecretSource, what: &str) -> Result<Zeroizing<String>, CliError> {
    source.read(what).map_err(|error| {
        CliError::failure(with_causes(&error), "give another source with --passphrase")
    })
}

/// A secret key from a key file or the standard input.
pub(crate) fn read_key(file: Option<&Path>, network: &Network) -> Result<Secret, CliError> {
    if let Some(file) = file {
        return key_file::read(file, network)
            .map_err(|error| CliError::failure(with_causes(&error), "check --from"));
    }
    input::secret(None, network)
}

/// An error with its causes, in one line.
pub(crate) fn with_causes(error: &dyn core::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
