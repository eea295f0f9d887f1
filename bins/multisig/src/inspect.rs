//! `multisig inspect`: decodes a script, and shows what is wrong with it.
//!
//! The old generator of scripts, `generate_multisig.py`, wrote M and N as the decimal numbers
//! `50 + M` and `50 + N`, where hexadecimal is expected. Up to nine they look the same. From ten on,
//! its `60` for 10 is `OP_16`, its `61` for 11 is `OP_NOP`, and so on: no node accepts such a script.

use std::process::ExitCode;

use federation_cli::{CliError, out};
use federation_multisig::{KeyOrder, MultisigScript, PublicKey, Threshold};
use hex_conservative::FromHex;
use serde_json::json;

use crate::{cli::InspectArgs, input, summary::Summary};

const OP_CHECKMULTISIG: u8 = 0xae;

/// Prints the description of a script.
pub(crate) fn run(args: &InspectArgs) -> Result<ExitCode, CliError> {
    let error = match MultisigScript::from_hex(&args.script) {
        Ok(script) => return print_script(args, &script),
        Err(error) => error,
    };
    let old = Vec::<u8>::from_hex(&args.script)
        .ok()
        .and_then(|bytes| OldScript::parse(&bytes));
    let corrected = old.as_ref().and_then(OldScript::corrected);
    if args.json {
        out::json(&json!({
            "valid": false,
            "error": error.to_string(),
            "old_generator": old.as_ref().map(|old| json!({
                "threshold": old.threshold,
                "keys": old.keys.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "corrected_script": corrected.as_ref().map(MultisigScript::to_hex),
            })),
        }))?;
        return Ok(ExitCode::from(if old.is_some() { 1 } else { 2 }));
    }
    let Some(old) = old else {
        return Err(CliError::usage(
            format!(
                "`{}` is not a multisig script: {error}",
                input::shortened(&args.script)
            ),
            "compare it with its source, or make a script of public keys with `multisig script`",
        ));
    };
    let (m, n) = (old.threshold, old.keys.len());
    Err(CliError::failure(
        format!(
            "this is a faulty script by the old generator for {m} of {n} keys: its counts are decimal, so no node accepts a block or a payment signed for it"
        ),
        corrected.map_or_else(
            || "make a new script with `multisig script`".to_owned(),
            |script| {
                format!(
                    "a chain with this script cannot make blocks; for a new chain, the correct script of the same keys is {}",
                    script.to_hex()
                )
            },
        ),
    ))
}

fn print_script(args: &InspectArgs, script: &MultisigScript) -> Result<ExitCode, CliError> {
    let m = script.threshold().to_usize();
    let n = script.keys().len();
    let mut warnings = Vec::new();
    if 2 * m <= n {
        warnings.push("M is not more than half of N: with this signblockscript the chain can fork");
    }
    if m == n && n > 1 {
        warnings.push("M equals N: if one operator is absent, there are no blocks");
    }
    if n > 15 {
        warnings.push("more than 15 keys do not fit in P2SH");
    }
    let summary = Summary::new(script, args.network);
    if args.json {
        let mut answer = summary.json();
        answer.insert("valid".to_owned(), json!(true));
        answer.insert("warnings".to_owned(), json!(warnings));
        out::json(&answer)?;
    } else {
        summary.print()?;
        for warning in warnings {
            out::line(&format!("warning: {warning}"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A faulty script by the old generator.
struct OldScript {
    threshold: u8,
    keys: Vec<PublicKey>,
}

impl OldScript {
    /// Recognises a script with at least one count that only the old generator writes.
    fn parse(script: &[u8]) -> Option<Self> {
        let (first, rest) = script.split_first()?;
        let [pushes @ .., last, OP_CHECKMULTISIG] = rest else {
            return None;
        };
        let keys = pushes
            .chunks(34)
            .map(|push| PublicKey::from_slice(push.strip_prefix(&[33])?).ok())
            .collect::<Option<Vec<_>>>()?;
        let threshold = as_old_number(*first)?;
        let wrong = threshold >= 10 || keys.len() >= 10;
        let fits = usize::from(as_old_number(*last)?) == keys.len();
        (wrong && fits && usize::from(threshold) <= keys.len()).then_some(Self { threshold, keys })
    }

    /// The script that was intended, with the keys in the same order.
    fn corrected(&self) -> Option<MultisigScript> {
        let threshold = Threshold::new(self.threshold).ok()?;
        MultisigScript::new(threshold, self.keys.clone(), KeyOrder::AsGiven).ok()
    }
}

/// The number for which the old generator wrote this byte: its two digits are those of `50 + number`.
fn as_old_number(byte: u8) -> Option<u8> {
    let (tens, ones) = (byte >> 4, byte & 15);
    (ones <= 9)
        .then(|| (tens * 10 + ones).checked_sub(50))
        .flatten()
        .filter(|number| *number > 0)
}

#[cfg(test)]
mod tests {
    use federation_signer::Secret;

    use super::*;

    /// A script as the old generator wrote it.
    fn old(m: usize, keys: &[PublicKey]) -> Vec<u8> {
        let mut text = format!("{}", 50 + m);
        for key in keys {
            text += &format!("21{key}");
        }
        text += &format!("{}ae", 50 + keys.len());
        Vec::from_hex(&text).expect("hex")
    }

    #[test]
    fn scripts_by_the_old_generator_are_recognised_from_ten_keys_on() {
        let all: Vec<_> = (0..20).map(|_| Secret::generate().public_key()).collect();
        for n in 1..=all.len() {
            for m in 1..=n {
                let bytes = old(m, &all[..n]);
                let valid = MultisigScript::from_bytes(&bytes);
                if n < 10 {
                    assert!(valid.is_ok(), "{m} of {n}");
                    assert!(OldScript::parse(&bytes).is_none(), "{m} of {n}");
                    continue;
                }
                assert!(valid.is_err(), "{m} of {n}");
                let known = OldScript::parse(&bytes).expect("an old script");
                assert_eq!(usize::from(known.threshold), m);
                assert_eq!(known.keys, &all[..n]);
                let corrected = known.corrected().expect("a script");
                assert_eq!(corrected.keys(), &all[..n]);
                assert_eq!(corrected.threshold().to_usize(), m);
            }
        }
    }

    #[test]
    fn other_invalid_scripts_are_not_mistaken_for_one() {
        let keys: Vec<_> = (0..10).map(|_| Secret::generate().public_key()).collect();
        let good = old(7, &keys);
        for broken in [
            &good[1..],
            &good[..good.len() - 1],
            &[],
            &[0xae],
            &[0x51, 0xae],
        ] {
            assert!(OldScript::parse(broken).is_none());
        }
        let mut fewer = good;
        fewer.drain(1..35);
        assert!(OldScript::parse(&fewer).is_none(), "the count does not fit");
    }
}
