//! A node of a chain of its own.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use federation_chain::{Block, Dialect, SigningRules};
use federation_cli::{CliError, out};
use federation_devnet::{DevNode, DevNodeConfig};
use federation_multisig::{KeyOrder, MultisigScript, Network, Threshold};
use federation_ocean_rpc::{Auth, Node, NodeClient, NodeConfig};
use federation_signer::{Secret, Signer, SoftwareSigner, key_file};

use super::{COOKIE_USER, Cookie, Running, Told, failed};
use crate::{cli::AloneArgs, run::with_causes, runtime::Stop};

/// The file of the key that signs the blocks, where the chain is kept.
const KEY: &str = "block.key";

/// Runs it until it is told to stop.
pub(super) async fn run(args: &AloneArgs, json: bool, stop: &Stop) -> Result<ExitCode, CliError> {
    if args.interval.is_zero() {
        return Err(CliError::usage(
            "the interval is zero",
            "give --interval of 100ms or more",
        ));
    }
    let temporary = match &args.folder {
        Some(_) => None,
        None => Some(
            tempfile::tempdir()
                .map_err(|error| CliError::failure(error, "check TMPDIR, or give --folder"))?,
        ),
    };
    let folder: PathBuf = match (&args.folder, &temporary) {
        (Some(folder), _) => folder.clone(),
        (None, Some(temporary)) => temporary.path().to_owned(),
        (None, None) => PathBuf::new(),
    };
    let dialect = Dialect::from(args.dialect);
    let (script, key) = match &args.script {
        Some(script) => (script.clone(), None),
        None => {
            let key = own_key(&folder)?;
            (script_of(&key)?, Some(key))
        }
    };
    let cookie = Cookie::new(
        &std::path::absolute(folder.join(".cookie"))
            .map_err(|error| CliError::failure(error, "give --folder"))?,
    );
    let config = DevNodeConfig::new(dialect, script.clone())
        .with_chain(&args.chain)
        .with_listen(args.rpc, args.p2p)
        .with_credentials(COOKIE_USER, &cookie.password)
        .with_folder(&folder);
    let node = DevNode::spawn(config).await.map_err(failed)?;
    cookie.write()?;
    for peer in &args.connect {
        node.connect(*peer);
    }
    let running = Running {
        told: Told::new(&node, dialect, &args.chain, Some(&cookie)),
        node,
        cookie: Some(cookie),
    };
    running.tell(json)?;
    if !json {
        tell_how(args, &running.told, &script)?;
    }
    let ended = match key {
        None => {
            stop.asked().await;
            Ok(())
        }
        Some(key) => {
            tokio::select! {
                Err(error) = make_blocks(&running, dialect, &script, key, args.interval) => Err(error),
                _ = stop.asked() => Ok(()),
            }
        }
    };
    running.stop().await;
    ended.map(|()| ExitCode::SUCCESS)
}

/// The key that signs the blocks: the one of before, where the chain is kept.
fn own_key(folder: &Path) -> Result<Secret, CliError> {
    let wrong = |error: key_file::KeyFileError| {
        CliError::failure(with_causes(&error), "choose another --folder")
    };
    let path = folder.join(KEY);
    if path.exists() {
        return key_file::read(&path, &Network::ELEMENTS_CUSTOM).map_err(wrong);
    }
    std::fs::create_dir_all(folder).map_err(|error| {
        CliError::failure(
            format!("{}: {error}", folder.display()),
            "choose a --folder that can be written",
        )
    })?;
    let key = Secret::generate();
    key_file::create(&path, &key).map_err(wrong)?;
    Ok(key)
}

fn script_of(key: &Secret) -> Result<MultisigScript, CliError> {
    let fault = |error: &dyn core::error::Error| {
        CliError::failure(error, "report this as a fault of the program")
    };
    let one = Threshold::new(1).map_err(|error| fault(&error))?;
    MultisigScript::new(one, vec![key.public_key()], KeyOrder::AsGiven)
        .map_err(|error| fault(&error))
}

/// What a developer does with the node.
fn tell_how(args: &AloneArgs, told: &Told, script: &MultisigScript) -> Result<(), CliError> {
    let Told { url, genesis, .. } = told;
    let cookie = told.cookie.as_deref().unwrap_or(Path::new("")).display();
    if args.script.is_none() {
        out::line(&format!(
            "a block every {:?}, signed by a key of this process\n",
            args.interval
        ))?;
    } else {
        let (dialect, chain) = (&told.dialect, &told.chain);
        let size = SigningRules::required_signature_size(Dialect::from(args.dialect), script);
        out::line(&format!(
            "blocks are left to the operators of the script, whose federation.toml has\n\n\
             chain = \"{chain}\"\ndialect = \"{dialect}\"\ngenesis = \"{genesis}\"\n\
             script = \"{}\"\nmax_block_signature_size = {size}\n",
            script.to_hex()
        ))?;
    }
    out::line(&format!(
        "in operator.toml:\n\n[node]\nurl = \"{url}\"\ncookie = \"{cookie}\"\n\n\
         by hand:\n\ncurl --user \"$(cat {cookie})\" --data '{{\"method\": \"getblockchaininfo\"}}' {url}"
    ))
}

/// Signs a block each interval, until something fails.
async fn make_blocks(
    running: &Running,
    dialect: Dialect,
    script: &MultisigScript,
    key: Secret,
    interval: Duration,
) -> Result<core::convert::Infallible, CliError> {
    let fault = |error: &dyn core::error::Error| {
        CliError::failure(
            format!("no block can be made: {}", with_causes(error)),
            "report this as a fault of the program",
        )
    };
    let size = SigningRules::required_signature_size(dialect, script);
    let rules = SigningRules::new(dialect, script.clone(), size).map_err(|error| fault(&error))?;
    let signer = SoftwareSigner::new(key);
    let (user, password) = running.node.rpc_credentials();
    let reach = NodeConfig::new(running.node.rpc_url())
        .with_auth(Auth::basic(user, password))
        .with_dialect(dialect);
    let client = NodeClient::new(reach).map_err(|error| fault(&error))?;
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let template = client.new_block().await.map_err(|error| fault(&error))?;
        let block = Block::decode(dialect, template).map_err(|error| fault(&error))?;
        let signature = signer.sign_block(block.block_hash()).await;
        let signature = signature.map_err(|error| fault(&error))?;
        let complete = rules
            .assemble(&block, &BTreeMap::from([(0, signature)]))
            .map_err(|error| fault(&error))?;
        client
            .submit_block(complete.as_bytes())
            .await
            .map_err(|error| fault(&error))?;
    }
}
