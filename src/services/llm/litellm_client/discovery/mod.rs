//! Which models the server has, and what it knows of them.
//!
//! - `body`: the rows of a list, whatever it is wrapped in
//! - `fields`: single values of a row, each of which may be missing or nonsense
//! - `rows`: what a row of each list says of a model
//!
//! Three lists of a server are asked for side by side, and each may fail alone: LiteLLM's groups and deployments, which
//! other servers do not have, and the list that all of them have. Nothing that a server answers is an error beyond the
//! list or the value that it stands in.

mod body;
mod fields;
mod rows;

use std::time::Duration;

use bytes::BytesMut;
use futures_util::future::join_all;
use reqwest::Url;
use tokio::time::{Instant, timeout};

use self::rows::RowKind;
use super::servers::Server;
use super::{LiteLlmClient, UPSTREAM, answer};
use crate::models::model::ModelSource;
use crate::services::llm::{Listing, ModelError, ModelErrorKind, SourceOutcome, SourceReport, TimeoutStage};

/// For each list.
const LIST_TIMEOUT: Duration = Duration::from_secs(10);

/// The largest list that is read. LiteLLM tells some 5 KB of each deployment.
const MAX_LIST_BYTES: usize = 16 * 1024 * 1024;

/// How a server says that it does not have a list, or not for us: not signed in, forbidden, no such path, no such
/// method, not implemented.
const ABSENT: [u16; 5] = [401, 403, 404, 405, 501];

impl LiteLlmClient {
    /// Asks all servers for all their lists.
    pub(super) async fn ask_for_lists(&self) -> Vec<SourceReport> {
        let started = Instant::now();
        let asked = self
            .servers
            .all()
            .iter()
            .map(|server| Box::pin(self.ask_server(server)));
        let reports = join_all(asked).await.concat();
        self.count_discovery(&reports, started.elapsed());
        reports
    }

    /// Asks a server for its lists: a provider has only one.
    async fn ask_server(&self, server: &Server) -> Vec<SourceReport> {
        let endpoints = &server.endpoints;
        let lists: &[_] = if server.is_direct {
            &[(ModelSource::Models, &endpoints.models, RowKind::Model)]
        } else {
            &[
                (ModelSource::ModelGroups, &endpoints.model_groups, RowKind::Group),
                (
                    ModelSource::Deployments,
                    &endpoints.deployments,
                    RowKind::Deployment,
                ),
                (ModelSource::Models, &endpoints.models, RowKind::Model),
            ]
        };
        let asked = lists.iter().map(async |(list, url, kind)| SourceReport {
            server: server.name,
            list: *list,
            outcome: self.ask_for_list(server, url, *kind).await,
        });
        join_all(asked).await
    }

    async fn ask_for_list(&self, server: &Server, url: &Url, kind: RowKind) -> SourceOutcome {
        let outcome = timeout(LIST_TIMEOUT, self.read_list(server, url, kind)).await;
        match outcome {
            Ok(SourceOutcome::Listed(listing)) if server.is_direct => {
                SourceOutcome::Listed(of_provider(server.name, listing))
            }
            Ok(outcome) => outcome,
            Err(_) => SourceOutcome::Failed(ModelError::timeout(TimeoutStage::Total)),
        }
    }

    async fn read_list(&self, server: &Server, url: &Url, kind: RowKind) -> SourceOutcome {
        let mut response = match self.get(server, url).await {
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

    /// A discovery counts as one call: it went well if any list could be read.
    fn count_discovery(&self, reports: &[SourceReport], took: Duration) {
        let is_ok = reports
            .iter()
            .any(|report| matches!(report.outcome, SourceOutcome::Listed(_)));
        let error = reports.iter().rev().find_map(|report| match &report.outcome {
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

/// A provider's own list, in the names that its models have here.
fn of_provider(provider: &str, mut listing: Listing) -> Listing {
    for model in &mut listing.models {
        // Gemini's names are those of resources; its chats take them with and without this.
        let name = model.id.strip_prefix("models/").unwrap_or(&model.id);
        model.id = format!("{provider}/{name}");
        model.hosts = vec![provider.to_owned()];
    }
    listing
}
