//! Alarms in words, and their stable codes.
//!
//! A code is `F`, a letter for the area and three digits. The letters are A for the agreement, D for
//! this operator's duties, K for its keys, N for its node, P for its parts in general, and S for its
//! store. A code keeps its meaning for ever: the code of an alarm that is removed is not used again.

use core::fmt;

use serde::{Serialize, Serializer};

use crate::{Alarm, Duty, Refusal};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $meaning:literal, $help:literal;)*) => {
        /// The stable code of an alarm, for monitoring and documents.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum AlarmCode {
            $(#[doc = concat!("`", $code, "`: ", $meaning, ".")] $name,)*
        }

        impl AlarmCode {
            /// Every code, in the order of the codes.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Returns the code as text, such as `FN001`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)*
                }
            }

            /// Returns what the alarm means, in general.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$name => $meaning,)*
                }
            }

            /// Returns what to do about the alarm.
            #[must_use]
            pub const fn help(self) -> &'static str {
                match self {
                    $(Self::$name => $help,)*
                }
            }
        }
    };
}

codes! {
    OwnMessageFromElsewhere = "FA001",
        "another daemon runs with this operator's identity key, or the store was restored from a backup",
        "stop both daemons, and start only the one with the newer store";
    TwoDecisions = "FA002",
        "two blocks were decided at one height: more operators are faulty than the threshold tolerates",
        "keep all stores and logs, and find the faulty operators with `federation status --evidence`";
    DecidedAgainstVerdict = "FA003",
        "a block was decided that this operator's node or policy had refused",
        "compare node versions and settings with the other operators";
    ParametersProposed = "FA004",
        "an operator sent a block that proposes other parameters of the chain",
        "inform its administrators: somebody has tampered with its node or with its connection to that node";
    ProposesNothing = "FD001",
        "this operator leads rounds without proposing a block",
        "see the reason in the alarm, and check the node's `getnewblockhex`";
    TestsNothing = "FD002",
        "this operator does not test the blocks of others",
        "see the reason in the alarm, and check the node's `testproposedblock` and the policy";
    SendsNoVote = "FD003",
        "this operator's votes are not sent",
        "see the reason in the alarm, and check the identity key and the messenger";
    SignsNothing = "FD004",
        "this operator does not sign decided blocks",
        "see the reason in the alarm, and check the block key and the guard";
    SubmitsNothing = "FD005",
        "this operator does not hand signed blocks to its node",
        "see the reason in the alarm, and check the node's `submitblock`";
    SignRefused = "FK001",
        "the guard or the block key refused to sign a decided block",
        "see the reason in the alarm";
    NodeBehind = "FN001",
        "the node is below a height that is known to be final",
        "let the node catch up; if it does not, check its peers";
    TipReplaced = "FN002",
        "the node replaced its best block by another one of the same height",
        "compare the block with those of the other operators' nodes";
    OtherThanDecided = "FN003",
        "the node has another block than the one that was decided",
        "compare the block with those of the other operators' nodes";
    SubmitRejected = "FN004",
        "the node refused a block that the federation decided and signed",
        "compare node versions and settings with the other operators at once";
    UnfitTemplate = "FN005",
        "the node's template has the wrong height, previous block or time",
        "check the node's clock and whether it has caught up";
    ForeignTemplate = "FN006",
        "the node's template does not belong to this chain, or proposes other parameters",
        "compare the node's chain, signblockscript and evbparams with the other nodes'; if it proposes parameters, somebody has tampered with the node or with its connection to this operator";
    PartSlow = "FP001",
        "a key, the policy, the node or the messenger takes long to answer",
        "check the part that the alarm names, and the connection to it";
    PartGivenUp = "FP002",
        "a call of a key, the policy, the node or the messenger was given up",
        "check the part that the alarm names, and the connection to it";
    StoreFailed = "FS001",
        "the store failed, and the operator has stopped",
        "repair the disk or make room, and start the operator again";
    EvidenceNotKept = "FS002",
        "evidence against an operator could not be stored",
        "keep the log, which contains the evidence, and check the disk";
}

