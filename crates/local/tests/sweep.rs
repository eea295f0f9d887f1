//! Block 1 contains the agreed sweep, or it is not made.
//!
//! With a real node: `ELEMENTSD=.. cargo test -p federation-local --test sweep -- --ignored`.

use std::time::Duration;

use elements::{OutPoint, Script, Transaction, TxOut, Txid, encode::serialize};
use federation_block_signing::{Event, Refusal, Timeouts};
use federation_chain::{Block, BlockHeight, Dialect};
use federation_genesis::Sweep;
use federation_local::{LocalConfig, LocalError, LocalFederation, NodeKind};
use federation_ocean_rpc::Node;
use federation_operator::{OperatorEvent, Options, StartError};

const LIMIT: Duration = Duration::from_secs(60);
/// The leader of the first round of height 1.
const LEADER: usize = 1;

fn config(dialect: Dialect, nodes: NodeKind) -> LocalConfig {
    LocalConfig::new(3, 2)
        .with_dialect(dialect)
        .with_nodes(nodes)
        .with_interval(Duration::from_millis(500))
        .with_absent(vec![0, 1, 2])
}

async fn block(federation: &LocalFederation, height: u32) -> Block {
    let node = federation.node(0).client();
    let dialect = federation.federation().rules().dialect();
    let hash = federation
        .node(0)
        .hash_at(BlockHeight::new(height))
        .await
        .expect("there");
    Block::decode(dialect, node.block(hash).await.expect("there")).expect("a block")
}

/// Returns a sweep of the local chain's coins to a key's address.
async fn sweep(federation: &LocalFederation) -> Sweep {
    // The genesis block of a dynafed chain has an Elements header, too.
    let hash = federation
        .node(0)
        .hash_at(BlockHeight::GENESIS)
        .await
        .expect("there");
    let bytes = federation
        .node(0)
        .client()
        .block(hash)
        .await
        .expect("there");
    let issuing = Block::decode(Dialect::Elements, bytes)
        .expect("a block")
        .transactions()
        .expect("transactions")
        .pop()
        .expect("the issuing transaction");
    let mut output = issuing.output[0].clone();
    output.script_pubkey = Script::from([&[0, 20][..], &[7; 20]].concat());
    spending(OutPoint::new(issuing.txid(), 0), vec![output])
}

fn spending(coin: OutPoint, output: Vec<TxOut>) -> Sweep {
    let transaction = Transaction {
        version: 2,
        lock_time: elements::LockTime::ZERO,
        input: vec![elements::TxIn {
            previous_output: coin,
            sequence: elements::Sequence::MAX,
            ..elements::TxIn::default()
        }],
        output,
    };
    Sweep::from_bytes(&serialize(&transaction)).expect("a sweep")
}

fn options_with(sweep: Option<&Sweep>) -> Options {
    let mut options = Options::default();
    options.sweep = sweep.cloned();
    options
}

/// Timeouts that leave another operator enough time to start in the first round.
fn patient() -> Timeouts {
    let second = Duration::from_secs(1);
    Timeouts {
        propose: 20 * second,
        prevote: second,
        precommit: second,
        growth: second,
        limit: 30 * second,
    }
}

fn has(block: &Block, sweep: &Sweep) -> bool {
    let mut transactions = block.transactions().expect("transactions").into_iter();
    transactions.any(|transaction| transaction.txid() == sweep.txid())
}

