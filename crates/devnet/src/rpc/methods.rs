//! The RPC methods.

use elements::{AssetId, Transaction, Txid, encode::deserialize};
use federation_chain::{Block, BlockHash, Dialect, Params, ParamsRoot};
use federation_multisig::{Network, decode_wif, p2pkh};
use hex_conservative::{DisplayHex, FromHex};
use secp256k1::{Message, SECP256K1, ecdsa::Signature};
use serde_json::{Value, json};

use super::{METHOD_NOT_FOUND, RpcFault, views};
use crate::{
    epochs::Epochs,
    error::Invalid,
    node::{Accepted, Shared, State},
    wallet::WalletError,
};

const MISC_ERROR: i32 = -1;
const TYPE_ERROR: i32 = -3;
const INVALID_ADDRESS_OR_KEY: i32 = -5;
const WALLET_ERROR: i32 = -4;
const INSUFFICIENT_FUNDS: i32 = -6;
const INVALID_PARAMETER: i32 = -8;
const DESERIALIZATION_ERROR: i32 = -22;
const VERIFY_ERROR: i32 = -25;
const VERIFY_REJECTED: i32 = -26;
const VERIFY_ALREADY_IN_CHAIN: i32 = -27;

type Answer = Result<Value, RpcFault>;

/// Calls a method by name.
pub(crate) fn call(shared: &Shared, method: &str, params: Value) -> Answer {
    let params = Arguments::new(params)?;
    let ocean = shared.config.dialect == Dialect::Ocean;
    match method {
        "getblockchaininfo" => Ok(blockchain_info(shared)),
        "getnetworkinfo" => Ok(network_info(shared)),
        "getsidechaininfo" => Ok(sidechain_info(shared, ocean)),
        "getmempoolinfo" => Ok(mempool_info(shared)),
        "getrawmempool" => {
            let state = shared.state();
            Ok(state
                .mempool
                .ids()
                .map(|id| json!(id.to_string()))
                .collect())
        }
        "getblockcount" => Ok(json!(shared.state().ledger.height().to_u32())),
        "getconnectioncount" => Ok(json!(shared.state().peers)),
        "getbestblockhash" => Ok(json!(shared.state().ledger.tip().block_hash().to_string())),
        "getblockhash" => block_hash(shared, &params),
        "getblock" => get_block(shared, &params, ocean),
        "getblockheader" => get_header(shared, &params),
        "getnewblockhex" => Ok(json!(shared.template().as_bytes().to_lower_hex_string())),
        "testproposedblock" => test_block(shared, &params),
        "submitblock" => submit_block(shared, &params),
        "combineblocksigs" => combine(shared, &params),
        "signblock" => sign_block(shared, &params),
        "importprivkey" => import_key(shared, &params),
        "decodescript" => decode_script(&params),
        "getwalletinfo" => Ok(wallet_info(ocean)),
        "getaddressinfo" if !ocean => address_info(shared, &params),
        "validateaddress" => address_info(shared, &params),
        "createwallet" if !ocean => create_wallet(shared, &params),
        "loadwallet" if !ocean => load_wallet(&params),
        // The wallet always considers the whole chain.
        "rescanblockchain" if !ocean => {
            let height = shared.state().ledger.height().to_u32();
            Ok(json!({ "start_height": 0, "stop_height": height }))
        }
        "listwallets" if !ocean => Ok(json!(shared.state().wallets)),
        // The nodes' limit on fees does not exist here.
        "prioritisetransaction" => Ok(json!(true)),
        "sendrawtransaction" => send_raw(shared, &params),
        "getrawtransaction" => raw_transaction(shared, &params),
        "gettxout" => tx_out(shared, &params),
        "getnewaddress" => Ok(json!(shared.state().wallet.address())),
        "getbalance" => Ok(balance(shared)),
        "sendtoaddress" => send_to_address(shared, &params),
        "issueasset" => issue(shared, &params),
        "reissueasset" => reissue(shared, &params),
        "listissuances" => Ok(issuances(shared)),
        "uptime" => Ok(json!(shared.started.elapsed().as_secs())),
        "stop" => {
            shared.stop.cancel();
            Ok(json!(if ocean {
                "Ocean server stopping"
            } else {
                "Elements Core stopping"
            }))
        }
        _ => Err(RpcFault::new(METHOD_NOT_FOUND, "Method not found")),
    }
}

/// The positional parameters of a call.
struct Arguments(Vec<Value>);

