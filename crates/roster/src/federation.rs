//! The federation, validated once.

use core::time::Duration;
use std::collections::BTreeMap;

use federation_chain::{BlockHash, BlockHeight, SigningRules, TaggedHash};
use federation_multisig::PublicKey;
use secp256k1::XOnlyPublicKey;

use crate::{FederationId, OperatorId, Round};

/// The longest name of an operator, in bytes.
const MAX_NAME: usize = 64;

/// One operator of the federation, as all the others know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name: short and unique, for logs and views.
    pub name: String,
    /// The key that signs its messages (BIP 340).
    pub identity: XOnlyPublicKey,
    /// The key that signs blocks, one of the script's keys.
    pub block_key: PublicKey,
    /// The address of its messenger. Not part of the federation's identity: it may change.
    pub endpoint: String,
}

/// A set of operators that can run a chain together.
///
/// [`Federation::new`] checks that names, identity keys and block keys are distinct, that the block
/// keys are exactly the script's, and that 2M > N.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Federation {
    id: FederationId,
    operators: Vec<Member>,
    /// The position of each operator's block key in the script.
    positions: Vec<usize>,
    rules: SigningRules,
    genesis: BlockHash,
    interval: Duration,
    epoch: u32,
}

/// The error for a set of operators that cannot run a chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FederationError {
    /// Without a majority as threshold, the federation could sign two chains.
    #[error(
        "threshold {threshold} of {operators} operators is not a majority, so two chains could be signed: use at least {}", .operators / 2 + 1
    )]
    NoMajority {
        /// M.
        threshold: usize,
        /// N.
        operators: usize,
    },
    /// More or fewer operators than keys in the script.
    #[error("{operators} operators and {keys} keys in the script: each operator needs one key")]
    Count {
        /// Operators.
        operators: usize,
        /// Keys.
        keys: usize,
    },
    /// A name that is empty, too long, or contains control characters.
    #[error("operator {index} has an unusable name: use 1 to {MAX_NAME} visible characters")]
    Name {
        /// Its index in the roster.
        index: usize,
    },
    /// Two operators with one name.
    #[error("two operators have the name `{0}`")]
    DuplicateName(String),
    /// Two operators with one identity key.
    #[error("operators `{first}` and `{second}` have the same identity key")]
    DuplicateIdentity {
        /// One of them.
        first: String,
        /// The other.
        second: String,
    },
    /// Two operators with one block key.
    #[error("operators `{first}` and `{second}` have the same block key")]
    DuplicateBlockKey {
        /// One of them.
        first: String,
        /// The other.
        second: String,
    },
    /// A block key that is not in the chain's script.
    #[error("the block key of `{operator}`, {key}, is not in the chain's script")]
    KeyNotInScript {
        /// The operator's name.
        operator: String,
        /// The key.
        key: Box<PublicKey>,
    },
    /// A block interval below one millisecond.
    #[error("the interval is zero: use at least 1 ms")]
    NoInterval,
}

