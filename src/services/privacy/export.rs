//! Everything about a user as one JSON document, written page by page as it is read.
//!
//! The next page is read when the one before was taken, so that a slow client holds one page in memory. What can be refused
//! is refused before the first byte; a failure after it ends the document with an error, never as if it were whole.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::{Ready, ready};
use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use serde::Serialize;

use super::UserData;
use crate::models::api_key::ApiKey;
use crate::models::balance::Balance;
use crate::models::ids::UserId;
use crate::models::privacy::ExportedUses;
use crate::models::user::{Preferences, Profile};
use crate::services::api_keys::ApiKeyRecords;
use crate::services::auth::Caller;
use crate::services::billing::Billing;
use crate::services::conversations::{ConversationService, StoreError};
use crate::services::users::UserService;
use crate::utils::clock::Clock;
use crate::utils::database::DatabaseError;
use crate::utils::errors::{ApiError, ErrorCode};
use crate::utils::metrics::Metrics;

/// What the document calls itself.
const FORMAT: &str = "ai-chat-orchestrator-user-data";

/// The version of the document.
const VERSION: u32 = 1;

/// Rows on a page.
const PAGE: u32 = 200;

/// What exporting works with.
pub struct UserDataExportParts {
    /// Where everything is kept.
    pub data: Arc<dyn UserData>,
    /// Who the user is, and prefers.
    pub users: Arc<UserService>,
    /// The user's API keys.
    pub api_keys: Arc<dyn ApiKeyRecords>,
    /// The user's balance.
    pub billing: Arc<Billing>,
    /// The user's conversations.
    pub conversations: Arc<ConversationService>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// Time.
    pub clock: Clock,
    /// `ENABLE_USER_DATA_EXPORT`.
    pub enabled: bool,
}

/// Writes everything about a user.
pub struct UserDataExport(UserDataExportParts);

/// The document.
pub struct UserDataFile {
    /// The value of `Content-Disposition`.
    pub content_disposition: String,
    /// The document. An error means that it is not whole.
    pub pieces: BoxStream<'static, Result<Bytes, ApiError>>,
}

/// What the document begins with. The lists follow, each with a name of its own.
#[derive(Serialize)]
struct Beginning<'a> {
    format: &'a str,
    version: u32,
    exported_at: chrono::DateTime<chrono::Utc>,
    profile: Profile,
    preferences: Preferences,
    balance: Balance,
    api_keys: Vec<ApiKey>,
}

impl UserDataExport {
    /// Exports by these parts.
    #[must_use]
    pub const fn new(parts: UserDataExportParts) -> Self {
        Self(parts)
    }

    /// Begins the document of the caller.
    ///
    /// # Errors
    /// If it is switched off, or a failing store.
    pub async fn export(&self, caller: &Caller) -> Result<UserDataFile, ApiError> {
        let (parts, user) = (&self.0, caller.user_id);
        if !parts.enabled {
            return Err(ApiError::new(
                ErrorCode::FeatureDisabled,
                "The operator has switched this off (ENABLE_USER_DATA_EXPORT).",
            ));
        }
        let exported_at = parts.clock.now();
        let beginning = beginning_of(&Beginning {
            format: FORMAT,
            version: VERSION,
            exported_at,
            profile: parts.users.profile(caller).await?,
            preferences: parts.users.preferences(caller).await?,
            balance: parts.billing.balance(user).await?,
            api_keys: parts.api_keys.list(user).await.map_err(unavailable)?,
        })?;
        parts.metrics.user_data.with_label_values(&["exported"]).inc();
        tracing::info!(event = "user_data_exported", user_id = %user, "business_event");
        let pieces = once(beginning)
            .chain(list("balance_entries", self.balance_entries(user)))
            .chain(list("usage_events", self.usage_events(user)))
            .chain(list("feature_uses", self.feature_uses(user)))
            .chain(once(Bytes::from_static(b",\n\"conversations\":[")))
            .chain(self.conversations(user))
            .chain(once(Bytes::from_static(b"\n]}\n")));
        Ok(UserDataFile {
            content_disposition: format!(
                "attachment; filename=\"user-data-{}.json\"",
                exported_at.format("%Y-%m-%d")
            ),
            pieces: pieces.boxed(),
        })
    }

