//! `federation config check`: reports every error in the configuration files.

mod args;

use std::{collections::BTreeMap, path::Path, process::ExitCode};

use federation_cli::{CliError, out};
use federation_operator::config::{Config, ConfigProblem, ConfigReport, Setting};
use federation_signer::{KeyRole, KeySource};
use serde_json::json;

pub(crate) use self::args::ConfigArgs;
use self::args::ConfigCommand;
use crate::{keys, messenger, node, reissuing, runtime};

/// Checks both files, and the files and keys on this machine that they name.
pub(crate) fn run(args: &ConfigArgs) -> Result<ExitCode, CliError> {
    let ConfigCommand::Check {
        config: path,
        without_keys,
        json,
        settings,
    } = &args.command;
    let mut trial = Trial::default();
    let result = match Config::load(path, &settings.overrides()) {
        Ok(config) => {
            trial.settings(&config);
            if *without_keys {
                trial.skipped_keys = Some("not opened, because of --without-keys");
            } else {
                runtime::current_thread()?.block_on(trial.keys(&config));
            }
            trial.report().map(|()| config)
        }
        Err(report) => Err(report),
    };
    if *json {
        print_json(&result, &trial)?;
    } else {
        print(path, &result, &trial)?;
    }
    Ok(if result.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The result of trying out the settings with the code that uses them.
#[derive(Default)]
struct Trial {
    problems: Vec<ConfigProblem>,
    /// The keys that opened and match the roster.
    keys: BTreeMap<KeyRole, String>,
    /// Why the keys were not opened.
    skipped_keys: Option<&'static str>,
}

impl Trial {
    fn add_problem(&mut self, config: &Config, setting: Setting, error: &CliError) {
        let problem = config.problem(setting, error.what(), error.help());
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

    /// Checks the node's address and credentials, and the messenger's addresses and settings.
    fn settings(&mut self, config: &Config) {
        match config.node_config() {
            Ok(_) => {
                if let Err(error) = node::client(config) {
                    self.add_problem(config, Setting::Node, &error);
                }
            }
            Err(report) => self.problems.extend(report.problems),
        }
        self.problems.extend(messenger::check(config));
    }

    /// Opens each key as the daemon does, without locking it.
    async fn keys(&mut self, config: &Config) {
        // Without a client there is no wallet; `settings` has reported why.
        let Ok(client) = node::client(config) else {
            return;
        };
        let opened = keys::open_block(config, &client).await;
        let block = opened.and_then(|signer| {
            let key = signer.public_key();
            keys::check_block(config, &key).map(|()| key.to_string())
        });
        let remark = match config.keys.block {
            KeySource::Node { .. } => {
                ", expected in the node's wallet: `federation preflight` checks it"
            }
            _ => "",
        };
        self.key(config, KeyRole::Block, block.map(|key| key + remark));
        let identity = keys::open_identity(config).and_then(|signer| {
            let key = signer.public_key();
            keys::check_identity(config, &key).map(|()| key.to_string())
        });
        self.key(config, KeyRole::Identity, identity);
        match keys::open_reissuance(config).await {
            Ok(None) => {}
            Ok(Some(spender)) => {
                let checked = reissuing::check_key(config, spender.as_ref());
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
            Err(error) => self.add_problem(config, Setting::Key(role), &error),
        }
    }
}

fn print(
    path: &Path,
    result: &Result<Config, ConfigReport>,
    trial: &Trial,
) -> Result<(), CliError> {
    let config = match result {
        Ok(config) => config,
        Err(report) => return out::line(&report.to_string()),
    };
    let federation = &config.federation;
    out::line(&format!(
        "{}: no errors\n{} is one of {} operators: {} must sign, {} may be absent, {} may be faulty\n\
         federation {}, epoch {}",
        path.display(),
        federation.name(config.me),
        federation.size(),
        federation.threshold(),
        federation.tolerated_absent(),
        federation.tolerated_byzantine(),
        federation.id(),
        federation.epoch(),
    ))?;
    if let Some(why) = &trial.skipped_keys {
        out::line(&format!("keys: {why}"))?;
    }
    for (role, key) in &trial.keys {
        out::line(&format!("{role} key {key}"))?;
    }
    out::line("node, brokers and other operators not contacted: `federation preflight` checks them")
}

fn print_json(result: &Result<Config, ConfigReport>, trial: &Trial) -> Result<(), CliError> {
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
    let keys: BTreeMap<_, _> = trial
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
