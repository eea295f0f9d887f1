//! The output script that an address pays to.

use bitcoin::{
    base58,
    bech32::{self, Fe32},
};

use crate::Network;

/// The length of a Base58 payload: the prefix and a 20-byte hash.
const PAYLOAD: usize = 1 + 20;
/// The length of a confidential Base58 payload: a further prefix and the blinding key.
const CONFIDENTIAL_PAYLOAD: usize = 1 + PAYLOAD + 33;
/// The maximum length of a bech32 address; confidential segwit addresses are longer.
const MAX_BECH32: usize = 90;

/// The error for text that is not an address of a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseAddressError {
    /// The text is not an address.
    #[error("`{0}` is not an address: expected Base58 or bech32 with a valid checksum")]
    Malformed(String),
    /// The address is of another network.
    #[error(
        "`{address}` is an address of another network: its prefix is {found}, expected {expected}"
    )]
    OtherNetwork {
        /// The address.
        address: String,
        /// The prefix of the address.
        found: String,
        /// The prefixes of the network.
        expected: String,
    },
    /// The address has a blinding key, which an output script cannot hold.
    #[error("`{0}` is a confidential address: give the unconfidential address of the same wallet")]
    Confidential(String),
}

/// Returns the output script that an address of this network pays to: P2PKH, P2SH, or a witness program
/// of any version.
///
/// ```
/// use federation_multisig::{Network, script_of};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let script = script_of("ert1qw508d6qejxtdg4y5r3zarvary0c5xw7kuu73e0", &Network::ELEMENTS_REGTEST)?;
/// assert_eq!(script[..2], [0, 20]);
/// assert!(script_of("ert1qw508d6qejxtdg4y5r3zarvary0c5xw7kuu73e0", &Network::LIQUID).is_err());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If the text is not an address, or the address is confidential or of another network.
pub fn script_of(address: &str, network: &Network) -> Result<Vec<u8>, ParseAddressError> {
    if let Ok(payload) = base58::decode_check(address) {
        return of_base58(address, &payload, network);
    }
    if let Ok((prefix, version, program)) = bech32::segwit::decode(address) {
        let found = prefix.to_lowercase();
        return match network.bech32.as_deref() {
            Some(expected) if expected == found => Ok(witness_program(version, &program)),
            expected => Err(ParseAddressError::OtherNetwork {
                address: address.to_owned(),
                found: format!("`{found}`"),
                expected: expected.map_or_else(
                    || "a Base58 address".to_owned(),
                    |expected| format!("`{expected}`"),
                ),
            }),
        };
    }
    if is_long_bech32(address) {
        return Err(ParseAddressError::Confidential(address.to_owned()));
    }
    Err(ParseAddressError::Malformed(address.to_owned()))
}

fn of_base58(
    address: &str,
    payload: &[u8],
    network: &Network,
) -> Result<Vec<u8>, ParseAddressError> {
    match payload {
        _ if payload.len() == CONFIDENTIAL_PAYLOAD => {
            Err(ParseAddressError::Confidential(address.to_owned()))
        }
        [prefix, hash @ ..] if payload.len() == PAYLOAD => {
            if *prefix == network.p2pkh {
                Ok([&[0x76, 0xa9, 20], hash, &[0x88, 0xac]].concat())
            } else if *prefix == network.p2sh {
                Ok([&[0xa9, 20], hash, &[0x87]].concat())
            } else {
                Err(ParseAddressError::OtherNetwork {
                    address: address.to_owned(),
                    found: prefix.to_string(),
                    expected: format!("{} or {}", network.p2pkh, network.p2sh),
                })
            }
        }
        _ => Err(ParseAddressError::Malformed(address.to_owned())),
    }
}

/// `OP_0` to `OP_16` and a push of the program, whose length the decoder has checked.
fn witness_program(version: Fe32, program: &[u8]) -> Vec<u8> {
    let version = match version.to_u8() {
        0 => 0,
        version => 0x50 + version,
    };
    let mut script = vec![version, u8::try_from(program.len()).unwrap_or(u8::MAX)];
    script.extend_from_slice(program);
    script
}

