//! Copies what the logs of this process gained, as soon as Redis has taken what came before.
//!
//! There is one exchange at a time, with whatever has come meanwhile; so there is no delay where there is little to do, and
//! few exchanges where there is much. While Redis does not answer, nothing waits for it: readers see what there is, and
//! what is missing in Redis is copied when it is back.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::logs::{Append, LogName, Newest};
use super::{SharedLogs, Sharing};
use crate::models::ids::StreamId;
use crate::services::generation::core::EngineCore;
use crate::services::generation::handle::Generation;
use crate::services::generation::replay::Uncopied;
use crate::services::generation::turn::Kind;
use crate::services::redis::RedisFailure;

/// Logs in one exchange.
const LOGS_AT_ONCE: usize = 256;

/// Bytes of events in one exchange.
const BYTES_AT_ONCE: usize = 256 * 1024;

/// Bytes of events of one log in an exchange: others have their turn, too.
const BYTES_OF_ONE: usize = 64 * 1024;

/// How long logs may wait for their turn while readers wait for the copy.
const MAX_TURN: Duration = Duration::from_millis(100);

/// How long an ended log is kept in Redis at least.
pub(in crate::services::generation) const MIN_RETENTION: Duration = Duration::from_secs(10);

/// A log with a larger event is not copied: Redis would have to be waited for.
const MAX_EVENT: usize = 256 * 1024;

/// A log of which more was written, in bytes, is not copied any more.
const MAX_LOG: usize = 16 * 1024 * 1024;

/// After a failure, before Redis is tried again.
const PAUSE: Duration = Duration::from_millis(250);

/// How long an answer that is not recorded in the database is kept in Redis after its instance was last heard of; others are
/// ended by whoever finds that their instance is gone.
const UNRECORDED_TTL: Duration = Duration::from_secs(15);

/// How often such answers are heard of.
const UNRECORDED_BEAT: Duration = Duration::from_secs(5);

/// Between attempts to copy the last events.
const LAST_PAUSE: Duration = Duration::from_millis(50);

/// How long the last events may take to be copied when the process ends.
const LAST_COPY: Duration = Duration::from_secs(1);

/// Copies until `stop` is cancelled, if there is a Redis.
pub(in crate::services::generation) async fn run(engine: &EngineCore, stop: &CancellationToken) {
    let Some(sharing) = &engine.sharing else {
        return;
    };
    let mut writer = Writer {
        engine,
        sharing,
        given_up: Vec::new(),
    };
    stop.run_until_cancelled(writer.copy_for_ever()).await;
    // Who reads elsewhere learns of the end from the database, if it is not told here.
    let _ = tokio::time::timeout(LAST_COPY, writer.copy_the_last()).await;
}

struct Writer<'a> {
    engine: &'a EngineCore,
    sharing: &'a Sharing,
    /// Logs that are not copied any more, and are to be removed in Redis.
    given_up: Vec<LogName>,
}

impl Drop for Writer<'_> {
    /// Whatever becomes of the writer, readers do not wait for it.
    fn drop(&mut self) {
        self.wait_for_nobody();
    }
}

/// What is sent of one log.
struct Sent {
    generation: Arc<Generation>,
    events: Uncopied,
}

/// Why readers are not to wait for copies just now.
#[derive(Debug, thiserror::Error)]
enum Setback {
    #[error(transparent)]
    Failed(#[from] RedisFailure),
    #[error("it takes too long until everything has its turn")]
    Slow,
}

impl Writer<'_> {
    const fn logs(&self) -> &SharedLogs {
        &self.sharing.logs
    }

