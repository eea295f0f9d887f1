//! The faults that can happen to an operator.

use std::time::Duration;

use crate::world::World;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The process is killed.
    Kill,
    /// The process is frozen for a while.
    Freeze,
    /// All links are cut.
    Cut,
    /// All messages are delayed.
    Delay,
    /// Power fails, and the disk has lost data that it reported as written.
    TornStore,
    /// The disk is full.
    FullDisk,
    /// The node restarts.
    RestartNode,
    /// The node's clock is wrong.
    NodeClock,
}

impl Fault {
    pub(crate) const ALL: [Self; 8] = [
        Self::Kill,
        Self::Freeze,
        Self::Cut,
        Self::Delay,
        Self::TornStore,
        Self::FullDisk,
        Self::RestartNode,
        Self::NodeClock,
    ];

    pub(crate) async fn begin(self, world: &mut World, victim: usize, dice: u32) {
        let member = &mut world.members[victim];
        match self {
            Self::Kill => member.kill(),
            Self::Freeze => member.signal("-STOP"),
            Self::Cut => world.links_of(victim).for_each(|link| link.cut(true)),
            Self::Delay => world
                .links_of(victim)
                .for_each(|link| link.delay(Duration::from_millis(80))),
            Self::TornStore => {
                member.kill();
                member.tear_store(dice as usize);
            }
            Self::FullDisk => {
                member.limit_files(4096);
                let status = member.ended().await;
                let log = member.log();
                assert_eq!(status.code(), Some(1), "{log}");
                assert!(log.contains("error: "), "{log}");
                assert!(log.contains("nothing is sent or signed any more"), "{log}");
            }
            Self::RestartNode => member.stop_node().await,
            Self::NodeClock => {
                let seconds = if dice.is_multiple_of(2) { 60 } else { -60 };
                member.node().set_clock_offset(seconds);
            }
        }
    }

    pub(crate) async fn end(self, world: &mut World, victim: usize) {
        let member = &mut world.members[victim];
        match self {
            Self::Kill | Self::FullDisk => member.start(&[]),
            Self::Freeze => member.signal("-CONT"),
            Self::Cut => world.links_of(victim).for_each(|link| link.cut(false)),
            Self::Delay => world
                .links_of(victim)
                .for_each(|link| link.delay(Duration::ZERO)),
            Self::TornStore => {
                member.start(&[]);
                // The damaged page may not have been in use.
                if member.ends_soon().await {
                    let status = member.ended().await;
                    let log = member.log();
                    assert_eq!(status.code(), Some(1), "{log}");
                    assert!(log.contains("--observe"), "the help is missing: {log}");
                    member.move_store_away();
                    member.start(&["--observe"]);
                }
            }
            Self::RestartNode => member.start_node().await,
            Self::NodeClock => member.node().set_clock_offset(0),
        }
    }
}
