//! Copies what the logs of this process gained, as soon as Redis has taken what came before.
//!
//! There is one exchange at a time, with whatever has come meanwhile; so there is no delay where there is little to do, and
//! few exchanges where there is much. While Redis does not answer, nothing waits for it: readers see what there is, and
//! what is missing in Redis is copied when it is back.

use std::collections::VecDeque;
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

/// Bytes of events in one exchange, and of each log in it.
const BYTES_AT_ONCE: usize = 256 * 1024;

/// A log with a larger event is not copied: Redis would have to be waited for.
const MAX_EVENT: usize = 256 * 1024;

/// A log that holds more is not copied any more.
const MAX_LOG: usize = 16 * 1024 * 1024;

/// After a failure, before Redis is tried again.
const PAUSE: Duration = Duration::from_millis(250);

/// How long an answer that is not recorded in the database is kept in Redis after its instance was last heard of; others are
/// ended by whoever finds that their instance is gone.
const UNRECORDED_TTL: Duration = Duration::from_secs(15);

/// How often such answers are heard of.
const UNRECORDED_BEAT: Duration = Duration::from_secs(5);

/// How long the last events may take to be copied when the process ends.
const LAST_COPY: Duration = Duration::from_secs(1);

/// Copies until `stop` is cancelled, if there is a Redis.
pub(in crate::services::generation) async fn run(engine: &EngineCore, stop: &CancellationToken) {
    let Some(sharing) = &engine.sharing else {
        return;
    };
    let writer = Writer { engine, sharing };
    stop.run_until_cancelled(writer.copy_for_ever()).await;
    let last = writer.copy_all(sharing.queue.take_now().into());
    // Who reads elsewhere learns of the end from the database.
    let _ = tokio::time::timeout(LAST_COPY, last).await;
    writer.wait_for_nobody();
}

struct Writer<'a> {
    engine: &'a EngineCore,
    sharing: &'a Sharing,
}

/// What is sent of one log.
struct Sent {
    generation: Arc<Generation>,
    events: Uncopied,
}

impl Writer<'_> {
    const fn logs(&self) -> &SharedLogs {
        &self.sharing.logs
    }

    async fn copy_for_ever(&self) {
        let mut availability = self.logs().availability();
        // The sender lives as long as the logs.
        while availability.wait_for(|now| now.is_up()).await.is_ok() {
            let failure = match self.copy_all(self.copied_logs()).await {
                Ok(()) => self.copy_as_it_comes().await,
                Err(failure) => failure,
            };
            self.wait_for_nobody();
            tracing::debug!(%failure, "logs cannot be copied just now");
            self.engine
                .metrics
                .best_effort_failures
                .with_label_values(&["shared_log"])
                .inc();
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Copies what is appended, before readers see it; returns why it cannot go on.
    async fn copy_as_it_comes(&self) -> RedisFailure {
        self.sharing.queue.open();
        // What was appended between the copy before and now. Redis may have come back without what it had.
        for generation in self.engine.registry.all() {
            generation.log.queue();
        }
        let mut beat = Instant::now() + UNRECORDED_BEAT;
        loop {
            if let Ok(logs) = tokio::time::timeout_at(beat, self.sharing.queue.take()).await
                && let Err(failure) = self.copy_all(logs.into()).await
            {
                return failure;
            }
            if Instant::now() >= beat {
                beat = Instant::now() + UNRECORDED_BEAT;
                self.queue_unrecorded();
            }
        }
    }

    fn copied_logs(&self) -> VecDeque<StreamId> {
        let held = self.engine.registry.all().into_iter();
        held.filter(|generation| generation.log.is_copied())
            .map(|generation| generation.id)
            .collect()
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

    /// Copies all that these logs have.
    async fn copy_all(&self, mut logs: VecDeque<StreamId>) -> Result<(), RedisFailure> {
        while !logs.is_empty() {
            let round = self.next_round(&mut logs).await;
            let appends: Vec<_> = round.iter().map(|sent| self.append(sent)).collect();
            if appends.is_empty() {
                continue;
            }
            let newest = self.logs().append(&appends).await?;
            for (sent, newest) in round.iter().zip(newest) {
                if self.note(sent, newest).await {
                    logs.push_back(sent.generation.id);
                }
            }
        }
        Ok(())
    }

    /// Takes logs, and what they have, up to the bounds of an exchange.
    async fn next_round(&self, logs: &mut VecDeque<StreamId>) -> Vec<Sent> {
        let (mut round, mut bytes) = (Vec::new(), 0);
        while round.len() < LOGS_AT_ONCE && bytes < BYTES_AT_ONCE {
            let Some(id) = logs.pop_front() else { break };
            let Some(generation) = self.engine.registry.held(id) else {
                continue;
            };
            let is_too_large = generation.log.bytes() > MAX_LOG;
            let events = generation.log.uncopied(BYTES_AT_ONCE).filter(|uncopied| {
                !is_too_large && uncopied.events.iter().all(|event| event.len() <= MAX_EVENT)
            });
            match events {
                Some(events) => {
                    bytes += events.events.iter().map(bytes::Bytes::len).sum::<usize>();
                    round.push(Sent { generation, events });
                }
                None => self.give_up(&generation).await,
            }
        }
        round
    }

    fn append<'a>(&self, sent: &'a Sent) -> Append<'a> {
        let settings = &self.engine.settings;
        let ttl = match sent.generation.kind {
            _ if sent.events.ends => settings.stream_retention,
            Kind::Conversation(_) => settings.stream_timeout + settings.stream_retention,
            Kind::Stateless { .. } => UNRECORDED_TTL,
        };
        Append {
            name: name(&sent.generation),
            events: &sent.events,
            ttl,
        }
    }

    /// Notes what Redis has; tells whether there is more to be sent.
    async fn note(&self, sent: &Sent, newest: Newest) -> bool {
        let log = &sent.generation.log;
        let ended_here = sent.events.ends && newest.id + 1 == sent.events.next();
        if newest.ended && !ended_here {
            tracing::warn!(stream_id = %sent.generation.id, "another instance has ended the log of this answer");
            self.give_up(&sent.generation).await;
            return false;
        }
        log.has_copied(newest.id + 1)
    }

    /// Removes a log from Redis, and copies nothing of it any more: its readers elsewhere read from the database then.
    async fn give_up(&self, generation: &Generation) {
        if !generation.log.stop_copying() {
            return;
        }
        if let Err(failure) = self.logs().remove(name(generation)).await {
            tracing::debug!(%failure, stream_id = %generation.id, "a log stays in Redis until its time is over");
        }
    }
}

const fn name(generation: &Generation) -> LogName {
    LogName {
        user: generation.user_id,
        stream: generation.id,
    }
}
