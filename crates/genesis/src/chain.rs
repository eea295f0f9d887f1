//! Settings from which no genesis block is computed, and chains that could not work.

use federation_multisig::{SolutionForm, required_block_signature_size};

use crate::{
    DynafedStart, Genesis, NodeKind, Settings, Sweep, Terms,
    genesis::{signature_limit, signers},
    schedule,
};

/// The error for settings from which no genesis block is computed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSettings {
    /// The genesis block does not follow from the settings.
    #[error(
        "con_genesis_style={0} is not supported: only `elements` derives the genesis block from the settings"
    )]
    Style(String),
    /// The chain has Bitcoin's transaction format.
    #[error("con_elementsmode=0 makes a chain without assets, which is not supported: omit it")]
    BitcoinMode,
    /// An amount is negative or above the limit.
    #[error("{name}={value} is not an amount from 0 to 2100000000000000 satoshi")]
    Amount {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: i64,
    },
    /// The node truncates the number to 32 bits.
    #[error("{name}={value} does not fit in 32 bits, to which the node truncates it")]
    Range {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: i64,
    },
    /// The node does not start with this value.
    #[error(
        "vbparams={0} is malformed, and the node would not start: expected DEPLOYMENT:START:END or DEPLOYMENT:START:END:HEIGHT"
    )]
    Vbparams(String),
    /// The node does not start with this value.
    #[error(
        "evbparams={0} is malformed, and the node would not start: expected DEPLOYMENT:START:END:PERIOD:THRESHOLD, in which numbers may be omitted but colons may not"
    )]
    Evbparams(String),
}

