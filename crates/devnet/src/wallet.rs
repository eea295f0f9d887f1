//! A small wallet: one key, explicit amounts, pay-to-public-key-hash.

use bitcoin::base58;
use elements::{
    AssetBlindingNonce, AssetEntropy, AssetId, AssetIssuance, LockTime, OutPoint, Script, Sequence,
    Transaction, TxIn, TxOut,
    confidential::{Asset, Nonce, Value},
};
use federation_chain::Dialect;
use federation_multisig::{Network, p2pkh as p2pkh_address};
use secp256k1::{SECP256K1, SecretKey};

use crate::{
    ledger::Ledger,
    mempool::Mempool,
    script::{is_anyones, key_hash, p2pkh, sign},
    transaction::explicit,
};

/// What the wallet pays for each transaction, in satoshi of the pegged asset.
const FEE: u64 = 1000;

/// What a wallet does not do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WalletError {
    #[error("Insufficient funds")]
    Funds,
    #[error("Invalid address")]
    Address,
    #[error("Unknown or invalid asset id/label")]
    Asset,
    #[error("Asset reissuance token definition could not be found in wallet.")]
    NoToken,
    #[error("Amount out of range")]
    Amount,
}

/// An issuance made by this wallet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Issued {
    pub(crate) asset: AssetId,
    pub(crate) token: AssetId,
    entropy: AssetEntropy,
}

pub(crate) struct Wallet {
    secret: SecretKey,
    network: Network,
    pub(crate) issued: Vec<Issued>,
}

/// A coin that the wallet can spend.
struct Coin {
    at: OutPoint,
    asset: AssetId,
    amount: u64,
    script: Script,
}

impl Drop for Wallet {
    fn drop(&mut self) {
        self.secret.non_secure_erase();
    }
}

impl Wallet {
    pub(crate) fn new(dialect: Dialect) -> Self {
        Self {
            secret: SecretKey::new(&mut secp256k1::rand::thread_rng()),
            network: match dialect {
                Dialect::Ocean => Network::OCEAN_TEST,
                Dialect::Elements | Dialect::Dynafed => Network::ELEMENTS_CUSTOM,
            },
            issued: Vec::new(),
        }
    }

    fn own_script(&self) -> Script {
        p2pkh(&key_hash(&self.secret.public_key(SECP256K1)))
    }

    pub(crate) fn address(&self) -> String {
        p2pkh_address(&self.secret.public_key(SECP256K1), &self.network)
    }

    fn script_of(&self, address: &str) -> Result<Script, WalletError> {
        let payload = base58::decode_check(address).map_err(|_| WalletError::Address)?;
        match payload.split_first() {
            Some((prefix, hash)) if *prefix == self.network.p2pkh => {
                hash.try_into().map(p2pkh).map_err(|_| WalletError::Address)
            }
            _ => Err(WalletError::Address),
        }
    }

    /// What the wallet can spend, anyone's coins last, in an order of its own.
    fn coins(&self, ledger: &Ledger, mempool: &Mempool) -> Vec<Coin> {
        let own = self.own_script();
        let mut coins: Vec<Coin> = ledger
            .all_unspent()
            .filter(|(at, _)| !mempool.is_spent(at))
            .chain(mempool.made())
            .filter(|(_, output)| output.script_pubkey == own || is_anyones(&output.script_pubkey))
            .filter_map(|(at, output)| {
                let (asset, amount) = explicit(output).ok()?;
                Some(Coin {
                    at: *at,
                    asset,
                    amount,
                    script: output.script_pubkey.clone(),
                })
            })
            .collect();
        coins.sort_by_key(|coin| (is_anyones(&coin.script), coin.at));
        coins
    }

    pub(crate) fn balances(
        &self,
        ledger: &Ledger,
        mempool: &Mempool,
    ) -> std::collections::BTreeMap<AssetId, u64> {
        let mut balances = std::collections::BTreeMap::new();
        for coin in self.coins(ledger, mempool) {
            *balances.entry(coin.asset).or_default() += coin.amount;
        }
        balances
    }

    /// A transaction that pays an amount of an asset to an address.
    pub(crate) fn send(
        &self,
        ledger: &Ledger,
        mempool: &Mempool,
        address: &str,
        amount: u64,
        asset: AssetId,
    ) -> Result<Transaction, WalletError> {
        let payment = output(asset, amount, self.script_of(address)?);
        self.build(
            ledger,
            mempool,
            &[(asset, amount)],
            vec![payment],
            |_, _| Ok(()),
        )
    }

