//! `[[reissuance]]` in `federation.toml`: which assets are made more of, when, for whom, and out of
//! whose tokens.
//!
//! | key | meaning |
//! |---|---|
//! | `asset` | the asset's id, as the node shows it |
//! | `rate` | a year's part of what is in circulation, in quotation marks: `"0.05"` |
//! | `period` | blocks from one point to the next |
//! | `start` | points are the multiples of `period` above this height; 0 if left away |
//! | `destination` or `destination_script` | address or script in hex that what is made goes to |
//! | `script`, `script_type` | the M-of-N script that holds the tokens, in hex; `p2wsh` or `p2sh` |
//! | `fee`, `fee_asset` | what each transaction pays, in satoshi of which asset; nothing if left away |

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

/// What the settings depend on besides.
pub(super) struct Surroundings<'a> {
    pub(super) dialect: Dialect,
    pub(super) interval: Duration,
    pub(super) genesis: federation_chain::BlockHash,
    /// The chain's name at the node, for the prefixes of its addresses.
    pub(super) chain: &'a str,
}

/// A table as it stands in the file.
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

/// Takes all tables.
pub(super) fn take(reader: &mut Reader<'_>, root: &mut Section<'_>) -> Vec<RawAsset> {
    let sections = root.tables(reader, "reissuance");
    sections
        .into_iter()
        .map(|section| take_one(reader, section))
        .collect()
}

fn take_one(reader: &mut Reader<'_>, mut section: Section<'_>) -> RawAsset {
    let at = section.place();
    let asset = section.parsed(
        reader,
        "asset",
        "write the asset's id, 64 hexadecimal digits as the node shows it",
        str::parse::<AssetId>,
    );
    let rate = section.parsed(
        reader,
        "rate",
        "write it in quotation marks, as \"0.05\"",
        str::parse::<Rate>,
    );
    let period = section.number(reader, "period");
    if period.is_none() {
        reader.note(
            at,
            "`period` is missing in [reissuance], or no number",
            "add `period = ...`, the blocks from one reissuance to the next",
        );
    }
    let raw = RawAsset {
        at,
        asset,
        rate,
        period,
        start: section.number(reader, "start"),
        address: section.text(reader, "destination"),
        destination_script: section.text(reader, "destination_script"),
        script: section.parsed(
            reader,
            "script",
            "write the M-of-N script that holds the tokens, in hex; `multisig script --role reissuance` makes it",
            MultisigScript::from_hex,
        ),
        script_type: section.text(reader, "script_type"),
        fee: section.number(reader, "fee"),
        fee_asset: section.text(reader, "fee_asset"),
    };
    section.finish(reader);
    raw
}

impl RawAsset {
    /// The settings, if all is well; what is not is noted.
    pub(super) fn settings(
        self,
        reader: &mut Reader<'_>,
        around: &Surroundings<'_>,
    ) -> Option<AssetSettings> {
        let at = self.at;
        let kind = self.kind(reader, around.dialect)?;
        let destination = self.destination(reader, around)?;
        let fee = self.fee(reader)?;
        let mut check = |result: Result<AssetSettings, String>| match result {
            Ok(settings) => Some(settings),
            Err(message) => {
                reader.note(at, message, "correct this [[reissuance]] table");
                None
            }
        };
        let start = BlockHeight::new(self.start.map_or(0, |found| found.value));
        let (asset, rate, period) = (self.asset?.value, self.rate?.value, self.period?.value);
        let script = self.script?.value;
        let made = Schedule::new(rate, period, around.interval, start)
            .map_err(|error| error.to_string())
            .and_then(|schedule| {
                let tokens = TokenScript::new(script, kind).map_err(|error| error.to_string())?;
                let settings = AssetSettings::new(asset, schedule, destination, tokens)
                    .map_err(|error| error.to_string())?
                    .with_fee(fee);
                let chain = Chain {
                    genesis: around.genesis,
                    tokens: TokenForm::of(around.dialect),
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
                    reader.note(
                        found.at,
                        format!("`script_type`: unknown type `{other}`"),
                        "choose p2wsh or p2sh",
                    );
                    None
                }
            },
        }
    }

    fn destination(&self, reader: &mut Reader<'_>, around: &Surroundings<'_>) -> Option<Script> {
        match (&self.address, &self.destination_script) {
            (Some(address), None) => {
                let script = script_of_address(&address.value, around.chain, around.dialect);
                if script.is_none() {
                    reader.note(
                        address.at,
                        format!("`destination`: `{}` is no address of this chain", address.value),
                        "check it; a chain with prefixes of its own needs `destination_script`, what `getaddressinfo` or `validateaddress` shows as scriptPubKey",
                    );
                }
                script
            }
            (None, Some(script)) => match Vec::from_hex(&script.value) {
                Ok(bytes) if !bytes.is_empty() => Some(Script::from(bytes)),
                _ => {
                    reader.note(
                        script.at,
                        "`destination_script` is no script in hex",
                        "write what `getaddressinfo` or `validateaddress` shows as scriptPubKey",
                    );
                    None
                }
            },
            _ => {
                reader.note(
                    self.at,
                    "[reissuance] needs one of `destination` and `destination_script`",
                    "add `destination = \"...\"` with the address that what is made goes to",
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
                reader.note(
                    self.at,
                    "`fee` is given without `fee_asset`",
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
                    reader.note(
                        found.at,
                        format!("`fee_asset`: `{}` is no asset id", found.value),
                        "write 64 hexadecimal digits as the node shows them",
                    );
                    None
                }
            },
        }
    }
}

/// The script that an address stands for, by the prefixes of the chain with this name at its node;
/// unknown chains have those of custom ones. None if it is no address of the chain.
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
    fn addresses_are_read_by_the_chains_prefixes() {
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
