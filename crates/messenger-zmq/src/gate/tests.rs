//! Tests of the meter: what it lets pass, and what it stops.

use proptest::prelude::*;

use super::*;

const LIMITS: GateLimits = GateLimits {
    message: 1000,
    parts: 3,
    total: 1_000_000,
};

fn greeting() -> Vec<u8> {
    let mut greeting = vec![0; GREETING];
    greeting[0] = 0xff;
    greeting[9] = 0x7f;
    greeting[10] = 3;
    greeting[12..16].copy_from_slice(b"NULL");
    greeting
}

/// A frame by the specification, the short form where it fits.
fn frame(flags: u8, body: &[u8]) -> Vec<u8> {
    match u8::try_from(body.len()) {
        Ok(length) => [&[flags, length], body].concat(),
        Err(_) => [
            &[flags | LONG][..],
            &(body.len() as u64).to_be_bytes(),
            body,
        ]
        .concat(),
    }
}

/// Feeds a greeting and these bytes at once.
fn feed(bytes: &[u8]) -> Result<(), GateError> {
    Meter::new(LIMITS).feed(&[&greeting(), bytes].concat())
}

#[test]
fn what_is_no_zmtp_3_is_stopped_at_its_first_wrong_byte() {
    let feed = |bytes: &[u8]| Meter::new(LIMITS).feed(bytes);
    assert!(matches!(feed(b"G"), Err(GateError::Greeting)));
    assert!(matches!(feed(b"\x16\x03\x01"), Err(GateError::Greeting)));
    let mut wrong = greeting();
    wrong[9] = 0;
    assert!(matches!(feed(&wrong[..9]), Ok(())));
    assert!(matches!(feed(&wrong[..10]), Err(GateError::Greeting)));
    let mut old = greeting();
    old[10] = 1;
    assert!(matches!(feed(&old), Err(GateError::Greeting)));
    old[10] = 4;
    assert!(matches!(feed(&old), Ok(())));
}

#[test]
fn a_length_is_stopped_before_its_body_is_sent() {
    for length in [1001, 1 << 20, 1 << 40, u64::MAX >> 1, u64::MAX] {
        let header = [&[LONG][..], &length.to_be_bytes()].concat();
        assert!(matches!(feed(&header[..8]), Ok(())));
        assert!(matches!(feed(&header), Err(GateError::Message(l)) if l == length));
        let header = [&[LONG | COMMAND][..], &length.to_be_bytes()].concat();
        let stopped = feed(&header);
        assert_eq!(
            matches!(stopped, Err(GateError::Command(_))),
            length > MAX_COMMAND,
            "{stopped:?}"
        );
    }
}

#[test]
fn the_parts_of_a_message_count_together() {
    let part = frame(MORE, &[0; 400]);
    let two = [&part[..], &part].concat();
    assert!(matches!(
        feed(&[&two[..], &frame(0, &[0; 200])].concat()),
        Ok(())
    ));
    assert!(matches!(
        feed(&[&two[..], &frame(0, &[0; 201])].concat()),
        Err(GateError::Message(1001))
    ));
    let empty = frame(MORE, b"");
    assert!(matches!(feed(&empty.repeat(3)), Ok(())));
    assert!(matches!(feed(&empty.repeat(4)), Err(GateError::Parts(3))));
    // A message's end starts the count anew.
    let whole = [&two[..], &frame(0, b"")].concat();
    assert!(matches!(feed(&whole.repeat(20)), Ok(())));
}

#[test]
fn unknown_flags_are_stopped() {
    for bad in [8, 16, 32, 64, 128, 0xff, COMMAND | MORE] {
        assert!(matches!(feed(&[bad]), Err(GateError::Flags(f)) if f == bad));
    }
}

#[test]
fn a_connection_has_a_total() {
    let mut meter = Meter::new(GateLimits {
        total: 200,
        ..LIMITS
    });
    meter.feed(&greeting()).expect("64 bytes");
    meter.feed(&frame(0, &[1; 100])).expect("166 bytes");
    let stopped = meter.feed(&frame(0, &[1; 33]));
    assert!(matches!(stopped, Err(GateError::Total(200))));
}

proptest! {
    /// However the bytes of proper messages are cut into chunks, all of them pass.
    #[test]
    fn proper_messages_pass_in_any_chunks(
        messages in prop::collection::vec(prop::collection::vec(0usize..330, 1..=3), 0..10),
        cuts in prop::collection::vec(1usize..100, 1..50),
    ) {
        let mut bytes = greeting();
        bytes.extend(frame(COMMAND, b"\x05READY"));
        for parts in &messages {
            for (i, part) in parts.iter().enumerate() {
                let more = if i + 1 < parts.len() { MORE } else { 0 };
                bytes.extend(frame(more, &vec![7; *part]));
            }
        }
        let mut meter = Meter::new(LIMITS);
        let mut rest = &bytes[..];
        for cut in cuts.iter().cycle() {
            let (chunk, after) = rest.split_at(rest.len().min(*cut));
            prop_assert!(meter.feed(chunk).is_ok());
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert!(matches!(meter.state, State::Flags));
    }

    /// Chunks change nothing about what is stopped, and nothing panics.
    #[test]
    fn any_bytes_are_judged_alike_in_any_chunks(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        cut in 1usize..50,
    ) {
        let bytes = [greeting(), bytes].concat();
        let at_once = Meter::new(LIMITS).feed(&bytes).map_err(|error| error.to_string());
        let mut meter = Meter::new(LIMITS);
        let in_chunks = bytes
            .chunks(cut)
            .try_for_each(|chunk| meter.feed(chunk))
            .map_err(|error| error.to_string());
        prop_assert_eq!(at_once, in_chunks);
    }
}
