//! A block: its bytes, its decoded header, and its transactions on demand.

use bitcoin::hashes::{Hash, HashEngine, sha256d};
use bytes::Bytes;
use elements::encode::{deserialize, serialize};

use crate::{
    BlockHash, BlockHeight, CommitmentError, DecodeError, Dialect, Header,
    cursor::{Cursor, push_compact_size},
    merkle::{fast_merkle_root, merkle_root},
    transaction::{COMMITMENT_PREFIX, TransactionView},
};

/// A block as bytes with its header decoded.
///
/// Decoding reads only the header, so decoding a block of four megabytes costs no more than a small
/// one, and clones share the bytes. [`Block::check_commitments`] checks that the transactions are
/// the ones the header commits to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    header: Header,
    /// Everything after the header: the transaction count and the transactions.
    body: Bytes,
    bytes: Bytes,
}

impl Block {
    /// Decodes a block's header and keeps the rest undecoded.
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

    /// Builds a block from a header and transactions.
    #[must_use]
    pub fn from_parts(header: Header, transactions: &[elements::Transaction]) -> Self {
        let mut body = Vec::new();
        push_compact_size(&mut body, transactions.len());
        for transaction in transactions {
            body.extend_from_slice(&serialize(transaction));
        }
        Self::with_body(header, body.into())
    }

    /// Returns the same transactions under another header.
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

    /// Returns the serialised block, as the nodes' RPC returns it in hex.
    #[must_use]
    pub const fn as_bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Returns the header.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// Returns the block hash, which is also the hash that is signed.
    #[must_use]
    pub const fn block_hash(&self) -> BlockHash {
        self.header.block_hash()
    }

    /// Returns the height in the header.
    #[must_use]
    pub const fn height(&self) -> BlockHeight {
        self.header.height()
    }

    /// Returns whether the header holds no signatures at all.
    #[must_use]
    pub fn is_unsigned(&self) -> bool {
        self.header.is_unsigned()
    }

    /// Returns the same block with its signatures removed; the hash stays.
    #[must_use]
    pub fn without_signatures(&self) -> Self {
        if self.is_unsigned() {
            return self.clone();
        }
        self.with_header(self.header.clone().without_signatures())
    }

    /// Parses the transactions with the `elements` crate.
    ///
    /// Meant for transactions that a program builds or modifies. A parsed transaction is much
    /// larger than its bytes, and a single transaction that the crate cannot read makes the whole
    /// block an error: use [`each_transaction`](Self::each_transaction) to read a chain.
    ///
    /// # Errors
    /// If the transactions do not decode, or one is of a kind that the crate cannot read (see
    /// [Transactions](crate#transactions)).
    pub fn transactions(&self) -> Result<Vec<elements::Transaction>, DecodeError> {
        let mut transactions = Vec::new();
        self.walk(|index, transaction| {
            let parsed =
                deserialize(transaction.as_bytes()).map_err(|error| DecodeError::Transaction {
                    index,
                    reason: error.to_string(),
                })?;
            transactions.push(parsed);
            Ok::<_, DecodeError>(())
        })?;
        Ok(transactions)
    }

    /// Calls `visit` for each transaction, in order, as it lies in the block's bytes. It reads
    /// everything that the nodes read; use it for anything that follows a chain.
    ///
    /// # Errors
    /// If the transactions do not decode; those before the malformed one have been visited.
    pub fn each_transaction(
        &self,
        mut visit: impl FnMut(TransactionView<'_>),
    ) -> Result<(), DecodeError> {
        self.walk(|_, transaction| {
            visit(transaction);
            Ok(())
        })
    }

    /// Returns the first transaction, as it lies in the block's bytes.
    ///
    /// # Errors
    /// If it does not decode.
    pub fn coinbase(&self) -> Result<TransactionView<'_>, DecodeError> {
        let mut cursor = Cursor::new(&self.body);
        cursor.length()?;
        TransactionView::read(&mut cursor, self.header.dialect())
    }

    /// Returns the number of transactions that the block claims; at least one, as [`Block::decode`]
    /// has checked.
    #[must_use]
    pub fn transaction_count(&self) -> usize {
        Cursor::new(&self.body).length().unwrap_or_default()
    }

    /// Returns the transaction ids in wire order.
    ///
    /// # Errors
    /// If the transactions do not decode.
    pub fn transaction_ids(&self) -> Result<Vec<[u8; 32]>, DecodeError> {
        let mut ids = Vec::new();
        self.walk(|_, transaction| {
            ids.push(transaction.txid().to_byte_array());
            Ok::<_, DecodeError>(())
        })?;
        Ok(ids)
    }

    /// Returns the size without witnesses, in bytes (`strippedsize` in the nodes' RPC). The block
    /// signatures of a dynafed header are witness data and left out; those of other headers are
    /// included.
    ///
    /// # Errors
    /// If the transactions do not decode.
    pub fn stripped_size(&self) -> Result<usize, DecodeError> {
        let mut size = self.header.stripped_size();
        let mut rest = Cursor::new(&self.body);
        rest.length()?;
        size += rest.at();
        self.walk(|_, transaction| {
            size += transaction.stripped_size();
            Ok::<_, DecodeError>(())
        })?;
        Ok(size)
    }

