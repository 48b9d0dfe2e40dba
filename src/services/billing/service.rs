//! What others ask about money.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Datelike as _, NaiveTime, Utc};
use tokio_util::sync::CancellationToken;

use super::error::unavailable;
use super::standing::Standing;
use super::{
    Account, AccountRecords, AnswerUsage, Hold, HoldError, HoldTerms, InputSize, PriceList, Rates, Refusal,
    Reservation,
};
use crate::config::{BusinessSettings, ModelSettings};
use crate::models::balance::{Balance, BalanceEntry};
use crate::models::common::Page;
use crate::models::ids::{StreamId, UserId};
use crate::models::money::Money;
use crate::models::price::TokenPrices;
use crate::services::llm::Model;
use crate::utils::clock::Clock;
use crate::utils::errors::ApiError;
use crate::utils::metrics::Metrics;

/// The settings of billing.
#[derive(Debug, Clone, Copy)]
pub struct BillingSettings {
    /// `MIN_BALANCE_THRESHOLD`.
    pub threshold: Money,
    /// `ALLOW_UNPRICED_MODELS`.
    pub allow_unpriced: bool,
    /// `MAX_OUTPUT_TOKENS`: the bound of an answer for which nobody says one.
    pub max_output_tokens: u64,
    /// How many users' standing is remembered.
    pub remembered: u64,
}

impl BillingSettings {
    /// From the settings of the service.
    #[must_use]
    pub fn new(business: &BusinessSettings, models: &ModelSettings, remembered: u64) -> Self {
        Self {
            threshold: Money::from_nano(business.min_balance_threshold_nano),
            allow_unpriced: business.allow_unpriced_models,
            max_output_tokens: u64::from(models.max_output_tokens),
            remembered,
        }
    }
}

/// What billing works with.
pub struct BillingParts {
    /// Where accounts are kept.
    pub records: Arc<dyn AccountRecords>,
    /// What models cost.
    pub prices: Arc<dyn PriceList>,
    /// Which models may answer in place of others.
    pub model: Arc<dyn Model>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// Time.
    pub clock: Clock,
    /// Its settings.
    pub settings: BillingSettings,
}

/// Money, as others ask about it.
pub struct Billing {
    parts: BillingParts,
    standing: Standing,
    open: Arc<Mutex<OpenHolds>>,
}

/// An answer that somebody wants.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// The model that is asked.
    pub model: &'a Arc<str>,
    /// The most tokens that it may write for each choice, if the request says so.
    pub max_tokens: Option<u64>,
    /// How many answers are asked for.
    pub choices: u64,
    /// What is sent beside the messages.
    pub beside: InputSize,
    /// A field of the request that makes it cost something else than its tokens.
    pub unbounded_by: Option<&'static str>,
}

/// Whose answers somebody here is at work on, and what stops them.
type OpenHolds = HashMap<StreamId, (UserId, CancellationToken)>;

/// What is held back for an answer that is recorded nowhere else. As long as this lives, somebody is at work on it.
#[derive(Debug)]
pub struct OpenHold {
    id: StreamId,
    /// What it is.
    pub hold: Hold,
    /// Cancelled when whoever is at work on it shall stop.
    pub stopped: CancellationToken,
    open: Arc<Mutex<OpenHolds>>,
}

impl Drop for OpenHold {
    fn drop(&mut self) {
        lock(&self.open).remove(&self.id);
    }
}

impl Billing {
    /// Billing by these parts.
    #[must_use]
    pub fn new(parts: BillingParts) -> Self {
        Self {
            standing: Standing::new(parts.records.clone(), parts.settings.remembered),
            open: Arc::default(),
            parts,
        }
    }

    /// Refuses a user whose account is suspended, at most five seconds after that was done.
    ///
    /// # Errors
    /// That it is.
    pub async fn check_standing(&self, user: UserId) -> Result<(), ApiError> {
        Ok(self.standing.check(user).await?)
    }

