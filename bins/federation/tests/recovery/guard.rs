//! `federation guard show | export | import`: a key that moves signs in one place at a time.

use std::{path::Path, time::Duration};

use federation_chain::{BlockHash, BlockHeight};
use federation_operator::{
    RedbGuardStore,
    config::{Config, Overrides},
};
use federation_signer::{
    GuardRecordKind, GuardState, GuardStore, IdentitySigner, Secret, SignedGuardRecord,
    SoftwareIdentity,
};

use crate::world::{Daemon, World, ask, ask_json, refused, start, text};

fn import(config: &Path, file: &Path, flags: &[&str]) -> String {
    ask(config, &[&["guard", "import", text(file)], flags].concat())
}

fn import_refused(config: &Path, file: &Path, flags: &[&str]) -> String {
    refused(config, &[&["guard", "import", text(file)], flags].concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_moved_signs_on_the_new_machine_and_not_on_the_old() {
    let world = World::new().await;
    let here = world.config(0);
    let others = [1, 2].map(|index| Daemon::start(&world.config(index)));
    let daemon = Daemon::start(&here);
    world.blocks(3).await;

    // While the daemon runs it can be asked, and nothing can be taken from it.
    daemon.says("block").await;
    let shown = ask_json(&here, &["guard", "show"]);
    assert_eq!(shown["from"], "daemon");
    assert_eq!(shown["standing"], "active");
    let [old, file] = ["old.guard", "moved.guard"].map(|name| world.fed.join(name));
    let export = ["guard", "export", "--out", text(&file)];
    let in_use = refused(&here, &export);
    assert!(in_use.contains("in use by another daemon"), "{in_use}");
    daemon.stop().await;

    // A backup, and then more blocks.
    ask(&here, &["guard", "export", "--copy", "--out", text(&old)]);
    let daemon = Daemon::start(&here);
    world.blocks(3).await;
    daemon.stop().await;

    let said = ask(&here, &export);
    assert!(said.contains("signs no more on this machine"), "{said}");
    let shown = ask(&here, &["guard", "show"]);
    assert!(shown.contains("moved away"), "{shown}");
    let log = Daemon::start(&here).fails().await;
    assert!(
        log.contains("the key signs on another machine now"),
        "{log}"
    );
    let observing = Daemon::start_with(&here, &["--observe"]).fails().await;
    assert!(observing.contains("moved away"), "{observing}");
    let repair = ["guard", "repair", "--no-other-daemon"];
    let repaired = refused(&here, &repair);
    assert!(repaired.contains("moved away"), "{repaired}");
    // The file again, should it have been lost on the way: the same record.
    let again = world.fed.join("again.guard");
    ask(&here, &["guard", "export", "--out", text(&again)]);
    let signed = |path: &Path| {
        let text = std::fs::read_to_string(path).expect("there");
        let lines = text.lines().filter(|line| line.starts_with("signed: "));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(!signed(&file).is_empty());
    assert_eq!(signed(&file), signed(&again));

    // Whatever is not this operator's record is refused, and changes nothing.
    let there = world.other_machine(0);
    let bytes = std::fs::read(&file).expect("there");
    let spoilt = world.fed.join("spoilt.guard");
    for at in (0..bytes.len()).step_by(bytes.len() / 16) {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        std::fs::write(&spoilt, changed).expect("written");
        import_refused(&there, &spoilt, &[]);
    }
    let foreign = import_refused(&world.config(1), &file, &[]);
    assert!(foreign.contains("belongs to block key"), "{foreign}");

    // The move itself. The old machine does not take its own file back by mistake.
    let shown = ask(&there, &["guard", "show", "--file", text(&file)]);
    assert!(shown.contains("file, transfer"), "{shown}");
    let said = import(&there, &file, &[]);
    assert!(said.contains("begins as an observer"), "{said}");
    let own = import_refused(&here, &file, &[]);
    assert!(own.contains("moved away by this record itself"), "{own}");
    let daemon = Daemon::start(&there);
    daemon.says("takes part again").await;
    // Now it is needed.
    let [first, second] = others;
    second.stop().await;
    world.blocks(3).await;

    // What is older than what the guard knows is refused.
    daemon.stop().await;
    for older in [&old, &file] {
        let said = import_refused(&there, older, &[]);
        assert!(said.contains("older than this guard"), "{said}");
    }

    // And back again, by a record of the new machine.
    let back = world.fed.join("back.guard");
    ask(&there, &["guard", "export", "--out", text(&back)]);
    let second = Daemon::start(&world.config(2));
    world.blocks(1).await;
    import(&here, &back, &[]);
    let daemon = Daemon::start(&here);
    daemon.says("takes part again").await;
    Daemon::start(&there).fails().await;
    for daemon in [first, second, daemon] {
        daemon.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_older_than_the_chain_is_refused_and_a_copy_does_not_sign() {
    let world = World::new().await;
    let here = world.config(0);
    let others = [1, 2].map(|index| Daemon::start(&world.config(index)));
    let daemon = Daemon::start(&here);
    world.blocks(2).await;
    daemon.stop().await;
    let [moved, copy] = ["moved.guard", "copy.guard"].map(|name| world.fed.join(name));
    ask(&here, &["guard", "export", "--out", text(&moved)]);
    // Taken back: it was imported nowhere. So the operator goes on as if nothing had been.
    import(&here, &moved, &["--take-back"]);
    let daemon = Daemon::start(&here);
    let height = world.height();
    world.blocks(6).await;
    daemon.stop().await;
    assert!(world.height() > height);
    ask(&here, &["guard", "export", "--copy", "--out", text(&copy)]);

    // On a machine that knows nothing the node tells that the key has signed since.
    let there = world.other_machine(0);
    let old = import_refused(&there, &moved, &[]);
    assert!(
        old.contains("has signed since the file was written"),
        "{old}"
    );
    let said = import(&there, &copy, &[]);
    assert!(said.contains("does not sign yet"), "{said}");
    let log = Daemon::start(&there).fails().await;
    assert!(log.contains("guard repair"), "{log}");
    let out = world.fed.join("out.guard");
    let said = refused(&there, &["guard", "export", "--out", text(&out)]);
    assert!(said.contains("holds a copy"), "{said}");
    let repair = ["guard", "repair", "--margin", "2", "--no-other-daemon"];
    ask(&there, &repair);
    let shown = ask_json(&there, &["guard", "show"]);
    assert!(
        shown["final"].as_u64() >= Some(u64::from(world.height()) + 1),
        "{shown}"
    );
    assert!(
        !shown["signed"].as_array().expect("a list").is_empty(),
        "{shown}"
    );
    let daemon = Daemon::start(&there);
    daemon.says("takes part again").await;
    daemon.stop().await;
    for daemon in others {
        daemon.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_contradicts_the_guard_is_refused_with_both_blocks() {
    let world = World::new().await;
    let here = world.config(0);
    let daemons = [0, 1].map(|index| Daemon::start(&world.config(index)));
    world.blocks(2).await;
    for daemon in daemons {
        daemon.stop().await;
    }
    let [copy, lie] = ["copy.guard", "lie.guard"].map(|name| world.fed.join(name));
    ask(&here, &["guard", "export", "--copy", "--out", text(&copy)]);
    // As a second guard of the same key would write it that has signed another block.
    let bytes = std::fs::read(&copy).expect("there");
    let mut record = SignedGuardRecord::decode(&bytes)
        .expect("a record")
        .unverified()
        .clone();
    let (height, signed) = record.state.records().last().expect("some");
    let other = BlockHash::from_bytes([7; 32]);
    record.kind = GuardRecordKind::Transfer;
    record.number += 1;
    record.state = GuardState::new(record.state.highest_final(), [(height, other)]);
    let key = std::fs::read_to_string(world.folder(0).join("identity.key")).expect("there");
    let identity = SoftwareIdentity::new(Secret::from_hex(key.trim()).expect("a key"));
    let signature = identity.sign_envelope(record.signing_digest()).await;
    let file = record.with_signature(signature.expect("it signs")).encode();
    std::fs::write(&lie, file).expect("written");
    let before = ask_json(&here, &["guard", "show"]);
    let said = import_refused(&here, &lie, &[]);
    for part in [signed.to_string(), other.to_string(), height.to_string()] {
        assert!(said.contains(&part), "{part} in {said}");
    }
    assert!(said.contains("as evidence"), "{said}");
    assert_eq!(ask_json(&here, &["guard", "show"]), before);
}

/// Killed at some moment, an export leaves a guard that signs and no file, or one that does not and
/// gives the same record when it is asked again.
#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_is_killed_leaves_no_file_beside_a_guard_that_signs() {
    let world = World::new().await;
    let here = world.config(0);
    let config = Config::load(&here, &Overrides::default()).expect("fine");
    let federation = &config.federation;
    let key = federation
        .operator(config.me)
        .expect("it is there")
        .block_key;
    let mut guard = RedbGuardStore::open(&world.store(0), &key, federation.genesis()).expect("new");
    guard
        .record(BlockHeight::new(7), BlockHash::from_bytes([7; 32]))
        .expect("recorded");
    drop(guard);
    let file = world.fed.join("moved.guard");
    let export = ["guard", "export", "--out", text(&file)];
    let standing = || ask_json(&here, &["guard", "show"])["standing"].clone();
    for millis in (0..60).step_by(2) {
        let mut process = start(&here, &export);
        tokio::time::sleep(Duration::from_millis(millis)).await;
        // It may have ended before.
        let _ = process.kill();
        process.wait().expect("it ends");
        let is_active = standing() == "active";
        assert!(!(is_active && file.exists()), "after {millis} ms");
        if !file.exists() {
            ask(&here, &export);
        }
        assert_eq!(standing(), "moved away");
        import(&here, &file, &["--take-back", "--without-node"]);
        assert_eq!(standing(), "active");
        let shown = ask_json(&here, &["guard", "show"]);
        assert_eq!(shown["signed"][0]["height"], 7, "{shown}");
        std::fs::remove_file(&file).expect("removed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_daemons_with_one_key_are_refused_whatever_store_they_have() {
    let world = World::new().await;
    let daemon = Daemon::start(&world.config(0));
    daemon.says("operator starts").await;
    let same = Daemon::start(&world.config(0)).fails().await;
    assert!(same.contains("in use by another daemon"), "{same}");
    // Other files with the same keys, another store, another port.
    let there = world.other_machine(0);
    let other = Daemon::start_with(&there, &["--listen", "127.0.0.1:0"])
        .fails()
        .await;
    assert!(other.contains("in use by another daemon"), "{other}");
    assert!(other.contains("do: stop it first"), "{other}");
    daemon.stop().await;
}