impl Arguments {
    fn new(params: Value) -> Result<Self, RpcFault> {
        match params {
            Value::Array(list) => Ok(Self(list)),
            Value::Null => Ok(Self(Vec::new())),
            _ => Err(RpcFault::new(-32600, "Params must be an array")),
        }
    }

    fn get(&self, at: usize) -> Option<&Value> {
        self.0.get(at).filter(|value| !value.is_null())
    }

    fn text(&self, at: usize) -> Result<&str, RpcFault> {
        match self.get(at) {
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(RpcFault::new(
                TYPE_ERROR,
                "JSON value is not a string as expected",
            )),
            None => Err(RpcFault::new(
                MISC_ERROR,
                format!("parameter {at} is missing"),
            )),
        }
    }

    fn hash(&self, at: usize) -> Result<BlockHash, RpcFault> {
        self.text(at)?
            .parse()
            .map_err(|_| RpcFault::new(INVALID_PARAMETER, "blockhash must be of length 64"))
    }

    /// Reads an amount in coins as satoshi; zero if missing.
    fn amount(&self, at: usize) -> Result<u64, RpcFault> {
        let invalid = || RpcFault::new(TYPE_ERROR, "Invalid amount");
        let Some(value) = self.get(at) else {
            return Ok(0);
        };
        let text = match value {
            Value::String(text) => text.clone(),
            number => number.to_string(),
        };
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        if fraction.len() > 8 {
            return Err(invalid());
        }
        let digits = format!("{whole}{fraction:0<8}");
        digits.parse().map_err(|_| invalid())
    }
}

fn blockchain_info(shared: &Shared) -> Value {
    let state = shared.state();
    let ledger = &state.ledger;
    let height = ledger.height().to_u32();
    let tip = ledger.tip();
    let mut info = json!({
        "chain": shared.config.chain,
        "blocks": height,
        "headers": height,
        "bestblockhash": tip.block_hash().to_string(),
        "mediantime": ledger.median_time(height as usize),
        "pruned": false,
    });
    let mut put = |name: &str, value: Value| {
        info[name] = value;
    };
    match shared.config.dialect {
        Dialect::Ocean => {
            put("difficulty", json!(1));
            put("verificationprogress", json!(1));
            put("chainwork", json!(format!("{:064x}", height + 1)));
        }
        Dialect::Elements | Dialect::Dynafed => {
            put("time", json!(tip.header().time()));
            put("verificationprogress", json!(0));
            put("initialblockdownload", json!(height == 0));
            put("trim_headers", json!(false));
            let in_force = ledger.epochs().map(Epochs::in_force);
            let rules = ledger.rules();
            let script = in_force
                .as_ref()
                .and_then(Params::signblockscript)
                .map_or(rules.signing_script(), |script| script.as_bytes());
            let limit = in_force
                .as_ref()
                .and_then(Params::signblock_witness_limit)
                .unwrap_or(rules.max_signature_size());
            let (asm, hex) = views::signing_script(tip.header(), shared.config.dialect, script);
            put("current_signblock_asm", json!(asm));
            put("current_signblock_hex", json!(hex));
            put("max_block_witness", json!(limit));
            put("warnings", json!(""));
        }
    }
    // All of this is about the next block, as in the nodes, except for the epoch's age at the best
    // block.
    if let Some(epochs) = ledger.epochs() {
        let root = ParamsRoot::of(&epochs.in_force());
        put("current_params_root", json!(root.to_string()));
        put("epoch_length", json!(epochs.length()));
        put("total_valid_epochs", json!(2));
        put("epoch_age", json!(height % epochs.length()));
    }
    info
}

fn network_info(shared: &Shared) -> Value {
    let peers = shared.state().peers;
    let (version, name, protocol) = match shared.config.dialect {
        Dialect::Ocean => (2_010_101, "/Satoshi:2.1.1.1(devnet)/", 70015),
        Dialect::Elements | Dialect::Dynafed => (230_303, "/Elements Core:23.3.3(devnet)/", 70016),
    };
    json!({
        "version": version,
        "subversion": name,
        "protocolversion": protocol,
        "localrelay": true,
        "timeoffset": 0,
        "networkactive": true,
        "connections": peers,
        "warnings": "",
    })
}

