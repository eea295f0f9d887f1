//! Reporting what is wrong with the operator itself, and when it has recovered: in log, status and
//! events.

use federation_block_signing::{Alarm, Event, Part};

use super::{Engine, duties::DutyChange};
use crate::{Concern, OperatorEvent, Trouble, calls::Answering, status::alarm_text};

impl Engine {
    /// Reports a part that has become slow, or answers again.
    pub(super) fn on_answering(&mut self, part: Part, answering: Answering) {
        let (waited, given_up) = match answering {
            Answering::Late(waited) => (waited, false),
            Answering::GivenUp(waited) => (waited, true),
            Answering::Recovered => return self.on_recovered(Concern::Part(part)),
        };
        let alarm = Alarm::NoAnswer {
            part,
            waited,
            given_up,
        };
        let since = self.clock.now();
        let text = alarm_text(&alarm);
        self.status.send_modify(|status| {
            status
                .troubles
                .entry(Concern::Part(part))
                .and_modify(|trouble| trouble.text.clone_from(&text))
                .or_insert(Trouble {
                    since,
                    blocks: None,
                    text,
                });
        });
        self.on_event(Event::Alarm(alarm));
    }

    /// Reports changes in how the operator fulfils its duties.
    pub(super) fn report_changes(&mut self, changes: impl IntoIterator<Item = DutyChange>) {
        // The status first, so that it is up to date when the event arrives.
        self.update_troubles();
        for change in changes {
            match change {
                DutyChange::Raised(alarm) => self.on_event(Event::Alarm(alarm)),
                DutyChange::Recovered(duty) => self.on_recovered(Concern::Duty(duty)),
            }
        }
    }

    /// Updates the troubles in the status, with the current number of blocks and reason.
    fn update_troubles(&self) {
        let reported = self.duties.reported().map(|(duty, streak)| {
            let alarm = streak.alarm(duty);
            let trouble = Trouble {
                since: streak.since,
                blocks: Some(streak.blocks),
                text: alarm_text(&alarm),
            };
            (Concern::Duty(duty), trouble)
        });
        let reported: Vec<_> = reported.collect();
        self.status.send_if_modified(|status| {
            let mut is_news = false;
            for (concern, trouble) in reported {
                is_news |= status.troubles.get(&concern) != Some(&trouble);
                status.troubles.insert(concern, trouble);
            }
            is_news
        });
    }

    fn on_recovered(&self, concern: Concern) {
        self.status
            .send_if_modified(|status| status.troubles.remove(&concern).is_some());
        tracing::info!("{concern}");
        self.publish(OperatorEvent::Recovered(concern));
    }
}
