//! The log of an answer in Redis, as one of its readers reads it.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::services::generation::shared::{LogName, Request, SharedLogs};
use crate::services::redis::Subscription;

/// How often it is said that somebody reads here.
const SAY_INTERVAL: Duration = Duration::from_secs(2);

/// The log, and what tells that it has grown.
pub(super) struct Tail {
    logs: SharedLogs,
    name: LogName,
    wakes: Subscription,
    /// Since when it could not be read.
    absent_since: Option<Instant>,
    /// Redis has answered that there is none.
    missing: bool,
    /// When it was last said that somebody reads here.
    said: Option<Instant>,
}

/// What there is in the log.
pub(super) enum Found {
    /// Whole events, the id that follows them, and whether they are the last ones.
    Events(Bytes, u64, bool),
    /// Nothing new.
    Nothing,
    /// There is no log, or Redis does not answer.
    Absent,
}

impl Tail {
    pub(super) fn new(logs: &SharedLogs, name: LogName) -> Self {
        Self {
            logs: logs.clone(),
            name,
            wakes: logs.wakes(name),
            absent_since: None,
            missing: false,
            said: None,
        }
    }

    /// Reads from the event `next` on.
    pub(super) async fn read(&mut self, next: u64) -> Found {
        // What is told from here on may be news.
        while self.wakes.try_next().is_some() {}
        self.say_that_it_is_read().await;
        let reply = self.logs.read(self.name, next).await;
        if let Ok(page) = &reply {
            self.missing = page.is_none();
        }
        match reply {
            Ok(Some(page)) => {
                self.absent_since = None;
                if page.events.is_empty() {
                    return Found::Nothing;
                }
                let is_last = page.newest.ended && page.next > page.newest.id;
                Found::Events(page.events, page.next, is_last)
            }
            Ok(None) | Err(_) => {
                self.absent_since.get_or_insert_with(Instant::now);
                Found::Absent
            }
        }
    }

    /// Whoever produces the answer may stop it when nobody reads it any more.
    pub(super) async fn say_that_it_is_read(&mut self) {
        if self.said.is_none_or(|said| said.elapsed() >= SAY_INTERVAL) {
            self.said = Some(Instant::now());
            // Said again soon.
            self.logs.ask(Request::Read, self.name).await.ok();
        }
    }

    /// The id of its newest event, if there is a log and Redis answers.
    pub(super) async fn newest(&self) -> Option<u64> {
        let page = self.logs.read(self.name, u64::MAX).await.ok()??;
        Some(page.newest.id)
    }

    /// Since when it could not be read.
    pub(super) const fn absent_since(&self) -> Option<Instant> {
        self.absent_since
    }

    /// Whether there is none, as far as Redis has told.
    pub(super) const fn is_missing(&self) -> bool {
        self.missing
    }

    /// Waits until it has grown, as far as anybody tells.
    pub(super) async fn grown(&mut self) {
        self.wakes.next().await;
    }
}
