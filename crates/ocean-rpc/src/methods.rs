//! The methods that an operator calls: the one list of them, for a node's `rpcwhitelist`.

use core::fmt;

use crate::{NodeClient, Repeat, RpcError, params};

/// Who calls a method, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Need {
    /// Every daemon calls it.
    Run,
    /// A daemon that passes transactions to its node calls it: one with a sweep or a reissuance.
    Transactions,
    /// A daemon whose block key is in the node's wallet calls it.
    Wallet,
    /// The check of a block key in the node's wallet calls it, before the daemon runs.
    WalletCheck,
    /// Checks of the node before the daemon runs, and repairs, call it.
    Check,
}

/// Generates [`Method`] from rows of variant, name and need, so that no method is left out
/// anywhere.
macro_rules! methods {
    ($($variant:ident $name:literal $need:ident,)*) => {
        /// A node method that an operator, or a check of an operator, calls.
        ///
        /// A node may restrict a user to the methods in that user's `rpcwhitelist`, and answers any
        /// other with [`RpcError::Forbidden`]. A new method called on an operator's behalf must be
        /// added here.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Method {
            $(
                #[doc = concat!("`", $name, "`.")]
                $variant,
            )*
        }

        impl Method {
            /// All methods.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Returns its name at the node.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// Who calls it, and when.
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
    /// Returns the methods with one of these needs.
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

/// The result of trying a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Allowed {
    /// This user may call it.
    Yes,
    /// The node does not allow it to this user, or allows nothing to this machine.
    No,
    /// The node does not have the method: it is of another family or version, or runs without a
    /// wallet.
    Unknown,
}

impl NodeClient {
    /// Tries whether a method may be called, without side effects: it is called without parameters,
    /// which a method that changes anything answers with its usage.
    ///
    /// # Errors
    /// If the node does not answer.
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
