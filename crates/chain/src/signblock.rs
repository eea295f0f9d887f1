//! The form in which a node's `signblock` hands out signatures without dynafed: a scriptSig.

use secp256k1::ecdsa::Signature;

/// A scriptSig that is not made of signatures.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureFormError {
    /// Not made of shortest pushes.
    #[error("the scriptSig is not made of shortest pushes only, at byte {0}")]
    Push(usize),
    /// The first item is not the empty one.
    #[error("the scriptSig does not begin with an empty item")]
    Dummy,
    /// An item that is no signature.
    #[error("item {0} is no signature in DER")]
    Der(usize),
}

/// The signatures in a `signblock` scriptSig, `00` and a push for each.
///
/// # Errors
/// If it is anything else.
pub fn signatures_of_script_sig(script_sig: &[u8]) -> Result<Vec<Signature>, SignatureFormError> {
    let items = pushes(script_sig).map_err(SignatureFormError::Push)?;
    let Some((&[], signatures)) = items.split_first() else {
        return Err(SignatureFormError::Dummy);
    };
    signatures
        .iter()
        .enumerate()
        .map(|(index, der)| {
            Signature::from_der(der).map_err(|_| SignatureFormError::Der(index + 1))
        })
        .collect()
}

/// The items that a script of direct pushes leaves on the stack, or the place of what is none.
/// Signatures have at most 73 bytes, so longer pushes have no place here.
pub(crate) fn pushes(script: &[u8]) -> Result<Vec<&[u8]>, usize> {
    let mut items = Vec::new();
    let mut at = 0;
    while let Some(&opcode) = script.get(at) {
        let length = usize::from(opcode);
        let item = (length <= 75)
            .then(|| script.get(at + 1..at + 1 + length))
            .flatten()
            .ok_or(at)?;
        // The numbers 1 to 16 and -1 have opcodes of their own, which are shorter.
        if matches!(item, [1..=16 | 0x81]) {
            return Err(at);
        }
        items.push(item);
        at += 1 + length;
    }
    Ok(items)
}
