//! Operators with a store that is lost, outdated, another operator's, or used twice.

use std::{path::Path, time::Duration};

use federation_block_signing::Event;
use federation_chain::{BlockHeight, UnixTime};
use federation_devnet::DevNode;
use federation_local::{LocalConfig, LocalError, LocalFederation};
use federation_operator::{
    GuardDatabase, HaltReason, OperatorError, OperatorEvent, Options, StartError, Store, StoreError,
};
use federation_roster::OperatorId;
use tokio::sync::broadcast::error::RecvError;

const LIMIT: Duration = Duration::from_secs(120);
const VICTIM: usize = 1;
const ME: OperatorId = OperatorId::new(1);

fn five(folder: &Path) -> LocalConfig {
    LocalConfig::new(5, 3)
        .with_interval(Duration::from_millis(300))
        .with_folder(folder)
}

fn store(folder: &Path, index: usize) -> std::path::PathBuf {
    folder.join(format!("operator-{index}/store"))
}

/// Waits until the operator reports that it takes part again.
async fn wait_until_taking_part(federation: &LocalFederation) {
    let mut events = federation.operator(VICTIM).expect("it runs").events();
    let again = async {
        loop {
            let event = events.recv().await.expect("it runs on");
            if matches!(event, OperatorEvent::Protocol(Event::Participating { .. })) {
                return;
            }
        }
    };
    tokio::time::timeout(LIMIT, again).await.expect("in time");
}

/// Returns the heights of a node's blocks that the victim's key signed.
fn signed_by_victim(federation: &LocalFederation, node: usize, from: u32, to: u32) -> Vec<u32> {
    let rules = federation.federation().rules();
    let own = federation
        .federation()
        .script_position(ME)
        .expect("in the script");
    let is_own = |height: &u32| {
        let at = BlockHeight::new(*height);
        let block = federation
            .node(node)
            .with_devnet(|node| node.block(at))
            .flatten();
        let signers = block.and_then(|block| rules.signers(block.header()).ok());
        signers.is_some_and(|signers| signers.contains(&own))
    };
    (from..=to).filter(is_own).collect()
}

fn observes(federation: &LocalFederation) -> bool {
    let status = federation.operator(VICTIM).expect("it runs").status();
    status.borrow().observing
}

/// Waits until an operator ends by itself.
async fn ended(federation: &mut LocalFederation, index: usize) -> OperatorError {
    let handle = federation.operator_mut(index).expect("it runs");
    let ended = tokio::time::timeout(LIMIT, handle.wait()).await;
    ended.expect("in time").expect_err("it ends by itself")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_store_makes_an_observer_that_takes_part_again() -> Result<(), LocalError> {
    let folder = tempfile::tempdir().expect("a folder");
    let mut federation = LocalFederation::start(five(folder.path())).await?;
    // Three of five sign each block: enough of them that the victim is among some.
    federation.wait_for_height(16, LIMIT).await?;
    federation.stop_operator(VICTIM).await?;
    std::fs::rename(store(folder.path(), VICTIM), folder.path().join("lost")).expect("moved");

    // The chain proves that the key is not new.
    let mut options = Options::default();
    options.new_key_until = Some(BlockHeight::new(1_000_000));
    federation.set_options(options);
    let refused = federation.start_operator(VICTIM).await;
    let Err(LocalError::Start(error @ StartError::LostStore { .. })) = &refused else {
        panic!("{refused:?}");
    };
    assert!(error.needs_intervention());
    // A height that has passed no longer counts.
    let mut options = Options::default();
    options.new_key_until = Some(BlockHeight::new(3));
    federation.set_options(options);
    federation.start_operator(VICTIM).await?;
    assert!(observes(&federation));
    federation.kill_operator(VICTIM).await;

    federation.set_options(Options::default());
    federation.start_operator(VICTIM).await?;
    // It stays an observer when it is started again before it took part.
    let mut status = federation.operator(VICTIM).expect("it runs").status();
    let at_work = status.wait_for(|status| status.tip.is_some() && status.observing);
    at_work.await.expect("it runs");
    federation.kill_operator(VICTIM).await;
    federation.start_operator(VICTIM).await?;
    wait_until_taking_part(&federation).await;
    federation.stop_operator(VICTIM).await?;
    federation.start_operator(VICTIM).await?;
    assert!(!observes(&federation));
    // It is needed now.
    federation.stop_operator(2).await?;
    federation.stop_operator(3).await?;
    let height = federation.check_one_chain().await?;
    federation.wait_for_height(height + 3, LIMIT).await?;
    federation.check_one_chain().await?;
    federation.stop().await;
    Ok(())
}

/// An operator that is a little slower than the others signs each block, but its signatures are in none,
/// because blocks carry the first M signatures: the chain does not show that its store was lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_store_of_a_slow_operator_makes_an_observer_too() -> Result<(), LocalError> {
    let folder = tempfile::tempdir().expect("a folder");
    let mut federation = LocalFederation::start(five(folder.path())).await?;
    federation.delay(VICTIM, Duration::from_millis(80));
    let mut events = federation.operator(VICTIM).expect("it runs").events();
    federation.wait_for_height(12, LIMIT).await?;
    // It is fast enough for some blocks.
    let signed = async {
        loop {
            match events.recv().await {
                Ok(OperatorEvent::Protocol(Event::HeightFinished(report)))
                    if report.until_signed.is_some() =>
                {
                    return;
                }
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => panic!("it runs on"),
            }
        }
    };
    tokio::time::timeout(LIMIT, signed)
        .await
        .expect("it signs a block");
    federation.stop_operator(VICTIM).await?;
    let guard = GuardDatabase::open(
        &federation.store_folder(VICTIM),
        &federation.block_key(VICTIM).public_key(),
        federation.federation().genesis(),
    )?;
    let signed = guard.held()?.state.records().count();
    assert!(signed > 0, "its key has signed");
    drop(guard);
    std::fs::rename(federation.store_folder(VICTIM), folder.path().join("lost")).expect("moved");
    federation.start_operator(VICTIM).await?;
    assert!(observes(&federation), "its key signed {signed} blocks");
    federation.stop().await;
    Ok(())
}

