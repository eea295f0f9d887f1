//! `federation reissuance plan`: prints the reissuances that are or will be due, and why.

use std::process::ExitCode;

use federation_chain::BlockHeight;
use federation_cli::{CliError, out};
use federation_ocean_rpc::Amount;
use federation_reissuance::{AssetSettings, Due, Ledger, Plan, PlanError};
use serde_json::{Value, json};

use super::args::ChainArgs;
use super::read::read;

pub(super) fn run(args: &ChainArgs, height: Option<u32>) -> Result<ExitCode, CliError> {
    let read = read(args, height)?;
    let ledger = &read.ledger;
    let at = ledger.tip().map_or(BlockHeight::GENESIS, |tip| tip.0);
    let mut assets = Vec::new();
    for (index, settings) in ledger.settings().iter().enumerate() {
        let asset = Asset {
            settings,
            circulation: ledger.circulation(index).unwrap_or_default(),
            owed: ledger.owed(index),
            forecast: forecast(ledger, index, settings, height),
            next: ledger.plan(index),
            ledger,
        };
        if args.json {
            assets.push(asset.json());
        } else {
            asset.print(at)?;
        }
    }
    if args.json {
        out::json(&json!({ "height": at.to_u32(), "assets": assets }))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the reissuances up to the requested height, or to the next one.
fn forecast(
    ledger: &Ledger,
    index: usize,
    settings: &AssetSettings,
    height: Option<u32>,
) -> Vec<Due> {
    let at = ledger.tip().map_or(BlockHeight::GENESIS, |tip| tip.0);
    let next = settings.schedule().after(at).map(|point| point.height());
    match height.map(BlockHeight::new).or(next) {
        Some(to) if to > at => ledger.forecast(index, to),
        _ => Vec::new(),
    }
}

struct Asset<'a> {
    settings: &'a AssetSettings,
    circulation: u64,
    owed: Vec<Due>,
    forecast: Vec<Due>,
    next: Result<Plan, PlanError>,
    ledger: &'a Ledger,
}

impl Asset<'_> {
    /// Returns the id of the unsigned transaction.
    fn id(&self) -> Option<String> {
        let plan = self.next.as_ref().ok()?;
        let unsigned = plan
            .unsigned(self.ledger.chain(), self.settings.tokens())
            .ok()?;
        Some(unsigned.id().to_string())
    }

    fn print(&self, at: BlockHeight) -> Result<(), CliError> {
        let schedule = self.settings.schedule();
        out::line(&format!("asset {}", self.settings.asset()))?;
        out::line(&format!(
            "  {} in circulation after block {at}; {} a year, every {} blocks of {:?}",
            Amount::from_sat(self.circulation),
            schedule.rate(),
            schedule.period(),
            schedule.interval(),
        ))?;
        for due in &self.owed {
            out::line(&format!("  due       {}", reason(due, schedule)))?;
        }
        for due in &self.forecast {
            out::line(&format!("  upcoming  {}", reason(due, schedule)))?;
        }
        match &self.next {
            Ok(plan) => {
                out::line(&format!(
                    "  next      transaction {}",
                    self.id().unwrap_or_default()
                ))?;
                out::line(&format!(
                    "            spends the tokens in {}, pays {} to script {:x}, locked until height {}",
                    plan.tokens,
                    Amount::from_sat(plan.amount),
                    plan.destination,
                    plan.point,
                ))?;
                if let Some(fee) = &plan.fee {
                    out::line(&format!(
                        "            pays a fee of {} satoshi out of {} coins of the script",
                        fee.amount,
                        fee.coins.len()
                    ))?;
                }
            }
            Err(PlanError::NothingDue { .. }) => {
                out::line("  nothing is due now")?;
            }
            Err(problem) => {
                out::line(&format!("  problem   {problem}"))?;
            }
        }
        Ok(())
    }

    fn json(&self) -> Value {
        let due = |due: &Due| {
            json!({
                "point": due.point.height().to_u32(),
                "circulation": due.circulation,
                "amount": due.amount,
            })
        };
        let next = self.next.as_ref().ok().map(|plan| {
            json!({
                "point": plan.point.height().to_u32(),
                "amount": plan.amount,
                "tokens": plan.tokens.to_string(),
                "destination": format!("{:x}", plan.destination),
                "fee": plan.fee.as_ref().map(|fee| fee.amount),
                "id": self.id(),
            })
        });
        let problem = match &self.next {
            Ok(_) | Err(PlanError::NothingDue { .. }) => None,
            Err(problem) => Some(problem.to_string()),
        };
        json!({
            "asset": self.settings.asset().to_string(),
            "circulation": self.circulation,
            "owed": self.owed.iter().map(due).collect::<Vec<_>>(),
            "to_come": self.forecast.iter().map(due).collect::<Vec<_>>(),
            "next": next,
            "problem": problem,
        })
    }
}

/// Formats the amount and how it is computed.
fn reason(due: &Due, schedule: &federation_reissuance::Schedule) -> String {
    let elapsed = schedule.interval() * schedule.period();
    format!(
        "{} at height {}: {} x ((1 + {})^({} s / 31536000 s) - 1), rounded down",
        Amount::from_sat(due.amount),
        due.point,
        Amount::from_sat(due.circulation),
        schedule.rate(),
        elapsed.as_secs_f64(),
    )
}
