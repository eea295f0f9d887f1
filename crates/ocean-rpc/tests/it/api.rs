//! Public types keep the traits that users of the crate rely on.

use std::{
    error::Error,
    fmt::{Debug, Display},
    hash::Hash,
    str::FromStr,
};

use federation_ocean_rpc::{
    Allowed, Amount, Auth, BlockchainInfo, HeaderInfo, Issuance, MempoolInfo, Method, Need,
    NetworkInfo, Node, NodeClient, NodeConfig, ParseAmountError, Reissuance, Repeat, RpcError,
    SidechainInfo, SubmitOutcome, TransactionInfo,
    process::{LaunchError, NodeLaunch, NodeProcess},
};
use serde::{Serialize, de::DeserializeOwned};

const fn value<T: Copy + Ord + Hash + Default + Debug + Display + FromStr + Send>() {}
const fn json<T: Serialize + DeserializeOwned>() {}
const fn answer<T: Clone + PartialEq + Eq + Debug + Send + Sync + 'static>() {}
const fn part<T: Clone + Debug + Send + Sync + 'static>() {}
const fn error<T: Error + Send + Sync + 'static>() {}

#[test]
fn public_types_keep_their_traits() {
    value::<Amount>();
    json::<Amount>();
    answer::<Allowed>();
    answer::<Method>();
    answer::<Need>();
    answer::<BlockchainInfo>();
    answer::<HeaderInfo>();
    answer::<Issuance>();
    answer::<MempoolInfo>();
    answer::<NetworkInfo>();
    answer::<Reissuance>();
    answer::<Repeat>();
    answer::<SidechainInfo>();
    answer::<SubmitOutcome>();
    answer::<TransactionInfo>();
    part::<Auth>();
    part::<NodeClient>();
    part::<NodeConfig>();
    part::<NodeLaunch>();
    answer::<RpcError>();
    answer::<ParseAmountError>();
    error::<RpcError>();
    error::<ParseAmountError>();
    error::<LaunchError>();
}

#[test]
fn a_node_can_be_shared_as_a_trait_object() {
    fn node<T: Node>() {}
    fn sent<T: Send + Sync>() {}
    node::<NodeClient>();
    sent::<std::sync::Arc<dyn Node>>();
    sent::<NodeProcess>();
}
