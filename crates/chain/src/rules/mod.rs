//! The rules of a chain for the signatures in its blocks.

mod assemble;
mod check;
mod stored;

use std::collections::BTreeMap;

use federation_multisig::{
    MultisigScript, SolutionForm, WitnessScript, required_block_signature_size,
};
use hex_conservative::DisplayHex;
use secp256k1::{Message, SECP256K1, ecdsa::Signature};

use crate::{AssembleError, Block, BlockHash, CheckError, Dialect, Header, ParamsRoot, RulesError};

/// The sighash byte at the end of a signature in a dynafed witness: `SIGHASH_ALL`.
pub(crate) const SIGHASH_ALL: u8 = 1;

/// Dialect, script and size limit of a chain: everything that decides whether signatures complete a
/// block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningRules {
    dialect: Dialect,
    script: MultisigScript,
    max_signature_size: u32,
    /// The script that headers of this chain name as their challenge or program.
    signing_script: Vec<u8>,
}

impl SigningRules {
    /// Creates the rules of a chain with this script and this `con_max_block_sig_size`, in bytes.
    /// Ocean's nodes have no such limit; pass [`SigningRules::required_signature_size`] there.
    ///
    /// # Errors
    /// If the limit is below what M signatures of this script can need.
    pub fn new(
        dialect: Dialect,
        script: MultisigScript,
        max_signature_size: u32,
    ) -> Result<Self, RulesError> {
        let keys = script.keys().len();
        let threshold = script.threshold().to_u8();
        let needed = Self::required_signature_size(dialect, &script);
        if max_signature_size < needed {
            return Err(RulesError::SignatureSize {
                allowed: max_signature_size,
                needed,
                threshold,
                keys,
            });
        }
        let signing_script = match dialect {
            Dialect::Ocean | Dialect::Elements => script.as_bytes().to_vec(),
            Dialect::Dynafed => WitnessScript::from(script.clone()).script_pubkey(),
        };
        Ok(Self {
            dialect,
            script,
            max_signature_size,
            signing_script,
        })
    }

    /// Returns the smallest size limit with which blocks of a chain with this script can always be
    /// signed.
    #[must_use]
    pub fn required_signature_size(dialect: Dialect, script: &MultisigScript) -> u32 {
        let form = match dialect {
            Dialect::Ocean | Dialect::Elements => SolutionForm::Legacy,
            Dialect::Dynafed => SolutionForm::Witness,
        };
        let keys = u8::try_from(script.keys().len()).unwrap_or(u8::MAX);
        required_block_signature_size(script.threshold().to_u8(), keys, form)
    }

    /// Returns the dialect of the chain.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Returns the M-of-N script.
    #[must_use]
    pub const fn script(&self) -> &MultisigScript {
        &self.script
    }

    /// Returns the chain's limit on the size of a block's signatures, in bytes.
    #[must_use]
    pub const fn max_signature_size(&self) -> u32 {
        self.max_signature_size
    }

    /// Returns the script that headers of this chain name: the multisig script, or with dynafed its
    /// program.
    #[must_use]
    pub fn signing_script(&self) -> &[u8] {
        &self.signing_script
    }

    /// Checks that a header is of this chain's dialect and names this script.
    ///
    /// # Errors
    /// If it is of another dialect or names another script.
    pub fn check_challenge(&self, header: &Header) -> Result<(), CheckError> {
        if header.dialect() != self.dialect {
            return Err(CheckError::Dialect {
                height: header.height(),
                expected: self.dialect,
            });
        }
        if header.signing_script() != self.signing_script {
            return Err(CheckError::Challenge {
                height: header.height(),
                found: header.signing_script().to_lower_hex_string(),
            });
        }
        Ok(())
    }

