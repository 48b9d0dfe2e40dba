//! Lists of conversations, and what they amount to.

use std::sync::Arc;

use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::extract::{Json, Query};
use crate::models::common::{Page, PageData, PageQuery, SortOrder, Success};
use crate::models::conversation::{
    Conversation, ConversationHit, ConversationSort, ConversationStats, StatsPeriod, StatusFilter,
};
use crate::services::auth::Caller;
use crate::services::conversations::{ConversationFilter, ConversationOrder, ConversationService};
use crate::utils::errors::{ApiError, ErrorBody};

/// Which conversations are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct FilterQuery {
    /// Those in use, those put away, or both.
    #[serde(default)]
    #[param(inline)]
    status: StatusFilter,
    /// Those of this model.
    #[param(max_length = 100)]
    model: Option<String>,
    /// Those made at this time or later.
    created_after: Option<DateTime<Utc>>,
    /// Those made before this time.
    created_before: Option<DateTime<Utc>>,
    /// Those with more branches than the main one, or those without.
    has_branches: Option<bool>,
    /// Those with at least so many messages.
    min_messages: Option<u32>,
    /// Those with at most so many messages.
    max_messages: Option<u32>,
}

impl From<FilterQuery> for ConversationFilter {
    fn from(query: FilterQuery) -> Self {
        Self {
            status: query.status,
            model: query.model,
            created_after: query.created_after,
            created_before: query.created_before,
            has_branches: query.has_branches,
            min_messages: query.min_messages.map(u64::from),
            max_messages: query.max_messages.map(u64::from),
        }
    }
}

/// What a list shows, and in which order.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Words, in the title or in a message; at most 200 characters.
    #[param(max_length = 200)]
    q: Option<String>,
    /// What it is sorted by; equals by their ids.
    #[serde(default)]
    #[param(inline)]
    sort_by: ConversationSort,
    /// Which end comes first. Absent: `desc`.
    #[param(inline)]
    sort_order: Option<SortOrder>,
}

/// List conversations, the last changed first
///
/// Given several filters, a conversation has to pass them all. `q` is looked for as `/v1/conversations/search` does,
/// but here it only narrows down the list.
#[utoipa::path(
    get,
    path = "/v1/conversations",
    tag = "conversations",
    params(ListQuery, FilterQuery, PageQuery),
    responses(
        (status = 200, description = "One page", body = Success<PageData<Conversation>>),
        (status = 422, description = "A parameter is not valid", body = ErrorBody),
    ),
)]
pub(super) async fn list_conversations(
    State(conversations): State<Arc<ConversationService>>,
    caller: Caller,
    Query(list): Query<ListQuery>,
    Query(filter): Query<FilterQuery>,
    page: Page,
) -> Result<Json<Success<PageData<Conversation>>>, ApiError> {
    let order = ConversationOrder {
        by: list.sort_by,
        order: list.sort_order.unwrap_or(SortOrder::Desc),
    };
    let query = list.q.as_deref();
    let (items, total) = conversations
        .list(caller.user_id, query, &filter.into(), order, page)
        .await?;
    Ok(Json(Success::new(PageData::new(items, page, total))))
}

/// What is looked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct SearchQuery {
    /// 1 to 200 characters. Any text is only that: there is no syntax.
    #[param(min_length = 1, max_length = 200, example = "quantum")]
    q: String,
}

/// Search titles and messages, the best first
///
/// All words have to be in one text, in any order; a word finds those that begin with it. Case, accents and
/// compatibility forms do not matter; of scripts without spaces and of emoji any part is found. Ranked are the newest
/// 2,000 messages that match, and all titles.
#[utoipa::path(
    get,
    path = "/v1/conversations/search",
    tag = "conversations",
    params(SearchQuery, FilterQuery, PageQuery),
    responses(
        (status = 200, description = "One page", body = Success<PageData<ConversationHit>>),
        (status = 422, description = "A parameter is not valid", body = ErrorBody),
    ),
)]
pub(super) async fn search_conversations(
    State(conversations): State<Arc<ConversationService>>,
    caller: Caller,
    Query(search): Query<SearchQuery>,
    Query(filter): Query<FilterQuery>,
    page: Page,
) -> Result<Json<Success<PageData<ConversationHit>>>, ApiError> {
    let (items, total) = conversations
        .search(caller.user_id, &search.q, &filter.into(), page)
        .await?;
    Ok(Json(Success::new(PageData::new(items, page, total))))
}

/// How far back to look.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct StatsQuery {
    /// The last 7, 30 or 365 days, or everything.
    #[serde(default)]
    #[param(inline)]
    period: StatsPeriod,
}

/// What the conversations made within a period amount to
#[utoipa::path(
    get,
    path = "/v1/conversations/stats",
    tag = "conversations",
    params(StatsQuery),
    responses(
        (status = 200, description = "The figures", body = Success<ConversationStats>),
        (status = 422, description = "There is no such period", body = ErrorBody),
    ),
)]
pub(super) async fn read_conversation_stats(
    State(conversations): State<Arc<ConversationService>>,
    caller: Caller,
    Query(query): Query<StatsQuery>,
) -> Result<Json<Success<ConversationStats>>, ApiError> {
    let stats = conversations.stats(caller.user_id, query.period).await?;
    Ok(Json(Success::new(stats)))
}
