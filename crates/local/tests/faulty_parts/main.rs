//! A faulty part of an operator (a key, a policy, its node, its messenger) stops at most that operator, and
//! never fails silently.

mod fickle;
mod identity;
mod messenger;
mod node;
mod policy;
mod scene;
mod shares;
mod signer;
