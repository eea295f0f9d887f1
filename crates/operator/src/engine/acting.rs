//! Doing what the machine asks, in its order: the store first, then everything else.

use federation_block_signing::{Alarm, Event, Evidence, Input, Output, Record, Standing, Verdict};
use federation_chain::BlockHeight;
use federation_signer::SignerError;

use super::{
    Engine,
    jobs::{Answer, Jobs, with_causes},
    testing::Next,
    voice::{SHARE, Saying, Spoken},
};
use crate::{OperatorError, OperatorEvent, StoreError, store::on_disk};

impl Engine {
    /// Handles all pending inputs and does what the machine asks.
    pub(super) async fn work(&mut self) -> Result<(), StoreError> {
        while self.end.is_none()
            && let Some(input) = self.pending.pop_front()
        {
            self.machine.handle(self.clock.now(), input);
            let mut records = Vec::new();
            let mut rest = Vec::new();
            let mut forget = None;
            let mut outdated = Vec::new();
            while let Some(output) = self.machine.poll_output() {
                match output {
                    Output::Persist(record) => records.push(record),
                    Output::Forget { below } => forget = Some(below),
                    Output::ForgetRecords { keys } => outdated.extend(keys),
                    other => rest.push(other),
                }
            }
            if self.takes_part(&records)
                && let Err(error) = self.close_guard().await
            {
                self.end = Some(error);
                break;
            }
            if let Err(error) = self.persist(records, outdated, forget).await {
                self.machine.handle(self.clock.now(), Input::StoreFailed);
                return Err(error);
            }
            for output in rest {
                self.act(output).await;
                // Nothing is said or signed after a twin was heard.
                if self.end.is_some() {
                    break;
                }
            }
        }
        let now = self.machine.status();
        self.status.send_if_modified(|status| {
            let before = (status.height, status.round, status.phase, status.observing);
            status.height = now.height;
            status.round = now.round;
            status.leader = now.leader;
            status.phase = now.phase;
            status.observing = now.observing;
            before != (now.height, now.round, now.phase, now.observing)
        });
        Ok(())
    }

    /// Whether an observer begins to take part with these records.
    fn takes_part(&self, records: &[Record]) -> bool {
        let is_one = |record: &Record| matches!(record, Record::Standing(Standing::Participating));
        self.status.borrow().observing && records.iter().any(is_one)
    }

    /// Closes the guard up to the tip. An observer's guard does not know what its former life signed below.
    /// Were it closed after the operator is known to take part, a crash in between would make these
    /// blocks those of an older store.
    async fn close_guard(&self) -> Result<(), OperatorError> {
        let tip = self.status.borrow().tip;
        match tip {
            Some((height, _)) => Ok(self.jobs.signer.raise_final(height).await?),
            None => Ok(()),
        }
    }

    async fn persist(
        &self,
        records: Vec<Record>,
        outdated: Vec<Vec<u8>>,
        forget: Option<BlockHeight>,
    ) -> Result<(), StoreError> {
        // What may be forgotten goes with this write and not a later one, which may hold the same
        // keys again.
        if records.is_empty() && outdated.is_empty() && forget.is_none() {
            return Ok(());
        }
        let store = self.store.clone();
        on_disk(self.jobs.calls.tasks(), move || {
            store.replace(&records, &outdated, forget)
        })
        .await
    }

    /// Does one thing that the machine asks, everything before it being durable.
    async fn act(&mut self, output: Output) {
        match output {
            // Taken out before.
            Output::Persist(_) | Output::Forget { .. } | Output::ForgetRecords { .. } => {}
            Output::Send(message) => self.line.add(Saying { message, to: None }),
            Output::SendTo { to, message } => self.line.add(Saying {
                message,
                to: Some(to),
            }),
            Output::RequestTemplate { height, round } => {
                self.job("template", height, move |jobs| async move {
                    jobs.template(height, round).await
                });
            }
            Output::TestBlock { candidate } => {
                let next = self.testing.add(candidate);
                self.test(next);
            }
            Output::SignBlock { candidate } => {
                self.job("sign", candidate.height, move |jobs| async move {
                    jobs.sign(candidate).await
                });
            }
            Output::Submit {
                candidate,
                signatures,
            } => {
                let hints = self.hints.clone();
                self.job("submit", candidate.height, move |jobs| async move {
                    let answer = jobs.submit(candidate, signatures).await;
                    hints.submitted.notify_one();
                    answer
                });
            }
            Output::Evidence(evidence) => self.keep(evidence).await,
            Output::Event(event) => self.happened(event),
        }
    }

