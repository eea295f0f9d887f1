//! What is checked before an operator runs: that keys, node, clock and store belong together.

use std::time::Duration;

use federation_chain::{Block, BlockHash, BlockHeight, Header, UnixTime};
use federation_genesis::{Told, compare};
use federation_ocean_rpc::RpcError;
use hex_conservative::DisplayHex;

use crate::{
    Operator, StartError, check_chain_form,
    history::{History, HistoryError, Known, last_signed},
    policy::{SWEPT, check_swept},
};

/// The pause between two tries to reach the node.
const PAUSE: Duration = Duration::from_secs(1);

/// How far the node's clock may be from ours if nothing is set.
const MAX_DRIFT: Duration = Duration::from_secs(10);

/// How many blocks are searched for a signature by a key that is said to be new. Finding one proves
/// that it is not; finding none proves nothing, as a block holds the M signatures that came first.
const SEARCHED_BLOCKS: u32 = 1000;

/// What the operator remembers of what its key has signed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Memory {
    /// It is an observer, which acts as if it had signed anything.
    KnownToBeLost,
    /// Nothing: then nothing was signed, or the store was lost.
    Empty,
    /// All up to this height, or it was set back.
    UpTo(Option<BlockHeight>),
}

/// How an operator begins.
pub(crate) struct Begin {
    /// Whether it only watches at first.
    pub(crate) observe: bool,
    /// Whether it knows nothing, on a chain that its node says has no block yet.
    pub(crate) fresh: bool,
    /// The node's tip, at which somebody said that the key is new and no block denies it.
    pub(crate) new_key_at: Option<BlockHeight>,
    /// What the chain was compared with, up to the node's tip.
    pub(crate) history: History,
}

/// Checks that the signers are this operator's.
pub(crate) fn check_keys(operator: &Operator) -> Result<(), StartError> {
    let entry = operator
        .federation
        .operator(operator.me)
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

/// Checks that the node is on the federation's chain and has a sane clock, waiting for it as long
/// as it takes.
pub(crate) async fn check_node(operator: &Operator, memory: Memory) -> Result<Begin, StartError> {
    let mut told = false;
    loop {
        match try_check_node(operator, memory).await {
            Err(StartError::Node(error)) if may_pass(&error) => {
                if !told {
                    tracing::warn!(%error, "waiting for the node");
                    told = true;
                }
                tokio::time::sleep(PAUSE).await;
            }
            result => return result,
        }
    }
}

/// Whether waiting may help: the node is away, or its cookie file is not written yet.
fn may_pass(error: &RpcError) -> bool {
    error.is_transient() || matches!(error, RpcError::Cookie { .. })
}

async fn try_check_node(operator: &Operator, memory: Memory) -> Result<Begin, StartError> {
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

/// Compares everything that the node tells of its chain with what was agreed on.
async fn check_certificate(operator: &Operator) -> Result<(), StartError> {
    let Some(certificate) = &operator.options.certificate else {
        return Ok(());
    };
    let answers = operator.node.chain_report().await?;
    let chain = certificate.chain();
    let told = Told {
        genesis: answers.genesis,
        blockchain: &answers.blockchain,
        sidechain: &answers.sidechain,
        first_block: answers.first_block.as_ref(),
    };
    let mut compared = compare(chain.settings(), chain.genesis(), &told).into_iter();
    match compared.find(|one| !one.is_right()) {
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
        // Ocean does not tell; every header has the challenge of the next one.
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

/// Checks that the chain began with the agreed sweep, if there is one and the node still has block 1.
async fn check_sweep(operator: &Operator) -> Result<(), StartError> {
    let Some(sweep) = operator.policy.sweep(SWEPT) else {
        return Ok(());
    };
    let hash = operator.node.block_hash(SWEPT).await?;
    let bytes = match operator.node.block(hash).await {
        Ok(bytes) => bytes,
        Err(error) if may_pass(&error) => return Err(error.into()),
        Err(error) => {
            tracing::warn!(%error, "the node does not give block 1, so its sweep is not checked");
            return Ok(());
        }
    };
    let checked = Block::decode(operator.federation.rules().dialect(), bytes)
        .map_err(|error| error.to_string())
        .and_then(|block| check_swept(sweep, &block));
    checked.map_err(StartError::NoSweep)
}

/// Compares clocks by a template: its time is the node's, unless the chain is ahead of it.
async fn check_clock(operator: &Operator, median_time: u64) -> Result<(), StartError> {
    let template = match operator.node.new_block().await {
        Ok(template) => template,
        Err(error) if may_pass(&error) => return Err(error.into()),
        // A node that is still catching up makes no templates; the protocol checks each time again.
        Err(error) => {
            tracing::warn!(%error, "the node gives no template, so its clock is not checked now");
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
    let fine = (node <= own.after(drift) || lowest_allowed)
        && node.after(Duration::from_secs(1)) >= own.before(drift);
    if fine {
        Ok(())
    } else {
        Err(StartError::Clock { node, own })
    }
}

/// Decides how to begin, with what is remembered, on a chain with this tip.
///
/// Memory that is missing is not guessed from the chain: a block holds M signatures, those that came
/// first, so an operator that is a little slower than others may have signed each and stand in none.
async fn begin(
    operator: &Operator,
    tip: (BlockHeight, BlockHash),
    memory: Memory,
) -> Result<Begin, StartError> {
    let now = operator.clock.now();
    let mut history = History {
        federation: operator.federation.clone(),
        me: operator.me,
        node: operator.node.clone(),
        signer: operator.signer.clone(),
        clock: operator.clock.clone(),
        max_drift: operator.options.max_drift.unwrap_or(MAX_DRIFT),
        known: Known::Above(None),
        seen: Some(tip),
        signers: None,
    };
    let (height, hash) = tip;
    let mut observe = false;
    let mut new_key_at = None;
    match memory {
        Memory::KnownToBeLost => history.known = Known::Since(now),
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
                "the store or its guard is empty and the chain has blocks: whatever this key may have \
                 signed is not known, so the operator observes until others have settled a block \
                 without it"
            );
            history.known = Known::Since(now);
            observe = true;
        }
        Memory::UpTo(remembered) => {
            history.known = Known::Above(remembered);
            history.seen = None;
            let looked = history.look(hash).await;
            looked.map_err(|error| start_error(error, remembered))?;
            history.seen = Some(tip);
        }
    }
    Ok(Begin {
        observe,
        new_key_at,
        fresh: matches!(memory, Memory::Empty) && height == BlockHeight::GENESIS,
        history,
    })
}

/// Whether somebody said that the key has signed nothing on this chain, and that still counts.
fn is_new_key(operator: &Operator, tip: BlockHeight) -> bool {
    match operator.options.new_key_until {
        Some(until) if tip <= until => true,
        Some(until) => {
            tracing::warn!(
                %until,
                %tip,
                "new_key_until is below the chain's tip, so it does not count any more"
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
