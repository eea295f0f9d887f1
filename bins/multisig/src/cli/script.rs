//! The arguments of `multisig script`.

use clap::{Args, ValueEnum};
use federation_signer::KeyRole;

use super::NetworkArg;

/// Makes an M-of-N script of public keys, with its addresses and the settings that it is for.
///
/// The purpose of a script depends on the role of its keys: a script of block keys is
/// `signblockscript`, one of peg keys `fedpegscript`, and one of reissuance keys holds reissuance
/// tokens. Key files state their role; for public keys in hex, give it with `--role`.
#[derive(Debug, Args)]
pub(crate) struct ScriptArgs {
    /// The number of signatures that it requires (M, more than half of the keys).
    #[arg(short = 'm', long)]
    pub(crate) threshold: u8,
    /// The public keys: compressed, in hex, or files by `multisig key new`, which are not decrypted.
    #[arg(required = true, value_name = "KEY")]
    pub(crate) keys: Vec<String>,
    /// The role of the keys [default: the role in the key files].
    #[arg(long, value_enum)]
    pub(crate) role: Option<ScriptRole>,
    /// The network whose address prefixes and settings to use.
    #[arg(long, value_enum, default_value = "elements")]
    pub(crate) network: NetworkArg,
    /// Keep the keys in the order given, instead of that of BIP 67.
    #[arg(long)]
    pub(crate) unsorted: bool,
    /// Accept a threshold of half the keys or fewer, with which a chain can fork.
    #[arg(long)]
    pub(crate) insecure_minority: bool,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// The role of the keys in a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ScriptRole {
    /// They sign blocks.
    Block,
    /// They pay out to the parent chain.
    Peg,
    /// They reissue assets.
    Reissuance,
}

impl ScriptRole {
    /// All roles.
    pub(crate) const ALL: [Self; 3] = [Self::Block, Self::Peg, Self::Reissuance];

    /// Converts the role of a key; none for an identity, which is never part of a script.
    pub(crate) const fn of(role: KeyRole) -> Option<Self> {
        match role {
            KeyRole::Block => Some(Self::Block),
            KeyRole::Peg => Some(Self::Peg),
            KeyRole::Reissuance => Some(Self::Reissuance),
            _ => None,
        }
    }

    /// Returns its name on the command line.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Peg => "peg",
            Self::Reissuance => "reissuance",
        }
    }
}
