//! No part that an operator is given, a key, a policy, its node, its messenger, stops more than that operator, and none
//! fails in silence.

mod fickle;
mod identity;
mod messenger;
mod node;
mod policy;
mod scene;
mod shares;
mod signer;
