//! `README.md`: what to do with the bundle.

use federation_genesis::NodeKind;

use crate::{
    Transport,
    bundle::Parts,
    node::{controller_of, program},
    systemd::HOME,
};

/// The whole text.
pub(crate) fn file(parts: &Parts<'_>) -> String {
    let certificate = parts.certificate;
    let (name, chain) = (parts.name(), parts.chain());
    let program = program(parts.kind());
    let daemon = "-daemon";
    let ports = parts.ports;
    let transport = transport(parts);
    let parent = if parts.has_peg() && parts.kind() == NodeKind::Elements {
        "\nThe chain has a peg: start a node of the parent chain first, see `node/elements.conf`.\n"
    } else {
        ""
    };
    format!(
        "# {name} of the chain {chain}

This folder is all that {name} needs to take part, but for its keys. There is no secret in it.

    agreed   {agreed}
    genesis  {genesis}
    words    {words}

Unpack it anywhere. `sha256sum --check SHA256SUMS` says whether it is whole, before you change
anything. `sha256sum SHA256SUMS` is its id, which is the same wherever the bundle of {name} was
built with this certificate. `certificate.json` is not in the list, because it proves itself:
`multisig ceremony verify certificate.json`. It must show the words above, which you have compared by
voice.

## Keys

Put the keys with which you joined into the folder `keys`, readable by you alone:

    keys/block.key  keys/identity.key  keys/passphrase

The file `passphrase` holds the pass phrase of both. If yours are elsewhere, in a hardware module,
or if you want to be asked, change `[keys]` in `operator.toml`.
{parent}
## Next

```sh
federation rehearse --config operator.toml
{program} -datadir=\"$PWD/node\" {daemon}
federation run --config operator.toml
```

The first makes and signs a block 1 here, without any node, and says whether your key signs what the
chain asks for. The second starts the node. The third takes part, until you stop it; when
{threshold} of {operators} do, block 1 is made.

Between the second and the third, or at any time later with `--running`,
`federation preflight --config operator.toml` asks node, peers, messenger, clock, store and keys, and
prints what is green.

## Keeping it running

With Docker: name the images in a file `.env` (the head of `docker-compose.yml` says which), then

    mkdir -p store && docker compose up --detach

With systemd: unpack it as `{HOME}`, owned by a user `federation`, with the programs in
`/usr/local/bin`, then

    mkdir -p store && sudo cp systemd/*.service /etc/systemd/system/
    sudo systemctl enable --now federation-node federation

Use one of the three ways, never two: two daemons with one key contradict each other.

An operator that hears another daemon speak with its key, or finds that its store is not the newest,
stops for good, and no restart gets past that: `federation status --config operator.toml` says why, and
`federation guard resume` clears it once it is settled. With Docker the container stays up, unhealthy.

## Ports

| port | for | open to |
|---|---|---|
| {peers} | nodes | the other operators, and whoever may follow the chain |
{transport}| {rpc} | RPC of the node | nobody: loopback alone |

Made by version {version} of the program; another version may write other texts.
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

/// The lines of the messenger's ports.
fn transport(parts: &Parts<'_>) -> String {
    let port = parts.ports.messenger;
    match parts.transport {
        Transport::Zmq => format!("| {port} | messages (ZeroMQ) | the other operators |\n"),
        Transport::OwnKafka => format!(
            "| {port} | Kafka's clients | the other operators |\n| {} | Kafka's controllers | the other operators |\n",
            controller_of(parts.me)
        ),
        Transport::Kafka(brokers) => format!(
            "| none | messages, by Kafka at {} | |\n",
            brokers.join(", ")
        ),
    }
}
