//! `federation devnet`: embedded nodes, for operators or alone.

mod alone;
mod of_operator;

use std::{
    fs::OpenOptions,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::ExitCode,
};

use federation_chain::Dialect;
use federation_cli::{CliError, out};
use federation_devnet::{DevNode, DevNodeError};
use hex_conservative::DisplayHex;
use secp256k1::rand::{RngCore, thread_rng};
use serde::Serialize;

use crate::{cli::DevnetArgs, runtime};

/// The user of a cookie, as the nodes have it.
const COOKIE_USER: &str = "__cookie__";

/// Runs the nodes until it is told to stop.
pub(crate) fn run(args: &DevnetArgs) -> Result<ExitCode, CliError> {
    if args.node_conf.is_some() && args.operators.len() > 1 {
        return Err(CliError::usage(
            "--node-conf is of one node, and there are several operators",
            "run `federation devnet` once for each of them",
        ));
    }
    runtime::multi_thread()?.until_stopped(async |stop| {
        if args.operators.is_empty() {
            return alone::run(&args.alone, args.json, &stop).await;
        }
        let mut nodes = Vec::new();
        for path in &args.operators {
            let node = of_operator::start(path, args.node_conf.as_deref()).await?;
            node.tell(args.json)?;
            nodes.push(node);
        }
        stop.asked().await;
        for node in nodes {
            node.stop().await;
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// A node that runs, and what is told of it.
struct Running {
    node: DevNode,
    told: Told,
    /// Removed when the node is stopped.
    cookie: Option<Cookie>,
}

/// What is told of a node.
#[derive(Debug, Clone, Serialize)]
struct Told {
    /// Whose it is, if it is an operator's.
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

impl Told {
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
    fn tell(&self, json: bool) -> Result<(), CliError> {
        let told = &self.told;
        if json {
            return out::json(told);
        }
        let whose = told.operator.as_deref().unwrap_or("devnet");
        out::line(&format!(
            "{whose}: {} ({}, chain {}, at height {})",
            told.url, told.dialect, told.chain, told.height
        ))
    }

    async fn stop(self) {
        self.node.stop().await;
        drop(self.cookie);
    }
}

/// A cookie file, as nodes write it: there while the node runs.
#[derive(Debug)]
struct Cookie {
    path: PathBuf,
    password: String,
}

impl Cookie {
    /// A new one, not written yet.
    fn new(path: &Path) -> Self {
        let mut secret = [0; 32];
        thread_rng().fill_bytes(&mut secret);
        Self {
            path: path.to_owned(),
            password: secret.to_lower_hex_string(),
        }
    }

    fn write(&self) -> Result<(), CliError> {
        let failed = |error: std::io::Error| {
            CliError::failure(
                format!("cannot write the cookie {}: {error}", self.path.display()),
                "check who may write there",
            )
        };
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        // Not the file of before, whose mode may be another.
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed(error));
            }
            _ => {}
        }
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&self.path)
            .and_then(|mut file| write!(file, "{COOKIE_USER}:{}", self.password))
            .map_err(failed)
    }
}

impl Drop for Cookie {
    fn drop(&mut self) {
        // It may not have been written.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Why a node does not run.
fn failed(error: DevNodeError) -> CliError {
    let cure = match &error {
        DevNodeError::Genesis(_) => return CliError::usage(error, "choose another --chain"),
        DevNodeError::Rules(_) => "check the script and con_max_block_sig_size",
        DevNodeError::Listen { .. } => {
            "stop what listens there, such as a real node, or choose another port"
        }
        DevNodeError::Store(_) => {
            "choose a folder that can be written, and that no other node has open"
        }
        _ => {
            "it was made with other settings: remove its devnet folder, and the operators' stores with it"
        }
    };
    CliError::failure(error, cure)
}
