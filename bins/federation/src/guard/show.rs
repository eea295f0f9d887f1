//! `federation guard show`.

use std::{path::Path, process::ExitCode};

use federation_chain::UnixTime;
use federation_cli::{CliError, out};
use federation_operator::{HeldGuardStore, StoreError, status};
use federation_signer::{GuardRecord, GuardStanding, HeldGuard};
use serde_json::{Value, json};

use super::{Place, import::read_file, store_error};

/// Shows the guard, or a file.
pub(super) fn run(place: &Place, file: Option<&Path>, json: bool) -> Result<ExitCode, CliError> {
    let shown = match file {
        Some(file) => of_file(&place.verified(read_file(file)?)?, file),
        None => of_store(place)?,
    };
    if json {
        let mut value = shown.value;
        value["operator"] = json!(place.operator.name);
        value["federation"] = json!(place.pin.federation.to_string());
        value["chain"] = json!(place.pin.genesis.to_string());
        value["block_key"] = json!(place.pin.block_key.to_string());
        out::json(&value)?;
    } else {
        out::line(&table(place, &shown))?;
    }
    Ok(ExitCode::SUCCESS)
}

struct Shown {
    /// Where it comes from, in words.
    from: String,
    value: Value,
}

fn of_file(record: &GuardRecord, file: &Path) -> Shown {
    let kind = record.kind;
    let standing = format!("file, {kind}");
    Shown {
        from: format!(
            "{}, signed by this operator, a {kind} of {} s ago",
            file.display(),
            now().since(record.written).as_secs()
        ),
        value: value("file", &standing, Some(record.number), record),
    }
}

fn of_store(place: &Place) -> Result<Shown, CliError> {
    let folder = &place.config.store;
    let path = HeldGuardStore::path(folder);
    let held = match place.open_existing() {
        Ok(store) => store.held().map_err(|error| store_error(&error))?,
        Err(StoreError::InUse { .. }) => return of_daemon(folder),
        Err(error) => return Err(store_error(&error)),
    };
    Ok(Shown {
        from: path.display().to_string(),
        value: value("store", held.standing.as_str(), Some(held.number), &held),
    })
}

/// The store is the daemon's while it runs; what it tells is a few seconds old.
fn of_daemon(folder: &Path) -> Result<Shown, CliError> {
    let report = status::read_status(folder)
        .ok()
        .flatten()
        .and_then(|report| report.guard.map(|guard| (report.written, guard)));
    let Some((written, guard)) = report else {
        return Err(CliError::failure(
            "the daemon runs and has not said yet what it has signed",
            "ask again in a few seconds, or stop it",
        ));
    };
    let age = now().since(UnixTime::from_millis(written)).as_secs();
    let mut value = json!({
        "from": "daemon",
        "standing": guard.standing,
        "final": guard.highest_final,
        "signed": guard.signed,
    });
    value["age"] = json!(age);
    Ok(Shown {
        from: format!("the running daemon, {age} s ago; the last blocks only"),
        value,
    })
}

/// The parts that a guard and a file share.
trait Known {
    fn state(&self) -> &federation_signer::GuardState;
}

impl Known for HeldGuard {
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

fn table(place: &Place, shown: &Shown) -> String {
    let value = &shown.value;
    let text = |name: &str| value[name].as_str().unwrap_or_default();
    let mut lines = vec![
        format!("guard of    {}", place.operator.name),
        format!("from        {}", shown.from),
        format!("block key   {}", place.pin.block_key),
        format!("federation  {}", place.pin.federation),
        format!("chain       {}", place.pin.genesis),
        format!(
            "standing    {}{}",
            text("standing"),
            meaning(text("standing"))
        ),
    ];
    if let Some(number) = value["number"].as_u64() {
        lines.push(format!("number      {number}, how often the key moved"));
    }
    lines.push(match value["final"].as_u64() {
        Some(height) => format!("final       {height}: nothing at or below is signed"),
        None => "final       none".to_owned(),
    });
    let signed = value["signed"].as_array().map_or(&[][..], |list| list);
    if signed.is_empty() {
        lines.push("signed      nothing".to_owned());
    }
    // The newest are what people look for; --json has all.
    let skipped = signed.len().saturating_sub(16);
    for entry in &signed[skipped..] {
        let (height, hash) = (&entry["height"], entry["hash"].as_str().unwrap_or_default());
        lines.push(format!("signed      {height:<8} {hash}"));
    }
    if skipped > 0 {
        lines.push(format!("            and {skipped} before: --json"));
    }
    lines.join("\n")
}

fn meaning(standing: &str) -> &'static str {
    if standing == GuardStanding::Active.as_str() {
        ": the key may sign here"
    } else if standing == GuardStanding::MovedAway.as_str() {
        ": the key signs on another machine, and not here"
    } else if standing == GuardStanding::Unproven.as_str() {
        ": the key may have signed more than this; `guard repair` before it signs"
    } else {
        ""
    }
}

pub(super) fn now() -> UnixTime {
    use federation_operator::Clock;
    federation_operator::SystemClock.now()
}
