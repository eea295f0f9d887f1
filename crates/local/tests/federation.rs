//! Whole federations make blocks, over both messengers and in all dialects, with operators that are down,
//! killed, late or cut off.

use std::time::Duration;

use federation_block_signing::{Event, Timeouts};
use federation_chain::{BlockHeight, Dialect};
use federation_local::{LocalConfig, LocalError, LocalFederation, Transport};
use federation_operator::{OperatorEvent, Options};

/// Only reached by a failing test, even on a busy machine.
const LIMIT: Duration = Duration::from_secs(600);

fn five(dialect: Dialect, transport: Transport) -> LocalConfig {
    LocalConfig::new(5, 3)
        .with_interval(Duration::from_millis(300))
        .with_dialect(dialect)
        .with_transport(transport)
}

async fn reaches(config: LocalConfig, height: u32) -> Result<(), LocalError> {
    let federation = LocalFederation::start(config).await?;
    federation.wait_for_height(height, LIMIT).await?;
    assert!(federation.check_one_chain().await? >= height);
    federation.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn five_operators_make_blocks_over_memory_in_every_dialect() -> Result<(), LocalError> {
    for dialect in Dialect::ALL {
        // Past height 10, where blocks carry the full dynafed parameters again.
        reaches(five(dialect, Transport::Memory), 12).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn five_operators_make_blocks_over_zmq_in_every_dialect() -> Result<(), LocalError> {
    for dialect in Dialect::ALL {
        reaches(five(dialect, Transport::Zmq), 12).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_or_two_of_five_may_be_down_from_the_start() -> Result<(), LocalError> {
    for absent in [vec![2], vec![0, 3]] {
        reaches(
            five(Dialect::Dynafed, Transport::Zmq).with_absent(absent),
            8,
        )
        .await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn three_of_five_down_stop_the_chain_until_one_comes_back() -> Result<(), LocalError> {
    let config = five(Dialect::Elements, Transport::Memory).with_absent(vec![0, 1, 2]);
    let mut federation = LocalFederation::start(config).await?;
    let stands = federation.wait_for_height(1, Duration::from_secs(2)).await;
    assert!(
        matches!(stands, Err(LocalError::Height { wanted: 1, .. })),
        "{stands:?}"
    );
    federation.start_operator(1).await?;
    federation.wait_for_height(3, LIMIT).await?;
    federation.check_one_chain().await?;
    federation.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_that_starts_ten_blocks_late_takes_part() -> Result<(), LocalError> {
    let config = five(Dialect::Dynafed, Transport::Zmq).with_absent(vec![4]);
    let mut federation = LocalFederation::start(config).await?;
    federation.wait_for_height(10, LIMIT).await?;
    federation.start_operator(4).await?;
    let mut events = federation.operator(4).expect("it runs").events();
    let took_part = async {
        loop {
            if let Ok(OperatorEvent::Protocol(Event::HeightFinished(report))) = events.recv().await
                && report.signers.iter().any(|id| id.index() == 4)
            {
                return;
            }
        }
    };
    tokio::time::timeout(LIMIT, took_part)
        .await
        .expect("a block with its signature");
    federation.check_one_chain().await?;
    federation.stop().await;
    Ok(())
}

/// The phase after which a leader is killed.
#[derive(Debug, Clone, Copy)]
enum After {
    RoundStarted,
    Decided,
    Signed,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_killed_after_any_phase_stops_no_block_and_can_return() -> Result<(), LocalError> {
    for after in [After::RoundStarted, After::Decided, After::Signed] {
        let mut federation =
            LocalFederation::start(five(Dialect::Dynafed, Transport::Memory)).await?;
        federation.wait_for_height(2, LIMIT).await?;
        let (height, leader) = kill_a_leader(&mut federation, after).await;
        federation
            .wait_for_height(height.to_u32() + 3, LIMIT)
            .await
            .unwrap_or_else(|error| panic!("killed after {after:?}: {error}"));
        federation.start_operator(leader).await?;
        federation
            .wait_for_height(height.to_u32() + 6, LIMIT)
            .await?;
        federation.check_one_chain().await?;
        federation.stop().await;
    }
    Ok(())
}

/// Waits until an operator that leads a round reaches the phase, and kills it.
async fn kill_a_leader(federation: &mut LocalFederation, after: After) -> (BlockHeight, usize) {
    let roster = federation.federation().clone();
    let victim = 3;
    let mut events = federation.operator(victim).expect("it runs").events();
    let mut led = None;
    loop {
        let Ok(OperatorEvent::Protocol(event)) = events.recv().await else {
            continue;
        };
        if let Event::RoundStarted { height, round, .. } = &event
            && roster.leader(*height, *round).index() == victim
        {
            led = Some(*height);
        }
        let reached = match (&event, after) {
            (Event::RoundStarted { height, .. }, After::RoundStarted) => led == Some(*height),
            (Event::Decided { height, .. }, After::Decided) => led == Some(*height),
            (Event::HeightFinished(report), After::Signed) => led == Some(report.height),
            _ => false,
        };
        if let Some(height) = led.filter(|_| reached) {
            federation.kill_operator(victim).await;
            return (height, victim);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_cut_off_from_the_others_takes_part_once_the_links_are_restored()
-> Result<(), LocalError> {
    for transport in [Transport::Memory, Transport::Zmq] {
        let mut federation = LocalFederation::start(five(Dialect::Dynafed, transport)).await?;
        federation.wait_for_height(2, LIMIT).await?;
        for other in 1..5 {
            federation.cut(0, other)?;
        }
        federation.wait_for_height(8, LIMIT).await?;
        for other in 1..5 {
            federation.heal(0, other)?;
        }
        for absent in [1, 2] {
            federation.stop_operator(absent).await?;
        }
        // Three remain, so the one that was cut off is needed now.
        federation.wait_for_height(14, LIMIT).await?;
        federation.check_one_chain().await?;
        federation.stop().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_unavailable_needs_no_restart_of_its_operator() -> Result<(), LocalError> {
    let federation = LocalFederation::start(five(Dialect::Dynafed, Transport::Memory)).await?;
    federation.wait_for_height(2, LIMIT).await?;
    federation
        .node(1)
        .with_devnet(|node| node.set_unavailable(true));
    federation
        .node(2)
        .with_devnet(|node| node.set_warming_up(true));
    federation.wait_for_height(6, LIMIT).await?;
    federation
        .node(1)
        .with_devnet(|node| node.set_unavailable(false));
    federation
        .node(2)
        .with_devnet(|node| node.set_warming_up(false));
    federation.wait_for_height(10, LIMIT).await?;
    federation.check_one_chain().await?;
    federation.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_operators_with_eleven_signatures_make_blocks() -> Result<(), LocalError> {
    // Twenty operators in one process: on a busy machine a round takes long, and retransmissions must not
    // take more time than the round itself.
    let mut options = Options::default();
    let patient = Duration::from_secs(3);
    options.timeouts = Some(Timeouts {
        propose: patient,
        prevote: patient,
        precommit: patient,
        growth: patient,
        limit: LIMIT,
    });
    options.beat = Some(patient);
    let config = LocalConfig::new(20, 11)
        .with_interval(Duration::from_secs(1))
        .with_options(options);
    reaches(config, 3).await
}
