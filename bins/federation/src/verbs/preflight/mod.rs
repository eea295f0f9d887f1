//! `federation preflight`: checks everything that an operator depends on, before it runs.

mod args;
mod kafka;
mod key;
mod messenger;
mod methods;
mod node;
mod peers;
mod proposal;
mod store;

use std::process::ExitCode;

use federation_cli::CliError;
use federation_operator::config::Config;

pub(crate) use self::args::PreflightArgs;
use crate::{checks::Checks, files, runtime};

/// Runs all checks; exit code 1 if one is red.
pub(crate) fn run(args: &PreflightArgs) -> Result<ExitCode, CliError> {
    let config = files::load(&args.config, &args.settings.overrides())?;
    let checks = runtime::current_thread()?.block_on(async {
        let client = crate::node::client(&config)?;
        let mut checks = loaded_files(&config);
        let (others, ()) = tokio::join!(
            messenger::check(&config, args.wait, args.running),
            peers::wait_for(&config, &client, args.wait),
        );
        checks.extend(node::check(&config, &client).await);
        checks.extend(others);
        checks.extend(store::check(&config, args.running));
        if !args.running {
            checks.extend(key::check(&config, &client).await);
        }
        Ok::<_, CliError>(checks)
    })?;
    checks.print(args.json)
}

/// Reports what loading the files has already checked.
fn loaded_files(config: &Config) -> Checks {
    let mut checks = Checks::default();
    let federation = &config.federation;
    checks.green(
        "files",
        "federation",
        format!(
            "{}, {} of {} must sign",
            federation.id(),
            federation.threshold(),
            federation.size()
        ),
    );
    match &config.certificate {
        Some(certificate) => checks.green("files", "certificate", certificate.agreed_hash()),
        None => checks.yellow(
            "files",
            "certificate",
            "none: there is no proof that all operators have agreed on these settings",
            "if there was a ceremony, add `certificate = \"certificate.json\"` to operator.toml",
        ),
    }
    checks
}
