//! A small wallet: one key, pay-to-public-key-hash, explicit coins. On Elements it blinds only
//! reissuance tokens, which must be blinded, and payments to confidential addresses.

use bitcoin::base58;
use elements::{
    Address, AddressParams, AssetBlindingNonce, AssetEntropy, AssetId, AssetIssuance, LockTime,
    OutPoint, Script, Sequence, Transaction, TxIn, TxOut, TxOutSecrets,
    confidential::{Asset, AssetBlindingFactor, Nonce, Value, ValueBlindingFactor},
    secp256k1_zkp::PublicKey,
};
use federation_chain::Dialect;
use federation_multisig::{Network, p2pkh as p2pkh_address};
use secp256k1::{SECP256K1, SecretKey};

use crate::{
    ledger::Ledger,
    mempool::Mempool,
    script::{is_anyone_can_spend, key_hash, p2pkh, sign},
    transaction::{OCEAN_NONCE, explicit},
};

/// The fee of each transaction of the wallet, in satoshi of the pegged asset.
const FEE: u64 = 1000;

/// Why the wallet cannot create a transaction.
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
    #[error("Transaction cannot be blinded: {0}")]
    Blinding(String),
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
    dialect: Dialect,
    pub(crate) issued: Vec<Issued>,
}

/// The recipient of a payment.
struct Payee {
    script: Script,
    /// The key to which the output is blinded.
    blinder: Option<PublicKey>,
}

/// A coin that the wallet can spend.
struct Coin {
    at: OutPoint,
    secrets: TxOutSecrets,
    script: Script,
}

impl Coin {
    const fn asset(&self) -> AssetId {
        self.secrets.asset
    }
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
            dialect,
            issued: Vec::new(),
        }
    }

    /// Returns the wallet's own script, blinded for tokens if the chain requires it.
    fn own_for_tokens(&self) -> Payee {
        Payee {
            script: self.own_script(),
            blinder: (self.dialect != Dialect::Ocean).then(|| self.secret.public_key(SECP256K1)),
        }
    }

    fn own(&self) -> Payee {
        Payee {
            script: self.own_script(),
            blinder: None,
        }
    }

    fn own_script(&self) -> Script {
        p2pkh(&key_hash(&self.secret.public_key(SECP256K1)))
    }

    pub(crate) fn address(&self) -> String {
        p2pkh_address(&self.secret.public_key(SECP256K1), &self.network)
    }

    fn payee(&self, address: &str) -> Result<Payee, WalletError> {
        if self.dialect != Dialect::Ocean {
            let address = Address::parse_with_params(address, &AddressParams::ELEMENTS)
                .map_err(|_| WalletError::Address)?;
            return Ok(Payee {
                script: address.script_pubkey(),
                blinder: address.blinding_pubkey,
            });
        }
        let payload = base58::decode_check(address).map_err(|_| WalletError::Address)?;
        let (prefix, hash) = payload.split_first().ok_or(WalletError::Address)?;
        let hash: [u8; 20] = hash.try_into().map_err(|_| WalletError::Address)?;
        let script = if *prefix == self.network.p2pkh {
            p2pkh(&hash)
        } else if *prefix == self.network.p2sh {
            Script::from([&[0xa9, 20], &hash[..], &[0x87]].concat())
        } else {
            return Err(WalletError::Address);
        };
        Ok(Payee {
            script,
            blinder: None,
        })
    }

    /// Returns the spendable coins; anyone-can-spend coins last, otherwise in a fixed order.
    fn coins(&self, ledger: &Ledger, mempool: &Mempool) -> Vec<Coin> {
        let own = self.own_script();
        let mut coins: Vec<Coin> = ledger
            .all_unspent()
            .filter(|(at, _)| !mempool.is_spent(at))
            .chain(mempool.created())
            .filter(|(_, output)| {
                output.script_pubkey == own || is_anyone_can_spend(&output.script_pubkey)
            })
            .filter_map(|(at, output)| {
                let secrets = match explicit(output) {
                    Ok((asset, amount)) => shown(asset, amount),
                    Err(_) => output.unblind(SECP256K1, self.secret).ok()?,
                };
                Some(Coin {
                    at: *at,
                    secrets,
                    script: output.script_pubkey.clone(),
                })
            })
            .collect();
        coins.sort_by_key(|coin| (is_anyone_can_spend(&coin.script), coin.at));
        coins
    }

    pub(crate) fn balances(
        &self,
        ledger: &Ledger,
        mempool: &Mempool,
    ) -> std::collections::BTreeMap<AssetId, u64> {
        let mut balances = std::collections::BTreeMap::new();
        for coin in self.coins(ledger, mempool) {
            *balances.entry(coin.asset()).or_default() += coin.secrets.value;
        }
        balances
    }

    /// Returns a transaction that pays an amount of an asset to an address.
    pub(crate) fn send(
        &self,
        ledger: &Ledger,
        mempool: &Mempool,
        address: &str,
        amount: u64,
        asset: AssetId,
    ) -> Result<Transaction, WalletError> {
        let payment = output(asset, amount, self.payee(address)?);
        self.build(
            ledger,
            mempool,
            &[(asset, amount)],
            vec![payment],
            |_, _| Ok(()),
        )
    }

    /// Returns a transaction that issues an asset and its tokens to the wallet.
    pub(crate) fn issue(
        &mut self,
        ledger: &Ledger,
        mempool: &Mempool,
        amount: u64,
        tokens: u64,
    ) -> Result<(Transaction, Issued), WalletError> {
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
            if amount > 0 {
                outputs.push(output(asset, amount, self.own()));
            }
            if tokens > 0 {
                outputs.push(output(token, tokens, self.own_for_tokens()));
            }
            Ok(())
        })?;
        let issued = issued.ok_or(WalletError::Funds)?;
        self.issued.push(issued);
        Ok((transaction, issued))
    }

    /// Returns a transaction that reissues an asset issued by this wallet.
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
        // One unit of the token is spent and returned.
        let back = output(issued.token, 1, self.own_for_tokens());
        let coins = self.coins(ledger, mempool);
        // On Elements the nonce is the blinding factor of the token that the first input spends.
        let nonce = coins
            .iter()
            .find(|coin| coin.asset() == issued.token)
            .filter(|_| self.dialect != Dialect::Ocean)
            .map(|coin| AssetBlindingNonce::from_blinding_factor(coin.secrets.asset_bf))
            .unwrap_or(AssetBlindingNonce::from_byte_array(OCEAN_NONCE));
        self.build(
            ledger,
            mempool,
            &[(issued.token, 1)],
            vec![back],
            |input, outputs| {
                input.asset_issuance = AssetIssuance {
                    asset_blinding_nonce: nonce,
                    asset_entropy: issued.entropy,
                    amount: Value::Explicit(amount),
                    inflation_keys: Value::Null,
                };
                outputs.push(output(asset, amount, self.own()));
                Ok(())
            },
        )
        .map_err(|error| match error {
            WalletError::Funds => WalletError::NoToken,
            other => other,
        })
    }

    /// Selects coins for the given amounts and the fee, adds change, and signs.
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
        // In the given order, so that a token is the first input.
        let mut assets: Vec<AssetId> = needed.iter().map(|(asset, _)| *asset).collect();
        if !assets.contains(&fee_asset) {
            assets.push(fee_asset);
        }
        for asset in assets {
            let want = wanted[&asset];
            let mut sum = 0u64;
            for coin in coins.iter().filter(|coin| coin.asset() == asset) {
                if sum >= want {
                    break;
                }
                sum = sum
                    .checked_add(coin.secrets.value)
                    .ok_or(WalletError::Amount)?;
                chosen.push(coin);
            }
            let change = sum.checked_sub(want).ok_or(WalletError::Funds)?;
            if change > 0 {
                // Change of tokens can only be used if it is blinded too.
                let is_blinded = chosen.iter().any(|coin| {
                    coin.asset() == asset && coin.secrets.asset_bf != AssetBlindingFactor::zero()
                });
                let own = if is_blinded {
                    self.own_for_tokens()
                } else {
                    self.own()
                };
                outputs.push(output(asset, change, own));
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
        blind(&mut transaction, &chosen)?;
        for (index, coin) in chosen.iter().enumerate() {
            if !is_anyone_can_spend(&coin.script) {
                transaction.input[index].script_sig =
                    sign(&transaction, index, &coin.script, &self.secret);
            }
        }
        Ok(transaction)
    }
}

