//! The node of an operator, as its files describe it.

use std::{
    net::{SocketAddr, ToSocketAddrs},
    path::{Path, PathBuf},
};

use federation_chain::Dialect;
use federation_cli::CliError;
use federation_devnet::{DevNode, DevNodeConfig};
use federation_genesis::{Genesis, NodeKind, Settings};
use federation_operator::config::{Config, Overrides};

use super::{COOKIE_USER, Cookie, Running, Told, failed};
use crate::config_check;

/// The folder of the node's blocks, beside its configuration.
const FOLDER: &str = "devnet";

/// Starts the node of an operator.
pub(super) async fn start(path: &Path, conf: Option<&Path>) -> Result<Running, CliError> {
    let config = config_check::load(path, &Overrides::default())?;
    let dialect = config.federation.rules().dialect();
    let conf = Conf::read(path, conf, dialect)?;
    let settings = Settings::parse(conf.kind, &conf.text).map_err(|error| conf.wrong(&error))?;
    let genesis = Genesis::compute(&settings, None).map_err(|error| conf.wrong(&error))?;
    if genesis.hash() != config.federation.genesis() {
        return Err(conf.wrong(&format!(
            "it makes the genesis {}, federation.toml has {}",
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
    let mut told = Told::new(&node, dialect, &config.chain, access.cookie.as_ref());
    told.operator = Some(config.federation.name(config.me));
    Ok(Running {
        node,
        told,
        cookie: access.cookie,
    })
}

/// How the operator reaches its node.
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
                    format!("a devnet node cannot be at {url}"),
                    "write `url = \"http://127.0.0.1:PORT\"` in [node], and the password elsewhere",
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
                "operator.toml says no way to prove oneself to the node",
                "write `cookie = \"node/.cookie\"` in [node]: the node writes that file",
            ));
        };
        let password = std::fs::read_to_string(file).map_err(|error| {
            CliError::failure(
                format!("password file `{}`: {error}", file.display()),
                "put the node's rpcpassword alone into this file",
            )
        })?;
        Ok(Self {
            rpc,
            user: user.clone(),
            password: password.trim_end_matches(['\n', '\r']).to_owned(),
            cookie: None,
        })
    }
}

fn resolve(host: &str) -> Result<SocketAddr, CliError> {
    let wrong = |what: &dyn core::fmt::Display| {
        CliError::failure(
            format!("{host}: {what}"),
            "write an address of this machine as host:port",
        )
    };
    let mut found = host.to_socket_addrs().map_err(|error| wrong(&error))?;
    found.next().ok_or_else(|| wrong(&"it has no address"))
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
        let text = std::fs::read_to_string(&path).map_err(|error| {
            CliError::failure(
                format!("the node's configuration {}: {error}", path.display()),
                "give the file with --node-conf",
            )
        })?;
        Ok(Self { path, kind, text })
    }

    fn wrong(&self, what: &dyn core::fmt::Display) -> CliError {
        CliError::failure(
            format!("the node's configuration {}: {what}", self.path.display()),
            "take operator.toml, federation.toml and the node's configuration from one `federation init`, or one bundle",
        )
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// The values of a setting that does not make the chain, as they stand in the file.
    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let lines = self.text.lines().map(str::trim);
        lines.filter_map(move |line| line.strip_prefix(name)?.trim_start().strip_prefix('='))
    }

    /// Where the other nodes find it; they are told its address on loopback.
    fn listen_p2p(&self) -> Result<SocketAddr, CliError> {
        match self.values("port").last() {
            None => Ok(([127, 0, 0, 1], 0).into()),
            Some(port) => {
                let port: u16 = port
                    .trim()
                    .parse()
                    .map_err(|_| self.wrong(&format!("`port={port}` is no port")))?;
                Ok(([127, 0, 0, 1], port).into())
            }
        }
    }

    fn peers(&self) -> Result<Vec<SocketAddr>, CliError> {
        let named = self.values("addnode").chain(self.values("connect"));
        named.map(|host| resolve(host.trim())).collect()
    }
}
