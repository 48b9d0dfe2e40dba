//! Whether a server could answer. LiteLLM's own `/health` is never asked: it makes calls that cost money.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::{Response, Url};
use tokio::time::timeout;

use super::servers::Server;
use super::{LiteLlmClient, answer};
use crate::services::llm::{ModelError, TimeoutStage};

/// For all questions to one server together.
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);

impl LiteLlmClient {
    /// Asks all servers side by side. One that could answer is enough.
    ///
    /// # Errors
    /// What is wrong with the first of them.
    pub(super) async fn probe(&self) -> Result<(), ModelError> {
        let probes = self
            .servers
            .all()
            .iter()
            .map(|server| Box::pin(self.probe_server(server)));
        let mut failure = None;
        for result in join_all(probes).await {
            match result {
                Ok(()) => return Ok(()),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        failure.map_or(Ok(()), Err)
    }

    /// Asks LiteLLM whether it lives, then whether it is ready; a server that knows neither, for its models.
    async fn probe_server(&self, server: &Server) -> Result<(), ModelError> {
        let asking = async {
            let own = if server.is_direct {
                &[]
            } else {
                &server.endpoints.health[..]
            };
            for url in own {
                if self.get(server, url).await?.status().is_success() {
                    return Ok(());
                }
            }
            let response = self.get(server, &server.endpoints.models).await?;
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
    pub(super) async fn get(&self, server: &Server, url: &Url) -> Result<Response, ModelError> {
        self.http
            .get(url.clone())
            .headers(server.list_headers.clone())
            .send()
            .await
            .map_err(|error| answer::transport_error(&error))
    }
}
