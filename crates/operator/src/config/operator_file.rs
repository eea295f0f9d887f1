//! `operator.toml`: the operator's name, node, keys and store.

use std::{
    num::NonZeroU32,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use federation_block_signing::Timeouts;
use federation_ceremony::Certificate;
use federation_chain::BlockHeight;
use federation_genesis::Sweep;
use federation_ocean_rpc::{Auth, NodeClient, NodeConfig};
use federation_reissuance::AssetSettings;
use federation_roster::{Federation, OperatorId};
use federation_signer::KeyRole;

use super::{
    Keys, Overrides, Setting, certificate,
    federation_file::{self, FederationFile},
    key_source::{self, RawKeys},
    locations::Locations,
    messenger::{self, MessengerAccess, RawMessenger},
    reader::{Reader, Section},
    report::{ConfigProblem, ConfigReport},
    text,
};

/// How the node is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeAccess {
    /// Its URL.
    pub url: String,
    /// Its cookie file.
    pub cookie: Option<PathBuf>,
    /// Its `rpcuser`.
    pub user: Option<String>,
    /// A file with its `rpcpassword`.
    pub password_file: Option<PathBuf>,
    /// The timeout of a call.
    pub timeout: Option<Duration>,
}

/// The checked settings of both files.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// The roster and the chain.
    pub federation: Arc<Federation>,
    /// The node's name for the chain.
    pub chain: String,
    /// This operator's id.
    pub me: OperatorId,
    /// The folder of the store.
    pub store: PathBuf,
    /// The chain height up to which the block key may be trusted to be new, if it is.
    pub new_key_until: Option<BlockHeight>,
    /// How many blocks without this operator's share raise an alarm, if set.
    pub missed_blocks: Option<NonZeroU32>,
    /// The messenger.
    pub messenger: MessengerAccess,
    /// Where the operator's keys are.
    pub keys: Keys,
    /// How the node is reached.
    pub node: NodeAccess,
    /// The protocol's timeouts, if the federation sets them.
    pub timeouts: Option<Timeouts>,
    /// The first height of the protocol `agreed`, if the federation still runs `classic` below it.
    pub classic_until: Option<BlockHeight>,
    /// The Kafka brokers that `classic` uses; `None` if it uses ZeroMQ between the endpoints.
    pub classic_kafka: Option<String>,
    /// The agreed transaction that block 1 must contain, if anyone can spend coins of the genesis
    /// block.
    pub sweep: Option<Sweep>,
    /// The assets that are reissued.
    pub reissuance: Vec<AssetSettings>,
    /// The ceremony's certificate, if the files name one: verified, and in agreement with the files.
    pub certificate: Option<Arc<Certificate>>,
    /// Where the settings are in the files.
    locations: Locations,
}

/// The settings as found in `operator.toml`, before required ones are checked.
#[derive(Default)]
struct Raw {
    federation: Option<PathBuf>,
    certificate: Option<PathBuf>,
    operator: Option<String>,
    operator_at: Option<usize>,
    store: Option<PathBuf>,
    new_key_until: Option<u32>,
    missed_blocks: Option<NonZeroU32>,
    messenger: RawMessenger,
    keys: RawKeys,
    url: Option<String>,
    url_at: Option<usize>,
    node_at: Option<usize>,
    cookie: Option<PathBuf>,
    user: Option<String>,
    password_file: Option<PathBuf>,
    timeout: Option<Duration>,
}

impl Config {
    /// Reads `operator.toml` and the `federation.toml` that it names.
    ///
    /// # Errors
    /// All errors in either file; if one is not valid TOML, only that.
    pub fn load(path: &Path, overrides: &Overrides) -> Result<Self, ConfigReport> {
        let mut problems = Vec::new();
        let text = text::read(path).map_err(|problem| ConfigReport {
            problems: vec![problem],
        })?;
        let mut reader = Reader::new(path, &text);
        let mut raw = reader
            .parse()
            .map(|document| {
                let root = reader.section("", document.as_table(), None);
                take(&mut reader, root, path.parent().unwrap_or(Path::new("")))
            })
            .unwrap_or_default();
        raw.apply(overrides);
        let folder = path.parent().unwrap_or(Path::new(""));
        let public = raw
            .federation
            .clone()
            .unwrap_or_else(|| folder.join(federation_file::default_name()));
        let federation = read_federation(&public, &mut problems);
        let syntax_errors = problems.iter().chain(&reader.problems);
        // Only the parser's errors have a column.
        let syntax_errors: Vec<_> = syntax_errors
            .filter(|p| p.column.is_some())
            .cloned()
            .collect();
        if !syntax_errors.is_empty() {
            // All other errors would be consequences.
            return Err(ConfigReport {
                problems: syntax_errors,
            });
        }
        let certificate = federation.as_ref().and_then(|file| {
            let folder = public.parent().unwrap_or(Path::new(""));
            let named = file.certificate.as_ref().map(|name| folder.join(name));
            let path = raw.certificate.clone().or(named)?;
            certificate::check(&path, &public, file, &mut problems)
        });
        let config = raw.require(&mut reader, path, &public, federation);
        problems.append(&mut reader.problems);
        problems.sort();
        match config {
            Some(config) if problems.is_empty() => Ok(Self {
                certificate,
                ..config
            }),
            _ => Err(ConfigReport { problems }),
        }
    }

