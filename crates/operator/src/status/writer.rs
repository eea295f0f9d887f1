//! Writes the files while an operator runs.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use federation_block_signing::Event;
use federation_chain::{BlockHash, UnixTime};
use federation_roster::{Federation, OperatorId};
use federation_signer::{GuardStanding, GuardedSigner, Signer};
use tokio::{
    sync::{broadcast, watch},
    time::Instant,
};
use tracing::Instrument;

use super::{
    AlarmReport, AssetReport, BlockReport, DifferenceReport, EvidenceReport, GuardReport,
    MessengerReport, StatusError, StatusReport,
    file::{EVIDENCE, STATUS, replace},
};
use crate::{
    AssetStatus, Clock, EvidenceStore, OperatorEvent, OperatorHandle, OperatorStatus,
    ReissuanceDifferences, SystemClock, log::operator_span,
};

/// The least time between two writes.
const MIN_PAUSE: Duration = Duration::from_secs(1);

/// The longest time between two writes: a file that is much older belongs to a daemon that hangs,
/// waits to start, or is gone.
const MAX_PAUSE: Duration = Duration::from_secs(10);

/// How many alarms are kept.
const ALARMS: usize = 16;

/// Writes `status.json` and `evidence.json` next to the store of a running operator.
pub struct StatusWriter {
    folder: PathBuf,
    federation: Arc<Federation>,
    me: OperatorId,
    guard: Arc<GuardedSigner<Box<dyn Signer>>>,
    evidence: EvidenceStore,
    messenger: Option<Box<dyn Fn() -> MessengerReport + Send>>,
    reissuance: Option<Reissuance>,
    started: Option<UnixTime>,
    alarms: VecDeque<AlarmReport>,
    tip: Option<(BlockHash, BlockReport)>,
    /// How many pieces of evidence were written last, if any write succeeded.
    evidence_written: Option<usize>,
    /// The last error, so that it is logged only once.
    last_error: Option<StatusError>,
}

/// Where the state of reissuances is read.
struct Reissuance {
    assets: watch::Receiver<Vec<AssetStatus>>,
    differences: watch::Receiver<ReissuanceDifferences>,
}

impl core::fmt::Debug for StatusWriter {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("StatusWriter")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

impl StatusWriter {
    /// Creates a writer for the operator whose store is in this folder.
    #[must_use]
    pub const fn new(
        folder: PathBuf,
        federation: Arc<Federation>,
        me: OperatorId,
        guard: Arc<GuardedSigner<Box<dyn Signer>>>,
        evidence: EvidenceStore,
    ) -> Self {
        Self {
            folder,
            federation,
            me,
            guard,
            evidence,
            messenger: None,
            reissuance: None,
            started: None,
            alarms: VecDeque::new(),
            tip: None,
            evidence_written: None,
            last_error: None,
        }
    }

    /// Includes the state of the messenger.
    #[must_use]
    pub fn with_messenger(
        mut self,
        messenger: impl Fn() -> MessengerReport + Send + 'static,
    ) -> Self {
        self.messenger = Some(Box::new(messenger));
        self
    }

    /// Includes the assets that this operator reissues.
    #[must_use]
    pub fn with_reissuance(mut self, operator: &OperatorHandle) -> Self {
        self.reissuance = Some(Reissuance {
            assets: operator.reissuance(),
            differences: operator.reissuance_differences(),
        });
        self
    }

    /// Writes until the operator stops, and once more then. If a file cannot be written, that is
    /// only logged: blocks do not wait for it.
    pub async fn run(
        self,
        status: watch::Receiver<OperatorStatus>,
        events: broadcast::Receiver<OperatorEvent>,
    ) {
        let span = operator_span(&self.federation, self.me);
        self.run_in_span(status, events).instrument(span).await;
    }

    async fn run_in_span(
        mut self,
        mut status: watch::Receiver<OperatorStatus>,
        mut events: broadcast::Receiver<OperatorEvent>,
    ) {
        let mut next = Instant::now();
        let mut latest = next;
        let mut dirty = true;
        loop {
            tokio::select! {
                changed = status.changed() => match changed {
                    Ok(()) => dirty = true,
                    Err(_) => break,
                },
                event = events.recv() => match event {
                    Ok(event) => self.on_event(&event),
                    // Alarms that were missed here are in the log.
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => break,
                },
                () = tokio::time::sleep_until(if dirty { next } else { latest }) => {
                    let now = status.borrow_and_update().clone();
                    self.write(&now).await;
                    dirty = false;
                    next = Instant::now() + MIN_PAUSE;
                    latest = Instant::now() + MAX_PAUSE;
                }
            }
        }
        while let Ok(event) = events.try_recv() {
            self.on_event(&event);
        }
        let last = status.borrow().clone();
        self.write(&last).await;
    }

    fn on_event(&mut self, event: &OperatorEvent) {
        let OperatorEvent::Protocol(Event::Alarm(alarm)) = event else {
            return;
        };
        let report = AlarmReport {
            at: SystemClock.now().as_millis(),
            code: alarm.code().to_string(),
            text: alarm.to_string(),
        };
        self.alarms.retain(|known| known.text != report.text);
        self.alarms.push_back(report);
        while self.alarms.len() > ALARMS {
            self.alarms.pop_front();
        }
    }

    async fn write(&mut self, status: &OperatorStatus) {
        let now = SystemClock.now();
        if let Some(tip) = status.tip
            && self.tip.as_ref().is_none_or(|(known, _)| *known != tip.1)
        {
            let report = BlockReport::new(tip, status, &self.federation, now);
            self.tip = Some((tip.1, report));
        }
        let mut report = StatusReport::new(&self.federation, self.me, status, now);
        report.tip = self.tip.as_ref().map(|(_, report)| report.clone());
        report.started = self.started.get_or_insert(now).as_millis();
        report.messenger = self.messenger.as_ref().map(|messenger| messenger());
        if let Some(reissuance) = &self.reissuance {
            let assets = reissuance.assets.borrow();
            report.reissuance = assets.iter().map(AssetReport::new).collect();
            let differences = reissuance.differences.borrow();
            report.differences = DifferenceReport::all(&differences, &self.federation);
        }
        report.alarms = self.alarms.iter().cloned().collect();
        // If the guard cannot be read, the next signature raises an alarm.
        let records = self.guard.records().await.ok();
        report.guard = records.map(|state| GuardReport::new(GuardStanding::Active, &state));
        let (folder, federation) = (self.folder.clone(), self.federation.clone());
        let (evidence, evidence_written) = (self.evidence.clone(), self.evidence_written);
        let written = tokio::task::spawn_blocking(move || {
            let found = evidence.read().unwrap_or_default();
            report.evidence = found.len();
            replace(&folder, STATUS, &report)?;
            if evidence_written != Some(found.len()) {
                write_evidence(&folder, &federation, &found)?;
            }
            Ok(found.len())
        });
        match written.await {
            Ok(Ok(evidence_written)) => {
                self.evidence_written = Some(evidence_written);
                self.last_error = None;
            }
            Ok(Err(error)) if self.last_error.as_ref() != Some(&error) => {
                tracing::warn!(%error, "status not written");
                self.last_error = Some(error);
            }
            // Logged before, or the runtime is ending.
            Ok(Err(_)) | Err(_) => {}
        }
    }
}

fn write_evidence(
    folder: &Path,
    federation: &Federation,
    evidence: &[crate::StoredEvidence],
) -> Result<(), StatusError> {
    let reports: Vec<_> = evidence
        .iter()
        .map(|stored| EvidenceReport::new(stored, federation))
        .collect();
    replace(folder, EVIDENCE, &reports)
}
