//! A messenger over Kafka: every operator writes to its own topic and reads those of all others.
//!
//! [`KafkaMessenger`] is two clients of [librdkafka](https://docs.rs/rdkafka), a producer and a
//! consumer, each on its own thread, so Kafka never blocks an async task. Unreachable brokers are
//! retried for as long as the messenger lives.
//!
//! # Topics
//!
//! Operator 3 of a federation writes to `<prefix>-operator-3`; the prefix is
//! `federation-<id in hex>` unless [set](KafkaConfig::with_topic_prefix). Each operator has a topic,
//! so that the brokers' access control can restrict each to its own; a topic has one partition, 0, so
//! that an operator's frames keep their order. A record's value is the frame, its key the operator's
//! number, and its timestamp that of the call to
//! [`broadcast`](federation_messenger::Messenger::broadcast). A frame for a single operator
//! ([`send_to`](federation_messenger::Messenger::send_to)) goes into the same topic, and so to all.
//!
//! Missing topics are created with these settings. Where creating them is not allowed, create them by
//! hand with the same settings:
//!
//! | setting | value | why |
//! |---|---|---|
//! | partitions | 1 | one order |
//! | replication | 3, or as [set](KafkaConfig::with_replication) | a broker may fail |
//! | `max.message.bytes` | 9568256 | a block of 8 MB with its envelope |
//! | `retention.ms`, `segment.ms` | 600000, or as [set](KafkaConfig::with_retention) | old frames are never read |
//! | `retention.bytes`, `segment.bytes` | 268435456, 67108864 | a flood must not fill the disk |
//! | `min.insync.replicas` | 1 | a lost frame is retransmitted; a topic that refuses writes is worse |
//! | `compression.type` | `uncompressed` | brokers decompress within their limits, so no small record can expand to a huge one in the readers |
//! | `message.timestamp.type` | `CreateTime` | the operators' clocks agree, the brokers' need not |
//!
//! An operator needs permission to describe and read all topics with the prefix, to write to its own,
//! and to create them unless they exist. It joins no consumer group and commits no offset; the group's
//! name (`group.id`, by default its own topic) is only looked up.
//!
//! # What a fault costs
//!
//! The producer is idempotent: after the loss of a broker, a change of leader or a rolling restart,
//! every queued frame arrives, once and in order, unless it is older than a frame's
//! [lifetime](KafkaConfig::with_lifetime). While no broker is reachable, two bounded queues hold the
//! frames: librdkafka's holds the oldest 256, which are sent first when a broker is back, and ours
//! holds the newest. A producer that librdkafka gives up is replaced. Readers start at the end of each
//! topic and continue from where they were; frames past their lifetime are skipped and counted.
//!
//! A broker that goes down is logged once, and so is its return, however often librdkafka reports it;
//! librdkafka's own lines are logged at debug level with target `librdkafka`.
//!
//! # What it does not do
//!
//! It does not trust the brokers, or anybody who can write to them: the sender and the content of a
//! frame are authenticated by the signed envelope inside, which the reader checks. Brokers can read,
//! drop, delay and repeat frames; they cannot forge any.
//!
//! [`KafkaMessenger`] does not shield its process from librdkafka, which is written in C and parses the
//! brokers' answers: release 2.12.1 crashes on an answer to a fetch that names the leader of an unnamed
//! topic, as a broker sends that has lost its topics. [`KafkaProcess`] runs the client in a separate
//! process, passes it settings and frames over pipes, and restarts it if it exits, hangs for ten
//! seconds, or violates the pipe's protocol. Use that one in a process that signs; [`KafkaMessenger`] is
//! for embedded brokers and for processes that do nothing else. [`TopicsProcess`] does the same for
//! topics of any name, without a messenger on top.
//!
//! # Building
//!
//! librdkafka is built from source with a C compiler and `make`; nothing else is needed. (Its makefile
//! also builds a C++ wrapper that is not used here: without a C++ compiler, set `CXX=cc` and
//! `GNUMAKEFLAGS=LIBSUBDIRS=src`, unless the workspace sets them already.) The only SASL mechanism is
//! then PLAIN. Feature `tls` adds TLS, SCRAM and OAUTHBEARER (Debian: `libssl-dev`, `pkg-config`), and
//! feature `gssapi` adds Kerberos (`libsasl2-dev`). A setting that needs a missing feature is refused
//! with the feature's name.
//!
//! ```
//! use bytes::Bytes;
//! use federation_messenger::Messenger;
//! use federation_messenger_kafka::{KafkaMessenger, mock::MockBrokers};
//! use federation_roster::{FederationId, OperatorId};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let federation = FederationId::from_bytes([1; 32]);
//! // An embedded cluster; with a real one `KafkaConfig::new(["kafka1.example:9092"], ..)`.
//! let brokers = MockBrokers::start(3)?;
//! let config = |id| brokers.config(federation, 2, OperatorId::new(id));
//! let alice = KafkaMessenger::start(config(0)?)?;
//! let bob = KafkaMessenger::start(config(1)?)?;
//! // A reader may miss frames sent before it is ready.
//! bob.ready().await?;
//! alice.broadcast(Bytes::from_static(b"a frame")).await?;
//! assert_eq!(bob.recv().await?, "a frame");
//! # Ok(())
//! # }
//! ```

mod config;
mod context;
mod error;
mod health;
mod messenger;
pub mod mock;
mod outbox;
mod process;
mod receiving;
mod report;
mod sending;
mod settings;
mod shared;
mod topics;
mod topics_client;
mod topics_config;
mod watchdog;

pub use config::KafkaConfig;
pub use error::KafkaError;
pub use messenger::KafkaMessenger;
pub use process::{KafkaProcess, TopicsProcess, run_client};
pub use report::{BrokerHealth, Fault, KafkaHealth, TopicHealth, TopicState};
pub use topics_config::TopicsConfig;
