//! What an operator does when its memory is gone, is not its own, or lives twice.

use std::{path::Path, time::Duration};

use federation_block_signing::Event;
use federation_local::{LocalConfig, LocalError, LocalFederation};
use federation_operator::{OperatorError, OperatorEvent, Options, StartError, StoreError};

const LIMIT: Duration = Duration::from_secs(60);
const VICTIM: usize = 1;

fn five(folder: &Path) -> LocalConfig {
    LocalConfig::new(5, 3)
        .with_interval(Duration::from_millis(300))
        .with_folder(folder)
}

fn store(folder: &Path, index: usize) -> std::path::PathBuf {
    folder.join(format!("operator-{index}/store"))
}

/// Waits until the operator says that it takes part again.
async fn takes_part(federation: &LocalFederation) {
    let mut events = federation.operator(VICTIM).expect("it runs").events();
    let again = async {
        loop {
            let event = events.recv().await.expect("it runs on");
            if matches!(event, OperatorEvent::Protocol(Event::TakingPart { .. })) {
                return;
            }
        }
    };
    tokio::time::timeout(LIMIT, again).await.expect("in time");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_store_is_noticed_and_an_observer_takes_part_again() -> Result<(), LocalError> {
    let folder = tempfile::tempdir().expect("a folder");
    let mut federation = LocalFederation::start(five(folder.path())).await?;
    // Three of five sign each block: enough of them that the victim is among some.
    federation.wait_for_height(16, LIMIT).await?;
    federation.stop_operator(VICTIM).await?;
    std::fs::rename(store(folder.path(), VICTIM), folder.path().join("lost")).expect("moved");
    let refused = federation.start_operator(VICTIM).await;
    let Err(LocalError::Start(StartError::LostStore { .. })) = &refused else {
        panic!("{refused:?}");
    };
    let message = refused.expect_err("refused").to_string();
    assert!(message.contains("--observe"), "{message}");
    // Trying does not make it better: the store that this made is as empty as before.
    assert!(federation.start_operator(VICTIM).await.is_err());

    let mut options = Options::default();
    options.observe = true;
    federation.set_options(options);
    federation.start_operator(VICTIM).await?;
    // It stays an observer when it is started again before it took part, asked or not.
    let mut status = federation.operator(VICTIM).expect("it runs").status();
    let at_work = status.wait_for(|status| status.tip.is_some() && status.observing);
    at_work.await.expect("it runs");
    federation.kill_operator(VICTIM).await;
    federation.set_options(Options::default());
    federation.start_operator(VICTIM).await?;
    takes_part(&federation).await;
    federation.stop_operator(VICTIM).await?;
    federation.start_operator(VICTIM).await?;
    let status = federation.operator(VICTIM).expect("it runs").status();
    assert!(!status.borrow().observing);
    // It is needed now.
    federation.stop_operator(2).await?;
    federation.stop_operator(3).await?;
    let height = federation.check_one_chain().await?;
    federation.wait_for_height(height + 3, LIMIT).await?;
    federation.check_one_chain().await?;
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
async fn a_store_that_moved_with_its_operator_goes_on() -> Result<(), LocalError> {
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
    let me = federation_roster::OperatorId::new(1);
    let second = federation_operator::Store::open(&store(folder.path(), VICTIM), id, me);
    assert!(
        matches!(second, Err(StoreError::InUse { .. })),
        "{second:?}"
    );
    federation.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_daemons_with_the_same_keys_stop_when_they_hear_each_other() -> Result<(), LocalError> {
    let folder = tempfile::tempdir().expect("a folder");
    // Nobody knows of a signature yet: with three of five down there are no blocks.
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
            ended = first.wait() => ended,
            ended = twin.wait() => ended,
        }
    });
    let ended = ended.await.expect("in time");
    assert!(
        matches!(ended, Err(OperatorError::Twin { .. })),
        "{ended:?}"
    );
    twin.kill().await;
    federation.kill_operator(VICTIM).await;
    for index in [2, 3, 4] {
        federation.start_operator(index).await?;
    }
    federation.wait_for_height(3, LIMIT).await?;
    federation.check_one_chain().await?;
    federation.stop().await;
    Ok(())
}
