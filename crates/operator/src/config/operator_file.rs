//! `operator.toml`: which operator this is, its node, its keys and its store.

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
    messenger::{self, MessengerAccess, RawMessenger},
    places::Places,
    reader::{Reader, Section},
    report::{ConfigReport, Problem},
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
    /// How long one call may take.
    pub timeout: Option<Duration>,
}

/// What both files say, checked.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// The roster and the chain.
    pub federation: Arc<Federation>,
    /// The chain's name at the node.
    pub chain: String,
    /// Which operator this is.
    pub me: OperatorId,
    /// The folder of the store.
    pub store: PathBuf,
    /// Up to which height of the chain the block key is to be believed new, if it is.
    pub new_key_until: Option<BlockHeight>,
    /// After how many blocks without this operator's share there is an alarm, if it is set.
    pub missed_blocks: Option<NonZeroU32>,
    /// How the operators talk.
    pub messenger: MessengerAccess,
    /// Where the operator's keys are.
    pub keys: Keys,
    /// How the node is reached.
    pub node: NodeAccess,
    /// Time-outs of the protocol, if the federation sets them.
    pub timeouts: Option<Timeouts>,
    /// The first height of the protocol `agreed`, if the federation still runs `classic` below it.
    pub classic_until: Option<BlockHeight>,
    /// The Kafka brokers that `classic` speaks by, if not by ZeroMQ between the endpoints.
    pub classic_kafka: Option<String>,
    /// The agreed transaction without which there is no block 1, if coins of the genesis can be
    /// spent by anyone.
    pub sweep: Option<Sweep>,
    /// Which assets are made more of.
    pub reissuance: Vec<AssetSettings>,
    /// What all parties of the ceremony have agreed on, if the files name a certificate: verified,
    /// and the same as what they say themselves.
    pub certificate: Option<Arc<Certificate>>,
    /// Where the settings stand.
    places: Places,
}

/// What `operator.toml` says, before anything is required of it.
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
    /// Everything that is wrong with either; if one is no TOML, that alone.
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
        let no_toml = problems.iter().chain(&reader.problems);
        // What has a place in a line is what the parser said.
        let no_toml: Vec<_> = no_toml.filter(|p| p.column.is_some()).cloned().collect();
        if !no_toml.is_empty() {
            // Whatever else is said would follow from it.
            return Err(ConfigReport { problems: no_toml });
        }
        let certificate = federation.as_ref().and_then(|file| {
            let beside = public.parent().unwrap_or(Path::new(""));
            let named = file.certificate.as_ref().map(|name| beside.join(name));
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

    /// What is wrong with a setting that was only found to be wrong when it was used, with its place
    /// in the files, if it stands there.
    #[must_use]
    pub fn problem(
        &self,
        setting: Setting,
        message: impl Into<String>,
        cure: impl Into<String>,
    ) -> Problem {
        self.places.problem(setting, message.into(), cure.into())
    }

    /// How the node is reached, with its credentials read.
    ///
    /// # Errors
    /// If the password file cannot be read.
    pub fn node_config(&self) -> Result<NodeConfig, ConfigReport> {
        let access = &self.node;
        // The dialect is left to be found out, so that a node of another one is noticed at start.
        let mut config = NodeConfig::new(&access.url);
        if let Some(cookie) = &access.cookie {
            config = config.with_auth(Auth::Cookie(cookie.clone()));
        }
        if let (Some(user), Some(file)) = (&access.user, &access.password_file) {
            let password =
                text::read_password(file, "put the node's rpcpassword alone into this file")?;
            config = config.with_auth(Auth::basic(user, password));
        }
        if let Some(timeout) = access.timeout {
            config = config.with_timeout(timeout);
        }
        Ok(config)
    }
}

/// Reads the public `federation.toml` alone: for those who are none of its operators, and want to
/// check what one of them has signed.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load_federation(path: &Path) -> Result<Arc<Federation>, ConfigReport> {
    let mut problems = Vec::new();
    let file = read_federation(path, &mut problems);
    problems.sort();
    file.map(|file| file.federation)
        .ok_or(ConfigReport { problems })
}

fn read_federation(path: &Path, problems: &mut Vec<Problem>) -> Option<FederationFile> {
    let text = match text::read(path) {
        Ok(text) => text,
        Err(problem) => {
            problems.push(problem);
            return None;
        }
    };
    let mut reader = Reader::new(path, &text);
    let file = federation_file::read(&mut reader);
    let fine = reader.problems.is_empty();
    problems.append(&mut reader.problems);
    file.filter(|_| fine)
}