/// A key that is new on a chain with blocks is known from its first start on, even if the operator restarts
/// before it has signed a block or seen one finished.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_is_known_after_an_immediate_restart() -> Result<(), LocalError> {
    let folder = tempfile::tempdir().expect("a folder");
    let config = LocalConfig::new(3, 2)
        .with_interval(Duration::from_millis(300))
        .with_folder(folder.path())
        .with_absent(vec![VICTIM]);
    let mut federation = LocalFederation::start(config).await?;
    federation.wait_for_height(2, LIMIT).await?;
    // No height is finished while only one operator runs.
    federation.stop_operator(0).await?;
    federation.stop_operator(2).await?;
    federation.start_operator(VICTIM).await?;
    let mut status = federation.operator(VICTIM).expect("it runs").status();
    let at_work = status.wait_for(|status| status.tip.is_some());
    at_work.await.expect("it runs");
    federation.stop_operator(VICTIM).await?;
    federation.start_operator(VICTIM).await?;
    assert!(!observes(&federation));
    // It is one of the two that sign.
    federation.start_operator(0).await?;
    let height = federation.check_one_chain().await?;
    federation.wait_for_height(height + 2, LIMIT).await?;
    federation.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn where_all_must_sign_an_empty_store_is_refused_unless_the_key_is_new()
-> Result<(), LocalError> {
    let folder = tempfile::tempdir().expect("a folder");
    let config = LocalConfig::new(3, 3)
        .with_interval(Duration::from_millis(300))
        .with_folder(folder.path());
    let mut federation = LocalFederation::start(config).await?;
    federation.wait_for_height(2, LIMIT).await?;
    federation.stop_operator(VICTIM).await?;
    let (here, away) = (federation.store_folder(VICTIM), folder.path().join("away"));
    std::fs::rename(&here, &away).expect("moved");
    let refused = federation.start_operator(VICTIM).await;
    let Err(LocalError::Start(error @ StartError::EmptyStore { .. })) = &refused else {
        panic!("{refused:?}");
    };
    assert!(error.needs_intervention());
    assert!(error.to_string().contains("--new-key-until 1"), "{error}");
    std::fs::remove_dir_all(&here).expect("removed");
    std::fs::rename(&away, &here).expect("moved");
    federation.start_operator(VICTIM).await?;
    let height = federation.check_one_chain().await?;
    federation.wait_for_height(height + 2, LIMIT).await?;
    federation.stop().await;
    Ok(())
}

