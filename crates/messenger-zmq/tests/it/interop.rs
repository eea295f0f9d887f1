//! The messenger and plain ZeroMQ sockets receive each other's messages.

use zeromq::{PubSocket, Socket, SocketRecv, SocketSend, SubSocket, ZmqMessage};

use super::*;

#[tokio::test]
async fn a_plain_subscriber_receives_frames_under_the_topic() {
    let a = bind(config()).await;
    let mut plain = SubSocket::new();
    plain.subscribe("federation/1/").await.expect("no peer yet");
    plain
        .connect(&format!("tcp://{}", a.local_endpoint()))
        .await
        .expect("it listens");
    until("it subscribes", || a.subscribers() == 1).await;
    send(&a, "small").await;
    let parts = plain.recv().await.expect("a message").into_vec();
    assert_eq!(
        parts,
        [format!("federation/1/{FEDERATION}"), "small".into()]
    );
    send(&a, vec![7; 100_000]).await;
    let fragments = [
        plain.recv().await.expect("a fragment").into_vec(),
        plain.recv().await.expect("a fragment").into_vec(),
    ];
    assert_eq!(fragments[0][1].len(), 65_536);
    assert_eq!(
        fragments[0][2],
        [100_000_u32.to_le_bytes(), [0; 4]].concat()
    );
    assert_eq!(fragments[1][1].len(), 100_000 - 65_536);
    assert_eq!(
        fragments[1][2],
        [100_000_u32.to_le_bytes(), 65_536_u32.to_le_bytes()].concat()
    );
}

#[tokio::test]
async fn frames_of_a_plain_publisher_are_received() {
    let mut plain = PubSocket::new();
    let endpoint = plain.bind("tcp://127.0.0.1:0").await.expect("a port");
    let endpoint = endpoint.to_string().replace("tcp://", "");
    let a = bind(config().with_peers([endpoint.parse().expect("an endpoint")])).await;
    let receiving = async {
        loop {
            let mut message = ZmqMessage::from(format!("federation/1/{FEDERATION}"));
            message.push_back("hello".into());
            plain.send(message).await.expect("bound");
            if let Ok(frame) = tokio::time::timeout(Duration::from_millis(20), a.recv()).await {
                return frame.expect("open");
            }
        }
    };
    let frame = tokio::time::timeout(Duration::from_secs(20), receiving).await;
    assert_eq!(frame.expect("in time"), "hello");
}
