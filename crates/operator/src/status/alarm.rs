//! Alarms in words, with what to do.

use federation_block_signing::Alarm;

/// What an alarm says to people.
pub(crate) fn text(alarm: &Alarm) -> String {
    match alarm {
        Alarm::OwnMessageFromElsewhere { height, round } => format!(
            "another daemon spoke for this operator at height {height}, round {round}: stop both, and start only the one with the newer store"
        ),
        Alarm::NodeBehind { tip, last_final } => format!(
            "the node is at height {tip}, and nothing is voted for or signed up to {last_final}, which is final or was set by `guard repair`: it must come so far first"
        ),
        Alarm::TipReplaced { height, old, new } => format!(
            "the node put block {new} in the place of {old} at height {height}: compare it with the other operators' nodes"
        ),
        Alarm::OtherThanDecided {
            height,
            decided,
            tip,
        } => format!(
            "the node has block {tip} at height {height}, {decided} was decided: compare it with the other operators' nodes"
        ),
        Alarm::DecidedAgainstVerdict { height, hash } => format!(
            "block {hash} was decided at height {height}, which the own node or policy had refused: compare versions and settings"
        ),
        Alarm::TwoDecisions {
            height,
            first,
            second,
        } => format!(
            "blocks {first} and {second} were both decided at height {height}: more operators lie than the threshold allows"
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
            "the node refuses the decided block {hash} at height {height}: {reason}; compare versions and settings"
        ),
        Alarm::UnfitTemplate { height, reason } => {
            format!("the node's template for height {height} does not fit: {reason:?}")
        }
        Alarm::ForeignTemplate { height, reason } => format!(
            "the own node's template for height {height} is not used: {reason}. If it has another form or other signers, stop the node, set chain, signblockscript and evbparams as all others have them (evbparams=dynafed:-1::: with dynafed from block 1, dynafed:-2::: without), and start it again; if it proposes parameters, whoever made it so has changed this node or stands between it and this operator"
        ),
        Alarm::ParametersProposed {
            height,
            sender,
            reason,
        } => format!(
            "operator {sender} sent a block for height {height} that is refused: {reason}. Tell its people: its node, or what stands between the two, is not theirs any more"
        ),
        Alarm::NoAnswer {
            part,
            waited,
            given_up: false,
        } => format!("the {part} has not answered for {waited:?}: it hangs or is too slow"),
        Alarm::NoAnswer { part, waited, .. } => format!(
            "the {part} did not answer within {waited:?}, and is asked again: see to it, and to what lies between"
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
                0 => "the height worked on waits: ".to_owned(),
                1 => "1 block came without it: ".to_owned(),
                _ => format!("{blocks} blocks came without it: "),
            },
            if *refused {
                "that does not pass by itself"
            } else {
                "it is tried again and may pass"
            }
        ),
        Alarm::EvidenceNotKept {
            culprit,
            height,
            reason,
        } => format!(
            "evidence against operator {culprit} at height {height} is not kept, so keep this log: {reason}"
        ),
        Alarm::Halted => "the store failed: nothing is said or signed any more".to_owned(),
        other => format!("{other:?}"),
    }
}
