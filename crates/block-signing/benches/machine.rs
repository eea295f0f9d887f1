//! How long the machine takes per message: `cargo bench -p federation-block-signing`.

use core::{hint::black_box, time::Duration};

use bytes::Bytes;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use federation_block_signing::{
    BlockSignature, Candidate, CompactSignature, Config, IdentitySignature, Input, Machine,
    Message, Output, Proposal, SignedMessage, Tip, Verdict, Vote, VoteKind,
};
use federation_chain::{BlockHash, BlockHeight, UnixTime};
use federation_roster::{OperatorId, Round};

const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);
const HEIGHT: BlockHeight = BlockHeight::new(1);

fn hash() -> BlockHash {
    BlockHash::from_bytes([7; 32])
}

fn received(sender: u8, message: Message) -> Input {
    Input::Received(SignedMessage {
        sender: OperatorId::new(sender),
        message,
        signature: IdentitySignature::from_bytes([sender; 64]),
    })
}

fn vote(sender: u8, kind: VoteKind) -> Input {
    let vote = Vote {
        kind,
        height: HEIGHT,
        round: Round::FIRST,
        value: Some(hash()),
    };
    received(sender, Message::Vote(vote))
}

/// Returns the inputs of a whole height of `size` operators, as operator 0 receives them.
fn height(size: u8) -> Vec<Input> {
    let others = || 1..size;
    let candidate = Candidate {
        hash: hash(),
        previous: BlockHash::from_bytes([0; 32]),
        height: HEIGHT,
        time: NOW,
        bytes: Bytes::from_static(&[7; 300]),
    };
    let mut inputs = vec![
        received(
            1,
            Message::Proposal(Proposal {
                height: HEIGHT,
                round: Round::FIRST,
                hash: hash(),
                valid_round: None,
            }),
        ),
        Input::Body {
            from: OperatorId::new(1),
            candidate: candidate.clone(),
        },
        Input::Tested {
            candidate,
            verdict: Verdict::Valid,
        },
    ];
    inputs.extend((0..size).map(|sender| vote(sender, VoteKind::Prevote)));
    inputs.extend((0..size).map(|sender| vote(sender, VoteKind::Precommit)));
    inputs.extend(others().map(|sender| {
        received(
            sender,
            Message::BlockSignature(BlockSignature {
                height: HEIGHT,
                hash: hash(),
                signature: CompactSignature::from_bytes([sender; 64]),
            }),
        )
    }));
    inputs
}

fn started(size: u8, threshold: usize) -> Machine {
    let config = Config::new(
        usize::from(size),
        threshold,
        OperatorId::new(0),
        Duration::from_secs(1),
    );
    let mut machine = Machine::new(config.expect("a federation"), Vec::new());
    let tip = Tip {
        height: BlockHeight::GENESIS,
        hash: BlockHash::from_bytes([0; 32]),
        time: NOW,
        median_time: NOW,
        first_block_time: None,
    };
    handle(&mut machine, Input::Tip(tip));
    machine
}

fn handle(machine: &mut Machine, input: Input) -> usize {
    machine.handle(NOW, input);
    let outputs = core::iter::from_fn(|| machine.poll_output());
    outputs
        .map(|output: Output| drop(black_box(output)))
        .count()
}

fn bench(c: &mut Criterion) {
    for (size, threshold) in [(5, 3), (20, 11)] {
        let inputs = height(size);
        let mut group = c.benchmark_group("machine");
        group.throughput(Throughput::Elements(inputs.len() as u64));
        group.bench_function(BenchmarkId::new("height", size), |b| {
            b.iter_batched(
                || (started(size, threshold), inputs.clone()),
                |(mut machine, inputs)| {
                    for input in inputs {
                        black_box(handle(&mut machine, input));
                    }
                    machine
                },
                BatchSize::SmallInput,
            );
        });
        group.throughput(Throughput::Elements(1));
        // The most expensive vote: the one that completes the proof of lock.
        let mut ready = started(size, threshold);
        for input in inputs.iter().take(3 + threshold - 1).cloned() {
            handle(&mut ready, input);
        }
        let last = inputs[3 + threshold - 1].clone();
        group.bench_function(BenchmarkId::new("vote", size), |b| {
            b.iter_batched(
                || (ready.clone(), last.clone()),
                |(mut machine, input)| {
                    black_box(handle(&mut machine, input));
                    machine
                },
                BatchSize::SmallInput,
            );
        });
        group.finish();
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
