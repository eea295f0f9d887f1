//! The time limits of calls, derived from the settings of the keys and the node.

use std::time::Duration;

use federation_signer::{KeySource, SecretSource};

use super::Config;
use crate::CallLimits;

/// Added to the timeout of a key or client, so that its own error, which names the cause, comes first.
const MARGIN: Duration = Duration::from_secs(5);
/// The default timeout of a hardware module.
const MODULE_TIMEOUT: Duration = Duration::from_secs(10);
/// The default timeout of the node's client.
const NODE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a person may take at a PIN pad, which a token may have if its PIN is prompted for.
const PIN_PAD_TIMEOUT: Duration = Duration::from_secs(120);

impl Config {
    /// Returns limits above the timeouts of the keys and of the node's client.
    #[must_use]
    pub fn call_limits(&self) -> CallLimits {
        let node = self.node.timeout.unwrap_or(NODE_TIMEOUT);
        let own = |source: &KeySource| match source {
            KeySource::Hsm(hsm) => {
                let timeout = hsm.timeout.unwrap_or(MODULE_TIMEOUT);
                if hsm.pin == SecretSource::Prompt {
                    timeout.max(PIN_PAD_TIMEOUT)
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
            limits.key = limits.key.max(own(source) + MARGIN);
        }
        limits.node = limits.node.max(node + MARGIN);
        limits
    }
}
