//! `federation.toml`: the federation's roster and chain, identical for all operators.

use std::{path::Path, sync::Arc, time::Duration};

use federation_block_signing::Timeouts;
use federation_chain::{BlockHash, BlockHeight, Dialect, SigningRules};
use federation_genesis::Sweep;
use federation_multisig::{KeyOrder, MultisigScript, PublicKey, Threshold};
use federation_reissuance::AssetSettings;
use federation_roster::{Federation, Member, XOnlyPublicKey};
use hex_conservative::FromHex;

use super::{
    reader::{Found, Reader, Section},
    reissuance::{self, ChainContext},
};

/// The settings of `federation.toml`.
#[derive(Debug, Clone)]
pub(super) struct FederationFile {
    pub(super) chain: String,
    pub(super) federation: Arc<Federation>,
    pub(super) timeouts: Option<Timeouts>,
    pub(super) classic_until: Option<BlockHeight>,
    pub(super) classic_kafka: Option<String>,
    pub(super) sweep: Option<Sweep>,
    pub(super) reissuance: Vec<AssetSettings>,
    /// The path as written, relative to the file's folder.
    pub(super) certificate: Option<String>,
    /// The line of each operator's endpoint.
    pub(super) endpoint_lines: Vec<Option<usize>>,
}

/// One `[[operator]]`.
struct Entry {
    name: Found<String>,
    identity: Found<XOnlyPublicKey>,
    block_key: Found<PublicKey>,
    endpoint: Found<String>,
}

const HEX_KEY: &str = "write the key as `federation init` or the operator gave it, in hex";

/// Reads the file. Returns `None` if anything is wrong; the reader then holds the problems.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<FederationFile> {
    let document = reader.parse()?;
    let mut root = reader.section("", document.as_table(), None);
    let chain = root.required(reader, "chain");
    let dialect = root.parsed(
        reader,
        "dialect",
        "choose ocean, elements or dynafed",
        |text| text.parse::<Dialect>(),
    );
    let genesis = root.parsed(
        reader,
        "genesis",
        "write the hash that the node returns for `getblockhash 0`",
        |text| text.parse::<BlockHash>(),
    );
    let threshold = root.integer(reader, "threshold");
    if threshold.is_none() {
        reader.report(
            None,
            "`threshold` is missing or not an integer",
            "add `threshold = ...`, more than half of the operators",
        );
    }
    let interval = root.duration(reader, "interval").or_else(|| {
        reader.report(
            None,
            "`interval` is missing or not a duration",
            "add `interval = \"60s\"`",
        );
        None
    });
    let epoch = root.integer(reader, "epoch").map_or(0, |epoch| epoch.value);
    let size = root.integer(reader, "max_block_signature_size");
    let order = root.string(reader, "key_order");
    let script = root.string(reader, "script");
    let timeouts = root
        .table(reader, "timeouts")
        .and_then(|section| read_timeouts(reader, section));
    let (classic_until, classic_kafka) = root
        .table(reader, "protocol")
        .map(|section| read_protocol(reader, section))
        .unwrap_or_default();
    let certificate = root.string(reader, "certificate");
    let sweep = root.string(reader, "sweep");
    let sweep = sweep.map(|found| read_sweep(reader, &found));
    let sections = root.tables(reader, "operator");
    let mut entries = Vec::new();
    let count = sections.len();
    for section in sections {
        entries.extend(read_entry(reader, section));
    }
    let reissued = reissuance::take(reader, &mut root);
    root.finish(reader);
    if count == 0 {
        reader.report(
            None,
            "the file has no operators",
            "add an [[operator]] table for each",
        );
    }
    if entries.len() != count || count == 0 {
        return None;
    }
    let order = read_order(reader, order)?;
    let script = make_script(reader, threshold?, script, order, &entries)?;
    let dialect = dialect?.value;
    let needed = SigningRules::required_signature_size(dialect, &script);
    let size_at = size.as_ref().and_then(|size| size.at);
    let rules = match SigningRules::new(dialect, script, size.map_or(needed, |size| size.value)) {
        Ok(rules) => rules,
        Err(error) => {
            reader.report(
                size_at,
                error.to_string(),
                "set it to the value that the chain was started with",
            );
            return None;
        }
    };
    let operators = entries
        .iter()
        .map(|entry| Member {
            name: entry.name.value.clone(),
            identity: entry.identity.value,
            block_key: entry.block_key.value,
            endpoint: entry.endpoint.value.clone(),
        })
        .collect();
    let (chain, genesis, interval) = (chain?.value, genesis?.value, interval?.value);
    let context = ChainContext {
        dialect,
        interval,
        genesis,
        chain: &chain,
    };
    let reissuance = reissued
        .into_iter()
        .filter_map(|asset| asset.settings(reader, &context))
        .collect();
    match Federation::new(operators, rules, genesis, interval) {
        Ok(federation) => Some(FederationFile {
            chain,
            federation: Arc::new(federation.with_epoch(epoch)),
            reissuance,
            timeouts,
            classic_until,
            classic_kafka,
            sweep: sweep.flatten(),
            certificate: certificate.map(|found| found.value),
            endpoint_lines: entries
                .iter()
                .map(|entry| reader.line(entry.endpoint.at))
                .collect(),
        }),
        Err(error) => {
            let at = offset_of(&error, &entries);
            reader.report(
                at,
                error.to_string(),
                "correct the roster; all operators need the same file",
            );
            None
        }
    }
}

