//! A block key of one's own kind: here one that a service keeps and signs with over TCP.
//!
//! Shows what it takes to put an HSM, a cloud's key store or a machine without network behind an
//! operator: implement `Signer`, run its contract, give it to the guard.
//!
//! Run it with `cargo run -p federation-examples --example own_signer`.

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

/// How long the service may take. The protocol asks again, so a signer had better give up.
const PATIENCE: Duration = Duration::from_secs(2);

/// The key service. To each connection it gives its public key (33 bytes), and for each hash
/// (32 bytes) a signature (`r` and `s`, 64 bytes).
///
/// A real one proves who it is and asks who is calling, and stands on another machine.
async fn serve(listener: TcpListener, key: SoftwareSigner) -> io::Result<()> {
    loop {
        let (mut caller, _) = listener.accept().await?;
        caller.write_all(&key.public_key().serialize()).await?;
        let mut hash = [0; 32];
        // One caller after the other; the end of one is no reason to stop.
        while caller.read_exact(&mut hash).await.is_ok() {
            let signature = key.sign_block(BlockHash::from_bytes(hash)).await;
            let signature = signature.map_err(io::Error::other)?;
            caller.write_all(&signature.serialize_compact()).await?;
        }
    }
}

/// A signer whose key is kept by a service.
struct RemoteSigner {
    service: SocketAddr,
    public_key: PublicKey,
}

impl RemoteSigner {
    /// Asks the service for its key, so that a wrong one is noticed at the start.
    async fn connect(service: SocketAddr) -> Result<Self, SignerError> {
        let (_, public_key) = call(service).await?;
        Ok(Self {
            service,
            public_key,
        })
    }

    async fn ask(&self, hash: BlockHash) -> Result<ecdsa::Signature, SignerError> {
        // A connection for each signature: nothing to mend when the service restarts.
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
        // Whether it is a signature of this hash is the guard's to check.
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
    let stream = timeout(PATIENCE, greeting)
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
        // `Unavailable` is what may pass: the operator tries again. `Refused` is for good.
        timeout(PATIENCE, self.ask(hash))
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

    // What every signer has to do, checked by 32 signatures.
    contract::signer(&signer).await;
    println!("the contract holds");

    // An operator takes it only behind a guard, and the guard's store must outlive the process:
    // `RedbGuardStore` of federation-operator does, this one is for examples.
    let guarded = GuardedSigner::new(signer, MemoryGuardStore::new())?;
    let (height, hash) = (BlockHeight::new(7), BlockHash::from_bytes([1; 32]));
    let signature = guarded.sign_block(height, hash).await?;
    println!("signed {hash} at {height}: {signature}");

    // A second block at the height: the service is not even asked.
    let other = BlockHash::from_bytes([2; 32]);
    let refused = guarded.sign_block(height, other).await;
    assert!(matches!(refused, Err(GuardError::Conflict { .. })));
    println!(
        "refused: {}",
        refused.expect_err("the guard has another block on record")
    );

    // The service goes away: no signature, and the operator knows that trying again may help.
    service.abort();
    // Aborted, so its end is no news.
    let _ = service.await;
    let failed = guarded.sign_block(height.next(), other).await;
    let failed = failed.expect_err("nobody is there to sign");
    assert!(failed.is_transient(), "{failed:?}");
    println!("without the service: {failed}");
    Ok(())
}

#[test]
fn runs_to_its_end() {
    main().expect("the example runs");
}
