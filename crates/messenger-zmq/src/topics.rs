//! The topics that peers subscribe to: the federation's, and one that names the subscriber.

use bytes::Bytes;
use federation_roster::{FederationId, OperatorId};

/// The prefix of all topics of this version.
const VERSION: &str = "federation/1/";

/// The topics of one federation. None is a prefix of another, since a ZeroMQ subscription matches
/// every topic that begins with it.
#[derive(Debug, Clone)]
pub(crate) struct Topics {
    federation: FederationId,
    all: Bytes,
}

/// A change of a peer's subscriptions; `true` subscribes, `false` unsubscribes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    /// The federation's frames.
    Frames(bool),
    /// The peer identifies as this operator, and also receives frames for it alone.
    Name(OperatorId, bool),
}

impl Topics {
    pub(crate) fn new(federation: FederationId) -> Self {
        Self {
            federation,
            all: format!("{VERSION}{federation}").into(),
        }
    }

    /// Returns the topic of all frames.
    pub(crate) const fn all(&self) -> &Bytes {
        &self.all
    }

    /// Returns the topic an operator subscribes to in order to identify itself. No frame is sent
    /// under it. It cannot collide with a federation's topic, whose id is in hex.
    pub(crate) fn name(&self, operator: OperatorId) -> String {
        format!("{VERSION}operator-{operator}/{}", self.federation)
    }

    /// Returns the identity that a connecting publisher gives.
    pub(crate) fn identity(operator: OperatorId) -> String {
        format!("operator-{operator}")
    }

    /// Parses an [`identity`](Self::identity).
    pub(crate) fn read_identity(identity: &[u8]) -> Option<OperatorId> {
        let number = str::from_utf8(identity).ok()?.strip_prefix("operator-")?;
        let operator = OperatorId::new(number.parse().ok()?);
        (identity == Self::identity(operator).as_bytes()).then_some(operator)
    }

    /// Parses a subscriber's message; `None` if it concerns none of our topics.
    pub(crate) fn read(&self, message: &[u8]) -> Option<Request> {
        let (action, topic) = message.split_first()?;
        let subscribes = match action {
            0 => false,
            1 => true,
            _ => return None,
        };
        if self.all.starts_with(topic) {
            return Some(Request::Frames(subscribes));
        }
        let topic = str::from_utf8(topic).ok()?;
        let (operator, _) = topic
            .strip_prefix(VERSION)?
            .strip_prefix("operator-")?
            .split_once('/')?;
        let operator = OperatorId::new(operator.parse().ok()?);
        (topic == self.name(operator)).then_some(Request::Name(operator, subscribes))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn topics() -> Topics {
        Topics::new(FederationId::from_bytes([0xab; 32]))
    }

    fn all_text() -> String {
        String::from_utf8_lossy(topics().all()).into_owned()
    }

    fn read(action: u8, topic: &str) -> Option<Request> {
        topics().read(&[&[action], topic.as_bytes()].concat())
    }

    #[test]
    fn no_topic_is_a_prefix_of_another() {
        let mut all: Vec<_> = (0..=u8::MAX)
            .map(|id| topics().name(OperatorId::new(id)))
            .collect();
        all.push(all_text());
        for one in &all {
            let matching = all.iter().filter(|other| other.starts_with(one.as_str()));
            assert_eq!(matching.count(), 1, "{one}");
        }
    }

    #[test]
    fn subscriptions_to_our_topic_and_its_prefixes_count() {
        let all = all_text();
        assert_eq!(read(1, &all), Some(Request::Frames(true)));
        assert_eq!(read(1, "federation"), Some(Request::Frames(true)));
        assert_eq!(read(1, ""), Some(Request::Frames(true)));
        assert_eq!(read(0, &all), Some(Request::Frames(false)));
        assert_eq!(read(1, &format!("{all}c")), None);
        assert_eq!(read(1, "other"), None);
        assert_eq!(read(2, "federation"), None);
        assert_eq!(topics().read(b""), None);
    }

    #[test]
    fn a_name_must_be_exactly_that_of_an_operator_of_this_federation() {
        let operator = OperatorId::new(19);
        let name = topics().name(operator);
        assert_eq!(read(1, &name), Some(Request::Name(operator, true)));
        assert_eq!(read(0, &name), Some(Request::Name(operator, false)));
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
    fn identities_must_be_exactly_those_of_operators() {
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
        fn only_the_exact_bytes_are_read_as_a_name(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            if let Some(Request::Name(operator, _)) = topics().read(&bytes) {
                let name = topics().name(operator);
                prop_assert_eq!(&bytes[1..], name.as_bytes());
            }
        }
    }
}
