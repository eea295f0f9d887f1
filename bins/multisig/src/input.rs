//! What verbs are given: scripts and keys as arguments, secrets from files and the standard input.

use std::{io::Read, path::Path};

use federation_cli::CliError;
use federation_multisig::{KeyOrder, MultisigScript, Network, PublicKey, Threshold};
use federation_signer::{Secret, key_file};
use zeroize::{Zeroize, Zeroizing};

/// A key with white space around it has far fewer bytes.
const MAX_SECRET: u64 = 1024;

/// A public key given as an argument.
pub(crate) fn public_key(text: &str) -> Result<PublicKey, CliError> {
    let compressed = text.len() == 66;
    text.parse()
        .ok()
        .filter(|_| compressed)
        .ok_or_else(|| match text.len() {
            // It may be a secret key: not shown.
            64 | 51..=53 => CliError::usage(
                "this is no public key; it looks like a secret one, and is now in your shell's history",
                "give public keys, 66 hexadecimal digits each; if it was a secret key, use it no more",
            ),
            _ => CliError::usage(
                format!("`{}` is no compressed public key", shortened(text)),
                "give 66 hexadecimal digits that begin with 02 or 03",
            ),
        })
}

/// A script of keys given as arguments.
pub(crate) fn script(
    threshold: u8,
    keys: Vec<PublicKey>,
    order: KeyOrder,
    insecure_minority: bool,
) -> Result<MultisigScript, CliError> {
    let wrong = |error: &dyn core::fmt::Display| {
        CliError::usage(
            error,
            "give M with -m, and N different keys, with M not above N",
        )
    };
    let parsed = Threshold::new(threshold).map_err(|error| wrong(&error))?;
    let script = MultisigScript::new(parsed, keys, order).map_err(|error| wrong(&error))?;
    let n = script.keys().len();
    if 2 * parsed.to_usize() <= n && !insecure_minority {
        return Err(CliError::usage(
            format!("{threshold} of {n} is no majority: two halves could each make blocks"),
            "choose M above N/2, or say --insecure-minority if this is no signblockscript",
        ));
    }
    Ok(script)
}

/// One secret key, as hex or WIF, from a file or the standard input.
pub(crate) fn secret(file: Option<&Path>, network: &Network) -> Result<Secret, CliError> {
    if let Some(path) = file {
        return key_file::read(path, network).map_err(|error| {
            CliError::failure(
                with_source(&error),
                "give a plain key file with --file; an encrypted one is for `multisig key`",
            )
        });
    }
    // Room for all of it from the start, so that no copy is left behind in memory.
    let mut text = Zeroizing::new(String::with_capacity(MAX_SECRET as usize + 1));
    let read = std::io::stdin()
        .lock()
        .take(MAX_SECRET)
        .read_to_string(&mut text);
    if let Err(error) = read {
        text.zeroize();
        return Err(CliError::failure(error, "pipe the key into the program"));
    }
    let text = text.trim_ascii();
    let parsed = if text.len() == 64 {
        Secret::from_hex(text)
    } else {
        Secret::from_wif(text, network)
    };
    parsed.map_err(|error| {
        CliError::failure(
            format!("the standard input holds no key: {error}"),
            "pipe in 64 hexadecimal digits or a WIF, and name its chain with --network",
        )
    })
}

/// An error and what caused it, on one line.
pub(crate) fn with_source(error: &dyn std::error::Error) -> String {
    error
        .source()
        .map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

/// As much of a text as fits into a message.
pub(crate) fn shortened(text: &str) -> String {
    const MOST: usize = 72;
    if text.chars().count() <= MOST {
        return text.to_owned();
    }
    text.chars().take(MOST).chain("...".chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_given_as_a_public_key_is_not_shown() {
        for secret in ["c0ffee11".repeat(8), "L".repeat(52)] {
            let error = public_key(&secret).expect_err("a secret").to_string();
            assert!(!error.contains(&secret[..8]), "{error}");
        }
    }

    #[test]
    fn uncompressed_keys_are_refused() {
        let uncompressed = "0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8";
        assert!(public_key(uncompressed).is_err());
        assert!(public_key(&format!("02{}", &uncompressed[2..66])).is_ok());
    }

    #[test]
    fn half_the_keys_are_no_majority_unless_it_is_insisted_on() {
        let keys: Vec<_> = (0..2).map(|_| Secret::generate().public_key()).collect();
        assert!(script(1, keys.clone(), KeyOrder::AsGiven, false).is_err());
        assert!(script(1, keys.clone(), KeyOrder::AsGiven, true).is_ok());
        assert!(script(2, keys, KeyOrder::AsGiven, false).is_ok());
    }
}
