//! An operator as one part of a program that does other things too, and stops as a whole.
//!
//! Around it stands a small world: one devnet node, and two more operators without which two of
//! three would not sign. The part to copy is `service`.
//!
//! Run it with `cargo run -p federation-examples --example operator_in_a_service`. It ends at block
//! 3, or at Ctrl-C.

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

/// The block at which the example has seen enough.
const ENOUGH: BlockHeight = BlockHeight::new(3);

/// How long that may take before something must be wrong.
const PATIENCE: Duration = Duration::from_secs(60);

type Failure = Box<dyn Error + Send + Sync>;

/// Runs an operator among other work until `shutdown` is ready; `seen` follows its blocks.
async fn service(
    operator: Operator,
    seen: watch::Sender<BlockHeight>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Failure> {
    tokio::pin!(shutdown);
    // The start waits for a node that is away, perhaps for hours: it must be stoppable as well.
    let mut handle = tokio::select! {
        started = operator.start() => started?,
        () = &mut shutdown => return Ok(()),
    };
    let mut events = handle.events();
    let mut other_work = tokio::time::interval(Duration::from_millis(700));
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            // An operator stops by itself if its store or messenger fails, and it says why. Do not
            // just start it again: the reason is one that a person has to see.
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
                // The rest is for logs and metrics. A reader that is too slow misses events, and
                // the operator does not wait for it.
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                // The end of the events is the end of the operator, which `wait` tells.
                Err(RecvError::Closed) => std::future::pending().await,
            },
            // Whatever else the program does; here it looks at the operator's status.
            _ = other_work.tick() => {
                let status = handle.status().borrow().clone();
                println!("at height {}, {:?}", status.height, status.phase);
            }
        }
    }
    // Returns when node, messenger and store are let go of; the store can be opened again.
    handle.shutdown().await?;
    Ok(())
}

/// What only operator `id` has. A real one reads its keys from files: see
/// `federation_signer::key_file`.
struct Keys {
    id: OperatorId,
    block: Secret,
    identity: Secret,
}

/// Puts an operator together from its parts.
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
    // On a chain with blocks an operator without memory begins as an observer.
    let guard_is_new = guard.is_new();
    // These keys are new, though two of them may have made block 1 before the third starts.
    let mut options = Options::default();
    options.new_key_until = Some(ENOUGH);
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

    // The chain: its script, its rules, and a node. Usually each operator has a node of its own.
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

    // The federation: the same for all of them, or they do not hear each other.
    let roster = keys
        .iter()
        .map(|keys| RosterEntry {
            name: format!("operator-{}", keys.id),
            identity: keys.identity.x_only_public_key(),
            block_key: keys.block.public_key(),
            // Where a messenger over the network would find it.
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

    // Ours, and the signal by which the rest of the program stops it.
    let ours = operators.remove(0);
    let (stop, stopped) = oneshot::channel::<()>();
    let (seen, mut blocks) = watch::channel(BlockHeight::GENESIS);
    let ours = tokio::spawn(service(ours, seen, async {
        tokio::select! {
            // A dropped sender is a program that is going down: stop, too.
            _ = stopped => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    }));
    // The others: somewhere else, in real life.
    let mut others = Vec::new();
    for other in operators {
        others.push(other.start().await?);
    }

    // An error is a service that has stopped by itself; it tells why below.
    let enough = blocks.wait_for(|height| *height >= ENOUGH);
    let _ = tokio::time::timeout(PATIENCE, enough).await?;
    // If nobody listens any more, it has stopped already.
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
fn runs_to_its_end() {
    main().expect("the example runs");
}
