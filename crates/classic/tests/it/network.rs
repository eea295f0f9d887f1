//! An in-memory wire: carries topic and JSON from one operator to every other, with a delay.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use federation_classic::{
    Message,
    wire::{Arrival, Wire, WireError},
};
use tokio::sync::Notify;

use crate::python::Messenger;

/// Topic and JSON.
pub type Frame = (String, String);

#[derive(Default)]
struct Inbox {
    /// One queue for each other operator, as the Python program has one socket for each.
    queues: Mutex<Vec<VecDeque<Frame>>>,
    arrived: Notify,
}

pub struct Network {
    inboxes: Vec<Inbox>,
    delay: Duration,
}

impl Network {
    pub fn new(operators: usize, delay: Duration) -> Arc<Self> {
        let inbox = || Inbox {
            queues: Mutex::new(vec![VecDeque::new(); operators]),
            arrived: Notify::new(),
        };
        Arc::new(Self {
            inboxes: (0..operators).map(|_| inbox()).collect(),
            delay,
        })
    }

    /// Sends as an operator, or as an impostor.
    pub fn send(self: &Arc<Self>, from: usize, frame: &Frame) {
        for to in (0..self.inboxes.len()).filter(|to| *to != from) {
            let (network, frame) = (self.clone(), frame.clone());
            tokio::spawn(async move {
                tokio::time::sleep(network.delay).await;
                let inbox = &network.inboxes[to];
                inbox.queues.lock().expect("unpoisoned")[from].push_back(frame);
                inbox.arrived.notify_one();
            });
        }
    }

    pub fn join(self: &Arc<Self>, me: usize) -> NetworkEnd {
        for queue in self.inboxes[me]
            .queues
            .lock()
            .expect("unpoisoned")
            .iter_mut()
        {
            queue.clear();
        }
        NetworkEnd {
            network: self.clone(),
            me,
        }
    }
}

/// One operator's end.
pub struct NetworkEnd {
    network: Arc<Network>,
    me: usize,
}

impl NetworkEnd {
    fn pop(&self, from: usize) -> Option<Frame> {
        self.network.inboxes[self.me]
            .queues
            .lock()
            .expect("unpoisoned")[from]
            .pop_front()
    }
}

#[async_trait]
impl Messenger for NetworkEnd {
    async fn produce(&mut self, topic: &str, json: String) {
        self.network.send(self.me, &(topic.to_owned(), json));
    }

    fn consumers(&self) -> usize {
        self.network.inboxes.len()
    }

    async fn read(&mut self, consumer: usize) -> Option<Frame> {
        self.pop(consumer)
    }

    async fn reconnect(&mut self) {
        for from in 0..self.consumers() {
            while self.pop(from).is_some() {}
        }
    }
}

#[async_trait]
impl Wire for NetworkEnd {
    async fn publish(&self, message: &Message) -> Result<(), WireError> {
        let topic = match message {
            Message::Proposal { .. } => "10",
            Message::Signatures { .. } => "20",
        };
        let json = String::from_utf8(message.to_json().to_vec()).expect("text");
        self.network.send(self.me, &(topic.to_owned(), json));
        Ok(())
    }

    async fn recv(&self) -> Result<Arrival, WireError> {
        loop {
            for from in 0..self.network.inboxes.len() {
                if let Some((_, json)) = self.pop(from)
                    && let Ok(message) = Message::from_json(json.as_bytes())
                {
                    let from = Some(from);
                    return Ok(Arrival { from, message });
                }
            }
            self.network.inboxes[self.me].arrived.notified().await;
        }
    }

    async fn close(&self) {}
}
