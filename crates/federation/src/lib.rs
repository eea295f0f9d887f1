//! Run an operator of a Bitcoin-like sidechain federation in a service of your own, or use the parts.
//!
//! In a federated sidechain (Elements, or the older Ocean) a block is valid when M of N known companies
//! have signed it. Each company runs a node of the chain and an *operator*, which takes its turn to
//! propose blocks, and checks and signs those of the others. One block is final: there are no forks.
//!
//! This crate re-exports the crates of the project under one roof, with the versions of the crates in
//! their interfaces that fit together: [`elements`], [`bitcoin`], [`secp256k1`], [`bytes`] and
//! [`async_trait`](macro@async_trait). The daemon `federation` is built on the same parts.
//!
//! | module | what it is |
//! |---|---|
//! | [`operator`] | the running operator, its store, its status |
//! | [`node`] | JSON-RPC to a node, and the trait for a node of your own |
//! | [`signer`] | keys, the trait for a key of your own, and the guard against double signing |
//! | [`messenger`] | the trait for the link to the other operators, and an in-memory hub |
//! | [`roster`] | who the operators are; signed envelopes |
//! | [`block_signing`] | the protocol as a state machine without I/O |
//! | [`chain`], [`multisig`] | blocks, signing rules, M-of-N scripts and addresses |
//! | [`genesis`], [`ceremony`] | genesis blocks computed offline, and the agreement on them |
//! | [`reissuance`] | assets that the federation reissues on a schedule |
//!
//! # An operator in thirty lines
//!
//! The roster, [`Federation`](roster::Federation), is the same for all operators: it holds everyone's
//! keys and addresses, and the signing rules of the chain. The folder holds what the operator has voted
//! for and signed, which is what keeps it from signing twice: never restore it from a copy.
//!
#![cfg_attr(feature = "zmq", doc = "```no_run")]
#![cfg_attr(not(feature = "zmq"), doc = "```ignore")]
//! use std::{error::Error, path::Path, sync::Arc};
//!
//! use federation::{
//!     messenger::zmq::{ZmqConfig, ZmqMessenger},
//!     multisig::Network,
//!     node::{Auth, NodeClient, NodeConfig},
//!     operator::Operator,
//!     roster::{Federation, OperatorId},
//!     signer::{SoftwareIdentity, SoftwareSigner, key_file},
//! };
//!
//! async fn run(federation: Arc<Federation>, me: OperatorId) -> Result<(), Box<dyn Error>> {
//!     let cookie = Auth::Cookie("/var/lib/elements/chain/.cookie".into());
//!     let node = NodeClient::new(NodeConfig::new("http://127.0.0.1:7041").with_auth(cookie))?;
//!     let mut peers = Vec::new();
//!     for id in federation.ids().filter(|id| *id != me) {
//!         let member = federation.member(id).ok_or("no such operator")?;
//!         peers.push((id, member.endpoint.parse()?));
//!     }
//!     let zmq = ZmqConfig::new("0.0.0.0:5000".parse()?, federation.id())
//!         .with_operator(me)
//!         .with_operators(peers);
//!     let block_key = key_file::read(Path::new("keys/block.key"), &Network::ELEMENTS_CUSTOM)?;
//!     let identity = key_file::read(Path::new("keys/identity.key"), &Network::ELEMENTS_CUSTOM)?;
//!
//!     let operator = Operator::builder(federation, me)
//!         .node(Arc::new(node))
//!         .messenger(Arc::new(ZmqMessenger::bind(zmq).await?))
//!         .block_key(Box::new(SoftwareSigner::new(block_key)))
//!         .identity_key(Box::new(SoftwareIdentity::new(identity)))
//!         .open(Path::new("/var/lib/federation"))?;
//!     let mut handle = operator.start().await?;
//!     Ok(handle.wait().await?)
//! }
//! ```
//!
//! # Metrics and shutdown
//!
//! A running operator is an [`OperatorHandle`](operator::OperatorHandle). Its status is a watch channel:
//! the newest value, read whenever metrics are scraped. Its events are a broadcast channel: a slow
//! reader loses events, and never delays the operator. Do not restart an operator that stopped by
//! itself: the reason is one that a person has to see.
//!
//! ```
//! use federation::{
//!     block_signing::Event,
//!     operator::{OperatorError, OperatorEvent, OperatorHandle},
//! };
//! use tokio::sync::broadcast::error::RecvError;
//!
//! async fn supervise(
//!     mut handle: OperatorHandle,
//!     shutdown: impl Future<Output = ()>,
//! ) -> Result<(), OperatorError> {
//!     let (status, mut events) = (handle.status(), handle.events());
//!     tokio::pin!(shutdown);
//!     loop {
//!         tokio::select! {
//!             // Returns once node, messenger and store are released.
//!             () = &mut shutdown => return handle.shutdown().await,
//!             stopped = handle.wait() => return stopped,
//!             event = events.recv() => match event {
//!                 Ok(OperatorEvent::Protocol(Event::HeightFinished(report))) => {
//!                     let rejected = status.borrow().counters.bad_signature;
//!                     println!("block_height {}", report.height);
//!                     println!("rejected_signatures_total {rejected}");
//!                 }
//!                 Ok(_) | Err(RecvError::Lagged(_)) => {}
//!                 // The operator has stopped: `wait` returns why.
//!                 Err(RecvError::Closed) => std::future::pending().await,
//!             },
//!         }
//!     }
//! }
//! ```
//!
//! # A key of your own
//!
//! A cloud's key store, a machine without a network, a module with a protocol of its own: implement
//! [`Signer`](signer::Signer) and run its [contract](signer::contract::signer) in a test. The operator
//! puts it behind the guard, verifies each signature, bounds each call by a timeout, and raises an alarm
//! when the key does not answer.
//!
//! ```
//! use federation::{
//!     async_trait,
//!     chain::BlockHash,
//!     secp256k1::{PublicKey, ecdsa},
//!     signer::{Signer, SignerError},
//! };
//!
//! struct RemoteKey {
//!     public_key: PublicKey,
//!     service: Service,
//! }
//!
//! #[async_trait]
//! impl Signer for RemoteKey {
//!     fn public_key(&self) -> PublicKey {
//!         self.public_key
//!     }
//!
//!     async fn sign_block(&self, hash: BlockHash) -> Result<ecdsa::Signature, SignerError> {
//!         // `Unavailable` may pass: the operator asks again. `Refused` is final for this block.
//!         let answer = self.service.sign(hash.as_bytes()).await;
//!         let bytes = answer.map_err(SignerError::unavailable)?;
//!         ecdsa::Signature::from_compact(&bytes).map_err(SignerError::unavailable)
//!     }
//! }
//! # struct Service;
//! # impl Service {
//! #     async fn sign(&self, _: &[u8; 32]) -> std::io::Result<[u8; 64]> { Ok([1; 64]) }
//! # }
//! ```
//!
//! # A messenger of your own
//!
//! A [`Messenger`](messenger::Messenger) carries opaque frames; each proves itself, so the transport need
//! not be trusted. [`Inbox`](messenger::Inbox) has a bounded queue for each peer, and
//! [`contract::run`](messenger::contract::run) tests what an operator relies on.
//!
//! ```
//! use federation::{
//!     async_trait,
//!     bytes::Bytes,
//!     messenger::{Inbox, Messenger, MessengerError, MessengerStats},
//! };
//!
//! struct Bus {
//!     client: Client,
//!     inbox: Inbox,
//! }
//!
//! #[async_trait]
//! impl Messenger for Bus {
//!     async fn broadcast(&self, frame: Bytes) -> Result<(), MessengerError> {
//!         self.client.publish(frame).map_err(MessengerError::backend)
//!     }
//!
//!     async fn recv(&self) -> Result<Bytes, MessengerError> {
//!         self.inbox.recv().await
//!     }
//!
//!     fn stats(&self) -> MessengerStats {
//!         MessengerStats::default()
//!     }
//!
//!     async fn close(&self) {
//!         self.inbox.close();
//!     }
//! }
//! # struct Client;
//! # impl Client {
//! #     fn publish(&self, _: Bytes) -> std::io::Result<()> { Ok(()) }
//! # }
//! ```
//!
//! # A policy
//!
//! A [`BlockPolicy`](operator::BlockPolicy) refuses blocks that the node accepts. What it refuses must be
//! kept out of the templates of all members' nodes as well, or the chain stands still.
//!
//! ```
//! use federation::{async_trait, chain::Block, operator::BlockPolicy};
//!
//! struct SmallBlocks;
//!
//! #[async_trait]
//! impl BlockPolicy for SmallBlocks {
//!     async fn check(&self, block: &Block) -> Result<(), String> {
//!         match block.transaction_count() {
//!             0..=1000 => Ok(()),
//!             count => Err(format!("{count} transactions, of which 1000 are allowed")),
//!         }
//!     }
//! }
//! ```
//!
//! # A node of your own
//!
//! [`Node`](node::Node) is what an operator asks of its node. Implement it to put a cache, a second node
//! or a mock behind an operator.
//!
//! ```
//! use federation::{
//!     async_trait,
//!     bytes::Bytes,
//!     chain::{BlockHash, BlockHeight, Dialect},
//!     node::{
//!         BlockchainInfo, ChainReport, HeaderInfo, NetworkInfo, Node, NodeClient, RpcError,
//!         SubmitOutcome,
//!     },
//! };
//!
//! /// A node whose templates come from another one, such as a separate block builder.
//! struct WithBuilder {
//!     node: NodeClient,
//!     builder: NodeClient,
//! }
//!
//! #[async_trait]
//! impl Node for WithBuilder {
//!     async fn new_block(&self) -> Result<Bytes, RpcError> {
//!         self.builder.new_block().await
//!     }
//!
//!     async fn block_count(&self) -> Result<BlockHeight, RpcError> {
//!         self.node.block_count().await
//!     }
//!
//!     // All other methods call those of `node` as well.
//! #   async fn dialect(&self) -> Result<Dialect, RpcError> { self.node.dialect().await }
//! #   async fn best_block_hash(&self) -> Result<BlockHash, RpcError> { self.node.best_block_hash().await }
//! #   async fn block_hash(&self, height: BlockHeight) -> Result<BlockHash, RpcError> { self.node.block_hash(height).await }
//! #   async fn header_info(&self, hash: BlockHash) -> Result<HeaderInfo, RpcError> { self.node.header_info(hash).await }
//! #   async fn header(&self, hash: BlockHash) -> Result<Bytes, RpcError> { self.node.header(hash).await }
//! #   async fn block(&self, hash: BlockHash) -> Result<Bytes, RpcError> { self.node.block(hash).await }
//! #   async fn test_proposed_block(&self, block: &[u8]) -> Result<(), RpcError> { self.node.test_proposed_block(block).await }
//! #   async fn include_transaction(&self, txid: &str, bytes: &[u8]) -> Result<(), RpcError> { self.node.include_transaction(txid, bytes).await }
//! #   async fn submit_block(&self, block: &[u8]) -> Result<SubmitOutcome, RpcError> { self.node.submit_block(block).await }
//! #   async fn blockchain_info(&self) -> Result<BlockchainInfo, RpcError> { self.node.blockchain_info().await }
//! #   async fn network_info(&self) -> Result<NetworkInfo, RpcError> { self.node.network_info().await }
//! #   async fn chain_report(&self) -> Result<ChainReport, RpcError> { self.node.chain_report().await }
//! }
//! ```
//!
#![cfg_attr(
    feature = "devnet",
    doc = "With the feature `devnet`, [`devnet`] is a whole node in the process, for tests."
)]

