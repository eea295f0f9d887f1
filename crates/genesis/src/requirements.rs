//! What a script requires of its spender, judged by its opcodes without running it.

use elements::Script;
use elements::opcodes::All;
use elements::opcodes::all::{
    OP_CHECKMULTISIG, OP_CHECKMULTISIGVERIFY, OP_CHECKSIG, OP_CHECKSIGFROMSTACK,
    OP_CHECKSIGFROMSTACKVERIFY, OP_CHECKSIGVERIFY, OP_EQUAL, OP_EQUALVERIFY, OP_HASH160,
    OP_HASH256, OP_IF, OP_NOTIF, OP_NUMEQUALVERIFY, OP_PUSHNUM_1, OP_PUSHNUM_16, OP_PUSHNUM_NEG1,
    OP_RETURN, OP_RIPEMD160, OP_SHA1, OP_SHA256, OP_VERIFY,
};
use elements::script::Instruction;

use crate::Holder;

const CHECK_SIGNATURE: [All; 6] = [
    OP_CHECKSIG,
    OP_CHECKSIGVERIFY,
    OP_CHECKMULTISIG,
    OP_CHECKMULTISIGVERIFY,
    OP_CHECKSIGFROMSTACK,
    OP_CHECKSIGFROMSTACKVERIFY,
];
const HASH: [All; 5] = [OP_RIPEMD160, OP_SHA1, OP_SHA256, OP_HASH160, OP_HASH256];
const COMPARE: [All; 2] = [OP_EQUAL, OP_EQUALVERIFY];
const BRANCH: [All; 2] = [OP_IF, OP_NOTIF];
/// Opcodes at which a script can fail before its end if a signature or a preimage is missing.
const CAN_FAIL: [All; 8] = [
    OP_VERIFY,
    OP_EQUALVERIFY,
    OP_NUMEQUALVERIFY,
    OP_CHECKSIGVERIFY,
    OP_CHECKMULTISIGVERIFY,
    OP_CHECKSIGFROMSTACKVERIFY,
    OP_IF,
    OP_NOTIF,
];

/// What was found in a script.
#[derive(Debug, Default)]
pub(crate) struct Requirements {
    /// A push that may be a key, and an opcode that checks signatures.
    key: bool,
    signature: bool,
    /// A push that may be a hash, an opcode that hashes, and a comparison after that.
    hash: bool,
    hashes: bool,
    compares: bool,
    branches: bool,
    can_fail: bool,
    returns: bool,
    /// Whether it ends with a push of true or false. An empty script leaves whatever its spender
    /// pushed, which can be true.
    end: Option<bool>,
}

impl Requirements {
    /// Reads a script; none if it ends within a push, which makes it fail in any case.
    pub(crate) fn of(script: &Script) -> Option<Self> {
        let mut found = Self {
            end: Some(true),
            ..Self::default()
        };
        for instruction in script.instructions() {
            match instruction.ok()? {
                Instruction::PushBytes(bytes) => found.push(bytes),
                Instruction::Op(op) => found.op(op),
            }
        }
        Some(found)
    }

    fn push(&mut self, bytes: &[u8]) {
        self.key |= matches!(bytes.len(), 33 | 65);
        self.hash |= matches!(bytes.len(), 20 | 32);
        self.end = Some(is_true(bytes));
    }

    fn op(&mut self, op: All) {
        let code = op.into_u8();
        // OP_NOP, OP_NOP1, OP_NOP4 to OP_NOP10.
        if matches!(code, 0x61 | 0xb0 | 0xb3..=0xb9) {
            return;
        }
        self.signature |= CHECK_SIGNATURE.contains(&op);
        self.compares |= self.hashes && COMPARE.contains(&op);
        self.hashes |= HASH.contains(&op);
        self.branches |= BRANCH.contains(&op);
        self.can_fail |= CAN_FAIL.contains(&op);
        self.returns |= op == OP_RETURN;
        let is_number = (OP_PUSHNUM_1.into_u8()..=OP_PUSHNUM_16.into_u8()).contains(&code)
            || op == OP_PUSHNUM_NEG1;
        self.end = is_number.then_some(true);
    }

