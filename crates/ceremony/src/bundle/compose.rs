//! `docker-compose.yml`: node, operator, and a broker if each operator runs one.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{
    Transport,
    node::{controller_of, host_of},
    operator::{CERTIFICATE, Parts},
};

/// The restrictions on every container, and the user that it runs as.
const CONFINED: &str = "    user: \"${RUN_AS:-1000:1000}\"
    restart: unless-stopped
    cap_drop: [ALL]
    security_opt: [\"no-new-privileges:true\"]
";

/// Returns the content of the file.
pub(crate) fn file(parts: &Parts<'_>) -> String {
    let mut text = format!(
        "# Node and operator of {}. RPC is on the loopback interface of a network that both share,\n\
         # and is not published. Set the images in the environment or in a file .env:\n\
         #   NODE_IMAGE        an image with {} and {} in its path: docker/Dockerfile.node\n\
         #   FEDERATION_IMAGE  an image with the operator: docker/Dockerfile\n\
         #   RUN_AS            the user:group that owns this folder\n\
         # The Dockerfiles are in the program's repository. Name images by their digests.\n\
         name: {}\n\nservices:\n",
        parts.name(),
        parts.kind().daemon(),
        parts.kind().client(),
        project(parts),
    );
    text.push_str(&node(parts));
    text.push_str(&operator(parts));
    if *parts.transport == Transport::KafkaPerOperator {
        text.push_str(&broker(parts));
    }
    text.push_str(
        "\n# Files in this folder that only their owner may read.\nsecrets:\n  block_key:\n    file: ./keys/block.key\n  identity_key:\n    file: ./keys/identity.key\n  passphrase:\n    file: ./keys/passphrase\n",
    );
    if *parts.transport == Transport::KafkaPerOperator {
        text.push_str("\nvolumes:\n  kafka:\n");
    }
    text
}

/// Returns the project name: lower-case letters, digits, `-` and `_`.
fn project(parts: &Parts<'_>) -> String {
    let name = format!("federation-{}-{}", parts.chain(), parts.name());
    name.to_lowercase().replace('.', "-")
}

fn node(parts: &Parts<'_>) -> String {
    let ports = parts.ports;
    let mut published = vec![(ports.peers, "other nodes")];
    match parts.transport {
        Transport::Zmq => published.push((ports.messenger, "the other operators")),
        Transport::KafkaPerOperator => published.extend([
            (ports.messenger, "Kafka's clients"),
            (controller_of(parts.me), "Kafka's controllers"),
        ]),
        Transport::Kafka(_) => {}
    }
    let published: String = published
        .into_iter()
        .map(|(port, who)| format!("      - \"{port}:{port}\" # {who}\n"))
        .collect();
    // Resolve the broker's public name locally: not every network routes back to itself.
    let host = host_of(&parts.me.join().endpoint);
    let is_name = host.contains(|c: char| c.is_ascii_alphabetic()) && !host.contains(':');
    let own_name = if *parts.transport == Transport::KafkaPerOperator && is_name {
        format!("    extra_hosts:\n      - \"{host}:127.0.0.1\"\n")
    } else {
        String::new()
    };
    format!(
        "  node:
    image: \"${{NODE_IMAGE:?set it to an image with {program}}}\"
{CONFINED}    stop_grace_period: 90s
    entrypoint: [\"{program}\", \"-datadir=/node\", \"-printtoconsole\"]
    command: []
    ports:
{published}{own_name}    volumes:
      - ./node:/node
      - ./node/{conf}:/node/{conf}:ro
    healthcheck:
      test: [\"CMD-SHELL\", \"test \\\"$$({client} -datadir=/node getblockhash 0)\\\" = {genesis}\"]
      interval: 30s
      timeout: 10s
      retries: 3
      start_period: 2m
",
        program = parts.kind().daemon(),
        client = parts.kind().client(),
        conf = parts.kind().conf_file(),
        genesis = parts.certificate.genesis_hash(),
    )
}

fn operator(parts: &Parts<'_>) -> String {
    let broker = if *parts.transport == Transport::KafkaPerOperator {
        "      kafka:\n        condition: service_healthy\n"
    } else {
        ""
    };
    let read_only: String = ["operator.toml", "federation.toml", CERTIFICATE, "node"]
        .map(|file| format!("      - ./{file}:/federation/{file}:ro\n"))
        .concat();
    let secrets: String = [
        ("block_key", "block.key"),
        ("identity_key", "identity.key"),
        ("passphrase", "passphrase"),
    ]
    .map(|(secret, file)| {
        format!("      - source: {secret}\n        target: /federation/keys/{file}\n")
    })
    .concat();
    format!(
        "  operator:
    image: \"${{FEDERATION_IMAGE:-federation}}\"
{CONFINED}    read_only: true
    network_mode: \"service:node\"
    depends_on:
      node:
        condition: service_healthy
        restart: true
{broker}    working_dir: /federation
    entrypoint: [\"federation\"]
    command: [\"run\", \"--config\", \"/federation/operator.toml\"]
    environment:
      # Compose restarts a container that exits. After an error that needs an administrator, the
      # operator therefore stays up, idle and unhealthy, and its log says what to do.
      FEDERATION_ON_HALT: \"stay\"
      # Return memory to the system after large blocks.
      MALLOC_MMAP_THRESHOLD_: \"131072\"
      MALLOC_TRIM_THRESHOLD_: \"131072\"
    volumes:
{read_only}      - ./store:/federation/store
    secrets:
{secrets}    healthcheck:
      # Checks the status that the daemon reports, and its age: a daemon that hangs is unhealthy.
      test: [\"CMD\", \"federation\", \"status\", \"--check\", \"--config\", \"/federation/operator.toml\"]
      interval: 30s
      timeout: 20s
      retries: 3
      start_period: 2m
"
    )
}

/// A broker of the cluster that all operators form, without ZooKeeper.
fn broker(parts: &Parts<'_>) -> String {
    let endpoint = &parts.me.join().endpoint;
    let port = parts.ports.messenger;
    let voters: Vec<_> = parts
        .certificate
        .operators()
        .iter()
        .enumerate()
        .map(|(index, party)| {
            let endpoint = &party.join().endpoint;
            let controller = controller_of(party);
            format!("{}@{}:{controller}", index + 1, host_of(endpoint))
        })
        .collect();
    // Each agreement has its own cluster.
    let cluster = URL_SAFE_NO_PAD.encode(&parts.certificate.agreed_hash().to_bytes()[..16]);
    let copies = voters.len().min(3);
    format!(
        "  kafka:
    image: \"${{KAFKA_IMAGE:-apache/kafka:3.9.1}}\"
    restart: unless-stopped
    network_mode: \"service:node\"
    volumes:
      - kafka:/var/lib/kafka/data
    environment:
      CLUSTER_ID: \"{cluster}\"
      KAFKA_NODE_ID: \"{id}\"
      KAFKA_PROCESS_ROLES: \"broker,controller\"
      KAFKA_CONTROLLER_QUORUM_VOTERS: \"{voters}\"
      KAFKA_CONTROLLER_LISTENER_NAMES: \"CONTROLLER\"
      KAFKA_INTER_BROKER_LISTENER_NAME: \"PLAINTEXT\"
      KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: \"PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\"
      KAFKA_LISTENERS: \"PLAINTEXT://:{port},CONTROLLER://:{controller}\"
      KAFKA_ADVERTISED_LISTENERS: \"PLAINTEXT://{endpoint}\"
      KAFKA_LOG_DIRS: \"/var/lib/kafka/data\"
      KAFKA_DEFAULT_REPLICATION_FACTOR: \"{copies}\"
      KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: \"{copies}\"
      KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: \"{copies}\"
    healthcheck:
      test: [\"CMD\", \"/opt/kafka/bin/kafka-broker-api-versions.sh\", \"--bootstrap-server\", \"127.0.0.1:{port}\"]
      interval: 30s
      timeout: 20s
      retries: 3
      start_period: 2m
",
        id = parts.index + 1,
        voters = voters.join(","),
        controller = controller_of(parts.me),
    )
}
