//! The demo's reissuances: an asset whose reissuance tokens belong to the federation, its schedule, and
//! the audit at the end.

use std::time::Duration;

use federation_chain::{BlockHash, BlockHeight, Dialect};
use federation_cli::{CliError, OrHelp};
use federation_local::LocalFederation;
use federation_ocean_rpc::{Amount, Node, NodeClient};
use federation_operator::{Reading, config::script_of_address, follow, issue, token_addresses};
use federation_reissuance::{
    AssetSettings, Chain, Fee, Ledger, LedgerEvent, Rate, Schedule, TokenForm, TokenScript,
};

use crate::local;

/// The name of local chains, which use the address prefixes of custom chains.
const CHAIN: &str = "devnet";
/// One coin, in satoshi.
const COIN: u64 = 100_000_000;
/// The fee of a reissuance on chains with fees, in satoshi.
const FEE: u64 = 1000;

/// Creates the schedule of the reissuances.
pub(crate) fn schedule(rate: Rate, period: u32, interval: Duration) -> Result<Schedule, CliError> {
    Schedule::new(rate, period, interval, BlockHeight::GENESIS)
        .or_usage("choose another --inflation-period or --interval")
}

/// The reissuances of the demo's federation.
#[derive(Debug, Clone)]
pub(crate) struct Inflation {
    schedule: Schedule,
    tokens: TokenScript,
    genesis: BlockHash,
    dialect: Dialect,
}

impl Inflation {
    /// Plans reissuances for a federation's chain.
    pub(crate) fn new(
        rate: Rate,
        period: u32,
        interval: Duration,
        federation: &LocalFederation,
    ) -> Result<Self, CliError> {
        Ok(Self {
            schedule: schedule(rate, period, interval)?,
            tokens: federation.token_script().map_err(local::failed)?,
            genesis: federation.federation().genesis(),
            dialect: federation.federation().rules().dialect(),
        })
    }

    /// Issues an asset, pays its tokens to the federation, and returns its settings.
    pub(crate) async fn begin(
        &self,
        issuer: &NodeClient,
        other: &NodeClient,
    ) -> Result<AssetSettings, String> {
        let text = |error: &dyn core::error::Error| error.to_string();
        let to = token_addresses(&self.tokens, self.dialect, self.genesis, CHAIN)
            .ok_or("the script is too long for p2sh")?;
        let amount = Amount::from_sat(1000 * COIN);
        let issued = issue(issuer, &to.tokens, amount, Amount::from_sat(COIN))
            .await
            .map_err(|error| text(&error))?;
        let fee = self.fees(issuer, &to.coins).await?;
        let address = other.new_address().await.map_err(|error| text(&error))?;
        let destination = script_of_address(&address, CHAIN, self.dialect)
            .ok_or_else(|| format!("{address} is not an address of the chain"))?;
        let asset = issued
            .asset
            .parse()
            .map_err(|_| "the node returned a malformed asset id")?;
        AssetSettings::new(asset, self.schedule, destination, self.tokens.clone())
            .map(|settings| settings.with_fee(fee))
            .map_err(|error| text(&error))
    }

    /// Pays coins to the script for fees; on Ocean, reissuances pay none.
    async fn fees(&self, issuer: &NodeClient, address: &str) -> Result<Option<Fee>, String> {
        if self.dialect == Dialect::Ocean {
            return Ok(None);
        }
        let failed = |error: federation_ocean_rpc::RpcError| error.to_string();
        let asset = issuer.sidechain_info().await.map_err(failed)?.pegged_asset;
        issuer
            .send_asset(address, Amount::from_sat(COIN), &asset)
            .await
            .map_err(failed)?;
        let asset = asset
            .parse()
            .map_err(|_| "the node returned a malformed asset id")?;
        let amount = FEE;
        Ok(Some(Fee { asset, amount }))
    }
}

/// The result of auditing the demo's chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Audit {
    pub(crate) paid: u32,
    /// The reissuances that are due but not made yet.
    pub(crate) owed: usize,
    /// Those of them that should have been made by now.
    pub(crate) overdue: usize,
    pub(crate) differences: u32,
}

/// The number of blocks that a reissuance may take if the period is shorter.
const SETTLING: u32 = 5;

#[derive(Default)]
struct Counted {
    paid: u32,
    differences: u32,
}

impl Reading for Counted {
    fn on_event(&mut self, _: BlockHeight, _: usize, event: &LedgerEvent) {
        match event {
            LedgerEvent::Paid {
                scheduled,
                amount,
                in_order: true,
                ..
            } if scheduled == amount => self.paid += 1,
            LedgerEvent::Issued { .. }
            | LedgerEvent::Due { .. }
            | LedgerEvent::Untracked { .. } => {}
            _ => self.differences += 1,
        }
    }
}

/// Reads the chain of a node and checks every reissuance.
pub(crate) async fn audit(
    federation: &LocalFederation,
    settings: AssetSettings,
) -> Result<Audit, CliError> {
    let help = "try again, with RUST_LOG=info for more";
    let node = federation.node(0).client();
    let rules = federation.federation().rules();
    let chain = Chain {
        genesis: federation.federation().genesis(),
        tokens: TokenForm::of(rules.dialect()),
    };
    let tip = node.block_count().await.or_help(help)?;
    let time = settings.schedule().period().max(SETTLING);
    let mut ledger = Ledger::new(chain, vec![settings]);
    let mut counted = Counted::default();
    follow(&mut ledger, node, rules, tip, &mut counted)
        .await
        .or_help(help)?;
    let owed = ledger.owed(0);
    let age = |point: BlockHeight| tip.to_u32().saturating_sub(point.to_u32());
    let overdue = owed.iter().filter(|due| age(due.point.height()) > time);
    Ok(Audit {
        paid: counted.paid,
        overdue: overdue.count(),
        owed: owed.len(),
        differences: counted.differences,
    })
}
