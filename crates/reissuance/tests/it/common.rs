//! A chain of blocks without headers, with one asset, and the operators that reissue it.

use core::time::Duration;

use elements::{
    AssetId, AssetIssuance, ContractHash, LockTime, OutPoint, Script, Sequence, Transaction, TxIn,
    TxOut, Txid,
    confidential::{Asset, Nonce, Value},
    encode::serialize,
    issuance::{AssetBlindingNonce, AssetEntropy},
    secp256k1_zkp::SECP256K1,
};
use federation_chain::{BlockHash, BlockHeight, Dialect, TransactionView};
use federation_multisig::{KeyOrder, MultisigScript, PublicKey, Threshold};
use federation_reissuance::{
    AssetSettings, Chain, Collection, Ledger, LedgerEvent, PartialSignatures, Plan, Schedule,
    ScriptKind, TokenForm, TokenScript, Unsigned,
};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use secp256k1::{Message, SecretKey};

pub(crate) const COIN: u64 = 100_000_000;
/// The issued amounts of the asset and of its tokens.
pub(crate) const ISSUED: u64 = 1000 * COIN;
pub(crate) const TOKENS: u64 = COIN;
/// Blocks between points.
pub(crate) const PERIOD: u32 = 5;

/// The key of operator `index`.
pub(crate) fn key(index: u8) -> SecretKey {
    SecretKey::from_slice(&[index + 1; 32]).expect("a key")
}

pub(crate) fn tokens(kind: ScriptKind) -> TokenScript {
    let keys: Vec<PublicKey> = (0..3).map(|i| key(i).public_key(SECP256K1)).collect();
    let script = MultisigScript::new(Threshold::new(2).expect("two"), keys, KeyOrder::AsGiven);
    TokenScript::new(script.expect("a script"), kind).expect("it fits")
}

/// The outpoint spent by the issuance of the only asset, from which its ids follow.
pub(crate) fn issued_from() -> OutPoint {
    OutPoint::new(Txid::from_byte_array([9; 32]), 0)
}

pub(crate) fn asset() -> AssetId {
    AssetId::new_issuance(issued_from(), ContractHash::from_byte_array([0; 32]))
}

pub(crate) fn token() -> AssetId {
    AssetId::new_reissuance_token(issued_from(), ContractHash::from_byte_array([0; 32]), false)
}

pub(crate) fn destination() -> Script {
    Script::from(vec![0x51, 0x52])
}

pub(crate) fn settings(kind: ScriptKind) -> AssetSettings {
    // Each block is a day.
    let schedule = Schedule::new(
        "0.21".parse().expect("a rate"),
        PERIOD,
        Duration::from_secs(24 * 60 * 60),
        BlockHeight::GENESIS,
    );
    AssetSettings::new(
        asset(),
        schedule.expect("a schedule"),
        destination(),
        tokens(kind),
    )
    .expect("settings")
}

pub(crate) fn explicit(asset: AssetId, value: u64, script: Script) -> TxOut {
    TxOut {
        asset: Asset::Explicit(asset),
        value: Value::Explicit(value),
        nonce: Nonce::Null,
        script_pubkey: script,
        witness: elements::TxOutWitness::empty(),
    }
}

pub(crate) fn spend(outpoint: OutPoint) -> TxIn {
    TxIn {
        previous_output: outpoint,
        is_pegin: false,
        script_sig: Script::new(),
        sequence: Sequence::MAX,
        asset_issuance: AssetIssuance::null(),
        witness: elements::TxInWitness::empty(),
    }
}

pub(crate) fn transaction(input: Vec<TxIn>, output: Vec<TxOut>) -> Transaction {
    Transaction {
        version: 2,
        lock_time: LockTime::ZERO,
        input,
        output,
    }
}

/// A chain, read by one ledger.
pub(crate) struct TestChain {
    pub(crate) ledger: Ledger,
    pub(crate) kind: ScriptKind,
    pub(crate) chain: Chain,
}

impl TestChain {
    pub(crate) fn new(form: TokenForm, kind: ScriptKind) -> Self {
        Self::with(form, settings(kind))
    }

    pub(crate) fn with(form: TokenForm, settings: AssetSettings) -> Self {
        let chain = Chain {
            genesis: hash(0),
            tokens: form,
        };
        let kind = settings.tokens().kind();
        let mut test = Self {
            ledger: Ledger::new(chain, vec![settings]),
            kind,
            chain,
        };
        test.block(vec![]);
        test
    }

    /// Adds a block and returns its events.
    pub(crate) fn block(&mut self, transactions: Vec<Transaction>) -> Vec<LedgerEvent> {
        let height = self.ledger.next_height();
        let number = height.to_u32();
        let coinbase = transaction(
            vec![spend(OutPoint::null())],
            vec![explicit(asset(), 0, Script::from(vec![0x6a]))],
        );
        let all: Vec<_> = core::iter::once(coinbase)
            .chain(transactions)
            .map(|transaction| serialize(&transaction))
            .collect();
        let events = self.raw_block(&all);
        assert_eq!(self.ledger.tip(), Some((height, hash(number))));
        events
    }

