//! `federation config check`: what is wrong with the files, all at once.

use federation_cli::{CliError, out};
use std::{path::Path, process::ExitCode};

use federation_operator::config::{Config, ConfigReport, Overrides};
use serde_json::json;

use crate::cli::{ConfigArgs, ConfigCommand};

/// Checks both files.
pub(crate) fn run(args: &ConfigArgs) -> Result<ExitCode, CliError> {
    let ConfigCommand::Check {
        config,
        json,
        settings,
    } = &args.command;
    let result = Config::load(config, &settings.overrides());
    if *json {
        tell_json(&result)?;
    } else {
        tell(config, &result)?;
    }
    Ok(if result.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn tell(path: &Path, result: &Result<Config, ConfigReport>) -> Result<(), CliError> {
    match result {
        Ok(config) => {
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
            ))
        }
        Err(report) => out::line(&report.to_string()),
    }
}

fn tell_json(result: &Result<Config, ConfigReport>) -> Result<(), CliError> {
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
                "message": problem.message,
                "cure": problem.cure,
            })
        })
        .collect();
    let federation = result.as_ref().ok().map(|config| &config.federation);
    let id = federation.map(|federation| federation.id().to_string());
    let epoch = federation.map(|federation| federation.epoch());
    out::line(&json!({ "problems": problems, "federation": id, "epoch": epoch }).to_string())
}

/// Loads the files, or says everything that is wrong with them.
pub(crate) fn load(path: &Path, overrides: &Overrides) -> Result<Config, CliError> {
    Config::load(path, overrides).map_err(|report| CliError::plain(report.to_string()))
}
