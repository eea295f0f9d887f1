//! Which operators' reissuances differ from this operator's, and how.

use std::collections::BTreeMap;

use elements::AssetId;
use federation_roster::OperatorId;
use tokio::sync::watch;

/// By operator and asset, how another operator's latest statement about the asset differs from this
/// operator's.
pub type ReissuanceDifferences = BTreeMap<(OperatorId, AssetId), String>;

/// Keeps differences until the other operator agrees with this one.
#[derive(Debug)]
pub(super) struct Differences(watch::Sender<ReissuanceDifferences>);

impl Differences {
    pub(super) const fn new(to: watch::Sender<ReissuanceDifferences>) -> Self {
        Self(to)
    }

    /// Records that an operator agrees about an asset.
    pub(super) fn agrees(&self, who: OperatorId, asset: AssetId) {
        self.0
            .send_if_modified(|all| all.remove(&(who, asset)).is_some());
    }

    /// Records that an operator differs about an asset that is reissued here.
    pub(super) fn differs(&self, who: OperatorId, asset: AssetId, how: &str) {
        self.0.send_if_modified(|all| {
            let before = all.insert((who, asset), how.to_owned());
            before.as_deref() != Some(how)
        });
    }

    /// Records that an operator reissues an asset that is not reissued here. One such asset is kept
    /// for each operator, because a faulty one may name any number of them.
    pub(super) fn is_foreign(&self, who: OperatorId, asset: AssetId, ours: &[AssetId]) {
        self.0.send_if_modified(|all| {
            let known = all.contains_key(&(who, asset));
            all.retain(|(other, other_asset), _| *other != who || ours.contains(other_asset));
            all.insert(
                (who, asset),
                "it reissues this asset, which is not in this operator's federation.toml"
                    .to_owned(),
            );
            !known
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asset(byte: u8) -> AssetId {
        AssetId::from_byte_array([byte; 32])
    }

    #[test]
    fn a_difference_is_kept_until_the_operator_agrees() {
        let (to, all) = watch::channel(BTreeMap::new());
        let differences = Differences::new(to);
        let (who, other) = (OperatorId::new(1), OperatorId::new(2));
        differences.differs(who, asset(1), "amount: 5, not 6");
        differences.differs(other, asset(1), "amount: 7, not 6");
        differences.agrees(who, asset(1));
        let left: Vec<_> = all.borrow().keys().copied().collect();
        assert_eq!(left, [(other, asset(1))]);
    }

    #[test]
    fn one_foreign_asset_is_kept_for_each_operator() {
        let (to, all) = watch::channel(BTreeMap::new());
        let differences = Differences::new(to);
        let who = OperatorId::new(1);
        differences.differs(who, asset(1), "amount: 5, not 6");
        for byte in 2..100 {
            differences.is_foreign(who, asset(byte), &[asset(1)]);
        }
        let left: Vec<_> = all.borrow().keys().copied().collect();
        assert_eq!(left, [(who, asset(1)), (who, asset(99))]);
    }
}
