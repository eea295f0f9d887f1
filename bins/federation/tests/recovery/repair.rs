//! A store that is missing, foreign, torn or altered: the errors, and what `guard repair` does.

use std::path::Path;

use federation_chain::BlockHeight;
use federation_operator::{
    ReissuanceStore,
    config::{Config, Overrides},
};
use federation_signer::Secret;

use crate::world::{Daemon, World, ask, ask_json, change, refused, text, until};

const SURE: &str = "--no-other-daemon";

/// A federation with some blocks, whose first operator is stopped.
async fn with_blocks() -> (World, [Daemon; 2]) {
    let world = World::new().await;
    let others = [1, 2].map(|index| Daemon::start(&world.config(index)));
    let daemon = Daemon::start(&world.config(0));
    world.blocks(3).await;
    daemon.stop().await;
    (world, others)
}

async fn stop(daemons: impl IntoIterator<Item = Daemon>) {
    for daemon in daemons {
        daemon.stop().await;
    }
}

/// Waits until the operator's guard has signed a block above a height.
async fn signs_above(config: &Path, height: u64) {
    until("a signature above the watermark", || {
        let shown = ask_json(config, &["guard", "show"]);
        let last = shown["signed"].as_array().and_then(|signed| signed.last());
        last.is_some_and(|last| last["height"].as_u64() > Some(height))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_guard_makes_an_observer_and_is_repaired_above_every_possible_signature() {
    let (world, others) = with_blocks().await;
    let config = world.config(0);
    std::fs::remove_file(world.store(0).join("guard.redb")).expect("removed");
    let daemon = Daemon::start(&config);
    daemon.logs("the store or its guard is empty").await;
    daemon.logs("observing=true").await;
    daemon.stop().await;
    let repair = ["guard", "repair", "--margin", "4"];
    let plan = refused(&config, &repair);
    assert!(plan.contains("nothing was changed"), "{plan}");
    assert!(plan.contains(SURE), "{plan}");

    let tip = world.height();
    let printed = ask(&config, &[&repair[..], &[SURE]].concat());
    assert!(printed.contains("starts as an observer"), "{printed}");
    let shown = ask_json(&config, &["guard", "show"]);
    let watermark = shown["final"].as_u64().expect("a height");
    assert!(watermark >= u64::from(tip) + 4, "{watermark} and {tip}");
    // Up to there the machine does not vote and the guard does not sign.
    let shown = ask_json(&config, &["status"]);
    assert_eq!(shown["store"]["final"].as_u64(), Some(watermark), "{shown}");
    let daemon = Daemon::start(&config);
    daemon.logs("takes part again").await;
    signs_above(&config, watermark).await;
    let votes_below = |line: &str| {
        let height = line
            .split("round height=")
            .nth(1)
            .and_then(|rest| rest.split(' ').next())
            .and_then(|height| height.parse::<u64>().ok());
        height.is_some_and(|height| height <= watermark)
    };
    let log = daemon.log();
    assert!(!log.lines().any(votes_below), "{log}");
    let shown = ask_json(&config, &["guard", "show"]);
    let signed = shown["signed"].as_array().expect("a list");
    let lowest = signed[0]["height"].as_u64();
    assert!(lowest > Some(watermark), "{shown}");
    // There is nothing left to repair.
    daemon.stop().await;
    let printed = ask(&config, &["guard", "repair"]);
    assert!(printed.contains("nothing to repair"), "{printed}");
    stop(others).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_and_foreign_databases_are_refused_and_set_aside_by_a_repair() {
    let (world, others) = with_blocks().await;
    let config = world.config(0);
    let [guard, store] = ["guard.redb", "operator.redb"].map(|name| world.store(0).join(name));
    let whole = [&guard, &store].map(|path| std::fs::read(path).expect("it exists"));

    // Altered: a changed value.
    let last = ask_json(&config, &["guard", "show"])["signed"]
        .as_array()
        .and_then(|signed| signed.last().cloned())
        .expect("a record");
    let hash = last["hash"].as_str().expect("text");
    let mut bytes: Vec<u8> = (0..32)
        .map(|at| u8::from_str_radix(&hash[2 * at..2 * at + 2], 16).expect("hex"))
        .collect();
    bytes.reverse();
    let mut altered = whole[0].clone();
    let at = altered
        .windows(32)
        .rposition(|window| window == bytes)
        .expect("the hash is in the file");
    altered[at] ^= 1;
    std::fs::write(&guard, &altered).expect("written");
    for _ in 0..2 {
        let log = Daemon::start(&config).fails().await;
        assert!(log.contains("guard.redb cannot be read"), "{log}");
        assert!(log.contains("guard repair"), "{log}");
    }
    let shown = refused(&config, &["guard", "show"]);
    assert!(shown.contains("guard repair"), "{shown}");

    // Torn: the newest part of either is lost.
    for (path, whole) in [(&guard, &whole[0]), (&store, &whole[1])] {
        std::fs::write(path, &whole[..whole.len() / 2]).expect("written");
        let log = Daemon::start(&config).fails().await;
        assert!(log.contains("cannot be read"), "{log}");
        std::fs::write(path, whole).expect("written");
    }

    // Foreign: another operator's.
    for name in ["guard.redb", "operator.redb"] {
        let path = world.store(0).join(name);
        let own = std::fs::read(&path).expect("it exists");
        std::fs::copy(world.store(1).join(name), &path).expect("copied");
        let log = Daemon::start(&config).fails().await;
        assert!(log.contains("belongs to another"), "{log}");
        assert!(log.contains("use a separate store"), "{log}");
        std::fs::write(&path, own).expect("written");
    }

    // Both unusable at once: a repair sets them aside and creates new ones.
    std::fs::write(&guard, &altered).expect("written");
    std::fs::copy(world.store(1).join("operator.redb"), &store).expect("copied");
    let plan = refused(&config, &["guard", "repair", SURE]);
    assert!(plan.contains("--set-aside"), "{plan}");
    let printed = ask(
        &config,
        &["guard", "repair", "--margin", "2", "--set-aside", SURE],
    );
    assert!(printed.contains("set aside in"), "{printed}");
    let aside = std::fs::read_dir(world.store(0))
        .expect("readable")
        .map(|entry| entry.expect("readable").path())
        .find(|path| text(path).contains("set-aside"))
        .expect("a folder");
    for name in ["guard.redb", "operator.redb"] {
        assert!(aside.join(name).exists(), "{name}");
    }
    let daemon = Daemon::start(&config);
    daemon.logs("takes part again").await;
    daemon.stop().await;
    stop(others).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_intact_newest_store_rebuilds_the_guard_without_a_margin() {
    let (world, others) = with_blocks().await;
    let config = world.config(0);
    let guard = world.store(0).join("guard.redb");
    let shown = ask_json(&config, &["guard", "show"]);
    std::fs::remove_file(&guard).expect("removed");
    let old = std::fs::read(world.store(0).join("operator.redb")).expect("it exists");
    let repair = ["guard", "repair", "--trust-store", SURE];
    ask(&config, &repair);
    let rebuilt = ask_json(&config, &["guard", "show"]);
    assert!(rebuilt["final"].as_u64() >= shown["final"].as_u64());
    let daemon = Daemon::start(&config);
    daemon.logs("operator starts").await;
    assert!(daemon.log().contains("observing=false"), "{}", daemon.log());
    let tip = world.height();
    signs_above(&config, tip.into()).await;
    world.blocks(3).await;
    daemon.stop().await;

    // A store that is not the newest is detected by means of the chain.
    std::fs::remove_file(&guard).expect("removed");
    std::fs::write(world.store(0).join("operator.redb"), old).expect("written");
    let printed = refused(&config, &repair);
    assert!(printed.contains("it is not the newest"), "{printed}");
    stop(others).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_store_makes_an_observer_and_a_key_that_has_signed_is_not_new() {
    let (world, others) = with_blocks().await;
    let config = world.config(0);
    let lost = world.fed.join("lost");
    std::fs::rename(world.store(0), &lost).expect("moved");
    let guard = std::fs::metadata(lost.join("guard.redb"));
    assert!(guard.is_ok());
    // With M of N signatures per block, the key may not have signed any of these few.
    let has_signed = has_signed_a_block(&world, 0);
    let new = Daemon::start_with(&config, &["--new-key-until", "1000000"]);
    if has_signed {
        let log = new.halts().await;
        assert!(log.contains("the key was declared new"), "{log}");
    } else {
        new.logs("observing=false").await;
        new.stop().await;
        std::fs::remove_dir_all(world.store(0)).expect("removed");
    }
    // Some time later, with the setting still in place.
    let stale = Daemon::start_with(&config, &["--new-key-until", "1"]);
    stale.logs("no longer in effect").await;
    stale.logs("observing=true").await;
    stale.stop().await;
    let daemon = Daemon::start(&config);
    daemon.logs("observing=true").await;
    daemon.logs("takes part again").await;
    daemon.stop().await;
    stop(others).await;
}

/// Whether the chain has a block signed by an operator's key.
fn has_signed_a_block(world: &World, index: usize) -> bool {
    let config =
        Config::load(&world.config(index), &Overrides::default()).expect("a valid configuration");
    let federation = &config.federation;
    let own = federation
        .script_position(config.me)
        .expect("in the script");
    (1..=world.height()).any(|height| {
        let block = world.nodes[0]
            .block(BlockHeight::new(height))
            .expect("it exists");
        let signers = federation.rules().signers(block.header()).expect("signed");
        signers.contains(&own)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_old_store_is_detected_by_means_of_the_chain() {
    let (world, others) = with_blocks().await;
    let config = world.config(0);
    let files = ["guard.redb", "operator.redb"];
    let old = files.map(|name| std::fs::read(world.store(0).join(name)).expect("it exists"));
    let daemon = Daemon::start(&config);
    world.blocks(6).await;
    daemon.stop().await;
    for (name, old) in files.iter().zip(old) {
        std::fs::write(world.store(0).join(name), old).expect("written");
    }
    let log = Daemon::start(&config).halts().await;
    assert!(log.contains("older than the chain"), "{log}");
    assert!(log.contains("guard repair"), "{log}");
    ask(
        &config,
        &["guard", "repair", "--at-least", "1", "--margin", "2", SURE],
    );
    let daemon = Daemon::start(&config);
    daemon.logs("takes part again").await;
    daemon.stop().await;
    stop(others).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guard_is_left_alone_while_the_federation_runs_the_classic_protocol() {
    let world = World::new().await;
    let public = world.fed.join("federation.toml");
    let text = std::fs::read_to_string(&public).expect("it exists");
    let text = format!("protocol = {{ classic_until = 250000 }}\n{text}");
    std::fs::write(&public, text).expect("written");
    let printed = refused(&world.config(0), &["guard", "repair", SURE]);
    assert!(printed.contains("up to height 249999"), "{printed}");
    assert!(!world.store(0).join("guard.redb").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_federation_that_changes_its_roster_continues_with_its_guards() {
    let (world, others) = with_blocks().await;
    stop(others).await;
    let repair = ["guard", "repair", "--new-roster", SURE];
    let printed = refused(&world.config(0), &repair);
    assert!(
        printed.contains("already belongs to this federation"),
        "{printed}"
    );
    // A new identity key for one of them, as after a theft.
    let new = Secret::generate();
    let key = world.folder(0).join("identity.key");
    let old_key = std::fs::read_to_string(&key).expect("it exists");
    let old = Secret::from_hex(old_key.trim());
    let old = old.expect("a key").x_only_public_key().to_string();
    std::fs::write(&key, format!("{}\n", &*new.to_hex())).expect("written");
    let new = new.x_only_public_key().to_string();
    change(&world.fed.join("federation.toml"), &old, &new);
    let tip = world.height();
    // The signed reissuances are not forgotten.
    let open_reissuances = || {
        let config =
            Config::load(&world.config(0), &Overrides::default()).expect("a valid configuration");
        let id = config.federation.id();
        ReissuanceStore::open(&world.store(0), id, config.me).map(|_| id)
    };
    let before = std::fs::read_to_string(world.fed.join("federation.toml")).expect("it exists");
    let public = world.fed.join("federation.toml");
    std::fs::write(&public, before.replace(&new, &old)).expect("written");
    let old_id = open_reissuances().expect("new");
    std::fs::write(&public, before).expect("written");
    for index in 0..3 {
        let config = world.config(index);
        let log = Daemon::start(&config).fails().await;
        assert!(log.contains("belongs to another federation"), "{log}");
        assert!(log.contains("--new-roster"), "{log}");
        ask(&config, &repair);
        let shown = ask_json(&config, &["guard", "show"]);
        assert!(shown["final"].as_u64() <= Some(tip.into()), "{shown}");
    }
    assert_ne!(open_reissuances().expect("taken over"), old_id);
    let daemons = [0, 1, 2].map(|index| Daemon::start(&world.config(index)));
    world.blocks(3).await;
    for daemon in &daemons {
        assert!(daemon.log().contains("observing=false"), "{}", daemon.log());
    }
    stop(daemons).await;

    // And back: the former roster is the former federation, unless its epoch differs.
    std::fs::write(&key, format!("{}\n", old_key.trim())).expect("written");
    change(&public, &new, &old);
    let printed = refused(&world.config(0), &repair);
    assert!(printed.contains("was in force before"), "{printed}");
    assert!(printed.contains("raise `epoch`"), "{printed}");
    change(&public, "epoch = 0", "epoch = 1");
    let checked = ask_json(&world.config(0), &["config", "check"]);
    assert_eq!(checked["epoch"], 1);
    assert_ne!(checked["federation"], old_id.to_string());
    for index in 0..3 {
        ask(&world.config(index), &repair);
    }
    let daemons = [0, 1, 2].map(|index| Daemon::start(&world.config(index)));
    world.blocks(3).await;
    stop(daemons).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_all_must_sign_no_operator_is_made_an_observer() {
    let world = World::with_threshold(3).await;
    let config = world.config(0);
    let daemons = [0, 1, 2].map(|index| Daemon::start(&world.config(index)));
    world.blocks(2).await;
    let [first, second, third] = daemons;
    first.stop().await;
    let file = world.fed.join("moved.guard");
    let printed = refused(&config, &["guard", "export", "--out", text(&file)]);
    assert!(printed.contains("move the whole store folder"), "{printed}");
    std::fs::remove_file(world.store(0).join("guard.redb")).expect("removed");
    let printed = refused(&config, &["guard", "repair", SURE]);
    assert!(printed.contains("--trust-store"), "{printed}");
    // With this operator down the chain stands still, so the user states its height.
    let height = world.height().to_string();
    let trust = ["guard", "repair", "--trust-store", SURE, "--at-least"];
    let printed = refused(&config, &[&trust[..], &["1000000"]].concat());
    assert!(
        printed.contains("others are at height 1000000"),
        "{printed}"
    );
    ask(&config, &[&trust[..], &[&height]].concat());
    let first = Daemon::start(&config);
    world.blocks(2).await;
    stop([first, second, third]).await;
}

/// No operator is left that could finalise a block for the observers to see. But the users can agree that
/// none of them knows a block above the last one.
#[tokio::test(flavor = "multi_thread")]
async fn operators_that_all_lost_their_stores_go_on_from_the_block_they_agree_on() {
    let world = World::new().await;
    let daemons = [0, 1, 2].map(|index| Daemon::start(&world.config(index)));
    world.blocks(3).await;
    stop(daemons).await;
    for index in [0, 1, 2] {
        std::fs::remove_dir_all(world.store(index)).expect("removed");
    }
    let observers = [0, 1, 2].map(|index| Daemon::start(&world.config(index)));
    for observer in &observers {
        observer.logs("observing=true").await;
    }
    stop(observers).await;

    let tip = world.nodes[0].block(BlockHeight::new(world.height()));
    let tip = tip.expect("it exists").block_hash().to_string();
    let other = "00".repeat(32);
    let printed = refused(
        &world.config(0),
        &["guard", "repair", "--agreed-tip", &other, SURE],
    );
    assert!(printed.contains("compare the last block"), "{printed}");
    let agreed = ["guard", "repair", "--agreed-tip", &tip, SURE];
    for index in [0, 1, 2] {
        let printed = ask(&world.config(index), &agreed);
        assert!(!printed.contains("observer"), "{printed}");
    }
    let daemons = [0, 1, 2].map(|index| Daemon::start(&world.config(index)));
    world.blocks(3).await;
    let printed = refused(&world.config(0), &agreed);
    assert!(printed.contains("in use"), "{printed}");
    stop(daemons).await;
    // A running federation needs no repair, and a repair discards nobody's records.
    let printed = ask(&world.config(0), &agreed);
    assert!(printed.contains("nothing to repair"), "{printed}");
}
