//! A federation on a devnet node, and the parts of its first operator.

use std::{path::Path, sync::Arc, time::Duration};

use federation_chain::{Dialect, SigningRules};
use federation_devnet::{DevNode, DevNodeConfig};
use federation_messenger::{Messenger, hub::Hub};
use federation_multisig::{KeyOrder, MultisigScript, Threshold};
use federation_ocean_rpc::{Auth, NodeClient, NodeConfig};
use federation_operator::{Operator, Options, RedbGuardStore, Store};
use federation_roster::{Federation, Member, OperatorId};
use federation_signer::{
    GuardStore, GuardedSigner, Secret, Signer, SoftwareIdentity, SoftwareSigner,
};

pub(crate) const ME: OperatorId = OperatorId::new(0);
/// How long to wait for anything, at most.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);

pub(crate) fn copy(secret: &Secret) -> Secret {
    Secret::from_hex(&secret.to_hex()).expect("a key")
}

/// A federation of one operator, its node, and the parts of the operator.
pub(crate) struct World {
    block_key: Secret,
    identity: Secret,
    pub(crate) federation: Arc<Federation>,
    pub(crate) node: DevNode,
    client: NodeClient,
    pub(crate) hub: Hub,
    pub(crate) folder: tempfile::TempDir,
}

impl World {
    /// A federation of an operator with this name and, if there is an identity key for it, a second
    /// operator without which there is no block.
    pub(crate) async fn new(name: &str, other: Option<&Secret>) -> Self {
        let (block_key, identity) = (Secret::generate(), Secret::generate());
        let mut roster = vec![Member {
            name: name.to_owned(),
            identity: identity.x_only_public_key(),
            block_key: block_key.public_key(),
            endpoint: "127.0.0.1:1".to_owned(),
        }];
        roster.extend(other.map(|identity| Member {
            name: "other".to_owned(),
            identity: identity.x_only_public_key(),
            block_key: Secret::generate().public_key(),
            endpoint: "127.0.0.1:2".to_owned(),
        }));
        let keys: Vec<_> = roster.iter().map(|entry| entry.block_key).collect();
        let all = Threshold::new(u8::try_from(keys.len()).expect("few")).expect("small");
        let script = MultisigScript::new(all, keys, KeyOrder::AsGiven).expect("a script");
        let size = SigningRules::required_signature_size(Dialect::Dynafed, &script);
        let rules = SigningRules::new(Dialect::Dynafed, script.clone(), size).expect("it fits");
        let node = DevNode::spawn(DevNodeConfig::new(Dialect::Dynafed, script))
            .await
            .expect("a node");
        let (user, password) = node.rpc_credentials();
        let reach = NodeConfig::new(node.rpc_url())
            .with_auth(Auth::basic(user, password))
            .with_dialect(Dialect::Dynafed);
        let interval = Duration::from_millis(200);
        let federation = Federation::new(roster, rules, node.genesis_hash(), interval);
        Self {
            block_key,
            identity,
            federation: Arc::new(federation.expect("a federation")),
            client: NodeClient::new(reach).expect("a client"),
            node,
            hub: Hub::new(1),
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    /// Opens the guard's store of the first operator.
    pub(crate) fn guard(&self) -> RedbGuardStore {
        let folder: &Path = self.folder.path();
        let key = self.block_key.public_key();
        RedbGuardStore::open(folder, &key, self.federation.genesis()).expect("opens")
    }

    /// Assembles the first operator.
    pub(crate) fn operator(
        &self,
        messenger: Arc<dyn Messenger>,
        guard: impl GuardStore + 'static,
        is_new: bool,
    ) -> Operator {
        let signer: Box<dyn Signer> = Box::new(SoftwareSigner::new(copy(&self.block_key)));
        let operator = Operator::new(
            self.federation.clone(),
            ME,
            Arc::new(self.client.clone()),
            GuardedSigner::new(signer, guard).expect("loads"),
            Box::new(SoftwareIdentity::new(copy(&self.identity))),
            messenger,
            Store::open(self.folder.path(), self.federation.id(), ME).expect("opens"),
        );
        let mut options = Options::default();
        options.calls.messenger = Duration::from_millis(500);
        operator.with_new_guard(is_new).with_options(options)
    }

    /// Waits until the node has a block at this height.
    pub(crate) async fn reaches(&self, height: u32) {
        let deadline = tokio::time::Instant::now() + LIMIT;
        while self.node.tip().0.to_u32() < height {
            assert!(tokio::time::Instant::now() < deadline, "no block {height}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
