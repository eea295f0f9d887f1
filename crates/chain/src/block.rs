//! A block: its bytes, its decoded header, and its transactions on demand.

use bitcoin::hashes::{Hash, HashEngine, sha256d};
use bytes::Bytes;
use elements::encode::{deserialize, serialize};

use crate::{
    BlockHash, BlockHeight, CommitmentError, DecodeError, Dialect, Header,
    cursor::{Cursor, push_length},
    merkle::{fast_merkle_root, merkle_root},
    walk::WalkedTransaction,
};

/// `OP_RETURN`, a push of 36 bytes, and the tag of a witness commitment (BIP 141).
const COMMITMENT_PREFIX: [u8; 6] = [0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed];

/// A block as bytes with its header decoded.
///
/// Decoding reads the header only, so a block of four megabytes costs what a small one does, and
/// cloning shares the bytes. That the transactions are those which the header names is known after
/// [`Block::check_commitments`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    header: Header,
    /// Everything behind the header: the count and the transactions.
    body: Bytes,
    bytes: Bytes,
}

impl Block {
    /// Decodes a block's header and keeps the rest as it is.
    ///
    /// # Errors
    /// If the header does not decode or no transaction follows.
    pub fn decode(dialect: Dialect, bytes: Bytes) -> Result<Self, DecodeError> {
        let mut cursor = Cursor::new(&bytes);
        let header = Header::read(dialect, &mut cursor)?;
        let start = cursor.at();
        if cursor.length()? == 0 {
            return Err(DecodeError::NoTransactions);
        }
        Ok(Self {
            header,
            body: bytes.slice(start..),
            bytes,
        })
    }

    /// A block of this header and these transactions.
    #[must_use]
    pub fn from_parts(header: Header, transactions: &[elements::Transaction]) -> Self {
        let mut body = Vec::new();
        push_length(&mut body, transactions.len());
        for transaction in transactions {
            body.extend_from_slice(&serialize(transaction));
        }
        Self::with_body(header, body.into())
    }

    /// The same transactions under another header.
    #[must_use]
    pub fn with_header(&self, header: Header) -> Self {
        Self::with_body(header, self.body.clone())
    }

    fn with_body(header: Header, body: Bytes) -> Self {
        let mut bytes = header.encode();
        bytes.extend_from_slice(&body);
        Self {
            header,
            body,
            bytes: bytes.into(),
        }
    }

    /// The block's bytes, as the nodes' RPC has them in hex.
    #[must_use]
    pub const fn as_bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The header.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The block hash, which is also the hash that is signed.
    #[must_use]
    pub const fn block_hash(&self) -> BlockHash {
        self.header.block_hash()
    }

    /// The height that the header names.
    #[must_use]
    pub const fn height(&self) -> BlockHeight {
        self.header.height()
    }

    /// Whether the header holds no signatures at all.
    #[must_use]
    pub fn is_unsigned(&self) -> bool {
        self.header.is_unsigned()
    }

    /// The same block with its signatures removed; the hash stays.
    #[must_use]
    pub fn without_signatures(&self) -> Self {
        if self.is_unsigned() {
            return self.clone();
        }
        self.with_header(self.header.clone().without_signatures())
    }

    /// The transactions, by the `elements` crate.
    ///
    /// # Errors
    /// If the bytes are no transactions, or one is of a kind that the crate does not read (see the
    /// crate's documentation).
    pub fn transactions(&self) -> Result<Vec<elements::Transaction>, DecodeError> {
        self.walk()?
            .iter()
            .enumerate()
            .map(|(index, transaction)| {
                deserialize(transaction.bytes).map_err(|error| DecodeError::Transaction {
                    index,
                    reason: error.to_string(),
                })
            })
            .collect()
    }

    /// The transaction ids in wire order.
    ///
    /// # Errors
    /// If the bytes are no transactions.
    pub fn transaction_ids(&self) -> Result<Vec<[u8; 32]>, DecodeError> {
        Ok(self.walk()?.iter().map(WalkedTransaction::txid).collect())
    }

    fn walk(&self) -> Result<Vec<WalkedTransaction<'_>>, DecodeError> {
        let mut cursor = Cursor::new(&self.body);
        let count = cursor.length()?;
        let mut transactions = Vec::new();
        for _ in 0..count {
            transactions.push(WalkedTransaction::read(&mut cursor)?);
        }
        cursor.finish()?;
        Ok(transactions)
    }

    /// Checks that these transactions and witnesses, byte for byte, are the ones that the block
    /// hash commits to: the Merkle root in the header, and the witness commitment in the coinbase.
    ///
    /// # Errors
    /// If they are not, or if the bytes are no transactions.
    pub fn check_commitments(&self) -> Result<(), CommitmentError> {
        let transactions = self.walk()?;
        let ids = transactions.iter().map(WalkedTransaction::txid).collect();
        let root = merkle_root(ids).ok_or(CommitmentError::Repeated)?;
        if root != self.header.merkle_root() {
            return Err(CommitmentError::MerkleRoot);
        }
        let coinbase = transactions.first().ok_or(DecodeError::NoTransactions)?;
        // The last one counts, as in `GetWitnessCommitmentIndex`.
        let commitment = coinbase
            .output_scripts
            .iter()
            .rev()
            .find_map(|script| script.strip_prefix(&COMMITMENT_PREFIX)?.first_chunk::<32>());
        let Some(commitment) = commitment else {
            return match transactions.iter().position(WalkedTransaction::has_witness) {
                Some(index) => Err(CommitmentError::UncommittedWitness(index)),
                None => Ok(()),
            };
        };
        let [nonce] = coinbase.first_script_witness[..] else {
            return Err(CommitmentError::WitnessNonce);
        };
        if nonce.len() != 32 {
            return Err(CommitmentError::WitnessNonce);
        }
        if witness_commitment_of(&transactions, nonce) != *commitment {
            return Err(CommitmentError::WitnessCommitment);
        }
        Ok(())
    }

    /// The witness commitment of these transactions under a nonce of zeros, as a coinbase's
    /// `OP_RETURN` output script has to hold it.
    ///
    /// # Errors
    /// If the bytes are no transactions.
    pub fn witness_commitment_script(&self) -> Result<Vec<u8>, DecodeError> {
        let commitment = witness_commitment_of(&self.walk()?, &[0; 32]);
        Ok([&COMMITMENT_PREFIX[..], &commitment].concat())
    }

    /// The Merkle root of the transactions, as a header has to hold it.
    ///
    /// # Errors
    /// If the bytes are no transactions, or repeated ones.
    pub fn compute_merkle_root(&self) -> Result<[u8; 32], CommitmentError> {
        merkle_root(self.transaction_ids()?).ok_or(CommitmentError::Repeated)
    }
}

fn witness_commitment_of(transactions: &[WalkedTransaction<'_>], nonce: &[u8]) -> [u8; 32] {
    let hashes: Vec<_> = transactions
        .iter()
        .map(WalkedTransaction::witness_hash)
        .collect();
    let mut engine = sha256d::Hash::engine();
    engine.input(&fast_merkle_root(&hashes));
    engine.input(nonce);
    sha256d::Hash::from_engine(engine).to_byte_array()
}
