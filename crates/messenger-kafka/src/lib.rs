//! A messenger over Kafka: every operator writes to a topic of its own, and reads those of all
//! others.
//!
//! [`KafkaMessenger`] is two clients of [librdkafka](https://docs.rs/rdkafka), one that writes and
//! one that reads, each on a thread of its own: nothing of Kafka's ever blocks an async task.
//! Brokers that are down are waited for, and looked for again, for as long as the messenger lives.
//!
//! # Topics
//!
//! Operator 3 of a federation writes to `<prefix>-operator-3`; the prefix is
//! `federation-<id in hex>` unless [`set`](KafkaConfig::with_topic_prefix). A topic for each
//! operator, so that the brokers' access control can let each write to its own alone; in it one
//! partition, 0, so that one operator's frames keep their order. A record's value is the frame, its
//! key the operator's number, its time that of [`broadcast`](federation_messenger::Messenger::broadcast).
//! A frame for one operator alone ([`send_to`](federation_messenger::Messenger::send_to)) goes into
//! the same topic, and so to all.
//!
//! Topics that are missing are made, with these settings. Make them so where that is not allowed:
//!
//! | setting | value | why |
//! |---|---|---|
//! | partitions | 1 | one order |
//! | replication | 3, or as [set](KafkaConfig::with_replication) | a broker may go |
//! | `max.message.bytes` | 9568256 | a block of 8 MB with its envelope |
//! | `retention.ms`, `segment.ms` | 600000, or as [set](KafkaConfig::with_retention) | nobody reads old frames |
//! | `retention.bytes`, `segment.bytes` | 268435456, 67108864 | a flood fills no disk |
//! | `min.insync.replicas` | 1 | a lost frame is sent again; a topic that takes none is worse |
//! | `compression.type` | `uncompressed` | brokers unpack under their limit, so that no small record becomes a huge one at the readers |
//! | `message.timestamp.type` | `CreateTime` | the operators' clocks agree, the brokers' need not |
//!
//! An operator needs the rights to describe and read all topics of the prefix, to write to its own,
//! and either to create them or nothing more. No consumer group is joined and no offset committed;
//! the group's name (`group.id`, by default the own topic) is only looked up.
//!
//! # What a fault costs
//!
//! The producer is idempotent: after the loss of a broker, a change of leader or a rolling restart
//! everything that was handed over arrives, once and in order, if it is not older than a frame's
//! [lifetime](KafkaConfig::with_lifetime). While no broker is there, two bounded queues hold the
//! frames: librdkafka's the oldest 256, which go first when one is back, and ours the newest. A
//! producer that librdkafka gives up for good is replaced. Readers begin at the end of each topic
//! and go on where they were; frames that have outlived their use are skipped and counted.
//!
//! Each broker that goes down is said in one line, and its return in another, however often
//! librdkafka meets it in between; its own lines go to the log at level debug, target `librdkafka`.
//!
//! # What it does not do
//!
//! Trust the brokers, or anybody who can write to them: who sent a frame and what it says is proven
//! by the signed envelope inside, which the reader checks. Brokers can read, drop, delay and repeat
//! frames; they cannot make any.
//!
//! Neither does [`KafkaMessenger`] shield its process from librdkafka, which is C and reads what
//! brokers answer: release 2.12.1 ends the process at an answer to a fetch that names the leader of a
//! topic without a name, as a broker gives that came back without its topics. [`KafkaProcess`] runs
//! the client in a process of its own, to which it hands the settings and the frames over pipes, and
//! starts it again should it end, hang for ten seconds, or say what no client says. A process that
//! signs takes that one. The other is for embedded
//! brokers and for processes that do nothing else. [`TopicsProcess`] does the same for topics of any
//! names, with nothing of a messenger around them.
//!
//! # Building
//!
//! librdkafka is built in from source by a C compiler and `make`; nothing else is needed. (Its makefile
//! also builds a wrapper in C++ that nothing here uses: without a C++ compiler, set `CXX=cc` and
//! `GNUMAKEFLAGS=LIBSUBDIRS=src`, as long as the workspace does not see to it.) PLAIN is the only SASL
//! mechanism then. Feature `tls` adds TLS, SCRAM and OAUTHBEARER (Debian:
//! `libssl-dev`, `pkg-config`), feature `gssapi` Kerberos besides (`libsasl2-dev`). A setting that
//! needs a feature which was not built in is refused by that name.
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
//! let anna = KafkaMessenger::start(config(0)?)?;
//! let bert = KafkaMessenger::start(config(1)?)?;
//! // What is sent before a reader is ready may be missed by it.
//! bert.ready().await?;
//! anna.broadcast(Bytes::from_static(b"a frame")).await?;
//! assert_eq!(bert.recv().await?, "a frame");
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
mod turns;

pub use config::KafkaConfig;
pub use error::KafkaError;
pub use messenger::KafkaMessenger;
pub use process::{KafkaProcess, TopicsProcess, run_client};
pub use report::{BrokerHealth, Fault, KafkaHealth, TopicHealth, TopicState};
pub use topics_config::TopicsConfig;