/// A virtual machine is reset to a snapshot: store, guard and node are all at an earlier height. The later
/// signatures of its key arrive with the blocks, and it ends before it votes on top of them.
#[tokio::test(flavor = "multi_thread")]
async fn a_machine_reset_to_a_snapshot_halts_when_its_node_catches_up() -> Result<(), LocalError> {
    let folder = tempfile::tempdir().expect("a folder");
    let mut federation = LocalFederation::start(five(folder.path())).await?;
    federation.wait_for_height(8, LIMIT).await?;
    federation.stop_operator(VICTIM).await?;
    // The snapshot: store and node stay where they are.
    let isolate = |federation: &LocalFederation, isolated| {
        federation
            .node(VICTIM)
            .with_devnet(|node| node.set_isolated(isolated));
    };
    isolate(&federation, true);
    let set_back = federation.node(VICTIM).tip().await?.0.to_u32();
    let (snapshot, live) = (federation.store_folder(VICTIM), folder.path().join("live"));
    std::fs::create_dir(&live).expect("made");
    for name in ["operator.redb", "guard.redb"] {
        std::fs::copy(snapshot.join(name), live.join(name)).expect("copied");
    }
    // The machine's operation after the snapshot, on a node that continued; two others are down for a
    // while, so that it is needed and its key signs every block.
    let running = federation.start_twin(VICTIM, 2, &live).await?;
    federation.stop_operator(3).await?;
    federation.stop_operator(4).await?;
    let until = federation.node(2).tip().await?.0.to_u32() + 5;
    let made = federation.wait_for_height_at(&[2], until, LIMIT).await;
    assert!(made.is_ok(), "{made:?}; the twin: {:?}", running.status());
    running.shutdown().await?;
    assert!(!signed_by_victim(&federation, 2, set_back + 1, until).is_empty());

    // The snapshot is restored and started; its node catches up a little later.
    for index in [3, 4, VICTIM] {
        federation.start_operator(index).await?;
    }
    isolate(&federation, false);
    for other in [0, 2, 3, 4] {
        let peer = federation
            .node(other)
            .with_devnet(DevNode::p2p_address)
            .expect("devnet");
        federation
            .node(VICTIM)
            .with_devnet(|node| node.connect(peer));
    }
    let error = ended(&mut federation, VICTIM).await;
    let OperatorError::OldStore { height, .. } = error else {
        panic!("{error:?}");
    };
    assert!(height.to_u32() > set_back);
    // A restart does not change that.
    federation.kill_operator(VICTIM).await;
    let refused = federation.start_operator(VICTIM).await;
    let Err(LocalError::Start(error @ StartError::Halted { halt })) = &refused else {
        panic!("{refused:?}");
    };
    assert_eq!(
        (halt.reason, halt.height),
        (HaltReason::OldStore, height),
        "{error}"
    );
    // If it is cleared without a repair, the start detects it.
    let open = || Store::open(&snapshot, federation.federation().id(), ME);
    assert!(open()?.resume(UnixTime::from_secs(1), "a test")?.is_some());
    let refused = federation.start_operator(VICTIM).await;
    assert!(
        matches!(refused, Err(LocalError::Start(StartError::OldStore { .. }))),
        "{refused:?}"
    );
    federation.stop().await;
    Ok(())
}

/// An observer does not know what its key signed before, but a block with its signature that was made
/// after it started to observe must come from another daemon.
#[tokio::test(flavor = "multi_thread")]
async fn an_observer_whose_key_keeps_signing_elsewhere_halts() -> Result<(), LocalError> {
    let folder = tempfile::tempdir().expect("a folder");
    let mut federation = LocalFederation::start(five(folder.path())).await?;
    federation.wait_for_height(4, LIMIT).await?;
    federation.stop_operator(VICTIM).await?;
    let live = folder.path().join("live");
    std::fs::rename(federation.store_folder(VICTIM), &live).expect("moved");
    let running = federation.start_twin(VICTIM, 2, &live).await?;
    // So that its key signs every block, and none is decided without it.
    for index in [3, 4] {
        federation.stop_operator(index).await?;
    }
    let mut options = Options::default();
    options.max_drift = Some(Duration::from_secs(1));
    federation.set_options(options);
    federation.start_operator(VICTIM).await?;
    assert!(observes(&federation));
    let error = ended(&mut federation, VICTIM).await;
    assert!(matches!(error, OperatorError::OldStore { .. }), "{error:?}");
    running.kill().await;
    federation.stop().await;
    Ok(())
}

