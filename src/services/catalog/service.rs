//! The catalog itself: what is asked of it.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot, watch};

use super::filter::{ModelFilter, ModelOrder};
use super::snapshot::{self, Snapshot};
use super::well_known::WellKnown;
use super::{compare, search, summary};
use crate::models::model::{
    CatalogMetadata, Comparison, ModelInfo, ModelList, ProviderSummary, RefreshReport, SearchMetadata,
    SearchResults,
};
use crate::models::price::TokenPrices;
use crate::services::billing::{PriceList, Rates, image_tokens};
use crate::services::llm::{Model, ModelError};
use crate::utils::clock::Clock;
use crate::utils::errors::{ApiError, ErrorCode, FieldErrors};
use crate::utils::metrics::Metrics;

/// How many may wait for a reading; who comes later waits for a place.
const MAX_WAITING: usize = 1_024;

/// How long an answer waits for the first reading before it is begun with what is well known.
const READY_WITHIN: Duration = Duration::from_secs(5);

/// Models that can be compared at once.
const COMPARED: RangeInclusive<usize> = 2..=10;

/// Characters of a query.
const MAX_QUERY_CHARS: usize = 200;

/// Characters of a model's id; longer ones are in no list.
const MAX_ID_CHARS: usize = 200;

/// What came of a reading: every waiting request gets a copy.
pub(super) type Reading = Result<RefreshReport, ModelError>;

/// Where somebody waits for a reading.
pub(super) type Wish = oneshot::Sender<Reading>;

/// What the catalog works with.
pub struct CatalogParts {
    /// Who knows the models.
    pub server: Arc<dyn Model>,
    /// `CACHE_TTL_MODELS`: how long what was read is good.
    pub ttl: Duration,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// The time.
    pub clock: Clock,
}

/// The models that there are. See the [module](super).
pub struct Catalog {
    pub(super) server: Arc<dyn Model>,
    pub(super) ttl: Duration,
    pub(super) metrics: Arc<Metrics>,
    pub(super) clock: Clock,
    pub(super) state: watch::Sender<State>,
    wishes: mpsc::Sender<Wish>,
    /// Until the work in the background takes it.
    pub(super) inbox: Mutex<Option<mpsc::Receiver<Wish>>>,
}

/// What is known at present.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    /// Whether a first reading has come to its end, however that was.
    pub(super) was_read: bool,
    /// Nothing before the first reading that succeeds.
    pub(super) snapshot: Option<Arc<Snapshot>>,
    /// Whether something of it is older than the last reading.
    pub(super) is_stale: bool,
    /// Whether the last reading brought everything that there is.
    pub(super) is_complete: bool,
}

impl Catalog {
    /// A catalog that knows nothing until its [background work](Self::background) runs.
    #[must_use]
    pub fn new(parts: CatalogParts) -> Self {
        let (wishes, inbox) = mpsc::channel(MAX_WAITING);
        Self {
            server: parts.server,
            ttl: parts.ttl,
            metrics: parts.metrics,
            clock: parts.clock,
            state: watch::Sender::default(),
            wishes,
            inbox: Mutex::new(Some(inbox)),
        }
    }

    /// The models that pass a filter, in this order.
    ///
    /// # Errors
    /// Why the model server cannot be read, if it never was.
    pub async fn list(&self, filter: &ModelFilter, order: ModelOrder) -> Result<ModelList, ApiError> {
        let (snapshot, is_stale) = self.current().await?;
        let mut admitted: Vec<&ModelInfo> = snapshot
            .models()
            .iter()
            .filter(|model| filter.admits(model))
            .collect();
        order.sort(&mut admitted);
        Ok(ModelList {
            success: true,
            object: "list",
            metadata: CatalogMetadata {
                total: snapshot.models().len(),
                count: admitted.len(),
                refreshed_at: snapshot.found_at(),
                stale: is_stale,
                wildcards: snapshot.patterns().map(str::to_owned).collect(),
                well_known_as_of: WellKnown::table().as_of(),
            },
            data: admitted.into_iter().cloned().collect(),
        })
    }

    /// What each provider has, by their names.
    ///
    /// # Errors
    /// As [`Self::list`].
    pub async fn providers(&self) -> Result<Vec<ProviderSummary>, ApiError> {
        let (snapshot, _) = self.current().await?;
        Ok(summary::providers(snapshot.models()))
    }

    /// The models that fit these words, the best first, at most `limit` of them.
    ///
    /// # Errors
    /// If the query is not between 1 and 200 characters long; else as [`Self::list`].
    pub async fn search(&self, query: &str, limit: u32) -> Result<SearchResults, ApiError> {
        let length = query.trim().chars().count();
        if !(1..=MAX_QUERY_CHARS).contains(&length) {
            let message = format!("must be between 1 and {MAX_QUERY_CHARS} characters long");
            return Err(ApiError::invalid_field("q", message));
        }
        let (snapshot, _) = self.current().await?;
        let hits = search::search(snapshot.models(), query);
        let total = hits.len();
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let data: Vec<_> = hits.into_iter().take(limit).cloned().collect();
        Ok(SearchResults {
            success: true,
            object: "list",
            metadata: SearchMetadata {
                query: query.to_owned(),
                total,
                count: data.len(),
            },
            data,
        })
    }

