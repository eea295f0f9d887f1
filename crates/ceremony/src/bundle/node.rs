//! The node's configuration, and the ports that everything listens on.

use std::collections::BTreeMap;

use crate::{KeyUse, Party};
use federation_genesis::{NodeKind, Terms};

use super::{Transport, operator::Parts};

/// The ports that node and operator listen on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ports {
    /// For other nodes.
    pub(crate) peers: u16,
    /// For the node's RPC, on loopback only.
    pub(crate) rpc: u16,
    /// For the other operators, or for the clients of the operator's Kafka broker.
    pub(crate) messenger: u16,
}

impl Ports {
    /// The ports in the party's addresses. RPC has the next free port above the node's.
    pub(crate) fn of(party: &Party, transport: &Transport) -> Self {
        let peers = port_of(&party.join().node);
        let messenger = port_of(&party.join().endpoint);
        let controller = match transport {
            Transport::KafkaPerOperator => controller_of(party),
            _ => messenger,
        };
        let taken = [peers, messenger, controller, 0];
        let rpc = (1..=4).map(|step| peers.wrapping_add(step));
        Self {
            peers,
            // At most three of these four are taken, so the default is never used.
            rpc: rpc
                .into_iter()
                .find(|port| !taken.contains(port))
                .unwrap_or(7041),
            messenger,
        }
    }
}

/// The port of `host:port`, which is valid in every certificate.
pub(crate) fn port_of(address: &str) -> u16 {
    let port = address.rsplit_once(':').map(|(_, port)| port.parse());
    port.and_then(Result::ok).unwrap_or_default()
}

/// The host of `host:port`.
pub(crate) fn host_of(address: &str) -> &str {
    address.rsplit_once(':').map_or(address, |(host, _)| host)
}

/// The port of the controller of a party's Kafka broker: the next above the broker's that its node
/// does not use. All parties compute the same port.
pub(crate) fn controller_of(party: &Party) -> u16 {
    let taken = [port_of(&party.join().node), 0];
    let broker = port_of(&party.join().endpoint);
    let mut above = (1..=3).map(|step| broker.wrapping_add(step));
    // At most two of these three are taken, so the default is never used.
    above.find(|port| !taken.contains(port)).unwrap_or(9093)
}

/// Returns the configuration, and Ocean's terms if the chain has them.
pub(crate) fn files(parts: &Parts<'_>) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    files.insert(format!("node/{}", parts.kind().conf_file()), conf(parts));
    if let (NodeKind::Ocean, Some(terms)) = (parts.kind(), parts.certificate.terms()) {
        // The first of the two paths at which a node looks.
        let [path, _] = Terms::paths(parts.chain());
        files.insert(format!("node/{path}"), terms.to_owned());
    }
    files
}

fn conf(parts: &Parts<'_>) -> String {
    let kind = parts.kind();
    let mut text = format!(
        "# The node of {}, on the chain {}. Public: RPC uses a cookie file, so there is no password here.\n\
         # Start: {} -datadir=THIS FOLDER\n\n\
         # The settings that define the chain. Any change makes a different chain.\n{}\n\
         # How the node runs.\n\
         server=1\nlisten=1\ntxindex=1\ndnsseed=0\nlistenonion=0\n",
        parts.name(),
        parts.chain(),
        kind.daemon(),
        parts.certificate.node_settings(),
    );
    if kind == NodeKind::Elements {
        if parts.has_peg() {
            text.push_str(
                "# Every operator checks peg-ins with its own node of the parent chain. If that node is\n\
                 # on another machine, or its cookie is not in the default place, set mainchainrpchost,\n\
                 # mainchainrpcport and mainchainrpccookiefile.\n\
                 validatepegin=1\n",
            );
        } else {
            text.push_str("# The chain has no peg.\nvalidatepegin=0\n");
        }
    } else if parts.me.key(KeyUse::Reissuance).is_some() {
        text.push_str("# Records what reissuances are computed from.\nrecordinflation=1\n");
    }
    if kind == NodeKind::Elements {
        text.push_str(&format!(
            "\n# The node ignores these outside of this section.\n[{}]\n",
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
