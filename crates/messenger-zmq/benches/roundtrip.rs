//! Round trips over loopback: a vote, a proposal and a block of 4 MB.

use std::time::Duration;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use federation_messenger::Messenger;
use federation_messenger_zmq::{ZmqConfig, ZmqMessenger};
use federation_roster::FederationId;

async fn pair() -> (ZmqMessenger, ZmqMessenger) {
    let config = || {
        let listen = "127.0.0.1:0".parse().expect("an endpoint");
        ZmqConfig::new(listen, FederationId::from_bytes([1; 32]))
    };
    let a = ZmqMessenger::bind(config()).await.expect("a free port");
    let b = ZmqMessenger::bind(config()).await.expect("a free port");
    a.add_peer(b.local_endpoint()).expect("a peer");
    b.add_peer(a.local_endpoint()).expect("a peer");
    while a.subscribers() + b.subscribers() < 2 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    (a, b)
}

fn roundtrip(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let (a, b) = runtime.block_on(pair());
    runtime.spawn(async move {
        while let Ok(frame) = b.recv().await {
            b.broadcast(frame).await.expect("open");
        }
    });
    let mut group = c.benchmark_group("round trip");
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
