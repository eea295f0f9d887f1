//! An operator calls exactly those methods of its node that users are asked to allow.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use federation_harness::Middleman;
use federation_ocean_rpc::{Method, Need};

use crate::{
    Found, before,
    world::{Daemon, World},
};

/// Allows some methods, and records which were called.
#[derive(Default)]
struct Whitelist {
    allowed: Option<BTreeSet<&'static str>>,
    called: Mutex<BTreeSet<String>>,
}

impl Whitelist {
    fn of(methods: impl Iterator<Item = Method>) -> Arc<Self> {
        Arc::new(Self {
            allowed: Some(methods.map(Method::as_str).collect()),
            called: Mutex::default(),
        })
    }

    fn called(&self) -> BTreeSet<String> {
        self.called.lock().expect("not poisoned").clone()
    }
}

impl Middleman for Whitelist {
    fn forbids(&self, method: &str) -> bool {
        let mut called = self.called.lock().expect("not poisoned");
        called.insert(method.to_owned());
        let allowed = self.allowed.as_ref();
        allowed.is_some_and(|allowed| !allowed.contains(method))
    }
}

/// The methods that are called only on other chains: below `classic_until`, without dynafed, with a
/// certificate.
const ELSEWHERE: [Method; 3] = [
    Method::GetBlockCount,
    Method::GetDeploymentInfo,
    Method::GetSidechainInfo,
];

fn for_run() -> impl Iterator<Item = Method> {
    Method::needed_for(&[Need::Run])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn daemons_make_blocks_with_only_the_listed_methods_and_call_all_of_them() {
    let world = World::new().await;
    let lists = [(); 3].map(|()| Whitelist::of(for_run()));
    let mut proxies = Vec::new();
    for (index, list) in lists.iter().enumerate() {
        proxies.push(before(&world, index, list.clone()).await);
    }
    let daemons = [0, 1, 2].map(|index| Daemon::start(&world.config(index)));
    // Every operator leads once.
    world.blocks(6).await;
    for daemon in daemons {
        daemon.stop().await;
    }
    let listed: BTreeSet<String> = for_run().map(|method| method.to_string()).collect();
    let called: BTreeSet<String> = lists.iter().flat_map(|list| list.called()).collect();
    let unlisted: Vec<_> = called.difference(&listed).collect();
    assert!(unlisted.is_empty(), "not in the list: {unlisted:?}");
    let unused: Vec<_> = listed.difference(&called).map(String::as_str).collect();
    let elsewhere = ELSEWHERE.map(Method::as_str);
    assert_eq!(unused, elsewhere, "listed, but not called");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_forbidden_method_is_named_with_the_line_that_allows_all() {
    let world = World::new().await;
    let config = world.config(0);
    let daemons = [1, 2].map(|index| Daemon::start(&world.config(index)));
    world.blocks(1).await;
    let plain = std::fs::read_to_string(&config).expect("it exists");
    let needed = || Method::needed_for(&[Need::Run, Need::Check]);
    let ask = async |without: Option<Method>| {
        let list = Whitelist::of(needed().filter(|method| Some(*method) != without));
        let proxy = before(&world, 0, list).await;
        let found = Found::ask(&config, &[]);
        drop(proxy);
        std::fs::write(&config, &plain).expect("written");
        found
    };
    let found = ask(None).await;
    assert_eq!(found.of("node", "methods").0, "green", "{}", found.0);
    assert_eq!(found.of("node", "proposal").0, "green", "{}", found.0);
    for forbidden in needed() {
        let found = ask(Some(forbidden)).await;
        let (light, what, cure) = found.of("node", "methods");
        let expected = match forbidden {
            Method::GetNetworkInfo => "yellow",
            elsewhere if ELSEWHERE.contains(&elsewhere) => "green",
            _ => "red",
        };
        assert_eq!(light, expected, "{forbidden}: {}", found.0);
        if expected == "green" {
            continue;
        }
        assert!(what.contains(forbidden.as_str()), "{what}");
        let names: Vec<_> = needed().map(Method::as_str).collect();
        let line = format!("rpcwhitelist=user:{}", names.join(","));
        assert!(cure.contains(&line), "{cure}");
    }
    // A check that did not run is not green.
    let found = ask(Some(Method::TestProposedBlock)).await;
    let (light, what, _) = found.of("node", "proposal");
    assert_eq!(light, "red", "{}", found.0);
    assert!(
        what.contains("the node forbids testproposedblock"),
        "{what}"
    );
    let found = ask(Some(Method::GetNetworkInfo)).await;
    assert_eq!(found.of("node", "version").0, "yellow", "{}", found.0);
    assert_eq!(found.of("node", "proposal").0, "green", "{}", found.0);
    for daemon in daemons {
        daemon.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_logs_which_method_is_forbidden() {
    let world = World::new().await;
    let list = Whitelist::of(for_run().filter(|method| *method != Method::GetBlockchainInfo));
    let _proxy = before(&world, 0, list).await;
    let log = Daemon::start(&world.config(0)).fails().await;
    assert!(log.contains("the node forbids getblockchaininfo"), "{log}");
}