    /// What this usage of a model costs, where the model server did not say. `None` if nobody knows.
    #[must_use]
    pub fn cost(&self, model: &str, usage: &AnswerUsage) -> Option<Money> {
        self.parts.prices.cost(model, usage)
    }

    /// On which terms an answer can be begun. Of the model and those that may answer in its place, the dearest counts.
    pub async fn terms(&self, wish: Wish<'_>) -> HoldTerms {
        self.parts.prices.ready().await;
        let settings = self.parts.settings;
        let dearest = self.dearest(wish.model);
        let limit = wish.max_tokens.or(dearest.max_output_tokens);
        HoldTerms {
            prices: Some(dearest.prices).filter(TokenPrices::are_known),
            allow_unpriced: settings.allow_unpriced,
            threshold: settings.threshold,
            image_tokens: dearest.image_tokens,
            context_window: dearest.context_window,
            beside: wish.beside,
            max_tokens: limit.unwrap_or(settings.max_output_tokens),
            assumed_limit: limit.is_none().then_some(settings.max_output_tokens),
            choices: wish.choices.max(1),
            unbounded_by: wish.unbounded_by,
        }
    }

    /// On which terms a model can be asked that reads and writes no tokens: what writing costs does not matter.
    pub async fn input_terms(&self, model: &Arc<str>, unbounded_by: Option<&'static str>) -> HoldTerms {
        self.parts.prices.ready().await;
        let settings = self.parts.settings;
        let dearest = self.dearest(model);
        HoldTerms {
            prices: dearest.prices.of_input(),
            allow_unpriced: settings.allow_unpriced,
            threshold: settings.threshold,
            image_tokens: 0,
            context_window: None,
            beside: InputSize::default(),
            max_tokens: 0,
            assumed_limit: None,
            choices: 1,
            unbounded_by,
        }
    }

    /// What holds whichever of the model and those that may answer in its place is asked.
    fn dearest(&self, model: &str) -> Rates {
        let rates = |model: &str| self.parts.prices.rates(model).unwrap_or_default();
        let fallbacks = self.parts.model.fallbacks(model);
        fallbacks
            .iter()
            .map(|fallback| rates(fallback))
            .fold(rates(model), Rates::dearest)
    }

