//! A failing store ends the operator: one that votes without signing or remembering is worse than
//! one that is absent. The next start opens the store anew and goes on. A failure to store
//! evidence, or of the messenger, is reported but ends nothing.

mod world;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use federation_block_signing::{Alarm, Duty, Part};
use federation_chain::{BlockHash, BlockHeight};
use federation_messenger::{Messenger, MessengerError, MessengerStats};
use federation_operator::{Concern, OperatorError, OperatorHandle, RedbGuardStore, Store};
use federation_roster::OperatorId;
use federation_signer::{
    GuardError, GuardState, GuardStore, GuardStoreError, Secret, SoftwareIdentity,
};
use world::{LIMIT, ME, World, copy};

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

/// Starts the operator of a world with a guard's store that can fail.
async fn start_with(
    world: &World,
    messenger: Arc<dyn Messenger>,
    fails: Fails,
    is_full: &Arc<AtomicBool>,
) -> OperatorHandle {
    let guard = world.guard();
    let is_new = guard.is_new();
    let guard = Failing {
        store: guard,
        fails,
        is_full: is_full.clone(),
        has_failed: false,
    };
    let started = world.operator(messenger, guard, is_new).start().await;
    started.expect("it starts")
}

async fn start(world: &World, fails: Fails, is_full: &Arc<AtomicBool>) -> OperatorHandle {
    let messenger = Arc::new(world.hub.join(ME));
    start_with(world, messenger, fails, is_full).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_guard_store_ends_the_operator_and_the_next_start_recovers() {
    for fails in [Fails::Record, Fails::RaiseFinal] {
        let world = World::new("alone", None).await;
        let is_full = Arc::new(AtomicBool::new(false));
        let mut handle = start(&world, fails, &is_full).await;
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
        let handle = start(&world, fails, &is_full).await;
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
    let world = World::new("alone", Some(&faulty)).await;
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
    let handle = start(&world, Fails::Record, &never).await;
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
    let world = World::new("alone", None).await;
    let never = Arc::new(AtomicBool::new(false));
    let started = start_with(&world, Arc::new(Stuck), Fails::Record, &never);
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