/// A reason why a chain could not work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnviableChain {
    /// Blocks are mined, not signed.
    #[error("con_signed_blocks=0: anyone could mine a block; omit it")]
    Unsigned,
    /// Headers have no heights, which operators need.
    #[error("con_blockheightinheader=0: operators read the height from the header; omit it")]
    NoHeight,
    /// The block script is not M of N keys.
    #[error(
        "signblockscript is not M-of-N of compressed keys, so no federation can sign: make one with `multisig script`"
    )]
    NoFederation,
    /// Two disjoint groups of operators could each make blocks.
    #[error(
        "{m} of {n} operators sign, which is not a majority, so the chain could fork: choose M above N/2"
    )]
    NoMajority {
        /// M.
        m: u8,
        /// N.
        n: usize,
    },
    /// No block has room for its signatures.
    #[error(
        "con_max_block_sig_size={limit} is too small for the signatures of {m} of {n} operators, so there could be no block 1: set it to {needed}"
    )]
    SignatureLimit {
        /// The limit, in bytes.
        limit: u32,
        /// What the chain needs, in bytes.
        needed: u32,
        /// M.
        m: u8,
        /// N.
        n: usize,
    },
    /// The node stops with a failed assertion.
    #[error(
        "con_has_parent_chain={has} but parentgenesisblockhash is {hash}, so the node does not start: {hint}"
    )]
    ParentChain {
        /// Whether there is a parent chain.
        has: u8,
        /// Whether its genesis hash is null.
        hash: &'static str,
        /// How to correct it.
        hint: &'static str,
    },
    /// The node silently starts a different chain.
    #[error(
        "the file with the terms (terms-and-conditions/{chain}/latest.txt in the data folder) is missing, and the node would silently start a different chain: give the data folder, or set embedcontract=0"
    )]
    NoTerms {
        /// The chain.
        chain: String,
    },
    /// From some height on, the block script is not M of N keys.
    #[error(
        "from height {from} on, signblockscriptchange is not M-of-N of compressed keys, so no federation can sign: make one with `multisig script`"
    )]
    LaterNoFederation {
        /// The height.
        from: i64,
    },
    /// From some height on, two disjoint groups of operators could each make blocks.
    #[error(
        "from height {from} on, {m} of {n} operators sign (signblockscriptchange), which is not a majority, so the chain could fork: choose M above N/2"
    )]
    LaterNoMajority {
        /// The height.
        from: i64,
        /// M.
        m: u8,
        /// N.
        n: usize,
    },
    /// A height that the node misreads or does not start with.
    #[error(
        "{name} at height {height}: the node misreads the height or does not start; choose 1 to 2147483647"
    )]
    ChangeHeight {
        /// The setting.
        name: &'static str,
        /// The height.
        height: i64,
    },
    /// Two changes at one height, of which the node ignores the second.
    #[error("{name} is set twice for height {height}, and the node takes the first: keep one")]
    ChangedTwice {
        /// The setting.
        name: &'static str,
        /// The height.
        height: i64,
    },
    /// A script that controls money or assets can be satisfied by
    /// [anyone](crate::Holder::Anyone).
    #[error("{name}{} requires neither a key nor the preimage of a hash, so anyone can satisfy it: give a script of the federation", from_height(*.from))]
    ObeysAnyone {
        /// The setting.
        name: &'static str,
        /// From which height on; 0 for always.
        from: i64,
    },
    /// A script that controls money or assets can be satisfied by a minority.
    #[error("{name}{} is satisfied by {m} of {n} keys, which is not a majority: choose M above N/2", from_height(*.from))]
    ObeysMinority {
        /// The setting.
        name: &'static str,
        /// From which height on; 0 for always.
        from: i64,
        /// M.
        m: u8,
        /// N.
        n: usize,
    },
    /// The block format changes while the chain runs.
    #[error(
        "dynafed is activated while the chain runs ({}), by signalling or at a given time, and no operator can sign from that block on: set evbparams=dynafed:-1::: (from block 1, the default) or evbparams=dynafed:-2::: (never)", if *.from == 0 { "from the start".to_owned() } else { format!("from time {from} on") }
    )]
    Signalled {
        /// The time from which signals count, in seconds since 1970; 0 is from the start.
        from: i64,
    },
    /// The maker of block 1 can take the coins.
    #[error("anyone can spend {amount} of asset {name}, so the maker of block 1 can take them: agree on a transaction that sweeps them in block 1{}", if *.ocean { ", or set their destination" } else { "" })]
    AnyoneCanSpend {
        /// The asset.
        name: &'static str,
        /// The amount, in satoshi.
        amount: u64,
        /// Whether it is an Ocean chain, which has settings for destinations.
        ocean: bool,
    },
    /// The transaction does not sweep what it should.
    #[error(transparent)]
    Sweep(#[from] crate::SweepError),
    /// A value that the chain could not work with.
    #[error("{name}={value}: {why}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: String,
        /// Why not, and what to set instead.
        why: &'static str,
    },
}

/// The minimum length of an epoch of dynafed parameters, in blocks. Four fifths of an epoch's
/// blocks, rounded down, can change the signers: in a shorter epoch that is one to three blocks.
pub const MIN_EPOCH_LENGTH: u32 = 5;

fn from_height(from: i64) -> String {
    if from == 0 {
        String::new()
    } else {
        format!(" from height {from} on")
    }
}

/// Returns the size in bytes that `con_max_block_sig_size` must have for the chain's blocks; none if
/// the block script is not M of N keys, or for Ocean, which has no limit.
///
/// A chain that changes from one block format to the other needs the larger size.
///
/// # Errors
/// If the settings do not define a chain.
pub fn required_signature_size(settings: &Settings) -> Result<Option<u32>, InvalidSettings> {
    if settings.node() == NodeKind::Ocean {
        return Ok(None);
    }
    let Some(script) = signers(settings) else {
        return Ok(None);
    };
    let m = script.threshold().to_u8();
    // A script has at most 20 keys.
    let n = u8::try_from(script.keys().len()).unwrap_or(u8::MAX);
    let size = |form| required_block_signature_size(m, n, form);
    let (legacy, witness) = (size(SolutionForm::Legacy), size(SolutionForm::Witness));
    Ok(Some(match DynafedStart::of(settings)? {
        DynafedStart::Always => witness,
        DynafedStart::Never => legacy,
        DynafedStart::Signalled { .. } => legacy.max(witness),
    }))
}

