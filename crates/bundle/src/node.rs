//! The node's configuration, and where everything listens.

use std::collections::BTreeMap;

use federation_ceremony::{KeyUse, Party};
use federation_genesis::{NodeKind, Terms};

use crate::{Transport, bundle::Parts};

/// Where node and operator listen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ports {
    /// For other nodes.
    pub(crate) peers: u16,
    /// The node's RPC, on loopback alone.
    pub(crate) rpc: u16,
    /// For the other operators, or for the clients of the own Kafka broker.
    pub(crate) messenger: u16,
}

impl Ports {
    /// Those of the addresses that the party gave; RPC is the next one above the node's that is free.
    pub(crate) fn of(party: &Party, transport: &Transport) -> Self {
        let peers = port_of(&party.join().node);
        let messenger = port_of(&party.join().endpoint);
        let controller = match transport {
            Transport::OwnKafka => controller_of(party),
            _ => messenger,
        };
        let taken = [peers, messenger, controller, 0];
        let rpc = (1..=4).map(|step| peers.wrapping_add(step));
        Self {
            peers,
            // Three of these four are taken at most; the rest is for the types.
            rpc: rpc
                .into_iter()
                .find(|port| !taken.contains(port))
                .unwrap_or(7041),
            messenger,
        }
    }
}

/// The port of `host:port`, which every certificate has checked.
pub(crate) fn port_of(address: &str) -> u16 {
    let port = address.rsplit_once(':').map(|(_, port)| port.parse());
    port.and_then(Result::ok).unwrap_or_default()
}

/// The host of `host:port`.
pub(crate) fn host_of(address: &str) -> &str {
    address.rsplit_once(':').map_or(address, |(host, _)| host)
}

/// Where the controller of a party's Kafka broker listens: above the broker, and not where its node
/// does. All parties compute it alike.
pub(crate) fn controller_of(party: &Party) -> u16 {
    let taken = [port_of(&party.join().node), 0];
    let broker = port_of(&party.join().endpoint);
    let mut above = (1..=3).map(|step| broker.wrapping_add(step));
    // Two are taken at most, of three; the rest is for the types.
    above.find(|port| !taken.contains(port)).unwrap_or(9093)
}

/// The program.
pub(crate) const fn program(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::Elements => "elementsd",
        NodeKind::Ocean => "oceand",
    }
}

/// The program that asks it.
pub(crate) const fn client(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::Elements => "elements-cli",
        NodeKind::Ocean => "ocean-cli",
    }
}

/// What the configuration is called, which the node looks for by itself.
pub(crate) const fn conf_name(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::Elements => "elements.conf",
        NodeKind::Ocean => "ocean.conf",
    }
}

/// The configuration, and Ocean's terms if the chain has them.
pub(crate) fn files(parts: &Parts<'_>) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    files.insert(format!("node/{}", conf_name(parts.kind())), conf(parts));
    if let (NodeKind::Ocean, Some(terms)) = (parts.kind(), parts.certificate.terms()) {
        // The first of the two places where a node looks.
        let [path, _] = Terms::paths(parts.chain());
        files.insert(format!("node/{path}"), terms.to_owned());
    }
    files
}

fn conf(parts: &Parts<'_>) -> String {
    let kind = parts.kind();
    let mut text = format!(
        "# The node of {}, on the chain {}. Public: there is no password in it, RPC is by cookie file.\n\
         # Start: {} -datadir=THIS FOLDER\n\n\
         # What makes the chain. One changed character makes another.\n{}\n\
         # How the node runs.\n\
         server=1\nlisten=1\ntxindex=1\ndnsseed=0\nlistenonion=0\n",
        parts.name(),
        parts.chain(),
        program(kind),
        parts.certificate.node_settings(),
    );
    if kind == NodeKind::Elements {
        if parts.has_peg() {
            text.push_str(
                "# Every operator checks peg-ins by a node of the parent chain of its own. If it is\n\
                 # not here with its cookie in the usual place: mainchainrpchost, mainchainrpcport and\n\
                 # mainchainrpccookiefile.\n\
                 validatepegin=1\n",
            );
        } else {
            text.push_str("# No operator holds coins of a parent chain.\nvalidatepegin=0\n");
        }
    } else if parts.me.key(KeyUse::Reissuance).is_some() {
        text.push_str("# What a reissuance is computed from.\nrecordinflation=1\n");
    }
    if kind == NodeKind::Elements {
        text.push_str(&format!(
            "\n# Elsewhere the node passes these over.\n[{}]\n",
            parts.chain()
        ));
    }
    let Ports { peers, rpc, .. } = parts.ports;
    text.push_str(&format!(
        "port={peers}\nrpcport={rpc}\nrpcbind=127.0.0.1\nrpcallowip=127.0.0.1\n"
    ));
    for party in parts.others() {
        text.push_str(&format!("addnode={}\n", party.join().node));
    }
    text
}
