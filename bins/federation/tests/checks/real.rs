//! The list of methods, with a real node that has a whitelist.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
};

use federation_local::free_ports;
use federation_ocean_rpc::{Method, Need};

use crate::{
    Found,
    world::{change, federation, stderr, text, until},
};

/// A node, killed when dropped.
struct Node(Child);

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a node with the configuration that `init` wrote, and a whitelist.
fn start(folder: &Path, methods: &[&str]) -> Node {
    let program = std::env::var_os("ELEMENTSD").expect("the node's program");
    let child = Command::new(program)
        .arg(format!("-datadir={}", folder.display()))
        .args(["-printtoconsole=0", "-dnsseed=0", "-rpcwhitelistdefault=0"])
        // The password is `password`.
        .arg("-rpcauth=user:5a17$f06dc3a16d1ba7daa182d73450e8868e355ad6be1a12308eabfe8fe2d1243516")
        .arg(format!("-rpcwhitelist=user:{}", methods.join(",")))
        .stdin(Stdio::null())
        .spawn();
    Node(child.expect("it starts"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs ELEMENTSD"]
async fn a_method_that_a_real_node_forbids_is_named_and_the_listed_ones_suffice() {
    let folder = tempfile::tempdir().expect("a folder");
    let port = free_ports(9).expect("ports").start.to_string();
    let fed = folder.path().join("fed");
    let args = ["init", "--operators", "3", "--first-port", &port, "--out"];
    let made = federation(&[&args[..], &[text(&fed)]].concat());
    assert!(made.status.success(), "{}", stderr(&made));
    let own = fed.join("operator-0");
    let config = own.join("operator.toml");
    std::fs::write(own.join("password"), "password\n").expect("written");
    change(
        &config,
        "cookie = \"node/fedchain/.cookie\"",
        "user = \"user\"\npassword_file = \"password\"",
    );
    // `init` creates a sweep for block 1.
    let needs = [Need::Run, Need::Transactions, Need::Check];
    let all: Vec<_> = Method::needed_for(&needs).map(Method::as_str).collect();
    let ask = async |methods: &[&str]| {
        let _node = start(&own.join("node"), methods);
        let mut last = None;
        until("the node answers", || {
            let found = Found::ask(&config, &[]);
            let is_there = found.of("node", "reachable").0 == "green";
            last = Some(found);
            is_there
        })
        .await;
        last.expect("asked")
    };
    let found = ask(&all).await;
    assert_eq!(found.of("node", "methods").0, "green", "{}", found.0);
    assert_eq!(found.of("node", "proposal").0, "green", "{}", found.0);
    let without = Method::TestProposedBlock.as_str();
    let few: Vec<_> = all
        .iter()
        .copied()
        .filter(|name| *name != without)
        .collect();
    let found = ask(&few).await;
    for name in ["methods", "proposal"] {
        let (light, what, _) = found.of("node", name);
        assert_eq!(light, "red", "{}", found.0);
        assert!(
            what.contains("the node forbids testproposedblock"),
            "{what}"
        );
    }
}
