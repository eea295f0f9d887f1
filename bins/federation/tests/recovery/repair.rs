//! A store that is missing, foreign, torn or altered: what is said, and what `guard repair` does.

use std::path::Path;

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
async fn a_lost_guard_is_noticed_at_each_start_and_repaired_above_all_that_it_may_have_signed() {
    let (world, others) = with_blocks().await;
    let config = world.config(0);
    std::fs::remove_file(world.store(0).join("guard.redb")).expect("removed");
    // Trying again does not make it better.
    for _ in 0..2 {
        let log = Daemon::start(&config).fails().await;
        assert!(
            log.contains("has a signature by this operator's key"),
            "{log}"
        );
        assert!(log.contains("guard repair"), "{log}");
    }
    let repair = ["guard", "repair", "--margin", "4"];
    let plan = refused(&config, &repair);
    assert!(plan.contains("nothing was changed"), "{plan}");
    assert!(plan.contains(SURE), "{plan}");
    assert!(Daemon::start(&config).fails().await.contains("signature"));

    let tip = world.height();
    let said = ask(&config, &[&repair[..], &[SURE]].concat());
    assert!(said.contains("begins as an observer"), "{said}");
    let shown = ask_json(&config, &["guard", "show"]);
    let watermark = shown["final"].as_u64().expect("a height");
    assert!(watermark >= u64::from(tip) + 4, "{watermark} and {tip}");
    let daemon = Daemon::start(&config);
    daemon.says("takes part again").await;
    signs_above(&config, watermark).await;
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
        assert!(log.contains("a store of its own"), "{log}");
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
async fn a_lost_store_is_noticed_and_an_observer_stays_one_until_it_takes_part() {
    let (world, others) = with_blocks().await;
    let config = world.config(0);
    std::fs::rename(world.store(0), world.fed.join("lost")).expect("moved");
    for _ in 0..2 {
        let log = Daemon::start(&config).fails().await;
        assert!(
            log.contains("has a signature by this operator's key"),
            "{log}"
        );
        assert!(log.contains("--observe"), "{log}");
    }
    let daemon = Daemon::start_with(&config, &["--observe"]);
    daemon.says("observing=true").await;
    daemon.says("takes part again").await;
    daemon.stop().await;
    stop(others).await;
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
    let log = Daemon::start(&config).fails().await;
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
    let old = Secret::from_hex(std::fs::read_to_string(&key).expect("there").trim());
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
    ask(&config, &["guard", "repair", "--trust-store", SURE]);
    let first = Daemon::start(&config);
    world.blocks(2).await;
    stop([first, second, third]).await;
}