    /// The models of these ids side by side. An id that is given twice counts once.
    ///
    /// # Errors
    /// If there are not 2 to 10 of them, or one is too long to be an id; a 404 that names all that do not exist; else as
    /// [`Self::list`].
    pub async fn compare(&self, ids: &[String]) -> Result<Comparison, ApiError> {
        let mut seen = BTreeSet::new();
        let ids: Vec<&String> = ids.iter().filter(|id| seen.insert(*id)).collect();
        let mut errors = FieldErrors::default();
        errors.check(COMPARED.contains(&ids.len()), "model_ids", || {
            format!(
                "must name {} to {} different models",
                COMPARED.start(),
                COMPARED.end()
            )
        });
        errors.check(ids.iter().all(|id| is_id(id)), "model_ids", || {
            format!("must name each model by at most {MAX_ID_CHARS} characters")
        });
        errors.into_result()?;
        let (snapshot, _) = self.current().await?;
        let mut models = Vec::with_capacity(ids.len());
        let mut unknown = Vec::new();
        for id in ids {
            match snapshot.find(id) {
                Some(model) => models.push(model.into_owned()),
                None => unknown.push(id.clone()),
            }
        }
        match compare::compare(models) {
            Some(comparison) if unknown.is_empty() => Ok(comparison),
            _ => Err(not_found(&unknown).with_param("model_ids")),
        }
    }

    /// The model of this id: one that is listed, or one that a pattern of the model server covers.
    ///
    /// # Errors
    /// If there is none; else as [`Self::list`].
    pub async fn model(&self, id: &str) -> Result<ModelInfo, ApiError> {
        if !is_id(id) {
            let message = format!("must be at most {MAX_ID_CHARS} characters long");
            return Err(ApiError::invalid_field("model_id", message));
        }
        let (snapshot, _) = self.current().await?;
        let model = snapshot.find(id).map(Cow::into_owned);
        model.ok_or_else(|| not_found(&[id.to_owned()]).with_param("model_id"))
    }

    /// Reads the model server now: if a reading is under way, after it, and once for all who have come to wait by then.
    ///
    /// # Errors
    /// Why it could not be read; what was known stays then.
    pub async fn refresh(&self) -> Result<RefreshReport, ApiError> {
        let (wish, reading) = oneshot::channel();
        self.wishes.send(wish).await.map_err(|_| stopping())?;
        Ok(reading.await.map_err(|_| stopping())??)
    }

    /// What is known, and whether it is stale. Before the first reading it waits for one.
    async fn current(&self) -> Result<(Arc<Snapshot>, bool), ApiError> {
        if let Some(current) = self.known() {
            return Ok(current);
        }
        let mut changes = self.state.subscribe();
        tokio::select! {
            _ = changes.wait_for(|state| state.snapshot.is_some()) => {}
            refreshed = self.refresh() => drop(refreshed?),
        }
        self.known().ok_or_else(stopping)
    }

    fn known(&self) -> Option<(Arc<Snapshot>, bool)> {
        let state = self.state.borrow();
        Some((state.snapshot.clone()?, state.is_stale))
    }
}

#[async_trait]
impl PriceList for Catalog {
    /// A reading that fails is not waited for again: then what is well known has to do.
    async fn ready(&self) {
        let mut changes = self.state.subscribe();
        let read = changes.wait_for(|state| state.was_read);
        if tokio::time::timeout(READY_WITHIN, read).await.is_err() {
            tracing::info!("an answer is begun before the models were read");
        }
    }

    /// Of a model that no server has listed, what is well known.
    fn rates(&self, model: &str) -> Option<Rates> {
        let snapshot = self.state.borrow().snapshot.clone();
        let listed = snapshot.as_ref().and_then(|snapshot| snapshot.find(model));
        let model = match listed {
            Some(model) => model,
            None => Cow::Owned(snapshot::unlisted(model, self.clock.now())),
        };
        let is_bound = !model.metadata.has_larger_limits;
        Some(Rates {
            prices: TokenPrices {
                input: model.pricing.input_per_1m,
                output: model.pricing.output_per_1m,
                cached_input: model.pricing.cached_input_per_1m,
            },
            // Whichever deployment answers may go further than the smaller of their limits.
            context_window: model.limits.context_window.filter(|_| is_bound),
            max_output_tokens: model.limits.max_output_tokens.filter(|_| is_bound),
            image_tokens: image_tokens(model.provider, &model.id),
        })
    }
}

fn is_id(id: &str) -> bool {
    id.chars().count() <= MAX_ID_CHARS
}

fn not_found(ids: &[String]) -> ApiError {
    let names: Vec<_> = ids.iter().map(|id| format!("`{id}`")).collect();
    let message = match names.as_slice() {
        [name] => format!("There is no model {name}."),
        names => format!("There are no models {}.", names.join(", ")),
    };
    ApiError::new(ErrorCode::ModelNotFound, message).with_detail("model_ids", ids.to_vec())
}

/// The background work has ended.
fn stopping() -> ApiError {
    ApiError::new(ErrorCode::Draining, "This instance is about to stop.")
}