impl fmt::Display for AlarmCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for AlarmCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl Alarm {
    /// Returns the alarm's stable code.
    #[must_use]
    pub const fn code(&self) -> AlarmCode {
        match self {
            Self::OwnMessageFromElsewhere { .. } => AlarmCode::OwnMessageFromElsewhere,
            Self::NodeBehind { .. } => AlarmCode::NodeBehind,
            Self::TipReplaced { .. } => AlarmCode::TipReplaced,
            Self::OtherThanDecided { .. } => AlarmCode::OtherThanDecided,
            Self::DecidedAgainstVerdict { .. } => AlarmCode::DecidedAgainstVerdict,
            Self::TwoDecisions { .. } => AlarmCode::TwoDecisions,
            Self::SignRefused { .. } => AlarmCode::SignRefused,
            Self::SubmitRejected { .. } => AlarmCode::SubmitRejected,
            Self::UnfitTemplate { .. } => AlarmCode::UnfitTemplate,
            Self::ForeignTemplate { .. } => AlarmCode::ForeignTemplate,
            Self::ParametersProposed { .. } => AlarmCode::ParametersProposed,
            Self::NoAnswer {
                given_up: false, ..
            } => AlarmCode::PartSlow,
            Self::NoAnswer { .. } => AlarmCode::PartGivenUp,
            Self::Missed { duty, .. } => match duty {
                Duty::Propose => AlarmCode::ProposesNothing,
                Duty::Test => AlarmCode::TestsNothing,
                Duty::Vote => AlarmCode::SendsNoVote,
                Duty::Sign => AlarmCode::SignsNothing,
                Duty::Submit => AlarmCode::SubmitsNothing,
            },
            Self::EvidenceNotKept { .. } => AlarmCode::EvidenceNotKept,
            Self::Halted => AlarmCode::StoreFailed,
        }
    }
}

/// Displays what happened and what to do about it.
impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OwnMessageFromElsewhere { height, round } => write!(
                f,
                "another daemon spoke for this operator at height {height}, round {round}: stop both, and start only the one with the newer store"
            ),
            Self::NodeBehind { tip, last_final } => write!(
                f,
                "the node is at height {tip}, below height {last_final}, which is final or was set by `guard repair`: this operator does not vote or sign until its node has caught up"
            ),
            Self::TipReplaced { height, old, new } => write!(
                f,
                "the node replaced block {old} by {new} at height {height}: compare it with the other operators' nodes"
            ),
            Self::OtherThanDecided {
                height,
                decided,
                tip,
            } => write!(
                f,
                "the node has block {tip} at height {height}, but {decided} was decided: compare it with the other operators' nodes"
            ),
            Self::DecidedAgainstVerdict { height, hash } => write!(
                f,
                "block {hash} was decided at height {height}, but this operator's node or policy had refused it: compare versions and settings"
            ),
            Self::TwoDecisions {
                height,
                first,
                second,
            } => write!(
                f,
                "blocks {first} and {second} were both decided at height {height}: more operators are faulty than the threshold tolerates"
            ),
            Self::SignRefused {
                height,
                hash,
                reason,
            } => write!(f, "block {hash} at height {height} is not signed: {reason}"),
            Self::SubmitRejected {
                height,
                hash,
                reason,
            } => write!(
                f,
                "the node refused the decided block {hash} at height {height}: {reason}; compare versions and settings"
            ),
            Self::UnfitTemplate { height, reason } => {
                write!(
                    f,
                    "the node's template for height {height} does not fit: {reason}"
                )
            }
            Self::ForeignTemplate { height, reason } => write!(
                f,
                "the template of this operator's node for height {height} is not used: {reason}. If it has another format or other signers, stop the node, set chain, signblockscript and evbparams as on all other nodes (evbparams=dynafed:-1::: with dynafed from block 1, dynafed:-2::: without), and start it again; if it proposes parameters, somebody has tampered with this node or with its connection to this operator"
            ),
            Self::ParametersProposed {
                height,
                sender,
                reason,
            } => write!(
                f,
                "operator {sender} sent a block for height {height} that is refused: {reason}. Inform its administrators: somebody has tampered with its node or with its connection to that node"
            ),
            Self::NoAnswer {
                part,
                waited,
                given_up: false,
            } => write!(
                f,
                "the {part} has not answered for {} s: it hangs or is too slow",
                waited.as_secs_f64()
            ),
            Self::NoAnswer { part, waited, .. } => write!(
                f,
                "the {part} did not answer within {} s and is asked again: check it and the connection to it",
                waited.as_secs_f64()
            ),
            Self::Missed {
                duty,
                blocks,
                reason,
                refused,
            } => {
                write!(f, "this operator {}: ", duty.not_done())?;
                match blocks {
                    0 => f.write_str("the current height waits for it: ")?,
                    1 => f.write_str("1 block came without it: ")?,
                    _ => write!(f, "{blocks} blocks came without it: ")?,
                }
                let outlook = if *refused {
                    "this will not pass by itself"
                } else {
                    "it is tried again and may succeed"
                };
                write!(f, "{reason}; {outlook}")
            }
            Self::EvidenceNotKept {
                culprit,
                height,
                reason,
            } => write!(
                f,
                "evidence against operator {culprit} at height {height} could not be stored, so keep this log: {reason}"
            ),
            Self::Halted => f.write_str("the store failed: nothing is sent or signed any more"),
        }
    }
}

