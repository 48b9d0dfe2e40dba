//! All answers of a user who is erased.

use async_trait::async_trait;
use futures_util::future::join_all;
use tokio::time::Instant;
use uuid::Uuid;

use super::engine::Engine;
use super::shared::{LogName, Request};
use super::stop::{POLL_INTERVAL, STOP_PATIENCE, cancel_elsewhere};
use crate::models::ids::{StreamId, UserId};
use crate::services::privacy::UserAnswers;

#[async_trait]
impl UserAnswers for Engine {
    async fn stop_all(&self, user: UserId, held: Vec<StreamId>) {
        let engine = &self.0;
        let deadline = Instant::now() + STOP_PATIENCE;
        let running = engine.registry.running_of(user);
        for generation in &running {
            generation.cancel();
        }
        engine.billing.stop(user, None);
        let here = running.iter().map(|generation| generation.ended());
        let elsewhere = held
            .into_iter()
            .filter(|id| engine.registry.held(*id).is_none())
            .map(|id| cancel_elsewhere(engine, user, id, STOP_PATIENCE));
        let (_, elsewhere) = tokio::join!(
            // An answer that was lost has ended too.
            tokio::time::timeout_at(deadline, join_all(here)),
            join_all(elsewhere)
        );
        for stopped in elsewhere {
            if let Err(error) = stopped {
                tracing::warn!(%error, "an answer of an erased user goes on elsewhere");
            }
        }
        while engine.billing.has_open(user) && Instant::now() < deadline {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    async fn forget(&self, user: UserId) {
        self.0.registry.forget_user(user);
        if let Some(sharing) = &self.0.sharing {
            let name = LogName {
                user,
                stream: StreamId(Uuid::nil()),
                recorded: false,
            };
            // Who does not hear it forgets when the retention is over.
            sharing.logs.ask(Request::Forget, name).await.ok();
        }
    }
}
