//! What makes no chain, and what makes one that cannot live.

use federation_multisig::{SolutionForm, required_block_signature_size};

use crate::{
    DynafedStart, Genesis, NodeKind, Settings, Sweep, Terms,
    genesis::{signature_limit, signers},
    schedule,
};

/// Settings of which no genesis block is computed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unfit {
    /// A genesis block that is not this chain's own.
    #[error("con_genesis_style={0}: only `elements` makes a genesis block of the settings")]
    Style(String),
    /// A chain that has Bitcoin's transactions.
    #[error(
        "con_elementsmode=0 makes a chain without assets, which a federation of this kind does not sign: leave it out"
    )]
    BitcoinMode,
    /// More coins than there can be, or fewer than none.
    #[error("{name}={value} is no amount from 0 to 2100000000000000 satoshi")]
    Amount {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: i64,
    },
    /// A number that the node cuts to 32 bits.
    #[error("{name}={value} does not fit 32 bits, to which the node cuts it")]
    Range {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: i64,
    },
    /// A value with which the node does not start.
    #[error(
        "vbparams={0}: the node does not start; write DEPLOYMENT:START:END, or one more number"
    )]
    Vbparams(String),
    /// A value with which the node does not start.
    #[error(
        "evbparams={0}: the node does not start; write DEPLOYMENT:START:END:PERIOD:THRESHOLD, where numbers may be left out and the colons not"
    )]
    Evbparams(String),
}

/// Why a chain cannot live.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// Blocks are mined, not signed.
    #[error("con_signed_blocks=0: anyone can mine a block; leave it out")]
    Unsigned,
    /// Headers without heights, which the federation does not read.
    #[error("con_blockheightinheader=0: operators read the height in the header; leave it out")]
    NoHeight,
    /// Nobody in particular signs.
    #[error(
        "signblockscript is no M-of-N of compressed keys, so no federation can sign: make it with `multisig script`"
    )]
    NoFederation,
    /// Two halves can each make blocks.
    #[error("{m} of {n} operators sign, no majority, so the chain can fork: choose M above N/2")]
    NoMajority {
        /// M.
        m: u8,
        /// N.
        n: usize,
    },
    /// No block can hold its signatures.
    #[error(
        "con_max_block_sig_size={limit} is too small for the signatures of {m} of {n} operators, so there is no block 1: set it to {needed}"
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
    /// The node stops on an assertion.
    #[error(
        "con_has_parent_chain={has} and parentgenesisblockhash is {hash}: the node does not start; {cure}"
    )]
    ParentChain {
        /// Whether there is a parent chain.
        has: u8,
        /// Whether its genesis hash is null.
        hash: &'static str,
        /// What to do.
        cure: &'static str,
    },
    /// The node starts another chain without a word.
    #[error(
        "there is no file with the terms (terms-and-conditions/{chain}/latest.txt in the data folder), and the node makes another chain without a word: give the folder, or set embedcontract=0"
    )]
    NoTerms {
        /// The chain.
        chain: String,
    },
    /// From some height on nobody in particular signs.
    #[error(
        "from height {from} on signblockscriptchange is no M-of-N of compressed keys, so whoever satisfies it signs the chain, and no federation can: make it with `multisig script`"
    )]
    LaterNoFederation {
        /// The height.
        from: i64,
    },
    /// From some height on two halves can each make blocks.
    #[error(
        "from height {from} on {m} of {n} operators sign (signblockscriptchange), no majority, so the chain can fork: choose M above N/2"
    )]
    LaterNoMajority {
        /// The height.
        from: i64,
        /// M.
        m: u8,
        /// N.
        n: usize,
    },
    /// A height at which a node changes nothing, or does not start.
    #[error(
        "{name} at height {height}: the node reads another height, or does not start; give 1 to 2147483647"
    )]
    ChangeHeight {
        /// The setting.
        name: &'static str,
        /// The height.
        height: i64,
    },
    /// Two changes of which one does not count.
    #[error("{name} stands twice for height {height}, and the node takes the first: keep one")]
    ChangedTwice {
        /// The setting.
        name: &'static str,
        /// The height.
        height: i64,
    },
    /// A script that is [anyone's](crate::Holder::Anyone), in a place where money or assets obey it.
    #[error("{name}{} is a script that asks for no key and for no preimage of a hash, so anyone satisfies it: give one of the federation's", from_height(*.from))]
    ObeysAnyone {
        /// The setting.
        name: &'static str,
        /// From which height on; 0 for always.
        from: i64,
    },
    /// A script that a minority satisfies, in such a place.
    #[error("{name}{} is satisfied by {m} of {n} keys, no majority: choose M above N/2", from_height(*.from))]
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
    /// Blocks change their form on the way.
    #[error(
        "dynafed begins on the way ({}), by signals of whoever makes blocks or at a time, and no operator can sign from that block on: set evbparams=dynafed:-1::: (from block 1, the default) or evbparams=dynafed:-2::: (never)", if *.from == 0 { "from the start on".to_owned() } else { format!("from time {from} on") }
    )]
    Signalled {
        /// From when on signals count, in seconds since 1970; 0 is from the start.
        from: i64,
    },
    /// Whoever makes block 1 takes the coins.
    #[error("{amount} of asset {name} can be spent by anyone, and whoever makes block 1 takes them: agree on a transaction that sweeps them in block 1{}", if *.ocean { ", or set their destination" } else { "" })]
    AnyoneCanSpend {
        /// Which asset.
        name: &'static str,
        /// How much, in satoshi.
        amount: u64,
        /// Whether it is an Ocean chain, which has destinations.
        ocean: bool,
    },
    /// A transaction that does not sweep what it should.
    #[error(transparent)]
    Sweep(#[from] crate::SweepError),
    /// A value with which nodes stop.
    #[error("{name}={value}: {why}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: String,
        /// Why the chain cannot live with it.
        why: &'static str,
    },
}

