//! One of five operators, of which three must sign, keeps voting in rounds that nobody has reached: nobody
//! follows it, and blocks are decided in their first rounds or soon after.

use std::{sync::Arc, time::Duration};

use federation_block_signing::{Event, Message, Vote, VoteKind};
use federation_chain::BlockHeight;
use federation_local::{LocalConfig, LocalError, LocalFederation, LocalNode};
use federation_messenger::Messenger;
use federation_operator::OperatorEvent;
use federation_roster::{EnvelopeHead, Federation, OperatorId, Round, UnsignedEnvelope};
use federation_signer::{IdentitySigner, SoftwareIdentity};
use tokio::sync::broadcast::error::TryRecvError;

const LIMIT: Duration = Duration::from_secs(120);
const LIAR: u8 = 4;
const SIZE: u32 = 5;

/// Votes nil, at the current height and the next one, in later rounds: in the next one that the liar itself
/// leads, where all would have to wait for its proposal, and in rounds far ahead.
async fn vote_in_later_rounds(
    messenger: Arc<dyn Messenger>,
    identity: SoftwareIdentity,
    federation: Arc<Federation>,
    node: Arc<LocalNode>,
) {
    for turn in 0_u32.. {
        let tip = node.tip().await.expect("it runs").0.to_u32();
        for height in [tip + 1, tip + 2] {
            let led = (1..=SIZE)
                .find(|round| (height + round) % SIZE == u32::from(LIAR))
                .expect("it leads one of five");
            for round in [led, led + SIZE * (turn % 100), 1_000_000 + turn] {
                for kind in [VoteKind::Prevote, VoteKind::Precommit] {
                    let parts = Message::Vote(Vote {
                        kind,
                        height: BlockHeight::new(height),
                        round: Round::new(round),
                        value: None,
                    })
                    .to_parts();
                    let unsigned = UnsignedEnvelope {
                        head: EnvelopeHead {
                            federation: federation.id(),
                            sender: OperatorId::new(LIAR),
                            kind: parts.kind,
                            height: parts.height,
                            round: parts.round,
                        },
                        payload: parts.payload,
                    };
                    let signature = identity.sign_envelope(unsigned.signing_digest()).await;
                    let frame = unsigned.with_signature(signature.expect("it signs"));
                    let sent = messenger.broadcast(frame.encode()).await;
                    sent.expect("it sends");
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_liar_makes_nobody_skip_rounds() -> Result<(), LocalError> {
    let config = LocalConfig::new(5, 3)
        .with_interval(Duration::from_millis(300))
        .with_absent(vec![usize::from(LIAR)]);
    let mut federation = LocalFederation::start(config).await?;
    let mut events = federation.operator(0).expect("it runs").events();
    let (messenger, identity) = federation.impersonate(usize::from(LIAR)).await?;
    let (roster, node) = (federation.federation().clone(), federation.node(0).clone());
    let lying = tokio::spawn(vote_in_later_rounds(messenger, identity, roster, node));
    federation.wait_for_height(20, LIMIT).await?;
    assert!(!lying.is_finished(), "it lied to the end");
    lying.abort();
    federation.check_one_chain().await?;
    // The liar is the first leader of every fifth height; its votes alone start no round.
    let mut highest = 0;
    loop {
        match events.try_recv() {
            Ok(OperatorEvent::Protocol(Event::RoundStarted { round, .. })) => {
                highest = highest.max(round.to_u32());
            }
            Ok(_) | Err(TryRecvError::Lagged(_)) => {}
            Err(TryRecvError::Empty | TryRecvError::Closed) => break,
        }
    }
    assert!(highest < 4 * SIZE, "round {highest}");
    federation.stop().await;
    Ok(())
}
