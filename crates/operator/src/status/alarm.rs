//! Alarms in words, with what to do about them.

use federation_block_signing::Alarm;

/// Describes an alarm and what to do about it.
pub(crate) fn text(alarm: &Alarm) -> String {
    match alarm {
        Alarm::OwnMessageFromElsewhere { height, round } => format!(
            "another daemon spoke for this operator at height {height}, round {round}: stop both, and start only the one with the newer store"
        ),
        Alarm::NodeBehind { tip, last_final } => format!(
            "the node is at height {tip}, below height {last_final}, which is final or was set by `guard repair`: this operator does not vote or sign until its node has caught up"
        ),
        Alarm::TipReplaced { height, old, new } => format!(
            "the node replaced block {old} by {new} at height {height}: compare it with the other operators' nodes"
        ),
        Alarm::OtherThanDecided {
            height,
            decided,
            tip,
        } => format!(
            "the node has block {tip} at height {height}, but {decided} was decided: compare it with the other operators' nodes"
        ),
        Alarm::DecidedAgainstVerdict { height, hash } => format!(
            "block {hash} was decided at height {height}, but this operator's node or policy had refused it: compare versions and settings"
        ),
        Alarm::TwoDecisions {
            height,
            first,
            second,
        } => format!(
            "blocks {first} and {second} were both decided at height {height}: more operators are faulty than the threshold tolerates"
        ),
        Alarm::SignRefused {
            height,
            hash,
            reason,
        } => format!("block {hash} at height {height} is not signed: {reason}"),
        Alarm::SubmitRejected {
            height,
            hash,
            reason,
        } => format!(
            "the node refused the decided block {hash} at height {height}: {reason}; compare versions and settings"
        ),
        Alarm::UnfitTemplate { height, reason } => {
            format!("the node's template for height {height} does not fit: {reason:?}")
        }
        Alarm::ForeignTemplate { height, reason } => format!(
            "the template of this operator's node for height {height} is not used: {reason}. If it has another format or other signers, stop the node, set chain, signblockscript and evbparams as on all other nodes (evbparams=dynafed:-1::: with dynafed from block 1, dynafed:-2::: without), and start it again; if it proposes parameters, somebody has tampered with this node or with its connection to this operator"
        ),
        Alarm::ParametersProposed {
            height,
            sender,
            reason,
        } => format!(
            "operator {sender} sent a block for height {height} that is refused: {reason}. Inform its administrators: somebody has tampered with its node or with its connection to that node"
        ),
        Alarm::NoAnswer {
            part,
            waited,
            given_up: false,
        } => format!("the {part} has not answered for {waited:?}: it hangs or is too slow"),
        Alarm::NoAnswer { part, waited, .. } => format!(
            "the {part} did not answer within {waited:?} and is asked again: check it and the connection to it"
        ),
        Alarm::Missed {
            duty,
            blocks,
            reason,
            refused,
        } => format!(
            "this operator {}: {}{reason}; {}",
            duty.not_done(),
            match blocks {
                0 => "the current height waits for it: ".to_owned(),
                1 => "1 block came without it: ".to_owned(),
                _ => format!("{blocks} blocks came without it: "),
            },
            if *refused {
                "this will not pass by itself"
            } else {
                "it is tried again and may succeed"
            }
        ),
        Alarm::EvidenceNotKept {
            culprit,
            height,
            reason,
        } => format!(
            "evidence against operator {culprit} at height {height} could not be stored, so keep this log: {reason}"
        ),
        Alarm::Halted => "the store failed: nothing is sent or signed any more".to_owned(),
        other => format!("{other:?}"),
    }
}
