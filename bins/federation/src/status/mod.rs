//! `federation status`: what an operator does, and the evidence that it holds.

mod check;
mod findings;
mod look;
mod table;
mod verify;

use std::process::ExitCode;

use federation_cli::{CliError, out};
use federation_operator::{Clock, SystemClock, config::load_federation};

use self::{
    check::{Facts, assess},
    look::Shown,
};
use crate::{cli::StatusArgs, guard::Place};

/// Shows the status, or checks evidence.
pub(crate) fn run(args: &StatusArgs) -> Result<ExitCode, CliError> {
    if let Some(file) = &args.verify {
        // The roster is all that is needed, which others than its operators have, too.
        let federation = match args.place.settings.overrides().federation {
            Some(public) => {
                load_federation(&public).map_err(|report| CliError::plain(report.to_string()))?
            }
            None => Place::new(&args.place)?.config.federation,
        };
        return verify::run(&federation, file, args.json);
    }
    let place = match Place::new(&args.place) {
        Ok(place) => place,
        Err(error) if args.check => return check::cannot_look(&error, args.json),
        Err(error) => return Err(error),
    };
    let shown = Shown::of(&place);
    let facts = Facts::new(&place, SystemClock.now());
    if args.check {
        return check::tell(&shown, &facts, args.json);
    }
    let findings = assess(&shown, &facts);
    if args.json {
        let mut value = serde_json::to_value(&shown)
            .map_err(|error| CliError::failure(error, "report this as a fault of the program"))?;
        value["state"] = findings.level().as_str().into();
        value["findings"] = serde_json::to_value(&findings.0)
            .map_err(|error| CliError::failure(error, "report this as a fault of the program"))?;
        if !args.evidence {
            value["evidence"] = shown.evidence.len().into();
        }
        out::json(&value)?;
    } else {
        out::line(&table::of(&place, &shown, &findings, args.evidence))?;
    }
    Ok(ExitCode::SUCCESS)
}
