//! How long calls may take, as the settings of keys and node say.

use std::time::Duration;

use federation_signer::{KeySource, SecretSource};

use super::Config;
use crate::CallLimits;

/// So much longer than the limit that a key or client has of its own is waited for it: it is the one
/// that says what is wrong.
const LATER: Duration = Duration::from_secs(5);
/// The time-out of a hardware module if none is set.
const MODULE: Duration = Duration::from_secs(10);
/// The time-out of the node's client if none is set.
const NODE: Duration = Duration::from_secs(30);
/// So long a person may take at a PIN pad, which may be there where the PIN is asked for.
const PAD: Duration = Duration::from_secs(120);

impl Config {
    /// Limits above those which the keys and the node's client have of their own.
    #[must_use]
    pub fn call_limits(&self) -> CallLimits {
        let node = self.node.timeout.unwrap_or(NODE);
        let own = |source: &KeySource| match source {
            KeySource::Hsm(hsm) => {
                let timeout = hsm.timeout.unwrap_or(MODULE);
                if hsm.pin == SecretSource::Prompt {
                    timeout.max(PAD)
                } else {
                    timeout
                }
            }
            KeySource::Node { .. } => node,
            _ => Duration::ZERO,
        };
        let mut limits = CallLimits::default();
        let keys = &self.keys;
        let sources = [&keys.block, &keys.identity].into_iter();
        for source in sources.chain(&keys.reissuance) {
            limits.key = limits.key.max(own(source) + LATER);
        }
        limits.node = limits.node.max(node + LATER);
        limits
    }
}
