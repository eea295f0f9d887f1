//! The input of verbs: scripts and keys from arguments, secrets from files and standard input.

use std::{io::Read, path::Path};

use federation_cli::CliError;
use federation_multisig::{KeyOrder, MultisigScript, Network, PublicKey, Threshold, script_of};
use federation_signer::{Secret, key_file};
use hex_conservative::FromHex;
use zeroize::{Zeroize, Zeroizing};

/// The maximum length of a secret key with surrounding white space, with ample margin.
const MAX_SECRET: u64 = 1024;

/// Parses a public key given as an argument.
pub(crate) fn public_key(text: &str) -> Result<PublicKey, CliError> {
    let compressed = text.len() == 66;
    text.parse()
        .ok()
        .filter(|_| compressed)
        .ok_or_else(|| match text.len() {
            // It may be a secret key, so it is not shown.
            64 | 51..=53 => CliError::usage(
                "expected a public key, but this looks like a secret key, and is now in your shell's history",
                "give public keys of 66 hexadecimal digits; if it was a secret key, do not use it any more",
            ),
            _ => CliError::usage(
                format!("`{}` is not a compressed public key", shortened(text)),
                "give 66 hexadecimal digits, starting with 02 or 03",
            ),
        })
}

/// Builds a script of keys given as arguments.
pub(crate) fn script(
    threshold: u8,
    keys: Vec<PublicKey>,
    order: KeyOrder,
    insecure_minority: bool,
) -> Result<MultisigScript, CliError> {
    let wrong = |error: &dyn core::fmt::Display| {
        CliError::usage(
            error,
            "give M with -m, and N distinct keys, with M not above N",
        )
    };
    let parsed = Threshold::new(threshold).map_err(|error| wrong(&error))?;
    let script = MultisigScript::new(parsed, keys, order).map_err(|error| wrong(&error))?;
    let n = script.keys().len();
    if 2 * parsed.to_usize() <= n && !insecure_minority {
        return Err(CliError::usage(
            format!("{threshold} of {n} is not a majority: two halves could each make blocks"),
            "choose M above N/2, or add --insecure-minority if this is not a signblockscript",
        ));
    }
    Ok(script)
}

/// Parses an output script in hex, or an address of this network.
pub(crate) fn output_script(text: &str, network: &Network) -> Result<Vec<u8>, CliError> {
    if let Ok(script) = Vec::from_hex(text) {
        return Ok(script);
    }
    script_of(text, network).map_err(|error| {
        CliError::usage(
            error,
            "give an address of this chain, or an output script in hex, such as `validateaddress` shows",
        )
    })
}

/// Reads a secret key, in hex or WIF, from a file or standard input.
pub(crate) fn secret(file: Option<&Path>, network: &Network) -> Result<Secret, CliError> {
    if let Some(path) = file {
        return key_file::read(path, network).map_err(|error| {
            CliError::failure(
                with_source(&error),
                "give a plain key file with --file; use `multisig key` for encrypted ones",
            )
        });
    }
    // Allocated at full size, so that growing it leaves no copies in memory.
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
            format!("no valid key on standard input: {error}"),
            "pipe in 64 hexadecimal digits or WIF, and name the chain of WIF with --network",
        )
    })
}

/// Formats an error and its source on one line.
pub(crate) fn with_source(error: &dyn std::error::Error) -> String {
    error
        .source()
        .map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

/// Shortens a text to fit into a message.
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
    fn half_the_keys_are_refused_as_threshold_unless_requested() {
        let keys: Vec<_> = (0..2).map(|_| Secret::generate().public_key()).collect();
        assert!(script(1, keys.clone(), KeyOrder::AsGiven, false).is_err());
        assert!(script(1, keys.clone(), KeyOrder::AsGiven, true).is_ok());
        assert!(script(2, keys, KeyOrder::AsGiven, false).is_ok());
    }
}
