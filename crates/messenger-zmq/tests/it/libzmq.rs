//! The messenger and sockets of libzmq receive each other's messages:
//! `PYZMQ=python3 cargo test -p federation-messenger-zmq -- --ignored`, with a Python interpreter that
//! has the package `pyzmq`.

use std::process::Stdio;

use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

use super::{hostile::topic, *};

/// Heartbeats many times in the life of a connection; unanswered, they would end it.
const HEARTBEATS: &str = "
import sys, time, zmq
def socket(kind):
    socket = zmq.Context().socket(kind)
    socket.setsockopt(zmq.HEARTBEAT_IVL, 100)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 1000)
    return socket
";

/// Prints the lengths of the parts of each message, and the disconnects before each.
const SUBSCRIBER: &str = "
sub = socket(zmq.SUB)
sub.setsockopt(zmq.SUBSCRIBE, b'federation/1/')
monitor = sub.get_monitor_socket(zmq.EVENT_DISCONNECTED)
sub.connect('tcp://' + sys.argv[1])
while True:
    parts = sub.recv_multipart()
    print(monitor.poll(0), *(len(part) for part in parts), flush=True)
";

/// Prints its port and publishes a frame under the topic again and again.
const PUBLISHER: &str = "
pub = socket(zmq.PUB)
print(pub.bind_to_random_port('tcp://127.0.0.1'), flush=True)
while True:
    pub.send_multipart([sys.argv[1].encode(), b'hello'])
    time.sleep(0.05)
";

fn python(script: &str, argument: &str) -> (Child, Lines<BufReader<ChildStdout>>) {
    let program = std::env::var("PYZMQ").expect("PYZMQ names a Python interpreter");
    let mut child = Command::new(program)
        .args(["-c", &[HEARTBEATS, script].concat(), argument])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("Python runs");
    let output = child.stdout.take().expect("piped");
    (child, BufReader::new(output).lines())
}

async fn line(lines: &mut Lines<BufReader<ChildStdout>>) -> String {
    let line = tokio::time::timeout(Duration::from_secs(20), lines.next_line()).await;
    let line = line.expect("a line in time").expect("readable");
    line.expect("Python still runs")
}

#[tokio::test]
#[ignore = "needs PYZMQ"]
async fn a_subscriber_of_libzmq_receives_frames_and_its_heartbeats_are_answered() {
    let a = bind(config()).await;
    let (_python, mut lines) = python(SUBSCRIBER, &a.local_endpoint().to_string());
    until("it subscribes", || a.subscribers() == 1).await;
    let topic = topic().len();
    send(&a, "small").await;
    assert_eq!(line(&mut lines).await, format!("0 {topic} 5"));
    send(&a, vec![7; 100_000]).await;
    assert_eq!(line(&mut lines).await, format!("0 {topic} 65536 8"));
    assert_eq!(line(&mut lines).await, format!("0 {topic} 34464 8"));
    // Several times the limit of a heartbeat.
    tokio::time::sleep(Duration::from_secs(4)).await;
    send(&a, "later").await;
    assert_eq!(line(&mut lines).await, format!("0 {topic} 5"));
    assert_eq!(a.subscribers(), 1);
}

#[tokio::test]
#[ignore = "needs PYZMQ"]
async fn frames_of_a_publisher_of_libzmq_are_received_and_its_heartbeats_are_answered() {
    let (_python, mut lines) = python(PUBLISHER, &topic());
    let endpoint = format!("127.0.0.1:{}", line(&mut lines).await);
    let a = bind(config().with_peers([endpoint.parse().expect("an endpoint")])).await;
    // Several times the limit of a heartbeat.
    for _ in 0..80 {
        assert_eq!(recv(&a).await, "hello");
    }
    assert_eq!(a.stats().reconnects, 0);
}
