//! A daemon that hangs is not green just because it has locked its store.

use std::{fs, process::Command};

use serde_json::Value;

use crate::{
    Found,
    world::{Daemon, World, until},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_without_a_recent_status_is_red() {
    let world = World::new().await;
    let config = world.config(0);
    let daemon = Daemon::start(&config);
    let status = world.store(0).join("status.json");
    until("a status", || status.exists()).await;
    let found = Found::ask(&config, &["--running"]);
    assert_eq!(found.of("store", "locked").0, "green", "{}", found.0);
    // It hangs for that long.
    daemon.signal("STOP");
    let text = fs::read_to_string(&status).expect("it exists");
    let mut report: Value = serde_json::from_str(&text).expect("json");
    let written = report["written"].as_u64().expect("a time");
    report["written"] = (written - 60_000).into();
    fs::write(&status, report.to_string()).expect("written");
    let found = Found::ask(&config, &["--running"]);
    let (light, what, cure) = found.of("store", "locked");
    assert_eq!(light, "red", "{}", found.0);
    assert!(what.contains("has not written its status for"), "{what}");
    assert!(cure.contains("start it again"), "{cure}");
    daemon.signal("CONT");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_without_access_is_neither_new_nor_damaged() {
    // Root without the two capabilities that let it read everything.
    let probe = Command::new("setpriv")
        .args(["--bounding-set=-dac_override,-dac_read_search", "true"])
        .status();
    if !probe.is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: this process may not drop rights, so no file is refused to it");
        return;
    }
    let world = World::new().await;
    let config = world.config(0);
    let folder = world.store(0);
    fs::create_dir_all(&folder).expect("created");
    std::os::unix::fs::chown(&folder, Some(65534), None).expect("root is permitted");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    fs::set_permissions(&folder, mode).expect("root is permitted");
    let ask = |args: &[&str]| {
        let output = Command::new("setpriv")
            .arg("--bounding-set=-dac_override,-dac_read_search")
            .arg(env!("CARGO_BIN_EXE_federation"))
            .args(args)
            .arg("--config")
            .arg(&config)
            .output()
            .expect("it runs");
        // A fault that `status` shows is not a failure of `status`.
        let code = i32::from(args != ["status"]);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {output:?}");
        let printed = [output.stdout, output.stderr].concat();
        String::from_utf8_lossy(&printed).into_owned()
    };
    for args in [
        &["preflight", "--wait", "0s"][..],
        &["run"],
        &["status"],
        &["guard", "show"],
        &["guard", "repair"],
        &["guard", "resume"],
    ] {
        let printed = ask(args);
        assert!(printed.contains("Permission denied"), "{args:?}: {printed}");
        // `status` only reads a file next to the store.
        if args != ["status"] {
            for part in ["this user may not use it", "user 65534 owns "] {
                assert!(printed.contains(part), "{args:?}: {printed}");
            }
        }
        for wrong in ["move the store away", "none yet", "is lost", "missing"] {
            assert!(!printed.contains(wrong), "{args:?}: {printed}");
        }
    }
}
