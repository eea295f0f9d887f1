//! A whole federation in this process, for the verbs that run one.

use std::time::Duration;

use federation_cli::CliError;
use federation_local::LocalError;
use federation_roster::FederationError;

/// Returns the smallest majority.
pub(crate) const fn majority(operators: u8) -> u8 {
    operators / 2 + 1
}

/// Converts an error of the local federation.
pub(crate) fn failed(error: LocalError) -> CliError {
    let help = match &error {
        LocalError::Federation(FederationError::NoInterval) => {
            return CliError::usage(error, "use an --interval of 100ms or more");
        }
        LocalError::Federation(_) | LocalError::Threshold(_) | LocalError::Script(_) => {
            return CliError::usage(
                error,
                "choose a --threshold of more than half of --operators, and at most all of them",
            );
        }
        LocalError::Process(_) => "check that the program is the right node, and see its output",
        _ => "try again, with RUST_LOG=info for more",
    };
    CliError::failure(error, help)
}

/// Returns the time without a block after which a chain counts as standing still.
pub(crate) fn patience(interval: Duration) -> Duration {
    // A busy machine may take long for a block.
    (interval * 10).max(Duration::from_secs(120))
}
