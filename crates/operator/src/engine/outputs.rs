//! Performs the machine's outputs in order: the store first, then everything else.

use federation_block_signing::{Alarm, Event, Evidence, Input, Output, Record, Standing, Verdict};
use federation_chain::BlockHeight;
use federation_signer::SignerError;
use tracing::Instrument;

use super::{
    Engine,
    block_tests::NextTest,
    ingress::envelope_of,
    jobs::{JobResult, Jobs, with_causes},
    outbox::{OutgoingMessage, SendReport, VOTE_DUTY},
};
use crate::{
    OperatorError, OperatorEvent, StoreError, StoredEvidence, status::EvidenceReport,
    store::on_disk,
};

impl Engine {
    /// Handles all pending inputs and performs the machine's outputs.
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
                self.perform(output).await;
                // Nothing may be sent or signed once another daemon of this operator was heard.
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

    /// Closes the guard up to the tip. The guard of an observer does not know what its key signed
    /// below, before its memory was lost. If it were closed after the operator is recorded as
    /// taking part, a crash in between would make these blocks look like those of an outdated
    /// store.
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
        // Removals belong in this write and not in a later one, which may contain the same keys
        // again.
        if records.is_empty() && outdated.is_empty() && forget.is_none() {
            return Ok(());
        }
        let store = self.store.clone();
        on_disk(self.jobs.calls.tasks(), move || {
            store.replace(&records, &outdated, forget)
        })
        .await
    }

    /// Performs one output, once everything before it is durable.
    async fn perform(&mut self, output: Output) {
        match output {
            // Handled before.
            Output::Persist(_) | Output::Forget { .. } | Output::ForgetRecords { .. } => {}
            Output::Send(message) => self.outbox.push(OutgoingMessage { message, to: None }),
            Output::SendTo { to, message } => self.outbox.push(OutgoingMessage {
                message,
                to: Some(to),
            }),
            Output::RequestTemplate { height, round } => {
                self.spawn_job("template", height, move |jobs| async move {
                    jobs.template(height, round).await
                });
            }
            Output::TestBlock { candidate } => {
                let next = self.block_tests.add(candidate);
                self.test(next);
            }
            Output::SignBlock { candidate } => {
                self.spawn_job("sign", candidate.height, move |jobs| async move {
                    jobs.sign(candidate).await
                });
            }
            Output::Submit {
                candidate,
                signatures,
            } => {
                let hints = self.hints.clone();
                self.spawn_job("submit", candidate.height, move |jobs| async move {
                    let answer = jobs.submit(candidate, signatures).await;
                    hints.submitted.notify_one();
                    answer
                });
            }
            Output::Evidence(evidence) => self.keep_evidence(evidence).await,
            Output::Event(event) => self.on_event(event),
        }
    }

    /// Stores the proof that an operator contradicted itself.
    async fn keep_evidence(&mut self, evidence: Box<Evidence>) {
        let culprit = evidence.first.sender;
        let (height, round) = (
            evidence.first.message.height(),
            evidence.first.message.round(),
        );
        let [first, second] = [&evidence.first, &evidence.second].map(|signed| {
            envelope_of(&self.federation, culprit, &signed.message.to_parts())
                .with_signature(signed.signature.to_bytes())
        });
        // With both envelopes, so that the log alone proves it.
        let report = EvidenceReport::new(&StoredEvidence::new(0, first, second), &self.federation);
        let [first, second] = &report.messages;
        tracing::error!(
            peer = report.operator,
            %height,
            %round,
            kind = report.kind,
            first = first.block,
            second = second.block,
            first_envelope = first.envelope,
            second_envelope = second.envelope,
            "evidence: contradicting messages of one operator"
        );
        let store = self.store.clone();
        // A faulty operator decides when this is written, so a failure must not end the operator
        // that hears it. If the disk is full, the next record will end it anyway.
        let tasks = self.jobs.calls.tasks();
        let kept = on_disk(tasks, move || store.keep_evidence(&evidence).map(drop));
        if let Err(error) = kept.await {
            self.on_event(Event::Alarm(Alarm::EvidenceNotKept {
                culprit,
                height,
                reason: with_causes(&error),
            }));
        }
        self.status
            .send_modify(|status| status.counters.evidence += 1);
        self.publish(OperatorEvent::Evidence { culprit, height });
    }

    pub(super) fn on_event(&mut self, event: Event) {
        self.log.event(&event);
        match &event {
            Event::RoundStarted { height, round, .. } => self.peers.round_began(*height, *round),
            Event::Decided { .. } => self.hints.decided.notify_one(),
            Event::HeightFinished(report) => {
                // Closing the height in the guard is not urgent: it refuses a second hash anyway.
                self.closed.send_replace(Some(report.height));
                let now = self.clock.now();
                let changes = self.duties.on_block(now, report.height, report.hash);
                self.report_changes(changes);
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
        self.publish(OperatorEvent::Protocol(event));
    }

    /// Has the node test a block, or tells the machine that a superseded one was not tested.
    fn test(&mut self, next: NextTest) {
        match next {
            NextTest::Ask(candidate) => {
                self.spawn_job("test", candidate.height, move |jobs| async move {
                    jobs.test(candidate).await
                });
            }
            NextTest::Drop(candidate) => self.pending.push_back(Input::Tested {
                candidate,
                verdict: Verdict::Unavailable,
            }),
            NextTest::Wait => {}
        }
    }

    /// Takes the result of a job.
    pub(super) fn on_job_result(&mut self, answer: JobResult) {
        if matches!(answer.input, Input::Tested { .. }) {
            let next = self.block_tests.finished();
            self.test(next);
        }
        if let Some((duty, height, outcome)) = answer.duty {
            let change = self.duties.record(self.clock.now(), duty, height, outcome);
            self.report_changes(change);
        }
        self.pending.push_back(answer.input);
    }

    /// Takes the report on a message that was sent or could not be.
    pub(super) fn on_send_report(&mut self, report: SendReport) {
        match report {
            SendReport::OwnMessage(message) => self.pending.push_back(Input::Received(message)),
            SendReport::Vote(height, outcome) => {
                let change = self
                    .duties
                    .record(self.clock.now(), VOTE_DUTY, height, outcome);
                self.report_changes(change);
            }
            SendReport::KeyEnded(error) => self.on_key_ended(error),
        }
    }

    /// Ends the operator because its identity key will sign nothing more in this process; the next
    /// start opens the key anew.
    fn on_key_ended(&mut self, error: SignerError) {
        self.end.get_or_insert(OperatorError::Identity(error));
    }

    /// Runs a call outside the loop; its result comes back as an input.
    fn spawn_job<F>(
        &mut self,
        what: &'static str,
        height: BlockHeight,
        call: impl FnOnce(Jobs) -> F,
    ) where
        F: Future<Output = JobResult> + Send + 'static,
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
        let task = task.in_current_span();
        self.running.spawn(tasks.track_future(task));
    }

    pub(super) fn publish(&self, event: OperatorEvent) {
        // Nobody may be listening.
        let _ = self.events.send(event);
    }
}