async fn all_require_the_sweep(dialect: Dialect, nodes: NodeKind) -> Result<(), LocalError> {
    let mut federation = LocalFederation::start(config(dialect, nodes)).await?;
    let sweep = sweep(&federation).await;
    federation.set_options(options_with(Some(&sweep)));
    for index in 0..3 {
        federation.start_operator(index).await?;
    }
    federation.wait_for_height(2, LIMIT).await?;
    assert!(has(&block(&federation, 1).await, &sweep));
    // Once the chain has started, restarts work.
    federation.stop_operator(0).await?;
    federation.start_operator(0).await?;
    federation.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_leader_includes_the_sweep_in_block_1() -> Result<(), LocalError> {
    for dialect in [Dialect::Elements, Dialect::Dynafed] {
        all_require_the_sweep(dialect, NodeKind::Devnet).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs ELEMENTSD"]
async fn the_leader_includes_the_sweep_in_block_1_on_elementsd() -> Result<(), LocalError> {
    let program = std::env::var("ELEMENTSD").expect("ELEMENTSD names a node");
    for dialect in [Dialect::Elements, Dialect::Dynafed] {
        all_require_the_sweep(dialect, NodeKind::Process(program.clone().into())).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_1_without_the_sweep_gets_no_prevote_and_the_next_leader_includes_it()
-> Result<(), LocalError> {
    let devnet = config(Dialect::Dynafed, NodeKind::Devnet);
    let mut federation = LocalFederation::start(devnet).await?;
    let sweep = sweep(&federation).await;
    // Otherwise the leader's node would receive the sweep from the others' nodes.
    federation
        .node(LEADER)
        .with_devnet(|node| node.set_isolated(true));
    // The others wait for the leader's proposal of the first round, whose body is sent once.
    let mut options = options_with(Some(&sweep));
    options.timeouts = Some(patient());
    federation.set_options(options);
    federation.start_operator(0).await?;
    let mut events = federation.operator(0).expect("it runs").events();
    federation.start_operator(2).await?;
    federation.set_options(options_with(None));
    federation.start_operator(LEADER).await?;
    let refused = async {
        loop {
            let event = events.recv().await.expect("it runs on");
            if let OperatorEvent::Protocol(Event::Refused { height, reason, .. }) = event {
                return (height, reason);
            }
        }
    };
    let (height, reason) = tokio::time::timeout(LIMIT, refused).await.expect("in time");
    assert_eq!(height, BlockHeight::new(1));
    let lacks = matches!(&reason, Refusal::Invalid(why) if why.contains("lacks the agreed sweep"));
    assert!(lacks, "{reason:?}");
    federation
        .node(LEADER)
        .with_devnet(|node| node.set_isolated(false));
    federation.wait_for_height(1, LIMIT).await?;
    assert!(has(&block(&federation, 1).await, &sweep));
    federation.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_operator_starts_on_a_chain_that_started_without_the_sweep() -> Result<(), LocalError> {
    let devnet = config(Dialect::Dynafed, NodeKind::Devnet);
    let mut federation = LocalFederation::start(devnet).await?;
    let sweep = sweep(&federation).await;
    federation.start_operator(0).await?;
    federation.start_operator(1).await?;
    federation.wait_for_height(1, LIMIT).await?;
    federation.set_options(options_with(Some(&sweep)));
    let refused = federation.start_operator(2).await;
    assert!(
        matches!(refused, Err(LocalError::Start(StartError::NoSweep(_)))),
        "{refused:?}"
    );
    federation.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_whose_node_does_not_accept_the_sweep_proposes_nothing() -> Result<(), LocalError>
{
    let alone = LocalConfig::new(1, 1)
        .with_interval(Duration::from_millis(200))
        .with_absent(vec![0]);
    let mut federation = LocalFederation::start(alone).await?;
    // A sweep of another chain, whose coins do not exist here.
    let other = spending(OutPoint::new(Txid::from_byte_array([7; 32]), 0), Vec::new());
    federation.set_options(options_with(Some(&other)));
    federation.start_operator(0).await?;
    let stands = federation.wait_for_height(1, Duration::from_secs(2)).await;
    assert!(
        matches!(stands, Err(LocalError::Height { wanted: 1, .. })),
        "{stands:?}"
    );
    federation.stop_operator(0).await?;
    let sweep = sweep(&federation).await;
    federation.set_options(options_with(Some(&sweep)));
    federation.start_operator(0).await?;
    federation.wait_for_height(1, LIMIT).await?;
    federation.stop().await;
    Ok(())
}
