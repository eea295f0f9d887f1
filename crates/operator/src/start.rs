//! The checks before an operator runs: that keys, node, clock and store belong together.

use std::time::Duration;

use federation_chain::{Block, BlockHash, BlockHeight, Header, UnixTime};
use federation_genesis::{NodeReport, compare};
use federation_ocean_rpc::RpcError;
use hex_conservative::DisplayHex;

use crate::{
    Operator, StartError, check_chain_form,
    history::{History, HistoryError, Scope, last_signed},
    policy::{SWEEP_HEIGHT, check_has_sweep},
};

/// The pause between two attempts to reach the node.
const PAUSE: Duration = Duration::from_secs(1);

/// How far the node's clock may be from this machine's by default.
const MAX_DRIFT: Duration = Duration::from_secs(10);

/// How many blocks are searched for a signature by a key that is declared new. Finding one proves
/// that the key is not new; finding none proves nothing, because a block contains only the M
/// signatures that came first.
const SEARCHED_BLOCKS: u32 = 1000;

/// What the operator knows of the signatures of its key.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Memory {
    /// The operator is an observer, which acts as if its key could have signed anything.
    KnownToBeLost,
    /// Nothing is known: either the key has signed nothing, or the store was lost.
    Empty,
    /// Every signature up to this height is known, unless the store was restored from a backup.
    UpTo(Option<BlockHeight>),
}

/// How an operator is to begin.
pub(crate) struct StartState {
    /// Whether it begins as an observer.
    pub(crate) observe: bool,
    /// Whether the store is empty and, by the node's word, the chain has no block yet.
    pub(crate) fresh: bool,
    /// The node's tip, if the key was declared new and no block contradicts that.
    pub(crate) new_key_at: Option<BlockHeight>,
    /// The comparison of the chain with the guard, done up to the node's tip.
    pub(crate) history: History,
}

/// Checks that both keys are this operator's.
pub(crate) fn check_keys(operator: &Operator) -> Result<(), StartError> {
    let entry = operator
        .federation
        .member(operator.me)
        .ok_or(StartError::NotInRoster(operator.me))?;
    let found = operator.signer.public_key();
    if found != entry.block_key {
        return Err(StartError::BlockKey {
            name: entry.name.clone(),
            expected: Box::new(entry.block_key),
            found: Box::new(found),
        });
    }
    let found = operator.identity.public_key();
    if found != entry.identity {
        return Err(StartError::IdentityKey {
            name: entry.name.clone(),
            expected: Box::new(entry.identity),
            found: Box::new(found),
        });
    }
    Ok(())
}

/// Checks that the node is on the federation's chain and that its clock is right. Waits for the
/// node as long as it takes.
pub(crate) async fn check_node(
    operator: &Operator,
    memory: Memory,
) -> Result<StartState, StartError> {
    let mut logged = false;
    loop {
        match try_check_node(operator, memory).await {
            Err(StartError::Node(error)) if is_temporary(&error) => {
                if !logged {
                    tracing::warn!(%error, "waiting for the node");
                    logged = true;
                }
                tokio::time::sleep(PAUSE).await;
            }
            result => return result,
        }
    }
}

/// Whether waiting may help: the node is unreachable, or has not written its cookie file yet.
fn is_temporary(error: &RpcError) -> bool {
    error.is_transient() || matches!(error, RpcError::Cookie { .. })
}

async fn try_check_node(operator: &Operator, memory: Memory) -> Result<StartState, StartError> {
    let federation = &operator.federation;
    let node = &operator.node;
    let found = node.block_hash(BlockHeight::GENESIS).await?;
    if found != federation.genesis() {
        return Err(StartError::OtherChain {
            expected: federation.genesis(),
            found,
        });
    }
    let expected = federation.rules().dialect();
    let found = node.dialect().await?;
    if found != expected {
        return Err(StartError::OtherDialect { expected, found });
    }
    let info = node.blockchain_info().await?;
    check_chain_form(node.as_ref(), expected, &info).await?;
    check_certificate(operator).await?;
    check_script(operator, info.current_signblock_hex, info.best_block_hash).await?;
    check_clock(operator, info.median_time).await?;
    if info.blocks > BlockHeight::GENESIS {
        check_sweep(operator).await?;
    }
    begin(operator, (info.blocks, info.best_block_hash), memory).await
}

/// Compares everything that the node reports about its chain with what was agreed on.
async fn check_certificate(operator: &Operator) -> Result<(), StartError> {
    let Some(certificate) = &operator.options.certificate else {
        return Ok(());
    };
    let answers = operator.node.chain_report().await?;
    let chain = certificate.chain();
    let report = NodeReport {
        genesis: answers.genesis,
        blockchain: &answers.blockchain,
        sidechain: &answers.sidechain,
        first_block: answers.first_block.as_ref(),
    };
    let mut compared = compare(chain.settings(), chain.genesis(), &report).into_iter();
    match compared.find(|check| !check.is_match()) {
        None => Ok(()),
        Some(wrong) => Err(StartError::NotCertified {
            name: wrong.name,
            expected: wrong.expected,
            found: wrong.found,
        }),
    }
}

