//! The contract of messengers, run on the one over a bus.

#[path = "../messenger_over_a_bus.rs"]
mod messenger_over_a_bus;

use federation::{async_trait, messenger::contract, roster::OperatorId};
use messenger_over_a_bus::{Bus, BusMessenger};

/// More members than a cluster of the contract has.
const MEMBERS: u8 = 8;

/// Room for what the contract sends while a member does not read.
const FRAMES: usize = 8192;

struct Buses;

fn member(bus: &Bus, id: usize) -> BusMessenger {
    let me = OperatorId::new(u8::try_from(id).expect("a small cluster"));
    let members = (0..MEMBERS).map(OperatorId::new);
    let peers: Vec<_> = members.filter(|peer| *peer != me).collect();
    BusMessenger::join(bus, me, &peers)
}

#[async_trait]
impl contract::Cluster for Buses {
    type Messenger = BusMessenger;
    type Network = Bus;

    async fn start(&self, size: u8) -> (Bus, Vec<BusMessenger>) {
        let bus = Bus::new(FRAMES);
        let members = (0..size.into()).map(|id| member(&bus, id)).collect();
        (bus, members)
    }

    async fn join(&self, bus: &Bus, running: &[BusMessenger]) -> BusMessenger {
        member(bus, running.len())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_messenger_over_a_bus_keeps_the_contract() {
    contract::run(&Buses).await;
}