/// A newly installed machine has an empty store and, for a while, an empty node, so the chain looks new.
#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_only_looks_new_makes_an_observer() -> Result<(), LocalError> {
    let folder = tempfile::tempdir().expect("a folder");
    let config = LocalConfig::new(3, 2)
        .with_interval(Duration::from_millis(300))
        .with_folder(folder.path())
        .with_absent(vec![0, 1, 2]);
    let mut federation = LocalFederation::start(config).await?;
    federation
        .node(VICTIM)
        .with_devnet(|node| node.set_isolated(true));
    for index in [0, 2] {
        federation.start_operator(index).await?;
    }
    federation.wait_for_height_at(&[0], 14, LIMIT).await?;
    // With this limit a chain of a few seconds counts as old.
    let mut options = Options::default();
    options.max_drift = Some(Duration::from_secs(1));
    options.new_key_until = Some(BlockHeight::GENESIS);
    federation.set_options(options);
    federation.start_operator(VICTIM).await?;
    assert!(!observes(&federation));
    federation
        .node(VICTIM)
        .with_devnet(|node| node.set_isolated(false));
    let peer = federation
        .node(0)
        .with_devnet(DevNode::p2p_address)
        .expect("devnet");
    federation
        .node(VICTIM)
        .with_devnet(|node| node.connect(peer));
    let error = ended(&mut federation, VICTIM).await;
    assert!(matches!(error, OperatorError::ChainHadBegun), "{error:?}");
    assert_eq!(error.halt(UnixTime::from_secs(1)), None);
    federation.kill_operator(VICTIM).await;
    // A service manager restarts it.
    federation.start_operator(VICTIM).await?;
    assert!(observes(&federation));
    federation.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_of_another_operator_is_refused() -> Result<(), LocalError> {
    let folder = tempfile::tempdir().expect("a folder");
    let mut federation = LocalFederation::start(five(folder.path())).await?;
    federation.wait_for_height(2, LIMIT).await?;
    for index in [VICTIM, 2] {
        federation.stop_operator(index).await?;
    }
    std::fs::rename(store(folder.path(), VICTIM), folder.path().join("away")).expect("moved");
    std::fs::rename(store(folder.path(), 2), store(folder.path(), VICTIM)).expect("moved");
    let refused = federation.start_operator(VICTIM).await;
    assert!(
        matches!(refused, Err(LocalError::Store(StoreError::Foreign { .. }))),
        "{refused:?}"
    );
    federation.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_moved_with_its_operator_works() -> Result<(), LocalError> {
    let folder = tempfile::tempdir().expect("a folder");
    let mut federation = LocalFederation::start(five(folder.path())).await?;
    federation.wait_for_height(3, LIMIT).await?;
    federation.stop_operator(VICTIM).await?;
    // Copied to another disk and back, as a move to another machine does.
    let (here, there) = (store(folder.path(), VICTIM), folder.path().join("there"));
    std::fs::create_dir(&there).expect("made");
    for name in ["operator.redb", "guard.redb"] {
        std::fs::copy(here.join(name), there.join(name)).expect("copied");
    }
    std::fs::remove_dir_all(&here).expect("removed");
    std::fs::rename(&there, &here).expect("moved");
    federation.start_operator(VICTIM).await?;
    for index in [2, 3] {
        federation.stop_operator(index).await?;
    }
    let height = federation.check_one_chain().await?;
    federation.wait_for_height(height + 3, LIMIT).await?;
    federation.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_daemons_with_one_store_are_refused() -> Result<(), LocalError> {
    let folder = tempfile::tempdir().expect("a folder");
    let federation = LocalFederation::start(five(folder.path())).await?;
    let id = federation.federation().id();
    let me = ME;
    let second = Store::open(&store(folder.path(), VICTIM), id, me);
    assert!(
        matches!(second, Err(StoreError::InUse { .. })),
        "{second:?}"
    );
    federation.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_daemons_with_the_same_keys_stop_when_they_receive_each_others_messages()
-> Result<(), LocalError> {
    let folder = tempfile::tempdir().expect("a folder");
    // No signature is known yet: with three of five down there are no blocks.
    let config = five(folder.path()).with_absent(vec![2, 3, 4]);
    let mut federation = LocalFederation::start(config).await?;
    // The twin has the same keys, another store, and a node that makes other blocks.
    federation
        .node(2)
        .with_devnet(|node| node.set_clock_offset(3));
    let elsewhere = tempfile::tempdir().expect("a folder");
    let mut twin = federation.start_twin(VICTIM, 2, elsewhere.path()).await?;
    let first = federation.operator_mut(VICTIM).expect("it runs");
    let ended = tokio::time::timeout(LIMIT, async {
        tokio::select! {
            ended = first.wait() => (true, ended),
            ended = twin.wait() => (false, ended),
        }
    });
    let (first_ended, ended) = ended.await.expect("in time");
    assert!(
        matches!(ended, Err(OperatorError::Twin { .. })),
        "{ended:?}"
    );
    twin.kill().await;
    federation.kill_operator(VICTIM).await;
    // Restarts by a service manager do not help, however many.
    for _ in 0..3 {
        let again = if first_ended {
            federation.start_operator(VICTIM).await
        } else {
            let twin = federation.start_twin(VICTIM, 2, elsewhere.path()).await;
            twin.map(drop)
        };
        let Err(LocalError::Start(error @ StartError::Halted { halt })) = &again else {
            panic!("{again:?}");
        };
        assert_eq!(halt.reason, HaltReason::Twin);
        assert!(error.needs_intervention());
        assert!(error.to_string().contains("guard resume"), "{error}");
    }
    for index in [2, 3, 4] {
        federation.start_operator(index).await?;
    }
    federation.wait_for_height(3, LIMIT).await?;
    federation.check_one_chain().await?;
    federation.stop().await;
    Ok(())
}
