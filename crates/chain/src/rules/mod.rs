//! What a chain demands of the signatures in its blocks.

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

/// The sighash byte that ends a signature in a dynafed witness: `SIGHASH_ALL`.
pub(crate) const SIGHASH_ALL: u8 = 1;

/// Dialect, script and size limit of a chain: everything that decides whether signatures make a
/// block complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningRules {
    dialect: Dialect,
    script: MultisigScript,
    max_signature_size: u32,
    /// What a header of this chain names as its signers.
    signing_script: Vec<u8>,
}

impl SigningRules {
    /// The rules of a chain with this script, and this `con_max_block_sig_size` in bytes. Ocean's
    /// nodes have no such limit; [`SigningRules::required_signature_size`] is enough there.
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

    /// The smallest limit on the signatures' size with which a chain of this script can live.
    #[must_use]
    pub fn required_signature_size(dialect: Dialect, script: &MultisigScript) -> u32 {
        let form = match dialect {
            Dialect::Ocean | Dialect::Elements => SolutionForm::Legacy,
            Dialect::Dynafed => SolutionForm::Witness,
        };
        let keys = u8::try_from(script.keys().len()).unwrap_or(u8::MAX);
        required_block_signature_size(script.threshold().to_u8(), keys, form)
    }

    /// The dialect of the chain.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The M-of-N script.
    #[must_use]
    pub const fn script(&self) -> &MultisigScript {
        &self.script
    }

    /// The chain's limit on the size of a block's signatures, in bytes.
    #[must_use]
    pub const fn max_signature_size(&self) -> u32 {
        self.max_signature_size
    }

    /// What a header of this chain names as its signers: the script, or with dynafed its program.
    #[must_use]
    pub fn signing_script(&self) -> &[u8] {
        &self.signing_script
    }

    /// Checks that a header is of this chain's dialect and names this script.
    ///
    /// # Errors
    /// If it is not, or names another.
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

    /// Checks that a header of this chain proposes no other parameters. A federation signs a block
    /// only if this holds: with dynafed, enough proposals of one epoch put other signers in its
    /// place from the next epoch on, and nodes find every well-formed proposal valid.
    ///
    /// # Errors
    /// If it proposes any, be it those that are in force.
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

    /// Checks that a header shows the parameters that are in force for its block, full or compact.
    /// Nodes compare less: they take a compact header whose elided root is any.
    ///
    /// A header without dynafed shows none, and passes.
    ///
    /// # Errors
    /// If it shows others.
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

    /// Checks one signature of a block hash by the key at a place of the script.
    ///
    /// # Errors
    /// If the place does not exist, S is high, or the signature is not of that key and hash.
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

    /// Puts the first M of these signatures, by place in the script, into a block and checks the
    /// whole.
    ///
    /// # Errors
    /// If there are fewer than M, or the block is not complete and valid with them.
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
    /// The limit on the size is the header's own with dynafed, and else the rules'. Ocean's nodes
    /// are less strict (see [the crate](crate#where-the-crate-asks-for-more-than-a-node-does)).
    ///
    /// # Errors
    /// At the first rule that is broken.
    pub fn check_block(&self, block: &Block) -> Result<(), CheckError> {
        check::check(self, block.header()).map(|_| ())
    }

    /// Checks that M of the script's keys have signed a block that a node has stored.
    ///
    /// On Elements these are the rules of [`check_block`](Self::check_block). Ocean's nodes take more
    /// forms of a solution, and whoever passes a block on can put it into another: there it is enough
    /// that the solution pushes valid signatures of M keys, in any order and form, beside anything
    /// else.
    ///
    /// # Errors
    /// If the header is of another dialect or names another script, or fewer have signed.
    pub fn check_stored_block(&self, header: &Header) -> Result<(), CheckError> {
        stored::check(self, header)
    }

    /// Whose signatures a complete header holds, as places in the script, lowest first.
    ///
    /// # Errors
    /// As [`SigningRules::check_block`].
    pub fn signers(&self, header: &Header) -> Result<Vec<usize>, CheckError> {
        check::check(self, header)
    }
}

/// Whether S is in the lower half of the group's order (BIP 146).
pub(crate) fn has_low_s(signature: &Signature) -> bool {
    let mut normalized = *signature;
    normalized.normalize_s();
    normalized == *signature
}
