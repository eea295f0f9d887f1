//! An operator as one part of a program that also does other work and shuts down as a whole.
//!
//! The rest of the example is its environment: one devnet node, and two more operators for a
//! threshold of two of three. The part to copy is `service`.
//!
//! Run it with `cargo run -p federation-examples --example operator_in_a_service`. It ends at
//! block 3, or on Ctrl-C.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{error::Error, path::Path, sync::Arc, time::Duration};

use federation_block_signing::Event;
use federation_chain::{BlockHeight, Dialect, SigningRules};
use federation_devnet::{DevNode, DevNodeConfig};
use federation_messenger::hub::Hub;
use federation_multisig::{KeyOrder, MultisigScript, Threshold};
use federation_ocean_rpc::{Auth, NodeClient, NodeConfig};
use federation_operator::{Operator, OperatorEvent, Options, RedbGuardStore, Store};
use federation_roster::{Federation, Operator as RosterEntry, OperatorId};
use federation_signer::{GuardedSigner, Secret, Signer, SoftwareIdentity, SoftwareSigner};
use tokio::sync::{broadcast::error::RecvError, oneshot, watch};

/// The height at which the example ends.
const LAST_HEIGHT: BlockHeight = BlockHeight::new(3);

/// The time after which the example gives up.
const DEADLINE: Duration = Duration::from_secs(60);

type Failure = Box<dyn Error + Send + Sync>;

/// Runs an operator next to other work until `shutdown` completes; `seen` receives the height of
/// each block.
async fn service(
    operator: Operator,
    seen: watch::Sender<BlockHeight>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Failure> {
    tokio::pin!(shutdown);
    // `start` waits for an unreachable node, perhaps for hours, so it must be interruptible too.
    let mut handle = tokio::select! {
        started = operator.start() => started?,
        () = &mut shutdown => return Ok(()),
    };
    let mut events = handle.events();
    let mut other_work = tokio::time::interval(Duration::from_millis(700));
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            // An operator stops by itself if its store or messenger fails, and returns the reason.
            // Do not simply restart it: a person must see the reason.
            stopped = handle.wait() => {
                stopped?;
                return Ok(());
            }
            event = events.recv() => match event {
                Ok(OperatorEvent::Protocol(Event::HeightFinished(report))) => {
                    println!("block {} is {}", report.height, report.hash);
                    seen.send_replace(report.height);
                }
                Ok(OperatorEvent::Protocol(Event::Alarm(alarm))) => println!("alarm: {alarm:?}"),
                // The other events are for logs and metrics. A slow reader misses events; the
                // operator does not wait for it.
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                // The events end when the operator ends, which `wait` reports.
                Err(RecvError::Closed) => std::future::pending().await,
            },
            // The other work of the program: here, printing the operator's status.
            _ = other_work.tick() => {
                let status = handle.status().borrow().clone();
                println!("at height {}, {:?}", status.height, status.phase);
            }
        }
    }
    // Returns once node, messenger and store are released; the store can then be reopened.
    handle.shutdown().await?;
    Ok(())
}

/// The keys of operator `id`. Real keys are read from files: see `federation_signer::key_file`.
struct Keys {
    id: OperatorId,
    block: Secret,
    identity: Secret,
}

/// Assembles an operator from its parts.
fn operator(
    federation: &Arc<Federation>,
    keys: Keys,
    node: &NodeClient,
    hub: &Hub,
    folder: &Path,
) -> Result<Operator, Failure> {
    let folder = folder.join(keys.id.to_string());
    let store = Store::open(&folder, federation.id(), keys.id)?;
    let block_key = keys.block.public_key();
    let guard = RedbGuardStore::open(&folder, &block_key, federation.genesis())?;
    // On a chain with blocks, an operator with an empty guard starts as an observer.
    let guard_is_new = guard.is_new();
    // These keys have never signed, although two of them may have made block 1 before the third
    // operator starts.
    let mut options = Options::default();
    options.new_key_until = Some(LAST_HEIGHT);
    let signer: Box<dyn Signer> = Box::new(SoftwareSigner::new(keys.block));
    Ok(Operator::new(
        Arc::clone(federation),
        keys.id,
        Arc::new(node.clone()),
        GuardedSigner::new(signer, guard)?,
        Box::new(SoftwareIdentity::new(keys.identity)),
        Arc::new(hub.join(keys.id)),
        store,
    )
    .with_new_guard(guard_is_new)
    .with_options(options))
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let keys: Vec<Keys> = (0..3)
        .map(|id| Keys {
            id: OperatorId::new(id),
            block: Secret::generate(),
            identity: Secret::generate(),
        })
        .collect();

    // The chain: its script, its rules, and a node. In production each operator has its own node.
    let block_keys = keys.iter().map(|keys| keys.block.public_key()).collect();
    let script = MultisigScript::new(Threshold::new(2)?, block_keys, KeyOrder::Lexicographic)?;
    let size = SigningRules::required_signature_size(Dialect::Dynafed, &script);
    let rules = SigningRules::new(Dialect::Dynafed, script.clone(), size)?;
    let node = DevNode::spawn(DevNodeConfig::new(Dialect::Dynafed, script)).await?;
    let (user, password) = node.rpc_credentials();
    let client = NodeClient::new(
        NodeConfig::new(node.rpc_url())
            .with_auth(Auth::basic(user, password))
            .with_dialect(Dialect::Dynafed),
    )?;

    // The federation must be identical for all operators, or they reject each other's messages.
    let roster = keys
        .iter()
        .map(|keys| RosterEntry {
            name: format!("operator-{}", keys.id),
            identity: keys.identity.x_only_public_key(),
            block_key: keys.block.public_key(),
            // The address at which a network messenger would connect.
            endpoint: format!("127.0.0.1:{}", 9000 + u16::from(keys.id.to_u8())),
        })
        .collect();
    let interval = Duration::from_millis(500);
    let federation = Federation::new(roster, rules, node.genesis_hash(), interval)?;
    let federation = Arc::new(federation);
    let hub = Hub::new(1);
    let folder = tempfile::tempdir()?;
    let mut operators = keys
        .into_iter()
        .map(|keys| operator(&federation, keys, &client, &hub, folder.path()))
        .collect::<Result<Vec<_>, _>>()?;

    // This program's operator, and the signal with which the rest of the program stops it.
    let ours = operators.remove(0);
    let (stop, stopped) = oneshot::channel::<()>();
    let (seen, mut blocks) = watch::channel(BlockHeight::GENESIS);
    let ours = tokio::spawn(service(ours, seen, async {
        tokio::select! {
            // A dropped sender means that the program is ending: stop as well.
            _ = stopped => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    }));
    // The other operators: on other machines in production.
    let mut others = Vec::new();
    for other in operators {
        others.push(other.start().await?);
    }

    // An error means that the service stopped by itself; its result below says why.
    let reached = blocks.wait_for(|height| *height >= LAST_HEIGHT);
    let _ = tokio::time::timeout(DEADLINE, reached).await?;
    // Fails if the service has already stopped.
    let _ = stop.send(());
    ours.await??;
    println!("stopped");
    for other in others {
        other.shutdown().await?;
    }
    node.stop().await;
    Ok(())
}

#[test]
fn runs_to_completion() {
    main().expect("the example runs");
}