impl Federation {
    /// Creates a federation of these operators, in this order, on the chain with this genesis hash,
    /// in epoch 0.
    ///
    /// # Errors
    /// If the operators are not distinct, do not match the script, or M is not a majority.
    pub fn new(
        operators: Vec<Member>,
        rules: SigningRules,
        genesis: BlockHash,
        interval: Duration,
    ) -> Result<Self, FederationError> {
        let script = rules.script();
        if operators.len() != script.keys().len() {
            return Err(FederationError::Count {
                operators: operators.len(),
                keys: script.keys().len(),
            });
        }
        let threshold = script.threshold().to_usize();
        if 2 * threshold <= operators.len() {
            return Err(FederationError::NoMajority {
                threshold,
                operators: operators.len(),
            });
        }
        if interval.as_millis() == 0 {
            return Err(FederationError::NoInterval);
        }
        check_distinct(&operators)?;
        let positions = operators
            .iter()
            .map(|operator| {
                script.position(&operator.block_key).ok_or_else(|| {
                    FederationError::KeyNotInScript {
                        operator: operator.name.clone(),
                        key: Box::new(operator.block_key),
                    }
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            id: identify(&operators, &rules, genesis, interval, 0),
            operators,
            positions,
            rules,
            genesis,
            interval,
            epoch: 0,
        })
    }

    /// Returns the same federation in another epoch. Its identity differs, so that messages of an
    /// earlier epoch do not count in this one. All operators raise the epoch together when a
    /// roster, or a chain with the same genesis, is used again.
    #[must_use]
    pub fn with_epoch(mut self, epoch: u32) -> Self {
        self.epoch = epoch;
        self.id = identify(
            &self.operators,
            &self.rules,
            self.genesis,
            self.interval,
            epoch,
        );
        self
    }

    /// Returns the epoch; 0 unless set by [`Self::with_epoch`].
    #[must_use]
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Returns the federation's identity: a hash of names, keys, order, script, dialect, interval,
    /// genesis and epoch.
    #[must_use]
    pub const fn id(&self) -> FederationId {
        self.id
    }

    /// Returns N, the number of operators.
    #[must_use]
    pub fn size(&self) -> usize {
        self.operators.len()
    }

    /// Returns M: the signatures that a block needs, and the votes that a decision needs.
    #[must_use]
    pub fn threshold(&self) -> usize {
        self.rules.script().threshold().to_usize()
    }

    /// Returns how many operators may be absent while blocks are still made: N - M.
    #[must_use]
    pub fn tolerated_absent(&self) -> usize {
        self.size() - self.threshold()
    }

    /// Returns how many operators may lie without a fork: 2M - N - 1.
    #[must_use]
    pub fn tolerated_byzantine(&self) -> usize {
        2 * self.threshold() - self.size() - 1
    }

    /// Returns the operators in the order of the roster.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.operators
    }

    /// Returns the operators' ids in the order of the roster.
    pub fn ids(&self) -> impl Iterator<Item = OperatorId> + use<> {
        // At most 20, the most keys a script can have.
        (0..u8::try_from(self.operators.len()).unwrap_or(u8::MAX)).map(OperatorId::new)
    }

    /// Returns an operator, if the roster has one at this index.
    #[must_use]
    pub fn member(&self, id: OperatorId) -> Option<&Member> {
        self.operators.get(id.index())
    }

    /// Returns an operator's name, or `#` and its index if it is not in the roster.
    #[must_use]
    pub fn name(&self, id: OperatorId) -> String {
        self.member(id)
            .map_or_else(|| format!("#{id}"), |operator| operator.name.clone())
    }

    /// Returns the id of the operator with this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<OperatorId> {
        self.ids()
            .find(|id| self.operators[id.index()].name == name)
    }

    /// Returns the position of an operator's block key in the script.
    #[must_use]
    pub fn script_position(&self, id: OperatorId) -> Option<usize> {
        self.positions.get(id.index()).copied()
    }

    /// Returns the operator whose block key is at this position of the script.
    #[must_use]
    pub fn at_script_position(&self, position: usize) -> Option<OperatorId> {
        self.ids().find(|id| self.positions[id.index()] == position)
    }

    /// Returns the chain's signing rules.
    #[must_use]
    pub const fn rules(&self) -> &SigningRules {
        &self.rules
    }

    /// Returns the hash of the chain's genesis block.
    #[must_use]
    pub const fn genesis(&self) -> BlockHash {
        self.genesis
    }

    /// Returns the time from one block to the next.
    #[must_use]
    pub const fn interval(&self) -> Duration {
        self.interval
    }

    /// Returns the operator that proposes in a round of a height: (h + r) mod N.
    #[must_use]
    pub fn leader(&self, height: BlockHeight, round: Round) -> OperatorId {
        let turn = u64::from(height.to_u32()) + u64::from(round.to_u32());
        let index = turn % self.operators.len() as u64;
        OperatorId::new(u8::try_from(index).unwrap_or(u8::MAX))
    }
}

