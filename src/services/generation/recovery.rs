//! Closing what nobody goes on with.
//!
//! An answer that is still recorded as running has no one who could go on with it: what was checkpointed of it, and what
//! its log in Redis has beyond that, becomes the message, with the status `interrupted`; its log is ended. Doing it twice,
//! or at two places at once, is the same as once.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, stream};
use tokio::time::Instant;

use super::core::{EngineCore, unavailable};
use super::draft::Draft;
use super::frames;
use super::orphans::Asked;
use super::records::{Checkpoint, UnfinishedGeneration};
use super::shared::{LogName, LogPage, MIN_RETENTION, Newest, Sharing};
use crate::services::billing::AnswerUsage;
use crate::services::conversations::FinishedAnswer;
use crate::services::llm::Chunk;
use crate::services::redis::RedisFailure;
use crate::utils::database::DatabaseError;
use crate::utils::errors::ApiError;
use crate::utils::sse::{SseParser, write_frame};

/// Answers that are closed at once.
const AT_ONCE: usize = 8;

/// How long Redis may take to come back, all in all, before answers are closed without their logs.
const LOGS_WITHIN: Duration = Duration::from_secs(3);

/// Between attempts to read a log.
const READ_PAUSE: Duration = Duration::from_millis(100);

/// Closes answers, and tells how many that was. One that cannot be closed does not keep others from it.
///
/// # Errors
/// The first failure of the database.
pub(super) async fn close(
    engine: &EngineCore,
    unfinished: impl Iterator<Item = UnfinishedGeneration> + Send,
    asked: Asked,
) -> Result<usize, ApiError> {
    let deadline = Instant::now() + LOGS_WITHIN;
    let closing = unfinished.map(async |generation| close_one(engine, &generation, asked, deadline).await);
    let mut closing = stream::iter(closing).buffer_unordered(AT_ONCE);
    let (mut closed, mut failure) = (0, None);
    while let Some(outcome) = closing.next().await {
        match outcome {
            Ok(has_closed) => closed += usize::from(has_closed),
            Err(error) => {
                failure.get_or_insert(error);
            }
        }
    }
    failure.map_or(Ok(closed), Err)
}

async fn close_one(
    engine: &EngineCore,
    generation: &UnfinishedGeneration,
    asked: Asked,
    deadline: Instant,
) -> Result<bool, ApiError> {
    let stream_id = generation.answer.stream_id;
    // One answer that cannot be read must not keep the service from starting.
    let checkpoints = match engine.records.checkpoints(stream_id, 1).await {
        Ok(checkpoints) => checkpoints,
        Err(error @ DatabaseError::Corrupt { .. }) => {
            tracing::error!(%error, %stream_id, "the checkpoints of an answer cannot be read, it is closed without them");
            Vec::new()
        }
        Err(error) => return Err(unavailable(error)),
    };
    let mut draft = Draft::of_checkpoints(&checkpoints);
    let covered = checkpoints.last().map_or(1, Checkpoint::end);
    let log = match &engine.sharing {
        Some(sharing) => {
            let log = Log {
                sharing,
                name: name(&generation.answer),
                deadline,
            };
            Some((sharing, log.add_to(&mut draft, covered).await))
        }
        None => None,
    };
    let answer = Arc::new(answer(generation, draft, asked));
    match engine.store.close_abandoned(answer.clone()).await {
        Ok(true) => {}
        Ok(false) => return Ok(false),
        Err(error) if error.is_outage() => return Err(error.into()),
        Err(error) => {
            tracing::error!(%error, %stream_id, "an unfinished answer cannot be closed");
            return Ok(false);
        }
    }
    if let Some((sharing, newest)) = log
        && let Err(failure) = end_log(engine, sharing, generation, newest, covered).await
    {
        tracing::warn!(%failure, %stream_id, "the log of an unfinished answer stays open; its readers ask the database");
    }
    engine.metrics.generations_recovered.inc();
    tracing::warn!(
        %stream_id,
        message_id = %answer.message_id,
        bytes = answer.content.len(),
        "closed an answer that a stopped process left unfinished"
    );
    Ok(true)
}

/// The log of an answer that is closed.
struct Log<'a> {
    sharing: &'a Sharing,
    name: LogName,
    /// Until then Redis is waited for: what is not found now is not asked for again.
    deadline: Instant,
}

impl Log<'_> {
    /// Adds what it has from the event `next` on. Tells how far it goes, as far as that is known.
    async fn add_to(&self, draft: &mut Draft, mut next: u64) -> Newest {
        let mut parser = SseParser::new();
        let mut newest = Newest { id: 0, ended: false };
        loop {
            match self.read(next).await {
                Ok(Some(page)) => {
                    newest = page.newest;
                    parser.push(&page.events);
                    while let Ok(Some(payload)) = parser.next_event() {
                        // Errors and the end of the stream bring no text.
                        if let Ok(chunk) = Chunk::parse(&payload) {
                            draft.add(&chunk);
                        }
                    }
                    if page.next > newest.id || page.events.is_empty() {
                        return newest;
                    }
                    next = page.next;
                }
                Ok(None) => return newest,
                Err(failure) => {
                    tracing::warn!(%failure, stream_id = %self.name.stream, "an unfinished answer is closed without its log");
                    return newest;
                }
            }
        }
    }

    async fn read(&self, from: u64) -> Result<Option<LogPage>, RedisFailure> {
        loop {
            match self.sharing.logs.read(self.name, from).await {
                Err(failure) if failure.is_outage() && Instant::now() < self.deadline => {
                    tokio::time::sleep(READ_PAUSE).await;
                }
                reply => return reply,
            }
        }
    }
}

/// Tells the readers of a log that nothing more will come. A log that has grown is not as abandoned as it seemed; one that
/// lacks what is checkpointed is removed, since then the database knows more.
async fn end_log(
    engine: &EngineCore,
    sharing: &Sharing,
    generation: &UnfinishedGeneration,
    newest: Newest,
    covered: u64,
) -> Result<(), RedisFailure> {
    if newest.ended || newest.id == 0 {
        return Ok(());
    }
    let name = name(&generation.answer);
    if newest.id + 1 < covered {
        return sharing.logs.remove(&[name]).await;
    }
    let answer = &generation.answer;
    let error = frames::interrupted(Some(answer.message_id));
    let events = [
        frame(newest.id + 1, &frames::error(&error, &answer.request_id)),
        frame(newest.id + 2, frames::DONE),
    ];
    let kept = engine.settings.stream_retention.max(MIN_RETENTION);
    sharing.logs.end(name, newest.id, &events, kept).await?;
    Ok(())
}

fn frame(id: u64, payload: &[u8]) -> Bytes {
    let mut frame = BytesMut::new();
    write_frame(&mut frame, id, payload);
    frame.freeze()
}

const fn name(answer: &FinishedAnswer) -> LogName {
    LogName {
        user: answer.user_id,
        stream: answer.stream_id,
        recorded: true,
    }
}

fn answer(generation: &UnfinishedGeneration, mut draft: Draft, asked: Asked) -> FinishedAnswer {
    let mut answer = generation.answer.clone();
    answer.tool_calls = draft.tool_calls();
    let sent_bytes = usize::try_from(generation.sent_bytes).unwrap_or_default();
    answer.usage = match asked {
        Asked::No => AnswerUsage::default(),
        Asked::Perhaps => AnswerUsage::reported_or_estimated(draft.usage, sent_bytes, draft.written_bytes()),
    };
    let (content, reasoning) = draft.take_text();
    answer.content = content;
    answer.reasoning = (!reasoning.is_empty()).then_some(reasoning);
    answer
}