    /// Returns a problem with a setting that turned out to be wrong when it was used, with its line if
    /// it comes from a file.
    #[must_use]
    pub fn problem(
        &self,
        setting: Setting,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> ConfigProblem {
        self.locations.problem(setting, message.into(), help.into())
    }

    /// Returns how to reach the node, including the credentials read from their file.
    ///
    /// # Errors
    /// If the password file cannot be read.
    pub fn node_config(&self) -> Result<NodeConfig, ConfigReport> {
        let access = &self.node;
        // The dialect is detected, so that a node of another dialect is noticed at the start.
        let mut config = NodeConfig::new(&access.url);
        if let Some(cookie) = &access.cookie {
            config = config.with_auth(Auth::Cookie(cookie.clone()));
        }
        if let (Some(user), Some(file)) = (&access.user, &access.password_file) {
            let password =
                text::read_password(file, "the file must contain only the node's rpcpassword")?;
            config = config.with_auth(Auth::basic(user, password));
        }
        if let Some(timeout) = access.timeout {
            config = config.with_timeout(timeout);
        }
        Ok(config)
    }
}

/// Reads only the public `federation.toml`, for third parties who want to check what an operator
/// signed.
///
/// # Errors
/// All errors in the file.
pub fn load_federation(path: &Path) -> Result<Arc<Federation>, ConfigReport> {
    let mut problems = Vec::new();
    let file = read_federation(path, &mut problems);
    problems.sort();
    file.map(|file| file.federation)
        .ok_or(ConfigReport { problems })
}

fn read_federation(path: &Path, problems: &mut Vec<ConfigProblem>) -> Option<FederationFile> {
    let text = match text::read(path) {
        Ok(text) => text,
        Err(problem) => {
            problems.push(problem);
            return None;
        }
    };
    let mut reader = Reader::new(path, &text);
    let file = federation_file::read(&mut reader);
    let is_valid = reader.problems.is_empty();
    problems.append(&mut reader.problems);
    file.filter(|_| is_valid)
}

/// Reads the settings that are present; paths are relative to the file's folder.
fn take(reader: &mut Reader<'_>, mut root: Section<'_>, folder: &Path) -> Raw {
    let path = |found: Option<super::reader::Found<String>>| found.map(|p| folder.join(p.value));
    let value = |found: Option<super::reader::Found<String>>| found.map(|found| found.value);
    let operator = root.string(reader, "operator");
    let mut raw = Raw {
        federation: path(root.string(reader, "federation")),
        certificate: path(root.string(reader, "certificate")),
        operator_at: operator.as_ref().and_then(|found| found.at),
        operator: value(operator),
        store: path(root.string(reader, "store")),
        new_key_until: root
            .integer(reader, "new_key_until")
            .map(|found| found.value),
        missed_blocks: missed_blocks(reader, &mut root),
        messenger: messenger::take(reader, &mut root, folder),
        keys: key_source::take(reader, &mut root, folder),
        ..Raw::default()
    };
    if let Some(mut node) = root.table(reader, "node") {
        raw.node_at = node.offset();
        let url = node.string(reader, "url");
        raw.url_at = url.as_ref().and_then(|found| found.at);
        raw.url = value(url);
        raw.cookie = path(node.string(reader, "cookie"));
        raw.user = value(node.string(reader, "user"));
        raw.password_file = path(node.string(reader, "password_file"));
        raw.timeout = node.duration(reader, "timeout").map(|found| found.value);
        node.finish(reader);
    }
    root.finish(reader);
    raw
}

fn missed_blocks(reader: &mut Reader<'_>, root: &mut Section<'_>) -> Option<NonZeroU32> {
    let found = root.integer(reader, "missed_blocks")?;
    let blocks = NonZeroU32::new(found.value);
    if blocks.is_none() {
        reader.report(
            found.at,
            "`missed_blocks` is 0, it must be at least 1".to_owned(),
            "write after how many blocks without this operator's share to raise an alarm, or omit it for 3",
        );
    }
    blocks
}

impl Raw {
    fn apply(&mut self, overrides: &Overrides) {
        fn replace<T: Clone>(setting: &mut Option<T>, with: &Option<T>) {
            if with.is_some() {
                setting.clone_from(with);
            }
        }
        replace(&mut self.federation, &overrides.federation);
        replace(&mut self.certificate, &overrides.certificate);
        replace(&mut self.operator, &overrides.operator);
        replace(&mut self.store, &overrides.store);
        replace(&mut self.new_key_until, &overrides.new_key_until);
        self.messenger.replace(overrides);
        let keys = &mut self.keys;
        keys.replace(KeyRole::Block, overrides.block_key_file.as_ref());
        keys.replace(KeyRole::Identity, overrides.identity_key_file.as_ref());
        replace(&mut self.url, &overrides.node_url);
        if overrides.node_url.is_some() {
            self.url_at = None;
        }
        replace(&mut self.cookie, &overrides.node_cookie);
        replace(&mut self.user, &overrides.node_user);
        replace(&mut self.password_file, &overrides.node_password_file);
        replace(&mut self.timeout, &overrides.node_timeout);
    }