/// Blinds the outputs that have a blinding key.
fn blind(transaction: &mut Transaction, coins: &[&Coin]) -> Result<(), WalletError> {
    if transaction
        .output
        .iter()
        .all(|output| !output.nonce.is_confidential())
    {
        return Ok(());
    }
    // In the order of the surjection proofs: each input, followed by what it issues.
    let mut spent = Vec::new();
    for (input, coin) in transaction.input.iter().zip(coins) {
        spent.push(coin.secrets);
        let (asset, token) = input.issuance_ids();
        let created = [
            (asset, input.asset_issuance.amount),
            (token, input.asset_issuance.inflation_keys),
        ];
        for (asset, value) in created {
            if let Some(amount) = value.explicit().filter(|_| input.has_issuance()) {
                spent.push(shown(asset, amount));
            }
        }
    }
    transaction
        .blind(&mut secp256k1::rand::thread_rng(), SECP256K1, &spent, false)
        .map(drop)
        .map_err(|error| WalletError::Blinding(error.to_string()))
}

/// Returns the secrets of an explicit output.
fn shown(asset: AssetId, amount: u64) -> TxOutSecrets {
    TxOutSecrets::new(
        asset,
        AssetBlindingFactor::zero(),
        amount,
        ValueBlindingFactor::zero(),
    )
}

fn output(asset: AssetId, amount: u64, payee: Payee) -> TxOut {
    TxOut {
        asset: Asset::Explicit(asset),
        value: Value::Explicit(amount),
        // Until the output is blinded, its blinding key is stored here.
        nonce: payee.blinder.map_or(Nonce::Null, Nonce::Confidential),
        script_pubkey: payee.script,
        ..TxOut::default()
    }
}
