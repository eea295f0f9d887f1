//! `federation devnet`: runs embedded nodes, for operators or standalone.

mod args;
mod operator_node;
mod standalone;

use std::{
    fs::OpenOptions,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::ExitCode,
};

use federation_chain::Dialect;
use federation_cli::{CliError, OrHelp, out};
use federation_devnet::{DevNode, DevNodeError};
use hex_conservative::DisplayHex;
use secp256k1::rand::{RngCore, thread_rng};
use serde::Serialize;

pub(crate) use self::args::DevnetArgs;
use crate::runtime;

/// The user name in a cookie file, as the nodes define it.
const COOKIE_USER: &str = "__cookie__";

/// Runs the nodes until stopped.
pub(crate) fn run(args: &DevnetArgs) -> Result<ExitCode, CliError> {
    if args.node_conf.is_some() && args.operators.len() > 1 {
        return Err(CliError::usage(
            "--node-conf applies to one node, but there are several operators",
            "run `federation devnet` once for each of them",
        ));
    }
    runtime::multi_thread()?.until_stopped(async |stop| {
        if args.operators.is_empty() {
            return standalone::run(&args.alone, args.json, &stop).await;
        }
        let mut nodes = Vec::new();
        for path in &args.operators {
            let node = operator_node::start(path, args.node_conf.as_deref()).await?;
            node.print(args.json)?;
            nodes.push(node);
        }
        stop.requested().await;
        for node in nodes {
            node.stop().await;
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// A running node.
struct Running {
    node: DevNode,
    info: NodeInfo,
    /// Deleted when the node stops.
    cookie: Option<Cookie>,
}

/// The printed description of a node.
#[derive(Debug, Clone, Serialize)]
struct NodeInfo {
    /// The operator that it belongs to, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    operator: Option<String>,
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    cookie: Option<PathBuf>,
    p2p: String,
    dialect: String,
    chain: String,
    genesis: String,
    height: u32,
}

impl NodeInfo {
    fn new(node: &DevNode, dialect: Dialect, chain: &str, cookie: Option<&Cookie>) -> Self {
        Self {
            operator: None,
            url: node.rpc_url(),
            cookie: cookie.map(|cookie| cookie.path.clone()),
            p2p: node.p2p_address().to_string(),
            dialect: dialect.to_string(),
            chain: chain.to_owned(),
            genesis: node.genesis_hash().to_string(),
            height: node.tip().0.to_u32(),
        }
    }
}

impl Running {
    fn print(&self, json: bool) -> Result<(), CliError> {
        let info = &self.info;
        if json {
            return out::json(info);
        }
        let whose = info.operator.as_deref().unwrap_or("devnet");
        out::line(&format!(
            "{whose}: {} ({}, chain {}, at height {})",
            info.url, info.dialect, info.chain, info.height
        ))
    }

    async fn stop(self) {
        self.node.stop().await;
        drop(self.cookie);
    }
}

/// A cookie file, which exists while the node runs.
#[derive(Debug)]
struct Cookie {
    path: PathBuf,
    password: String,
}

impl Cookie {
    /// Creates a cookie, without writing it yet.
    fn new(path: &Path) -> Self {
        let mut secret = [0; 32];
        thread_rng().fill_bytes(&mut secret);
        Self {
            path: path.to_owned(),
            password: secret.to_lower_hex_string(),
        }
    }

    fn write(&self) -> Result<(), CliError> {
        let what = format!("cannot write the cookie {}", self.path.display());
        let help = "check the folder's permissions";
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder).or_help_in(&what, help)?;
        }
        // Not over an old file, which may have other permissions.
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            removed => removed.or_help_in(&what, help)?,
        }
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&self.path)
            .and_then(|mut file| write!(file, "{COOKIE_USER}:{}", self.password))
            .or_help_in(&what, help)
    }
}

impl Drop for Cookie {
    fn drop(&mut self) {
        // It may not have been written yet.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Converts the error of a node that does not start.
fn failed(error: DevNodeError) -> CliError {
    let help = match &error {
        DevNodeError::Genesis(_) => return CliError::usage(error, "choose another --chain"),
        DevNodeError::Rules(_) => "check the script and con_max_block_sig_size",
        DevNodeError::Listen { .. } => {
            "stop the program that listens there, such as a real node, or choose another port"
        }
        DevNodeError::Store(_) => "choose a writable folder that no other node uses",
        _ => {
            "the folder was created with other settings: delete the devnet folder, together with the operators' stores"
        }
    };
    CliError::failure(error, help)
}