/// Takes what is there; paths are counted from the file's folder.
fn take(reader: &mut Reader<'_>, mut root: Section<'_>, folder: &Path) -> Raw {
    let path = |found: Option<super::reader::Found<String>>| found.map(|p| folder.join(p.value));
    let value = |found: Option<super::reader::Found<String>>| found.map(|found| found.value);
    let operator = root.text(reader, "operator");
    let mut raw = Raw {
        federation: path(root.text(reader, "federation")),
        certificate: path(root.text(reader, "certificate")),
        operator_at: operator.as_ref().and_then(|found| found.at),
        operator: value(operator),
        store: path(root.text(reader, "store")),
        new_key_until: root
            .number(reader, "new_key_until")
            .map(|found| found.value),
        missed_blocks: missed_blocks(reader, &mut root),
        messenger: messenger::take(reader, &mut root, folder),
        keys: key_source::take(reader, &mut root, folder),
        ..Raw::default()
    };
    if let Some(mut node) = root.table(reader, "node") {
        raw.node_at = node.place();
        let url = node.text(reader, "url");
        raw.url_at = url.as_ref().and_then(|found| found.at);
        raw.url = value(url);
        raw.cookie = path(node.text(reader, "cookie"));
        raw.user = value(node.text(reader, "user"));
        raw.password_file = path(node.text(reader, "password_file"));
        raw.timeout = node.duration(reader, "timeout").map(|found| found.value);
        node.finish(reader);
    }
    root.finish(reader);
    raw
}

fn missed_blocks(reader: &mut Reader<'_>, root: &mut Section<'_>) -> Option<NonZeroU32> {
    let found = root.number(reader, "missed_blocks")?;
    let blocks = NonZeroU32::new(found.value);
    if blocks.is_none() {
        reader.note(
            found.at,
            "`missed_blocks` is 0: a block is missed when there is one".to_owned(),
            "write the number of blocks without this operator's share that are an alarm, 3 if left away",
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

    /// Demands what must be there.
    fn require(
        self,
        reader: &mut Reader<'_>,
        path: &Path,
        public: &Path,
        file: Option<FederationFile>,
    ) -> Option<Config> {
        let mut places = Places::new(path);
        self.messenger.place(reader, path, &mut places);
        self.keys.place(reader, path, &mut places);
        places.note(
            Setting::Node,
            path,
            reader.line(self.url_at.or(self.node_at)),
        );
        let mut missing = |what: &str, cure: &str| {
            reader.note(None, format!("`{what}` is missing"), cure);
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
                "add `store = \"store\"`, a folder of this operator's own",
            );
        }
        if self.url.is_none() {
            missing(
                "url",
                "add a [node] table with `url = \"http://127.0.0.1:7041\"`",
            );
        }
        if self.user.is_some() != self.password_file.is_some() {
            missing("user or password_file", "give both, or a cookie");
        }
        // Nothing is asked yet.
        if let Some(url) = &self.url
            && let Err(error) = NodeClient::new(NodeConfig::new(url))
        {
            let cure = "write what the node's rpcport is, as in \"http://127.0.0.1:7041\"";
            reader.note(self.url_at, format!("`url`: {error}"), cure);
        }
        if self.cookie.is_some() && self.user.is_some() {
            reader.note(
                None,
                "both a cookie and a user are given",
                "keep one of them",
            );
        }
        let keys = self.keys.require(reader);
        let file = file?;
        let operator = self.operator?;
        let Some(me) = file.federation.find(&operator) else {
            let known: Vec<_> = file
                .federation
                .operators()
                .iter()
                .map(|o| o.name.as_str())
                .collect();
            reader.note(
                self.operator_at,
                format!("operator `{operator}` is not in the roster"),
                format!("choose one of {}", known.join(", ")),
            );
            return None;
        };
        let endpoint = &file.federation.operator(me)?.endpoint;
        let messenger = self.messenger.require(reader, endpoint);
        for (id, line) in file.federation.ids().zip(&file.endpoint_lines) {
            places.note(Setting::Endpoint(id), public, *line);
        }
        let by_zmq = matches!(messenger, Some(MessengerAccess::Zmq { .. }));
        if by_zmq || (file.classic_until.is_some() && file.classic_kafka.is_none()) {
            let twice = messenger::same_endpoints(&file.federation, &places);
            reader.problems.extend(twice);
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
            places,
        })
    }
}

#[cfg(test)]
mod tests;
