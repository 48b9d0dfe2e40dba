//! Stopping answers, wherever they are produced.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::core::{EngineCore, unavailable};
use super::engine::Engine;
use super::shared::{LogName, Request, asked};
use crate::models::ids::{ConversationId, MessageId, StreamId, UserId};
use crate::models::message::MessageStatus;
use crate::services::conversations::RunningAnswers;
use crate::services::redis::Notice;
use crate::utils::errors::ApiError;

/// How long stopped answers may take to be stored. One that takes longer goes on alone.
pub(super) const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// How often an instance looks whether others were asked to stop what it produces.
pub(super) const REQUESTS_INTERVAL: Duration = Duration::from_millis(500);

/// How often somebody who waits for another instance looks whether it has stopped.
pub(super) const POLL_INTERVAL: Duration = Duration::from_millis(100);

#[async_trait]
impl RunningAnswers for Engine {
    async fn stop_in(&self, user: UserId, conversation: ConversationId) {
        let engine = &self.0;
        let running = engine.registry.all_running_in(user, conversation);
        for generation in &running {
            generation.cancel();
        }
        let ends = join_all(running.iter().map(|generation| generation.ended()));
        // An answer that was lost has ended too.
        let _ = tokio::time::timeout(STOP_PATIENCE, ends).await;
        let elsewhere = match engine.records.running_in(user, conversation).await {
            Ok(elsewhere) => elsewhere,
            Err(error) => {
                tracing::warn!(%error, "the running answers of a conversation are not known");
                return;
            }
        };
        let stops = elsewhere
            .into_iter()
            .map(|id| cancel_elsewhere(engine, user, id, STOP_PATIENCE));
        for stopped in join_all(stops).await {
            if let Err(error) = stopped {
                tracing::warn!(%error, "an answer of another instance goes on");
            }
        }
    }
}

/// Asks whoever produces an answer to stop, and waits until it is stored, at most so long. Tells how it ended and which
/// message it is; `None` if there is no such answer.
pub(super) async fn cancel_elsewhere(
    engine: &EngineCore,
    user: UserId,
    id: StreamId,
    patience: Duration,
) -> Result<Option<(MessageStatus, Option<MessageId>)>, ApiError> {
    let deadline = Instant::now() + patience;
    let mut asked = false;
    loop {
        let record = engine.records.generation(user, id).await.map_err(unavailable)?;
        let Some(record) = record else {
            let name = LogName {
                user,
                stream: id,
                recorded: false,
            };
            let ended = cancel_unrecorded(engine, name, deadline).await?;
            return Ok(ended.map(|status| (status, None)));
        };
        let waits = record.status == MessageStatus::Streaming && Instant::now() < deadline;
        if !waits {
            return Ok(Some((record.status, Some(record.turn.message_id))));
        }
        if !asked {
            asked = engine
                .records
                .request_cancel(user, id)
                .await
                .map_err(unavailable)?;
            if let Some(sharing) = &engine.sharing {
                // The database tells, too.
                let name = LogName {
                    user,
                    stream: id,
                    recorded: true,
                };
                sharing.logs.ask(Request::Stop, name).await.ok();
            }
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// The same for an answer that has a log in Redis, and is recorded nowhere else. One that has ended is said to be
/// completed: how it ended is in its log alone.
async fn cancel_unrecorded(
    engine: &EngineCore,
    name: LogName,
    deadline: Instant,
) -> Result<Option<MessageStatus>, ApiError> {
    let Some(sharing) = &engine.sharing else {
        return Ok(None);
    };
    if !super::remote::has_log(engine, name).await? {
        return Ok(None);
    }
    let mut status = MessageStatus::Completed;
    while Instant::now() < deadline {
        match sharing.logs.read(name, u64::MAX).await {
            Ok(Some(page)) if page.newest.ended => return Ok(Some(status)),
            Ok(None) => return Ok(None),
            // Said again the next time, as whatever Redis did not take.
            Ok(Some(_)) => {
                status = MessageStatus::Cancelled;
                sharing.logs.ask(Request::Stop, name).await.ok();
            }
            Err(_) => {}
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    Ok(Some(MessageStatus::Streaming))
}

/// Does what is asked through Redis, until `stop` is cancelled: stops answers sooner than the database tells, and also those
/// that are recorded nowhere; and notes who is read elsewhere.
pub(super) async fn obey_published(engine: &EngineCore, stop: &CancellationToken) {
    let Some(sharing) = &engine.sharing else {
        return;
    };
    let mut requests = sharing.logs.requests();
    let obey = async {
        loop {
            // What was missed is said again.
            if let Notice::Message(payload) = requests.next().await
                && let Some((request, name)) = asked(&payload)
            {
                let held = engine.registry.get(name.user, name.stream);
                match (request, held) {
                    (Request::Forget, _) => engine.registry.forget_user(name.user),
                    (Request::Stop, Some(generation)) => generation.cancel(),
                    (Request::Read, Some(generation)) => generation.note_reader_elsewhere(),
                    (Request::Stop, None) => engine.billing.stop(name.user, Some(name.stream)),
                    (Request::Read, None) => {}
                }
            }
        }
    };
    stop.run_until_cancelled(obey).await;
}

/// Stops what other instances were asked to stop.
pub(super) async fn obey_requests(engine: &EngineCore) {
    if !engine.registry.has_running() {
        return;
    }
    match engine.records.cancel_requests().await {
        Ok(ids) => {
            for generation in ids.into_iter().filter_map(|id| engine.registry.held(id)) {
                generation.cancel();
            }
        }
        Err(error) => tracing::debug!(%error, "it is not known which answers are to be stopped"),
    }
}