    /// Checks that a header proposes no parameters. A federation signs a block only if this holds:
    /// with dynafed, enough proposals within one epoch replace the signers from the next epoch on,
    /// and nodes accept every well-formed proposal.
    ///
    /// # Errors
    /// If it proposes any, even those in force.
    pub fn check_proposed(&self, header: &Header) -> Result<(), CheckError> {
        match header.parameters() {
            Some((_, proposed)) if !proposed.is_null() => Err(CheckError::Proposes {
                height: header.height(),
                root: ParamsRoot::of(proposed),
                signers: proposed
                    .signblockscript()
                    .map_or_else(String::new, |script| {
                        script.as_bytes().to_lower_hex_string()
                    }),
            }),
            _ => Ok(()),
        }
    }

    /// Checks that a header has the parameters that are in force for its block, full or compact.
    /// Nodes check less: they accept any elided root in a compact header.
    ///
    /// A header without dynafed has no parameters and passes.
    ///
    /// # Errors
    /// If its parameters differ.
    pub fn check_parameters(
        &self,
        header: &Header,
        in_force: ParamsRoot,
    ) -> Result<(), CheckError> {
        let Some((current, _)) = header.parameters() else {
            return Ok(());
        };
        let found = ParamsRoot::of(current);
        if found == in_force {
            return Ok(());
        }
        Err(CheckError::Parameters {
            height: header.height(),
            expected: in_force,
            found,
        })
    }

    /// Checks one signature of a block hash by the key with this index in the script.
    ///
    /// # Errors
    /// If there is no such key, S is high, or the signature does not match key and hash.
    pub fn verify_signature(
        &self,
        hash: BlockHash,
        signer: usize,
        signature: &Signature,
    ) -> Result<(), CheckError> {
        let key = self
            .script
            .keys()
            .get(signer)
            .ok_or(CheckError::NoSuchKey(signer))?;
        if !has_low_s(signature) {
            return Err(CheckError::HighS(signer));
        }
        SECP256K1
            .verify_ecdsa(&Message::from_digest(hash.to_bytes()), signature, key)
            .map_err(|_| CheckError::Signature(signer))
    }

    /// Puts the first M of these signatures, keyed by index in the script, into a block and checks
    /// the result.
    ///
    /// # Errors
    /// If there are fewer than M, or the result is not a complete, valid block.
    pub fn assemble(
        &self,
        block: &Block,
        signatures: &BTreeMap<usize, Signature>,
    ) -> Result<Block, AssembleError> {
        let complete = assemble::assemble(self, block, signatures)?;
        self.check_block(&complete)?;
        Ok(complete)
    }

    /// Checks a complete block's signatures as the nodes do (`CheckProofGeneric` in
    /// `block_proof.cpp`): challenge, size limit, shortest pushes, empty first item, exactly M
    /// signatures in script order, strict DER, low S, and `SIGHASH_ALL` behind each with dynafed.
    ///
    /// The size limit is the header's own with dynafed, otherwise that of these rules. Ocean's
    /// nodes are less strict (see [the crate](crate#where-the-crate-is-stricter-than-a-node)).
    ///
    /// # Errors
    /// The first rule that is violated.
    pub fn check_block(&self, block: &Block) -> Result<(), CheckError> {
        check::check(self, block.header()).map(|_| ())
    }

    /// Checks that M of the script's keys have signed a block that a node has stored.
    ///
    /// On Elements these are the rules of [`check_block`](Self::check_block). Ocean's nodes accept
    /// other forms of a solution too, and anyone who relays a block can change its form: there, the
    /// solution must push valid signatures of M keys, in any order and form, and may contain
    /// anything else.
    ///
    /// # Errors
    /// If the header is of another dialect or names another script, or fewer than M keys have
    /// signed.
    pub fn check_stored_block(&self, header: &Header) -> Result<(), CheckError> {
        stored::check(self, header)
    }

    /// Returns the signers of a complete header, as indexes in the script, lowest first.
    ///
    /// # Errors
    /// The same as [`SigningRules::check_block`].
    pub fn signers(&self, header: &Header) -> Result<Vec<usize>, CheckError> {
        check::check(self, header)
    }
}

/// Returns whether S is in the lower half of the group's order (BIP 146).
pub(crate) fn has_low_s(signature: &Signature) -> bool {
    let mut normalized = *signature;
    normalized.normalize_s();
    normalized == *signature
}