    /// Returns who can meet the requirements.
    pub(crate) fn holder(self) -> Holder {
        let has_requirement = (self.signature && self.key) || (self.compares && self.hash);
        // A branch still open at the end fails, so a final push of false always counts.
        if self.end == Some(false) || (self.returns && !self.branches) {
            Holder::Nobody
        } else if has_requirement && (self.can_fail || self.end.is_none()) {
            Holder::Somebody
        } else {
            Holder::Anyone
        }
    }
}

/// `CastToBool` of the script engine.
fn is_true(bytes: &[u8]) -> bool {
    match bytes.split_last() {
        None => false,
        Some((last, rest)) => !matches!(last, 0 | 0x80) || rest.iter().any(|byte| *byte != 0),
    }
}

#[cfg(test)]
mod tests {
    use hex_conservative::FromHex;

    use super::*;

    const KEY: &str = "21030303030303030303030303030303030303030303030303030303030303030303";
    const HASH: &str = "140505050505050505050505050505050505050505";
    const LONG: &str = "200505050505050505050505050505050505050505050505050505050505050505";

    fn holder(hex: &str) -> Holder {
        let hex = hex.replace("KEY", KEY).replace("HASH", HASH);
        let script = Vec::<u8>::from_hex(&hex.replace("LONG", LONG)).expect("hex");
        Holder::of(&script)
    }

    #[test]
    fn anyone_can_spend_a_script_that_requires_no_key_or_preimage() {
        for script in [
            "7551",         // DROP 1
            "517551",       // 1 DROP 1
            "5187",         // 1 EQUAL
            "5169515c",     // 1 VERIFY 1 12
            "515287",       // never true, which is not examined
            "76",           // DUP
            "9163516851",   // NOT IF 1 ENDIF 1
            "635167006851", // IF 1 ELSE 0 ENDIF 1
            "02e803b17551", // not before block 1000
            "02e803b275",   // not before 1000 blocks have passed
            "a8",           // SHA256, which is never false
            "a987",         // HASH160 EQUAL, both chosen by the spender
            "ac",           // CHECKSIG, the key chosen by the spender
            "5151ae",       // 1 1 CHECKMULTISIG, the key chosen by the spender
            "KEY7551",      // a key that is not used
            "HASH7551",     // a hash that is not used
            "KEYac51",      // a signature check whose result is ignored
            "a9HASH8751",   // a preimage check whose result is ignored
            "KEYac7551b0",  // likewise, with a NOP at the end
        ] {
            assert_eq!(holder(script), Holder::Anyone, "{script}");
        }
    }

    #[test]
    fn somebody_can_spend_a_script_that_requires_a_key_or_preimage() {
        for script in [
            "KEYac",           // P2PK
            "76a9HASH88ac",    // P2PKH
            "a9HASH87",        // P2SH
            "a8LONG87",        // a preimage
            "aaLONG8851",      // a required preimage
            "KEYad51",         // a required signature
            "KEYac6951",       // likewise
            "02e803b175KEYac", // not before block 1000
            "63KEYac6751ac68", // in a branch
            "51KEY51af51",     // a required 1-of-1 multisig
            "KEYc1",           // CHECKSIGFROMSTACK
        ] {
            assert_eq!(holder(script), Holder::Somebody, "{script}");
        }
    }

    #[test]
    fn nobody_can_spend_a_script_that_always_fails() {
        for script in [
            "517500",  // ends with false
            "KEYac00", // likewise, despite a signature
            "516a",    // RETURN
            "KEYad6a", // likewise
            "5102ff",  // ends within a push
        ] {
            assert_eq!(holder(script), Holder::Nobody, "{script}");
        }
        assert_eq!(
            holder("636a6851"),
            Holder::Anyone,
            "the branch need not be taken"
        );
    }
}