    async fn copy_for_ever(&mut self) {
        let mut availability = self.logs().availability();
        // The sender lives as long as the logs.
        while availability.wait_for(|now| now.is_up()).await.is_ok() {
            let setback = match self.copy_all().await {
                Ok(()) => self.copy_as_it_comes().await,
                Err(failure) => failure.into(),
            };
            self.wait_for_nobody();
            tracing::debug!(%setback, "readers do not wait for copies just now");
            self.engine
                .metrics
                .best_effort_failures
                .with_label_values(&["shared_log"])
                .inc();
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Copies what is appended, before readers see it; returns why that cannot go on.
    async fn copy_as_it_comes(&mut self) -> Setback {
        self.sharing.queue.open();
        // What was appended between the copy before and now. Redis may have come back without what it had.
        for generation in self.engine.registry.all() {
            generation.log.queue();
        }
        let mut beat = Instant::now() + UNRECORDED_BEAT;
        loop {
            if let Ok(logs) = tokio::time::timeout_at(beat, self.sharing.queue.take()).await
                && let Err(setback) = self.copy_in_turn(logs.into()).await
            {
                return setback;
            }
            if Instant::now() >= beat {
                beat = Instant::now() + UNRECORDED_BEAT;
                self.queue_unrecorded();
            }
        }
    }

    /// Copies what is left when nothing more is written here, as soon as Redis takes it.
    async fn copy_the_last(&mut self) {
        while self.copy_all().await.is_err() {
            tokio::time::sleep(LAST_PAUSE).await;
        }
    }

    fn queue_unrecorded(&self) {
        for generation in self.engine.registry.all() {
            if matches!(generation.kind, Kind::Stateless { .. }) && !generation.log.has_ended() {
                generation.log.queue();
            }
        }
    }

    /// Readers see from now on what there is, copied or not.
    fn wait_for_nobody(&self) {
        self.sharing.queue.close();
        for generation in self.engine.registry.all() {
            generation.log.show_all();
        }
    }

    /// Copies what all logs have now, but not what they gain meanwhile: that may never end.
    async fn copy_all(&mut self) -> Result<(), RedisFailure> {
        self.remove_given_up().await?;
        let copied = self.engine.registry.all().into_iter();
        let mut ends: HashMap<_, _> = copied
            .filter(|generation| generation.log.is_copied())
            .map(|generation| (generation.id, generation.log.next_id()))
            .collect();
        let mut logs: VecDeque<_> = ends.keys().copied().collect();
        while !logs.is_empty() {
            for generation in self.copy_some(&mut logs).await? {
                let has_more = |end: &u64| generation.log.copied_until() < *end;
                if ends.get(&generation.id).is_some_and(has_more) {
                    logs.push_back(generation.id);
                } else {
                    ends.remove(&generation.id);
                }
            }
        }
        Ok(())
    }

    /// Copies what these logs have, and those that are queued meanwhile, each in its turn. A log waits [`MAX_TURN`] at most,
    /// and its readers with it.
    async fn copy_in_turn(&mut self, mut logs: VecDeque<StreamId>) -> Result<(), Setback> {
        let (mut began, mut in_this_turn) = (Instant::now(), logs.len());
        while !logs.is_empty() {
            let before = logs.len();
            let copied = self.copy_some(&mut logs).await?;
            in_this_turn = in_this_turn.saturating_sub(before - logs.len());
            let have_more = copied.iter().filter(|generation| generation.log.needs_turn());
            logs.extend(have_more.map(|generation| generation.id));
            logs.extend(self.sharing.queue.take_now());
            if began.elapsed() > MAX_TURN {
                return Err(Setback::Slow);
            }
            if in_this_turn == 0 {
                (began, in_this_turn) = (Instant::now(), logs.len());
            }
        }
        Ok(())
    }

    /// Takes the first of these logs, and copies what they have, in one exchange. Returns those that may have more.
    async fn copy_some(
        &mut self,
        logs: &mut VecDeque<StreamId>,
    ) -> Result<Vec<Arc<Generation>>, RedisFailure> {
        let round = self.next_round(logs);
        let mut copied = Vec::with_capacity(round.len());
        if !round.is_empty() {
            let appends: Vec<_> = round.iter().map(|sent| self.append(sent)).collect();
            let newest = self.logs().append(&appends).await?;
            for (sent, newest) in round.into_iter().zip(newest) {
                if is_ended_by_another(&sent, newest) {
                    self.give_up(&sent.generation);
                } else {
                    sent.generation.log.has_copied(newest.id + 1);
                    copied.push(sent.generation);
                }
            }
        }
        self.remove_given_up().await?;
        Ok(copied)
    }

    /// Takes logs, and what they have, up to the bounds of an exchange.
    fn next_round(&mut self, logs: &mut VecDeque<StreamId>) -> Vec<Sent> {
        let (mut round, mut bytes) = (Vec::new(), 0);
        while round.len() < LOGS_AT_ONCE && bytes < BYTES_AT_ONCE {
            let Some(id) = logs.pop_front() else { break };
            let Some(generation) = self.engine.registry.held(id) else {
                continue;
            };
            let is_too_large = generation.log.written() > MAX_LOG;
            let events = generation.log.uncopied(BYTES_OF_ONE).filter(|uncopied| {
                !is_too_large && uncopied.events.iter().all(|event| event.len() <= MAX_EVENT)
            });
            match events {
                Some(events) => {
                    bytes += events.events.iter().map(bytes::Bytes::len).sum::<usize>();
                    round.push(Sent { generation, events });
                }
                None => self.give_up(&generation),
            }
        }
        round
    }

    fn append<'a>(&self, sent: &'a Sent) -> Append<'a> {
        let settings = &self.engine.settings;
        let ttl = match sent.generation.kind {
            // Who reads it elsewhere needs a moment to read its end.
            _ if sent.events.ends => settings.stream_retention.max(MIN_RETENTION),
            Kind::Conversation(_) => settings.stream_timeout + settings.stream_retention,
            Kind::Stateless { .. } => UNRECORDED_TTL,
        };
        Append {
            name: name(&sent.generation),
            events: &sent.events,
            ttl,
        }
    }

    /// Copies nothing of a log any more. What there is of it in Redis is to be removed, so that its readers elsewhere read
    /// from the database.
    fn give_up(&mut self, generation: &Generation) {
        if generation.log.stop_copying() {
            self.given_up.push(name(generation));
        }
    }

    async fn remove_given_up(&mut self) -> Result<(), RedisFailure> {
        if !self.given_up.is_empty() {
            self.logs().remove(&self.given_up).await?;
            self.given_up.clear();
        }
        Ok(())
    }
}

fn is_ended_by_another(sent: &Sent, newest: Newest) -> bool {
    let by_another = newest.ended && sent.generation.log.ends_at() != Some(newest.id);
    if by_another {
        tracing::warn!(stream_id = %sent.generation.id, "another instance has ended the log of this answer");
    }
    by_another
}

const fn name(generation: &Generation) -> LogName {
    LogName {
        user: generation.user_id,
        stream: generation.id,
        recorded: matches!(generation.kind, Kind::Conversation(_)),
    }
}
