//! Whole federations make blocks over Kafka, even if brokers fail.

use std::time::Duration;

use federation_chain::Dialect;
use federation_local::{LocalConfig, LocalError, LocalFederation, Transport};

const LIMIT: Duration = Duration::from_secs(90);

fn five() -> LocalConfig {
    LocalConfig::new(5, 3)
        .with_interval(Duration::from_millis(300))
        .with_transport(Transport::Kafka)
}

/// Waits for some further blocks.
async fn wait_for_blocks(federation: &LocalFederation) -> Result<(), LocalError> {
    let height = federation.check_one_chain().await?;
    federation.wait_for_height(height + 4, LIMIT).await
}

#[tokio::test(flavor = "multi_thread")]
async fn five_operators_make_blocks_over_kafka_in_every_dialect() -> Result<(), LocalError> {
    for dialect in Dialect::ALL {
        let federation = LocalFederation::start(five().with_dialect(dialect)).await?;
        federation.wait_for_height(5, LIMIT).await?;
        federation.check_one_chain().await?;
        federation.stop().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_continue_once_lost_brokers_are_back() -> Result<(), LocalError> {
    let mut federation = LocalFederation::start(five()).await?;
    federation.wait_for_height(3, LIMIT).await?;
    let act = |what: &dyn Fn(&federation_messenger_kafka::mock::MockBrokers)| {
        what(federation.brokers().expect("mock brokers"));
    };
    // One after the other, as in a rolling restart.
    for broker in 1..=3 {
        act(&|brokers| brokers.take_down(broker).expect("taken down"));
        tokio::time::sleep(Duration::from_millis(400)).await;
        act(&|brokers| brokers.bring_up(broker).expect("brought up"));
        wait_for_blocks(&federation).await?;
    }
    // All at once.
    act(&|brokers| brokers.take_all_down().expect("taken down"));
    tokio::time::sleep(Duration::from_secs(2)).await;
    act(&|brokers| brokers.bring_all_up().expect("brought up"));
    wait_for_blocks(&federation).await?;
    // An operator that was down meanwhile takes part again.
    federation.kill_operator(2).await;
    wait_for_blocks(&federation).await?;
    federation.start_operator(2).await?;
    federation.kill_operator(3).await;
    federation.kill_operator(4).await;
    wait_for_blocks(&federation).await?;
    federation.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BROKERS"]
async fn five_operators_make_blocks_over_real_brokers() -> Result<(), LocalError> {
    let brokers = std::env::var("KAFKA_BROKERS").expect("KAFKA_BROKERS names brokers");
    let brokers: Vec<String> = brokers.split(',').map(str::to_owned).collect();
    let federation = LocalFederation::start(five().with_brokers(brokers)).await?;
    federation.wait_for_height(20, LIMIT).await?;
    federation.check_one_chain().await?;
    federation.stop().await;
    Ok(())
}
