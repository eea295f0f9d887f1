//! Failures that need attention and failures that a restart fixes: a twin, and a full disk.

use std::{io::Write, path::Path, process::Command};

use federation_chain::{BlockHeight, UnixTime};
use federation_operator::{
    Halt, HaltReason, Store,
    config::{Config, Overrides},
};

use crate::world::{Daemon, World, ask, ask_json, refused, until};

const SURE: &str = "--no-other-daemon";

/// Writes a halt into the store of a stopped operator, as the daemon would.
fn halt(world: &World, index: usize, reason: HaltReason) {
    let config =
        Config::load(&world.config(index), &Overrides::default()).expect("a valid configuration");
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
async fn a_halt_lasts_until_it_is_cleared_and_the_log_says_by_whom() {
    let world = World::new().await;
    let config = world.config(0);
    let others = [1, 2].map(|index| Daemon::start(&world.config(index)));
    let daemon = Daemon::start(&config);
    world.blocks(2).await;
    let printed = ask(&world.config(0), &["status"]);
    assert!(!printed.contains("halted"), "{printed}");
    daemon.stop().await;
    let resume = ["guard", "resume"];
    assert!(ask(&config, &resume).contains("has not halted"));
    for reason in [HaltReason::Twin, HaltReason::TwoDecisions] {
        halt(&world, 0, reason);
        let log = Daemon::start(&config).halts().await;
        assert!(log.contains("the operator halted at"), "{log}");
        assert!(log.contains(&reason.to_string()), "{log}");
        assert!(log.contains("help: "), "{log}");

        // With `--on-halt stay` it stays up, and releases the store.
        let idle = Daemon::start_with(&config, &["--on-halt", "stay"]);
        idle.logs("idle until this is resolved").await;
        let shown = ask_json(&config, &["status"]);
        assert_eq!(shown["halt"]["reason"], reason.as_str(), "{shown}");
        assert_eq!(shown["halt"]["height"], 7);
        let printed = refused(&config, &resume);
        assert!(printed.contains("nothing was changed"), "{printed}");
        assert!(printed.contains(SURE), "{printed}");
        let printed = ask(&config, &[&resume[..], &[SURE]].concat());
        assert!(printed.contains("cleared by"), "{printed}");
        idle.stop().await;

        let daemon = Daemon::start(&config);
        daemon.logs("an earlier halt was cleared").await;
        daemon.logs("who=").await;
        daemon.logs("observing=false").await;
        daemon.stop().await;
    }
    // The halt of an old store is cleared by a repair.
    halt(&world, 0, HaltReason::OldStore);
    let repair = ["guard", "repair", "--at-least", "1", "--margin", "1", SURE];
    let printed = ask(&config, &repair);
    assert!(printed.contains("cleared the halt"), "{printed}");
    let daemon = Daemon::start(&config);
    daemon.logs("takes part again").await;
    daemon.stop().await;
    for daemon in others {
        daemon.stop().await;
    }
}

/// A small file system.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    /// Mounts it; none if this process may not mount one.
    fn mount(at: &'a Path) -> Option<Self> {
        std::fs::create_dir_all(at).expect("created");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=16m,mode=0700", "tmpfs"])
            .arg(at)
            .output();
        mounted
            .is_ok_and(|output| output.status.success())
            .then_some(Self(at))
    }

    fn fill(&self) {
        let mut file = std::fs::File::create(self.0.join("filler")).expect("created");
        while file.write(&[7; 4096]).is_ok_and(|written| written > 0) {}
    }

    fn empty(&self) {
        std::fs::remove_file(self.0.join("filler")).expect("removed");
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        // If this fails, removing the folder reports it.
        let _ = Command::new("umount").arg(self.0).status();
    }
}

/// Whichever file the full disk affects first, the daemon ends, and a restart by the service manager
/// recovers it once there is space.
#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_on_a_full_disk_ends_and_recovers_with_a_restart() {
    let world = World::new().await;
    let config = world.config(0);
    let folder = world.store(0);
    let Some(disk) = SmallDisk::mount(&folder) else {
        eprintln!("SKIPPED: a full disk was not tried, as this process may not mount a tmpfs");
        return;
    };
    let others = [1, 2].map(|index| Daemon::start(&world.config(index)));
    let mut daemon = Daemon::start(&config);
    // Only once: later the store's files have enough space of their own.
    world.blocks(2).await;
    disk.fill();
    let log = daemon.fails().await;
    assert!(log.contains("nothing is sent or signed any more"), "{log}");
    // It is not a halt: there is nothing to clear.
    disk.empty();
    daemon = Daemon::start(&config);
    daemon.logs("observing=false").await;
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
