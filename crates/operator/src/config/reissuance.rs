//! `[[reissuance]]` in `federation.toml`: which assets are reissued, when, to whom, and which script
//! holds the tokens.
//!
//! | key | meaning |
//! |---|---|
//! | `asset` | the asset's id, as the node shows it |
//! | `rate` | yearly fraction of the amount in circulation, in quotation marks: `"0.05"` |
//! | `period` | blocks from one reissuance to the next |
//! | `start` | reissuances are due at the multiples of `period` above this height; default 0 |
//! | `destination` or `destination_script` | the address, or the script in hex, that receives the new amounts |
//! | `script`, `script_type` | the M-of-N script that holds the tokens, in hex; `p2wsh` or `p2sh` |
//! | `fee`, `fee_asset` | the fee of each transaction in satoshi, and its asset; default no fee |

use core::time::Duration;

use bitcoin::base58;
use elements::{Address, AddressParams, AssetId, Script};
use federation_chain::{BlockHeight, Dialect};
use federation_multisig::{MultisigScript, Network};
use federation_reissuance::{
    AssetSettings, Chain, Fee, Rate, Schedule, ScriptKind, TokenForm, TokenScript,
};
use hex_conservative::FromHex;

use super::reader::{Found, Reader, Section};

/// The federation's settings that reissuance depends on.
pub(super) struct ChainContext<'a> {
    pub(super) dialect: Dialect,
    pub(super) interval: Duration,
    pub(super) genesis: federation_chain::BlockHash,
    /// The node's name for the chain, which determines the address prefixes.
    pub(super) chain: &'a str,
}

/// A table as found in the file.
pub(super) struct RawAsset {
    at: Option<usize>,
    asset: Option<Found<AssetId>>,
    rate: Option<Found<Rate>>,
    period: Option<Found<u32>>,
    start: Option<Found<u32>>,
    address: Option<Found<String>>,
    destination_script: Option<Found<String>>,
    script: Option<Found<MultisigScript>>,
    script_type: Option<Found<String>>,
    fee: Option<Found<u32>>,
    fee_asset: Option<Found<String>>,
}

/// Reads all tables.
pub(super) fn take(reader: &mut Reader<'_>, root: &mut Section<'_>) -> Vec<RawAsset> {
    let sections = root.tables(reader, "reissuance");
    sections
        .into_iter()
        .map(|section| take_one(reader, section))
        .collect()
}

fn take_one(reader: &mut Reader<'_>, mut section: Section<'_>) -> RawAsset {
    let at = section.offset();
    let asset = section.parsed(
        reader,
        "asset",
        "write the asset's id, 64 hexadecimal digits as the node shows it",
        str::parse::<AssetId>,
    );
    let rate = section.parsed(
        reader,
        "rate",
        "write it as a string, for example \"0.05\"",
        str::parse::<Rate>,
    );
    let period = section.integer(reader, "period");
    if period.is_none() {
        reader.report(
            at,
            "`period` is missing in [reissuance] or not an integer",
            "add `period = ...`, the number of blocks from one reissuance to the next",
        );
    }
    let raw = RawAsset {
        at,
        asset,
        rate,
        period,
        start: section.integer(reader, "start"),
        address: section.string(reader, "destination"),
        destination_script: section.string(reader, "destination_script"),
        script: section.parsed(
            reader,
            "script",
            "write the M-of-N script that holds the tokens, in hex; `multisig script --role reissuance` creates it",
            MultisigScript::from_hex,
        ),
        script_type: section.string(reader, "script_type"),
        fee: section.integer(reader, "fee"),
        fee_asset: section.string(reader, "fee_asset"),
    };
    section.finish(reader);
    raw
}

impl RawAsset {
    /// Returns the settings, or reports what is wrong with them.
    pub(super) fn settings(
        self,
        reader: &mut Reader<'_>,
        context: &ChainContext<'_>,
    ) -> Option<AssetSettings> {
        let at = self.at;
        let kind = self.kind(reader, context.dialect)?;
        let destination = self.destination(reader, context)?;
        let fee = self.fee(reader)?;
        let mut check = |result: Result<AssetSettings, String>| match result {
            Ok(settings) => Some(settings),
            Err(message) => {
                reader.report(at, message, "correct this [[reissuance]] table");
                None
            }
        };
        let start = BlockHeight::new(self.start.map_or(0, |found| found.value));
        let (asset, rate, period) = (self.asset?.value, self.rate?.value, self.period?.value);
        let script = self.script?.value;
        let made = Schedule::new(rate, period, context.interval, start)
            .map_err(|error| error.to_string())
            .and_then(|schedule| {
                let tokens = TokenScript::new(script, kind).map_err(|error| error.to_string())?;
                let settings = AssetSettings::new(asset, schedule, destination, tokens)
                    .map_err(|error| error.to_string())?
                    .with_fee(fee);
                let chain = Chain {
                    genesis: context.genesis,
                    tokens: TokenForm::of(context.dialect),
                };
                settings.check(&chain).map_err(|error| error.to_string())?;
                Ok(settings)
            });
        check(made)
    }

