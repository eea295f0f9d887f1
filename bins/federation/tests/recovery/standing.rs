//! `federation status` and `status --check` in every state of an operator, and at a standstill of the
//! chain.

use std::{collections::BTreeMap, path::Path, process::Command};

use federation_chain::BlockHeight;
use federation_operator::config::{Config, Overrides};
use serde_json::Value;

use crate::world::{Daemon, World, ask, ask_json, change, federation, stderr, stdout, until};

/// Returns the line of `--check`, and its exit code.
fn check(config: &Path) -> (String, i32) {
    let config = config.to_str().expect("text");
    let output = federation(&["status", "--check", "--config", config]);
    let line = stdout(&output);
    assert_eq!(line.lines().count(), 1, "{line}{}", stderr(&output));
    assert!(stderr(&output).is_empty(), "{}", stderr(&output));
    let code = output.status.code().expect("it ends by itself");
    (line, code)
}

fn check_json(config: &Path) -> Value {
    let config = config.to_str().expect("text");
    let output = federation(&["status", "--check", "--json", "--config", config]);
    let value: Value = serde_json::from_str(&stdout(&output)).expect("json");
    assert_eq!(value["code"].as_i64(), output.status.code().map(i64::from));
    value
}

/// Repeats the check until it exits with this code and shows all these words: a status is written again and
/// again, and not all of it comes at once.
async fn until_check<const N: usize>(config: &Path, code: i32, words: [&str; N]) -> String {
    let mut printed = (String::new(), -1);
    until(&format!("{code}: {words:?}"), || {
        printed = check(config);
        printed.1 == code && words.iter().all(|word| printed.0.contains(word))
    })
    .await;
    printed.0
}

fn critical(config: &Path, word: &str) {
    let (line, code) = check(config);
    assert!(line.starts_with("CRITICAL: "), "{line}");
    assert!(line.contains(word), "`{word}` in {line}");
    assert_eq!(code, 2);
    // The table for people has it too, with help.
    let shown = ask(config, &["status"]);
    assert!(shown.contains("state       critical"), "{shown}");
    assert!(shown.contains("help: "), "{shown}");
    let value = check_json(config);
    assert_eq!(value["state"], "critical");
    assert!(value["text"].as_str().expect("text").contains(word));
    assert!(value["findings"][0]["about"].is_string());
}

