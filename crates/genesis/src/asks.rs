//! What a script asks of who would satisfy it, as far as its opcodes tell without running it.

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

const SIGNED: [All; 6] = [
    OP_CHECKSIG,
    OP_CHECKSIGVERIFY,
    OP_CHECKMULTISIG,
    OP_CHECKMULTISIGVERIFY,
    OP_CHECKSIGFROMSTACK,
    OP_CHECKSIGFROMSTACKVERIFY,
];
const HASHES: [All; 5] = [OP_RIPEMD160, OP_SHA1, OP_SHA256, OP_HASH160, OP_HASH256];
const COMPARES: [All; 2] = [OP_EQUAL, OP_EQUALVERIFY];
const BRANCHES: [All; 2] = [OP_IF, OP_NOTIF];
/// What a script can fail at before its end for want of a signature or a preimage.
const DEMANDS: [All; 8] = [
    OP_VERIFY,
    OP_EQUALVERIFY,
    OP_NUMEQUALVERIFY,
    OP_CHECKSIGVERIFY,
    OP_CHECKMULTISIGVERIFY,
    OP_CHECKSIGFROMSTACKVERIFY,
    OP_IF,
    OP_NOTIF,
];

/// What was seen in a script.
#[derive(Debug, Default)]
pub(crate) struct Asks {
    /// Something that may be a key, and something that checks signatures.
    key: bool,
    signature: bool,
    /// Something that may be a hash, something that hashes, and a comparison behind that.
    hash: bool,
    hashes: bool,
    compares: bool,
    branches: bool,
    demands: bool,
    returns: bool,
    /// Whether it ends with a push of true or false; an empty script leaves what its spender put
    /// there, which can be true.
    end: Option<bool>,
}

impl Asks {
    /// Reads a script; none if it breaks off in a push, which fails wherever it stands.
    pub(crate) fn of(script: &Script) -> Option<Self> {
        let mut asks = Self {
            end: Some(true),
            ..Self::default()
        };
        for instruction in script.instructions() {
            match instruction.ok()? {
                Instruction::PushBytes(bytes) => asks.push(bytes),
                Instruction::Op(op) => asks.op(op),
            }
        }
        Some(asks)
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
        self.signature |= SIGNED.contains(&op);
        self.compares |= self.hashes && COMPARES.contains(&op);
        self.hashes |= HASHES.contains(&op);
        self.branches |= BRANCHES.contains(&op);
        self.demands |= DEMANDS.contains(&op);
        self.returns |= op == OP_RETURN;
        let is_number = (OP_PUSHNUM_1.into_u8()..=OP_PUSHNUM_16.into_u8()).contains(&code)
            || op == OP_PUSHNUM_NEG1;
        self.end = is_number.then_some(true);
    }

    /// Who can give what is asked for.
    pub(crate) fn holder(self) -> Holder {
        let asks = (self.signature && self.key) || (self.compares && self.hash);
        // Branches that are open at the end fail, so an end of false is one wherever it stands.
        if self.end == Some(false) || (self.returns && !self.branches) {
            Holder::Nobody
        } else if asks && (self.demands || self.end.is_none()) {
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
    fn what_asks_for_no_key_and_no_preimage_is_anyones() {
        for script in [
            "7551",         // DROP 1
            "517551",       // 1 DROP 1
            "5187",         // 1 EQUAL
            "5169515c",     // 1 VERIFY 1 12
            "515287",       // never true: not looked for
            "76",           // DUP
            "9163516851",   // NOT IF 1 ENDIF 1
            "635167006851", // IF 1 ELSE 0 ENDIF 1
            "02e803b17551", // not before block 1000
            "02e803b275",   // nor before 1000 blocks have passed
            "a8",           // SHA256, which is never false
            "a987",         // HASH160 EQUAL, both given
            "ac",           // CHECKSIG, the key given
            "5151ae",       // 1 1 CHECKMULTISIG, the key given
            "KEY7551",      // a key that nothing is checked by
            "HASH7551",     // a hash that nothing is compared with
            "KEYac51",      // a signature that is checked, and need not be there
            "a9HASH8751",   // a preimage likewise
            "KEYac7551b0",  // and with a NOP behind it
        ] {
            assert_eq!(holder(script), Holder::Anyone, "{script}");
        }
    }

    #[test]
    fn what_asks_for_a_key_or_a_preimage_in_it_is_somebodys() {
        for script in [
            "KEYac",           // P2PK
            "76a9HASH88ac",    // P2PKH
            "a9HASH87",        // P2SH
            "a8LONG87",        // a preimage
            "aaLONG8851",      // a preimage that must be there
            "KEYad51",         // a signature that must be there
            "KEYac6951",       // likewise
            "02e803b175KEYac", // and not before block 1000
            "63KEYac6751ac68", // behind a branch
            "51KEY51af51",     // one of one key that must be there
            "KEYc1",           // CHECKSIGFROMSTACK
        ] {
            assert_eq!(holder(script), Holder::Somebody, "{script}");
        }
    }

    #[test]
    fn what_always_fails_is_nobodys() {
        for script in [
            "517500",  // ends with false
            "KEYac00", // whoever signs
            "516a",    // RETURN
            "KEYad6a", // likewise
            "5102ff",  // breaks off
        ] {
            assert_eq!(holder(script), Holder::Nobody, "{script}");
        }
        assert_eq!(
            holder("636a6851"),
            Holder::Anyone,
            "a branch that need not be taken"
        );
    }
}
