//! `multisig script`: a script of public keys.

use std::process::ExitCode;

use federation_cli::{CliError, out};
use federation_multisig::KeyOrder;

use crate::{cli::ScriptArgs, input, summary::Summary};

/// Makes the script and says what there is to say of it.
pub(crate) fn run(args: &ScriptArgs) -> Result<ExitCode, CliError> {
    let keys = args
        .keys
        .iter()
        .map(|key| input::public_key(key))
        .collect::<Result<Vec<_>, _>>()?;
    let script = input::script(
        args.threshold,
        keys,
        order(args.unsorted),
        args.insecure_minority,
    )?;
    let summary = Summary::new(&script, args.network);
    if args.json {
        out::json(&summary.json())?;
    } else {
        summary.tell()?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The order of BIP 67, but for those who ask for another.
pub(crate) const fn order(unsorted: bool) -> KeyOrder {
    if unsorted {
        KeyOrder::AsGiven
    } else {
        KeyOrder::Lexicographic
    }
}