    fn balance_entries(&self, user: UserId) -> impl Stream<Item = Result<Bytes, ApiError>> + Send + use<> {
        let data = self.0.data.clone();
        pages(move |after: Option<i64>| {
            let data = data.clone();
            async move {
                let page = data
                    .balance_entries(user, after.unwrap_or(i64::MIN), PAGE)
                    .await?;
                let next = page.last().map(|(number, _)| *number);
                Ok((page.into_iter().map(|(_, entry)| entry).collect::<Vec<_>>(), next))
            }
        })
    }

    fn usage_events(&self, user: UserId) -> impl Stream<Item = Result<Bytes, ApiError>> + Send + use<> {
        let data = self.0.data.clone();
        pages(move |after| {
            let data = data.clone();
            async move {
                let page = data.usage(user, after, PAGE).await?;
                let next = page
                    .last()
                    .map(|event| (event.created_at, event.stream_id, event.attempt));
                Ok((page, next))
            }
        })
    }

    fn feature_uses(&self, user: UserId) -> impl Stream<Item = Result<Bytes, ApiError>> + Send + use<> {
        let data = self.0.data.clone();
        pages(move |after: Option<ExportedUses>| {
            let data = data.clone();
            async move {
                let place = after.as_ref().map(|after| (after.day, after.feature.as_str()));
                let page = data.feature_uses(user, place, PAGE).await?;
                let next = page.last().cloned();
                Ok((page, next))
            }
        })
    }

    /// Each conversation as its own export has it. One that is deleted meanwhile is left out, or ends early.
    fn conversations(&self, user: UserId) -> impl Stream<Item = Result<Bytes, ApiError>> + Send + use<> {
        let (data, conversations) = (self.0.data.clone(), self.0.conversations.clone());
        let ids = stream::try_unfold(None, move |after| {
            let data = data.clone();
            async move {
                let page = data.conversations(user, after, PAGE).await.map_err(unavailable)?;
                let next = page.last().copied();
                let ids = stream::iter(page.into_iter().map(|(_, id)| Ok::<_, ApiError>(id)));
                Ok::<_, ApiError>(next.map(|next| (ids, Some(next))))
            }
        });
        let mut is_first = true;
        ids.try_flatten()
            .and_then(move |id| {
                let conversations = conversations.clone();
                async move { conversations.complete(user, id).await }
            })
            .try_filter_map(|conversation| ready(Ok(conversation)))
            .map_ok(move |conversation| {
                let separator: &[u8] = if is_first { b"\n" } else { b",\n" };
                is_first = false;
                once(Bytes::from_static(separator)).chain(conversation)
            })
            .try_flatten()
    }
}

/// The beginning without its closing brace, since the lists follow.
fn beginning_of(beginning: &Beginning<'_>) -> Result<Bytes, ApiError> {
    let mut json = serde_json::to_vec(beginning).map_err(ApiError::internal)?;
    json.pop();
    Ok(json.into())
}

fn once(piece: Bytes) -> stream::Once<Ready<Result<Bytes, ApiError>>> {
    stream::once(ready(Ok(piece)))
}

/// A list of that name, of pages of items that are separated already.
fn list<S>(name: &str, items: S) -> impl Stream<Item = Result<Bytes, ApiError>> + Send + use<S>
where
    S: Stream<Item = Result<Bytes, ApiError>> + Send,
{
    once(format!(",\n\"{name}\":[").into())
        .chain(items)
        .chain(once(Bytes::from_static(b"\n]")))
}

/// The items of pages that are read one after the other until there is an empty one; each page tells where it ends.
fn pages<T, P, R, F>(read: R) -> impl Stream<Item = Result<Bytes, ApiError>> + Send + use<T, P, R, F>
where
    T: Serialize + Send,
    P: Send,
    R: Fn(Option<P>) -> F + Send,
    F: Future<Output = Result<(Vec<T>, Option<P>), DatabaseError>> + Send,
{
    stream::try_unfold((None, read), |(after, read)| async move {
        let is_beginning = after.is_none();
        let (page, next) = read(after).await.map_err(unavailable)?;
        if next.is_none() {
            return Ok(None);
        }
        let mut piece = Vec::new();
        for (index, item) in page.iter().enumerate() {
            let is_first = is_beginning && index == 0;
            piece.extend_from_slice(if is_first { b"\n" } else { b",\n" });
            serde_json::to_writer(&mut piece, item).map_err(ApiError::internal)?;
        }
        Ok(Some((Bytes::from(piece), (next, read))))
    })
}

fn unavailable(error: DatabaseError) -> ApiError {
    StoreError::from(error).into()
}
