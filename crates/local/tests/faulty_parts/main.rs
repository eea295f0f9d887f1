//! No part that an operator is given, a key, a policy, its node, stops more than that operator, and none
//! fails in silence.

mod fickle;
mod identity;
mod policy;
mod scene;
mod shares;
mod signer;
