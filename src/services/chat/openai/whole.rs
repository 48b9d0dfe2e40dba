//! Whole answers for OpenAI's clients.

use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::{Wanted, hold};
use crate::models::message::MessageStatus;
use crate::services::billing::{AnswerUsage, UsageEvent};
use crate::services::generation::{AnswerReport, Engine, LAST_SAVE};
use crate::services::llm::{Completion, ModelCall, ModelError, ModelErrorKind, TimeoutStage};
use crate::services::outbox::Outbox;
use crate::utils::clock::Clock;
use crate::utils::errors::{ApiError, ErrorCode};

/// The task that asks for a whole answer, and accounts for it.
pub(super) struct WholeAnswer {
    pub(super) engine: Engine,
    pub(super) outbox: Outbox,
    pub(super) clock: Clock,
    /// `STREAM_TIMEOUT`.
    pub(super) limit: Duration,
    /// Cancelled when the process has to end.
    pub(super) hard: CancellationToken,
    /// Cancelled when nobody waits for the answer.
    pub(super) gone: CancellationToken,
}

/// What came of asking.
struct Outcome {
    status: MessageStatus,
    result: Result<Completion, ApiError>,
    /// Whether a model has been at work, also where it has no answer.
    has_worked: bool,
}

impl WholeAnswer {
    /// Holds back, asks, settles, and replies.
    pub(super) async fn run(self, wanted: Wanted, reply: oneshot::Sender<Result<Completion, ApiError>>) {
        let Wanted {
            id,
            reservation,
            mut call,
            admission,
        } = wanted;
        let sent_bytes = usize::try_from(reservation.sent_bytes).unwrap_or(usize::MAX);
        let open = match hold(self.engine.billing(), reservation, &mut call).await {
            Ok(open) => open,
            Err(error) => {
                admission.give_back().await;
                // The client may have gone away.
                let _ = reply.send(Err(error));
                return;
            }
        };
        let started = tokio::time::Instant::now();
        let Outcome {
            status,
            result,
            has_worked,
        } = self.ask(&call, &open.stopped).await;
        let took = started.elapsed();
        let (model, mut usage) = match &result {
            Ok(completion) => (completion.model.clone(), self.usage(completion, sent_bytes)),
            // It has read at least what it was sent.
            Err(_) if has_worked => {
                let mut usage = AnswerUsage::reported_or_estimated(None, sent_bytes, 0);
                usage.cost = self.engine.billing().cost(&call.model, &usage);
                (call.model.clone(), usage)
            }
            Err(_) => (call.model.clone(), AnswerUsage::default()),
        };
        usage.cap_estimate(open.hold.amount);
        self.engine.report(&AnswerReport {
            model: &model,
            user: call.user,
            conversation: None,
            status,
            streamed: false,
            usage: &usage,
            held: open.hold.amount,
            took,
        });
        let event = UsageEvent {
            id,
            user_id: call.user,
            request_id: call.request_id,
            conversation_id: None,
            message_id: None,
            model,
            status,
            streamed: false,
            usage,
            attempts: call.attempts.take(),
            latency_ms: u64::try_from(took.as_millis()).ok(),
            first_token_ms: None,
            provisional: false,
            created_at: self.clock.now(),
        };
        let limit = if self.hard.is_cancelled() {
            LAST_SAVE
        } else {
            Duration::MAX
        };
        self.outbox.record_usage(event, limit).await;
        drop(open);
        admission.give_back().await;
        // The client may have gone away.
        let _ = reply.send(result);
    }

    /// Asks, unless nobody wants to know any more, or until its user is erased.
    async fn ask(&self, call: &ModelCall, withdrawn: &CancellationToken) -> Outcome {
        let stopped = |status, has_worked| Outcome {
            status,
            result: Err(interrupted()),
            has_worked,
        };
        if self.hard.is_cancelled() {
            return stopped(MessageStatus::Interrupted, false);
        }
        if self.gone.is_cancelled() {
            return stopped(MessageStatus::Cancelled, false);
        }
        tokio::select! {
            biased;
            () = self.hard.cancelled() => stopped(MessageStatus::Interrupted, true),
            () = self.gone.cancelled() => stopped(MessageStatus::Cancelled, true),
            () = withdrawn.cancelled() => stopped(MessageStatus::Cancelled, true),
            () = tokio::time::sleep(self.limit) => failed(ModelError::timeout(TimeoutStage::Total)),
            completion = self.engine.model().complete(call) => match completion {
                Ok(completion) => Outcome {
                    status: MessageStatus::Completed,
                    result: Ok(completion),
                    has_worked: true,
                },
                Err(error) => failed(error),
            },
        }
    }

    /// What the model says it used, and where it does not, what its size suggests; what it says it cost, and where it does
    /// not, what its prices come to.
    fn usage(&self, completion: &Completion, sent_bytes: usize) -> AnswerUsage {
        let written = written_bytes(&completion.body);
        let mut usage = AnswerUsage::reported_or_estimated(completion.usage, sent_bytes, written);
        let billing = self.engine.billing();
        usage.cost = completion
            .cost
            .or_else(|| billing.cost(&completion.model, &usage));
        usage
    }
}

fn failed(error: ModelError) -> Outcome {
    Outcome {
        status: match error.kind() {
            ModelErrorKind::Interrupted => MessageStatus::Interrupted,
            _ => MessageStatus::Failed,
        },
        has_worked: error.came_after_work(),
        result: Err(error.into()),
    }
}

/// How much a model wrote, whatever stands around it.
fn written_bytes(completion: &[u8]) -> usize {
    #[derive(Deserialize)]
    struct Answer<'a> {
        #[serde(borrow)]
        choices: Vec<Choice<'a>>,
    }
    #[derive(Deserialize)]
    struct Choice<'a> {
        #[serde(borrow)]
        message: &'a RawValue,
    }
    let answer: Result<Answer<'_>, _> = serde_json::from_slice(completion);
    answer.map_or(completion.len(), |answer| {
        answer
            .choices
            .iter()
            .map(|choice| choice.message.get().len())
            .sum()
    })
}

/// Why an answer that was stopped from our side is not there.
pub(super) fn interrupted() -> ApiError {
    ApiError::new(
        ErrorCode::StreamInterrupted,
        "The answer ended before it was complete.",
    )
}
