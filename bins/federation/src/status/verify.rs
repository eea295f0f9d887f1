//! `federation status --verify`: whether evidence that somebody gives is evidence.

use std::{fs::File, io::Read, path::Path, process::ExitCode};

use federation_cli::{CliError, out};
use federation_operator::status::EvidenceReport;
use federation_roster::Federation;
use serde::Deserialize;
use serde_json::json;

/// More than all evidence that a store keeps, in bytes.
const MAX_FILE: u64 = 16 * 1024 * 1024;

/// The list alone, or what `federation status --evidence --json` writes.
#[derive(Deserialize)]
#[serde(untagged)]
enum Given {
    List(Vec<EvidenceReport>),
    One(Box<EvidenceReport>),
    Status { evidence: Vec<EvidenceReport> },
}

/// Checks each piece against the roster; fails if one proves nothing.
pub(super) fn run(federation: &Federation, path: &Path, json: bool) -> Result<ExitCode, CliError> {
    let cure = "give the JSON of `federation status --evidence --json`";
    let fault = |what: &dyn core::fmt::Display| {
        CliError::failure(format!("`{}`: {what}", path.display()), cure)
    };
    let mut text = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE).read_to_end(&mut text))
        .map_err(|error| fault(&error))?;
    let given = serde_json::from_slice(&text).map_err(|error| fault(&error))?;
    let pieces = match given {
        Given::List(list) | Given::Status { evidence: list } => list,
        Given::One(piece) => vec![*piece],
    };
    let mut proven = true;
    for piece in &pieces {
        let result = piece.check(federation);
        proven &= result.is_ok();
        let (told, fault) = match result {
            // What the file says beside the envelopes is not believed.
            Ok(evidence) => (EvidenceReport::new(&evidence, federation), None),
            Err(error) => (piece.clone(), Some(error.to_string())),
        };
        if json {
            out::json(&json!({
                "number": told.number,
                "operator": told.operator,
                "height": told.height,
                "round": told.round,
                "kind": told.kind,
                "proven": fault.is_none(),
                "fault": fault,
            }))?;
        } else {
            out::line(&match fault {
                None => format!(
                    "evidence {}: {} signed two contradicting messages of kind {} at height {}, round {}",
                    told.number, told.operator, told.kind, told.height, told.round
                ),
                Some(fault) => format!("evidence {}: proves nothing: {fault}", told.number),
            })?;
        }
    }
    Ok(if proven {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
