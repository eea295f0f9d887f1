//! The node of an operator, as configured in its files.

use std::{
    net::{SocketAddr, ToSocketAddrs},
    path::{Path, PathBuf},
};

use federation_chain::Dialect;
use federation_cli::{CliError, OrHelp};
use federation_devnet::{DevNode, DevNodeConfig};
use federation_genesis::{Genesis, NodeKind, Settings};
use federation_operator::config::{Config, Overrides};

use super::{COOKIE_USER, Cookie, NodeInfo, Running, failed};
use crate::files;

/// The folder of the node's blocks, next to its configuration.
const FOLDER: &str = "devnet";

/// Starts the node of an operator.
pub(super) async fn start(path: &Path, conf: Option<&Path>) -> Result<Running, CliError> {
    let config = files::load(path, &Overrides::default())?;
    let dialect = config.federation.rules().dialect();
    let conf = Conf::read(path, conf, dialect)?;
    let settings = Settings::parse(conf.kind, &conf.text).map_err(|error| conf.error(&error))?;
    let genesis = Genesis::compute(&settings, None).map_err(|error| conf.error(&error))?;
    if genesis.hash() != config.federation.genesis() {
        return Err(conf.error(&format!(
            "its genesis block is {}, but federation.toml says {}",
            genesis.hash(),
            config.federation.genesis()
        )));
    }
    let rules = config.federation.rules();
    let access = Access::of(&config)?;
    let mut devnet = DevNodeConfig::new(dialect, rules.script().clone())
        .with_chain(&config.chain)
        .with_max_signature_size(rules.max_signature_size())
        .with_genesis(
            genesis.to_bytes().into(),
            genesis.pegged_asset().to_byte_array(),
        )
        .with_listen(access.rpc, conf.listen_p2p()?)
        .with_credentials(&access.user, &access.password)
        .with_folder(conf.folder().join(FOLDER));
    let mut epochs = settings.iter();
    if let Some(length) = epochs.find(|setting| setting.name == "dynamic_epoch_length")
        && let Some(Ok(length)) = length.values.first().map(|length| length.parse())
    {
        devnet = devnet.with_epoch_length(length);
    }
    let node = DevNode::spawn(devnet).await.map_err(failed)?;
    if let Some(cookie) = &access.cookie {
        cookie.write()?;
    }
    for peer in conf.peers()? {
        node.connect(peer);
    }
    let mut info = NodeInfo::new(&node, dialect, &config.chain, access.cookie.as_ref());
    info.operator = Some(config.federation.name(config.me));
    Ok(Running {
        node,
        info,
        cookie: access.cookie,
    })
}

/// The operator's access to its node.
struct Access {
    rpc: SocketAddr,
    user: String,
    password: String,
    cookie: Option<Cookie>,
}

impl Access {
    fn of(config: &Config) -> Result<Self, CliError> {
        let access = &config.node;
        let url = &access.url;
        let host = url
            .strip_prefix("http://")
            .map(|rest| rest.trim_end_matches('/'))
            .filter(|host| !host.contains(['/', '@']))
            .ok_or_else(|| {
                CliError::failure(
                    format!("a devnet node cannot serve {url}"),
                    "set `url = \"http://127.0.0.1:PORT\"` in [node], without a password in it",
                )
            })?;
        let rpc = resolve(host)?;
        if let Some(path) = &access.cookie {
            let cookie = Cookie::new(path);
            return Ok(Self {
                rpc,
                user: COOKIE_USER.to_owned(),
                password: cookie.password.clone(),
                cookie: Some(cookie),
            });
        }
        let (Some(user), Some(file)) = (&access.user, &access.password_file) else {
            return Err(CliError::failure(
                "operator.toml does not configure credentials for the node",
                "set `cookie = \"node/.cookie\"` in [node]: the node writes that file",
            ));
        };
        let password = std::fs::read_to_string(file).or_help_in(
            format!("password file `{}`", file.display()),
            "write only the node's rpcpassword into this file",
        )?;
        Ok(Self {
            rpc,
            user: user.clone(),
            password: password.trim_end_matches(['\n', '\r']).to_owned(),
            cookie: None,
        })
    }
}

fn resolve(host: &str) -> Result<SocketAddr, CliError> {
    let failed = |what: &dyn core::fmt::Display| {
        CliError::failure(
            format!("{host}: {what}"),
            "use an address of this machine, host:port",
        )
    };
    let mut found = host.to_socket_addrs().map_err(|error| failed(&error))?;
    found.next().ok_or_else(|| failed(&"no address found"))
}

/// The configuration of the node.
struct Conf {
    path: PathBuf,
    kind: NodeKind,
    text: String,
}

impl Conf {
    fn read(operator: &Path, given: Option<&Path>, dialect: Dialect) -> Result<Self, CliError> {
        let kind = NodeKind::from(dialect);
        let beside = operator.parent().unwrap_or(Path::new("")).join("node");
        let path = given.map_or_else(|| beside.join(kind.conf_file()), Path::to_owned);
        let text = std::fs::read_to_string(&path).or_help_in(
            format!("the node's configuration {}", path.display()),
            "pass the file with --node-conf",
        )?;
        Ok(Self { path, kind, text })
    }

    fn error(&self, what: &dyn core::fmt::Display) -> CliError {
        CliError::failure(
            format!("the node's configuration {}: {what}", self.path.display()),
            "use operator.toml, federation.toml and the node's configuration from the same `federation init`, or the same bundle",
        )
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// Returns the values of a setting that does not affect the chain, as written in the file.
    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let lines = self.text.lines().map(str::trim);
        lines.filter_map(move |line| line.strip_prefix(name)?.trim_start().strip_prefix('='))
    }

    /// Returns the address to accept the other nodes at, on loopback.
    fn listen_p2p(&self) -> Result<SocketAddr, CliError> {
        match self.values("port").last() {
            None => Ok(([127, 0, 0, 1], 0).into()),
            Some(port) => {
                let port: u16 = port
                    .trim()
                    .parse()
                    .map_err(|_| self.error(&format!("`port={port}` is not a port number")))?;
                Ok(([127, 0, 0, 1], port).into())
            }
        }
    }

    fn peers(&self) -> Result<Vec<SocketAddr>, CliError> {
        let named = self.values("addnode").chain(self.values("connect"));
        named.map(|host| resolve(host.trim())).collect()
    }
}
