//! One of five operators floods the others with invalid messages: blocks continue, and each kind of
//! invalid message is counted.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use federation_block_signing::{Message, Vote, VoteKind};
use federation_chain::{BlockHash, BlockHeight};
use federation_local::{LocalConfig, LocalError, LocalFederation, LocalNode, Transport};
use federation_messenger::Messenger;
use federation_roster::{EnvelopeHead, Federation, OperatorId, Round, UnsignedEnvelope};
use federation_signer::{IdentitySigner, SoftwareIdentity};

const LIMIT: Duration = Duration::from_secs(90);
const LIAR: u8 = 4;

/// Returns the frame of a message that the liar signs, in its own or another operator's name.
async fn frame(
    federation: &Federation,
    identity: &SoftwareIdentity,
    sender: u8,
    height: u32,
    padding: usize,
) -> Bytes {
    let parts = Message::Vote(Vote {
        kind: VoteKind::Precommit,
        height: BlockHeight::new(height),
        round: Round::FIRST,
        value: Some(BlockHash::from_bytes([7; 32])),
    })
    .to_parts();
    let mut payload = parts.payload.to_vec();
    payload.resize(payload.len() + padding, 0);
    let unsigned = UnsignedEnvelope {
        head: EnvelopeHead {
            federation: federation.id(),
            sender: OperatorId::new(sender),
            kind: parts.kind,
            height: parts.height,
            round: parts.round,
        },
        payload: payload.into(),
    };
    let signature = identity
        .sign_envelope(unsigned.signing_digest())
        .await
        .expect("it signs");
    unsigned.with_signature(signature).encode()
}

/// Sends invalid frames of each kind without end.
async fn flood(
    messenger: Arc<dyn Messenger>,
    identity: SoftwareIdentity,
    federation: Arc<Federation>,
    node: Arc<LocalNode>,
) {
    let garbage = Bytes::from(vec![0xa5; 200]);
    let far = frame(&federation, &identity, LIAR, 1_000_000, 0).await;
    loop {
        // Messages of the current height are the most expensive to reject.
        let height = node.tip().await.expect("it runs").0.to_u32() + 1;
        let forged = frame(&federation, &identity, 0, height, 0).await;
        let oversized = frame(&federation, &identity, LIAR, height, 200_000).await;
        for _ in 0..20 {
            for frame in [&garbage, &far, &forged, &forged] {
                messenger.broadcast(frame.clone()).await.expect("it sends");
            }
            tokio::task::yield_now().await;
        }
        messenger.broadcast(oversized).await.expect("it sends");
    }
}

/// Waits for this number of further blocks. Returns how long each took, sorted.
async fn gaps(federation: &LocalFederation, more: u32) -> Result<Vec<Duration>, LocalError> {
    let (mut height, mut gaps) = (federation.check_one_chain().await?, Vec::new());
    for _ in 0..more {
        height += 1;
        let begun = tokio::time::Instant::now();
        federation.wait_for_height(height, LIMIT).await?;
        gaps.push(begun.elapsed());
    }
    gaps.sort();
    Ok(gaps)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_invalid_messages_is_counted_and_blocks_continue() -> Result<(), LocalError> {
    for transport in [Transport::Memory, Transport::Zmq] {
        let config = LocalConfig::new(5, 3)
            .with_interval(Duration::from_millis(300))
            .with_transport(transport)
            .with_absent(vec![usize::from(LIAR)]);
        let mut federation = LocalFederation::start(config).await?;
        federation.wait_for_height(3, LIMIT).await?;
        let quiet = gaps(&federation, 10).await?;
        let (messenger, identity) = federation.impersonate(usize::from(LIAR)).await?;
        let roster = federation.federation().clone();
        let node = federation.node(0).clone();
        let flooding = tokio::spawn(flood(messenger, identity, roster, node));
        let flooded = gaps(&federation, 10).await?;
        let mut status = federation.operator(0).expect("it runs").status();
        // Frames that a full queue drops are not counted by kind, so each kind may take a while.
        let of_each = status.wait_for(|status| {
            let counters = &status.counters;
            counters.undecodable > 0
                && counters.far_height > 0
                && counters.too_large > 0
                && counters.bad_signature > 0
        });
        let counters = tokio::time::timeout(LIMIT, of_each)
            .await
            .expect("each kind is counted")
            .expect("it runs")
            .counters;
        flooding.abort();
        println!(
            "{transport:?}: median gap {:?} before, {:?} during the flood; longest {:?}, {:?}; {counters:?}",
            quiet[5], flooded[5], quiet[9], flooded[9]
        );
        federation.check_one_chain().await?;
        federation.stop().await;
    }
    Ok(())
}
