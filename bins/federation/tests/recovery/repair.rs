//! A store that is missing, foreign, torn or altered: what is said, and what `guard repair` does.

use std::path::Path;

use federation_chain::BlockHeight;
use federation_operator::{
    ReissuanceStore,
    config::{Config, Overrides},
};
use federation_signer::Secret;

use crate::world::{Daemon, World, ask, ask_json, change, refused, text, until};

const SURE: &str = "--no-other-daemon";

/// A federation with some blocks, its first operator stopped.
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
async fn a_lost_guard_makes_an_observer_and_is_repaired_above_all_that_it_may_have_signed() {
    let (world, others) = with_blocks().await;
    let config = world.config(0);
    std::fs::remove_file(world.store(0).join("guard.redb")).expect("removed");
    let daemon = Daemon::start(&config);
    daemon.says("the store or its guard is empty").await;
    daemon.says("observing=true").await;
    daemon.stop().await;
    let repair = ["guard", "repair", "--margin", "4"];
    let plan = refused(&config, &repair);
    assert!(plan.contains("nothing was changed"), "{plan}");
    assert!(plan.contains(SURE), "{plan}");

    let tip = world.height();
    let said = ask(&config, &[&repair[..], &[SURE]].concat());
    assert!(said.contains("begins as an observer"), "{said}");
    let shown = ask_json(&config, &["guard", "show"]);
    let watermark = shown["final"].as_u64().expect("a height");
    assert!(watermark >= u64::from(tip) + 4, "{watermark} and {tip}");
    // The machine keeps still up to there as well as the guard.
    let shown = ask_json(&config, &["status"]);
    assert_eq!(shown["store"]["final"].as_u64(), Some(watermark), "{shown}");
    let daemon = Daemon::start(&config);
    daemon.says("takes part again").await;
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
    // There is nothing to repair any more.
    daemon.stop().await;
    let said = ask(&config, &["guard", "repair"]);
    assert!(said.contains("nothing to repair"), "{said}");
    stop(others).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_and_foreign_databases_are_refused_and_set_aside_by_a_repair() {
    let (world, others) = with_blocks().await;
    let config = world.config(0);
    let [guard, store] = ["guard.redb", "operator.redb"].map(|name| world.store(0).join(name));
    let whole = [&guard, &store].map(|path| std::fs::read(path).expect("there"));

    // Altered: a changed value.
    let last = ask_json(&config, &["guard", "show"])["signed"]
        .as_array()
        .and_then(|signed| signed.last().cloned())
        .expect("some");
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

    // Torn: the newest part of either is gone.
    for (path, whole) in [(&guard, &whole[0]), (&store, &whole[1])] {
        std::fs::write(path, &whole[..whole.len() / 2]).expect("written");
        let log = Daemon::start(&config).fails().await;
        assert!(log.contains("cannot be read"), "{log}");
        std::fs::write(path, whole).expect("written");
    }

    // Foreign: another operator's.
    for name in ["guard.redb", "operator.redb"] {
        let path = world.store(0).join(name);
        let own = std::fs::read(&path).expect("there");
        std::fs::copy(world.store(1).join(name), &path).expect("copied");
        let log = Daemon::start(&config).fails().await;
        assert!(log.contains("belongs to another"), "{log}");
        assert!(log.contains("use a separate store"), "{log}");
        std::fs::write(&path, own).expect("written");
    }

    // Both useless at once: a repair moves them away, and begins anew.
    std::fs::write(&guard, &altered).expect("written");
    std::fs::copy(world.store(1).join("operator.redb"), &store).expect("copied");
    let plan = refused(&config, &["guard", "repair", SURE]);
    assert!(plan.contains("--set-aside"), "{plan}");
    let said = ask(
        &config,
        &["guard", "repair", "--margin", "2", "--set-aside", SURE],
    );
    assert!(said.contains("what could not be used is in"), "{said}");
    let aside = std::fs::read_dir(world.store(0))
        .expect("readable")
        .map(|entry| entry.expect("readable").path())
        .find(|path| text(path).contains("set-aside"))
        .expect("a folder");
    for name in ["guard.redb", "operator.redb"] {
        assert!(aside.join(name).exists(), "{name}");
    }
    let daemon = Daemon::start(&config);
    daemon.says("takes part again").await;
    daemon.stop().await;
    stop(others).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_store_that_is_the_newest_rebuilds_the_guard_without_a_margin() {
    let (world, others) = with_blocks().await;
    let config = world.config(0);
    let guard = world.store(0).join("guard.redb");
    let shown = ask_json(&config, &["guard", "show"]);
    std::fs::remove_file(&guard).expect("removed");
    let old = std::fs::read(world.store(0).join("operator.redb")).expect("there");
    let repair = ["guard", "repair", "--trust-store", SURE];
    ask(&config, &repair);
    let rebuilt = ask_json(&config, &["guard", "show"]);
    assert!(rebuilt["final"].as_u64() >= shown["final"].as_u64());
    let daemon = Daemon::start(&config);
    daemon.says("operator starts").await;
    assert!(daemon.log().contains("observing=false"), "{}", daemon.log());
    let tip = world.height();
    signs_above(&config, tip.into()).await;
    world.blocks(3).await;
    daemon.stop().await;

    // One that is not the newest is found out by the chain.
    std::fs::remove_file(&guard).expect("removed");
    std::fs::write(world.store(0).join("operator.redb"), old).expect("written");
    let said = refused(&config, &repair);
    assert!(said.contains("it is not the newest"), "{said}");
    stop(others).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_store_makes_an_observer_and_a_key_that_signed_is_not_new() {
    let (world, others) = with_blocks().await;
    let config = world.config(0);
    let lost = world.fed.join("lost");
    std::fs::rename(world.store(0), &lost).expect("moved");
    let guard = std::fs::metadata(lost.join("guard.redb"));
    assert!(guard.is_ok());
    // With M of N signing each block, the key need not stand in one of these few.
    let has_signed = has_signed_a_block(&world, 0);
    let new = Daemon::start_with(&config, &["--new-key-until", "1000000"]);
    if has_signed {
        let log = new.halts().await;
        assert!(log.contains("the key was declared new"), "{log}");
    } else {
        new.says("observing=false").await;
        new.stop().await;
        std::fs::remove_dir_all(world.store(0)).expect("removed");
    }
    // Some time later, when the setting was forgotten.
    let stale = Daemon::start_with(&config, &["--new-key-until", "1"]);
    stale.says("no longer in effect").await;
    stale.says("observing=true").await;
    stale.stop().await;
    let daemon = Daemon::start(&config);
    daemon.says("observing=true").await;
    daemon.says("takes part again").await;
    daemon.stop().await;
    stop(others).await;
}

/// Whether the chain has a block with a signature by an operator's key.
fn has_signed_a_block(world: &World, index: usize) -> bool {
    let config = Config::load(&world.config(index), &Overrides::default()).expect("fine");
    let federation = &config.federation;
    let own = federation
        .script_position(config.me)
        .expect("in the script");
    (1..=world.height()).any(|height| {
        let block = world.nodes[0]
            .block(BlockHeight::new(height))
            .expect("there");
        let signers = federation.rules().signers(block.header()).expect("signed");
        signers.contains(&own)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_store_that_was_copied_back_is_found_out_by_the_chain() {
    let (world, others) = with_blocks().await;
    let config = world.config(0);
    let files = ["guard.redb", "operator.redb"];
    let old = files.map(|name| std::fs::read(world.store(0).join(name)).expect("there"));
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
    daemon.says("takes part again").await;
    daemon.stop().await;
    stop(others).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guard_is_left_alone_while_the_federation_runs_the_older_protocol() {
    let world = World::new().await;
    let public = world.fed.join("federation.toml");
    let text = std::fs::read_to_string(&public).expect("there");
    let text = format!("protocol = {{ classic_until = 250000 }}\n{text}");
    std::fs::write(&public, text).expect("written");
    let said = refused(&world.config(0), &["guard", "repair", SURE]);
    assert!(said.contains("up to height 249999"), "{said}");
    assert!(!world.store(0).join("guard.redb").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_federation_that_changes_its_roster_goes_on_with_its_guards() {
    let (world, others) = with_blocks().await;
    stop(others).await;
    let repair = ["guard", "repair", "--new-roster", SURE];
    let said = refused(&world.config(0), &repair);
    assert!(said.contains("of this federation already"), "{said}");
    // A new identity key for one of them, as after a theft.
    let new = Secret::generate();
    let key = world.folder(0).join("identity.key");
    let old_key = std::fs::read_to_string(&key).expect("there");
    let old = Secret::from_hex(old_key.trim());
    let old = old.expect("a key").x_only_public_key().to_string();
    std::fs::write(&key, format!("{}\n", &*new.to_hex())).expect("written");
    let new = new.x_only_public_key().to_string();
    change(&world.fed.join("federation.toml"), &old, &new);
    let tip = world.height();
    // What was signed of reissuances is not forgotten with it.
    let open_reissuances = || {
        let config = Config::load(&world.config(0), &Overrides::default()).expect("fine");
        let id = config.federation.id();
        ReissuanceStore::open(&world.store(0), id, config.me).map(|_| id)
    };
    let before = std::fs::read_to_string(world.fed.join("federation.toml")).expect("there");
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

    // And back: the roster of before is the federation of before, unless its epoch is another.
    std::fs::write(&key, format!("{}\n", old_key.trim())).expect("written");
    change(&public, &new, &old);
    let said = refused(&world.config(0), &repair);
    assert!(said.contains("was in force before"), "{said}");
    assert!(said.contains("raise `epoch`"), "{said}");
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
async fn where_all_must_sign_nobody_is_made_to_sit_out_a_height() {
    let world = World::with_threshold(3).await;
    let config = world.config(0);
    let daemons = [0, 1, 2].map(|index| Daemon::start(&world.config(index)));
    world.blocks(2).await;
    let [first, second, third] = daemons;
    first.stop().await;
    let file = world.fed.join("moved.guard");
    let said = refused(&config, &["guard", "export", "--out", text(&file)]);
    assert!(said.contains("move the whole store folder"), "{said}");
    std::fs::remove_file(world.store(0).join("guard.redb")).expect("removed");
    let said = refused(&config, &["guard", "repair", SURE]);
    assert!(said.contains("--trust-store"), "{said}");
    // With this one down the chain stands still, so a person says how far it is.
    let height = world.height().to_string();
    let trust = ["guard", "repair", "--trust-store", SURE, "--at-least"];
    let said = refused(&config, &[&trust[..], &["1000000"]].concat());
    assert!(said.contains("others are at height 1000000"), "{said}");
    ask(&config, &[&trust[..], &[&height]].concat());
    let first = Daemon::start(&config);
    world.blocks(2).await;
    stop([first, second, third]).await;
}

/// Nobody is left who could settle a block for the observers to see. That no block above the last one
/// is known to anybody is what people can agree on.
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
        observer.says("observing=true").await;
    }
    stop(observers).await;

    let tip = world.nodes[0].block(BlockHeight::new(world.height()));
    let tip = tip.expect("there").block_hash().to_string();
    let other = "00".repeat(32);
    let said = refused(
        &world.config(0),
        &["guard", "repair", "--agreed-tip", &other, SURE],
    );
    assert!(said.contains("compare the last block"), "{said}");
    let agreed = ["guard", "repair", "--agreed-tip", &tip, SURE];
    for index in [0, 1, 2] {
        let said = ask(&world.config(index), &agreed);
        assert!(!said.contains("observer"), "{said}");
    }
    let daemons = [0, 1, 2].map(|index| Daemon::start(&world.config(index)));
    world.blocks(3).await;
    let said = refused(&world.config(0), &agreed);
    assert!(said.contains("in use"), "{said}");
    stop(daemons).await;
    // What runs needs no repair, and nobody's memory is thrown away by it.
    let said = ask(&world.config(0), &agreed);
    assert!(said.contains("nothing to repair"), "{said}");
}
