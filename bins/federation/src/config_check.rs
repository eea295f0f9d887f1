//! `federation config check`: what is wrong with the files, all at once.

use std::{collections::BTreeMap, path::Path, process::ExitCode};

use federation_cli::{CliError, out};
use federation_operator::config::{Config, ConfigReport, Overrides, Problem, Setting};
use federation_signer::{KeyRole, KeySource};
use serde_json::json;

use crate::{
    cli::{ConfigArgs, ConfigCommand},
    keys, messenger, node, reissuance, runtime,
};

/// Checks both files, and what they name on this machine.
pub(crate) fn run(args: &ConfigArgs) -> Result<ExitCode, CliError> {
    let ConfigCommand::Check {
        config: path,
        without_keys,
        json,
        settings,
    } = &args.command;
    let mut tried = Tried::default();
    let result = match Config::load(path, &settings.overrides()) {
        Ok(config) => {
            tried.settings(&config);
            if *without_keys {
                tried.left = Some("not opened, as --without-keys asks");
            } else {
                runtime::current_thread()?.block_on(tried.keys(&config));
            }
            tried.report().map(|()| config)
        }
        Err(report) => Err(report),
    };
    if *json {
        tell_json(&result, &tried)?;
    } else {
        tell(path, &result, &tried)?;
    }
    Ok(if result.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What came of trying the settings out, with the code with which they are used.
#[derive(Default)]
struct Tried {
    problems: Vec<Problem>,
    /// The keys that open, and are the roster's.
    keys: BTreeMap<KeyRole, String>,
    /// Why keys were not looked at.
    left: Option<&'static str>,
}

impl Tried {
    fn wrong(&mut self, config: &Config, setting: Setting, error: &CliError) {
        let problem = config.problem(setting, error.what(), error.cure());
        self.problems.push(problem);
    }

    fn report(&mut self) -> Result<(), ConfigReport> {
        if self.problems.is_empty() {
            return Ok(());
        }
        let mut problems = std::mem::take(&mut self.problems);
        problems.sort();
        Err(ConfigReport { problems })
    }

    /// The node's address and password, the messenger's addresses and settings.
    fn settings(&mut self, config: &Config) {
        match config.node_config() {
            Ok(_) => {
                if let Err(error) = node::client(config) {
                    self.wrong(config, Setting::Node, &error);
                }
            }
            Err(report) => self.problems.extend(report.problems),
        }
        self.problems.extend(messenger::check(config));
    }

    /// Opens each key as the daemon does, without taking it from one that runs.
    async fn keys(&mut self, config: &Config) {
        // Without a client there is no wallet, and the problem is known.
        let Ok(client) = node::client(config) else {
            return;
        };
        let opened = keys::open_block(config, &client).await;
        let block = opened.and_then(|signer| {
            let key = signer.public_key();
            keys::check_block(config, &key).map(|()| key.to_string())
        });
        let asked = match config.keys.block {
            KeySource::Node { .. } => {
                ", said to be in the node's wallet: `federation preflight` asks whether it is"
            }
            _ => "",
        };
        self.key(config, KeyRole::Block, block.map(|key| key + asked));
        let identity = keys::open_identity(config).and_then(|signer| {
            let key = signer.public_key();
            keys::check_identity(config, &key).map(|()| key.to_string())
        });
        self.key(config, KeyRole::Identity, identity);
        match keys::open_reissuance(config).await {
            Ok(None) => {}
            Ok(Some(spender)) => {
                let checked = reissuance::check_key(config, spender.as_ref());
                self.key(config, KeyRole::Reissuance, checked);
            }
            Err(error) => self.key(config, KeyRole::Reissuance, Err(error)),
        }
    }

    fn key(&mut self, config: &Config, role: KeyRole, found: Result<String, CliError>) {
        match found {
            Ok(found) => {
                self.keys.insert(role, found);
            }
            Err(error) => self.wrong(config, Setting::Key(role), &error),
        }
    }
}

fn tell(path: &Path, result: &Result<Config, ConfigReport>, tried: &Tried) -> Result<(), CliError> {
    let config = match result {
        Ok(config) => config,
        Err(report) => return out::line(&report.to_string()),
    };
    let federation = &config.federation;
    out::line(&format!(
        "{} is fine: {} is one of {} operators, {} sign, {} may be absent, {} may lie\n\
         federation {}, epoch {}",
        path.display(),
        federation.name(config.me),
        federation.size(),
        federation.threshold(),
        federation.tolerated_absent(),
        federation.tolerated_liars(),
        federation.id(),
        federation.epoch(),
    ))?;
    if let Some(why) = &tried.left {
        out::line(&format!("keys: {why}"))?;
    }
    for (role, key) in &tried.keys {
        out::line(&format!("{role} key {key}"))?;
    }
    out::line("not asked: node, brokers and other operators; `federation preflight` does")
}

fn tell_json(result: &Result<Config, ConfigReport>, tried: &Tried) -> Result<(), CliError> {
    let problems: Vec<_> = result
        .as_ref()
        .err()
        .map(|report| &report.problems[..])
        .unwrap_or_default()
        .iter()
        .map(|problem| {
            json!({
                "file": problem.file,
                "line": problem.line,
                "column": problem.column,
                "message": problem.message,
                "cure": problem.help,
            })
        })
        .collect();
    let keys: BTreeMap<_, _> = tried
        .keys
        .iter()
        .map(|(role, key)| (role.as_str(), key))
        .collect();
    let federation = result.as_ref().ok().map(|config| &config.federation);
    let id = federation.map(|federation| federation.id().to_string());
    let epoch = federation.map(|federation| federation.epoch());
    let answer = json!({ "problems": problems, "federation": id, "epoch": epoch, "keys": keys });
    out::line(&answer.to_string())
}

/// Loads the files, or says everything that is wrong with them.
pub(crate) fn load(path: &Path, overrides: &Overrides) -> Result<Config, CliError> {
    Config::load(path, overrides).map_err(|report| CliError::plain(report.to_string()))
}