    /// Adds a block of serialised transactions and returns its events.
    pub(crate) fn raw_block(&mut self, transactions: &[Vec<u8>]) -> Vec<LedgerEvent> {
        let dialect = match self.chain.tokens {
            TokenForm::Explicit => Dialect::Ocean,
            TokenForm::Blinded => Dialect::Dynafed,
        };
        let views: Vec<_> = transactions
            .iter()
            .map(|bytes| TransactionView::decode(dialect, bytes).expect("a transaction"))
            .collect();
        let height = self.ledger.next_height();
        let number = height.to_u32();
        let events = self
            .ledger
            .apply(height, hash(number), hash(number.wrapping_sub(1)), &views)
            .expect("the next block");
        events.into_iter().map(|(_, event)| event).collect()
    }

    /// Adds empty blocks up to a height and returns their events.
    pub(crate) fn until(&mut self, height: u32) -> Vec<LedgerEvent> {
        let mut events = Vec::new();
        while self.ledger.next_height().to_u32() <= height {
            events.extend(self.block(vec![]));
        }
        events
    }

    /// Issues the asset, with its tokens sent to the script as a wallet would.
    pub(crate) fn issue(&mut self) -> Vec<LedgerEvent> {
        let issuance = self.issuance();
        self.block(vec![issuance])
    }

    pub(crate) fn issuance(&self) -> Transaction {
        let mut input = spend(issued_from());
        input.asset_issuance = AssetIssuance {
            asset_blinding_nonce: AssetBlindingNonce::NEW_ISSUANCE,
            asset_entropy: AssetEntropy::from_byte_array([0; 32]),
            amount: Value::Explicit(ISSUED),
            inflation_keys: Value::Explicit(TOKENS),
        };
        let tokens = tokens(self.kind);
        let held = match self.chain.tokens {
            TokenForm::Explicit => explicit(token(), TOKENS, tokens.script_pubkey()),
            TokenForm::Blinded => self.blinded_tokens(&tokens),
        };
        let wallet = Script::from(vec![0x53]);
        transaction(vec![input], vec![explicit(asset(), ISSUED, wallet), held])
    }

    /// Tokens blinded as by a wallet, to the script's public blinding key.
    pub(crate) fn blinded_tokens(&self, tokens: &TokenScript) -> TxOut {
        let mut rng = ChaCha20Rng::from_seed([5; 32]);
        let secrets = elements::TxOutSecrets::new(
            token(),
            elements::confidential::AssetBlindingFactor::new(&mut rng),
            TOKENS,
            elements::confidential::ValueBlindingFactor::new(&mut rng),
        );
        let spent = elements::TxOutSecrets::new(
            token(),
            elements::confidential::AssetBlindingFactor::zero(),
            TOKENS,
            elements::confidential::ValueBlindingFactor::zero(),
        );
        TxOut::with_txout_secrets(
            &mut rng,
            SECP256K1,
            tokens.script_pubkey(),
            tokens.blinding_public_key(self.chain.genesis),
            key(77),
            secrets,
            &[spent],
        )
        .expect("blinded")
    }

    pub(crate) fn plan(&self) -> Plan {
        self.ledger.plan(0).expect("a reissuance is due")
    }

    /// The due reissuance, signed by two of three.
    pub(crate) fn payment(&self) -> Transaction {
        let plan = self.plan();
        let tokens = self.ledger.settings()[0].tokens().clone();
        let unsigned = plan.unsigned(&self.chain, &tokens).expect("a transaction");
        let mut collection = Collection::new(unsigned.clone());
        for index in [2, 0] {
            assert_eq!(collection.add(&sign(&unsigned, index)), Ok(true));
        }
        collection.complete().expect("two of three")
    }
}

/// The signatures of operator `index`.
pub(crate) fn sign(unsigned: &Unsigned, index: u8) -> PartialSignatures {
    let secret = key(index);
    PartialSignatures {
        key: secret.public_key(SECP256K1),
        signatures: unsigned
            .digests()
            .into_iter()
            .map(|digest| SECP256K1.sign_ecdsa(&Message::from_digest(digest), &secret))
            .collect(),
    }
}

pub(crate) fn hash(number: u32) -> BlockHash {
    let mut bytes = [7; 32];
    bytes[..4].copy_from_slice(&number.to_le_bytes());
    BlockHash::from_bytes(bytes)
}

/// An unrelated outpoint.
pub(crate) fn elsewhere() -> OutPoint {
    OutPoint::new(Txid::from_byte_array([1; 32]), 3)
}