    /// Keeps what proves that an operator lied.
    async fn keep(&mut self, evidence: Box<Evidence>) {
        let culprit = evidence.first.sender;
        let (height, round) = (
            evidence.first.message.height(),
            evidence.first.message.round(),
        );
        let [first, second] =
            [&evidence.first, &evidence.second].map(|signed| signed.message.clone());
        tracing::error!(
            operator = %self.federation.name(culprit),
            %height,
            %round,
            ?first,
            ?second,
            "evidence: two messages that contradict each other"
        );
        let store = self.store.clone();
        // Who lies decides when this is written, and must not end who hears it. On a disk that is full
        // the next record ends the operator.
        let tasks = self.jobs.calls.tasks();
        let kept = on_disk(tasks, move || store.keep_evidence(&evidence).map(drop));
        if let Err(error) = kept.await {
            self.happened(Event::Alarm(Alarm::EvidenceNotKept {
                culprit,
                height,
                reason: with_causes(&error),
            }));
        }
        self.status
            .send_modify(|status| status.counters.evidence += 1);
        self.tell(OperatorEvent::Evidence { culprit, height });
    }

    pub(super) fn happened(&mut self, event: Event) {
        self.log.event(&event);
        match &event {
            Event::RoundStarted { height, round, .. } => self.peers.round_began(*height, *round),
            Event::Decided { .. } => self.hints.decided.notify_one(),
            Event::HeightFinished(report) => {
                // Closing the height in the guard has no hurry: it refuses a second hash anyway.
                self.closed.send_replace(Some(report.height));
                let now = self.clock.now();
                let changes = self.account.over(now, report.height, report.hash);
                self.tell_changes(changes);
            }
            Event::Alarm(alarm) => {
                self.end = self.end.take().or(match *alarm {
                    Alarm::OwnMessageFromElsewhere { height, round } => {
                        Some(OperatorError::Twin { height, round })
                    }
                    Alarm::TwoDecisions {
                        height,
                        first,
                        second,
                    } => Some(OperatorError::TwoDecisions {
                        height,
                        first,
                        second,
                    }),
                    _ => None,
                });
                self.status
                    .send_modify(|status| status.last_alarm = Some(alarm.clone()));
            }
            _ => {}
        }
        self.tell(OperatorEvent::Protocol(event));
    }

    /// Asks the node about a block, or says of one that was superseded that it was not asked.
    fn test(&mut self, next: Next) {
        match next {
            Next::Ask(candidate) => {
                self.job("test", candidate.height, move |jobs| async move {
                    jobs.test(candidate).await
                });
            }
            Next::Drop(candidate) => self.pending.push_back(Input::Tested {
                candidate,
                verdict: Verdict::Unavailable,
            }),
            Next::Wait => {}
        }
    }

    /// A call beside the loop has come back.
    pub(super) fn finished(&mut self, answer: Answer) {
        if matches!(answer.input, Input::Tested { .. }) {
            let next = self.testing.finished();
            self.test(next);
        }
        if let Some((duty, height, outcome)) = answer.share {
            let change = self.account.note(self.clock.now(), duty, height, outcome);
            self.tell_changes(change);
        }
        self.pending.push_back(answer.input);
    }

    /// Something was said, or not.
    pub(super) fn spoken(&mut self, spoken: Spoken) {
        match spoken {
            Spoken::Own(message) => self.pending.push_back(Input::Received(message)),
            Spoken::Share(height, outcome) => {
                let change = self.account.note(self.clock.now(), SHARE, height, outcome);
                self.tell_changes(change);
            }
            Spoken::Mute(error) => self.mute(error),
        }
    }

    /// The identity key says nothing any more in this process: the next start opens it anew.
    fn mute(&mut self, error: SignerError) {
        self.end.get_or_insert(OperatorError::Identity(error));
    }

    /// Runs a call beside the loop; its answer comes back as an input.
    fn job<F>(&mut self, what: &'static str, height: BlockHeight, call: impl FnOnce(Jobs) -> F)
    where
        F: Future<Output = Answer> + Send + 'static,
    {
        let call = call(self.jobs.clone());
        let events = self.events.clone();
        let task = async move {
            let begun = tokio::time::Instant::now();
            let answer = call.await;
            // Nobody may be listening.
            let _ = events.send(OperatorEvent::NodeCall {
                what,
                height,
                took: begun.elapsed(),
            });
            answer
        };
        let tasks = self.jobs.calls.tasks();
        self.running.spawn(tasks.track_future(task));
    }

    pub(super) fn tell(&self, event: OperatorEvent) {
        // Nobody may be listening.
        let _ = self.events.send(event);
    }
}
