//! The arguments of `multisig script`.

use clap::{Args, ValueEnum};
use federation_signer::KeyRole;

use super::NetworkArg;

/// Makes an M-of-N script of public keys, its addresses and the settings that it is for.
///
/// What a script is for follows from what its keys are for: those that sign blocks make
/// `signblockscript`, those of the peg `fedpegscript`, and those that reissue assets hold
/// reissuance tokens. Key files say so themselves; of public keys in hex `--role` says it.
#[derive(Debug, Args)]
pub(crate) struct ScriptArgs {
    /// How many signatures it asks for (M, more than half of the keys).
    #[arg(short = 'm', long)]
    pub(crate) threshold: u8,
    /// The public keys: compressed, in hex, or the files of `multisig key new`, which are not opened.
    #[arg(required = true, value_name = "KEY")]
    pub(crate) keys: Vec<String>,
    /// What the keys are for [default: what the key files say].
    #[arg(long, value_enum)]
    pub(crate) role: Option<ScriptRole>,
    /// Whose address prefixes and settings to use.
    #[arg(long, value_enum, default_value = "elements")]
    pub(crate) network: NetworkArg,
    /// Keep the keys in the order given, not that of BIP 67.
    #[arg(long)]
    pub(crate) unsorted: bool,
    /// Accept a threshold of half the keys or fewer, with which a chain can fork.
    #[arg(long)]
    pub(crate) insecure_minority: bool,
    /// The answer as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What the keys of a script are for.
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
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Block, Self::Peg, Self::Reissuance];

    /// The role of a key; none for an identity, which stands in no script.
    pub(crate) const fn of(role: KeyRole) -> Option<Self> {
        match role {
            KeyRole::Block => Some(Self::Block),
            KeyRole::Peg => Some(Self::Peg),
            KeyRole::Reissuance => Some(Self::Reissuance),
            _ => None,
        }
    }

    /// Its word on the command line.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Peg => "peg",
            Self::Reissuance => "reissuance",
        }
    }
}