fn signal(daemon: &Daemon, name: &str) {
    let sent = Command::new("kill")
        .args([name, &daemon.id().to_string()])
        .status();
    assert!(sent.expect("kill runs").success());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_of_three_that_stop_are_named_until_they_return() {
    let world = World::new().await;
    let config = world.config(0);
    let daemon = Daemon::start(&config);
    let mut others: Vec<_> = [1, 2]
        .map(|index| Daemon::start(&world.config(index)))
        .into();
    world.blocks(3).await;
    let good = until_check(&config, 0, ["messages from 2 of 2 others"]).await;
    assert!(good.starts_with("GOOD: "), "{good}");
    assert!(ask(&config, &["status"]).contains("state       good"));
    for other in others.drain(..) {
        other.stop().await;
    }
    let roster = Config::load(&config, &Overrides::default()).expect("a valid configuration");
    let names = [1, 2].map(|index| roster.federation.members()[index].name.clone());
    let missing = format!(
        "heard 1 of the 2 that must sign; absent: {}",
        names.join(", ")
    );
    daemon.logs("the chain stands still for ").await;
    until_check(&config, 2, [&missing]).await;
    critical(&config, "the chain stands still for ");
    let shown = ask_json(&config, &["status"]);
    let standstill = &shown["daemon"]["standstill"];
    assert_eq!(standstill["needed"], 2, "{shown}");
    assert_eq!(standstill["absent"], serde_json::json!(names));
    // It counts from the last block.
    let (since, made) = (&standstill["since"], &shown["daemon"]["tip"]["time"]);
    assert!(since.as_u64() <= made.as_u64(), "{shown}");
    daemon.logs(&missing).await;
    let log = daemon.log();
    let line = log.lines().find(|line| line.contains(&missing));
    assert!(line.expect("a line").contains("WARN"), "{log}");

    let others = [1, 2].map(|index| Daemon::start(&world.config(index)));
    daemon.logs("the chain moves again after ").await;
    until_check(&config, 0, ["messages from 2 of 2 others"]).await;
    assert!(ask_json(&config, &["status"])["daemon"]["standstill"].is_null());
    for daemon in others.into_iter().chain([daemon]) {
        daemon.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_line_of_a_block_names_its_signers() {
    let world = World::new().await;
    let config = world.config(0);
    let daemons = [0, 1, 2].map(|index| Daemon::start(&world.config(index)));
    world.blocks(6).await;
    daemons[0].logs(" block height=6 ").await;
    let roster = Config::load(&config, &Overrides::default()).expect("a valid configuration");
    let federation = roster.federation;
    let field = |line: &str, name: &str| {
        let rest = line.split(&format!(" {name}=")).nth(1)?;
        Some(rest.split(' ').next()?.trim_matches('"').to_owned())
    };
    let mut printed = BTreeMap::new();
    for line in daemons[0]
        .log()
        .lines()
        .filter(|line| line.contains(" block height="))
    {
        let height: u32 = field(line, "height")
            .and_then(|h| h.parse().ok())
            .expect("a height");
        printed.insert(height, field(line, "signers").expect("signers"));
    }
    assert!(printed.len() >= 5, "{printed:?}");
    for (height, signers) in printed {
        let block = world.nodes[0].block(BlockHeight::new(height));
        let block = block.expect("the node has it");
        let rules = federation.rules();
        let in_block: Vec<_> = rules
            .signers(block.header())
            .expect("signed")
            .into_iter()
            .filter_map(|position| federation.at_script_position(position))
            .map(|id| federation.name(id))
            .collect();
        assert_eq!(signers, in_block.join(","), "block {height}");
        assert_eq!(in_block.len(), 2, "three sign, and two signatures are in");
    }
    // The status shows the block's age.
    until("the status tells of a block", || {
        ask_json(&config, &["status"])["daemon"]["tip"]["time"].is_u64()
    })
    .await;
    let shown = ask(&config, &["status"]);
    assert!(
        shown.contains(", made ") && shown.contains(", signed by "),
        "{shown}"
    );
    for counter in [
        "accepted",
        "undecodable",
        "of unknown kind",
        "of another federation",
        "from unknown senders",
        "of distant heights",
        "too large",
        "invalid signatures",
        "invalid blocks",
        "unwanted about reissuances",
        "of evidence",
    ] {
        assert!(shown.contains(counter), "{counter} in {shown}");
    }
    for daemon in daemons {
        daemon.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_never_ran_hangs_waits_or_has_died_is_distinguished() {
    let world = World::new().await;
    let config = world.config(0);
    critical(&config, "has never run with this store");
    let mut daemons = [0, 1, 2].map(|index| Daemon::start(&world.config(index)));
    world.blocks(2).await;
    until_check(&config, 0, ["messages from 2 of 2 others"]).await;

    // Frozen: it has the store, but no longer writes its status.
    signal(&daemons[0], "-STOP");
    let file = world.store(0).join("status.json");
    let mut report: Value =
        serde_json::from_slice(&std::fs::read(&file).expect("it exists")).expect("json");
    let written = report["written"].as_u64().expect("a time");
    report["written"] = (written - 120_000).into();
    std::fs::write(&file, report.to_string()).expect("written");
    critical(&config, "hangs: last status 2 min");
    signal(&daemons[0], "-CONT");
    until_check(&config, 0, ["messages from 2 of 2 others"]).await;

    // Killed: its last status was good.
    signal(&daemons[0], "-KILL");
    daemons[0].killed().await;
    critical(&config, "the daemon is not running; last status");
    assert_eq!(ask_json(&config, &["status"])["running"], false);

    // Waiting for its node before it starts.
    change(&config, "http://127.0.0.1:", "http://127.0.0.2:");
    std::fs::remove_file(&file).expect("it exists");
    let waiting = Daemon::start(&config);
    waiting.logs("waiting for the node").await;
    critical(
        &config,
        "has not written its status yet: a daemon waiting for its node",
    );
    waiting.stop().await;
    for daemon in daemons.into_iter().skip(1) {
        daemon.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_swapped_or_moved_store_or_guard_is_reported() {
    let world = World::new().await;
    let config = world.config(0);
    let daemons = [0, 1, 2].map(|index| Daemon::start(&world.config(index)));
    world.blocks(2).await;
    let [first, second, third] = daemons;
    first.stop().await;
    let (store, guard) = (
        world.store(0).join("operator.redb"),
        world.store(0).join("guard.redb"),
    );
    let aside = world.fed.join("aside");
    std::fs::create_dir(&aside).expect("created");
    let early = aside.join("guard.redb");
    std::fs::copy(&guard, &early).expect("copied");

    // An older guard with the current store.
    let first = Daemon::start(&config);
    world.blocks(6).await;
    first.stop().await;
    let late = aside.join("late.redb");
    std::fs::rename(&guard, &late).expect("moved");
    critical(
        &config,
        "guard.redb is lost, but the store next to it exists",
    );
    std::fs::copy(&early, &guard).expect("copied");
    critical(&config, "store and guard do not belong together");
    std::fs::rename(&late, &guard).expect("moved");
    let (line, _) = check(&config);
    assert!(!line.contains("belong"), "{line}");

    // The store itself.
    let kept = aside.join("operator.redb");
    std::fs::rename(&store, &kept).expect("moved");
    critical(
        &config,
        "operator.redb is lost, but guard.redb and status.json",
    );
    std::fs::write(&store, b"nothing that a database would say").expect("written");
    critical(&config, "operator.redb cannot be read");
    std::fs::rename(&kept, &store).expect("moved");

    // Lost while the daemon is running.
    let first = Daemon::start(&config);
    until_check(&config, 0, ["messages from 2 of 2 others"]).await;
    std::fs::rename(&store, &kept).expect("moved");
    critical(
        &config,
        "the daemon is running with another store than this one",
    );
    let folder = world.store(0);
    std::fs::rename(&folder, world.fed.join("gone")).expect("moved");
    if cfg!(target_os = "linux") {
        critical(
            &config,
            "the daemon is running with another store than this one",
        );
    }
    std::fs::rename(world.fed.join("gone"), &folder).expect("moved");
    std::fs::rename(&kept, &store).expect("moved");
    first.stop().await;

    // The key is moved to another machine.
    let out = world.fed.join("key.guard");
    ask(
        &config,
        &["guard", "export", "--out", out.to_str().expect("text")],
    );
    critical(&config, "the guard was moved away by `guard export`");
    for daemon in [second, third] {
        daemon.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_node_and_silent_operators_are_reported() {
    let world = World::new().await;
    let config = world.config(0);
    let daemon = Daemon::start(&config);
    daemon.logs("node reachable").await;
    // Alone from the start.
    let words = ["no messages from other operators", "(never)", "links up"];
    until_check(&config, 2, words).await;
    daemon.stop().await;

    let daemons = [0, 1].map(|index| Daemon::start(&world.config(index)));
    world.blocks(1).await;
    let line = until_check(&config, 1, ["no messages from "]).await;
    assert!(line.starts_with("WARNING: "), "{line}");
    world.nodes[0].set_unavailable(true);
    until_check(&config, 2, ["node unreachable: "]).await;
    for daemon in daemons {
        daemon.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_all_observe_the_help_that_they_report_works() {
    let world = World::new().await;
    let daemons = [0, 1, 2].map(|index| Daemon::start(&world.config(index)));
    world.blocks(2).await;
    for daemon in daemons {
        daemon.stop().await;
    }
    let before = world.height();
    let observe = |index| Daemon::start_with(&world.config(index), &["--observe"]);
    let observers = [0, 1, 2].map(observe);
    let words = [
        "nobody is left to decide",
        "this operator only observes",
        "raise `epoch`",
        "guard repair --new-roster --no-other-daemon",
    ];
    until_check(&world.config(0), 2, words).await;
    for observer in observers {
        observer.stop().await;
    }
    let public = world.fed.join("federation.toml");
    change(&public, "epoch = 0", "epoch = 1");
    for index in 0..3 {
        let repair = ["guard", "repair", "--new-roster", "--no-other-daemon"];
        ask(&world.config(index), &repair);
    }
    let daemons = [0, 1, 2].map(|index| Daemon::start(&world.config(index)));
    world.blocks(2).await;
    assert!(world.height() >= before + 2);
    for daemon in daemons {
        daemon.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn brokers_that_are_down_are_reported() {
    let world = World::new().await;
    let config = world.config(0);
    let text = std::fs::read_to_string(&config).expect("it exists");
    let lines = text.lines().map(|line| match line.starts_with("listen") {
        true => "messenger = \"kafka\"",
        false => line,
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    // No broker listens there.
    let brokers = "[kafka]\nbrokers = [\"127.0.0.1:1\"]\n";
    std::fs::write(&config, format!("{text}\n{brokers}")).expect("written");
    let daemon = Daemon::start(&config);
    daemon.logs("node reachable").await;
    // What is wrong with the broker is known a moment later than that none is connected.
    let words = ["no Kafka broker connected", "127.0.0.1:1"];
    until_check(&config, 2, words).await;
    let shown = ask_json(&config, &["status"]);
    assert_eq!(shown["daemon"]["messenger"]["connected"], false, "{shown}");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn inaccessible_files_are_unknown_and_not_missing() {
    let world = World::new().await;
    let config = world.config(0);
    // The system denies access to everybody, including root.
    std::fs::write(world.fed.join("wall"), "no folder").expect("written");
    change(&config, "store = \"store\"", "store = \"../wall/store\"");
    let (line, code) = check(&config);
    assert!(line.starts_with("UNKNOWN: "), "{line}");
    assert!(line.contains("cannot be accessed"), "{line}");
    assert_eq!(code, 3);
}

#[test]
fn an_unreadable_configuration_is_unknown_and_wrong_usage_is_wrong_usage() {
    let nowhere = Path::new("/nowhere/operator.toml");
    let (line, code) = check(nowhere);
    assert!(line.starts_with("UNKNOWN: "), "{line}");
    assert_eq!(code, 3);
    assert_eq!(check_json(nowhere)["state"], "unknown");
    let wrong = federation(&["status", "--check", "--evidence"]);
    assert_eq!(wrong.status.code(), Some(2), "like all wrong usage");
}
