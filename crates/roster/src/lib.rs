//! Who the federation is: its operators, their keys, its threshold, its identity; and the signed
//! envelope in which its operators speak.

mod id;

pub use id::{FederationId, OperatorId, Round};
