//! `federation status`: shows what an operator is doing, and the evidence that it holds.

mod args;
mod check;
mod findings;
mod table;
mod verify;
mod view;

use std::process::ExitCode;

use federation_cli::{BUG, CliError, OrHelp, out};
use federation_operator::{Clock, SystemClock, config::load_federation};

pub(crate) use self::args::StatusArgs;
use self::{
    check::{Facts, assess},
    view::StatusView,
};
use crate::files::OperatorFiles;

/// Shows the status, or verifies evidence.
pub(crate) fn run(args: &StatusArgs) -> Result<ExitCode, CliError> {
    if let Some(file) = &args.verify {
        // Only the roster is needed, which is public.
        let federation = match args.operator.settings.overrides().federation {
            Some(public) => load_federation(&public).or_plain()?,
            None => OperatorFiles::new(&args.operator)?.config.federation,
        };
        return verify::run(&federation, file, args.json);
    }
    let files = match OperatorFiles::new(&args.operator) {
        Ok(files) => files,
        Err(error) if args.check => return check::unreadable_config(&error, args.json),
        Err(error) => return Err(error),
    };
    let view = StatusView::of(&files);
    let facts = Facts::new(&files, SystemClock.now());
    if args.check {
        return check::print_check(&view, &facts, args.json);
    }
    let findings = assess(&view, &facts);
    if args.json {
        let mut value = serde_json::to_value(&view).or_help(BUG)?;
        value["state"] = findings.level().as_str().into();
        value["findings"] = serde_json::to_value(&findings.0).or_help(BUG)?;
        if !args.evidence {
            value["evidence"] = view.evidence.len().into();
        }
        out::json(&value)?;
    } else {
        out::line(&table::of(&files, &view, &findings, args.evidence))?;
    }
    Ok(ExitCode::SUCCESS)
}