/// Returns the nodes' default parameters, except for the pegged asset.
fn sidechain_info(shared: &Shared, ocean: bool) -> Value {
    let pegged = shared.state().ledger.pegged_asset;
    let mut info = json!({
        "fedpegscript": "51",
        "pegged_asset": views::asset(&pegged),
    });
    let more = if ocean {
        json!({
            "min_peg_diff": "7f".to_owned() + &"ff".repeat(31),
            "parent_blockhash": "d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3",
        })
    } else {
        json!({
            "parent_blockhash": "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206",
            "parent_chain_has_pow": true,
            "enforce_pak": false,
            "pegin_confirmation_depth": 8,
        })
    };
    if let (Value::Object(info), Value::Object(more)) = (&mut info, more) {
        info.extend(more);
    }
    info
}

fn mempool_info(shared: &Shared) -> Value {
    let state = shared.state();
    json!({
        "loaded": true,
        "size": state.mempool.len(),
        "bytes": state.mempool.bytes(),
        "usage": state.mempool.bytes(),
        "maxmempool": 64 * 1024 * 1024,
    })
}

fn block_hash(shared: &Shared, params: &Arguments) -> Answer {
    let out_of_range = || RpcFault::new(INVALID_PARAMETER, "Block height out of range");
    let height = params
        .get(0)
        .and_then(Value::as_u64)
        .ok_or_else(out_of_range)?;
    let state = shared.state();
    let at = usize::try_from(height).map_err(|_| out_of_range())?;
    let block = state.ledger.at(at).ok_or_else(out_of_range)?;
    Ok(json!(block.block_hash().to_string()))
}

/// Finds a block and returns a view of it.
fn with_block(
    shared: &Shared,
    params: &Arguments,
    view: impl FnOnce(&State, usize, &Block) -> Value,
) -> Answer {
    let hash = params.hash(0)?;
    let state = shared.state();
    let side = || {
        let block = state.ledger.side(&hash)?;
        Some((block.height().to_u32() as usize, block))
    };
    let (height, block) = state
        .ledger
        .find(&hash)
        .or_else(side)
        .ok_or_else(|| RpcFault::new(INVALID_ADDRESS_OR_KEY, "Block not found"))?;
    Ok(view(&state, height, block))
}

fn get_block(shared: &Shared, params: &Arguments, ocean: bool) -> Answer {
    let raw = match params.get(1) {
        Some(Value::Bool(verbose)) => !verbose,
        Some(number) if !ocean => number.as_u64() == Some(0),
        _ => false,
    };
    with_block(shared, params, |state, height, block| {
        if raw {
            json!(block.as_bytes().to_lower_hex_string())
        } else {
            views::block(&state.ledger, height, block)
        }
    })
}

fn get_header(shared: &Shared, params: &Arguments) -> Answer {
    let raw = params.get(1) == Some(&Value::Bool(false));
    with_block(shared, params, |state, height, block| {
        if raw {
            json!(block.header().encode().to_lower_hex_string())
        } else {
            views::header(&state.ledger, height, block)
        }
    })
}

fn decode_block(shared: &Shared, params: &Arguments) -> Result<Block, RpcFault> {
    let failed = || RpcFault::new(DESERIALIZATION_ERROR, "Block decode failed");
    let bytes = Vec::<u8>::from_hex(params.text(0)?).map_err(|_| failed())?;
    let block = Block::decode(shared.config.dialect, bytes.into()).map_err(|_| failed())?;
    // Truncated or padded transactions do not decode either.
    block.transaction_ids().map_err(|_| failed())?;
    Ok(block)
}

fn test_block(shared: &Shared, params: &Arguments) -> Answer {
    let block = decode_block(shared, params)?;
    let now = shared.now();
    let state = shared.state();
    if state.ledger.is_known(&block.block_hash()) {
        let code = match shared.config.dialect {
            Dialect::Ocean => VERIFY_ERROR,
            Dialect::Elements | Dialect::Dynafed => VERIFY_ALREADY_IN_CHAIN,
        };
        return Err(RpcFault::new(code, "already have block"));
    }
    match state.ledger.check(&block, now) {
        Ok(_) => Ok(Value::Null),
        Err(Invalid::UnknownPrevious) => {
            Err(RpcFault::new(VERIFY_ERROR, Invalid::NotOnTip.to_string()))
        }
        Err(error) => Err(RpcFault::new(VERIFY_ERROR, error.to_string())),
    }
}

