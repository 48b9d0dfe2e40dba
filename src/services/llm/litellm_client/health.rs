//! Whether the server could answer. LiteLLM's own `/health` is never asked: it makes calls that cost money.

use std::time::Duration;

use http::header::AUTHORIZATION;
use reqwest::{Response, Url};
use tokio::time::timeout;

use super::{LiteLlmClient, answer};
use crate::services::llm::{ModelError, TimeoutStage};

/// For all questions together.
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);

impl LiteLlmClient {
    /// Asks LiteLLM whether it lives, then whether it is ready; a server that knows neither, for its models.
    ///
    /// # Errors
    /// That it cannot be reached, or what it answers to the last question.
    pub(super) async fn probe(&self) -> Result<(), ModelError> {
        let asking = async {
            for url in &self.endpoints.health {
                if self.get(url).await?.status().is_success() {
                    return Ok(());
                }
            }
            let response = self.get(&self.endpoints.models).await?;
            if response.status().is_success() {
                return Ok(());
            }
            Err(answer::read_error(response, "", TimeoutStage::Total, self.clock.now()).await)
        };
        timeout(CHECK_TIMEOUT, asking)
            .await
            .unwrap_or_else(|_| Err(ModelError::timeout(TimeoutStage::Total)))
    }

    /// Sends a `GET` with the key, and waits for the head of the answer.
    pub(super) async fn get(&self, url: &Url) -> Result<Response, ModelError> {
        let mut request = self.http.get(url.clone());
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        request
            .send()
            .await
            .map_err(|error| answer::transport_error(&error))
    }
}
