//! Peers with access to the brokers who send what is not theirs, not new, not ours or too large.
