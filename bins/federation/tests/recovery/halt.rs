//! Ends for people and ends for a restart: a twin that was heard, and a disk that is full.

use std::{io::Write, path::Path, process::Command};

use federation_chain::{BlockHeight, UnixTime};
use federation_operator::{
    Halt, HaltReason, Store,
    config::{Config, Overrides},
};

use crate::world::{Daemon, World, ask, ask_json, refused, until};

const SURE: &str = "--no-other-daemon";

/// Puts a halt into the store of an operator that does not run, as the daemon does.
fn halt(world: &World, index: usize, reason: HaltReason) {
    let config = Config::load(&world.config(index), &Overrides::default()).expect("fine");
    let store = Store::open(&config.store, config.federation.id(), config.me).expect("opens");
    let height = BlockHeight::new(7);
    let time = UnixTime::from_secs(1_700_000_000);
    let halt = Halt {
        reason,
        height,
        time,
    };
    store.write_halt(halt).expect("written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_halt_lasts_until_a_person_clears_it_and_the_log_says_who_did() {
    let world = World::new().await;
    let config = world.config(0);
    let others = [1, 2].map(|index| Daemon::start(&world.config(index)));
    let daemon = Daemon::start(&config);
    world.blocks(2).await;
    let said = ask(&world.config(0), &["status"]);
    assert!(!said.contains("halted"), "{said}");
    daemon.stop().await;
    let resume = ["guard", "resume"];
    assert!(ask(&config, &resume).contains("has not halted"));
    for reason in [HaltReason::Twin, HaltReason::TwoDecisions] {
        halt(&world, 0, reason);
        let log = Daemon::start(&config).halts().await;
        assert!(log.contains("the operator halted at"), "{log}");
        assert!(log.contains(&reason.to_string()), "{log}");
        assert!(log.contains("do: "), "{log}");

        // For who starts whatever ends: it stays, and lets go of the store.
        let idle = Daemon::start_with(&config, &["--on-halt", "stay"]);
        idle.says("idle until that is done").await;
        let shown = ask_json(&config, &["status"]);
        assert_eq!(shown["halt"]["reason"], reason.as_str(), "{shown}");
        assert_eq!(shown["halt"]["height"], 7);
        let said = refused(&config, &resume);
        assert!(said.contains("nothing was changed"), "{said}");
        assert!(said.contains(SURE), "{said}");
        let said = ask(&config, &[&resume[..], &[SURE]].concat());
        assert!(said.contains("cleared by"), "{said}");
        idle.stop().await;

        let daemon = Daemon::start(&config);
        daemon.says("an earlier halt was cleared").await;
        daemon.says("who=").await;
        daemon.says("observing=false").await;
        daemon.stop().await;
    }
    // The repair of an old store is what its halt asks for.
    halt(&world, 0, HaltReason::OldStore);
    let repair = ["guard", "repair", "--at-least", "1", "--margin", "1", SURE];
    let said = ask(&config, &repair);
    assert!(said.contains("cleared the halt"), "{said}");
    let daemon = Daemon::start(&config);
    daemon.says("takes part again").await;
    daemon.stop().await;
    for daemon in others {
        daemon.stop().await;
    }
}

/// A small file system of its own.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    /// None where this process may not mount one.
    fn mount(at: &'a Path) -> Option<Self> {
        std::fs::create_dir_all(at).expect("made");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=16m,mode=0700", "tmpfs"])
            .arg(at)
            .output();
        mounted
            .is_ok_and(|output| output.status.success())
            .then_some(Self(at))
    }

    fn fill(&self) {
        let mut file = std::fs::File::create(self.0.join("filler")).expect("made");
        while file.write(&[7; 4096]).is_ok_and(|written| written > 0) {}
    }

    fn empty(&self) {
        std::fs::remove_file(self.0.join("filler")).expect("removed");
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        // What is left is said by the removal of the folder.
        let _ = Command::new("umount").arg(self.0).status();
    }
}

/// Whatever file the disk fails first, the daemon ends, and what a service manager does heals it once
/// there is space.
#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_on_a_full_disk_ends_and_a_restart_heals_it() {
    let world = World::new().await;
    let config = world.config(0);
    let folder = world.store(0);
    let Some(disk) = SmallDisk::mount(&folder) else {
        eprintln!("SKIPPED: a full disk was not tried, as this process may not mount a tmpfs");
        return;
    };
    let others = [1, 2].map(|index| Daemon::start(&world.config(index)));
    let mut daemon = Daemon::start(&config);
    // Once: later the store's files have room enough of their own.
    world.blocks(2).await;
    disk.fill();
    let log = daemon.fails().await;
    assert!(log.contains("nothing is sent or signed any more"), "{log}");
    // No halt is for people: there is nothing to clear.
    disk.empty();
    daemon = Daemon::start(&config);
    daemon.says("observing=false").await;
    let height = u64::from(world.height());
    until("a signature after the disk has space again", || {
        let shown = ask_json(&config, &["guard", "show"]);
        let last = shown["signed"].as_array().and_then(|signed| signed.last());
        last.is_some_and(|last| last["height"].as_u64() > Some(height))
    })
    .await;
    daemon.stop().await;
    for daemon in others {
        daemon.stop().await;
    }
    drop(disk);
}
