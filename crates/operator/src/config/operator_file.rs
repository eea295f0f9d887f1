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

use super::{
    Keys, Overrides, Setting, certificate,
    federation_file::{self, FederationFile},
    locations::Locations,
    messenger::{self, MessengerAccess},
    reader::{Found, Reader, Section, merge},
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

impl NodeAccess {
    /// Reads `[node]`.
    fn read(
        reader: &mut Reader<'_>,
        root: &mut Section<'_>,
        folder: &Path,
        overrides: &Overrides,
        locations: &mut Locations,
    ) -> Option<Self> {
        let mut table = root.table_or_empty(reader, "node");
        let url = merge(table.string(reader, "url"), &overrides.node_url);
        let cookie = table.path(reader, "cookie", folder);
        let cookie = merge(cookie, &overrides.node_cookie);
        let user = merge(table.string(reader, "user"), &overrides.node_user);
        let password_file = table.path(reader, "password_file", folder);
        let password_file = merge(password_file, &overrides.node_password_file);
        let timeout = table.duration(reader, "timeout");
        let timeout = merge(timeout, &overrides.node_timeout);
        let url_at = url.as_ref().and_then(|found| found.at);
        locations.record(Setting::Node, reader, url_at.or(table.offset()));
        table.finish(reader);
        match &url {
            None => missing(
                reader,
                "url",
                "add a [node] table with `url = \"http://127.0.0.1:7041\"`",
            ),
            // This only checks the URL; nothing is sent.
            Some(found) => {
                if let Err(error) = NodeClient::new(NodeConfig::new(&found.value)) {
                    let help =
                        "write the node's address and rpcport, as in \"http://127.0.0.1:7041\"";
                    reader.report(found.at, format!("`url`: {error}"), help);
                }
            }
        }
        if user.is_some() != password_file.is_some() {
            missing(reader, "user or password_file", "set both, or a cookie");
        }
        if cookie.is_some() && user.is_some() {
            reader.report(None, "both `cookie` and `user` are set", "keep one of them");
        }
        Some(Self {
            url: url?.value,
            cookie: cookie.map(|found| found.value),
            user: user.map(|found| found.value),
            password_file: password_file.map(|found| found.value),
            timeout: timeout.map(|found| found.value),
        })
    }
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
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut reader = Reader::new(path, &text);
        let document = reader.parse();
        let mut root = document
            .as_ref()
            .map(|document| reader.section("", document.as_table(), None));
        let public = root
            .as_mut()
            .and_then(|root| root.path(&mut reader, "federation", folder));
        let public = match merge(public, &overrides.federation) {
            Some(found) => found.value,
            None => folder.join(federation_file::default_name()),
        };
        let file = read_federation(&public, &mut problems);
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
        let config =
            root.and_then(|root| Self::read(&mut reader, root, folder, overrides, &public, file));
        problems.append(&mut reader.problems);
        problems.sort();
        match config {
            Some(config) if problems.is_empty() => Ok(config),
            _ => Err(ConfigReport { problems }),
        }
    }

    /// Reads the rest of `operator.toml`; `file` is what `federation.toml`, at the path `public`, holds.
    fn read(
        reader: &mut Reader<'_>,
        mut root: Section<'_>,
        folder: &Path,
        overrides: &Overrides,
        public: &Path,
        file: Option<FederationFile>,
    ) -> Option<Self> {
        let mut locations = Locations::new(reader.path());
        let certificate = root.path(reader, "certificate", folder);
        let certificate = merge(certificate, &overrides.certificate);
        let operator = merge(root.string(reader, "operator"), &overrides.operator);
        let store = merge(root.path(reader, "store", folder), &overrides.store);
        let new_key_until = root.integer(reader, "new_key_until");
        let new_key_until = merge(new_key_until, &overrides.new_key_until);
        let missed_blocks = missed_blocks(reader, &mut root);
        if operator.is_none() {
            missing(
                reader,
                "operator",
                "add `operator = \"...\"` with this operator's name in federation.toml",
            );
        }
        if store.is_none() {
            missing(
                reader,
                "store",
                "add `store = \"store\"`, a folder that only this operator uses",
            );
        }
        let me = file
            .as_ref()
            .zip(operator)
            .and_then(|(file, operator)| find(reader, &file.federation, &operator));
        let endpoint = file
            .as_ref()
            .zip(me)
            .and_then(|(file, me)| Some(file.federation.member(me)?.endpoint.as_str()));
        let messenger = MessengerAccess::read(
            reader,
            &mut root,
            folder,
            overrides,
            &mut locations,
            endpoint,
        );
        let keys = Keys::read(reader, &mut root, folder, overrides, &mut locations);
        let node = NodeAccess::read(reader, &mut root, folder, overrides, &mut locations);
        root.finish(reader);
        let file = file?;
        let certificate = {
            let folder = public.parent().unwrap_or(Path::new(""));
            let named = file.certificate.as_ref().map(|name| folder.join(name));
            let path = certificate.map(|found| found.value).or(named);
            path.and_then(|path| certificate::check(&path, public, &file, &mut reader.problems))
        };
        let me = me?;
        for (id, line) in file.federation.ids().zip(&file.endpoint_lines) {
            locations.record_line(Setting::Endpoint(id), public, *line);
        }
        let by_zmq = matches!(messenger, Some(MessengerAccess::Zmq { .. }));
        if by_zmq || (file.classic_until.is_some() && file.classic_kafka.is_none()) {
            let duplicates = messenger::duplicate_endpoints(&file.federation, &locations);
            reader.problems.extend(duplicates);
        }
        Some(Self {
            federation: file.federation,
            chain: file.chain,
            me,
            store: store?.value,
            new_key_until: new_key_until.map(|found| BlockHeight::new(found.value)),
            missed_blocks,
            messenger: messenger?,
            keys: keys?,
            node: node?,
            timeouts: file.timeouts,
            classic_until: file.classic_until,
            classic_kafka: file.classic_kafka,
            sweep: file.sweep,
            reissuance: file.reissuance,
            certificate,
            locations,
        })
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

/// Reports a setting that must be present.
fn missing(reader: &mut Reader<'_>, what: &str, help: &str) {
    reader.report(None, format!("`{what}` is missing"), help);
}

/// Returns the operator of this name, or reports that there is none.
fn find(
    reader: &mut Reader<'_>,
    federation: &Federation,
    operator: &Found<String>,
) -> Option<OperatorId> {
    let name = &operator.value;
    let me = federation.find(name);
    if me.is_none() {
        let known: Vec<_> = federation
            .members()
            .iter()
            .map(|operator| operator.name.as_str())
            .collect();
        reader.report(
            operator.at,
            format!("operator `{name}` is not in the roster"),
            format!("choose one of {}", known.join(", ")),
        );
    }
    me
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

#[cfg(test)]
mod tests;
