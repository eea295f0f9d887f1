//! What can be wrong with foreign bytes, with rules, and with signatures.

use crate::{BlockHeight, Dialect, ParamsRoot};

/// Bytes that are no block or header of the dialect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The bytes end before the structure does.
    #[error("the bytes end at {at}, {wanted} more are needed")]
    Truncated {
        /// Where they end.
        at: usize,
        /// How many more are needed.
        wanted: usize,
    },
    /// Bytes follow the structure.
    #[error("{0} bytes follow the end")]
    TrailingBytes(usize),
    /// A length that is not written in the shortest form.
    #[error("the length at byte {0} is not in its shortest form")]
    NonMinimalLength(usize),
    /// A count or length above what a block can hold.
    #[error("the length {length} at byte {at} is more than a block can hold")]
    TooLong {
        /// Where it stands.
        at: usize,
        /// What it says.
        length: u64,
    },
    /// A block without transactions.
    #[error("the block has no transactions, not even a coinbase")]
    NoTransactions,
    /// Dynafed parameters that do not parse, or parse to something that is written otherwise.
    #[error("the dynafed parameters at byte {0} are not valid")]
    Params(usize),
    /// A transaction part with an unknown prefix or flag.
    #[error("unknown prefix {prefix:#04x} at byte {at}")]
    Prefix {
        /// Where it stands.
        at: usize,
        /// What it is.
        prefix: u8,
    },
    /// A transaction that says it has a witness, and has none.
    #[error("the transaction at byte {0} has a witness flag and an empty witness")]
    SuperfluousWitness(usize),
    /// An input that says it issues an asset, and issues none.
    #[error("the input at byte {0} has an issuance without amounts")]
    SuperfluousIssuance(usize),
    /// A transaction that the `elements` crate cannot read.
    #[error("transaction {index} cannot be read: {reason}")]
    Transaction {
        /// Its place in the block.
        index: usize,
        /// What the crate said.
        reason: String,
    },
}

/// A block whose transactions are not those that its header names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommitmentError {
    /// The block does not decode.
    #[error("the block's transactions do not decode")]
    Decode(#[from] DecodeError),
    /// The Merkle root differs.
    #[error("the transactions do not hash to the header's merkle root")]
    MerkleRoot,
    /// A transaction stands twice in a row at the end of a level, which leaves the root alone.
    #[error("transactions are repeated in a way that leaves the merkle root alone")]
    Repeated,
    /// The coinbase's witness commitment differs.
    #[error("the transactions' witnesses do not hash to the coinbase's commitment")]
    WitnessCommitment,
    /// A coinbase with a commitment but without the 32-byte nonce.
    #[error("the coinbase has a witness commitment and no 32-byte nonce")]
    WitnessNonce,
    /// Witnesses that nothing commits to.
    #[error("transaction {0} has a witness that the coinbase does not commit to")]
    UncommittedWitness(usize),
}

/// Settings with which no block could be complete.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RulesError {
    /// The chain's limit on the size of signatures is below what M of N need.
    #[error(
        "the chain allows {allowed} bytes of block signatures, {threshold}-of-{keys} needs {needed}: set con_max_block_sig_size to {needed} or more before the chain begins"
    )]
    SignatureSize {
        /// What the chain allows.
        allowed: u32,
        /// What is needed.
        needed: u32,
        /// M.
        threshold: u8,
        /// N.
        keys: usize,
    },
}

/// Why a block's signatures are not valid on this chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// A header of another dialect.
    #[error("the block at height {height} is not a {expected} block")]
    Dialect {
        /// The block's height.
        height: BlockHeight,
        /// What the chain speaks.
        expected: Dialect,
    },
    /// A header that names other signers.
    #[error("the block at height {height} names another signblock script: {found}")]
    Challenge {
        /// The block's height.
        height: BlockHeight,
        /// The challenge or program that it names, in hex.
        found: String,
    },
    /// A header that votes for other parameters of a dynafed chain. Where nobody has agreed on a
    /// change, that is an attempt to put other signers in the federation's place.
    #[error(
        "the block at height {height} proposes other parameters for the chain (root {root}, signers {signers}), on which nobody has agreed"
    )]
    Proposes {
        /// The block's height.
        height: BlockHeight,
        /// The root of what it proposes.
        root: ParamsRoot,
        /// The script or program that would sign, in hex.
        signers: String,
    },
    /// A header whose dynafed parameters are others than those in force.
    #[error(
        "the block at height {height} shows parameters of the root {found}, and {expected} is in force"
    )]
    Parameters {
        /// The block's height.
        height: BlockHeight,
        /// The root of what is in force.
        expected: ParamsRoot,
        /// The root of what the header shows.
        found: ParamsRoot,
    },
    /// The witness script does not hash to the header's program.
    #[error("the witness ends with another script than the federation's")]
    WitnessScript,
    /// More bytes than the chain allows.
    #[error("the signatures take {size} bytes, the chain allows {allowed}")]
    TooLarge {
        /// What they take.
        size: usize,
        /// What the chain allows.
        allowed: u32,
    },
    /// Not exactly the empty item and M signatures.
    #[error("expected an empty item and {expected} signatures, found {found} items")]
    Count {
        /// M.
        expected: usize,
        /// The items found, the first, empty one among them.
        found: usize,
    },
    /// The first item must be empty.
    #[error("the first item is not empty")]
    Dummy,
    /// A solution that is not made of the shortest pushes.
    #[error("the solution is not made of shortest pushes only, at byte {0}")]
    Push(usize),
    /// A signature that is not strict DER.
    #[error("signature {0} is not strict DER")]
    Der(usize),
    /// A signature with high S.
    #[error("signature {0} has a high S")]
    HighS(usize),
    /// A sighash byte other than `SIGHASH_ALL`.
    #[error("signature {index} ends with the sighash byte {byte:#04x}, not 0x01")]
    Sighash {
        /// Which one.
        index: usize,
        /// Its byte.
        byte: u8,
    },
    /// A signature of no key, or out of order.
    #[error("signature {0} is of no remaining key: wrong hash, wrong key, or not in script order")]
    Signature(usize),
    /// Fewer than M signatures, in whatever form.
    #[error("the solution has valid signatures of {found} keys, {expected} are needed")]
    Quorum {
        /// M.
        expected: usize,
        /// The keys of which there are some.
        found: usize,
    },
    /// A position that the script does not have.
    #[error("the script has no key at place {0}")]
    NoSuchKey(usize),
}

/// Why signatures cannot be put into a block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AssembleError {
    /// Fewer than M signatures.
    #[error("{have} signatures of {need}")]
    TooFew {
        /// How many there are.
        have: usize,
        /// How many are needed.
        need: usize,
    },
    /// The block or a signature does not fit the chain.
    #[error(transparent)]
    Check(#[from] CheckError),
}
