//! What operators say to each other about a reissuance: the whole plan, so that one who comes to
//! another can tell in what, and the signatures of one key.

use elements::Txid;
use federation_reissuance::{PartialSignatures, Plan};
use serde::{Deserialize, Serialize};

/// The only version there is.
const VERSION: u8 = 1;

/// One operator's plan and signatures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Statement {
    pub(crate) plan: Plan,
    /// The id of the transaction, without signatures.
    pub(crate) id: Txid,
    pub(crate) signatures: PartialSignatures,
}

/// Bytes that are no statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DecodeStatementError {
    #[error("version {0} is unknown")]
    Version(u8),
    #[error("it does not decode")]
    Malformed,
}

impl Statement {
    pub(crate) fn encode(&self) -> Vec<u8> {
        // Writing to memory what has a length cannot fail.
        postcard::to_extend(self, vec![VERSION]).unwrap_or_default()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeStatementError> {
        match bytes.split_first() {
            Some((&VERSION, rest)) => match postcard::take_from_bytes(rest) {
                Ok((statement, [])) => Ok(statement),
                _ => Err(DecodeStatementError::Malformed),
            },
            Some((version, _)) => Err(DecodeStatementError::Version(*version)),
            None => Err(DecodeStatementError::Malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let _ = Statement::decode(&bytes);
            let versioned: Vec<u8> = core::iter::once(VERSION).chain(bytes).collect();
            let _ = Statement::decode(&versioned);
        }
    }
}
