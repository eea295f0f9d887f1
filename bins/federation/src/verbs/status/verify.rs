//! `federation status --verify`: verifies a file of evidence.

use std::{fs::File, io::Read, path::Path, process::ExitCode};

use federation_cli::{CliError, OrHelp, out};
use federation_operator::status::EvidenceReport;
use federation_roster::Federation;
use serde::Deserialize;
use serde_json::json;

/// The maximum size of the file, in bytes: more than all evidence that a store keeps.
const MAX_FILE: u64 = 16 * 1024 * 1024;

/// The forms of the file: a list, a single piece, or the output of `federation status --evidence --json`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Given {
    List(Vec<EvidenceReport>),
    One(Box<EvidenceReport>),
    Status { evidence: Vec<EvidenceReport> },
}

/// Verifies each piece against the roster; exit code 1 if one proves nothing.
pub(super) fn run(federation: &Federation, path: &Path, json: bool) -> Result<ExitCode, CliError> {
    let help = "pass the output of `federation status --evidence --json`";
    let what = format!("`{}`", path.display());
    let mut text = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE).read_to_end(&mut text))
        .or_help_in(&what, help)?;
    let given = serde_json::from_slice(&text).or_help_in(&what, help)?;
    let pieces = match given {
        Given::List(list) | Given::Status { evidence: list } => list,
        Given::One(piece) => vec![*piece],
    };
    let mut proven = true;
    for piece in &pieces {
        let result = piece.check(federation);
        proven &= result.is_ok();
        let (report, fault) = match result {
            // Only the envelopes are trusted, not the rest of the file.
            Ok(evidence) => (EvidenceReport::new(&evidence, federation), None),
            Err(error) => (piece.clone(), Some(error.to_string())),
        };
        if json {
            out::json(&json!({
                "number": report.number,
                "operator": report.operator,
                "height": report.height,
                "round": report.round,
                "kind": report.kind,
                "proven": fault.is_none(),
                "fault": fault,
            }))?;
        } else {
            out::line(&match fault {
                None => format!(
                    "evidence {}: {} signed two contradicting messages of kind {} at height {}, round {}",
                    report.number, report.operator, report.kind, report.height, report.round
                ),
                Some(fault) => format!("evidence {}: proves nothing: {fault}", report.number),
            })?;
        }
    }
    Ok(if proven {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
