//! `federation.toml` and `operator.toml`.

use std::collections::BTreeMap;

use crate::KeyUse;
use federation_genesis::NodeKind;
use hex_conservative::DisplayHex;

use super::{
    Transport,
    operator::{CERTIFICATE, Parts},
};

/// Returns both files.
pub(crate) fn all(parts: &Parts<'_>) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("federation.toml".to_owned(), federation(parts)),
        ("operator.toml".to_owned(), operator(parts)),
    ])
}

/// `federation.toml`, the same for every operator.
fn federation(parts: &Parts<'_>) -> String {
    let certificate = parts.certificate;
    let mut text = format!(
        "# The federation, as agreed by all operators: public, and the same for each of them.\n\
         # agreed {}\n\
         # The daemon compares this file with the certificate, and does not start if they differ.\n\n\
         certificate = \"{CERTIFICATE}\"\n\
         chain = \"{}\"\n\
         dialect = \"{}\"\n\
         genesis = \"{}\"\n\
         threshold = {}\n\
         interval = \"{}ms\"\n\
         key_order = \"lexicographic\"\n",
        certificate.agreed_hash(),
        parts.chain(),
        certificate.dialect(),
        certificate.genesis_hash(),
        certificate.threshold(),
        certificate.interval().as_millis(),
    );
    if parts.kind() == NodeKind::Elements {
        text.push_str(&format!(
            "max_block_signature_size = {}\n",
            certificate.max_block_signature_size()
        ));
    }
    if let Some(sweep) = certificate.sweep() {
        text.push_str(&format!(
            "# Sweeps, in block 1, the coins that anyone could take.\nsweep = \"{}\"\n",
            sweep.to_bytes().as_hex()
        ));
    }
    for operator in certificate.federation().members() {
        text.push_str(&format!(
            "\n[[operator]]\nname = \"{}\"\nidentity = \"{}\"\nblock_key = \"{}\"\nendpoint = \"{}\"\n",
            operator.name, operator.identity, operator.block_key, operator.endpoint
        ));
    }
    text
}

/// `operator.toml`, a template for keys in encrypted files.
fn operator(parts: &Parts<'_>) -> String {
    let mut text = format!(
        "# The operator {name}, private. Paths are relative to the folder of this file.\n\
         # This is a template: adapt it to this machine.\n\n\
         federation = \"federation.toml\"\n\
         # With this line, a federation.toml that does not match the certificate is refused.\n\
         certificate = \"{CERTIFICATE}\"\n\
         operator = \"{name}\"\n\
         # The operator's memory. Never restore an old copy.\n\
         store = \"store\"\n\n",
        name = parts.name(),
    );
    text.push_str(&messenger(parts));
    for (role, file) in [("block", "block.key"), ("identity", "identity.key")] {
        text.push_str(&format!(
            "\n[keys.{role}]\nkind = \"keystore\"\nfile = \"keys/{file}\"\npassphrase = \"file:keys/passphrase\"\n"
        ));
    }
    for (usage, role) in [(KeyUse::Peg, "peg"), (KeyUse::Reissuance, "reissuance")] {
        if parts.me.key(usage).is_some() {
            text.push_str(&format!(
                "\n# [keys.{role}]\n# kind = \"keystore\"\n# file = \"keys/{role}.key\"\n# passphrase = \"file:keys/passphrase\"\n"
            ));
        }
    }
    text.push_str(
        "\n# Other kinds of keys: `file`, `hsm` and `node`. Other sources of pass phrases: `prompt`,\n\
         # `credential:NAME`, `fd:NUMBER`, `env:NAME`. See `federation help keys`.\n",
    );
    text.push_str(&format!(
        "\n[node]\nurl = \"http://127.0.0.1:{}\"\ncookie = \"node/{}/.cookie\"\n",
        parts.ports.rpc,
        parts.chain(),
    ));
    text
}

fn messenger(parts: &Parts<'_>) -> String {
    let brokers = match parts.transport {
        Transport::Zmq => {
            return format!(
                "messenger = \"zmq\"\nlisten = \"0.0.0.0:{}\"\n",
                parts.ports.messenger
            );
        }
        Transport::KafkaPerOperator => {
            // The operator's own broker first: it is reachable even without a network.
            let own = core::iter::once(parts.me).chain(parts.others());
            own.map(|party| party.join().endpoint.clone()).collect()
        }
        Transport::Kafka(brokers) => brokers.clone(),
    };
    let list: Vec<_> = brokers
        .iter()
        .map(|broker: &String| format!("\"{broker}\""))
        .collect();
    format!(
        "messenger = \"kafka\"\n\n[kafka]\nbrokers = [{}]\nreplication = {}\n",
        list.join(", "),
        brokers.len().min(3),
    )
}
