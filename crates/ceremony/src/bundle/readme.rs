//! `README.md`: how to use the bundle.

use federation_genesis::NodeKind;

use super::{Transport, node::controller_of, operator::Parts, systemd::HOME};

/// Returns the content of the file.
pub(crate) fn file(parts: &Parts<'_>) -> String {
    let certificate = parts.certificate;
    let (name, chain) = (parts.name(), parts.chain());
    let program = parts.kind().daemon();
    let daemon = "-daemon";
    let ports = parts.ports;
    let transport = transport(parts);
    let parent = if parts.has_peg() && parts.kind() == NodeKind::Elements {
        "\nThe chain has a peg, so start a node of the parent chain first: see `node/elements.conf`.\n"
    } else {
        ""
    };
    format!(
        "# {name} of the chain {chain}

This folder holds everything that {name} needs to take part except its keys. It contains no secrets.

    agreed   {agreed}
    genesis  {genesis}
    words    {words}

Unpack it anywhere. Before you change anything, check that it is complete with
`sha256sum --check SHA256SUMS`. Its id is `sha256sum SHA256SUMS`, the same for every bundle of {name}
built from this certificate. `certificate.json` is not in the list; verify it with
`multisig ceremony verify certificate.json`. It must show the words above, which you have compared by
voice.

## Keys

Put the keys with which you joined into the folder `keys`, readable only by you:

    keys/block.key  keys/identity.key  keys/passphrase

The file `passphrase` holds the pass phrase of both. If your keys are elsewhere, for example in a
hardware module, or if you want to be prompted, change `[keys]` in `operator.toml`.
{parent}
## Next

```sh
federation rehearse --config operator.toml
{program} -datadir=\"$PWD/node\" {daemon}
federation run --config operator.toml
```

The first command builds and signs a block 1 locally, without a node, to check that your key makes
the signatures that the chain requires. The second starts the node. The third runs the operator until
you stop it; block 1 is made when {threshold} of {operators} are running.

Between the second and the third, or later with `--running`,
`federation preflight --config operator.toml` checks node, peers, messenger, clock, store and keys.

## Keeping it running

With Docker: name the images in a file `.env` (see the top of `docker-compose.yml`), then

    mkdir -p store && docker compose up --detach

With systemd: unpack it as `{HOME}`, owned by a user `federation`, with the programs in
`/usr/local/bin`, then

    mkdir -p store && sudo cp systemd/*.service /etc/systemd/system/
    sudo systemctl enable --now federation-node federation

Use only one of the three ways: two daemons with the same key contradict each other.

An operator that receives messages signed with its own key by another daemon, or finds that its store
is outdated, stops permanently, and restarting does not help. `federation status --config operator.toml`
shows the reason, and `federation guard resume` clears it once it is resolved. With Docker, the
container stays up but is unhealthy.

## Ports

| port | for | open to |
|---|---|---|
| {peers} | nodes | the other operators, and everyone who may follow the chain |
{transport}| {rpc} | RPC of the node | nobody: loopback only |

Made by version {version} of the program; the texts may differ in other versions.
",
        agreed = certificate.agreed_hash(),
        genesis = certificate.genesis_hash(),
        words = certificate.chain().words(),
        threshold = certificate.threshold(),
        operators = certificate.operators().len(),
        peers = ports.peers,
        rpc = ports.rpc,
        version = env!("CARGO_PKG_VERSION"),
    )
}

/// The rows of the messenger's ports.
fn transport(parts: &Parts<'_>) -> String {
    let port = parts.ports.messenger;
    match parts.transport {
        Transport::Zmq => format!("| {port} | messages (ZeroMQ) | the other operators |\n"),
        Transport::KafkaPerOperator => format!(
            "| {port} | Kafka's clients | the other operators |\n| {} | Kafka's controllers | the other operators |\n",
            controller_of(parts.me)
        ),
        Transport::Kafka(brokers) => {
            format!("| none | messages (Kafka at {}) | |\n", brokers.join(", "))
        }
    }
}