/// Displays the reason, such as `its time is before the schedule`.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WrongPrevious => "it does not build on the current tip",
            Self::WrongHeight => "its height differs from its proposal's",
            Self::TooEarly => "its time is before the schedule",
            Self::TooLate => "its time is too far ahead of the clock",
            Self::Locked => "this operator is locked on another block",
            Self::Invalid(reason) => reason,
        })
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;
    use std::collections::BTreeSet;

    use super::*;
    use crate::Part;

    #[test]
    fn each_code_is_an_f_a_letter_and_three_digits_in_order_and_once() {
        let codes: Vec<_> = AlarmCode::ALL.iter().map(|code| code.as_str()).collect();
        for code in &codes {
            let bytes = code.as_bytes();
            assert_eq!(bytes.len(), 5, "{code}");
            assert_eq!(bytes[0], b'F', "{code}");
            assert!(bytes[1].is_ascii_uppercase(), "{code}");
            assert!(bytes[2..].iter().all(u8::is_ascii_digit), "{code}");
        }
        let sorted: BTreeSet<_> = codes.iter().copied().collect();
        assert!(codes.iter().copied().eq(sorted), "{codes:?}");
    }

    #[test]
    fn a_slow_part_a_dead_part_and_each_duty_have_codes_of_their_own() {
        let no_answer = |given_up| Alarm::NoAnswer {
            part: Part::BlockKey,
            waited: Duration::from_millis(2500),
            given_up,
        };
        assert_eq!(no_answer(false).code(), AlarmCode::PartSlow);
        assert_eq!(no_answer(true).code(), AlarmCode::PartGivenUp);
        let codes: BTreeSet<_> = Duty::ALL
            .iter()
            .map(|duty| Alarm::Missed {
                duty: *duty,
                blocks: 3,
                reason: String::new(),
                refused: false,
            })
            .map(|alarm| alarm.code().as_str())
            .collect();
        assert_eq!(
            codes,
            BTreeSet::from(["FD001", "FD002", "FD003", "FD004", "FD005"])
        );
    }

    #[test]
    fn an_alarm_is_displayed_in_words_with_times_in_seconds() {
        let alarm = Alarm::NoAnswer {
            part: Part::BlockKey,
            waited: Duration::from_millis(2500),
            given_up: false,
        };
        assert_eq!(
            alarm.to_string(),
            "the block key has not answered for 2.5 s: it hangs or is too slow"
        );
    }
}
