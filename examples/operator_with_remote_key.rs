//! An operator inside a service, with a block key that a key server holds:
//! `operator_with_remote_key FEDERATION_TOML NAME NODE_URL KEY_SERVER FOLDER`.
//!
//! The identity key is read from FOLDER/identity.key. Stops at Ctrl-C.

#![expect(clippy::print_stdout, reason = "a program that reports to its user")]

use std::{env, error::Error, io, net::SocketAddr, path::Path, sync::Arc};

use federation::{
    async_trait,
    block_signing::Event,
    chain::BlockHash,
    messenger::zmq::{ZmqConfig, ZmqMessenger},
    multisig::Network,
    node::{NodeClient, NodeConfig},
    operator::{Operator, OperatorEvent, config::load_federation},
    secp256k1::{PublicKey, ecdsa},
    signer::{Signer, SignerError, SoftwareIdentity, key_file},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A key whose server answers each hash of 32 bytes with a signature of 64.
struct RemoteKey(SocketAddr, PublicKey);

#[async_trait]
impl Signer for RemoteKey {
    fn public_key(&self) -> PublicKey {
        self.1
    }

    async fn sign_block(&self, hash: BlockHash) -> Result<ecdsa::Signature, SignerError> {
        // The operator bounds this call by a timeout and verifies the signature.
        let exchange = async {
            let mut server = tokio::net::TcpStream::connect(self.0).await?;
            server.write_all(hash.as_bytes()).await?;
            let mut signature = [0; 64];
            server.read_exact(&mut signature).await?;
            io::Result::Ok(signature)
        };
        let signature = exchange.await.map_err(SignerError::unavailable)?;
        ecdsa::Signature::from_compact(&signature).map_err(SignerError::unavailable)
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [roster, name, node, key_server, folder] = &arguments[..] else {
        return Err("five arguments are needed".into());
    };
    let (federation, folder) = (load_federation(Path::new(roster))?, Path::new(folder));
    let me = federation.find(name).ok_or("no such operator")?;
    let member = federation.member(me).ok_or("no such operator")?;
    let mut zmq = ZmqConfig::new(member.endpoint.parse()?, federation.id()).with_operator(me);
    let members = federation.ids().zip(federation.members());
    for (peer, member) in members.filter(|(id, _)| *id != me) {
        zmq = zmq.with_operators([(peer, member.endpoint.parse()?)]);
    }
    let identity = key_file::read(&folder.join("identity.key"), &Network::ELEMENTS_CUSTOM)?;
    let operator = Operator::builder(federation.clone(), me)
        .node(Arc::new(NodeClient::new(NodeConfig::new(node))?))
        .messenger(Arc::new(ZmqMessenger::bind(zmq).await?))
        .block_key(Box::new(RemoteKey(key_server.parse()?, member.block_key)))
        .identity_key(Box::new(SoftwareIdentity::new(identity)))
        .open(folder)?;
    let mut handle = operator.start().await?;
    let mut events = handle.events();
    loop {
        tokio::select! {
            event = events.recv() => if let OperatorEvent::Protocol(Event::HeightFinished(report)) = event? {
                println!("block {} {}", report.height, report.hash);
            },
            stopped = handle.wait() => return Ok(stopped?),
            _ = tokio::signal::ctrl_c() => return Ok(handle.shutdown().await?),
        }
    }
}
