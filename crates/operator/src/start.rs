//! What is checked before an operator runs: that keys, node, clock and store belong together.

use std::time::Duration;

use bytes::Bytes;
use federation_chain::{Block, BlockHash, BlockHeight, Dialect, Header, UnixTime};
use federation_genesis::{Told, compare};
use federation_ocean_rpc::RpcError;
use hex_conservative::DisplayHex;

use crate::{
    Operator, StartError,
    error::MIN_EPOCH_LENGTH,
    money_warnings,
    policy::{SWEPT, check_swept},
};

/// The pause between two tries to reach the node.
const PAUSE: Duration = Duration::from_secs(1);

/// How far the node's clock may be from ours if nothing is set.
const MAX_DRIFT: Duration = Duration::from_secs(10);

/// How many blocks are searched for an own signature: with a majority signing each, an operator
/// that takes part is among the signers of some of the last ones.
const SEARCHED_BLOCKS: u32 = 100;

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
pub(crate) async fn check_node(operator: &Operator, memory: Memory) -> Result<(), StartError> {
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

async fn try_check_node(operator: &Operator, memory: Memory) -> Result<(), StartError> {
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
    if expected == Dialect::Elements && node.dynafed_can_begin().await? {
        return Err(StartError::FormatChanges(expected));
    }
    let info = node.blockchain_info().await?;
    if let Some(length) = info
        .epoch_length
        .filter(|length| *length < MIN_EPOCH_LENGTH)
    {
        return Err(StartError::ShortEpochs(length));
    }
    check_certificate(operator).await?;
    check_script(operator, info.current_signblock_hex, info.best_block_hash).await?;
    check_clock(operator, info.median_time).await?;
    if info.blocks > BlockHeight::GENESIS {
        check_sweep(operator).await?;
    }
    check_history(operator, info.blocks, memory).await?;
    Ok(())
}

/// Says it loudly when coins or fees are for anyone to take.
pub(crate) async fn warn_of_money(operator: &Operator) {
    let found = money_warnings(
        operator.node.as_ref(),
        operator.federation.rules().dialect(),
        operator.options.certificate.as_deref(),
        operator.options.sweep.as_ref(),
    );
    match found.await {
        Ok(warnings) => {
            for warning in warnings {
                tracing::warn!("{warning}");
            }
        }
        Err(error) => {
            tracing::warn!(%error, "not known who can take coins and fees: the node does not tell");
        }
    }
}

/// Compares everything that the node tells of its chain with what was agreed on.
async fn check_certificate(operator: &Operator) -> Result<(), StartError> {
    let Some(certificate) = &operator.options.certificate else {
        return Ok(());
    };
    let answers = operator.node.ask_chain().await?;
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

/// Looks in the last blocks for an own signature of which nothing is remembered.
async fn check_history(
    operator: &Operator,
    tip: BlockHeight,
    memory: Memory,
) -> Result<(), StartError> {
    let remembered = match memory {
        Memory::KnownToBeLost => return Ok(()),
        Memory::Empty => None,
        Memory::UpTo(top) => top,
    };
    let rules = operator.federation.rules();
    let own = operator.federation.script_position(operator.me);
    let lowest = tip
        .to_u32()
        .saturating_sub(SEARCHED_BLOCKS)
        .max(remembered.map_or(0, BlockHeight::to_u32))
        .saturating_add(1);
    for height in (lowest..=tip.to_u32()).rev().map(BlockHeight::new) {
        let hash = operator.node.block_hash(height).await?;
        let header = operator.node.header(hash).await?;
        if signed_by(rules, &header, own) {
            return Err(match remembered {
                None => StartError::LostStore { height },
                Some(remembered) => StartError::OldStore { height, remembered },
            });
        }
    }
    Ok(())
}

fn signed_by(rules: &federation_chain::SigningRules, header: &Bytes, own: Option<usize>) -> bool {
    let dialect: Dialect = rules.dialect();
    Header::decode(dialect, header)
        .ok()
        .and_then(|header| rules.signers(&header).ok())
        .is_some_and(|signers| own.is_some_and(|own| signers.contains(&own)))
}
