//! Which models the server has, and what it knows of them.
//!
//! - `body`: the rows of a list, whatever it is wrapped in
//! - `fields`: single values of a row, each of which may be missing or nonsense
//! - `rows`: what a row of each list says of a model
//!
//! Three lists are asked side by side, and each may fail alone: LiteLLM's groups and deployments, which other servers do
//! not have, and the list that all of them have. Nothing that a server answers is an error beyond the list or the value
//! that it stands in.

mod body;
mod fields;
mod rows;

use std::time::Duration;

use bytes::BytesMut;
use reqwest::Url;
use tokio::time::{Instant, timeout};

use self::rows::RowKind;
use super::{LiteLlmClient, UPSTREAM, answer};
use crate::models::model::ModelSource;
use crate::services::llm::{
    Model as _, ModelError, ModelErrorKind, SourceOutcome, SourceReport, TimeoutStage,
};

/// For each list.
const LIST_TIMEOUT: Duration = Duration::from_secs(10);

/// The largest list that is read. LiteLLM tells some 5 KB of each deployment.
const MAX_LIST_BYTES: usize = 16 * 1024 * 1024;

/// How a server says that it does not have a list, or not for us: not signed in, forbidden, no such path, no such
/// method, not implemented.
const ABSENT: [u16; 5] = [401, 403, 404, 405, 501];

impl LiteLlmClient {
    /// Asks for all lists.
    pub(super) async fn ask_for_lists(&self) -> Vec<SourceReport> {
        let started = Instant::now();
        let endpoints = &self.endpoints;
        let (groups, deployments, models) = tokio::join!(
            Box::pin(self.ask_for_list(&endpoints.model_groups, RowKind::Group)),
            Box::pin(self.ask_for_list(&endpoints.deployments, RowKind::Deployment)),
            Box::pin(self.ask_for_list(&endpoints.models, RowKind::Model)),
        );
        self.count_discovery(&[&groups, &deployments, &models], started.elapsed());
        let report = |list, outcome| SourceReport {
            server: self.name(),
            list,
            outcome,
        };
        vec![
            report(ModelSource::ModelGroups, groups),
            report(ModelSource::Deployments, deployments),
            report(ModelSource::Models, models),
        ]
    }

    async fn ask_for_list(&self, url: &Url, kind: RowKind) -> SourceOutcome {
        timeout(LIST_TIMEOUT, self.read_list(url, kind))
            .await
            .unwrap_or_else(|_| SourceOutcome::Failed(ModelError::timeout(TimeoutStage::Total)))
    }

    async fn read_list(&self, url: &Url, kind: RowKind) -> SourceOutcome {
        let mut response = match self.get(url).await {
            Ok(response) => response,
            Err(error) => return SourceOutcome::Failed(error),
        };
        let status = response.status().as_u16();
        if !response.status().is_success() {
            let error = answer::read_error(response, "", TimeoutStage::Total, self.clock.now()).await;
            return if ABSENT.contains(&status) {
                SourceOutcome::Absent(error)
            } else {
                SourceOutcome::Failed(error)
            };
        }
        let failed =
            |kind, message: &str| SourceOutcome::Failed(ModelError::new(kind, message).with_status(status));
        let mut bytes = BytesMut::new();
        match answer::read_up_to(MAX_LIST_BYTES, &mut response, &mut bytes).await {
            Ok(true) => {}
            Ok(false) => return failed(ModelErrorKind::TooLarge, "the list of models is too large"),
            Err(error) => return failed(ModelErrorKind::Failed, &answer::root_cause(&error)),
        }
        match rows::read_listing(&bytes, kind) {
            Ok(listing) => SourceOutcome::Listed(listing),
            Err(error) => failed(ModelErrorKind::Garbled, &error.to_string()),
        }
    }

    /// A discovery is one call to the server: it went well if any list could be read.
    fn count_discovery(&self, outcomes: &[&SourceOutcome], took: Duration) {
        let is_ok = outcomes
            .iter()
            .any(|outcome| matches!(outcome, SourceOutcome::Listed(_)));
        let error = outcomes.iter().rev().find_map(|outcome| match outcome {
            SourceOutcome::Absent(error) | SourceOutcome::Failed(error) => Some(error),
            SourceOutcome::Listed(_) => None,
        });
        let label = match error {
            Some(error) if !is_ok => error.kind().as_str(),
            _ => "ok",
        };
        self.metrics.upstream_call(UPSTREAM, "models", label, took);
    }
}
