//! The methods that an operator calls: the one place that knows them all, for a node's
//! `rpcwhitelist`.

use core::fmt;

use crate::{NodeClient, Repeat, RpcError, params};

/// When a method is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Need {
    /// By every daemon.
    Run,
    /// By a daemon that hands transactions to its node: where there is a sweep, or a reissuance.
    Transactions,
    /// By a daemon whose block key is in the node's wallet.
    Wallet,
    /// By a check of a block key in the node's wallet, before the daemon runs.
    WalletCheck,
    /// By checks of the node before the daemon runs, and by repairs.
    Check,
}

/// Makes [`Method`] of rows of its variants, names and needs, so that none is left out anywhere.
macro_rules! methods {
    ($($variant:ident $name:literal $need:ident,)*) => {
        /// A method of the node that an operator, or what checks one, calls.
        ///
        /// A node lets a user call the methods of that user's `rpcwhitelist` only, if it has one, and
        /// answers all others with [`RpcError::Forbidden`]. Whoever calls another method on an
        /// operator's behalf adds it here.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Method {
            $(
                #[doc = concat!("`", $name, "`.")]
                $variant,
            )*
        }

        impl Method {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Its name at the node.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// When it is called.
            #[must_use]
            pub const fn need(self) -> Need {
                match self {
                    $(Self::$variant => Need::$need,)*
                }
            }
        }
    };
}

methods! {
    GetBestBlockHash "getbestblockhash" Run,
    GetBlock "getblock" Run,
    GetBlockchainInfo "getblockchaininfo" Run,
    GetBlockCount "getblockcount" Run,
    GetBlockHash "getblockhash" Run,
    GetBlockHeader "getblockheader" Run,
    GetDeploymentInfo "getdeploymentinfo" Run,
    GetNewBlockHex "getnewblockhex" Run,
    GetSidechainInfo "getsidechaininfo" Run,
    SubmitBlock "submitblock" Run,
    TestProposedBlock "testproposedblock" Run,
    PrioritiseTransaction "prioritisetransaction" Transactions,
    SendRawTransaction "sendrawtransaction" Transactions,
    SignBlock "signblock" Wallet,
    DecodeScript "decodescript" WalletCheck,
    GetAddressInfo "getaddressinfo" WalletCheck,
    GetNetworkInfo "getnetworkinfo" Check,
    GetWalletInfo "getwalletinfo" WalletCheck,
    ValidateAddress "validateaddress" WalletCheck,
}

impl Method {
    /// Those that are called for one of these needs.
    pub fn needed_for(needs: &[Need]) -> impl Iterator<Item = Self> {
        let all = Self::ALL.iter().copied();
        all.filter(move |method| needs.contains(&method.need()))
    }
}

impl AsRef<str> for Method {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What came of trying a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Allowed {
    /// This user may call it.
    Yes,
    /// The node forbids it to this user, or everything to this machine.
    No,
    /// The node has no such method: it is of another family or version, or runs without a wallet.
    Unknown,
}

impl NodeClient {
    /// Tries whether a method may be called, without any effect: it is called without parameters, which
    /// a method that changes anything answers with how it is used.
    ///
    /// # Errors
    /// If the node gives no answer.
    pub async fn may_call(&self, method: Method) -> Result<Allowed, RpcError> {
        let tried = self
            .request_raw(method.as_str(), params::NONE, Repeat::Safe)
            .await;
        match tried {
            Err(RpcError::Forbidden { .. }) => Ok(Allowed::No),
            Err(error) if error.code() == Some(RpcError::METHOD_NOT_FOUND) => Ok(Allowed::Unknown),
            Ok(_) | Err(RpcError::Node { .. }) => Ok(Allowed::Yes),
            Err(error) => Err(error),
        }
    }
}