    /// Returns the weight (BIP 141), limited to 4,000,000 per block: three times the stripped size
    /// plus the size.
    ///
    /// # Errors
    /// If the transactions do not decode.
    pub fn weight(&self) -> Result<usize, DecodeError> {
        Ok(3 * self.stripped_size()? + self.bytes.len())
    }

    /// Walks over the transactions, which must fill the body.
    fn walk<'a, E: From<DecodeError>>(
        &'a self,
        mut visit: impl FnMut(usize, TransactionView<'a>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut cursor = Cursor::new(&self.body);
        for index in 0..cursor.length()? {
            let transaction = TransactionView::read(&mut cursor, self.header.dialect())?;
            visit(index, transaction)?;
        }
        Ok(cursor.finish()?)
    }

    /// Checks that these transactions and witnesses are, byte for byte, the ones that the block
    /// hash commits to: the Merkle root in the header, and the witness commitment in the coinbase.
    ///
    /// This is slightly stricter than the nodes: nothing commits to the coinbase's own witness, and
    /// they accept anything there in addition to the 32 bytes that are required.
    ///
    /// # Errors
    /// If they are not, or the transactions do not decode.
    pub fn check_commitments(&self) -> Result<(), CommitmentError> {
        self.check_body(Uncommitted::Refused)
    }

    /// Checks that these transactions and witnesses are the ones that the block hash commits to, as
    /// a node does before it stores a block. The coinbase's own witness may hold anything: nothing
    /// commits to it and nobody reads it. Whoever relayed the block to the node may have put data
    /// there, so a program that reads a chain must not stop at it.
    ///
    /// # Errors
    /// If they are not, or the transactions do not decode.
    pub fn check_stored_commitments(&self) -> Result<(), CommitmentError> {
        self.check_body(Uncommitted::InCoinbase)
    }

    fn check_body(&self, allowed: Uncommitted) -> Result<(), CommitmentError> {
        let mut ids = Vec::new();
        let mut witness_hashes = Vec::new();
        let mut witnessed = None;
        let mut coinbase = None;
        self.walk(|index, transaction| {
            ids.push(transaction.txid().to_byte_array());
            witness_hashes.push(transaction.witness_hash()?);
            if transaction.has_witness() {
                witnessed = witnessed.or(Some(index));
                // The nodes accept it, but it would allow many bodies for one block hash.
                let other = index > 0 && transaction.has_null_input();
                let coinbase = index == 0 && transaction.is_coinbase();
                let stray = transaction.has_stray_witness
                    && !(coinbase && allowed == Uncommitted::InCoinbase);
                if stray || other {
                    return Err(CommitmentError::UncommittedWitness(index));
                }
            }
            if index == 0 {
                coinbase = Some((transaction.commitment, transaction.sole_item));
            }
            Ok::<_, CommitmentError>(())
        })?;
        if merkle_root(ids).ok_or(CommitmentError::Repeated)? != self.header.merkle_root() {
            return Err(CommitmentError::MerkleRoot);
        }
        let (commitment, nonce) = coinbase.ok_or(DecodeError::NoTransactions)?;
        let Some(commitment) = commitment else {
            return witnessed.map_or(Ok(()), |index| {
                Err(CommitmentError::UncommittedWitness(index))
            });
        };
        let nonce = nonce
            .filter(|nonce| nonce.len() == 32)
            .ok_or(CommitmentError::WitnessNonce)?;
        if witness_commitment_of(witness_hashes, nonce) != *commitment {
            return Err(CommitmentError::WitnessCommitment);
        }
        Ok(())
    }

    /// Returns the script of the coinbase's `OP_RETURN` output that commits to the witnesses of
    /// these transactions, with a nonce of zeros.
    ///
    /// # Errors
    /// If the transactions do not decode.
    pub fn witness_commitment_script(&self) -> Result<Vec<u8>, DecodeError> {
        let mut hashes = Vec::new();
        self.walk(|_, transaction| {
            hashes.push(transaction.witness_hash()?);
            Ok::<_, DecodeError>(())
        })?;
        let commitment = witness_commitment_of(hashes, &[0; 32]);
        Ok([&COMMITMENT_PREFIX[..], &commitment].concat())
    }

    /// Returns the Merkle root of the transactions, as the header must contain it.
    ///
    /// # Errors
    /// If the transactions do not decode, or are repeated (CVE-2012-2459).
    pub fn compute_merkle_root(&self) -> Result<[u8; 32], CommitmentError> {
        merkle_root(self.transaction_ids()?).ok_or(CommitmentError::Repeated)
    }
}

/// Where a witness that nothing commits to is allowed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Uncommitted {
    Refused,
    InCoinbase,
}

fn witness_commitment_of(witness_hashes: Vec<[u8; 32]>, nonce: &[u8]) -> [u8; 32] {
    let mut engine = sha256d::Hash::engine();
    engine.input(&fast_merkle_root(witness_hashes));
    engine.input(nonce);
    sha256d::Hash::from_engine(engine).to_byte_array()
}
