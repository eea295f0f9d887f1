//! Reading pass phrases and secret keys.

use std::path::Path;

use federation_cli::CliError;
use federation_keystore::Passphrase;
use federation_multisig::Network;
use federation_signer::{Secret, SecretSource, key_file};
use zeroize::Zeroizing;

use crate::input;

/// Reads the pass phrase of an existing file.
pub(crate) fn passphrase(source: &SecretSource, file: &Path) -> Result<Passphrase, CliError> {
    read(source, &format!("pass phrase of {}", file.display())).map(Passphrase::new)
}

/// Reads a pass phrase for a new file; at the terminal it is asked for twice.
pub(super) fn new_passphrase(source: &SecretSource, file: &Path) -> Result<Passphrase, CliError> {
    let text = read(source, &format!("new pass phrase for {}", file.display()))?;
    if *source == SecretSource::Prompt && read(source, "the same again")? != text {
        return Err(CliError::failure(
            "the two pass phrases differ",
            "type the same pass phrase twice",
        ));
    }
    Passphrase::for_new_file(text)
        .map_err(|error| CliError::failure(error, "use --generate for one of 140 random bits"))
}

fn read(source: &SecretSource, what: &str) -> Result<Zeroizing<String>, CliError> {
    source.read(what).map_err(|error| {
        CliError::failure(
            with_causes(&error),
            "choose another source with --passphrase",
        )
    })
}

/// Reads a secret key from a key file or standard input.
pub(crate) fn read_key(file: Option<&Path>, network: &Network) -> Result<Secret, CliError> {
    if let Some(file) = file {
        return key_file::read(file, network)
            .map_err(|error| CliError::failure(with_causes(&error), "check --from"));
    }
    input::secret(None, network)
}

/// Formats an error and its causes on one line.
pub(crate) fn with_causes(error: &dyn core::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
