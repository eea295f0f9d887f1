//! Public types keep the traits that users of the crate rely on.

use std::{
    error::Error,
    fmt::{Debug, Display},
    hash::Hash,
};

use federation_chain::{
    AssembleError, Block, BlockHash, BlockHeight, CheckError, CommitmentError, DecodeError,
    Dialect, Header, HeaderFields, ParseBlockHashError, Proof, RulesError, SignatureFormError,
    SigningRules, UnixTime, UnknownDialect,
};
use serde::{Serialize, de::DeserializeOwned};

const fn value<T: Copy + Ord + Hash + Debug + Display + Serialize + DeserializeOwned + Send>() {}
const fn shared<T: Clone + PartialEq + Eq + Debug + Send + Sync + 'static>() {}
const fn error<T: Error + Clone + PartialEq + Eq + Send + Sync + 'static>() {}

#[test]
fn public_types_keep_their_traits() {
    value::<BlockHash>();
    value::<BlockHeight>();
    value::<Dialect>();
    value::<UnixTime>();
    shared::<Block>();
    shared::<Header>();
    shared::<HeaderFields>();
    shared::<Proof>();
    shared::<SigningRules>();
    error::<AssembleError>();
    error::<CheckError>();
    error::<CommitmentError>();
    error::<DecodeError>();
    error::<ParseBlockHashError>();
    error::<RulesError>();
    error::<SignatureFormError>();
    error::<UnknownDialect>();
}