async fn check_script(
    operator: &Operator,
    told: Option<String>,
    tip: BlockHash,
) -> Result<(), StartError> {
    let rules = operator.federation.rules();
    let found = match told {
        Some(hex) => hex,
        // Ocean does not report it, but every header has the challenge of the next block.
        None => {
            let header = operator.node.header(tip).await?;
            match Header::decode(rules.dialect(), &header) {
                Ok(header) => header.signing_script().to_lower_hex_string(),
                Err(error) => error.to_string(),
            }
        }
    };
    let expected = rules.signing_script().to_lower_hex_string();
    if found == expected {
        Ok(())
    } else {
        Err(StartError::OtherScript { expected, found })
    }
}

/// Checks that block 1 contains the agreed sweep, if there is one and the node still has the block.
async fn check_sweep(operator: &Operator) -> Result<(), StartError> {
    let Some(sweep) = operator.policy.sweep(SWEEP_HEIGHT) else {
        return Ok(());
    };
    let hash = operator.node.block_hash(SWEEP_HEIGHT).await?;
    let bytes = match operator.node.block(hash).await {
        Ok(bytes) => bytes,
        Err(error) if is_temporary(&error) => return Err(error.into()),
        Err(error) => {
            tracing::warn!(%error, "block 1 not available from the node: sweep not checked");
            return Ok(());
        }
    };
    let checked = Block::decode(operator.federation.rules().dialect(), bytes)
        .map_err(|error| error.to_string())
        .and_then(|block| check_has_sweep(sweep, &block));
    checked.map_err(StartError::NoSweep)
}

/// Compares the clocks by means of a template: its time is the node's, unless the chain is ahead of
/// the node's clock.
async fn check_clock(operator: &Operator, median_time: u64) -> Result<(), StartError> {
    let template = match operator.node.new_block().await {
        Ok(template) => template,
        Err(error) if is_temporary(&error) => return Err(error.into()),
        // A node that is still catching up makes no templates. The protocol checks every block's
        // time anyway.
        Err(error) => {
            tracing::warn!(%error, "no template from the node: its clock is not checked now");
            return Ok(());
        }
    };
    let Ok(block) = Block::decode(operator.federation.rules().dialect(), template) else {
        return Ok(());
    };
    let node = UnixTime::from_secs(block.header().time().into());
    let own = operator.clock.now();
    let drift = operator.options.max_drift.unwrap_or(MAX_DRIFT);
    let lowest_allowed = node.as_secs() == median_time + 1;
    let is_close = (node <= own.saturating_add(drift) || lowest_allowed)
        && node.saturating_add(Duration::from_secs(1)) >= own.saturating_sub(drift);
    if is_close {
        Ok(())
    } else {
        Err(StartError::Clock { node, own })
    }
}

/// Decides how to begin on a chain with this tip, given what is known of the key's signatures.
///
/// Missing knowledge is not inferred from the chain: a block contains only the M signatures that
/// came first, so an operator that is a little slower than others may have signed every block and
/// appear in none.
async fn begin(
    operator: &Operator,
    tip: (BlockHeight, BlockHash),
    memory: Memory,
) -> Result<StartState, StartError> {
    let now = operator.clock.now();
    let mut history = History {
        federation: operator.federation.clone(),
        me: operator.me,
        node: operator.node.clone(),
        signer: operator.signer.clone(),
        clock: operator.clock.clone(),
        max_drift: operator.options.max_drift.unwrap_or(MAX_DRIFT),
        known: Scope::Above(None),
        seen: Some(tip),
        signers: None,
    };
    let (height, hash) = tip;
    let mut observe = false;
    let mut new_key_at = None;
    match memory {
        Memory::KnownToBeLost => history.known = Scope::Since(now),
        Memory::Empty if height == BlockHeight::GENESIS => {}
        Memory::Empty if is_new_key(operator, height) => {
            match last_signed(&history, hash, SEARCHED_BLOCKS).await {
                Ok(None) => new_key_at = Some(height),
                Ok(Some(height)) => return Err(StartError::LostStore { height }),
                Err(error) => return Err(start_error(error, None)),
            }
        }
        Memory::Empty => {
            if operator.federation.tolerated_absent() == 0 {
                return Err(StartError::EmptyStore { tip: height });
            }
            tracing::warn!(
                tip = %height,
                "the store or its guard is empty and the chain has blocks: what this key may have \
                 signed is unknown, so the operator observes until others have settled a block \
                 without it"
            );
            history.known = Scope::Since(now);
            observe = true;
        }
        Memory::UpTo(remembered) => {
            history.known = Scope::Above(remembered);
            history.seen = None;
            let checked = history.check(hash).await;
            checked.map_err(|error| start_error(error, remembered))?;
            history.seen = Some(tip);
        }
    }
    Ok(StartState {
        observe,
        new_key_at,
        fresh: matches!(memory, Memory::Empty) && height == BlockHeight::GENESIS,
        history,
    })
}

/// Whether the key was declared new for this chain, and the declaration still holds at this tip.
fn is_new_key(operator: &Operator, tip: BlockHeight) -> bool {
    match operator.options.new_key_until {
        Some(until) if tip <= until => true,
        Some(until) => {
            tracing::warn!(
                %until,
                %tip,
                "new_key_until is below the chain's tip and no longer in effect"
            );
            false
        }
        None => false,
    }
}

fn start_error(error: HistoryError, remembered: Option<BlockHeight>) -> StartError {
    match error {
        HistoryError::Node(error) => error.into(),
        HistoryError::Guard(error) => error.into(),
        HistoryError::Header(hash, reason) => StartError::Header { hash, reason },
        HistoryError::Unknown { height, .. } => StartError::OldStore {
            height,
            remembered: remembered.unwrap_or(BlockHeight::GENESIS),
        },
    }
}
