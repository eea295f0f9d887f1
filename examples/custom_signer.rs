//! A custom signer: a block key that a service holds and signs with over TCP.
//!
//! To use an HSM, a cloud key store or an air-gapped machine with an operator, implement `Signer`,
//! run its contract suite, and pass the signer to the guard.
//!
//! Run it with `cargo run -p federation-examples --example custom_signer`.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{error::Error, io, net::SocketAddr, time::Duration};

use async_trait::async_trait;
use federation_chain::{BlockHash, BlockHeight};
use federation_multisig::PublicKey;
use federation_signer::{
    GuardError, GuardedSigner, MemoryGuardStore, Secret, Signer, SignerError, SoftwareSigner,
    contract,
};
use secp256k1::ecdsa;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

/// The timeout of a request. A signer should give up in time: the protocol asks again.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The key service. It sends its public key (33 bytes) on each connection, and answers each hash
/// (32 bytes) with a signature (`r` and `s`, 64 bytes).
///
/// A real service runs on another machine, and both sides authenticate each other.
async fn serve(listener: TcpListener, key: SoftwareSigner) -> io::Result<()> {
    loop {
        let (mut client, _) = listener.accept().await?;
        client.write_all(&key.public_key().serialize()).await?;
        let mut hash = [0; 32];
        // Serves one client after another; a closed connection does not stop the service.
        while client.read_exact(&mut hash).await.is_ok() {
            let signature = key.sign_block(BlockHash::from_bytes(hash)).await;
            let signature = signature.map_err(io::Error::other)?;
            client.write_all(&signature.serialize_compact()).await?;
        }
    }
}

/// A signer whose key is held by a service.
struct RemoteSigner {
    service: SocketAddr,
    public_key: PublicKey,
}

impl RemoteSigner {
    /// Fetches the service's public key, so that a wrong key is noticed at start.
    async fn connect(service: SocketAddr) -> Result<Self, SignerError> {
        let (_, public_key) = call(service).await?;
        Ok(Self {
            service,
            public_key,
        })
    }

    async fn request(&self, hash: BlockHash) -> Result<ecdsa::Signature, SignerError> {
        // Opens a connection for each signature, so that a restart of the service needs no handling.
        let (mut stream, public_key) = call(self.service).await?;
        if public_key != self.public_key {
            return Err(SignerError::Refused {
                reason: format!("the service's key is now {public_key}"),
            });
        }
        let mut signature = [0; 64];
        let exchange = async {
            stream.write_all(hash.as_bytes()).await?;
            stream.read_exact(&mut signature).await
        };
        exchange.await.map_err(SignerError::unavailable)?;
        // The guard verifies that this is a signature of the hash.
        ecdsa::Signature::from_compact(&signature).map_err(SignerError::unavailable)
    }
}

async fn call(service: SocketAddr) -> Result<(TcpStream, PublicKey), SignerError> {
    let mut key = [0; 33];
    let greeting = async {
        let mut stream = TcpStream::connect(service).await?;
        stream.read_exact(&mut key).await?;
        Ok::<_, io::Error>(stream)
    };
    let stream = timeout(TIMEOUT, greeting)
        .await
        .map_err(SignerError::unavailable)?
        .map_err(SignerError::unavailable)?;
    let key = PublicKey::from_slice(&key).map_err(SignerError::unavailable)?;
    Ok((stream, key))
}

#[async_trait]
impl Signer for RemoteSigner {
    fn public_key(&self) -> PublicKey {
        self.public_key
    }

    async fn sign_block(&self, hash: BlockHash) -> Result<ecdsa::Signature, SignerError> {
        // `Unavailable` is transient: the operator tries again. `Refused` is permanent.
        timeout(TIMEOUT, self.request(hash))
            .await
            .map_err(SignerError::unavailable)?
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let service = tokio::spawn(serve(listener, SoftwareSigner::new(Secret::generate())));

    let signer = RemoteSigner::connect(address).await?;
    println!("the service signs with {}", signer.public_key());

    // Checks what every signer must do, with 32 signatures.
    contract::signer(&signer).await;
    println!("the contract holds");

    // An operator uses a signer only through a guard, whose store must outlive the process.
    // `RedbGuardStore` of federation-operator does; this one is for examples.
    let guarded = GuardedSigner::new(signer, MemoryGuardStore::new())?;
    let (height, hash) = (BlockHeight::new(7), BlockHash::from_bytes([1; 32]));
    let signature = guarded.sign_block(height, hash).await?;
    println!("signed {hash} at {height}: {signature}");

    // A second block at the same height is refused without asking the service.
    let other = BlockHash::from_bytes([2; 32]);
    let refused = guarded.sign_block(height, other).await;
    assert!(matches!(refused, Err(GuardError::Conflict { .. })));
    println!(
        "refused: {}",
        refused.expect_err("the guard has another block on record")
    );

    // Without the service there is no signature, and the error says that it may pass.
    service.abort();
    // Returns the expected cancellation error.
    let _ = service.await;
    let failed = guarded.sign_block(height.next(), other).await;
    let failed = failed.expect_err("the service has stopped");
    assert!(failed.is_transient(), "{failed:?}");
    println!("without the service: {failed}");
    Ok(())
}

#[test]
fn runs_to_completion() {
    main().expect("the example runs");
}
