//! Whole federations make blocks over Kafka, whatever happens to the brokers.

use std::time::Duration;

use federation_chain::Dialect;
use federation_local::{LocalConfig, LocalError, LocalFederation, Transport};

const LIMIT: Duration = Duration::from_secs(90);

fn five() -> LocalConfig {
    LocalConfig::new(5, 3)
        .with_interval(Duration::from_millis(300))
        .with_transport(Transport::Kafka)
}

/// Waits for some blocks more.
async fn goes_on(federation: &LocalFederation) -> Result<(), LocalError> {
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
async fn the_loss_of_brokers_costs_no_block_once_they_are_back() -> Result<(), LocalError> {
    let mut federation = LocalFederation::start(five()).await?;
    federation.wait_for_height(3, LIMIT).await?;
    let act = |what: &dyn Fn(&federation_messenger_kafka::mock::MockBrokers)| {
        what(federation.brokers().expect("they are embedded"));
    };
    // One after the other, as in a rolling restart.
    for broker in 1..=3 {
        act(&|brokers| brokers.take_down(broker).expect("it goes"));
        tokio::time::sleep(Duration::from_millis(400)).await;
        act(&|brokers| brokers.bring_up(broker).expect("it comes"));
        goes_on(&federation).await?;
    }
    // All at once.
    act(&|brokers| brokers.take_all_down().expect("they go"));
    tokio::time::sleep(Duration::from_secs(2)).await;
    act(&|brokers| brokers.bring_all_up().expect("they come"));
    goes_on(&federation).await?;
    // An operator that was away meanwhile comes back, too.
    federation.kill_operator(2).await;
    goes_on(&federation).await?;
    federation.start_operator(2).await?;
    federation.kill_operator(3).await;
    federation.kill_operator(4).await;
    goes_on(&federation).await?;
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
