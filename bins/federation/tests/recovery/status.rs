//! `federation status`: what a daemon tells while it runs, what its store tells after, and evidence.

use std::path::Path;

use federation_block_signing::{Message, Vote, VoteKind};
use federation_chain::{BlockHash, BlockHeight};
use federation_messenger::{EnvelopeHead, Messenger, UnsignedEnvelope};
use federation_messenger_zmq::{ZmqConfig, ZmqMessenger};
use federation_operator::config::{Config, Overrides};
use federation_roster::Round;
use federation_signer::{IdentitySigner, Secret, SoftwareIdentity};

use crate::world::{Daemon, World, ask, ask_json, federation, stdout, text, until};

/// Votes for two blocks in one round, with the keys of an operator whose daemon does not run, until
/// somebody has noticed.
async fn lie(config: &Path, world: &World, noticed: impl Fn() -> bool) {
    let config = Config::load(config, &Overrides::default()).expect("fine");
    let key = std::fs::read_to_string(world.folder(2).join("identity.key")).expect("there");
    let identity = SoftwareIdentity::new(Secret::from_hex(key.trim()).expect("a key"));
    let operators = config.federation.operators();
    let endpoint = |index: usize| operators[index].endpoint.parse().expect("host:port");
    let wire = ZmqConfig::new(endpoint(2), config.federation.id()).with_peers([0, 1].map(endpoint));
    let messenger = ZmqMessenger::bind(wire).await.expect("a free port");
    until("somebody listens", || messenger.subscribers() > 0).await;
    while !noticed() {
        for block in [1, 2] {
            let vote = Message::Vote(Vote {
                kind: VoteKind::Precommit,
                height: BlockHeight::new(world.height() + 1),
                round: Round::new(3),
                value: Some(BlockHash::from_bytes([block; 32])),
            });
            let parts = vote.to_parts();
            let unsigned = UnsignedEnvelope {
                head: EnvelopeHead {
                    federation: config.federation.id(),
                    sender: config.me,
                    kind: parts.kind,
                    height: parts.height,
                    round: parts.round,
                },
                payload: parts.payload,
            };
            let signature = identity.sign_envelope(unsigned.signing_digest()).await;
            let frame = unsigned
                .with_signature(signature.expect("it signs"))
                .encode();
            messenger.broadcast(frame).await.expect("it is sent");
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    messenger.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_of_a_lie_is_logged_kept_and_shown_so_that_anyone_can_check_it() {
    let world = World::new().await;
    let config = world.config(0);
    let daemons = [0, 1].map(|index| Daemon::start(&world.config(index)));
    world.blocks(2).await;
    let noticed = || {
        daemons
            .iter()
            .all(|daemon| daemon.log().contains("evidence: "))
    };
    lie(&world.config(2), &world, noticed).await;
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
        shown.contains("sent two of kind precommit at height"),
        "{shown}"
    );
    // Without being asked for, only their number is told.
    assert!(ask_json(&config, &["status"])["evidence"].as_u64() >= Some(1));
    // And from its store after.
    let [first, second] = daemons;
    first.stop().await;
    let stopped = ask_json(&config, &asked);
    assert_eq!(stopped["running"], false);
    assert_eq!(stopped["evidence"][0], *piece);
    second.stop().await;

    // Anyone who has the roster can check it, and nobody can change it.
    let file = world.fed.join("evidence.json");
    std::fs::write(&file, stopped.to_string()).expect("written");
    let verify = ["status", "--verify", text(&file)];
    let said = ask(&world.config(1), &verify);
    assert!(said.contains("signed two contradicting messages"), "{said}");
    let mut changed = stopped.clone();
    changed["evidence"][0]["messages"][1] = changed["evidence"][0]["messages"][0].clone();
    std::fs::write(&file, changed.to_string()).expect("written");
    let config = world.config(1);
    let output = federation(&[&verify[..], &["--config", text(&config)]].concat());
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("proves nothing"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_tells_what_it_does_and_its_store_tells_it_after() {
    let world = World::new().await;
    let config = world.config(0);
    let nothing = ask_json(&config, &["status"]);
    assert_eq!(nothing["running"], false);
    assert!(nothing["daemon"].is_null() && nothing["store"].is_null());
    assert!(!world.store(0).exists(), "asking makes nothing");
    assert!(ask(&config, &["status"]).contains("does not run"));

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
        "runs, process",
        "takes part",
        "last block",
        "node        up",
        "active, signs above",
        "evidence    none",
        "heard",
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
    assert!(
        table.contains("does not run; the last one told something"),
        "{table}"
    );
}