/// The fewest blocks that an epoch of dynafed parameters must have. Four fifths of an epoch's blocks,
/// rounded down, change who signs: of fewer than five blocks that is one, two or three.
pub const MIN_EPOCH_LENGTH: u32 = 5;

fn from_height(from: i64) -> String {
    if from == 0 {
        String::new()
    } else {
        format!(" from height {from} on")
    }
}

/// How many bytes of signatures the chain's blocks need room for; none if nobody in particular
/// signs, or for Ocean, which has no limit.
///
/// A chain that changes from one form of block to the other needs the larger.
///
/// # Errors
/// If the settings make no chain.
pub fn required_signature_size(settings: &Settings) -> Result<Option<u32>, Unfit> {
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

/// Everything because of which the chain cannot live; nothing if it can.
///
/// # Errors
/// If the settings make no chain at all.
pub fn problems(
    settings: &Settings,
    genesis: &Genesis,
    terms: Option<&Terms>,
    sweep: Option<&Sweep>,
) -> Result<Vec<Problem>, Unfit> {
    let mut problems = signing_problems(settings)?;
    problems.extend(schedule::problems(settings));
    match settings.node() {
        NodeKind::Elements => problems.extend(elements_problems(settings)?),
        NodeKind::Ocean => {
            if settings.flag("embedcontract") && terms.is_none() {
                problems.push(Problem::NoTerms {
                    chain: settings.chain().to_owned(),
                });
            }
        }
    }
    match sweep {
        Some(sweep) => {
            problems.extend(sweep.check(genesis).err().map(Problem::Sweep));
        }
        None => problems.extend(
            genesis
                .assets()
                .filter(|asset| asset.is_anyones())
                .map(|asset| Problem::AnyoneCanSpend {
                    name: asset.name(),
                    amount: asset.amount(),
                    ocean: settings.node() == NodeKind::Ocean,
                }),
        ),
    }
    Ok(problems)
}

fn signing_problems(settings: &Settings) -> Result<Vec<Problem>, Unfit> {
    let Some(script) = signers(settings) else {
        return Ok(vec![Problem::NoFederation]);
    };
    let (m, n) = (script.threshold().to_u8(), script.keys().len());
    let mut problems = Vec::new();
    if 2 * usize::from(m) <= n {
        problems.push(Problem::NoMajority { m, n });
    }
    if let Some(needed) = required_signature_size(settings)? {
        let limit = signature_limit(settings)?;
        if limit < needed {
            problems.push(Problem::SignatureLimit {
                limit,
                needed,
                m,
                n,
            });
        }
    }
    Ok(problems)
}

fn elements_problems(settings: &Settings) -> Result<Vec<Problem>, Unfit> {
    let mut problems = Vec::new();
    if !settings.flag("con_signed_blocks") {
        problems.push(Problem::Unsigned);
    }
    if !settings.flag("con_blockheightinheader") {
        problems.push(Problem::NoHeight);
    }
    let has = settings.flag("con_has_parent_chain");
    let null = settings.hash("parentgenesisblockhash") == [0; 32];
    if has == null {
        problems.push(Problem::ParentChain {
            has: u8::from(has),
            hash: if null { "null" } else { "not null" },
            cure: if null {
                "give the parent's genesis hash, or set con_has_parent_chain=0"
            } else {
                "set parentgenesisblockhash=0, or con_has_parent_chain=1"
            },
        });
    }
    let dynafed = DynafedStart::of(settings)?;
    if let DynafedStart::Signalled { from } = dynafed {
        problems.push(Problem::Signalled { from });
    }
    let length = settings.number("dynamic_epoch_length");
    let why = match u32::try_from(length) {
        Err(_) | Ok(0) => Some("the node divides by it, cut to 32 bits; give 5 or more"),
        Ok(blocks) if blocks < MIN_EPOCH_LENGTH && dynafed != DynafedStart::Never => Some(
            "with epochs of fewer than 5 blocks one, two or three blocks change who signs; give 5 or more",
        ),
        Ok(_) => None,
    };
    problems.extend(why.map(|why| Problem::Setting {
        name: "dynamic_epoch_length",
        value: length.to_string(),
        why,
    }));
    Ok(problems)
}
