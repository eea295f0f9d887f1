//! What peers subscribe to: the federation's topic, and the name of the operator that subscribes.

use bytes::Bytes;
use federation_roster::{FederationId, OperatorId};

/// What all topics of this version begin with.
const VERSION: &str = "federation/1/";

/// The topics of one federation. None is a prefix of another, since a subscription in ZeroMQ asks
/// for all topics that it is a prefix of.
#[derive(Debug, Clone)]
pub(crate) struct Topics {
    federation: FederationId,
    all: Bytes,
}

/// What a peer asks for, or no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// The federation's frames.
    Frames(bool),
    /// Those for one operator too: the peer says who it is.
    Name(OperatorId, bool),
}

impl Topics {
    pub(crate) fn new(federation: FederationId) -> Self {
        Self {
            federation,
            all: format!("{VERSION}{federation}").into(),
        }
    }

    /// Under which all frames travel.
    pub(crate) const fn all(&self) -> &Bytes {
        &self.all
    }

    /// The same, as text.
    pub(crate) fn all_text(&self) -> String {
        format!("{VERSION}{}", self.federation)
    }

    /// What an operator subscribes to in order to say who it is. No frame travels under it. An id is
    /// in hex, so it has no name's beginning.
    pub(crate) fn name(&self, operator: OperatorId) -> String {
        format!("{VERSION}operator-{operator}/{}", self.federation)
    }

    /// Who a publisher that calls is, by the identity that it gives.
    pub(crate) fn identity(operator: OperatorId) -> String {
        format!("operator-{operator}")
    }

    /// Reads what [`identity`](Self::identity) gives.
    pub(crate) fn read_identity(identity: &[u8]) -> Option<OperatorId> {
        let number = str::from_utf8(identity).ok()?.strip_prefix("operator-")?;
        let operator = OperatorId::new(number.parse().ok()?);
        (identity == Self::identity(operator).as_bytes()).then_some(operator)
    }

    /// What a message of a subscriber asks for, if it is any of our business.
    pub(crate) fn read(&self, message: &[u8]) -> Option<Asked> {
        let (what, topic) = message.split_first()?;
        let subscribes = match what {
            0 => false,
            1 => true,
            _ => return None,
        };
        if self.all.starts_with(topic) {
            return Some(Asked::Frames(subscribes));
        }
        let topic = str::from_utf8(topic).ok()?;
        let (operator, _) = topic
            .strip_prefix(VERSION)?
            .strip_prefix("operator-")?
            .split_once('/')?;
        let operator = OperatorId::new(operator.parse().ok()?);
        (topic == self.name(operator)).then_some(Asked::Name(operator, subscribes))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn topics() -> Topics {
        Topics::new(FederationId::from_bytes([0xab; 32]))
    }

    fn read(what: u8, topic: &str) -> Option<Asked> {
        topics().read(&[&[what], topic.as_bytes()].concat())
    }

    #[test]
    fn no_topic_is_a_prefix_of_another() {
        let mut all: Vec<_> = (0..=u8::MAX)
            .map(|id| topics().name(OperatorId::new(id)))
            .collect();
        all.push(topics().all_text());
        for one in &all {
            let begins = all.iter().filter(|other| other.starts_with(one.as_str()));
            assert_eq!(begins.count(), 1, "{one}");
        }
    }

    #[test]
    fn subscriptions_count_if_they_are_to_our_topic() {
        let all = topics().all_text();
        assert_eq!(read(1, &all), Some(Asked::Frames(true)));
        assert_eq!(read(1, "federation"), Some(Asked::Frames(true)));
        assert_eq!(read(1, ""), Some(Asked::Frames(true)));
        assert_eq!(read(0, &all), Some(Asked::Frames(false)));
        assert_eq!(read(1, &format!("{all}c")), None);
        assert_eq!(read(1, "other"), None);
        assert_eq!(read(2, "federation"), None);
        assert_eq!(topics().read(b""), None);
    }

    #[test]
    fn a_name_counts_if_it_is_exactly_that_of_an_operator_of_this_federation() {
        let operator = OperatorId::new(19);
        let name = topics().name(operator);
        assert_eq!(read(1, &name), Some(Asked::Name(operator, true)));
        assert_eq!(read(0, &name), Some(Asked::Name(operator, false)));
        let id = "ab".repeat(32);
        for wrong in [
            name.replace("ab", "cd"),
            name.replace("19", "019"),
            name.replace("19", "+19"),
            name.replace("19", "256"),
            format!("federation/1/operator-/{id}"),
            "federation/1/operator-1".to_owned(),
            format!("{name}/"),
        ] {
            assert_eq!(read(1, &wrong), None, "{wrong}");
        }
    }

    #[test]
    fn identities_are_exactly_those_of_operators() {
        for id in [0, 7, 255] {
            let identity = Topics::identity(OperatorId::new(id));
            let read = Topics::read_identity(identity.as_bytes());
            assert_eq!(read, Some(OperatorId::new(id)));
        }
        for wrong in [
            "",
            "operator-",
            "operator-256",
            "operator-01",
            "operator-1 ",
            "x",
        ] {
            assert_eq!(Topics::read_identity(wrong.as_bytes()), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_are_read_as_a_name_that_they_are_not(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            if let Some(Asked::Name(operator, _)) = topics().read(&bytes) {
                let name = topics().name(operator);
                prop_assert_eq!(&bytes[1..], name.as_bytes());
            }
        }
    }
}
