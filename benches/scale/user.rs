//! What is measured over all conversations of a user.

use std::sync::Arc;
use std::time::Duration;

use ai_chat_orchestrator::models::common::{Page, SortOrder};
use ai_chat_orchestrator::models::conversation::{ConversationSort, StatusFilter};
use ai_chat_orchestrator::services::conversations::search::SearchQuery;
use ai_chat_orchestrator::services::conversations::{
    ConversationFilter, ConversationOrder, ConversationStore, MessageFilter,
};

use crate::data::{Corpus, MODELS};
use crate::fill::{Large, USER};
use crate::probe::Probe;
use crate::text::{Language, character};

const GOAL: Duration = Duration::from_millis(50);

/// The first page of the default size.
const PAGE: Page = Page { page: 1, limit: 20 };

const NEWEST_FIRST: ConversationOrder = ConversationOrder {
    by: ConversationSort::UpdatedAt,
    order: SortOrder::Desc,
};

/// Lists, searches and figures.
pub fn probes(store: &Arc<dyn ConversationStore>, corpus: &Corpus, large: &Large) -> Vec<Probe> {
    let mut probes = sorted(store);
    probes.extend(filtered(store));
    for (name, query) in queries(&corpus.language) {
        let query = Arc::new(SearchQuery::parse(&query));
        probes.push(search(store, &name, &query, &any_status()));
        probes.push(list(
            store,
            format!("list with q: {name}"),
            Some(query.clone()),
            ConversationFilter::default(),
            NEWEST_FIRST,
            PAGE,
        ));
        probes.push(search_messages(store, large, &name, &query));
    }
    let most_common = Arc::new(SearchQuery::parse(corpus.language.word(0)));
    for (name, filter) in filters() {
        probes.push(search(
            store,
            &format!("the most common word, {name}"),
            &most_common,
            &filter,
        ));
    }
    probes.push(stats(store));
    probes
}

/// One of each kind, with its name.
fn queries(language: &Language) -> Vec<(String, String)> {
    let word = |rank| language.word(rank).to_owned();
    // What somebody has typed of the most frequent word that is longer.
    let typed = |letters| -> String {
        let longer = language.words().find(|word| word.len() > letters);
        longer.unwrap_or_default().chars().take(letters).collect()
    };
    let characters: String = [3, 4].into_iter().filter_map(character).collect();
    [
        ("the most common word", word(0)),
        ("a common word", word(20)),
        ("a middling word", word(1_000)),
        ("a rare word", word(15_000)),
        ("two common words", format!("{} {}", word(1), word(5))),
        (
            "a common and a rare word",
            format!("{} {}", word(0), word(15_000)),
        ),
        (
            "a rare word and 2 letters",
            format!("{} {}", word(15_000), typed(2)),
        ),
        ("two rare words", format!("{} {}", word(15_000), word(15_001))),
        ("1 letter", typed(1)),
        ("2 letters", typed(2)),
        ("3 letters", typed(3)),
        ("4 letters", typed(4)),
        ("5 letters", typed(5)),
        ("6 letters", typed(6)),
        ("one CJK character", characters.chars().take(1).collect()),
        ("two CJK characters", characters),
        ("an emoji", "🚀".to_owned()),
        ("a word nobody wrote", "xylophone".to_owned()),
    ]
    .map(|(name, query)| (name.to_owned(), query))
    .into()
}

