//! A standalone node of a new chain.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use federation_chain::{Block, Dialect, SigningRules};
use federation_cli::{BUG, CliError, OrHelp, out};
use federation_devnet::{DevNode, DevNodeConfig};
use federation_multisig::{KeyOrder, MultisigScript, Network, Threshold};
use federation_ocean_rpc::{Auth, Node, NodeClient, NodeConfig};
use federation_signer::{Secret, Signer, SoftwareSigner, key_file};

use super::{COOKIE_USER, Cookie, NodeInfo, Running, args::AloneArgs, failed};
use crate::runtime::Stop;

/// The file of the key that signs the blocks, in the chain's folder.
const KEY: &str = "block.key";

/// Runs the node until stopped.
pub(super) async fn run(args: &AloneArgs, json: bool, stop: &Stop) -> Result<ExitCode, CliError> {
    if args.interval.is_zero() {
        return Err(CliError::usage(
            "the interval is zero",
            "use an --interval of 100ms or more",
        ));
    }
    let temporary = match &args.folder {
        Some(_) => None,
        None => Some(tempfile::tempdir().or_help("check TMPDIR, or use --folder")?),
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
        &std::path::absolute(folder.join(".cookie")).or_help("choose a folder with --folder")?,
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
        info: NodeInfo::new(&node, dialect, &args.chain, Some(&cookie)),
        node,
        cookie: Some(cookie),
    };
    running.print(json)?;
    if !json {
        print_usage(args, &running.info, &script)?;
    }
    let ended = match key {
        None => {
            stop.requested().await;
            Ok(())
        }
        Some(key) => {
            tokio::select! {
                Err(error) = make_blocks(&running, dialect, &script, key, args.interval) => Err(error),
                _ = stop.requested() => Ok(()),
            }
        }
    };
    running.stop().await;
    ended.map(|()| ExitCode::SUCCESS)
}

/// Opens the key that signs the blocks; creates one for a new chain.
fn own_key(folder: &Path) -> Result<Secret, CliError> {
    let help = "choose another --folder";
    let path = folder.join(KEY);
    if path.exists() {
        return key_file::read(&path, &Network::ELEMENTS_CUSTOM).or_help(help);
    }
    std::fs::create_dir_all(folder).or_help_in(
        format!("{}", folder.display()),
        "choose a writable --folder",
    )?;
    let key = Secret::generate();
    key_file::create(&path, &key).or_help(help)?;
    Ok(key)
}

fn script_of(key: &Secret) -> Result<MultisigScript, CliError> {
    let one = Threshold::new(1).or_help(BUG)?;
    MultisigScript::new(one, vec![key.public_key()], KeyOrder::AsGiven).or_help(BUG)
}

/// Prints how to use the node.
fn print_usage(args: &AloneArgs, info: &NodeInfo, script: &MultisigScript) -> Result<(), CliError> {
    let NodeInfo { url, genesis, .. } = info;
    let cookie = info.cookie.as_deref().unwrap_or(Path::new("")).display();
    if args.script.is_none() {
        out::line(&format!(
            "producing a block every {:?}, signed by a key of this process\n",
            args.interval
        ))?;
    } else {
        let (dialect, chain) = (&info.dialect, &info.chain);
        let size = SigningRules::required_signature_size(Dialect::from(args.dialect), script);
        out::line(&format!(
            "waiting for blocks of the script's operators; in their federation.toml:\n\n\
             chain = \"{chain}\"\ndialect = \"{dialect}\"\ngenesis = \"{genesis}\"\n\
             script = \"{}\"\nmax_block_signature_size = {size}\n",
            script.to_hex()
        ))?;
    }
    out::line(&format!(
        "in operator.toml:\n\n[node]\nurl = \"{url}\"\ncookie = \"{cookie}\"\n\n\
         to call it:\n\ncurl --user \"$(cat {cookie})\" --data '{{\"method\": \"getblockchaininfo\"}}' {url}"
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
    let what = "cannot make a block";
    let size = SigningRules::required_signature_size(dialect, script);
    let rules = SigningRules::new(dialect, script.clone(), size).or_help_in(what, BUG)?;
    let signer = SoftwareSigner::new(key);
    let (user, password) = running.node.rpc_credentials();
    let reach = NodeConfig::new(running.node.rpc_url())
        .with_auth(Auth::basic(user, password))
        .with_dialect(dialect);
    let client = NodeClient::new(reach).or_help_in(what, BUG)?;
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let template = client.new_block().await.or_help_in(what, BUG)?;
        let block = Block::decode(dialect, template).or_help_in(what, BUG)?;
        let signature = signer.sign_block(block.block_hash()).await;
        let signature = signature.or_help_in(what, BUG)?;
        let complete = rules
            .assemble(&block, &BTreeMap::from([(0, signature)]))
            .or_help_in(what, BUG)?;
        client
            .submit_block(complete.as_bytes())
            .await
            .or_help_in(what, BUG)?;
    }
}
