//! `federation status` and `status --check` in each state that an operator can be in, and a chain
//! that stands still.

use std::{collections::BTreeMap, path::Path, process::Command};

use federation_chain::BlockHeight;
use federation_operator::config::{Config, Overrides};
use serde_json::Value;

use crate::world::{Daemon, World, ask, ask_json, change, federation, stderr, stdout, until};

/// What `--check` says in its one line, and its exit code.
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

/// Waits until the check ends with this code and shows all these words: a status is written again and
/// again, and not all of it comes at once.
async fn until_check<const N: usize>(config: &Path, code: i32, words: [&str; N]) -> String {
    let mut said = (String::new(), -1);
    until(&format!("{code}: {words:?}"), || {
        said = check(config);
        said.1 == code && words.iter().all(|word| said.0.contains(word))
    })
    .await;
    said.0
}

fn critical(config: &Path, word: &str) {
    let (line, code) = check(config);
    assert!(line.starts_with("CRITICAL: "), "{line}");
    assert!(line.contains(word), "`{word}` in {line}");
    assert_eq!(code, 2);
    // For people it is there, too, with what to do.
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
    let good = until_check(&config, 0, ["2 of 2 others heard"]).await;
    assert!(good.starts_with("GOOD: "), "{good}");
    assert!(ask(&config, &["status"]).contains("state       good"));
    for other in others.drain(..) {
        other.stop().await;
    }
    let roster = Config::load(&config, &Overrides::default()).expect("fine");
    let names = [1, 2].map(|index| roster.federation.operators()[index].name.clone());
    let missing = format!(
        "heard 1 of the 2 that must sign; absent: {}",
        names.join(", ")
    );
    daemon.says("the chain stands still for ").await;
    until_check(&config, 2, [&missing]).await;
    critical(&config, "the chain stands still for ");
    let shown = ask_json(&config, &["status"]);
    let standstill = &shown["daemon"]["standstill"];
    assert_eq!(standstill["needed"], 2, "{shown}");
    assert_eq!(standstill["absent"], serde_json::json!(names));
    // It lasts since the last block was made.
    let (since, made) = (&standstill["since"], &shown["daemon"]["tip"]["time"]);
    assert!(since.as_u64() <= made.as_u64(), "{shown}");
    daemon.says(&missing).await;
    let log = daemon.log();
    let line = log.lines().find(|line| line.contains(&missing));
    assert!(line.expect("a line").contains("WARN"), "{log}");

    let others = [1, 2].map(|index| Daemon::start(&world.config(index)));
    daemon.says("the chain moves again after ").await;
    until_check(&config, 0, ["2 of 2 others heard"]).await;
    assert!(ask_json(&config, &["status"])["daemon"]["standstill"].is_null());
    for daemon in others.into_iter().chain([daemon]) {
        daemon.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_line_of_a_block_names_those_whose_signatures_it_has() {
    let world = World::new().await;
    let config = world.config(0);
    let daemons = [0, 1, 2].map(|index| Daemon::start(&world.config(index)));
    world.blocks(6).await;
    daemons[0].says(" block height=6 ").await;
    let roster = Config::load(&config, &Overrides::default()).expect("fine");
    let federation = roster.federation;
    let field = |line: &str, name: &str| {
        let rest = line.split(&format!(" {name}=")).nth(1)?;
        Some(rest.split(' ').next()?.trim_matches('"').to_owned())
    };
    let mut said = BTreeMap::new();
    for line in daemons[0]
        .log()
        .lines()
        .filter(|line| line.contains(" block height="))
    {
        let height: u32 = field(line, "height")
            .and_then(|h| h.parse().ok())
            .expect("a height");
        said.insert(height, field(line, "signers").expect("signers"));
    }
    assert!(said.len() >= 5, "{said:?}");
    for (height, signers) in said {
        let block = world.nodes[0].block(BlockHeight::new(height));
        let block = block.expect("it has it");
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
    // And with its own age.
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
        "of unknown senders",
        "of far heights",
        "too large",
        "bad signatures",
        "bad blocks",
        "unwanted about reissuances",
        "lies",
    ] {
        assert!(shown.contains(counter), "{counter} in {shown}");
    }
    for daemon in daemons {
        daemon.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_never_ran_hangs_waits_or_is_dead_is_told_apart() {
    let world = World::new().await;
    let config = world.config(0);
    critical(&config, "never did with this store");
    let mut daemons = [0, 1, 2].map(|index| Daemon::start(&world.config(index)));
    world.blocks(2).await;
    until_check(&config, 0, ["2 of 2 others heard"]).await;

    // Stopped in its tracks: the store is its own, and nothing is told any more.
    signal(&daemons[0], "-STOP");
    let file = world.store(0).join("status.json");
    let mut report: Value =
        serde_json::from_slice(&std::fs::read(&file).expect("there")).expect("json");
    let written = report["written"].as_u64().expect("a time");
    report["written"] = (written - 120_000).into();
    std::fs::write(&file, report.to_string()).expect("written");
    critical(&config, "hangs: it has told nothing since 2 min");
    signal(&daemons[0], "-CONT");
    until_check(&config, 0, ["2 of 2 others heard"]).await;

    // Dead: its last word was that all is well.
    signal(&daemons[0], "-KILL");
    daemons[0].killed().await;
    critical(&config, "the daemon does not run; it told something last");
    assert_eq!(ask_json(&config, &["status"])["running"], false);

    // It waits for its node before it begins.
    change(&config, "http://127.0.0.1:", "http://127.0.0.2:");
    std::fs::remove_file(&file).expect("there");
    let waiting = Daemon::start(&config);
    waiting.says("waiting for the node").await;
    critical(
        &config,
        "has told nothing yet: a daemon that waits for its node",
    );
    waiting.stop().await;
    for daemon in daemons.into_iter().skip(1) {
        daemon.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_or_guard_that_is_lost_swapped_or_moved_is_told() {
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
    std::fs::create_dir(&aside).expect("made");
    let early = aside.join("guard.redb");
    std::fs::copy(&guard, &early).expect("copied");

    // A guard of an earlier time under a store of today.
    let first = Daemon::start(&config);
    world.blocks(6).await;
    first.stop().await;
    let late = aside.join("late.redb");
    std::fs::rename(&guard, &late).expect("moved");
    critical(&config, "guard.redb is lost; the store beside it is there");
    std::fs::copy(&early, &guard).expect("copied");
    critical(&config, "store and guard do not belong together");
    std::fs::rename(&late, &guard).expect("moved");
    let (line, _) = check(&config);
    assert!(!line.contains("belong"), "{line}");

    // The store itself.
    let kept = aside.join("operator.redb");
    std::fs::rename(&store, &kept).expect("moved");
    critical(&config, "operator.redb is lost; guard.redb and status.json");
    std::fs::write(&store, b"nothing that a database would say").expect("written");
    critical(&config, "operator.redb cannot be read");
    std::fs::rename(&kept, &store).expect("moved");

    // Lost under a daemon that runs.
    let first = Daemon::start(&config);
    until_check(&config, 0, ["2 of 2 others heard"]).await;
    std::fs::rename(&store, &kept).expect("moved");
    critical(
        &config,
        "the daemon runs, and the store here is not the one that it has",
    );
    let folder = world.store(0);
    std::fs::rename(&folder, world.fed.join("gone")).expect("moved");
    if cfg!(target_os = "linux") {
        critical(
            &config,
            "the daemon runs, and the store here is not the one that it has",
        );
    }
    std::fs::rename(world.fed.join("gone"), &folder).expect("moved");
    std::fs::rename(&kept, &store).expect("moved");
    first.stop().await;

    // The key goes to another machine.
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
async fn a_node_that_goes_away_and_others_that_are_not_heard_are_told() {
    let world = World::new().await;
    let config = world.config(0);
    let daemon = Daemon::start(&config);
    daemon.says("the node answers").await;
    // Alone from the start.
    until_check(&config, 2, ["nobody is heard", "(never)", "links are up"]).await;
    daemon.stop().await;

    let daemons = [0, 1].map(|index| Daemon::start(&world.config(index)));
    world.blocks(1).await;
    let line = until_check(&config, 1, ["not heard: "]).await;
    assert!(line.starts_with("WARNING: "), "{line}");
    world.nodes[0].set_unavailable(true);
    until_check(&config, 2, ["the node does not answer: "]).await;
    for daemon in daemons {
        daemon.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_all_observe_they_say_what_helps_and_it_does() {
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
async fn brokers_that_are_down_are_told() {
    let world = World::new().await;
    let config = world.config(0);
    let text = std::fs::read_to_string(&config).expect("there");
    let lines = text.lines().map(|line| match line.starts_with("listen") {
        true => "messenger = \"kafka\"",
        false => line,
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    // Nobody answers there.
    let brokers = "[kafka]\nbrokers = [\"127.0.0.1:1\"]\n";
    std::fs::write(&config, format!("{text}\n{brokers}")).expect("written");
    let daemon = Daemon::start(&config);
    daemon.says("the node answers").await;
    // What is wrong with the broker is known a moment later than that none is connected.
    let words = ["no Kafka broker is connected", "127.0.0.1:1"];
    until_check(&config, 2, words).await;
    let shown = ask_json(&config, &["status"]);
    assert_eq!(shown["daemon"]["messenger"]["connected"], false, "{shown}");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_may_not_be_seen_are_unknown_and_not_missing() {
    let world = World::new().await;
    let config = world.config(0);
    // The system refuses it to everybody, root included.
    std::fs::write(world.fed.join("wall"), "no folder").expect("written");
    change(&config, "store = \"store\"", "store = \"../wall/store\"");
    let (line, code) = check(&config);
    assert!(line.starts_with("UNKNOWN: "), "{line}");
    assert!(line.contains("cannot be looked at"), "{line}");
    assert_eq!(code, 3);
}

#[test]
fn what_cannot_be_looked_at_is_unknown_and_a_wrong_question_is_one() {
    let nowhere = Path::new("/nowhere/operator.toml");
    let (line, code) = check(nowhere);
    assert!(line.starts_with("UNKNOWN: "), "{line}");
    assert_eq!(code, 3);
    assert_eq!(check_json(nowhere)["state"], "unknown");
    let wrong = federation(&["status", "--check", "--evidence"]);
    assert_eq!(wrong.status.code(), Some(2), "as every wrong usage");
}
