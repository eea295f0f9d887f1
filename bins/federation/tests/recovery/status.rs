//! `federation status`: the running daemon's status, the store of a stopped one, and evidence.

use std::time::Duration;

use federation_block_signing::{Message, Vote, VoteKind};
use federation_chain::{BlockHash, BlockHeight, UnixTime};
use federation_classic::{GuardFile, TurnGuard, TurnRecord};
use federation_messenger::{EnvelopeHead, Messenger, UnsignedEnvelope};
use federation_messenger_zmq::{ZmqConfig, ZmqMessenger};
use federation_operator::config::{Config, Overrides};
use federation_roster::Round;
use federation_signer::{IdentitySigner, Secret, SoftwareIdentity};

use crate::world::{Daemon, World, ask, ask_json, federation, stderr, stdout, text, until};

/// An operator without its daemon, with its keys in other hands.
struct Impostor {
    config: Config,
    identity: SoftwareIdentity,
    messenger: ZmqMessenger,
}

impl Impostor {
    /// Listens at the operator's endpoint.
    async fn new(world: &World, index: usize) -> Self {
        let config = Config::load(&world.config(index), &Overrides::default())
            .expect("a valid configuration");
        let key = std::fs::read_to_string(world.folder(index).join("identity.key"));
        let identity =
            SoftwareIdentity::new(Secret::from_hex(key.expect("it exists").trim()).expect("a key"));
        let operators = config.federation.operators();
        let endpoint = operators[index].endpoint.parse().expect("host:port");
        let wire = ZmqConfig::new(endpoint, config.federation.id());
        let messenger = ZmqMessenger::bind(wire).await.expect("a free port");
        until("somebody listens", || messenger.subscribers() > 0).await;
        Self {
            config,
            identity,
            messenger,
        }
    }

    async fn precommit(&self, height: u32, block: u8) {
        let vote = Message::Vote(Vote {
            kind: VoteKind::Precommit,
            height: BlockHeight::new(height),
            round: Round::new(3),
            value: Some(BlockHash::from_bytes([block; 32])),
        });
        let parts = vote.to_parts();
        let unsigned = UnsignedEnvelope {
            head: EnvelopeHead {
                federation: self.config.federation.id(),
                sender: self.config.me,
                kind: parts.kind,
                height: parts.height,
                round: parts.round,
            },
            payload: parts.payload,
        };
        let signature = self.identity.sign_envelope(unsigned.signing_digest()).await;
        let frame = unsigned
            .with_signature(signature.expect("it signs"))
            .encode();
        self.messenger.broadcast(frame).await.expect("it is sent");
    }
}