/// Returns every reason why the chain could not work; empty if there is none.
///
/// # Errors
/// If the settings do not define a chain.
pub fn problems(
    settings: &Settings,
    genesis: &Genesis,
    terms: Option<&Terms>,
    sweep: Option<&Sweep>,
) -> Result<Vec<UnviableChain>, InvalidSettings> {
    let mut problems = signing_problems(settings)?;
    problems.extend(schedule::problems(settings));
    match settings.node() {
        NodeKind::Elements => problems.extend(elements_problems(settings)?),
        NodeKind::Ocean => {
            if settings.flag("embedcontract") && terms.is_none() {
                problems.push(UnviableChain::NoTerms {
                    chain: settings.chain().to_owned(),
                });
            }
        }
    }
    match sweep {
        Some(sweep) => {
            problems.extend(sweep.check(genesis).err().map(UnviableChain::Sweep));
        }
        None => problems.extend(
            genesis
                .assets()
                .filter(|asset| asset.anyone_can_spend())
                .map(|asset| UnviableChain::AnyoneCanSpend {
                    name: asset.name(),
                    amount: asset.amount(),
                    ocean: settings.node() == NodeKind::Ocean,
                }),
        ),
    }
    Ok(problems)
}

fn signing_problems(settings: &Settings) -> Result<Vec<UnviableChain>, InvalidSettings> {
    let Some(script) = signers(settings) else {
        return Ok(vec![UnviableChain::NoFederation]);
    };
    let (m, n) = (script.threshold().to_u8(), script.keys().len());
    let mut problems = Vec::new();
    if 2 * usize::from(m) <= n {
        problems.push(UnviableChain::NoMajority { m, n });
    }
    if let Some(needed) = required_signature_size(settings)? {
        let limit = signature_limit(settings)?;
        if limit < needed {
            problems.push(UnviableChain::SignatureLimit {
                limit,
                needed,
                m,
                n,
            });
        }
    }
    Ok(problems)
}

fn elements_problems(settings: &Settings) -> Result<Vec<UnviableChain>, InvalidSettings> {
    let mut problems = Vec::new();
    if !settings.flag("con_signed_blocks") {
        problems.push(UnviableChain::Unsigned);
    }
    if !settings.flag("con_blockheightinheader") {
        problems.push(UnviableChain::NoHeight);
    }
    let has = settings.flag("con_has_parent_chain");
    let null = settings.hash("parentgenesisblockhash") == [0; 32];
    if has == null {
        problems.push(UnviableChain::ParentChain {
            has: u8::from(has),
            hash: if null { "null" } else { "not null" },
            hint: if null {
                "give the parent's genesis hash, or set con_has_parent_chain=0"
            } else {
                "set parentgenesisblockhash=0 or con_has_parent_chain=1"
            },
        });
    }
    let dynafed = DynafedStart::of(settings)?;
    if let DynafedStart::Signalled { from } = dynafed {
        problems.push(UnviableChain::Signalled { from });
    }
    let length = settings.number("dynamic_epoch_length");
    let why = match u32::try_from(length) {
        Err(_) | Ok(0) => {
            Some("the node truncates it to 32 bits and divides by it; choose 5 or more")
        }
        Ok(blocks) if blocks < MIN_EPOCH_LENGTH && dynafed != DynafedStart::Never => Some(
            "in epochs of fewer than 5 blocks, one to three blocks can change the signers; choose 5 or more",
        ),
        Ok(_) => None,
    };
    problems.extend(why.map(|why| UnviableChain::Setting {
        name: "dynamic_epoch_length",
        value: length.to_string(),
        why,
    }));
    Ok(problems)
}