    /// Checks that required settings are present.
    fn require(
        self,
        reader: &mut Reader<'_>,
        path: &Path,
        public: &Path,
        file: Option<FederationFile>,
    ) -> Option<Config> {
        let mut locations = Locations::new(path);
        self.messenger
            .record_locations(reader, path, &mut locations);
        self.keys.record_locations(reader, path, &mut locations);
        locations.record(
            Setting::Node,
            path,
            reader.line(self.url_at.or(self.node_at)),
        );
        let mut missing = |what: &str, help: &str| {
            reader.report(None, format!("`{what}` is missing"), help);
        };
        if self.operator.is_none() {
            missing(
                "operator",
                "add `operator = \"...\"` with this operator's name in federation.toml",
            );
        }
        if self.store.is_none() {
            missing(
                "store",
                "add `store = \"store\"`, a folder that only this operator uses",
            );
        }
        if self.url.is_none() {
            missing(
                "url",
                "add a [node] table with `url = \"http://127.0.0.1:7041\"`",
            );
        }
        if self.user.is_some() != self.password_file.is_some() {
            missing("user or password_file", "set both, or a cookie");
        }
        // This only checks the URL; nothing is sent.
        if let Some(url) = &self.url
            && let Err(error) = NodeClient::new(NodeConfig::new(url))
        {
            let help = "write the node's address and rpcport, as in \"http://127.0.0.1:7041\"";
            reader.report(self.url_at, format!("`url`: {error}"), help);
        }
        if self.cookie.is_some() && self.user.is_some() {
            reader.report(None, "both `cookie` and `user` are set", "keep one of them");
        }
        let keys = self.keys.require(reader);
        let file = file?;
        let operator = self.operator?;
        let Some(me) = file.federation.find(&operator) else {
            let known: Vec<_> = file
                .federation
                .members()
                .iter()
                .map(|o| o.name.as_str())
                .collect();
            reader.report(
                self.operator_at,
                format!("operator `{operator}` is not in the roster"),
                format!("choose one of {}", known.join(", ")),
            );
            return None;
        };
        let endpoint = &file.federation.member(me)?.endpoint;
        let messenger = self.messenger.require(reader, endpoint);
        for (id, line) in file.federation.ids().zip(&file.endpoint_lines) {
            locations.record(Setting::Endpoint(id), public, *line);
        }
        let by_zmq = matches!(messenger, Some(MessengerAccess::Zmq { .. }));
        if by_zmq || (file.classic_until.is_some() && file.classic_kafka.is_none()) {
            let duplicates = messenger::duplicate_endpoints(&file.federation, &locations);
            reader.problems.extend(duplicates);
        }
        Some(Config {
            federation: file.federation,
            chain: file.chain,
            me,
            store: self.store?,
            new_key_until: self.new_key_until.map(BlockHeight::new),
            missed_blocks: self.missed_blocks,
            messenger: messenger?,
            keys: keys?,
            node: NodeAccess {
                url: self.url?,
                cookie: self.cookie,
                user: self.user,
                password_file: self.password_file,
                timeout: self.timeout,
            },
            timeouts: file.timeouts,
            classic_until: file.classic_until,
            classic_kafka: file.classic_kafka,
            sweep: file.sweep,
            reissuance: file.reissuance,
            certificate: None,
            locations,
        })
    }
}

#[cfg(test)]
mod tests;
