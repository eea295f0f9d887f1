//! Public types keep the traits that users of the crate rely on.

use std::{
    error::Error,
    fmt::{Debug, Display},
    hash::Hash,
    str::FromStr,
};

use federation_chain::{BlockHash, BlockHeight};
use federation_ocean_rpc::{
    Allowed, Amount, Auth, BlockchainInfo, HeaderInfo, Issuance, MempoolInfo, Method, Need,
    NetworkInfo, Node, NodeClient, NodeConfig, ParseAmountError, Reissuance, Repeat, RpcError,
    SidechainInfo, SubmitOutcome, TransactionInfo,
    process::{LaunchError, NodeLaunch, NodeProcess},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{from_value, json};

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

/// The constructors for other implementations of `Node` give what is read from a node's JSON.
#[test]
fn reports_can_be_made_without_a_node() {
    let hash = BlockHash::from_bytes([7; 32]);
    let height = BlockHeight::new(3);
    let displayed = hash.to_string();
    let state = json!({
        "chain": "main", "blocks": 3, "headers": 3, "bestblockhash": displayed, "mediantime": 50,
    });
    assert_eq!(
        from_value::<BlockchainInfo>(state).ok(),
        Some(BlockchainInfo::new("main", height, hash, 50))
    );
    let network = json!({ "version": 5, "subversion": "/a/", "timeoffset": 0, "connections": 0 });
    assert_eq!(
        from_value::<NetworkInfo>(network).ok(),
        Some(NetworkInfo::new(5, "/a/"))
    );
    let header = json!({
        "hash": displayed, "height": 3, "confirmations": 1, "time": 60, "mediantime": 60,
        "previousblockhash": displayed,
    });
    assert_eq!(
        from_value::<HeaderInfo>(header).ok(),
        Some(HeaderInfo::new(hash, height, Some(hash), 60))
    );
}

#[test]
fn a_node_can_be_shared_as_a_trait_object() {
    fn node<T: Node>() {}
    fn sent<T: Send + Sync>() {}
    node::<NodeClient>();
    sent::<std::sync::Arc<dyn Node>>();
    sent::<NodeProcess>();
}
