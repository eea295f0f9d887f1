//! There and back by way of the embedded cluster: a vote, a proposal, a block of 4 MB.

use std::time::Duration;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use federation_messenger::Messenger;
use federation_messenger_kafka::{KafkaMessenger, mock::MockBrokers};
use federation_roster::{FederationId, OperatorId};

async fn pair(brokers: &MockBrokers) -> (KafkaMessenger, KafkaMessenger) {
    let start = async |id| {
        let federation = FederationId::from_bytes([1; 32]);
        let config = brokers
            .config(federation, 2, OperatorId::new(id))
            .and_then(|config| config.with_setting("fetch.wait.max.ms", "1"))
            .expect("valid");
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
    let brokers = MockBrokers::start(1).expect("ports");
    let (a, b) = runtime.block_on(pair(&brokers));
    runtime.spawn(async move {
        while let Ok(frame) = b.recv().await {
            b.broadcast(frame).await.expect("open");
        }
    });
    let mut group = c.benchmark_group("there and back over Kafka");
    for size in [200, 20_000, 4_000_000] {
        let frame = Bytes::from(vec![7; size]);
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
