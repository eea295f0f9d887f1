//! Outputs in order: what must be durable comes first (rule R25).

use std::collections::VecDeque;

use federation_roster::OperatorId;

use crate::{Alarm, Event, Evidence, Message, Output, Record};

#[derive(Debug, Clone, Default)]
pub(crate) struct Outbox {
    records: VecDeque<Record>,
    others: VecDeque<Output>,
    closed: bool,
}

impl Outbox {
    pub(crate) fn persist(&mut self, record: Record) {
        if !self.closed {
            self.records.push_back(record);
        }
    }

    pub(crate) fn push(&mut self, output: Output) {
        if !self.closed {
            self.others.push_back(output);
        }
    }

    pub(crate) fn send(&mut self, message: Message) {
        self.push(Output::Send(message));
    }

    pub(crate) fn send_to(&mut self, to: OperatorId, message: Message) {
        self.push(Output::SendTo { to, message });
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.push(Output::Event(event));
    }

    pub(crate) fn alarm(&mut self, alarm: Alarm) {
        self.event(Event::Alarm(alarm));
    }

    pub(crate) fn evidence(&mut self, evidence: impl IntoIterator<Item = Evidence>) {
        for evidence in evidence {
            self.push(Output::Evidence(Box::new(evidence)));
        }
    }

    pub(crate) fn pop(&mut self) -> Option<Output> {
        match self.records.pop_front() {
            Some(record) => Some(Output::Persist(record)),
            None => self.others.pop_front(),
        }
    }

    /// Drops all pending outputs, adds a last alarm, and accepts nothing afterwards.
    pub(crate) fn close(&mut self) {
        self.records.clear();
        self.others.clear();
        self.alarm(Alarm::Halted);
        self.closed = true;
    }
}
