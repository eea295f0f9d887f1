//! The space that a chain must reserve for a block's signatures.

/// Where a block carries its signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SolutionForm {
    /// In the header's solution, a scriptSig (Ocean, Elements without dynafed).
    Legacy,
    /// In the signblock witness stack (Elements with dynafed).
    Witness,
}

/// Returns the smallest `con_max_block_sig_size` with which M-of-N blocks are always valid, in
/// bytes.
///
/// Legacy: the leading `00` and M pushes of at most 71 bytes of DER (low S). Witness: the stack's
/// count, an empty item, M items of DER and sighash byte, and the script of `3 + 34 N` bytes with
/// its length. One byte per signature is spare. A chain that will change from one form to the other
/// needs the larger size. Elements' default, 74, is too small for every federation.
#[must_use]
pub const fn required_block_signature_size(m: u8, n: u8, form: SolutionForm) -> u32 {
    let (m, n) = (m as u32, n as u32);
    match form {
        SolutionForm::Legacy => 1 + 72 * m,
        SolutionForm::Witness => {
            // Numbers above 16 take two bytes in the script.
            let script = 3 + 34 * n + (m > 16) as u32 + (n > 16) as u32;
            let count = if script < 253 { 1 } else { 3 };
            2 + 73 * m + count + script
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_match_those_that_elementsd_needs() {
        let size = required_block_signature_size;
        assert_eq!(size(2, 3, SolutionForm::Witness), 254);
        assert_eq!(size(3, 5, SolutionForm::Witness), 395);
        assert_eq!(size(11, 15, SolutionForm::Witness), 1321);
        assert_eq!(size(2, 3, SolutionForm::Legacy), 145);
    }
}
