//! Five operators as processes, each with a node, a folder and links.

use std::{
    process::Command,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use federation_chain::{BlockHash, BlockHeight, Dialect};
use federation_devnet::DevNodeConfig;
use federation_local::free_ports;
use federation_messenger_zmq::{Endpoint, ZmqConfig, ZmqMessenger};
use federation_multisig::MultisigScript;
use federation_operator::{
    RedbGuardStore,
    config::{Config, Overrides},
};
use federation_roster::{Federation, OperatorId};
use federation_signer::GuardStore;

use crate::{
    links::Link,
    member::{Member, PATIENCE, change},
    witness::{self, Heard},
};

pub(crate) const OPERATORS: usize = 5;
pub(crate) const INTERVAL: Duration = Duration::from_millis(500);

pub(crate) struct World {
    pub(crate) members: Vec<Member>,
    pub(crate) links: Vec<Link>,
    pub(crate) federation: Federation,
    pub(crate) heard: Arc<Mutex<Heard>>,
    /// When the highest tip of all nodes last grew, and its height.
    pub(crate) growth: Vec<(Instant, BlockHeight)>,
    _folder: tempfile::TempDir,
}

impl World {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let fed = folder.path().join("fed");
        let first = free_ports(15).expect("ports").start;
        let made = Command::new(env!("CARGO_BIN_EXE_federation"))
            .args(["init", "--operators", "5", "--threshold", "3"])
            .args(["--interval", &format!("{}ms", INTERVAL.as_millis())])
            .args(["--first-port", &first.to_string(), "--out"])
            .arg(&fed)
            .status();
        assert!(made.expect("init runs").success());
        std::fs::write(fed.join("password"), "password\n").expect("written");
        let port =
            |index: usize, which: u16| first + 3 * u16::try_from(index).expect("small") + which;
        let script = script_of(&fed);
        let (mut members, mut links) = (Vec::new(), Vec::new());
        for index in 0..OPERATORS {
            let own = fed.join(format!("operator-{index}"));
            let private = own.join("operator.toml");
            change(&private, "../federation.toml", "federation.toml");
            change(
                &private,
                "cookie = \"node/fedchain/.cookie\"",
                "user = \"user\"\npassword_file = \"../password\"",
            );
            let public = own.join("federation.toml");
            std::fs::copy(fed.join("federation.toml"), &public).expect("copied");
            for other in (0..OPERATORS).filter(|other| *other != index) {
                let target = port(other, 0);
                let link = Link::open(index, other, target).await.expect("a link");
                change(
                    &public,
                    &format!("endpoint = \"127.0.0.1:{target}\""),
                    &format!("endpoint = \"127.0.0.1:{}\"", link.port),
                );
                links.push(link);
            }
            let address = |index, which| ([127, 0, 0, 1], port(index, which)).into();
            let node = DevNodeConfig::new(Dialect::Dynafed, script.clone())
                .with_chain("fedchain")
                .with_listen(address(index, 1), address(index, 2))
                .with_folder(own.join("node"));
            let peers = (0..OPERATORS)
                .filter(|other| *other != index)
                .map(|other| address(other, 2));
            members.push(Member::new(own, node, peers.collect()).await);
        }
        let config = fed.join("operator-0/operator.toml");
        let federation = Config::load(&config, &Overrides::default())
            .expect("written by init")
            .federation;
        let local = |port| Endpoint::from(std::net::SocketAddr::from(([127, 0, 0, 1], port)));
        let config = ZmqConfig::new(local(0), federation.id())
            .with_peers((0..OPERATORS).map(|index| local(port(index, 0))))
            .with_retry(Duration::from_millis(10), Duration::from_millis(50));
        let messenger = ZmqMessenger::bind(config).await.expect("it listens");
        let federation = Federation::clone(&federation);
        for member in &mut members {
            member.start(&[]);
        }
        Self {
            members,
            links,
            heard: witness::listen(messenger, federation.clone()),
            federation,
            growth: Vec::new(),
            _folder: folder,
        }
    }

    /// Returns all links of an operator, in both directions.
    pub(crate) fn links_of(&self, member: usize) -> impl Iterator<Item = &Link> {
        self.links
            .iter()
            .filter(move |link| link.from == member || link.to == member)
    }

    /// Returns the highest tip of all running nodes.
    pub(crate) fn height(&mut self) -> BlockHeight {
        let height = self
            .members
            .iter()
            .filter(|member| member.has_node())
            .map(|member| member.node().tip().0)
            .max()
            .unwrap_or(BlockHeight::GENESIS);
        if self.growth.last().is_none_or(|(_, known)| height > *known) {
            self.growth.push((Instant::now(), height));
        }
        height
    }

    /// Waits until the federation has made a number of further blocks.
    pub(crate) async fn blocks(&mut self, more: u32, during: &str) {
        let goal = self.height().to_u32() + more;
        let deadline = Instant::now() + PATIENCE;
        while self.height().to_u32() < goal {
            self.look(deadline, during);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits for some time.
    pub(crate) async fn pass(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.height();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until an operator has voted above the current tip, and its node has caught up.
    pub(crate) async fn takes_part(&mut self, member: usize, after: &str) {
        let now = self.height();
        let id = OperatorId::new(u8::try_from(member).expect("small"));
        let deadline = Instant::now() + PATIENCE;
        loop {
            let voted = self
                .heard
                .lock()
                .expect("not poisoned")
                .voted
                .get(&id)
                .copied();
            if voted > Some(now) {
                return;
            }
            self.look(deadline, after);
            self.height();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn look(&self, deadline: Instant, what: &str) {
        let contradictions = &self.heard.lock().expect("not poisoned").contradictions;
        assert!(contradictions.is_empty(), "{what}: {contradictions:?}");
        if Instant::now() >= deadline {
            for (index, member) in self.members.iter().enumerate() {
                eprintln!("--- operator {index}\n{}", member.log());
            }
            panic!("{what}: the chain stands still");
        }
    }

    /// Waits for a few further blocks, until all nodes have the same tip.
    pub(crate) async fn settle(&mut self) -> BlockHeight {
        self.blocks(3, "after all faults").await;
        let goal = self.height();
        let deadline = Instant::now() + PATIENCE;
        while self
            .members
            .iter()
            .any(|member| member.node().tip().0 < goal)
        {
            self.look(deadline, "after all faults");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        goal
    }

    /// Returns the block at a height, which must be the same on every node.
    pub(crate) fn block(&self, height: BlockHeight) -> BlockHash {
        let mut hashes = self.members.iter().map(|member| {
            let block = member
                .node()
                .block(height)
                .expect("every node has the block");
            block.block_hash()
        });
        let first = hashes.next().expect("five nodes");
        assert!(hashes.all(|hash| hash == first), "a fork at {height}");
        first
    }

    /// Returns what a stopped operator has signed, according to its guard.
    pub(crate) fn guard(&self, member: usize) -> Vec<(BlockHeight, BlockHash)> {
        let id = OperatorId::new(u8::try_from(member).expect("small"));
        let key = self.federation.member(id).expect("in the roster").block_key;
        let store = self.members[member].store();
        let guard = RedbGuardStore::open(&store, &key, self.federation.genesis());
        let state = guard.expect("a guard").load().expect("it loads");
        state.records().collect()
    }
}

/// Returns the federation's script from the node configuration that `init` wrote.
fn script_of(fed: &std::path::Path) -> MultisigScript {
    let conf =
        std::fs::read_to_string(fed.join("operator-0/node/elements.conf")).expect("it exists");
    let hex = conf
        .lines()
        .find_map(|line| line.strip_prefix("signblockscript="))
        .expect("a script");
    MultisigScript::from_hex(hex).expect("a multisig script")
}
