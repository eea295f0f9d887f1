//! Five operators as processes over ZeroMQ, under every kind of fault: killed, frozen, cut off, slowed
//! down, with a torn store or a full disk, with the node restarted or its clock moved. At most N - M of
//! them are faulty at a time, so the chain must progress; afterwards there is one chain, and no operator
//! has signed two blocks at one height.
//!
//! `CHAOS_SECONDS` sets the duration (each kind of fault happens at least once), `CHAOS_SEED` selects the
//! faults; the seed determines the faults, not how the processes react.

#![expect(clippy::print_stdout, reason = "the faults are printed as they happen")]

mod faults;
mod links;
mod member;
mod witness;
mod world;

use std::time::{Duration, Instant};

use federation_chain::BlockHeight;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};

use crate::{
    faults::Fault,
    world::{INTERVAL, OPERATORS, World},
};

#[tokio::test(flavor = "multi_thread")]
async fn five_processes_keep_one_chain_whatever_happens_to_them() {
    let seconds = setting("CHAOS_SECONDS").unwrap_or(0);
    let seed = setting("CHAOS_SEED").unwrap_or(1);
    println!("CHAOS_SEED={seed} CHAOS_SECONDS={seconds}");
    let mut dice = StdRng::seed_from_u64(seed);
    let mut world = World::start().await;
    world.blocks(3, "at the start").await;
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut happened = 0;
    loop {
        let mut faults = Fault::ALL.to_vec();
        faults.shuffle(&mut dice);
        while let Some(first) = faults.pop() {
            // One or two operators at a time.
            let second = if dice.r#gen() { faults.pop() } else { None };
            let mut victims: Vec<usize> = (0..OPERATORS).collect();
            victims.shuffle(&mut dice);
            strike(&mut world, &mut dice, first, second, &victims).await;
            happened += 1 + usize::from(second.is_some());
        }
        if Instant::now() >= end {
            break;
        }
    }
    check(world, happened).await;
}

/// Injects one or two faults, and waits until all operators have recovered.
async fn strike(
    world: &mut World,
    dice: &mut StdRng,
    first: Fault,
    second: Option<Fault>,
    victims: &[usize],
) {
    let begun = Instant::now();
    let before = world.growth.len();
    let what = format!("{first:?} of {}, {second:?} of {}", victims[0], victims[1]);
    let faults = [Some(first), second];
    let struck = || faults.into_iter().flatten().zip(victims);
    for (fault, victim) in struck() {
        fault.begin(world, *victim, dice.r#gen()).await;
    }
    world.blocks(2, &what).await;
    world
        .pass(Duration::from_millis(dice.gen_range(0..1500)))
        .await;
    for (fault, victim) in struck() {
        fault.end(world, *victim).await;
    }
    for (fault, victim) in struck() {
        if fault != Fault::Delay {
            world.takes_part(*victim, &what).await;
        }
    }
    let times = world.growth[before.saturating_sub(1)..].windows(2);
    let longest = times.map(|pair| pair[1].0 - pair[0].0).max();
    println!(
        "{what}: {} ms, longest gap between blocks {} ms",
        begun.elapsed().as_millis(),
        longest.unwrap_or_default().as_millis()
    );
}

/// Checks that there is one chain, and no operator with two signatures at one height.
async fn check(mut world: World, happened: usize) {
    let top = world.settle().await;
    for height in (1..=top.to_u32()).map(BlockHeight::new) {
        world.block(height);
    }
    for member in &mut world.members {
        member.stop().await;
    }
    for index in 0..OPERATORS {
        for (height, hash) in world.guard(index) {
            if height <= top {
                assert_eq!(hash, world.block(height), "operator {index} at {height}");
            }
        }
    }
    let heard = world.heard.lock().expect("not poisoned");
    assert_eq!(heard.contradictions, Vec::<String>::new());
    for ((height, sender), hash) in &heard.signatures {
        if *height <= top {
            assert_eq!(*hash, world.block(*height), "operator {sender} at {height}");
        }
    }
    let heights = heard.signatures.keys().map(|(height, _)| height);
    let heights = heights.collect::<std::collections::BTreeSet<_>>().len();
    assert!(heights * 2 > top.to_u32() as usize, "the witness was there");
    println!(
        "{happened} faults, {top} blocks every {} ms, {} messages and {} block signatures heard, one chain",
        INTERVAL.as_millis(),
        heard.frames,
        heard.signatures.len()
    );
}

fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text} is not a number")),
    )
}