    /// Counts what a model was paid, and whether that was more than was held back for it.
    pub fn count(&self, model: &str, usage: &AnswerUsage, held: Option<Money>) {
        let metrics = &self.parts.metrics;
        if held.zip(usage.cost).is_some_and(|(held, cost)| cost > held) {
            metrics.reservation_overruns.inc();
        }
        match usage.cost {
            Some(cost) => {
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "a metric, not an account: the ledger is exact"
                )]
                let dollars = cost.nano() as f64 / 1e9;
                let model = metrics.model_label(model);
                metrics.revenue_usd.with_label_values(&[model]).inc_by(dollars);
            }
            // Nothing was used, so nothing is missing its price.
            None if usage.total_tokens() == 0 => {}
            None => metrics.unpriced_completions.inc(),
        }
    }

    /// Holds back what an answer costs at worst that is recorded nowhere else. To be called by a task of its own: what is
    /// held back is released with its entry in the ledger, and whoever gives up in between leaves it to be looked for.
    ///
    /// # Errors
    /// Why the user may not have the answer, or a failing database.
    pub async fn hold(&self, reservation: Reservation) -> Result<OpenHold, ApiError> {
        let (id, user) = (reservation.id, reservation.user_id);
        let stopped = CancellationToken::new();
        lock(&self.open).insert(id, (user, stopped.clone()));
        // From here on its end takes it out again.
        let mut open = OpenHold {
            id,
            hold: Hold::default(),
            stopped,
            open: self.open.clone(),
        };
        match self.parts.records.hold(reservation).await {
            Ok(hold) => {
                self.held(user, &hold);
                open.hold = hold;
                Ok(open)
            }
            Err(error) => {
                if let HoldError::Refused(refusal) = &error {
                    self.refused(user, refusal);
                }
                Err(error.into())
            }
        }
    }

    /// Tells of a user who has little left.
    pub fn held(&self, user: UserId, hold: &Hold) {
        if hold.is_low {
            tracing::info!(event = "balance_low", user_id = %user, "business_event");
        }
    }

    /// Counts a refusal, and tells of it.
    pub fn refused(&self, user: UserId, refusal: &Refusal) {
        let rejections = &self.parts.metrics.balance_rejections;
        match refusal {
            Refusal::Insufficient(_) => {
                rejections.with_label_values(&["insufficient"]).inc();
                tracing::info!(event = "balance_exhausted", user_id = %user, "business_event");
            }
            Refusal::Unpriced(model) => {
                rejections.with_label_values(&["unpriced"]).inc();
                tracing::info!(event = "unpriced_model_refused", user_id = %user, model = &**model, "business_event");
            }
            Refusal::Unbounded(field) => {
                rejections.with_label_values(&["unpriced"]).inc();
                tracing::info!(event = "unbounded_request_refused", user_id = %user, field, "business_event");
            }
            Refusal::Suspended => rejections.with_label_values(&["suspended"]).inc(),
        }
    }

    /// The streams that somebody here is at work on and that are recorded nowhere else.
    #[must_use]
    pub fn open_streams(&self) -> Vec<StreamId> {
        lock(&self.open).keys().copied().collect()
    }

    /// Stops whoever is at work on this stream of a user, or on any.
    pub fn stop(&self, user: UserId, stream: Option<StreamId>) {
        for (id, (owner, stopped)) in lock(&self.open).iter() {
            if *owner == user && stream.is_none_or(|stream| stream == *id) {
                stopped.cancel();
            }
        }
    }

    /// Whether somebody here is at work on a stream of the user that is recorded nowhere else.
    #[must_use]
    pub fn has_open(&self, user: UserId) -> bool {
        lock(&self.open).values().any(|(owner, _)| *owner == user)
    }

    /// Where accounts are kept.
    #[must_use]
    pub fn records(&self) -> &dyn AccountRecords {
        &*self.parts.records
    }

    /// Users whose standing is remembered.
    #[must_use]
    pub fn remembered(&self) -> u64 {
        self.standing.remembered()
    }

    /// The account of a user, made if it is not there.
    ///
    /// # Errors
    /// A failing database.
    pub async fn account(&self, user: UserId) -> Result<Account, ApiError> {
        let account = self.parts.records.account(user).await;
        account.map_err(unavailable)
    }

    /// What a user may spend, and has spent.
    ///
    /// # Errors
    /// A failing database.
    pub async fn balance(&self, user: UserId) -> Result<Balance, ApiError> {
        let records = &self.parts.records;
        let account = self.account(user).await?;
        let month = beginning_of_month(self.parts.clock.now());
        let period_spend = records.spent_since(user, month).await.map_err(unavailable)?;
        let threshold = self.parts.settings.threshold;
        let available = account.available();
        let is_covered = available.is_none_or(|available| available > Money::ZERO && available >= threshold);
        Ok(Balance {
            available_balance: available,
            reserved: account.reserved,
            spend: account.spend,
            max_budget: account.max_budget,
            period_spend,
            is_low: account.is_low(threshold),
            can_chat: is_covered && !account.is_suspended,
        })
    }

    /// One page of what changed the user's balance, the newest first; and how many entries there are.
    ///
    /// # Errors
    /// A failing database.
    pub async fn history(&self, user: UserId, page: Page) -> Result<(Vec<BalanceEntry>, u64), ApiError> {
        let history = self.parts.records.history(user, page).await;
        history.map_err(unavailable)
    }
}

fn beginning_of_month(now: DateTime<Utc>) -> DateTime<Utc> {
    let today = now.date_naive();
    today
        .with_day(1)
        .unwrap_or(today)
        .and_time(NaiveTime::MIN)
        .and_utc()
}

fn lock(open: &Mutex<OpenHolds>) -> MutexGuard<'_, OpenHolds> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}