fn check_distinct(operators: &[Member]) -> Result<(), FederationError> {
    let mut names = BTreeMap::new();
    let mut identities = BTreeMap::new();
    let mut block_keys = BTreeMap::new();
    for (index, operator) in operators.iter().enumerate() {
        let name = &operator.name;
        if name.is_empty() || name.len() > MAX_NAME || name.chars().any(char::is_control) {
            return Err(FederationError::Name { index });
        }
        if names.insert(name.clone(), ()).is_some() {
            return Err(FederationError::DuplicateName(name.clone()));
        }
        if let Some(first) = identities.insert(operator.identity.serialize(), name.clone()) {
            return Err(FederationError::DuplicateIdentity {
                first,
                second: name.clone(),
            });
        }
        if let Some(first) = block_keys.insert(operator.block_key.serialize(), name.clone()) {
            return Err(FederationError::DuplicateBlockKey {
                first,
                second: name.clone(),
            });
        }
    }
    Ok(())
}

/// Computes the SHA-256, tagged `federation/id/v1`, of these fields, each preceded by its length as
/// u32 LE: dialect name, script, genesis hash, interval in milliseconds (u64 LE), number of
/// operators (u8), and for each its name, identity key (32 bytes) and block key (33 bytes). An
/// epoch other than 0 follows as one more field (u32 LE): in epoch 0 the identity is the same as
/// before there were epochs.
fn identify(
    operators: &[Member],
    rules: &SigningRules,
    genesis: BlockHash,
    interval: Duration,
    epoch: u32,
) -> FederationId {
    let mut hash = TaggedHash::new(b"federation/id/v1");
    let mut field = |bytes: &[u8]| {
        hash.input(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
        hash.input(bytes);
    };
    field(rules.dialect().as_str().as_bytes());
    field(rules.script().as_bytes());
    field(genesis.as_bytes());
    field(
        &u64::try_from(interval.as_millis())
            .unwrap_or(u64::MAX)
            .to_le_bytes(),
    );
    field(&[u8::try_from(operators.len()).unwrap_or(u8::MAX)]);
    for operator in operators {
        field(operator.name.as_bytes());
        field(&operator.identity.serialize());
        field(&operator.block_key.serialize());
    }
    if epoch != 0 {
        field(&epoch.to_le_bytes());
    }
    FederationId::from_bytes(hash.finish())
}

#[cfg(test)]
mod tests {
    use federation_chain::Dialect;
    use federation_multisig::{KeyOrder, MultisigScript, Threshold};
    use secp256k1::{SECP256K1, SecretKey};

    use super::*;

    fn key(seed: u8) -> PublicKey {
        SecretKey::from_slice(&[seed; 32])
            .expect("a key")
            .public_key(SECP256K1)
    }

    fn operator(seed: u8) -> Member {
        Member {
            name: format!("operator-{seed}"),
            identity: key(seed + 100).x_only_public_key().0,
            block_key: key(seed),
            endpoint: "127.0.0.1:1".to_owned(),
        }
    }

    /// Computed by the version before epochs were introduced.
    const ID_OF_THREE_OF_FIVE: &str =
        "b72b0a7c5efa6714b76f1dc235519bf80075a1c0d7f9d27187fd38ca622c3e0f";

    fn build(
        threshold: u8,
        operators: Vec<Member>,
        keys: Vec<PublicKey>,
    ) -> Result<Federation, FederationError> {
        let script = MultisigScript::new(
            Threshold::new(threshold).expect("in range"),
            keys,
            KeyOrder::Lexicographic,
        )
        .expect("a script");
        let rules = SigningRules::new(Dialect::Elements, script, 5000).expect("enough");
        Federation::new(
            operators,
            rules,
            BlockHash::from_bytes([9; 32]),
            Duration::from_secs(60),
        )
    }

    fn three_of_five() -> Federation {
        build(
            3,
            (1..=5).map(operator).collect(),
            (1..=5).map(key).collect(),
        )
        .expect("a federation")
    }

    #[test]
    fn positions_map_to_the_script_and_back() {
        let federation = three_of_five();
        for id in federation.ids() {
            let position = federation.script_position(id).expect("in the roster");
            let key = federation.member(id).expect("in the roster").block_key;
            assert_eq!(federation.rules().script().keys()[position], key);
            assert_eq!(federation.at_script_position(position), Some(id));
            assert_eq!(federation.find(&federation.name(id)), Some(id));
        }
        assert_eq!(federation.member(OperatorId::new(5)), None);
    }

    #[test]
    fn three_of_five_tolerates_two_absent_and_no_liar() {
        let federation = three_of_five();
        assert_eq!(
            (
                federation.tolerated_absent(),
                federation.tolerated_byzantine()
            ),
            (2, 0)
        );
        let four = build(
            4,
            (1..=5).map(operator).collect(),
            (1..=5).map(key).collect(),
        )
        .expect("4 of 5");
        assert_eq!(
            (four.tolerated_absent(), four.tolerated_byzantine()),
            (1, 2)
        );
    }

    #[test]
    fn epoch_0_keeps_the_identity_from_before_epochs() {
        let federation = three_of_five();
        assert_eq!(federation.epoch(), 0);
        assert_eq!(federation.id().to_string(), ID_OF_THREE_OF_FIVE);
        let later = federation.clone().with_epoch(1);
        assert_eq!(later.epoch(), 1);
        assert_eq!(later.clone().with_epoch(0), federation);
        let ids =
            [0, 1, 2, 1 << 8, u32::MAX].map(|epoch| federation.clone().with_epoch(epoch).id());
        let distinct: std::collections::BTreeSet<_> = ids.iter().map(ToString::to_string).collect();
        assert_eq!(distinct.len(), ids.len());
    }

    #[test]
    fn the_leader_rotates_with_heights_and_rounds() {
        let federation = three_of_five();
        let leader = |h, r| {
            federation
                .leader(BlockHeight::new(h), Round::new(r))
                .to_u8()
        };
        assert_eq!(
            [leader(1, 0), leader(4, 0), leader(5, 0), leader(4, 2)],
            [1, 4, 0, 1]
        );
        assert_eq!(
            leader(u32::MAX, u32::MAX),
            ((2 * u64::from(u32::MAX)) % 5) as u8
        );
    }

    #[test]
    fn rejects_federations_that_could_fork_or_be_ambiguous() {
        let keys = |n| (1..=n).map(key).collect::<Vec<_>>();
        let operators = |n| (1..=n).map(operator).collect::<Vec<_>>();
        assert_eq!(
            build(2, operators(4), keys(4)),
            Err(FederationError::NoMajority {
                threshold: 2,
                operators: 4
            })
        );
        assert_eq!(
            build(2, operators(2), keys(3)),
            Err(FederationError::Count {
                operators: 2,
                keys: 3
            })
        );
        let with = |change: fn(&mut Member)| {
            let mut operators = operators(3);
            change(&mut operators[2]);
            build(2, operators, keys(3))
        };
        assert_eq!(
            with(|o| o.name = "operator-1".to_owned()),
            Err(FederationError::DuplicateName("operator-1".to_owned()))
        );
        assert_eq!(
            with(|o| o.name = "a\nb".to_owned()),
            Err(FederationError::Name { index: 2 })
        );
        assert!(matches!(
            with(|o| o.identity = operator(1).identity),
            Err(FederationError::DuplicateIdentity { .. })
        ));
        assert!(matches!(
            with(|o| o.block_key = key(2)),
            Err(FederationError::DuplicateBlockKey { .. })
        ));
        assert!(matches!(
            with(|o| o.block_key = key(50)),
            Err(FederationError::KeyNotInScript { .. })
        ));
    }

    #[test]
    fn the_id_depends_on_everything_except_endpoints() {
        let base = three_of_five();
        let with = |change: fn(&mut Vec<Member>)| {
            let mut operators: Vec<_> = (1..=5).map(operator).collect();
            change(&mut operators);
            build(3, operators, (1..=5).map(key).collect())
                .expect("a federation")
                .id()
        };
        assert_eq!(with(|_| {}), base.id());
        assert_eq!(
            with(|o| o[0].endpoint = "elsewhere:1".to_owned()),
            base.id()
        );
        assert_ne!(with(|o| o.swap(0, 1)), base.id());
        assert_ne!(with(|o| o[0].name = "renamed".to_owned()), base.id());
        assert_ne!(
            with(|o| o[0].identity = key(77).x_only_public_key().0),
            base.id()
        );
    }
}
