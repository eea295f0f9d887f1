//! The operator with a remote key, run as a program: a federation of one on an embedded node, and a key
//! server.

use std::{
    error::Error,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use federation::{
    chain::{BlockHash, Dialect, SigningRules},
    devnet::{DevNode, DevNodeConfig},
    multisig::{KeyOrder, MultisigScript, Threshold},
    signer::{Secret, Signer, SoftwareSigner, key_file},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

async fn serve(listener: TcpListener, key: SoftwareSigner) -> std::io::Result<()> {
    loop {
        let (mut client, _) = listener.accept().await?;
        let mut hash = [0; 32];
        client.read_exact(&mut hash).await?;
        let signature = key.sign_block(BlockHash::from_bytes(hash)).await;
        let signature = signature.expect("a key in memory signs");
        client.write_all(&signature.serialize_compact()).await?;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocks_are_made_with_a_key_that_a_server_holds() -> Result<(), Box<dyn Error>> {
    let (block_key, identity) = (Secret::generate(), Secret::generate());
    let public_key = block_key.public_key();
    let script = MultisigScript::new(Threshold::new(1)?, vec![public_key], KeyOrder::AsGiven)?;
    let size = SigningRules::required_signature_size(Dialect::Dynafed, &script);
    let node = DevNode::spawn(DevNodeConfig::new(Dialect::Dynafed, script)).await?;
    let (user, password) = node.rpc_credentials();
    let url = node
        .rpc_url()
        .replace("://", &format!("://{user}:{password}@"));

    let folder = tempfile::tempdir()?;
    key_file::create(&folder.path().join("identity.key"), &identity)?;
    let roster = folder.path().join("federation.toml");
    let text = format!(
        "chain = \"demo\"\ndialect = \"dynafed\"\ngenesis = \"{}\"\nthreshold = 1\ninterval = \"500ms\"\n\
         max_block_signature_size = {size}\n\n[[operator]]\nname = \"alice\"\nidentity = \"{}\"\n\
         block_key = \"{public_key}\"\nendpoint = \"127.0.0.1:0\"\n",
        node.genesis_hash(),
        identity.x_only_public_key(),
    );
    std::fs::write(&roster, text)?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let server = listener.local_addr()?.to_string();
    tokio::spawn(serve(listener, SoftwareSigner::new(block_key)));

    let mut operator = Command::new(env!("CARGO_BIN_EXE_operator_with_remote_key"))
        .arg(&roster)
        .args(["alice", &url, &server])
        .arg(folder.path())
        .stdout(Stdio::piped())
        .spawn()?;
    let output = operator.stdout.take().ok_or("no output")?;
    let blocks = tokio::task::spawn_blocking(move || {
        let lines = BufReader::new(output).lines();
        lines.take(3).collect::<Result<Vec<_>, _>>()
    });
    let blocks = blocks.await??;
    Command::new("kill")
        .args(["-INT", &operator.id().to_string()])
        .status()?;
    assert!(operator.wait()?.success());
    for (line, height) in blocks.iter().zip(1..) {
        assert!(line.starts_with(&format!("block {height} ")), "{line}");
    }
    assert_eq!(blocks.len(), 3, "{blocks:?}");
    node.stop().await;
    Ok(())
}
