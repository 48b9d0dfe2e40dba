//! Closing what nobody goes on with.
//!
//! An answer that is still recorded as running has no one who could go on with it: what was checkpointed of it, and what
//! its log in Redis has beyond that, becomes the message, with the status `interrupted`; its log is ended. Doing it twice,
//! or at two places at once, is the same as once.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, stream};

use super::core::{EngineCore, unavailable};
use super::draft::Draft;
use super::frames;
use super::records::{Checkpoint, UnfinishedGeneration};
use super::shared::{LogName, Newest, Sharing};
use crate::services::conversations::{AnswerUsage, FinishedAnswer};
use crate::services::llm::Chunk;
use crate::services::redis::RedisFailure;
use crate::utils::database::DatabaseError;
use crate::utils::errors::{ApiError, ErrorCode};
use crate::utils::sse::{SseParser, write_frame};

/// Answers that are closed at once.
const AT_ONCE: usize = 8;

/// How often the end is put into a log that grows meanwhile: its owner is not as dead as it seemed, and will end it.
const END_ATTEMPTS: u32 = 3;

/// Closes answers, and tells how many that was. One that cannot be closed does not keep others from it.
///
/// # Errors
/// The first failure of the database.
pub(super) async fn close(
    engine: &EngineCore,
    unfinished: impl Iterator<Item = UnfinishedGeneration> + Send,
) -> Result<usize, ApiError> {
    let closing = unfinished.map(async |generation| close_one(engine, &generation).await);
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

async fn close_one(engine: &EngineCore, generation: &UnfinishedGeneration) -> Result<bool, ApiError> {
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
    let log = match &engine.sharing {
        Some(sharing) => Some((
            sharing,
            add_log(sharing, generation, &checkpoints, &mut draft).await,
        )),
        None => None,
    };
    let answer = Arc::new(answer(generation, draft));
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
        && let Err(failure) = end_log(engine, sharing, &answer, newest).await
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

/// Adds what the log in Redis has beyond the checkpoints. Tells how far it goes, as far as that is known.
async fn add_log(
    sharing: &Sharing,
    generation: &UnfinishedGeneration,
    checkpoints: &[Checkpoint],
    draft: &mut Draft,
) -> Newest {
    let name = name(&generation.answer);
    let mut next = checkpoints.last().map_or(1, Checkpoint::end);
    let mut parser = SseParser::new();
    let mut newest = Newest { id: 0, ended: false };
    loop {
        match sharing.logs.read(name, next).await {
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
                tracing::warn!(%failure, stream_id = %name.stream, "an unfinished answer is closed without its log");
                return newest;
            }
        }
    }
}

/// Tells the readers of a log that nothing more will come.
async fn end_log(
    engine: &EngineCore,
    sharing: &Sharing,
    answer: &FinishedAnswer,
    mut newest: Newest,
) -> Result<(), RedisFailure> {
    let error = ApiError::new(
        ErrorCode::StreamInterrupted,
        "The answer was interrupted. What was produced is stored.",
    )
    .with_detail("message_id", answer.message_id.to_string())
    .with_detail("retry_after_ms", 1_000);
    let payload = frames::error(&error, &answer.request_id);
    for _ in 0..END_ATTEMPTS {
        if newest.ended || newest.id == 0 {
            break;
        }
        let events = [frame(newest.id + 1, &payload), frame(newest.id + 2, frames::DONE)];
        let kept = engine.settings.stream_retention;
        newest = sharing.logs.end(name(answer), newest.id, &events, kept).await?;
    }
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
    }
}

fn answer(generation: &UnfinishedGeneration, mut draft: Draft) -> FinishedAnswer {
    let mut answer = generation.answer.clone();
    answer.tool_calls = draft.tool_calls();
    let sent_bytes = usize::try_from(generation.sent_bytes).unwrap_or_default();
    answer.usage = AnswerUsage::reported_or_estimated(draft.usage, sent_bytes, draft.written_bytes());
    let (content, reasoning) = draft.take_text();
    answer.content = content;
    answer.reasoning = (!reasoning.is_empty()).then_some(reasoning);
    answer
}
