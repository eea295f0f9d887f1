//! `federation init`: writes a runnable set of files.

mod args;

use federation_cli::{CliError, out};
use hex_conservative::DisplayHex;
use std::process::ExitCode;

use federation_chain::Dialect;
use federation_operator::config::init::{InitError, InitPlan, PayTo, write};

pub(crate) use self::args::InitArgs;
use crate::local;

/// Writes the files and prints the next steps.
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
        threshold: args.threshold.unwrap_or(local::majority(args.operators)),
        dialect,
        chain,
        interval: args.interval,
        first_port: args.first_port,
        coins: args.coins_to.0.clone(),
        fees: args.fees_to.0.clone(),
    };
    write(&plan).map_err(|error| {
        let usage = matches!(
            error,
            InitError::NoMajority { .. }
                | InitError::Threshold(_)
                | InitError::Script(_)
                | InitError::ChainName(_)
                | InitError::ChainTaken(_)
                | InitError::Interval
                | InitError::Genesis(_)
                | InitError::Coins(_)
                | InitError::UnviableChain(_)
                | InitError::Ports(_)
        );
        if usage {
            CliError::usage(error, "see `federation init --help`")
        } else {
            CliError::failure(
                error,
                "choose another --out, or check the folder's permissions",
            )
        }
    })?;
    let out_folder = args.out.display();
    out::line(&format!(
        "wrote the files of {} operators to {out_folder}",
        args.operators
    ))?;
    print_payees(&plan)?;
    out::line(&format!(
        "next: federation config check --config {out_folder}/operator-0/operator.toml"
    ))?;
    out::line(&format!(
        "next: federation devnet {out_folder}/operator-*/operator.toml, or run a real node for each: {} -datadir={out_folder}/operator-0/node",
        match dialect {
            Dialect::Ocean => "oceand",
            Dialect::Elements | Dialect::Dynafed => "elementsd",
        }
    ))?;
    let others = match plan.threshold {
        0 | 1 => String::new(),
        threshold => format!(", and at least {} of the others likewise", threshold - 1),
    };
    out::line(&format!(
        "next: federation run --config {out_folder}/operator-0/operator.toml{others}"
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// Prints who receives coins and fees, with a warning if anyone can take them.
fn print_payees(plan: &InitPlan) -> Result<(), CliError> {
    let whose = |to: &PayTo, burnt: &str| match to {
        PayTo::Federation => format!("{} of the {} block keys", plan.threshold, plan.operators),
        PayTo::Anyone => "ANYONE".to_owned(),
        PayTo::Nobody => burnt.to_owned(),
        PayTo::Script(script) => format!("the script {}", script.to_lower_hex_string()),
    };
    let coins = whose(&plan.coins, "nobody, as none are created");
    let fees = whose(&plan.fees, "nobody, as they are burnt");
    out::line(&format!(
        "the 21 million coins go to {coins}, the fees to {fees}"
    ))?;
    if plan.coins == PayTo::Anyone {
        out::note(
            "warning: the producer of block 1 can take all coins of this chain: only for trying out",
        );
    }
    if plan.fees == PayTo::Anyone {
        out::note("warning: anyone can take the fees of each block: only for trying out");
    }
    Ok(())
}
