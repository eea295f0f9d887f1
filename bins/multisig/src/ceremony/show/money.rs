//! The destinations of coins, reissuance tokens and fees.

use federation_ceremony::{Destination, KeyUse};
use federation_cli::{CliError, out};
use federation_genesis::Holder;
use hex_conservative::{DisplayHex, FromHex};

use super::{View, heading};

impl View<'_> {
    pub(super) fn money(&self) -> Result<(), CliError> {
        heading("Coins and fees")?;
        for line in self.money_lines() {
            out::line(&format!("  {line}"))?;
        }
        Ok(())
    }

    /// One line for each kind of money that the chain has.
    pub(super) fn money_lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let sweep = self.ceremony.proposal().sweep.as_ref();
        for (name, what, to) in [
            (
                "initialfreecoins",
                "coins",
                sweep.and_then(|to| to.coins.as_ref()),
            ),
            (
                "initialreissuancetokens",
                "reissuance tokens of the coins",
                sweep.and_then(|to| to.tokens.as_ref()),
            ),
        ] {
            let amount = self.value(name).and_then(|value| value.parse().ok());
            match amount {
                Some(0) | None if name == "initialfreecoins" => lines.push(
                    "coins: none at the genesis; they only come into existence by peg-ins"
                        .to_owned(),
                ),
                Some(0) | None => {}
                Some(amount) => lines.push(format!(
                    "{what}: {} at the genesis, to {}",
                    coins(amount),
                    self.destination(to, name)
                )),
            }
        }
        if let Some(sweep) = self.chain.as_ref().and_then(|chain| chain.sweep()) {
            lines.push(format!(
                "they are moved there by the transaction {} in block 1, without which no operator votes for block 1",
                sweep.txid()
            ));
            lines.push(format!(
                "the transaction: {}",
                sweep.to_bytes().to_lower_hex_string()
            ));
        }
        lines.push(format!("fees of every block: to {}", self.fees()));
        let amount = |name| -> Option<u64> {
            let amount = self.value(name)?.parse().ok()?;
            (amount > 0).then_some(amount)
        };
        if let Some(amount) = amount("con_blocksubsidy") {
            lines.push(format!(
                "new coins in each block: {}, to its maker, or with the fees",
                coins(amount)
            ));
        }
        if let Some(amount) = amount("policycoins") {
            lines.extend(self.policies(amount));
        }
        lines
    }

    /// One line for each of Ocean's policies whose coins are issued: those that somebody can spend.
    fn policies(&self, amount: u64) -> Vec<String> {
        let destinations = self.settings.iter().filter_map(|setting| {
            let policy = setting.name.strip_suffix("coinsdestination")?;
            let hex = setting.values.concat();
            let is_issued = Vec::from_hex(&hex)
                .is_ok_and(|bytes| !bytes.is_empty() && Holder::of(&bytes) != Holder::Nobody);
            let is_policy = policy != "initialfree" && is_issued;
            is_policy.then(|| (policy.to_owned(), hex))
        });
        destinations
            .map(|(policy, hex)| {
                format!(
                    "policy coins, {policy}: {} at the genesis, to {}",
                    coins(amount),
                    self.script(&hex)
                )
            })
            .collect()
    }

    /// The value of a setting; none if it is empty, or this kind of node does not have it.
    fn value(&self, name: &str) -> Option<String> {
        let mut settings = self.settings.iter();
        let setting = settings.find(|setting| setting.name == name)?;
        setting.values.into_iter().find(|value| !value.is_empty())
    }

    fn keys(&self, usage: KeyUse) -> String {
        let whose = usage.as_str();
        format!("{} of {} of your {whose} keys", self.m(), self.n())
    }

    fn script(&self, hex: &str) -> String {
        match Vec::from_hex(hex) {
            Ok(bytes) => format!("the script {hex}: {}", self.holder(&bytes)),
            Err(_) => format!("the malformed script {hex}"),
        }
    }

    fn destination(&self, to: Option<&Destination>, name: &str) -> String {
        match to {
            Some(Destination::Keys(usage)) => self.keys(*usage),
            Some(Destination::Script(hex)) => self.script(hex),
            // On Ocean, a setting has the destination.
            _ => self
                .value(&format!("{name}destination"))
                .map_or_else(|| "ANYONE".to_owned(), |hex| self.script(&hex)),
        }
    }

    fn fees(&self) -> String {
        match (
            &self.ceremony.proposal().fees,
            self.value("con_mandatorycoinbase"),
        ) {
            (Some(Destination::Keys(usage)), _) => self.keys(*usage),
            (Some(Destination::Script(hex)), _) => self.script(hex),
            (_, Some(hex)) => self.script(&hex),
            (_, None) => "ANYONE: the maker of a block may pay them to itself".to_owned(),
        }
    }
}

/// Formats an amount in coins, exactly.
fn coins(satoshi: u64) -> String {
    let (whole, rest) = (satoshi / 100_000_000, satoshi % 100_000_000);
    format!("{whole}.{rest:08}")
}

#[cfg(test)]
mod tests {
    #[test]
    fn amounts_are_shown_to_the_last_satoshi() {
        assert_eq!(super::coins(500_000), "0.00500000");
        assert_eq!(super::coins(2_100_000_000_000_001), "21000000.00000001");
    }
}
