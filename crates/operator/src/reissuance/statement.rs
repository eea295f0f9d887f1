//! The message that operators exchange about a reissuance: the complete plan, so that an operator
//! with another plan can tell in what they differ, and the signatures of one key.

use elements::Txid;
use federation_reissuance::{PartialSignatures, Plan};
use serde::{Deserialize, Serialize};

/// The only version so far.
const VERSION: u8 = 1;

/// One operator's plan and signatures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Statement {
    pub(crate) plan: Plan,
    /// The id of the transaction, which does not depend on its signatures.
    pub(crate) id: Txid,
    pub(crate) signatures: PartialSignatures,
}

/// Why bytes are not a valid statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DecodeStatementError {
    #[error("unknown version {0}")]
    Version(u8),
    #[error("malformed encoding")]
    Malformed,
}

impl Statement {
    pub(crate) fn encode(&self) -> Vec<u8> {
        // Encoding plain data to memory cannot fail.
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
        fn decoding_arbitrary_bytes_does_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let _ = Statement::decode(&bytes);
            let versioned: Vec<u8> = core::iter::once(VERSION).chain(bytes).collect();
            let _ = Statement::decode(&versioned);
        }
    }
}
