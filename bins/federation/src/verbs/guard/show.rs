//! `federation guard show`: prints the guard's record.

use std::{path::Path, process::ExitCode};

use federation_chain::UnixTime;
use federation_cli::{CliError, OrHelp, out};
use federation_operator::{GuardDatabase, StoreError, status};
use federation_signer::{GuardRecord, GuardSnapshot, GuardStanding};
use serde_json::{Value, json};

use super::{OperatorFiles, import::read_file, store_error, store_help};

/// Prints the guard, or a file.
pub(super) fn run(
    files: &OperatorFiles,
    file: Option<&Path>,
    json: bool,
) -> Result<ExitCode, CliError> {
    let view = match file {
        Some(file) => from_file(&files.verified(read_file(file)?)?, file),
        None => from_store(files)?,
    };
    if json {
        let mut value = view.value;
        value["operator"] = json!(files.operator.name);
        value["federation"] = json!(files.pin.federation.to_string());
        value["chain"] = json!(files.pin.genesis.to_string());
        value["block_key"] = json!(files.pin.block_key.to_string());
        out::json(&value)?;
    } else {
        out::line(&table(files, &view))?;
    }
    Ok(ExitCode::SUCCESS)
}

struct GuardView {
    /// Where it was read from, in words.
    from: String,
    value: Value,
}

fn from_file(record: &GuardRecord, file: &Path) -> GuardView {
    let kind = record.kind;
    let standing = format!("file, {kind}");
    GuardView {
        from: format!(
            "{}, signed by this operator: a {kind} from {} s ago",
            file.display(),
            now().saturating_duration_since(record.written).as_secs()
        ),
        value: value("file", &standing, Some(record.number), record),
    }
}

fn from_store(files: &OperatorFiles) -> Result<GuardView, CliError> {
    let folder = &files.config.store;
    let path = GuardDatabase::path(folder);
    let held = match files.open_existing() {
        Ok(store) => store.held().or_help_for(store_help)?,
        Err(StoreError::InUse { .. }) => return from_daemon(folder),
        Err(error) => return Err(store_error(&error)),
    };
    Ok(GuardView {
        from: path.display().to_string(),
        value: value("store", held.standing.as_str(), Some(held.number), &held),
    })
}

/// Reads the guard from the running daemon's status, which is a few seconds old: the daemon locks the store.
fn from_daemon(folder: &Path) -> Result<GuardView, CliError> {
    let report = status::read_status(folder)
        .ok()
        .flatten()
        .and_then(|report| report.guard.map(|guard| (report.written, guard)));
    let Some((written, guard)) = report else {
        return Err(CliError::failure(
            "the daemon is running, but has not written its status yet",
            "try again in a few seconds, or stop it",
        ));
    };
    let age = now()
        .saturating_duration_since(UnixTime::from_millis(written))
        .as_secs();
    let mut value = json!({
        "from": "daemon",
        "standing": guard.standing,
        "final": guard.highest_final,
        "signed": guard.signed,
    });
    value["age"] = json!(age);
    Ok(GuardView {
        from: format!("the running daemon, {age} s ago; only the last blocks"),
        value,
    })
}

/// A guard's state, in a store or in a file.
trait Known {
    fn state(&self) -> &federation_signer::GuardState;
}

impl Known for GuardSnapshot {
    fn state(&self) -> &federation_signer::GuardState {
        &self.state
    }
}

impl Known for GuardRecord {
    fn state(&self) -> &federation_signer::GuardState {
        &self.state
    }
}

fn value(from: &str, standing: &str, number: Option<u32>, known: &impl Known) -> Value {
    let signed: Vec<_> = known
        .state()
        .records()
        .map(|(height, hash)| json!({ "height": height.to_u32(), "hash": hash.to_string() }))
        .collect();
    json!({
        "from": from,
        "standing": standing,
        "number": number,
        "final": known.state().highest_final().map(|height| height.to_u32()),
        "signed": signed,
    })
}

fn table(files: &OperatorFiles, view: &GuardView) -> String {
    let value = &view.value;
    let text = |name: &str| value[name].as_str().unwrap_or_default();
    let mut lines = vec![
        format!("guard of    {}", files.operator.name),
        format!("from        {}", view.from),
        format!("block key   {}", files.pin.block_key),
        format!("federation  {}", files.pin.federation),
        format!("chain       {}", files.pin.genesis),
        format!(
            "standing    {}{}",
            text("standing"),
            meaning(text("standing"))
        ),
    ];
    if let Some(number) = value["number"].as_u64() {
        lines.push(format!("number      {number} transfers of the key so far"));
    }
    lines.push(match value["final"].as_u64() {
        Some(height) => format!("final       {height}: nothing at or below it will be signed"),
        None => "final       none".to_owned(),
    });
    let signed = value["signed"].as_array().map_or(&[][..], |list| list);
    if signed.is_empty() {
        lines.push("signed      nothing".to_owned());
    }
    // People look for the newest; --json prints all.
    let skipped = signed.len().saturating_sub(16);
    for entry in &signed[skipped..] {
        let (height, hash) = (&entry["height"], entry["hash"].as_str().unwrap_or_default());
        lines.push(format!("signed      {height:<8} {hash}"));
    }
    if skipped > 0 {
        lines.push(format!(
            "            and {skipped} earlier ones, see --json"
        ));
    }
    lines.join("\n")
}

fn meaning(standing: &str) -> &'static str {
    if standing == GuardStanding::Active.as_str() {
        ": the key may sign on this machine"
    } else if standing == GuardStanding::MovedAway.as_str() {
        ": the key signs on another machine, not on this one"
    } else if standing == GuardStanding::Unproven.as_str() {
        ": the key may have signed more than this; run `guard repair` before it signs"
    } else {
        ""
    }
}

pub(super) fn now() -> UnixTime {
    use federation_operator::Clock;
    federation_operator::SystemClock.now()
}
