//! Who can spend or satisfy a script, judged by the script alone.

use bitcoin::hashes::{Hash, hash160, sha256};
use elements::Script;
use federation_multisig::{MultisigScript, RedeemScript, WitnessScript};

use crate::{
    NodeKind,
    requirements::Requirements,
    transaction::{OP_RETURN, OP_TRUE},
};

/// Longer scripts cannot be spent.
const MAX_SCRIPT: usize = 10_000;

/// Returns the output script with which a federation holds coins and receives fees unless something
/// else is agreed: M of N of these keys, as P2WSH on Elements, as P2SH on Ocean up to 15 keys, and as
/// a bare script there above that.
#[must_use]
pub fn federation_script(node: NodeKind, script: MultisigScript) -> Vec<u8> {
    match node {
        NodeKind::Elements => WitnessScript::from(script).script_pubkey(),
        NodeKind::Ocean => {
            let bare = script.as_bytes().to_vec();
            RedeemScript::new(script).map_or(bare, |redeem| redeem.script_pubkey())
        }
    }
}

/// Who can spend or satisfy a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Holder {
    /// Anyone: the script requires neither a signature by a key in it nor the preimage of a hash in
    /// it. Whether anything satisfies it is not examined.
    Anyone,
    /// Nobody.
    Nobody,
    /// M of N compressed keys in the script.
    Keys {
        /// M.
        m: u8,
        /// N.
        n: usize,
    },
    /// Somebody: the script requires a signature by a key in it, or the preimage of a hash in it.
    /// Ways around that, such as a branch of `OP_IF`, are not examined.
    Somebody,
}

impl Holder {
    /// Returns who can spend or satisfy this output script.
    #[must_use]
    pub fn of(script: &[u8]) -> Self {
        if script.first() == Some(&OP_RETURN) || script.len() > MAX_SCRIPT {
            return Self::Nobody;
        }
        if let Ok(multisig) = MultisigScript::from_bytes(script) {
            return Self::Keys {
                m: multisig.threshold().to_u8(),
                n: multisig.keys().len(),
            };
        }
        let parsed = Script::from(script.to_vec());
        if parsed.is_witness_program() {
            return Self::of_program(script);
        }
        if *script == [&[0xa9, 20], hash160_of(&[OP_TRUE]).as_slice(), &[0x87]].concat() {
            return Self::Anyone;
        }
        Requirements::of(&parsed).map_or(Self::Nobody, Requirements::holder)
    }

    /// Judges a witness program. Anyone can spend one that hashes `OP_TRUE`, or one of a version
    /// without rules.
    fn of_program(script: &[u8]) -> Self {
        let of_true = sha256::Hash::hash(&[OP_TRUE]);
        let is_true = *script == [&[0, 32], of_true.as_byte_array().as_slice()].concat();
        match script[0] {
            0 if is_true => Self::Anyone,
            // P2WPKH, P2WSH, P2TR.
            0 | 0x51 => Self::Somebody,
            _ => Self::Anyone,
        }
    }

    /// Whether less than a majority of the keys in the script is enough.
    #[must_use]
    pub const fn is_minority(self) -> bool {
        match self {
            Self::Keys { m, n } => 2 * (m as usize) <= n,
            _ => false,
        }
    }
}

fn hash160_of(script: &[u8]) -> [u8; 20] {
    hash160::Hash::hash(script).to_byte_array()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_of_a_script_is_recognised() {
        let wrapped = [&[0xa9, 20][..], &hash160_of(&[0x51]), &[0x87]].concat();
        let program =
            |version: u8, bytes: &[u8]| [&[version, bytes.len() as u8][..], bytes].concat();
        let of_true = sha256::Hash::hash(&[OP_TRUE]).to_byte_array();
        for (script, holder) in [
            (vec![0x51], Holder::Anyone),
            (vec![0x60], Holder::Anyone),
            (vec![0x4f], Holder::Anyone),
            (vec![1, 1], Holder::Anyone),
            (vec![1, 0x80], Holder::Nobody),
            (vec![2, 0, 1], Holder::Anyone),
            (vec![0x61, 0x51, 0xb3], Holder::Anyone),
            (vec![], Holder::Anyone),
            (vec![0], Holder::Nobody),
            (vec![0x6a], Holder::Nobody),
            (vec![0x6a, 1, 1], Holder::Nobody),
            (vec![0x61; 10_001], Holder::Nobody),
            (wrapped, Holder::Anyone),
            (program(0, &of_true), Holder::Anyone),
            (program(0, &[7; 32]), Holder::Somebody),
            (program(0, &[7; 20]), Holder::Somebody),
            (program(0x51, &[7; 32]), Holder::Somebody),
            (program(0x52, &[7; 32]), Holder::Anyone),
            (vec![0x51, 0x75, 0x51], Holder::Anyone),
            (vec![0x75, 0x51], Holder::Anyone),
        ] {
            assert_eq!(Holder::of(&script), holder, "{script:02x?}");
        }
    }

    #[test]
    fn half_of_the_keys_or_fewer_is_a_minority() {
        for (m, n, minority) in [(1, 1, false), (1, 2, true), (2, 3, false), (2, 4, true)] {
            assert_eq!(Holder::Keys { m, n }.is_minority(), minority, "{m} of {n}");
        }
    }
}
