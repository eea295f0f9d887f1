//! Round trips over the embedded cluster, or the one in `KAFKA_BROKERS`: a vote, a proposal and a
//! block of 2 MB (the embedded cluster keeps no larger ones), none of them compressible.

use std::time::Duration;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use federation_messenger::Messenger;
use federation_messenger_kafka::{KafkaConfig, KafkaError, KafkaMessenger, mock::MockBrokers};
use federation_roster::{FederationId, OperatorId};

const FEDERATION: FederationId = FederationId::from_bytes([1; 32]);

/// Returns the configuration of an operator.
fn config(embedded: Option<&MockBrokers>, id: u8) -> Result<KafkaConfig, KafkaError> {
    let id = OperatorId::new(id);
    match embedded {
        Some(brokers) => brokers
            .config(FEDERATION, 2, id)?
            .with_setting("compression.type", "none")?
            .with_setting("fetch.wait.max.ms", "1"),
        None => {
            let brokers = std::env::var("KAFKA_BROKERS").unwrap_or_default();
            let config = KafkaConfig::new(brokers.split(','), FEDERATION, 2, id)?;
            Ok(config.with_replication(1))
        }
    }
}

async fn pair(embedded: Option<&MockBrokers>) -> (KafkaMessenger, KafkaMessenger) {
    let start = async |id| {
        let config = config(embedded, id).expect("valid");
        let messenger = KafkaMessenger::start(config).expect("valid");
        messenger.ready().await.expect("open");
        messenger
    };
    (start(0).await, start(1).await)
}

fn roundtrip(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let is_real = std::env::var_os("KAFKA_BROKERS").is_some();
    let embedded = (!is_real).then(|| MockBrokers::start(1).expect("ports"));
    let (a, b) = runtime.block_on(pair(embedded.as_ref()));
    runtime.spawn(async move {
        while let Ok(frame) = b.recv().await {
            b.broadcast(frame).await.expect("open");
        }
    });
    let mut group = c.benchmark_group("round trip over Kafka");
    for size in [200, 20_000, 2_000_000] {
        let mut state = 7_u64;
        let noise = core::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[0]
        });
        let frame: Bytes = noise.take(size).collect();
        group.throughput(Throughput::Bytes(2 * size as u64));
        group.bench_function(format!("{size} bytes"), |bench| {
            bench.iter(|| {
                runtime.block_on(async {
                    a.broadcast(frame.clone()).await.expect("open");
                    a.recv().await.expect("open")
                })
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().measurement_time(Duration::from_secs(3));
    targets = roundtrip
}
criterion_main!(benches);