const PAUSE: Duration = Duration::from_millis(100);

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_stops_when_another_answers_at_its_endpoint_with_its_keys() {
    let world = World::new().await;
    let others = [1, 2].map(|index| Daemon::start(&world.config(index)));
    let impostor = Impostor::new(&world, 0).await;
    // On another machine: the operator does not listen at its endpoint in the roster.
    let flags = ["--listen", "127.0.0.1:0"];
    let daemon = Daemon::start_with(&world.config(0), &flags);
    daemon.logs("the node answers").await;
    world.blocks(1).await;
    while !daemon.log().contains("another daemon spoke") {
        impostor.precommit(world.height() + 1, 1).await;
        tokio::time::sleep(PAUSE).await;
    }
    let log = daemon.halts().await;
    assert!(
        log.contains("another daemon spoke for this operator"),
        "{log}"
    );
    assert!(log.contains("stop both"), "{log}");
    // A restart does not help, and `status` says what does.
    for _ in 0..2 {
        let again = Daemon::start_with(&world.config(0), &flags).halts().await;
        assert!(again.contains("the operator halted at"), "{again}");
        assert!(again.contains("guard resume"), "{again}");
    }
    let shown = ask_json(&world.config(0), &["status"]);
    assert_eq!(shown["halt"]["reason"], "twin", "{shown}");
    assert_eq!(shown["running"], false);
    let shown = ask(&world.config(0), &["status"]);
    assert!(shown.contains("halted "), "{shown}");
    for daemon in others {
        daemon.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_is_logged_kept_and_shown_so_that_anyone_can_verify_it() {
    let world = World::new().await;
    let config = world.config(0);
    let daemons = [0, 1].map(|index| Daemon::start(&world.config(index)));
    world.blocks(2).await;
    let noticed = || {
        daemons
            .iter()
            .all(|daemon| daemon.log().contains("evidence: "))
    };
    let liar = Impostor::new(&world, 2).await;
    while !noticed() {
        for block in [1, 2] {
            liar.precommit(world.height() + 1, block).await;
        }
        tokio::time::sleep(PAUSE).await;
    }
    let line = daemons[0].log();
    let line = line.lines().find(|line| line.contains("evidence: "));
    let line = line.expect("a line");
    assert!(
        line.contains("operator-2") || line.contains("gamma"),
        "{line}"
    );
    assert!(line.contains("round=3"), "{line}");

    // While the daemon runs.
    let asked = ["status", "--evidence"];
    until("the daemon tells", || {
        ask_json(&config, &asked)["evidence"][0].is_object()
    })
    .await;
    let running = ask_json(&config, &asked);
    assert_eq!(running["running"], true);
    let piece = &running["evidence"][0];
    assert_eq!(
        (&piece["kind"], &piece["round"]),
        (&"precommit".into(), &3.into())
    );
    let shown = ask(&config, &asked);
    assert!(
        shown.contains("sent two messages of kind precommit at height"),
        "{shown}"
    );
    // By default only their number is shown.
    assert!(ask_json(&config, &["status"])["evidence"].as_u64() >= Some(1));
    // And from its store afterwards.
    let [first, second] = daemons;
    first.stop().await;
    let stopped = ask_json(&config, &asked);
    assert_eq!(stopped["running"], false);
    assert_eq!(stopped["evidence"][0], *piece);
    second.stop().await;

    // Anyone with the roster can verify it, and nobody can alter it.
    let file = world.fed.join("evidence.json");
    std::fs::write(&file, stopped.to_string()).expect("written");
    let verify = ["status", "--verify", text(&file)];
    let printed = ask(&world.config(1), &verify);
    assert!(
        printed.contains("signed two contradicting messages"),
        "{printed}"
    );
    let public = world.fed.join("federation.toml");
    let output = federation(&[&verify[..], &["--federation", text(&public)]].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    let mut changed = stopped.clone();
    changed["evidence"][0]["messages"][1] = changed["evidence"][0]["messages"][0].clone();
    std::fs::write(&file, changed.to_string()).expect("written");
    let config = world.config(1);
    let output = federation(&[&verify[..], &["--config", text(&config)]].concat());
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("proves nothing"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_is_that_of_the_daemon_and_afterwards_that_of_its_store() {
    let world = World::new().await;
    let config = world.config(0);
    let nothing = ask_json(&config, &["status"]);
    assert_eq!(nothing["running"], false);
    assert!(nothing["daemon"].is_null() && nothing["store"].is_null());
    assert!(!world.store(0).exists(), "the query creates nothing");
    assert!(ask(&config, &["status"]).contains("not running"));

    let daemons = [0, 1, 2].map(|index| Daemon::start(&world.config(index)));
    world.blocks(4).await;
    until("the daemon tells of the blocks and of both others", || {
        let status = ask_json(&config, &["status"]);
        let daemon = &status["daemon"];
        let heard = daemon["peers"].as_array().map_or(0, |peers| {
            peers.iter().filter(|peer| peer["heard"].is_u64()).count()
        });
        daemon["tip"]["height"].as_u64() >= Some(4)
            && heard == 2
            && status["guard"]["final"].as_u64() >= Some(1)
    })
    .await;
    let table = ask(&config, &["status"]);
    for part in [
        "running, process",
        "participating",
        "last block",
        "node        up",
        "active, signs above height",
        "evidence    none",
        "last message",
    ] {
        assert!(table.contains(part), "{part} in {table}");
    }
    for daemon in daemons {
        daemon.stop().await;
    }
    let status = ask_json(&config, &["status"]);
    assert_eq!(status["running"], false);
    assert!(status["store"]["final"].as_u64() >= Some(3), "{status}");
    assert_eq!(status["store"]["observing"], false);
    let table = ask(&config, &["status"]);
    assert!(table.contains("not running; last status"), "{table}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_classic_protocol_has_signed_is_shown_too() {
    let world = World::new().await;
    let config = world.config(0);
    let genesis = world.nodes[0].genesis_hash();
    let guard = TurnGuard::new(GuardFile::open(&world.store(0), genesis, 0).expect("new"));
    let signed = TurnRecord {
        height: BlockHeight::new(7),
        turn: UnixTime::from_secs(60),
        hash: BlockHash::from_bytes([7; 32]),
    };
    guard.admit(signed).await.expect("the first");
    drop(guard);
    let status = ask_json(&config, &["status"]);
    assert_eq!(status["classic"]["last"]["height"], 7, "{status}");
    let table = ask(&config, &["status"]);
    assert!(table.contains("classic     last signed 7 0707"), "{table}");
}