fn sorted(store: &Arc<dyn ConversationStore>) -> Vec<Probe> {
    let sorts = [
        (ConversationSort::UpdatedAt, "updated_at"),
        (ConversationSort::CreatedAt, "created_at"),
        (ConversationSort::LastMessageAt, "last_message_at"),
        (ConversationSort::Title, "title"),
        (ConversationSort::MessageCount, "message_count"),
    ];
    let orders = [(SortOrder::Desc, "descending"), (SortOrder::Asc, "ascending")];
    let mut probes = Vec::new();
    for (by, name) in sorts {
        for (order, direction) in orders {
            let order = ConversationOrder { by, order };
            let name = format!("list by {name}, {direction}");
            probes.push(list(
                store,
                name,
                None,
                ConversationFilter::default(),
                order,
                PAGE,
            ));
        }
    }
    let middle = Page { page: 250, limit: 20 };
    let name = "list, page 250".to_owned();
    probes.push(list(
        store,
        name,
        None,
        ConversationFilter::default(),
        NEWEST_FIRST,
        middle,
    ));
    probes
}

fn filtered(store: &Arc<dyn ConversationStore>) -> Vec<Probe> {
    filters()
        .into_iter()
        .map(|(name, filter)| list(store, format!("list: {name}"), None, filter, NEWEST_FIRST, PAGE))
        .collect()
}

fn any_status() -> ConversationFilter {
    ConversationFilter {
        status: StatusFilter::All,
        ..ConversationFilter::default()
    }
}

/// One of each kind, with its name.
fn filters() -> Vec<(&'static str, ConversationFilter)> {
    let all = ConversationFilter::default;
    vec![
        (
            "archived",
            ConversationFilter {
                status: StatusFilter::Archived,
                ..all()
            },
        ),
        ("any status", any_status()),
        (
            "of a model",
            ConversationFilter {
                model: Some(MODELS[0].to_owned()),
                ..all()
            },
        ),
        (
            "of a model that nobody used",
            ConversationFilter {
                model: Some("none".to_owned()),
                ..all()
            },
        ),
        (
            "with 150 messages or more",
            ConversationFilter {
                min_messages: Some(150),
                ..all()
            },
        ),
        (
            "with branches",
            ConversationFilter {
                has_branches: Some(true),
                ..all()
            },
        ),
        (
            "begun in a range",
            ConversationFilter {
                created_after: Some(Corpus::begun(2_000)),
                created_before: Some(Corpus::begun(4_000)),
                ..all()
            },
        ),
    ]
}

fn list(
    store: &Arc<dyn ConversationStore>,
    name: String,
    query: Option<Arc<SearchQuery>>,
    filter: ConversationFilter,
    order: ConversationOrder,
    page: Page,
) -> Probe {
    let store = store.clone();
    Probe::new(name, GOAL, move |_| {
        let (store, query, filter) = (store.clone(), query.clone(), filter.clone());
        async move {
            let found = store
                .conversations(USER, query.as_deref(), &filter, order, page)
                .await?;
            Ok(found.1)
        }
    })
}

fn search(
    store: &Arc<dyn ConversationStore>,
    name: &str,
    query: &Arc<SearchQuery>,
    filter: &ConversationFilter,
) -> Probe {
    let (store, query, filter) = (store.clone(), query.clone(), filter.clone());
    Probe::new(format!("search: {name}"), GOAL, move |_| {
        let (store, query, filter) = (store.clone(), query.clone(), filter.clone());
        async move { Ok(store.search_conversations(USER, &query, &filter, PAGE).await?.1) }
    })
}

fn search_messages(
    store: &Arc<dyn ConversationStore>,
    large: &Large,
    name: &str,
    query: &Arc<SearchQuery>,
) -> Probe {
    let (store, query, id) = (store.clone(), query.clone(), large.id);
    Probe::new(format!("search in 10,000 messages: {name}"), GOAL, move |_| {
        let (store, query) = (store.clone(), query.clone());
        async move {
            let found = store
                .search_messages(USER, id, &query, MessageFilter::default(), PAGE)
                .await?;
            Ok(found.1)
        }
    })
}

fn stats(store: &Arc<dyn ConversationStore>) -> Probe {
    let store = store.clone();
    Probe::new("statistics over all conversations", GOAL, move |_| {
        let store = store.clone();
        async move { Ok(store.conversation_stats(USER, None).await?.messages) }
    })
}