/// Whether the text has the form of a confidential segwit address (blech32), whose checksum is not
/// verified.
fn is_long_bech32(text: &str) -> bool {
    let is_data = |c: char| Fe32::from_char(c).is_ok();
    text.len() > MAX_BECH32
        && text
            .rsplit_once('1')
            .is_some_and(|(prefix, data)| !prefix.is_empty() && data.chars().all(is_data))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secp256k1::PublicKey;

    use super::*;
    use crate::{
        KeyOrder, MultisigScript, RedeemScript, Threshold, WitnessScript, p2pkh, p2pkh_script,
    };

    const KEY: &str = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";

    fn key() -> PublicKey {
        KEY.parse().expect("a key")
    }

    fn script() -> MultisigScript {
        let threshold = Threshold::new(1).expect("in range");
        MultisigScript::new(threshold, vec![key()], KeyOrder::AsGiven).expect("a script")
    }

    fn networks() -> Vec<Network> {
        vec![
            Network::OCEAN,
            Network::OCEAN_MAIN,
            Network::OCEAN_TEST,
            Network::LIQUID,
            Network::LIQUID_TESTNET,
            Network::ELEMENTS_REGTEST,
            Network::base58(1, 2, 3).with_bech32("home"),
        ]
    }

    #[test]
    fn the_script_of_an_address_is_the_one_that_the_address_was_made_of() {
        let redeem = RedeemScript::new(script()).expect("short");
        let witness = WitnessScript::from(script());
        for network in networks() {
            assert_eq!(
                script_of(&p2pkh(&key(), &network), &network),
                Ok(p2pkh_script(&key()))
            );
            assert_eq!(
                script_of(&redeem.p2sh(&network), &network),
                Ok(redeem.script_pubkey())
            );
            if let Ok(address) = witness.p2wsh(&network) {
                assert_eq!(script_of(&address, &network), Ok(witness.script_pubkey()));
                let upper = address.to_uppercase();
                assert_eq!(script_of(&upper, &network), Ok(witness.script_pubkey()));
            }
        }
    }

    #[test]
    fn taproot_addresses_of_bip_350_are_decoded() {
        let bitcoin = Network::base58(0, 5, 128).with_bech32("bc");
        let address = "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0";
        let script = script_of(address, &bitcoin).expect("an address");
        assert_eq!(script[..2], [0x51, 32]);
        // The same data with the checksum of version 0.
        let wrong = "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd";
        assert!(matches!(
            script_of(wrong, &bitcoin),
            Err(ParseAddressError::Malformed(_))
        ));
    }

    #[test]
    fn addresses_of_other_networks_are_refused() {
        let witness = WitnessScript::from(script());
        for address in [
            p2pkh(&key(), &Network::LIQUID),
            witness.p2wsh(&Network::LIQUID).expect("segwit"),
        ] {
            for network in [Network::LIQUID_TESTNET, Network::OCEAN] {
                assert!(matches!(
                    script_of(&address, &network),
                    Err(ParseAddressError::OtherNetwork { .. })
                ));
            }
        }
    }

    #[test]
    fn confidential_addresses_are_refused_as_such() {
        let base58 = base58::encode_check(&[&[12, 39][..], &[2; 33], &[7; 20]].concat());
        // An address of Liquid.
        let blech32 = "lq1qqf8er278e6nyvuwtgf39e6ewvdcnjupn9a86rzpx655y5lhkt0walu3djf9cklkxd3ryld97hu8h3xepw7sh2rlu7q45dcew5";
        for address in [base58.as_str(), blech32] {
            assert_eq!(
                script_of(address, &Network::LIQUID),
                Err(ParseAddressError::Confidential(address.to_owned()))
            );
        }
    }

    #[test]
    fn a_changed_character_is_noticed() {
        for network in networks() {
            let mut address = p2pkh(&key(), &network);
            let last = address.pop().expect("not empty");
            address.push(if last == 'z' { 'y' } else { 'z' });
            assert_eq!(
                script_of(&address, &network),
                Err(ParseAddressError::Malformed(address.clone()))
            );
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,120}") {
            let _ = script_of(&text, &Network::LIQUID);
        }
    }
}