    fn kind(&self, reader: &mut Reader<'_>, dialect: Dialect) -> Option<ScriptKind> {
        match &self.script_type {
            None if dialect == Dialect::Ocean => Some(ScriptKind::P2sh),
            None => Some(ScriptKind::P2wsh),
            Some(found) => match found.value.as_str() {
                "p2sh" => Some(ScriptKind::P2sh),
                "p2wsh" => Some(ScriptKind::P2wsh),
                other => {
                    reader.report(
                        found.at,
                        format!("`script_type`: unknown type `{other}`"),
                        "choose p2wsh or p2sh",
                    );
                    None
                }
            },
        }
    }

    fn destination(&self, reader: &mut Reader<'_>, context: &ChainContext<'_>) -> Option<Script> {
        match (&self.address, &self.destination_script) {
            (Some(address), None) => {
                let script = script_of_address(&address.value, context.chain, context.dialect);
                if script.is_none() {
                    reader.report(
                        address.at,
                        format!("`destination`: `{}` is not an address of this chain", address.value),
                        "check it; if the chain has custom prefixes, set `destination_script` to the scriptPubKey that `getaddressinfo` or `validateaddress` shows",
                    );
                }
                script
            }
            (None, Some(script)) => match Vec::from_hex(&script.value) {
                Ok(bytes) if !bytes.is_empty() => Some(Script::from(bytes)),
                _ => {
                    reader.report(
                        script.at,
                        "`destination_script` must be a script in hex",
                        "write the scriptPubKey that `getaddressinfo` or `validateaddress` shows",
                    );
                    None
                }
            },
            _ => {
                reader.report(
                    self.at,
                    "[reissuance] must have either `destination` or `destination_script`",
                    "add `destination = \"...\"` with the address that receives the new amounts",
                );
                None
            }
        }
    }

    fn fee(&self, reader: &mut Reader<'_>) -> Option<Option<Fee>> {
        let amount = self.fee.as_ref().map_or(0, |found| found.value);
        match (&self.fee_asset, amount) {
            (None, 0) | (Some(_), 0) => Some(None),
            (None, _) => {
                reader.report(
                    self.at,
                    "`fee` is set, but `fee_asset` is not",
                    "add `fee_asset = \"...\"` with the id of the asset that the chain takes fees in",
                );
                None
            }
            (Some(found), amount) => match found.value.parse() {
                Ok(asset) => Some(Some(Fee {
                    asset,
                    amount: amount.into(),
                })),
                Err(_) => {
                    reader.report(
                        found.at,
                        format!("`fee_asset`: `{}` is not an asset id", found.value),
                        "write the asset's id, 64 hexadecimal digits as the node shows it",
                    );
                    None
                }
            },
        }
    }
}

/// Returns the script of an address, by the address prefixes of the node's chain of this name; unknown
/// names get the prefixes of custom chains. Returns `None` if it is not an address of the chain.
#[must_use]
pub fn script_of_address(address: &str, chain: &str, dialect: Dialect) -> Option<Script> {
    if dialect != Dialect::Ocean {
        let params = match chain {
            "liquidv1" => &AddressParams::LIQUID,
            "liquidtestnet" => &AddressParams::LIQUID_TESTNET,
            _ => &AddressParams::ELEMENTS,
        };
        let address = Address::parse_with_params(address, params).ok()?;
        return Some(address.script_pubkey());
    }
    let network = Network::named(chain).unwrap_or(Network::OCEAN_TEST);
    let decoded = base58::decode_check(address).ok()?;
    let (version, hash) = decoded.split_first()?;
    if hash.len() != 20 {
        return None;
    }
    let bytes = if *version == network.p2pkh {
        [&[0x76, 0xa9, 20], hash, &[0x88, 0xac]].concat()
    } else if *version == network.p2sh {
        [&[0xa9, 20], hash, &[0x87]].concat()
    } else {
        return None;
    };
    Some(Script::from(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_parsed_with_the_prefixes_of_their_chain() {
        let p2pkh = script_of_address(
            "2dhfx249gZKqMGKtKAgceuCyDiHVEeVZWzU",
            "ocean_test",
            Dialect::Ocean,
        );
        assert!(p2pkh.is_some_and(|script| script.is_p2pkh()));
        let foreign = "1BoatSLRHtKNngkdXEeobR76b53LETtpyT";
        assert_eq!(
            script_of_address(foreign, "ocean_test", Dialect::Ocean),
            None
        );
        assert_eq!(
            script_of_address(foreign, "homechain", Dialect::Dynafed),
            None
        );
        let key = secp256k1::SecretKey::from_slice(&[1; 32]).expect("a key");
        let key = key.public_key(secp256k1::SECP256K1);
        let own = Address::p2wpkh(&key.into(), None, &AddressParams::ELEMENTS);
        let found = script_of_address(&own.to_string(), "homechain", Dialect::Dynafed);
        assert_eq!(found, Some(own.script_pubkey()));
        assert_eq!(
            script_of_address(&own.to_string(), "liquidv1", Dialect::Dynafed),
            None
        );
    }
}
