//! Messengers prove nothing: one who sits where an operator should, and sends what others said
//! before, in others' names, to other federations and at any size, costs no block.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use federation_block_signing::Timeouts;
use federation_local::{LocalConfig, LocalError, LocalFederation, Transport};
use federation_messenger::{EnvelopeHead, MAX_FRAME, Messenger, MessengerError};
use federation_operator::Options;

/// Only for what never happens: machines may be busy with other things.
const LIMIT: Duration = Duration::from_secs(600);

/// All messengers that a federation can be run over.
const TRANSPORTS: [Transport; 3] = [Transport::Memory, Transport::Zmq, Transport::Kafka];

/// The place that the hostile one has.
const ABSENT: usize = 4;

/// Where things stand in an envelope.
const FEDERATION: core::ops::Range<usize> = 1..33;
const SENDER: usize = 33;
const HEIGHT: core::ops::Range<usize> = 35..39;
const LENGTH: core::ops::Range<usize> = 43..47;

fn changed(frame: &Bytes, change: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let mut bytes = frame.to_vec();
    change(&mut bytes);
    bytes.into()
}

/// What can be made of somebody's frame without his key.
fn made_of(frame: &Bytes) -> Vec<Bytes> {
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
        // A vote of this size there is not, nor a block that decodes.
        padded(200_000),
        Bytes::new(),
        vec![0xff; 1000].into(),
    ]
}

/// Hears the others, and answers with what it can make of what it hears and of what it heard first.
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
        // Of yesterday, as it was said.
        let old = first[turn % first.len()].clone();
        let mut evil = made_of(&frame);
        evil.push(old);
        if turn.is_multiple_of(50) {
            evil.push(vec![1; MAX_FRAME].into());
        }
        for frame in evil {
            match messenger.broadcast(frame).await {
                // The attack is over.
                Err(MessengerError::Closed) => return,
                sent => sent.expect("it takes it"),
            }
        }
        turn += 1;
    }
}

/// Rounds in which a machine that does other things as well looks through all that is sent, and
/// repetitions that do not take all of its time.
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
async fn forged_repeated_foreign_and_oversized_frames_cost_no_block() -> Result<(), LocalError> {
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
            first.push(frame.expect("operators talk").expect("open"));
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
            assert!(count > 0, "none {name} over {transport:?}: {counters:?}");
        }
        // Nobody honest is accused for what was said in his name.
        assert_eq!(counters.evidence, 0, "over {transport:?}: {counters:?}");
        // The operator whose place it was comes back, and all agree.
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