fn submit_block(shared: &Shared, params: &Arguments) -> Answer {
    let block = decode_block(shared, params)?;
    // The nodes check signatures first.
    let signed = shared.state().ledger.check_proof(&block).is_ok();
    let known = shared.state().ledger.is_known(&block.block_hash());
    if !signed && !known {
        return Ok(json!(Invalid::Proof.to_string()));
    }
    let is_ocean = shared.config.dialect == Dialect::Ocean;
    if shared.state().ledger.side(&block.block_hash()).is_some() {
        return Ok(json!(if is_ocean {
            "duplicate-inconclusive"
        } else {
            "duplicate"
        }));
    }
    Ok(match shared.accept(block.clone()) {
        Ok(Accepted::New) => Value::Null,
        Ok(Accepted::Duplicate) => json!("duplicate"),
        Err(Invalid::NotOnTip) => match shared.state().ledger.add_side(block) {
            Ok(()) => json!("inconclusive"),
            Err(error) => json!(error.to_string()),
        },
        Err(Invalid::UnknownPrevious) if is_ocean => json!("bad-prevblk"),
        Err(error) => json!(error.to_string()),
    })
}

/// Signatures of the block by the imported keys.
fn signatures(shared: &Shared, block: &Block) -> Vec<(secp256k1::PublicKey, Signature)> {
    let message = Message::from_digest(block.block_hash().to_bytes());
    let state = shared.state();
    let script = state.ledger.rules().script();
    let mut signatures: Vec<_> = state
        .block_keys
        .iter()
        .map(|key| {
            (
                key.public_key(SECP256K1),
                SECP256K1.sign_ecdsa(&message, key),
            )
        })
        .filter_map(|(key, signature)| Some((script.position(&key)?, key, signature)))
        .collect();
    signatures.sort_by_key(|(position, _, _)| *position);
    signatures
        .into_iter()
        .map(|(_, key, signature)| (key, signature))
        .collect()
}

fn sign_block(shared: &Shared, params: &Arguments) -> Answer {
    let block = decode_block(shared, params)?;
    let signatures = signatures(shared, &block);
    if shared.config.dialect == Dialect::Ocean {
        let mut script_sig = vec![0];
        for (_, signature) in signatures {
            let der = signature.serialize_der();
            // DER has at most 72 bytes.
            script_sig.push(u8::try_from(der.len()).unwrap_or(u8::MAX));
            script_sig.extend_from_slice(&der);
        }
        return Ok(json!(script_sig.to_lower_hex_string()));
    }
    let sighash = shared.config.dialect == Dialect::Dynafed;
    Ok(signatures
        .iter()
        .map(|(key, signature)| {
            let mut der = signature.serialize_der().to_vec();
            if sighash {
                der.push(1);
            }
            json!({ "pubkey": key.to_string(), "sig": der.to_lower_hex_string() })
        })
        .collect())
}

fn combine(shared: &Shared, params: &Arguments) -> Answer {
    let block = decode_block(shared, params)?;
    let rules = shared.state().ledger.rules().clone();
    let invalid = || RpcFault::new(DESERIALIZATION_ERROR, "Invalid signature");
    let given = params
        .get(1)
        .and_then(Value::as_array)
        .ok_or_else(invalid)?;
    let mut found = std::collections::BTreeMap::new();
    for one in given {
        let candidates = match one {
            Value::String(hex) => {
                let bytes = Vec::<u8>::from_hex(hex).map_err(|_| invalid())?;
                federation_chain::signatures_of_script_sig(&bytes).map_err(|_| invalid())?
            }
            entry => {
                let hex = entry["sig"].as_str().ok_or_else(invalid)?;
                let mut der = Vec::<u8>::from_hex(hex).map_err(|_| invalid())?;
                if shared.config.dialect == Dialect::Dynafed {
                    der.pop();
                }
                vec![Signature::from_der(&der).map_err(|_| invalid())?]
            }
        };
        for signature in candidates {
            let signer = (0..rules.script().keys().len()).find(|index| {
                rules
                    .verify_signature(block.block_hash(), *index, &signature)
                    .is_ok()
            });
            if let Some(index) = signer {
                found.insert(index, signature);
            }
        }
    }
    Ok(match rules.assemble(&block, &found) {
        Ok(complete) => json!({
            "hex": complete.as_bytes().to_lower_hex_string(),
            "complete": true,
        }),
        Err(_) => json!({
            "hex": block.as_bytes().to_lower_hex_string(),
            "complete": false,
        }),
    })
}

