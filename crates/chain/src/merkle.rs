//! Merkle roots: Bitcoin's, of transaction ids, and the fast one of Elements, of witnesses.

use bitcoin::hashes::{Hash, HashEngine, sha256, sha256d};

/// Bitcoin's Merkle root of these leaves, or `None` if there are none or a repeated pair makes the
/// root ambiguous (CVE-2012-2459).
#[must_use]
pub fn merkle_root(mut level: Vec<[u8; 32]>) -> Option<[u8; 32]> {
    while level.len() > 1 {
        if level.chunks_exact(2).any(|pair| pair[0] == pair[1]) {
            return None;
        }
        level = level
            .chunks(2)
            .map(|pair| {
                let mut engine = sha256d::Hash::engine();
                engine.input(&pair[0]);
                engine.input(pair.last().unwrap_or(&pair[0]));
                sha256d::Hash::from_engine(engine).to_byte_array()
            })
            .collect();
    }
    level.pop()
}

/// Elements' fast Merkle root (`ComputeFastMerkleRoot` in `merkle.cpp`): SHA-256 compressions
/// without padding; an odd last node moves up unchanged. Zero for no leaves.
pub(crate) fn fast_merkle_root(mut level: Vec<[u8; 32]>) -> [u8; 32] {
    while level.len() > 1 {
        for parent in 0..level.len().div_ceil(2) {
            level[parent] = match level[2 * parent..] {
                [left, right, ..] => {
                    let mut engine = sha256::Hash::engine();
                    engine.input(&left);
                    engine.input(&right);
                    engine.midstate().to_byte_array()
                }
                [alone] => alone,
                // `parent` counts pairs that begin within the level.
                [] => break,
            };
        }
        level.truncate(level.len().div_ceil(2));
    }
    level.pop().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_pair_has_no_root() {
        let [a, b] = [[1; 32], [2; 32]];
        let three = [a, b, [3; 32]];
        assert!(merkle_root(three.to_vec()).is_some());
        let four = [a, b, [3; 32], [3; 32]];
        assert_eq!(merkle_root(four.to_vec()), None);
        assert_eq!(merkle_root(vec![a]), Some(a));
        assert_eq!(merkle_root(vec![]), None);
    }

    #[test]
    fn the_fast_root_is_that_of_the_elements_crate() {
        for count in 0..20u8 {
            let leaves: Vec<[u8; 32]> = (0..count).map(|i| [i; 32]).collect();
            let theirs = elements::fast_merkle_root(&leaves);
            assert_eq!(
                &fast_merkle_root(leaves.clone()),
                theirs.as_parts().0,
                "{count} leaves"
            );
        }
    }
}
