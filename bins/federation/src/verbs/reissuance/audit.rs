//! `federation reissuance audit`: compares the reissuances on the chain with the schedule.

use std::process::ExitCode;

use federation_chain::BlockHeight;
use federation_cli::{CliError, out};
use federation_ocean_rpc::Amount;
use federation_reissuance::{AssetSettings, LedgerEvent};
use serde_json::json;

use super::args::ChainArgs;
use super::read::{AssetEvent, ChainReading, read};

/// One line of the report.
struct Line {
    height: BlockHeight,
    asset: String,
    what: &'static str,
    text: String,
    is_difference: bool,
}

pub(super) fn run(args: &ChainArgs, from: u32, to: Option<u32>) -> Result<ExitCode, CliError> {
    if to.is_some_and(|to| to < from) {
        return Err(CliError::usage(
            "--to is below --from",
            "give the lower height with --from",
        ));
    }
    let read = read(args, to)?;
    let end = read.ledger.tip().map_or(BlockHeight::GENESIS, |tip| tip.0);
    if to.is_some_and(|to| to > read.tip.to_u32()) {
        out::note(&format!("the chain ends at height {}", read.tip));
    }
    let mut lines: Vec<Line> = read
        .events
        .iter()
        .filter(|event| event.height.to_u32() >= from)
        .filter_map(|event| line(read.ledger.settings(), event))
        .collect();
    lines.extend(owed(&read, from, end));
    let differences = lines.iter().filter(|line| line.is_difference).count();
    if args.json {
        let lines: Vec<_> = lines
            .iter()
            .map(|line| {
                json!({
                    "height": line.height.to_u32(),
                    "asset": line.asset,
                    "what": line.what,
                    "text": line.text,
                    "difference": line.is_difference,
                })
            })
            .collect();
        out::json(&json!({
            "from": from,
            "to": end.to_u32(),
            "differences": differences,
            "lines": lines,
        }))?;
    } else {
        for line in &lines {
            let mark = if line.is_difference { "DIFFERS" } else { "ok" };
            out::line(&format!(
                "{mark:8} {:>9}  {}  {}",
                line.height.to_string(),
                &line.asset[..line.asset.len().min(12)],
                line.text
            ))?;
        }
        out::line(&format!(
            "heights {from} to {end}: {differences} differences"
        ))?;
    }
    Ok(if differences == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn line(settings: &[AssetSettings], event: &AssetEvent) -> Option<Line> {
    let asset = settings.get(event.index)?.asset().to_string();
    let (what, text) = match &event.event {
        LedgerEvent::Issued { amount, .. } => {
            ("issued", format!("{} issued", Amount::from_sat(*amount)))
        }
        LedgerEvent::Paid {
            point,
            scheduled,
            amount,
            in_order,
            txid,
        } => {
            let late = event
                .height
                .to_u32()
                .saturating_sub(point.height().to_u32());
            let mut text = format!(
                "{} for height {point}, {late} blocks later, by {txid}",
                Amount::from_sat(*amount)
            );
            if scheduled != amount {
                text.push_str(&format!("; {} was scheduled", Amount::from_sat(*scheduled)));
            }
            if !in_order {
                text.push_str(
                    "; not all of it was paid to the destination, or no tokens were returned",
                );
            }
            ("paid", text)
        }
        LedgerEvent::Unscheduled { amount, txid } => (
            "unscheduled",
            format!("{} by {txid}, not scheduled", Amount::from_sat(*amount)),
        ),
        LedgerEvent::Uncountable(why) => ("uncountable", why.to_string()),
        LedgerEvent::NoAmount { error, .. } => ("no amount", error.to_string()),
        LedgerEvent::Untracked {
            kind: what,
            limit: most,
            total,
        } => (
            "passed over",
            format!("{total} {what}, more than the {most} that are kept"),
        ),
        _ => return None,
    };
    Some(Line {
        height: event.height,
        asset,
        what,
        text,
        is_difference: said.event.is_difference(),
    })
}

/// Lists the reissuances still due at the end: those due for more than a period are differences.
fn owed(read: &ChainReading, from: u32, end: BlockHeight) -> Vec<Line> {
    let mut lines = Vec::new();
    for (index, settings) in read.ledger.settings().iter().enumerate() {
        for due in read.ledger.owed(index) {
            let point = due.point.height();
            if point.to_u32() < from {
                continue;
            }
            lines.push(Line {
                height: point,
                asset: settings.asset().to_string(),
                what: "owed",
                text: format!(
                    "{} for height {point} still due after {} blocks",
                    Amount::from_sat(due.amount),
                    due.age(end)
                ),
                is_difference: due.is_overdue(settings.schedule(), end),
            });
        }
    }
    lines
}
