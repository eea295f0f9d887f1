//! A failing store ends the operator: one that votes without signing or remembering is worse than
//! one that is absent. The next start opens the store anew and goes on. A failure to store
//! evidence, or of the messenger, is reported but ends nothing.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use federation_block_signing::{Alarm, Duty, Part};
use federation_chain::{BlockHash, BlockHeight, Dialect, SigningRules};
use federation_devnet::{DevNode, DevNodeConfig};
use federation_messenger::{Messenger, MessengerError, MessengerStats, hub::Hub};
use federation_multisig::{KeyOrder, MultisigScript, Threshold};
use federation_ocean_rpc::{Auth, NodeClient, NodeConfig};
use federation_operator::{
    Concern, Operator, OperatorError, OperatorHandle, Options, RedbGuardStore, StartError, Store,
};
use federation_roster::{Federation, Operator as RosterEntry, OperatorId};
use federation_signer::{
    GuardError, GuardState, GuardStore, GuardStoreError, GuardedSigner, Secret, Signer,
    SoftwareIdentity, SoftwareSigner,
};

const ME: OperatorId = OperatorId::new(0);
const LIMIT: Duration = Duration::from_secs(120);

/// Which kind of write fails in a guard's store. As with a full disk, every write after the first
/// failure fails too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fails {
    Record,
    RaiseFinal,
}

/// A guard's store whose disk is full while the switch is on. Once it has failed, it fails until it
/// is opened anew, as redb does.
struct Failing {
    store: RedbGuardStore,
    fails: Fails,
    is_full: Arc<AtomicBool>,
    has_failed: bool,
}

impl Failing {
    fn check(&mut self, what: Fails) -> Result<(), GuardStoreError> {
        self.has_failed |= what == self.fails && self.is_full.load(Ordering::SeqCst);
        if self.has_failed {
            let error = std::io::Error::from(std::io::ErrorKind::StorageFull);
            return Err(GuardStoreError::backend(error));
        }
        Ok(())
    }
}

impl GuardStore for Failing {
    fn load(&self) -> Result<GuardState, GuardStoreError> {
        self.store.load()
    }

    fn record(&mut self, height: BlockHeight, hash: BlockHash) -> Result<(), GuardStoreError> {
        self.check(Fails::Record)?;
        self.store.record(height, hash)
    }

    fn raise_final(&mut self, height: BlockHeight) -> Result<(), GuardStoreError> {
        self.check(Fails::RaiseFinal)?;
        self.store.raise_final(height)
    }
}

fn copy(secret: &Secret) -> Secret {
    Secret::from_hex(&secret.to_hex()).expect("a key")
}

