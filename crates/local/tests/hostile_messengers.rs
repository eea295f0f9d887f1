//! Messengers authenticate nothing: an attacker at an operator's address who replays messages, forges
//! senders, and sends frames of other federations and of any size stops no block.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use federation_block_signing::Timeouts;
use federation_local::{LocalConfig, LocalError, LocalFederation, Transport};
use federation_messenger::{EnvelopeHead, MAX_FRAME, Messenger, MessengerError};
use federation_operator::Options;

/// Only reached by a failing test, even on a busy machine.
const LIMIT: Duration = Duration::from_secs(600);

/// All messengers.
const TRANSPORTS: [Transport; 3] = [Transport::Memory, Transport::Zmq, Transport::Kafka];

/// The operator whose place the attacker takes.
const ABSENT: usize = 4;

/// The positions of fields in an envelope.
const FEDERATION: core::ops::Range<usize> = 1..33;
const SENDER: usize = 33;
const HEIGHT: core::ops::Range<usize> = 35..39;
const LENGTH: core::ops::Range<usize> = 43..47;

fn changed(frame: &Bytes, change: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let mut bytes = frame.to_vec();
    change(&mut bytes);
    bytes.into()
}

/// Returns frames derived from an operator's frame without its key.
fn forgeries(frame: &Bytes) -> Vec<Bytes> {
    let last = frame.len() - 1;
    let other = frame[SENDER].wrapping_add(1) % 4;
    let huge = u32::MAX.to_le_bytes();
    let padded = |payload: usize| {
        changed(frame, |bytes| {
            bytes.resize(payload + 64 + LENGTH.end, 0);
            let length = u32::try_from(payload).expect("less than 4 GiB");
            bytes[LENGTH].copy_from_slice(&length.to_le_bytes());
        })
    };
    vec![
        frame.clone(),
        changed(frame, |bytes| bytes[SENDER] = other),
        changed(frame, |bytes| bytes[SENDER] = 200),
        changed(frame, |bytes| bytes[last] ^= 1),
        changed(frame, |bytes| bytes[LENGTH.end] ^= 1),
        changed(frame, |bytes| bytes[FEDERATION].fill(0xcd)),
        changed(frame, |bytes| bytes[HEIGHT].copy_from_slice(&huge)),
        changed(frame, |bytes| bytes[LENGTH].copy_from_slice(&huge)),
        changed(frame, |bytes| bytes.truncate(last)),
        changed(frame, |bytes| bytes[0] = 9),
        // No vote has this size, and no block of it decodes.
        padded(200_000),
        Bytes::new(),
        vec![0xff; 1000].into(),
    ]
}

/// Receives frames from the others, and sends forgeries of them and replays of earlier ones.
async fn attack(messenger: Arc<dyn Messenger>, mut first: Vec<Bytes>) {
    let mut turn = 0_usize;
    loop {
        let Ok(frame) = messenger.recv().await else {
            return;
        };
        if EnvelopeHead::peek(&frame).is_err() {
            continue;
        }
        if first.len() < 100 {
            first.push(frame.clone());
        }
        // A replay of an earlier frame.
        let old = first[turn % first.len()].clone();
        let mut evil = forgeries(&frame);
        evil.push(old);
        if turn.is_multiple_of(50) {
            evil.push(vec![1; MAX_FRAME].into());
        }
        for frame in evil {
            match messenger.broadcast(frame).await {
                // The attack is over.
                Err(MessengerError::Closed) => return,
                sent => sent.expect("the frame is sent"),
            }
        }
        turn += 1;
    }
}

/// Rounds long enough for a busy machine to process all frames, and a retransmit interval that leaves it
/// time for them.
fn patient() -> Options {
    let second = Duration::from_secs(1);
    let mut options = Options::default();
    options.timeouts = Some(Timeouts {
        propose: second,
        prevote: second,
        precommit: second,
        growth: second,
        limit: LIMIT,
    });
    options.beat = Some(second / 2);
    options
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_replayed_foreign_and_oversized_frames_stop_no_block() -> Result<(), LocalError> {
    for transport in TRANSPORTS {
        let config = LocalConfig::new(5, 3)
            .with_interval(Duration::from_millis(300))
            .with_transport(transport)
            .with_options(patient())
            .with_absent(vec![ABSENT]);
        let mut federation = LocalFederation::start(config).await?;
        let (messenger, _) = federation.impersonate(ABSENT).await?;
        federation.wait_for_height(3, LIMIT).await?;
        let mut first = Vec::new();
        while first.len() < 20 {
            let frame = tokio::time::timeout(LIMIT, messenger.recv()).await;
            first.push(frame.expect("a frame in time").expect("open"));
        }
        let attacking = tokio::spawn(attack(messenger.clone(), first));
        let height = federation.check_one_chain().await?;
        federation.wait_for_height(height + 10, LIMIT).await?;
        let status = federation.operator(0).expect("it runs").status();
        let counters = status.borrow().counters;
        for (name, count) in [
            ("undecodable", counters.undecodable),
            ("of another federation", counters.foreign_federation),
            ("of an unknown sender", counters.unknown_sender),
            ("of a far height", counters.far_height),
            ("too large", counters.too_large),
            ("with a bad signature", counters.bad_signature),
        ] {
            assert!(
                count > 0,
                "no frame {name} over {transport:?}: {counters:?}"
            );
        }
        // No honest operator is accused because of forged messages.
        assert_eq!(counters.evidence, 0, "over {transport:?}: {counters:?}");
        // The operator returns to its place, and all agree.
        messenger.close().await;
        attacking.await.expect("it ends with its messenger");
        drop(messenger);
        federation.start_operator(ABSENT).await?;
        federation.wait_for_height(height + 15, LIMIT).await?;
        assert!(federation.check_one_chain().await? >= height + 15);
        federation.stop().await;
    }
    Ok(())
}