pub use async_trait::async_trait;
pub use bitcoin;
pub use bytes;
pub use elements;
pub use secp256k1;

#[doc(inline)]
pub use federation_block_signing as block_signing;
#[doc(inline)]
pub use federation_ceremony as ceremony;
#[doc(inline)]
pub use federation_chain as chain;
#[cfg(feature = "devnet")]
#[doc(inline)]
pub use federation_devnet as devnet;
#[doc(inline)]
pub use federation_genesis as genesis;
#[doc(inline)]
pub use federation_multisig as multisig;
#[doc(inline)]
pub use federation_operator as operator;
#[doc(inline)]
pub use federation_reissuance as reissuance;
#[doc(inline)]
pub use federation_roster as roster;

/// JSON-RPC to the nodes of both families, and the trait for a node of your own.
pub mod node {
    pub use federation_ocean_rpc::*;
}

/// Keys: the traits, keys in memory and in files, and the guard against double signing.
pub mod signer {
    #[cfg(feature = "keystore")]
    #[doc(inline)]
    pub use federation_keystore as keystore;
    pub use federation_signer::*;
    #[cfg(feature = "hsm")]
    #[doc(inline)]
    pub use federation_signer_hsm as hsm;
    #[cfg(feature = "node-wallet")]
    #[doc(inline)]
    pub use federation_signer_node as node_wallet;
}

/// The link to the other operators: the trait, and an in-memory hub.
pub mod messenger {
    pub use federation_messenger::*;
    #[cfg(feature = "kafka")]
    #[doc(inline)]
    pub use federation_messenger_kafka as kafka;
    #[cfg(feature = "zmq")]
    #[doc(inline)]
    pub use federation_messenger_zmq as zmq;
}
