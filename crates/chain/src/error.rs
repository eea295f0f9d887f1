//! Errors in untrusted bytes, signing rules and signatures.

use crate::{BlockHeight, Dialect, ParamsRoot};

/// Bytes that are not a block or header of the dialect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The bytes end before the structure does.
    #[error("unexpected end at byte {at}: {wanted} more bytes expected")]
    Truncated {
        /// Where the bytes end.
        at: usize,
        /// How many more bytes are needed.
        wanted: usize,
    },
    /// Bytes remain after the structure.
    #[error("{0} trailing bytes")]
    TrailingBytes(usize),
    /// A length that is not in its shortest form.
    #[error("the length at byte {0} is not in its shortest form")]
    NonMinimalLength(usize),
    /// A count or length larger than any in a block.
    #[error("the length {length} at byte {at} exceeds what a block can hold")]
    TooLong {
        /// Where it was found.
        at: usize,
        /// The length claimed.
        length: u64,
    },
    /// A block without transactions.
    #[error("the block has no transactions, not even a coinbase")]
    NoTransactions,
    /// Dynafed parameters that do not parse, or whose encoding is not canonical.
    #[error("the dynafed parameters at byte {0} are invalid")]
    Params(usize),
    /// A transaction part with an unknown prefix or flag.
    #[error("unknown prefix {prefix:#04x} at byte {at}")]
    Prefix {
        /// Where it was found.
        at: usize,
        /// The prefix.
        prefix: u8,
    },
    /// A transaction that claims to have a witness but has none.
    #[error("the transaction at byte {0} has a witness flag and an empty witness")]
    SuperfluousWitness(usize),
    /// An input that claims an issuance but issues nothing.
    #[error("the input at byte {0} has an issuance without amounts")]
    SuperfluousIssuance(usize),
    /// A transaction that the `elements` crate cannot read.
    #[error("transaction {index} cannot be read: {reason}")]
    Transaction {
        /// Its index in the block.
        index: usize,
        /// The crate's error.
        reason: String,
    },
}

/// A block whose transactions are not the ones its header commits to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommitmentError {
    /// The block does not decode.
    #[error("the block's transactions do not decode")]
    Decode(#[from] DecodeError),
    /// The Merkle root differs.
    #[error("the transactions do not hash to the header's Merkle root")]
    MerkleRoot,
    /// A transaction appears twice at the end of a level, which does not change the root.
    #[error("transactions are repeated in a way that does not change the Merkle root")]
    Repeated,
    /// The coinbase's witness commitment differs.
    #[error("the transactions' witnesses do not hash to the coinbase's commitment")]
    WitnessCommitment,
    /// A coinbase with a commitment, but without the 32-byte nonce.
    #[error("the coinbase has a witness commitment but no 32-byte nonce")]
    WitnessNonce,
    /// Witnesses that nothing commits to.
    #[error("transaction {0} has a witness that the coinbase does not commit to")]
    UncommittedWitness(usize),
}

/// Settings with which no block could ever be complete.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RulesError {
    /// The chain's limit on the size of signatures is below what M of N need.
    #[error(
        "the chain allows {allowed} bytes of block signatures, but {threshold}-of-{keys} needs {needed}: set con_max_block_sig_size to at least {needed} before the chain starts"
    )]
    SignatureSize {
        /// The chain's limit.
        allowed: u32,
        /// The size needed.
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
        /// The chain's dialect.
        expected: Dialect,
    },
    /// A header that names other signers.
    #[error("the block at height {height} names another signblock script: {found}")]
    Challenge {
        /// The block's height.
        height: BlockHeight,
        /// The challenge or program in the header, in hex.
        found: String,
    },
    /// A header that proposes other parameters for a dynafed chain. Unless the operators have
    /// agreed on a change, this is an attempt to replace the federation's signers.
    #[error(
        "the block at height {height} proposes other parameters for the chain (root {root}, signers {signers}), which the operators have not agreed on"
    )]
    Proposes {
        /// The block's height.
        height: BlockHeight,
        /// The root of the proposed parameters.
        root: ParamsRoot,
        /// The script or program of the proposed signers, in hex.
        signers: String,
    },
    /// A header whose dynafed parameters differ from those in force.
    #[error(
        "the block at height {height} has parameters with root {found}, but {expected} is in force"
    )]
    Parameters {
        /// The block's height.
        height: BlockHeight,
        /// The root of the parameters in force.
        expected: ParamsRoot,
        /// The root of the header's parameters.
        found: ParamsRoot,
    },
    /// The witness script does not hash to the header's program.
    #[error("the witness does not end with the federation's script")]
    WitnessScript,
    /// More bytes than the chain allows.
    #[error("the signatures take {size} bytes, the chain allows {allowed}")]
    TooLarge {
        /// Their size.
        size: usize,
        /// The chain's limit.
        allowed: u32,
    },
    /// A count other than an empty item and M signatures.
    #[error("expected an empty item and {expected} signatures, found {found} items")]
    Count {
        /// M.
        expected: usize,
        /// The number of items found, including the empty first one.
        found: usize,
    },
    /// The first item must be empty.
    #[error("the first item is not empty")]
    Dummy,
    /// A solution that contains something else than minimal pushes.
    #[error("the solution is not made of minimal pushes only: see byte {0}")]
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
        /// The index of the signature.
        index: usize,
        /// Its sighash byte.
        byte: u8,
    },
    /// A signature that matches none of the remaining keys.
    #[error(
        "signature {0} matches none of the remaining keys: wrong hash, wrong key, or not in script order"
    )]
    Signature(usize),
    /// Valid signatures of fewer than M keys, in any form.
    #[error("the solution has valid signatures of {found} keys, but {expected} are needed")]
    Quorum {
        /// M.
        expected: usize,
        /// The number of keys that signed.
        found: usize,
    },
    /// An index beyond the script's keys.
    #[error("the script has no key with index {0}")]
    NoSuchKey(usize),
}

/// Why signatures cannot be put into a block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AssembleError {
    /// Fewer than M signatures.
    #[error("{have} of {need} signatures")]
    TooFew {
        /// How many there are.
        have: usize,
        /// How many are needed.
        need: usize,
    },
    /// The block or a signature violates the chain's rules.
    #[error(transparent)]
    Check(#[from] CheckError),
}