/// A federation of one operator, its node, and the parts of the operator.
struct World {
    block_key: Secret,
    identity: Secret,
    federation: Arc<Federation>,
    node: DevNode,
    client: NodeClient,
    hub: Hub,
    folder: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        Self::of(None).await
    }

    /// Adds a second operator with this identity key, without which there is no block.
    async fn with_other(identity: &Secret) -> Self {
        Self::of(Some(identity)).await
    }

    async fn of(other: Option<&Secret>) -> Self {
        let (block_key, identity) = (Secret::generate(), Secret::generate());
        let mut roster = vec![RosterEntry {
            name: "alone".to_owned(),
            identity: identity.x_only_public_key(),
            block_key: block_key.public_key(),
            endpoint: "127.0.0.1:1".to_owned(),
        }];
        roster.extend(other.map(|identity| RosterEntry {
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

    async fn start(&self, fails: Fails, is_full: &Arc<AtomicBool>) -> OperatorHandle {
        let messenger = Arc::new(self.hub.join(ME));
        self.start_with(messenger, fails, is_full).await
    }

    async fn start_with(
        &self,
        messenger: Arc<dyn Messenger>,
        fails: Fails,
        is_full: &Arc<AtomicBool>,
    ) -> OperatorHandle {
        let folder: &Path = self.folder.path();
        let key = self.block_key.public_key();
        let guard = RedbGuardStore::open(folder, &key, self.federation.genesis()).expect("opens");
        let is_new = guard.is_new();
        let guard = Failing {
            store: guard,
            fails,
            is_full: is_full.clone(),
            has_failed: false,
        };
        let signer: Box<dyn Signer> = Box::new(SoftwareSigner::new(copy(&self.block_key)));
        let operator = Operator::new(
            self.federation.clone(),
            ME,
            Arc::new(self.client.clone()),
            GuardedSigner::new(signer, guard).expect("loads"),
            Box::new(SoftwareIdentity::new(copy(&self.identity))),
            messenger,
            Store::open(folder, self.federation.id(), ME).expect("opens"),
        );
        let mut options = Options::default();
        options.calls.messenger = Duration::from_millis(500);
        let operator = operator.with_new_guard(is_new).with_options(options);
        let started: Result<_, StartError> = operator.start().await;
        started.expect("it starts")
    }

    async fn reaches(&self, height: u32) {
        let deadline = tokio::time::Instant::now() + LIMIT;
        while self.node.tip().0.to_u32() < height {
            assert!(tokio::time::Instant::now() < deadline, "no block {height}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_guard_store_ends_the_operator_and_the_next_start_recovers() {
    for fails in [Fails::Record, Fails::RaiseFinal] {
        let world = World::new().await;
        let is_full = Arc::new(AtomicBool::new(false));
        let mut handle = world.start(fails, &is_full).await;
        world.reaches(2).await;
        is_full.store(true, Ordering::SeqCst);
        let ended = tokio::time::timeout(LIMIT, handle.wait()).await;
        let error = ended
            .expect("in time")
            .expect_err("the operator ends by itself");
        assert!(
            matches!(
                error,
                OperatorError::Guard(GuardError::Store(GuardStoreError::Backend(_)))
            ),
            "{fails:?}: {error:?}"
        );
        // A restart may help, and no halt has to be cleared.
        assert_eq!(error.halt(federation_chain::UnixTime::from_secs(1)), None);
        drop(handle);

        is_full.store(false, Ordering::SeqCst);
        let handle = world.start(fails, &is_full).await;
        let height = world.node.tip().0.to_u32();
        world.reaches(height + 3).await;
        handle.shutdown().await.expect("it runs until then");
    }
}

/// Sends contradicting prevotes, as a Byzantine operator does.
async fn contradict(world: &World, faulty: &impl Messenger, identity: &Secret) {
    use federation_block_signing::{Message, Vote, VoteKind};
    use federation_roster::{EnvelopeHead, Round, UnsignedEnvelope};
    use federation_signer::IdentitySigner;

    let identity = SoftwareIdentity::new(copy(identity));
    for value in [None, Some(BlockHash::from_bytes([7; 32]))] {
        let message = Message::Vote(Vote {
            kind: VoteKind::Prevote,
            height: BlockHeight::new(1),
            round: Round::FIRST,
            value,
        });
        let parts = message.to_parts();
        let unsigned = UnsignedEnvelope {
            head: EnvelopeHead {
                federation: world.federation.id(),
                sender: OperatorId::new(1),
                kind: parts.kind,
                height: parts.height,
                round: parts.round,
            },
            payload: parts.payload,
        };
        let signature = identity.sign_envelope(unsigned.signing_digest()).await;
        let envelope = unsigned.with_signature(signature.expect("it signs"));
        faulty.broadcast(envelope.encode()).await.expect("sent");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_that_cannot_be_stored_raises_an_alarm_and_does_not_end_the_operator() {
    const EVIDENCE: redb::TableDefinition<'_, u64, &[u8]> = redb::TableDefinition::new("evidence");

    let faulty = Secret::generate();
    let world = World::with_other(&faulty).await;
    let folder = world.folder.path();
    drop(Store::open(folder, world.federation.id(), ME).expect("opens"));
    // An unreadable piece of evidence keeps others from being added.
    let path = folder.join("operator.redb");
    let database = redb::Database::open(path).expect("a database");
    let write = database.begin_write().expect("a transaction");
    write
        .open_table(EVIDENCE)
        .expect("a table")
        .insert(0, b"no evidence".as_slice())
        .expect("inserted");
    write.commit().expect("committed");
    drop(database);

    let never = Arc::new(AtomicBool::new(false));
    let messenger = world.hub.join(OperatorId::new(1));
    let handle = world.start(Fails::Record, &never).await;
    let mut status = handle.status();
    let reported = status.wait_for(|status| {
        matches!(
            status.last_alarm,
            Some(Alarm::EvidenceNotKept { culprit, .. }) if culprit == OperatorId::new(1)
        )
    });
    let reported = async {
        tokio::select! {
            reported = reported => drop(reported.expect("it runs")),
            () = async { loop {
                contradict(&world, &messenger, &faulty).await;
                tokio::time::sleep(Duration::from_millis(200)).await;
            } } => {}
        }
    };
    tokio::time::timeout(LIMIT, reported)
        .await
        .expect("in time");
    handle.shutdown().await.expect("it runs until then");
}

/// A messenger that neither sends nor receives nor closes.
struct Stuck;

#[async_trait::async_trait]
impl Messenger for Stuck {
    async fn broadcast(&self, _: Bytes) -> Result<(), MessengerError> {
        core::future::pending().await
    }

    async fn recv(&self) -> Result<Bytes, MessengerError> {
        core::future::pending().await
    }

    fn stats(&self) -> MessengerStats {
        MessengerStats::default()
    }

    async fn close(&self) {
        core::future::pending().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_messenger_that_hangs_is_reported_and_stops_neither_blocks_nor_the_shutdown() {
    let world = World::new().await;
    let never = Arc::new(AtomicBool::new(false));
    let started = world.start_with(Arc::new(Stuck), Fails::Record, &never);
    let handle = started.await;
    // The only operator of a federation needs no messages.
    world.reaches(3).await;
    let mut status = handle.status();
    let reported = status.wait_for(|status| {
        [Concern::Part(Part::Messenger), Concern::Duty(Duty::Vote)]
            .iter()
            .all(|concern| status.troubles.contains_key(concern))
    });
    let reported = tokio::time::timeout(LIMIT, reported).await;
    drop(reported.expect("in time").expect("it runs"));
    let stopped = tokio::time::timeout(LIMIT, handle.shutdown()).await;
    stopped.expect("it returns").expect("it ran until then");
}