fn import_key(shared: &Shared, params: &Arguments) -> Answer {
    let secret = decode_wif(params.text(0)?, &Network::ELEMENTS_CUSTOM)
        .map_err(|_| RpcFault::new(INVALID_ADDRESS_OR_KEY, "Invalid private key encoding"))?;
    shared.state().block_keys.push(secret);
    Ok(Value::Null)
}

/// Decodes a script that pays to a key's hash; others are reported as nonstandard.
fn decode_script(params: &Arguments) -> Answer {
    let script = Vec::<u8>::from_hex(params.text(0)?)
        .map_err(|_| RpcFault::new(INVALID_PARAMETER, "argument must be hexadecimal string"))?;
    let script = bitcoin::ScriptBuf::from_bytes(script);
    if !script.is_p2pkh() {
        return Ok(json!({ "type": "nonstandard" }));
    }
    let payload: Vec<u8> = [&[Network::ELEMENTS_CUSTOM.p2pkh], &script.as_bytes()[3..23]].concat();
    let address = bitcoin::base58::encode_check(&payload);
    Ok(json!({ "type": "pubkeyhash", "address": address, "addresses": [address] }))
}

/// Returns a legacy wallet without a passphrase.
fn wallet_info(ocean: bool) -> Value {
    if ocean {
        json!({ "walletversion": 130_000 })
    } else {
        json!({ "walletversion": 169_900, "format": "bdb", "private_keys_enabled": true, "descriptors": false })
    }
}

/// Returns whether an address belongs to an imported key.
fn address_info(shared: &Shared, params: &Arguments) -> Answer {
    let address = params.text(0)?;
    let mut keys = shared.state().block_keys.clone().into_iter();
    let is_mine = keys.any(|secret| {
        let key = secret.public_key(SECP256K1);
        p2pkh(&key, &Network::ELEMENTS_CUSTOM) == address
    });
    Ok(json!({ "address": address, "ismine": is_mine, "iswatchonly": false }))
}

fn create_wallet(shared: &Shared, params: &Arguments) -> Answer {
    let name = params.text(0)?;
    let mut state = shared.state();
    if !state.wallets.iter().any(|wallet| wallet == name) {
        state.wallets.push(name.to_owned());
    }
    let warning = "Empty string given as passphrase, wallet will not be encrypted.";
    Ok(json!({ "name": name, "warning": warning }))
}

fn load_wallet(params: &Arguments) -> Answer {
    let name = params.text(0)?;
    let message = format!(
        "Wallet file verification failed. Failed to load database path '{name}'. Path does not exist."
    );
    Err(RpcFault::new(-18, message))
}

fn rejected(error: &Invalid) -> RpcFault {
    let code = match error {
        Invalid::MissingInput(_) => VERIFY_ERROR,
        _ => VERIFY_REJECTED,
    };
    RpcFault::new(code, error.to_string())
}

fn send_raw(shared: &Shared, params: &Arguments) -> Answer {
    let failed = || RpcFault::new(DESERIALIZATION_ERROR, "TX decode failed");
    let bytes = Vec::<u8>::from_hex(params.text(0)?).map_err(|_| failed())?;
    let transaction: Transaction = deserialize(&bytes).map_err(|_| failed())?;
    send(shared, transaction)
}

fn send(shared: &Shared, transaction: Transaction) -> Answer {
    let txid = transaction.txid();
    if shared.state().ledger.block_of(&txid).is_some() {
        return Err(RpcFault::new(
            VERIFY_ALREADY_IN_CHAIN,
            "Transaction already in block chain",
        ));
    }
    shared
        .accept_transaction(transaction)
        .map_err(|error| rejected(&error))?;
    Ok(json!(txid.to_string()))
}

fn raw_transaction(shared: &Shared, params: &Arguments) -> Answer {
    let unknown = || {
        RpcFault::new(
            INVALID_ADDRESS_OR_KEY,
            "No such mempool or blockchain transaction",
        )
    };
    let txid: Txid = params.text(0)?.parse().map_err(|_| unknown())?;
    let state = shared.state();
    let transaction = match state.mempool.get(&txid) {
        Some(transaction) => transaction.clone(),
        None => state
            .ledger
            .block_of(&txid)
            .and_then(|block| block.transactions().ok())
            .and_then(|all| all.into_iter().find(|one| one.txid() == txid))
            .ok_or_else(unknown)?,
    };
    Ok(json!(
        elements::encode::serialize(&transaction).to_lower_hex_string()
    ))
}

