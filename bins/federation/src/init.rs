//! `federation init`: a runnable set of files.

use federation_cli::{CliError, out};
use std::process::ExitCode;

use federation_chain::Dialect;
use federation_devnet::{DevNodeConfig, genesis_block};
use federation_operator::config::init::{InitError, InitPlan, write};

use crate::{cli::InitArgs, demo};

/// Writes the files and says what to do next.
pub(crate) fn run(args: &InitArgs) -> Result<ExitCode, CliError> {
    let dialect = Dialect::from(args.dialect);
    let chain = args.chain.clone().unwrap_or_else(|| {
        match dialect {
            Dialect::Ocean => "ocean_test",
            Dialect::Elements | Dialect::Dynafed => "fedchain",
        }
        .to_owned()
    });
    let plan = InitPlan {
        folder: args.out.clone(),
        operators: args.operators,
        threshold: args.threshold.unwrap_or(demo::majority(args.operators)),
        dialect,
        chain: chain.clone(),
        interval: args.interval,
        first_port: args.first_port,
    };
    write(&plan, |script, size| {
        let config = DevNodeConfig::new(dialect, script.clone())
            .with_chain(chain)
            .with_max_signature_size(size);
        genesis_block(&config).map(|block| block.block_hash())
    })
    .map_err(|error| {
        let usage = matches!(
            error,
            InitError::NoMajority { .. }
                | InitError::Threshold(_)
                | InitError::Script(_)
                | InitError::ChainName(_)
                | InitError::ChainTaken(_)
                | InitError::Interval
                | InitError::Genesis(_)
                | InitError::Ports(_)
        );
        if usage {
            CliError::usage(error, "see federation init --help")
        } else {
            CliError::failure(error, "choose another --out, or check who may write there")
        }
    })?;
    let out_folder = args.out.display();
    out::line(&format!(
        "wrote {} operators to {out_folder}",
        args.operators
    ))?;
    out::line(&format!(
        "next: federation config check --config {out_folder}/operator-0/operator.toml"
    ))?;
    out::line(&format!(
        "next: federation run --config {out_folder}/operator-0/operator.toml"
    ))?;
    Ok(ExitCode::SUCCESS)
}