    /// A transaction that issues an asset and its tokens to the wallet.
    pub(crate) fn issue(
        &mut self,
        ledger: &Ledger,
        mempool: &Mempool,
        amount: u64,
        tokens: u64,
    ) -> Result<(Transaction, Issued), WalletError> {
        let own = self.own_script();
        let mut issued = None;
        let transaction = self.build(ledger, mempool, &[], Vec::new(), |input, outputs| {
            input.asset_issuance = AssetIssuance {
                asset_blinding_nonce: AssetBlindingNonce::NEW_ISSUANCE,
                asset_entropy: AssetEntropy::NEW_ISSUANCE,
                amount: if amount > 0 {
                    Value::Explicit(amount)
                } else {
                    Value::Null
                },
                inflation_keys: if tokens > 0 {
                    Value::Explicit(tokens)
                } else {
                    Value::Null
                },
            };
            let (asset, token) = input.issuance_ids();
            let contract = AssetEntropy::NEW_ISSUANCE.into_contract_hash();
            let entropy = AssetId::generate_asset_entropy(input.previous_output, contract);
            issued = Some(Issued {
                asset,
                token,
                entropy,
            });
            for (asset, amount) in [(asset, amount), (token, tokens)] {
                if amount > 0 {
                    outputs.push(output(asset, amount, own.clone()));
                }
            }
            Ok(())
        })?;
        let issued = issued.ok_or(WalletError::Funds)?;
        self.issued.push(issued);
        Ok((transaction, issued))
    }

    /// A transaction that makes more of an asset that this wallet issued.
    pub(crate) fn reissue(
        &self,
        ledger: &Ledger,
        mempool: &Mempool,
        asset: AssetId,
        amount: u64,
    ) -> Result<Transaction, WalletError> {
        let issued = *self
            .issued
            .iter()
            .find(|issued| issued.asset == asset)
            .ok_or(WalletError::NoToken)?;
        let own = self.own_script();
        // One unit of the token is spent and comes back.
        let back = output(issued.token, 1, own.clone());
        self.build(
            ledger,
            mempool,
            &[(issued.token, 1)],
            vec![back],
            |input, outputs| {
                // Any nonce but zero marks a reissuance of an explicit token here.
                let mut nonce = [0; 32];
                nonce[0] = 1;
                input.asset_issuance = AssetIssuance {
                    asset_blinding_nonce: AssetBlindingNonce::from_byte_array(nonce),
                    asset_entropy: issued.entropy,
                    amount: Value::Explicit(amount),
                    inflation_keys: Value::Null,
                };
                outputs.push(output(asset, amount, own.clone()));
                Ok(())
            },
        )
        .map_err(|error| match error {
            WalletError::Funds => WalletError::NoToken,
            other => other,
        })
    }

    /// Chooses coins for what is needed and the fee, adds change, and signs.
    fn build(
        &self,
        ledger: &Ledger,
        mempool: &Mempool,
        needed: &[(AssetId, u64)],
        mut outputs: Vec<TxOut>,
        change_first_input: impl FnOnce(&mut TxIn, &mut Vec<TxOut>) -> Result<(), WalletError>,
    ) -> Result<Transaction, WalletError> {
        let fee_asset = ledger.pegged_asset;
        let mut wanted = std::collections::BTreeMap::from([(fee_asset, FEE)]);
        for (asset, amount) in needed {
            let sum = wanted.entry(*asset).or_default();
            *sum = sum.checked_add(*amount).ok_or(WalletError::Amount)?;
        }
        let coins = self.coins(ledger, mempool);
        let mut chosen: Vec<&Coin> = Vec::new();
        // What is asked for first comes first, so that a token is the first input.
        let mut assets: Vec<AssetId> = needed.iter().map(|(asset, _)| *asset).collect();
        if !assets.contains(&fee_asset) {
            assets.push(fee_asset);
        }
        for asset in assets {
            let want = wanted[&asset];
            let mut sum = 0u64;
            for coin in coins.iter().filter(|coin| coin.asset == asset) {
                if sum >= want {
                    break;
                }
                sum = sum.checked_add(coin.amount).ok_or(WalletError::Amount)?;
                chosen.push(coin);
            }
            let change = sum.checked_sub(want).ok_or(WalletError::Funds)?;
            if change > 0 {
                outputs.push(output(asset, change, self.own_script()));
            }
        }
        let mut inputs: Vec<TxIn> = chosen
            .iter()
            .map(|coin| TxIn {
                previous_output: coin.at,
                sequence: Sequence::MAX,
                ..TxIn::default()
            })
            .collect();
        let first = inputs.first_mut().ok_or(WalletError::Funds)?;
        change_first_input(first, &mut outputs)?;
        outputs.push(TxOut::new_fee(FEE, fee_asset));
        let mut transaction = Transaction {
            version: 2,
            lock_time: LockTime::ZERO,
            input: inputs,
            output: outputs,
        };
        for (index, coin) in chosen.iter().enumerate() {
            if !is_anyones(&coin.script) {
                transaction.input[index].script_sig =
                    sign(&transaction, index, &coin.script, &self.secret);
            }
        }
        Ok(transaction)
    }
}

fn output(asset: AssetId, amount: u64, script: Script) -> TxOut {
    TxOut {
        asset: Asset::Explicit(asset),
        value: Value::Explicit(amount),
        nonce: Nonce::Null,
        script_pubkey: script,
        ..TxOut::default()
    }
}