fn tx_out(shared: &Shared, params: &Arguments) -> Answer {
    let Ok(txid) = params.text(0)?.parse::<Txid>() else {
        return Err(RpcFault::new(
            INVALID_PARAMETER,
            "txid must be of length 64",
        ));
    };
    let index = params
        .get(1)
        .and_then(Value::as_u64)
        .and_then(|n| u32::try_from(n).ok());
    let index = index.ok_or_else(|| RpcFault::new(TYPE_ERROR, "vout is not a number"))?;
    let state = shared.state();
    let at = elements::OutPoint::new(txid, index);
    let Some(output) = state.mempool.output(&state.ledger, &at) else {
        return Ok(Value::Null);
    };
    let (asset, value) = crate::transaction::explicit(output).map_err(|error| rejected(&error))?;
    Ok(json!({
        "bestblock": state.ledger.tip().block_hash().to_string(),
        "value": views::amount(value),
        "asset": views::asset(&asset),
        "scriptPubKey": { "hex": output.script_pubkey.as_bytes().to_lower_hex_string() },
    }))
}

fn label(state: &State, asset: &AssetId) -> String {
    if *asset == state.ledger.pegged_asset {
        "bitcoin".to_owned()
    } else {
        views::asset(asset)
    }
}

fn asset_by_name(state: &State, name: &str) -> Result<AssetId, RpcFault> {
    if name.is_empty() || name == "bitcoin" {
        return Ok(state.ledger.pegged_asset);
    }
    name.parse().map_err(|_| wallet_fault(&WalletError::Asset))
}

fn balance(shared: &Shared) -> Value {
    let state = shared.state();
    let balances = state.wallet.balances(&state.ledger, &state.mempool);
    balances
        .into_iter()
        .map(|(asset, amount)| (label(&state, &asset), views::amount(amount)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn wallet_fault(error: &WalletError) -> RpcFault {
    let code = match error {
        WalletError::Funds => INSUFFICIENT_FUNDS,
        WalletError::Address => INVALID_ADDRESS_OR_KEY,
        WalletError::Asset | WalletError::Amount => INVALID_PARAMETER,
        WalletError::NoToken | WalletError::Blinding(_) => WALLET_ERROR,
    };
    RpcFault::new(code, error.to_string())
}

/// `sendtoaddress address amount`, with the asset as the tenth parameter on Elements, or the sixth
/// on Ocean.
fn send_to_address(shared: &Shared, params: &Arguments) -> Answer {
    let position = if shared.config.dialect == Dialect::Ocean {
        5
    } else {
        9
    };
    let (address, amount) = (params.text(0)?, params.amount(1)?);
    let transaction = {
        let state = shared.state();
        let name = if params.get(position).is_some() {
            params.text(position)?
        } else {
            ""
        };
        let asset = asset_by_name(&state, name)?;
        state
            .wallet
            .send(&state.ledger, &state.mempool, address, amount, asset)
            .map_err(|error| wallet_fault(&error))?
    };
    send(shared, transaction)
}

fn issue(shared: &Shared, params: &Arguments) -> Answer {
    let (amount, tokens) = (params.amount(0)?, params.amount(1)?);
    if amount == 0 && tokens == 0 {
        let message = "Issuance must have one non-zero component";
        return Err(RpcFault::new(TYPE_ERROR, message));
    }
    let (transaction, issued) = {
        let mut state = shared.state();
        let State {
            ledger,
            mempool,
            wallet,
            ..
        } = &mut *state;
        wallet
            .issue(ledger, mempool, amount, tokens)
            .map_err(|error| wallet_fault(&error))?
    };
    let txid = send(shared, transaction)?;
    Ok(json!({
        "txid": txid,
        "vin": 0,
        "asset": views::asset(&issued.asset),
        "token": views::asset(&issued.token),
    }))
}

fn reissue(shared: &Shared, params: &Arguments) -> Answer {
    let amount = params.amount(1)?;
    let transaction = {
        let state = shared.state();
        let asset = asset_by_name(&state, params.text(0)?)?;
        state
            .wallet
            .reissue(&state.ledger, &state.mempool, asset, amount)
            .map_err(|error| wallet_fault(&error))?
    };
    let txid = send(shared, transaction)?;
    Ok(json!({ "txid": txid, "vin": 0 }))
}

fn issuances(shared: &Shared) -> Value {
    let state = shared.state();
    state
        .wallet
        .issued
        .iter()
        .map(|issued| json!({ "asset": views::asset(&issued.asset), "token": views::asset(&issued.token) }))
        .collect()
}