fn read_entry(reader: &mut Reader<'_>, mut section: Section<'_>) -> Option<Entry> {
    let name = section.required(reader, "name");
    let identity = section.parsed(reader, "identity", HEX_KEY, str::parse::<XOnlyPublicKey>);
    let block_key = section.parsed(reader, "block_key", HEX_KEY, |text| {
        // 66 digits: scripts contain compressed keys only.
        if text.len() == 66 {
            text.parse::<PublicKey>().map_err(|error| error.to_string())
        } else {
            Err(format!(
                "a compressed key has 66 hexadecimal digits, this one has {}",
                text.len()
            ))
        }
    });
    let endpoint = section.parsed(reader, "endpoint", "write host:port", |text| {
        match text.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => {
                Ok(text.to_owned())
            }
            _ => Err(format!("`{text}` is not a host:port")),
        }
    });
    section.finish(reader);
    Some(Entry {
        name: name?,
        identity: identity?,
        block_key: block_key?,
        endpoint: endpoint?,
    })
}

fn read_order(reader: &mut Reader<'_>, order: Option<Found<String>>) -> Option<KeyOrder> {
    let Some(order) = order else {
        return Some(KeyOrder::AsGiven);
    };
    match order.value.as_str() {
        "as-given" => Some(KeyOrder::AsGiven),
        "lexicographic" => Some(KeyOrder::Lexicographic),
        other => {
            reader.report(
                order.at,
                format!("`key_order`: unknown order `{other}`"),
                "choose as-given or lexicographic",
            );
            None
        }
    }
}

fn make_script(
    reader: &mut Reader<'_>,
    threshold: Found<u32>,
    script: Option<Found<String>>,
    order: KeyOrder,
    entries: &[Entry],
) -> Option<MultisigScript> {
    let threshold_of = || {
        let small = u8::try_from(threshold.value).unwrap_or(u8::MAX);
        Threshold::new(small).map_err(|error| error.to_string())
    };
    let keys = entries.iter().map(|entry| entry.block_key.value).collect();
    let made = match &script {
        None => threshold_of().and_then(|threshold| {
            MultisigScript::new(threshold, keys, order).map_err(|error| error.to_string())
        }),
        Some(script) => MultisigScript::from_hex(&script.value)
            .map_err(|error| error.to_string())
            .and_then(|parsed| {
                if u32::from(parsed.threshold().to_u8()) == threshold.value {
                    Ok(parsed)
                } else {
                    Err(format!(
                        "the script requires {} signatures, `threshold` is {}",
                        parsed.threshold(),
                        threshold.value
                    ))
                }
            }),
    };
    match made {
        Ok(script) => Some(script),
        Err(message) => {
            let at = script.as_ref().map_or(threshold.at, |script| script.at);
            reader.report(
                at,
                message,
                "take the threshold and the keys from the chain's signblockscript",
            );
            None
        }
    }
}

fn read_timeouts(reader: &mut Reader<'_>, mut section: Section<'_>) -> Option<Timeouts> {
    let mut take = |key| {
        let found = section.duration(reader, key);
        if found.is_none() {
            reader.report(
                section.offset(),
                format!("`{key}` is missing in [timeouts]"),
                "set all five, or omit [timeouts]",
            );
        }
        found.map(|found: Found<Duration>| found.value)
    };
    let timeouts = (
        take("propose"),
        take("prevote"),
        take("precommit"),
        take("growth"),
        take("limit"),
    );
    section.finish(reader);
    Some(Timeouts {
        propose: timeouts.0?,
        prevote: timeouts.1?,
        precommit: timeouts.2?,
        growth: timeouts.3?,
        limit: timeouts.4?,
    })
}

/// Reads the height at which the federation leaves the protocol `classic`, and the brokers it uses
/// below that height.
fn read_protocol(
    reader: &mut Reader<'_>,
    mut section: Section<'_>,
) -> (Option<BlockHeight>, Option<String>) {
    let height = section.integer(reader, "classic_until");
    match &height {
        None => reader.report(
            section.offset(),
            "`classic_until` is missing in protocol or not an integer",
            "write `protocol = { classic_until = H }` with the first height of `agreed`, or omit `protocol`",
        ),
        Some(height) if height.value == 0 => reader.report(
            height.at,
            "`classic_until` is 0, the height of the genesis block",
            "write the first height of `agreed`, or omit `protocol`",
        ),
        Some(_) => {}
    }
    let kafka = section.string(reader, "kafka").map(|found| found.value);
    section.finish(reader);
    (height.map(|height| BlockHeight::new(height.value)), kafka)
}

/// Reads the transaction that block 1 must contain.
fn read_sweep(reader: &mut Reader<'_>, found: &Found<String>) -> Option<Sweep> {
    let sweep = Vec::from_hex(&found.value)
        .map_err(|error| format!("`sweep`: {error}"))
        .and_then(|bytes| Sweep::from_bytes(&bytes).map_err(|error| error.to_string()));
    sweep
        .inspect_err(|error| {
            let help = "write the sweep transaction of the ceremony's certificate, in hex";
            reader.report(found.at, error, help);
        })
        .ok()
}

/// Returns the offset of the setting that an error is about.
fn offset_of(error: &federation_roster::FederationError, entries: &[Entry]) -> Option<usize> {
    use federation_roster::FederationError as E;
    let named = |name: &str| entries.iter().rev().find(|entry| entry.name.value == name);
    match error {
        E::DuplicateName(name) => named(name)?.name.at,
        E::DuplicateIdentity { second, .. } => named(second)?.identity.at,
        E::DuplicateBlockKey { second, .. } => named(second)?.block_key.at,
        E::KeyNotInScript { operator, .. } => named(operator)?.block_key.at,
        E::Name { index } => entries.get(*index)?.name.at,
        _ => None,
    }
}

/// Returns the name of the file if `operator.toml` does not set it.
pub(super) fn default_name() -> &'static Path {
    Path::new("federation.toml")
}
