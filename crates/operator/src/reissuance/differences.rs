//! Which operators reissue otherwise than this one, and how.

use std::collections::BTreeMap;

use elements::AssetId;
use federation_roster::OperatorId;
use tokio::sync::watch;

/// What other operators said last of an asset that is not what this one would say, by who said it.
pub type ReissuanceDifferences = BTreeMap<(OperatorId, AssetId), String>;

/// Keeps it for whoever asks, until the operator says what this one says.
#[derive(Debug)]
pub(super) struct Differences(watch::Sender<ReissuanceDifferences>);

impl Differences {
    pub(super) const fn new(to: watch::Sender<ReissuanceDifferences>) -> Self {
        Self(to)
    }

    /// An operator says the same of an asset.
    pub(super) fn agrees(&self, who: OperatorId, asset: AssetId) {
        self.0
            .send_if_modified(|all| all.remove(&(who, asset)).is_some());
    }

    /// An operator says something else of an asset that is reissued here.
    pub(super) fn differs(&self, who: OperatorId, asset: AssetId, how: &str) {
        self.0.send_if_modified(|all| {
            let before = all.insert((who, asset), how.to_owned());
            before.as_deref() != Some(how)
        });
    }

    /// An operator reissues an asset that is not reissued here. Of each operator one is kept: it may
    /// speak of any number.
    pub(super) fn is_foreign(&self, who: OperatorId, asset: AssetId, ours: &[AssetId]) {
        self.0.send_if_modified(|all| {
            let known = all.contains_key(&(who, asset));
            all.retain(|(other, other_asset), _| *other != who || ours.contains(other_asset));
            all.insert(
                (who, asset),
                "it reissues this asset, which federation.toml does not have here".to_owned(),
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
    fn who_differs_is_known_until_it_agrees() {
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
    fn of_assets_that_are_not_ours_one_is_kept_for_each_operator() {
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
